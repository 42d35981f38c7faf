"""Admin pages of the deals room: stages and products to configure, deals to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from salesops.core.admin import PortalAdmin, PortalInline, ReadOnlyAdmin, money
from salesops.deals.models import Deal, DealLine, DealSplit, Product, Stage, StageChange
from salesops.values.names import fold_name


@admin.register(Stage)
class StageAdmin(PortalAdmin):
    """The columns of the board. What a stage means cannot change while deals stand in it."""

    list_display = ("name", "code", "kind", "position", "probability_bp", "is_active")
    list_filter = ("kind", "is_active")
    search_fields = ("name", "code")
    may_delete = True

    def get_readonly_fields(self, request: HttpRequest, obj: Stage | None = None) -> Sequence[str]:
        """Deals repeat the kind of their stage, and their past was counted by it."""
        is_used = obj is not None and (obj.deals.exists() or StageChange.objects.filter(to_stage=obj).exists())
        return ("kind",) if is_used else ()


@admin.register(Product)
class ProductAdmin(PortalAdmin):
    """What the company sells. Taken off sale rather than deleted."""

    list_display = ("name", "code", "series", "shown_price", "is_active")
    list_filter = ("is_active", "series", "currency")
    search_fields = ("name", "code")

    shown_price = money("price_minor", label=_("list price"))

    def write(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:
        """Keep the name as loose matching compares it."""
        obj.match_name = fold_name(obj.name)[:120]
        obj.save()


class LineInline(PortalInline):
    """The lines of a deal."""

    model = DealLine
    is_read_only = True
    fields = readonly_fields = ("product", "quantity", "shown_price", "shown_amount")

    shown_price = money("unit_price_minor", "deal.currency", label=_("unit price"))
    shown_amount = money("amount_minor", "deal.currency", label=_("amount"))


class SplitInline(PortalInline):
    """The shares in a deal."""

    model = DealSplit
    is_read_only = True
    fields = ("person", "function", "share_bp")


class StageChangeInline(PortalInline):
    """The stages that a deal went through."""

    model = StageChange
    is_read_only = True
    fields = ("changed_at", "from_stage", "to_stage", "changed_by")


@admin.register(Deal)
class DealAdmin(ReadOnlyAdmin):
    """Deals."""

    list_display = ("name", "account", "stage", "shown_amount", "owner", "pod", "expected_close_on", "closed_on")
    list_filter = ("kind", "stage", "pod", "source")
    search_fields = ("name", "external_id", "account__name")
    list_select_related = ("account", "stage", "owner", "pod")
    portal_page = "deals:deal_detail"
    exclude = ("amount_minor", "board_position")
    readonly_fields = ("shown_amount",)
    inlines = (LineInline, SplitInline, StageChangeInline)

    shown_amount = money("amount_minor", label=_("amount"))
