"""RingCentral: the shared scenarios; tokens that end, legs of a queue, colleagues."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from salesops.connectors.vendors import vendor_of
from tests.connectors.calling import ActivityConformance, activity, sue
from tests.connectors.conformance import Table
from tests.connectors.linking import Link
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.ringcentral import RingCentral


class TestRingCentral(ActivityConformance):
    """Calls that Ana made."""

    vendor = "ringcentral"
    standin = RingCentral
    object = "calls"
    needs = ("extensions",)
    path = "/restapi/v1.0/account/~/call-log"
    options: ClassVar[dict[str, str]] = {"country": "CH"}
    lacks: ClassVar[dict[str, str]] = {
        "merges": "calls are not merged",
        "restores": "what was deleted from the log does not come back",
        "search": "the log is no search index",
        "limit_403": "limits are told by 429",
    }

    def prepare(self, standin: StandIn) -> None:
        standin.put("extension", 2, extensionNumber="801", name="Ana Alvarez", contact={"email": "ana@example.com"})

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        began = standin.clock.now - timedelta(hours=2)
        return f"s{standin.put('call', None, duration=60 * amount, startTime=began)}"

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        standin.put("call", id[1:], duration=60 * amount)

    def delete(self, standin: StandIn, id: str) -> None:
        standin.delete("call", id[1:])

    def external(self, link: Link, id: str) -> str:
        return id

    def source(self, standin: StandIn) -> Table:
        return {row["sessionId"]: (row["duration"] // 60, "ana@example.com") for row in standin.rows("call")}

    def test_a_token_that_ended_has_all_read_once_more(self, link: Link) -> None:
        ids = self.loaded(link)
        ringcentral = link.standin
        assert isinstance(ringcentral, RingCentral)
        self.edit(ringcentral, ids[3], 900)
        ringcentral.forgotten = 1_000
        link.sync()
        self.alike(link)
        syncs = [ask.params["syncType"] for ask in ringcentral.asked(f"{self.path}-sync")]
        assert syncs == ["FSync", "ISync", "FSync"]

    def test_legs_of_a_queue_are_one_call(self, link: Link) -> None:
        contact = sue()
        at = link.standin.clock.now
        ends = {"from": {"phoneNumber": "+41791234567", "name": "Sue"}, "to": {"phoneNumber": "+41440000000"}}
        legs = [
            {"startTime": link.standin.moment(at), "duration": 205, "result": "Accepted", "legType": "Accept"},
            {
                "startTime": link.standin.moment(at + timedelta(seconds=25)),
                "duration": 180,
                "result": "Call connected",
                "extension": {"id": 2},
            },
            {"startTime": link.standin.moment(at), "duration": 20, "result": "No Answer", "extension": {"id": 3}},
        ]
        id = link.standin.put("call", None, **ends, direction="Inbound", duration=205, extension=None, legs=legs)
        link.start().run()
        made = activity(link, f"s{id}")
        assert (made.direction, made.outcome, made.duration_minutes) == ("inbound", "reached", 3)
        assert (made.person.email, made.contact_id) == ("ana@example.com", contact.pk)
        assert made.account_id == contact.account_id

    def test_colleagues_and_calls_that_go_on_are_left(self, link: Link) -> None:
        link.standin.put("call", None, to={"phoneNumber": "+41440000001", "extensionId": "3"})
        going_on = link.standin.put("call", None, result="In Progress")
        link.start().run()
        assert link.raws("calls") == {}
        link.standin.put("call", going_on, result="Missed", duration=12)
        link.sync()
        made = activity(link, f"s{going_on}")
        assert (made.outcome, made.duration_minutes) == ("no_answer", None)

    def test_deleted_while_paging_loses_no_other(self, link: Link) -> None:
        ids = [self.make(link.standin, number, 100 + number) for number in range(35)]
        link.standin.before_page(lambda page: self.delete(link.standin, ids[34 - page]) if page in (4, 5) else None)
        link.start().run()
        link.standin.before_page(None)
        link.sync()
        self.alike(link)
        assert len(self.table(link)) == 33

    def test_a_webhook_has_the_log_read(self, link: Link) -> None:
        self.make(link.standin, 1, 5)
        delivery = link.standin.hook_deliveries(objects=["call"])[0]
        [event] = vendor_of("ringcentral").events(delivery.body, delivery.headers)
        assert (event.object, event.raw) == ("calls", None)
