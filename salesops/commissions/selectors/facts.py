"""Gathers the facts of a period for the engine, in columns and plain values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from django.db.models import Q

from salesops.accounts.models import AccountOwnership
from salesops.commissions.choices import VersionState
from salesops.commissions.models import Period, PlanAssignment, PlanVersion, Quota, Transaction
from salesops.commissions.rules.credits import Holding, Share, TransactionFacts
from salesops.core.models import ExchangeRate
from salesops.deals.models import DealSplit
from salesops.pods.models import TerritoryAssignment
from salesops.values import periods
from salesops.values.rates import MAX_AGE_DAYS, Rate, RateTable


@dataclass(frozen=True, slots=True)
class OnPlan:
    """A person on a plan version within a period: the days, the full and the prorated quota, what is agreed with them.

    `start` and `end` are cut to the period and to the version. quota_minor is None where no quota was set.
    """

    person_id: int
    version_id: int
    start: date
    end: date
    active_share: Fraction
    full_quota_minor: int | None
    target_minor: int | None
    rate: Decimal | None

    def covers(self, day: date) -> bool:
        """Whether the person is on the plan on that day."""
        return self.start <= day < self.end


@dataclass(slots=True)
class PeriodFacts:
    """Everything a calculation reads. `rows` maps a transaction's source key to (id, currency)."""

    versions: dict[int, PlanVersion] = field(default_factory=dict)
    people: dict[tuple[int, int], list[OnPlan]] = field(default_factory=dict)
    transactions: list[TransactionFacts] = field(default_factory=list)
    by_key: dict[str, TransactionFacts] = field(default_factory=dict)
    rows: dict[str, tuple[int, str]] = field(default_factory=dict)
    holdings: list[Holding] = field(default_factory=list)
    rates: RateTable = field(default_factory=lambda: RateTable(()))


def versions_in(period: Period) -> dict[int, PlanVersion]:
    """Plan versions in force at some time in the period, of its kind and time zone."""
    rows = PlanVersion.objects.filter(
        state=VersionState.ACTIVE, period_kind=period.kind, time_zone=period.time_zone, start_on__lt=period.end_on
    ).filter(Q(end_on__isnull=True) | Q(end_on__gt=period.start_on))
    return {row.pk: row for row in rows.select_related("plan").order_by("pk")}


def facts_of(period: Period, *, leave_out: Collection[str] = ()) -> PeriodFacts:
    """Read what counts in a period, as of each transaction's day. `leave_out`: source keys settled elsewhere.

    The number of statements does not depend on the number of rows.
    """
    facts = PeriodFacts(versions=versions_in(period))
    quotas = _quotas(period)
    whole = periods.Period(period.start_on, period.end_on, period.label)
    by_plan = defaultdict(list)
    for version in facts.versions.values():
        by_plan[version.plan_id].append(version)
    for row in PlanAssignment.objects.during(period.start_on, period.end_on).filter(plan__in=by_plan).order_by("pk"):
        for version in by_plan[row.plan_id]:
            start = max(row.start_on, version.start_on, period.start_on)
            end = min(row.end_on or date.max, version.end_on or date.max, period.end_on)
            if start < end:
                entry = OnPlan(
                    person_id=row.person_id,
                    version_id=version.pk,
                    start=start,
                    end=end,
                    active_share=periods.prorated(whole, start, end),
                    full_quota_minor=quotas.get((row.person_id, version.currency)),
                    target_minor=row.target_pay_minor,
                    rate=row.rate,
                )
                facts.people.setdefault((row.person_id, version.pk), []).append(entry)
    _read_transactions(period, facts, frozenset(leave_out))
    facts.rates = _rates(period, facts)
    return facts


def _quotas(period: Period) -> dict[tuple[int, str], int]:
    """The quota of each person in a currency: what lies within the period, added up (three months make a quarter)."""
    totals: dict[tuple[int, str], int] = defaultdict(int)
    rows = Quota.objects.filter(measure="bookings", start_on__gte=period.start_on, end_on__lte=period.end_on)
    for person_id, currency, amount in rows.values_list("person_id", "currency", "amount_minor"):
        totals[person_id, currency] += amount
    return dict(totals)


def _read_transactions(period: Period, facts: PeriodFacts, leave_out: frozenset[str]) -> None:
    """Transactions with owner, splits and what they belong to; holdings of the accounts and territories in question."""
    rows = Transaction.objects.filter(is_void=False, effective_on__gte=period.start_on, effective_on__lt=period.end_on)
    shares: dict[int, list[Share]] = defaultdict(list)
    splits = DealSplit.objects.filter(deal__in=rows.values("deal"))
    for deal_id, person_id, share in splits.order_by("deal_id", "person_id").values_list(
        "deal_id", "person_id", "share_bp"
    ):
        shares[deal_id].append(Share(person_id, share))
    accounts, territories = set(), set()
    columns = (
        "pk",
        "source_key",
        "effective_on",
        "amount_minor",
        "currency",
        "deal_id",
        "deal__owner_id",
        "account_id",
        "account__territory_id",
    )
    for pk, key, day, amount, currency, deal_id, owner_id, account_id, territory_id in (
        rows.order_by("effective_on", "source_key").values_list(*columns).iterator(chunk_size=10_000)
    ):
        if key in leave_out:
            continue
        things = []
        if account_id is not None:
            accounts.add(account_id)
            things.append(f"account:{account_id}")
        if territory_id is not None:
            territories.add(territory_id)
            things.append(f"territory:{territory_id}")
        facts.transactions.append(
            TransactionFacts(
                key=key,
                day=day,
                amount=amount,
                owner=owner_id,
                shares=_merged(shares.get(deal_id, ())),
                things=tuple(things),
            )
        )
        facts.by_key[key] = facts.transactions[-1]
        facts.rows[key] = (pk, currency)
    held = AccountOwnership.objects.during(period.start_on, period.end_on)
    for account_id, person_id, start, end in held.order_by("pk").values_list(
        "account_id", "person_id", "start_on", "end_on"
    ):
        if account_id in accounts:
            facts.holdings.append(Holding(f"account:{account_id}", person_id, start, end))
    assigned = TerritoryAssignment.objects.during(period.start_on, period.end_on).filter(territory__in=territories)
    for territory_id, person_id, start, end in assigned.order_by("pk").values_list(
        "territory_id", "person_id", "start_on", "end_on"
    ):
        facts.holdings.append(Holding(f"territory:{territory_id}", person_id, start, end))


def _merged(shares: Iterable[Share]) -> tuple[Share, ...]:
    """One share for each person: somebody may have two functions in a deal."""
    total: dict[int, int] = defaultdict(int)
    for share in shares:
        total[share.person] += share.basis_points
    return tuple(Share(person, points) for person, points in sorted(total.items()))


def _rates(period: Period, facts: PeriodFacts) -> RateTable:
    """Exchange rates that may be needed; those entered by hand win over published ones."""
    currencies = {currency for _pk, currency in facts.rows.values()} | {row.currency for row in facts.versions.values()}
    if len(currencies) < 2:
        return RateTable(())
    rows = ExchangeRate.objects.filter(on__gte=period.start_on - timedelta(days=MAX_AGE_DAYS), on__lt=period.end_on)
    found: dict[tuple[str, str, date], Rate] = {}
    for row in rows.order_by("source", "pk"):
        key = (row.base, row.quote, row.on)
        if row.source == ExchangeRate.MANUAL or key not in found:
            found[key] = Rate(row.base, row.quote, row.on, Fraction(row.rate), row.source)
    return RateTable(found.values())
