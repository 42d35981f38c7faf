"""Admin pages of the jobs room: schedules to configure, jobs to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from salesops.core.admin import PortalAdmin, PortalAdminForm, ReadOnlyAdmin
from salesops.jobs.models import Job, Schedule
from salesops.jobs.rules.cron import CronError, parse


class ScheduleForm(PortalAdminForm):
    """A schedule whose rule can be read."""

    def clean_rule(self) -> str:
        """Refuse a line that is no cron rule, with the reason."""
        rule: str = self.cleaned_data["rule"]
        try:
            parse(rule)
        except CronError as error:
            raise ValidationError(str(error)) from error
        return rule


@admin.register(Schedule)
class ScheduleAdmin(PortalAdmin):
    """What comes round by itself. The program declares it; when, and whether, is the administrator's."""

    form = ScheduleForm
    list_display = ("title", "rule", "time_zone", "is_active", "last_slot_at")
    list_filter = ("is_active",)
    search_fields = ("title", "code")
    may_add = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:
        """What is done stays the program's."""
        return ("code", "title", "kind", "payload", "last_slot_at")


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """Work in the background; cancelled and retried on its page in the portal."""

    list_display = ("title", "kind", "state", "requested_by_name", "created_at", "attempts")
    list_filter = ("state", "kind")
    search_fields = ("title", "kind", "key")
    portal_page = "jobs:job_detail"
