"""Disputes about statements: opened by the person, talked over, decided by somebody else within working days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.audit.services import record
from salesops.commissions.choices import DisputeState
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.models import Dispute, DisputeMessage, Period, Statement
from salesops.commissions.rules.reviews import due_after
from salesops.commissions.selectors.disputes import line_named, may_answer
from salesops.commissions.services.adjustments import prepare_adjustment
from salesops.core.actor import Actor
from salesops.notices.services import tell

MOST_TEXT = 5_000
_MOST_LINE = 160
_MOST_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class Correction:
    """An adjustment prepared with an accepted dispute: a signed amount in minor units, paid in an open period."""

    period: Period
    amount_minor: int
    reason: str


def _words(text: str, *, field: str) -> str:
    """Something was written, and not a book."""
    text = text.strip()
    if not text:
        raise CommissionRefusedError({field: _("Write something: the others read it.")})
    if len(text) > MOST_TEXT:
        raise CommissionRefusedError({field: _("At most %(count)s characters.") % {"count": MOST_TEXT}})
    return text


@transaction.atomic
def open_dispute(*, actor: Actor, statement: Statement, line: str, subject: str, message: str, at: datetime) -> Dispute:
    """Doubt one's own statement, wholly (line "") or in one line ("component:transaction", "settlement:position").

    Raises NotAllowedError for anyone else's statement, CommissionRefusedError for a line that is not there and for one
    that is in dispute already.
    """
    if actor.user_id is None or statement.person_id != actor.user_id:
        raise NotAllowedError(_("Only the person whose statement it is opens a dispute."))
    subject = " ".join(subject.split())[:_MOST_SUBJECT]
    if not subject:
        raise CommissionRefusedError({"subject": _("Say in a few words what it is about.")})
    message = _words(message, field="message")
    if line and line_named(actor, statement, line) is None:
        raise CommissionRefusedError({"line": _("This line is no longer on the statement. Look again.")})
    # The statement's row is what two requests at once wait for.
    Statement.objects.select_for_update(of=("self",)).get(pk=statement.pk)
    if Dispute.objects.filter(statement=statement, line=line[:_MOST_LINE], state=DisputeState.OPEN).exists():
        raise CommissionRefusedError({"line": _("A dispute about this is open already. Write there.")})
    dispute = Dispute.objects.create(
        statement=statement,
        person_id=actor.user_id,
        line=line[:_MOST_LINE],
        subject=subject,
        opened_at=at,
        due_at=due_after(at, settings.DISPUTE_ANSWER_WORKING_DAYS, ZoneInfo(settings.COMPANY_TIME_ZONE)),
    )
    DisputeMessage.objects.create(dispute=dispute, author_id=actor.user_id, text=message, written_at=at)
    record(
        actor=actor,
        action="dispute.opened",
        subject=dispute,
        after={"statement": statement.pk, "line": line, "subject": subject, "due_at": dispute.due_at},
        at=at,
    )
    return dispute


@transaction.atomic
def write_message(*, actor: Actor, dispute: Dispute, text: str, at: datetime) -> DisputeMessage:
    """Add a message to an open dispute: the person, or whoever may decide. Messages stay as they are."""
    text = _words(text, field="text")
    locked = _open(actor, dispute)
    if actor.user_id is None or (locked.person_id != actor.user_id and not may_answer(actor, locked)):
        raise NotAllowedError(_("Only the person, their managers, finance and revenue operations write here."))
    message = DisputeMessage.objects.create(dispute=locked, author_id=actor.user_id, text=text, written_at=at)
    record(actor=actor, action="dispute.message", subject=locked, after={"message": message.pk}, at=at)
    if locked.person_id != actor.user_id:
        tell(
            person_ids=[locked.person_id],
            key=f"dispute.message:{message.pk}",
            title=gettext_lazy("There is a message in your dispute"),
            body=locked.subject,
            url=_page(locked),
            at=at,
        )
    return message


@transaction.atomic
def decide_dispute(
    *,
    actor: Actor,
    dispute: Dispute,
    is_accepted: bool,
    decision: str,
    at: datetime,
    correction: Correction | None = None,
) -> Dispute:
    """Accept or refuse an open dispute, with words. By the person's managers, finance, revenue operations; never by
    the person. With an accepted one an adjustment may be prepared, which somebody else still has to approve.
    """
    decision = _words(decision, field="decision")
    if correction is not None and not is_accepted:
        raise CommissionRefusedError({"amount_minor": _("A refused dispute changes no pay. Leave the amount empty.")})
    locked = _open(actor, dispute)
    if not may_answer(actor, locked):
        raise NotAllowedError(_("Only the person's managers, finance and revenue operations decide, never the person."))
    adjustment = None
    if correction is not None:
        adjustment = prepare_adjustment(
            actor=actor,
            person_id=locked.person_id,
            plan=locked.statement.plan_version.plan,
            period=correction.period,
            amount_minor=correction.amount_minor,
            reason=correction.reason,
            at=at,
        )
    state = DisputeState.ACCEPTED if is_accepted else DisputeState.REFUSED
    locked.state, locked.decided_by_id, locked.decided_at = state, actor.user_id, at
    locked.decision, locked.adjustment = decision, adjustment
    locked.save(update_fields=["state", "decided_by", "decided_at", "decision", "adjustment"])
    record(
        actor=actor,
        action=f"dispute.{state.value}",
        subject=locked,
        before={"state": DisputeState.OPEN},
        after={"state": state, "adjustment": adjustment.pk if adjustment else None},
        reason=decision,
        at=at,
    )
    tell(
        person_ids=[locked.person_id],
        key=f"dispute.decided:{locked.pk}",
        title=gettext_lazy("Your dispute was decided"),
        body=locked.subject,
        url=_page(locked),
        at=at,
    )
    return locked


@transaction.atomic
def withdraw_dispute(*, actor: Actor, dispute: Dispute, at: datetime) -> Dispute:
    """Take one's own dispute back while it is open."""
    locked = _open(actor, dispute)
    if actor.user_id is None or locked.person_id != actor.user_id:
        raise NotAllowedError(_("Only whoever opened it withdraws it."))
    locked.state = DisputeState.WITHDRAWN
    locked.save(update_fields=["state"])
    record(
        actor=actor,
        action="dispute.withdrawn",
        subject=locked,
        before={"state": DisputeState.OPEN},
        after={"state": DisputeState.WITHDRAWN},
        at=at,
    )
    return locked


def _open(actor: Actor, dispute: Dispute) -> Dispute:
    """The dispute, locked; refused when it is decided or withdrawn meanwhile."""
    rows = Dispute.objects.select_for_update(of=("self",)).select_related("statement__plan_version__plan", "person")
    locked = rows.get_for(actor, pk=dispute.pk)
    if locked.state != DisputeState.OPEN:
        raise CommissionRefusedError(_("It is %(state)s already.") % {"state": locked.get_state_display()})
    return locked


def _page(dispute: Dispute) -> str:
    return reverse("commissions:dispute_detail", kwargs={"pk": dispute.pk})
