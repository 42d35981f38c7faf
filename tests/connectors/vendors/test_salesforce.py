"""Salesforce: the shared scenarios, and what only an org does."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from salesops.connectors.choices import RawState, RunState
from salesops.connectors.vendors.base import Fault, FaultKind
from salesops.connectors.vendors.salesforce import VENDOR
from salesops.connectors.wire import Reply
from salesops.deals.models import Deal, StageChange
from tests.connectors.compared import deals
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
        return deals(link)

    def test_what_is_kept_of_a_new_record(self, link: Link) -> None:
        (id,) = self.loaded(link, 1)
        raw = link.raws("Opportunity")[id]
        deal = Deal.objects.get(external_id=id)
        told = json.loads(raw.payload)
        assert (told["Id"], told["Name"], told["Amount"]) == (id, "Deal 0", 100)
        assert (raw.stream, raw.state, raw.record_id) == (link.stream("Opportunity"), RawState.TAKEN, deal.pk)
        assert (raw.told, raw.problems, raw.is_gone, raw.merged_into, raw.hold) == ("", [], False, "", None)
        assert (raw.received_at, raw.changed["amount_minor"]) == (link.at, [None, 100_00])
        (move,) = StageChange.objects.filter(deal=deal)
        assert (move.from_stage, move.to_stage, move.amount_minor) == (None, deal.stage, 100_00)
        assert (move.changed_at, move.changed_by, move.source, move.external_id) == (
            deal.stage_entered_at,
            None,
            "",
            "",
        )

    @pytest.mark.parametrize("name", ["half \ud800 of a pair", "a zero \x00 byte"])
    def test_signs_that_no_database_keeps_stop_no_other_record(self, link: Link, name: str) -> None:
        self.loaded(link, 2)
        odd = self.make(link.standin, 2, 1)
        link.standin.put("Opportunity", odd, Name=name)
        even = self.make(link.standin, 3, 1)
        run = link.sync()
        assert run.state == RunState.DONE, run.error
        assert link.states("Opportunity")[even] == RawState.TAKEN
        assert json.loads(link.raws("Opportunity")[odd].payload)["Name"] == name


@pytest.mark.parametrize(("rows", "asked"), [(500, 9), (1, 4001), (0, 1)])
def test_a_batch_whose_rest_never_ends_is_stopped(rows: int, asked: int) -> None:
    """Whether it gives rows again and again, or none and says that there are more."""

    class Locator:
        settings: ClassVar[dict[str, str]] = {}
        asked = -1

        def get(self, url: str, params: object = None, **_more: object) -> Reply:
            self.asked += 1
            assert self.asked < 5_000, "it was asked without an end"
            records = [{"Id": f"001{number}"} for number in range(rows)]
            body = {"done": False, "records": records if self.asked else [], "nextRecordsUrl": "/query/01g-1"}
            return Reply(200, {}, json.dumps(body).encode(), "https://acme.my.salesforce.com/")

    http: Any = Locator()
    with pytest.raises(Fault) as told:
        VENDOR._query(http, "SELECT Id FROM Account")
    assert told.value.kind is FaultKind.ENDLESS
    assert http.asked == asked


def test_a_batch_whose_rest_is_empty_is_over() -> None:
    class Locator:
        settings: ClassVar[dict[str, str]] = {}
        bodies: ClassVar[list[dict[str, Any]]] = [
            {"done": False, "records": [{"Id": "001A"}], "nextRecordsUrl": "/query/01g-1"},
            {"done": True, "records": []},
        ]

        def get(self, url: str, params: object = None, **_more: object) -> Reply:
            return Reply(200, {}, json.dumps(self.bodies.pop(0)).encode(), "https://acme.my.salesforce.com/")

    http: Any = Locator()
    assert VENDOR._query(http, "SELECT Id FROM Account")["records"] == [{"Id": "001A"}]
