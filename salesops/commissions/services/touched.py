"""Who may be paid otherwise since a period was last calculated, read from the audit, which knows every change."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from typing import Any, Final

from django.db.models import Model, Q, QuerySet

from salesops.accounts.models import AccountOwnership
from salesops.audit.models import AuditEntry, AuditHead
from salesops.commissions.models import Adjustment, Calculation, Credit, Period, PlanAssignment, Quota, Transaction
from salesops.commissions.rules.conventions import CreditDay
from salesops.commissions.rules.credits import CreditRule
from salesops.commissions.rules.plans import PlanDefinition, plan_from_plain
from salesops.commissions.selectors.facts import versions_in
from salesops.deals.models import DealOwnership, DealSplit
from salesops.people.models import ReportingLine
from salesops.pods.models import PodMembership, TerritoryAssignment

#: Under this name the totals of a calculation keep the number of the last audit entry before it.
KNOWN: Final = "audit"
#: Rows whose changes pay nobody otherwise.
_NEVER: Final = frozenset(
    {
        "accounts.contact",
        "activities.activity",
        "commissions.contest:contest.drafted",
        "commissions.contest:contest.draft_discarded",
        "commissions.dispute",
        "commissions.payrollfile",
        "commissions.payrollmapping",
        "commissions.planversion:plan.acknowledged",
        "commissions.period:period.calculated",
        "commissions.scenario",
        "commissions.statement",
        "connectors.importrun",
        "jobs.job",
    }
)
#: Rooms none of whose rows pay anybody: what a lead becomes is recorded of the account and the deal.
_NEVER_ROOMS: Final = ("leads.",)
#: Actions about nothing in particular that pay nobody otherwise.
_NEVER_ACTIONS: Final = (
    "export.",
    "hours.",
    "import.",
    "leave.",
    "mapping.",
    "name.",
    "person.password",
    "role.",
    "second_factor.",
    "session.",
)
#: Rows that say themselves whom they are about.
_OF_A_PERSON: Final[dict[str, type[Model]]] = {
    "commissions.adjustment": Adjustment,
    "commissions.planassignment": PlanAssignment,
    "commissions.quota": Quota,
}


def last_known() -> int:
    """The number of the last audit entry. Asked before anything is read, so that what comes meanwhile counts as new."""
    return AuditHead.objects.values_list("sequence", flat=True).first() or 0


def touched_since(period: Period, calculation: Calculation) -> frozenset[int] | None:
    """The people whose pay a change since a calculation may have touched; None where that may be anybody.

    A change of a deal or a transaction touches those who were credited with it, those who may be credited now, and those
    above them or in a pod with them where a plan credits these. A quota, a place on a plan and an adjustment touch their
    person. What is not known to touch only some touches everybody.
    """
    since = calculation.totals.get(KNOWN)
    if since is None:
        return None
    deals: set[int] = set()
    transactions: set[int] = set()
    people: set[int] = set()
    rows = AuditEntry.objects.filter(sequence__gt=since).order_by()
    of_persons: dict[str, set[str]] = {name: set() for name in _OF_A_PERSON}
    for kind, action, pk in rows.values_list("subject_type", "action", "subject_id").distinct():
        if kind in _NEVER or kind.startswith(_NEVER_ROOMS) or f"{kind}:{action}" in _NEVER:
            continue
        if action.startswith(_NEVER_ACTIONS):
            continue
        if kind == "deals.deal":
            deals.add(int(pk))
        elif kind == "commissions.transaction":
            transactions.add(int(pk))
        elif kind in of_persons:
            of_persons[kind].add(pk)
        else:
            return None
    for name, keys in of_persons.items():
        found = _OF_A_PERSON[name]._default_manager.filter(pk__in=keys).values_list("pk", "person_id")
        named = dict(found)
        if len(named) < len(keys):
            # It is gone, and with it whom it was about.
            return None
        people.update(named.values())
    plans = [plan_from_plain(version.definition).unwrap() for version in versions_in(period).values()]
    # Where a plan credits as of another day than the transaction's, whoever had a part in it on any day may be credited.
    is_of_other_days = any(plan.conventions.credit_day is not CreditDay.TRANSACTION_DAY for plan in plans)
    during = (date.min if is_of_other_days else period.start_on, period.end_on)
    credited = _of_transactions(period, deals, transactions, during, is_of_other_days=is_of_other_days)
    return None if credited is None else frozenset(_with_mates(plans, during, people | credited))


def _of_transactions(
    period: Period,
    deals: Collection[int],
    transactions: Collection[int],
    during: tuple[date, date],
    *,
    is_of_other_days: bool,
) -> set[int] | None:
    """Those who were credited with transactions and those who may be now; None where one counts or was paid in another
    period, whose late changes are found for everybody, takes back something of an earlier one, whoever had that, or
    nobody is found for one.
    """
    rows: QuerySet[Transaction] = Transaction.objects.filter(Q(deal__in=deals) | Q(pk__in=transactions))
    paid = Credit.objects.filter(transaction__in=rows.values("pk"), locked_at__isnull=False)
    earlier = Q(effective_on__lt=period.start_on) | Q(reverses__effective_on__lt=period.start_on)
    if rows.filter(earlier).exists() or paid.exclude(statement__period=period).exists():
        return None
    here = rows.filter(effective_on__lt=period.end_on, is_void=False)
    old = Credit.objects.filter(statement__period=period, transaction__in=rows.values("pk"))
    people = set(old.order_by().values_list("person", flat=True).distinct())
    listed = list(here.values_list("credited_to", "deal", "deal__owner", "account", "account__territory"))
    shared: dict[int, set[int]] = {}
    for deal, person in DealSplit.objects.filter(deal__in={row[1] for row in listed}).values_list("deal", "person"):
        shared.setdefault(deal, set()).add(person)
    if is_of_other_days:
        owned = DealOwnership.objects.filter(deal__in={row[1] for row in listed})
        for deal, person in owned.order_by().values_list("deal", "person"):
            shared.setdefault(deal, set()).add(person)
    held = _held(AccountOwnership.objects.during(*during).filter(account__in={row[3] for row in listed}), "account")
    kept = _held(
        TerritoryAssignment.objects.during(*during).filter(territory__in={row[4] for row in listed}), "territory"
    )
    for credited_to, deal, owner, account, territory in listed:
        found = {credited_to, owner} - {None}
        found |= shared.get(deal, set()) | held.get(account, set()) | kept.get(territory, set())
        if not found:
            return None
        people |= found
    return people


def _held(rows: QuerySet[Any], thing: str) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for pk, person in rows.order_by().values_list(thing, "person"):
        found.setdefault(pk, set()).add(person)
    return found


def _with_mates(plans: Iterable[PlanDefinition], during: tuple[date, date], people: set[int]) -> set[int]:
    """With everybody above them, and everybody in a pod with them, where a plan in force pays by these."""
    rules: set[CreditRule] = set()
    by_team = False
    for plan in plans:
        rules.update(rule for component in plan.components for rule in component.crediting)
        by_team = by_team or bool(plan.settlement and plan.settlement.multiplier)
    found = set(people)
    if CreditRule.ROLL_UP in rules:
        found |= _above(during, found)
    if CreditRule.POD in rules or by_team:
        pods = PodMembership.objects.during(*during).filter(person__in=found).values("pod")
        mates = PodMembership.objects.during(*during).filter(pod__in=pods)
        found |= set(mates.order_by().values_list("person", flat=True))
    return found


def _above(during: tuple[date, date], people: Iterable[int]) -> set[int]:
    above: dict[int, set[int]] = {}
    rows = ReportingLine.objects.during(*during)
    for person, manager in rows.order_by().values_list("person", "manager"):
        above.setdefault(person, set()).add(manager)
    found: set[int] = set()
    waiting = list(people)
    while waiting:
        fresh = above.get(waiting.pop(), set()) - found
        found |= fresh
        waiting.extend(fresh)
    return found
