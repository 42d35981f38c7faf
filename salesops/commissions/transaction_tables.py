"""Tables of transactions and of who was credited with one."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.commissions.models import Credit, Transaction
from salesops.core import parts
from salesops.core.tables import (
    BadgeColumn,
    Cell,
    ChoiceColumn,
    DayColumn,
    LinkColumn,
    MomentColumn,
    MoneyColumn,
    NumberColumn,
    PersonColumn,
    PortalColumn,
    PortalTable,
    ShareColumn,
    StateColumn,
)


class TransactionTable(PortalTable):
    """What happened, when, for how much, and whose it is."""

    source_key = LinkColumn("commissions:transaction_detail", verbose_name=gettext_lazy("Transaction"))
    kind = ChoiceColumn(verbose_name=gettext_lazy("What happened"))
    effective_on = DayColumn(verbose_name=gettext_lazy("Day that counts"))
    amount_minor = MoneyColumn(verbose_name=gettext_lazy("Amount"), initial_sort_descending=True)
    quantity = NumberColumn(verbose_name=gettext_lazy("Quantity"))
    account = PortalColumn(accessor="account__name", verbose_name=gettext_lazy("Account"), order_by=("account__name",))
    deal = PortalColumn(accessor="deal__name", verbose_name=gettext_lazy("Deal"), order_by=("deal__name",))
    product = PortalColumn(accessor="product__name", verbose_name=gettext_lazy("Product"), order_by=("product__name",))
    credited_to = PersonColumn(accessor="credited_to", verbose_name=gettext_lazy("Credited to"))
    reverses = LinkColumn(
        "commissions:transaction_detail",
        accessor="reverses__source_key",
        pk_field="reverses_id",
        verbose_name=gettext_lazy("Takes back"),
        order_by=("reverses__source_key",),
    )
    counts = StateColumn(accessor="is_void", verbose_name=gettext_lazy("Counts"))
    recorded_at = MomentColumn(verbose_name=gettext_lazy("Recorded at"))
    updated_at = MomentColumn(verbose_name=gettext_lazy("Changed at"))

    default_columns = (
        "source_key",
        "kind",
        "effective_on",
        "amount_minor",
        "account",
        "deal",
        "credited_to",
        "reverses",
        "counts",
    )

    class Meta:
        model = Transaction
        fields = ()

    def show_counts(self, value: Any, record: Transaction) -> str:
        """Whether it still counts."""
        return parts.badge(_("Void"), "grey") if record.is_void else parts.badge(_("Counts"), "green")

    def export_counts(self, value: Any, record: Transaction) -> Cell:
        """True when it counts."""
        return not record.is_void


class CreditTable(PortalTable):
    """Who was credited with a transaction, how much of it, on which statement."""

    person = PersonColumn(accessor="person", verbose_name=gettext_lazy("Person"))
    statement = LinkColumn(
        "commissions:statement_detail",
        accessor="statement__period__label",
        pk_field="statement_id",
        verbose_name=gettext_lazy("Statement"),
    )
    plan = PortalColumn(accessor="statement__plan_version__plan__name", verbose_name=gettext_lazy("Plan"))
    state = BadgeColumn(
        accessor="statement__state",
        tones={"draft": "amber", "approved": "blue", "locked": "green", "paid": "green"},
        verbose_name=gettext_lazy("State"),
    )
    share = ShareColumn(accessor="share_bp", verbose_name=gettext_lazy("Share"))
    amount_minor = MoneyColumn(verbose_name=gettext_lazy("Credited"))

    default_columns = ("person", "statement", "plan", "state", "share", "amount_minor")

    class Meta:
        model = Credit
        fields = ()
