"""A HubSpot portal that is none: objects, search with its cap, batches, associations, owners, pipelines, pushes.

`put("deals", 1, dealname="A", amount=Decimal("3000"), dealstage="closedwon")`: values become the strings that HubSpot
sends. Properties that are not known are made as they come. `associate("deals", 1, "companies", 2)`,
`owner(7, email=...)`, `splits[deal id] = {owner id: share}`. Moves of values are kept for `propertiesWithHistory`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import unquote

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

#: Object, its number, its singular.
TYPES = {
    "contacts": ("0-1", "contact"), "companies": ("0-2", "company"), "deals": ("0-3", "deal"),
    "tickets": ("0-5", "ticket"), "products": ("0-7", "product"), "line_items": ("0-8", "line_item"),
    "tasks": ("0-27", "task"), "notes": ("0-46", "note"), "meetings": ("0-47", "meeting"), "calls": ("0-48", "call"),
    "emails": ("0-49", "email"), "invoices": ("0-53", "invoice"), "subscriptions": ("0-69", "subscription"),
    "commerce_payments": ("0-101", "commerce_payment"), "leads": ("0-136", "lead"),
}  # fmt: skip
NAMES = {alias: name for name, (number, one) in TYPES.items() for alias in (name, number, one)}

#: Properties by object, name:type; text where no type is given. The first ones are what is sent when none is asked for.
PROPERTIES = {
    "deals": "amount:number closedate:datetime createdate:datetime dealname dealstage:enumeration "
    "hs_lastmodifieddate:datetime hs_object_id:number pipeline:enumeration | hubspot_owner_id:enumeration "
    "deal_currency_code:enumeration hs_is_closed_won:bool hs_is_closed:bool hs_deal_stage_probability:number "
    "amount_in_home_currency:number hs_acv:number hs_arr:number hs_mrr:number hs_tcv:number dealtype:enumeration "
    "hs_merged_object_ids hs_archived:bool closed_lost_reason closed_won_reason num_associated_contacts:number "
    "hs_created_by_user_id:number hs_forecast_amount:number description",
    "contacts": "createdate:datetime email firstname hs_object_id:number lastmodifieddate:datetime lastname | phone "
    "mobilephone jobtitle company website lifecyclestage:enumeration hs_lead_status:enumeration country city zip "
    "hubspot_owner_id:enumeration associatedcompanyid:number hs_merged_object_ids hs_analytics_source:enumeration",
    "companies": "createdate:datetime domain hs_lastmodifieddate:datetime hs_object_id:number name | phone website "
    "industry:enumeration country city zip address state annualrevenue:number numberofemployees:number "
    "hubspot_owner_id:enumeration lifecyclestage:enumeration hs_merged_object_ids hs_parent_company_id:number",
    "leads": "hs_createdate:datetime hs_lastmodifieddate:datetime hs_object_id:number | hs_lead_name hs_lead_type "
    "hs_lead_label hs_pipeline hs_pipeline_stage hubspot_owner_id:enumeration hs_primary_contact_id hs_lead_source",
    "line_items": "createdate:datetime hs_lastmodifieddate:datetime hs_object_id:number | name quantity:number "
    "price:number amount:number discount:number hs_discount_percentage:number hs_product_id:number hs_sku "
    "recurringbillingfrequency:enumeration hs_recurring_billing_period hs_line_item_currency_code:enumeration "
    "hs_recurring_billing_start_date:date hs_recurring_billing_end_date:date hs_term_in_months:number hs_position_on_quote:number",
    "products": "createdate:datetime hs_lastmodifieddate:datetime hs_object_id:number | name description price:number "
    "hs_sku hs_product_type:enumeration recurringbillingfrequency:enumeration hs_cost_of_goods_sold:number",
    "calls": "hs_createdate:datetime hs_lastmodifieddate:datetime hs_object_id:number | hs_timestamp:datetime "
    "hs_call_title hs_call_body hs_call_direction:enumeration hs_call_disposition:enumeration hs_call_duration:number "
    "hs_call_from_number hs_call_to_number hs_call_status:enumeration hubspot_owner_id:enumeration",
    "meetings": "hs_createdate:datetime hs_lastmodifieddate:datetime hs_object_id:number | hs_timestamp:datetime "
    "hs_meeting_title hs_meeting_body hs_meeting_start_time:datetime hs_meeting_end_time:datetime "
    "hs_meeting_outcome:enumeration hs_internal_meeting_notes hubspot_owner_id:enumeration hs_activity_type",
    "emails": "hs_createdate:datetime hs_lastmodifieddate:datetime hs_object_id:number | hs_timestamp:datetime "
    "hs_email_subject hs_email_direction:enumeration hs_email_status:enumeration hs_email_text "
    "hs_email_headers hubspot_owner_id:enumeration hs_email_from_email hs_email_to_email",
    "notes": "hs_createdate:datetime hs_lastmodifieddate:datetime hs_object_id:number | hs_timestamp:datetime "
    "hs_note_body hubspot_owner_id:enumeration",
    "tasks": "hs_createdate:datetime hs_lastmodifieddate:datetime hs_object_id:number | hs_timestamp:datetime "
    "hs_task_subject hs_task_body hs_task_status:enumeration hs_task_type:enumeration hs_task_priority:enumeration "
    "hs_task_completion_date:datetime hubspot_owner_id:enumeration",
}  # fmt: skip
PLAIN = "hs_createdate:datetime hs_lastmodifieddate:datetime hs_object_id:number | hubspot_owner_id:enumeration"

#: Numbers of associations that HubSpot defines, the plain one first, then the primary one.
ASSOCIATIONS = {
    ("contacts", "companies"): (279, 1), ("companies", "contacts"): (280, 2), ("deals", "contacts"): (3, None),
    ("contacts", "deals"): (4, None), ("deals", "companies"): (341, 5), ("companies", "deals"): (342, 6),
    ("deals", "line_items"): (19, None), ("line_items", "deals"): (20, None), ("calls", "contacts"): (194, None),
    ("calls", "companies"): (182, None), ("calls", "deals"): (206, None), ("meetings", "contacts"): (200, None),
    ("meetings", "deals"): (212, None), ("emails", "contacts"): (198, None), ("emails", "deals"): (210, None),
    ("notes", "contacts"): (202, None), ("notes", "deals"): (214, None), ("tasks", "contacts"): (204, None),
    ("tasks", "deals"): (216, None), ("leads", "contacts"): (578, None), ("leads", "companies"): (610, None),
}  # fmt: skip

#: The pipeline that every portal begins with: stage id, its name, is it closed, its probability.
STAGES = [
    ("appointmentscheduled", "Appointment Scheduled", False, "0.2"),
    ("qualifiedtobuy", "Qualified To Buy", False, "0.4"),
    ("presentationscheduled", "Presentation Scheduled", False, "0.6"),
    ("decisionmakerboughtin", "Decision Maker Bought-In", False, "0.8"),
    ("contractsent", "Contract Sent", False, "0.9"),
    ("closedwon", "Closed Won", True, "1.0"),
    ("closedlost", "Closed Lost", True, "0.0"),
]
MOST = 10_000
CORRELATION = "4a1f5c1e-0000-4000-8000-000000000000"


def refuse(status: int, category: str, message: str, **more: Any) -> RefusedError:
    body = {"status": "error", "message": message, "correlationId": CORRELATION, "category": category, **more}
    return RefusedError(status, body)


def milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


class HubSpot(StandIn):
    """A portal. Access tokens of an app, or the static one of a private app (`api_key`)."""

    vendor = "hubspot"
    oauth = OAuth("/oauth/authorize", "/oauth/v1/token", lifetime=1800, also=("/oauth/v3/token",))
    key_in = "bearer"
    repeats_refresh_token = True
    hook_size = 100
    documented = (
        (10, 110, "/", "TEN_SECONDLY_ROLLING"),
        (1, 5, r"/crm/v3/objects/[^/]+/search", "SECONDLY"),
        (86400, 250_000, "/", "DAILY"),
    )

    portal_id = 62515
    app_id = 54321
    user_id = 1297
    #: Whether refusals of too many calls say how long to wait; the real one does not always.
    sends_retry_after = False
    #: "v3", or "v1" as the webhooks of CRM events still have it.
    signature_version = "v3"
    #: Whether webhooks speak of `object.propertyChange` with an objectTypeId instead of `deal.propertyChange`.
    is_generic = False
    #: How many associations of one record are told in lists, and on a page of the v4 batch.
    most_associations = 100
    association_page = 500
    home_currency = "EUR"
    time_zone = "Europe/Paris"
    scopes: ClassVar[list[str]] = ["crm.objects.deals.read", "crm.objects.companies.read", "oauth"]

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.properties = {name: self._types(PROPERTIES.get(name, PLAIN)) for name in TYPES}
        self.defaults = {
            name: [part.partition(":")[0] for part in PROPERTIES.get(name, PLAIN).partition("|")[0].split()]
            for name in TYPES
        }
        self.links: dict[tuple[str, str, str], list[str]] = {}
        self.pipelines: dict[str, list[dict[str, Any]]] = {"deals": [], "leads": [], "tickets": []}
        self.splits: dict[str, dict[str, str]] = {}
        self.teams: dict[str, list[dict[str, Any]]] = {}
        self.pipeline("deals", "default", "Sales Pipeline", STAGES)

    @staticmethod
    def _types(text: str) -> dict[str, str]:
        parts = [part.partition(":") for part in text.replace("|", " ").split()]
        return {name: type or "string" for name, _colon, type in parts}

    # -- The portal

    def pipeline(self, object: str, id: str, label: str, stages: Sequence[tuple[str, str, bool, str]]) -> None:
        """A pipeline: its stages with id, name, is it closed, probability."""
        at = iso(self.clock.now)
        found = [
            {"label": name, "displayOrder": place, "id": stage, "archived": False, "createdAt": at, "updatedAt": at,
             "metadata": {"isClosed": str(is_closed).lower(), "probability": chance}, "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT"}
            for place, (stage, name, is_closed, chance) in enumerate(stages)
        ]  # fmt: skip
        self.pipelines[object].append(
            {"label": label, "displayOrder": len(self.pipelines[object]), "id": id, "stages": found, "createdAt": at,
             "updatedAt": at, "archived": False}
        )  # fmt: skip

    def owner(self, id: int, *, email: str, first: str = "", last: str = "", teams: Sequence[str] = ()) -> str:
        """Somebody who owns records. The owner's id is not the user's id."""
        user = 500_000 + id
        self.teams[str(id)] = [
            {"id": str(9000 + place), "name": name, "primary": place == 0} for place, name in enumerate(teams)
        ]
        return super().put("owners", id, email=email, firstName=first, lastName=last, userId=user)

    def identity(self, object: str, id: object) -> str:
        if id is None:
            self._numbers += 1
            return str(10_000_000 + self._numbers)
        return str(id)

    def put(self, object: str, id: object = None, /, **fields: Any) -> str:
        """As ever; values become strings. `hs_...` of the system are worked out here."""
        if object == "owners":
            return super().put(object, id, **fields)
        known = self.properties[object]
        for name, value in fields.items():
            if name not in known:
                is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
                known[name] = "bool" if isinstance(value, bool) else "number" if is_number else "string"
        values = {name: self.text(known[name], value) for name, value in fields.items()}
        with self.lock:
            if object == "deals":
                self._derive(id, values)
            key = super().put(object, id, **values)
            row = self.world[object][key]
            history = row.more.setdefault("history", {})
            for name, value in values.items():
                past = history.setdefault(name, [])
                if not past or past[0]["value"] != value:
                    entry = {
                        "value": value,
                        "timestamp": iso(row.modified_at),
                        "sourceType": "CRM_UI",
                        "sourceId": f"userId:{self.user_id}",
                    }
                    past.insert(0, entry)
            return key

    def _derive(self, id: object, values: dict[str, Any]) -> None:
        """What a stage says of being closed."""
        is_new = id is None or self.identity("deals", id) not in self.world.get("deals", {})
        if is_new:
            values.setdefault("pipeline", "default")
            values.setdefault("dealstage", "appointmentscheduled")
        for pipeline in self.pipelines["deals"]:
            for stage in pipeline["stages"]:
                if stage["id"] == values.get("dealstage"):
                    is_closed = stage["metadata"]["isClosed"]
                    chance = stage["metadata"]["probability"]
                    is_won = is_closed == "true" and chance == "1.0"
                    values |= {"hs_is_closed": is_closed, "hs_is_closed_won": str(is_won).lower(),
                               "hs_deal_stage_probability": chance}  # fmt: skip

    @staticmethod
    def text(type: str, value: Any) -> str | None:
        """A value as HubSpot sends it: always text, or null."""
        if value is None:
            return None
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, datetime):
            return iso(value)
        if isinstance(value, date):
            return value.isoformat() if type == "date" else iso(datetime.combine(value, time(), tzinfo=UTC))
        return str(value)

    def associate(self, object: str, id: object, other: str, *others: object) -> None:
        """Link a record with others, both ways. The first company of a record is its primary one. No stamp moves."""
        here = self.identity(object, id)
        for one in others:
            there = self.identity(other, one)
            for key, linked in (((object, here, other), there), ((other, there, object), here)):
                found = self.links.setdefault(key, [])
                if linked not in found:
                    found.append(linked)

    def dissociate(self, object: str, id: object, other: str, one: object) -> None:
        here, there = self.identity(object, id), self.identity(other, one)
        self.links.get((object, here, other), []).remove(there)
        self.links.get((other, there, object), []).remove(here)

    def merge(self, object: str, loser: object, winner: object) -> None:
        """One id stays: the loser is told nowhere any more, asking for it gives the winner; associations move."""
        with self.lock:
            super().merge(object, loser, winner)
            gone, stays = self.row(object, loser), self.row(object, winner)
            before = stays["hs_merged_object_ids"]
            stays.fields["hs_merged_object_ids"] = f"{before};{gone.id}" if before else gone.id
            for name, value in gone.fields.items():
                if not stays[name]:
                    stays.fields[name] = value
            for (here, id, other), linked in list(self.links.items()):
                if (here, id) == (object, gone.id):
                    for one in list(linked):
                        self.dissociate(object, gone.id, other, one)
                        self.associate(object, stays.id, other, one)

    def forget(self, object: str, id: object) -> None:
        """A person's wish to be forgotten: gone for good, and told by a push only."""
        with self.lock:
            row = self.row(object, id)
            row.modified_at = self.clock.tick()
            self.changed(row, "forgotten", {})
            self.purge(object, id)

    # -- How records look

    def value(self, row: Row, name: str) -> str | None:
        if name in ("createdate", "hs_createdate"):
            return iso(row.created_at)
        if name in ("hs_lastmodifieddate", "lastmodifieddate"):
            return iso(row.modified_at)
        if name == "hs_object_id":
            return row.id
        value = row.fields.get(name)
        return None if value is None else str(value)

    def show(self, row: Row, asked: Sequence[str]) -> dict[str, Any]:
        """A record with the properties that were asked for and the few that always come; unknown names are left out."""
        defaults = self.defaults[row.object]
        if asked:
            always = [
                name for name in defaults if name.endswith(("createdate", "modifieddate")) or name == "hs_object_id"
            ]
            names = [*dict.fromkeys([*asked, *always])]
        else:
            names = defaults
        known = self.properties[row.object]
        found: dict[str, Any] = {
            "id": row.id,
            "properties": {name: self.value(row, name) for name in names if name in known},
            "createdAt": iso(row.created_at),
            "updatedAt": iso(row.modified_at),
            "archived": row.is_deleted,
        }
        if row.deleted_at:
            found["archivedAt"] = iso(row.deleted_at)
        return found

    def kind(self, name: str) -> str:
        """The object by its name, its singular or its number."""
        if name not in NAMES:
            raise refuse(400, "VALIDATION_ERROR", f"Unable to infer object type from: {name}")
        return NAMES[name]

    @staticmethod
    def names(ask: Request, parameter: str = "properties") -> list[str]:
        return [name for value in ask.values(parameter) for name in value.split(",") if name]

    def living(self, object: str) -> list[Row]:
        return sorted(self.rows(object), key=lambda row: int(row.id))

    def archived(self, object: str) -> list[Row]:
        rows = [row for row in self.rows(object, is_deleted=True) if not row.merged_into]
        return sorted(rows, key=lambda row: int(row.id))

    def linked(self, row: Row, others: Sequence[str]) -> dict[str, Any]:
        """Associations inside a record: cut short when there are many."""
        found: dict[str, Any] = {}
        for name in others:
            other = self.kind(name)
            ids = self.links.get((row.object, row.id, other), [])
            if not ids:
                continue
            label = f"{TYPES[row.object][1]}_to_{TYPES[other][1]}"
            part: dict[str, Any] = {"results": [{"id": id, "type": label} for id in ids[: self.most_associations]]}
            if len(ids) > self.most_associations:
                last = ids[self.most_associations - 1]
                link = f"{self.origin}/crm/v3/objects/{row.object}/{row.id}/associations/{other}?after={last}"
                part["paging"] = {"next": {"after": last, "link": link}}
            found[other.replace("_", " ")] = part
        return {"associations": found} if found else {}

    def history(self, row: Row, names: Sequence[str]) -> dict[str, Any]:
        """Past values, the newest first."""
        past = row.more.get("history", {})
        return {"propertiesWithHistory": {name: past.get(name, []) for name in names}} if names else {}

    # -- Objects

    @route("GET", "/crm/v3/objects/{type}", page=True)
    def list_objects(self, ask: Request, type: str) -> Any:
        object = self.kind(type)
        history = self.names(ask, "propertiesWithHistory")
        most = 50 if history else 100
        size = ask.number("limit", 10)
        if not 1 <= size <= most:
            raise refuse(400, "VALIDATION_ERROR", f"Invalid input JSON: limit must be between 1 and {most}")
        rows = self.archived(object) if ask.params.get("archived") == "true" else self.living(object)
        after = ask.params.get("after")
        if after and not after.isdigit():
            raise refuse(400, "VALIDATION_ERROR", "Unable to parse 'after'")
        rows = [row for row in rows if not after or int(row.id) > int(after)]
        part = self.after(rows, after, size)
        results = []
        for row in part.rows:
            shown = self.show(row, self.names(ask))
            shown.update(self.linked(row, self.names(ask, "associations")))
            shown.update(self.history(row, history))
            results.append(shown)
        reply: dict[str, Any] = {"results": results}
        if part.next is not None:
            link = f"{self.origin}/crm/v3/objects/{object}?limit={size}&after={part.next}"
            reply["paging"] = {"next": {"after": part.next, "link": link}}
        return reply

    @route("POST", "/crm/v3/objects/{type}/search", page=True)
    def search(self, ask: Request, type: str) -> Any:
        object = self.kind(type)
        asked = ask.json
        size = int(asked.get("limit") or 10)
        if size > 200:
            raise refuse(400, "VALIDATION_ERROR", "Search limit cannot exceed 200")
        try:
            start = int(asked.get("after") or 0)
        except ValueError:
            raise refuse(400, "VALIDATION_ERROR", "after must be numeric") from None
        if start + size > MOST:
            raise refuse(400, "VALIDATION_ERROR", "Paging through more than 10000 results is not supported")
        groups = asked.get("filterGroups") or []
        if len(groups) > 6 or any(len(group.get("filters", [])) > 6 for group in groups):
            raise refuse(400, "VALIDATION_ERROR", "Too many filter groups or filters")
        tests = [[self._test(object, one) for one in group.get("filters", [])] for group in groups]
        rows = [
            row
            for row in self.indexed(object)
            if not groups or any(all(test(row) for test in together) for together in tests)
        ]
        rows.sort(key=lambda row: int(row.id))
        sorts = asked.get("sorts") or []
        if len(sorts) > 1:
            raise refuse(400, "VALIDATION_ERROR", "Only one sort is allowed")
        for sort in sorts:
            if isinstance(sort, str):
                sort = {
                    "propertyName": sort.lstrip("-"),
                    "direction": "DESCENDING" if sort.startswith("-") else "ASCENDING",
                }
            name = sort["propertyName"]
            self._known(object, name)
            is_down = sort.get("direction") == "DESCENDING"
            keys = {row.id: self._key(row, name) for row in rows}
            full = [row for row in rows if keys[row.id] is not None]
            empty = [row for row in rows if keys[row.id] is None]
            full.sort(key=lambda row, keys=keys: keys[row.id], reverse=is_down)  # type: ignore[misc]
            rows = full + empty
        part = self.by_offset(rows, start, size)
        reply: dict[str, Any] = {
            "total": len(rows),
            "results": [self.show(row, asked.get("properties") or []) for row in part.rows],
        }
        if part.next is not None:
            reply["paging"] = {"next": {"after": str(part.next), "link": f"?after={part.next}"}}
        return reply

    def _known(self, object: str, name: str) -> str:
        if name not in self.properties[object]:
            raise refuse(
                400, "VALIDATION_ERROR", f"There was a problem with the request: property {name} does not exist"
            )
        return self.properties[object][name]

    def _comparable(self, object: str, name: str, value: Any) -> Any:
        """A value as searches compare it: moments in milliseconds, numbers, text without case."""
        type = self._known(object, name)
        if value is None or value == "":
            return None
        if type in ("datetime", "date"):
            text = str(value)
            if re.fullmatch(r"-?\d+", text):
                return int(text)
            try:
                at = datetime.fromisoformat(text.replace("Z", "+00:00"))
            except ValueError:
                raise refuse(400, "VALIDATION_ERROR", f"{text} is not a valid date for {name}") from None
            return milliseconds(at if at.tzinfo else at.replace(tzinfo=UTC))
        if type == "number":
            try:
                return Decimal(str(value))
            except ArithmeticError:
                raise refuse(400, "VALIDATION_ERROR", f"{value} was not a valid number") from None
        return str(value).lower()

    def _key(self, row: Row, name: str) -> Any:
        """A record's value as searches compare it; system values without writing and reading them."""
        if name in ("hs_lastmodifieddate", "lastmodifieddate"):
            return milliseconds(row.modified_at)
        if name in ("createdate", "hs_createdate"):
            return milliseconds(row.created_at)
        if name == "hs_object_id":
            return int(row.id)
        return self._comparable(row.object, name, self.value(row, name))

    def _test(self, object: str, one: dict[str, Any]) -> Callable[[Row], bool]:
        """A test of records from a filter. Refuses unknown properties, operators and values."""
        name, operator = one["propertyName"], one["operator"]
        self._known(object, name)
        if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
            return lambda row: (self._key(row, name) is not None) == (operator == "HAS_PROPERTY")
        if operator in ("IN", "NOT_IN"):
            wanted = [self._comparable(object, name, each) for each in one["values"]]
            return lambda row: (self._key(row, name) in wanted) == (operator == "IN")
        limit = self._comparable(object, name, one.get("value"))
        if operator in ("EQ", "NEQ"):
            return lambda row: bool((self._key(row, name) == limit) == (operator == "EQ"))
        if operator == "CONTAINS_TOKEN":
            return lambda row: str(limit).strip("*") in str(self._key(row, name) or "")
        high = self._comparable(object, name, one.get("highValue"))
        tests: dict[str, Callable[[Any], bool]] = {
            "LT": lambda value: value < limit,
            "LTE": lambda value: value <= limit,
            "GT": lambda value: value > limit,
            "GTE": lambda value: value >= limit,
            "BETWEEN": lambda value: limit <= value <= high,
        }
        if operator not in tests:
            raise refuse(400, "VALIDATION_ERROR", f"Invalid operator {operator}")
        compare = tests[operator]

        def test(row: Row) -> bool:
            value = self._key(row, name)
            return value is not None and limit is not None and compare(value)

        return test

    def _batch(self, ask: Request, results: list[Any], missing: list[str], what: str) -> Reply:
        """A reply to many at once: 207 when some could not be had."""
        at = iso(self.clock.now)
        reply: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}
        if missing:
            error = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": what, "context": {"ids": missing}}
            reply |= {"numErrors": 1, "errors": [error]}
        return Reply(reply, 207 if missing else 200)

    @route("POST", "/crm/v3/objects/{type}/batch/read")
    def read_batch(self, ask: Request, type: str) -> Any:
        object = self.kind(type)
        asked = ask.json
        if len(asked["inputs"]) > (50 if asked.get("propertiesWithHistory") else 100):
            raise refuse(400, "VALIDATION_ERROR", "too many inputs in batch")
        is_archived = ask.params.get("archived") == "true"
        rows = {row.id: row for row in (self.archived(object) if is_archived else self.living(object))}
        results, missing = [], []
        for one in dict.fromkeys(str(one["id"]) for one in asked["inputs"]):
            row = rows.get(self._survivor(object, one))
            if row is None:
                missing.append(one)
            else:
                shown = self.show(row, asked.get("properties") or [])
                results.append(shown | self.history(row, asked.get("propertiesWithHistory") or []))
        return self._batch(ask, results, missing, "Could not get some objects, they may be deleted or not exist.")

    def _survivor(self, object: str, id: str) -> str:
        """Where a merged record went."""
        row = self.world.get(object, {}).get(id)
        while row and row.merged_into:
            row = self.world[object].get(row.merged_into)
        return row.id if row else id

    def _one(self, object: str, id: str, *, is_archived: bool = False) -> Row:
        row = self.world.get(object, {}).get(self._survivor(object, id))
        if row is None or row.is_deleted != is_archived:
            raise RefusedError(404, {"status": "error", "message": "resource not found", "correlationId": CORRELATION})
        return row

    @route("GET", "/crm/v3/objects/{type}/{id}")
    def one(self, ask: Request, type: str, id: str) -> Any:
        row = self._one(self.kind(type), id, is_archived=ask.params.get("archived") == "true")
        shown = self.show(row, self.names(ask)) | self.linked(row, self.names(ask, "associations"))
        return shown | self.history(row, self.names(ask, "propertiesWithHistory"))

    def _writable(self, object: str, values: dict[str, Any]) -> dict[str, Any]:
        read_only = {"hs_object_id", "hs_lastmodifieddate", "lastmodifieddate", "hs_createdate", "hs_is_closed_won"}
        for name in values:
            if name not in self.properties[object]:
                code = [{"message": f'Property "{name}" does not exist', "code": "PROPERTY_DOESNT_EXIST", "in": name}]
                raise refuse(
                    400, "VALIDATION_ERROR", f'Property values were not valid: "{name}" does not exist', errors=code
                )
            if name in read_only:
                code = [{"message": f'"{name}" is a read only property', "code": "READ_ONLY_VALUE", "in": name}]
                raise refuse(400, "VALIDATION_ERROR", "Property values were not valid", errors=code)
            if name in ("dealstage", "pipeline") and object == "deals":
                known = {pipeline["id"] for pipeline in self.pipelines["deals"]}
                known |= {stage["id"] for pipeline in self.pipelines["deals"] for stage in pipeline["stages"]}
                if values[name] not in known:
                    code = [
                        {
                            "message": f"{values[name]} was not one of the allowed options",
                            "code": "INVALID_OPTION",
                            "in": name,
                        }
                    ]
                    raise refuse(400, "VALIDATION_ERROR", "Property values were not valid", errors=code)
        return values

    @route("PATCH", "/crm/v3/objects/{type}/{id}")
    def edit(self, ask: Request, type: str, id: str) -> Any:
        object = self.kind(type)
        row = self._one(object, id)
        self.put(object, row.id, **self._writable(object, ask.json["properties"]))
        return self.show(row, list(ask.json["properties"]))

    @route("POST", "/crm/v3/objects/{type}/batch/update")
    def edit_batch(self, ask: Request, type: str) -> Any:
        object = self.kind(type)
        inputs = ask.json["inputs"]
        if len(inputs) > 100:
            raise refuse(400, "VALIDATION_ERROR", "too many inputs in batch")
        for one in inputs:
            self._one(object, str(one["id"]))
            self._writable(object, one["properties"])
        for one in inputs:
            self.put(object, self._survivor(object, str(one["id"])), **one["properties"])
        return self._batch(
            ask, [self.show(self.row(object, one["id"]), list(one["properties"])) for one in inputs], [], ""
        )

    @route("POST", "/crm/v3/objects/{type}/merge")
    def merge_two(self, ask: Request, type: str) -> Any:
        object = self.kind(type)
        winner, loser = (
            self._one(object, str(ask.json["primaryObjectId"])),
            self._one(object, str(ask.json["objectIdToMerge"])),
        )
        self.merge(object, loser.id, winner.id)
        return self.show(winner, [])

    @route("POST", "/crm/v3/objects/{type}")
    def create(self, ask: Request, type: str) -> Any:
        object = self.kind(type)
        key = self.put(object, None, **self._writable(object, ask.json["properties"]))
        for one in ask.json.get("associations") or []:
            numbers = {number for kind in one["types"] for number in [kind["associationTypeId"]]}
            for (here, there), known in ASSOCIATIONS.items():
                if here == object and numbers & set(known):
                    self.associate(object, key, there, one["to"]["id"])
        return Reply(self.show(self.row(object, key), list(ask.json["properties"])), 201)

    @route("DELETE", "/crm/v3/objects/{type}/{id}")
    def archive(self, _ask: Request, type: str, id: str) -> Any:
        object = self.kind(type)
        row = self.world.get(object, {}).get(id)
        if row and not row.is_deleted:
            self.delete(object, id)
        return Reply(status=204)

    # -- Associations

    def _types_of(self, object: str, other: str, is_first: bool) -> list[dict[str, Any]]:
        plain, primary = ASSOCIATIONS.get((object, other), (900, None))
        found: list[dict[str, Any]] = [{"category": "HUBSPOT_DEFINED", "typeId": plain, "label": None}]
        if primary and is_first:
            found.insert(0, {"category": "HUBSPOT_DEFINED", "typeId": primary, "label": "Primary"})
        return found

    @route("POST", "/crm/v4/associations/{type}/{other}/batch/read")
    def read_associations(self, ask: Request, type: str, other: str) -> Any:
        object, there = self.kind(type), self.kind(other)
        inputs = ask.json["inputs"]
        if len(inputs) > 1000:
            raise refuse(400, "VALIDATION_ERROR", "too many inputs in batch")
        results, errors = [], []
        for one in inputs:
            id = str(one["id"])
            linked = self.links.get((object, id, there), [])
            ids = [each for each in linked if there == "owners" or not self.world[there][each].is_deleted]
            if not ids:
                message = f"No {TYPES[there][1]} is associated with {TYPES[object][1]} {id}."
                errors.append({"status": "error", "category": "OBJECT_NOT_FOUND", "message": message,
                               "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND", "context": {"fromObjectId": [id]}})  # fmt: skip
                continue
            start = ids.index(one["after"]) + 1 if one.get("after") in ids else 0
            chunk = ids[start : start + self.association_page]
            entry: dict[str, Any] = {
                "from": {"id": id},
                "to": [
                    {"toObjectId": int(each), "associationTypes": self._types_of(object, there, each == ids[0])}
                    for each in chunk
                ],
            }
            if start + self.association_page < len(ids):
                entry["paging"] = {"next": {"after": chunk[-1]}}
            results.append(entry)
        at = iso(self.clock.now)
        reply: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}
        if errors:
            reply |= {"numErrors": len(errors), "errors": errors}
        return Reply(reply, 207 if errors else 200)

    @route("PUT", "/crm/v4/objects/{type}/{id}/associations/default/{other}/{to}")
    def link(self, _ask: Request, type: str, id: str, other: str, to: str) -> Any:
        object, there = self.kind(type), self.kind(other)
        self.associate(object, self._one(object, id).id, there, self._one(there, to).id)
        return {"status": "COMPLETE", "results": []}

    @route("POST", "/crm/v3/objects/deals/splits/batch/read")
    @route("POST", "/crm/objects/v3/deals/splits/batch/read")
    def read_splits(self, ask: Request) -> Any:
        results = []
        for one in ask.json["inputs"]:
            row = self.world.get("deals", {}).get(str(one["id"]))
            shares = self.splits.get(str(one["id"]), {})
            if row is None or row.is_deleted:
                continue
            splits = [
                {"id": f"{row.id}{place}", "properties": {"hs_deal_split_percentage": share, "hubspot_owner_id": owner},
                 "createdAt": iso(row.created_at), "updatedAt": iso(row.modified_at), "archived": False}
                for place, (owner, share) in enumerate(shares.items())
            ]  # fmt: skip
            results.append({"id": row.id, "splits": splits})
        return self._batch(ask, results, [], "")

    # -- What describes the portal

    @route("GET", "/crm/v3/owners", page=True)
    @route("GET", "/crm/v3/owners/", page=True)
    def list_owners(self, ask: Request) -> Any:
        is_archived = ask.params.get("archived") == "true"
        rows = sorted(self.rows("owners", is_deleted=is_archived), key=lambda row: int(row.id))
        if "email" in ask.params:
            rows = [row for row in rows if row["email"] == ask.params["email"]]
        part = self.after(rows, ask.params.get("after"), min(500, ask.number("limit", 100)))
        reply: dict[str, Any] = {"results": [self._owner(row) for row in part.rows]}
        if part.next is not None:
            reply["paging"] = {"next": {"after": part.next, "link": f"{self.origin}/crm/v3/owners?after={part.next}"}}
        return reply

    def _owner(self, row: Row) -> dict[str, Any]:
        return {
            "id": row.id, "email": row["email"], "type": "PERSON", "firstName": row["firstName"], "lastName": row["lastName"],
            "userId": None if row.is_deleted else row["userId"], "userIdIncludingInactive": row["userId"],
            "createdAt": iso(row.created_at), "updatedAt": iso(row.modified_at), "archived": row.is_deleted,
            **({"teams": self.teams[row.id]} if self.teams.get(row.id) else {}),
        }  # fmt: skip

    @route("GET", "/crm/v3/pipelines/{type}")
    def list_pipelines(self, _ask: Request, type: str) -> Any:
        return {"results": self.pipelines.get(self.kind(type), [])}

    @route("GET", "/crm/v3/properties/{type}")
    def list_properties(self, _ask: Request, type: str) -> Any:
        object = self.kind(type)
        fields = {
            "string": "text",
            "number": "number",
            "datetime": "date",
            "date": "date",
            "enumeration": "select",
            "bool": "booleancheckbox",
        }
        stages = [stage for pipeline in self.pipelines["deals"] for stage in pipeline["stages"]]
        return {
            "results": [
                {"name": name, "label": name.removeprefix("hs_").replace("_", " ").capitalize(), "type": type, "fieldType": fields[type],
                 "groupName": f"{TYPES[object][1]}information", "calculated": False, "archived": False, "hidden": False,
                 "hubspotDefined": True, "options": [{"label": stage["label"], "value": stage["id"]} for stage in stages]
                 if name == "dealstage" else [], "modificationMetadata": {"readOnlyValue": name.startswith("hs_")}}
                for name, type in self.properties[object].items()
            ]
        }  # fmt: skip

    @route("GET", "/account-info/v3/details")
    def account(self, _ask: Request) -> Any:
        return {"portalId": self.portal_id, "accountType": "STANDARD", "timeZone": self.time_zone, "companyCurrency": self.home_currency,
                "additionalCurrencies": [], "utcOffset": "+02:00", "uiDomain": "app.hubspot.com", "dataHostingLocation": "eu1"}  # fmt: skip

    @route("GET", "/oauth/v1/access-tokens/{token}", is_open=True)
    def token_information(self, _ask: Request, token: str) -> Any:
        grant = self.grant_of(token)
        if grant is None:
            raise refuse(404, "NOT_FOUND", "access token not found")
        return {"token": token, "user": "api@acme.example", "hub_domain": "acme.example", "scopes": self.scopes, "hub_id": self.portal_id,
                "app_id": self.app_id, "user_id": self.user_id, "token_type": "access", "expires_in": 1800}  # fmt: skip

    def token_reply(self, reply: dict[str, Any], grant: Grant, kind: str) -> dict[str, Any]:
        return {
            **reply,
            "token_type": "bearer",
            "hub_id": self.portal_id,
            "user_id": self.user_id,
            "scopes": self.scopes,
        }

    # -- Refusals and rates

    def token_error(self, error: str, description: str, status: int = 400) -> Reply:
        status_word = {"invalid_client": "BAD_CLIENT_SECRET", "invalid_grant": "BAD_AUTH_CODE"}.get(
            error, "BAD_GRANT_TYPE"
        )
        message = "missing or unknown auth code"
        if "refresh" in description:
            status_word, message = "BAD_REFRESH_TOKEN", "missing or invalid refresh token"
        elif error == "invalid_client":
            message = "missing or invalid client secret"
        return Reply({"status": status_word, "message": message, "correlationId": CORRELATION, "error": error}, 400)

    def unauthorized(self, ask: Request) -> Reply:
        is_expired = any(ask.bearer in grant.access for grant in self.grants)
        category = "EXPIRED_AUTHENTICATION" if is_expired else "INVALID_AUTHENTICATION"
        message = (
            "The OAuth token used to make this call expired 1 second(s) ago."
            if is_expired
            else "Authentication credentials not found. This API supports OAuth 2.0 authentication"
        )
        return Reply({"status": "error", "message": message, "correlationId": CORRELATION, "category": category}, 401)

    def not_found(self, ask: Request) -> Reply:
        return Reply(body=b"<html><h2>HTTP ERROR 404</h2></html>", status=404, headers={"Content-Type": "text/html"})

    def _too_many(self, policy: str, retry_after: float | str | None) -> Reply:
        body = {"status": "error", "message": f"You have reached your {policy.lower()} limit.", "errorType": "RATE_LIMIT",
                "correlationId": CORRELATION, "policyName": policy, "groupName": "publicapi:app:api-calls"}  # fmt: skip
        return Reply(body, 429, self.retry_header(retry_after))

    def too_many(self, retry_after: float | str | None) -> Reply:
        return self._too_many("TEN_SECONDLY_ROLLING", retry_after)

    def limit_reached(self) -> Reply:
        """The day is used up: 429 too, told apart by its policy."""
        return self._too_many("DAILY", None)

    def over(self, limit: Limit, retry_after: float) -> Reply:
        return self._too_many(limit.name or "TEN_SECONDLY_ROLLING", retry_after if self.sends_retry_after else None)

    def failure(self, status: int) -> Reply:
        return Reply({"status": "error", "message": "internal error", "correlationId": CORRELATION}, status)

    def rate_headers(self, ask: Request) -> dict[str, str]:
        """Searches tell nothing of rates."""
        if ask.path.endswith("/search"):
            return {}
        found: dict[str, str] = {}
        for limit in self.limits:
            if limit.name == "TEN_SECONDLY_ROLLING":
                found |= {"X-HubSpot-RateLimit-Max": str(limit.n), "X-HubSpot-RateLimit-Remaining": str(self.remaining(limit)),
                          "X-HubSpot-RateLimit-Interval-Milliseconds": str(int(limit.per * 1000))}  # fmt: skip
            elif limit.name == "DAILY":
                found |= {
                    "X-HubSpot-RateLimit-Daily": str(limit.n),
                    "X-HubSpot-RateLimit-Daily-Remaining": str(self.remaining(limit)),
                }
        return found

    # -- Pushes

    def hook_items(self, event: Event) -> list[Any]:
        """One for a creation, deletion, merge or restore; one for each property that changed."""
        if event.object not in TYPES:
            return []
        number, one = TYPES[event.object]
        words = {"created": "creation", "updated": "propertyChange", "deleted": "deletion", "restored": "restore",
                 "merged": "merge", "forgotten": "privacyDeletion"}  # fmt: skip
        word = words[event.kind]
        base: dict[str, Any] = {
            "subscriptionId": 12345, "portalId": self.portal_id, "appId": self.app_id, "occurredAt": milliseconds(event.at),
            "subscriptionType": f"object.{word}" if self.is_generic else f"{one}.{word}", "attemptNumber": 0,
        }  # fmt: skip
        if self.is_generic:
            base["objectTypeId"] = number
        source = {"objectId": int(event.id), "changeSource": "CRM"}
        if event.kind == "merged":
            winner = int(event.merged_into or 0)
            ids = {
                "primaryObjectId": winner,
                "mergedObjectIds": [int(event.id)],
                "newObjectId": None,
                "numberOfPropertiesMoved": 0,
            }
            items = [{**base, **ids, "objectId": winner, "changeSource": "MERGE_OBJECTS"}]
        elif event.kind == "updated":
            items = [
                {
                    **base,
                    **source,
                    "propertyName": name,
                    "propertyValue": event.fields.get(name) or "",
                    "isSensitive": False,
                }
                for name in event.previous
            ]
        else:
            flags = {"created": "NEW", "deleted": "DELETED", "restored": "RESTORED"}
            items = [{**base, **source, **({"changeFlag": flags[event.kind]} if event.kind in flags else {})}]
        return [{"eventId": event.number * 100 + place, **item} for place, item in enumerate(items)]

    def hook_delivery(self, items: Sequence[Any], at: datetime) -> Delivery:
        body = dump(list(items))
        headers = {"Content-Type": "application/json", "User-Agent": "HubSpot Connect 2.0"}
        stamp = str(milliseconds(at))
        plain = hashlib.sha256(self.client_secret.encode() + body).hexdigest()
        headers |= {"X-HubSpot-Signature": plain, "X-HubSpot-Signature-Version": "v1"}
        if self.signature_version == "v3":
            signed = b"POST" + hook_uri(self.hook_url).encode() + body + stamp.encode()
            proof = hmac.new(self.client_secret.encode(), signed, hashlib.sha256).digest()
            headers |= {
                "X-HubSpot-Request-Timestamp": stamp,
                "X-HubSpot-Signature-v3": base64.b64encode(proof).decode(),
            }
        return Delivery("POST", self.hook_url, headers, body)


def hook_uri(url: str) -> str:
    """The address as HubSpot signs it: these escapes are undone in it, the question mark that begins the query is not."""
    for escape in ("%3A", "%2F", "%3F", "%40", "%21", "%24", "%27", "%28", "%29", "%2A", "%2C", "%3B"):
        url = url.replace(escape, unquote(escape)).replace(escape.lower(), unquote(escape))
    return url
