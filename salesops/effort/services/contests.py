"""Doubts: somebody asks for a record or a day of theirs to be left out, somebody else decides, and the week is counted anew.

Reasons are for the two of them: the audit, which others read, has that there was a doubt and what became of it.
"""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext as _

from salesops.activities.choices import ActivityKind
from salesops.activities.models import Activity
from salesops.audit.services import record
from salesops.core import features
from salesops.core.actor import Actor, system_actor
from salesops.core.days import company_day
from salesops.effort.choices import EFFORT, CountedKind, Decision
from salesops.effort.models import EffortContest
from salesops.effort.rules.days import week_of
from salesops.effort.selectors.contests import contest_to_decide, own_open_contest
from salesops.effort.selectors.policies import is_shown_to, policy_of_person
from salesops.effort.services.scoring import kept_since, score_weeks
from salesops.notices.services import tell
from salesops.people.models import User
from salesops.people.selectors import manager_on


@transaction.atomic
def contest(
    *, actor: Actor, reason: str, at: datetime, activity_id: int | None = None, on: date | None = None
) -> EffortContest:
    """Ask for a record or a whole day of the actor's own to be left out. Exactly one of `activity_id` and `on` is given.

    Raises Http404 for a record that is not theirs, ValidationError without a reason, where there is a doubt already,
    for a day to come, and for what is older than the counts that are kept: that cannot be counted anew.
    """
    features.need(EFFORT)
    if actor.user_id is None:
        raise PermissionDenied
    policy = policy_of_person(actor.user_id)
    if policy is None or not is_shown_to(policy):
        raise ValidationError(_("Nothing is counted of you at present."), code="off")
    if (activity_id is None) == (on is None):
        raise ValidationError(_("Choose a record or a day."))
    person = User.objects.select_for_update().get(pk=actor.user_id)
    on = on or _day_of_record(actor, person, activity_id or 0)
    if not reason.strip():
        raise ValidationError({"reason": _("Say why: whoever decides does not know.")})
    today = company_day(at)
    if on >= today:
        raise ValidationError({"on": _("Today and what comes are not counted yet.")})
    if on < kept_since(policy, today):
        raise ValidationError({"on": _("The counts of this day are deleted; its week stays as it was scored.")})
    doubts = EffortContest.objects.filter(person=person, decision__in=[Decision.OPEN, Decision.ACCEPTED])
    same = doubts.filter(activity_id=activity_id) if activity_id is not None else doubts.filter(activity=None, on=on)
    if same.exists():
        raise ValidationError(_("You have doubted this already."), code="twice")
    made = EffortContest(person=person, activity_id=activity_id, on=on, reason=reason.strip(), asked_at=at)
    made.full_clean()
    made.save()
    manager = manager_on(person, today)
    if manager is not None:
        tell(
            person_ids=[manager.pk],
            key=f"effort:contest:{made.pk}",
            title=lambda: _("%(person)s asks for something to be left out of their effort score") % {"person": person},
            body=made.reason,
            url=reverse("effort:effortcontest_list"),
            at=at,
        )
    record(
        actor=actor,
        action="effortcontest.asked",
        subject=made,
        after={"on": on, "activity": activity_id},
        at=at,
    )
    return made


@transaction.atomic
def decide_contest(*, actor: Actor, contest_id: int, is_accepted: bool, because: str, at: datetime) -> EffortContest:
    """Leave the record or day out, or not, with a reason that the person reads; the week is counted anew at once.

    Raises Http404 for what is not the actor's to decide (their own never is), ValidationError without a reason or where
    it is decided.
    """
    features.need(EFFORT)
    contest_to_decide(actor, contest_id)
    row = EffortContest.objects.select_for_update(of=("self",)).get(pk=contest_id)
    if row.decision != Decision.OPEN:
        raise ValidationError(_("This is decided already. Load the page again."), code="stale")
    if not because.strip():
        raise ValidationError({"because": _("Say why: the person reads it.")})
    row.decision = Decision.ACCEPTED if is_accepted else Decision.DECLINED
    row.decided_by_id, row.decided_at, row.decided_because = actor.user_id, at, because.strip()
    row.full_clean()
    row.save()
    policy = policy_of_person(row.person_id)
    if is_accepted and policy is not None and row.on >= kept_since(policy, company_day(at)):
        score_weeks(actor=system_actor(), person_ids=[row.person_id], weeks=[week_of(row.on)], at=at)
    tell(
        person_ids=[row.person_id],
        key=f"effort:contest:{row.pk}:decided",
        title=lambda: _("Left out of your effort score") if is_accepted else _("Stays in your effort score"),
        body=row.decided_because,
        url=reverse("effort:effortcontest_list"),
        at=at,
    )
    record(
        actor=actor,
        action="effortcontest.accepted" if is_accepted else "effortcontest.declined",
        subject=row,
        before={"decision": Decision.OPEN.value},
        after={"decision": row.decision},
        at=at,
    )
    return row


@transaction.atomic
def withdraw_contest(*, actor: Actor, contest_id: int, at: datetime) -> None:
    """Take back a doubt of one's own that nobody has decided. Raises Http404."""
    row = own_open_contest(actor, contest_id)
    record(actor=actor, action="effortcontest.withdrawn", subject=row, before={"on": row.on}, at=at)
    row.delete()


def _day_of_record(actor: Actor, person: User, activity_id: int) -> date:
    """The day, for the person, of a record of theirs that is counted. Raises Http404."""
    row = Activity.objects.visible_to(actor).filter(pk=activity_id, person=person).first()
    if row is None or row.kind not in CountedKind.values:
        raise Http404
    moment = row.done_at if row.kind == ActivityKind.TASK else row.happened_at
    if moment is None:
        raise Http404
    return moment.astimezone(ZoneInfo(person.time_zone)).date()
