"""What the people of a team are paid: statements of one period, and the periods that have any."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import QuerySet

from salesops.commissions.models import Period, Statement
from salesops.commissions.rules.explain import attainment_bp
from salesops.commissions.selectors.statements import reached_of, statements_for
from salesops.core.actor import Actor, Noun, Role, Scope
from salesops.core.days import company_day
from salesops.pods.selectors import people_below


def may_see_team_pay(actor: Actor) -> bool:
    """Managers, of the people below them; finance, of everybody."""
    return actor.has(Role.MANAGER, Role.FINANCE)


def team_statements(actor: Actor) -> QuerySet[Statement]:
    """Statements of the actor's team: of all that they see, their own left out unless they see everybody's."""
    rows = statements_for(actor)
    return rows if actor.sight(Noun.PAY) >= Scope.ALL else rows.exclude(person_id=actor.user_id)


def team_statements_in(actor: Actor, period: Period) -> QuerySet[Statement]:
    """Statements of one period of those who were in the team then: on the period's last day, or today while it is on.

    So a person who moves takes nothing out of what their team reached before, and brings nothing into another's.
    """
    rows = team_statements(actor).filter(period=period)
    if actor.sight(Noun.PAY) >= Scope.ALL or actor.user_id is None or actor.as_of is None:
        return rows
    day = min(period.end_on - timedelta(days=1), company_day(actor.as_of))
    return rows.filter(person__in=people_below(actor.user_id, day))


def team_periods(actor: Actor) -> list[Period]:
    """Periods in which somebody of the team has a statement, the newest first."""
    asked = team_statements(actor).order_by().values("period_id")
    return list(Period.objects.filter(pk__in=asked).order_by("-start_on", "kind", "time_zone"))


@dataclass(slots=True)
class TeamSum:
    """What all rows of a list come to in one currency (minor units). target: the quotas of those who have one, and
    towards: what those reached."""

    quota_minor: int = 0
    reached_minor: int = 0
    towards_minor: int = 0
    earned_minor: int = 0
    payout_minor: int = 0

    @property
    def attainment(self) -> int | None:
        """Of all quotas together, in basis points."""
        return attainment_bp(self.towards_minor, self.quota_minor)


def team_sums(rows: QuerySet[Statement]) -> dict[str, TeamSum]:
    """The sums of these statements, by currency. One query."""
    found: dict[str, TeamSum] = defaultdict(TeamSum)
    needed = ("currency", "quota_minor", "credited_minor", "earned_minor", "payout_minor", "terms")
    for row in rows.order_by().select_related(None).only(*needed).iterator(chunk_size=2_000):
        total, reached = found[row.currency], reached_of(row)
        total.reached_minor += reached
        total.earned_minor += row.earned_minor
        total.payout_minor += row.payout_minor
        if row.quota_minor:
            total.quota_minor += row.quota_minor
            total.towards_minor += reached
    return dict(sorted(found.items()))
