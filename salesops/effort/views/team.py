"""What managers see of their people, each look written down; figures of groups; doubts and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.activities.models import Activity
from salesops.core import display
from salesops.core.actor import Role
from salesops.core.views import ConfirmView, Empty, PortalView, ScopedCreateView, ScopedEditView, ScopedListView
from salesops.core.views.lists import Page
from salesops.effort.choices import EFFORT, LookedAt
from salesops.effort.filters import EffortContestFilter, EffortScoreFilter
from salesops.effort.forms import ContestForm, DecideForm
from salesops.effort.rules.groups import Figures
from salesops.effort.selectors.contests import contest_to_decide, contests_for, own_open_contest
from salesops.effort.selectors.groups import READERS, group_rows_for, latest_whole_week, smallest_group
from salesops.effort.selectors.scores import team_scores_for
from salesops.effort.services.contests import contest, decide_contest, withdraw_contest
from salesops.effort.services.looks import note_looks
from salesops.effort.tables import EffortContestTable, EffortScoreTable
from salesops.effort.views.pages import HIRED, asked_week, nav, points

_DECIDING = (Role.MANAGER, Role.REVOPS)


class EffortScoreListView(ScopedListView):
    """The weeks of the people below. Whoever is shown or taken into a file is told that they were looked at."""

    roles = (Role.MANAGER,)
    feature = EFFORT
    selector = team_scores_for
    table_class, filterset_class = EffortScoreTable, EffortScoreFilter
    title = gettext_lazy("Effort of my people")
    default_sort = "-week_on"
    empty = Empty(
        gettext_lazy("No scores yet"),
        gettext_lazy(
            "They are made each night for people whose legal entity has switched this on and whose job function has"
            " targets."
        ),
        "gauge",
    )

    def get_context(self) -> dict[str, Any]:
        """The links between the pages."""
        return nav(self)

    def get_page(self, shown: Sequence[str]) -> Page:
        """The page; those on it are noted as looked at."""
        page = super().get_page(shown)
        note_looks(actor=self.actor, person_ids={row.person_id for row in page.rows}, what=LookedAt.LIST, at=self.now)
        return page

    def export(self) -> HttpResponseBase:
        """The file; those in it are noted as looked at."""
        people = set(self.matching.values_list("person_id", flat=True))
        note_looks(actor=self.actor, person_ids=people, what=LookedAt.EXPORT, at=self.now)
        return super().export()


class GroupReportView(PortalView):
    """Figures of job functions and pods in a week; "too few" where they would tell of one person."""

    roles = READERS
    feature = EFFORT

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """The page."""
        week = asked_week(request) or latest_whole_week()
        rows = group_rows_for(self.actor, week) if week else []
        shown = [
            (
                row,
                [points(getattr(row.figures, name)) for name in ("mean", "p10", "p25", "median", "p75", "p90")]
                if isinstance(row.figures, Figures)
                else [],
            )
            for row in rows
        ]
        context = {
            "title": _("Effort of groups"),
            "week": week,
            "parts": [
                (_("By job function"), "function", [each for each in shown if each[0].kind == "function"]),
                (_("By pod"), "pod", [each for each in shown if each[0].kind == "pod"]),
            ],
            "has_rows": bool(rows),
            "smallest": smallest_group(),
            **nav(self),
        }
        return render(request, "effort/group_report.html", context)


# --- Doubts ---------------------------------------------------------------------------------------------------------


class EffortContestListView(ScopedListView):
    """Doubts: one's own, those of the people below, all of them for revenue operations."""

    roles = HIRED
    feature = EFFORT
    selector = contests_for
    table_class, filterset_class = EffortContestTable, EffortContestFilter
    title = gettext_lazy("Doubts")
    create_url, create_label = "effort:effortcontest_create", gettext_lazy("Doubt a day")
    empty = Empty(
        gettext_lazy("No doubts"),
        gettext_lazy("Whoever thinks that a record or a day should not count says so here, and somebody else decides."),
        "message-circle-question",
    )

    def may_create(self) -> bool:
        """Everybody, about themselves."""
        return True

    def get_context(self) -> dict[str, Any]:
        """The links between the pages."""
        return nav(self)


class EffortContestCreateView(ScopedCreateView):
    """Ask for a record (`?activity=12`) or a day of one's own to be left out."""

    roles = HIRED
    feature = EFFORT
    form_class = ContestForm
    submit_label = gettext_lazy("Ask for it")
    back_url = "effort:effortcontest_list"
    success_message = gettext_lazy("Asked. You hear of it when it is decided.")
    lead = gettext_lazy("Your manager or revenue operations decide and say why. Until then everything stays as it is.")

    @cached_property
    def about(self) -> Activity | None:
        """The record of the actor that the address or the form names, if any."""
        asked = self.request.POST.get("activity") or self.request.GET.get("activity") or ""
        if not asked.isdecimal() or len(asked) > 18:
            return None
        return Activity.objects.visible_to(self.actor).filter(pk=int(asked), person_id=self.actor.user_id).first()

    def get_title(self) -> str:
        """What is doubted."""
        return _("Leave out “%(record)s”") % {"record": self.about} if self.about else _("Leave out a day")

    def get_form_kwargs(self) -> dict[str, Any]:
        """With a record there is no day to choose."""
        return super().get_form_kwargs() | {"about": str(self.about or "")}

    def save(self, form: ContestForm) -> str:
        """Ask."""
        contest(
            actor=self.actor,
            reason=form.values["reason"],
            at=self.now,
            activity_id=self.about.pk if self.about else None,
            on=form.values.get("on") if self.about is None else None,
        )
        return reverse("effort:effortcontest_list")


class EffortContestDecideView(ScopedEditView):
    """Decide a doubt of somebody else."""

    roles = _DECIDING
    feature = EFFORT
    selector = contest_to_decide
    form_class = DecideForm
    submit_label = gettext_lazy("Decide")
    success_message = gettext_lazy("Decided. The person was told.")

    @property
    def lead(self) -> str:
        """What is asked, by whom, and why."""
        what = str(self.object.activity) if self.object.activity else _("The whole day")
        return f"{self.object.person}, {display.day(self.object.on)}: {what}. “{self.object.reason}”"

    def get_title(self) -> str:
        """Whose doubt it is."""
        return _("Doubt of %(person)s") % {"person": self.object.person}

    def get_back_url(self) -> str:
        """All doubts."""
        return reverse("effort:effortcontest_list")

    def save(self, form: DecideForm) -> str:
        """Decide."""
        decide_contest(
            actor=self.actor,
            contest_id=self.object.pk,
            is_accepted=form.values["decision"] == "accepted",
            because=form.values["because"],
            at=self.now,
        )
        return self.get_back_url()


class EffortContestWithdrawView(ConfirmView):
    """Take back a doubt of one's own."""

    roles = HIRED
    feature = EFFORT
    selector = own_open_contest
    title, submit_label = gettext_lazy("Take this doubt back"), gettext_lazy("Take back")
    success_message = gettext_lazy("Taken back.")

    def get_back_url(self) -> str:
        """All doubts."""
        return reverse("effort:effortcontest_list")

    def save(self, form: Any) -> str:
        """Take it back."""
        withdraw_contest(actor=self.actor, contest_id=self.object.pk, at=self.now)
        return self.get_back_url()
