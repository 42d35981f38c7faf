"""HubSpot: the shared scenarios, and what only a portal does."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from salesops.accounts.models import Account
from salesops.connectors.choices import OutgoingState, RawState, RunState
from salesops.connectors.models import Connection, Outgoing, Stream
from salesops.connectors.rules.proofs import Delivery, Refused
from salesops.connectors.services import connecting, hooks, pushing
from salesops.connectors.services.hooks import Taken
from salesops.connectors.vendors.hubspot import VENDOR
from salesops.connectors.wire import Reply
from salesops.deals.models import Deal, DealLine, DealSplit, StageChange
from salesops.deals.services.deals import edit_deal
from tests.connectors.compared import deals
from tests.connectors.conformance import Conformance, Table
from tests.connectors.linking import Link
from tests.connectors.standins import hubspot as standin_of_hubspot
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.hubspot import HubSpot


def told(id: int, label: str | None = None) -> dict[str, Any]:
    """A record that another one is associated with."""
    return {"toObjectId": id, "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": 5, "label": label}]}


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
        return deals(link)

    # --- what only a portal does

    @pytest.fixture
    def portal(self, other: StandIn) -> HubSpot:
        """The stand-in, as what it is."""
        assert isinstance(other, HubSpot)
        return other

    def deal(self, id: str) -> Deal:
        return Deal.objects.get(external_id=id)

    def one(self, link: Link, portal: HubSpot, **fields: Any) -> str:
        """One more deal with these properties, brought in."""
        id = portal.put("deals", None, **{"dealname": "One", "amount": "100", **fields})
        portal.associate("deals", id, "companies", 2)
        link.start()
        link.run()
        return id

    def test_its_limits_are_kept(self, link: Link, portal: HubSpot) -> None:
        """Those of the documentation: 110 in ten seconds, five searches in one."""
        portal.limit_as_documented()
        self.loaded(link, 120)
        assert portal.overruns == []

    def test_more_than_a_search_gives(self, link: Link, portal: HubSpot, monkeypatch: pytest.MonkeyPatch) -> None:
        """A search gives no row behind its cap: none is asked for, whatever shares a moment."""
        monkeypatch.setattr(standin_of_hubspot, "MOST", 20)
        portal.clock.still = True
        for number in range(30):
            self.make(portal, number, number)
        portal.clock.still = False
        self.loaded(link, 45)
        assert len(link.raws("deals")) == 75

    @pytest.mark.parametrize(("policy", "waits"), [("SECONDLY", 1), ("TEN_SECONDLY_ROLLING", 10), ("DAILY", 3600)])
    def test_a_limit_says_for_how_long(self, link: Link, portal: HubSpot, policy: str, waits: int) -> None:
        """By its name, where no header does."""
        self.loaded(link, 3)
        refusal = portal._too_many(policy, None)
        said = VENDOR.verdict(Reply(429, {}, refusal.content(), portal.origin))
        assert said is not None
        assert said.wait == timedelta(seconds=waits)

    def test_the_owner_is_not_the_user(self, link: Link, portal: HubSpot) -> None:
        """Owners are matched by e-mail, those who left too."""
        portal.owner(8, email="sam@example.com", first="Sam", last="Sorensen")
        portal.delete("owners", 8)
        mine = self.one(link, portal, hubspot_owner_id=7)
        his = portal.put("deals", None, dealname="Two", hubspot_owner_id=8)
        nobodys = portal.put("deals", None, dealname="Three", hubspot_owner_id=500_007)
        for id in (his, nobodys):
            portal.associate("deals", id, "companies", 2)
        link.sync()
        assert [str(self.deal(id).owner) for id in (mine, his)] == ["Ana Alvarez", "Sam Sorensen"]
        assert self.deal(nobodys).owner is None, "the id of Ana's user means nobody"

    def test_stages_are_known_by_their_ids(self, other: StandIn, portal: HubSpot, cast: Any) -> None:
        """Of every pipeline: what is closed there is closed here."""
        self.prepare(portal)
        portal.pipeline("deals", "998", "Renewals", [("100", "Renewed", True, "1.0"), ("200", "Gone", True, "0.0")])
        link = Link(cast.actor("rita"), portal).connect("hubspot").want("owners", "companies", "deals")
        won = self.one(link, portal, pipeline="998", dealstage="100", closedate="2026-05-01T00:00:00Z")
        lost = portal.put(
            "deals",
            None,
            dealname="Two",
            pipeline="998",
            dealstage="200",
            closed_lost_reason="Price",
            closedate="2026-05-02T00:00:00Z",
        )
        portal.associate("deals", lost, "companies", 2)
        link.sync()
        assert link.problems() == {}
        assert [self.deal(id).stage.kind for id in (won, lost)] == ["won", "lost"]
        assert self.deal(lost).lost_because == "Price"

    @pytest.mark.parametrize(
        ("told", "day"),
        [
            ("2026-07-01T00:00:00Z", date(2026, 7, 1)),
            ("2026-07-01T00:00:00.000Z", date(2026, 7, 1)),
            ("2026-07-01T03:30:00.000Z", date(2026, 6, 30)),
            ("2026-07-01T17:30:00Z", date(2026, 7, 1)),
        ],
    )
    def test_the_day_of_closing(self, other: StandIn, portal: HubSpot, cast: Any, told: str, day: date) -> None:
        """Midnight UTC is a bare day; a time is one of the account's zone."""
        portal.time_zone = "America/New_York"
        self.prepare(portal)
        link = Link(cast.actor("rita"), portal).connect("hubspot").want("owners", "companies", "deals")
        assert self.deal(self.one(link, portal, closedate=told)).expected_close_on == day

    @pytest.mark.parametrize(
        ("amount", "currency", "stands"),
        [
            ("5000.00", None, (500_000, "EUR")),
            ("3000", "USD", (300_000, "USD")),
            ("", "USD", (0, "USD")),
            (None, None, (0, "EUR")),
            ("1234567.89", "GBP", (123_456_789, "GBP")),
            ("5000", "JPY", (5_000, "JPY")),
        ],
    )
    def test_amounts(
        self, link: Link, portal: HubSpot, amount: str | None, currency: str | None, stands: tuple[int, str]
    ) -> None:
        """Exact text; beside which no currency stands, that of the account."""
        deal = self.deal(self.one(link, portal, amount=amount, deal_currency_code=currency))
        assert (deal.amount_minor, deal.currency) == stands

    def test_the_primary_company(self, link: Link, portal: HubSpot) -> None:
        """Of several, also where their list goes on: the one that is marked, else the first."""
        portal.association_page = 1
        portal.put("companies", 3, name="Beta")
        id = self.one(link, portal)
        assert str(self.deal(id).account) == "Acme"
        portal.dissociate("deals", id, "companies", 2)
        portal.associate("deals", id, "companies", 3, 2)
        link.sync(after=1)
        assert str(self.deal(id).account) == "Beta"

    def test_the_primary_company_need_not_be_the_first(self) -> None:
        """It may come later, on a later page too."""

        class Http:
            pages: ClassVar[list[Any]] = [
                {"from": {"id": "1"}, "to": [told(5), told(6)], "paging": {"next": {"after": "6"}}},
                {"from": {"id": "1"}, "to": [told(7), told(8, "Primary")]},
            ]

            def send(self, *_asked: Any, **_more: Any) -> Reply:
                return Reply(200, {}, json.dumps({"results": [self.pages.pop(0)]}).encode(), "")

        links = VENDOR._links(VENDOR.object("line_items"), ["1"], Http())  # type: ignore[arg-type]
        assert links == {"1": {"deals": "8"}}

    def test_a_company_that_was_merged(self, link: Link, portal: HubSpot) -> None:
        """Its deals stand under the one that stayed; both ids mean that one."""
        portal.put("companies", 3, name="Acme Ltd")
        id = self.one(link, portal)
        portal.merge("companies", 2, 3)
        link.sync()
        assert self.deal(id).account == Account.objects.get(name="Acme Ltd", merged_into=None, removed_at=None)
        assert link.raws("companies")["2"].merged_into == "3"
        portal.put("deals", id, amount="1")
        link.sync()
        assert str(self.deal(id).account) == "Acme Ltd"

    def test_what_was_deleted_before_a_reload_is_gone_after_it(self, link: Link, portal: HubSpot) -> None:
        ids = self.loaded(link, 5)
        portal.delete("deals", ids[1])
        connecting.resync(actor=link.actor, connection=link.connection, at=link.at)
        link.run()
        self.alike(link)
        assert link.states("deals")[ids[1]] == RawState.DELETED

    def test_lines_splits_history_and_activities(self, other: StandIn, portal: HubSpot, cast: Any) -> None:
        self.prepare(portal)
        portal.owner(8, email="sam@example.com")
        portal.put("products", 5, name="Seat", hs_sku="S-1", price="10")
        portal.put("contacts", 6, firstname="Bo", lastname="Berg", email="bo@acme.example", associatedcompanyid=2)
        portal.put("contacts", 66, firstname="No", lastname="Company")
        link = Link(cast.actor("rita"), portal).connect("hubspot")
        link.want(
            "owners", "products", "companies", "contacts", "deals", "line_items", "deal_splits", "deal_stage_history",
            "calls",
        )  # fmt: skip
        id = portal.put("deals", None, dealname="One", amount="100", hubspot_owner_id=7)
        portal.associate("deals", id, "companies", 2)
        portal.associate("deals", id, "contacts", 6)
        portal.put("line_items", 9, name="Seats", quantity="10", price="10", amount="90", hs_product_id="5",
                   hs_discount_percentage="10")  # fmt: skip
        portal.associate("line_items", 9, "deals", id)
        portal.splits[id] = {"7": "60", "8": "40"}
        portal.put("calls", 11, hs_call_title="First call", hs_timestamp=datetime(2026, 6, 1, 9, 30, tzinfo=UTC),
                   hubspot_owner_id=7, hs_call_direction="OUTBOUND")  # fmt: skip
        portal.associate("calls", 11, "deals", id)
        portal.put("deals", id, dealstage="contractsent")
        link.start()
        link.run()
        assert link.problems() == {}
        deal = self.deal(id)
        assert str(deal.contact) == "Bo Berg"
        line = DealLine.objects.get(deal=deal)
        assert (line.external_id, str(line.product), line.amount_minor, line.unit_price_minor) == (
            "9",
            "Seat",
            9_000,
            1_000,
        )
        assert {(str(each.person), each.share_bp) for each in DealSplit.objects.filter(deal=deal)} == {
            ("Ana Alvarez", 6_000),
            ("Sam Sorensen", 4_000),
        }
        assert set(link.states("deal_stage_history").values()) == {RawState.TAKEN}
        changes = StageChange.objects.filter(deal=deal).values_list("to_stage__name", "external_id")
        assert set(changes) == {
            ("Qualified", next(iter(link.raws("deal_stage_history")))),
            ("Proposal", ""),  # the one that was noted when the deal came in
        }
        assert link.stream("contacts").records.count() == 1
        (call,) = link.raws("calls").values()
        assert call.state == RawState.TAKEN
        portal.splits[id] = {"7": "100"}
        link.sync()
        assert [(str(each.person), each.share_bp) for each in DealSplit.objects.filter(deal=deal)] == [
            ("Ana Alvarez", 10_000)
        ]

    def test_an_object_that_may_not_be_seen_is_not_offered(
        self, other: StandIn, portal: HubSpot, cast: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A right that the app was not given is no reason to fail."""
        monkeypatch.delitem(standin_of_hubspot.NAMES, "leads")
        link = Link(cast.actor("rita"), portal).connect("hubspot")
        objects = set(link.connection.streams.values_list("object", flat=True))
        assert "deals" in objects
        assert "leads" not in objects

    # --- webhooks

    def tell(self, link: Link, portal: HubSpot, *, since: int = 0, **more: Any) -> list[Any]:
        """Have the portal push what happened, each in another order and twice; let the inbox bring it in."""
        portal.client_secret = HubSpot.client_secret
        received = []
        for delivery in portal.hook_deliveries(since=since, twice=True, shuffle=7, at=link.at, **more):
            received.append(
                hooks.receive(
                    connection=link.connection,
                    delivery=Delivery(delivery.method, delivery.url, delivery.headers, delivery.body, link.at),
                )
            )
        link.at += timedelta(seconds=5)
        link.run()
        return received

    @pytest.mark.parametrize("version", ["v1", "v3"])
    @pytest.mark.parametrize("is_generic", [False, True])
    def test_what_is_pushed(self, link: Link, portal: HubSpot, version: str, is_generic: bool) -> None:
        """Created, changed, deleted, merged, restored and forgotten: brought in without a sweep."""
        portal.signature_version, portal.is_generic = version, is_generic
        ids = self.loaded(link, 6)
        seen = portal.log[-1].number
        portal.put("deals", ids[0], amount="777")
        portal.delete("deals", ids[1])
        portal.merge("deals", ids[2], ids[3])
        portal.forget("deals", ids[4])
        self.make(portal, 50, 50)
        searches = len(portal.asked("/crm/v3/objects/deals/search"))
        assert {type(each) for each in self.tell(link, portal, since=seen)} == {Taken}
        self.alike(link)
        seen = portal.log[-1].number
        portal.restore("deals", ids[1])
        self.tell(link, portal, since=seen)
        self.alike(link)
        assert len(self.table(link)) == 5
        assert link.raws("deals")[ids[2]].merged_into == ids[3]
        assert len(portal.asked("/crm/v3/objects/deals/search")) == searches

    def test_what_others_push_is_not_kept(self, link: Link, portal: HubSpot) -> None:
        """One address serves all accounts of an app: those of other accounts are nobody's here."""
        self.loaded(link, 1)
        assert link.connection.account_id == "62515"
        portal.portal_id = 1
        self.tell(link, portal)
        assert not link.connection.webhook_events.exists()

    def test_a_push_with_another_secret_is_refused(self, link: Link, portal: HubSpot) -> None:
        self.loaded(link, 1)
        (delivery,) = portal.hook_deliveries(objects=["deals"], at=link.at)
        sent = Delivery(delivery.method, delivery.url, delivery.headers, delivery.body + b" ", link.at)
        assert isinstance(hooks.receive(connection=link.connection, delivery=sent), Refused)

    # --- writing

    def test_edits_here_reach_the_portal_once(self, link: Link, portal: HubSpot) -> None:
        id = self.one(link, portal, closedate="2026-07-01T00:00:00Z", hs_next_step="")
        masters = {"next_step": "portal", "amount": "newest", "closed_on": "portal"}
        Stream.objects.filter(connection=link.connection, object="deals").update(masters=masters)
        before = self.deal(id)
        edit_deal(
            actor=link.actor, deal_id=before.pk, version=before.version, at=link.at, changes={"amount_minor": 12_345}
        )
        Deal.objects.filter(pk=before.pk).update(updated_at=link.at)
        self.push(link)
        assert portal.row("deals", id)["amount"] == "123.45"
        link.sync()
        self.push(link)
        assert len(portal.asked("/crm/v3/objects/deals/", "PATCH")) == 1
        assert self.deal(id).amount_minor == 12_345

    def test_somebody_was_faster(self, link: Link, portal: HubSpot) -> None:
        """What changed there since it was read is not overwritten."""
        id = self.one(link, portal)
        Stream.objects.filter(connection=link.connection, object="deals").update(masters={"amount": "newest"})
        before = self.deal(id)
        edit_deal(
            actor=link.actor, deal_id=before.pk, version=before.version, at=link.at, changes={"amount_minor": 12_345}
        )
        Deal.objects.filter(pk=before.pk).update(updated_at=link.at)
        portal.put("deals", id, amount="999")
        self.push(link)
        assert portal.row("deals", id)["amount"] == "999"
        assert Outgoing.objects.get().state == OutgoingState.OVERTAKEN

    def push(self, link: Link) -> None:
        pushing.enqueue_all(at=link.at)
        link.run()

    def test_how_values_are_spelled(self) -> None:
        closes, next_step, renews = (
            next(each for each in VENDOR.object("deals").columns if each.path == path)
            for path in ("closedate", "hs_next_step", "amount")
        )
        assert VENDOR.spell(closes, date(2026, 7, 1)) == "2026-07-01T00:00:00.000Z"
        assert VENDOR.spell(next_step, None) == ""
        assert VENDOR.spell(renews, Decimal("123.40")) == "123.40"

    # --- who asks

    def test_where_a_record_is_shown(self, link: Link) -> None:
        shown = VENDOR.link(VENDOR.object("deals"), "17", link.connection.options)
        assert shown == "https://app.hubspot.com/contacts/62515/record/0-3/17"

    def test_the_token_of_a_private_app(self, other: StandIn, portal: HubSpot, cast: Any) -> None:
        """No sign-in, no renewal."""
        self.prepare(portal)
        link = Link(cast.actor("rita"), portal).connect("hubspot", secrets={"private_token": portal.api_key})
        for grant in portal.grants:
            grant.is_revoked = True
        link.want("owners", "companies", "deals")
        self.loaded(link, 3)
        assert portal.refreshes == 0
        assert link.last_run().state == RunState.DONE
        assert Connection.objects.get().options["currency"] == "EUR"
