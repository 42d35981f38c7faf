"""A Stripe that is none: lists, single records, events that are kept for thirty days, webhooks, two shapes of records.

`put("customer", 1, name="Acme")`, `put("price", 1, product=..., unit_amount=2000, recurring={"interval": "month",
"interval_count": 1})`, `put("subscription", 1, customer=..., items=[{"price": ..., "quantity": 3}])`, `put("invoice", 1,
customer=..., total=1000, status="open")`, `put("charge", 1, customer=..., amount=1000, invoice=...)`, `put("refund", 1,
charge=..., amount=300)`, `put("credit_note", ...)`, `put("dispute", 1, charge=..., amount=1000)`. References are numbers
or ids. Amounts are in the currency's smallest unit, as Stripe counts it.

A request that pins no version gets `default_version`; events are always told in `default_version` (Stripe renders them
when they happen). From 2025-03-31.basil on, an invoice no longer names its charge, payment intent and subscription, a
charge no longer names its invoice, and the period of a subscription stands on its items.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

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

BASIL = "2025-03-31.basil"
#: How long events are kept.
KEPT = timedelta(days=30)
PREFIXES = {
    "customer": "cus", "product": "prod", "price": "price", "subscription": "sub", "invoice": "in", "charge": "ch",
    "refund": "re", "credit_note": "cn", "dispute": "dp", "payment_intent": "pi", "coupon": "coup",
}  # fmt: skip
#: Where lists live.
LISTS = {
    "customers": "customer", "products": "product", "prices": "price", "subscriptions": "subscription",
    "invoices": "invoice", "charges": "charge", "refunds": "refund", "credit_notes": "credit_note",
    "disputes": "dispute",
}  # fmt: skip
#: Parameters of every list, and of some.
PARAMETERS = {"limit", "starting_after", "ending_before", "expand"}
MORE = {
    "customers": {"email"}, "products": {"active", "ids"}, "prices": {"active", "product", "type", "currency"},
    "subscriptions": {"status", "customer", "price"}, "invoices": {"status", "customer", "subscription"},
    "charges": {"customer", "payment_intent"}, "refunds": {"charge", "payment_intent"},
    "credit_notes": {"customer", "invoice"}, "disputes": {"charge", "payment_intent"},
}  # fmt: skip
#: Fields that name another record.
REFERENCES = {
    "customer": "customer", "product": "product", "price": "price", "charge": "charge", "invoice": "invoice",
    "payment_intent": "payment_intent", "subscription": "subscription", "default_price": "price",
}  # fmt: skip
CREATED: dict[str, dict[str, Any]] = {
    "customer": {"name": None, "email": None, "phone": None, "description": None, "address": None, "balance": 0,
                 "currency": None, "delinquent": False},
    "product": {"active": True, "name": "", "description": None, "default_price": None, "images": []},
    "price": {"active": True, "billing_scheme": "per_unit", "currency": "usd", "nickname": None, "lookup_key": None,
              "recurring": None, "transform_quantity": None, "tiers_mode": None, "type": "recurring",
              "unit_amount": None, "unit_amount_decimal": None, "tiers": None},
    "subscription": {"status": "active", "currency": "usd", "items": [], "discounts": [], "cancel_at": None,
                     "cancel_at_period_end": False, "canceled_at": None, "ended_at": None, "trial_start": None,
                     "trial_end": None, "description": None, "collection_method": "charge_automatically"},
    "invoice": {"status": "draft", "currency": "usd", "total": 0, "tax": 0, "amount_paid": 0, "number": None,
                "billing_reason": "manual", "lines": [], "charge": None, "subscription": None, "payment_intent": None,
                "finalized_at": None, "voided_at": None, "collection_method": "send_invoice"},
    "charge": {"amount": 0, "amount_captured": None, "amount_refunded": 0, "captured": True, "currency": "usd",
               "customer": None, "description": None, "disputed": False, "invoice": None, "paid": True,
               "payment_intent": None, "refunded": False, "status": "succeeded"},
    "refund": {"amount": 0, "charge": None, "currency": "usd", "payment_intent": None, "reason": None,
               "status": "succeeded"},
    "credit_note": {"total": 0, "tax": 0, "currency": "usd", "customer": None, "invoice": None, "status": "issued",
                    "type": "post_payment", "number": None, "memo": None, "voided_at": None},
    "dispute": {"amount": 0, "charge": None, "currency": "usd", "payment_intent": None, "reason": "fraudulent",
                "status": "needs_response", "is_charge_refundable": False},
    "payment_intent": {"amount": 0, "currency": "usd", "status": "succeeded"},
    "coupon": {"amount_off": None, "percent_off": None, "currency": None, "duration": "forever",
               "duration_in_months": None, "valid": True, "name": None},
}  # fmt: skip
#: The status of an invoice and the event that tells of it.
OF_INVOICES = {"open": "finalized", "paid": "paid", "void": "voided", "uncollectible": "marked_uncollectible"}


def refuse(status: int, message: str, *, type: str = "invalid_request_error", **more: Any) -> RefusedError:
    """Stripe refuses with an object named error."""
    return RefusedError(status, {"error": {"message": message, "type": type, **more}})


class Stripe(StandIn):
    """An account."""

    vendor = "stripe"
    precision = timedelta(seconds=1)
    key_in = "bearer"
    api_key = "sk_test_obviously_not_a_key"
    hook_secret = "whsec_obviously_not_a_secret"
    account = "acct_000000000000001"
    account_name = "Acme Selling"
    versions: ClassVar[tuple[str, ...]] = ("2023-08-16", "2024-06-20", BASIL, "2025-09-30.clover")

    #: What the account uses where a request says nothing, and always for events.
    default_version = "2023-08-16"
    #: Whether refunds have events of their own; accounts of long ago are only told `charge.refunded`.
    tells_refunds = True
    #: How many items of a list are shown inside another record.
    shown_inside = 10

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self._replies: dict[str, tuple[bytes, Reply]] = {}

    # -- Records

    def identity(self, object: str, id: object) -> str:
        if id is None:
            self._numbers += 1
            id = 10_000 + self._numbers
        return f"{PREFIXES.get(object, object)}_{id:014d}" if isinstance(id, int) else str(id)

    def moment(self, at: datetime) -> int:
        return int(at.timestamp())

    def put(self, object: str, id: object = None, /, **fields: Any) -> str:
        """As ever; unknown fields are refused, so that a misspelt test fails. Numbers as references become ids."""
        for name, value in fields.items():
            if name not in CREATED[object] and name not in ("metadata", "customer", "product", "start_date", "created"):
                raise LookupError(f"{object} has no field {name} that can be set")
            if name in REFERENCES and isinstance(value, int):
                fields[name] = self.identity(REFERENCES[name], value)
        if object == "subscription":
            for item in fields.get("items", ()):
                item["price"] = self.identity("price", item["price"])
        with self.lock:
            key = super().put(object, id, **fields)
            if object == "refund" and self.log[-1].kind == "created":
                charge = self.world["charge"].get(self.row(object, key)["charge"] or "")
                if charge is not None:
                    back = charge["amount_refunded"] + self.row(object, key)["amount"]
                    self.put("charge", charge.id, amount_refunded=back, refunded=back >= charge["amount"])
            return key

    def birth(self, row: Row) -> None:
        at = self.moment(row.created_at)
        row.fields = {"created": at, "metadata": {}, **CREATED[row.object]}
        if row.object == "subscription":
            row.fields |= {"start_date": at, "items": []}

    def changed(self, row: Row, kind: str, previous: dict[str, Any]) -> None:
        """What follows from a change by itself: totals captured, moments of a status, names of things."""
        fields = row.fields
        if row.object == "charge" and fields["amount_captured"] is None and fields["captured"]:
            fields["amount_captured"] = fields["amount"]
        if row.object == "price" and fields["unit_amount"] is not None and fields["unit_amount_decimal"] is None:
            fields["unit_amount_decimal"] = str(fields["unit_amount"])
        if row.object == "invoice":
            if fields["status"] != "draft" and fields["finalized_at"] is None:
                fields["finalized_at"] = self.moment(row.modified_at)
            if fields["status"] == "void" and fields["voided_at"] is None:
                fields["voided_at"] = self.moment(row.modified_at)
        if row.object == "subscription" and fields["status"] == "canceled" and fields["ended_at"] is None:
            fields["ended_at"] = fields["canceled_at"] = self.moment(row.modified_at)
        super().changed(row, kind, previous)

    # -- How records look

    def version_of(self, ask: Request) -> str:
        """The version that a request is answered in."""
        version = ask.headers.get("stripe-version") or self.default_version
        if version not in self.versions:
            raise refuse(400, f"Invalid Stripe API version: {version}")
        return version

    def show(self, row: Row, version: str, expand: Sequence[str] = (), fields: dict[str, Any] | None = None) -> Any:
        """A record in the shape of a version; `fields` in place of its own for how it was."""
        look: Callable[..., dict[str, Any]] = getattr(self, f"_{row.object}", self._plain)
        shown = {"id": row.id, "object": row.object, **look(row, dict(fields or row.fields), version >= BASIL, expand)}
        return {**shown, "livemode": False}

    def _plain(self, _row: Row, fields: dict[str, Any], _is_new: bool, _expand: Sequence[str]) -> dict[str, Any]:
        return fields

    def _product(self, row: Row, fields: dict[str, Any], is_new: bool, expand: Sequence[str]) -> dict[str, Any]:
        if "default_price" in expand and fields["default_price"]:
            fields["default_price"] = self._price_of(fields["default_price"])
        return {**fields, "updated": self.moment(row.modified_at)}

    def _price(self, _row: Row, fields: dict[str, Any], _is_new: bool, expand: Sequence[str]) -> dict[str, Any]:
        tiers = fields.pop("tiers", None)
        if "product" in expand and fields.get("product") in self.world.get("product", {}):
            fields["product"] = self.show(self.row("product", fields["product"]), BASIL)
        return {**fields, "tiers": tiers} if "tiers" in expand else fields

    def _price_of(self, id: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.show(self.row("price", id), BASIL)
        return shown

    def _subscription(self, row: Row, fields: dict[str, Any], is_new: bool, expand: Sequence[str]) -> dict[str, Any]:
        period = {"current_period_start": fields["start_date"], "current_period_end": fields["start_date"] + 2_592_000}
        items = self._items(row, is_new)
        fields["items"] = self._inside(items, f"/v1/subscription_items?subscription={row.id}")
        discounts = fields.pop("discounts")
        if is_new:
            fields["discounts"] = (
                discounts if any(name.startswith("discounts") for name in expand) else [one["id"] for one in discounts]
            )
        else:
            fields |= {"discount": discounts[0] if discounts else None, **period}
        return fields

    def _items(self, row: Row, is_new: bool) -> list[dict[str, Any]]:
        period = {"current_period_start": row["start_date"], "current_period_end": row["start_date"] + 2_592_000}
        shown = []
        for number, item in enumerate(row["items"]):
            one = {"id": f"si_{row.id.partition('_')[2]}_{number}", "object": "subscription_item", "metadata": {},
                   "created": row["created"], "subscription": row.id, "discounts": [], **item,
                   "price": self._price_of(item["price"])}  # fmt: skip
            shown.append({**one, **period} if is_new else one)
        return shown

    def _inside(self, rows: list[dict[str, Any]], url: str) -> dict[str, Any]:
        return {
            "object": "list",
            "data": rows[: self.shown_inside],
            "has_more": len(rows) > self.shown_inside,
            "url": url,
        }

    def _invoice(self, row: Row, fields: dict[str, Any], is_new: bool, expand: Sequence[str]) -> dict[str, Any]:
        tax, subscription = fields.pop("tax"), fields.pop("subscription")
        charge, intent = fields.pop("charge"), fields.pop("payment_intent")
        moments = {name: fields.pop(name) for name in ("finalized_at", "voided_at")}
        lines = []
        for number, line in enumerate(fields.pop("lines")):
            price = self._price_of(self.identity("price", line["price"])) if line.get("price") else None
            one = {"id": f"il_{row.id}_{number}", "object": "line_item", "amount": line["amount"],
                   "quantity": line.get("quantity", 1), "currency": fields["currency"], "metadata": {}}  # fmt: skip
            if is_new:
                told = {"price": price["id"], "product": price["product"]} if price else None
                one["pricing"] = {"type": "price_details", "price_details": told, "unit_amount_decimal": None}
            else:
                one |= {"price": price, "proration": line["amount"] < 0, "type": "invoiceitem"}
            lines.append(one)
        shown = {
            **fields,
            "lines": self._inside(lines, f"/v1/invoices/{row.id}/lines"),
            "amount_due": fields["total"],
            "amount_remaining": fields["total"] - fields["amount_paid"],
            "status_transitions": {**moments, "paid_at": None, "marked_uncollectible_at": None},
            "subtotal": fields["total"] - tax,
            "total_excluding_tax": fields["total"] - tax,
        }
        if is_new:
            shown["total_taxes"] = [{"amount": tax, "tax_behavior": "exclusive"}] if tax else []
            of_subscription = {"subscription": subscription, "metadata": {}}
            shown["parent"] = (
                {"type": "subscription_details", "subscription_details": of_subscription} if subscription else None
            )
            if "payments" in expand:
                payment = {"id": f"inpay_{row.id}", "object": "invoice_payment", "invoice": row.id, "status": "paid",
                           "amount_paid": fields["amount_paid"], "payment": {"type": "charge", "charge": charge}}  # fmt: skip
                shown["payments"] = self._inside([payment] if charge else [], f"/v1/invoice_payments?invoice={row.id}")
        else:
            shown |= {"tax": tax, "total_tax_amounts": [{"amount": tax, "inclusive": False}] if tax else [],
                      "charge": charge, "payment_intent": intent, "subscription": subscription,
                      "paid": fields["status"] == "paid", "subscription_details": {"metadata": {}}}  # fmt: skip
        return shown

    def _charge(self, _row: Row, fields: dict[str, Any], is_new: bool, _expand: Sequence[str]) -> dict[str, Any]:
        if is_new:
            del fields["invoice"]
        return fields

    def _credit_note(self, _row: Row, fields: dict[str, Any], is_new: bool, _expand: Sequence[str]) -> dict[str, Any]:
        tax = fields.pop("tax")
        taxes = {"total_taxes" if is_new else "tax_amounts": [{"amount": tax}] if tax else []}
        return {**fields, **taxes, "amount": fields["total"], "subtotal": fields["total"] - tax,
                "total_excluding_tax": fields["total"] - tax}  # fmt: skip

    # -- Lists

    def _asked(self, ask: Request, known: set[str]) -> None:
        """Refuse parameters that Stripe does not know, and expansions that are too deep."""
        for name, value in ask.pairs:
            base = name.partition("[")[0]
            if base not in known:
                raise refuse(400, f"Received unknown parameter: {base}", code="parameter_unknown", param=base)
            if base == "expand" and len(value.split(".")) > 4:
                raise refuse(400, f"You cannot expand more than 4 levels of a property. Property: {value}")

    @staticmethod
    def _expand(ask: Request, is_list: bool) -> list[str]:
        names = [value for name, value in ask.pairs if name.startswith("expand[")]
        return [name.removeprefix("data.") for name in names] if is_list else names

    def _list(self, ask: Request, url: str, rows: list[Row], show: Callable[[Row], Any]) -> dict[str, Any]:
        """A page, newest first. Rows of the same second stand in the order they were made, the later first."""
        try:
            size = int(ask.params.get("limit") or 10)
        except ValueError:
            raise refuse(400, f"Invalid integer: {ask.params['limit']}", param="limit") from None
        if not 1 <= size <= 100:
            raise refuse(400, "This value must be between 1 and 100 (inclusive).", param="limit")
        tests: dict[str, Callable[[int, int], bool]] = {
            "gt": lambda one, other: one > other,
            "gte": lambda one, other: one >= other,
            "lt": lambda one, other: one < other,
            "lte": lambda one, other: one <= other,
        }
        for name, value in ask.pairs:
            if found := re.fullmatch(r"created\[(\w+)\]", name):
                is_in = tests[found[1]]
                rows = [row for row in rows if is_in(row["created"], int(value))]
        order = {row.id: place for place, row in enumerate(rows)}
        rows = sorted(rows, key=lambda row: (row["created"], order[row.id]), reverse=True)
        last = ask.params.get("starting_after")
        if last and last not in order:
            known = re.sub(r"s$", "", url.rpartition("/")[2])
            raise refuse(400, f"No such {known}: '{last}'", code="resource_missing", param="starting_after")
        part = self.after(rows, self._circle(rows, last, size), size)
        has_more = part.next is not None
        return {"object": "list", "url": url, "has_more": has_more, "data": [show(row) for row in part.rows]}

    def _circle(self, rows: list[Row], last: str | None, size: int) -> str | None:
        """Where the page begins, unless pages never end: the same page for ever, or all of them round and round."""
        for fault in getattr(self._local, "faults", []):
            if fault.kind == "endless_cursor":
                is_round = fault.detail.get("mode") == "invent"
                at_end = not rows or last == rows[-1].id
                return last if is_round and not at_end else None
        return last

    @route("GET", "/v1/account")
    def whose(self, _ask: Request) -> Any:
        return {"id": self.account, "object": "account", "country": "US", "default_currency": "usd", "email": None,
                "business_profile": {"name": self.account_name, "url": None},
                "settings": {"dashboard": {"display_name": self.account_name, "timezone": "Etc/UTC"}}}  # fmt: skip

    @route("GET", "/v1/events", page=True)
    def events(self, ask: Request) -> Any:
        self._asked(ask, PARAMETERS | {"created", "types", "type", "delivery_success"})
        self.version_of(ask)
        types = [value for name, value in ask.pairs if name.startswith("types[")]
        if len(types) > 20:
            raise refuse(400, "You may only filter by up to 20 event types.", param="types")
        pattern = ask.params.get("type", "")
        oldest = self.moment(self.clock.now - KEPT)
        told = []
        for event in self.log:
            if self.moment(event.at) < oldest:
                continue
            for name, body in self.told(event):
                is_asked = name in types if types else not pattern or re.fullmatch(pattern.replace("*", ".*"), name)
                if is_asked:
                    told.append(Row("event", body["id"], body, event.at, event.at))
        return self._list(ask, "/v1/events", told, lambda row: row.fields)

    @route("GET", "/v1/subscription_items", page=True)
    def items(self, ask: Request) -> Any:
        self._asked(ask, PARAMETERS | {"subscription"})
        row = self._find("subscription", ask.params["subscription"])
        shown = {one["id"]: one for one in self._items(row, self.version_of(ask) >= BASIL)}
        rows = [Row("subscription_item", id, one, row.created_at, row.created_at) for id, one in shown.items()]
        return self._list(ask, "/v1/subscription_items", rows, lambda one: one.fields)

    @route("GET", "/v1/{objects}", page=True)
    def several(self, ask: Request, objects: str) -> Any:
        if objects not in LISTS:
            return self.not_found(ask)
        known = PARAMETERS | MORE[objects] | ({"created"} if objects != "credit_notes" else set())
        self._asked(ask, known)
        version, expand = self.version_of(ask), self._expand(ask, is_list=True)
        rows = self.rows(LISTS[objects])
        for name in MORE[objects] - {"status", "active", "ids"}:
            if name in ask.params:
                rows = [row for row in rows if row[name] == ask.params[name]]
        status = ask.params.get("status")
        if objects == "subscriptions":
            if status != "all":
                rows = [row for row in rows if row["status"] == status or (not status and row["status"] != "canceled")]
        elif status:
            rows = [row for row in rows if row["status"] == status]
        if "active" in ask.params:
            rows = [row for row in rows if row["active"] == (ask.params["active"] == "true")]
        return self._list(ask, f"/v1/{objects}", rows, lambda row: self.show(row, version, expand))

    def _find(self, object: str, id: str) -> Row:
        row = self.world.get(object, {}).get(id)
        if row is None or (row.is_deleted and object != "customer"):
            raise refuse(404, f"No such {object}: '{id}'", code="resource_missing", param="id")
        return row

    @route("GET", "/v1/{objects}/{id}")
    def single(self, ask: Request, objects: str, id: str) -> Any:
        if objects not in LISTS:
            return self.not_found(ask)
        row = self._find(LISTS[objects], id)
        if row.is_deleted:
            return {"id": row.id, "object": row.object, "deleted": True}
        return self.show(row, self.version_of(ask), self._expand(ask, is_list=False))

    @route("POST", "/v1/customers/{id}")
    def edit(self, ask: Request, id: str) -> Any:
        """The same key brings the same answer, whatever happened since; with another body it is refused."""
        key = ask.headers.get("idempotency-key")
        if key and key in self._replies:
            body, reply = self._replies[key]
            if body != ask.body:
                raise refuse(400, "Keys for idempotent requests can only be used with the same parameters.",
                             type="idempotency_error")  # fmt: skip
            return reply
        row = self._find("customer", id)
        if row.is_deleted:
            raise refuse(404, f"No such customer: '{id}'", code="resource_missing", param="id")
        fields: dict[str, Any] = {}
        for name, value in ask.form.items():
            if found := re.fullmatch(r"(\w+)\[(\w+)\]", name):
                fields.setdefault(found[1], dict(row[found[1]] or {}))[found[2]] = value
            elif name not in ("name", "email", "phone", "description"):
                raise refuse(400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
            else:
                fields[name] = value or None
        self.put("customer", id, **fields)
        reply = Reply(self.show(row, self.version_of(ask)))
        if key:
            self._replies[key] = (ask.body, reply)
        return reply

    # -- Events

    def told(self, event: Event) -> list[tuple[str, dict[str, Any]]]:
        """The events, as Stripe tells them, that one change makes."""
        row = self.world[event.object].get(event.id) or Row(event.object, event.id, event.fields, event.at, event.at)
        names = self._names(event)
        shown = self.show(row, self.default_version, fields=event.fields)
        if event.kind == "deleted" and event.object != "subscription":
            shown["deleted"] = True
        if event.object == "charge" and not self.tells_refunds:
            back = [
                one
                for one in self.rows("refund")
                if one["charge"] == event.id and one["created"] <= self.moment(event.at)
            ]
            shown["refunds"] = self._inside([self.show(one, self.default_version) for one in back], "")
        told = []
        for number, name in enumerate(names):
            data: dict[str, Any] = {"object": shown}
            if event.previous:
                data["previous_attributes"] = event.previous
            told.append((name, {"id": f"evt_{event.number:08d}{number}", "object": "event", "type": name,
                                "api_version": self.default_version, "created": self.moment(event.at), "data": data,
                                "livemode": False, "pending_webhooks": 1,
                                "request": {"id": None, "idempotency_key": None}}))  # fmt: skip
        return told

    def _names(self, event: Event) -> list[str]:
        kind, fields = event.kind, event.fields
        if event.object == "subscription":
            is_over = fields["status"] == "canceled" and kind != "created"
            return [f"customer.subscription.{'deleted' if is_over else kind}"]
        if event.object == "charge":
            names = ["charge.succeeded" if kind == "created" else "charge.updated"]
            return [*names, "charge.refunded"] if "amount_refunded" in event.previous else names
        if event.object == "refund":
            if not self.tells_refunds:
                return ["charge.refund.updated"] if kind != "created" else []
            return ["refund.failed"] if fields["status"] == "failed" else [f"refund.{kind}"]
        if event.object == "dispute":
            return ["charge.dispute.closed" if fields["status"] in ("won", "lost") else f"charge.dispute.{kind}"]
        if event.object == "credit_note":
            return ["credit_note.voided" if fields["status"] == "void" and kind != "created" else f"credit_note.{kind}"]
        if event.object == "invoice":
            is_moved = (kind == "created" and fields["status"] != "draft") or "status" in event.previous
            more = [f"invoice.{OF_INVOICES[fields['status']]}"] if is_moved and fields["status"] in OF_INVOICES else []
            return [f"invoice.{kind}", *more]
        return [f"{event.object}.{kind}"] if event.object in ("customer", "product", "price") else []

    def hook_items(self, event: Event) -> list[Any]:
        """All that one change makes, each delivered by itself."""
        return [body for _name, body in self.told(event)]

    def hook_delivery(self, items: Sequence[Any], at: datetime) -> Delivery:
        """One event, signed."""
        (body,) = items
        return self.signed(dump(body), at=at)

    def signed(self, body: bytes, *, at: datetime, secret: str = "") -> Delivery:
        """A body with Stripe's signature."""
        moment = self.moment(at)
        key = (secret or self.hook_secret).encode()
        proof = hmac.new(key, f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": f"t={moment},v1={proof},v0=0"}
        return Delivery("POST", self.hook_url, headers, body)

    # -- Refusals

    def authorized(self, ask: Request) -> bool:
        """The key as bearer, or as the user of HTTP Basic."""
        return super().authorized(ask) or bool(ask.basic and ask.basic[0] == self.api_key)

    def unauthorized(self, ask: Request) -> Reply:
        message = "Invalid API Key provided: sk_test_********" if ask.headers.get("authorization") else "No API key."
        return Reply({"error": {"message": message, "type": "invalid_request_error"}}, 401)

    def not_found(self, ask: Request) -> Reply:
        message = f"Unrecognized request URL ({ask.method}: {ask.path})."
        return Reply({"error": {"message": message, "type": "invalid_request_error"}}, 404)

    def too_many(self, retry_after: float | str | None) -> Reply:
        """Stripe says which limit it was; what proxies say is added where a test wants it."""
        body = {
            "error": {"message": "Request rate limit exceeded.", "type": "invalid_request_error", "code": "rate_limit"}
        }
        headers = {"Stripe-Rate-Limited-Reason": "global-rate", **self.retry_header(retry_after)}
        return Reply(body, 429, headers)

    def over(self, limit: Limit, retry_after: float) -> Reply:
        return self.too_many(None)

    def limit_reached(self) -> Reply:
        """Not an exhausted allowance, which Stripe does not have: a key without the right."""
        message = "The provided key does not have the required permissions for this endpoint."
        return Reply({"error": {"message": message, "type": "invalid_request_error"}}, 403)

    def failure(self, status: int) -> Reply:
        return Reply({"error": {"message": "An unknown error occurred.", "type": "api_error"}}, status)
