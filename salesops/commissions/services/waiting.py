"""Who is waited for: the next step of each period, whose it is by name, and since when it stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from django.db.models import Max
from django.utils.translation import gettext as _

from salesops.commissions.choices import PeriodState, StatementState
from salesops.commissions.models import Approval, PayrollFile, Statement
from salesops.commissions.rules.plans import ApprovalLevel
from salesops.commissions.selectors.periods import PeriodStanding
from salesops.commissions.services.approvals import waits_for
from salesops.people.choices import RoleChoice
from salesops.people.models import ReportingLine, RoleGrant

#: So many names are said; the others are counted.
NAMED: Final = 3


@dataclass(slots=True)
class Waiting:
    """Statements that wait at one level, and for whom."""

    level: str
    count: int = 0
    names: list[str] = field(default_factory=list)

    @property
    def named(self) -> str:
        """The first names, and how many more."""
        more = len(self.names) - NAMED
        told = ", ".join(self.names[:NAMED])
        return _("%(names)s and %(count)s more") % {"names": told, "count": more} if more > 0 else told


@dataclass(slots=True)
class Turn:
    """Whose turn a period is: at each level of approval, or whoever takes the next step. since: when it came to that."""

    waiting: list[Waiting] = field(default_factory=list)
    by: list[str] = field(default_factory=list)
    since: datetime | None = None


def turns_of(standings: Collection[PeriodStanding], day: date) -> dict[int, Turn]:
    """By period id; with a constant number of queries. `day`: as of which roles and managers are looked up."""
    ids = [each.period.pk for each in standings]
    staff: dict[str, list[str]] = defaultdict(list)
    grants = RoleGrant.objects.on(day).filter(role__in=[RoleChoice.FINANCE, RoleChoice.REVOPS], person__is_active=True)
    for role, name in grants.order_by("person__name").values_list("role", "person__name"):
        staff[role].append(name)
    approved: dict[int, datetime] = dict(
        Approval.objects.filter(statement__period__in=ids)
        .order_by()
        .values_list("statement__period_id")
        .annotate(last=Max("decided_at"))
    )
    released: dict[int, datetime] = dict(
        PayrollFile.objects.filter(period__in=ids).order_by().values_list("period_id").annotate(last=Max("released_at"))
    )
    waiting = _waiting(ids, day, staff[RoleChoice.FINANCE])
    found = {}
    for each in standings:
        period, calculated = each.period, each.calculation.started_at if each.calculation else None
        turn = Turn(waiting.get(period.pk, []), staff[RoleChoice.FINANCE], calculated)
        if each.step == "calculate":
            turn.by = sorted({*staff[RoleChoice.REVOPS], *staff[RoleChoice.FINANCE]})
        elif each.step == "lock":
            turn.since = max(filter(None, (calculated, approved.get(period.pk))), default=None)
        elif period.state == PeriodState.LOCKED:
            turn.since = period.locked_at
            if each.step == "done":
                turn.since, turn.by = released.get(period.pk, period.locked_at), []
        found[period.pk] = turn
    return found


def _waiting(ids: Collection[int], day: date, finance: list[str]) -> dict[int, list[Waiting]]:
    """The drafts of periods by the level whose turn it is."""
    drafts = list(
        Statement.objects.filter(period__in=ids, state=StatementState.DRAFT)
        .select_related("plan_version")
        .only("period_id", "person_id", "digest", "plan_version__definition")
        .order_by("pk")
    )
    decisions: dict[int, list[Approval]] = defaultdict(list)
    for decision in Approval.objects.filter(statement__in=[row.pk for row in drafts]).order_by("pk"):
        decisions[decision.statement_id].append(decision)
    managers = dict(
        ReportingLine.objects.on(day)
        .filter(person__in={row.person_id for row in drafts})
        .order_by("pk")
        .values_list("person_id", "manager__name")
    )
    found: dict[int, dict[str, Waiting]] = defaultdict(dict)
    for row in drafts:
        level = waits_for(row, decisions[row.pk])
        each = found[row.period_id].setdefault(level, Waiting(level))
        each.count += 1
        if level == ApprovalLevel.MANAGER:
            name = managers.get(row.person_id, _("nobody: no manager"))
            each.names = sorted({*each.names, name})
        else:
            each.names = finance
    return {period: list(levels.values()) for period, levels in found.items()}
