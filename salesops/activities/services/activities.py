"""Changes activities: log what was done, set a task, do it, correct it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _

from salesops.accounts.choices import Consent
from salesops.accounts.models import Account, Contact
from salesops.activities.choices import ActivityKind, Outcome
from salesops.activities.models import Activity
from salesops.audit.services import changed, record, state_of
from salesops.core.actor import Actor, Noun, Scope
from salesops.deals.models import Deal
from salesops.leads.choices import SignalKind
from salesops.leads.models import Lead
from salesops.leads.services import touch_lead
from salesops.leads.services.scores import note_signal

#: Clocks of browsers and phones run ahead by so much at most.
_AHEAD: Final = timedelta(minutes=5)
#: What was told to a browser without a net is sent within so long, or counts as told so long ago.
TOLD_LATE: Final = timedelta(days=14)
#: What `edit_activity` may change.
EDITABLE: Final = frozenset({"subject", "note", "outcome", "happened_at", "due_at", "duration_minutes"})
#: Which outcomes fit which kind; a kind that is not named has none.
OUTCOMES: Final[dict[str, tuple[str, ...]]] = {
    ActivityKind.CALL: (Outcome.REACHED, Outcome.NO_ANSWER, Outcome.LEFT_MESSAGE),
    ActivityKind.MAIL: (Outcome.REPLIED, Outcome.NO_ANSWER),
    ActivityKind.MEETING: (Outcome.HELD, Outcome.NO_SHOW),
}
#: What an outcome says of the lead itself.
SIGNALS: Final[dict[str, str]] = {
    Outcome.REACHED: SignalKind.SPOKE,
    Outcome.HELD: SignalKind.MET,
    Outcome.REPLIED: SignalKind.REPLIED,
}


@dataclass(frozen=True, slots=True)
class FollowUp:
    """The next step: a task for the same person about the same row."""

    subject: str
    due_at: datetime


def log_activity(
    *,
    actor: Actor,
    at: datetime,
    kind: str,
    subject: str = "",
    note: str = "",
    outcome: str = "",
    lead: Lead | None = None,
    deal: Deal | None = None,
    account: Account | None = None,
    contact: Contact | None = None,
    happened_at: datetime | None = None,
    due_at: datetime | None = None,
    duration_minutes: int | None = None,
    client_key: UUID | None = None,
    follow_up: FollowUp | None = None,
    told_at: datetime | None = None,
) -> Activity:
    """Keep what the actor did, now unless `happened_at` is given, and tell its lead that it was touched.

    A task (`kind` "task") is something to do by `due_at`, a meeting at a moment to come is planned for it; they touch nobody
    until they are done. Sent twice with the same
    `client_key`, it is kept once and the first is returned. `told_at`: when it was told to a browser without a net, at most
    `TOLD_LATE` ago; what was then to come is judged as of then. A deal or lead brings its account. Raises ValidationError
    by field, PermissionDenied for who only reads.
    """
    person_id = check_may_log(actor)
    if client_key is not None and (known := _sent_before(actor, client_key)):
        return known
    told_at = min(max(told_at, at - TOLD_LATE), at) if told_at else at
    happened_at, due_at = when(kind, outcome, happened_at, due_at, told_at)
    activity = Activity(
        kind=kind,
        subject=" ".join(subject.split()) or str(dict(ActivityKind.choices).get(kind, "")),
        note=note.strip(),
        outcome=outcome,
        person_id=person_id,
        lead=lead,
        deal=deal,
        account=account or (deal.account if deal else None) or (lead.account if lead else None),
        contact=contact,
        happened_at=happened_at,
        due_at=due_at,
        duration_minutes=duration_minutes,
        created_at=at,
        client_key=client_key,
    )
    check_activity(actor, activity, at, brought=account is None)
    next_step = follow_up_of(activity, follow_up, at, told_at=told_at) if follow_up else None
    check_consent(activity, next_step)
    try:
        with transaction.atomic():
            activity.save()
            if next_step is not None:
                next_step.save()
            _tell_lead(activity, at)
    except IntegrityError:
        if client_key is not None and (known := _sent_before(actor, client_key)):
            return known
        raise
    return activity


def when(
    kind: str, outcome: str, happened_at: datetime | None, due_at: datetime | None, at: datetime
) -> tuple[datetime | None, datetime | None]:
    """When something happened and when it is due: nothing happened yet of a task, and of a meeting that is to come."""
    if kind == ActivityKind.TASK:
        return None, due_at
    if kind == ActivityKind.MEETING and not outcome:
        moment = happened_at or due_at or at
        return (None, moment) if moment > at + _AHEAD else (moment, due_at)
    return happened_at or at, due_at


def _may_be_ticked(activity: Activity) -> bool:
    """Tasks, and meetings that were planned."""
    return activity.kind == ActivityKind.TASK or (activity.kind == ActivityKind.MEETING and activity.due_at is not None)


@transaction.atomic
def complete_task(*, actor: Actor, activity_id: int, at: datetime, outcome: str = "", note: str = "") -> Activity:
    """Tick a task off: it happened now. A planned meeting was held when it was planned, unless the outcome says otherwise.

    Ticking it twice is the same as once.

    `note` is added to the task's. Raises Http404 when it is not the actor's, ValidationError for what is no task or an
    outcome that does not fit, PermissionDenied for who only reads.
    """
    check_may_log(actor)
    task: Activity = Activity.objects.select_for_update().get_for(actor, pk=activity_id)
    if not _may_be_ticked(task):
        raise ValidationError(_("Only a task or a planned meeting can be ticked off."), code="no-task")
    if task.done_at is not None:
        return task
    is_meeting = task.kind == ActivityKind.MEETING
    if outcome and outcome not in (OUTCOMES[ActivityKind.MEETING] if is_meeting else Outcome.values):
        raise ValidationError({"outcome": ValidationError(_("Choose an outcome from the list."), code="outcome")})
    task.done_at = at
    task.happened_at = min(task.due_at, at) if is_meeting and task.due_at else at
    task.outcome = outcome or (Outcome.HELD if is_meeting else "")
    task.note = "\n".join(part for part in (task.note, note.strip()) if part)
    task.save()
    _tell_lead(task, at)
    if task.person_id != actor.user_id:
        record(
            actor=actor, action="task.completed", subject=task, before={"done_at": None}, after={"done_at": at}, at=at
        )
    return task


@transaction.atomic
def reopen_task(*, actor: Actor, activity_id: int, at: datetime) -> Activity:
    """Take the tick back. Raises as `complete_task`; a task that is open stays so."""
    check_may_log(actor)
    task: Activity = Activity.objects.select_for_update().get_for(actor, pk=activity_id)
    if not _may_be_ticked(task):
        raise ValidationError(_("Only a task or a planned meeting can be opened again."), code="no-task")
    if task.done_at is None:
        return task
    before = state_of(task, names=("done_at",))
    task.done_at = task.happened_at = None
    task.outcome = ""
    task.save()
    record(actor=actor, action="task.reopened", subject=task, before=before, after={"done_at": None}, at=at)
    return task


@transaction.atomic
def edit_activity(*, actor: Actor, activity_id: int, at: datetime, changes: Mapping[str, Any]) -> Activity:
    """Correct what was logged (see EDITABLE): one's own, or for managers their people's, and all for those who see all.

    Raises Http404, ValidationError by field, PermissionDenied for who may not, TypeError for a field that is not
    editable.
    """
    check_may_log(actor)
    if unknown := set(changes) - EDITABLE:
        raise TypeError(f"not editable here: {', '.join(sorted(unknown))}")
    activity: Activity = Activity.objects.select_for_update().get_for(actor, pk=activity_id)
    if not may_edit(actor, activity):
        raise PermissionDenied(translate("This was logged by somebody else."))
    before = state_of(activity, names=EDITABLE)
    for name, value in changes.items():
        setattr(activity, name, value.strip() if isinstance(value, str) else value)
    if activity.kind == ActivityKind.TASK and activity.done_at is None:
        activity.happened_at = None
    check_activity(actor, activity, at, brought=True, relations=False)
    old, new = changed(before, state_of(activity, names=EDITABLE))
    if new:
        activity.save()
        _tell_lead(activity, at)
        record(actor=actor, action="activity.edited", subject=activity, before=old, after=new, at=at)
    return activity


def _tell_lead(activity: Activity, at: datetime) -> None:
    """Tell a lead what was done about it: that it was touched, and what it did itself, which counts for its score.

    A note touches nobody: what is written down about a lead is no answer to it. What a lead did is told once; a correction
    of the outcome later adds what it says, and takes nothing away.
    """
    if activity.lead_id is None or activity.happened_at is None or activity.kind == ActivityKind.NOTE:
        return
    touch_lead(lead_id=activity.lead_id, at=activity.happened_at)
    kind = SIGNALS.get(activity.outcome)
    if kind is not None:
        key = f"activity:{activity.pk}:{kind}"
        note_signal(lead_id=activity.lead_id, kind=kind, happened_at=activity.happened_at, key=key, at=at)


def may_edit(actor: Actor, activity: Activity) -> bool:
    """Whether the actor may correct this activity, of those that they see."""
    if not actor.may_edit_work:
        return False
    return activity.person_id in actor.people_ids or actor.sight(Noun.WORK) >= Scope.ALL


def check_may_log(actor: Actor) -> int:
    """The key of the person who acts. Who only reads, and the portal itself, get PermissionDenied."""
    if not actor.may_edit_work or actor.user_id is None:
        raise PermissionDenied(translate("You can read activities but not log them."))
    return actor.user_id


def _sent_before(actor: Actor, client_key: UUID) -> Activity | None:
    """What the actor sent with this key. Somebody else's key is refused."""
    known = Activity.objects.filter(client_key=client_key).first()
    if known is not None and known.person_id != actor.user_id:
        raise ValidationError(_("This form belongs to somebody else. Open it again."), code="foreign-key")
    return known


def check_activity(actor: Actor, activity: Activity, at: datetime, *, brought: bool, relations: bool = True) -> None:
    """Refuse what cannot be, by field. `brought`: the account came with the deal or lead."""
    errors: dict[str, Any] = {}
    try:
        activity.clean_fields(exclude=("person", "lead", "deal", "account", "contact"))
    except ValidationError as error:
        errors.update(error.error_dict)
    if (
        activity.outcome
        and activity.kind != ActivityKind.TASK
        and activity.outcome not in OUTCOMES.get(activity.kind, ())
    ):
        errors["outcome"] = [ValidationError(_("This outcome does not fit."), code="outcome")]
    if activity.is_planned and activity.outcome:
        errors["outcome"] = [
            ValidationError(_("How a meeting went is said when it is over: tick it off."), code="outcome-planned")
        ]
    if activity.kind == ActivityKind.TASK:
        if activity.due_at is None:
            errors["due_at"] = [ValidationError(_("Say by when it is to be done."), code="due-missing")]
    elif activity.happened_at is None and not (activity.is_planned and activity.due_at):
        errors["happened_at"] = [ValidationError(_("Say when it happened."), code="happened-missing")]
    if activity.happened_at is not None and activity.happened_at > at + _AHEAD:
        errors["happened_at"] = [
            ValidationError(_("This lies in the future: set a task instead."), code="happened-in-future")
        ]
    if relations:
        errors.update(_relation_errors(actor, activity, brought=brought))
    if errors:
        raise ValidationError(errors)


def check_consent(activity: Activity, next_step: Activity | None = None) -> None:
    """Refuse to plan anything with a lead or contact who refused to be contacted; what happened is kept all the same.

    Raises ValidationError at the kind, or at the next step.
    """
    if Consent.REFUSED not in {who.consent for who in (activity.lead, activity.contact) if who is not None}:
        return
    refusal = ValidationError(
        _("They refused to be contacted: nothing is planned with them until they consent."), code="consent-refused"
    )
    if activity.is_to_do:
        raise ValidationError({"kind": refusal})
    if next_step is not None:
        raise ValidationError({"next_subject": refusal})


def _relation_errors(actor: Actor, activity: Activity, *, brought: bool) -> dict[str, Any]:
    """Rows that the actor may not name."""
    not_yours = ValidationError(_("Choose one that you can see."), code="not-visible")
    errors: dict[str, Any] = {}
    if activity.lead_id and not Lead.objects.visible_to(actor).filter(pk=activity.lead_id).exists():
        errors["lead"] = [not_yours]
    if activity.deal_id and not Deal.objects.visible_to(actor).filter(pk=activity.deal_id).exists():
        errors["deal"] = [not_yours]
    if (
        activity.account_id
        and not brought
        and not Account.objects.visible_to(actor).filter(pk=activity.account_id).exists()
    ):
        errors["account"] = [not_yours]
    if activity.contact is not None and activity.contact.account_id != activity.account_id:
        errors["contact"] = [ValidationError(_("The contact works at another account."), code="contact-elsewhere")]
    if (
        activity.deal is not None
        and activity.account_id
        and activity.deal.account_id not in (None, activity.account_id)
    ):
        errors["account"] = [ValidationError(_("The deal is with another account."), code="account-elsewhere")]
    return errors


def follow_up_of(activity: Activity, follow_up: FollowUp, at: datetime, *, told_at: datetime | None = None) -> Activity:
    """The task for the next step, checked as of when it was told. Raises ValidationError at the fields of the next step."""
    task = Activity(
        kind=ActivityKind.TASK,
        subject=" ".join(follow_up.subject.split()),
        person_id=activity.person_id,
        lead_id=activity.lead_id,
        deal_id=activity.deal_id,
        account_id=activity.account_id,
        contact_id=activity.contact_id,
        due_at=follow_up.due_at,
        created_at=at,
    )
    try:
        task.clean_fields(exclude=("person", "lead", "deal", "account", "contact"))
    except ValidationError as error:
        raise ValidationError({f"next_{name}": errors for name, errors in error.error_dict.items()}) from error
    if follow_up.due_at < (told_at or at) - timedelta(days=1):
        raise ValidationError({"next_due_at": ValidationError(_("This day has passed."), code="due-passed")})
    return task
