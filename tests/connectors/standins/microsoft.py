"""Microsoft 365: calendar views by delta links, which are whole addresses; what is gone is told by its id alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from tests.connectors.standins.base import Delivery, OAuth, RefusedError, Reply, Request, Row, StandIn, route

#: Where links lead that must not be followed with a token of ours.
ELSEWHERE = "https://graph.example.org"


class Microsoft(StandIn):
    """One tenant. An event stands in the calendars of `also` too, where it has ids of its own."""

    vendor = "microsoft"
    precision = timedelta(milliseconds=1)
    oauth: ClassVar[OAuth | None] = OAuth(
        "/organizations/oauth2/v2.0/authorize", "/organizations/oauth2/v2.0/token", rotates=True, pkce_required=True
    )
    #: Delta links that begin before this number of an event are gone.
    forgotten = 0

    def birth(self, row: Row) -> None:
        row.fields |= {
            "iCalUId": f"uid-{row.id}", "subject": f"Meeting {row.id}", "isAllDay": False, "isCancelled": False, "also": [],
            "type": "singleInstance", "sensitivity": "normal", "organizer": guest("ana@example.com"),
            "attendees": [guest("ana@example.com"), guest("sue@acme.example")],
        }  # fmt: skip

    def show(self, row: Row, whose: str, is_new: bool) -> dict[str, Any]:
        id = f"{row.id}@{whose}"
        if row.is_deleted:
            return {"id": id, "@removed": {"reason": "deleted"}}
        shown = {name: value for name, value in row.fields.items() if name != "also"}
        return {"id": id, "lastModifiedDateTime": self.moment(row.modified_at), **shown}

    @route("GET", "/v1.0/me")
    def me(self, ask: Request) -> Any:
        return {"id": "u2", "mail": "ana@example.com"}

    @route("GET", "/v1.0/me/calendarView/delta", page=True)
    @route("GET", "/v1.0/users/{whose}/calendarView/delta", page=True)
    def delta(self, ask: Request, whose: str = "me") -> Any:
        asked = ask.params
        since, began, cursor = 0, self.log[-1].number if self.log else 0, ""
        if link := asked.get("$deltatoken"):
            since, start, end = int(link.split("_")[0]), *link.split("_")[1:]
        elif link := asked.get("$skiptoken"):
            since, began, start, end = int(link.split("_")[0]), int(link.split("_")[1]), *link.split("_")[2:4]
            cursor = link.split("_", 4)[4]
        else:
            start, end = asked["startDateTime"], asked["endDateTime"]
        if "$deltatoken" in asked and since < self.forgotten:
            raise RefusedError(410, {"error": {"code": "syncStateNotFound", "message": "The sync state is not found."}})
        sizes = [part for part in ask.headers.get("prefer", "").split(", ") if part.startswith("odata.maxpagesize=")]

        def make() -> list[Row]:
            new = {event.id for event in self.log if event.number > since}
            return [
                row
                for row in self.rows("event", is_deleted=None if since else False)
                if row.id in new
                and (whose == "me" or whose in row["also"])
                and start[:19] <= row["start"]["dateTime"][:19] <= end[:19]
            ]

        told = self.by_cursor(make, cursor or None, int(sizes[0].partition("=")[2]) if sizes else 10)
        reply: dict[str, Any] = {"value": [self.show(row, whose, not since) for row in told.rows]}
        if told.next:
            token = f"%24skiptoken={since}_{began}_{start}_{end}_{told.next}"
            return reply | {"@odata.nextLink": f"{ELSEWHERE}{ask.path}?{token}"}
        return reply | {"@odata.deltaLink": f"{ELSEWHERE}{ask.path}?%24deltatoken={began}_{start}_{end}"}

    def unauthorized(self, ask: Request) -> Reply:
        error = {"code": "InvalidAuthenticationToken", "message": "Lifetime validation failed, the token is expired."}
        return Reply({"error": error}, 401)

    def too_many(self, retry_after: float | str | None) -> Reply:
        error = {"code": "ApplicationThrottled", "message": "Application is over its MailboxConcurrency limit."}
        return Reply({"error": error}, 429, self.retry_header(retry_after))

    def hook_delivery(self, items: Sequence[Any], at: datetime) -> Delivery:
        note = {
            "subscriptionId": "s1",
            "clientState": self.hook_secret,
            "changeType": "updated",
            "resource": f"Users/u2/Events/{items[0].id}@me",
            "resourceData": {"id": f"{items[0].id}@me"},
        }
        body = json.dumps({"value": [note]}).encode()
        return Delivery("POST", self.hook_url, {"Content-Type": "application/json"}, body)


def guest(email: str, response: str = "accepted") -> dict[str, Any]:
    """Somebody who is invited, as Graph writes it."""
    return {"emailAddress": {"address": email, "name": email}, "status": {"response": response}, "type": "required"}


def local(at: datetime, zone: str = "UTC") -> dict[str, str]:
    """A moment as Graph writes it: without an offset, with seven digits, the zone beside it."""
    shown = at.astimezone(UTC) if zone == "UTC" else at
    return {"dateTime": shown.strftime("%Y-%m-%dT%H:%M:%S.0000000"), "timeZone": zone}
