"""Carries a reorganisation out: all of its moves in one transaction, or none of them."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext as _

from salesops.audit.services import record
from salesops.core.actor import Actor
from salesops.core.days import company_day
from salesops.jobs.models import Job
from salesops.jobs.services import enqueue
from salesops.notices.services import tell
from salesops.people.models import ReportingLine
from salesops.pods.selectors import actor_of
from salesops.reorganisations.choices import TO_COME, ReorganisationState
from salesops.reorganisations.models import Reorganisation, ReorganisationChange
from salesops.reorganisations.selectors.books import locked_books_of
from salesops.reorganisations.selectors.figures import figures_of, touched_by
from salesops.reorganisations.selectors.snapshots import said
from salesops.reorganisations.services.drafts import check_may_arrange, locked
from salesops.reorganisations.services.moving import Change, move_all
from salesops.reorganisations.services.rehearsing import described

CARRY_OUT: Final = "reorganisations.carry_out"
#: What is shown to who can mend it; anything else is tried again by the jobs.
REFUSALS: Final = (ValidationError, PermissionDenied, Http404)


def start_carrying_out(*, actor: Actor, reorganisation: Reorganisation, at: datetime) -> Job:
    """Have it carried out now, in the background. Raises PermissionDenied, ValidationError as `carry_out`."""
    check_may_arrange(actor)
    _check_may_begin(reorganisation, at)
    return enqueue(
        kind=CARRY_OUT,
        key=f"{CARRY_OUT}:{reorganisation.pk}",
        payload={"reorganisation": reorganisation.pk},
        actor=actor,
        at=at,
        title=_("Carry out %(name)s") % {"name": reorganisation.name},
        url=reverse("reorganisations:reorganisation_detail", kwargs={"pk": reorganisation.pk}),
    )


def _check_may_begin(reorganisation: Reorganisation, at: datetime) -> None:
    if reorganisation.state not in TO_COME:
        raise ValidationError(
            _("It is %(state)s: only what is drafted or scheduled can be carried out."),
            params={"state": reorganisation.get_state_display().lower()},
        )
    if reorganisation.effective_on > company_day(at):
        raise ValidationError(_("Its day has not come yet. Schedule it, or choose an earlier day."))
    if not reorganisation.has_fresh_preview:
        raise ValidationError(_("Look at a preview of the moves as they are now first."))


@transaction.atomic
def carry_out(*, actor: Actor, reorganisation_id: int, at: datetime, only_scheduled: bool = False) -> Reorganisation:
    """Carry out every move, keep every row that it changed, and tell those whom it touches.

    What is carried out already stays as it is. only_scheduled: what is no longer scheduled stays, too. Raises
    PermissionDenied, Http404, ValidationError with what stands in the way; then nothing has changed.
    """
    check_may_arrange(actor)
    reorganisation = locked(actor, reorganisation_id)
    if reorganisation.state == ReorganisationState.DONE:
        return reorganisation
    if only_scheduled and reorganisation.state != ReorganisationState.SCHEDULED:
        return reorganisation
    _check_may_begin(reorganisation, at)
    day = reorganisation.effective_on
    books = locked_books_of(reorganisation)
    touched = touched_by(reorganisation, books)
    before = figures_of(touched, day)
    outcome = move_all(reorganisation=reorganisation, books=books, touched=touched, actor=actor, at=at)
    if outcome.problems:
        raise ValidationError(list(outcome.problems))
    _keep(reorganisation, outcome.changes)
    reorganisation.result = described(before, figures_of(touched, day), outcome.changes, books)
    reorganisation.state, reorganisation.done_at, reorganisation.failure = ReorganisationState.DONE, at, ""
    reorganisation.save(update_fields=["result", "state", "done_at", "failure"])
    tell_whom_it_touches(reorganisation, at, is_undone=False)
    record(
        actor=actor,
        action="reorganisation.carried_out",
        subject=reorganisation,
        before={"state": ReorganisationState.SCHEDULED if reorganisation.scheduled_at else ReorganisationState.DRAFT},
        after={"state": ReorganisationState.DONE, "counts": reorganisation.result["counts"]},
        at=at,
    )
    return reorganisation


def _keep(reorganisation: Reorganisation, changes: tuple[Change, ...]) -> None:
    names = said([(change.key, row) for change in changes for row in (change.before, change.after)])
    ReorganisationChange.objects.bulk_create(
        (
            ReorganisationChange(
                reorganisation=reorganisation,
                kind=change.key[0],
                object_id=change.key[1],
                label=names.label(change.key, change.after or change.before or {}),
                before=change.before,
                after=change.after,
                said_before=names.words(change.key, change.before),
                said_after=names.words(change.key, change.after),
            )
            for change in changes
        ),
        batch_size=500,
    )


def tell_whom_it_touches(reorganisation: Reorganisation, at: datetime, *, is_undone: bool) -> None:
    """Those who move, who take over, and the managers they have now are told, with the explanation."""
    rows = list(reorganisation.moves.values_list("person_id", "successor_id"))
    people = {pk for row in rows for pk in row if pk}
    managers = ReportingLine.objects.on(reorganisation.effective_on).filter(person__in=[person for person, _ in rows])
    name = {"name": reorganisation.name}
    tell(
        person_ids=people | set(managers.values_list("manager_id", flat=True)),
        key=f"reorganisation:{reorganisation.pk}:{'undone' if is_undone else 'done'}",
        title=(lambda: _("Reorganisation undone: %(name)s") % name)
        if is_undone
        else (lambda: _("Reorganisation carried out: %(name)s") % name),
        body=reorganisation.explanation,
        url="/",
        at=at,
        mail=True,
    )


def is_due(at: datetime) -> QuerySet[Reorganisation]:
    """Those that are scheduled and whose day has come."""
    return Reorganisation.objects.filter(
        state=ReorganisationState.SCHEDULED, effective_on__lte=company_day(at)
    ).order_by("effective_on", "pk")


def carry_out_due(*, reorganisation: Reorganisation, at: datetime) -> bool:
    """Carry out one whose day has come, with the rights that who scheduled it has now; whether it could be.

    What stands in the way is kept with it, it becomes a draft again, and who scheduled it is told.
    """
    try:
        with transaction.atomic():
            actor = actor_of(reorganisation.scheduled_by_id or 0, at=at)
            carry_out(actor=actor, reorganisation_id=reorganisation.pk, at=at, only_scheduled=True)
    except REFUSALS as error:
        fail(reorganisation, error, at)
        return False
    return True


def fail(reorganisation: Reorganisation, error: Exception, at: datetime) -> None:
    """Keep why it could not be carried out, and tell who scheduled or drafted it. What is done by now stays done."""
    words = error.messages if isinstance(error, ValidationError) else [str(error) or str(_("You may not do that."))]
    reorganisation.failure = "\n".join(words)[:5_000]
    rows = Reorganisation.objects.filter(pk=reorganisation.pk, state__in=TO_COME)
    if not rows.update(failure=reorganisation.failure, state=ReorganisationState.DRAFT):
        return
    name = {"name": reorganisation.name}
    tell(
        person_ids=[reorganisation.scheduled_by_id or reorganisation.created_by_id],
        key=f"reorganisation:{reorganisation.pk}:failed:{at.isoformat()}",
        title=lambda: _("Could not be carried out: %(name)s") % name,
        body=reorganisation.failure,
        url=reverse("reorganisations:reorganisation_detail", kwargs={"pk": reorganisation.pk}),
        at=at,
    )
