"""Admin pages of the commissions room: plans, quotas and periods, to look at.

What anybody earns is not here at all: administrators configure the portal and see nobody's pay.
"""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from salesops.commissions.models import Contest, Period, Plan, PlanVersion, Quota
from salesops.core.admin import PortalInline, ReadOnlyAdmin, money


class VersionInline(PortalInline):
    """The versions of a plan."""

    model = PlanVersion
    is_read_only = True
    fields = ("number", "state", "start_on", "end_on", "created_by", "activated_by")


@admin.register(Plan)
class PlanAdmin(ReadOnlyAdmin):
    """Plans; they are written, checked and put in force in the portal."""

    list_display = ("name", "created_at")
    search_fields = ("name",)
    portal_page = "commissions:plan_detail"
    inlines = (VersionInline,)


@admin.register(Contest)
class ContestAdmin(ReadOnlyAdmin):
    """Contests; they are written, put in force and cancelled in the portal."""

    list_display = ("name", "key", "state", "start_on", "end_on", "plan")
    list_filter = ("state",)
    search_fields = ("name", "key")
    list_select_related = ("plan",)
    portal_page = "commissions:contest_detail"


@admin.register(Quota)
class QuotaAdmin(ReadOnlyAdmin):
    """Quotas; they are set in the portal."""

    list_display = ("person", "measure", "shown_quota", "start_on", "end_on")
    list_filter = ("measure", "start_on")
    search_fields = ("person__name",)
    list_select_related = ("person",)
    exclude = ("amount_minor",)
    readonly_fields = ("shown_quota",)

    shown_quota = money("amount_minor", label=_("quota"))


@admin.register(Period)
class PeriodAdmin(ReadOnlyAdmin):
    """Periods of pay; finance locks them in the portal."""

    list_display = ("label", "kind", "start_on", "end_on", "time_zone", "state", "locked_by")
    list_filter = ("kind", "state")
    search_fields = ("label",)
    list_select_related = ("locked_by",)
