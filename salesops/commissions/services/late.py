"""Late changes: what locked periods should have paid, less what they did, as adjustments in an open period."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.conf import settings
from django.db.models import Q

from salesops.commissions.choices import AdjustmentKind, AdjustmentState, Cause, PeriodState
from salesops.commissions.models import Adjustment, Contest, Credit, Earning, Period, Statement, Transaction
from salesops.commissions.rules.plans import PlanDefinition, plan_from_plain
from salesops.commissions.rules.settlement.facts import Earning as Earned
from salesops.commissions.rules.settlement.facts import Occurrence, carried_from_plain
from salesops.commissions.rules.settlement.settle import settle
from salesops.commissions.rules.settlement.terms import CONTEST
from salesops.commissions.selectors.contests import words_of
from salesops.commissions.selectors.facts import facts_of
from salesops.commissions.services.causes import LineKey, Told, cause_of, causes_of_transactions
from salesops.commissions.services.drafting import Drafts, Key, drafted, taken_back
from salesops.commissions.services.settling import given_of, is_released_later
from salesops.commissions.services.standings import Prizes, late_contests, lock_contests, prizes_in
from salesops.commissions.services.transactions import paid_elsewhere, sync_bookings
from salesops.core.days import company_day


def find_late_changes(*, period: Period, at: datetime, contests: Sequence[Contest] | None = None) -> list[Adjustment]:
    """Adjustments for an open period, not saved: one for each line, and each prize of a contest, of an earlier locked
    period that would be paid otherwise today, less what was adjusted for it already.

    contests: those around the period, where they were read already.

    Locked periods that begin within settings.COMMISSIONS_LOOK_BACK_YEARS are calculated anew, as they should have been;
    nothing in them is touched. A deal that moved to another month stays with the period that paid it.
    """
    start = period.start_on
    locked = Period.objects.filter(
        kind=period.kind,
        time_zone=period.time_zone,
        state=PeriodState.LOCKED,
        start_on__gte=date(start.year - settings.COMMISSIONS_LOOK_BACK_YEARS, start.month, 1),
        start_on__lt=start,
    )
    periods = list(locked.order_by("start_on"))
    for earlier in periods:
        sync_bookings(period=earlier, at=at)
    if contests is None:
        contests = lock_contests(period)
    found: list[Adjustment] = []
    for earlier in periods:
        found.extend(_changes_of(earlier, period, at, found, late_contests(contests, earlier)))
    return found


def _changes_of(
    earlier: Period, period: Period, at: datetime, pending: list[Adjustment], contests: Sequence[Contest]
) -> list[Adjustment]:
    """What one locked period should have paid beyond what it did. pending: what was found for periods before it.

    contests: those that it paid and whose result may still change.
    """
    facts = facts_of(earlier, leave_out=paid_elsewhere(earlier), also=_paid_in(earlier))
    rows = Statement.objects.filter(period=earlier).defer("bundle").select_related("plan_version")
    statements = {(row.person_id, row.plan_version_id): row for row in rows}
    adjusted = _adjusted(earlier, period)
    touched = {(person, plan) for person, plan, _transaction, _component in adjusted}
    prizes = _Prizes(contests, statements, prizes_in(contests, {}, earlier, day=company_day(at), at=at))
    with drafted(facts, taken_back(facts, renewed=period, pending=pending)) as drafts:
        changed = {
            key
            for key in drafts.by_key.keys() | statements.keys()
            if key not in drafts.by_key
            or key not in statements
            or statements[key].lines_digest != drafts.by_key[key].lines_digest
            or (key[0], statements[key].plan_version.plan_id) in touched
            or (key[0], statements[key].plan_version.plan_id) in prizes.moved
        }
        due = _due(drafts, statements, changed, prizes)
    paid = _paid(statements, changed, prizes)
    nothing = Told()
    found = []
    for key in sorted(due.keys() | paid.keys() | adjusted.keys()):
        person, plan, transaction, component = key
        before = adjusted.get(key, _Before(cause=Cause.STANDING if (person, plan) in prizes.moved else Cause.OTHER))
        now, then = due.get(key, nothing).amount, paid.get(key, nothing).amount + before.amount
        if now != then:
            found.append(
                Adjustment(
                    kind=AdjustmentKind.LATE,
                    state=AdjustmentState.APPROVED,
                    person_id=person,
                    plan_id=plan,
                    period=period,
                    amount_minor=now - then,
                    currency=prizes.currencies.get(component) or _currency(drafts, statements, plan),
                    cause=Cause.STANDING if transaction == 0 else cause_of(key, due, paid, before.cause),
                    reason=earlier.label,
                    about_period=earlier,
                    about_transaction_id=transaction or None,
                    component=component,
                    paid_minor=then,
                    due_minor=now,
                    prepared_at=at,
                )
            )
    _name_more(found)
    return found


def _name_more(found: list[Adjustment]) -> None:
    """Say what transactions tell and lines do not."""
    named = causes_of_transactions([(each.about_transaction_id or 0, Cause(each.cause)) for each in found])
    for each in found:
        each.cause = named.get((each.about_transaction_id or 0, Cause(each.cause)), Cause(each.cause))


def _currency(drafts: Drafts, statements: dict[Key, Statement], plan: int) -> str:
    versions = [draft.version for draft in drafts.by_key.values()] + [row.plan_version for row in statements.values()]
    return next(version.currency for version in versions if version.plan_id == plan)


def _paid_in(period: Period) -> dict[int, date]:
    """The transactions that a locked period credited and that still count, each with the day on which it counted."""
    rows = Credit.objects.filter(statement__period=period, transaction__is_void=False)
    return dict(rows.order_by().values_list("transaction_id", "effective_on").distinct())


@dataclass(frozen=True, slots=True)
class _Before:
    """What other periods adjusted for a line already, and why the last one did."""

    amount: int = 0
    cause: Cause = Cause.OTHER


def _adjusted(earlier: Period, period: Period) -> dict[LineKey, _Before]:
    """What other periods adjusted for the lines of a locked period already."""
    rows = (
        Adjustment.objects.filter(
            Q(about_transaction__isnull=False) | Q(component__startswith=CONTEST),
            kind=AdjustmentKind.LATE,
            about_period=earlier,
        )
        .exclude(period=period)
        .order_by("period__start_on", "pk")
        .values_list("person_id", "plan_id", "about_transaction_id", "component", "amount_minor", "cause")
    )
    found: dict[LineKey, _Before] = {}
    for person, plan, transaction, component, amount, cause in rows:
        key = (person, plan, transaction or 0, component)
        found[key] = _Before(found.get(key, _Before()).amount + amount, Cause(cause))
    return found


class _Prizes:
    """The prizes of contests that a locked period paid, and those that it would pay today.

    components: of the contests whose result may still change. currencies: theirs. due: prizes of today by person and
    plan. moved: of whom, and by which plan, another prize is due than was paid.
    """

    def __init__(self, contests: Sequence[Contest], statements: dict[Key, Statement], due: Prizes) -> None:
        self.due = due
        self.currencies = {words_of(contest).component: contest.currency for contest in contests}
        self.components = self.currencies.keys()
        newest: dict[tuple[int, int], Key] = {}
        for key in sorted(statements, key=lambda key: statements[key].plan_version.start_on):
            newest[key[0], statements[key].plan_version.plan_id] = key
        #: The statements into which prizes go: of two versions in one period the newest.
        self.payers = {key: about for about, key in newest.items()}
        self.paid = {
            key: [item for item in given_of(row).occurrences if item.prize and item.bonus in self.components]
            for key, row in statements.items()
            if contests and row.carried is not None
        }
        amounts = {about: self._amounts(found) for about, found in due.items()}
        were = {self.payers[key]: self._amounts(found) for key, found in self.paid.items() if key in self.payers}
        self.moved = {about for about in amounts.keys() | were.keys() if amounts.get(about, {}) != were.get(about, {})}

    @staticmethod
    def _amounts(found: Iterable[Occurrence]) -> dict[str, int]:
        return {item.bonus: item.prize.amount_minor for item in found if item.prize}

    def instead(self, key: Key, stored: Iterable[Occurrence]) -> tuple[Occurrence, ...]:
        """What happened in a statement's period, with the prizes of today in the place of those that were paid."""
        kept = [item for item in stored if not (item.prize and item.bonus in self.components)]
        return (*kept, *self.due.get(self.payers.get(key, (0, 0)), ()))


# --- What was paid, and what is due -------------------------------------------------------------------------------


def _due(
    drafts: Drafts, statements: dict[Key, Statement], changed: Collection[Key], prizes: _Prizes
) -> dict[LineKey, Told]:
    """What the lines and prizes of changed statements should have come to, and prizes of whoever has no statement."""
    found: dict[LineKey, Told] = defaultdict(Told)
    earnings: dict[Key, list[Earned]] = defaultdict(list)
    ids: dict[str, int] = {}
    rows = drafts.fetch(
        """SELECT e.person, e.plan, e.id, e.component, e.amount, e.before, e.key, e.day, e.original, e.is_of_earlier,
            c.why
        FROM earning e JOIN credit c ON c.person = e.person AND c.plan = e.plan AND c.transaction = e.transaction
            AND c.rule_code = e.rule_code ORDER BY e.person, e.plan, e.component, e.position"""
    )
    for person, version, pk, component, amount, start, key, day, original, is_of_earlier, why in rows:
        if (person, version) not in changed:
            continue
        draft = drafts.by_key[person, version]
        told = found[person, draft.version.plan_id, pk, component]
        told.earned += amount
        told.start = start
        told.whys.append(why)
        told.terms = next(terms for terms in draft.terms if terms["component"] == component)
        ids[key] = pk
        if not is_of_earlier:
            earnings[person, version].append(Earned(component, key, date.fromordinal(day), amount, original))
    paid_by = {about: key for key, about in prizes.payers.items()}
    for about, won in prizes.due.items():
        if about not in paid_by or paid_by[about] in changed:
            for item in won:
                found[(*about, 0, item.bonus)].earned += item.prize.amount_minor if item.prize else 0
    for key in changed & statements.keys():
        row = statements[key]
        for component, reference, amount in _settled_again(row, earnings[key], prizes):
            line = (row.person_id, row.plan_version.plan_id, ids.get(reference, 0), component)
            if line in found:
                found[line].settled = (found[line].settled or 0) + amount
    return found


def _plan_of(row: Statement) -> PlanDefinition:
    return plan_from_plain(row.plan_version.definition).unwrap()


def _settled_again(row: Statement, earnings: list[Earned], prizes: _Prizes) -> list[tuple[str, str, int]]:
    """What each line would have come to after multiplier and caps with these earnings and prizes instead: component,
    key, amount.

    Only for components that are paid at once; what is held goes through the settlement of the open period.
    """
    if row.carried is None:
        return []
    plan = _plan_of(row)
    given = given_of(row)
    before = carried_from_plain(row.carried["before"]).unwrap()
    occurrences = prizes.instead((row.person_id, row.plan_version_id), given.occurrences)
    again = replace(given, earnings=tuple(earnings), reversals=(), occurrences=occurrences)
    outcome = settle(again, plan.settled_by, before)
    return [
        (part.component, part.reference, part.settled_minor)
        for part in (outcome.value.parts if outcome.value else ())
        if not is_released_later(plan.settlement, part.component)
    ]


def _paid(statements: dict[Key, Statement], changed: Collection[Key], prizes: _Prizes) -> dict[LineKey, Told]:
    """What the lines and prizes of changed statements came to when they were locked."""
    found: dict[LineKey, Told] = defaultdict(Told)
    rows = {row.pk: row for key, row in statements.items() if key in changed}
    earnings = Earning.objects.filter(statement__in=rows).select_related("credit")
    for earning in earnings.order_by("statement_id", "component", "position").iterator(chunk_size=5_000):
        row = rows[earning.statement_id]
        line = (earning.person_id, row.plan_version.plan_id, earning.credit.transaction_id, earning.component)
        told = found[line]
        told.earned += earning.amount_minor
        told.start = earning.from_minor
        told.whys.append(earning.credit.why)
        told.terms = next((terms for terms in row.terms if terms["component"] == earning.component), {})
    for key in changed & prizes.paid.keys():
        for item in prizes.paid[key]:
            about = (key[0], statements[key].plan_version.plan_id, 0, item.bonus)
            found[about].earned += item.prize.amount_minor if item.prize else 0
    parts = [(row, part) for row in rows.values() if row.carried is not None for part in row.carried["parts"]]
    references = {part["reference"] for _row, part in parts}
    ids = dict(Transaction.objects.filter(source_key__in=references).values_list("source_key", "pk"))
    plans = {row.pk: _plan_of(row) for row, _part in parts}
    for row, part in parts:
        line = (row.person_id, row.plan_version.plan_id, ids.get(part["reference"], 0), part["component"])
        if line in found and not is_released_later(plans[row.pk].settlement, part["component"]):
            found[line].settled = (found[line].settled or 0) + int(part["settled_minor"])
    return found
