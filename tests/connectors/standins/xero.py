"""A Xero that is none: pages by number, `If-Modified-Since`, statuses in place of deletions, tenants, a minute's allowance.

`put("Contacts", 1, Name="Acme")`, `put("Invoices", None, Contact={"ContactID": ...}, Total=Decimal("115"), TotalTax=
Decimal("15"), Date="2026-05-04")`, `put("Payments", None, Invoice={...}, Amount=...)`. Ids are UUIDs; `identity` gives
that of a number. `void("Invoices", id)` voids, or deletes what was only a draft. A page is a position in the list as it is
now, so that rows which are edited while somebody pages shift those behind them. Lists without `page` have no lines.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

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
    iso,
    route,
)

#: Lists, and how a row of each names its id.
IDS = {
    "Contacts": "ContactID", "Items": "ItemID", "Invoices": "InvoiceID", "CreditNotes": "CreditNoteID",
    "Payments": "PaymentID", "Overpayments": "OverpaymentID", "Prepayments": "PrepaymentID",
}  # fmt: skip
#: Lists that are paged, and those that can be asked for several ids.
PAGED = frozenset(IDS) - {"Items"}
BY_IDS = frozenset({"Contacts", "Invoices"})
CREATED: dict[str, dict[str, Any]] = {
    "Contacts": {"ContactStatus": "ACTIVE", "IsSupplier": False, "IsCustomer": True, "Addresses": [], "Phones": []},
    "Items": {"IsSold": True, "IsPurchased": False},
    "Invoices": {"Type": "ACCREC", "Status": "AUTHORISED", "CurrencyCode": "USD", "CurrencyRate": Decimal("1.0"),
                 "TotalTax": Decimal("0"), "AmountPaid": Decimal("0"), "AmountCredited": Decimal("0"), "LineItems": []},
    "CreditNotes": {"Type": "ACCRECCREDIT", "Status": "AUTHORISED", "CurrencyCode": "USD", "TotalTax": Decimal("0"),
                    "Allocations": [], "LineItems": []},
    "Payments": {"PaymentType": "ACCRECPAYMENT", "Status": "AUTHORISED", "CurrencyRate": Decimal("1.0")},
    "Overpayments": {"Type": "RECEIVE-OVERPAYMENT", "Status": "AUTHORISED", "CurrencyCode": "USD"},
    "Prepayments": {"Type": "RECEIVE-PREPAYMENT", "Status": "AUTHORISED", "CurrencyCode": "USD"},
}  # fmt: skip
MOST = 1_000


def invalid(message: str) -> RefusedError:
    """Xero does not understand."""
    return RefusedError(400, {"ErrorNumber": 16, "Type": "QueryParseException", "Message": message})


def forbidden(status: int, title: str, detail: str) -> RefusedError:
    """The gate says no."""
    return RefusedError(
        status, {"Type": None, "Title": title, "Status": status, "Detail": detail, "Instance": None, "Extensions": {}}
    )


class Xero(StandIn):
    """An organisation."""

    vendor = "xero"
    oauth = OAuth(
        authorize="/identity/connect/authorize",
        token="/connect/token",
        lifetime=1_800,
        rotates=True,
        grace=1_800,
        refresh_lifetime=60 * 86_400,
    )
    hook_size = 25
    documented = ((60, 60, "/api.xro/", "minute"), (86_400, 5_000, "/api.xro/", "day"))
    tenant = "aef86862-2015-4b6b-88bc-d89032cecc50"

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        #: Organisations that the sign-in covers.
        self.tenants = [(self.tenant, "Acme Books")]
        self.limit_as_documented()

    # -- Records

    def identity(self, object: str, id: object) -> str:
        if id is None:
            self._numbers += 1
            id = 100_000 + self._numbers
        text = str(id)
        if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text):
            return text
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://standin.example/{object}/{text}"))

    def moment(self, at: datetime) -> str:
        return f"/Date({int(at.timestamp() * 1000)}+0000)/"

    def birth(self, row: Row) -> None:
        if row.object not in CREATED:
            raise LookupError(f"no object {row.object}")
        row.fields = {IDS[row.object]: row.id, **CREATED[row.object]}
        if row.object not in ("Contacts", "Items"):
            row.fields["Date"] = row.created_at.date().isoformat()

    def void(self, object: str, id: object) -> None:
        """What counted is voided; drafts, payments are deleted."""
        is_voided = object != "Payments" and self.row(object, id)["Status"] in ("AUTHORISED", "PAID")
        self.put(object, id, Status="VOIDED" if is_voided else "DELETED")

    def merge(self, object: str, loser: object, winner: object) -> None:
        """The contact that is gone is archived and says where it went."""
        gone, stays = self.identity(object, loser), self.identity(object, winner)
        self.put(object, gone, ContactStatus="ARCHIVED", MergedToContactID=stays)
        self.put(object, stays)

    def show(self, row: Row, *, with_lines: bool = True) -> dict[str, Any]:
        shown = {name: value for name, value in row.fields.items() if value is not None}
        if shown.get("Date"):
            day = date.fromisoformat(shown["Date"])
            shown["DateString"] = f"{day.isoformat()}T00:00:00"
            shown["Date"] = f"/Date({(day - date(1970, 1, 1)).days * 86_400_000}+0000)/"
        if "Total" in shown:
            shown["SubTotal"] = shown["Total"] - shown.get("TotalTax", 0)
        if not with_lines:
            shown.pop("LineItems", None)
        return {**shown, "UpdatedDateUTC": self.moment(row.modified_at)}

    def _gate(self, ask: Request) -> None:
        if ask.headers.get("xero-tenant-id") not in [id for id, _name in self.tenants]:
            raise forbidden(403, "Forbidden", "AuthenticationUnsuccessful")
        if "json" not in ask.headers.get("accept", ""):
            body = b"<Response><Status>OK</Status></Response>"
            raised = RefusedError(200, None)
            raised.reply = Reply(status=200, body=body, headers={"Content-Type": "text/xml; charset=utf-8"})
            raise raised

    def _told(self, object: str, rows: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        stamp = f"/Date({int(self.clock.now.timestamp() * 1000)})/"
        return {
            "Id": str(uuid.UUID(int=7)),
            "Status": "OK",
            "ProviderName": "Portal",
            "DateTimeUTC": stamp,
            **more,
            object: rows,
        }

    # -- Reading

    @route("GET", "/connections")
    def connections(self, _ask: Request) -> Any:
        return [
            {
                "id": str(uuid.uuid5(uuid.NAMESPACE_URL, id)),
                "tenantId": id,
                "tenantType": "ORGANISATION",
                "tenantName": name,
            }
            for id, name in self.tenants
        ]

    @route("GET", "/api.xro/2.0/Organisation")
    def organisation(self, ask: Request) -> Any:
        self._gate(ask)
        name = dict(self.tenants)[ask.headers["xero-tenant-id"]]
        told = {
            "Name": name,
            "BaseCurrency": "USD",
            "OrganisationID": ask.headers["xero-tenant-id"],
            "ShortCode": "!AbC12",
        }
        return self._told("Organisations", [told])

    @route("GET", "/api.xro/2.0/{object}", page=True)
    def several(self, ask: Request, object: str) -> Any:
        self._gate(ask)
        if object not in IDS:
            raise RefusedError(404, None)
        rows = self.rows(object)
        if object == "Contacts" and ask.params.get("includeArchived") != "true":
            rows = [row for row in rows if row["ContactStatus"] != "ARCHIVED"]
        since = ask.headers.get("if-modified-since")
        if since:
            try:
                after = datetime.strptime(since.removesuffix("Z"), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
            except ValueError:
                raise invalid("If-Modified-Since") from None
            rows = [row for row in rows if row.modified_at > after]
        if "where" in ask.params:
            rows = [row for row in rows if self._is_in(row, ask.params["where"])]
        if "IDs" in ask.params:
            if object not in BY_IDS:
                raise invalid("IDs")
            rows = [row for row in rows if row.id in ask.params["IDs"].split(",")]
        order = ask.params.get("order", "")
        if order:
            if order.split()[0] != "UpdatedDateUTC":
                raise invalid("order")
            rows.sort(key=lambda row: row.modified_at, reverse=order.upper().endswith("DESC"))
        if "page" not in ask.params or object not in PAGED:
            return self._told(object, [self.show(row, with_lines=False) for row in rows])
        number, size = ask.number("page", 1), ask.number("pageSize", 100)
        if not 1 <= size <= MOST or number < 1:
            raise invalid("pageSize")
        part = self.by_number(rows, number, size)
        count = max(-(-len(rows) // size), 1)
        if part.next is not None:
            count = max(count, number + 1)
        pages = {"page": number, "pageSize": size, "pageCount": count, "itemCount": len(rows)}
        return self._told(object, [self.show(row) for row in part.rows], pagination=pages)

    def _is_in(self, row: Row, where: str) -> bool:
        """Comparisons for equality, joined by AND."""
        for each in re.split(r"\s+AND\s+|&&", where):
            found = re.fullmatch(r'\s*(\w+)\s*==\s*(?:"([^"]*)"|(true|false))\s*', each)
            if found is None:
                raise invalid(where)
            wanted: Any = found[2] if found[3] is None else found[3] == "true"
            if row[found[1]] != wanted:
                return False
        return True

    @route("GET", "/api.xro/2.0/{object}/{id}")
    def single(self, ask: Request, object: str, id: str) -> Any:
        self._gate(ask)
        row = self.world.get(object, {}).get(id)
        if row is None:
            reply = RefusedError(404, None)
            reply.reply = Reply(
                status=404,
                body=b"The resource you're looking for cannot be found",
                headers={"Content-Type": "text/html"},
            )
            raise reply
        return self._told(object, [self.show(row)])

    # -- Writing

    @route("POST", "/api.xro/2.0/Contacts/{id}")
    def edit(self, ask: Request, id: str) -> Any:
        self._gate(ask)
        row = self.world.get("Contacts", {}).get(id)
        if row is None:
            raise RefusedError(404, None)
        given = dict(ask.json["Contacts"][0])
        given.pop("ContactID", None)
        self.put("Contacts", id, **given)
        return self._told("Contacts", [self.show(row)])

    # -- Webhooks

    def hook_items(self, event: Event) -> list[Any]:
        """Ids only; payments have no events."""
        words = {"Invoices": "INVOICE", "Contacts": "CONTACT", "CreditNotes": "CREDITNOTE"}
        if event.object not in words:
            return []
        return [
            {
                "resourceUrl": f"https://api.xero.com/api.xro/2.0/{event.object}/{event.id}",
                "resourceId": event.id,
                "tenantId": self.tenant,
                "tenantType": "ORGANISATION",
                "eventCategory": words[event.object],
                "eventType": "CREATE" if event.kind == "created" else "UPDATE",
                "eventDateUtc": iso(event.at, zone=""),
            }
        ]

    def hook_delivery(self, items: Sequence[Any], at: datetime) -> Delivery:
        """No items: the question whether the address is ours."""
        told = {"events": list(items), "firstEventSequence": len(items), "lastEventSequence": 2 * len(items)}
        body = dump({**told, "entropy": "FXNGWLCCGVANWHKILRUB"})
        signature = base64.b64encode(hmac.new(self.hook_secret.encode(), body, hashlib.sha256).digest()).decode()
        return Delivery(
            "POST", self.hook_url, {"Content-Type": "application/json", "x-xero-signature": signature}, body
        )

    # -- Limits and refusals

    def rate_headers(self, ask: Request) -> dict[str, str]:
        if not ask.path.startswith("/api.xro/"):
            return {}
        left = {limit.name: str(self.remaining(limit)) for limit in self.limits}
        return {
            "X-MinLimit-Remaining": left["minute"],
            "X-DayLimit-Remaining": left["day"],
            "X-AppMinLimit-Remaining": "9999",
        }

    def unauthorized(self, ask: Request) -> Reply:
        return forbidden(401, "Unauthorized", "TokenExpired: token expired").reply

    def not_found(self, ask: Request) -> Reply:
        return Reply(
            status=404, body=b"The resource you're looking for cannot be found", headers={"Content-Type": "text/html"}
        )

    def too_many(self, retry_after: float | str | None) -> Reply:
        return Reply(status=429, body=b"", headers={"X-Rate-Limit-Problem": "minute", **self.retry_header(retry_after)})

    def over(self, limit: Limit, retry_after: float) -> Reply:
        reply = self.too_many(retry_after)
        reply.headers["X-Rate-Limit-Problem"] = limit.name
        return reply

    def failure(self, status: int) -> Reply:
        return Reply({"ErrorNumber": 500, "Type": "InternalError", "Message": "An error occurred in Xero."}, status)
