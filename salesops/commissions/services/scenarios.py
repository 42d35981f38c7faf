"""Keeps what-if scenarios: which plans were tried on which period, and what it came to. Nothing of it touches pay."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from salesops.audit.services import record
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.models import Period, Scenario
from salesops.commissions.rules.plans import plan_from_plain
from salesops.commissions.services.what_if import may_try_plans, result_of
from salesops.core.actor import Actor


@transaction.atomic
def create_scenario(
    *, actor: Actor, name: str, period: Period, changes: Mapping[int, dict[str, Any]], at: datetime
) -> Scenario:
    """Keep a scenario to be calculated: definitions to try in a period, by plan, instead of those in force.

    Raises NotAllowedError for anyone but revops and finance, CommissionRefusedError where nothing is changed or a
    definition cannot be read, is paid in another currency, or by other periods than the one it is tried on.
    """
    if not may_try_plans(actor) or actor.user_id is None:
        raise NotAllowedError(_("Only revenue operations and finance try plans on past periods."))
    if not changes:
        raise CommissionRefusedError(_("Choose at least one plan version to try."))
    for words in changes.values():
        outcome = plan_from_plain(words)
        if outcome.value is None:
            raise CommissionRefusedError([problem.text(_) for problem in outcome.problems])
        if (outcome.value.period_kind.value, outcome.value.time_zone) != (period.kind, period.time_zone):
            raise CommissionRefusedError(
                _("The version is paid by other periods or in another time zone than %(period)s.")
                % {"period": period.label}
            )
    scenario = Scenario.objects.create(
        name=name.strip(),
        period=period,
        changes={str(plan): words for plan, words in changes.items()},
        created_by_id=actor.user_id,
        created_at=at,
    )
    record(actor=actor, action="scenario.created", subject=scenario, after={"name": scenario.name}, at=at)
    return scenario


def calculate_scenario(*, scenario: Scenario, at: datetime) -> Scenario:
    """Calculate a scenario and keep what it came to."""
    scenario.result = result_of(scenario)
    scenario.calculated_at = at
    scenario.save(update_fields=["result", "calculated_at"])
    return scenario


@transaction.atomic
def delete_scenario(*, actor: Actor, scenario: Scenario, at: datetime) -> None:
    """Throw a scenario away: its maker, or anybody who may try plans."""
    if not may_try_plans(actor):
        raise NotAllowedError(_("Only revenue operations and finance try plans on past periods."))
    record(actor=actor, action="scenario.deleted", subject=scenario, before={"name": scenario.name}, at=at)
    scenario.delete()
