"""Hand-offs: given, accepted or declined, and rated by the receiver alone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from salesops.accounts.models import Account
from salesops.audit.services import record
from salesops.core.actor import Actor
from salesops.core.days import company_day
from salesops.deals.choices import HandOffPair, HandOffState
from salesops.deals.models import Deal, HandOff
from salesops.deals.rules.handoffs import PAIRS, RATINGS, may_rate, problems_of_ratings
from salesops.deals.selectors.handoffs import receivers_for
from salesops.deals.services.deals import check_may_edit
from salesops.leads.models import Lead
from salesops.notices.services import tell
from salesops.people.models import User
from salesops.people.selectors import functions_on
from salesops.pods.selectors import pod_of


@transaction.atomic
def give_hand_off(
    *,
    actor: Actor,
    pair: str,
    receiver: User,
    at: datetime,
    deal_id: int | None = None,
    account_id: int | None = None,
    lead_id: int | None = None,
    note: str = "",
) -> HandOff:
    """Hand a deal, an account or a lead to somebody of the next function; they are told. It does not change who owns it.

    The giver is the actor, who must work in the function from which the pair goes. One that still waits for the same
    receiver is not given twice. Raises PermissionDenied, Http404 for what is not the actor's, ValidationError at the field.
    """
    check_may_edit(actor)
    about = _about(actor, deal_id, account_id, lead_id)
    if pair not in HandOffPair.values:
        raise ValidationError({"pair": _("There is no such hand-off.")})
    day = company_day(at)
    giver = actor.user_id or 0
    function = functions_on(day, [giver]).get(giver, "")
    if function not in PAIRS[pair][0]:
        raise ValidationError(
            {
                "pair": ValidationError(
                    _("This hand-off is given by somebody of another job function than yours."), code="function"
                )
            }
        )
    if not receivers_for(actor, pair, day=day).filter(pk=receiver.pk).exists():
        raise ValidationError(
            {"receiver": ValidationError(_("Choose somebody who works in the next function."), code="receiver")}
        )
    waiting = HandOff.objects.filter(giver=actor.user_id, receiver=receiver, state=HandOffState.SENT, **about)
    if waiting.exists():
        raise ValidationError(
            {
                "receiver": ValidationError(
                    _("They have this hand-off already, and have not answered yet."), code="twice"
                )
            }
        )
    row = HandOff(
        pair=pair,
        giver_id=giver,
        receiver=receiver,
        pod_id=pod_of([giver], day).get(giver),
        note=note.strip(),
        sent_at=at,
        **about,
    )
    row.full_clean()
    row.save()
    _record(row, actor, "handed_off", f"{row.get_pair_display()}: {receiver}", at)
    tell(
        person_ids=[receiver.pk],
        key=f"hand-off:{row.pk}",
        title=lambda: _("%(person)s hands “%(subject)s” to you") % {"person": row.giver, "subject": subject_of(row)},
        body=row.note,
        url=page_of_hand_off(row),
        at=at,
    )
    return row


@transaction.atomic
def answer_hand_off(*, actor: Actor, hand_off_id: int, is_accepted: bool, at: datetime, because: str = "") -> HandOff:
    """Accept or decline a hand-off; to decline needs a reason. The giver is told.

    Raises Http404, ValidationError for whoever is not the receiver, and for one that was answered.
    """
    row = _locked(actor, hand_off_id)
    if row.state != HandOffState.SENT:
        raise ValidationError(_("This hand-off was answered already."), code="answered")
    because = " ".join(because.split())
    if not is_accepted and not because:
        raise ValidationError({"because": ValidationError(_("Say why you decline it."), code="reason-missing")})
    row.state = HandOffState.ACCEPTED if is_accepted else HandOffState.DECLINED
    row.answered_at, row.declined_because = at, "" if is_accepted else because[:300]
    row.full_clean()
    row.save()
    _record(row, actor, "hand_off_accepted" if is_accepted else "hand_off_declined", row.declined_because, at)
    words = {"subject": subject_of(row), "person": row.receiver}
    tell(
        person_ids=[row.giver_id],
        key=f"hand-off-answer:{row.pk}",
        title=lambda: (
            (_("%(person)s accepted “%(subject)s”") if is_accepted else _("%(person)s declined “%(subject)s”")) % words
        ),
        body=row.declined_because,
        url=page_of_hand_off(row),
        at=at,
    )
    return row


@transaction.atomic
def rate_hand_off(*, actor: Actor, hand_off_id: int, at: datetime, comment: str = "", **ratings: int | None) -> HandOff:
    """Rate a hand-off that was accepted, by all five ratings of 1 to 5. The giver is told, once.

    A rating may be mended for a few days after it was first given. Raises Http404, ValidationError for whoever is not the
    receiver, for what is not accepted, for ratings that are missing and once the days are over.
    """
    row = _locked(actor, hand_off_id)
    if row.state != HandOffState.ACCEPTED:
        raise ValidationError(_("Accept the hand-off first."), code="not-accepted")
    if not may_rate(row.rated_at, at):
        raise ValidationError(_("The rating can no longer be changed."), code="too-late")
    if wrong := problems_of_ratings(ratings):
        raise ValidationError({name: ValidationError(_("Choose 1 to 5."), code="rating") for name in wrong})
    is_first = row.rated_at is None
    for name in RATINGS:
        setattr(row, name, ratings[name])
    row.comment = comment.strip()
    row.rated_at = row.rated_at or at
    row.full_clean()
    row.save()
    _record(row, actor, "hand_off_rated", "" if is_first else _("changed"), at)
    tell(
        person_ids=[row.giver_id],
        key=f"hand-off-rated:{row.pk}",
        title=lambda: (
            _("%(person)s rated your hand-off of “%(subject)s”") % {"subject": subject_of(row), "person": row.receiver}
        ),
        url=page_of_hand_off(row),
        at=at,
    )
    return row


def subject_of(row: HandOff) -> str:
    """What is handed off, in words."""
    return str(row.deal or row.account or row.lead)


def page_of_hand_off(row: HandOff) -> str:
    """The page on which a hand-off is answered and rated."""
    return reverse("deals:handoff_detail", kwargs={"pk": row.pk})


def _about(actor: Actor, deal_id: int | None, account_id: int | None, lead_id: int | None) -> dict[str, Any]:
    """The one row that is handed off. Raises Http404 when it is not the actor's."""
    if sum(each is not None for each in (deal_id, account_id, lead_id)) != 1:
        raise ValidationError(_("Name one deal, account or lead."), code="about")
    if deal_id is not None:
        return {"deal": Deal.objects.get_for(actor, pk=deal_id)}
    if account_id is not None:
        return {"account": Account.objects.get_for(actor, pk=account_id)}
    return {"lead": Lead.objects.get_for(actor, pk=lead_id)}


def _locked(actor: Actor, hand_off_id: int) -> HandOff:
    row: HandOff = HandOff.objects.select_for_update(of=("self",)).get_for(actor, pk=hand_off_id)
    if actor.user_id != row.receiver_id:
        raise ValidationError(_("Only the receiver answers and rates a hand-off."), code="receiver")
    return row


def _record(row: HandOff, actor: Actor, what: str, reason: str, at: datetime) -> None:
    """Into the audit, and so into the timeline of what was handed off. Ratings are not told there."""
    subject: Any = row.deal or row.account or row.lead
    record(actor=actor, action=f"{subject._meta.model_name}.{what}", subject=subject, reason=reason, at=at)
