"""Aircall: calls and users by number of page, a link to the next one, times in seconds since 1970, comments of people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.connectors.standins.base import Delivery, Event, RefusedError, Reply, Request, Row, StandIn, route


class Aircall(StandIn):
    """One company."""

    vendor = "aircall"
    precision = timedelta(seconds=1)
    api_id = "api-id-of-acme"
    api_token = "obviously-not-a-token"

    def authorized(self, ask: Request) -> bool:
        return ask.basic == (self.api_id, self.api_token)

    def moment(self, at: datetime) -> Any:
        return int(at.timestamp())

    def birth(self, row: Row) -> None:
        if row.object == "call":
            at = self.moment(row.created_at)
            row.fields |= {
                "direction": "outbound", "status": "done", "started_at": at - 20, "answered_at": at - 10, "ended_at": at,
                "duration": 20, "raw_digits": "+41 79 123 45 67", "user": None, "contact": None, "comments": [], "tags": [],
                "recording": f"https://bucket.example.com/{row.id}.mp3?expires=soon", "voicemail": None,
                "asset": f"https://assets.aircall.io/calls/{row.id}/recording", "missed_call_reason": None,
            }  # fmt: skip

    def comment(self, id: str, text: str) -> None:
        """Somebody writes something about a call."""
        at = self.moment(self.clock.now) + 1
        self.put("call", id, comments=[*self.row("call", id)["comments"], {"content": text, "posted_at": at}])

    def show(self, row: Row) -> dict[str, Any]:
        shown = {"id": int(row.id), **row.fields}
        if row["user"]:
            user = self.row("user", row["user"])
            shown["user"] = {"id": int(user.id), **user.fields}
        return shown

    def page(self, ask: Request, name: str, rows: list[Row]) -> Any:
        size = ask.number("per_page", 20)
        if not 1 <= size <= 50:
            raise RefusedError(400, {"error": "Bad Request", "troubleshoot": "per_page must be between 1 and 50"})
        told = self.by_number(rows, ask.number("page", 1), size)
        following = f"https://api.aircall.io/v1/{name}?page={told.next}" if told.next else None
        meta = {"count": len(told.rows), "total": len(rows), "per_page": size, "next_page_link": following}
        return {"meta": meta, name: [self.show(row) for row in told.rows]}

    @route("GET", "/v1/company")
    def company(self, ask: Request) -> Any:
        return {"company": {"name": "Acme", "users_count": len(self.rows("user"))}}

    @route("GET", "/v1/users", page=True)
    def users(self, ask: Request) -> Any:
        return self.page(ask, "users", self.rows("user"))

    @route("GET", "/v1/calls", page=True)
    def calls(self, ask: Request) -> Any:
        asked = ask.params
        rows = [
            row
            for row in self.rows("call")
            if int(asked.get("from") or 0) <= row["started_at"] <= int(asked.get("to") or 1 << 40)
        ]
        rows.sort(key=lambda row: row["started_at"], reverse=asked.get("order") != "asc")
        return self.page(ask, "calls", rows)

    @route("GET", "/v1/calls/{id}")
    def one(self, ask: Request, id: str) -> Any:
        row = self.world.get("call", {}).get(id)
        if row is None or row.is_deleted:
            raise RefusedError(404, {"error": "Not Found", "troubleshoot": "Call not found"})
        return {"call": self.show(row)}

    def unauthorized(self, ask: Request) -> Reply:
        return Reply({"error": "Forbidden", "troubleshoot": "Check your API key"}, 403)

    def hook_delivery(self, items: Sequence[Any], at: datetime) -> Delivery:
        event: Event = items[0]
        body = {
            "resource": event.object,
            "event": "call.ended" if event.fields["status"] == "done" else "call.created",
            "timestamp": self.moment(at),
            "token": self.hook_secret,
            "data": self.show(self.row(event.object, event.id)),
        }
        return Delivery("POST", self.hook_url, {"Content-Type": "application/json"}, json.dumps(body).encode())
