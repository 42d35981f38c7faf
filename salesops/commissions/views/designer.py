"""The plan designer: a new plan from a template, a draft part by part or as text, its curve while it is edited."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.commissions.choices import VersionState
from salesops.commissions.designer.component import ComponentForm
from salesops.commissions.designer.plan import (
    BasicsForm,
    ConventionsForm,
    ExamplesForm,
    SettlementForm,
    StartForm,
    TextForm,
    VersionStartForm,
)
from salesops.commissions.models import PlanVersion
from salesops.commissions.rules.fields import OF_THE_PORTAL
from salesops.commissions.rules.templates import TEMPLATES, template_plan
from salesops.commissions.selectors.designs import component_shown, plan_shown, stands_in_the_way
from salesops.commissions.selectors.drawing import draw_component
from salesops.commissions.selectors.plans import plan_for, version_for, versions_for
from salesops.commissions.selectors.wording import examples_told, order_sentence
from salesops.commissions.services.designs import (
    change_components,
    parsed,
    save_definition,
    start_plan,
    start_version,
    text_of,
    words_of,
)
from salesops.commissions.services.plans import (
    conditions_that_cannot_be_read,
    kinds_that_never_come,
    stage_that_is_missing,
)
from salesops.core.actor import Role
from salesops.core.days import company_day
from salesops.core.views import PortalView, ScopedCreateView, ScopedEditView
from salesops.values.formulas import Kind, check, describe_fields

DESIGNERS = (Role.REVOPS, Role.ADMIN)


class PlanCreateView(ScopedCreateView):
    """A new plan, from one of the templates, each with its curve."""

    form_class, title, back_url = StartForm, gettext_lazy("New plan"), "commissions:plan_list"
    template_name = "commissions/plan_form.html"
    submit_label = gettext_lazy("Make the plan")
    success_message = gettext_lazy("The plan begins as a draft. Change what is different with you.")
    roles = DESIGNERS

    def get_initial(self) -> dict[str, Any]:
        """From the first of the month on."""
        return {"start_on": company_day(self.now).replace(day=1)} | super().get_initial()

    def get_context(self) -> dict[str, Any]:
        """The templates with a drawing each."""
        shown = []
        for template in TEMPLATES:
            plan = template_plan(template, settings.COMPANY_CURRENCY, "UTC")
            drawing = draw_component(plan, plan.components[0], quota_label="", target_label="").value
            shown.append(
                {"key": template.key, "title": _(template.title), "sentence": _(template.sentence), "drawing": drawing}
            )
        return {"templates": shown, "is_wide": True}

    def save(self, form: Any) -> Any:
        """Make it, and go on to its draft."""
        version = start_plan(actor=self.actor, at=self.now, **form.values)
        return reverse("commissions:version_edit", kwargs={"pk": version.pk})


class VersionCreateView(ScopedEditView):
    """A new draft of a plan, beginning with what one of its versions says."""

    selector, form_class = plan_for, VersionStartForm
    title, submit_label = gettext_lazy("New version"), gettext_lazy("Make the draft")
    roles = DESIGNERS

    @cached_property
    def versions(self) -> dict[str, PlanVersion]:
        """The versions so far, newest first."""
        return {f"version-{each.number}": each for each in versions_for(self.actor, self.object)}

    def get_form_kwargs(self) -> dict[str, Any]:
        """A plain form: the versions to begin with, the month after this one to begin in."""
        labels = [
            (key, _("Version %(number)s") % {"number": each.number} + f" · {each.get_state_display()}")
            for key, each in self.versions.items()
        ]
        newest = next(iter(self.versions), TEMPLATES[0].key)
        month = (company_day(self.now).replace(day=1) + timedelta(days=32)).replace(day=1)
        return {"actor": self.actor, "versions": labels, "initial": {"begin_with": newest, "start_on": month}}

    def save(self, form: Any) -> Any:
        """Make it, and go on to it."""
        chosen = form.cleaned_data["begin_with"]
        version = start_version(
            actor=self.actor,
            plan=self.object,
            base=self.versions.get(chosen),
            template=chosen,
            currency=settings.COMPANY_CURRENCY,
            time_zone=settings.COMPANY_TIME_ZONE,
            start_on=form.cleaned_data["start_on"],
            at=self.now,
        )
        return reverse("commissions:version_edit", kwargs={"pk": version.pk})


class _OfADraft(PortalView):
    """A page about a draft; whoever comes for a version that is none any more is led to the plan."""

    roles = DESIGNERS

    @cached_property
    def version(self) -> PlanVersion:
        """The draft; 404 when the version is not theirs."""
        return version_for(self.actor, self.kwargs["pk"])

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Only drafts are designed."""
        if self.allows(self.actor) and self.version.state != VersionState.DRAFT:
            messages.info(request, _("A version in force cannot be changed. Write a new draft from it."))
            address = reverse("commissions:plan_detail", kwargs={"pk": self.version.plan_id})
            return redirect(f"{address}?version={self.version.number}")
        return super().dispatch(request, *args, **kwargs)

    def design_url(self) -> str:
        """The draft's own page."""
        return reverse("commissions:version_edit", kwargs={"pk": self.version.pk})


class DesignView(_OfADraft):
    """A draft: its components with their curves, what else it says, what stands in the way of putting it in force."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """The page."""
        return self.answer()

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Add, copy, move or take out a component."""
        move = request.POST.get("move", "")
        place = request.POST.get("place", "")
        try:
            place_now = change_components(
                actor=self.actor,
                version=self.version,
                move=move,
                place=int(place) if place.isascii() and place.isdigit() and len(place) < 6 else 0,
                seen_digest=request.POST.get("seen_digest"),
                at=self.now,
            )
        except ValidationError as error:
            return self.answer(error.messages, 409 if getattr(error, "code", "") == "stale" else 422)
        if move in ("add", "copy"):
            return redirect("commissions:component_edit", pk=self.version.pk, place=place_now)
        return redirect(f"{self.design_url()}#component-{place_now}")

    def answer(self, problems: list[str] | None = None, status: int = 200) -> HttpResponseBase:
        """The page, with why something was not done."""
        version = version_for(self.actor, self.version.pk)
        plan = parsed(version)
        context = {
            "view": self,
            "title": _("%(plan)s, version %(number)s") % {"plan": version.plan.name, "number": version.number},
            "version": version,
            "plan": version.plan,
            "shown": plan_shown(plan),
            "in_the_way": [
                *stands_in_the_way(plan),
                *kinds_that_never_come(plan),
                *stage_that_is_missing(plan),
                *conditions_that_cannot_be_read(plan),
            ],
            "refusals": problems or [],
            "tab": "parts",
        }
        return render(self.request, "commissions/version_design.html", context, status=status)


class _PartView(ScopedEditView):
    """A page of the designer with one form. The draft is what `selector` finds."""

    selector = version_for
    roles = DESIGNERS
    template_name = "commissions/version_part.html"
    submit_label = gettext_lazy("Save")
    #: How the form stands on the page, beside the general one.
    layout: ClassVar[str] = "commissions/parts_plain_form.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Only drafts are designed."""
        if self.allows(self.actor) and self.object.state != VersionState.DRAFT:
            messages.info(request, _("A version in force cannot be changed. Write a new draft from it."))
            address = reverse("commissions:plan_detail", kwargs={"pk": self.object.plan_id})
            return redirect(f"{address}?version={self.object.number}")
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        """The draft in the words of its plan file."""
        return {
            "actor": self.actor,
            "initial": {},
            "words": words_of(self.object),
            "digest": self.object.digest,
        }

    def get_back_url(self) -> str:
        """The draft."""
        return reverse("commissions:version_edit", kwargs={"pk": self.object.pk})

    def get_context(self) -> dict[str, Any]:
        """The draft."""
        return {"version": self.object, "plan": self.object.plan, "layout": self.layout}

    def save(self, form: Any) -> Any:
        """Keep what the form made of the draft."""
        save_definition(
            actor=self.actor,
            version=self.object,
            plan=form.plan,
            start_on=form.cleaned_data.get("start_on"),
            seen_digest=form.cleaned_data["seen_digest"] or None,
            at=self.now,
        )
        return self.get_back_url()


class ComponentEditView(_PartView):
    """One component of a draft."""

    form_class, title = ComponentForm, gettext_lazy("Component")
    layout = "commissions/parts_component_form.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """A place that there is not leads back to the draft."""
        is_theirs = self.allows(self.actor) and self.object.state == VersionState.DRAFT
        if is_theirs and self.kwargs["place"] >= len(self.object.definition["components"]):
            return redirect(self.get_back_url())
        return super().dispatch(request, *args, **kwargs)

    def get_title(self) -> str:
        """Its name."""
        return str(self.object.definition["components"][self.kwargs["place"]]["name"])

    def get_form_kwargs(self) -> dict[str, Any]:
        """And its place."""
        return super().get_form_kwargs() | {"place": self.kwargs["place"]}

    def get_context(self) -> dict[str, Any]:
        """The curve as it is now, and the fields that formulas may ask for."""
        plan = parsed(self.object)
        return super().get_context() | {
            "preview": component_shown(plan, plan.components[self.kwargs["place"]]),
            "currency": plan.currency,
            "place": self.kwargs["place"],
            "formula_fields": [
                {"name": each.name, "label": _(each.label), "kind": _(each.kind), "example": each.example}
                for each in describe_fields(OF_THE_PORTAL)
            ],
        }

    def get_back_url(self) -> str:
        """The component in its draft."""
        return f"{super().get_back_url()}#component-{self.kwargs['place']}"


class ComponentCurveView(_OfADraft):
    """The curve of a component as it is being typed, and what is wrong with it; nothing is kept."""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Read the form and draw."""
        place = self.kwargs["place"]
        if place >= len(self.version.definition["components"]):
            return HttpResponse(status=404)
        form = ComponentForm(request.POST, actor=self.actor, words=words_of(self.version), place=place)
        context: dict[str, Any] = {"place": place}
        if form.is_valid() and form.plan:
            component = form.plan.components[place]
            context |= {"preview": component_shown(form.plan, component), "currency": form.plan.currency}
        else:
            context["mistakes"] = [
                (form.fields[name].label if name in form.fields else "", each)
                for name, errors in form.errors.items()
                for each in errors
            ]
        return render(request, "commissions/parts_preview.html", context)


class FormulaView(PortalView):
    """Says whether a formula can be read, as it is typed."""

    roles = DESIGNERS

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """`when` must be a condition; `amount` an amount or, with `measure=count`, a number."""
        is_amount = "amount" in request.GET
        text = request.GET.get("amount" if is_amount else "when", "").strip()
        wants = Kind.BOOLEAN
        if is_amount:
            wants = Kind.NUMBER if request.GET.get("measure") == "count" else Kind.MONEY
        problems = check(text, OF_THE_PORTAL, wants).problems if text else ()
        return render(request, "commissions/parts_formula.html", {"text": text, "problems": problems})


class BasicsView(_PartView):
    """From when a draft is, in which period, currency and time zone."""

    form_class, title = BasicsForm, gettext_lazy("Period, currency and first day")

    def get_form_kwargs(self) -> dict[str, Any]:
        """And the first day, which is kept beside the definition."""
        return super().get_form_kwargs() | {"initial": {"start_on": self.object.start_on}}


class ConventionsView(_PartView):
    """The conventions of a draft, and its ramp."""

    form_class, title = ConventionsForm, gettext_lazy("Conventions and ramp")
    lead = gettext_lazy("Everything on which ways of paying silently differ. All of it is printed on the plan.")


class SettlementView(_PartView):
    """How what is earned becomes what is paid."""

    form_class, title = SettlementForm, gettext_lazy("Settlement")
    layout = "commissions/parts_settlement_form.html"

    def get_context(self) -> dict[str, Any]:
        """The order as a sentence."""
        plan = parsed(self.object)
        return super().get_context() | {"order": order_sentence(plan.conventions.settlement_order)}


class ExamplesView(_PartView):
    """The acceptance examples of a draft, each with what the engine says."""

    form_class, title = ExamplesForm, gettext_lazy("Acceptance examples")
    layout = "commissions/parts_examples_form.html"

    def get_context(self) -> dict[str, Any]:
        """What they come to now."""
        return super().get_context() | {"examples": examples_told(parsed(self.object))}

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Save; or, with `take`, fill in what the engine says where nothing is expected yet, and show the form again."""
        if "take" not in request.POST:
            return super().post(request, **kwargs)
        kwargs = self.get_form_kwargs()
        rows = ExamplesForm(request.POST, **kwargs).taken_over()
        seen = request.POST.get("seen_digest", "")
        return self.answer(ExamplesForm(**kwargs | {"initial": {"examples": rows, "seen_digest": seen}}))


class TextView(_PartView):
    """A draft as a plan file."""

    form_class, title = TextForm, gettext_lazy("As text")
    layout = "commissions/parts_text_form.html"

    def get_form_kwargs(self) -> dict[str, Any]:
        """The file."""
        return super().get_form_kwargs() | {"text": text_of(self.object)}

    def get_context(self) -> dict[str, Any]:
        """The other tab of the draft."""
        return super().get_context() | {"tab": "text"}


class VersionFileView(PortalView):
    """A version as a plan file, for whoever may see it."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """YAML."""
        version = version_for(self.actor, self.kwargs["pk"])
        name = f"{slugify(version.plan.name) or 'plan'}-{version.number}.yaml"
        return HttpResponse(
            text_of(version),
            content_type="application/yaml; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
