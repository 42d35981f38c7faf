"""How the demo company sells: a policy in force, and customers handed over to those who look after them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from salesops.accounts.models import AccountOwnership
from salesops.core.actor import system_actor
from salesops.deals.choices import HandOffPair, HandOffState, StageKind
from salesops.deals.models import Deal, HandOff
from salesops.deals.services.policies import activate_policy, draft_policy, put_guard_rule
from salesops.home.demo.company import Company
from salesops.home.demo.rows import stream_of
from salesops.people.choices import JobFunction

#: So many customers of the last months are handed over; of some the receiver has not said yet how well.
_HAND_OFFS: Final = 40
_UNRATED: Final = 6


def write_selling(company: Company, *, now: datetime) -> None:
    """Put a policy in force, and hand the customers of the deals won last from account executives to customer success."""
    actor = system_actor()
    policy = draft_policy(actor=actor, at=now, note="Discounts and promises")
    by: dict[str, Any] = {"actor": actor, "policy_id": policy.pk, "at": now}
    put_guard_rule(**by, kind="discount", name="Large discount", effect="escalate", max_discount_bp=2_000)
    put_guard_rule(**by, kind="discount", name="Highest discount", effect="block", max_discount_bp=3_500)
    put_guard_rule(
        **by,
        kind="promise",
        name="Promises nobody can keep",
        effect="block",
        phrases="guaranteed\nunlimited\nfree of charge for life",
        message="Say what the product does, and what the contract says.",
    )
    activate_policy(actor=actor, policy_id=policy.pk, at=now)
    _hand_over(company, now)


def _hand_over(company: Company, now: datetime) -> None:
    stream = stream_of(company.seed, "hand-offs")
    since = now - timedelta(days=180)
    success = dict(
        AccountOwnership.objects.filter(function=JobFunction.CSM, end_on=None).values_list("account_id", "person_id")
    )
    won = Deal.objects.filter(kind=StageKind.WON, closed_on__gt=since.date(), owner__is_active=True)
    rows: list[HandOff] = []
    for deal in won.select_related("owner").order_by("-closed_on", "pk"):
        receiver = success.get(deal.account_id or 0)
        if receiver is None or deal.owner_id in (None, receiver) or deal.closed_on is None or len(rows) == _HAND_OFFS:
            continue
        sent = min(now, datetime.combine(deal.closed_on, now.timetz()) + timedelta(days=stream.randint(1, 6)))
        row = HandOff(
            deal=deal,
            account_id=deal.account_id,
            pair=HandOffPair.AE_CSM,
            giver=deal.owner,
            receiver_id=receiver,
            pod_id=deal.pod_id,
            note="Contract, contacts and what was agreed are in the deal.",
            sent_at=sent,
        )
        if len(rows) >= _UNRATED:
            row.state, row.answered_at, row.rated_at = HandOffState.ACCEPTED, sent, min(now, sent + timedelta(days=1))
            usual = stream.choice((3, 4, 4, 4, 5))
            for name in (
                "completeness",
                "promise_alignment",
                "sentiment_continuity",
                "context_transfer",
                "stakeholder_map",
            ):
                setattr(row, name, max(1, min(5, usual + stream.choice((-1, 0, 0, 0, 1)))))
        rows.append(row)
    HandOff.objects.bulk_create(rows)
