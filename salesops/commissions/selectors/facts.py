"""Gathers the facts of a period for the engine, in columns; the number of statements does not depend on the rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from operator import itemgetter
from typing import Any, Final

import numpy as np
from django.db.models import Q

from salesops.accounts.models import AccountOwnership
from salesops.commissions.choices import TransactionKind, VersionState
from salesops.commissions.models import Period, PlanAssignment, PlanVersion, Quota, Transaction
from salesops.commissions.rules.columns import Ints
from salesops.commissions.rules.engine import (
    EVER,
    HOLDINGS,
    NOBODY,
    NONE,
    ON_PLAN,
    SHARES,
    THINGS,
    Facts,
    Transactions,
    Values,
    relation,
)
from salesops.commissions.rules.fields import OF_THE_PORTAL
from salesops.commissions.rules.formulas import Kind, check
from salesops.commissions.rules.plans import PlanDefinition, plan_from_plain
from salesops.commissions.rules.quotas import OnPlan, QuotaRow, TermsBook
from salesops.core.models import ExchangeRate
from salesops.deals.models import DealSplit
from salesops.pods.models import TerritoryAssignment
from salesops.values.rates import MAX_AGE_DAYS, Rate, RateTable

_KINDS: Final = tuple(TransactionKind.values)
#: Where the texts are kept that formulas may ask for (see rules.fields).
_TEXTS: Final = {
    "product": "product__name",
    "account": "account__name",
    "segment": "account__segment__name",
    "industry": "account__industry",
    "country": "account__country",
    "territory": "account__territory__code",
}


@dataclass(slots=True)
class PeriodFacts:
    """Everything a calculation reads.

    people: who is on which plan version, by (person, version), in the order of days. rates: the share agreed with a
    person, as it is stored. engine: what the engine reads; ids and things say which rows its numbers mean.
    """

    versions: dict[int, PlanVersion]
    definitions: dict[int, PlanDefinition]
    people: dict[tuple[int, int], list[OnPlan]]
    rates: dict[tuple[int, int], Decimal | None]
    book: TermsBook
    engine: Facts
    ids: list[int] = field(default_factory=list)
    things: list[str] = field(default_factory=list)
    shares: dict[int, list[list[int]]] = field(default_factory=dict)

    def asked_by(self, version_id: int) -> list[str]:
        """The texts that the conditions of a version ask for."""
        plan = self.definitions[version_id]
        read = [check(component.when, OF_THE_PORTAL).value for component in plan.components if component.when]
        return sorted({name for formula in read if formula for name in formula.fields} & set(_TEXTS))


def versions_in(period: Period) -> dict[int, PlanVersion]:
    """Plan versions in force at some time in the period, of its kind and time zone."""
    rows = PlanVersion.objects.filter(
        state=VersionState.ACTIVE, period_kind=period.kind, time_zone=period.time_zone, start_on__lt=period.end_on
    ).filter(Q(end_on__isnull=True) | Q(end_on__gt=period.start_on))
    return {row.pk: row for row in rows.select_related("plan").order_by("pk")}


def facts_of(period: Period, *, leave_out: Collection[str] = ()) -> PeriodFacts:
    """Read what counts in a period, as of each transaction's day. `leave_out`: source keys settled elsewhere."""
    versions = versions_in(period)
    definitions = {pk: plan_from_plain(version.definition).unwrap() for pk, version in versions.items()}
    people, rates = _people(period, versions)
    book = TermsBook(definitions, (entry for entries in people.values() for entry in entries), _quotas(period))
    on_plan = relation(
        ON_PLAN,
        [
            (entry.plan, entry.person, entry.start.toordinal(), entry.end.toordinal())
            for entries in people.values()
            for entry in entries
        ],
    )
    facts = PeriodFacts(versions, definitions, people, rates, book, Facts(_no_transactions(), on_plan))
    _read_transactions(period, facts, frozenset(leave_out))
    return facts


def _people(
    period: Period, versions: dict[int, PlanVersion]
) -> tuple[dict[tuple[int, int], list[OnPlan]], dict[tuple[int, int], Decimal | None]]:
    """Who is on which version on which days of the period, and the share agreed with them last."""
    by_plan: dict[int, list[PlanVersion]] = defaultdict(list)
    for version in versions.values():
        by_plan[version.plan_id].append(version)
    found: dict[tuple[int, int], list[OnPlan]] = {}
    rates: dict[tuple[int, int], Decimal | None] = {}
    rows = PlanAssignment.objects.during(period.start_on, period.end_on).filter(plan__in=by_plan)
    for row in rows.order_by("start_on", "pk"):
        for version in by_plan[row.plan_id]:
            start = max(row.start_on, version.start_on, period.start_on)
            end = min(row.end_on or date.max, version.end_on or date.max, period.end_on)
            if start < end:
                rate = None if row.rate is None else Fraction(row.rate)
                entry = OnPlan(row.person_id, version.pk, start, end, row.target_pay_minor, rate)
                found.setdefault((row.person_id, version.pk), []).append(entry)
                rates[row.person_id, version.pk] = row.rate
    return found, rates


def _quotas(period: Period) -> Iterable[QuotaRow]:
    """The quotas that lie within the period."""
    rows = Quota.objects.filter(start_on__gte=period.start_on, end_on__lte=period.end_on)
    for person_id, measure, start, end, amount, currency in rows.values_list(
        "person_id", "measure", "start_on", "end_on", "amount_minor", "currency"
    ):
        yield QuotaRow(person_id, measure, start, end or period.end_on, amount, currency)


def _no_transactions() -> Transactions:
    none = np.zeros(0, dtype=np.int64)
    return Transactions(np.zeros(0, dtype=object), _KINDS, none, none, none, (), none, none, none, none)


def _read_transactions(period: Period, facts: PeriodFacts, leave_out: frozenset[str]) -> None:
    """Transactions with owner, splits and what they belong to; holdings of the accounts and territories in question."""
    rows = Transaction.objects.filter(is_void=False, effective_on__gte=period.start_on, effective_on__lt=period.end_on)
    columns = (
        "effective_on",
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
        *_TEXTS.values(),
    )
    # By day and key in the order of their characters, which databases sort by their own collations.
    found = sorted(
        (row for row in rows.values_list(*columns).iterator(chunk_size=10_000) if row[1] not in leave_out),
        key=itemgetter(0, 1),
    )
    places = {row[2]: place for place, row in enumerate(found)}
    currencies = tuple(sorted({row[5] for row in found}))
    code = {currency: index for index, currency in enumerate(currencies)}
    kind = {name: index for index, name in enumerate(_KINDS)}
    keys = np.empty(len(found), dtype=object)
    keys[:] = [row[1] for row in found]
    facts.ids = [row[2] for row in found]
    transactions = Transactions(
        key=keys,
        kinds=_KINDS,
        kind=_whole(kind[row[3]] for row in found),
        day=_whole(row[0].toordinal() for row in found),
        amount=_whole(row[4] for row in found),
        currencies=currencies,
        currency=_whole(code[row[5]] for row in found),
        quantity=np.ones(len(found), dtype=np.int64),
        owner=_whole(NOBODY if row[7] is None else row[7] for row in found),
        reverses=_whole(places.get(row[10], NONE) for row in found),
        values={name: _texts(row[-len(_TEXTS) + index] for row in found) for index, name in enumerate(_TEXTS)},
    )
    facts.shares = _shares(rows.values("deal"), [row[6] for row in found])
    number: dict[str, int] = {}
    things = []
    for place, row in enumerate(found):
        named = (("account", row[8]), ("territory", row[9]))
        for nearness, thing in enumerate(f"{what}:{pk}" for what, pk in named if pk is not None):
            things.append((place, nearness, number.setdefault(thing, len(number))))
    facts.things = list(number)
    facts.engine = Facts(
        transactions=transactions,
        on_plan=facts.engine.on_plan,
        shares=relation(SHARES, [(place, *share, 0) for place, shares in facts.shares.items() for share in shares]),
        things=relation(THINGS, things),
        holdings=relation(HOLDINGS, _holdings(period, number)),
        rates=_rates(period, {*currencies, *(row.currency for row in facts.versions.values())}),
    )


def _whole(values: Iterable[int]) -> Ints:
    return np.fromiter(values, dtype=np.int64)


def _texts(values: Iterable[str | None]) -> Values:
    """A column of texts; an empty one is blank."""
    listed = [value or "" for value in values]
    column = np.empty(len(listed), dtype=object)
    column[:] = listed
    return Values(Kind.TEXT, column, np.array([bool(value) for value in listed], dtype=np.bool_))


def _shares(deals: Any, deal_of: Sequence[int | None]) -> dict[int, list[list[int]]]:
    """By place of the transaction: [person, basis points], one for each person: somebody may have two functions."""
    found: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    rows = DealSplit.objects.filter(deal__in=deals).values_list("deal_id", "person_id", "share_bp")
    for deal_id, person_id, share in rows:
        found[deal_id][person_id] += share
    return {
        place: [list(item) for item in sorted(found[deal_id].items())]
        for place, deal_id in enumerate(deal_of)
        if deal_id in found
    }


def _holdings(period: Period, number: dict[str, int]) -> Iterable[tuple[int, int, int, int]]:
    """Who held the accounts and territories in question, and when."""
    for what, model, thing in (
        ("account", AccountOwnership, "account_id"),
        ("territory", TerritoryAssignment, "territory_id"),
    ):
        held = model.objects.during(period.start_on, period.end_on).order_by("pk")
        for pk, person_id, start, end in held.values_list(thing, "person_id", "start_on", "end_on"):
            if f"{what}:{pk}" in number:
                yield number[f"{what}:{pk}"], person_id, start.toordinal(), end.toordinal() if end else EVER


def _rates(period: Period, currencies: set[str]) -> RateTable:
    """Exchange rates that may be needed; those entered by hand win over published ones."""
    if len(currencies) < 2:
        return RateTable(())
    rows = ExchangeRate.objects.filter(on__gte=period.start_on - timedelta(days=MAX_AGE_DAYS), on__lt=period.end_on)
    found: dict[tuple[str, str, date], Rate] = {}
    for row in rows.order_by("source", "pk"):
        key = (row.base, row.quote, row.on)
        if row.source == ExchangeRate.MANUAL or key not in found:
            found[key] = Rate(row.base, row.quote, row.on, Fraction(row.rate), row.source)
    return RateTable(found.values())
