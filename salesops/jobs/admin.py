"""Admin pages of the jobs room: when what comes round by itself runs, and whether."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.core.admin import PortalAdmin, PortalAdminForm
from salesops.jobs.models import Schedule
from salesops.jobs.rules.cron import parse, slots

#: A rule that names no day within these years (the 31st of February) is a mistake; the 29th of February comes in four,
#: around 2100 in eight.
_LOOKED_AHEAD: Final = timedelta(days=8 * 366)


def next_slot(rule: str, zone: str, *, after: datetime) -> datetime | None:
    """When a rule comes next, in its zone; None when it never does. Raises CronError for what is no rule."""
    place = ZoneInfo(zone)
    found = next(slots(parse(rule), place, after=after, until=after + _LOOKED_AHEAD), None)
    return found.astimezone(place) if found else None


class ScheduleForm(PortalAdminForm):
    """When a schedule runs."""

    def clean(self) -> dict[str, Any]:
        """A rule must come at some time; a schedule tries at least once."""
        values = super().clean()
        if values.get("rule") and values.get("time_zone"):
            try:
                comes = next_slot(values["rule"], values["time_zone"], after=self.instance.last_slot_at)
            except (ValueError, ZoneInfoNotFoundError):
                comes = self.instance.last_slot_at  # said at its field already
            if comes is None:
                self.add_error("rule", ValidationError(_("This never comes: no month has such a day.")))
        if values.get("max_attempts") == 0:
            self.add_error("max_attempts", ValidationError(_("It needs at least one attempt.")))
        return values


@admin.register(Schedule)
class ScheduleAdmin(PortalAdmin):
    """What comes round by itself: declared in code, so neither made nor deleted here. When, and whether, is edited."""

    form = ScheduleForm
    list_display = ("shown_title", "is_active", "rule", "time_zone", "shown_next", "last_slot_at")
    list_filter = ("is_active",)
    search_fields = ("code", "title", "kind")
    ordering = ("code",)
    may_add = False
    fields = (
        "shown_title",
        "kind",
        "is_active",
        "rule",
        "time_zone",
        "catch_up",
        "max_attempts",
        "last_slot_at",
        "shown_next",
    )
    readonly_fields = ("shown_title", "kind", "last_slot_at", "shown_next")

    @admin.display(description=gettext_lazy("title"), ordering="title")
    def shown_title(self, row: Schedule) -> str:
        """The title in the reader's language."""
        return str(row)

    @admin.display(description=gettext_lazy("comes next"))
    def shown_next(self, row: Schedule) -> str:
        """The next slot after what was handled, in the schedule's zone."""
        if not row.is_active:
            return _("switched off")
        try:
            slot = next_slot(row.rule, row.time_zone, after=row.last_slot_at)
        except (ValueError, ZoneInfoNotFoundError):
            slot = None
        return f"{date_format(slot, 'DATETIME_FORMAT')} ({row.time_zone})" if slot else _("never")

    def get_view_on_site_url(self, obj: Any = None) -> str | None:
        """Its jobs in the portal's list."""
        if obj is None:
            return None
        return f"{reverse('jobs:job_list')}?{urlencode({'q': obj.kind, 'by_itself': 'only'})}"

    def write(self, request: HttpRequest, obj: Schedule, form: Any, change: bool) -> None:
        """A new time begins now: nothing is caught up for a time at which the schedule was off or had another rule.

        Only what was edited is written: the scheduler moves `last_slot_at` on meanwhile.
        """
        names = set(form.changed_data)
        with transaction.atomic():
            obj.last_slot_at = Schedule.objects.select_for_update().get(pk=obj.pk).last_slot_at
            if names & {"rule", "time_zone", "is_active"}:
                obj.last_slot_at = max(obj.last_slot_at, request.now)  # type: ignore[attr-defined]
                names.add("last_slot_at")
            obj.save(update_fields=sorted(names))
