"""A Sellsy account that is none: lists by offset, opaque or numeric, amounts as decimal text, moments of Paris, pushes.

`put("opportunity", 1, name="A", amount="1000.00", company=1, owner=2, step=3)`: companies and people become references.
`put("invoice", 1, net="100.00", gross="120.00", company=1)`; `put("creditnote", ...)` the same. Steps 1 to 3 belong to
pipeline 1. `opaque = True` makes offsets of lists opaque texts; otherwise they are numbers. Nothing tells what changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.connectors.standins.base import (
    Delivery,
    Event,
    Limit,
    OAuth,
    RefusedError,
    Reply,
    Request,
    Row,
    StandIn,
    dump,
    route,
)

PARIS = ZoneInfo("Europe/Paris")
#: What addresses say, what records say.
LISTS = {
    "staffs": "staff", "companies": "company", "individuals": "individual", "contacts": "contact", "items": "item",
    "opportunities": "opportunity", "invoices": "invoice", "credit-notes": "creditnote",
}  # fmt: skip
#: What pushes call a record, in the words of the old interface.
PUSHED = {"company": "client", "individual": "client", "contact": "people"}


def refuse(status: int, message: str, **details: str) -> RefusedError:
    return RefusedError(status, {"error": {"code": status, "message": message, "context": "", "details": details}})


class Sellsy(StandIn):
    """An account; public apps sign in with a verifier, refresh tokens are replaced."""

    vendor = "sellsy"
    precision = timedelta(seconds=1)
    oauth = OAuth("/oauth2/authorization", "/oauth2/access-tokens", lifetime=3600, rotates=True, pkce_required=True)
    documented = ((1, 5, "/v2", "second"), (86_400, 432_000, "/v2", "day"))
    hook_secret = "obviously-not-a-hook-secret"
    corpid = 77001
    #: Whether offsets are opaque texts.
    opaque = False

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.put("staff", 1, firstname="Api", lastname="User", email="api@acme.example", timezone="Europe/Paris")
        self.put("pipeline", 1, name="Ventes")
        for place, name in enumerate(("Qualification", "Proposition", "Négociation"), 1):
            self.put("step", place, name=name, rank=place, pipeline=1)
        self.log.clear()

    # -- Records

    def moment(self, at: datetime) -> str:
        """ISO text with the offset of the account's zone."""
        return at.astimezone(PARIS).isoformat(timespec="seconds")

    def birth(self, row: Row) -> None:
        if row.object == "opportunity":
            row.fields.update({"status": "open", "step": 1, "currency": "EUR", "probability": 20, "due_date": None})
        elif row.object in ("invoice", "creditnote"):
            row.fields.update({"status": "due", "currency": "EUR", "date": row.created_at.date().isoformat()})
        elif row.object == "item":
            row.fields.update({"currency": "EUR"})

    def show(self, row: Row, embeds: Sequence[str] = ()) -> dict[str, Any]:
        """A record as replies have it."""
        told = dict(row.fields)
        found: dict[str, Any] = {"id": int(row.id), "created": self.moment(row.created_at)}
        if row.object in ("opportunity", "invoice", "creditnote"):
            related = [
                {"id": int(told[kind]), "type": kind}
                for kind in ("company", "individual", "opportunity")
                if told.get(kind) is not None
            ]
            company = self.world.get("company", {}).get(str(told.pop("company", "")))
            told = {name: value for name, value in told.items() if name not in ("individual", "opportunity")}
            found["related"] = related
            if "company" in embeds and company is not None:
                found["_embed"] = {"company": {"id": int(company.id), "name": company["name"]}}
        if row.object == "opportunity":
            step = self.world["step"][str(told.pop("step"))]
            found |= {
                "number": f"OPP-{row.id}",
                "amount": {"value": told.pop("amount", "0.00"), "currency": told.pop("currency")},
                "step": {"id": int(step.id), "name": step["name"]},
                "pipeline": {"id": 1, "name": "Ventes"},
                "updated_status": self.moment(row.more.get("status_at", row.created_at)),
            }
        if row.object in ("invoice", "creditnote"):
            found["amounts"] = {
                "total_excl_tax": told.pop("net", "0.00"),
                "total_incl_tax": told.pop("gross", "0.00"),
            }
        owner = told.pop("owner", None)
        return {**found, **told, "owner": {"id": owner, "type": "staff"} if owner is not None else None}

    def changed(self, row: Row, kind: str, previous: dict[str, Any]) -> None:
        if row.object == "opportunity" and {"status", "step"} & set(previous):
            row.more["status_at"] = row.modified_at
        super().changed(row, kind, previous)

    # -- Lists

    @route("GET", "/v2/opportunities/pipelines")
    def list_pipelines(self, _ask: Request) -> Any:
        return self._whole([{"id": int(row.id), **row.fields} for row in self.rows("pipeline")])

    @route("GET", "/v2/opportunities/pipelines/{id}/steps")
    def list_steps(self, _ask: Request, id: str) -> Any:
        rows = [row for row in self.rows("step") if str(row["pipeline"]) == id]
        return self._whole([{"id": int(row.id), "name": row["name"], "rank": row["rank"]} for row in rows])

    @staticmethod
    def _whole(rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {"data": rows, "pagination": {"limit": 100, "count": len(rows), "total": len(rows), "offset": 0}}

    @route("GET", "/v2/staffs/me")
    def show_me(self, _ask: Request) -> Any:
        return self.show(self.row("staff", 1))

    @route("GET", "/v2/{list}", page=True)
    def list_records(self, ask: Request, list: str) -> Any:
        if list not in LISTS:
            raise refuse(404, "Not found")
        params = ask.params
        size = ask.number("limit", 25)
        if not 1 <= size <= 100:
            raise refuse(400, "Bad request", limit="must be between 1 and 100")
        order, direction = params.get("order", "created"), params.get("direction", "desc")
        if order != "created" or direction not in ("asc", "desc"):
            raise refuse(400, "Bad request", order="not a field by which this is ordered")
        rows = self.rows(LISTS[list])
        rows.sort(key=lambda row: (row.created_at, int(row.id)), reverse=direction == "desc")
        given = params.get("offset")
        if self.opaque:
            try:
                part = self.by_cursor(lambda: rows, given, size)
            except KeyError:
                raise refuse(400, "Bad request", offset="is not one that was given") from None
            shown = [row for row in part.rows if not row.is_deleted]
            offset: Any = part.next
        else:
            if given is not None and not given.isdigit():
                raise refuse(400, "Bad request", offset="must be a number")
            offset = int(given or 0)
            shown = rows[offset : offset + size]
        embeds = ask.values("embed[]")
        data = [self.show(row, embeds) for row in shown]
        return {
            "data": data,
            "pagination": {"limit": size, "count": len(data), "total": len(rows), "offset": offset},
        }

    @route("GET", "/v2/{list}/{id}")
    def one(self, ask: Request, list: str, id: str) -> Any:
        row = self.world.get(LISTS.get(list, ""), {}).get(id)
        if row is None or row.is_deleted:
            raise refuse(404, "Not found")
        return self.show(row, ask.values("embed[]"))

    # -- Who, refusals, rates

    def unauthorized(self, ask: Request) -> Reply:
        return refuse(401, "Unauthorized").reply

    def not_found(self, ask: Request) -> Reply:
        return refuse(404, "Not found").reply

    def failure(self, status: int) -> Reply:
        return refuse(status, "Internal error").reply

    def too_many(self, retry_after: float | str | None) -> Reply:
        """Sellsy itself names no time; what stands before it may."""
        reply = refuse(429, "Too many requests, wait a few seconds").reply
        reply.headers.update(self.retry_header(retry_after))
        return reply

    def over(self, limit: Limit, retry_after: float) -> Reply:
        return self.too_many(None)

    def limit_reached(self) -> Reply:
        return refuse(402, "The quota of your plan is reached").reply

    # -- Pushes

    def hook_items(self, event: Event) -> list[Any]:
        """One for each event, in the words of the old interface."""
        if event.object in ("pipeline", "step", "staff"):
            return []
        word = PUSHED.get(event.object, event.object)
        row = self.world[event.object].get(event.id)
        return [
            {
                "eventType": word, "event": event.kind, "relatedtype": word, "relatedid": event.id,
                "ownertype": "staff", "ownerid": "1", "timestamp": int(event.at.timestamp()), "corpid": self.corpid,
                "relatedobject": self.show(row) if row is not None else None,
            }
        ]  # fmt: skip

    def hook_delivery(self, items: Sequence[Any], at: datetime) -> Delivery:
        body = dump(items[0])
        proof = hashlib.sha1(self.hook_secret.encode() + body).hexdigest()  # noqa: S324 - as the vendor does
        headers = {"Content-Type": "application/json", "X-Webhook-Signature": proof}
        return Delivery("POST", self.hook_url, headers, body)
