"""Admin pages of the reorganisations room: to look at, with a link to the portal."""

from __future__ import annotations

from django.contrib import admin

from salesops.core.admin import PortalInline, ReadOnlyAdmin, money
from salesops.reorganisations.models import DealProtection, Move, Reorganisation, ReorganisationChange


class MoveInline(PortalInline):
    """Who moves where."""

    model = Move
    is_read_only = True
    fk_name = "reorganisation"
    fields = ("person", "to_pod", "function", "manager", "accounts", "deals", "leads", "successor")


@admin.register(Reorganisation)
class ReorganisationAdmin(ReadOnlyAdmin):
    """Reorganisations."""

    list_display = ("name", "state", "effective_on", "created_by", "done_at", "undone_at")
    list_filter = ("state",)
    search_fields = ("name",)
    list_select_related = ("created_by",)
    portal_page = "reorganisations:reorganisation_detail"
    exclude = ("preview", "result")
    inlines = (MoveInline,)


@admin.register(Move)
class MoveAdmin(ReadOnlyAdmin):
    """Moves of people between pods."""

    list_display = ("person", "reorganisation", "to_pod", "successor", "shown_quota")
    search_fields = ("person__name", "reorganisation__name")
    list_select_related = ("person", "reorganisation", "to_pod", "successor")
    exclude = ("quota_minor",)
    readonly_fields = ("shown_quota",)

    shown_quota = money("quota_minor", label=Move._meta.get_field("quota_minor").verbose_name)


@admin.register(DealProtection)
class DealProtectionAdmin(ReadOnlyAdmin):
    """Deals that stay, or go, because somebody decided so."""

    list_display = ("deal", "reorganisation", "is_protected")
    search_fields = ("deal__name", "reorganisation__name")
    list_select_related = ("deal", "reorganisation")


@admin.register(ReorganisationChange)
class ReorganisationChangeAdmin(ReadOnlyAdmin):
    """The rows that reorganisations changed."""

    list_display = ("label", "kind", "said_before", "said_after", "reorganisation")
    list_filter = ("kind",)
    search_fields = ("label", "reorganisation__name")
    list_select_related = ("reorganisation",)
