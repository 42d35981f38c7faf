"""Plans, their versions, the people on them, quotas."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.commissions.choices import VersionState
from salesops.commissions.errors import CommissionRefusedError
from salesops.commissions.filters import PlanFilter, QuotaFilter
from salesops.commissions.forms import AssignmentForm, QuotaForm, TakeOffForm
from salesops.commissions.models import Plan, PlanAssignment, PlanVersion, Quota
from salesops.commissions.rules.comparison import plan_differences
from salesops.commissions.rules.plans import plan_from_plain
from salesops.commissions.selectors.designs import plan_shown, stands_in_the_way
from salesops.commissions.selectors.own_plans import own_plans
from salesops.commissions.selectors.plans import (
    acknowledgements_for,
    assignments_for,
    count_on,
    current_version,
    plan_for,
    plans_for,
    quota_for,
    quota_names,
    quotas_for,
    to_acknowledge,
    version_for,
    versions_for,
)
from salesops.commissions.services.plans import (
    acknowledge_version,
    activate_version,
    assign_to_plan,
    conditions_that_cannot_be_read,
    discard_draft,
    kinds_that_never_come,
    set_quota,
    take_off_plan,
)
from salesops.commissions.tables import PlanAssignmentTable, PlanTable, QuotaTable
from salesops.core.actor import Actor, Noun, Role, Scope
from salesops.core.days import company_day
from salesops.core.tables import Rows
from salesops.core.views import (
    ConfirmView,
    Empty,
    MoneyTotal,
    PortalView,
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


class MyPlanView(PortalView):
    """The way to the plan that the reader is paid by; with several, or none, a page that says which."""

    def allows(self, actor: Actor) -> bool:
        """Not for roles without sight of plans."""
        return actor.sight(Noun.PLAN) >= Scope.OWN

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Their plan."""
        own = own_plans(self.actor, company_day(self.now))
        if len(own) == 1:
            return redirect("commissions:plan_detail", pk=own[0].plan.pk)
        return render(request, "commissions/plan_mine.html", {"title": _("My plan"), "own": own})


class PlanDetailView(ScopedDetailView):
    """What a plan says now, its versions, the people on it."""

    selector = plan_for

    def get_context(self) -> dict[str, Any]:
        """The version in force (or the newest), drawn and in words; beside another one where it is asked for."""
        plan: Plan = self.object
        versions = list(versions_for(self.actor, plan))
        version = self._wanted(versions, "version") or current_version(versions, company_day(self.now))
        other = self._wanted(versions, "with")
        definition = plan_from_plain(version.definition).unwrap() if version else None
        people = list(assignments_for(self.actor, plan)[:200])
        is_draft = version is not None and version.state == VersionState.DRAFT
        return {
            "versions": versions,
            "version": version,
            "shown": plan_shown(definition) if definition else None,
            "in_the_way": [
                *stands_in_the_way(definition),
                *kinds_that_never_come(definition),
                *conditions_that_cannot_be_read(definition),
            ]
            if definition and is_draft
            else [],
            "other": other,
            "differences": plan_differences(plan_from_plain(other.definition).unwrap(), definition)
            if other and definition
            else [],
            "people": PlanAssignmentTable(Rows(people, PlanAssignment), now=self.now),
            "people_count": len(people),
            "all_people": count_on(plan),
            "sees_pay": self.actor.sight(Noun.PAY) >= Scope.OWN,
            "may_design": self.actor.has(*DESIGNERS),
            "may_try": self.actor.has(Role.REVOPS, Role.FINANCE),
            "may_activate": is_draft
            and self.actor.has(Role.FINANCE, Role.REVOPS)
            and version is not None
            and version.created_by_id != self.actor.user_id,
            "is_own_draft": is_draft and version is not None and version.created_by_id == self.actor.user_id,
            **self._acknowledged(version),
        }

    def _wanted(self, versions: list[PlanVersion], name: str) -> PlanVersion | None:
        """The version that a parameter of the address names."""
        wanted = self.request.GET.get(name, "")
        return next((each for each in versions if str(each.number) == wanted), None)

    def _acknowledged(self, version: PlanVersion | None) -> dict[str, Any]:
        """Whether the reader should acknowledge the version, when they did, and who did."""
        if version is None or version.state == VersionState.DRAFT:
            return {}
        rows = list(acknowledgements_for(self.actor, version)[:200])
        own = next((row for row in rows if row.person_id == self.actor.user_id), None)
        return {
            "acknowledgements": rows,
            "acknowledged": own,
            "is_to_acknowledge": own is None
            and any(each.pk == version.pk for each in to_acknowledge(self.actor, company_day(self.now))),
        }


class AcknowledgeView(PortalView):
    """A person has read a version of a plan they are on."""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Keep it, once."""
        version = version_for(self.actor, self.kwargs["pk"])
        try:
            acknowledge_version(actor=self.actor, version=version, at=self.now)
        except CommissionRefusedError as error:
            messages.error(request, " ".join(error.messages))
        else:
            messages.success(request, _("Thank you. It is kept that you have read this version."))
        address = reverse("commissions:plan_detail", kwargs={"pk": version.plan_id})
        return redirect(f"{address}?version={version.number}")


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


class VersionDiscardView(ConfirmView):
    """Throw a draft away."""

    selector = version_for
    title, submit_label = gettext_lazy("Throw this draft away"), gettext_lazy("Throw away")
    success_message = gettext_lazy("Thrown away.")
    roles = DESIGNERS

    def get_back_url(self) -> str:
        """The plan."""
        return reverse("commissions:plan_detail", kwargs={"pk": self.object.plan_id})

    def save(self, form: Any) -> Any:
        """Throw it away."""
        return discard_draft(actor=self.actor, version=self.object, at=self.now)


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


class AssignmentEndView(ScopedEditView):
    """Take a person off a plan."""

    selector, form_class = plan_for, TakeOffForm
    title, submit_label = gettext_lazy("Take a person off the plan"), gettext_lazy("Take off the plan")
    success_message = gettext_lazy("It ends then. What was paid for later days comes back as an adjustment.")
    roles = DESIGNERS

    def get_form_kwargs(self) -> dict[str, Any]:
        """A plain form."""
        return {"actor": self.actor, "initial": {}}

    def save(self, form: Any) -> Any:
        """End it."""
        data = form.cleaned_data
        take_off_plan(
            actor=self.actor, plan=self.object, person_id=data["person"].pk, end_on=data["end_on"], at=self.now
        )
        return self.object


class QuotaListView(ScopedListView):
    """Quotas the actor may see."""

    selector = quotas_for
    table_class, filterset_class = QuotaTable, QuotaFilter
    totals = (MoneyTotal(gettext_lazy("Quota"), "money_minor"),)
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
            measure=data["measure"],
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
            "measure": quota.measure,
            "amount_minor": str(quota.amount_minor) if quota.measure in quota_names()[1] else quota.amount_minor,
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
