"""Close: the shared scenarios, and what only an organisation there does."""

from __future__ import annotations

from typing import ClassVar

from salesops.deals.models import Deal
from tests.connectors.conformance import Conformance, Table
from tests.connectors.linking import Link
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.close import Close


class TestClose(Conformance):
    """Opportunities of one lead, which is a company."""

    vendor = "close"
    standin = Close
    object = "opportunity"
    needs = ("user", "lead")
    path = "/api/v1/"
    lacks: ClassVar[dict[str, str]] = {
        "restores": "what was deleted in Close does not come back",
        "merges": "only leads are merged, see test_a_lead_that_was_merged",
        "limit_403": "limits of Close are of seconds and always answered with 429",
    }

    def prepare(self, standin: StandIn) -> None:
        standin.put("user", 2, first_name="Ana", last_name="Alvarez", email="ana@example.com")
        standin.put("lead", 1, name="Acme")

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        return standin.put(
            "opportunity", None, lead_id=1, user_id=2, status_id=1, value=amount * 100, date_won="2026-07-01"
        )

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        standin.put("opportunity", id, value=amount * 100)

    def source(self, standin: StandIn) -> Table:
        return {row.id: (row["value"], "Acme", "Ana Alvarez") for row in standin.rows("opportunity")}

    def table(self, link: Link) -> Table:
        return {
            external: (amount, account, owner)
            for external, amount, account, owner in Deal.objects.filter(
                source=link.connection.source.code, removed_at__isnull=True
            ).values_list("external_id", "amount_minor", "account__name", "owner__name")
        }
