"""Outreach: the shared scenarios, its media type, its slow mint of tokens, what is in the bin."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from salesops.connectors.choices import RunState
from tests.connectors.compared import deals
from tests.connectors.conformance import Conformance, Table
from tests.connectors.linking import Link
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.outreach import Outreach


class TestOutreach(Conformance):
    """Opportunities of one account."""

    vendor = "outreach"
    standin = Outreach
    object = "opportunities"
    needs = ("users", "accounts")
    path = "/api/v2"
    lacks: ClassVar[dict[str, str]] = {
        "merges": "Outreach does not merge opportunities",
        "search": "lists read the database, not a search index",
    }

    def prepare(self, standin: StandIn) -> None:
        standin.put("user", 2, email="ana@example.com", name="Ana Alvarez")
        standin.put("account", 1, name="Acme")

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        if number == 0:
            standin.clock.advance(61)  # a token at most every 60 seconds
        return standin.put(
            "opportunity",
            None,
            name=f"Deal {number}",
            amountPrecise=f"{amount}.25",
            closeDate="2026-07-01",
            owner=("user", 2),
            account=("account", 1),
        )

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        standin.put("opportunity", id, amountPrecise=f"{amount}.25")

    def delete(self, standin: StandIn, id: str) -> None:
        """To the bin, as Outreach does it."""
        assert isinstance(standin, Outreach)
        standin.trash(id)

    def restore(self, standin: StandIn, id: str) -> None:
        standin.put("opportunity", id, trashedAt=None)

    def external(self, link: Link, id: str) -> str:
        return id

    def source(self, standin: StandIn) -> Table:
        return {
            row.id: (row["name"], int(Decimal(row["amountPrecise"]) * 100), "Acme")
            for row in standin.rows("opportunity")
            if row["trashedAt"] is None
        }

    def table(self, link: Link) -> Table:
        return deals(link)

    def test_a_second_token_within_a_minute_waits(self, link: Link) -> None:
        """The mint answers 429: nothing is lost, the sign-in is still good."""
        self.loaded(link)
        self.make(link.standin, 7, 7)
        link.standin.faults.add("expire_token", when=self.path, nth=1, times=1)
        link.sync(after=600)
        for grant in link.standin.grants:
            grant.access.clear()
        link.sync(after=1)
        assert link.last_run().state in (RunState.FAILED, RunState.WAITING)
        assert link.connection.state == "running"
        link.sync(after=3600)
        self.alike(link)
