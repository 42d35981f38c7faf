"""Admin pages of the deals room: stages and products to configure, deals to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from salesops.core.admin import PortalAdmin, PortalAdminForm, PortalInline, ReadOnlyAdmin, is_administrator, money
from salesops.deals.models import (
    Deal,
    DealLine,
    DealSpiced,
    DealSplit,
    GuardDecision,
    GuardEscalation,
    GuardPolicy,
    GuardRule,
    HandOff,
    Product,
    Stage,
    StageChange,
)
from salesops.deals.rules.guard import problems_of_rule
from salesops.deals.selectors.guard import rule_of
from salesops.leads.admin import OfDraftInline
from salesops.values.names import fold_name


@admin.register(Stage)
class StageAdmin(PortalAdmin):
    """The columns of the board. What a stage means cannot change while deals stand in it."""

    list_display = (
        "name",
        "code",
        "kind",
        "position",
        "probability_bp",
        "is_guarded",
        "spiced_needed",
        "expected_days",
        "decides_credit",
        "is_active",
    )
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

    list_display = ("name", "code", "series", "tier", "shown_price", "is_active")
    list_filter = ("is_active", "series", "tier", "currency")
    search_fields = ("name", "code")

    shown_price = money("price_minor", label=_("list price"))

    def write(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:
        """Keep the name as loose matching compares it."""
        obj.match_name = fold_name(obj.name)[:120]
        obj.save()


class DealSpicedInline(PortalInline):
    """What is known of the deal."""

    model = DealSpiced
    is_read_only = True
    fields = ("situation", "pain", "impact", "critical_event", "critical_event_on", "decision")


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
    inlines = (DealSpicedInline, LineInline, SplitInline, StageChangeInline)

    shown_amount = money("amount_minor", label=_("amount"))


# --- The selling guard and hand-offs --------------------------------------------------------------------------------


class GuardRuleForm(PortalAdminForm):
    """A rule that says something."""

    def clean(self) -> dict[str, Any]:
        """Refuse what says nothing, at its field."""
        values = super().clean()
        if self.errors:
            return values
        for name, value in values.items():
            if name in _OF_A_RULE:
                setattr(self.instance, name, value)
        for problem in problems_of_rule(rule_of(self.instance)):
            self.add_error(problem.where if problem.where in self.fields else None, problem.text(gettext))
        return values


_OF_A_RULE = frozenset(field.name for field in GuardRule._meta.concrete_fields) - {"id", "policy"}


class GuardRuleInline(OfDraftInline):
    """Rules in their order."""

    model = GuardRule
    form = GuardRuleForm
    fields = (
        "position",
        "name",
        "kind",
        "effect",
        "message",
        "segment",
        "tier",
        "max_discount_bp",
        "least_minor",
        "most_minor",
        "currency",
        "least_months",
        "most_months",
        "phrases",
        "product",
        "employees_from",
        "employees_to",
        "countries",
    )


@admin.register(GuardPolicy)
class GuardPolicyAdmin(PortalAdmin):
    """Selling policies: drafts change here as in the portal, where they are begun, tried and put in force."""

    list_display = ("number", "note", "state", "created_by", "created_at", "activated_by", "activated_at")
    list_filter = ("state",)
    search_fields = ("note",)
    list_select_related = ("created_by", "activated_by")
    may_add = False
    portal_page = "deals:policy_detail"
    readonly_fields = ("number", "state", "created_by", "created_at", "activated_by", "activated_at", "retired_at")
    inlines = (GuardRuleInline,)
    actions_list = ("begin_draft",)
    actions_detail = ("put_in_force", "test_on_deal")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only drafts; the page of the others shows them."""
        return is_administrator(request) and (obj is None or obj.is_draft)

    # Buttons lead to pages of the portal, which ask before they do anything.

    @action(description=_("Begin a draft"), url_path="begin-draft")
    def begin_draft(self, request: HttpRequest) -> HttpResponse:
        """To the page that begins one."""
        return redirect("deals:policy_create")

    @action(description=_("Put in force"), url_path="put-in-force")
    def put_in_force(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """To the page that asks."""
        return redirect("deals:policy_activate", pk=object_id)

    @action(description=_("Test on a deal"), url_path="test-on-deal")
    def test_on_deal(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """To the page on which a deal is chosen."""
        return redirect("deals:policy_try", pk=object_id)


@admin.register(GuardDecision)
class GuardDecisionAdmin(ReadOnlyAdmin):
    """What the guard said."""

    list_display = ("deal", "outcome", "occasion", "actor", "policy", "decided_at")
    list_filter = ("outcome", "occasion", "policy")
    search_fields = ("deal__name",)
    list_select_related = ("deal", "actor", "policy")


@admin.register(GuardEscalation)
class GuardEscalationAdmin(ReadOnlyAdmin):
    """What waits for an approval, and what was answered."""

    list_display = ("deal", "state", "asked_by", "asked_at", "answered_by", "answered_at")
    list_filter = ("state",)
    search_fields = ("deal__name",)
    list_select_related = ("deal", "asked_by", "answered_by")


@admin.register(HandOff)
class HandOffAdmin(ReadOnlyAdmin):
    """Hand-offs. Ratings are the receiver's and are shown in the portal."""

    list_display = ("__str__", "pair", "giver", "receiver", "state", "sent_at", "rated_at")
    list_filter = ("pair", "state")
    search_fields = ("deal__name", "account__name", "giver__name", "receiver__name")
    list_select_related = ("deal", "account", "lead", "giver", "receiver")
