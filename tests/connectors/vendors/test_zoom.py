"""Zoom Phone: the shared scenarios; months, double events, colleagues, tokens of pages that end."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

import pytest

from salesops.connectors.choices import DriftKind
from salesops.connectors.models import Drift
from salesops.connectors.services import reconciling
from salesops.connectors.vendors import vendor_of
from tests.connectors.calling import ActivityConformance, activity, sue
from tests.connectors.conformance import Table
from tests.connectors.linking import Link
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.zoom import Zoom


class TestZoom(ActivityConformance):
    """Calls that Ana made."""

    vendor = "zoom"
    standin = Zoom
    object = "calls"
    needs = ("users",)
    path = "/v2/phone/call_history"
    options: ClassVar[dict[str, str]] = {"country": "CH"}
    lacks: ClassVar[dict[str, str]] = {
        "deletes": "the history says nothing of calls that were deleted from it",
        "merges": "calls are not merged",
        "search": "the history is no search index",
        "limit_403": "limits are told by 429",
    }

    def prepare(self, standin: StandIn) -> None:
        standin.put("user", "ext-2", extension_number=801, name="Ana Alvarez", email="ana@example.com")

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        at = standin.clock.now - timedelta(hours=2)
        id = standin.put("call", None, duration=60 * amount, start_time=at, end_time=at + timedelta(hours=1))
        return f"call-{id}"

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        """Zoom corrects what it told, without saying when."""
        standin.put("call", id.removeprefix("call-"), duration=60 * amount)

    def source(self, standin: StandIn) -> Table:
        return {f"call-{row.id}": (row["duration"] // 60, "ana@example.com") for row in standin.rows("call")}

    def test_older_tellings_change_nothing(self, link: Link) -> None:
        pytest.skip("Zoom dates no change of a call: nothing says which telling is older")

    def test_answered_and_rung(self, link: Link) -> None:
        contact = sue()
        at = link.standin.clock.now
        id = link.standin.put(
            "call", None, direction="inbound", caller_ext_id="", caller_ext_type="", caller_did_number="+41791234567",
            caller_name="Sue", callee_ext_id="ext-2", callee_ext_type="user", call_result="answered", duration=200,
            start_time=at, answer_time=at + timedelta(seconds=20), end_time=at + timedelta(seconds=200),
        )  # fmt: skip
        machine = link.standin.put("call", None, call_result="voicemail", duration=70)
        link.start().run()
        made = activity(link, f"call-{id}")
        assert (made.direction, made.outcome, made.duration_minutes) == ("inbound", "reached", 3)
        assert (made.contact_id, made.account_id, made.person.email) == (
            contact.pk,
            contact.account_id,
            "ana@example.com",
        )
        unanswered = activity(link, f"call-{machine}")
        assert (unanswered.outcome, unanswered.duration_minutes) == ("no_answer", None)

    def test_colleagues_and_queues_are_left(self, link: Link) -> None:
        link.standin.put("call", None, callee_ext_id="ext-3", callee_ext_type="user")
        link.standin.put("call", None, direction="inbound", callee_ext_id="queue", callee_ext_type="callQueue")
        link.start().run()
        assert link.raws("calls") == {}

    def test_the_answered_leg_speaks_for_a_call(self, link: Link) -> None:
        for number, result in enumerate(("missed", "connected", "missed")):
            link.standin.put("call", None, call_id="call-7", call_result=result, duration=60 * (number + 1))
        link.start().run()
        assert self.table(link) == {"call-7": (2, "ana@example.com")}

    def test_all_months_are_asked(self, link: Link) -> None:
        old = link.standin.clock.now - timedelta(days=200)
        id = link.standin.put("call", None, duration=60, start_time=old, end_time=old)
        new = link.standin.put("call", None, duration=60)
        link.start().run()
        assert set(self.table(link)) == {f"call-{id}", f"call-{new}"}

    def test_a_call_of_longer_ago_than_is_asked_for_is_not_missed(self, link: Link) -> None:
        """Reconciling lists what is no longer there, of what it could have seen."""
        now = link.standin.clock.now
        old, new = (
            link.standin.put("call", None, duration=60, start_time=at, end_time=at)
            for at in (now - timedelta(days=720), now - timedelta(days=20))
        )
        link.start().run()
        for id in (old, new):
            link.standin.purge("call", id)
        link.sync(after=20 * 86_400)
        reconciling.enqueue(actor=link.actor, connection=link.connection, at=link.at)
        link.run()
        drifts = Drift.objects.filter(stream__object="calls").values_list("external_id", "kind")
        assert list(drifts) == [(f"call-{new}", DriftKind.MISSING_THERE)]

    def test_a_page_whose_token_ended_begins_its_month_anew(self, link: Link) -> None:
        for number in range(25):
            self.make(link.standin, number, 100 + number)
        zoom = link.standin
        assert isinstance(zoom, Zoom)
        zoom.before_page(lambda page: zoom.forget_pages() if page == 3 else None)
        link.start().run()
        self.alike(link)

    def test_both_sides_tell_of_one_call(self, link: Link) -> None:
        self.make(link.standin, 1, 5)
        deliveries = link.standin.hook_deliveries(objects=["call"])
        zoom = vendor_of("zoom")
        told = [zoom.events(each.body, each.headers)[0] for each in deliveries]
        assert [event.object for event in told] == ["calls", "calls"]
        with link.caller() as http, pytest.raises(NotImplementedError):  # so the history is swept, once for both
            zoom.fetch(zoom.object("calls"), [told[0].external_id], http)
