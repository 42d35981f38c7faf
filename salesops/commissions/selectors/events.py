"""Events that settlements need beside earnings, and which of them a plan knows on a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db.models import QuerySet

from salesops.commissions.choices import EventKind, PeriodState, VersionState
from salesops.commissions.models import Period, Plan, PlanEvent, PlanVersion
from salesops.commissions.rules.plans import plan_from_plain
from salesops.core.actor import Actor, Noun, Role, Scope
from salesops.core.models import held_on
from salesops.people.models import User

#: Who records events; managers those of their own people.
RECORDERS = (Role.REVOPS, Role.MANAGER)


@dataclass(frozen=True, slots=True)
class Known:
    """What a plan in force on a day can be told: the keys of objectives and bonuses, and the rest by kind."""

    version: PlanVersion
    objectives: tuple[str, ...] = ()
    bonuses: tuple[str, ...] = ()
    team: bool = False
    payments: bool = False

    def keys(self, kind: str) -> tuple[str, ...]:
        """The references that an objective or a bonus may have."""
        return self.objectives if kind == EventKind.OBJECTIVE else self.bonuses if kind == EventKind.BONUS else ()

    def takes(self, kind: str) -> bool:
        """Whether the plan uses this kind of event at all."""
        if kind == EventKind.TEAM:
            return self.team
        return self.payments if kind == EventKind.PAYMENT else bool(self.keys(kind))


def may_see_events(actor: Actor) -> bool:
    """Whoever sees quotas, their own at least."""
    return actor.sight(Noun.QUOTA) >= Scope.OWN


def events_for(actor: Actor) -> QuerySet[PlanEvent]:
    """Events the actor may see."""
    return PlanEvent.objects.visible_to(actor)


def event_for(actor: Actor, pk: int) -> PlanEvent:
    """One event; 404 when it is not theirs."""
    return PlanEvent.objects.select_related("plan", "person", "recorded_by").get_for(actor, pk=pk)


def known_on(plan: Plan, day: date) -> Known | None:
    """What the version of the plan that is in force on a day can be told; None when none is."""
    versions = PlanVersion.objects.filter(
        held_on(day), plan=plan, state__in=[VersionState.ACTIVE, VersionState.RETIRED]
    )
    version = versions.order_by("-start_on", "-number").first()
    if version is None:
        return None
    terms = plan_from_plain(version.definition).unwrap().settlement
    if terms is None:
        return Known(version)
    return Known(
        version,
        objectives=tuple(item.key for item in terms.objectives),
        bonuses=tuple(item.key for item in terms.bonuses),
        team=terms.multiplier is not None,
        payments=any(release.kind.value == "on_payment" for release in terms.releases),
    )


def people_with_events(actor: Actor) -> QuerySet[User]:
    """Whose events the actor may record."""
    people = User.objects.filter(plan_assignments__isnull=False).distinct().order_by("name")
    return people if actor.has(Role.REVOPS) else people.filter(pk__in=actor.tree_ids)


def is_locked_on(plan_version: PlanVersion, day: date) -> bool:
    """Whether the period of the plan in which the day lies is locked: what is recorded now comes as a late change."""
    periods = Period.objects.filter(
        kind=plan_version.period_kind,
        time_zone=plan_version.time_zone,
        start_on__lte=day,
        end_on__gt=day,
        state=PeriodState.LOCKED,
    )
    return periods.exists()
