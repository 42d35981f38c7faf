"""Writes contests: drafts, putting one in force by somebody else, cancelling one with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.audit.services import record
from salesops.commissions.choices import ContestState, TransactionKind
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.models import Contest, ContestStanding, Plan
from salesops.commissions.rules.contests import ContestWords, Ties, contest_problems, measured_by
from salesops.commissions.rules.credits import DEFAULT_RULES, CreditRule
from salesops.commissions.rules.plans import DEFAULT_KINDS
from salesops.commissions.selectors.contest_words import prizes_told
from salesops.commissions.selectors.contests import is_settled, people_in, version_on, words_of
from salesops.commissions.services.plans import conditions_that_cannot_be_read
from salesops.commissions.services.standings import renew_standings
from salesops.core import display
from salesops.core.actor import Actor, Role
from salesops.notices.services import Text, tell
from salesops.pods.models import Pod
from salesops.values.outcomes import Problem
from salesops.values.periods import PeriodKind

#: Who writes contests, and who puts them in force or cancels them.
WRITERS: Final = (Role.REVOPS, Role.ADMIN)
CHECKERS: Final = (Role.FINANCE, Role.REVOPS)
#: A reason shorter than this explains nothing.
LEAST_REASON: Final = 10
_MOST_REASON: Final = 300


@dataclass(frozen=True, slots=True)
class NewContest:
    """What a contest is to say; see rules.contests.ContestWords. end: the first day that no longer counts.

    Amounts are minor units of the currency in which the plan pays on the last day.
    """

    key: str
    name: str
    plan: Plan
    start: date
    end: date
    plans: Sequence[Plan] = ()
    pods: Sequence[Pod] = ()
    counts: Sequence[str] = DEFAULT_KINDS
    when: str = ""
    amount: str = ""
    crediting: Sequence[str] = DEFAULT_RULES
    minimum_minor: int = 1
    prizes_minor: Sequence[int] = ()
    bound_minor: int | None = None
    each_minor: int | None = None
    ties: str = Ties.SHARE
    shows_names: bool = False
    is_final: bool = False


@transaction.atomic
def save_contest(
    *,
    actor: Actor,
    new: NewContest,
    at: datetime,
    contest: Contest | None = None,
    seen_digest: str | None = None,
) -> Contest:
    """Write a new draft of a contest, or change one; whoever changed it last may not put it in force.

    Raises NotAllowedError for whoever writes no plans, CommissionRefusedError for what cannot be (by field), a key that is
    taken, a contest that is no draft, and a draft that somebody else saved since `seen_digest` was read (code "stale").
    """
    if not actor.has(*WRITERS) or actor.user_id is None:
        raise NotAllowedError(_("Only revenue operations writes contests."))
    words = _words(new)
    before: dict[str, Any] = {}
    if contest is None:
        contest = Contest(created_at=at)
    else:
        contest = _draft(contest)
        if seen_digest is not None and seen_digest != contest.digest:
            raise CommissionRefusedError(
                _("Somebody changed this draft in the meantime. Open it again and repeat your change."), code="stale"
            )
        before = _told(contest)
    if Contest.objects.exclude(pk=contest.pk).filter(key=words.key).exists():
        raise CommissionRefusedError({"key": _("There is a contest with this key already.")})
    contest.key, contest.name, contest.plan = words.key, words.name, new.plan
    contest.start_on, contest.end_on = words.start, words.end
    contest.currency, contest.time_zone, contest.period_kind = words.currency, words.time_zone, words.period_kind.value
    contest.shows_names = words.shows_names
    contest.definition, contest.digest = words.as_plain(), words.digest()
    contest.created_by_id = actor.user_id
    contest.save()
    record(actor=actor, action="contest.drafted", subject=contest, before=before, after=_told(contest), at=at)
    return contest


@transaction.atomic
def discard_contest(*, actor: Actor, contest: Contest, at: datetime) -> None:
    """Throw a draft away; the audit keeps what it said. Raises CommissionRefusedError for one that is no draft."""
    if not actor.has(*WRITERS):
        raise NotAllowedError(_("Only revenue operations writes contests."))
    contest = _draft(contest)
    record(actor=actor, action="contest.draft_discarded", subject=contest, before=_told(contest), at=at)
    contest.delete()


@transaction.atomic
def activate_contest(*, actor: Actor, contest: Contest, at: datetime) -> Contest:
    """Put a draft in force, by finance or revenue operations, never by its writer; standings are reckoned at once.

    Raises NotAllowedError for the writer, CommissionRefusedError where nobody is in, the plan no longer pays as the draft
    says, or the period that would pay is locked already.
    """
    if not actor.has(*CHECKERS) or actor.user_id is None:
        raise NotAllowedError(_("Only finance or revenue operations puts a contest in force."))
    contest = _draft(contest)
    if contest.created_by_id == actor.user_id:
        raise NotAllowedError(_("You wrote this contest: somebody else must put it in force."))
    words = words_of(contest)
    version = version_on(contest.plan, words.last_day)
    now = (version.currency, version.time_zone, version.period_kind) if version else None
    if now != (words.currency, words.time_zone, words.period_kind):
        raise CommissionRefusedError(_("The plan pays otherwise since this was written. Save the draft again."))
    if not people_in(words):
        raise CommissionRefusedError(_("Nobody is on these plans or in these pods on the first day."))
    if is_settled(contest):
        raise CommissionRefusedError(_("The period in which it ends is locked already. Choose later days."))
    contest.state = ContestState.ACTIVE
    contest.activated_by_id, contest.activated_at = actor.user_id, at
    contest.save()
    record(
        actor=actor,
        action="contest.put_in_force",
        subject=contest,
        before={"state": ContestState.DRAFT},
        after={"state": ContestState.ACTIVE, "digest": contest.digest},
        at=at,
    )
    renew_standings(contest, at=at)
    _tell_those_in(contest, gettext_lazy("You are in a contest: %(name)s"), lambda: _offered(words), at)
    return contest


@transaction.atomic
def cancel_contest(*, actor: Actor, contest: Contest, at: datetime, reason: str) -> Contest:
    """Cancel a contest in force: nobody wins anything. By finance or revenue operations, with the reason for all to read.

    Raises CommissionRefusedError for one that is not in force, whose prizes are in a locked period, or without a reason.
    """
    if not actor.has(*CHECKERS) or actor.user_id is None:
        raise NotAllowedError(_("Only finance or revenue operations cancels a contest."))
    contest = Contest.objects.select_for_update(of=("self",)).select_related("plan").get(pk=contest.pk)
    reason = " ".join(reason.split())
    if contest.state != ContestState.ACTIVE:
        raise CommissionRefusedError(_("Only a contest in force can be cancelled."))
    if is_settled(contest):
        raise CommissionRefusedError(_("Its prizes are in a locked period. Take them back by adjustments."))
    if not LEAST_REASON <= len(reason) <= _MOST_REASON:
        raise CommissionRefusedError(
            {
                "reason": _("Say why, in %(least)s to %(most)s characters; everybody who is in reads it.")
                % {"least": LEAST_REASON, "most": _MOST_REASON}
            }
        )
    contest.state = ContestState.CANCELLED
    contest.cancelled_by_id, contest.cancelled_at, contest.cancel_reason = actor.user_id, at, reason
    contest.save()
    record(
        actor=actor,
        action="contest.cancelled",
        subject=contest,
        before={"state": ContestState.ACTIVE},
        after={"state": ContestState.CANCELLED},
        reason=reason,
        at=at,
    )
    _tell_those_in(contest, gettext_lazy("A contest was cancelled: %(name)s"), reason, at)
    return contest


def _tell_those_in(contest: Contest, title: Promise, body: Text, at: datetime) -> None:
    """Tell everybody who is in what became of a contest, once, with a link to it."""
    tell(
        person_ids=ContestStanding.objects.filter(contest=contest).values_list("person_id", flat=True),
        key=f"contest.{contest.state}:{contest.pk}",
        title=lambda: str(title) % {"name": contest.name},
        body=body,
        url=reverse("commissions:contest_detail", kwargs={"pk": contest.pk}),
        at=at,
    )


def _offered(words: ContestWords) -> str:
    """The days of a contest and what can be won, in the language of whoever reads it."""
    days = f"{display.day(words.start)} – {display.day(words.last_day)}"
    return "\n".join([days, *(f"{said.label}: {said.text}" for said in prizes_told(words))])


def _draft(contest: Contest) -> Contest:
    """The contest, locked; refused when it is no draft."""
    found = Contest.objects.select_for_update(of=("self",)).select_related("plan").get(pk=contest.pk)
    if found.state != ContestState.DRAFT:
        raise CommissionRefusedError(_("A contest in force cannot be changed. It can be cancelled."))
    return found


def _words(new: NewContest) -> ContestWords:
    """The words of a contest, checked; each problem is refused with its field."""
    last_day = max(new.start, new.end - timedelta(days=1))
    version = version_on(new.plan, last_day)
    if version is None:
        raise CommissionRefusedError(
            {"plan": _("No version of “%(plan)s” is in force on the last day.") % {"plan": new.plan}}
        )
    words = ContestWords(
        key=new.key.strip(),
        name=" ".join(new.name.split()),
        start=new.start,
        end=new.end,
        paid_by=new.plan.pk,
        currency=version.currency,
        time_zone=version.time_zone,
        period_kind=PeriodKind(version.period_kind),
        plans=tuple(sorted(plan.pk for plan in new.plans)),
        pods=tuple(sorted(pod.pk for pod in new.pods)),
        counts=tuple(new.counts),
        when=new.when.strip(),
        amount=new.amount.strip(),
        crediting=tuple(CreditRule(rule) for rule in new.crediting),
        minimum_minor=new.minimum_minor,
        prizes_minor=tuple(new.prizes_minor),
        bound_minor=new.bound_minor,
        each_minor=new.each_minor,
        ties=Ties(new.ties),
        shows_names=new.shows_names,
        is_final=new.is_final,
    )
    problems = contest_problems(words) or [
        replace(problem, where=problem.where.partition(".")[2])
        for problem in conditions_that_cannot_be_read(measured_by(words))
    ]
    _refuse(problems)
    unknown = set(words.counts) - set(TransactionKind.values)
    if unknown:
        kinds = ", ".join(sorted(unknown))
        raise CommissionRefusedError({"counts": _("No kind of transaction: %(kinds)s.") % {"kinds": kinds}})
    return words


def _refuse(problems: Sequence[Problem]) -> None:
    """Turn problems into one refusal that names each at its field."""
    if problems:
        found: dict[str, list[str]] = {}
        for problem in problems:
            found.setdefault(problem.where, []).append(f"{problem.text(_)} {problem.remedy_text(_)}".strip())
        raise CommissionRefusedError(found)


def _told(contest: Contest) -> dict[str, Any]:
    return {"key": contest.key, "name": contest.name, "digest": contest.digest, "definition": contest.definition}
