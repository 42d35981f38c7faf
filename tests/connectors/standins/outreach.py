"""An Outreach organisation that is none: JSON:API lists with cursors, records, tokens with their throttle, pushes.

`put("opportunity", 1, name="A", amountPrecise="10.50", owner=("user", 2), account=("account", 1))`: pairs become
relationships, everything else attributes. `trash(id)` is what Outreach does with opportunities; `delete` destroys, which
only a push tells. The cursors point behind a place in the order, so that a record that moves is seen again, never lost.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar
from urllib.parse import urlencode

from tests.connectors.standins.base import (
    Delivery,
    Event,
    Grant,
    Limit,
    OAuth,
    RefusedError,
    Reply,
    Request,
    Row,
    Slice,
    StandIn,
    dump,
    iso,
    route,
)

#: What addresses say, what records say.
TYPES = {
    "accounts": "account", "prospects": "prospect", "opportunities": "opportunity", "users": "user", "teams": "team",
    "calls": "call", "mailings": "mailing", "tasks": "task", "sequences": "sequence", "sequenceStates": "sequenceState",
    "opportunityStages": "opportunityStage", "callDispositions": "callDisposition", "products": "product",
    "opportunityLineItems": "opportunityLineItem", "opportunityProspectRoles": "opportunityProspectRole",
    "meetings": "meeting", "events": "event",
}  # fmt: skip
MEDIA = "application/vnd.api+json"
FORTNIGHT = 14 * 86400


def refuse(status: int, id: str, title: str, detail: str, pointer: str = "") -> RefusedError:
    entry: dict[str, Any] = {"id": id, "title": title, "detail": detail}
    if pointer:
        entry["source"] = {"pointer": pointer}
    return RefusedError(status, {"errors": [entry]})


def moment_of(text: str) -> datetime:
    at = datetime.fromisoformat(text.replace("Z", "+00:00").replace(" ", "+"))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


class Outreach(StandIn):
    """An organisation. No API keys; a token at most every 60 seconds; refresh tokens live a fortnight."""

    vendor = "outreach"
    oauth = OAuth(
        "/oauth/authorize",
        "/oauth/token",
        lifetime=7200,
        rotates=True,
        grace=FORTNIGHT,
        refresh_lifetime=FORTNIGHT,
        mint_every=60,
    )
    documented = ((3600, 10_000, "/api/v2", "hour"),)
    most_offset = 10_000
    #: Whether updates are pushed with the values before.
    payload_version = 2
    cleanup_token = "obviously-not-a-cleanup-token"
    #: Whether a list tells its count when nobody asks, as for applications of before October 2024.
    counts_by_default = False
    _links: ClassVar[tuple[str, ...]] = ("owner", "account", "stage", "prospect", "opportunity", "user", "creator", "task",
                                         "sequence", "callDisposition", "product", "team", "role", "mailing", "call")  # fmt: skip

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.me = self.put(
            "user", 1, email="api@acme.example", firstName="Api", lastName="User", name="Api User", locked=False
        )
        stages = ((10, "Qualification"), (50, "Proposal"), (100, "Closed Won"), (0, "Closed Lost"))
        for place, (chance, name) in enumerate(stages, 1):
            closed = chance in (0, 100)
            self.put(
                "opportunityStage",
                place,
                name=name,
                order=place,
                isClosed=closed,
                isWon=chance == 100,
                probability=chance,
            )
        self.log.clear()

    # -- Records

    def wire(self, value: Any) -> Any:
        """Pairs are relationships and stay pairs, with the id as text."""
        if isinstance(value, tuple):
            return (value[0], str(value[1]))
        return super().wire(value)

    def put(self, object: str, id: object = None, /, **fields: Any) -> str:
        if object == "opportunity" and fields.get("amountPrecise") is not None:
            exact = Decimal(str(fields["amountPrecise"]))
            fields["amountPrecise"] = str(exact)
            fields["amount"] = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
        if object == "prospect" and ("firstName" in fields or "lastName" in fields):
            fields.setdefault("name", " ".join(filter(None, (fields.get("firstName"), fields.get("lastName")))))
        return super().put(object, id, **fields)

    def birth(self, row: Row) -> None:
        if row.object == "opportunity":
            row.fields |= {"trashedAt": None, "currencyType": "USD", "amount": None, "amountPrecise": None,
                           "stage": ("opportunityStage", "1"), "owner": None, "account": None}  # fmt: skip

    def trash(self, id: object) -> None:
        """The opportunity goes to the bin: an edit that sets trashedAt."""
        self.put("opportunity", id, trashedAt=self.clock.now)

    def parts(self, fields: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Attributes and relationships."""
        attributes: dict[str, Any] = {}
        relationships: dict[str, Any] = {}
        for name, value in fields.items():
            if isinstance(value, tuple):
                relationships[name] = {"data": {"type": value[0], "id": int(value[1])}}
            elif value is None and name in self._links:
                relationships[name] = {"data": None}
            else:
                attributes[name] = value
        return attributes, relationships

    def show(self, row: Row) -> dict[str, Any]:
        attributes, relationships = self.parts(row.fields)
        attributes |= {"createdAt": iso(row.created_at), "updatedAt": iso(row.modified_at)}
        if row.object == "event":
            del attributes["updatedAt"]
            attributes.setdefault("eventAt", iso(row.created_at))
        link = f"{self.origin}/api/v2/{self.plural(row.object)}/{row.id}"
        return {
            "type": row.object,
            "id": int(row.id),
            "attributes": attributes,
            "relationships": relationships,
            "links": {"self": link},
        }

    @staticmethod
    def plural(object: str) -> str:
        return next(name for name, one in TYPES.items() if one == object)

    @staticmethod
    def kind(name: str) -> str:
        if name not in TYPES:
            raise refuse(404, "resourceNotFound", "Resource Not Found", f"Could not find '{name}'.")
        return TYPES[name]

    # -- Lists

    def value(self, row: Row, name: str) -> Any:
        """What is filtered and sorted by; moments compare as moments."""
        if name == "id":
            return int(row.id)
        if name == "createdAt":
            return row.created_at
        if name == "updatedAt" and row.object != "event":
            return row.modified_at
        value = row.fields.get(name)
        if isinstance(value, tuple):
            return int(value[1])
        if name.endswith("At") and isinstance(value, str):
            return moment_of(value)
        return value

    def _limit(self, example: Any, text: str) -> Any:
        """A value of a filter, of the kind of what it is compared with."""
        try:
            if isinstance(example, datetime):
                return moment_of(text)
            return int(text) if isinstance(example, int) and not isinstance(example, bool) else text
        except ValueError:
            raise refuse(400, "invalidFilter", "Invalid Filter", f"'{text}' is not understood.") from None

    def _within(self, value: Any, text: str, is_new: bool) -> bool:
        """Whether a value is in a list, a range (`a..b`, `neginf..b`, `a..inf`, ends included) or the same."""
        if text in ("__null__", "__notnull__"):
            return (value is None) == (text == "__null__")
        if value is None:
            return False
        if ".." in text and not is_new:
            low, high = text.split("..", 1)
            is_above = low == "neginf" or value >= self._limit(value, low)
            return bool(is_above and (high == "inf" or value <= self._limit(value, high)))
        several = [text] if is_new else text.split(",")
        shown = str(value).lower() if isinstance(value, bool) else value
        return any(shown == self._limit(value, one) for one in several)

    def _filtered(self, ask: Request, rows: list[Row]) -> list[Row]:
        is_new = ask.params.get("newFilterSyntax") == "true"
        signs = {
            "gte": lambda a, b: a >= b,
            "lte": lambda a, b: a <= b,
            "gt": lambda a, b: a > b,
            "lt": lambda a, b: a < b,
        }
        for name, text in ask.pairs:
            if not name.startswith("filter["):
                continue
            parts = name.removeprefix("filter[").removesuffix("]").split("][")
            field, sign = parts[0], parts[1] if len(parts) > 1 else ""
            if field == "updatedAt" and rows and rows[0].object == "event":
                raise refuse(400, "invalidFilter", "Invalid Filter", "'updatedAt' cannot be filtered.")
            if sign in signs:
                if not is_new:
                    raise refuse(400, "invalidFilter", "Invalid Filter", f"'{name}' needs newFilterSyntax.")
                compare = signs[sign]
                values = [(row, self.value(row, field)) for row in rows]
                rows = [row for row, value in values if value is not None and compare(value, self._limit(value, text))]
            else:
                rows = [row for row in rows if self._within(self.value(row, field), text, is_new)]
        return rows

    @route("GET", "/api/v2/{name}", page=True)
    def list_records(self, ask: Request, name: str) -> Any:
        rows = self._filtered(ask, self.rows(self.kind(name)))
        sorts = [*ask.params.get("sort", "id").split(","), "id"]
        for sort in reversed(sorts):
            field = sort.lstrip("-")
            rows.sort(key=lambda row, field=field: _ordered(self.value(row, field)), reverse=sort.startswith("-"))  # type: ignore[misc]
        if "page[offset]" in ask.params or "page[limit]" in ask.params:
            part, param = self._by_offset(ask, rows), "page[offset]"
        else:
            part, param = self._by_place(ask, rows, sorts), "page[after]"
        reply: dict[str, Any] = {"data": [self.show(row) for row in part.rows], "links": {}}
        pairs = [(key, value) for key, value in ask.pairs if key != param]
        here = f"{self.origin}/api/v2/{name}?"
        reply["links"]["first"] = here + urlencode(pairs)
        if part.next is not None:
            reply["links"]["next"] = here + urlencode([*pairs, (param, part.next)])
        counts = ask.params.get("count", "true" if self.counts_by_default else "false") == "true"
        reply["meta"] = {"count": len(rows), "count_truncated": False} if counts else {}
        included = self._included(part.rows, ask.params.get("include", ""))
        return reply | ({"included": included} if included else {})

    def _size(self, ask: Request, name: str) -> int:
        size = ask.number(name, 50)
        if not 1 <= size <= 1000:
            raise refuse(400, "invalidPagination", "Invalid Pagination", f"{name} must be between 1 and 1000.")
        return size

    def _by_offset(self, ask: Request, rows: list[Row]) -> Slice:
        start = ask.number("page[offset]", 0)
        if start > self.most_offset:
            raise refuse(400, "invalidPagination", "Invalid Pagination", "page[offset] must not exceed 10000.")
        return self.by_offset(rows, start, self._size(ask, "page[limit]"))

    def _by_place(self, ask: Request, rows: list[Row], sorts: list[str]) -> Slice:
        """Rows behind the place that the cursor names: the values that they are sorted by."""
        size = self._size(ask, "page[size]")
        cursor = ask.params.get("page[after]")

        def place(row: Row) -> list[Any]:
            return [_plain(self.value(row, sort.lstrip("-"))) for sort in sorts]

        if cursor:
            try:
                last = json.loads(base64.urlsafe_b64decode(cursor))
            except (ValueError, binascii.Error):
                raise refuse(400, "invalidPagination", "Invalid Pagination", "page[after] is not a cursor.") from None
            rows = [row for row in rows if _is_behind(place(row), last, sorts)]
        chunk = rows[:size]

        def name(values: list[Any]) -> str:
            return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()

        def invent() -> str:
            """A cursor that was never seen and leads to the beginning."""
            return name([*([None] * (len(sorts) - 1)), -len(self.requests)])

        following = name(place(chunk[-1])) if len(rows) > size else None
        return self.cut(chunk, following, cursor, invent)

    def _included(self, rows: list[Row], include: str) -> list[dict[str, Any]]:
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for name in filter(None, include.split(",")):
            for row in rows:
                pair = row.fields.get(name)
                if isinstance(pair, tuple) and pair[1] in self.world.get(pair[0], {}):
                    found[pair] = self.show(self.world[pair[0]][pair[1]])
        return list(found.values())

    # -- Single records

    def _one(self, name: str, id: str) -> Row:
        object = self.kind(name)
        row = self.world.get(object, {}).get(id)
        if row is None or row.is_deleted:
            raise refuse(404, "resourceNotFound", "Resource Not Found", f"Could not find '{object}' with ID '{id}'.")
        return row

    def _values(self, data: dict[str, Any]) -> dict[str, Any]:
        """Attributes and relationships of a write as fields."""
        values = dict(data.get("attributes") or {})
        for name in values:
            if name in ("createdAt", "updatedAt"):
                raise refuse(
                    422, "validationError", "Validation Error", f"{name} is read only.", f"/data/attributes/{name}"
                )
        for name, link in (data.get("relationships") or {}).items():
            to = link["data"]
            values[name] = (to["type"], to["id"]) if to else None
        return values

    @route("GET", "/api/v2/{name}/{id}")
    def one(self, ask: Request, name: str, id: str) -> Any:
        row = self._one(name, id)
        included = self._included([row], ask.params.get("include", ""))
        return {"data": self.show(row)} | ({"included": included} if included else {})

    @route("PATCH", "/api/v2/{name}/{id}")
    def edit(self, ask: Request, name: str, id: str) -> Any:
        row, data = self._one(name, id), ask.json["data"]
        if "include" in ask.params:
            raise refuse(400, "invalidParameter", "Invalid Parameter", "include is not supported on updates.")
        if (data.get("type"), str(data.get("id"))) != (row.object, row.id):
            raise refuse(422, "validationError", "Validation Error", "type and id must match the address.", "/data")
        self.put(row.object, row.id, **self._values(data))
        return {"data": self.show(row)}

    @route("POST", "/api/v2/{name}")
    def create(self, ask: Request, name: str) -> Any:
        object, data = self.kind(name), ask.json["data"]
        if object == "opportunity" and not (data.get("attributes") or {}).get("name"):
            raise refuse(422, "validationError", "Validation Error", "Name can't be blank.", "/data/attributes/name")
        key = self.put(object, None, **self._values(data))
        return Reply({"data": self.show(self.row(object, key))}, 201)

    @route("DELETE", "/api/v2/{name}/{id}")
    def remove(self, _ask: Request, name: str, id: str) -> Any:
        row = self._one(name, id)
        self.delete(row.object, row.id)
        return Reply(status=204)

    @route("GET", "/api/v2")
    def show_me(self, _ask: Request) -> Any:
        org = {"guid": "11111111-2222-4333-8444-555555555555", "name": "Acme Selling", "shortname": "acme"}
        return {"meta": {"user": {"id": int(self.me), "email": "api@acme.example"}, "org": org}}

    # -- Who, refusals, rates

    def answer(self, ask: Request) -> Reply:
        if ask.path.startswith("/api/v2") and not ask.headers.get("content-type", "").startswith(MEDIA):
            detail = f"Expected Content-Type header to be '{MEDIA}'."
            return refuse(415, "unsupportedMediaType", "Unsupported Media Type", detail).reply
        reply = super().answer(ask)
        if ask.path.startswith("/api/v2"):
            reply.headers.setdefault("Content-Type", MEDIA)
        return reply

    def token_reply(self, reply: dict[str, Any], grant: Grant, kind: str) -> dict[str, Any]:
        created = int(self.clock.now.timestamp())
        return {**reply, "scope": grant.scope or "opportunities.all accounts.all", "created_at": created}

    def unauthorized(self, ask: Request) -> Reply:
        return refuse(401, "unauthorized", "Unauthorized", "The access token is invalid or expired.").reply

    def not_found(self, ask: Request) -> Reply:
        return refuse(404, "resourceNotFound", "Resource Not Found", f"Could not find '{ask.path}'.").reply

    def _back_at(self, seconds: float) -> str:
        return iso(self.clock.now + timedelta(seconds=seconds))

    def too_many(self, retry_after: float | str | None) -> Reply:
        """Seconds become the moment when the window ends, in a header of their own beside the alias."""
        reset = (
            retry_after if isinstance(retry_after, str) else self._back_at(60.0 if retry_after is None else retry_after)
        )
        detail = f"You have exceeded your permitted rate limit of 10,000; please try again at {reset}."
        reply = refuse(429, "rateLimitExceeded", "Rate Limit Exceeded", detail).reply
        reply.headers = {"X-RateLimit-Limit": "10000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
        if retry_after is not None:
            reply.headers["Retry-After"] = reset
        return reply

    def over(self, limit: Limit, retry_after: float) -> Reply:
        return self.too_many(retry_after)

    def limit_reached(self) -> Reply:
        """The year's entitlement is used up."""
        return refuse(
            403, "unauthorizedRequest", "Unauthorized Request", "Your organization has used up its API calls."
        ).reply

    def retry_header(self, retry_after: float | str | None) -> dict[str, str]:
        """A moment, not seconds."""
        if retry_after is None:
            return {}
        return {"Retry-After": retry_after if isinstance(retry_after, str) else self._back_at(retry_after)}

    def failure(self, status: int) -> Reply:
        if status == 503:
            detail = f"Scheduled server maintenance is under way; please try again at {self._back_at(600)}."
            return refuse(503, "scheduledServerMaintenance", "Scheduled Server Maintenance", detail).reply
        return refuse(status, "internalServerError", "Internal Server Error", "Something went wrong.").reply

    def rate_headers(self, ask: Request) -> dict[str, str]:
        if not self.limits:
            return {}
        limit = self.limits[0]
        reset = self._back_at(limit.resets_in(self.clock.lapse()))
        return {
            "X-RateLimit-Limit": str(limit.n),
            "X-RateLimit-Remaining": str(self.remaining(limit)),
            "X-RateLimit-Reset": reset,
        }

    # -- Pushes

    def hook_items(self, event: Event) -> list[Any]:
        """Changed fields only; of what was destroyed the last that was known."""
        word = {
            "created": "created",
            "updated": "updated",
            "deleted": "destroyed",
            "merged": "destroyed",
            "restored": "created",
        }
        fields = event.fields
        if event.kind == "updated":
            fields = {name: event.fields[name] for name in event.previous}
        attributes, relationships = self.parts(fields)
        if event.kind != "deleted":
            attributes["updatedAt"] = iso(event.at)
        base = {"type": event.object, "id": int(event.id)}
        item: dict[str, Any] = {"data": {**base, "attributes": attributes, "relationships": relationships}}
        if event.kind == "updated" and self.payload_version == 2:
            before, links = self.parts(event.previous)
            item["beforeUpdate"] = {**base, "attributes": before, "relationships": links}
        item["meta"] = {"eventName": f"{event.object}.{word[event.kind]}"}
        return [item]

    def hook_delivery(self, items: Sequence[Any], at: datetime) -> Delivery:
        item = items[0]
        body = dump({**item, "meta": {"deliveredAt": iso(at, digits=3, zone="+00:00"), **item["meta"]}})
        proof = hmac.new(self.hook_secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "Outreach-Webhook-Signature": proof,
                   "outreach-webhook-cleanup-token": self.cleanup_token}  # fmt: skip
        return Delivery("POST", self.hook_url, headers, body)


def _plain(value: Any) -> Any:
    """A sorted value as a cursor keeps it."""
    return iso(value, digits=6) if isinstance(value, datetime) else value


def _ordered(value: Any) -> tuple[bool, Any]:
    """Empty values come first."""
    return (value is not None, value if value is not None else 0)


def _is_behind(place: list[Any], last: list[Any], sorts: list[str]) -> bool:
    """Whether a place comes after another, each part in its own direction."""
    for mine, other, sort in zip(place, last, sorts, strict=False):
        if mine != other:
            is_greater = _ordered(mine) > _ordered(other)
            return is_greater != sort.startswith("-")
    return False
