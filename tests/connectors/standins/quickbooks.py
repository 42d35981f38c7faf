"""A QuickBooks Online that is none: queries, changed data, sparse edits, refusals inside 200, two forms of webhooks.

`put("Customer", 1, DisplayName="Acme")`, `put("Invoice", None, CustomerRef={"value": "1"}, TotalAmt=Decimal("10.00"))`,
`put("Payment", None, CustomerRef=..., TotalAmt=..., Line=[{"Amount": ..., "LinkedTxn": [{"TxnId": "7", "TxnType":
"Invoice"}]}])`, `void("Invoice", id)`. Ids count within an entity. What is deleted is only told by changed data; names
cannot be deleted, only made inactive. `refuse_next("5010")` refuses the next call inside a 200. `stuck` gives each query
its first page again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
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
    route,
)

NAMES = frozenset({"Customer", "Item"})
ENTITIES = frozenset({*NAMES, "Invoice", "SalesReceipt", "Payment", "CreditMemo", "RefundReceipt"})
MOST = 1_000
REACH = timedelta(days=30)
#: What a refusal is called, by its code.
FAULTS = {
    "3200": (401, "AUTHENTICATION", "message=AuthenticationFailed; errorCode=003200; statusCode=401"),
    "3100": (403, "AuthorizationFault", "message=ApplicationAuthorizationFailed; errorCode=003100; statusCode=403"),
    "3001": (429, "SERVICE", "message=ThrottleExceeded; errorCode=003001; statusCode=429"),
    "610": (400, "ValidationFault", "Object Not Found"),
    "5010": (400, "ValidationFault", "Stale Object Error"),
    "4000": (400, "ValidationFault", "Error parsing query"),
    "10000": (500, "SystemFault", "An application error has occurred while processing your request"),
}
QUERY = re.compile(
    r"select (?P<what>\*|count\(\*\)) from (?P<entity>\w+)"
    r"(?: where (?P<where>.+?))?(?: orderby (?P<order>[\w.]+)(?: (?P<way>asc|desc))?)?"
    r"(?: startposition (?P<start>\d+))?(?: maxresults (?P<size>\d+))?",
    re.IGNORECASE,
)


def fault(code: str, status: int | None = None, detail: str = "") -> RefusedError:
    """A refusal; those of the gate are spelled in small letters."""
    usual, kind, message = FAULTS[code]
    is_gate = kind in ("AUTHENTICATION", "AuthorizationFault", "SERVICE")
    names = ("fault", "error", "message", "detail") if is_gate else ("Fault", "Error", "Message", "Detail")
    error = {names[2]: message, names[3]: detail or message, "code": code, "element": ""}
    data = {names[0]: {names[1]: [error], "type": kind}, "time": "2026-05-04T01:00:00.000-07:00"}
    return RefusedError(usual if status is None else status, data)


class QuickBooks(StandIn):
    """A company."""

    vendor = "quickbooks"
    precision = timedelta(seconds=1)
    oauth = OAuth(
        authorize="/connect/oauth2",
        token="/oauth2/v1/tokens/bearer",
        lifetime=3_600,
        rotates=True,
        refresh_lifetime=100 * 86_400,
    )
    hook_size = 50
    documented = ((60, 500, "/v3/", "minute"), (1, 10, "/v3/", "second"))
    #: Digits beyond what a double holds exactly.
    realm = "9130357766900012345"
    #: The zone of the company.
    zone = timezone(timedelta(hours=-7))
    #: Which form webhooks have.
    cloud_events = True
    stuck = False

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.limit_as_documented()
        self._refusals: list[RefusedError] = []

    # -- Records

    def moment(self, at: datetime) -> str:
        return at.astimezone(self.zone).isoformat(timespec="seconds")

    def identity(self, object: str, id: object) -> str:
        if id is not None:
            return str(id)
        rows = self.world.get(object, {})
        return str(max((int(each) for each in rows), default=0) + 1)

    def birth(self, row: Row) -> None:
        row.fields = {"Id": row.id, "domain": "QBO", "sparse": False}
        row.more["token"] = -1
        if row.object in NAMES:
            row.fields["Active"] = True
            if row.object == "Item":
                row.fields |= {"Type": "Service"}
            return
        row.fields |= {
            "TxnDate": self.moment(row.created_at)[:10],
            "CurrencyRef": {"value": "USD", "name": "United States Dollar"},
            "TotalAmt": Decimal("0"),
            "Line": [],
            "LinkedTxn": [],
        }

    def put(self, object: str, id: object = None, /, **fields: Any) -> str:
        if object not in ENTITIES:
            raise LookupError(f"no entity {object}")
        return super().put(object, id, **fields)

    def changed(self, row: Row, kind: str, previous: dict[str, Any]) -> None:
        row.more["token"] += 1
        super().changed(row, kind, previous)

    def delete(self, object: str, id: object) -> None:
        if object in NAMES:
            raise LookupError("names are made inactive, not deleted")
        super().delete(object, id)

    def merge(self, object: str, loser: object, winner: object) -> None:
        """Of two customers one stays, and has the other's documents."""
        super().merge(object, loser, winner)
        for rows in self.world.values():
            for row in rows.values():
                if (row["CustomerRef"] or {}).get("value") == str(loser):
                    row.fields["CustomerRef"] = {"value": str(winner)}

    def void(self, object: str, id: object) -> None:
        """All amounts become nothing, and a note says why."""
        self.put(object, id, TotalAmt=Decimal("0"), Balance=Decimal("0"), Line=[], LinkedTxn=[], PrivateNote="Voided")

    def show(self, row: Row) -> dict[str, Any]:
        stamps = {"CreateTime": self.moment(row.created_at), "LastUpdatedTime": self.moment(row.modified_at)}
        if row.is_deleted:
            return {
                "domain": "QBO",
                "status": "Deleted",
                "Id": row.id,
                "MetaData": {"LastUpdatedTime": stamps["LastUpdatedTime"]},
            }
        shown = {name: value for name, value in row.fields.items() if value is not None}
        return {**shown, "SyncToken": str(row.more["token"]), "MetaData": stamps}

    def refuse_next(self, code: str, status: int = 200) -> None:
        """The next call is refused with that code, inside a good reply unless it says otherwise."""
        self._refusals.append(fault(code, status))

    def _gate(self, realm: str, ask: Request) -> None:
        if self._refusals:
            raise self._refusals.pop(0)
        if realm != self.realm:
            raise fault("3100")
        if int(ask.params.get("minorversion") or 0) < 75:
            raise fault("4000", detail="minor versions below 75 are no longer served")

    # -- Reading

    @route("GET", "/v3/company/{realm}/companyinfo/{id}")
    def company(self, ask: Request, realm: str, id: str) -> Any:
        self._gate(realm, ask)
        return {"CompanyInfo": {"CompanyName": "Acme Books", "Country": "US", "Id": "1"}, "time": self._time()}

    @route("GET", "/v3/company/{realm}/preferences")
    def preferences(self, ask: Request, realm: str) -> Any:
        self._gate(realm, ask)
        told = {"MultiCurrencyEnabled": True, "HomeCurrency": {"value": "USD"}}
        return {"Preferences": {"CurrencyPrefs": told, "Id": "1"}, "time": self._time()}

    @route("GET", "/v3/company/{realm}/query", page=True)
    def query(self, ask: Request, realm: str) -> Any:
        self._gate(realm, ask)
        found = QUERY.fullmatch(ask.params.get("query", "").strip())
        if found is None or found["entity"] not in ENTITIES:
            raise fault("4000", detail=ask.params.get("query", ""))
        entity = found["entity"]
        conditions = re.split(r"\s+and\s+", found["where"], flags=re.IGNORECASE) if found["where"] else []
        rows = [row for row in self.rows(entity) if all(self._is_in(row, each) for each in conditions)]
        if entity in NAMES and not any(each.lower().startswith("active") for each in conditions):
            rows = [row for row in rows if row["Active"]]
        if found["what"] != "*":
            return {"QueryResponse": {"totalCount": len(rows)}, "time": self._time()}
        if found["order"]:
            rows.sort(key=lambda row: self._sorted(row, found["order"]), reverse=(found["way"] or "").lower() == "desc")
        start, size = int(found["start"] or 1), int(found["size"] or 100)
        if size > MOST or start < 1:
            raise fault("4000", detail="maxresults or startposition")
        if self.stuck:
            rows, start = sorted(self.rows(entity), key=lambda row: row.modified_at), 1
        part = rows[start - 1 : start - 1 + size]
        if not part:
            return {"QueryResponse": {}, "time": self._time()}
        shown = {entity: [self.show(row) for row in part], "startPosition": start, "maxResults": len(part)}
        return {"QueryResponse": shown, "time": self._time()}

    def _sorted(self, row: Row, name: str) -> Any:
        if name.lower() == "metadata.lastupdatedtime":
            return row.modified_at
        return int(row.id) if name == "Id" else str(row[name] or "")

    def _is_in(self, row: Row, condition: str) -> bool:
        """One comparison. There is no OR, and moments need an offset that survived the address."""
        found = re.fullmatch(r"([\w.]+)\s*(<=|>=|=|<|>|in)\s*(.+)", condition.strip(), re.IGNORECASE)
        if found is None:
            raise fault("4000", detail=condition)
        name, sign, literal = found[1], found[2].lower(), found[3].strip()
        if sign == "in":
            wanted = [each.strip().strip("'").lower() for each in literal.strip("()").split(",")]
            return str(self.show(row).get(name)).lower() in wanted
        text = literal.strip("'")
        value: Any = self.show(row).get(name)
        other: Any = text
        if name.lower() == "metadata.lastupdatedtime":
            if " " in text:
                raise fault("4000", detail=text)
            value, other = row.modified_at, datetime.fromisoformat(text)
            if other.tzinfo is None:
                other = other.replace(tzinfo=self.zone)
        return bool(
            {"=": value == other, "<": value < other, ">": value > other, "<=": value <= other, ">=": value >= other}[
                sign
            ]
        )

    @route("GET", "/v3/company/{realm}/cdc")
    def changes(self, ask: Request, realm: str) -> Any:
        """What changed since, the oldest first, a thousand at most; what is gone with its id alone."""
        self._gate(realm, ask)
        since = datetime.fromisoformat(ask.params["changedSince"])
        if since.tzinfo is None or since < self.clock.now - REACH:
            raise fault("4000", detail="changedSince is more than 30 days ago")
        told = []
        left = MOST
        for entity in ask.params["entities"].split(","):
            if entity not in ENTITIES:
                raise fault("4000", detail=entity)
            rows = [row for row in self.rows(entity, is_deleted=None) if row.modified_at >= since]
            rows = sorted(rows, key=lambda row: row.modified_at)[:left]
            left -= len(rows)
            told.append(
                {entity: [self.show(row) for row in rows], "startPosition": 1, "maxResults": len(rows)} if rows else {}
            )
        return {"CDCResponse": [{"QueryResponse": told}], "time": self._time()}

    @route("GET", "/v3/company/{realm}/{entity}/{id}")
    def single(self, ask: Request, realm: str, entity: str, id: str) -> Any:
        self._gate(realm, ask)
        name = next((each for each in ENTITIES if each.lower() == entity), "")
        row = self.world.get(name, {}).get(id)
        if row is None or row.is_deleted:
            raise fault("610")
        return {name: self.show(row), "time": self._time()}

    def _time(self) -> str:
        return self.clock.now.astimezone(self.zone).isoformat(timespec="milliseconds")

    # -- Writing

    @route("POST", "/v3/company/{realm}/customer")
    def edit(self, ask: Request, realm: str) -> Any:
        """A sparse edit, if nobody was faster."""
        self._gate(realm, ask)
        given = dict(ask.json)
        row = self.world.get("Customer", {}).get(str(given.pop("Id", "")))
        if row is None or given.pop("sparse", False) is not True:
            raise fault("610")
        if str(given.pop("SyncToken", "")) != str(row.more["token"]):
            raise fault("5010")
        self.put("Customer", row.id, **given)
        return {"Customer": self.show(row), "time": self._time()}

    # -- Signing in

    def _authorize(self, ask: Request) -> Reply:
        """Consent leads back with the company beside the code."""
        reply = super()._authorize(ask)
        if "code=" in reply.headers.get("Location", ""):
            reply.headers["Location"] += f"&realmId={self.realm}"
        return reply

    def token_reply(self, reply: dict[str, Any], grant: Any, kind: str) -> dict[str, Any]:
        return {**reply, "token_type": "bearer", "x_refresh_token_expires_in": 8_726_400}

    # -- Webhooks

    def hook_items(self, event: Event) -> list[Any]:
        """Ids only. Whoever merges is told with the id that is gone."""
        words = {"created": "Create", "updated": "Update", "deleted": "Delete", "merged": "Merge", "restored": "Update"}
        word = "Void" if event.fields.get("PrivateNote") == "Voided" else words[event.kind]
        id, gone = (event.merged_into or event.id), (event.id if event.merged_into else None)
        if not self.cloud_events:
            told = {"name": event.object, "id": id, "operation": word, "lastUpdated": self.moment(event.at)}
            return [{**told, **({"deletedId": gone} if gone else {})}]
        done = {"Create": "created", "Update": "updated", "Delete": "deleted", "Merge": "merged", "Void": "voided"}[
            word
        ]
        return [
            {
                "specversion": "1.0",
                "id": f"event-{event.number}",
                "source": "intuit.example",
                "type": f"qbo.{event.object.lower()}.{done}.v1",
                "datacontenttype": "application/json",
                "time": event.at.isoformat().replace("+00:00", "Z"),
                "intuitentityid": id,
                "intuitaccountid": self.realm,
                "data": {"deletedid": gone} if gone else {},
            }
        ]

    def hook_delivery(self, items: Sequence[Any], at: datetime) -> Delivery:
        """In one of the two forms."""
        body: Any = list(items)
        if not self.cloud_events:
            body = {"eventNotifications": [{"realmId": self.realm, "dataChangeEvent": {"entities": list(items)}}]}
        raw = dump(body)
        signature = base64.b64encode(hmac.new(self.hook_secret.encode(), raw, hashlib.sha256).digest()).decode()
        headers = {"Content-Type": "application/json", "intuit-signature": signature}
        return Delivery("POST", self.hook_url, headers, raw)

    # -- Refusals

    def unauthorized(self, ask: Request) -> Reply:
        return fault("3200").reply

    def not_found(self, ask: Request) -> Reply:
        return fault("610", 404).reply

    def too_many(self, retry_after: float | str | None) -> Reply:
        reply = fault("3001").reply
        reply.headers.update(self.retry_header(retry_after))
        return reply

    def over(self, limit: Limit, retry_after: float) -> Reply:
        """It says nothing of when."""
        return self.too_many(None)

    def limit_reached(self) -> Reply:
        return fault("3100").reply

    def failure(self, status: int) -> Reply:
        return fault("10000", status).reply
