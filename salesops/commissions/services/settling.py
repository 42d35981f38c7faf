"""Settles drafts: from what was earned to what is paid, with what earlier periods handed on. Nothing is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from typing import Any, Final

from salesops.commissions.choices import AdjustmentKind, AdjustmentState, EventKind, StatementState
from salesops.commissions.models import Adjustment, Earning, Period, PlanEvent, PlanVersion, Statement, Transaction
from salesops.commissions.rules.conventions import Leaver
from salesops.commissions.rules.plans import plan_from_plain
from salesops.commissions.rules.settlement.facts import (
    Achieved,
    Carried,
    Occurrence,
    PeriodInput,
    Reversal,
    SettledPart,
    carried_from_plain,
    input_from_plain,
    outstanding,
)
from salesops.commissions.rules.settlement.facts import Adjustment as Adjusted
from salesops.commissions.rules.settlement.facts import Collection as Collected
from salesops.commissions.rules.settlement.facts import Earning as Earned
from salesops.commissions.rules.settlement.plain import from_plain
from salesops.commissions.rules.settlement.settle import settle
from salesops.commissions.rules.settlement.terms import ReleaseKind, Terms
from salesops.commissions.services.drafting import Draft, Drafts, Key
from salesops.people.models import User
from salesops.pods.models import PodMembership
from salesops.values import periods

#: How references of late changes begin.
LATE: Final = "late"


@dataclass(slots=True)
class PlanEvents:
    """What is known of a person on a plan beside what they earned."""

    achieved: list[Achieved] = field(default_factory=list)
    occurrences: list[Occurrence] = field(default_factory=list)
    prizes: list[Occurrence] = field(default_factory=list)
    team: Fraction | None = None


def adjustments_of(period: Period) -> list[Adjustment]:
    """Approved adjustments to be paid in a period."""
    rows = Adjustment.objects.filter(period=period, state=AdjustmentState.APPROVED)
    return list(
        rows.select_related("prepared_by", "decided_by", "about_period", "about_transaction", "plan").order_by("pk")
    )


def settle_drafts(
    drafts: Drafts,
    adjustments: Iterable[Adjustment],
    *,
    prizes: Mapping[tuple[int, int], Sequence[Occurrence]] | None = None,
    is_alone: bool = False,
) -> None:
    """Settle every draft that has something to settle; the others pay what was earned.

    prizes: of contests, by person and plan. is_alone: leave out what earlier periods hand on, to compare plans by what this period pays.

    A draft is settled when its plan has a settlement, when an adjustment or a prize is due, when an earlier period hands
    something on, or when less than nothing was earned.
    """
    period = drafts.facts.period
    given: dict[Key, list[Adjustment]] = defaultdict(list)
    for row in adjustments:
        given[_key_of(drafts, row.person_id, row.plan_id)].append(row)
    won = {_key_of(drafts, *about): found for about, found in (prizes or {}).items()}
    before = {} if is_alone else _handed_on(drafts, period)
    wanted = [
        key
        for key, draft in drafts.by_key.items()
        if draft.plan.settlement or key in given or key in won or key in before or draft.earned_minor < 0
    ]
    wanted += [key for key in _forfeiting(drafts, period) if key not in wanted]
    if not wanted:
        return
    facts = _Gathered(drafts, wanted)
    for key, found in won.items():
        facts.events[key[0], drafts.by_key[key].version.plan_id].prizes.extend(found)
    for key in sorted(wanted, key=lambda key: (key[0], drafts.by_key[key].version.start_on, key[1])):
        _settle(drafts, key, facts, given[key], before)


def _forfeiting(drafts: Drafts, period: Period) -> list[Key]:
    """Drafts of people who have left by the end of the period and keep only what was paid before."""
    keys = [key for key, draft in drafts.by_key.items() if draft.plan.conventions.leaver is Leaver.PAID_BEFORE]
    people = User.objects.filter(pk__in={key[0] for key in keys}, left_on__lt=period.end_on) if keys else ()
    left = {person.pk for person in people}
    return [key for key in keys if key[0] in left]


def _key_of(drafts: Drafts, person: int, plan: int) -> Key:
    """The draft into which an adjustment or a prize goes: the person's newest on that plan; an empty one where there is
    none.
    """
    keys = [key for key, draft in drafts.by_key.items() if key[0] == person and draft.version.plan_id == plan]
    if keys:
        return max(keys, key=lambda key: drafts.by_key[key].version.start_on)
    begun = PlanVersion.objects.filter(plan=plan, start_on__lt=drafts.facts.period.end_on).select_related("plan")
    version = begun.exclude(state="draft").latest("start_on")
    key = (person, version.pk)
    drafts.by_key[key] = Draft(version, plan_from_plain(version.definition).unwrap())
    return key


def given_of(row: Statement) -> PeriodInput:
    """What a settled statement was settled from."""
    return input_from_plain((row.carried or {})["given"]).unwrap()


def prizes_kept(row: Statement) -> dict[tuple[int, int], list[Occurrence]]:
    """The prizes of contests that a statement pays as it was calculated last, by person and plan."""
    found = [item for item in given_of(row).occurrences if item.prize] if row.carried else []
    return {(row.person_id, row.plan_version.plan_id): found} if found else {}


def is_released_later(terms: Terms | None, component: str) -> bool:
    """Whether lines of a component are held, paid in instalments or paid with the customer's money."""
    return terms is not None and terms.release_of(component).kind is not ReleaseKind.AT_ONCE


def _as_earned(row: Adjustment) -> Earned | None:
    """A late change of something that may still be held: it takes the way of the line it changes."""
    if row.about_transaction is None:
        return None
    key = row.about_transaction.source_key
    label, day = _label(row), row.about_transaction.effective_on
    return Earned(row.component, f"{LATE} {label} {key}", day, row.amount_minor, key, label)


def _label(row: Adjustment) -> str:
    return row.about_period.label if row.about_period else ""


def _adjusted(row: Adjustment) -> Adjusted:
    if row.kind == AdjustmentKind.LATE:
        about = row.about_transaction.source_key if row.about_transaction else ""
        reference = " ".join(part for part in (LATE, _label(row), about, row.component) if part)
        return Adjusted(reference, row.amount_minor, _label(row), "", "", row.cause)
    return Adjusted(
        f"adjustment {row.pk}", row.amount_minor, row.reason, str(row.prepared_by or "-"), str(row.decided_by or "-")
    )


# --- What is gathered ---------------------------------------------------------------------------------------------


def _latest_before(period: Period, plans: Collection[int]) -> dict[tuple[int, int], tuple[Carried, str]]:
    """By person and plan: what the latest statement before a period hands on, and its state; without one that settles,
    nothing.
    """
    rows = Statement.objects.filter(
        plan_version__plan__in=plans,
        period__kind=period.kind,
        period__time_zone=period.time_zone,
        period__start_on__lt=period.start_on,
        # One that was emptied, because nobody was on that plan any more, says nothing of what came before it.
        carried__isnull=False,
    )
    latest = {
        (person, plan): (number, state)
        for number, person, plan, state in rows.order_by("period__start_on", "plan_version__number").values_list(
            "pk", "person_id", "plan_version__plan_id", "state"
        )
    }
    ids = [number for number, _state in latest.values()]
    kept: dict[int, Any] = dict(Statement.objects.filter(pk__in=ids).values_list("pk", "carried"))
    return {key: (carried_from_plain(kept[number]["after"]).unwrap(), state) for key, (number, state) in latest.items()}


def _is_nothing(carried: Carried) -> bool:
    """Whether nothing is handed on: neither balances nor what was held, cut or brought forward."""
    return carried == replace(Carried(carried.currency), until=carried.until, year=carried.year)


def _handed_on(drafts: Drafts, period: Period) -> dict[Key, Carried]:
    """What the latest earlier statement of each person on each plan hands on, where it hands on anything."""
    latest = _latest_before(period, {draft.version.plan_id for draft in drafts.by_key.values()})
    found: dict[Key, Carried] = {}
    for key, draft in drafts.by_key.items():
        before = latest.get((key[0], draft.version.plan_id))
        if before is not None and not _is_nothing(before[0]):
            found[key] = before[0]
    return found


def not_handed_on_yet(period: Period) -> tuple[list[str], list[str]]:
    """Whose statement of a period stands on an earlier one that may still change, and whose on one that changed since.

    A running period is calculated while the one before it is being approved; before it is locked, what was handed on
    must be locked and must be what was reckoned with.
    """
    rows = Statement.objects.filter(period=period).select_related("person", "plan_version").defer("bundle")
    latest = _latest_before(period, {row.plan_version.plan_id for row in rows})
    is_open, is_other = [], []
    for row in rows.order_by("person__name", "plan_version__start_on", "pk"):
        if row.carried is None and not row.terms:
            continue  # it was emptied, because nobody is on that plan any more, and stands on nothing
        before = latest.pop((row.person_id, row.plan_version.plan_id), None)
        if before is None:
            continue
        carried, state = before
        reckoned = carried_from_plain(row.carried["before"]).unwrap() if row.carried else Carried(row.currency)
        if _is_nothing(carried) and _is_nothing(reckoned):
            continue
        if state in (StatementState.DRAFT, StatementState.APPROVED):
            is_open.append(str(row.person))
        elif carried != reckoned:
            is_other.append(str(row.person))
    return is_open, is_other


class _Gathered:
    """Everything that settling needs, read at once for all drafts that are settled."""

    def __init__(self, drafts: Drafts, wanted: Collection[Key]) -> None:
        self.drafts = drafts
        self.period = drafts.facts.period
        people = {key[0] for key in wanted}
        plans = {drafts.by_key[key].version.plan_id for key in wanted}
        self.left_on: dict[int, date | None] = dict(User.objects.filter(pk__in=people).values_list("pk", "left_on"))
        self.events: dict[tuple[int, int], PlanEvents] = defaultdict(PlanEvents)
        self.collected: dict[int, dict[str, Collected]] = defaultdict(dict)
        self._read_events(plans, people)
        self.lines = self._lines(wanted)
        self.originals = self._originals(wanted)
        self._teams: dict[int, Fraction | None] | None = None

    def _read_events(self, plans: Collection[int], people: Collection[int]) -> None:
        start, end = self.period.start_on, self.period.end_on
        rows = PlanEvent.objects.filter(plan__in=plans, is_void=False, on__lt=end).order_by("on", "pk")
        for row in rows.exclude(kind__in=[EventKind.OBJECTIVE, EventKind.BONUS, EventKind.TEAM], on__lt=start):
            if row.kind == EventKind.PAYMENT:
                paid = self.collected[row.plan_id].get(row.reference)
                total = (row.amount_minor or 0) + (paid.paid_minor if paid else 0)
                self.collected[row.plan_id][row.reference] = Collected(row.reference, total, row.of_minor or 0)
                continue
            for person in [row.person_id] if row.person_id else people:
                found = self.events[person, row.plan_id]
                share = Fraction(row.share or 0)
                if row.kind == EventKind.OBJECTIVE:
                    found.achieved = [item for item in found.achieved if item.objective != row.reference]
                    found.achieved.append(Achieved(row.reference, share))
                elif row.kind == EventKind.BONUS:
                    found.occurrences.append(Occurrence(row.reference, f"{row.reference} {row.pk}", row.on))
                else:
                    found.team = share

    def _lines(self, wanted: Collection[Key]) -> dict[Key, list[tuple[Any, ...]]]:
        """Component, key, day, amount, original, whether the original is of an earlier period; by draft."""
        found: dict[Key, list[tuple[Any, ...]]] = defaultdict(list)
        asked = set(wanted)
        for person, plan, *line in self.drafts.fetch(
            "SELECT person, plan, component, key, day, amount, original, is_of_earlier FROM earning ORDER BY ALL"
        ):
            if (person, plan) in asked:
                found[person, plan].append(tuple(line))
        return found

    def _originals(self, wanted: Collection[Key]) -> dict[tuple[Key, str, str], list[SettledPart]]:
        """What earlier statements settled for the originals of what is taken back, by draft, component and key."""
        keys = {line[4] for key in wanted for line in self.lines[key] if line[5]}
        found: dict[tuple[Key, str, str], list[SettledPart]] = defaultdict(list)
        if not keys:
            return found
        draft_of = {(key[0], self.drafts.by_key[key].version.plan_id): key for key in wanted}
        reversed_by = dict(
            Transaction.objects.filter(reverses__source_key__in=keys).values_list("source_key", "reverses__source_key")
        )
        rows = Earning.objects.filter(
            credit__transaction__source_key__in=[*keys, *reversed_by],
            statement__period__end_on__lte=self.period.start_on,
        )
        kept: dict[int, list[SettledPart]] = {}
        for pk, person, plan, component, source, day, amount, carried in rows.values_list(
            "statement_id",
            "person_id",
            "statement__plan_version__plan_id",
            "component",
            "credit__transaction__source_key",
            "credit__effective_on",
            "amount_minor",
            "statement__carried",
        ).order_by("statement__period__start_on", "pk"):
            key = draft_of.get((person, plan))
            if key is None:
                continue
            reference = reversed_by.get(source, source)
            if carried is None:
                found[key, component, reference].append(SettledPart(component, reference, day, amount, amount))
            elif pk not in kept:
                kept[pk] = [from_plain(SettledPart, part).unwrap() for part in carried["parts"]]
                for part in kept[pk]:
                    if part.reference in keys:
                        found[key, part.component, part.reference].append(part)
        return found

    def team(self, person: int) -> Fraction | None:
        """What the person's pod reached of its quota: credits of all its members ÷ their quotas; None without any."""
        if self._teams is None:
            self._teams = self._attainments()
        return self._teams.get(person)

    def _attainments(self) -> dict[int, Fraction | None]:
        last = periods.Period(self.period.start_on, self.period.end_on, self.period.label).last_day
        pods: dict[int, list[int]] = defaultdict(list)
        for pod, person in PodMembership.objects.on(last).order_by("pk").values_list("pod_id", "person_id"):
            pods[pod].append(person)
        reached: dict[int, int] = defaultdict(int)
        quotas: dict[int, int] = defaultdict(int)
        for (person, _version), draft in self.drafts.by_key.items():
            if draft.quota_minor and draft.terms:
                component = next(terms for terms in draft.terms if terms["quota"] == draft.quota_minor)
                reached[person] += component["reached"]
                quotas[person] += draft.quota_minor
        found: dict[int, Fraction | None] = {}
        for members in pods.values():
            whole = sum(quotas[person] for person in members)
            for person in members:
                found.setdefault(person, Fraction(sum(reached[one] for one in members), whole) if whole else None)
        return found


# --- Settling one draft -------------------------------------------------------------------------------------------


def _settle(
    drafts: Drafts, key: Key, facts: _Gathered, adjustments: Iterable[Adjustment], before: dict[Key, Carried]
) -> None:
    draft, book = drafts.by_key[key], drafts.facts.book
    person, version_id = key
    period = periods.Period(facts.period.start_on, facts.period.end_on, facts.period.label)
    carried = before.get(key) or Carried(draft.version.currency)
    earlier = [
        other
        for other_key, other in drafts.by_key.items()
        if other_key[0] == person
        and other.version.plan_id == draft.version.plan_id
        and other.version.start_on < draft.version.start_on
        and other.settled is not None
    ]
    if earlier:
        # Two versions in one period: the second goes on where the first ended, within the same days.
        settled = max(earlier, key=lambda other: other.version.start_on).settled
        if settled is not None:
            carried = replace(settled.carried, until=period.start)
    events = facts.events[person, draft.version.plan_id]
    # Of two versions in one period the newest pays the prizes.
    prizes = events.prizes if events.prizes and key == _key_of(drafts, person, draft.version.plan_id) else []
    is_on_plan = key in drafts.facts.people
    earnings, reversals = _earned(facts, key)
    left_on = facts.left_on.get(person)
    terms = draft.plan.settled_by
    adjusted: list[Adjusted] = []
    for row in adjustments:
        is_late = row.kind == AdjustmentKind.LATE and is_released_later(draft.plan.settlement, row.component)
        earned = _as_earned(row) if is_late else None
        if earned is None:
            adjusted.append(_adjusted(row))
        else:
            earnings.append(replace(earned, day=min(earned.day, period.last_day)))
    team = events.team
    if team is None and terms.multiplier:
        team = facts.team(person)
    given = PeriodInput(
        period=period,
        year=str(period.start.year),
        earnings=tuple(earnings),
        reversals=tuple(reversals),
        achieved=tuple(events.achieved),
        occurrences=(*events.occurrences, *prizes),
        collections=tuple(
            facts.collected[draft.version.plan_id][name] for name in sorted(facts.collected[draft.version.plan_id])
        ),
        adjustments=tuple(adjusted),
        target_minor=draft.target_minor if is_on_plan else 0,
        team_attainment=team,
        active_share=book.active(version_id, person, period) if is_on_plan else Fraction(0),
        is_leaving=left_on is not None and left_on < period.end,
    )
    outcome = settle(given, terms, carried)
    if outcome.value is None:
        draft.problems.extend(problem for problem in outcome.problems if problem not in draft.problems)
        return
    draft.given, draft.before, draft.settled = given, carried, outcome.value
    draft.payout_minor, draft.owed_minor = outcome.value.payout_minor, outcome.value.owed_minor


def _earned(facts: _Gathered, key: Key) -> tuple[list[Earned], list[Reversal]]:
    """The lines as earnings; what takes back something settled in an earlier period as a reversal of it."""
    earnings: list[Earned] = []
    reversals: dict[tuple[str, str, str], Reversal] = {}
    for component, source, day, amount, original, is_of_earlier in facts.lines[key]:
        on = date.fromordinal(day)
        parts = facts.originals.get((key, component, original)) if is_of_earlier else None
        left = outstanding(tuple(parts)) if parts else None
        if left is not None and left.earned_minor and amount:
            same = [item for item in reversals.values() if item.original == left]
            if abs(sum(item.amount_minor for item in same) + amount) <= abs(left.earned_minor):
                # Somebody credited twice for the same, as owner and by an overlay say, gives it back as one.
                twin = reversals.get((component, original, source))
                total = amount + (twin.amount_minor if twin else 0)
                reversals[component, original, source] = Reversal(source, on, total, left)
                continue
        earnings.append(Earned(component, source, on, amount, original))
    return earnings, list(reversals.values())
