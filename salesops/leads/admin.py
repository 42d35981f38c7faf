"""Admin pages of the leads room: to look at, with a link to the portal."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from salesops.core.admin import PortalAdmin, PortalInline, ReadOnlyAdmin, is_administrator, money
from salesops.leads.models import Lead, LeadAssignment, ScoreGroup, ScoreRule, ScoreVersion


class AssignmentInline(PortalInline):
    """Each time the lead was given to somebody."""

    model = LeadAssignment
    is_read_only = True
    fk_name = "lead"
    fields = ("assigned_at", "person", "pod", "method", "reason")


@admin.register(Lead)
class LeadAdmin(ReadOnlyAdmin):
    """Leads."""

    list_display = ("name", "company", "status", "origin", "owner", "pod", "shown_value", "created_at")
    list_filter = ("status", "origin", "pod", "source")
    search_fields = ("name", "company", "email", "external_id")
    list_select_related = ("owner", "pod")
    portal_page = "leads:lead_detail"
    exclude = ("estimated_minor",)
    readonly_fields = ("shown_value",)
    inlines = (AssignmentInline,)

    shown_value = money("estimated_minor", label=_("estimated value"))


class OfDraftInline(PortalInline):
    """Parts of a version, which change with it while it is a draft."""

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


class ScoreGroupInline(OfDraftInline):
    """Groups with a limit."""

    model = ScoreGroup
    fields = ("name", "limit")


class ScoreRuleInline(OfDraftInline):
    """Rules with their points."""

    model = ScoreRule
    fields = ("position", "part", "name", "points", "condition", "signal", "most_times", "group")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Groups of the same version."""
        if db_field.name == "group":
            version = request.resolver_match.kwargs.get("object_id") if request.resolver_match else None
            kwargs["queryset"] = ScoreGroup.objects.filter(version=version)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


@admin.register(ScoreVersion)
class ScoreVersionAdmin(PortalAdmin):
    """Score rules: drafts change here as in the portal, where they are begun, compared and put in force."""

    list_display = ("number", "note", "state", "created_by", "created_at", "activated_by", "activated_at")
    list_filter = ("state",)
    search_fields = ("note",)
    list_select_related = ("created_by", "activated_by")
    may_add = False
    portal_page = "leads:scoreversion_detail"
    readonly_fields = ("number", "state", "created_by", "created_at", "activated_by", "activated_at", "retired_at")
    inlines = (ScoreGroupInline, ScoreRuleInline)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only drafts; the page of the others shows them."""
        return is_administrator(request) and (obj is None or obj.is_draft)
