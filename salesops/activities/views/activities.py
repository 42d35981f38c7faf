"""The list, the dialog that logs, the tick on a task, the timeline of other rooms' pages."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve, reverse
from django.utils.functional import cached_property
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _

from salesops.activities.choices import ActivityKind
from salesops.activities.filters import ActivityFilter
from salesops.activities.forms import ActivityForm, LogForm
from salesops.activities.models import Activity
from salesops.activities.selectors import About, about_for, activities_for, activity_for, subjects_for, timeline_for
from salesops.activities.services import complete_task, edit_activity, log_activity, may_edit, reopen_task
from salesops.activities.tables import ActivityTable
from salesops.core.actor import Role
from salesops.core.views import Empty, PortalView, ScopedCreateView, ScopedEditView, ScopedListView

READERS: Final = (Role.REP, Role.MANAGER, Role.REVOPS, Role.FINANCE, Role.ADMIN)
EDITORS: Final = (Role.REP, Role.MANAGER, Role.REVOPS, Role.ADMIN)
#: Pages about one row, and what an activity logged from there is about.
_PAGES_ABOUT: Final = {"deals": "deal", "leads": "lead", "accounts": "account"}


class ActivityListView(ScopedListView):
    """What was done, and what is to be done."""

    roles = READERS
    selector = activities_for
    table_class, filterset_class = ActivityTable, ActivityFilter
    create_url, create_label = "activities:activity_create", _("Log an activity")
    empty = Empty(
        _("Nothing logged yet"),
        _("Press l anywhere to log a call, a mail, a meeting or a task; on a deal's page it is about that deal."),
        "activity",
    )


class ActivityCreateView(ScopedCreateView):
    """Logs an activity. Opened by the key l, it is about the row whose page is open."""

    roles = EDITORS
    form_class, title, submit_label = LogForm, _("Log an activity"), _("Log")
    back_url = "activities:activity_list"
    template_name, dialog_template_name = "activities/activity_form.html", "activities/activity_dialog.html"

    @property
    def about(self) -> About | None:
        """The row of the address or, in a dialog, of the page behind it."""
        given = self.request.GET.get("about", "")
        if given:
            return about_for(self.actor, given)
        path = self.request.htmx.current_url_abs_path if self.is_dialog else None  # type: ignore[attr-defined]  # django-htmx
        if not path:
            return None
        try:
            match = resolve(path.partition("?")[0])
            noun = _PAGES_ABOUT.get(match.namespace)
            if noun is None or "pk" not in match.kwargs or not str(match.url_name).startswith(f"{noun}_"):
                return None
            return about_for(self.actor, f"{noun}-{match.kwargs['pk']}")
        except (Resolver404, Http404):
            return None

    def get_initial(self) -> dict[str, Any]:
        """The row it is about; a kind that the address names."""
        about = self.about
        kind = self.request.GET.get("kind", "")
        return ({"about": about.value} if about else {}) | ({"kind": kind} if kind in ActivityKind.values else {})

    def get_context(self) -> dict[str, Any]:
        """The row in words: the one posted, else the one it opened with."""
        if self.request.method != "POST":
            return {"about": self.about}
        try:
            return {"about": about_for(self.actor, self.request.POST.get("about", ""))}
        except Http404:
            return {"about": None}

    def save(self, form: LogForm) -> str:
        """Log it, then go back to where it was logged."""
        log_activity(actor=self.actor, at=self.now, **form.given)
        return _page_of(form.chosen) if form.chosen else reverse(self.back_url)

    def get_success_message(self, result: Any) -> str:
        """Said by the page itself in a dialog."""
        return "" if self.is_dialog else translate("Logged.")

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """As any form; in a dialog the page stays and is told."""
        return (
            _told_in_place(super().post(request, **kwargs), translate("Logged."))
            if self.is_dialog
            else super().post(request, **kwargs)
        )


class ActivityEditView(ScopedEditView):
    """Corrects what was logged: one's own, or one's people's."""

    roles = EDITORS
    selector = activity_for
    form_class, title = ActivityForm, _("Correct an activity")

    @cached_property
    def object(self) -> Activity:
        """The activity, for who may correct it."""
        activity = activity_for(self.actor, self.kwargs["pk"])
        if not may_edit(self.actor, activity):
            raise PermissionDenied(translate("This was logged by somebody else."))
        return activity

    def get_initial(self) -> dict[str, Any]:
        """As it stands."""
        activity: Activity = self.object
        names = ("subject", "outcome", "happened_at", "duration_minutes", "note")
        return {name: getattr(activity, name) for name in names} | {"due_on": activity.due_at}

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form knows the kind."""
        return super().get_form_kwargs() | {"activity": self.object}

    def save(self, form: ActivityForm) -> str:
        """Write what differs."""
        edit_activity(actor=self.actor, activity_id=self.object.pk, at=self.now, changes=form.changes)
        return self.get_back_url()

    def get_back_url(self) -> str:
        """The list: an activity has no page of its own."""
        return reverse("activities:activity_list")

    def get_success_message(self, result: Any) -> str:
        """Said by the page itself in a dialog."""
        return "" if self.is_dialog else translate("Saved.")


class TaskDoneView(PortalView):
    """Ticks a task off."""

    roles = EDITORS

    def post(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Tick it; the page stays."""
        try:
            complete_task(
                actor=self.actor,
                activity_id=pk,
                at=self.now,
                outcome=request.POST.get("outcome", ""),
                note=request.POST.get("note", "")[:5000],
            )
        except ValidationError as error:
            return _refuse(request, error)
        return _answer(request, translate("Done."))


class TaskReopenView(PortalView):
    """Takes the tick back."""

    roles = EDITORS

    def post(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Open it again; the page stays."""
        try:
            reopen_task(actor=self.actor, activity_id=pk, at=self.now)
        except ValidationError as error:
            return _refuse(request, error)
        return _answer(request, translate("The task is open again."))


class SubjectOptionsView(PortalView):
    """Rows that an activity may be about, while a name is typed."""

    roles = EDITORS

    def get(self, request: HttpRequest) -> HttpResponse:
        """Choices, a few of each kind."""
        text = request.GET.get("find", "").replace("\x00", "")
        found = subjects_for(self.actor, text)
        return render(request, "activities/subject_options.html", {"options": found, "text": text.strip()})


class TimelineView(PortalView):
    """What happened to a row, for its page: `?about=deal-12`, and `&after=` for what follows."""

    roles = READERS

    def get(self, request: HttpRequest) -> HttpResponse:
        """Some items, with the button for more."""
        about = about_for(self.actor, request.GET.get("about", ""))
        timeline = timeline_for(self.actor, **{about.kind: about.row}, after=request.GET.get("after", ""))  # type: ignore[arg-type]  # the kind names the row
        context = {
            "timeline": timeline,
            "about": about,
            "is_more": bool(request.GET.get("after")),
            "more_url": f"{request.path}?{urlencode({'about': about.value, 'after': timeline.next})}"
            if timeline.next
            else "",
            "may_edit": self.actor.may_edit_work,
            "week_ago": self.now - timedelta(days=7),
        }
        return render(request, "parts/timeline.html", context)


def _page_of(about: About) -> str:
    """The page of the row."""
    name = {"deal": "deals:deal_detail", "lead": "leads:lead_detail", "account": "accounts:account_detail"}[about.kind]
    return reverse(name, kwargs={"pk": about.row.pk})


def _told_in_place(response: HttpResponseBase, text: str) -> HttpResponseBase:
    """Instead of sending the browser elsewhere, close the dialog and let the page's parts load what is new."""
    if response.has_header("HX-Redirect"):
        del response.headers["HX-Redirect"]
        response.headers["HX-Trigger"] = json.dumps(
            {"close-dialog": {}, "activity-logged": {}, "toast": [{"text": text, "level": "success"}]}
        )
    return response


def _answer(request: HttpRequest, text: str) -> HttpResponseBase:
    """The page stays where htmx asked; else back to where the form was."""
    if getattr(request, "htmx", False):
        response = HttpResponse(status=204)
        response.headers["HX-Trigger"] = json.dumps(
            {"activity-logged": {}, "toast": [{"text": text, "level": "success"}]}
        )
        return response
    messages.success(request, text)
    return redirect(_next(request))


def _refuse(request: HttpRequest, error: ValidationError) -> HttpResponseBase:
    """Why not: to htmx as a message of the page, else as one on the page before."""
    text = " ".join(error.messages)
    if getattr(request, "htmx", False):
        response = HttpResponse(status=422)
        response.headers["HX-Reswap"] = "none"
        response.headers["HX-Trigger"] = json.dumps({"toast": [{"text": text, "level": "error"}]})
        return response
    messages.error(request, text)
    return redirect(_next(request))


def _next(request: HttpRequest) -> str:
    """Where the form asks to go next, within the portal; else the list."""
    target = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(target, allowed_hosts=None) and target.startswith("/")
    return target if is_ours else reverse("activities:activity_list")
