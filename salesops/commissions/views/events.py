"""Plan events: the list, one of them, recording by form and by file, voiding."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from salesops.commissions.choices import EventKind
from salesops.commissions.errors import CommissionRefusedError
from salesops.commissions.models import PlanEvent
from salesops.commissions.pay_filters import PlanEventFilter
from salesops.commissions.pay_forms import EventFileForm, EventForm
from salesops.commissions.pay_tables import PlanEventTable
from salesops.commissions.selectors.events import (
    RECORDERS,
    event_for,
    events_for,
    is_locked_on,
    known_on,
    may_see_events,
)
from salesops.commissions.services.events import NewEvent, record_event, record_file, void_event
from salesops.commissions.services.plan_files import EVENT_COLUMNS
from salesops.core.actor import Actor, Role
from salesops.core.views import ConfirmView, Empty, ScopedCreateView, ScopedDetailView, ScopedFormView, ScopedListView
from salesops.core.views.forms import add_errors


class EventListView(ScopedListView):
    """All events the actor may see."""

    selector = events_for
    template_name = "commissions/event_list.html"
    table_class, filterset_class = PlanEventTable, PlanEventFilter
    title = gettext_lazy("Plan events")
    create_url = "commissions:event_create"
    create_label = gettext_lazy("Record an event")
    empty = Empty(
        gettext_lazy("No plan events"),
        gettext_lazy(
            "Objectives achieved, bonuses, attainment of teams and payments of invoices: what plans pay for beside what was booked."
        ),
        "calendar-star",
    )

    def allows(self, actor: Actor) -> bool:
        """Whoever sees quotas."""
        return may_see_events(actor)

    def may_create(self) -> bool:
        """Who records them."""
        return self.actor.has(*RECORDERS)

    def get_context(self) -> dict[str, Any]:
        """Whether the way to the file is shown."""
        return {"may_record": self.may_create()}


class EventDetailView(ScopedDetailView):
    """One event."""

    selector = event_for
    template_name = "commissions/event_detail.html"

    def get_context(self) -> dict[str, Any]:
        """Whether this reader may void it."""
        event: PlanEvent = self.object
        return {
            "title": str(event),
            "event": event,
            "may_void": not event.is_void
            and (
                self.actor.has(Role.REVOPS) or (self.actor.has(Role.MANAGER) and event.person_id in self.actor.tree_ids)
            ),
        }


class EventCreateView(ScopedCreateView):
    """Record one."""

    form_class, back_url = EventForm, "commissions:event_list"
    title, submit_label = gettext_lazy("Record an event"), gettext_lazy("Record")
    success_message = gettext_lazy("Recorded. It counts when the period is calculated next.")
    roles = RECORDERS

    def save(self, form: Any) -> Any:
        """Record it, and say what a locked period makes of it."""
        values = form.values
        event = record_event(
            actor=self.actor,
            event=NewEvent(
                plan=values["plan"],
                kind=EventKind(values["kind"]),
                on=values["on"],
                person_id=values["person"].pk if values["person"] else None,
                reference=values["reference"],
                share=values["share"],
                amount_minor=values["amount_minor"],
                of_minor=values["of_minor"],
                note=values["note"],
            ),
            at=self.now,
        )
        known = known_on(event.plan, event.on)
        if known and is_locked_on(known.version, event.on):
            messages.warning(
                self.request,
                _("The day lies in a locked period: what this changes comes as an adjustment in an open one."),
            )
        return reverse("commissions:event_detail", kwargs={"pk": event.pk})


class EventUploadView(ScopedFormView):
    """Record the rows of a file; what could not be taken is listed with its line."""

    form_class, back_url = EventFileForm, "commissions:event_list"
    template_name = "commissions/event_upload.html"
    title, submit_label = gettext_lazy("Events from a file"), gettext_lazy("Record")
    roles = RECORDERS

    def get_context(self) -> dict[str, Any]:
        """The columns."""
        return {"columns": EVENT_COLUMNS, "kinds": EventKind.values}

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Read the file. A second time is harmless: the same rows are there already."""
        form: Any = self.form_class(request.POST, request.FILES, **self.get_form_kwargs())
        if not form.is_valid():
            return self.answer(form, 422)
        try:
            read = record_file(actor=self.actor, data=form.cleaned_data["file"].read(), at=self.now)
        except CommissionRefusedError as error:
            return self.answer(form, add_errors(form, error))
        said = ngettext("%(count)s event was recorded.", "%(count)s events were recorded.", read.recorded) % {
            "count": read.recorded
        }
        return render(
            request,
            self.template_name,
            {
                "view": self,
                "form": self.form_class(**self.get_form_kwargs()),
                "title": self.get_title(),
                "submit_label": self.submit_label,
                "back_url": self.get_back_url(),
                "read": read,
                "said": said,
                **self.get_context(),
            },
            status=200 if not read.refused else 422,
        )


class EventVoidView(ConfirmView):
    """Say that an event no longer counts."""

    selector = event_for
    title, submit_label = gettext_lazy("Void the event"), gettext_lazy("Void")
    lead = gettext_lazy("It stays in the list and no longer counts.")
    success_message = gettext_lazy("It no longer counts.")
    roles = RECORDERS

    def get_back_url(self) -> str:
        """The event."""
        return reverse("commissions:event_detail", kwargs={"pk": self.object.pk})

    def save(self, form: Any) -> Any:
        """Void it."""
        void_event(actor=self.actor, event=self.object, at=self.now)
        return self.get_back_url()
