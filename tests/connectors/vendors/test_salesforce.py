"""Salesforce: the shared scenarios, and what only an org does."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar

from salesops.deals.models import Deal
from tests.connectors.conformance import Conformance, Table
from tests.connectors.linking import Link
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.salesforce import Salesforce


class TestSalesforce(Conformance):
    """Opportunities of one account."""

    vendor = "salesforce"
    standin = Salesforce
    object = "Opportunity"
    needs = ("User", "Account")
    path = "/services/data"
    lacks: ClassVar[dict[str, str]] = {
        "merges": "opportunities are not merged in Salesforce",
        "search": "SOQL reads the database, not a search index",
        "cursors": "the sweep asks by stamp and id; locators are only used for the rest of a short batch",
    }

    def prepare(self, standin: StandIn) -> None:
        standin.put("User", 2, Name="Ana Alvarez", Email="ana@example.com", IsActive=True)
        standin.put("Account", 1, Name="Acme")

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        return standin.put(
            "Opportunity",
            None,
            Name=f"Deal {number}",
            AccountId=standin.identity("Account", 1),
            OwnerId=standin.identity("User", 2),
            StageName="Prospecting",
            Amount=Decimal(amount),
            CloseDate=date(2026, 7, 1),
        )

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        standin.put("Opportunity", id, Amount=Decimal(amount))

    def source(self, standin: StandIn) -> Table:
        return {
            row.id: (row["Name"], int(Decimal(str(row["Amount"])) * 100), "Acme") for row in standin.rows("Opportunity")
        }

    def table(self, link: Link) -> Table:
        return {
            external: (name, amount, account)
            for external, name, amount, account in Deal.objects.filter(
                source=link.connection.source.code, removed_at__isnull=True
            ).values_list("external_id", "name", "amount_minor", "account__name")
        }
