"""Microsoft 365: the shared scenarios; names of zones, links that lead away, windows that move, what is told by an id."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from salesops.connectors.choices import RawState
from salesops.connectors.vendors import vendor_of
from salesops.connectors.vendors.meetings import key_of
from tests.connectors.calling import MeetingConformance, activity, sue
from tests.connectors.conformance import Table
from tests.connectors.linking import Link
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.microsoft import Microsoft, guest, local

ANA, BEN, SUE = (guest(email) for email in ("ana@example.com", "ben@example.com", "sue@acme.example"))


class TestMicrosoft(MeetingConformance):
    """Meetings of Ana with Sue of Acme, in Ana's calendar."""

    vendor = "microsoft"
    standin = Microsoft
    object = "meetings"
    path = "/v1.0/me/calendarView"
    options: ClassVar[dict[str, str]] = {"domains": "example.com"}
    lacks: ClassVar[dict[str, str]] = {
        "merges": "meetings are not merged",
        "search": "a delta link is no search",
        "limit_403": "limits are told by 429 and 503",
    }

    def times(self, standin: StandIn, minutes: int) -> dict[str, Any]:
        start = standin.clock.now - timedelta(days=1)
        return {"start": local(start), "end": local(start + timedelta(minutes=minutes))}

    def external(self, link: Link, id: str) -> str:
        return key_of(f"uid-{id}")

    def source(self, standin: StandIn) -> Table:
        def at(row: Any, name: str) -> datetime:
            return datetime.fromisoformat(row[name]["dateTime"][:26])

        return {
            key_of(row["iCalUId"]): ((at(row, "end") - at(row, "start")).seconds // 60, "ana@example.com")
            for row in standin.rows("event")
        }

    def put(self, link: Link, **fields: Any) -> str:
        return link.standin.put("event", None, **{**self.times(link.standin, 30), **fields})

    # --- what is special to it

    def test_zones_by_the_names_of_windows(self, link: Link) -> None:
        start = datetime(2026, 6, 15, 9, 30)  # noqa: DTZ001 - as it comes
        zone = "Romance Standard Time"
        id = self.put(link, start=local(start, zone), end=local(start + timedelta(hours=1), zone))
        odd = self.put(link, start=local(start, "Customized Time Zone"), end=local(start, "Customized Time Zone"))
        link.start().run()
        assert activity(link, self.external(link, id)).happened_at == datetime(2026, 6, 15, 7, 30, tzinfo=UTC)
        assert self.external(link, odd) not in self.table(link)

    def test_links_are_asked_at_our_address(self, link: Link) -> None:
        self.loaded(link)
        asked = link.standin.asked("/v1.0/me/calendarView/delta")
        assert [bool(ask.params.get("$skiptoken")) for ask in asked] == [False, True, True]
        assert 'outlook.timezone="UTC"' in asked[0].headers["prefer"]
        assert 'IdType="ImmutableId"' in asked[0].headers["prefer"]

    def test_a_meeting_in_several_calendars_is_one(self, link: Link) -> None:
        contact = sue()
        both = ["ana@example.com", "ben@example.com"]
        id = self.put(link, also=both, attendees=[ANA, BEN, SUE])
        link.connection.options = {**link.connection.options, "calendars": "\n".join(both)}
        link.connection.save()
        link.start().run()
        assert list(self.table(link)) == [self.external(link, id)]
        assert activity(link, self.external(link, id)).contact_id == contact.pk
        assert link.sync().counts.get("meetings", {}) == {}

    def test_a_guest_who_tidies_up_calls_nothing_off(self, link: Link) -> None:
        """Ben deletes his copy; in Ana's calendar, who invited, the meeting stands."""
        both = ["ana@example.com", "ben@example.com"]
        id = self.put(link, also=both, attendees=[ANA, BEN, SUE])
        link.connection.options = {**link.connection.options, "calendars": "ben@example.com\nana@example.com"}
        link.connection.save()
        link.start().run()
        kept = json.loads(link.stream("meetings").cursor["token"])["ids"]
        assert (len(kept["ana@example.com"]), len(kept["ben@example.com"])) == (1, 0)
        link.standin.delete("event", id)
        link.sync()
        assert self.table(link) == {}
        assert link.states("meetings") == {self.external(link, id): RawState.DELETED}

    def test_masters_days_and_colleagues_are_no_meetings(self, link: Link) -> None:
        self.put(link, type="seriesMaster")
        self.put(link, isAllDay=True)
        self.put(link, attendees=[ANA, BEN])
        self.put(link, attendees=[ANA, guest("sue@acme.example", "declined")])
        link.start().run()
        assert link.raws("meetings") == {}

    def test_one_that_is_cancelled_is_taken_back(self, link: Link) -> None:
        id = self.put(link)
        link.start().run()
        assert len(self.table(link)) == 1
        link.standin.put("event", id, isCancelled=True)
        link.sync()
        assert self.table(link) == {}

    def test_a_link_that_ended_has_all_read_once_more(self, link: Link) -> None:
        ids = self.loaded(link)
        self.edit(link.standin, ids[2], 300)
        link.standin.forgotten = 1_000  # type: ignore[attr-defined]
        link.sync()
        self.alike(link)

    def test_the_window_moves(self, link: Link) -> None:
        start = link.standin.clock.now + timedelta(days=100)
        id = self.put(link, start=local(start), end=local(start + timedelta(hours=1)))
        link.start().run()
        assert self.table(link) == {}
        link.sync(after=31 * 86_400)
        assert activity(link, self.external(link, id)).due_at == start

    def test_what_left_the_old_window_is_told_before_it_moves(self, link: Link) -> None:
        start = link.standin.clock.now + timedelta(days=40)
        id = self.put(link, start=local(start), end=local(start + timedelta(hours=1)))
        link.start().run()
        assert len(self.table(link)) == 1
        link.standin.delete("event", id)
        link.sync(after=31 * 86_400)
        assert self.table(link) == {}

    def test_a_webhook_has_the_calendars_read(self, link: Link) -> None:
        self.put(link)
        delivery = link.standin.hook_deliveries()[0]
        [event] = vendor_of("microsoft").events(delivery.body, delivery.headers)
        assert event.object == "meetings"
