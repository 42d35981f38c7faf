"""The demo company's pay: plans, quotas, four calculated quarters and the one that is running."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import F

from salesops.audit.services import change_of, record_many
from salesops.commissions.choices import PayrollFormat
from salesops.commissions.models import Credit, Period, Plan, PlanAssignment, Quota, Statement, Transaction
from salesops.commissions.rules.plans import Component, Example, PlanDefinition, plan_as_plain
from salesops.commissions.rules.settlement.terms import terms_from_plain
from salesops.commissions.rules.shapes import shape_from_plain
from salesops.commissions.services.approvals import approve_statements, lock_period
from salesops.commissions.services.calculate import calculate_period
from salesops.commissions.services.contests import NewContest, activate_contest, save_contest
from salesops.commissions.services.disputes import open_dispute
from salesops.commissions.services.payroll import release_payroll
from salesops.commissions.services.periods import open_period
from salesops.commissions.services.plans import (
    acknowledge_version,
    activate_version,
    assign_to_plan,
    create_plan,
    save_draft,
    set_quota,
)
from salesops.core.actor import Actor
from salesops.core.days import company_day
from salesops.home.demo.company import CLOSER, FRONT, GROUPS, POD_NUMBERS, PODS, Company, Held, Person
from salesops.home.demo.roster import ramp
from salesops.home.demo.rows import day_number, day_of
from salesops.people.models import User
from salesops.pods.selectors import actor_for
from salesops.values.money import exponent, round_half_up
from salesops.values.periods import Period as Days
from salesops.values.periods import PeriodKind, period_of

#: Quarters that are over and calculated; the last of them waits for finance.
_QUARTERS: Final = 4
#: What a full closer is to sell in a quarter, in whole units of the pod's currency.
_QUOTAS: Final = {"aurora": 60_000, "borealis": 60_000, "cirrus": 260_000, "drift": 200_000, "ember": 300_000}


@dataclass(frozen=True, slots=True)
class _Words:
    """A plan in plan words; quota and target pay of a quarter in whole units of currency (0 is none)."""

    key: str
    name: str
    description: str
    shape: dict[str, object]
    is_in_second_currency: bool = False
    quota: int = 0
    target: int = 0
    settlement: dict[str, object] | None = None


_ACCELERATED: Final[dict[str, object]] = {
    "shape": "marginal",
    "tiers": [{"from": "0", "rate": "1x"}, {"from": "100%", "rate": "1.5x"}, {"from": "130%", "rate": "2x"}],
    "cap": "300%",
}
_PLANS: Final = (
    _Words("ae", "Account executives", "Target pay at quota, faster above.", _ACCELERATED, quota=60_000, target=9_000),
    _Words("ae2", "Account executives, Europe", "As in the Americas, in the pod's own currency.", _ACCELERATED, True, 200_000, 11_000),
    _Words(
        "enterprise",
        "Enterprise",
        "Nothing below 40 % of quota, target pay at quota, half as much again above.",
        {
            "shape": "marginal",
            "tiers": [{"from": "0", "rate": "1x"}, {"from": "100%", "rate": "1.5x"}],
            "gate": {"at": "40%", "then": "all"},
        },
        quota=300_000,
        target=18_000,
        settlement={"draw": {"amount": "4500.00", "kind": "recoverable", "most_recovered": "50%"}},
    ),
    _Words("sdr", "Sales development", "A share of what was sold to those they found.", {"shape": "flat", "rate": "4%"}),
    _Words("sdr2", "Sales development, Europe", "As in the Americas.", {"shape": "flat", "rate": "4%"}, True),
)  # fmt: skip


def write_commissions(company: Company, *, now: datetime) -> None:
    """Write plans, quotas and statements through the services of the commissions room, in the order of time.

    Revenue operations writes the plans and calculates, finance puts them in force, approves, locks and releases. The
    oldest quarters are paid; the last full one waits half approved; the running one is calculated as it stands.
    """
    _Story(company, now).tell()


class _Story:
    """What happened, each at its moment; what would lie in the future has not happened."""

    def __init__(self, company: Company, now: datetime) -> None:
        self._company, self._now = company, now
        self._today = day_of(company.today)
        self._users = {
            user.email: user for user in User.objects.filter(email__in=[person.email for person in company.people])
        }
        self._plans: dict[str, Plan] = {}
        self._events: list[tuple[datetime, Callable[[datetime], object]]] = []
        self._quarters = [period_of(self._today, PeriodKind.QUARTER)]
        for _ in range(_QUARTERS):
            self._quarters.insert(0, period_of(self._quarters[0].start - timedelta(days=1), PeriodKind.QUARTER))

    def tell(self) -> None:
        """Plan the events, then let them happen in order."""
        first = self._quarters[0].start
        for place, words in enumerate(_PLANS):
            self._at(first - timedelta(days=30), place, self._plan_of(words, first))
        self._at(first - timedelta(days=20), 0, self._assign(first))
        self._at(first + timedelta(days=3), 0, self._acknowledge(first))
        for place, quarter in enumerate(self._quarters):
            self._at(quarter.start - timedelta(days=6), 0, self._set_quotas(quarter))
            if place < _QUARTERS:
                self._at(quarter.end + timedelta(days=3), 0, self._calculate(quarter))
                self._at(quarter.end + timedelta(days=4), 0, self._approve(quarter, is_half=place == _QUARTERS - 1))
            if place < _QUARTERS - 1:
                self._at(quarter.end + timedelta(days=5), 0, self._lock(quarter))
                self._at(quarter.end + timedelta(days=6), 0, self._release(quarter))
        self._at(self._quarters[-2].end + timedelta(days=5), 30, self._doubt(self._quarters[-2]))
        self._at(self._quarters[-2].end + timedelta(days=6), 30, self._correct(self._quarters[-3]))
        self._events.append((self._now, self._hold_contest(self._quarters[-1])))
        self._events.append((self._now, self._calculate(self._quarters[-1])))
        for moment, happens in sorted(self._events, key=lambda event: event[0]):
            if moment <= self._now:
                happens(moment)
        # Both columns keep the time of saving, which is the clock's: the story has its own.
        Quota.objects.update(updated_at=self._now)
        Transaction.objects.update(updated_at=F("recorded_at"))

    def _at(self, day: date, minutes: int, happens: Callable[[datetime], object]) -> None:
        self._events.append((datetime(day.year, day.month, day.day, 10, minutes, tzinfo=UTC), happens))

    def _actor(self, key: str, at: datetime) -> Actor:
        return actor_for(self._users[self._company.by_key[key].email], at=at)

    def _currency(self, is_second: bool) -> str:
        return self._company.second_currency if is_second else self._company.currency

    def _plan_of(self, words: _Words, first: date) -> Callable[[datetime], object]:
        def happens(at: datetime) -> None:
            writer = self._actor("revops1", at)
            plan = create_plan(actor=writer, name=words.name, description=words.description, at=at)
            definition = plan_as_plain(_definition(words, self._currency(words.is_in_second_currency)))
            version = save_draft(actor=writer, plan=plan, definition=definition, start_on=first, at=at)
            activate_version(actor=self._actor("finance2", at), version=version, at=at)
            self._plans[words.key] = plan

        return happens

    def _assign(self, first: date) -> Callable[[datetime], object]:
        def happens(at: datetime) -> None:
            actor = self._actor("revops1", at)
            words = {each.key: each for each in _PLANS}
            for person in self._company.people:
                for held in _stretches(person):
                    if held.end is not None and held.end <= day_number(first):
                        continue
                    currency = self._currency(words[held.value].is_in_second_currency)
                    target = words[held.value].target * 10 ** exponent(currency)
                    assign_to_plan(
                        actor=actor,
                        plan=self._plans[held.value],
                        person_id=self._users[person.email].pk,
                        start_on=max(day_of(held.start), first),
                        end_on=day_of(held.end) if held.end is not None else None,
                        target_pay_minor=target or None,
                        currency=currency,
                        at=at,
                    )

        return happens

    def _set_quotas(self, quarter: Days) -> Callable[[datetime], object]:
        def happens(at: datetime) -> None:
            start, end = day_number(quarter.start), day_number(quarter.end)
            rows = []
            for person in self._company.people:
                held = _closing(person, start, end)
                if held is None:
                    continue
                currency = self._company.currency_of(POD_NUMBERS[held.value])
                share = round(100 * ramp((start + end) // 2 - person.started))
                rows.append(
                    Quota(
                        person=self._users[person.email],
                        start_on=quarter.start,
                        end_on=quarter.end,
                        amount_minor=round_half_up(_QUOTAS[held.value] * share, 100_000)
                        * 1_000
                        * 10 ** exponent(currency),
                        currency=currency,
                    )
                )
            Quota.objects.bulk_create(rows)
            changes = [
                change_of(row, action="quota.set", after={"amount_minor": row.amount_minor, "currency": row.currency})
                for row in rows
            ]
            record_many(actor=self._actor("revops1", at), changes=changes, at=at)

        return happens

    def _period(self, quarter: Days) -> Period:
        return open_period(day=quarter.start, kind=PeriodKind.QUARTER.value, time_zone=settings.COMPANY_TIME_ZONE)

    def _calculate(self, quarter: Days) -> Callable[[datetime], object]:
        return lambda at: calculate_period(actor=self._actor("revops2", at), period=self._period(quarter), at=at)

    def _approve(self, quarter: Days, *, is_half: bool) -> Callable[[datetime], object]:
        def happens(at: datetime) -> None:
            ids = list(
                Statement.objects.filter(period=self._period(quarter))
                .order_by("person_id", "pk")
                .values_list("pk", flat=True)
            )
            chosen = ids[: len(ids) // 2] if is_half else ids
            actor = self._actor("finance1", at)
            held = approve_statements(actor=actor, statement_ids=chosen, at=at).refused
            approve_statements(actor=actor, statement_ids=held, at=at, note="Seen, and agreed with the contract")

        return happens

    def _acknowledge(self, first: date) -> Callable[[datetime], object]:
        """Nine of ten read their plan in the first days."""

        def happens(at: datetime) -> None:
            held = PlanAssignment.objects.on(company_day(at)).select_related("person").order_by("person_id", "pk")
            for place, assignment in enumerate(held):
                if place % 10 and assignment.person.is_active:
                    version = assignment.plan.versions.get()
                    acknowledge_version(actor=actor_for(assignment.person, at=at), version=version, at=at)

        return happens

    def _doubt(self, quarter: Days) -> Callable[[datetime], object]:
        """One of those who were paid well asks about it."""

        def happens(at: datetime) -> None:
            paid = Statement.objects.filter(period=self._period(quarter), person__is_active=True, earned_minor__gt=0)
            statement = paid.select_related("person").order_by("-earned_minor", "pk").first()
            if statement is None:
                return
            open_dispute(
                actor=actor_for(statement.person, at=at),
                statement=statement,
                line="",
                subject="The share of the largest deal",
                message="We agreed on half of it each; the statement has less.",
                at=at,
            )

        return happens

    def _correct(self, quarter: Days) -> Callable[[datetime], object]:
        """A customer takes a tenth of the largest paid deal back; and a quota of the paid quarter was a little too high."""

        def happens(at: datetime) -> None:
            period = self._period(quarter)
            credits = Credit.objects.filter(statement__period=period, transaction__deal__isnull=False)
            credit = credits.select_related("transaction").order_by("-amount_minor", "pk").first()
            if credit is None:
                return
            booking = credit.transaction
            Transaction.objects.create(
                source_key=f"credit note of {booking.source_key}",
                kind="credit_note",
                deal_id=booking.deal_id,
                account_id=booking.account_id,
                product_id=booking.product_id,
                effective_on=at.date(),
                amount_minor=-(booking.amount_minor // 10),
                currency=booking.currency,
                reverses=booking,
                recorded_at=at,
                updated_at=at,
            )
            above = Statement.objects.filter(
                period=period, quota_minor__isnull=False, credited_minor__gt=F("quota_minor"), person__is_active=True
            )
            statement = above.order_by("earned_minor", "pk").first()
            if statement is None:
                return
            set_quota(
                actor=self._actor("revops1", at),
                person_id=statement.person_id,
                period=quarter,
                amount_minor=(statement.quota_minor or 0) * 95 // 100,
                currency=statement.currency,
                at=at,
            )

        return happens

    def _hold_contest(self, quarter: Days) -> Callable[[datetime], object]:
        """Who of those who close in the company's currency sells most in the running quarter; all read who is ahead."""

        def happens(at: datetime) -> None:
            unit = 10 ** exponent(self._company.currency)
            new = NewContest(
                key="closers",
                name="Closers of the quarter",
                plan=self._plans["ae"],
                start=quarter.start,
                end=quarter.end,
                plans=[self._plans[key] for key in ("ae", "enterprise")],
                minimum_minor=10_000 * unit,
                prizes_minor=[amount * unit for amount in (2_000, 1_000, 500)],
                shows_names=True,
            )
            contest = save_contest(actor=self._actor("revops1", at), new=new, at=at)
            activate_contest(actor=self._actor("finance2", at), contest=contest, at=at)

        return happens

    def _lock(self, quarter: Days) -> Callable[[datetime], object]:
        return lambda at: lock_period(actor=self._actor("finance2", at), period=self._period(quarter), at=at)

    def _release(self, quarter: Days) -> Callable[[datetime], object]:
        def happens(at: datetime) -> None:
            period = self._period(quarter)
            if Statement.objects.filter(period=period, earned_minor__gt=0).exists():
                release_payroll(
                    actor=self._actor("finance2", at), period=period, payroll_format=PayrollFormat.GENERIC, at=at
                )

        return happens


def _definition(words: _Words, currency: str) -> PlanDefinition:
    """The plan as the engine reads it, with an acceptance example."""
    unit = 10 ** exponent(currency)
    quota, target = words.quota * unit, words.target * unit
    if quota:
        example = Example(
            "A fifth above quota", "bookings", (quota, quota // 5), target + target * 3 // 10, quota, target
        )
    else:
        example = Example("A tenth of a deal", "bookings", (1_000 * unit,), 40 * unit)
    component = Component(
        "bookings",
        "Bookings",
        shape_from_plain(words.shape).unwrap(),
        standard_quota=quota or None,
        standard_target_minor=target or None,
    )
    settlement = words.settlement
    return PlanDefinition(
        currency,
        settings.COMPANY_TIME_ZONE,
        PeriodKind.QUARTER,
        (component,),
        examples=(example,),
        settlement=terms_from_plain(settlement | {"currency": currency}).unwrap() if settlement else None,
    )


def _closing(person: Person, start: int, end: int) -> Held | None:
    """The pod in which a person sold last within these days; None for who did not sell."""
    for held in reversed(person.pods):
        if GROUPS[held.function] == CLOSER and held.start < end and (held.end is None or held.end > start):
            return held
    return None


def _stretches(person: Person) -> list[Held]:
    """On which plan a person was and when: what follows on the same plan is one stretch."""
    found: list[Held] = []
    for held in person.pods:
        pod = PODS[POD_NUMBERS[held.value]]
        group = GROUPS[held.function]
        if group == CLOSER:
            key = "enterprise" if pod.segment == 2 else "ae2" if pod.is_in_second_currency else "ae"
        elif group == FRONT:
            key = "sdr2" if pod.is_in_second_currency else "sdr"
        else:
            continue
        if found and found[-1].value == key and found[-1].end == held.start:
            found[-1] = Held(key, found[-1].start, held.end)
        else:
            found.append(Held(key, held.start, held.end))
    return found
