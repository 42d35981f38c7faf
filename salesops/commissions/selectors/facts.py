"""Gathers the facts of a period for the engine, in columns; the number of statements does not depend on the rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from typing import Any, Final

import numpy as np
from django.db.models import Min, Q, QuerySet, TextField
from django.db.models.functions import Cast

from salesops.accounts.models import Account, AccountOwnership
from salesops.accounts.services.owners import OWNER
from salesops.commissions.choices import TransactionKind, VersionState
from salesops.commissions.models import (
    Adjustment,
    Credit,
    Period,
    PlanAssignment,
    PlanVersion,
    Quota,
    Transaction,
)
from salesops.commissions.rules.columns import Ints
from salesops.commissions.rules.conventions import CreditDay, Exchange
from salesops.commissions.rules.credits import CreditRule
from salesops.commissions.rules.engine import (
    AS_OF,
    CREDIT_DAYS,
    EVER,
    GROUPINGS,
    HOLDINGS,
    NOBODY,
    NONE,
    ON_PLAN,
    OWNERS,
    RULES,
    SHARES,
    THINGS,
    Facts,
    Transactions,
    Values,
    relation,
    wants_of,
)
from salesops.commissions.rules.fields import OF_THE_PORTAL
from salesops.commissions.rules.ownership import Owned, credited_as_of
from salesops.commissions.rules.plans import PlanDefinition, plan_from_plain
from salesops.commissions.rules.quotas import OnPlan, QuotaRow, TermsBook
from salesops.commissions.rules.shapes import Measure
from salesops.core.days import company_day
from salesops.core.models import ExchangeRate
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal, DealOwnership, DealSplit, Stage, StageChange
from salesops.people.models import ReportingLine
from salesops.pods.models import PodMembership, TerritoryAssignment
from salesops.values import periods
from salesops.values.formulas import Kind, check
from salesops.values.rates import MAX_AGE_DAYS, Rate, RateTable

_KINDS: Final = tuple(TransactionKind.values)
#: Where the texts are kept that formulas may ask for (see rules.fields).
_TEXTS: Final = {
    "product": "product__name",
    "series": "product__series",
    "account": "account__name",
    "segment": "account__segment__name",
    "industry": "account__industry",
    "country": "account__country",
    "territory": "account__territory__code",
}
#: Below so many, rows are asked for by number; of more, all are read and the others left out.
_FEW: Final = 1_000
#: The number of a plan that is calculated by itself.
ALONE: Final = 0
#: Whole numbers that formulas may ask for, among the attributes of a transaction.
_NUMBERS: Final = ("term_months",)
_COLUMNS: Final = (
    "day",
    "source_key",
    "pk",
    "kind",
    "amount_minor",
    "currency",
    "deal_id",
    "deal__owner_id",
    "account_id",
    "account__territory_id",
    "reverses_id",
    "quantity",
    "credited_to_id",
)


@dataclass(slots=True)
class PeriodFacts:
    """Everything a calculation reads.

    people: who is on which plan version, by (person, version), in the order of days. rates: the share agreed with a
    person, as it is stored. engine: what the engine reads; ids and things say which rows its numbers mean. Beside what
    happened in the period it holds what happened since the beginning of the longest period in which credits add up, and
    what is taken back. since, asked, ways: from which day on, with which further fields and for which other days of crediting,
    transactions were read. parted: by days, the parts of those who owned what a row is about, where there are several.
    """

    period: Period
    versions: dict[int, PlanVersion]
    definitions: dict[int, PlanDefinition]
    people: dict[tuple[int, int], list[OnPlan]]
    rates: dict[tuple[int, int], Decimal | None]
    book: TermsBook
    engine: Facts
    ids: list[int] = field(default_factory=list)
    things: list[str] = field(default_factory=list)
    since: date = date.max
    asked: frozenset[str] = frozenset()
    ways: frozenset[CreditDay] = frozenset()
    shares: dict[int, list[list[int]]] = field(default_factory=dict)
    parted: dict[int, list[list[int]]] = field(default_factory=dict)

    @property
    def in_period(self) -> int:
        """How many transactions count in the period itself."""
        return int(np.count_nonzero(self.engine.transactions.day >= self.period.start_on.toordinal()))

    def looked_up_from(self, day: date) -> date:
        """From which day on it is asked who held, led and was in which pod; `day` where all is as of the transactions."""
        return date.min if self.ways else day

    def asked_by(self, version_id: int) -> list[str]:
        """The fields, beside those that every transaction has, that the formulas of a version ask for."""
        return sorted(_asked(self.definitions[version_id]) & (set(_TEXTS) | set(_NUMBERS)))


def versions_in(period: Period) -> dict[int, PlanVersion]:
    """Plan versions in force at some time in the period, of its kind and time zone."""
    rows = PlanVersion.objects.filter(
        state=VersionState.ACTIVE, period_kind=period.kind, time_zone=period.time_zone, start_on__lt=period.end_on
    ).filter(Q(end_on__isnull=True) | Q(end_on__gt=period.start_on))
    return {row.pk: row for row in rows.select_related("plan").order_by("pk")}


def _tried(period: Period, instead: Mapping[int, PlanDefinition]) -> dict[int, PlanVersion]:
    """The newest versions of plans that are tried and were not in force, as if they had been in the whole period."""
    there = {version.plan_id for version in versions_in(period).values()} if instead else set()
    found = {}
    for plan in instead.keys() - there:
        version = PlanVersion.objects.filter(plan=plan).select_related("plan").order_by("-number")[0]
        version.start_on, version.end_on = min(version.start_on, period.start_on), None
        found[version.pk] = version
    return found


def facts_of(
    period: Period,
    *,
    leave_out: Collection[str] = (),
    also: Mapping[int, date] | None = None,
    instead: Mapping[int, PlanDefinition] | None = None,
    people: Collection[int] | None = None,
    pretend: Collection[int] = (),
    like: PeriodFacts | None = None,
) -> PeriodFacts:
    """Read what counts in a period, as of each transaction's day.

    leave_out: source keys settled elsewhere. also: transactions that count on this day, wherever they are now. instead:
    definitions to try, by plan, in the place of those in force, if any are. people: only what these people may be
    credited with, and only their statements; None is everybody. pretend: ids of deals that are taken as won on the last
    day of the period; their transactions have the negated ids. like: facts of the same transactions, read for other plans;
    they are not read again unless these plans ask for more of them.
    """
    versions = versions_in(period) | _tried(period, instead or {})
    definitions = {
        pk: (instead or {}).get(version.plan_id) or plan_from_plain(version.definition).unwrap()
        for pk, version in versions.items()
    }
    since, until = _span(period, definitions.values())
    on_plan, rates = _people(period, versions, since, until, people)
    entries = [entry for found in on_plan.values() for entry in found]
    book = TermsBook(definitions, entries, _quotas(since, until, {entry.person for entry in entries}, definitions))
    ranges = relation(
        ON_PLAN, [(entry.plan, entry.person, entry.start.toordinal(), entry.end.toordinal()) for entry in entries]
    )
    held = {
        key: found
        for key, found in on_plan.items()
        if any(entry.start < period.end_on and entry.end > period.start_on for entry in found)
    }
    facts = PeriodFacts(period, versions, definitions, held, rates, book, Facts(_no_transactions(), ranges))
    facts.since, facts.asked = since, frozenset().union(*(_asked(plan) for plan in definitions.values()))
    facts.ways = frozenset(plan.conventions.credit_day for plan in definitions.values()) - {CreditDay.TRANSACTION_DAY}
    groupings = _groupings(facts, facts.looked_up_from(since), period.end_on)
    if like is not None and like.since <= since and facts.asked <= like.asked and facts.ways <= like.ways:
        facts.ids, facts.things, facts.shares, facts.parted = like.ids, like.things, like.shares, like.parted
        facts.engine = replace(like.engine, on_plan=ranges)
    else:
        _read_transactions(facts, groupings, frozenset(leave_out), also or {}, people, pretend)
    transactions = facts.engine.transactions
    first = date.fromordinal(int(transactions.day[0])) if len(transactions) else since
    currencies = {*transactions.currencies, *(row.currency for row in versions.values())}
    by_month = any(plan.conventions.exchange is Exchange.MONTH_AVERAGE for plan in definitions.values())
    facts.engine = replace(
        facts.engine,
        groupings=relation(GROUPINGS, groupings),
        rates=_rates(first, period.end_on, currencies, by_month=by_month),
    )
    return facts


def facts_of_span(period: Period, plan: PlanDefinition, people: Iterable[int]) -> PeriodFacts:
    """Read what counts in any days for people who are on a plan that only measures, under the number `ALONE`.

    period: the days; it need not be stored. What is taken back in these days of what counted before them is left out
    by the engine: nobody was on the plan then.
    """
    entries = [OnPlan(person, ALONE, period.start_on, period.end_on) for person in sorted(people)]
    book = TermsBook({ALONE: plan}, entries, ())
    ranges = relation(ON_PLAN, [(ALONE, each.person, each.start.toordinal(), each.end.toordinal()) for each in entries])
    facts = PeriodFacts(period, {}, {ALONE: plan}, {}, {}, book, Facts(_no_transactions(), ranges))
    facts.since, facts.asked = period.start_on, frozenset(_asked(plan))
    groupings = _groupings(facts, period.start_on, period.end_on)
    _read_transactions(facts, groupings, frozenset(), {}, None, ())
    currencies = {*facts.engine.transactions.currencies, plan.currency}
    rates = _rates(period.start_on, period.end_on, currencies, by_month=False)
    facts.engine = replace(facts.engine, groupings=relation(GROUPINGS, groupings), rates=rates)
    return facts


def _asked(plan: PlanDefinition) -> set[str]:
    """The fields that the formulas of a plan ask for."""
    found: set[str] = set()
    for component in plan.components:
        for text, wants in ((component.when, Kind.BOOLEAN), (component.amount, wants_of(component))):
            formula = check(text, OF_THE_PORTAL, wants).value if text else None
            found |= set(formula.fields) if formula else set()
    return found


def _span(period: Period, plans: Iterable[PlanDefinition]) -> tuple[date, date]:
    """The days of the longest period, around this one, in which credits of a component add up."""
    spans = [
        periods.period_of(period.start_on, component.period_kind)
        for plan in plans
        for component in plan.components
        if component.period_kind
    ]
    return (
        min((span.start for span in spans), default=period.start_on),
        max((span.end for span in spans), default=period.end_on),
    )


def _people(
    period: Period, versions: dict[int, PlanVersion], since: date, until: date, people: Collection[int] | None
) -> tuple[dict[tuple[int, int], list[OnPlan]], dict[tuple[int, int], Decimal | None]]:
    """Who is on which version on which days of [since, until), and the share agreed with them last in the period.

    Whoever stays is on it for the rest of a longer period too: its quota does not shrink because it is not over.
    """
    by_plan: dict[int, list[PlanVersion]] = defaultdict(list)
    for version in versions.values():
        by_plan[version.plan_id].append(version)
    found: dict[tuple[int, int], list[OnPlan]] = {}
    rates: dict[tuple[int, int], Decimal | None] = {}
    rows = PlanAssignment.objects.during(since, period.end_on).filter(plan__in=by_plan)
    if people is not None:
        rows = rows.filter(person__in=people)
    columns = ("person_id", "plan_id", "start_on", "end_on", "rate", "target_pay_minor", "person__started_on")
    for person, plan, first, last, rate, target, started in rows.order_by("start_on", "pk").values_list(*columns):
        agreed = None if rate is None else Fraction(rate)
        for version in by_plan[plan]:
            start = max(first, version.start_on, since)
            end = min(last or date.max, version.end_on or date.max, until)
            if start < end:
                entry = OnPlan(person, version.pk, start, end, target, agreed, started)
                found.setdefault((person, version.pk), []).append(entry)
                if end > period.start_on:
                    rates[person, version.pk] = rate
    return found, rates


def _quotas(
    since: date, until: date, people: Collection[int], plans: Mapping[int, PlanDefinition]
) -> Iterable[QuotaRow]:
    """The quotas that lie within these days. A quota of things counts without a currency."""
    of_things = {
        component.quota_name
        for plan in plans.values()
        for component in plan.components
        if component.measure is not Measure.MONEY
    }
    rows = Quota.objects.filter(start_on__gte=since, end_on__lte=until)
    if len(people) < _FEW:
        rows = rows.filter(person__in=people)
    for person_id, name, start, end, amount, currency in rows.values_list(
        "person_id", "measure", "start_on", "end_on", "amount_minor", "currency"
    ):
        if person_id in people:
            yield QuotaRow(person_id, name, start, end or until, amount, currency)
            if name in of_things:
                yield QuotaRow(person_id, name, start, end or until, amount, "")


def _no_transactions() -> Transactions:
    none = np.zeros(0, dtype=np.int64)
    return Transactions(np.zeros(0, dtype=object), _KINDS, none, none, none, (), none, none, none, none)


def _read_transactions(
    facts: PeriodFacts,
    groupings: Sequence[tuple[int, int, int, int, int]],
    leave_out: frozenset[str],
    also: Mapping[int, date],
    people: Collection[int] | None,
    pretend: Collection[int],
) -> None:
    """Transactions with owner, splits and what they belong to; holdings of the accounts and territories in question."""
    period, since = facts.period, facts.since
    texts = {name: column for name, column in _TEXTS.items() if name in facts.asked}
    numbers = [name for name in _NUMBERS if name in facts.asked]
    columns = (*_COLUMNS, *texts.values(), *(["attributes"] if numbers else []))
    rows = Transaction.objects.filter(is_void=False, effective_on__gte=since, effective_on__lt=period.end_on)
    if people is not None:
        below = {row[1] for row in groupings if row[2] in people}
        rows = rows.filter(pk__in=_may_be_credited({*people, *below}, since, period.end_on, facts.ways))
    found = _listed(rows, columns, are_few=people is not None and len(people) < _FEW)
    if leave_out:
        found = [row for row in found if row[1] not in leave_out]
    if also:
        moved = _listed(Transaction.objects.filter(pk__in=also), columns)
        found = [row for row in found if row[2] not in also]
        found.extend((also[row[2]].isoformat(), *row[1:]) for row in moved)
    wanted = {row[10] for row in found if row[10] is not None}
    if wanted:
        wanted -= {row[2] for row in found if row[2] in wanted}
    if wanted:
        found.extend(_listed(Transaction.objects.filter(pk__in=wanted), columns))
    if pretend:
        found.extend(_pretended(period, pretend, texts, numbers))
    # By day and key in the order of their characters, which databases sort by their own collations.
    found.sort(key=lambda row: row[0] + row[1])  # days are texts of one length
    count = len(found)
    listed = list(zip(*found, strict=True)) if found else [()] * len(columns)
    named = dict(zip(columns, listed, strict=True))
    day_of = {day: date.fromisoformat(day).toordinal() for day in set(named["day"])}
    currencies = tuple(sorted(set(named["currency"])))
    places = dict(zip(named["pk"], range(count), strict=True)) if wanted or any(named["reverses_id"]) else {}
    keys = np.empty(count, dtype=object)
    keys[:] = named["source_key"]
    facts.ids = list(named["pk"])
    values = {name: _texts(named[column]) for name, column in texts.items()}
    values |= {name: _numbers(told.get(name) for told in named["attributes"]) for name in numbers}
    transactions = Transactions(
        key=keys,
        kinds=_KINDS,
        kind=_coded(named["kind"], _KINDS),
        day=_whole(map(day_of.__getitem__, named["day"]), count),
        amount=np.array(named["amount_minor"], dtype=np.int64),
        currencies=currencies,
        currency=_coded(named["currency"], currencies),
        quantity=np.array(named["quantity"], dtype=np.int64),
        # Who is named is credited, whosever the deal was.
        owner=np.array(
            [
                person if person is not None else owner if owner is not None else NOBODY
                for person, owner in zip(named["credited_to_id"], named["deal__owner_id"], strict=True)
            ],
            dtype=np.int64,
        ),
        reverses=_whole((places.get(pk, NONE) for pk in named["reverses_id"]), count)
        if places
        else np.full(count, NONE, dtype=np.int64),
        values=values,
    )
    deals = named["deal_id"]
    facts.shares, on_top = _shares({*deals} - {None}, deals, period)
    number: dict[str, int] = {}
    things = []
    # A territory is that of an account.
    territories = named["account__territory_id"]
    for place in [place for place, account in enumerate(named["account_id"]) if account is not None]:
        account, territory = named["account_id"][place], territories[place]
        belongs = (("account", account), ("territory", territory))
        for nearness, thing in enumerate(f"{what}:{pk}" for what, pk in belongs if pk is not None):
            things.append((place, nearness, number.setdefault(thing, len(number))))
    facts.things = list(number)
    first = date.fromisoformat(found[0][0]) if found else since
    as_of: list[tuple[int, ...]] = []
    owned: list[tuple[int, ...]] = []
    if facts.ways:
        # Who is credited by name is credited, whosever the deal was.
        of_deals = [
            None if person is not None else deal for person, deal in zip(named["credited_to_id"], deals, strict=True)
        ]
        as_of, owned = _owners(facts, of_deals, transactions.day.tolist())
    facts.engine = Facts(
        transactions=transactions,
        on_plan=facts.engine.on_plan,
        shares=relation(
            SHARES,
            [
                (place, *share, is_overlay)
                for is_overlay, listed in enumerate((facts.shares, on_top))
                for place, shares in listed.items()
                for share in shares
            ],
        ),
        things=relation(THINGS, things),
        holdings=relation(HOLDINGS, _holdings(facts.looked_up_from(first), period.end_on, number)),
        as_of=relation(AS_OF, as_of),
        owners=relation(OWNERS, owned),
    )


def _pretended(
    period: Period, deals: Collection[int], texts: Mapping[str, str], numbers: Sequence[str]
) -> Iterable[tuple[Any, ...]]:
    """Bookings that deals would make if they were won on the last day of the period."""
    last = (period.end_on - timedelta(days=1)).isoformat()
    columns = ("pk", "amount_minor", "currency", "owner_id", "account_id", "account__territory_id", *texts.values())
    for pk, amount, currency, owner, account, territory, *named in Deal.objects.filter(pk__in=deals).values_list(
        *columns
    ):
        row = (last, f"deal:{pk}:booking", -pk, TransactionKind.BOOKING.value, amount, currency, pk, owner, account)
        yield (*row, territory, None, 1, None, *named, *([{}] if numbers else []))


def _may_be_credited(people: Collection[int], start: date, end: date, ways: Collection[CreditDay] = ()) -> list[int]:
    """Ids of the transactions of these days with which any of these people may be credited by a direct rule, or which
    take back what they were paid for.

    Each way is asked by itself, from the person to the rows, so that each finds its index.
    """
    rows = Transaction.objects.filter(effective_on__gte=start, effective_on__lt=end).order_by()
    owned = DealOwnership.objects.filter(person__in=people if ways else ())
    accounts = AccountOwnership.objects.filter(person__in=people).values("account")
    territories = TerritoryAssignment.objects.filter(person__in=people).values("territory")
    roads = (
        Q(credited_to__in=people),
        Q(deal__in=Deal.every.filter(owner__in=people).order_by().values("pk")),
        Q(deal__in=owned.order_by().values("deal")),
        Q(deal__in=DealSplit.objects.filter(person__in=people).order_by().values("deal")),
        Q(account__in=accounts.order_by()),
        Q(account__in=Account.every.filter(territory__in=territories.order_by()).order_by().values("pk")),
        Q(reverses__in=Credit.objects.filter(person__in=people).order_by().values("transaction")),
        Q(reverses__in=Adjustment.objects.filter(person__in=people).order_by().values("about_transaction")),
    )
    first, *others = (rows.filter(way).values_list("pk", flat=True) for way in roads)
    return list(first.union(*others))


def _listed(rows: QuerySet[Transaction], columns: Sequence[str], *, are_few: bool = False) -> list[tuple[Any, ...]]:
    """Rows of columns. The day comes as text: a million of them need not be made dates to be put in order.

    are_few: they come in one answer, which for some hundred takes less time than a cursor.
    """
    found = rows.annotate(day=Cast("effective_on", TextField())).order_by().values_list(*columns)
    return list(found if are_few else found.iterator(chunk_size=10_000))


def _coded(values: Sequence[str], names: Sequence[str]) -> Ints:
    """A column of names as indexes into them."""
    if len(names) == 1:
        return np.zeros(len(values), dtype=np.int64)
    place = {name: index for index, name in enumerate(names)}
    return _whole(map(place.__getitem__, values), len(values))


def _whole(values: Iterable[int], count: int) -> Ints:
    return np.fromiter(values, dtype=np.int64, count=count)


def _texts(values: Sequence[str | None]) -> Values:
    """A column of texts; an empty one is blank."""
    listed = [value or "" for value in values]
    column = np.empty(len(listed), dtype=object)
    column[:] = listed
    return Values(Kind.TEXT, column, np.array([bool(value) for value in listed], dtype=np.bool_))


def _numbers(values: Iterable[object]) -> Values:
    """A column of whole numbers; what is none is blank."""
    listed = [value if isinstance(value, int) and not isinstance(value, bool) else None for value in values]
    column = np.array([value or 0 for value in listed], dtype=np.int64)
    return Values(Kind.NUMBER, column, np.array([value is not None for value in listed], dtype=np.bool_))


Shares = dict[int, list[list[int]]]


def _shares(deals: set[int], deal_of: Sequence[int | None], period: Period) -> tuple[Shares, Shares]:
    """By place of the transaction [person, basis points]: the shares that make up the whole, and those on top.

    One for each person: somebody may have two functions.
    """
    found: tuple[dict[int, dict[int, int]], ...] = (
        defaultdict(lambda: defaultdict(int)),
        defaultdict(lambda: defaultdict(int)),
    )
    rows = DealSplit.objects.filter(deal__transactions__effective_on__lt=period.end_on).order_by()
    if len(deals) < _FEW:
        rows = DealSplit.objects.filter(deal__in=deals)
    for _pk, deal_id, person_id, share, is_overlay in rows.values_list(
        "pk", "deal_id", "person_id", "share_bp", "is_overlay"
    ).distinct():
        if deal_id in deals:
            found[is_overlay][deal_id][person_id] += share
    whole, on_top = (
        {
            place: [list(item) for item in sorted(listed[deal_id].items())]
            for place, deal_id in enumerate(deal_of if listed else ())
            if deal_id in listed
        }
        for listed in found
    )
    return whole, on_top


def _owners(
    facts: PeriodFacts, deals: Sequence[int | None], days: Sequence[int]
) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """For each other day of crediting that plans ask for: the day itself, and whose each deal was then."""
    as_of: list[tuple[int, ...]] = []
    owners: list[tuple[int, ...]] = []
    wanted = {deal for deal in deals if deal is not None}
    before = facts.period.end_on
    of_rows = Q(transactions__effective_on__lt=before) if len(wanted) >= _FEW else Q(pk__in=wanted)
    listed = Deal.every.filter(of_rows).order_by().values_list("pk", "opened_on", "created_at", "closed_on").distinct()
    spans = {
        pk: ((opened or company_day(made)).toordinal(), closed.toordinal() if closed else None)
        for pk, opened, made, closed in listed
        if pk in wanted
    }
    owned: dict[int, list[Owned]] = defaultdict(list)
    held = DealOwnership.objects.filter(deal__in=Deal.every.filter(of_rows).order_by().values("pk")).order_by()
    for pk, person, start, end in held.values_list("deal_id", "person_id", "start_on", "end_on"):
        owned[pk].append(Owned(person, start.toordinal(), end.toordinal() if end else EVER))
    reached = _reached(of_rows) if CreditDay.STAGE in facts.ways else {}
    for place, (deal, day) in enumerate(zip(deals, days, strict=True)):
        if deal is None or deal not in spans:
            continue
        opened, closed = spans[deal]
        for way in facts.ways:
            first, parts = credited_as_of(
                way, owned[deal], day, opened=opened, reached=reached.get(deal), closed=closed
            )
            code = CREDIT_DAYS.index(way)
            if first < day:
                as_of.append((place, code, first))
            owners.extend((place, code, part.person, part.basis_points, part.last) for part in parts)
            if len(parts) > 1:
                facts.parted[place] = [[part.person, part.basis_points] for part in parts]
    return as_of, owners


def _reached(of_rows: Q) -> dict[int, int]:
    """The day on which each deal first came to the stage that decides the credit, or further, by deal."""
    stage = Stage.objects.filter(decides_credit=True).first()
    if stage is None:
        return {}
    further = Stage.objects.filter(position__gte=stage.position).exclude(kind=StageKind.LOST)
    changes = StageChange.objects.filter(
        deal__in=Deal.every.filter(of_rows).order_by().values("pk"), to_stage__in=further
    )
    moments = changes.order_by().values_list("deal_id").annotate(Min("changed_at"))
    return {deal: company_day(moment).toordinal() for deal, moment in moments}


def _holdings(start: date, end: date, number: dict[str, int]) -> Iterable[tuple[int, int, int, int, int]]:
    """Who held the accounts and territories in question, and when; of an account its owner before the others of its team."""
    if not number:
        return
    columns = ("person_id", "start_on", "end_on")
    accounts = (
        AccountOwnership.objects.during(start, end).order_by("pk").values_list("account_id", *columns, "function")
    )
    territories = TerritoryAssignment.objects.during(start, end).order_by("pk").values_list("territory_id", *columns)
    held: Iterable[tuple[str, int, int, date, date | None, int]] = chain(
        (("account", *row, int(function != OWNER)) for *row, function in accounts),
        (("territory", *row, 0) for row in territories),
    )
    for what, pk, person_id, since, until, rank in held:
        if f"{what}:{pk}" in number:
            stop = until.toordinal() if until else EVER
            yield number[f"{what}:{pk}"], person_id, since.toordinal(), stop, rank


def _groupings(facts: PeriodFacts, start: date, end: date) -> list[tuple[int, int, int, int, int]]:
    """Who is credited with whose credits and when: everybody above in the reporting line, and whoever shares a pod."""
    asked = {
        rule for plan in facts.definitions.values() for component in plan.components for rule in component.crediting
    }
    found: list[tuple[int, int, int, int, int]] = []
    if CreditRule.ROLL_UP in asked:
        found += _reporting_lines(start, end)
    if CreditRule.POD in asked:
        found += _pod_mates(start, end)
    return found


def _reporting_lines(start: date, end: date) -> list[tuple[int, int, int, int, int]]:
    """Each person with everybody above them, for the days on which the whole way up holds."""
    above: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    rows = ReportingLine.objects.during(start, end).values_list("person_id", "manager_id", "start_on", "end_on")
    for person, manager, first, last in rows:
        above[person].append((manager, first.toordinal(), last.toordinal() if last else EVER))
    rule = RULES.index(CreditRule.ROLL_UP)
    found = []
    for person in sorted(above):
        ways = [(manager, since, until, frozenset((person,))) for manager, since, until in above[person]]
        while ways:
            manager, since, until, seen = ways.pop()
            if manager in seen:
                continue
            found.append((rule, person, manager, since, until))
            ways.extend(
                (next_up, max(since, begins), min(until, ends), seen | {manager})
                for next_up, begins, ends in above.get(manager, ())
                if max(since, begins) < min(until, ends)
            )
    return sorted(found)


def _pod_mates(start: date, end: date) -> list[tuple[int, int, int, int, int]]:
    """Each member of a pod with each member, themselves too, for the days on which both are in it."""
    pods: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    rows = PodMembership.objects.during(start, end).values_list("pod_id", "person_id", "start_on", "end_on")
    for pod, person, first, last in rows:
        pods[pod].append((person, first.toordinal(), last.toordinal() if last else EVER))
    rule = RULES.index(CreditRule.POD)
    return sorted(
        {
            (rule, one, other, max(since, begins), min(until, ends))
            for members in pods.values()
            for one, since, until in members
            for other, begins, ends in members
            if max(since, begins) < min(until, ends)
        }
    )


def _rates(start: date, end: date, currencies: set[str], *, by_month: bool) -> RateTable:
    """Exchange rates that may be needed; those entered by hand win over published ones.

    by_month: whole months, and what comes after the last one and says that it is complete.
    """
    if len(currencies) < 2:
        return RateTable(())
    if by_month:
        start, end = start.replace(day=1), end + timedelta(days=MAX_AGE_DAYS)
    rows = ExchangeRate.objects.filter(on__gte=start - timedelta(days=MAX_AGE_DAYS), on__lt=end)
    found: dict[tuple[str, str, date], Rate] = {}
    for row in rows.order_by("source", "pk"):
        key = (row.base, row.quote, row.on)
        if row.source == ExchangeRate.MANUAL or key not in found:
            found[key] = Rate(row.base, row.quote, row.on, Fraction(row.rate), row.source)
    return RateTable(found.values())
