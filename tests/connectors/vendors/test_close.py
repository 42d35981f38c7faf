"""Close: the shared scenarios, and what only an organisation there does."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, ClassVar

import pytest

from salesops.accounts.models import Account
from salesops.activities.models import Activity
from salesops.connectors.choices import OutgoingState, RawState, RunState
from salesops.connectors.models import Outgoing, Stream
from salesops.connectors.rules.proofs import Delivery, Refused
from salesops.connectors.services import connecting, hooks, pushing
from salesops.connectors.services.hooks import Taken
from salesops.connectors.vendors.base import Fault, FaultKind
from salesops.connectors.vendors.close import VENDOR, opportunity
from salesops.deals.models import Deal, StageChange
from salesops.deals.services.deals import edit_deal
from salesops.values.outcomes import Problem
from tests.connectors.compared import deals
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
        return deals(link, ("amount_minor", "account__name", "owner__name"))

    # --- what only an organisation at Close does

    @pytest.fixture
    def org(self, other: StandIn) -> Close:
        """The stand-in, as what it is."""
        assert isinstance(other, Close)
        return other

    def deal(self, id: str) -> Deal:
        return Deal.objects.get(external_id=id)

    def one(self, link: Link, org: Close, **fields: Any) -> str:
        """One more opportunity with these fields, brought in."""
        id = org.put("opportunity", None, **{"lead_id": 1, "user_id": 2, "status_id": 1, "value": 10_000, **fields})
        link.start()
        link.run()
        return id

    def test_its_limits_are_kept(self, link: Link, org: Close) -> None:
        """Those of the documentation: twenty in a second."""
        org.limit_as_documented()
        self.loaded(link, 60)
        assert org.overruns == []

    def test_every_address_ends_with_a_slash(self, link: Link, org: Close) -> None:
        id = self.one(link, org)
        with link.caller() as http:
            VENDOR.fetch(VENDOR.object("opportunity"), [id], http)
        assert {ask.path for ask in org.requests if not ask.path.endswith("/")} == set()

    def test_more_than_may_be_skipped(self, link: Link, org: Close, monkeypatch: pytest.MonkeyPatch) -> None:
        """No list is read by skipping, so that its cap is never met."""
        monkeypatch.setattr(org, "most_skip", {"": 10, "activity": 10})
        self.loaded(link, 45)

    def test_a_row_that_leaves_a_moment_which_is_being_read(self, link: Link, org: Close) -> None:
        """Many share one stamp, and one of those that were read already gets a new one: the rows behind it move up."""
        org.clock.still = True
        ids = [self.make(org, number, number) for number in range(250)]
        org.clock.still = False

        def move(page: int) -> None:
            if org.requests[-1].params.get("_skip") == "99":
                self.edit(org, ids[5], 7_000)
                org.before_page(None)

        org.before_page(move)
        link.start()
        link.run()
        assert len(link.raws("opportunity")) == 250
        self.alike(link)

    @pytest.mark.parametrize(
        ("fields", "amount"),
        [
            ({"value": 50_000, "value_period": "annual"}, 50_000),
            ({"value": 50_000, "value_period": "monthly"}, 600_000),
            ({"value": 50_000, "value_period": "one_time"}, 50_000),
            ({"value": None}, 0),
        ],
    )
    def test_a_value_is_per_period(self, link: Link, org: Close, fields: dict[str, Any], amount: int) -> None:
        """What recurs counts for a year; whole minor units."""
        deal = self.deal(self.one(link, org, **fields))
        assert (deal.amount_minor, deal.currency) == (amount, "USD")

    def test_a_value_of_which_the_year_is_not_told(self) -> None:
        assert opportunity({"value": 5_00, "value_period": "monthly"})["amount"] == 60_00

    def test_stages_and_days(self, link: Link, org: Close) -> None:
        """A day that is expected, one that was won, one that was lost."""
        open_ = self.one(link, org, date_won="2026-08-01")
        won = org.put("opportunity", None, lead_id=1, status_id=2, value=1, date_won="2026-06-01")
        lost = org.put(
            "opportunity", None, lead_id=1, status_id=3, value=1, date_won="2026-09-01", date_lost="2026-06-02"
        )
        link.sync()
        assert link.problems("opportunity") == {}
        found = [self.deal(id) for id in (open_, won, lost)]
        assert [(deal.stage.kind, deal.expected_close_on, deal.closed_on) for deal in found] == [
            ("open", date(2026, 8, 1), None),
            ("won", None, date(2026, 6, 1)),
            ("lost", None, date(2026, 6, 2)),
        ]
        assert found[0].name == "Acme"

    # --- the event log

    def test_a_lead_that_was_merged(self, link: Link, org: Close) -> None:
        """Its opportunities stand under the one that stayed; both ids mean that one."""
        org.put("lead", 3, name="Acme Ltd")
        id = self.one(link, org)
        org.merge("lead", 1, 3)
        link.sync()
        stays = Account.objects.get(name="Acme Ltd", removed_at=None, merged_into=None)
        assert self.deal(id).account == stays
        gone = link.raws("lead")[org.identity("lead", 1)]
        assert (gone.state, gone.merged_into) == (RawState.DELETED, org.identity("lead", 3))

    def test_many_deletions_at_once(self, link: Link, org: Close) -> None:
        """More than a page of the log; none of before is looked at again."""
        ids = self.loaded(link, 130)
        for id in ids[:120]:
            org.delete("opportunity", id)
        link.sync()
        self.alike(link)
        asked = len(org.asked("/api/v1/event/"))
        link.sync()
        assert len(org.asked("/api/v1/event/")) == asked + 3, "one page for opportunities, two for leads"

    def test_a_log_that_no_longer_reaches_back(self, link: Link, org: Close) -> None:
        """After more than thirty days all is read anew, and what no longer comes is gone."""
        ids = self.loaded(link, 25)
        org.delete("opportunity", ids[3])
        link.sync(after=40 * 86_400)
        assert link.last_run().state == RunState.DONE, link.last_run().error
        self.alike(link)
        assert link.states("opportunity")[ids[3]] == RawState.DELETED
        self.edit(org, ids[4], 4)
        asked = len(org.asked("/api/v1/opportunity/"))
        link.sync()
        self.alike(link)
        assert len(org.asked("/api/v1/opportunity/")) == asked + 1, "and then it follows again"

    def test_a_cursor_of_the_log_that_is_no_longer_known(
        self, link: Link, org: Close, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Found while deletions are read: all rows are read once more before anything is taken away."""
        self.loaded(link, 25)
        real = type(VENDOR).deletions
        refused: list[Any] = []

        def deletions(self: Any, object: Any, ask: Any, http: Any) -> Any:
            if object.code == "opportunity" and not refused:
                refused.append(ask)
                raise Fault(FaultKind.GONE, Problem.of("gone", "Invalid cursor"))
            return real(self, object, ask, http)

        monkeypatch.setattr(type(VENDOR), "deletions", deletions)
        link.sync()
        assert refused
        assert link.last_run().counts["opportunity"].get("removed", 0) == 0
        self.alike(link)
        assert len(self.table(link)) == 25

    def test_what_was_deleted_before_a_reload_is_gone_after_it(self, link: Link, org: Close) -> None:
        ids = self.loaded(link, 5)
        org.delete("opportunity", ids[1])
        connecting.resync(actor=link.actor, connection=link.connection, at=link.at)
        link.run()
        self.alike(link)

    def test_status_changes_and_calls(self, other: StandIn, org: Close, cast: Any) -> None:
        """An edited call is told by the log alone: its list knows only when calls were made."""
        self.prepare(org)
        org.put("contact", 4, lead_id=1, name="Bo Berg", emails=[{"email": "bo@acme.example", "type": "office"}])
        link = Link(cast.actor("rita"), org).connect("close")
        link.want("user", "lead", "contact", "opportunity", "status_change", "call")
        call = org.put("activity.call", None, lead_id=1, user_id=2, note="First", duration=61, direction="outbound")
        id = self.one(link, org, contact_id=4)
        org.put("opportunity", id, status_id=2)
        link.sync()
        assert list(link.problems()) == [org.me], "nobody here has the e-mail of the API's own user"
        assert str(self.deal(id).contact) == "Bo Berg"
        assert self.deal(id).stage.kind == "won"
        assert set(link.states("status_change").values()) == {RawState.TAKEN}
        assert StageChange.objects.filter(deal=self.deal(id)).count() == 2
        found = Activity.objects.get(external_id=call)
        assert (found.kind, found.subject, found.duration_minutes) == ("call", "First", 1)
        org.put("activity.call", call, note="First, corrected")
        link.sync()
        assert Activity.objects.get(external_id=call).subject == "First, corrected"
        org.delete("activity.call", call)
        link.sync()
        assert link.states("call")[call] == RawState.DELETED

    # --- webhooks

    def tell(self, link: Link, org: Close, *, since: int = 0) -> list[Any]:
        """Have everything pushed that happened, twice and in another order; let the inbox bring it in."""
        received = [
            hooks.receive(
                connection=link.connection,
                delivery=Delivery(each.method, each.url, each.headers, each.body, link.at),
            )
            for each in org.hook_deliveries(since=since, twice=True, shuffle=5, at=link.at)
        ]
        link.at += timedelta(seconds=5)
        link.run()
        return received

    def test_what_is_pushed(self, org: Close, cast: Any, monkeypatch: pytest.MonkeyPatch, other: StandIn) -> None:
        """Created, changed, deleted and merged: brought in without a sweep."""
        self.prepare(org)
        org.put("lead", 3, name="Acme Ltd")
        link = Link(cast.actor("rita"), org).connect("close", secrets={"webhook_secret": org.hook_secret})
        link.want("user", "lead", "opportunity")
        ids = self.loaded(link, 5)
        seen, lists = org.log[-1].number, len(org.asked("/api/v1/opportunity/", "GET"))
        self.edit(org, ids[0], 777)
        org.delete("opportunity", ids[1])
        org.merge("lead", 1, 3)
        made = org.put("opportunity", None, lead_id=3, user_id=2, value=5)
        assert {type(each) for each in self.tell(link, org, since=seen)} == {Taken}
        assert {key: each[0] for key, each in self.table(link).items()} == {
            row.id: row["value"] for row in org.rows("opportunity")
        }
        assert {deal.account.name for deal in Deal.objects.filter(removed_at=None) if deal.account} == {"Acme Ltd"}
        assert made in self.table(link)
        asked = [ask.path for ask in org.asked("/api/v1/opportunity/", "GET")[lists:]]
        assert "/api/v1/opportunity/" not in asked

    def test_a_push_with_another_secret_is_refused(self, org: Close, cast: Any, other: StandIn) -> None:
        self.prepare(org)
        link = Link(cast.actor("rita"), org).connect("close", secrets={"webhook_secret": org.hook_secret})
        self.make(org, 1, 1)
        org.hook_secret = "00" * 32
        each = org.hook_deliveries(at=link.at)[-1]
        sent = Delivery(each.method, each.url, each.headers, each.body, link.at)
        assert isinstance(hooks.receive(connection=link.connection, delivery=sent), Refused)

    # --- writing

    def edited(self, link: Link, id: str, amount: int) -> None:
        """Rita changes an amount in the portal, which is the newest's."""
        Stream.objects.filter(connection=link.connection, object="opportunity").update(masters={"amount": "newest"})
        deal = self.deal(id)
        edit_deal(actor=link.actor, deal_id=deal.pk, version=deal.version, at=link.at, changes={"amount_minor": amount})
        Deal.objects.filter(pk=deal.pk).update(updated_at=link.at)

    def push(self, link: Link) -> None:
        pushing.enqueue_all(at=link.at)
        link.run()

    def test_an_amount_is_written_back_as_that_of_its_period(self, link: Link, org: Close) -> None:
        id = self.one(link, org, value=10_000, value_period="monthly")
        self.edited(link, id, 240_000)
        self.push(link)
        assert org.row("opportunity", id)["value"] == 20_000
        link.sync()
        self.push(link)
        assert len(org.asked("/api/v1/opportunity/", "PUT")) == 1
        assert self.deal(id).amount_minor == 240_000

    def test_an_amount_without_a_twelfth_is_refused(self, link: Link, org: Close) -> None:
        id = self.one(link, org, value=10_000, value_period="monthly")
        self.edited(link, id, 240_001)
        self.push(link)
        change = Outgoing.objects.get()
        assert (change.state, change.error["code"]) == (OutgoingState.REFUSED, "not-a-monthly-value")
        assert org.row("opportunity", id)["value"] == 10_000

    def test_somebody_was_faster(self, link: Link, org: Close) -> None:
        id = self.one(link, org)
        self.edited(link, id, 240_000)
        org.put("opportunity", id, value=99)
        self.push(link)
        assert org.row("opportunity", id)["value"] == 99
        assert Outgoing.objects.get().state == OutgoingState.OVERTAKEN

    # --- who asks

    def test_an_api_key(self, org: Close, cast: Any, other: StandIn) -> None:
        """As the user of HTTP Basic; no sign-in, no renewal."""
        self.prepare(org)
        link = Link(cast.actor("rita"), org).connect("close", secrets={"api_key": org.api_key})
        for grant in org.grants:
            grant.is_revoked = True
        link.want("user", "lead", "opportunity")
        self.loaded(link, 3)
        assert org.refreshes == 0
        assert (link.connection.account_id, link.connection.account_name) == (org.org, "Acme")

    def test_where_a_company_is_shown(self) -> None:
        assert VENDOR.link(VENDOR.object("lead"), "lead_1", {}) == "https://app.close.com/lead/lead_1/"
