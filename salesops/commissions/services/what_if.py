"""What would be paid if: open deals were won, or other plans had been in force. On the real engine, writing nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Q, QuerySet

from salesops.commissions.choices import PeriodState
from salesops.commissions.models import Credit, Scenario, Statement
from salesops.commissions.rules.plans import plan_from_plain
from salesops.commissions.selectors.facts import facts_of
from salesops.commissions.services.drafting import Drafts, drafted, taken_back, tried_at_once
from salesops.commissions.services.settling import adjustments_of, prizes_kept, settle_drafts
from salesops.commissions.services.transactions import paid_elsewhere
from salesops.core.actor import Actor, Role
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal
from salesops.people.models import User
from salesops.pods.models import PodMembership

#: By how many per cent pay may change to fall into each class of the distribution; the ends are open.
CLASSES: Final = (-25, -10, -1, 1, 10, 25)


@dataclass(frozen=True, slots=True)
class PretendedDeal:
    """What an open deal would earn its person, in minor units of the plan's currency."""

    deal: Deal
    earned_minor: int


@dataclass(frozen=True, slots=True)
class IfClosed:
    """What a person would be paid if they won these deals in the period. Amounts in minor units of `currency`."""

    currency: str
    now_earned: int
    now_payout: int
    then_earned: int
    then_payout: int
    deals: list[PretendedDeal]

    @property
    def more_minor(self) -> int:
        """By how much more is paid out."""
        return self.then_payout - self.now_payout


def open_deals_of(actor: Actor, person: int) -> QuerySet[Deal]:
    """A person's open deals that the actor may see: owned or shared, the nearest first."""
    rows = Deal.objects.visible_to(actor).filter(kind=StageKind.OPEN)
    mine = rows.filter(Q(owner=person) | Q(splits__person=person)).distinct()
    return mine.select_related("account", "stage").order_by("expected_close_on", "-amount_minor", "pk")


def if_closed(statement: Statement, deals: Sequence[Deal]) -> IfClosed:
    """Calculate a person's period as it stands, and with these deals won on its last day."""
    period, person = statement.period, statement.person_id
    plan = plan_from_plain(statement.plan_version.definition).unwrap()
    people = {person}
    if plan.settlement and plan.settlement.multiplier:
        pods = PodMembership.objects.during(period.start_on, period.end_on).filter(person=person).values("pod")
        people |= set(
            PodMembership.objects.during(period.start_on, period.end_on)
            .filter(pod__in=pods)
            .values_list("person_id", flat=True)
        )
    adjustments = [row for row in adjustments_of(period) if row.person_id == person]
    prizes = prizes_kept(statement)  # as calculated: what the deals would move in contests is not told
    amounts: list[tuple[int, int]] = []
    earned: dict[int, int] = {}
    for pretend in ((), tuple(deal.pk for deal in deals)):
        facts = facts_of(period, leave_out=paid_elsewhere(period), people=people, pretend=pretend)
        with drafted(facts, taken_back(facts), is_tried=True) as drafts:
            settle_drafts(drafts, adjustments, prizes=prizes)
            mine = {
                version: draft
                for (one, version), draft in drafts.by_key.items()
                if one == person and draft.version.plan_id == statement.plan_version.plan_id
            }
            pay = [(draft.earned_minor, draft.payout_minor) for draft in mine.values()]
            amounts.append((sum(row[0] for row in pay), sum(row[1] for row in pay)))
            earned = _earned_by_transaction(drafts, person, list(mine))
    (now_earned, now_payout), (then_earned, then_payout) = amounts
    return IfClosed(
        statement.currency,
        now_earned,
        now_payout,
        then_earned,
        then_payout,
        [PretendedDeal(deal, earned.get(-deal.pk, 0)) for deal in deals],
    )


def _earned_by_transaction(drafts: Drafts, person: int, versions: Sequence[int]) -> dict[int, int]:
    """What each transaction earns the person by these versions of a plan: they may be on other plans too."""
    rows = drafts.calculator.execute(
        """SELECT id, sum(amount)::BIGINT FROM earning
        WHERE person = $person AND list_contains($versions::BIGINT[], plan) GROUP BY id""",
        {"person": person, "versions": list(versions)},
    )
    return dict(rows.fetchall())


# --- Other plans over a past period -------------------------------------------------------------------------------


def may_try_plans(actor: Actor) -> bool:
    """Revops and finance try plans on history; only those who see pay see whose pay changes."""
    return actor.has(Role.REVOPS, Role.FINANCE)


def scenarios_for(actor: Actor) -> QuerySet[Scenario]:
    """Scenarios, the newest first; those who try plans see all of them."""
    rows: QuerySet[Scenario] = Scenario.objects.select_related("period", "created_by")
    return rows if may_try_plans(actor) else rows.none()


def result_of(scenario: Scenario) -> dict[str, Any]:
    """What a scenario comes to next to the plans in force, as plain data: see `compare`."""
    instead = {int(plan): plan_from_plain(words).unwrap() for plan, words in scenario.changes.items()}
    period, also = scenario.period, {}
    if period.state == PeriodState.LOCKED:
        rows = Credit.objects.filter(statement__period=period, transaction__is_void=False)
        also = dict(rows.order_by().values_list("transaction_id", "effective_on").distinct())
    elsewhere = paid_elsewhere(period)
    now = facts_of(period, leave_out=elsewhere, also=also)
    then = facts_of(period, leave_out=elsewhere, also=also, instead=instead, like=now)
    with tried_at_once([now, then]) as (drafts_now, drafts_then):
        return compare(_pay(drafts_now), _pay(drafts_then), _booked(drafts_now))


def _pay(drafts: Drafts) -> dict[tuple[int, str], int]:
    """What each person would be paid in the period, by person and currency.

    Manual adjustments and what earlier periods handed on are the same on both sides and left out.
    """
    pay: dict[tuple[int, str], int] = defaultdict(int)
    settle_drafts(drafts, (), is_alone=True)
    for (person, _version), draft in drafts.by_key.items():
        pay[person, draft.version.currency] += draft.payout_minor
    return dict(pay)


def _booked(drafts: Drafts) -> dict[str, int]:
    """What was credited directly, by currency."""
    booked: dict[str, int] = defaultdict(int)
    for plan, total in drafts.fetch(
        """SELECT plan, sum(amount)::BIGINT FROM credit WHERE rule IN ('split', 'owner', 'holder') GROUP BY plan"""
    ):
        booked[drafts.facts.versions[plan].currency] += total
    return dict(booked)


def compare(
    before: Mapping[tuple[int, str], int], after: Mapping[tuple[int, str], int], bookings: Mapping[str, int]
) -> dict[str, Any]:
    """Cost before and after, who gains and who loses, and how changes are distributed, by currency.

    {currency: {before, after, bookings, gain, lose, same, classes: [people], people: [[person, before, after]]}};
    amounts in minor units. classes: how many people's pay changes by how many per cent, in the ranges between CLASSES.
    """
    found: dict[str, Any] = {}
    for currency in sorted({currency for _person, currency in (*before, *after)}):
        people = sorted(
            (
                (person, before.get((person, currency), 0), after.get((person, currency), 0))
                for person in {person for person, paid_in in (*before, *after) if paid_in == currency}
            ),
            key=lambda row: (row[2] - row[1], row[0]),
        )
        classes = [0] * (len(CLASSES) + 1)
        for _person, old, new in people:
            classes[_class_of(old, new)] += 1
        found[currency] = {
            "before": sum(row[1] for row in people),
            "after": sum(row[2] for row in people),
            "bookings": bookings.get(currency, 0),
            "gain": sum(row[2] > row[1] for row in people),
            "lose": sum(row[2] < row[1] for row in people),
            "same": sum(row[2] == row[1] for row in people),
            "classes": classes,
            "people": [list(row) for row in people],
        }
    return found


def _class_of(old: int, new: int) -> int:
    """Which range of CLASSES the change from old to new falls into; something from nothing is the highest."""
    if not old:
        return len(CLASSES) if new > 0 else CLASSES.index(1)
    return sum((new - old) * 100 >= edge * old for edge in CLASSES)


def names_of(people: Collection[int]) -> dict[int, str]:
    """Names of people by id."""
    return dict(User.objects.filter(pk__in=people).values_list("pk", "name"))
