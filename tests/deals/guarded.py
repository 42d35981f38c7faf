"""Selling policies in force, made with one line, for tests of the guard."""

from __future__ import annotations

from typing import Any

from salesops.deals.models import GuardPolicy
from salesops.deals.services.policies import activate_policy, draft_policy, drop_guard_rule, put_guard_rule
from tests.cast import NOW, Cast

#: At most 15 % off, else somebody has to approve; beyond 25 % never.
ASK_15: dict[str, Any] = {
    "kind": "discount",
    "name": "Ask above 15 %",
    "effect": "escalate",
    "max_discount_bp": 1_500,
    "message": "Offer a longer term instead.",
}
CAP_25: dict[str, Any] = {
    "kind": "discount",
    "name": "Never above 25 %",
    "effect": "block",
    "max_discount_bp": 2_500,
    "tier": "standard",
    "message": "Take at most 25% off.",
}
NO_REFUNDS: dict[str, Any] = {
    "kind": "promise",
    "name": "No refunds",
    "effect": "block",
    "phrases": "full refund\nmoney-back",
}


def policy_of(cast: Cast, *rules: dict[str, Any]) -> GuardPolicy:
    """A policy of these rules, put in force by Rita."""
    rita = cast.actor("rita")
    draft = draft_policy(actor=rita, at=NOW)
    for row in draft.rules.all():
        drop_guard_rule(actor=rita, policy_id=draft.pk, rule_id=row.pk, at=NOW)
    for rule in rules:
        put_guard_rule(actor=rita, policy_id=draft.pk, at=NOW, **rule)
    return activate_policy(actor=rita, policy_id=draft.pk, at=NOW)
