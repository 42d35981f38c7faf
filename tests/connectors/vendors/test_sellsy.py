"""Sellsy: the shared scenarios on opportunities, and what only a Sellsy account does."""

from __future__ import annotations

from typing import ClassVar

from salesops.deals.models import Deal
from tests.connectors.conformance import Conformance, Table
from tests.connectors.linking import Link
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.sellsy import Sellsy


class TestSellsy(Conformance):
    """Opportunities of one company, with offsets that are numbers."""

    vendor = "sellsy"
    standin = Sellsy
    object = "opportunities"
    needs = ("staffs", "companies")
    path = "/v2/opportunities"
    secrets: ClassVar[dict[str, str]] = {"webhook_secret": Sellsy.hook_secret}
    lacks: ClassVar[dict[str, str]] = {
        "merges": "opportunities are not merged",
        "search": "lists are no search index",
        "cursors": "a list ends with a page that is not full; an offset that comes again: see below",
    }

    def prepare(self, standin: StandIn) -> None:
        standin.put("staff", 2, firstname="Ana", lastname="Alvarez", email="ana@example.com")
        standin.put("company", 1, name="Acme", type="client")

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        return standin.put("opportunity", None, name=f"Deal {number}", company=1, owner=2, amount=f"{amount}.00")

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        standin.put("opportunity", id, amount=f"{amount}.00")

    def delete(self, standin: StandIn, id: str) -> None:
        standin.delete("opportunity", id)

    def restore(self, standin: StandIn, id: str) -> None:
        standin.restore("opportunity", id)

    def source(self, standin: StandIn) -> Table:
        return {
            row.id: (row["name"], int(row["amount"].replace(".", "")), "Acme") for row in standin.rows("opportunity")
        }

    def table(self, link: Link) -> Table:
        return {
            external: (name, amount, account)
            for external, name, amount, account in Deal.objects.filter(
                source=link.connection.source.code, removed_at__isnull=True
            ).values_list("external_id", "name", "amount_minor", "account__name")
        }
