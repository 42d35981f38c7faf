"""Adjustments: which there are, and which of them are out of proportion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date

from django.conf import settings
from django.db.models import QuerySet, Sum

from salesops.commissions.choices import PeriodState, StatementState, VersionState
from salesops.commissions.models import Adjustment, Period, Plan, PlanVersion, Statement
from salesops.commissions.rules.reviews import SecondLook, second_look
from salesops.core.actor import Actor, Noun, Role, Scope
from salesops.core.models import held_during
from salesops.people.models import User

#: Who prepares adjustments; managers those of their own people.
PREPARERS = (Role.REVOPS, Role.FINANCE, Role.MANAGER)


def may_see_adjustments(actor: Actor) -> bool:
    """Whoever sees somebody's pay, their own at least, and revenue operations, who prepare some."""
    return actor.sight(Noun.PAY) >= Scope.OWN or actor.has(Role.REVOPS)


def adjustments_for(actor: Actor) -> QuerySet[Adjustment]:
    """Adjustments the actor may see."""
    return Adjustment.objects.visible_to(actor)


def adjustment_for(actor: Actor, pk: int) -> Adjustment:
    """One adjustment; 404 when it is not theirs."""
    rows = Adjustment.objects.select_related(
        "person", "plan", "period", "about_period", "about_transaction__deal", "prepared_by", "decided_by"
    )
    return rows.get_for(actor, pk=pk)


def people_to_adjust(actor: Actor) -> QuerySet[User]:
    """Whose pay the actor may adjust: of those who are or were on a plan, never the actor themselves."""
    people = User.objects.filter(plan_assignments__isnull=False).exclude(pk=actor.user_id).distinct().order_by("name")
    return people if actor.has(Role.REVOPS, Role.FINANCE) else people.filter(pk__in=actor.tree_ids)


def open_periods() -> QuerySet[Period]:
    """Periods into which something can still be paid."""
    return Period.objects.filter(state=PeriodState.OPEN)


def version_during(plan: Plan, period: Period) -> PlanVersion | None:
    """The version by which a plan pays in a period, the latest where there are two; None when it pays nothing then."""
    versions: QuerySet[PlanVersion] = PlanVersion.objects.filter(
        held_during(period.start_on, period.end_on),
        plan=plan,
        state__in=[VersionState.ACTIVE, VersionState.RETIRED],
        period_kind=period.kind,
        time_zone=period.time_zone,
    )
    return versions.order_by("-start_on").first()


def second_looks(adjustments: Collection[Adjustment]) -> dict[int, SecondLook]:
    """Those of these adjustments that are out of proportion to what their person earned before, by id. One query."""
    wanted = {row.person_id for row in adjustments}
    rows = Statement.objects.filter(person_id__in=wanted, state__in=[StatementState.LOCKED, StatementState.PAID])
    earned: dict[tuple[int, str], list[tuple[date, int]]] = defaultdict(list)
    for person, currency, start, total in (
        rows.order_by("period__start_on")
        .values("person_id", "currency", "period__start_on")
        .annotate(total=Sum("earned_minor"))
        .values_list("person_id", "currency", "period__start_on", "total")
    ):
        earned[person, currency].append((start, total))
    found = {}
    for row in adjustments:
        before = [total for start, total in earned[row.person_id, row.currency] if start < row.period.start_on]
        look = second_look(
            row.amount_minor,
            before[-settings.ADJUSTMENT_LOOK_AGAIN_PERIODS :],
            settings.ADJUSTMENT_LOOK_AGAIN_TIMES,
        )
        if look is not None:
            found[row.pk] = look
    return found
