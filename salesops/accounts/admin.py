"""Admin pages of the accounts room: to look at, with a link to the portal."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from salesops.accounts.models import Account, AccountOwnership, Contact, Subscription
from salesops.core.admin import PortalInline, ReadOnlyAdmin, money


class OwnershipInline(PortalInline):
    """Who was responsible when."""

    model = AccountOwnership
    is_read_only = True
    fields = ("person", "function", "start_on", "end_on")


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    """Companies."""

    list_display = ("name", "status", "segment", "owner", "pod", "shown_revenue", "source")
    list_filter = ("status", "segment", "pod", "source")
    search_fields = ("name", "external_id")
    list_select_related = ("segment", "owner", "pod")
    portal_page = "accounts:account_detail"
    exclude = ("revenue_minor", "match_name")
    readonly_fields = ("shown_revenue",)
    inlines = (OwnershipInline,)

    shown_revenue = money("revenue_minor", label=_("annual revenue"))


@admin.register(Contact)
class ContactAdmin(ReadOnlyAdmin):
    """People at companies."""

    list_display = ("name", "account", "title", "email", "consent", "is_primary")
    list_filter = ("consent", "is_primary", "source")
    search_fields = ("name", "email")
    list_select_related = ("account",)
    portal_page = "accounts:contact_detail"


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin):
    """Recurring revenue."""

    list_display = ("account", "name", "shown_mrr", "seats", "start_on", "end_on")
    list_filter = ("source", "start_on", "end_on")
    search_fields = ("name", "account__name", "external_id")
    list_select_related = ("account",)
    exclude = ("mrr_minor",)
    readonly_fields = ("shown_mrr",)

    shown_mrr = money("mrr_minor", label=_("monthly recurring revenue"))
