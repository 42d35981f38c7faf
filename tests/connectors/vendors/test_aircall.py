"""Aircall: the shared scenarios; ringing is not talking, recordings stay where they are, nobody's calls."""

from __future__ import annotations

from typing import ClassVar

from salesops.connectors.vendors import vendor_of
from tests.connectors.calling import ActivityConformance, activity, sue
from tests.connectors.conformance import Table
from tests.connectors.linking import Link
from tests.connectors.standins.aircall import Aircall
from tests.connectors.standins.base import StandIn


class TestAircall(ActivityConformance):
    """Calls of Ana; what is compared is what she wrote about them, for a call itself does not change."""

    vendor = "aircall"
    standin = Aircall
    object = "calls"
    needs = ("users",)
    path = "/v1/calls"
    options: ClassVar[dict[str, str]] = {"api_id": Aircall.api_id, "country": "CH"}
    secrets: ClassVar[dict[str, str]] = {"api_token": Aircall.api_token}
    lacks: ClassVar[dict[str, str]] = {
        "deletes": "Aircall deletes no calls, it archives them",
        "merges": "calls are not merged",
        "tokens": "a key, no sign-in",
        "search": "the list is no search index",
        "limit_403": "limits are told by 429",
    }

    def prepare(self, standin: StandIn) -> None:
        standin.put("user", 2, name="Ana Alvarez", email="ana@example.com")

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        assert isinstance(standin, Aircall)
        at = standin.moment(standin.clock.now) - 3600
        told = [{"content": str(amount), "posted_at": at}]
        moments = {"started_at": at - 90, "answered_at": at - 80, "ended_at": at}
        return standin.put("call", None, user="2", comments=told, **moments)

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        assert isinstance(standin, Aircall)
        standin.comment(id, str(amount))

    def source(self, standin: StandIn) -> Table:
        return {
            row.id: ("\n".join([*(each["content"] for each in row["comments"]), row["asset"]]),)
            for row in standin.rows("call")
        }

    def table(self, link: Link) -> Table:
        return {external: (activity(link, external).note,) for external in super().table(link)}

    def test_ringing_is_not_talking(self, link: Link) -> None:
        contact = sue()
        at = 1_781_690_000
        id = link.standin.put(
            "call", None, user="2", started_at=at, answered_at=at + 40, ended_at=at + 220, duration=220,
            contact={"first_name": "Sue", "last_name": "Sutter"},
        )  # fmt: skip
        missed = link.standin.put(
            "call", None, user="2", direction="inbound", started_at=at, answered_at=None, ended_at=at + 30, duration=30
        )
        link.start().run()
        made = activity(link, id)
        assert (made.duration_minutes, made.outcome, made.direction) == (3, "reached", "outbound")
        assert (made.contact_id, made.account_id) == (contact.pk, contact.account_id)
        assert made.subject == "Sue Sutter +41791234567"
        assert made.happened_at is not None
        assert made.happened_at.timestamp() == at
        unanswered = activity(link, missed)
        assert (unanswered.duration_minutes, unanswered.outcome, unanswered.direction) == (None, "no_answer", "inbound")

    def test_recordings_are_links_that_last(self, link: Link) -> None:
        id = self.make(link.standin, 1, 5)
        link.start().run()
        assert activity(link, id).note == f"5\nhttps://assets.aircall.io/calls/{id}/recording"
        assert "bucket.example.com" not in link.raws("calls")[id].payload

    def test_calls_that_are_nobodys_or_go_on_are_left(self, link: Link) -> None:
        team = link.standin.put("call", None, user=None)
        going_on = link.standin.put("call", None, user="2", status="answered", ended_at=None)
        link.start().run()
        assert self.table(link) == {}
        link.standin.put("call", going_on, status="done", ended_at=link.standin.moment(link.standin.clock.now))
        link.sync()
        assert list(self.table(link)) == [going_on]
        assert team not in link.raws("calls")

    def test_webhooks_of_calls_that_go_on_ask_nothing(self, link: Link) -> None:
        link.standin.put("call", 7, user="2", status="answered", ended_at=None)
        link.standin.put("call", 7, status="done", ended_at=1)
        aircall = vendor_of("aircall")
        deliveries = link.standin.hook_deliveries(objects=["call"])
        link.standin.drift("call", 7, status="answered")
        ringing = link.standin.hook_deliveries(objects=["call"])[0]
        assert [event.object for event in aircall.events(ringing.body, ringing.headers)] == [""]
        [event] = aircall.events(deliveries[1].body, deliveries[1].headers)
        assert (event.object, event.external_id, event.raw) == ("calls", "7", None)

    def test_one_call_can_be_fetched(self, link: Link) -> None:
        id = self.make(link.standin, 1, 5)
        with link.caller() as http:
            found = http.vendor.fetch(http.vendor.object("calls"), [id, "9"], http)
        assert [(raw.external_id, raw.is_deleted) for raw in found] == [(id, False), ("9", True)]
