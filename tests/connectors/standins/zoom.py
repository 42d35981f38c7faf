"""Zoom Phone: the history of calls between two moments at most a month apart, opaque tokens for pages, rotating sign-in."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from tests.connectors.standins.base import (
    Delivery,
    Event,
    OAuth,
    RefusedError,
    Reply,
    Request,
    Row,
    StandIn,
    iso,
    route,
)


class Zoom(StandIn):
    """One account."""

    vendor = "zoom"
    precision = timedelta(seconds=1)
    oauth: ClassVar[OAuth | None] = OAuth("/oauth/authorize", "/oauth/token", rotates=True)

    def moment(self, at: datetime) -> Any:
        return iso(at, digits=0)

    def birth(self, row: Row) -> None:
        if row.object == "call":
            at = row.created_at
            row.fields |= {
                "call_id": f"call-{row.id}", "direction": "outbound", "call_result": "connected", "duration": 0,
                "caller_ext_id": "ext-2", "caller_ext_type": "user", "caller_did_number": "+41440000000",
                "callee_did_number": "+41791234567", "callee_name": "", "callee_ext_id": "",
                "start_time": self.moment(at), "answer_time": None, "end_time": self.moment(at),
            }  # fmt: skip

    @route("GET", "/v2/users/me")
    def me(self, ask: Request) -> Any:
        return {"id": "u1", "account_id": "acme", "email": "admin@example.com"}

    @route("GET", "/v2/phone/users", page=True)
    def users(self, ask: Request) -> Any:
        rows = self.rows("user")
        return {"users": [{"extension_id": row.id, **row.fields} for row in rows], "next_page_token": ""}

    @route("GET", "/v2/phone/call_history", page=True)
    def calls(self, ask: Request) -> Any:
        asked = ask.params
        since, until = datetime.fromisoformat(asked["from"]), datetime.fromisoformat(asked["to"])
        if until - since > timedelta(days=31):
            raise RefusedError(400, {"code": 3000, "message": "The range is longer than a month."})

        def make() -> list[Row]:
            rows = [row for row in self.rows("call") if since <= datetime.fromisoformat(row["start_time"]) <= until]
            return sorted(rows, key=lambda row: row["start_time"], reverse=True)

        try:
            told = self.by_cursor(make, asked.get("next_page_token") or None, ask.number("page_size", 30))
        except KeyError:
            raise RefusedError(400, {"code": 300, "message": "The next page token is invalid or expired."}) from None
        rows = [{"id": row.id, **row.fields} for row in told.rows]
        return {"call_logs": rows, "next_page_token": told.next or "", "from": asked["from"], "to": asked["to"]}

    def forget_pages(self) -> None:
        """A quarter of an hour passes: tokens of pages are no longer good."""
        self._cursors.clear()

    def unauthorized(self, ask: Request) -> Reply:
        return Reply({"code": 124, "message": "Access token is expired."}, 401)

    def too_many(self, retry_after: float | str | None) -> Reply:
        told = {"code": 429, "message": "You have reached the maximum per-second rate limit for this API."}
        return Reply(told, 429, self.retry_header(retry_after))

    def hook_items(self, event: Event) -> list[Any]:
        """Each side of a call tells that it ended."""
        return [(event, side) for side in ("caller", "callee")] if event.object == "call" else []

    def hook_delivery(self, items: Sequence[Any], at: datetime) -> Delivery:
        event, side = items[0]
        told = {"call_id": event.fields["call_id"], f"{side}_did_number": event.fields[f"{side}_did_number"]}
        content = {
            "event": f"phone.{side}_ended",
            "event_ts": int(at.timestamp() * 1000),
            "payload": {"account_id": "acme", "object": told},
        }
        body = json.dumps(content).encode()
        moment = str(int(at.timestamp()))
        message = f"v0:{moment}:".encode() + body
        proof = "v0=" + hmac.new(self.hook_secret.encode(), message, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "x-zm-request-timestamp": moment, "x-zm-signature": proof}
        return Delivery("POST", self.hook_url, headers, body)
