"""A Close organisation that is none: leads (companies), contacts, opportunities, activities, event log, search, pushes.

`put("opportunity", 1, lead_id=1, value=50000, value_period="annual", status_id=2)`: numbers become ids (`oppo_...`), in
references too. The statuses 1, 2, 3 are active, won and lost. A move of the status writes an OpportunityStatusChange
("activity.opportunity_status_change"). Calls are "activity.call", and so on. Trailing slashes matter.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
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
    StandIn,
    dump,
    iso,
    route,
)

PREFIXES = {
    "lead": "lead_", "contact": "cont_", "opportunity": "oppo_", "user": "user_", "status": "stat_",
    "pipeline": "pipe_", "organization": "orga_",
}  # fmt: skip
#: Fields that lead to other records.
REFERENCES = {
    "lead_id": "lead", "contact_id": "contact", "user_id": "user", "status_id": "status", "pipeline_id": "pipeline",
    "opportunity_id": "opportunity", "created_by": "user", "updated_by": "user",
}  # fmt: skip
#: Activities: what the address says, what the record says.
ACTIVITIES = {
    "call": "Call", "email": "Email", "sms": "SMS", "meeting": "Meeting", "note": "Note", "lead_merge": "LeadMerge",
    "status_change/opportunity": "OpportunityStatusChange",
}  # fmt: skip
PERIODS = {"one_time": 1, "monthly": 12, "annual": 1}
#: How far back the event log goes.
LOG_DAYS = 30


def refuse(status: int, message: str) -> RefusedError:
    return RefusedError(status, {"error": message})


def moment_of(text: str) -> datetime:
    """A moment of a filter; without a zone it is UTC."""
    at = datetime.fromisoformat(text.replace("Z", "+00:00").replace(" ", "+"))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


class Close(StandIn):
    """An organisation, its API key as Basic user, or OAuth with refresh tokens that are replaced."""

    vendor = "close"
    precision = timedelta(microseconds=1)
    oauth = OAuth("/oauth2/authorize/", "/oauth2/token/", lifetime=3600, rotates=True)
    key_in = "basic"
    hook_secret = "058bfb6a3d8cfdc4da7c3be5901b16ae11da982b46a25fb2cd7016e97a140a1c"
    documented = ((1, 20, "/api/v1/", "key"), (1, 60, "/api/v1/", "organization"))

    #: How far `_skip` may go, by resource; anything else as under "".
    most_skip: ClassVar[dict[str, int]] = {"": 10_000, "activity": 1_000}
    subscription = "whsub_8AmjKCZYT3zI8eZoi4HhFC"

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self._families: tuple[int, dict[str, dict[str, list[Row]]]] = (0, {})
        self.org = self.identity("organization", 1)
        self.me = self.identity("user", 1)
        self.put("user", 1, first_name="Api", last_name="User", email="api@acme.example")
        self.put("pipeline", 1, name="Sales")
        for place, (label, type) in enumerate((("Active", "active"), ("Won", "won"), ("Lost", "lost")), 1):
            self.put("status", place, label=label, type=type, pipeline_id=1)
        self.log.clear()

    # -- Records

    def identity(self, object: str, id: object) -> str:
        if id is None:
            self._numbers += 1
            id = 100_000 + self._numbers
        prefix = PREFIXES.get(object, "acti_")
        return f"{prefix}{id:020d}" if isinstance(id, int) else str(id)

    def moment(self, at: datetime) -> str:
        return iso(at, digits=6, zone="+00:00")

    def put(self, object: str, id: object = None, /, **fields: Any) -> str:
        for name, target in REFERENCES.items():
            if isinstance(fields.get(name), int):
                fields[name] = self.identity(target, fields[name])
        with self.lock:
            key = self.identity(object, id)
            row = self.world.get(object, {}).get(key)
            if object == "opportunity":
                self._derive(row, fields)
            old = row["status_id"] if row else None
            key = super().put(object, key, **fields)
            row = self.world[object][key]
            if object == "opportunity" and old is not None and row["status_id"] != old:
                self._moved(row, old)
            return key

    def birth(self, row: Row) -> None:
        defaults: dict[str, Any] = {"organization_id": self.org, "created_by": self.me, "updated_by": self.me}
        if row.object == "opportunity":
            defaults |= {"value": None, "value_period": "one_time", "value_currency": "USD", "confidence": 50, "note": "",
                         "user_id": self.me, "contact_id": None, "date_won": None, "date_lost": None,
                         "pipeline_id": self.identity("pipeline", 1)}  # fmt: skip
        if row.object.startswith("activity."):
            kind = row.object.removeprefix("activity.")
            kind = {"opportunity_status_change": "status_change/opportunity"}.get(kind, kind)
            defaults |= {"_type": ACTIVITIES[kind], "user_id": self.me, "activity_at": self.moment(row.created_at)}
        row.fields.update(defaults)

    def _derive(self, row: Row | None, fields: dict[str, Any]) -> None:
        """What a status and a value bring with them."""
        if row is None:
            fields.setdefault("status_id", self.identity("status", 1))
        status = self.world["status"].get(fields.get("status_id", ""))
        if status and (row is None or row["status_id"] != status.id):
            today = self.clock.now.date().isoformat()
            fields |= {"status_label": status["label"], "status_type": status["type"]}
            fields.setdefault("date_won", today if status["type"] == "won" else None)
            fields.setdefault("date_lost", today if status["type"] == "lost" else None)
            if status["type"] != "active":
                fields.setdefault("confidence", 100 if status["type"] == "won" else 0)

    def _moved(self, row: Row, old: str) -> None:
        """The activity that tells of a move between statuses."""
        before, after = self.world["status"][old], self.world["status"][row["status_id"]]
        change = Row(
            "activity.opportunity_status_change", self.identity("activity", None), {}, row.modified_at, row.modified_at
        )
        self.birth(change)
        change.fields |= {
            "opportunity_id": row.id, "lead_id": row["lead_id"], "user_id": row["user_id"],
            "old_status_id": before.id, "old_status_label": before["label"], "old_status_type": before["type"],
            "new_status_id": after.id, "new_status_label": after["label"], "new_status_type": after["type"],
            "opportunity_value": row["value"], "opportunity_value_currency": row["value_currency"],
            "opportunity_value_period": row["value_period"], "opportunity_date_won": row["date_won"],
        }  # fmt: skip
        self.world.setdefault(change.object, {})[change.id] = change
        self.changed(change, "created", {})

    def merge(self, object: str, loser: object, winner: object) -> None:
        """The loser is gone, what hung under it hangs under the winner, and an activity of the winner tells of it."""
        with self.lock:
            super().merge(object, loser, winner)
            gone, stays = self.row(object, loser), self.row(object, winner)
            for other in list(self.world):
                for row in self.rows(other):
                    if object == "lead" and row["lead_id"] == gone.id:
                        row.fields["lead_id"] = stays.id
                        row.modified_at = stays.modified_at
            if object == "lead":
                self.put(
                    "activity.lead_merge", None, lead_id=stays.id, source_lead_id=gone.id, destination_lead_id=stays.id
                )

    def show(self, row: Row) -> dict[str, Any]:
        """A record as replies have it."""
        found: dict[str, Any] = {"id": row.id, **row.fields}
        found["date_created"], found["date_updated"] = self.moment(row.created_at), self.moment(row.modified_at)
        if row.object == "lead":
            found["display_name"] = row["name"]
            found["contacts"] = [self.show(one) for one in self._under("contact", row.id)]
            found["opportunities"] = [self.show(one) for one in self._under("opportunity", row.id)]
        if row.object == "opportunity":
            value = row["value"]
            times = PERIODS[row["value_period"]]
            annual = None if value is None else value * times
            found["annualized_value"] = annual
            found["expected_value"] = None if value is None else value * row["confidence"] // 100
            found["annualized_expected_value"] = None if annual is None else annual * row["confidence"] // 100
            period = {"one_time": "", "monthly": " monthly", "annual": " annual"}[row["value_period"]]
            found["value_formatted"] = None if value is None else f"${value // 100:,}{period}"
            for name in ("lead", "contact"):
                other = self.world.get(name, {}).get(row[f"{name}_id"] or "")
                found[f"{name}_name"] = other["name"] if other else None
            user = self.world["user"].get(row["user_id"] or "")
            found["user_name"] = f"{user['first_name']} {user['last_name']}" if user else None
        return found

    def _under(self, object: str, lead: str) -> list[Row]:
        """The records under a lead; worked out once for as long as nothing happens."""
        if self._families[0] != self._happened:
            self._families = (self._happened, {})
        families = self._families[1]
        if object not in families:
            found: dict[str, list[Row]] = {}
            for row in self.rows(object):
                found.setdefault(str(row["lead_id"]), []).append(row)
            families[object] = found
        return families[object].get(lead, [])

    def field(self, row: Row, name: str) -> Any:
        """One field as a reply has it, without the work of the whole record where that is not needed."""
        if name == "id":
            return row.id
        if name in ("date_created", "date_updated"):
            return self.moment(row.created_at if name == "date_created" else row.modified_at)
        return row.fields[name] if name in row.fields else self.show(row).get(name)

    # -- Lists

    def _list(self, ask: Request, rows: Iterable[Row], resource: str, moments: Sequence[str]) -> dict[str, Any]:
        """A page of a list, after its filters; only the moments named can be filtered."""
        rows = list(rows)
        for name, value in ask.params.items():
            base, _, sign = name.partition("__")
            if sign in ("gt", "gte", "lt", "lte"):
                if base not in moments:
                    raise refuse(400, f"{name} is not a filter of this resource")
                rows = [row for row in rows if self._beside(self._moment(row, base), sign, moment_of(value))]
            elif name.startswith("_") or name == "query":
                continue
            else:
                rows = [row for row in rows if str(self.field(row, name)) in value.split(",")]
        order = ask.params.get("_order_by", "-date_created")
        field = order.lstrip("-")
        rows.sort(key=lambda row: (str(self.field(row, field) or ""), row.id), reverse=order.startswith("-"))
        size = ask.number("_limit", 100)
        if not 1 <= size <= (200 if resource == "lead" else 100):
            raise refuse(400, "_limit is out of range")
        skip = ask.number("_skip", 0)
        most = self.most_skip.get(resource, self.most_skip[""])
        if skip > most:
            raise refuse(400, f"The skip you set is larger than the maximum skip for this resource (max_skip = {most})")
        part = self.by_offset(rows, skip, size)
        wanted = [name for name in ask.params.get("_fields", "").split(",") if name]
        data = [self.show(row) for row in part.rows]
        if wanted:
            data = [{name: value for name, value in one.items() if name in wanted} for one in data]
        reply: dict[str, Any] = {"has_more": part.next is not None, "data": data}
        if resource in ("lead", "opportunity"):
            reply["total_results"] = len(rows)
        return reply

    def _moment(self, row: Row, name: str) -> datetime:
        if name == "date_created":
            return row.created_at
        if name == "date_updated":
            return row.modified_at
        return moment_of(str(row[name]))

    @staticmethod
    def _beside(at: datetime, sign: str, limit: datetime) -> bool:
        return {"gt": at > limit, "gte": at >= limit, "lt": at < limit, "lte": at <= limit}[sign]

    @route("GET", "/api/v1/opportunity/", page=True)
    def list_opportunities(self, ask: Request) -> Any:
        moments = ("date_created", "date_updated", "date_won", "date_lost")
        return self._list(ask, self.rows("opportunity"), "opportunity", moments)

    @route("GET", "/api/v1/lead/", page=True)
    def list_leads(self, ask: Request) -> Any:
        return self._list(ask, self.rows("lead"), "lead", ())

    @route("GET", "/api/v1/contact/", page=True)
    def list_contacts(self, ask: Request) -> Any:
        return self._list(ask, self.rows("contact"), "contact", ())

    @route("GET", "/api/v1/user/", page=True)
    def list_users(self, ask: Request) -> Any:
        return self._list(ask, self.rows("user"), "user", ())

    @route("GET", "/api/v1/activity/", page=True)
    def list_activities(self, ask: Request) -> Any:
        rows = [row for object in self.world if object.startswith("activity.") for row in self.rows(object)]
        return self._list(ask, rows, "activity", ("date_created", "activity_at"))

    @route("GET", "/api/v1/activity/status_change/opportunity/", page=True)
    def list_status_changes(self, ask: Request) -> Any:
        rows = self.rows("activity.opportunity_status_change")
        return self._list(ask, rows, "activity", ("date_created", "activity_at"))

    @route("GET", "/api/v1/activity/{kind}/", page=True)
    def list_activities_of(self, ask: Request, kind: str) -> Any:
        if kind not in ACTIVITIES:
            raise refuse(404, "Not found")
        return self._list(ask, self.rows(f"activity.{kind}"), "activity", ("date_created", "activity_at"))

    @route("GET", "/api/v1/pipeline/")
    def list_pipelines(self, _ask: Request) -> Any:
        return {
            "data": [
                {"id": row.id, "name": row["name"], "organization_id": self.org, "statuses": [
                    {"id": one.id, "label": one["label"], "type": one["type"]}
                    for one in self.rows("status") if one["pipeline_id"] == row.id]}
                for row in self.rows("pipeline")
            ]
        }  # fmt: skip

    @route("GET", "/api/v1/status/opportunity/")
    def list_statuses(self, _ask: Request) -> Any:
        return {"has_more": False, "data": [{"id": row.id, **row.fields} for row in self.rows("status")]}

    @route("GET", "/api/v1/custom_field/{object}/")
    def list_custom_fields(self, _ask: Request, object: str) -> Any:
        names = sorted({name for row in self.rows(object) for name in row.fields if name.startswith("custom.")})
        return {
            "has_more": False,
            "data": [{"id": name.removeprefix("custom."), "name": name, "type": "text"} for name in names],
        }

    @route("GET", "/api/v1/me/")
    def show_me(self, _ask: Request) -> Any:
        return {
            **self.show(self.row("user", self.me)),
            "organizations": [{"id": self.org, "name": "Acme", "currency": "USD"}],
        }

    # -- Single records

    def _one(self, object: str, id: str) -> Row:
        row = self.world.get(object, {}).get(id)
        if row is None or row.is_deleted:
            raise refuse(404, "Object not found")
        return row

    def _object(self, name: str, kind: str = "") -> str:
        object = f"activity.{kind}" if kind else name
        if object not in PREFIXES and kind not in ACTIVITIES:
            raise refuse(404, "Not found")
        return object

    @route("POST", "/api/v1/lead/merge/")
    def merge_leads(self, ask: Request) -> Any:
        self.merge("lead", self._one("lead", ask.json["source"]).id, self._one("lead", ask.json["destination"]).id)
        return {}

    @route("GET", "/api/v1/activity/{kind}/{id}/")
    def one_activity(self, _ask: Request, kind: str, id: str) -> Any:
        return self.show(self._one(self._object("", kind), id))

    @route("GET", "/api/v1/{name}/{id}/")
    def one(self, _ask: Request, name: str, id: str) -> Any:
        return self.show(self._one(self._object(name), id))

    @route("PUT", "/api/v1/{name}/{id}/")
    def edit(self, ask: Request, name: str, id: str) -> Any:
        """A PUT changes only what it names."""
        row = self._one(self._object(name), id)
        values = ask.json
        if "status_id" in values and values["status_id"] not in self.world["status"]:
            raise RefusedError(400, {"errors": [], "field-errors": {"status_id": "Invalid status"}})
        self.put(row.object, row.id, **values)
        return self.show(row)

    @route("POST", "/api/v1/{name}/")
    def create(self, ask: Request, name: str) -> Any:
        object = self._object(name)
        return self.show(self.row(object, self.put(object, None, **ask.json)))

    @route("DELETE", "/api/v1/{name}/{id}/")
    def remove(self, _ask: Request, name: str, id: str) -> Any:
        self.delete(self._object(name), self._one(self._object(name), id).id)
        return {}

    # -- Event log

    def told(self, event: Event) -> dict[str, Any]:
        """An event as the log and the pushes have it; its own moments are without a zone."""
        at = iso(event.at, digits=6, zone="")
        object = "status_change.opportunity" if event.object == "activity.opportunity_status_change" else event.object
        lead = event.id if event.object == "lead" else event.fields.get("lead_id")
        found: dict[str, Any] = {
            "id": f"ev_{event.number:020d}", "date_created": at, "date_updated": at, "action": event.kind,
            "object_type": object, "object_id": event.id, "lead_id": lead, "organization_id": self.org,
            "user_id": self.me, "request_id": None, "api_key_id": None, "changed_fields": [], "previous_data": {},
            "meta": {}, "data": None,
        }  # fmt: skip
        if event.kind in ("created", "updated"):
            found["data"] = {"id": event.id, **event.fields, "date_updated": self.moment(event.at)}
        if event.kind == "updated":
            found["changed_fields"] = sorted({*event.previous, "date_updated"})
            found["previous_data"] = event.previous
        if event.kind in ("deleted", "merged"):
            found["previous_data"] = {"id": event.id, **event.fields}
        if event.kind == "merged":
            found["meta"] = {"merge_source_lead_id": event.id, "merge_destination_lead_id": event.merged_into}
        return found

    @route("GET", "/api/v1/event/", page=True)
    def list_events(self, ask: Request) -> Any:
        """The newest first, thirty days back, fifty at most."""
        if "_skip" in ask.params:
            raise refuse(400, "_skip is not supported")
        size = min(50, ask.number("_limit", 50))
        oldest = self.clock.now - timedelta(days=LOG_DAYS)
        events = [event for event in reversed(self.log) if event.at >= oldest]
        for name, value in ask.params.items():
            base, _, sign = name.partition("__")
            if base == "date_updated" and "_cursor" not in ask.params:
                events = [event for event in events if self._beside(event.at, sign, moment_of(value))]
            elif base in ("object_type", "action", "object_id", "lead_id"):
                events = [event for event in events if str(self.told(event)[base]) in value.split(",")]
        cursor = ask.params.get("_cursor")
        if cursor is not None:
            if not cursor.isdigit():
                raise refuse(400, "Invalid cursor")
            events = [event for event in events if event.number < int(cursor)]
        chunk = events[:size]
        following = str(chunk[-1].number) if len(events) > size else None
        part = self.cut(chunk, following, cursor, lambda: str(10**9 + self._happened + len(self.requests)))
        return {
            "data": [self.told(event) for event in part.rows],
            "cursor_next": part.next,
            "cursor_previous": None if cursor is None else str(int(cursor) + size),
        }

    # -- Advanced filtering

    @route("POST", "/api/v1/data/search/", page=True)
    def search(self, ask: Request) -> Any:
        asked = ask.json
        query = asked.get("query") or {"type": "match_all"}
        object = self._kind_of(query)
        if object is None:
            raise refuse(400, "query has to name an object_type")
        test = self._test(query)
        sorts = asked.get("sort") or []

        def rows() -> list[Row]:
            found = [row for row in self.indexed(object) if test(row)]
            for sort in reversed(sorts):
                name = sort["field"]["field_name"]
                is_down = sort.get("direction") == "desc"
                found.sort(key=lambda row, name=name: (str(self.field(row, name) or ""), row.id), reverse=is_down)  # type: ignore[misc]
            limit = asked.get("results_limit")
            return found[:limit] if limit else found

        try:
            part = self.by_cursor(rows, asked.get("cursor") or None, min(200, int(asked.get("_limit") or 50)))
        except KeyError:
            raise refuse(400, "Invalid cursor") from None
        wanted = (asked.get("_fields") or {}).get(object) or ["id"]
        data = []
        for row in part.rows:
            shown = self.show(row)
            data.append(
                {"id": row.id, "__object_type": object} | {name: shown[name] for name in wanted if name in shown}
            )
        return {"data": data, "cursor": part.next}

    def _kind_of(self, query: dict[str, Any]) -> str | None:
        if query["type"] == "object_type":
            return str(query["object_type"])
        for one in query.get("queries", []):
            found = self._kind_of(one)
            if found:
                return found
        return None

    def _test(self, query: dict[str, Any]) -> Callable[[Row], bool]:
        """A test of rows from a query. Refuses kinds of condition that are not known here."""
        kind = query["type"]
        if kind in ("match_all", "object_type"):
            test: Callable[[Row], bool] = lambda _row: True  # noqa: E731
        elif kind in ("and", "or"):
            tests = [self._test(one) for one in query["queries"]]
            joined = all if kind == "and" else any
            test = lambda row: joined(one(row) for one in tests)  # noqa: E731
        elif kind == "id":
            test = lambda row: row.id == query["value"]  # noqa: E731
        elif kind == "field_condition":
            test = self._condition(query["field"]["field_name"], query["condition"])
        else:
            raise refuse(400, f"unknown query type {kind}")
        return (lambda row: not test(row)) if query.get("negate") else test

    def _condition(self, name: str, condition: dict[str, Any]) -> Callable[[Row], bool]:
        if condition["type"] == "term":
            return lambda row: self.field(row, name) in condition["values"]
        if condition["type"] != "moment_range":
            raise refuse(400, f"unknown condition {condition['type']}")
        limits = {}
        for word, sign in (("on_or_after", "gte"), ("after", "gt"), ("before", "lt"), ("on_or_before", "lte")):
            limit = condition.get(word)
            if limit:
                if limit["type"] != "fixed_utc":
                    raise refuse(400, f"unknown moment {limit['type']}")
                limits[sign] = moment_of(limit["value"])
        return lambda row: all(self._beside(self._moment(row, name), sign, limit) for sign, limit in limits.items())

    # -- Who, refusals, rates

    def answer(self, ask: Request) -> Reply:
        """Long filters come as a POST that says it is a GET."""
        if ask.method == "POST" and ask.headers.get("x-http-method-override", "").upper() == "GET":
            params = (ask.json or {}).get("_params") or {}
            pairs = [
                (name, ",".join(value) if isinstance(value, list) else str(value)) for name, value in params.items()
            ]
            as_get = Request("GET", ask.path, "", ask.headers, b"", ask.at)
            as_get.query = "&".join([ask.query, urlencode(pairs)]).strip("&")
            reply = super().answer(as_get)
            ask.route = as_get.route
            return reply
        return super().answer(ask)

    @route("POST", "/oauth2/revoke/", is_open=True)
    def revoke_token(self, ask: Request) -> Any:
        for grant in self.grants:
            if ask.form.get("token") == grant.refresh:
                grant.is_revoked = True
        return {}

    def token_reply(self, reply: dict[str, Any], grant: Grant, kind: str) -> dict[str, Any]:
        return {**reply, "scope": "all.full_access offline_access", "organization_id": self.org, "user_id": self.me}

    def unauthorized(self, ask: Request) -> Reply:
        message = "The server could not verify that you are authorized to access the URL requested."
        return Reply({"error": message}, 401)

    def not_found(self, ask: Request) -> Reply:
        return Reply({"error": "Not found"}, 404)

    def too_many(self, retry_after: float | str | None) -> Reply:
        """The header tells the seconds as a decimal, retry-after rounds them up; both are always there."""
        seconds = 1.0 if retry_after is None else retry_after
        headers = self.retry_header(seconds)
        if not isinstance(seconds, str):
            headers["ratelimit"] = f"limit=20; remaining=0; reset={seconds:g}"
        return Reply({"error": "API call count exceeded for this window"}, 429, headers)

    def over(self, limit: Limit, retry_after: float) -> Reply:
        reply = self.too_many(retry_after)
        reply.headers["ratelimit"] = f"limit={limit.n}; remaining=0; reset={retry_after:.3f}"
        return reply

    def limit_reached(self) -> Reply:
        return Reply({"error": "Your current plan does not allow this"}, 402)

    def rate_headers(self, ask: Request) -> dict[str, str]:
        """Of the limit that is nearest; semicolons, whatever the documentation says."""
        if not self.limits:
            return {}
        lapse = self.clock.lapse()
        limit = min(self.limits, key=self.remaining)
        return {"ratelimit": f"limit={limit.n}; remaining={self.remaining(limit)}; reset={limit.resets_in(lapse):.3f}"}

    # -- Pushes

    def hook_items(self, event: Event) -> list[Any]:
        return [] if event.object in ("status", "pipeline", "user") else [self.told(event)]

    def hook_delivery(self, items: Sequence[Any], at: datetime) -> Delivery:
        body = dump({"subscription_id": self.subscription, "event": items[0]})
        stamp = str(int(at.timestamp()))
        proof = hmac.new(bytes.fromhex(self.hook_secret), stamp.encode() + body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "close-sig-hash": proof, "close-sig-timestamp": stamp}
        return Delivery("POST", self.hook_url, headers, body)
