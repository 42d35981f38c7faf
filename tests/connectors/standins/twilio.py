"""Twilio's log of calls: newest first, pages that hang on the last row, times as RFC 2822, everything as text."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

from tests.connectors.standins.base import Delivery, Event, RefusedError, Reply, Request, Row, StandIn, route

SID = "AC" + "0" * 32


class Twilio(StandIn):
    """One account."""

    vendor = "twilio"
    precision = timedelta(seconds=1)
    auth_token = "obviously-not-a-token"

    def authorized(self, ask: Request) -> bool:
        return ask.basic == (SID, self.auth_token)

    def identity(self, object: str, id: object) -> str:
        if id is None:
            self._numbers += 1
            return f"CA{self._numbers:032x}"
        return str(id)

    def moment(self, at: datetime) -> Any:
        return format_datetime(at.astimezone(UTC))

    def birth(self, row: Row) -> None:
        at = self.moment(row.created_at)
        row.fields |= {
            "parent_call_sid": None, "status": "completed", "duration": "0", "price": None, "price_unit": "USD",
            "direction": "outbound-api", "start_time": at, "end_time": at, "caller_name": None,
        }  # fmt: skip

    def show(self, row: Row) -> dict[str, Any]:
        return {
            "sid": row.id,
            "account_sid": SID,
            "date_created": self.moment(row.created_at),
            "date_updated": self.moment(row.modified_at),
            **row.fields,
            "subresource_uris": {"recordings": f"/2010-04-01/Accounts/{SID}/Calls/{row.id}/Recordings.json"},
        }

    @route("GET", f"/2010-04-01/Accounts/{SID}.json")
    def account(self, ask: Request) -> Any:
        return {"sid": SID, "friendly_name": "Acme", "status": "active"}

    @route("GET", f"/2010-04-01/Accounts/{SID}/Calls/{{sid}}.json")
    def one(self, ask: Request, sid: str) -> Any:
        row = self.world.get("call", {}).get(sid)
        if row is None or row.is_deleted:
            raise RefusedError(404, {"code": 20404, "message": "The requested resource was not found", "status": 404})
        return self.show(row)

    @route("GET", f"/2010-04-01/Accounts/{SID}/Calls.json", page=True)
    def calls(self, ask: Request) -> Any:
        asked = ask.params
        rows = sorted(
            self.rows("call"), key=lambda row: (parsedate_to_datetime(row["start_time"]), row.id), reverse=True
        )
        if parent := asked.get("ParentCallSid"):
            rows = [row for row in rows if row["parent_call_sid"] == parent]
        if since := asked.get("StartTime>"):
            rows = [row for row in rows if parsedate_to_datetime(row["start_time"]) >= datetime.fromisoformat(since)]
        if until := asked.get("StartTime<"):
            rows = [row for row in rows if parsedate_to_datetime(row["start_time"]) <= datetime.fromisoformat(until)]
        size = ask.number("PageSize", 50)
        told = self.after(rows, asked.get("PageToken", "PA")[2:] or None, size)
        following = None
        if told.next:
            query = urlencode([(n, v) for n, v in ask.pairs if n != "PageToken"] + [("PageToken", f"PA{told.next}")])
            following = f"{ask.path}?{query}"
        return {"calls": [self.show(row) for row in told.rows], "next_page_uri": following, "page_size": size}

    def unauthorized(self, ask: Request) -> Reply:
        return Reply({"code": 20003, "message": "Authenticate", "status": 401}, 401)

    def too_many(self, retry_after: float | str | None) -> Reply:
        return Reply({"code": 20429, "message": "Too Many Requests"}, 429, self.retry_header(retry_after))

    def hook_delivery(self, items: Sequence[Any], at: datetime) -> Delivery:
        event: Event = items[0]
        fields = {
            "CallSid": event.id,
            "AccountSid": SID,
            "CallStatus": event.fields["status"],
            "Timestamp": format_datetime(at.astimezone(UTC)),
        }
        text = self.hook_url + "".join(name + fields[name] for name in sorted(fields))
        proof = base64.b64encode(hmac.new(self.auth_token.encode(), text.encode(), hashlib.sha1).digest()).decode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": proof}
        return Delivery("POST", self.hook_url, headers, urlencode(fields).encode())
