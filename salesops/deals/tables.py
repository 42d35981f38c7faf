"""The tables of the deals room."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils.translation import gettext_lazy as _

from salesops.core.days import company_day
from salesops.core.tables import (
    BadgeColumn,
    DayColumn,
    FlagColumn,
    LinkColumn,
    MomentColumn,
    MoneyColumn,
    NumberColumn,
    PersonColumn,
    PortalColumn,
    PortalTable,
)
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal
from salesops.leads.tables import SpicedColumn

#: The colour of a deal's state, wherever it is shown.
TONES = {StageKind.OPEN: "blue", StageKind.WON: "green", StageKind.LOST: "red"}


class DealTable(PortalTable):
    """The deal list. Columns that lead no index sort lists of up to 10,000 rows."""

    name = LinkColumn("deals:deal_detail", verbose_name=_("Deal"))
    account = LinkColumn(
        "accounts:account_detail",
        accessor="account__name",
        pk_field="account_id",
        verbose_name=_("Account"),
        sorts_large=True,
    )
    stage = BadgeColumn(
        accessor="stage__name", order_by=("stage__position",), tone_field="kind", tones=TONES, verbose_name=_("Stage")
    )
    amount = MoneyColumn(accessor="amount_minor", verbose_name=_("Amount"), initial_sort_descending=True)
    owner = PersonColumn(accessor="owner", verbose_name=_("Owner"))
    pod = PortalColumn(accessor="pod__name", verbose_name=_("Pod"))
    product = PortalColumn(accessor="product__name", verbose_name=_("Product"))
    spiced = SpicedColumn(
        accessor="spiced__filled", verbose_name=_("SPICED"), help=_("How many of the five components are known.")
    )
    expected_close_on = DayColumn(verbose_name=_("Expected close"))
    closed_on = DayColumn(verbose_name=_("Closed"), initial_sort_descending=True)
    age = NumberColumn(
        accessor="opened_on",
        verbose_name=_("Age in days"),
        help=_("From the day it was opened to today or, when closed, to that day."),
        orderable=False,
    )
    next_step = PortalColumn(verbose_name=_("Next step"))
    external_id = PortalColumn(verbose_name=_("External id"))
    opened_on = DayColumn(verbose_name=_("Opened"))
    created_at = MomentColumn(ago=True, verbose_name=_("Created"), initial_sort_descending=True)

    default_columns = ("name", "account", "stage", "amount", "owner", "expected_close_on", "closed_on", "age")

    class Meta:
        model = Deal
        fields = ()

    def age_of(self, value: date | None, record: Deal) -> int | None:
        """Days from opening to today or to closing."""
        if value is None:
            return None
        until = record.closed_on or (company_day(self.now) if self.now else None)
        return (until - value).days if until else None

    def show_age(self, value: date | None, record: Deal) -> str:
        """The days, as a number."""
        days = self.age_of(value, record)
        return "" if days is None else str(days)

    def export_age(self, value: date | None, record: Deal) -> Any:
        """The days, as a number."""
        return self.age_of(value, record)


class ProductTable(PortalTable):
    """What the company sells."""

    name = PortalColumn(verbose_name=_("Product"))
    code = PortalColumn(verbose_name=_("Code"))
    series = PortalColumn(verbose_name=_("Series"))
    price = MoneyColumn(accessor="price_minor", verbose_name=_("List price"), initial_sort_descending=True)
    is_active = FlagColumn(verbose_name=_("On sale"))
