"""Where each period stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from django.db.models import Count, QuerySet, Sum

from salesops.audit.anchors import Anchor
from salesops.commissions.choices import PeriodState, StatementState, VersionState
from salesops.commissions.models import Calculation, LedgerEntry, PayrollFile, Period, PlanVersion, Statement
from salesops.core.actor import Actor, Noun, Role, Scope
from salesops.values.periods import period_of


@dataclass(slots=True)
class PeriodStanding:
    """A period with the numbers of its statements by state and what they come to, by currency (minor units).

    `held` counts statements with problems, `unpaid` those that a payroll file still has to pay.
    """

    period: Period
    counts: dict[str, int] = field(default_factory=dict)
    earned: dict[str, int] = field(default_factory=dict)
    credited: dict[str, int] = field(default_factory=dict)
    payout: dict[str, int] = field(default_factory=dict)
    held: int = 0
    unpaid: int = 0
    calculation: Calculation | None = None

    @property
    def total(self) -> int:
        """How many statements there are."""
        return sum(self.counts.values())

    @property
    def waiting(self) -> int:
        """How many wait for approval."""
        return self.counts.get(StatementState.DRAFT, 0)

    @property
    def decided(self) -> int:
        """How many are approved, locked or paid."""
        return self.total - self.waiting

    @property
    def step(self) -> str:
        """What has to be done next: calculate, approve, lock, release, or nothing."""
        if self.period.state == PeriodState.OPEN:
            return "calculate" if not self.total else "approve" if self.waiting else "lock"
        return "release" if self.unpaid else "done"


def may_see_periods(actor: Actor) -> bool:
    """Finance runs periods, revops calculates them, executives read the totals."""
    return actor.has(Role.FINANCE, Role.REVOPS, Role.EXECUTIVE)


def sees_amounts(actor: Actor) -> bool:
    """Whether sums of pay may be shown: finance and executives; revops calculates without seeing pay."""
    return actor.sight(Noun.PAY) in (Scope.TOTALS, Scope.ALL)


def unpaid_statements() -> QuerySet[Statement]:
    """Locked statements that pay something and are in no payroll file."""
    rows: QuerySet[Statement] = Statement.objects.filter(state=StatementState.LOCKED, payroll_item__isnull=True)
    return rows.exclude(payout_minor=0)


def standings(periods: list[Period]) -> list[PeriodStanding]:
    """The standing of these periods, with a constant number of queries."""
    found = {period.pk: PeriodStanding(period) for period in periods}
    rows = Statement.objects.filter(period__in=found).order_by().values("period_id", "state", "currency")
    for row in rows.annotate(
        count=Count("pk"), earned=Sum("earned_minor"), credited=Sum("credited_minor"), payout=Sum("payout_minor")
    ):
        standing = found[row["period_id"]]
        standing.counts[row["state"]] = standing.counts.get(row["state"], 0) + row["count"]
        currency = row["currency"]
        standing.earned[currency] = standing.earned.get(currency, 0) + row["earned"]
        standing.credited[currency] = standing.credited.get(currency, 0) + row["credited"]
        standing.payout[currency] = standing.payout.get(currency, 0) + row["payout"]
    unpaid = unpaid_statements().filter(period__in=found).order_by().values("period_id")
    for of_period in unpaid.annotate(count=Count("pk")):
        found[of_period["period_id"]].unpaid = of_period["count"]
    held = Statement.objects.filter(period__in=found).exclude(problems=[]).order_by().values("period_id")
    for of_period in held.annotate(count=Count("pk")):
        found[of_period["period_id"]].held = of_period["count"]
    for calculation in Calculation.objects.filter(period__in=found).order_by("number").select_related("run_by"):
        found[calculation.period_id].calculation = calculation
    return [found[period.pk] for period in periods]


def periods_to_open(day: date) -> list[tuple[str, str, str, date]]:
    """Periods that plans in force ask for and that are not there yet: kind, time zone, label, first day.

    From the first day of the oldest version in force to `day`, at most 600 of a kind (fifty years of months): a company
    that brings its past calculates that too. The newest first.
    """
    wanted: dict[tuple[str, str], date] = defaultdict(lambda: date.max)
    for kind, zone, start in PlanVersion.objects.filter(state=VersionState.ACTIVE).values_list(
        "period_kind", "time_zone", "start_on"
    ):
        wanted[kind, zone] = min(wanted[kind, zone], start)
    there = set(Period.objects.values_list("kind", "time_zone", "start_on"))
    found = []
    for (kind, zone), first in sorted(wanted.items()):
        period = period_of(day, kind)
        for _step in range(600):
            if period.end <= first:
                break
            if (kind, zone, period.start) not in there:
                found.append((kind, zone, period.label, period.start))
            period = period_of(date.fromordinal(period.start.toordinal() - 1), kind)
    return sorted(found, key=lambda each: each[3], reverse=True)


def files_of(actor: Actor, period: Period) -> list[PayrollFile]:
    """The payroll files of a period that the actor may see, without their bytes."""
    return list(
        PayrollFile.objects.visible_to(actor).filter(period=period).defer("content").select_related("released_by")
    )


def payroll_anchors() -> Iterator[Anchor]:
    """The hash of the audit that each payroll file keeps, for whoever checks the audit."""
    for name, entry_hash in PayrollFile.objects.exclude(audit_anchor="").values_list("name", "audit_anchor"):
        yield Anchor(entry_hash, name)


def balances_of(person_id: int) -> dict[str, int]:
    """What the ledger says is owed to a person, by currency, in minor units."""
    rows = (
        LedgerEntry.objects.filter(person_id=person_id, account="owed")
        .order_by()
        .values("currency")
        .annotate(total=Sum("amount_minor"))
    )
    return {row["currency"]: row["total"] for row in rows}
