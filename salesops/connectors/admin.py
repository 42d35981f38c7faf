"""Admin pages of the connectors room: sources, mappings and confirmed names to keep in order, imports to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from salesops.connectors.models import (
    ConfirmedName,
    Connection,
    Credential,
    FileImport,
    RawRecord,
    SavedMapping,
    Source,
    Stream,
    SyncRun,
    WebhookEvent,
)
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


@admin.register(Connection)
class ConnectionAdmin(ReadOnlyAdmin):
    """Connections to other systems; they are made, changed and ended in the portal."""

    list_display = ("__str__", "vendor", "state", "account_name", "last_success_at", "next_sync_at", "made_by")
    list_filter = ("state", "vendor")
    search_fields = ("source__name", "source__code", "account_name", "account_id")
    list_select_related = ("source", "made_by")
    portal_page = "connectors:connection_detail"
    exclude = ("hook_token", "brake_minor")  # the portal's page shows the sum as money


@admin.register(Stream)
class StreamAdmin(ReadOnlyAdmin):
    """Objects of connections: how they are mapped and how far they are."""

    list_display = ("object", "connection", "kind", "is_wanted", "state", "last_success_at")
    list_filter = ("state", "kind", "is_wanted")
    search_fields = ("object", "connection__source__name")
    list_select_related = ("connection__source",)
    portal_page = "connectors:stream_edit"


@admin.register(SyncRun)
class SyncRunAdmin(ReadOnlyAdmin):
    """Runs over connections."""

    list_display = ("connection", "kind", "state", "pages", "started_at", "finished_at")
    list_filter = ("state", "kind")
    search_fields = ("connection__source__name",)
    list_select_related = ("connection__source",)


@admin.register(RawRecord)
class RawRecordAdmin(ReadOnlyAdmin):
    """Records as their sources last told them."""

    list_display = ("external_id", "stream", "state", "version", "received_at")
    list_filter = ("state",)
    search_fields = ("external_id",)
    list_select_related = ("stream__connection__source",)
    portal_page = "connectors:rawrecord_detail"


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    """What vendors pushed."""

    list_display = ("key", "connection", "object", "external_id", "state", "received_at")
    list_filter = ("state",)
    search_fields = ("key", "external_id")
    list_select_related = ("connection__source",)


@admin.register(Credential)
class CredentialAdmin(ReadOnlyAdmin):
    """Which secrets are kept, and since when. Never what they are: their sealed text is on no page."""

    list_display = ("name", "connection", "changed_at", "expires_at")
    search_fields = ("name", "connection__source__name")
    list_select_related = ("connection__source",)
    fields = ("connection", "name", "changed_at", "expires_at")
