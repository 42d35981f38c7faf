"""Stripe: the shared scenarios on invoices, and what only Stripe does."""

from __future__ import annotations

from typing import ClassVar

from salesops.commissions.models import Transaction
from tests.connectors.conformance import Conformance, Table
from tests.connectors.linking import Link
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.stripe import Stripe


class TestStripe(Conformance):
    """Open invoices of one customer."""

    vendor = "stripe"
    standin = Stripe
    object = "invoices"
    needs = ("customers",)
    path = "/v1/"
    secrets: ClassVar[dict[str, str]] = {"api_key": Stripe.api_key}
    lacks: ClassVar[dict[str, str]] = {
        "merges": "invoices are not merged",
        "restores": "a void invoice stays void",
        "tokens": "a key does not end",
        "search": "lists and events are no search index",
        "limit_403": "there is no allowance that could be spent",
    }

    def prepare(self, standin: StandIn) -> None:
        standin.put("customer", 1, name="Acme")

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        return standin.put("invoice", None, customer=1, total=amount * 100, status="open", number=f"A-{number}")

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        standin.put("invoice", id, total=amount * 100)

    def delete(self, standin: StandIn, id: str) -> None:
        standin.put("invoice", id, status="void")

    def source(self, standin: StandIn) -> Table:
        return {
            f"stripe:invoice:{row.id}": (row["total"], "USD", "invoice", "Acme")
            for row in standin.rows("invoice")
            if row["status"] != "void"
        }

    def table(self, link: Link) -> Table:
        return {
            key: (amount, currency, kind, account)
            for key, amount, currency, kind, account in Transaction.objects.filter(is_void=False).values_list(
                "source_key", "amount_minor", "currency", "kind", "account__name"
            )
        }
