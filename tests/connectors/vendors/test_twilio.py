"""Twilio: the shared scenarios; legs, clients and menus; whom a number reaches."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from salesops.accounts.models import Account, Contact
from salesops.connectors.choices import RawState
from salesops.connectors.vendors import vendor_of
from salesops.leads.models import Lead
from tests.cast import NOW
from tests.connectors.calling import SUE, ActivityConformance, activity, sue
from tests.connectors.conformance import Table
from tests.connectors.linking import Link
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.twilio import SID, Twilio

ANA = "client:ana"


class TestTwilio(ActivityConformance):
    """Calls that Ana made."""

    vendor = "twilio"
    standin = Twilio
    object = "Calls"
    path = f"/2010-04-01/Accounts/{SID}/Calls"
    options: ClassVar[dict[str, str]] = {
        "sid": SID,
        "country": "CH",
        "people": f"{ANA} = ana@example.com\n+41440000000 = ana@example.com",
    }
    secrets: ClassVar[dict[str, str]] = {"auth_token": Twilio.auth_token}
    lacks: ClassVar[dict[str, str]] = {
        "deletes": "the log says nothing of calls that were deleted from it",
        "merges": "calls are not merged",
        "tokens": "a key, no sign-in",
        "search": "the log is no search index",
        "limit_403": "limits are told by 429",
    }

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        began = standin.clock.now - timedelta(hours=1)
        ends = {"from": "+41440000000", "to": SUE}
        return standin.put("call", None, **ends, duration=str(60 * amount), start_time=began)

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        """Twilio corrects a duration some time after the end."""
        standin.put("call", id, duration=str(60 * amount))

    def source(self, standin: StandIn) -> Table:
        return {row.id: (int(row["duration"]) // 60, "ana@example.com") for row in standin.rows("call")}

    # --- what is special to it

    def leg(self, link: Link, **fields: Any) -> str:
        end = {"from": fields.pop("source", None), "to": fields.pop("to", None)}
        return link.standin.put("call", None, **end, **fields)

    def test_the_legs_of_a_call_are_one(self, link: Link) -> None:
        """Dialled from a client: the root never names the customer, and lasts longer than what was spoken."""
        contact = sue()
        root = self.leg(link, source=ANA, to="", direction="inbound", duration="300")
        link.standin.clock.advance(12)
        self.leg(link, source="+41440000000", to=SUE, direction="outbound-dial", parent_call_sid=root, duration="240")
        link.start().run()
        assert list(self.table(link)) == [root]
        made = activity(link, root)
        assert (made.person.email, made.contact_id, made.account_id) == (
            "ana@example.com",
            contact.pk,
            contact.account_id,
        )
        assert (made.direction, made.outcome, made.duration_minutes) == ("outbound", "reached", 4)
        assert made.subject == SUE
        payload = vendor_of("twilio").object("Calls").shape(_payload(link, root))  # type: ignore[misc]
        assert (payload["seconds"], payload["rang_seconds"]) == (240, 13)

    def test_legs_on_different_pages_are_one(self, link: Link) -> None:
        link.standin.clock.still = True
        began = link.standin.clock.now - timedelta(hours=3)
        root = self.leg(link, source=SUE, to="+41449999999", direction="inbound", duration="900", start_time=began)
        for _number in range(15):
            self.make(link.standin, 0, 1)
        self.leg(link, source=SUE, to=ANA, direction="outbound-dial", parent_call_sid=root, duration="600")
        link.start().run()
        assert len(self.table(link)) == 16
        made = activity(link, root)
        assert (made.direction, made.duration_minutes, made.person.email) == ("inbound", 10, "ana@example.com")

    def test_nobody_answered(self, link: Link) -> None:
        """The menu picked up, so the root is completed; Ana was rung in vain."""
        root = self.leg(link, source=SUE, to="+41440000000", direction="inbound", duration="45")
        self.leg(link, source=SUE, to=ANA, direction="outbound-dial", parent_call_sid=root, status="no-answer")
        link.start().run()
        made = activity(link, root)
        assert (made.outcome, made.duration_minutes, made.direction) == ("no_answer", None, "inbound")

    def test_a_call_that_goes_on_comes_when_it_is_over(self, link: Link) -> None:
        root = self.leg(link, source="+41440000000", to=SUE, status="in-progress", duration=None)
        link.start().run()
        assert self.table(link) == {}
        link.standin.put("call", root, status="completed", duration="7200")
        link.sync(after=7200)
        assert self.table(link) == {root: (120, "ana@example.com")}

    def test_who_is_behind_a_number_is_said(self, link: Link) -> None:
        root = self.leg(link, source=SUE, to="+41441111111", direction="inbound", duration="60")
        link.start().run()
        assert link.states(self.object) == {root: RawState.REFUSED}
        assert "+41441111111" in link.problems(self.object)[root][0]

    def test_a_shared_number_speaks_for_the_account_only(self, link: Link) -> None:
        one = sue()
        Contact.objects.create(account=one.account, name="Tom", phone="+41 (0)79 123-45-67", created_at=NOW)
        lead = Lead.objects.create(name="Lea", company="Lux", phone="0041 79 765 43 21", created_at=NOW, updated_at=NOW)
        shared = self.leg(link, source="+41440000000", to=SUE, duration="60")
        to_lead = self.leg(link, source="+41440000000", to="+41797654321", duration="60")
        link.start().run()
        made = activity(link, shared)
        assert (made.contact_id, made.lead_id, made.account_id) == (None, None, one.account_id)
        assert activity(link, to_lead).lead_id == lead.pk
        other = Account.objects.create(name="Brill", match_name="brill", created_at=NOW)
        Contact.objects.filter(name="Tom").update(account=other)
        again = self.leg(link, source="+41440000000", to=SUE, duration="60")
        link.sync()
        assert (activity(link, again).contact_id, activity(link, again).account_id) == (None, None)

    def test_a_withheld_number_is_nobodys(self, link: Link) -> None:
        sue(phone="266696687")
        root = self.leg(link, source="+266696687", to="+41440000000", direction="inbound", duration="60")
        link.start().run()
        assert activity(link, root).contact_id is None

    def test_an_address_in_a_reply_is_not_followed(self, link: Link) -> None:
        for number in range(12):
            self.make(link.standin, number, 1)
        link.start().run()
        assert {ask.path for ask in link.standin.requests} == {
            f"/2010-04-01/Accounts/{SID}.json",
            f"/2010-04-01/Accounts/{SID}/Calls.json",
        }

    def test_a_webhook_has_the_log_read(self, link: Link) -> None:
        self.loaded(link, 1)
        id = self.make(link.standin, 1, 3)
        delivery = link.standin.hook_deliveries(since=1)[0]
        [event] = vendor_of("twilio").events(delivery.body, delivery.headers)
        assert (event.object, event.external_id, event.raw) == ("Calls", id, None)


def _payload(link: Link, id: str) -> dict[str, object]:
    import json

    payload: dict[str, object] = json.loads(link.raws("Calls")[id].payload)
    return payload
