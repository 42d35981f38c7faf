"""QuickBooks Online: queries swept by the moment of change, deletions from changed data, payments by what they pay.

QuickBooks has neither owners nor subscriptions. A payment that pays several invoices becomes a transaction for each, so that
money is credited where it belongs; together they are always what was received.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from salesops.connectors.rules.cursors import following
from salesops.connectors.rules.mapping import Unknown
from salesops.connectors.rules.shapes import moment
from salesops.connectors.vendors.base import (
    BEGINNING,
    Ask,
    Column,
    ColumnType,
    FaultKind,
    Http,
    Identity,
    OAuth,
    Object,
    Page,
    Proposal,
    Raw,
    Reply,
    Said,
    Setting,
    Shape,
    Vendor,
    Verdict,
    Written,
    elsewhere,
    said_in,
    version_of,
)
from salesops.connectors.vendors.billing import (
    DEAL_KEYS,
    DEAL_OF,
    PRODUCT_OF,
    TAKES_BACK,
    money,
    number,
    transactions,
)
from salesops.values.outcomes import gettext_noop as _

#: The lowest minor version that is still served.
_MINOR_VERSION: Final = 75
#: Rows of a page at most.
_PAGE: Final = 1_000
#: How far changed data reaches back, and how many objects one reply of it has.
_CHANGES_REACH: Final = timedelta(days=30)
_CHANGES_MOST: Final = 1_000
#: What the note of a voided document holds; its amounts are nothing then.
_VOIDED: Final = "Voided"
#: Entities that are made inactive, never deleted.
_NAMES: Final = frozenset({"Customer", "Item"})
#: How long to leave a company alone that asked us to, where it does not say.
_LIMIT_WAIT: Final = timedelta(seconds=60)
#: Names of custom fields, folded, in which companies keep the deal, in the order in which they count.
DEAL_FIELDS: Final = (*(key.replace("_", "") for key in DEAL_KEYS), "deal")
#: The name under which the company is kept with a record: ids are only unique within one.
_REALM: Final = "_realm"
#: What of a payment a row is about: see `parts_of`.
_PART: Final = "_part"
#: The version of a deletion: later than any edit of the same second.
_LAST: Final = 10**18
#: A refusal may come in a good reply; a name that happens to be "Fault" is none.
_FAULT: Final = re.compile(rb'"[Ff]ault"\s*:\s*\{')


# --- What is read off a record -------------------------------------------------------------------------------------


def _reference(payload: Mapping[str, Any], name: str) -> str:
    told = payload.get(name)
    return str(told.get("value") or "") if isinstance(told, Mapping) else ""


def _custom(payload: Mapping[str, Any]) -> dict[str, str]:
    """Custom fields by their names."""
    told = payload.get("CustomField") or ()
    return {str(each["Name"]): str(each.get("StringValue") or "") for each in told if each.get("Name")}


def _folded(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _deal(payload: Mapping[str, Any]) -> str:
    """The deal that a custom field names."""
    told = {_folded(name): value for name, value in _custom(payload).items()}
    return next((told[name] for name in DEAL_FIELDS if told.get(name)), "")


def _product(payload: Mapping[str, Any]) -> str:
    """The one item of all lines that sell something; "" where there are several."""
    lines = [each.get("SalesItemLineDetail") for each in payload.get("Line") or ()]
    found = {_reference(each, "ItemRef") for each in lines if isinstance(each, Mapping)}
    return found.pop() if len(found) == 1 else ""


def _key(payload: Mapping[str, Any], type: str, id: str) -> str:
    return f"quickbooks:{payload.get(_REALM, '')}:{type}:{id}"


def _original(payload: Mapping[str, Any]) -> str:
    """The one document that something takes back, where it names one."""
    invoice = _reference(payload, "InvoiceRef")
    if invoice:
        return _key(payload, "invoice", invoice)
    sold = [each for each in payload.get("LinkedTxn") or () if each.get("TxnType") == "SalesReceipt"]
    return _key(payload, "salesreceipt", str(sold[0].get("TxnId"))) if len(sold) == 1 else ""


def _document(type: str, kind: str, *, sign: int = 1, has_tax: bool = False) -> Shape:
    """How a document is read. has_tax: the amount is what was paid, with tax; else without."""

    def shape(payload: Mapping[str, Any]) -> Mapping[str, Any]:
        told = payload.get("TxnTaxDetail")
        tax = money(told.get("TotalTax")) if isinstance(told, Mapping) and not has_tax else Decimal(0)
        return {
            **payload,
            "key": _key(payload, type, str(payload.get("Id"))),
            "kind": kind,
            "net": sign * (money(payload.get("TotalAmt")) - tax),
            "deal": _deal(payload),
            "product": _product(payload),
            "takes_back": _original(payload) if sign < 0 else "",
            "custom": _custom(payload),
        }

    return shape


def _payment(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    part = payload.get(_PART) or {}
    return {
        **payload,
        "key": _key(payload, "payment", f"{payload.get('Id')}{part.get('suffix', '')}"),
        "kind": "payment",
        "net": money(part.get("amount")),
        "invoice": part.get("invoice", ""),
        "custom": _custom(payload),
    }


def parts_of(payload: Mapping[str, Any]) -> list[dict[str, str]]:
    """What a payment is made of: a part for each invoice that it pays, and the rest, so that all are what was received.

    The rest is money that pays nothing yet. It is negative where credit memos paid along: they were no money. The first part
    has no suffix to its id; of invoices the oldest goes first.
    """
    paid: dict[str, Decimal] = {}
    for line in payload.get("Line") or ():
        linked = [each for each in line.get("LinkedTxn") or () if each.get("TxnType") == "Invoice"]
        if linked:
            invoice = str(linked[0].get("TxnId"))
            paid[invoice] = paid.get(invoice, Decimal(0)) + money(line.get("Amount"))
    amounts = sorted(paid.items(), key=lambda one: (len(one[0]), one[0]))
    rest = money(payload.get("TotalAmt")) - sum(paid.values(), Decimal(0))
    if rest:
        amounts.append(("", rest))
    counting = [(invoice, amount) for invoice, amount in amounts if amount]
    return [
        {"invoice": invoice, "amount": str(amount), "suffix": f":{invoice or 'rest'}" if place else ""}
        for place, (invoice, amount) in enumerate(counting)
    ]


def _customer(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    name = payload.get("DisplayName") or payload.get("CompanyName") or payload.get("Id")
    return {**payload, "name": str(name)[:200], "custom": _custom(payload)}


def _item(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**payload, "name": str(payload.get("Name") or payload.get("Id"))[:120]}


# --- Objects -------------------------------------------------------------------------------------------------------

_ACCOUNT_OF: Final = Proposal("account", "CustomerRef.value", lookup_by="external_id")
_PAID: Final = (
    Column("Id", "Id"),
    Column("key", _("Key")),
    Column("kind", _("Kind")),
    number("net", _("Amount that counts, negative where it takes back")),
    number("TotalAmt", _("Total with tax")),
    number("Balance", _("Still to be paid")),
    Column("CurrencyRef.value", _("Currency")),
    Column("CustomerRef.value", _("Customer")),
    Column("TxnDate", _("Day that counts"), ColumnType.DAY),
    Column("DocNumber", _("Number")),
    Column("ClassRef.name", _("Class")),
    Column("DepartmentRef.name", _("Department")),
    Column("PrivateNote", _("Note")),
)
_SOLD: Final = (
    *_PAID,
    Column("deal", _("Deal, from a custom field")),
    Column("product", _("Product, where there is only one")),
    Column("takes_back", _("Takes back")),
)


def _transactions(
    code: str, label: str, page: str, shape: Shape, columns: tuple[Column, ...], *more: Proposal
) -> Object:
    return transactions(
        code, label, columns, shape, _ACCOUNT_OF, *more, day="TxnDate", currency="CurrencyRef.value", link=_link(page)
    )


def _link(page: str) -> str:
    return f"https://app.qbo.intuit.com/app/{page}?{'nameId' if page == 'customerdetail' else 'txnId'}={{id}}"


_ITEMS: Final = Object(
    "Item",
    "products",
    _("Products and services"),
    (
        Column("Id", "Id"),
        Column("name", _("Name")),
        Column("Sku", _("Code")),
        Column("Type", _("Type")),
        number("UnitPrice", _("Price of one, in the home currency")),
    ),
    (
        Proposal("name", "name"),
        Proposal("code", "Sku", clears=False),
        Proposal("price", "UnitPrice", clears=False, is_rounded=True),
    ),
    shape=_item,
)
_CUSTOMERS: Final = Object(
    "Customer",
    "accounts",
    _("Customers"),
    (
        Column("Id", "Id"),
        Column("name", _("Name")),
        Column("DisplayName", _("Display name"), is_writable=True),
        Column("CompanyName", _("Company"), is_writable=True),
        Column("PrimaryEmailAddr.Address", _("E-mail"), is_writable=True),
        Column("PrimaryPhone.FreeFormNumber", _("Phone"), is_writable=True),
        Column("WebAddr.URI", _("Website"), is_writable=True),
        Column("BillAddr.Country", _("Country")),
        Column("BillAddr.City", _("City")),
        Column("ParentRef.value", _("Parent")),
        Column("Active", _("Active"), ColumnType.BOOLEAN),
    ),
    (
        Proposal("external_id", "Id"),
        Proposal("name", "name", master="fill"),
        Proposal(
            "parent", "ParentRef.value", lookup_by="external_id", on_unknown=Unknown.EMPTY, clears=False, master="fill"
        ),
        Proposal("country", "BillAddr.Country", clears=False, master="fill"),
        Proposal("city", "BillAddr.City", clears=False, master="fill"),
        Proposal("website", "WebAddr.URI", clears=False, master="fill"),
    ),
    shape=_customer,
    link=_link("customerdetail"),
)
_INVOICES: Final = _transactions(
    "Invoice", _("Invoices"), "invoice", _document("invoice", "invoice"), _SOLD, DEAL_OF, PRODUCT_OF
)
_RECEIPTS: Final = _transactions(
    "SalesReceipt",
    _("Sales that were paid at once"),
    "salesreceipt",
    _document("salesreceipt", "payment", has_tax=True),
    _SOLD,
    DEAL_OF,
    PRODUCT_OF,
)
_PAYMENTS: Final = _transactions(
    "Payment",
    _("Payments, one for each invoice paid"),
    "recvpayment",
    _payment,
    (*_PAID, Column("invoice", _("Invoice that is paid"))),
)
_CREDIT_MEMOS: Final = _transactions(
    "CreditMemo",
    _("Credit memos"),
    "creditmemo",
    _document("creditmemo", "credit_note", sign=-1),
    _SOLD,
    DEAL_OF,
    PRODUCT_OF,
    TAKES_BACK,
)
_REFUNDS: Final = _transactions(
    "RefundReceipt",
    _("Refunds"),
    "refundreceipt",
    _document("refundreceipt", "refund", sign=-1, has_tax=True),
    _SOLD,
    DEAL_OF,
    PRODUCT_OF,
    TAKES_BACK,
)


class QuickBooks(Vendor):
    """QuickBooks Online by its accounting API."""

    code = "quickbooks"
    label = "QuickBooks Online"
    family = "billing"
    settings = (
        Setting(
            "host",
            _("Company"),
            hint=_("A real company or one of a sandbox."),
            choices=(
                ("quickbooks.api.intuit.com", _("Real")),
                ("sandbox-quickbooks.api.intuit.com", _("Sandbox")),
            ),
            default="quickbooks.api.intuit.com",
        ),
    )
    oauth = OAuth(
        authorize_url="https://appcenter.intuit.com/connect/oauth2",
        token_url="https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer",  # noqa: S106 - an address
        scopes=("com.intuit.quickbooks.accounting",),
        client_auth="basic",
        rotates=True,
        expires_in=timedelta(hours=1),
    )
    objects = (
        _ITEMS, _CUSTOMERS, _INVOICES, _RECEIPTS, _PAYMENTS, _CREDIT_MEMOS, _REFUNDS,
    )  # fmt: skip
    #: Within ten a second and five hundred a minute, whatever a full bucket adds.
    allowance = (3, 0.45)
    #: Codes, and types of refusals whose code is none of these, whatever the status.
    codes = {
        "3200": FaultKind.UNAUTHORIZED,
        "003200": FaultKind.UNAUTHORIZED,
        "3100": FaultKind.FORBIDDEN,
        "003100": FaultKind.FORBIDDEN,
        "3001": FaultKind.LIMITED,
        "003001": FaultKind.LIMITED,
        "610": FaultKind.MISSING,
        "5010": FaultKind.CHANGED,
        "10000": FaultKind.PASSING,
        "AUTHENTICATION": FaultKind.UNAUTHORIZED,
        "AUTHENTICATIONFAULT": FaultKind.UNAUTHORIZED,
        "AUTHORIZATIONFAULT": FaultKind.FORBIDDEN,
        "SYSTEMFAULT": FaultKind.PASSING,
        "SERVICEFAULT": FaultKind.PASSING,
    }
    hook_scheme = "quickbooks"
    webhook_help = _(
        "At developer.intuit.com in your app under Webhooks, enter this address, choose the entities, and enter the"
        " verifier token here."
    )

    def base(self, settings: Mapping[str, str]) -> str:
        """The company's address; the sign-in told which company."""
        host = settings.get("host") or "quickbooks.api.intuit.com"
        return elsewhere(f"https://{host}/v3/company/{settings.get('realm_id', '')}/", settings)

    def identify(self, http: Http) -> Identity:
        """The company, and the currency of its books."""
        realm = http.settings.get("realm_id", "")
        company = self._get(http, f"companyinfo/{realm}")["CompanyInfo"]
        told = self._get(http, "preferences")["Preferences"].get("CurrencyPrefs") or {}
        settings = {"currency": _reference(told, "HomeCurrency")}
        return Identity(realm, str(company.get("CompanyName") or ""), settings)

    def columns(self, object: Object, http: Http) -> Sequence[Column]:
        """The known ones, and the custom fields that some records have."""
        if object is _ITEMS:
            return object.columns
        rows = self._query(object, [], http, size=100)
        custom = dict.fromkeys(name for row in rows for name in _custom(row))
        # A name that holds dots would be taken for a path.
        return (*object.columns, *(Column(f"custom.{name}", name) for name in custom if "." not in name))

    # --- reading

    def read(self, object: Object, ask: Ask, http: Http) -> Page:
        """A page in the order of changes: see `rules.cursors`. Inactive names come along."""
        size = min(ask.size or _PAGE, _PAGE)
        position = ask.position or ({"from": _second(ask.since)} if ask.since else {})
        where = []
        if position.get("from") is not None:
            where.append(f"MetaData.LastUpdatedTime >= '{_literal(position['from'])}'")
        if ask.until is not None:
            where.append(f"MetaData.LastUpdatedTime < '{_literal(_second(ask.until))}'")
        start = (int(position.get("page", 1)) - 1) * size + 1
        rows = self._query(object, where, http, size=size, start=start)
        seen = [(str(row["Id"]), _second(_moment(row))) for row in rows]
        raws = [raw for row in rows for raw in _raws(object, row, http)]
        # Told backwards the second time, for it is not the same page that comes again.
        return Page(
            raws[::-1] if "before" in position else raws, next=following(position, seen, is_more=len(rows) >= size)
        )

    def deletions(self, object: Object, ask: Ask, http: Http) -> Page | None:
        """What was deleted since, from changed data. What was deleted longer ago than that reaches back is only found by
        comparing all."""
        if object.code in _NAMES or ask.since is None:
            return None
        position = ask.position or {}
        since = position.get("from") or _second(max(ask.since, ask.asked_at - _CHANGES_REACH + timedelta(hours=1)))
        told = self._get(http, "cdc", {"entities": object.code, "changedSince": _literal(since)})
        rows = [
            row for reply in told["CDCResponse"] for each in reply["QueryResponse"] for row in each.get(object.code, ())
        ]
        gone = [_gone(object, str(row["Id"]), _moment(row)) for row in rows if row.get("status") == "Deleted"]
        # Only so many are told at once: the rest from the last one on. What shares its second is asked for again.
        last = max((_second(_moment(row)) for row in rows), default=since)
        is_more = len(rows) >= _CHANGES_MOST and last > since
        return Page(gone, next={"from": last} if is_more else None)

    def fetch(self, object: Object, external_ids: Sequence[str], http: Http, columns: Sequence[str] = ()) -> list[Raw]:
        """The records of these ids; what no query gives is gone."""
        ids = dict.fromkeys(each.partition(":")[0] for each in external_ids)
        listed = ", ".join(f"'{each}'" for each in ids if each.isdigit())
        rows = self._query(object, [f"Id in ({listed})"], http, size=_PAGE) if listed else []
        raws = [raw for row in rows for raw in _raws(object, row, http)]
        there = {str(row["Id"]) for row in rows}
        return raws + [_gone(object, each, http.vendor_time) for each in ids if each not in there]

    def _query(
        self, object: Object, where: Sequence[str], http: Http, *, size: int, start: int = 1
    ) -> list[Mapping[str, Any]]:
        conditions = [*where, *(["Active in (true, false)"] if object.code in _NAMES else [])]
        text = f"select * from {object.code}"  # noqa: S608 - an entity's own name
        if conditions:
            text += f" where {' and '.join(conditions)}"
        text += f" orderby MetaData.LastUpdatedTime startposition {start} maxresults {size}"
        rows: list[Mapping[str, Any]] = self._get(http, "query", {"query": text})["QueryResponse"].get(object.code, [])
        return rows

    def _get(self, http: Http, url: str, params: Mapping[str, Any] | None = None) -> Any:
        return http.get(url, {**(params or {}), "minorversion": _MINOR_VERSION}).json()

    # --- writing

    def write(
        self,
        object: Object,
        external_id: str,
        values: Mapping[str, Any],
        http: Http,
        *,
        key: str,
        base: Mapping[str, Any],
    ) -> Written:
        """Columns of a customer, unless somebody changed it since it was read (its SyncToken)."""
        if object.code != "Customer":
            raise NotImplementedError
        body: dict[str, Any] = {"Id": external_id, "SyncToken": base.get("SyncToken"), "sparse": True}
        for path, value in values.items():
            name, _dot, inner = path.partition(".")
            body[name] = {inner: value} if inner else value
        params = {"minorversion": _MINOR_VERSION, "requestid": key[:50]}
        told = http.send("POST", "customer", params=params, json=body, is_safe=True).json()
        return Written(_raws(object, told["Customer"], http)[0])

    # --- what replies mean

    def said(self, told: Any) -> Said:
        """Words and code of a refusal; where the code says nothing special, its type in place of it."""
        fault = _fault_in(told) or {}
        errors = fault.get("Error") or fault.get("error") or [{}]
        first = errors[0] if isinstance(errors, list) and isinstance(errors[0], Mapping) else {}
        words = first.get("Detail") or first.get("detail") or first.get("Message") or first.get("message") or ""
        code, type = str(first.get("code") or ""), str(fault.get("type") or "").upper()
        return Said(str(words), code if code in self.codes else type or code)

    def verdict(self, reply: Reply) -> Verdict | None:
        """Refusals come with any status, 200 too. Too many requests name no time: a minute is asked for then."""
        verdict = super().verdict(reply)
        if verdict is None and _FAULT.search(reply.body):
            said = said_in(reply, self.said)
            verdict = Verdict(self.codes.get(said.code, FaultKind.REFUSED), said.words) if said.code else None
        if verdict and verdict.kind is FaultKind.LIMITED and "retry-after" not in reply.headers:
            return replace(verdict, wait=_LIMIT_WAIT)
        return verdict

    def link(self, object: Object, external_id: str, settings: Mapping[str, str]) -> str:
        """The document's page; a part of a payment leads to the payment."""
        return super().link(object, external_id.partition(":")[0], settings)


def _fault_in(told: Any) -> Mapping[str, Any] | None:
    """The refusal in a reply: at its top, or in place of one of the answers of changed data."""
    if isinstance(told, list):
        return next((found for each in told if (found := _fault_in(each)) is not None), None)
    if not isinstance(told, Mapping):
        return None
    found = told.get("Fault") or told.get("fault")
    if isinstance(found, Mapping):
        return found
    return _fault_in([told.get("CDCResponse"), told.get("QueryResponse")])


def _moment(row: Mapping[str, Any]) -> datetime:
    return moment((row.get("MetaData") or {}).get("LastUpdatedTime")) or BEGINNING


def _second(at: datetime) -> int:
    return int(at.timestamp())


def _literal(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat(timespec="seconds")


def _raws(object: Object, row: Mapping[str, Any], http: Http) -> list[Raw]:
    """The rows that a record becomes: one, or of a payment one for each part."""
    id, realm = str(row["Id"]), http.settings.get("realm_id", "")
    version = version_of(_moment(row), int(row.get("SyncToken") or 0))
    payload = {**row, _REALM: realm}
    if object.code != "Payment":
        return [Raw(id, version, payload, is_deleted=_is_void(object, row))]
    parts = parts_of(row)
    if not parts:
        return [Raw(id, version, payload, is_deleted=True, has_parts=True)]
    return [
        Raw(f"{id}{part['suffix']}", version, {**payload, _PART: part}, has_parts=not part["suffix"]) for part in parts
    ]


def _gone(object: Object, id: str, at: datetime | None) -> Raw:
    return Raw(id, version_of(at, _LAST), {}, is_deleted=True, has_parts=object.code == "Payment")


def _is_void(object: Object, row: Mapping[str, Any]) -> bool:
    """Whether a record does not count here: a voided document, a mere heading of items."""
    if object.code in _NAMES:
        return row.get("Type") == "Category"
    return not money(row.get("TotalAmt")) and _VOIDED in str(row.get("PrivateNote") or "")


VENDOR: Final = QuickBooks()
