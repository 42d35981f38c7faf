"""Google Calendar: events of several calendars by page tokens and sync tokens, which may end; cancelled ones are bare."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from tests.connectors.standins.base import Delivery, OAuth, RefusedError, Reply, Request, Row, StandIn, route


class Google(StandIn):
    """One Workspace. An event stands in the calendars of `also` too, where it has ids of its own."""

    vendor = "google"
    precision = timedelta(milliseconds=1)
    oauth: ClassVar[OAuth | None] = OAuth("/o/oauth2/v2/auth", "/token")
    #: Sync tokens that begin before this number of an event are gone.
    forgotten = 0

    def birth(self, row: Row) -> None:
        row.fields |= {
            "status": "confirmed", "summary": f"Meeting {row.id}", "iCalUID": f"{row.id}@google.com",
            "organizer": {"email": "ana@example.com"}, "also": [],
            "attendees": [{"email": "ana@example.com", "responseStatus": "accepted"}, {"email": "sue@acme.example"}],
        }  # fmt: skip

    def show(self, row: Row, calendar: str) -> dict[str, Any]:
        id = row.id if calendar == "primary" else f"{row.id}x{calendar[:3]}"
        if row.is_deleted:
            return {"id": id, "status": "cancelled", "updated": self.moment(row.modified_at)}
        shown = {name: value for name, value in row.fields.items() if name != "also"}
        return {"id": id, "updated": self.moment(row.modified_at), **shown}

    @route("GET", "/calendar/v3/calendars/{calendar}")
    def calendar(self, ask: Request, calendar: str) -> Any:
        return {"id": "ana@example.com", "summary": "ana@example.com"}

    @route("GET", "/calendar/v3/calendars/{calendar}/events", page=True)
    def events(self, ask: Request, calendar: str) -> Any:
        asked = ask.params
        cursor, _point, number = asked.get("pageToken", "").rpartition(".")
        began = int(number) if number else self.log[-1].number if self.log else 0
        since = asked.get("syncToken")
        if since is not None and int(since) < self.forgotten:
            raise RefusedError(410, {"error": {"code": 410, "message": "Sync token is no longer valid", "errors": []}})

        def make() -> list[Row]:
            new = {event.id for event in self.log if event.number > int(since or 0)}
            rows = self.rows("event", is_deleted=None)
            return [row for row in rows if row.id in new and (calendar == "primary" or calendar in row["also"])]

        told = self.by_cursor(make, cursor or None, ask.number("maxResults", 250))
        reply: dict[str, Any] = {"items": [self.show(row, calendar) for row in told.rows]}
        return reply | ({"nextPageToken": f"{told.next}.{began}"} if told.next else {"nextSyncToken": str(began)})

    @route("GET", "/calendar/v3/calendars/{calendar}/events/{id}")
    def one(self, ask: Request, calendar: str, id: str) -> Any:
        row = self.world.get("event", {}).get(id.partition("x")[0])
        if row is None:
            raise RefusedError(404, {"error": {"code": 404, "message": "Not Found", "errors": []}})
        shown = {name: value for name, value in row.fields.items() if name != "also"}
        status = {"status": "cancelled"} if row.is_deleted else {}
        return {"id": id, "updated": self.moment(row.modified_at), **shown, **status}

    def unauthorized(self, ask: Request) -> Reply:
        return Reply(
            {"error": {"code": 401, "message": "Invalid Credentials", "errors": [{"reason": "authError"}]}}, 401
        )

    def limit_reached(self) -> Reply:
        error = {"code": 403, "message": "Rate Limit Exceeded", "errors": [{"reason": "rateLimitExceeded"}]}
        return Reply({"error": error}, 403)

    def hook_delivery(self, items: Sequence[Any], at: datetime) -> Delivery:
        headers = {
            "X-Goog-Channel-ID": "c1",
            "X-Goog-Channel-Token": self.hook_secret,
            "X-Goog-Resource-State": "exists",
            "X-Goog-Message-Number": str(items[0].number),
        }
        return Delivery("POST", self.hook_url, headers, b"")
