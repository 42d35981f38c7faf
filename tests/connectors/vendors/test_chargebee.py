"""Chargebee: the shared scenarios on invoices, and what only Chargebee does."""

from __future__ import annotations

from typing import ClassVar

from salesops.commissions.models import Transaction
from tests.connectors.conformance import Conformance, Table
from tests.connectors.linking import Link
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.chargebee import Chargebee


class TestChargebee(Conformance):
    """Invoices of one customer."""

    vendor = "chargebee"
    standin = Chargebee
    object = "invoices"
    needs = ("customers",)
    path = "/api/v2/"
    options: ClassVar[dict[str, str]] = {"site": "acme-test"}
    secrets: ClassVar[dict[str, str]] = {"api_key": Chargebee.api_key}
    lacks: ClassVar[dict[str, str]] = {
        "merges": "invoices are not merged",
        "tokens": "a key does not end",
        "search": "lists are no search index",
        "limit_403": "there is no allowance that could be spent",
    }

    def prepare(self, standin: StandIn) -> None:
        standin.put("customer", "acme", company="Acme")

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        return standin.put("invoice", None, customer_id="acme", total=amount * 100, status="payment_due")

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        standin.put("invoice", id, total=amount * 100)

    def delete(self, standin: StandIn, id: str) -> None:
        standin.delete("invoice", id)

    def restore(self, standin: StandIn, id: str) -> None:
        standin.restore("invoice", id)

    def source(self, standin: StandIn) -> Table:
        return {
            f"chargebee:acme-test:invoice:{row.id}": (row["total"], "USD", "invoice", "Acme")
            for row in standin.rows("invoice")
        }

    def table(self, link: Link) -> Table:
        return {
            key: (amount, currency, kind, account)
            for key, amount, currency, kind, account in Transaction.objects.filter(is_void=False).values_list(
                "source_key", "amount_minor", "currency", "kind", "account__name"
            )
        }
