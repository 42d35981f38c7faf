"""Plans and quotas as people see them."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    Count,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from salesops.commissions.choices import VersionState
from salesops.commissions.models import Acknowledgement, Plan, PlanAssignment, PlanVersion, Quota
from salesops.commissions.rules.plans import DEFAULT_QUOTA
from salesops.commissions.rules.shapes import Measure, Shape, ShapeKind
from salesops.core.actor import Actor


def plans_for(actor: Actor) -> QuerySet[Plan]:
    """Plans the actor may see, with the number of people on them (`people`)."""
    on_it = PlanAssignment.objects.filter(plan=OuterRef("pk")).order_by().values("plan")
    counted = on_it.annotate(total=Count("person", distinct=True)).values("total")
    return Plan.objects.visible_to(actor).annotate(people=Coalesce(Subquery(counted), 0))


def plan_for(actor: Actor, pk: int) -> Plan:
    """One plan; 404 when it is not theirs."""
    return Plan.objects.get_for(actor, pk=pk)


def versions_for(actor: Actor, plan: Plan) -> QuerySet[PlanVersion]:
    """Versions of a plan, newest first; reps see no drafts."""
    return PlanVersion.objects.visible_to(actor).filter(plan=plan).select_related("created_by", "activated_by")


def version_for(actor: Actor, pk: int) -> PlanVersion:
    """One version; 404 when it is not theirs."""
    return PlanVersion.objects.select_related("plan", "created_by", "activated_by").get_for(actor, pk=pk)


def assignments_for(actor: Actor, plan: Plan) -> QuerySet[PlanAssignment]:
    """Who is on a plan, as far as the actor may see pay."""
    return (
        PlanAssignment.objects.visible_to(actor)
        .filter(plan=plan)
        .select_related("person")
        .order_by("person__name", "-start_on")
    )


def count_on(plan: Plan) -> int:
    """How many people were ever put on a plan: a number that whoever sees the plan may know."""
    return PlanAssignment.objects.filter(plan=plan).values("person").distinct().count()


def quotas_for(actor: Actor) -> QuerySet[Quota]:
    """Quotas the actor may see. `is_of_things`: counted without a currency; `money_minor` is then nothing."""
    of_things = Q(measure__in=quota_names()[1])
    return (
        Quota.objects.visible_to(actor)
        .select_related("person")
        .annotate(
            is_of_things=Case(When(of_things, then=Value(True)), default=Value(False), output_field=BooleanField()),
            money_minor=Case(When(of_things, then=None), default=F("amount_minor"), output_field=BigIntegerField()),
        )
    )


def quota_for(actor: Actor, pk: int) -> Quota:
    """One quota; 404 when it is not theirs."""
    return Quota.objects.select_related("person").get_for(actor, pk=pk)


def quota_names() -> tuple[list[str], list[str]]:
    """The names of quotas that drafts and plans in force ask for: those of money, and those of things.

    A quota of things is kept as their number, one of money in minor units. Names tell nobody's pay.
    """
    money: set[str] = {DEFAULT_QUOTA}
    things: set[str] = set()
    definitions = PlanVersion.objects.exclude(state=VersionState.RETIRED).values_list("definition", flat=True)
    for definition in definitions:
        for component in definition["components"]:
            is_of_things = component.get("measure") == Measure.COUNT.value
            (things if is_of_things else money).add(component.get("quota_name") or DEFAULT_QUOTA)
    return sorted(money - things), sorted(things)


def current_version(versions: list[PlanVersion], day: date) -> PlanVersion | None:
    """The version in force on a day, else the newest."""
    for version in versions:
        if version.state == "active" and version.start_on <= day and (version.end_on is None or day < version.end_on):
            return version
    return versions[0] if versions else None


def acknowledgements_for(actor: Actor, version: PlanVersion) -> QuerySet[Acknowledgement]:
    """Who has acknowledged a version, as far as the actor may know it; newest first."""
    return Acknowledgement.objects.visible_to(actor).filter(plan_version=version).select_related("person")


def to_acknowledge(actor: Actor, day: date) -> list[PlanVersion]:
    """Versions in force on a day, or later, of plans the actor is on while they hold, and has not acknowledged yet."""
    if actor.user_id is None:
        return []
    on_it = PlanAssignment.objects.filter(
        Q(end_on__isnull=True) | (Q(end_on__gt=day) & Q(end_on__gt=OuterRef("start_on"))),
        person_id=actor.user_id,
        plan=OuterRef("plan"),
    )
    versions = (
        PlanVersion.objects.visible_to(actor)
        .filter(
            Q(Exists(on_it), end_on__isnull=True)
            | Q(Exists(on_it.filter(start_on__lt=OuterRef("end_on"))), end_on__gt=day),
            state=VersionState.ACTIVE,
        )
        .exclude(acknowledgements__person_id=actor.user_id)
    )
    return list(versions.select_related("plan").order_by("start_on", "pk"))


def tiers_of(shape: Shape) -> list[dict[str, Any]]:
    """The rows of a shape as they were written: from where, and what it is worth."""
    if shape.kind is ShapeKind.FLAT:
        return [{"at": "", "worth": shape.rows[0].worth.text}]
    return [{"at": row.at.text, "worth": row.worth.text} for row in shape.rows]
