"""Admin pages of the leads room: to look at, with a link to the portal."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from salesops.core.admin import PortalInline, ReadOnlyAdmin, money
from salesops.leads.models import Lead, LeadAssignment


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
