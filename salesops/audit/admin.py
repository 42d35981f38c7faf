"""Admin pages of the audit: to look at. The portal's own page leaves out what is about pay, and so does this one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from salesops.audit.models import AuditEntry
from salesops.core.admin import ReadOnlyAdmin, actor_of


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Who changed what."""

    list_display = ("sequence", "at", "actor_name", "action", "subject_label", "reason")
    list_filter = ("at",)
    search_fields = ("actor_name", "subject_label", "action")
    portal_page = "audit:entry_detail"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """What the actor may read."""
        return AuditEntry.objects.visible_to(actor_of(request))
