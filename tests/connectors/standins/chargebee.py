"""A Chargebee that is none: lists by `updated_at`, wrapped rows, opaque offsets, both product catalogues, webhooks.

`put("customer", "acme", company="Acme", email=...)`, `put("subscription", 1, customer_id=..., plan items...)`,
`put("invoice", 1, customer_id=..., total=1000, status="paid")`, `put("credit_note", 1, reference_invoice_id=...)`,
`put("transaction", 1, type="payment", amount=1000)`. Ids are texts that the customer chose. Amounts are in cents, of
currencies without decimals in whole units. `catalog` is 1 (plans, addons) or 2 (items, item prices). An offset is a
position in the list as it is now, so rows that are edited while somebody pages shift those behind them.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.connectors.standins.base import (
    Delivery,
    Event,
    Limit,
    RefusedError,
    Reply,
    Request,
    Row,
    StandIn,
    dump,
    route,
)

#: Where lists live, and what wraps a row.
LISTS = {
    "customers": "customer", "subscriptions": "subscription", "invoices": "invoice", "credit_notes": "credit_note",
    "transactions": "transaction", "items": "item", "item_prices": "item_price", "plans": "plan",
}  # fmt: skip
#: Objects of which lists show the deleted ones where `include_deleted` is true.
WITH_DELETED = {"customer", "subscription", "invoice", "credit_note", "transaction", "plan"}
CREATED: dict[str, dict[str, Any]] = {
    "customer": {"auto_collection": "on", "net_term_days": 0, "taxability": "taxable"},
    "subscription": {"status": "active", "currency_code": "USD", "billing_period": 1, "billing_period_unit": "month"},
    "invoice": {"status": "payment_due", "currency_code": "USD", "total": 0, "tax": 0, "amount_paid": 0,
                "credits_applied": 0, "price_type": "tax_exclusive", "recurring": True, "line_items": []},
    "credit_note": {"status": "refund_due", "type": "refundable", "currency_code": "USD", "total": 0,
                    "price_type": "tax_exclusive", "line_items": []},
    "transaction": {"type": "payment", "status": "success", "currency_code": "USD", "amount": 0,
                    "payment_method": "card", "gateway": "chargebee"},
    "item": {"status": "active", "type": "plan"},
    "item_price": {"status": "active", "currency_code": "USD", "pricing_model": "per_unit", "item_type": "plan"},
    "plan": {"status": "active", "currency_code": "USD", "period": 1, "period_unit": "month"},
}  # fmt: skip
#: Fields that hold a day or moment of birth where the record says none itself.
BORN = {"invoice": "date", "credit_note": "date", "transaction": "date", "subscription": "started_at"}


def refuse(status: int, code: str, message: str, **more: Any) -> RefusedError:
    """Chargebee refuses with a code of its own."""
    kind = "operation_failed" if status >= 500 else "invalid_request"
    return RefusedError(status, {"message": message, "type": kind, "api_error_code": code, "http_status_code": status,
                                 "error_code": code, "error_msg": message, **more})  # fmt: skip


class Chargebee(StandIn):
    """A site."""

    vendor = "chargebee"
    precision = timedelta(seconds=1)
    key_in = "basic"
    api_key = "test_obviously_not_a_key"
    #: User and password of webhooks.
    hook_secret = "hooks:obviously-not-a-password"
    catalog = 2

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        #: The version that a record had with an event.
        self.versions_told: dict[int, int] = {}

    # -- Records

    def moment(self, at: datetime) -> int:
        return int(at.timestamp())

    def birth(self, row: Row) -> None:
        at = self.moment(row.created_at)
        row.fields = {"id": row.id, "object": row.object, **CREATED[row.object]}
        if row.object in ("customer", "subscription", "item_price"):
            row.fields["created_at"] = at
        if row.object in BORN:
            row.fields[BORN[row.object]] = at

    def put(self, object: str, id: object = None, /, **fields: Any) -> str:
        """As ever. What is taken back of an invoice or payment is written on both."""
        if object not in CREATED:
            raise LookupError(f"no object {object}")
        return super().put(object, id, **fields)

    def changed(self, row: Row, kind: str, previous: dict[str, Any]) -> None:
        """Each change has a version of its own, in milliseconds, even within one second."""
        now = int(row.modified_at.timestamp() * 1000)
        row.more["version"] = max(now, row.more.get("version", 0) + 1)
        if row.object == "invoice" and row["status"] == "voided" and row["voided_at"] is None:
            row.fields["voided_at"] = self.moment(row.modified_at)
        if row.object == "subscription" and row["status"] == "cancelled" and row["cancelled_at"] is None:
            row.fields["cancelled_at"] = self.moment(row.modified_at)
        super().changed(row, kind, previous)
        self.versions_told[self._happened] = row.more["version"]

    def show(self, row: Row) -> dict[str, Any]:
        """A record as it is told; what is empty is left out, as Chargebee does."""
        shown = {name: value for name, value in row.fields.items() if value is not None}
        shown |= {"updated_at": self.moment(row.modified_at), "resource_version": row.more["version"]}
        return {**shown, "deleted": row.is_deleted}

    # -- Lists

    def _where(self, ask: Request, rows: list[Row], known: Sequence[str]) -> list[Row]:
        """Filters `field[operator]=value`; others than the known ones are refused."""
        tests: dict[str, Callable[[Any, str], bool]] = {
            "after": lambda one, text: one > int(text),
            "before": lambda one, text: one < int(text),
            "between": lambda one, text: json.loads(text)[0] <= one <= json.loads(text)[1],
            "is": lambda one, text: str(one) == text,
            "is_not": lambda one, text: str(one) != text,
            "in": lambda one, text: str(one) in json.loads(text),
            "not_in": lambda one, text: str(one) not in json.loads(text),
        }
        for name, value in ask.pairs:
            if name in ("limit", "offset", "include_deleted") or name.startswith("sort_by["):
                continue
            found = re.fullmatch(r"(\w+)\[(\w+)\]", name)
            if found is None or found[1] not in known or found[2] not in tests:
                raise refuse(400, "param_wrong_value", f"{name} : unknown parameter", param=name)
            field, is_in = found[1], tests[found[2]]
            try:
                rows = [row for row in rows if is_in(self.show(row).get(field, 0), value)]
            except (ValueError, TypeError):
                raise refuse(400, "param_wrong_value", f"{name} : invalid value", param=name) from None
        return rows

    def _page(self, ask: Request, rows: list[Row], show: Callable[[Row], dict[str, Any]]) -> dict[str, Any]:
        try:
            size = int(ask.params.get("limit") or 10)
            start = json.loads(ask.params["offset"])[0] if "offset" in ask.params else 0
            start = int(start)
        except (ValueError, TypeError, IndexError, KeyError):
            raise refuse(400, "param_wrong_value", "offset : invalid value", param="offset") from None
        if not 1 <= size <= 100:
            raise refuse(400, "param_wrong_value", "limit : should be between 1 and 100", param="limit")
        part = self.by_offset(rows, start, size)
        shown: dict[str, Any] = {"list": [show(row) for row in part.rows]}
        if part.next is not None:
            shown["next_offset"] = json.dumps([str(part.next), "260000000"])
        return shown

    @route("GET", "/api/v2/events", page=True)
    def events(self, ask: Request) -> Any:
        told = []
        for event in self.log:
            body = self.told(event)
            row = Row("event", body["id"], body, event.at, event.at)
            told.append(row)
        rows = [row for row in told if all(self._is_in(row, name, value) for name, value in ask.pairs)]
        order = -1 if ask.params.get("sort_by[asc]") != "occurred_at" else 1
        rows.sort(key=lambda row: order * row["occurred_at"])
        return self._page(ask, rows, lambda row: {"event": row.fields})

    @staticmethod
    def _is_in(row: Row, name: str, value: str) -> bool:
        if name == "occurred_at[after]":
            return bool(row["occurred_at"] > int(value))
        return bool(row["event_type"] == value) if name == "event_type[is]" else True

    @route("GET", "/api/v2/{objects}", page=True)
    def several(self, ask: Request, objects: str) -> Any:
        object = self._object(objects)
        is_deleted = None if ask.params.get("include_deleted") == "true" and object in WITH_DELETED else False
        if "include_deleted" in ask.params and object not in WITH_DELETED:
            raise refuse(400, "param_wrong_value", "include_deleted : unknown parameter", param="include_deleted")
        rows = self._where(
            ask, self.rows(object, is_deleted=is_deleted), ("updated_at", "id", "customer_id", "status", "date", "type")
        )
        if "sort_by[asc]" in ask.params and object == "plan":
            raise refuse(400, "param_wrong_value", "sort_by : unknown parameter", param="sort_by")
        if ask.params.get("sort_by[asc]") == "updated_at":
            rows = sorted(rows, key=lambda row: self.moment(row.modified_at))
        else:
            rows = sorted(rows, key=lambda row: self.moment(row.created_at), reverse=True)
        return self._page(ask, rows, lambda row: {object: self.show(row)})

    def _object(self, objects: str) -> str:
        """The object of a path; the catalogue of the site decides what there is."""
        object = LISTS.get(objects, "")
        if not object:
            raise refuse(404, "site_not_found", "Sorry, we couldn't find that resource")
        if object in (("item", "item_price") if self.catalog == 1 else ("plan",)):
            message = "This API operation is not enabled for your site's product catalog."
            raise refuse(400, "configuration_incompatible", message)
        return object

    @route("GET", "/api/v2/{objects}/{id}")
    def single(self, _ask: Request, objects: str, id: str) -> Any:
        object = self._object(objects)
        row = self.world.get(object, {}).get(id)
        if row is None or row.is_deleted:
            raise refuse(404, "resource_not_found", f"{id} not found")
        return {object: self.show(row)}

    @route("POST", "/api/v2/customers/{id}")
    def edit(self, ask: Request, id: str) -> Any:
        row = self.world.get("customer", {}).get(id)
        if row is None or row.is_deleted:
            raise refuse(404, "resource_not_found", f"{id} not found")
        fields: dict[str, Any] = {}
        for name, value in ask.form.items():
            if name not in ("first_name", "last_name", "email", "phone", "company", "locale"):
                raise refuse(400, "param_wrong_value", f"{name} : unknown parameter", param=name)
            fields[name] = value or None
        self.put("customer", id, **fields)
        return {"customer": self.show(row)}

    # -- Webhooks

    def told(self, event: Event) -> dict[str, Any]:
        """An event as Chargebee tells it: the record, and its customer beside it."""
        shown = {name: value for name, value in event.fields.items() if value is not None}
        shown |= {"updated_at": self.moment(event.at), "resource_version": self.versions_told[event.number]}
        shown["deleted"] = event.kind == "deleted"
        content = {event.object: shown}
        customer = self.world.get("customer", {}).get(event.fields.get("customer_id") or "")
        if customer is not None and event.object != "customer":
            content["customer"] = self.show(customer)
        word = {"created": "created", "updated": "changed", "deleted": "deleted"}.get(event.kind, "changed")
        return {"id": f"ev_{event.number:08d}", "occurred_at": self.moment(event.at), "source": "admin_console",
                "object": "event", "api_version": "v2", "event_type": f"{event.object}_{word}",
                "webhook_status": "scheduled", "content": content}  # fmt: skip

    def hook_delivery(self, items: Sequence[Any], at: datetime) -> Delivery:
        """One event; HTTP Basic is all the proof there is."""
        (event,) = items
        token = base64.b64encode(self.hook_secret.encode()).decode()
        headers = {"Content-Type": "application/json", "Authorization": f"Basic {token}"}
        return Delivery("POST", self.hook_url, headers, dump(self.told(event)))

    # -- Refusals

    def unauthorized(self, ask: Request) -> Reply:
        message = "Sorry, authentication failed. Invalid API key" if ask.basic else "Sorry, no API key"
        return refuse(401, "api_authentication_failed", message).reply

    def not_found(self, ask: Request) -> Reply:
        return refuse(404, "resource_not_found", "Sorry, we couldn't find that resource").reply

    def too_many(self, retry_after: float | str | None) -> Reply:
        reply = refuse(429, "api_request_limit_exceeded", "Sorry, we are throttling your requests").reply
        reply.headers.update(self.retry_header(retry_after))
        return reply

    def over(self, limit: Limit, retry_after: float) -> Reply:
        return self.too_many(retry_after)

    def limit_reached(self) -> Reply:
        """Of a key that may not read this, or a live site that was flagged for overuse."""
        return refuse(403, "api_authorization_failed", "Sorry, the key has no access to this operation").reply

    def failure(self, status: int) -> Reply:
        return refuse(status, "internal_error", "Sorry, something went wrong").reply
