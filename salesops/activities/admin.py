"""Admin pages of the activities room: to look at."""

from __future__ import annotations

from django.contrib import admin

from salesops.activities.models import Activity
from salesops.core.admin import ReadOnlyAdmin


@admin.register(Activity)
class ActivityAdmin(ReadOnlyAdmin):
    """Calls, mails, meetings, notes, tasks."""

    list_display = ("subject", "kind", "person", "happened_at", "due_at", "done_at")
    list_filter = ("kind", "outcome")
    search_fields = ("subject", "person__name")
    list_select_related = ("person",)
