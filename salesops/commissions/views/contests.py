"""Contests: the list, one with its standings, writing, putting in force, throwing away, cancelling."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.commissions.choices import ContestState
from salesops.commissions.contest_forms import CancelContestForm, ContestForm, typed
from salesops.commissions.contest_tables import ContestFilter, ContestTable
from salesops.commissions.models import Contest
from salesops.commissions.rules.contests import totals_digest
from salesops.commissions.selectors.contest_words import STAGES, TONES, Stage, contest_told, stage_of
from salesops.commissions.selectors.contests import (
    contest_for,
    contests_for,
    is_settled,
    people_in,
    standings_for,
    words_of,
)
from salesops.commissions.services.contests import (
    CHECKERS,
    WRITERS,
    activate_contest,
    cancel_contest,
    discard_contest,
    save_contest,
)
from salesops.core.actor import Actor, Noun, Scope
from salesops.core.days import company_day
from salesops.core.views import ConfirmView, Empty, ScopedCreateView, ScopedDetailView, ScopedEditView, ScopedListView
from salesops.values.outcomes import Problem

#: So many standings are shown on the page of a contest.
_SHOWN: Final = 200
#: So many of what could not be measured is named.
_PROBLEMS: Final = 10


class ContestListView(ScopedListView):
    """The contests the actor may see."""

    selector = contests_for
    table_class, filterset_class = ContestTable, ContestFilter
    title = gettext_lazy("Contests")
    create_url, create_label = "commissions:contest_create", gettext_lazy("New contest")
    empty = Empty(
        gettext_lazy("No contests"),
        gettext_lazy(
            "A contest pays prizes to those who sell most over some days, or to everybody who reaches a bound."
        ),
        "trophy",
    )

    def allows(self, actor: Actor) -> bool:
        """Not for roles without sight of plans."""
        return actor.sight(Noun.PLAN) >= Scope.OWN

    def may_create(self) -> bool:
        """Who writes plans."""
        return self.actor.has(*WRITERS)


class ContestDetailView(ScopedDetailView):
    """What a contest says, and who stands where of those whom the actor may see."""

    selector = contest_for
    template_name = "commissions/contest_detail.html"

    def get_context(self) -> dict[str, Any]:
        """Standings, words, and what the actor may do."""
        contest: Contest = self.object
        stage = stage_of(contest, company_day(self.now))
        rows = standings_for(self.actor, contest)
        shown = list(rows[:_SHOWN])
        own = next((row for row in shown if row.person_id == self.actor.user_id), None)
        words = words_of(contest)
        is_draft = contest.state == ContestState.DRAFT
        is_own = contest.created_by_id == self.actor.user_id
        return {
            "title": contest.name,
            "contest": contest,
            "words": words,
            "told": contest_told(contest),
            "stage": STAGES[stage],
            "tone": TONES[stage],
            "is_running": stage in (Stage.AHEAD, Stage.RUNNING),
            "is_cancelled": stage is Stage.CANCELLED,
            "problems": [Problem.from_plain(each) for each in contest.problems[:_PROBLEMS]],
            "mends": self.actor.has(*WRITERS, *CHECKERS),
            "standings": shown,
            "standings_count": rows.count(),
            "is_draft": is_draft,
            "people_count": len(people_in(words)) if is_draft else None,
            "own": own or rows.filter(person_id=self.actor.user_id).first(),
            "totals_digest": self._totals_digest(contest),
            "may_write": is_draft and self.actor.has(*WRITERS),
            "may_activate": is_draft and self.actor.has(*CHECKERS) and not is_own,
            "is_own_draft": is_draft and is_own,
            "may_cancel": contest.state == ContestState.ACTIVE
            and self.actor.has(*CHECKERS)
            and not is_settled(contest),
        }

    def _totals_digest(self, contest: Contest) -> str:
        """For whoever sees all totals, their digest: it stands in the statement of each winner."""
        if contest.state == ContestState.DRAFT or self.actor.sight(Noun.QUOTA) < Scope.ALL:
            return ""
        ranked = standings_for(self.actor, contest).filter(rank__gt=0)
        return totals_digest(ranked.values_list("total_minor", flat=True))


class ContestCreateView(ScopedCreateView):
    """Write a draft."""

    form_class, back_url = ContestForm, "commissions:contest_list"
    title, submit_label = gettext_lazy("New contest"), gettext_lazy("Save the draft")
    lead = gettext_lazy("Somebody else puts it in force; from then on it cannot be changed.")
    roles = WRITERS

    def save(self, form: ContestForm) -> Any:
        """Save it."""
        return save_contest(actor=self.actor, new=form.new(), at=self.now)


class ContestEditView(ScopedEditView):
    """Change a draft."""

    selector, form_class = contest_for, ContestForm
    title, submit_label = gettext_lazy("Change the contest"), gettext_lazy("Save the draft")
    roles = WRITERS

    def get_initial(self) -> dict[str, Any]:
        """As it was typed, with the digest of what is changed."""
        return typed(self.object) | {"seen": self.object.digest}

    def get_form_kwargs(self) -> dict[str, Any]:
        """A plain form, which holds what it was opened with."""
        return {"actor": self.actor, "initial": self.get_initial()}

    def save(self, form: ContestForm) -> Any:
        """Save it, unless somebody else did meanwhile."""
        seen = form.cleaned_data["seen"] or None
        return save_contest(actor=self.actor, new=form.new(), contest=self.object, seen_digest=seen, at=self.now)


class ContestActivateView(ConfirmView):
    """Put a draft in force: by somebody else than its writer."""

    selector = contest_for
    title, submit_label, is_danger = gettext_lazy("Put the contest in force"), gettext_lazy("Put in force"), False
    lead = gettext_lazy("It cannot be changed afterwards, only cancelled. Everybody who is in sees it from then on.")
    roles = CHECKERS

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The writer is refused before the question."""
        if self.allows(self.actor) and self.object.created_by_id == self.actor.user_id:
            raise PermissionDenied(_("You wrote this contest: somebody else must put it in force."))
        return super().dispatch(request, *args, **kwargs)

    def get_context(self) -> dict[str, Any]:
        """Once its days are over, that who wins is known already."""
        if company_day(self.now) < self.object.end_on:
            return {}
        over = _("Its days are over: who wins is known already.")
        return {"lead": f"{over} {self.lead}"}

    def save(self, form: Any) -> Any:
        """Put it in force."""
        return activate_contest(actor=self.actor, contest=self.object, at=self.now)


class ContestDiscardView(ConfirmView):
    """Throw a draft away."""

    selector = contest_for
    title, submit_label = gettext_lazy("Throw this draft away"), gettext_lazy("Throw away")
    success_message = gettext_lazy("Thrown away.")
    roles = WRITERS

    def save(self, form: Any) -> Any:
        """Throw it away; what is left is the list."""
        discard_contest(actor=self.actor, contest=self.object, at=self.now)
        return reverse("commissions:contest_list")


class ContestCancelView(ScopedEditView):
    """Cancel a contest in force."""

    selector, form_class = contest_for, CancelContestForm
    title, submit_label, is_danger = gettext_lazy("Cancel the contest"), gettext_lazy("Cancel the contest"), True
    lead = gettext_lazy("Nobody wins anything. It stays in the list with the reason.")
    success_message = gettext_lazy("Cancelled. Prizes are gone when the period is calculated next.")
    roles = CHECKERS

    def get_form_kwargs(self) -> dict[str, Any]:
        """A plain form."""
        return {"actor": self.actor}

    def save(self, form: Any) -> Any:
        """Cancel it."""
        return cancel_contest(actor=self.actor, contest=self.object, at=self.now, reason=form.cleaned_data["reason"])
