"""Admin pages of the effort room: policies and weights. Counts, scores, doubts and looks have none, for anybody."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from salesops.core.admin import PortalAdmin, PortalInline, is_administrator
from salesops.effort.models import EffortPolicy, EffortTarget, EffortVersion


class EffortTargetInline(PortalInline):
    """Targets and weights, which change with their version while it is a draft."""

    model = EffortTarget
    fields = ("function", "kind", "per_day", "weight")
    may_delete = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Of a draft."""
        return super().has_add_permission(request, obj) and obj is not None and obj.is_draft

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Of a draft."""
        return super().has_change_permission(request, obj) and obj is not None and obj.is_draft

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Of a draft."""
        return super().has_delete_permission(request, obj) and obj is not None and obj.is_draft


@admin.register(EffortVersion)
class EffortVersionAdmin(PortalAdmin):
    """Weights: drafts change here as in the portal, where they are begun and published."""

    list_display = ("number", "note", "state", "created_by", "created_at", "activated_by", "activated_at")
    list_filter = ("state",)
    search_fields = ("note",)
    list_select_related = ("created_by", "activated_by")
    may_add = False
    portal_page = "effort:effortversion_detail"
    readonly_fields = ("number", "state", "created_by", "created_at", "activated_by", "activated_at", "retired_at")
    inlines = (EffortTargetInline,)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only drafts; the page of the others shows them."""
        return is_administrator(request) and (obj is None or obj.is_draft)


@admin.register(EffortPolicy)
class EffortPolicyAdmin(PortalAdmin):
    """What legal entities have settled. Switched on and off in the portal, which tells people and asks what to delete."""

    list_display = ("entity", "is_on", "counted_from", "keep_weeks", "smallest_group", "manager_after_days")
    list_filter = ("is_on",)
    search_fields = ("entity__name",)
    list_select_related = ("entity",)
    may_add = False
    readonly_fields = ("entity", "is_on", "counted_from", "changed_at")
