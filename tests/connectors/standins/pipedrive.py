"""A Pipedrive company that is none: version 2 with cursors, version 1 with starts, deletions for a month, archive, pushes.

`put("deal", 1, title="A", value=Decimal("10.50"), org_id=1, owner_id=2)`. Ids are whole numbers, those of leads UUIDs.
`field("deal", "Region", "varchar")` makes a custom field and returns its key; `put("deal", 1, **{key: "North"})` fills it.
`put("deal", 1, is_archived=True)` puts a deal away. Cursors name a place in the order (field, value, id), as those in the
vendor's own description do, so that a record that moves is seen again, never lost. Stages 1 to 3 belong to pipeline 1.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

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
    StandIn,
    dump,
    iso,
    route,
)

#: Version 2: what addresses say, what records say, and by what they are sorted.
LISTS = {
    "deals": ("deal", ("id", "update_time", "add_time")),
    "persons": ("person", ("id", "update_time", "add_time")),
    "organizations": ("organization", ("id", "update_time", "add_time")),
    "activities": ("activity", ("id", "update_time", "add_time", "due_date")),
    "products": ("product", ("id", "name", "update_time", "add_time")),
    "stages": ("stage", ("id", "update_time", "add_time", "order_nr")),
    "pipelines": ("pipeline", ("id", "update_time", "add_time")),
}
#: Lists that can be asked for what changed.
FOLLOWED = frozenset({"deals", "persons", "organizations", "activities"})
FIELDS = {"dealFields": "deal", "personFields": "person", "organizationFields": "organization"}
STATUSES = frozenset({"open", "won", "lost", "deleted"})
#: How long the deleted are listed.
KEPT = timedelta(days=30)
#: Columns that every record of an object has, so that what is left is a custom field.
CUSTOM_KEY = 40


def refuse(status: int, error: str, code: str = "ERR_SCHEMA_VALIDATION_FAILED") -> RefusedError:
    return RefusedError(status, {"success": False, "error": error, "code": code})


def moment_of(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00").replace(" ", "+"))
    except ValueError:
        raise refuse(400, f"{text} is not in RFC3339 format") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


class Pipedrive(StandIn):
    """A company. OAuth with refresh tokens that stay, or a token in `x-api-token`."""

    vendor = "pipedrive"
    precision = timedelta(seconds=1)
    oauth = OAuth("/oauth/authorize", "/oauth/token", lifetime=3600, refresh_lifetime=60 * 86400)
    repeats_refresh_token = True
    key_in = "x-api-token"
    hook_secret = "portal:obviously-not-a-hook-secret"
    documented = ((2, 80, "/", "burst"),)
    company_id = 54235233
    company_domain = "acme-sandbox"
    #: Whether version 1 lists the newest first where no direction is asked for.
    newest_first = False
    #: Tokens of a day, shared by the whole company.
    daily = 150_000

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.spent_today = 0
        self._fields: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in FIELDS.values()}
        self.put("user", 1, name="Api User", email="api@acme.example")
        self.put("pipeline", 1, name="Sales")
        for place, (name, chance) in enumerate((("Qualified", 20), ("Proposal Made", 50), ("Negotiations", 80)), 1):
            self.put("stage", place, name=name, order_nr=place, pipeline_id=1, deal_probability=chance)
        self.log.clear()

    # -- Records

    def identity(self, object: str, id: object) -> str:
        if object == "lead" and (id is None or isinstance(id, int)):
            if id is None:
                self._numbers += 1
                id = 100_000 + self._numbers
            return str(uuid.uuid5(uuid.NAMESPACE_URL, f"lead-{id}"))
        return super().identity(object, id)

    def moment(self, at: datetime) -> str:
        return iso(at, digits=0)

    def field(self, object: str, name: str, type: str, options: Sequence[str] = ()) -> str:
        """Make a custom field; its key, which no other company has."""
        key = hashlib.sha256(f"{self.company_id}-{object}-{name}".encode()).hexdigest()[:CUSTOM_KEY]
        self._fields[object][key] = {
            "field_name": name, "field_code": key, "field_type": type, "is_custom_field": True, "subfields": None,
            "options": [{"id": place, "label": label} for place, label in enumerate(options, 1)] or None,
        }  # fmt: skip
        return key

    def birth(self, row: Row) -> None:
        defaults: dict[str, Any] = {}
        if row.object == "deal":
            defaults = {"owner_id": 1, "creator_user_id": 1, "person_id": None, "org_id": None, "value": 0,
                        "currency": "EUR", "pipeline_id": 1, "stage_id": 1, "status": "open", "is_archived": False,
                        "probability": None, "lost_reason": None, "won_time": None, "lost_time": None,
                        "close_time": None, "local_close_date": None, "expected_close_date": None, "label_ids": [],
                        "acv": None, "arr": None, "mrr": None}  # fmt: skip
        elif row.object in ("person", "organization"):
            defaults = {"owner_id": 1, "label_ids": []}
            if row.object == "person":
                defaults |= {"org_id": None, "emails": [], "phones": []}
        elif row.object == "activity":
            defaults = {"owner_id": 1, "type": "call", "done": False, "due_date": None, "due_time": None,
                        "duration": None, "deal_id": None, "lead_id": None, "person_id": None, "org_id": None,
                        "marked_as_done_time": None, "note": None}  # fmt: skip
        elif row.object == "user":
            defaults = {"default_currency": "EUR", "active_flag": True, "timezone_name": "Europe/Berlin"}
        elif row.object == "lead":
            defaults = {"owner_id": 1, "person_id": None, "organization_id": None, "value": None, "is_archived": False,
                        "source_name": "API", "expected_close_date": None}  # fmt: skip
        elif row.object == "note":
            defaults = {"user_id": 1, "deal_id": None, "lead_id": None, "person_id": None, "org_id": None}
        row.fields.update(defaults)

    def put(self, object: str, id: object = None, /, **fields: Any) -> str:
        """A move to won or lost stamps the moment, in the company's zone too."""
        if object == "deal" and fields.get("status") in ("won", "lost"):
            at = self.moment(self.stamp(self.clock.now))
            fields.setdefault(f"{fields['status']}_time", at)
            fields.setdefault("close_time", at)
        return super().put(object, id, **fields)

    def show(self, row: Row) -> dict[str, Any]:
        """A record in version 2."""
        plain = {name: value for name, value in row.fields.items() if len(name) != CUSTOM_KEY}
        found: dict[str, Any] = {"id": int(row.id), **plain}
        found |= {"add_time": self.moment(row.created_at), "update_time": self.moment(row.modified_at)}
        found["is_deleted"] = row.is_deleted
        if row.object in FIELDS.values():
            keys = self._fields[row.object]
            found["custom_fields"] = {key: row[key] for key in keys}
        if row.object == "deal" and row.is_deleted:
            found["status"] = "deleted"
        return found

    def show_v1(self, row: Row) -> dict[str, Any]:
        """A record in version 1: moments without a zone, in UTC; those of leads are whole."""
        if row.object == "lead":
            return {
                "id": row.id, **row.fields, "add_time": iso(row.created_at), "update_time": iso(row.modified_at)
            }  # fmt: skip
        times = {"add_time": row.created_at, "update_time": row.modified_at}
        if row.object == "user":
            times = {"created": row.created_at, "modified": row.modified_at}
        naive = {name: at.strftime("%Y-%m-%d %H:%M:%S") for name, at in times.items()}
        return {
            "id": int(row.id),
            **row.fields,
            **naive,
            "active_flag": not row.is_deleted and row["active_flag"] is not False,
        }

    # -- Version 2

    def _sorted(self, ask: Request, rows: list[Row], orders: Sequence[str]) -> dict[str, Any]:
        """A page behind the place that the cursor names."""
        params = ask.params
        by, direction = params.get("sort_by", "id"), params.get("sort_direction", "asc")
        if by not in orders or direction not in ("asc", "desc"):
            raise refuse(400, "sort_by is not one of the supported fields")
        size = ask.number("limit", 100)
        if not 1 <= size <= 500:
            raise refuse(400, "limit must be at most 500")

        def place(row: Row) -> tuple[Any, int]:
            stamps: dict[str, Callable[[], Any]] = {
                "id": lambda: int(row.id),
                "update_time": lambda: row.modified_at.isoformat(),
                "add_time": lambda: row.created_at.isoformat(),
            }
            return stamps.get(by, lambda: str(row[by] or ""))(), int(row.id)

        rows.sort(key=place, reverse=direction == "desc")
        cursor = params.get("cursor")
        if cursor:
            try:
                told = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
                behind = (told["fieldValue"], told["id"])
            except (binascii.Error, ValueError, KeyError):
                raise refuse(400, "Invalid cursor") from None
            if told["field"] != by:
                raise refuse(400, "The cursor belongs to another order")
            rows = [row for row in rows if (place(row) > behind if direction == "asc" else place(row) < behind)]
        chunk = rows[:size]

        def name(row: Row | None) -> str:
            far = 10**9 + len(self.requests)
            value, id = place(row) if row else (far if by == "id" else "", far)
            told = {"field": by, "fieldValue": value, "sortDirection": direction, "id": id}
            return base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")

        invent = (lambda: name(chunk[-1])) if chunk else (lambda: name(None))
        part = self.cut(chunk, name(chunk[-1]) if len(rows) > size else None, cursor, invent)
        return {
            "success": True,
            "data": [self.show(row) for row in part.rows],
            "additional_data": {"next_cursor": part.next},
        }

    def _list(self, ask: Request, list: str, rows: list[Row]) -> dict[str, Any]:
        params = ask.params
        known = {"limit", "cursor", "sort_by", "sort_direction", "ids", "owner_id", "custom_fields", "include_fields"}
        if list in FOLLOWED:
            known |= {"updated_since", "updated_until"}
        if list == "deals":
            known |= {"status"}
        strange = set(params) - known
        if strange:
            raise refuse(400, f"Parameters are not supported: {sorted(strange)}")
        if "ids" in params:
            wanted = params["ids"].split(",")
            if len(wanted) > 100:
                raise refuse(400, "ids: at most 100")
            rows = [row for row in rows if row.id in wanted]
        if "updated_since" in params:
            rows = [row for row in rows if row.modified_at >= moment_of(params["updated_since"])]
        if "updated_until" in params:
            rows = [row for row in rows if row.modified_at < moment_of(params["updated_until"])]
        return self._sorted(ask, rows, LISTS[list][1])

    def _deals(self, ask: Request, *, is_archived: bool) -> dict[str, Any]:
        statuses = [one for one in ask.params.get("status", "").split(",") if one]
        if not set(statuses) <= STATUSES:
            raise refuse(400, "status is not supported")
        oldest = self.clock.now - KEPT
        rows = [row for row in self.rows("deal", is_deleted=None) if bool(row["is_archived"]) == is_archived]
        rows = [
            row
            for row in rows
            if (
                (row.is_deleted and "deleted" in statuses and (row.deleted_at or oldest) >= oldest)
                or (not row.is_deleted and (not statuses or row["status"] in statuses))
            )
        ]
        return self._list(ask, "deals", rows)

    @route("GET", "/api/v2/deals/archived", page=True)
    def list_archived(self, ask: Request) -> Any:
        return self._deals(ask, is_archived=True)

    @route("GET", "/api/v2/deals", page=True)
    def list_deals(self, ask: Request) -> Any:
        return self._deals(ask, is_archived=False)

    @route("GET", "/api/v2/{list}", page=True)
    def list_records(self, ask: Request, list: str) -> Any:
        if list in FIELDS:
            fields = [
                {"field_name": "Title", "field_code": "title", "field_type": "varchar", "is_custom_field": False,
                 "options": None, "subfields": None},
                *self._fields[FIELDS[list]].values(),
            ]  # fmt: skip
            start = int(ask.params.get("cursor") or 0)
            size = ask.number("limit", 100)
            following = str(start + size) if start + size < len(fields) else None
            return {
                "success": True,
                "data": fields[start : start + size],
                "additional_data": {"next_cursor": following},
            }
        if list not in LISTS:
            raise refuse(404, "Not found", "ERR_NOT_FOUND")
        return self._list(ask, list, self.rows(LISTS[list][0]))

    def _one(self, list: str, id: str) -> Row:
        """A record that is there; the deleted are not."""
        row = self.world.get(LISTS[list][0], {}).get(id) if list in LISTS else None
        if row is None or row.is_deleted:
            raise refuse(404, "Entity not found", "ERR_NOT_FOUND")
        return row

    @route("GET", "/api/v2/{list}/{id}")
    def one(self, _ask: Request, list: str, id: str) -> Any:
        return {"success": True, "data": self.show(self._one(list, id))}

    @route("PATCH", "/api/v2/{list}/{id}")
    def edit(self, ask: Request, list: str, id: str) -> Any:
        """Changes what is named; a stage and a number must be one."""
        row = self._one(list, id)
        values = dict(ask.json)
        for name in ("stage_id", "owner_id", "org_id", "value"):
            if name in values and isinstance(values[name], str):
                raise refuse(400, f"{name} must be a number")
        if "stage_id" in values and str(values["stage_id"]) not in self.world["stage"]:
            raise refuse(400, "Stage not found")
        self.put(row.object, row.id, **values.pop("custom_fields", {}), **values)
        return {"success": True, "data": self.show(row)}

    # -- Version 1

    def _started(self, ask: Request, rows: list[Row]) -> dict[str, Any]:
        """A page by its start, as the world is now; nothing at all is null."""
        params = ask.params
        order = params.get("sort", "add_time")
        if order not in ("id", "add_time", "update_time"):
            raise refuse(400, "sort is not supported")
        stamps: dict[str, Callable[[Row], Any]] = {
            "id": lambda row: row.id,
            "add_time": lambda row: (row.created_at, row.id),
            "update_time": lambda row: (row.modified_at, row.id),
        }
        rows.sort(key=stamps[order], reverse=self.newest_first)
        if "updated_since" in params:
            rows = [row for row in rows if row.modified_at >= moment_of(params["updated_since"])]
        start, size = ask.number("start", 0), ask.number("limit", 100)
        part = self.by_offset(rows, start, size)
        pagination = {"start": start, "limit": size, "more_items_in_collection": part.next is not None}
        if part.next is not None:
            pagination["next_start"] = part.next
        return {
            "success": True,
            "data": [self.show_v1(row) for row in part.rows] or None,
            "additional_data": {"pagination": pagination},
        }

    @route("GET", "/v1/users")
    def list_users(self, _ask: Request) -> Any:
        return {"success": True, "data": [self.show_v1(row) for row in self.rows("user")]}

    @route("GET", "/v1/users/me")
    def show_me(self, _ask: Request) -> Any:
        company = {"company_id": self.company_id, "company_name": "Acme", "company_domain": self.company_domain}
        return {"success": True, "data": {**self.show_v1(self.row("user", 1)), **company}}

    @route("GET", "/v1/users/{id}")
    def one_user(self, _ask: Request, id: str) -> Any:
        return {"success": True, "data": self.show_v1(self._one_v1("user", id))}

    @route("GET", "/v1/leads", page=True)
    def list_leads(self, ask: Request) -> Any:
        return self._started(ask, [row for row in self.rows("lead") if not row["is_archived"]])

    @route("GET", "/v1/notes", page=True)
    def list_notes(self, ask: Request) -> Any:
        return self._started(ask, self.rows("note"))

    def _one_v1(self, object: str, id: str) -> Row:
        row = self.world.get(object, {}).get(id)
        if row is None or row.is_deleted:
            raise RefusedError(404, {"success": False, "error": "Not found", "errorCode": 404})
        return row

    @route("GET", "/v1/leads/{id}")
    def one_lead(self, _ask: Request, id: str) -> Any:
        return {"success": True, "data": self.show_v1(self._one_v1("lead", id))}

    @route("PATCH", "/v1/leads/{id}")
    def edit_lead(self, ask: Request, id: str) -> Any:
        row = self._one_v1("lead", id)
        self.put("lead", row.id, **ask.json)
        return {"success": True, "data": self.show_v1(row)}

    @route("GET", "/v1/notes/{id}")
    def one_note(self, _ask: Request, id: str) -> Any:
        return {"success": True, "data": self.show_v1(self._one_v1("note", id))}

    # -- Who, refusals, rates

    def token_reply(self, reply: dict[str, Any], grant: Grant, kind: str) -> dict[str, Any]:
        return {
            **reply,
            "scope": "base deals:full contacts:full",
            "api_domain": f"https://{self.company_domain}.pipedrive.com",
        }

    def _token(self, ask: Request) -> Reply:
        """The client proves itself by Basic alone."""
        if ask.basic is None:
            return self.token_error("invalid_client", "client credentials are missing", 400)
        return super()._token(ask)

    def unauthorized(self, ask: Request) -> Reply:
        return Reply({"success": False, "error": "unauthorized access", "errorCode": 401}, 401)

    def not_found(self, ask: Request) -> Reply:
        return Reply({"success": False, "error": "Unknown method ."}, 404)

    def failure(self, status: int) -> Reply:
        return Reply({"success": False, "error": "Internal server error", "errorCode": status}, status)

    def too_many(self, retry_after: float | str | None) -> Reply:
        headers = {**self.retry_header(retry_after), "x-ratelimit-limit": "80", "x-ratelimit-remaining": "0",
                   "x-ratelimit-reset": "2"}  # fmt: skip
        return Reply({"success": False, "error": "Rate limit exceeded", "errorCode": 429}, 429, headers)

    def limit_reached(self) -> Reply:
        """Whoever goes on after many 429 is turned away before Pipedrive itself."""
        page = b"<html><title>Access denied</title>You are being rate limited</html>"
        return Reply(status=403, body=page, headers={"Content-Type": "text/html; charset=UTF-8"})

    def over(self, limit: Limit, retry_after: float) -> Reply:
        return self.too_many(retry_after)

    def price(self, ask: Request) -> int:
        """Tokens that a request costs."""
        is_v2, is_list = "/v2/" in ask.path, ask.route.count("{id}") == 0 and not ask.path.endswith("/me")
        if ask.method != "GET":
            return 5 if is_v2 else 10
        if not is_list:
            return 1 if is_v2 else 2
        if ask.path.endswith(("/stages", "/pipelines")):
            return 5
        return 10 if is_v2 and not ask.path.endswith("/archived") else 20

    def _spend(self, ask: Request) -> Reply | None:
        price = self.price(ask)
        if self.spent_today + price > self.daily:
            self.overruns.append(ask)
            return self.too_many(None)
        refusal = super()._spend(ask)
        if refusal is None:
            self.spent_today += price
        return refusal

    def rate_headers(self, ask: Request) -> dict[str, str]:
        burst = next((limit for limit in self.limits if limit.name == "burst"), None)
        return {
            "x-ratelimit-limit": "80",
            "x-ratelimit-remaining": str(self.remaining(burst) if burst else 79),
            "x-ratelimit-reset": "2",
            "x-daily-ratelimit-token-limit": str(self.daily),
            "x-daily-ratelimit-token-remaining": str(self.daily - self.spent_today),
        }

    # -- Pushes

    def hook_items(self, event: Event) -> list[Any]:
        """One for each event; `previous` has the changed fields only, custom fields say their type."""
        if event.object in ("stage", "pipeline"):
            return []
        action = {"created": "create", "deleted": "delete", "merged": "delete"}.get(event.kind, "change")
        meta: dict[str, Any] = {
            "action": action, "entity": event.object, "entity_id": event.id, "company_id": str(self.company_id),
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"event-{event.number}")), "timestamp": iso(event.at),
            "version": "2.0", "type": "general", "user_id": "1", "permitted_user_ids": ["1"], "is_bulk_edit": False,
        }  # fmt: skip
        if event.merged_into:
            meta["merged_to_id"] = event.merged_into
        row = self.world.get(event.object, {}).get(event.id)
        data = None
        if action != "delete" and row is not None:
            data = self.show_v1(row) if event.object in ("lead", "note", "user") else self.show(row)
            keys = self._fields.get(event.object, {})
            if keys:
                data["custom_fields"] = {
                    key: {"type": field["field_type"], "value": row[key]} for key, field in keys.items()
                }
        previous = event.previous or ({"id": event.id} if action == "delete" else None)
        return [{"data": data, "previous": previous, "meta": meta}]

    def hook_delivery(self, items: Sequence[Any], at: datetime) -> Delivery:
        pair = base64.b64encode(self.hook_secret.encode()).decode()
        headers = {"Content-Type": "application/json", "Authorization": f"Basic {pair}"}
        return Delivery("POST", self.hook_url, headers, dump(items[0]))
