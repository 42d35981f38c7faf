"""Reads what became of won deals that the guard flagged, beside those it allowed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Final

from salesops.accounts.models import Subscription
from salesops.core.actor import Actor
from salesops.deals.aftermath import paid_back
from salesops.deals.choices import GuardOutcome, StageKind
from salesops.deals.models import Deal, GuardDecision
from salesops.deals.rules.aftermath import After, Comparison, compare, compare_by_pod
from salesops.pods.models import Pod

#: Keys that are looked up in one query.
_BATCH: Final = 5_000


@dataclass(frozen=True, slots=True)
class PodCompared:
    """A pod's comparison; without a name: deals of no pod."""

    name: str
    compared: Comparison


@dataclass(frozen=True, slots=True)
class GuardReport:
    """All deals and each pod's. `unasked`: won deals that never met the guard, which go into neither group."""

    compared: Comparison
    pods: tuple[PodCompared, ...]
    unasked: int


def guard_report_for(actor: Actor, *, day: date) -> GuardReport:
    """What became, until `day`, of the won deals that the actor sees.

    Flagged is a deal of which the guard ever said anything but "allowed". Its customer has left when a subscription of
    the account ended after the deal was won and none is running on the day.
    """
    won = list(
        Deal.objects.visible_to(actor)
        .filter(kind=StageKind.WON, guard_decisions__isnull=False)
        .order_by("pk")
        .distinct()
        .values_list("pk", "pod_id", "account_id", "closed_on")
    )
    keys = [row[0] for row in won]
    flagged: set[int] = set()
    back: set[int] = set()
    for start in range(0, len(keys), _BATCH):
        part = keys[start : start + _BATCH]
        rows = GuardDecision.objects.filter(deal__in=part).exclude(outcome=GuardOutcome.ALLOW)
        flagged |= set(rows.order_by().values_list("deal_id", flat=True))
        back |= paid_back(part)
    ended, running = _subscriptions({row[2] for row in won if row[2] is not None}, day)
    deals = [
        After(
            deal=pk,
            pod=pod,
            is_flagged=pk in flagged,
            has_churned=account is not None
            and account not in running
            and any(closed is not None and end > closed for end in ended.get(account, ())),
            is_paid_back=pk in back,
        )
        for pk, pod, account, closed in won
    ]
    names = dict(Pod.objects.filter(pk__in={row.pod for row in deals if row.pod is not None}).values_list("pk", "name"))
    pods = [PodCompared(names.get(pod, "") if pod else "", each) for pod, each in compare_by_pod(deals).items()]
    unasked = Deal.objects.visible_to(actor).filter(kind=StageKind.WON, guard_decisions__isnull=True).count()
    return GuardReport(compare(deals), tuple(sorted(pods, key=lambda row: (not row.name, row.name))), unasked)


def _subscriptions(accounts: set[int], day: date) -> tuple[dict[int, list[date]], set[int]]:
    """When subscriptions of these accounts ended, and which accounts have one that runs on the day."""
    ended: dict[int, list[date]] = defaultdict(list)
    running: set[int] = set()
    keys = sorted(accounts)
    for start in range(0, len(keys), _BATCH):
        rows = Subscription.objects.filter(account__in=keys[start : start + _BATCH])
        for account, begin, end in rows.values_list("account_id", "start_on", "end_on"):
            if end is not None and end <= day:
                ended[account].append(end)
            elif begin <= day:
                running.add(account)
    return ended, running
