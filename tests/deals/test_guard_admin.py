"""Selling policies in the administration: drafts change there, what was in force does not, and rules must say something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.test import Client

from salesops.audit.models import AuditEntry
from salesops.deals.models import GuardPolicy, GuardRule
from salesops.deals.services.policies import draft_policy, put_guard_rule
from tests.cast import NOW, Cast
from tests.deals.guarded import CAP_25, policy_of


def posted(policy: GuardPolicy, rule: GuardRule, **changes: Any) -> dict[str, Any]:
    """What the form of a draft with one rule posts."""
    values = {
        "id": rule.pk,
        "policy": policy.pk,
        "position": rule.position,
        "name": rule.name,
        "kind": rule.kind,
        "effect": rule.effect,
        "message": rule.message,
        "tier": rule.tier,
        "max_discount_bp": rule.max_discount_bp,
        "currency": rule.currency,
        "phrases": rule.phrases,
        "countries": rule.countries,
    } | changes
    return {
        "note": policy.note,
        "rules-TOTAL_FORMS": 1,
        "rules-INITIAL_FORMS": 1,
        **{f"rules-0-{name}": value for name, value in values.items()},
    }


def test_a_draft_changes_in_the_administration(cast: Cast, client_of: Callable[[str], Client]) -> None:
    draft = draft_policy(actor=cast.actor("rita"), at=NOW)
    rule = put_guard_rule(actor=cast.actor("rita"), policy_id=draft.pk, at=NOW, **CAP_25)
    ada, address = client_of("ada"), f"/admin/deals/guardpolicy/{draft.pk}/change/"
    assert ada.post(address, posted(draft, rule, max_discount_bp="")).status_code == 200
    rule.refresh_from_db()
    assert rule.max_discount_bp == 2_500
    assert ada.post(address, posted(draft, rule, max_discount_bp=2_000)).status_code == 302
    rule.refresh_from_db()
    assert (rule.max_discount_bp, AuditEntry.objects.latest("sequence").actor_name) == (2_000, "Ada Admin")


def test_what_is_in_force_does_not(cast: Cast, client_of: Callable[[str], Client]) -> None:
    policy = policy_of(cast, CAP_25)
    rule, ada = policy.rules.get(), client_of("ada")
    ada.post(f"/admin/deals/guardpolicy/{policy.pk}/change/", posted(policy, rule, max_discount_bp=9_000))
    rule.refresh_from_db()
    assert rule.max_discount_bp == 2_500
    for button, leads_to in (("put-in-force", "activate/"), ("test-on-deal", "try/")):
        answer = ada.get(f"/admin/deals/guardpolicy/{policy.pk}/{button}/")
        assert answer.headers["Location"] == f"/deals/guard/policies/{policy.pk}/{leads_to}"
