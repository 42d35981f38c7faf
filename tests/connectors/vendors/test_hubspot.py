"""HubSpot: the shared scenarios, and what only a portal does."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from salesops.deals.models import Deal
from tests.connectors.conformance import Conformance, Table
from tests.connectors.linking import Link
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.hubspot import HubSpot


class TestHubSpot(Conformance):
    """Deals of one company."""

    vendor = "hubspot"
    standin = HubSpot
    object = "deals"
    needs = ("owners", "companies")
    path = "/crm/v3/objects/deals"
    lacks: ClassVar[dict[str, str]] = {}

    def prepare(self, standin: StandIn) -> None:
        assert isinstance(standin, HubSpot)
        standin.owner(7, email="ana@example.com", first="Ana", last="Alvarez")
        standin.put("companies", 2, name="Acme", domain="acme.example")

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        assert isinstance(standin, HubSpot)
        id = standin.put(
            "deals",
            None,
            dealname=f"Deal {number}",
            amount=Decimal(amount),
            hubspot_owner_id=7,
            closedate="2026-07-01T00:00:00Z",
        )
        standin.associate("deals", id, "companies", 2)
        return id

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        standin.put("deals", id, amount=Decimal(amount))

    def source(self, standin: StandIn) -> Table:
        return {row.id: (row["dealname"], int(Decimal(row["amount"]) * 100), "Acme") for row in standin.rows("deals")}

    def table(self, link: Link) -> Table:
        return {
            external: (name, amount, account)
            for external, name, amount, account in Deal.objects.filter(
                source=link.connection.source.code, removed_at__isnull=True
            ).values_list("external_id", "name", "amount_minor", "account__name")
        }
