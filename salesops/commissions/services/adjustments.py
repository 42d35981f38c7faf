"""Adjustments by hand: prepared by one person, approved or refused by another, paid with the open period."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from salesops.audit.services import Change, change_of, record, record_many
from salesops.commissions.choices import AdjustmentKind, AdjustmentState, PeriodState
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.models import Adjustment, Period, Plan, PlanAssignment
from salesops.commissions.rules.reviews import SecondLook
from salesops.commissions.selectors.adjustments import PREPARERS, second_looks, version_during
from salesops.core import display
from salesops.core.actor import Actor, Role
from salesops.values.money import MoneyError, check_minor, round_half_up

#: A reason shorter than this explains nothing.
LEAST_REASON = 10
_MOST_REASON = 300


@dataclass(frozen=True, slots=True)
class Decided:
    """How many adjustments were decided, and which were not and why (id to words)."""

    decided: int
    refused: dict[int, str]


def _checker(actor: Actor) -> int:
    """The user id of a finance person; anyone else is refused."""
    if not actor.has(Role.FINANCE) or actor.user_id is None:
        raise NotAllowedError(_("Only finance approves or refuses adjustments."))
    return actor.user_id


def why_not(adjustment: Adjustment, checker: int | None) -> str:
    """Why this person cannot decide about the adjustment, in words; empty when they can."""
    if adjustment.kind != AdjustmentKind.MANUAL:
        return _("It comes from a late change: the calculation made it, and nobody decides about it.")
    if adjustment.state != AdjustmentState.WAITING:
        return _("It is %(state)s already.") % {"state": adjustment.get_state_display()}
    if adjustment.prepared_by_id is None or adjustment.prepared_by_id == checker:
        return _("You prepared it: somebody else must decide.")
    if adjustment.person_id == checker:
        return _("It is your own pay: somebody else must decide.")
    if adjustment.period.state == PeriodState.LOCKED:
        return _("%(period)s is locked meanwhile. Prepare it again for an open period.") % {
            "period": adjustment.period.label
        }
    return ""


def why_look_again(look: SecondLook | None, adjustment: Adjustment) -> str:
    """Why an amount is looked at twice, in words; empty when it is in proportion."""
    if look is None:
        return ""
    if look.median_minor is None:
        return _("Held, look again: there is no earlier pay to compare the amount with.")
    return _(
        "Held, look again: it is more than %(times)s times what the person earned in a usual period (%(median)s)."
    ) % {
        "times": settings.ADJUSTMENT_LOOK_AGAIN_TIMES,
        "median": display.money(round_half_up(look.median_minor), adjustment.currency),
    }


@transaction.atomic
def prepare_adjustment(
    *, actor: Actor, person_id: int, plan: Plan, period: Period, amount_minor: int, reason: str, at: datetime
) -> Adjustment:
    """Prepare a signed amount (minor units of the plan's currency) for a person in an open period; finance approves it.

    By revenue operations, finance, and managers for their own people, never for oneself. Raises NotAllowedError for
    others, CommissionRefusedError for a locked period, a plan that does not pay in it, a person who was never on the
    plan, an amount of zero, or a reason of less than ten characters.
    """
    if not actor.has(*PREPARERS) or actor.user_id is None:
        raise NotAllowedError(_("Only revenue operations, finance and managers prepare adjustments."))
    if person_id == actor.user_id:
        raise NotAllowedError(_("It is your own pay: somebody else must prepare it."))
    if not actor.has(Role.REVOPS, Role.FINANCE) and person_id not in actor.tree_ids:
        raise NotAllowedError(_("Managers prepare adjustments for their own people."))
    reason = " ".join(reason.split())
    if len(reason) < LEAST_REASON:
        raise CommissionRefusedError(
            {"reason": _("Say why in at least %(count)s characters; the person reads it.") % {"count": LEAST_REASON}}
        )
    if len(reason) > _MOST_REASON:
        raise CommissionRefusedError(
            {"reason": _("At most %(count)s characters; say the rest in a dispute.") % {"count": _MOST_REASON}}
        )
    try:
        check_minor(amount_minor)
    except MoneyError as error:
        raise CommissionRefusedError({"amount_minor": _("This is more than can be paid.")}) from error
    if amount_minor == 0:
        raise CommissionRefusedError({"amount_minor": _("Give an amount; a minus takes away.")})
    period = Period.objects.select_for_update().get(pk=period.pk)
    if period.state == PeriodState.LOCKED:
        raise CommissionRefusedError(
            {"period": _("%(period)s is locked. Choose an open period.") % {"period": period.label}}
        )
    version = version_during(plan, period)
    if version is None:
        raise CommissionRefusedError(
            {"period": _("The plan “%(plan)s” does not pay in %(period)s.") % {"plan": plan, "period": period.label}}
        )
    if not PlanAssignment.objects.filter(plan=plan, person_id=person_id, start_on__lt=period.end_on).exists():
        raise CommissionRefusedError({"person": _("This person is not on the plan “%(plan)s”.") % {"plan": plan}})
    row = Adjustment.objects.create(
        kind=AdjustmentKind.MANUAL,
        person_id=person_id,
        plan=plan,
        period=period,
        amount_minor=amount_minor,
        currency=version.currency,
        reason=reason,
        prepared_by_id=actor.user_id,
        prepared_at=at,
    )
    record(
        actor=actor,
        action="adjustment.prepared",
        subject=row,
        after={
            "person": row.person_id,
            "plan": plan.name,
            "period": period.label,
            "amount_minor": amount_minor,
            "currency": row.currency,
        },
        reason=reason,
        at=at,
    )
    return row


@transaction.atomic
def approve_adjustments(
    *, actor: Actor, adjustment_ids: Collection[int], at: datetime, note: str = "", looked_again: bool = False
) -> Decided:
    """Approve waiting adjustments. One's own, those one prepared, and those out of proportion without a tick stay.

    looked_again: the tick. Raises NotAllowedError for anyone but finance.
    """
    checker = _checker(actor)
    rows = _locked(actor, adjustment_ids)
    looks = second_looks(rows)
    refused: dict[int, str] = {}
    good = []
    for row in rows:
        reason = why_not(row, checker)
        if not reason and not looked_again:
            reason = why_look_again(looks.get(row.pk), row)
        if reason:
            refused[row.pk] = reason
        else:
            good.append(row)
    _decide(actor, good, AdjustmentState.APPROVED, checker, note, at)
    return Decided(decided=len(good), refused=refused)


@transaction.atomic
def refuse_adjustment(*, actor: Actor, adjustment: Adjustment, at: datetime, note: str) -> None:
    """Refuse a waiting adjustment with a note. Raises as `approve_adjustments` names its reasons."""
    checker = _checker(actor)
    if not note.strip():
        raise CommissionRefusedError({"note": _("Say what is wrong with it.")})
    row = _one(actor, adjustment)
    if reason := why_not(row, checker):
        raise CommissionRefusedError(reason)
    _decide(actor, [row], AdjustmentState.REFUSED, checker, note, at)


@transaction.atomic
def withdraw_adjustment(*, actor: Actor, adjustment: Adjustment, at: datetime) -> None:
    """Take back an adjustment one prepared, while it waits."""
    row = _one(actor, adjustment)
    if actor.user_id is None or row.prepared_by_id != actor.user_id:
        raise NotAllowedError(_("Only whoever prepared it withdraws it."))
    if row.state != AdjustmentState.WAITING:
        raise CommissionRefusedError(_("It is %(state)s already.") % {"state": row.get_state_display()})
    Adjustment.objects.filter(pk=row.pk).update(state=AdjustmentState.WITHDRAWN)
    record(
        actor=actor,
        action="adjustment.withdrawn",
        subject=row,
        before={"state": AdjustmentState.WAITING},
        after={"state": AdjustmentState.WITHDRAWN},
        at=at,
    )


def _locked(actor: Actor, keys: Collection[int]) -> list[Adjustment]:
    """These adjustments, locked after their periods: the order in which a period is locked, too."""
    seen = Adjustment.objects.visible_to(actor).filter(pk__in=keys)
    periods: Mapping[int, Period] = (
        Period.objects.select_for_update().order_by("pk").in_bulk(set(seen.order_by().values_list("period", flat=True)))
    )
    rows = list(Adjustment.objects.select_for_update(of=("self",)).visible_to(actor).filter(pk__in=keys).order_by("pk"))
    for row in rows:
        row.period = periods[row.period_id]
    return rows


def _one(actor: Actor, adjustment: Adjustment) -> Adjustment:
    found = _locked(actor, [adjustment.pk])
    if not found:
        raise CommissionRefusedError(_("This adjustment is no longer there."))
    return found[0]


def _decide(
    actor: Actor, rows: Collection[Adjustment], state: AdjustmentState, checker: int, note: str, at: datetime
) -> None:
    """Write what was decided about rows that wait and are locked."""
    Adjustment.objects.filter(pk__in=[row.pk for row in rows]).update(
        state=state, decided_by_id=checker, decided_at=at, decision_note=note.strip()[:_MOST_REASON]
    )
    changes: list[Change] = [
        change_of(
            row,
            action=f"adjustment.{state.value}",
            before={"state": AdjustmentState.WAITING},
            after={"state": state, "amount_minor": row.amount_minor, "currency": row.currency},
            reason=note,
        )
        for row in rows
    ]
    record_many(actor=actor, changes=changes, at=at)
