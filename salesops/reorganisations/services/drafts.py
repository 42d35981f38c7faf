"""Drafts reorganisations: their moves, what is protected, and the day for which they are scheduled."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from salesops.audit.services import changed, record, state_of
from salesops.core.actor import Actor
from salesops.core.days import company_day
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal
from salesops.people.models import User
from salesops.pods.models import PodMembership
from salesops.reorganisations.choices import Book, ReorganisationState
from salesops.reorganisations.models import DealProtection, Move, Reorganisation
from salesops.reorganisations.selectors.reorganisations import may_arrange

#: What of a reorganisation itself may be changed while it is a draft.
_EDITED: Final = ("name", "effective_on", "explanation", "protect_from_bp", "protect_days")
_OF_A_MOVE: Final = (
    "to_pod",
    "function",
    "manager",
    "accounts",
    "deals",
    "leads",
    "successor",
    "quota_minor",
    "currency",
    "swaps_pools",
)


def check_may_arrange(actor: Actor) -> None:
    """Raises PermissionDenied for anyone but revenue operations and administrators."""
    if not may_arrange(actor):
        raise PermissionDenied(_("Only revenue operations and administrators reorganise pods."))


def locked(actor: Actor, pk: int) -> Reorganisation:
    """The reorganisation, locked; raises Http404."""
    found = Reorganisation.objects.visible_to(actor).select_for_update(of=("self",)).filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def _draft(actor: Actor, pk: int) -> Reorganisation:
    check_may_arrange(actor)
    found = locked(actor, pk)
    if found.state != ReorganisationState.DRAFT:
        raise ValidationError(
            _("It is %(state)s. Only a draft can be changed."), params={"state": found.get_state_display().lower()}
        )
    return found


def _check_day(day: date, at: datetime) -> None:
    if day < company_day(at):
        raise ValidationError({"effective_on": _("Choose today or a day to come.")})


@transaction.atomic
def create_reorganisation(*, actor: Actor, at: datetime, values: dict[str, Any]) -> Reorganisation:
    """Start a draft. Raises PermissionDenied, ValidationError for a day that is past."""
    check_may_arrange(actor)
    _check_day(values["effective_on"], at)
    if actor.user_id is None:
        raise PermissionDenied
    row = Reorganisation(created_by_id=actor.user_id, created_at=at, **values)
    row.full_clean()
    row.save()
    record(actor=actor, action="reorganisation.drafted", subject=row, after=state_of(row, names=_EDITED), at=at)
    return row


@transaction.atomic
def edit_reorganisation(*, actor: Actor, pk: int, values: dict[str, Any], at: datetime) -> Reorganisation:
    """Change a draft; its preview no longer holds. Raises PermissionDenied, Http404, ValidationError, KeyError."""
    row = _draft(actor, pk)
    before = state_of(row, names=_EDITED)
    for name, value in values.items():
        if name not in _EDITED:
            raise KeyError(name)
        setattr(row, name, value)
    old, new = changed(before, state_of(row, names=_EDITED))
    if not new:
        return row
    if "effective_on" in new:
        _check_day(row.effective_on, at)
    row.revision += 1
    row.full_clean()
    row.save()
    record(actor=actor, action="reorganisation.edited", subject=row, before=old, after=new, at=at)
    return row


@transaction.atomic
def save_move(
    *, actor: Actor, reorganisation_id: int, person: User, values: dict[str, Any], at: datetime, move_id: int = 0
) -> Move:
    """Add a person's move to a draft, or change it (`move_id`). The preview no longer holds.

    Raises PermissionDenied, Http404, ValidationError: for a person who moves in it already, a move that changes nothing,
    and one by which something stays with nobody to take it over.
    """
    row = _draft(actor, reorganisation_id)
    move = row.moves.filter(pk=move_id).first() if move_id else Move(reorganisation=row, person=person)
    if move is None:
        raise Http404
    if row.moves.filter(person=person).exclude(pk=move.pk).exists():
        raise ValidationError({"person": _("%(person)s moves in this reorganisation already.") % {"person": person}})
    before = state_of(move, names=("person", *_OF_A_MOVE)) if move_id else {}
    move.person = person
    for name, value in values.items():
        if name not in _OF_A_MOVE:
            raise KeyError(name)
        setattr(move, name, value)
    _check_move(row, move)
    move.full_clean()
    move.save()
    old, new = changed(before, state_of(move, names=("person", *_OF_A_MOVE)))
    if new:
        _edited(row)
        record(actor=actor, action="reorganisation.move_saved", subject=row, before=old, after=new, at=at)
    return move


def _check_move(row: Reorganisation, move: Move) -> None:
    held = PodMembership.objects.on(row.effective_on).filter(person=move.person).first()
    is_same_pod = move.to_pod_id == (held.pod_id if held else None)
    is_same = is_same_pod and move.function in ("", held.function if held else "")
    if is_same and move.manager is None and move.quota_minor is None and move.successor is None:
        raise ValidationError(_("This changes nothing: choose another pod, function, manager or quota."))
    if move.successor_id == move.person_id:
        raise ValidationError({"successor": _("Choose somebody else: they cannot take over from themselves.")})
    if move.manager_id == move.person_id:
        raise ValidationError({"manager": _("Nobody reports to themselves.")})
    if is_same_pod:
        return
    if move.successor is None and Book.STAYS in (move.accounts, move.deals, move.leads):
        raise ValidationError({"successor": _("Choose who takes over what stays.")})


@transaction.atomic
def remove_move(*, actor: Actor, move: Move, at: datetime) -> Reorganisation:
    """Take a move out of a draft. Raises PermissionDenied, Http404, ValidationError."""
    row = _draft(actor, move.reorganisation_id)
    before = state_of(move, names=("person", *_OF_A_MOVE))
    row.moves.filter(pk=move.pk).delete()
    _edited(row)
    record(actor=actor, action="reorganisation.move_removed", subject=row, before=before, at=at)
    return row


@transaction.atomic
def protect_deal(
    *, actor: Actor, reorganisation_id: int, deal_id: int, is_protected: bool, at: datetime
) -> Reorganisation:
    """Decide by hand whether an open deal stays with who works on it, whatever the rules say.

    Raises PermissionDenied, Http404, ValidationError for a deal that nobody who moves owns.
    """
    row = _draft(actor, reorganisation_id)
    deal: Deal = Deal.objects.get_for(actor, pk=deal_id)
    if deal.kind != StageKind.OPEN or not row.moves.filter(person=deal.owner_id).exists():
        raise ValidationError(_("Only open deals of those who move can be protected."))
    DealProtection.objects.update_or_create(reorganisation=row, deal=deal, defaults={"is_protected": is_protected})
    _edited(row)
    record(
        actor=actor,
        action="reorganisation.deal_protected",
        subject=row,
        after={"deal": deal.pk, "is_protected": is_protected},
        at=at,
    )
    return row


def _edited(row: Reorganisation) -> None:
    """The row is locked: no two edits have one revision."""
    row.revision += 1
    row.save(update_fields=["revision"])


@transaction.atomic
def schedule(*, actor: Actor, pk: int, at: datetime) -> Reorganisation:
    """Have it carried out when its day comes, with the rights of who schedules it.

    Raises PermissionDenied, Http404, ValidationError without moves, without a preview of them as they are now, with
    something that stands in the way, or for a day that is past.
    """
    row = _draft(actor, pk)
    _check_day(row.effective_on, at)
    if not row.moves.exists():
        raise ValidationError(_("Nobody moves yet: add a move first."))
    if not row.has_fresh_preview:
        raise ValidationError(_("Look at a preview of the moves as they are now first."))
    if row.preview and row.preview["problems"]:
        raise ValidationError(_("Mend what stands in the way first: the preview names it."))
    row.state, row.scheduled_by_id, row.scheduled_at, row.failure = (
        ReorganisationState.SCHEDULED,
        actor.user_id,
        at,
        "",
    )
    row.save(update_fields=["state", "scheduled_by", "scheduled_at", "failure"])
    record(
        actor=actor,
        action="reorganisation.scheduled",
        subject=row,
        before={"state": ReorganisationState.DRAFT},
        after={"state": row.state, "effective_on": row.effective_on},
        at=at,
    )
    return row


@transaction.atomic
def unschedule(*, actor: Actor, pk: int, at: datetime) -> Reorganisation:
    """Make it a draft again before its day comes. Raises PermissionDenied, Http404, ValidationError."""
    check_may_arrange(actor)
    row = locked(actor, pk)
    if row.state != ReorganisationState.SCHEDULED:
        raise ValidationError(_("It is not scheduled."))
    row.state, row.scheduled_by, row.scheduled_at = ReorganisationState.DRAFT, None, None
    row.save(update_fields=["state", "scheduled_by", "scheduled_at"])
    record(
        actor=actor,
        action="reorganisation.unscheduled",
        subject=row,
        before={"state": ReorganisationState.SCHEDULED},
        after={"state": row.state},
        at=at,
    )
    return row


@transaction.atomic
def drop_reorganisation(*, actor: Actor, pk: int, at: datetime) -> Reorganisation:
    """Give a draft up; it stays to be read. Raises PermissionDenied, Http404, ValidationError."""
    row = _draft(actor, pk)
    row.state = ReorganisationState.DROPPED
    row.save(update_fields=["state"])
    record(
        actor=actor,
        action="reorganisation.dropped",
        subject=row,
        before={"state": ReorganisationState.DRAFT},
        after={"state": row.state, "on": date_format(company_day(at), "Y-m-d")},
        at=at,
    )
    return row
