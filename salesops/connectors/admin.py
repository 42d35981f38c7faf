"""Admin pages of the connectors room: sources, mappings and confirmed names to keep in order, imports to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from salesops.connectors.models import ConfirmedName, FileImport, SavedMapping, Source
from salesops.core.admin import PortalAdmin, ReadOnlyAdmin


@admin.register(Source)
class SourceAdmin(PortalAdmin):
    """Where records come from. The code stands on every record that came from it, so it never changes."""

    list_display = ("name", "code", "is_active")
    list_filter = ("is_active",)
    search_fields = ("name", "code")

    def get_readonly_fields(self, request: HttpRequest, obj: Source | None = None) -> Sequence[str]:
        """The code is given once."""
        return ("code",) if obj else ()


@admin.register(SavedMapping)
class SavedMappingAdmin(PortalAdmin):
    """Which column is which field: renamed and removed here, made in the portal. Imports keep a copy of theirs."""

    list_display = ("name", "kind", "made_by", "made_at", "used_at")
    list_filter = ("kind",)
    search_fields = ("name",)
    list_select_related = ("made_by",)
    may_add = False
    may_delete = True

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:
        """Only the name is changed here."""
        return ("kind", "definition", "made_by", "made_at", "used_at")


@admin.register(ConfirmedName)
class ConfirmedNameAdmin(PortalAdmin):
    """Names in files that somebody confirmed to mean a record; a wrong one is forgotten here and asked about again."""

    list_display = ("text", "kind", "record_name", "confirmed_by", "confirmed_at")
    list_filter = ("kind",)
    search_fields = ("text", "record_name")
    list_select_related = ("confirmed_by",)
    may_add = False
    may_delete = True

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Forgotten or kept, never bent."""
        return False


@admin.register(FileImport)
class FileImportAdmin(ReadOnlyAdmin):
    """Files on their way into the portal; they are worked on there."""

    list_display = ("file_name", "source", "kind", "state", "uploaded_by", "uploaded_at")
    list_filter = ("state", "kind", "source")
    search_fields = ("file_name",)
    list_select_related = ("source", "uploaded_by")
    portal_page = "connectors:import_detail"
