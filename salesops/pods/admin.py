"""Admin pages of the pods room."""

from __future__ import annotations

from django.contrib import admin

from salesops.core.admin import PortalAdmin, PortalInline
from salesops.pods.models import FunctionCapacity, Pod, PodMembership, Segment, Territory, TerritoryAssignment


@admin.register(Segment)
class SegmentAdmin(PortalAdmin):
    """Parts of the market."""

    list_display = ("name", "code", "min_employees", "max_employees", "position")
    search_fields = ("name", "code")
    may_delete = True


class MembershipInline(PortalInline):
    """Who works in a pod, to look at."""

    model = PodMembership
    is_read_only = True
    fields = ("person", "function", "start_on", "end_on")


@admin.register(Pod)
class PodAdmin(PortalAdmin):
    """Pods: closed, never deleted, so that what they did stays theirs."""

    list_display = ("name", "segment", "template", "customer_size", "opened_on", "closed_on", "lead_capacity")
    list_filter = ("segment", "template", "customer_size", "closed_on")
    search_fields = ("name",)
    list_select_related = ("segment",)
    portal_page = "pods:pod_detail"
    inlines = (MembershipInline,)


@admin.register(PodMembership)
class PodMembershipAdmin(PortalAdmin):
    """Who works in which pod, in time: one pod at a time."""

    list_display = ("person", "pod", "function", "start_on", "end_on")
    list_filter = ("pod", "function", "start_on", "end_on")
    search_fields = ("person__name", "pod__name")
    autocomplete_fields = ("person", "pod")
    list_select_related = ("person", "pod")
    may_delete = True


@admin.register(FunctionCapacity)
class FunctionCapacityAdmin(PortalAdmin):
    """What people of each function carry, and how they ramp up."""

    list_display = ("function", "lead_capacity", "ramp")
    search_fields = ("function",)
    may_delete = True


@admin.register(Territory)
class TerritoryAdmin(PortalAdmin):
    """Regions."""

    list_display = ("name", "code", "country", "region")
    list_filter = ("country", "region")
    search_fields = ("name", "code", "country", "region")
    may_delete = True


@admin.register(TerritoryAssignment)
class TerritoryAssignmentAdmin(PortalAdmin):
    """Who works in which region, in time."""

    list_display = ("person", "territory", "start_on", "end_on")
    list_filter = ("territory", "start_on", "end_on")
    search_fields = ("person__name", "territory__name")
    autocomplete_fields = ("person", "territory")
    list_select_related = ("person", "territory")
    may_delete = True
