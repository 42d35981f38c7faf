"""Sellsy: nothing tells what changed, so every sweep reads all and compares; amounts are decimal text without French VAT.

A list is paged by offset, sometimes an opaque one. A numeric page begins a few rows early: when none of the rows before
comes again, or fewer rows came than there are, something moved and the list is read once more. What no longer comes is
gone. The owner of the token must see everything, else what they may not see looks deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from salesops.connectors.vendors.base import (
    ENDS,
    Ask,
    Column,
    Event,
    Fault,
    FaultKind,
    Http,
    Identity,
    Json,
    OAuth,
    Object,
    Page,
    Proposal,
    Raw,
    Reply,
    Said,
    Vendor,
    Verdict,
    Word,
    by_id,
    columns_of,
    gone,
    id_of,
    version_of,
    zone_of,
)
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

_API: Final = "v2/"
#: Rows of a page at most.
_PAGE: Final = 100
#: Rows that a numeric page repeats of the one before; as many may be deleted meanwhile.
_AGAIN: Final = 5
#: The order in which lists are read: one that no edit changes.
_ORDER: Final = (("order", "created"), ("direction", "asc"))
#: What Sellsy means by "wait a few seconds"; it names no time.
_A_FEW_SECONDS: Final = timedelta(seconds=5)
#: How long to leave an account alone whose plan allows no more.
_PLAN_WAIT: Final = timedelta(hours=1)
#: States in which an opportunity ended; "late" is open and overdue, "closed" ended without a sale.
_ENDED: Final[Mapping[str, str]] = {"won": "won", "lost": "lost", "closed": "lost"}
#: States in which an invoice or credit note is not worth anything: not yet, or no longer.
_WORTHLESS: Final = frozenset({"draft", "cancelled", "canceled"})
#: What is told inside a record.
_EMBEDDED: Final[Mapping[str, tuple[str, ...]]] = {
    "opportunities": ("company",),
    "invoices": ("company",),
    "credit-notes": ("company",),
    "contacts": ("company",),
}
#: Companies and individuals are both accounts and numbered apart: the latter say so.
_INDIVIDUAL: Final = "individual-"


# --- How records are read ------------------------------------------------------------------------------------------


def _related(payload: Mapping[str, Any], kind: str) -> str:
    """The id of what a record is about, by its kind."""
    for each in payload.get("related") or ():
        if isinstance(each, Mapping) and each.get("type") == kind and each.get("id"):
            return str(each["id"])
    return id_of((payload.get("_embed") or {}).get(kind))


def _customer(payload: Mapping[str, Any]) -> str:
    """The account of a record: a company, else an individual."""
    company, individual = _related(payload, "company"), _related(payload, "individual")
    return company or (f"{_INDIVIDUAL}{individual}" if individual else "")


def _amount(value: Any) -> Decimal | None:
    """Decimal text as an exact amount; None where there is none."""
    try:
        return None if value in (None, "") else Decimal(str(value))
    except InvalidOperation:
        return None


def _full_name(payload: Mapping[str, Any]) -> str:
    parts = (payload.get("first_name") or payload.get("firstname"), payload.get("last_name") or payload.get("lastname"))
    return " ".join(str(part) for part in parts if part)


def _named(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """A person with their whole name; an individual under a number that no company has."""
    return {**payload, "name": _full_name(payload), "owner_id": id_of(payload.get("owner"))}


def _individual(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**_named(payload), "key": f"{_INDIVIDUAL}{payload.get('id')}"}


def _company(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**payload, "owner_id": id_of(payload.get("owner"))}


def _contact(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    phone = payload.get("phone_number") or payload.get("mobile_number")
    return {**_named(payload), "customer": _customer(payload), "phone": phone}


def _opportunity(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """An opportunity where it stands: at a step, or won or lost; its amount is without VAT."""
    ended = _ENDED.get(str(payload.get("status")))
    amount: Any = payload.get("amount")
    told = amount if isinstance(amount, Mapping) else {"value": amount}
    return {
        **payload,
        "stage": ended or id_of(payload.get("step")),
        "value": _amount(told.get("value")),
        "currency": told.get("currency") or payload.get("currency"),
        "customer": _customer(payload),
        "owner_id": id_of(payload.get("owner")),
        "contact_id": next((str(each) for each in payload.get("contact_ids") or ()), ""),
        "closed_at": (payload.get("updated_status") or payload.get("due_date") or payload.get("created"))
        if ended
        else None,
    }


def _item(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**payload, "name": payload.get("name") or payload.get("reference")}


def _paper(type: str, sign: int) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """How invoices and credit notes are read: without VAT, and with it beside."""

    def shape(payload: Mapping[str, Any]) -> Mapping[str, Any]:
        amounts = payload.get("amounts") or {}
        net, gross = _amount(amounts.get("total_excl_tax")), _amount(amounts.get("total_incl_tax"))
        invoice = _related(payload, "invoice") if sign < 0 else ""
        return {
            **payload,
            "key": f"sellsy:{type}:{payload.get('id')}",
            "net": None if net is None else sign * abs(net),
            "gross": None if gross is None else sign * abs(gross),
            "customer": _customer(payload),
            "deal": _related(payload, "opportunity"),
            "takes_back": f"sellsy:invoice:{invoice}" if invoice else "",
        }

    return shape


# --- The objects ---------------------------------------------------------------------------------------------------


def _object(
    code: str,
    kind: str,
    label: str,
    columns: tuple[Column, ...],
    proposal: tuple[Proposal, ...],
    shape: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
    *,
    is_offered: bool = True,
) -> Object:
    """An object that is read whole."""
    return Object(
        code, kind, label, columns, proposal, shape=shape, is_whole=True, sweeps_deletes=True, is_offered=is_offered
    )


_OWNER: Final = by_id("owner", "owner_id")
_ACCOUNT_OF: Final = Proposal("account", "customer", lookup_by="external_id")

_STAFFS: Final = _object(
    "staffs",
    "owners",
    _("Staff"),
    columns_of("id", "name", "email"),
    (Proposal("external_id", "id"), Proposal("email", "email"), Proposal("name", "name")),
    _named,
)
_ITEMS: Final = _object(
    "items",
    "products",
    _("Catalogue"),
    columns_of("id", "name", "reference", "reference_price_taxes_exc:number", "currency"),
    (
        Proposal("name", "name"),
        Proposal("code", "reference"),
        Proposal("price", "reference_price_taxes_exc", is_rounded=True, clears=False),
        Proposal("currency", "currency", clears=False),
    ),
    _item,
    is_offered=False,
)
_COMPANIES: Final = _object(
    "companies",
    "accounts",
    _("Companies"),
    columns_of("id", "name", "type", "owner_id", "website", "email", "phone_number", "created:moment"),
    (
        Proposal("external_id", "id"),
        Proposal("name", "name"),
        Proposal("website", "website", clears=False),
        _OWNER,
    ),
    _company,
)
_INDIVIDUALS: Final = _object(
    "individuals",
    "accounts",
    _("Individuals who are customers"),
    columns_of("id", "key", "name", "type", "owner_id", "email", "phone_number", "created:moment"),
    (Proposal("external_id", "key"), Proposal("name", "name"), _OWNER),
    _individual,
)
_CONTACTS: Final = _object(
    "contacts",
    "contacts",
    _("Contacts"),
    columns_of("id", "customer", "name", "position", "email", "phone", "owner_id"),
    (
        Proposal("external_id", "id"),
        _ACCOUNT_OF,
        Proposal("name", "name"),
        Proposal("title", "position"),
        Proposal("email", "email"),
        Proposal("phone", "phone"),
    ),
    _contact,
    is_offered=False,
)
_OPPORTUNITIES: Final = _object(
    "opportunities",
    "deals",
    _("Opportunities"),
    columns_of(
        "id", "number", "name", "customer", "owner_id", "contact_id", "stage", "status", "value:number", "currency",
        "probability:number", "created:moment", "due_date:day", "closed_at:moment", "note",
    ),
    (
        Proposal("external_id", "id"),
        Proposal("name", "name"),
        _ACCOUNT_OF,
        _OWNER,
        by_id("contact", "contact_id"),
        Proposal("stage", "stage"),
        Proposal("amount", "value", when_blank="0", is_rounded=True),
        Proposal("currency", "currency"),
        Proposal("opened_on", "created", clears=False),
        Proposal("expected_close_on", "due_date"),
        Proposal("closed_on", "closed_at"),
        Proposal("note", "note", clears=False),
    ),
    _opportunity,
)  # fmt: skip
_PAPER: Final = columns_of(
    "id", "key", "number", "status", "net:number", "gross:number", "currency", "date:day", "customer", "deal",
    "takes_back", "subject",
)  # fmt: skip
_PAID: Final = (
    Proposal("source_key", "key"),
    Proposal("effective_on", "date"),
    Proposal("amount", "net", is_rounded=True),
    Proposal("currency", "currency"),
    _ACCOUNT_OF,
    by_id("deal", "deal"),
)
_INVOICES: Final = _object(
    "invoices",
    "transactions",
    _("Invoices"),
    _PAPER,
    (*_PAID, Proposal("kind", constant="invoice")),
    _paper("invoice", 1),
)
_CREDIT_NOTES: Final = _object(
    "credit-notes",
    "transactions",
    _("Credit notes"),
    _PAPER,
    (*_PAID, Proposal("kind", constant="credit_note"), Proposal("reverses", "takes_back", clears=False)),
    _paper("credit-note", -1),
)


class Sellsy(Vendor):
    """Sellsy's second interface, by OAuth with a verifier."""

    code = "sellsy"
    label = "Sellsy"
    api_url = "https://api.sellsy.com/"
    oauth = OAuth(
        authorize_url="https://login.sellsy.com/oauth2/authorization",
        token_url="https://login.sellsy.com/oauth2/access-tokens",  # noqa: S106 - an address
        uses_pkce=True,
        rotates=True,
    )
    objects = (
        _STAFFS, _ITEMS, _COMPANIES, _INDIVIDUALS, _CONTACTS, _OPPORTUNITIES, _INVOICES, _CREDIT_NOTES,
    )  # fmt: skip
    #: Five requests a second are allowed, and no reply says how many are left: two at once and less than three a second
    #: keep below that in every second.
    allowance = (2, 0.75)
    hook_scheme = "sellsy"
    hook_words = {
        "opportunity": "opportunities",
        "people": "contacts",
        "contact": "contacts",
        "item": "items",
        "invoice": "invoices",
        "creditnote": "credit-notes",
        "client": "companies",
        "prospect": "companies",
        "third": "companies",
    }
    webhook_help = _(
        "In Sellsy open Settings, Developer portal, Webhooks, and create one in JSON with this address for customers,"
        " opportunities, invoices and credit notes; its secret goes here. Deletions and edits that no webhook tells are"
        " found by the next sync."
    )

    def identify(self, http: Http) -> Identity:
        """The person who signed in. Nothing tells the account's number, so webhooks are known by their secret alone."""
        me = http.get(f"{_API}staffs/me").json()
        settings = {"time_zone": zone_of(me.get("timezone"))}
        return Identity("", _full_name(me) or str(me.get("email") or ""), settings)

    def words(self, object: Object, http: Http) -> Mapping[str, Sequence[Word]]:
        """The steps of all pipelines by their ids, and the two states in which an opportunity ends."""
        if object.code != "opportunities":
            return {}
        words = []
        for pipeline in http.get(f"{_API}opportunities/pipelines", {"limit": _PAGE}).json().get("data") or ():
            url = f"{_API}opportunities/pipelines/{id_of(pipeline)}/steps"
            steps = http.get(url, {"limit": _PAGE}).json().get("data") or []
            words += [
                Word(id_of(step), str(step.get("name") or ""), "open", place / (len(steps) + 1))
                for place, step in enumerate(steps, 1)
            ]
        return {"stage": [*words, *ENDS]}

    def read(self, object: Object, ask: Ask, http: Http) -> Page:
        """A page of the whole list, in the order in which records were made."""
        place = _Place(**ask.position) if ask.position else _Place()
        size = max(min(ask.size or _PAGE, _PAGE), 2 * _AGAIN)
        params: list[tuple[str, Any]] = [("limit", size), ("offset", place.asked), *_ORDER, *_embeds(object)]
        answer = http.get(f"{_API}{object.code}", params).json()
        rows, pages = answer.get("data") or [], answer.get("pagination") or {}
        raws = [_raw(object, row, http.vendor_time) for row in rows]
        ids = [raw.external_id for raw in raws]
        known = [number for number, id in enumerate(ids) if id in place.tail]
        if place.tail and not known:
            return Page(raws, next=place.anew(object))
        raws = raws[known[-1] + 1 if known else 0 :]
        count = place.count + len(raws)
        total, following = pages.get("total"), None
        if isinstance(pages.get("offset"), str) and pages["offset"] and rows:
            following = replace(place, offset=pages["offset"], count=count)
        elif _is_numeric(place, pages, count) and len(rows) == size:
            following = replace(place, offset=int(place.asked or 0) + len(rows), tail=ids[-_AGAIN:], count=count)
        if following is not None:
            return Page(raws, next=asdict(following), total=total)
        if isinstance(total, int) and count < total:
            return Page(raws, next=place.anew(object))
        return Page(raws, total=total)

    def fetch(self, object: Object, external_ids: Sequence[str], http: Http, columns: Sequence[str] = ()) -> list[Raw]:
        """The records of these ids, one by one."""
        found = []
        for external_id in external_ids:
            own = external_id.removeprefix(_INDIVIDUAL) if object.code == "individuals" else external_id
            reply = http.get(f"{_API}{object.code}/{own}", list(_embeds(object)), expect=(404,))
            at = reply.date or http.vendor_time
            if reply.status == 404:
                found.append(gone(external_id, at))
            else:
                answer = reply.json()
                found.append(_raw(object, answer.get("data") or answer, at))
        return found

    def said(self, told: Any) -> Said:
        """The words, and those of each field."""
        error = told["error"]
        if not isinstance(error, Mapping):
            return Said(str(error or ""))
        fields = ", ".join(f"{name}: {words}" for name, words in (error.get("details") or {}).items())
        return Said(" · ".join(part for part in (str(error.get("message") or ""), fields) if part))

    def meant(self, reply: Reply, said: Said) -> Verdict | None:
        """A plan that is used up is a 402; limits name no time."""
        if reply.status == 402:
            return Verdict(FaultKind.LIMITED, said.words, _PLAN_WAIT)
        if reply.status == 429 and "retry-after" not in reply.headers:
            return Verdict(FaultKind.LIMITED, said.words, _A_FEW_SECONDS)
        return None

    def events(self, body: bytes, headers: Mapping[str, str]) -> list[Event]:
        """What a proven delivery tells. Customers are companies or individuals, which it does not say: both are asked."""
        found = []
        for event in super().events(body, headers):
            found.append(event)
            if event.object == "companies":
                individual = f"{_INDIVIDUAL}{event.external_id}"
                key = f"{event.key}|individual" if event.key else ""
                found.append(replace(event, object="individuals", external_id=individual, key=key))
        return found


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a list goes on.

    offset: an opaque text, or how many rows lie behind. tail: the last rows behind, to see that none left. count: rows
    so far, each once. tries: how often it was begun anew.
    """

    offset: int | str = 0
    tail: Sequence[str] = ()
    count: int = 0
    tries: int = 0

    @property
    def asked(self) -> int | str | None:
        """The offset that is asked for: a numeric one a few rows early, none at the beginning."""
        if isinstance(self.offset, str):
            return self.offset
        return max(self.offset - len(self.tail), 0) or None

    def anew(self, object: Object) -> Json:
        """From the beginning, because rows moved. Raises Fault when they did so before: nothing may be taken for deleted
        that was only missed."""
        if self.tries >= 1:
            raise Fault(FaultKind.CHANGED, _moving(object.label))  # its position is forgotten
        return asdict(_Place(tries=self.tries + 1))


def _is_numeric(place: _Place, pages: Mapping[str, Any], count: int) -> bool:
    """Whether the next offset is a number: the reply has one, or none although there is more."""
    offset, total = pages.get("offset"), pages.get("total")
    if isinstance(place.offset, str) or isinstance(offset, str):
        return False
    return offset is not None or (isinstance(total, int) and count < total)


def _embeds(object: Object) -> list[tuple[str, str]]:
    return [("embed[]", name) for name in _EMBEDDED.get(object.code, ())]


def _raw(object: Object, row: Mapping[str, Any], at: datetime | None) -> Raw:
    """A record as it was at a moment by Sellsy's clock: nothing in it says when it was changed."""
    own = str(row["id"])
    return Raw(
        external_id=f"{_INDIVIDUAL}{own}" if object.code == "individuals" else own,
        version=version_of(at),
        payload=row,
        is_deleted=object.kind == "transactions" and str(row.get("status")) in _WORTHLESS,
    )


def _moving(label: str) -> Problem:
    return Problem.of(
        "list-moves",
        _("The list of %(object)s changed again and again while it was read."),
        remedy=_("Nothing was lost. It is tried again."),
        object=label,
    )


VENDOR: Final = Sellsy()
