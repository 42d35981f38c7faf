"""Plans, their versions, the people on them, quotas."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.commissions.choices import VersionState
from salesops.commissions.filters import PlanFilter, QuotaFilter
from salesops.commissions.forms import AssignmentForm, PlanForm, QuotaForm, VersionForm
from salesops.commissions.models import Plan, PlanAssignment, PlanVersion, Quota
from salesops.commissions.rules.plans import curve_for, plan_from_plain
from salesops.commissions.selectors.drawing import Drawing, draw
from salesops.commissions.selectors.plans import (
    assignments_for,
    count_on,
    current_version,
    plan_for,
    plans_for,
    quota_for,
    quotas_for,
    tiers_of,
    version_for,
    versions_for,
)
from salesops.commissions.selectors.statements import conventions_of
from salesops.commissions.services.plans import activate_version, assign_to_plan, create_plan, save_draft, set_quota
from salesops.commissions.tables import PlanAssignmentTable, PlanTable, QuotaTable
from salesops.core.actor import Actor, Noun, Role, Scope
from salesops.core.days import company_day
from salesops.core.tables import Rows
from salesops.core.views import (
    ConfirmView,
    Empty,
    MoneyTotal,
    ScopedCreateView,
    ScopedDetailView,
    ScopedEditView,
    ScopedListView,
)
from salesops.values.periods import parse_label

DESIGNERS = (Role.REVOPS, Role.ADMIN)


class PlanListView(ScopedListView):
    """The plans the actor may see."""

    selector = plans_for
    table_class, filterset_class = PlanTable, PlanFilter
    create_url, create_label = "commissions:plan_create", gettext_lazy("New plan")
    empty = Empty(
        gettext_lazy("No plans yet"),
        gettext_lazy("A plan says what people earn. Write one, have somebody else put it in force."),
        "file-percent",
    )

    def allows(self, actor: Actor) -> bool:
        """Not for roles without sight of plans."""
        return actor.sight(Noun.PLAN) >= Scope.OWN

    def may_create(self) -> bool:
        """Revops and administrators."""
        return self.actor.has(*DESIGNERS)


class PlanDetailView(ScopedDetailView):
    """What a plan says now, its versions, the people on it."""

    selector = plan_for

    def get_context(self) -> dict[str, Any]:
        """The version in force (or the newest), drawn and in words."""
        plan: Plan = self.object
        versions = list(versions_for(self.actor, plan))
        wanted = self.request.GET.get("version", "")
        chosen = next((each for each in versions if str(each.number) == wanted), None)
        version = chosen or current_version(versions, company_day(self.now))
        people = list(assignments_for(self.actor, plan)[:200])
        return {
            "versions": versions,
            "version": version,
            "shown": _shown(version) if version else None,
            "people": PlanAssignmentTable(Rows(people, PlanAssignment), now=self.now),
            "people_count": len(people),
            "all_people": count_on(plan),
            "sees_pay": self.actor.sight(Noun.PAY) >= Scope.OWN,
            "may_design": self.actor.has(*DESIGNERS),
            "may_activate": version is not None
            and version.state == VersionState.DRAFT
            and self.actor.has(Role.FINANCE, Role.REVOPS)
            and version.created_by_id != self.actor.user_id,
            "is_own_draft": version is not None
            and version.state == VersionState.DRAFT
            and version.created_by_id == self.actor.user_id,
        }


def _shown(version: PlanVersion) -> dict[str, Any]:
    """Components with their tiers and a curve drawn for the standard quota, and the conventions."""
    definition = plan_from_plain(version.definition).unwrap()
    components = []
    for component in definition.components:
        quota = component.standard_quota or 10_000_000
        outcome = curve_for(
            definition,
            component,
            quota=quota,
            target_minor=component.standard_target_minor or 1_000_000,
            personal_rate=None,
        )
        drawing: Drawing | None = None
        if outcome.value is not None:
            drawing = draw(outcome.value, credited=quota, quota=quota, quota_label=_("Quota"))
        components.append({"component": component, "tiers": tiers_of(component.shape), "drawing": drawing})
    return {"definition": definition, "components": components, "conventions": conventions_of(definition.conventions)}


class PlanCreateView(ScopedCreateView):
    """A new plan."""

    form_class, title, back_url = PlanForm, gettext_lazy("New plan"), "commissions:plan_list"
    roles = DESIGNERS

    def save(self, form: Any) -> Any:
        """Make it, and go on to its first version."""
        plan = create_plan(
            actor=self.actor, name=form.cleaned_data["name"], description=form.cleaned_data["description"], at=self.now
        )
        return reverse("commissions:version_create", kwargs={"pk": plan.pk})


class VersionCreateView(ScopedEditView):
    """A new draft of a plan, beginning with what its newest version says."""

    selector, form_class = plan_for, VersionForm
    title, submit_label = gettext_lazy("New version"), gettext_lazy("Save the draft")
    success_message = gettext_lazy("The draft is kept. Somebody else can put it in force.")
    roles = DESIGNERS

    def get_form_kwargs(self) -> dict[str, Any]:
        """A plain form."""
        return {"actor": self.actor, "initial": self.get_initial()}

    def get_initial(self) -> dict[str, Any]:
        """The newest version's values."""
        newest = versions_for(self.actor, self.object).first()
        return VersionForm.initial_from(newest) if newest else {}

    def save(self, form: Any) -> Any:
        """Keep the draft."""
        save_draft(
            actor=self.actor,
            plan=self.object,
            definition=form.cleaned_data["definition"],
            start_on=form.cleaned_data["start_on"],
            at=self.now,
        )
        return self.object


class VersionEditView(ScopedEditView):
    """Change a draft."""

    selector, form_class = version_for, VersionForm
    title, submit_label = gettext_lazy("Change the draft"), gettext_lazy("Save the draft")
    roles = DESIGNERS

    def get_form_kwargs(self) -> dict[str, Any]:
        """A plain form with the draft's values."""
        return {"actor": self.actor, "initial": VersionForm.initial_from(self.object)}

    def get_back_url(self) -> str:
        """The plan."""
        return reverse("commissions:plan_detail", kwargs={"pk": self.object.plan_id})

    def save(self, form: Any) -> Any:
        """Keep it."""
        version = save_draft(
            actor=self.actor,
            plan=self.object.plan,
            version=self.object,
            definition=form.cleaned_data["definition"],
            start_on=form.cleaned_data["start_on"],
            at=self.now,
        )
        return version.plan


class VersionActivateView(ConfirmView):
    """Put a draft in force: by somebody else than its writer."""

    selector = version_for
    title, submit_label, is_danger = gettext_lazy("Put the version in force"), gettext_lazy("Put in force"), False
    lead = gettext_lazy("It cannot be changed afterwards. The version before it ends where this one begins.")
    roles = (Role.FINANCE, Role.REVOPS)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The writer is refused before the question."""
        if self.allows(self.actor) and self.object.created_by_id == self.actor.user_id:
            raise PermissionDenied(_("You wrote this version: somebody else must put it in force."))
        return super().dispatch(request, *args, **kwargs)

    def get_back_url(self) -> str:
        """The plan."""
        return reverse("commissions:plan_detail", kwargs={"pk": self.object.plan_id})

    def save(self, form: Any) -> Any:
        """Put it in force."""
        return activate_version(actor=self.actor, version=self.object, at=self.now).plan


class AssignmentCreateView(ScopedEditView):
    """Put a person on a plan."""

    selector, form_class = plan_for, AssignmentForm
    title, submit_label = gettext_lazy("Put a person on the plan"), gettext_lazy("Put on the plan")
    roles = DESIGNERS

    def get_form_kwargs(self) -> dict[str, Any]:
        """A plain form."""
        return {"actor": self.actor, "initial": {}}

    def save(self, form: Any) -> Any:
        """Assign."""
        data = form.cleaned_data
        assign_to_plan(
            actor=self.actor,
            plan=self.object,
            person_id=data["person"].pk,
            start_on=data["start_on"],
            end_on=data["end_on"],
            rate=data["rate"],
            target_pay_minor=data["target_pay_minor"],
            currency=data["currency"],
            at=self.now,
        )
        return self.object


class QuotaListView(ScopedListView):
    """Quotas the actor may see."""

    selector = quotas_for
    table_class, filterset_class = QuotaTable, QuotaFilter
    totals = (MoneyTotal(gettext_lazy("Quota"), "amount_minor"),)
    create_url, create_label = "commissions:quota_create", gettext_lazy("Set a quota")
    empty = Empty(gettext_lazy("No quotas yet"), gettext_lazy("Set one here, or import a file of them."), "target")

    def allows(self, actor: Actor) -> bool:
        """Not for roles without sight of quotas."""
        return actor.sight(Noun.QUOTA) >= Scope.OWN

    def may_create(self) -> bool:
        """Revops, administrators, managers."""
        return self.actor.has(*DESIGNERS, Role.MANAGER)


class QuotaCreateView(ScopedCreateView):
    """Set a quota."""

    form_class, title, back_url = QuotaForm, gettext_lazy("Set a quota"), "commissions:quota_list"
    roles = (*DESIGNERS, Role.MANAGER)

    def save(self, form: Any) -> Any:
        """Set it; a quota of the same person and period is replaced."""
        data = form.cleaned_data
        set_quota(
            actor=self.actor,
            person_id=data["person"].pk,
            period=data["period"],
            amount_minor=data["amount_minor"],
            currency=data["currency"],
            at=self.now,
        )
        return reverse("commissions:quota_list")


class QuotaEditView(QuotaCreateView):
    """Change a quota."""

    title = gettext_lazy("Change the quota")

    @cached_property
    def object(self) -> Quota:
        """The quota; 404 when it is not theirs."""
        return quota_for(self.actor, self.kwargs["pk"])

    def get_initial(self) -> dict[str, Any]:
        """Its values."""
        quota = self.object
        return {
            "person": quota.person_id,
            "period": _label(quota),
            "amount_minor": quota.amount_minor,
            "currency": quota.currency,
        }

    def get_back_url(self) -> str:
        """The list."""
        return reverse("commissions:quota_list")

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """The form, for a quota the actor may see."""
        _seen = self.object
        return super().get(request, **kwargs)

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Change it, for a quota the actor may see."""
        _seen = self.object
        return super().post(request, **kwargs)


def _label(quota: Quota) -> str:
    """The label of the quota's period."""
    for label in (
        f"{quota.start_on:%Y}Q{(quota.start_on.month + 2) // 3}",
        f"{quota.start_on:%Y-%m}",
        f"{quota.start_on:%Y}",
    ):
        period = parse_label(label)
        if (period.start, period.end) == (quota.start_on, quota.end_on):
            return label
    return ""
