"""Pipedrive: the shared scenarios on deals, and what only a Pipedrive company does."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from salesops.deals.models import Deal
from tests.connectors.conformance import Conformance, Table
from tests.connectors.linking import Link
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.pipedrive import Pipedrive


class TestPipedrive(Conformance):
    """Deals of one organization."""

    vendor = "pipedrive"
    standin = Pipedrive
    object = "deals"
    needs = ("users", "organizations")
    path = "/api/v2/deals"
    secrets: ClassVar[dict[str, str]] = {"webhook_secret": Pipedrive.hook_secret}
    lacks: ClassVar[dict[str, str]] = {
        "merges": "a merge is told by a webhook alone: see below",
        "search": "lists are no search index",
    }

    def prepare(self, standin: StandIn) -> None:
        standin.put("user", 2, name="Ana Alvarez", email="ana@example.com")
        standin.put("organization", 1, name="Acme")

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        return standin.put("deal", None, title=f"Deal {number}", org_id=1, owner_id=2, value=Decimal(amount))

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        standin.put("deal", id, value=Decimal(amount))

    def delete(self, standin: StandIn, id: str) -> None:
        standin.delete("deal", id)

    def restore(self, standin: StandIn, id: str) -> None:
        standin.restore("deal", id)

    def source(self, standin: StandIn) -> Table:
        return {row.id: (row["title"], int(row["value"] * 100), "Acme") for row in standin.rows("deal")}

    def table(self, link: Link) -> Table:
        return {
            external: (name, amount, account)
            for external, name, amount, account in Deal.objects.filter(
                source=link.connection.source.code, removed_at__isnull=True
            ).values_list("external_id", "name", "amount_minor", "account__name")
        }
