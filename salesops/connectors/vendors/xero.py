"""Xero: lists swept by `If-Modified-Since`, statuses in place of deletions, one organisation for each connection.

Only what customers owe and pay is brought in, not bills. Xero has neither owners nor subscriptions; tracking categories are
offered as columns, for companies that keep their salespeople there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from salesops.connectors.rules.cursors import following
from salesops.connectors.rules.mapping import Unknown
from salesops.connectors.rules.shapes import iso_of, moment
from salesops.connectors.vendors.base import (
    BEGINNING,
    Ask,
    Column,
    ColumnType,
    Fault,
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
    gone,
    version_of,
)
from salesops.connectors.vendors.billing import (
    PRODUCT_OF,
    TAKES_BACK,
    money,
    number,
    to_write,
    transactions,
)
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

#: Rows of a page; Xero gives up to a thousand.
_PAGE: Final = 500
#: Where the organisations of a sign-in are listed, beside the accounting API.
_CONNECTIONS: Final = "https://api.xero.com/connections"
_TENANT: Final = "xero-tenant-id"
#: How a row of each list names its id.
_IDS: Final[Mapping[str, str]] = {
    "Items": "ItemID",
    "Contacts": "ContactID",
    "Invoices": "InvoiceID",
    "CreditNotes": "CreditNoteID",
    "Overpayments": "OverpaymentID",
    "Prepayments": "PrepaymentID",
    "Payments": "PaymentID",
}
#: Lists without pages, and those that can be asked for several ids.
_UNPAGED: Final = frozenset({"Items"})
_BY_IDS: Final = frozenset({"Contacts", "Invoices"})
#: Conditions that keep bills out.
_WHERE: Final[Mapping[str, str]] = {"Invoices": 'Type=="ACCREC"', "CreditNotes": 'Type=="ACCRECCREDIT"'}
#: Types of documents that are about customers; the others are about suppliers.
_OURS: Final = frozenset(
    {"ACCREC", "ACCRECCREDIT", "RECEIVE-OVERPAYMENT", "AROVERPAYMENT", "RECEIVE-PREPAYMENT", "ARPREPAYMENT"}
)
#: Types of payments, and whether money came or went back.
_PAYMENT_SIGNS: Final[Mapping[str, int]] = {
    "ACCRECPAYMENT": 1,
    "ARCREDITPAYMENT": -1,
    "AROVERPAYMENTPAYMENT": -1,
    "ARPREPAYMENTPAYMENT": -1,
}
#: What a payment pays or gives back; Xero tells all of these as invoices of another type, too.
_PAID_FOR: Final = ("CreditNote", "Overpayment", "Prepayment", "Invoice")
#: Types of payments that give back what came in before, and as what that came.
_GIVES_BACK: Final[Mapping[str, str]] = {"AROVERPAYMENTPAYMENT": "overpayment", "ARPREPAYMENTPAYMENT": "prepayment"}
#: Statuses of what counts no longer, and of what does not count yet.
_NOT_COUNTING: Final = frozenset({"DELETED", "VOIDED", "DRAFT", "SUBMITTED"})
#: The name under which the currency of the books is kept with a record that may name none.
_HOME: Final = "_home"


# --- What is read off a record -------------------------------------------------------------------------------------


def day_of(payload: Mapping[str, Any]) -> str:
    """The calendar day of a document. Xero writes midnight of that day as if it were in UTC: no zone may move it."""
    text = str(payload.get("DateString") or "")
    if text:
        return text[:10]
    told = payload.get("Date")
    at = moment(told)
    return at.astimezone(UTC).date().isoformat() if at else str(told or "")


def _product(payload: Mapping[str, Any]) -> str:
    """The one item of all lines; "" where there are several or none."""
    found = {str(line.get("ItemCode") or "") for line in payload.get("LineItems") or ()}
    return found.pop() if len(found) == 1 else ""


def _tracking(payload: Mapping[str, Any]) -> dict[str, str]:
    """The options of tracking categories that all lines share, by the category's name."""
    found: dict[str, set[str]] = {}
    for line in payload.get("LineItems") or ():
        for each in line.get("Tracking") or ():
            if each.get("Name"):
                found.setdefault(str(each["Name"]), set()).add(str(each.get("Option") or ""))
    return {name: options.pop() for name, options in found.items() if len(options) == 1}


def _document(type: str, id: str, kind: str, *, sign: int = 1, has_tax: bool = False) -> Shape:
    """How a document is read. has_tax: the amount is what was paid, with tax; else without."""

    def shape(payload: Mapping[str, Any]) -> Mapping[str, Any]:
        tax = Decimal(0) if has_tax else money(payload.get("TotalTax"))
        return {
            **payload,
            "key": f"xero:{type}:{payload.get(id)}",
            "kind": kind,
            "net": sign * (money(payload.get("Total")) - tax),
            "currency": payload.get("CurrencyCode") or payload.get(_HOME),
            "day": day_of(payload),
            "product": _product(payload),
            "tracking": _tracking(payload),
        }

    return shape


def _payment(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """A payment is in the currency of what it pays; only money that an over- or prepayment gives back has an original."""
    type = str(payload.get("PaymentType"))
    sign = _PAYMENT_SIGNS.get(type, 1)
    name = next((each for each in _PAID_FOR if payload.get(each)), "Invoice")
    what = payload.get(name) or {}
    id = str(what.get(f"{name}ID") or "")
    return {
        **payload,
        "key": f"xero:payment:{payload.get('PaymentID')}",
        "kind": "payment" if sign > 0 else "refund",
        "net": sign * money(payload.get("Amount")),
        "currency": what.get("CurrencyCode") or payload.get(_HOME),
        "day": day_of(payload),
        "contact": (what.get("Contact") or {}).get("ContactID"),
        "pays": id,
        "takes_back": f"xero:{_GIVES_BACK[type]}:{id}" if type in _GIVES_BACK and id else "",
    }


def _contact(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """A contact with the address that says where it is: the street's, else the letter box's."""
    told = {str(each.get("AddressType")): each for each in payload.get("Addresses") or ()}
    places = [told[name] for name in ("STREET", "POBOX") if name in told]
    place: Mapping[str, Any] = next((each for each in places if each.get("City") or each.get("Country")), {})
    phones = [each for each in payload.get("Phones") or () if each.get("PhoneNumber")]
    parts = [phones[0].get(f"Phone{name}") for name in ("CountryCode", "AreaCode", "Number")] if phones else []
    return {
        **payload,
        "name": str(payload.get("Name") or payload.get("ContactID"))[:200],
        "city": place.get("City") or "",
        "country": place.get("Country") or "",
        "phone": " ".join(part for part in parts if part),
    }


def _item(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**payload, "name": str(payload.get("Name") or payload.get("Code"))[:120]}


# --- Objects -------------------------------------------------------------------------------------------------------

_ACCOUNT_OF: Final = Proposal("account", "Contact.ContactID", lookup_by="external_id")
_DEAL_OF: Final = Proposal("deal", "Reference", on_unknown=Unknown.EMPTY)

_PAID: Final = (
    Column("key", _("Key")),
    Column("kind", _("Kind")),
    number("net", _("Amount that counts, negative where it takes back")),
    Column("currency", _("Currency")),
    Column("day", _("Day that counts"), ColumnType.DAY),
    Column("Status", _("Status")),
    Column("Reference", _("Reference")),
)
_DOCUMENT: Final = (
    *_PAID,
    Column("Contact.ContactID", _("Customer")),
    Column("product", _("Product, where there is only one")),
    number("Total", _("Total with tax")),
)


def _transactions(
    code: str, label: str, shape: Shape, columns: tuple[Column, ...], *more: Proposal, link: str = ""
) -> Object:
    columns = (Column(_IDS[code], "Id"), *columns)
    return transactions(code, label, columns, shape, *more, day="day", currency="currency", link=link)


_ITEMS: Final = Object(
    "Items",
    "products",
    _("Items"),
    (
        Column("ItemID", "Id"),
        Column("name", _("Name")),
        Column("Code", _("Code")),
        number("SalesDetails.UnitPrice", _("Price of one, in the currency of the books")),
    ),
    (
        Proposal("name", "name"),
        Proposal("code", "Code"),
        Proposal("price", "SalesDetails.UnitPrice", is_rounded=True, clears=False),
    ),
    shape=_item,
)
_CONTACTS: Final = Object(
    "Contacts",
    "accounts",
    _("Customers"),
    (
        Column("ContactID", "Id"),
        Column("name", _("Name")),
        Column("Name", _("Name as written"), is_writable=True),
        Column("EmailAddress", _("E-mail"), is_writable=True),
        Column("AccountNumber", _("Number"), is_writable=True),
        Column("phone", _("Phone")),
        Column("city", _("City")),
        Column("country", _("Country")),
        Column("Website", _("Website")),
        Column("ContactStatus", _("Status")),
    ),
    (
        Proposal("external_id", "ContactID"),
        Proposal("name", "name", master="fill"),
        Proposal("country", "country", clears=False, master="fill"),
        Proposal("city", "city", clears=False, master="fill"),
        Proposal("website", "Website", clears=False, master="fill"),
    ),
    shape=_contact,
    link="https://go.xero.com/Contacts/View/{id}",
)
_INVOICES: Final = _transactions(
    "Invoices",
    _("Invoices"),
    _document("invoice", "InvoiceID", "invoice"),
    (
        *_DOCUMENT,
        Column("InvoiceNumber", _("Number")),
        number("AmountDue", _("Still to be paid")),
        number("AmountPaid", _("Paid in money")),
        number("AmountCredited", _("Credited")),
    ),
    _ACCOUNT_OF,
    _DEAL_OF,
    PRODUCT_OF,
    link="https://go.xero.com/AccountsReceivable/View.aspx?InvoiceID={id}",
)
# What a credit note takes back is no proposal: it is allocated to invoices later, and then anew, and that cannot change here.
_CREDIT_NOTES: Final = _transactions(
    "CreditNotes",
    _("Credit notes"),
    _document("creditnote", "CreditNoteID", "credit_note", sign=-1),
    (*_DOCUMENT, Column("CreditNoteNumber", _("Number"))),
    _ACCOUNT_OF,
    _DEAL_OF,
    PRODUCT_OF,
    link="https://go.xero.com/AccountsReceivable/ViewCreditNote.aspx?creditNoteID={id}",
)
_OVERPAYMENTS: Final = _transactions(
    "Overpayments",
    _("Overpayments"),
    _document("overpayment", "OverpaymentID", "payment", has_tax=True),
    _DOCUMENT,
    _ACCOUNT_OF,
)
_PREPAYMENTS: Final = _transactions(
    "Prepayments",
    _("Prepayments"),
    _document("prepayment", "PrepaymentID", "payment", has_tax=True),
    _DOCUMENT,
    _ACCOUNT_OF,
)
_PAYMENTS: Final = _transactions(
    "Payments",
    _("Payments and money given back"),
    _payment,
    (
        *_PAID,
        Column("contact", _("Customer")),
        Column("pays", _("What is paid")),
        Column("takes_back", _("Takes back")),
        Column("PaymentType", _("Type")),
    ),
    Proposal("account", "contact", lookup_by="external_id"),
    TAKES_BACK,
)


class Xero(Vendor):
    """Xero by its accounting API."""

    code = "xero"
    label = "Xero"
    family = "billing"
    #: Which organisation is meant is said in a header.
    api_url = "https://api.xero.com/api.xro/2.0/"
    settings = (
        Setting(
            "organisation",
            _("Organisation"),
            hint=_("Only when you sign in to several: the name of the one that is meant, as Xero writes it."),
            is_required=False,
            pattern=r"[^\x00-\x1f]{1,200}",
        ),
    )
    oauth = OAuth(
        authorize_url="https://login.xero.com/identity/connect/authorize",
        token_url="https://identity.xero.com/connect/token",  # noqa: S106 - an address
        # The narrow scopes: apps made since March 2026 get no others.
        scopes=(
            "offline_access",
            "accounting.settings.read",
            "accounting.contacts",
            "accounting.invoices.read",
            "accounting.payments.read",
        ),
        client_auth="basic",
        rotates=True,
        expires_in=timedelta(minutes=30),
    )
    objects = (
        _ITEMS, _CONTACTS, _INVOICES, _CREDIT_NOTES, _OVERPAYMENTS, _PREPAYMENTS, _PAYMENTS,
    )  # fmt: skip
    #: Within sixty a minute, whatever a full bucket adds.
    allowance = (10, 12.0)
    hook_scheme = "xero"
    hook_words = {
        "invoice": "Invoices",
        "contact": "Contacts",
        "creditnote": "CreditNotes",
    }
    webhook_help = _(
        "At developer.xero.com in your app under Webhooks, choose contacts, invoices and credit notes, enter this address,"
        " and the webhooks key here. Xero asks whether the address is ours; that is answered by itself."
    )

    def sign(self, headers: dict[str, str], http: Http) -> None:
        """A bearer token, and the organisation."""
        super().sign(headers, http)
        if http.settings.get("tenant_id"):
            headers.setdefault(_TENANT, http.settings["tenant_id"])

    def identify(self, http: Http) -> Identity:
        """The organisation that is meant, and the currency of its books. Raises Fault where that is not clear."""
        told = http.get(elsewhere(_CONNECTIONS, http.settings)).json()
        found = {str(each["tenantId"]): str(each.get("tenantName") or "") for each in told}
        wanted = http.settings.get("organisation", "").strip().casefold()
        if wanted:
            found = {id: name for id, name in found.items() if wanted in (id.casefold(), name.casefold())}
        if len(found) != 1:
            names = ", ".join(str(each.get("tenantName") or each["tenantId"]) for each in told)
            raise Fault(FaultKind.REFUSED, _which(names))
        ((id, name),) = found.items()
        organisations = http.get("Organisation", headers={_TENANT: id}).json()["Organisations"]
        currency = str(organisations[0].get("BaseCurrency") or "") if organisations else ""
        return Identity(id, name, {"tenant_id": id, "currency": currency})

    def columns(self, object: Object, http: Http) -> Sequence[Column]:
        """The known ones, and the tracking categories that some records have."""
        if object not in (_INVOICES, _CREDIT_NOTES):
            return object.columns
        rows, _is_more = self._list(object, {"page": 1, "pageSize": 100}, http)
        names = dict.fromkeys(name for row in rows for name in _tracking(row))
        # A name that holds dots would be taken for a path.
        return (*object.columns, *(Column(f"tracking.{name}", name) for name in names if "." not in name))

    # --- reading

    def read(self, object: Object, ask: Ask, http: Http) -> Page:
        """A page in the order of changes: see `rules.cursors`. What is gone comes with its status."""
        position = ask.position or ({"from": int(ask.since.timestamp())} if ask.since else {})
        params: dict[str, Any] = {"order": "UpdatedDateUTC ASC"}
        headers = {}
        if position.get("from") is not None:
            # A second more, for nobody says whether that moment itself is meant.
            headers["If-Modified-Since"] = iso_of(datetime.fromtimestamp(position["from"] - 1, UTC))
        if object.code not in _UNPAGED:
            params |= {"page": int(position.get("page", 1)), "pageSize": min(ask.size or _PAGE, _PAGE)}
        if object.code in _WHERE:
            params["where"] = _WHERE[object.code]
        rows, is_more = self._list(object, params, http, headers)
        raws = [_raw(object, row, http) for row in rows]
        seen = [(raw.external_id, int(_moment(row).timestamp())) for raw, row in zip(raws, rows, strict=True)]
        # Told backwards the second time, for it is not the same page that comes again.
        return Page(raws[::-1] if "before" in position else raws, next=following(position, seen, is_more=is_more))

    def fetch(self, object: Object, external_ids: Sequence[str], http: Http, columns: Sequence[str] = ()) -> list[Raw]:
        """The records of these ids; what Xero does not know is gone as of now."""
        rows: list[Mapping[str, Any]] = []
        if object.code in _BY_IDS:
            rows, _is_more = self._list(
                object, {"IDs": ",".join(external_ids), "page": 1, "pageSize": len(external_ids)}, http
            )
        else:
            for each in external_ids:
                reply = http.get(f"{object.code}/{each}", expect=(404,))
                if reply.status != 404:
                    rows += reply.json()[object.code]
        raws = [_raw(object, row, http) for row in rows]
        there = {raw.external_id for raw in raws}
        return raws + [gone(each, http.vendor_time) for each in external_ids if each not in there]

    def _list(
        self, object: Object, params: Mapping[str, Any], http: Http, headers: Mapping[str, str] | None = None
    ) -> tuple[list[Mapping[str, Any]], bool]:
        """Rows, and whether the list goes on behind them."""
        if object is _CONTACTS:
            params = {**params, "includeArchived": True}
        reply = http.get(object.code, params, headers=headers or {})
        if reply.status == 304:
            return [], False
        told = reply.json()
        rows: list[Mapping[str, Any]] = told.get(object.code) or []
        pages = told.get("pagination")
        if pages:
            is_more = int(pages.get("pageCount") or 0) > int(pages.get("page") or 1)
        else:
            is_more = object.code not in _UNPAGED and len(rows) >= int(params.get("pageSize") or 0)
        return rows, is_more

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
        """Columns of a contact. Xero knows no condition, so the contact is read just before."""
        if object.code != "Contacts":
            raise NotImplementedError
        now = http.get(f"Contacts/{external_id}").json()["Contacts"][0]
        if wanted := to_write(values, now, base, self.label):
            body = {"Contacts": [{"ContactID": external_id, **wanted}]}
            headers = {"Idempotency-Key": key[:128]}
            reply = http.send("POST", f"Contacts/{external_id}", json=body, headers=headers, is_safe=True)
            now = reply.json()["Contacts"][0]
        return Written(_raw(object, now, http))

    # --- what replies mean

    def said(self, told: Any) -> Said:
        """Xero's words about each element that is wrong, else about all."""
        wrong = [
            str(error.get("Message"))
            for element in told.get("Elements") or ()
            for error in element.get("ValidationErrors") or ()
        ]
        return Said("; ".join(wrong) or str(told.get("Detail") or told.get("Message") or told.get("Title") or ""))

    def verdict(self, reply: Reply) -> Verdict | None:
        """The usual; which limit was reached is only told in a header."""
        verdict, limit = super().verdict(reply), reply.headers.get("x-rate-limit-problem")
        return replace(verdict, words=limit) if verdict and limit else verdict


def _moment(row: Mapping[str, Any]) -> datetime:
    return moment(row.get("UpdatedDateUTC")) or BEGINNING


def _raw(object: Object, row: Mapping[str, Any], http: Http) -> Raw:
    merged_into = str(row.get("MergedToContactID") or "") if object is _CONTACTS else ""
    return Raw(
        str(row[_IDS[object.code]]),
        version_of(_moment(row)),
        {**row, _HOME: http.settings.get("currency", "")},
        is_deleted=bool(merged_into) or _is_gone(object.code, row),
        merged_into=merged_into,
    )


def _is_gone(code: str, row: Mapping[str, Any]) -> bool:
    """Whether a record does not count here: taken back, not yet said, or about suppliers."""
    if code == "Items":
        return row.get("IsSold") is False
    if code == "Contacts":
        return row.get("IsSupplier") is True and row.get("IsCustomer") is not True
    if row.get("Status") in _NOT_COUNTING:
        return True
    return row.get("PaymentType") not in _PAYMENT_SIGNS if code == "Payments" else row.get("Type") not in _OURS


def _which(names: str) -> Problem:
    return Problem.of(
        "organisation-unclear",
        _("It is not clear which organisation is meant. This sign-in covers: %(names)s."),
        remedy=_("Write the name of the organisation into the settings, or sign in to that one only."),
        names=names[:500] or "–",
    )


VENDOR: Final = Xero()
