"""A person's effort: their own page, the page their manager opens (which is written down), records, and their file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from salesops.core import display, exports
from salesops.core.actor import Role
from salesops.core.charts import Chart, Series
from salesops.core.tables import Cell
from salesops.core.views import PortalView
from salesops.effort.choices import EFFORT, CountedKind, Decision, LookedAt
from salesops.effort.models import EffortPolicy
from salesops.effort.rules.days import week_of
from salesops.effort.rules.hints import Hint
from salesops.effort.selectors.facts import records_of
from salesops.effort.selectors.policies import is_shown_to, policy_of_person
from salesops.effort.selectors.scores import (
    EffortPage,
    daily_counts_of,
    effort_page_for,
    own_rows,
    person_with_effort,
)
from salesops.effort.selectors.versions import versions_for
from salesops.effort.services.looks import note_looks
from salesops.effort.tables import BAND_TONES, DECISION_TONES
from salesops.leads.choices import VersionState
from salesops.people.models import User

#: Everybody who holds a role: nobody is hidden.
HIRED = tuple(Role)


def asked_week(request: HttpRequest) -> date | None:
    """The Monday of the week that the address asks for; None for none or for what is no day."""
    try:
        return week_of(date.fromisoformat(request.GET.get("week", "")))
    except (ValueError, OverflowError):
        return None


def points(value: int | None) -> str:
    """Hundredths of a point for reading."""
    return display.number(None if value is None else round(Decimal(value) / 100, 1))


def hint_text(hint: Hint) -> str:
    """A hint in words: a question to think about, never a reproach."""
    kind = str(CountedKind(hint.kind).label)
    if hint.what == "quality":
        return _(
            "%(kind)s: of those of %(people)s others in your job function %(theirs)s go well, of yours %(own)s. What do"
            " they do before they begin?"
        ) % {
            "kind": kind,
            "people": display.number(hint.people),
            "theirs": display.share(hint.theirs),
            "own": display.share(hint.own),
        }
    if hint.what == "more":
        return _(
            "%(kind)s: the %(people)s in your job function with whom most goes well do %(theirs)s a day, you do %(own)s."
        ) % {
            "kind": kind,
            "people": display.number(hint.people),
            "theirs": points(hint.theirs),
            "own": points(hint.own),
        }
    return _(
        "%(kind)s: you did more than in the weeks before, and a smaller part went well (%(own)s, before %(theirs)s)."
        " Fewer, better prepared ones may do more."
    ) % {"kind": kind, "own": display.share(hint.own), "theirs": display.share(hint.theirs)}


class EffortPageView(PortalView):
    """What both pages of a person share."""

    roles = HIRED
    feature = EFFORT

    @cached_property
    def person(self) -> User:
        """Whose page it is. Raises Http404."""
        return person_with_effort(self.actor, self.kwargs.get("pk") or self.actor.user_id or 0)

    @property
    def is_own(self) -> bool:
        """Whether the reader looks at themselves."""
        return self.person.pk == self.actor.user_id

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """The page; a look of somebody else is written down before anything is shown."""
        person = self.person
        if not self.is_own:
            note_looks(actor=self.actor, person_ids=[person.pk], what=LookedAt.PAGE, at=self.now)
        page = effort_page_for(self.actor, person, week_on=asked_week(request))
        current = page.current
        context = {
            "view": self,
            "title": _("My effort") if self.is_own else _("Effort of %(person)s") % {"person": person},
            "page": page,
            "person": person,
            "policy": page.policy,
            "is_own": self.is_own,
            "current": current,
            "score": points(current.score) if current else "",
            "days": points(current.days) if current else "",
            "band_tone": BAND_TONES.get(current.band, "grey") if current else "",
            "chart": self.chart(page) if len(page.scores) > 1 else None,
            "daily": daily_counts_of(self.actor, person, current.week_on) if current else [],
            "hints": [hint_text(hint) for hint in page.hints],
            "contests": [(each, DECISION_TONES[each.decision]) for each in page.contests],
            "version": versions_for(self.actor).filter(state=VersionState.ACTIVE).first(),
            "check_in_score": points(page.check_in.score) if page.check_in else "",
            **nav(self),
        }
        return render(request, "effort/effort_page.html", context)

    def chart(self, page: EffortPage) -> Chart:
        """The weeks, with the quality beside the score."""
        qualities = [score.quality_bp for score in page.scores]
        return Chart(
            id="effort-trend",
            title=_("Score by week, and what went well in per cent"),
            labels=[display.day(score.week_on) for score in page.scores],
            series=[
                Series.of_numbers(_("Score"), [round(Decimal(score.score) / 100, 1) for score in page.scores]),
                Series.of_shares(_("Went well"), qualities, kind="line"),
            ],
        )


class EffortMineView(EffortPageView):
    """One's own effort."""


class EffortPersonView(EffortPageView):
    """The effort of somebody below; one's own under its own key, too."""


def nav(view: PortalView) -> dict[str, Any]:
    """What the links between the pages need to know."""
    actor = view.actor
    return {
        "sees_team": actor.has(Role.MANAGER),
        "sees_groups": actor.has(Role.MANAGER, Role.REVOPS, Role.EXECUTIVE),
        "sees_policies": actor.has(Role.REVOPS, Role.ADMIN),
    }


class EffortRecordsView(PortalView):
    """The records behind one part of a week: each one is there, and each one can be doubted."""

    roles = HIRED
    feature = EFFORT

    def get(self, request: HttpRequest, pk: int, **kwargs: Any) -> HttpResponseBase:
        """The records; a look of somebody else is written down."""
        person = person_with_effort(self.actor, pk)
        week, kind = asked_week(request), request.GET.get("kind", CountedKind.CALL.value)
        if not is_shown_to(policy_of_person(person.pk)) or kind not in CountedKind.values:
            raise Http404
        week = week or week_of(timezone.localdate(self.now))
        is_own = person.pk == self.actor.user_id
        if not is_own:
            note_looks(actor=self.actor, person_ids=[person.pk], what=LookedAt.RECORDS, at=self.now)
        page = effort_page_for(self.actor, person, week_on=week)
        doubted = {each.activity_id: each for each in page.contests if each.activity_id}
        context = {
            "title": _("%(kind)s of the week from %(day)s")
            % {"kind": CountedKind(kind).label, "day": display.day(week)},
            "person": person,
            "is_own": is_own,
            "week": week,
            "kind": kind,
            "kinds": CountedKind.choices,
            "records": [
                (row, row.done_at if kind == CountedKind.TASK else row.happened_at, doubted.get(row.pk))
                for row in records_of(self.actor, person, kind, week)
            ],
            "doubts": {Decision.OPEN: "amber"},
            **nav(self),
        }
        return render(request, "effort/effort_records.html", context)


class EffortExportView(PortalView):
    """Everything that is kept about oneself, as one file."""

    roles = HIRED
    feature = EFFORT

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """The file; empty but for its heading where nothing is kept or the legal entity has it switched off."""
        policy = policy_of_person(self.actor.user_id)
        rows = list(self._rows(policy)) if is_shown_to(policy) else []
        headers = [
            _("What"), _("Day"), _("Kind"), _("Count"), _("Went well"), _("Target"), _("Weight"), _("Points"), _("Text"), _("Who"),
        ]  # fmt: skip
        export = exports.Export("effort:effort_export", "csv", len(rows), "", ())
        exports.tell(self.actor, export, self.now)
        name = exports.file_name("effort", timezone.localdate(self.now), "csv")
        return exports.csv_response(name, headers, rows, timezone.get_current_timezone())

    def _rows(self, policy: EffortPolicy | None) -> Iterator[list[Cell]]:
        labels = dict(CountedKind.choices)
        days, scores, contests, looks = own_rows(self.actor)
        for day in days:
            kind = str(labels.get(day.kind, day.kind))
            yield [_("Daily count"), day.on, kind, day.count, day.good, None, None, None, None, None]
        for score in scores:
            band = str(score.get_band_display())
            yield [_("Score"), score.week_on, None, None, None, None, None, Decimal(score.score) / 100, band, None]
            for code, count, good, target, weight, part_points, _is_capped in score.parts:
                kind = str(labels.get(code, code))
                yield [
                    pgettext("effort", "Part"), score.week_on, kind, count, good, str(target), weight, Decimal(part_points) / 100, None, None,
                ]  # fmt: skip
        for contest in contests:
            text = f"{contest.reason} → {contest.get_decision_display()} {contest.decided_because}".strip()
            yield [
                pgettext("effort", "Doubt"),
                contest.on,
                None,
                None,
                None,
                None,
                None,
                None,
                text,
                _name(contest.decided_by),
            ]
        for look in looks:
            yield [
                pgettext("effort", "Look"),
                look.looked_at,
                None,
                None,
                None,
                None,
                None,
                None,
                str(look.get_what_display()),
                _name(look.viewer),
            ]


def _name(person: Model | None) -> str | None:
    return None if person is None else str(person)
