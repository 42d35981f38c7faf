"""Google Calendar: the shared scenarios; copies in several calendars, series, what is no meeting, tokens that end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from salesops.connectors.choices import RawState
from salesops.connectors.vendors import vendor_of
from salesops.connectors.vendors.base import Ask
from salesops.connectors.vendors.google import _raw
from salesops.connectors.vendors.meetings import key_of
from tests.connectors.calling import MeetingConformance, activity, sue
from tests.connectors.conformance import Table
from tests.connectors.linking import Link
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.google import Google

ANA, BEN, SUE = ({"email": email} for email in ("ana@example.com", "ben@example.com", "sue@acme.example"))


class TestGoogle(MeetingConformance):
    """Meetings of Ana with Sue of Acme, in Ana's calendar."""

    vendor = "google"
    standin = Google
    object = "meetings"
    path = "/calendar/v3/calendars/primary/events"
    options: ClassVar[dict[str, str]] = {"domains": "example.com"}
    lacks: ClassVar[dict[str, str]] = {
        "merges": "meetings are not merged",
        "search": "a sync token is no search",
    }

    def times(self, standin: StandIn, minutes: int) -> dict[str, Any]:
        start = standin.clock.now - timedelta(days=1)
        return {
            name: {"dateTime": at.isoformat(), "timeZone": "Europe/Zurich"}
            for name, at in (("start", start), ("end", start + timedelta(minutes=minutes)))
        }

    def external(self, link: Link, id: str) -> str:
        return key_of(f"{id}@google.com")

    def source(self, standin: StandIn) -> Table:
        return {
            key_of(row["iCalUID"]): (
                (
                    datetime.fromisoformat(row["end"]["dateTime"]) - datetime.fromisoformat(row["start"]["dateTime"])
                ).seconds
                // 60,
                "ana@example.com",
            )
            for row in standin.rows("event")
        }

    def put(self, link: Link, **fields: Any) -> str:
        return link.standin.put("event", None, **{**self.times(link.standin, 30), **fields})

    def two(self, link: Link) -> Link:
        """Ana's calendar and Ben's."""
        link.connection.options = {**link.connection.options, "calendars": "ana@example.com\nben@example.com\n"}
        link.connection.save()
        return link

    # --- what is special to it

    def test_a_meeting_in_several_calendars_is_one(self, link: Link) -> None:
        contact = sue()
        both = ["ana@example.com", "ben@example.com"]
        id = self.put(link, also=both, attendees=[ANA, BEN, SUE])
        self.two(link).start().run()
        assert list(self.table(link)) == [self.external(link, id)]
        made = activity(link, self.external(link, id))
        assert (made.kind, made.contact_id, made.account_id) == ("meeting", contact.pk, contact.account_id)
        run = link.sync()
        assert run.counts.get("meetings", {}) == {}
        link.standin.forgotten = 1_000  # type: ignore[attr-defined]
        run = link.sync()
        assert run.counts["meetings"] == {"unchanged": 2}

    def test_only_the_organizers_calendar_calls_it_off(self, link: Link) -> None:
        id = self.put(link, also=["ana@example.com", "ben@example.com"], attendees=[ANA, BEN, SUE])
        link.standin.delete("event", id)
        calendars = ["ana@example.com", "ben@example.com"]
        with link.caller() as http:
            row = {"id": f"{id}xben", "status": "cancelled"}
            assert _raw(row, "ben@example.com", calendars, Ask(asked_at=link.at), http) is None
            told = _raw({**row, "id": id}, "ana@example.com", calendars, Ask(asked_at=link.at), http)
        assert told is not None
        assert (told.external_id, told.is_deleted) == (self.external(link, id), True)

    def test_among_colleagues_all_day_and_declined_are_no_meetings(self, link: Link) -> None:
        room = {"email": "room@resource.calendar.google.com", "resource": True}
        self.put(link, attendees=[ANA, BEN, room])
        self.put(link, start={"date": "2026-06-16"}, end={"date": "2026-06-17"})
        self.put(link, attendees=[ANA, {**SUE, "responseStatus": "declined"}])
        link.start().run()
        assert self.table(link) == {}
        assert link.raws("meetings") == {}

    def test_one_that_stays_among_colleagues_is_taken_back(self, link: Link) -> None:
        id = self.put(link)
        link.start().run()
        assert len(self.table(link)) == 1
        link.standin.put("event", id, attendees=[ANA, BEN])
        link.sync()
        assert self.table(link) == {}
        assert link.states("meetings") == {self.external(link, id): RawState.DELETED}

    def test_one_of_a_series_that_is_moved_is_the_same(self, link: Link) -> None:
        series = {"recurringEventId": "s", "iCalUID": "s@google.com"}
        first, second = (
            self.put(link, **series, originalStartTime={"dateTime": f"2026-06-{day}T09:00:00+02:00"})
            for day in ("09", "16")
        )
        link.start().run()
        assert len(self.table(link)) == 2
        link.standin.put("event", second, **self.times(link.standin, 45))
        link.sync()
        assert sorted(minutes for minutes, _email in self.table(link).values()) == [30, 45]
        assert first != second

    def test_a_private_subject_stays_private(self, link: Link) -> None:
        id = self.put(link, visibility="private", summary="Offer for Acme")
        link.start().run()
        assert activity(link, self.external(link, id)).subject == "Meeting"
        assert "Offer" not in link.raws("meetings")[self.external(link, id)].payload

    def test_a_token_that_ended_has_all_read_once_more(self, link: Link) -> None:
        ids = self.loaded(link)
        self.edit(link.standin, ids[2], 300)
        self.delete(link.standin, ids[3])
        link.standin.forgotten = 1_000  # type: ignore[attr-defined]
        link.sync()
        self.alike(link)

    def test_what_lay_too_far_ahead_comes_in_time(self, link: Link) -> None:
        start = link.standin.clock.now + timedelta(days=80)
        moments = {"dateTime": start.isoformat()}, {"dateTime": (start + timedelta(hours=1)).isoformat()}
        id = self.put(link, start=moments[0], end=moments[1])
        link.start().run()
        assert self.table(link) == {}
        link.sync(after=31 * 86_400)
        made = activity(link, self.external(link, id))
        assert (made.happened_at, made.due_at) == (None, start)

    def test_the_first_of_several_guests_that_is_known(self, link: Link) -> None:
        contact = sue()
        id = self.put(link, attendees=[ANA, {"email": "a.unknown@acme.example"}, SUE])
        link.start().run()
        assert activity(link, self.external(link, id)).contact_id == contact.pk

    def test_a_webhook_has_the_calendar_read(self, link: Link) -> None:
        self.put(link)
        delivery = link.standin.hook_deliveries()[0]
        [event] = vendor_of("google").events(delivery.body, delivery.headers)
        assert (event.object, event.external_id) == ("meetings", "")
