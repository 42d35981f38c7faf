"""Xero: the shared scenarios on invoices, and what only Xero does."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from salesops.commissions.models import Transaction
from tests.connectors.conformance import Conformance, Table
from tests.connectors.linking import Link
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.xero import Xero


class TestXero(Conformance):
    """Invoices of one customer."""

    vendor = "xero"
    standin = Xero
    object = "Invoices"
    needs = ("Contacts",)
    path = "/api.xro/"
    lacks: ClassVar[dict[str, str]] = {
        "merges": "invoices are not merged",
        "restores": "what was voided or deleted stays so",
        "search": "lists are no search index",
        "limit_403": "the day's limit is a 429 as well",
    }

    def prepare(self, standin: StandIn) -> None:
        standin.put("Contacts", 1, Name="Acme")

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        contact = {"ContactID": standin.identity("Contacts", 1), "Name": "Acme"}
        return standin.put("Invoices", None, Contact=contact, Total=Decimal(amount), Date="2026-05-01")

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        standin.put("Invoices", id, Total=Decimal(amount))

    def delete(self, standin: StandIn, id: str) -> None:
        assert isinstance(standin, Xero)
        standin.void("Invoices", id)

    def source(self, standin: StandIn) -> Table:
        return {
            f"xero:invoice:{row.id}": (int(row["Total"] * 100), "USD", "invoice", "Acme")
            for row in standin.rows("Invoices")
            if row["Status"] in ("AUTHORISED", "PAID")
        }

    def table(self, link: Link) -> Table:
        return transactions()


def transactions(*kinds: str) -> dict[str, tuple[Any, ...]]:
    """What counts, by key: amount, currency, kind, account."""
    return {
        key: (amount, currency, kind, account)
        for key, amount, currency, kind, account in Transaction.objects.filter(is_void=False).values_list(
            "source_key", "amount_minor", "currency", "kind", "account__name"
        )
        if not kinds or kind in kinds
    }
