"""RingCentral: the log of calls by pages, newest first, and by a token that tells what came, changed or was deleted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from tests.connectors.standins.base import Delivery, OAuth, RefusedError, Reply, Request, Row, StandIn, iso, route

ACCOUNT = "/restapi/v1.0/account/~"


class RingCentral(StandIn):
    """One account."""

    vendor = "ringcentral"
    precision = timedelta(milliseconds=1)
    oauth: ClassVar[OAuth | None] = OAuth("/restapi/oauth/authorize", "/restapi/oauth/token", rotates=True)
    #: Tokens that begin before this number of an event are no longer good.
    forgotten = 0

    def birth(self, row: Row) -> None:
        if row.object == "call":
            row.fields |= {
                "sessionId": f"s{row.id}", "type": "Voice", "direction": "Outbound", "result": "Call connected",
                "startTime": self.moment(row.created_at), "duration": 0, "extension": {"id": 2},
                "from": {"phoneNumber": "+41440000000", "extensionId": "2"}, "to": {"phoneNumber": "+41791234567"},
            }  # fmt: skip

    def show(self, row: Row) -> dict[str, Any]:
        shown = {"id": row.id, "lastModifiedTime": self.moment(row.modified_at), **row.fields}
        if row.is_deleted:
            shown["deleted"] = True
        return shown

    @route("GET", ACCOUNT)
    def account(self, ask: Request) -> Any:
        return {"id": 37, "mainNumber": "+41440000000"}

    @route("GET", f"{ACCOUNT}/extension", page=True)
    def extensions(self, ask: Request) -> Any:
        rows = [{"id": int(row.id), **row.fields} for row in self.rows("extension")]
        return {"records": rows, "navigation": {}}

    @route("GET", f"{ACCOUNT}/call-log", page=True)
    def calls(self, ask: Request) -> Any:
        asked = ask.params
        since = datetime.fromisoformat(asked["dateFrom"])
        until = datetime.fromisoformat(asked.get("dateTo") or "9999-01-01T00:00:00Z")
        rows = [row for row in self.rows("call") if since <= datetime.fromisoformat(row["startTime"]) <= until]
        rows.sort(key=lambda row: row["startTime"], reverse=True)
        told = self.by_number(rows, ask.number("page", 1), ask.number("perPage", 100))
        following = {"nextPage": {"uri": f"{ask.path}?page={told.next}"}} if told.next else {}
        return {"records": [self.show(row) for row in told.rows], "navigation": following}

    @route("GET", f"{ACCOUNT}/call-log-sync", page=True)
    def sync(self, ask: Request) -> Any:
        asked = ask.params
        events = [event for event in self.log if event.object == "call"]
        last = events[-1].number if events else 0
        if asked["syncType"] == "FSync":
            return self.told([], last)
        seen = int(asked["syncToken"].removeprefix("token-"))
        if seen < self.forgotten:
            fault = {"errorCode": "CMN-101", "parameterName": "syncToken"}
            raise RefusedError(
                400, {"errorCode": "CMN-101", "message": "Parameter [syncToken] is invalid", "errors": [fault]}
            )
        news = [event for event in events if event.number > seen][: ask.number("recordCount", 250)]
        ids = dict.fromkeys(event.id for event in news)
        return self.told([self.show(self.row("call", id)) for id in ids], news[-1].number if news else seen)

    def told(self, rows: list[Any], number: int) -> Any:
        return {"records": rows, "syncInfo": {"syncToken": f"token-{number}", "syncTime": iso(self.clock.now)}}

    def unauthorized(self, ask: Request) -> Reply:
        return Reply({"errorCode": "TokenInvalid", "message": "Token not found"}, 401)

    def too_many(self, retry_after: float | str | None) -> Reply:
        told = {"errorCode": "CMN-301", "message": "Request rate exceeded"}
        return Reply(told, 429, self.retry_header(retry_after))

    def hook_delivery(self, items: Sequence[Any], at: datetime) -> Delivery:
        content = {
            "uuid": f"u{items[0].number}",
            "event": "/restapi/v1.0/account/37/telephony/sessions",
            "timestamp": iso(at),
            "body": {"telephonySessionId": f"t{items[0].id}"},
        }
        headers = {"Content-Type": "application/json", "Verification-Token": self.hook_secret}
        return Delivery("POST", self.hook_url, headers, json.dumps(content).encode())
