"""Chargebee: lists swept by the moment of change, both product catalogues, amounts in minor units.

A list is asked anew from the last second that was seen, so that rows which are edited while it is read shift nothing. Only
within one second that fills a page it goes on by Chargebee's offset, again and again until two passes gave the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from salesops.connectors.rules.cursors import sum_of
from salesops.connectors.rules.recurring import per_month
from salesops.connectors.vendors.base import (
    Ask,
    Column,
    FaultKind,
    Http,
    Identity,
    Json,
    Object,
    Page,
    Proposal,
    Raw,
    Said,
    Setting,
    Shape,
    Vendor,
    Written,
    basic,
    elsewhere,
    gone,
    version_of,
)
from salesops.connectors.vendors.billing import (
    DEAL_KEYS,
    DEAL_OF,
    PRODUCT_OF,
    SHORTEST,
    TAKES_BACK,
    number,
    subscriptions,
    to_write,
    transactions,
    unix,
)
from salesops.values.money import MoneyError, exponent, round_half_up
from salesops.values.outcomes import gettext_noop as _

#: Rows of a page at most.
_PAGE: Final = 100
#: Money that comes back: refunds, and payments that the bank took back.
_BACK: Final = frozenset({"refund", "payment_reversal"})
#: The name under which the site is kept with a record: ids are only unique within one.
_SITE: Final = "_site"
#: Lists that know neither an order nor deleted rows.
_WITHOUT_DELETED: Final = frozenset({"items", "item_prices"})


# --- What is read off a record -------------------------------------------------------------------------------------


def _deal(payload: Mapping[str, Any]) -> str:
    """The deal that a custom field or the metadata names."""
    told = payload.get("meta_data")
    for key in DEAL_KEYS:
        found = payload.get(f"cf_{key}") or (told.get(key) if isinstance(told, Mapping) else None)
        if found:
            return str(found)
    return ""


def _major(minor: Any, currency: Any) -> Decimal | None:
    """An amount in the currency's unit; None where there is none, or where the currency is no currency."""
    try:
        return None if minor is None else Decimal(int(minor)).scaleb(-exponent(str(currency)))
    except MoneyError:
        return None


def _taxes(payload: Mapping[str, Any]) -> int:
    if payload.get("tax") is not None:
        return int(payload["tax"])
    return sum(int(row.get("amount") or 0) for row in payload.get("taxes") or ())


def _product(payload: Mapping[str, Any]) -> str:
    """The one item price or plan of all lines; "" where there are several, or where not all are shown."""
    found = {str(row.get("entity_id") or "") for row in payload.get("line_items") or ()}
    return found.pop() if len(found) == 1 and not payload.get("line_items_next_offset") else ""


def _at(payload: Mapping[str, Any], *names: str) -> int | None:
    return next((int(payload[name]) for name in names if payload.get(name)), None)


def _lives(payload: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """From when to when a subscription is paid for: its trial brings nothing; an end that is set already counts."""
    starts = [at for at in (_at(payload, "started_at", "start_date", "created_at"), _at(payload, "trial_end")) if at]
    end = _at(payload, "cancelled_at")
    if end is None and payload.get("status") == "non_renewing":
        end = _at(payload, "current_term_end")
    return max(starts, default=None), end


def _amount(row: Mapping[str, Any], prefix: str, currency: str) -> Fraction:
    """What a part of a subscription costs in one term, in minor units: as told, else its price times its quantity.

    Sites with more decimals tell decimal texts in whole units of the currency.
    """
    one = 10 ** exponent(currency)
    if row.get(f"{prefix}amount") is not None:
        return Fraction(int(row[f"{prefix}amount"]))
    if row.get(f"{prefix}amount_in_decimal") is not None:
        return Fraction(str(row[f"{prefix}amount_in_decimal"])) * one
    quantity = _quantity(row, prefix)
    if row.get(f"{prefix}unit_price_in_decimal") is not None:
        return Fraction(str(row[f"{prefix}unit_price_in_decimal"])) * one * quantity
    return Fraction(int(row.get(f"{prefix}unit_price") or 0)) * quantity


def _quantity(row: Mapping[str, Any], prefix: str = "") -> Fraction:
    told = row.get(f"{prefix}quantity_in_decimal") or row.get(f"{prefix}quantity")
    return Fraction(1) if told is None else Fraction(str(told))


def mrr_of(payload: Mapping[str, Any]) -> Fraction:
    """Monthly recurring revenue in minor units: as Chargebee tells it, else from plan and addons less what recurs of the
    discounts. Charges that come once are not counted. Nothing while a subscription is paused."""
    if payload.get("status") == "paused":
        return Fraction(0)
    if payload.get("mrr") is not None:
        return Fraction(int(payload["mrr"]))
    currency = str(payload.get("currency_code"))
    term = str(payload.get("billing_period_unit") or "month"), int(payload.get("billing_period") or 1)
    parts: dict[str, Fraction] = {}
    for item in payload.get("subscription_items") or ():
        if item.get("item_type") in (None, "plan", "addon"):
            own = str(item.get("billing_period_unit") or term[0]), int(item.get("billing_period") or term[1])
            parts[str(item.get("item_price_id"))] = per_month(_amount(item, "", currency), *own)
    if payload.get("plan_id"):
        parts[str(payload["plan_id"])] = per_month(_amount(payload, "plan_", currency), *term)
        for addon in payload.get("addons") or ():
            parts[f"addon {addon.get('id')}"] = per_month(_amount(addon, "", currency), *term)
    total = sum(parts.values(), Fraction(0))
    for discount in payload.get("discounts") or ():
        if not discount.get("included_in_mrr") or discount.get("duration_type") == "one_time":
            continue
        meant = parts.get(str(discount.get("item_price_id")), Fraction(0)) if discount.get("item_price_id") else total
        if discount.get("percentage") is not None:
            total -= meant * Fraction(str(discount["percentage"])) / 100
        else:
            total -= min(per_month(Fraction(int(discount.get("amount") or 0)), *term), meant)
    return max(total, Fraction(0))


def _customer(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    person = " ".join(str(payload[name]) for name in ("first_name", "last_name") if payload.get(name))
    name = payload.get("company") or person or payload.get("email") or payload.get("id")
    return {**payload, "name": str(name)[:200]}


def _subscription(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    items = [item for item in payload.get("subscription_items") or () if item.get("item_type") in (None, "plan")]
    plan = items[0] if items else {}
    seats = plan.get("quantity") if items else payload.get("plan_quantity")
    start, end = _lives(payload)
    currency = payload.get("currency_code")
    try:
        mrr = _major(round_half_up(mrr_of(payload)), currency)
    except MoneyError:
        mrr = None
    return {
        **payload,
        "name": str(plan.get("item_price_id") or payload.get("plan_id") or payload.get("id"))[:120],
        "monthly": mrr,
        "seats": seats,
        "starts": start,
        "ends": end,
    }


def _paid(type: str) -> Shape:
    """How something that is paid is read."""

    def shape(payload: Mapping[str, Any]) -> Mapping[str, Any]:
        site = payload.get(_SITE, "")
        kind, sign, original, minor = type, 1, "", payload.get("total")
        if type == "transaction":
            minor = payload.get("amount")
            kind = "refund" if payload.get("type") in _BACK else "payment"
            sign = -1 if kind == "refund" else 1
            original = _payment_of(payload) if kind == "refund" else ""
        elif minor is not None:
            minor = int(minor) - _taxes(payload)
        if type == "credit_note":
            sign, original = -1, str(payload.get("reference_invoice_id") or "")
        major = _major(minor, payload.get("currency_code"))
        of = "invoice" if type == "credit_note" else "transaction"
        return {
            **payload,
            "key": f"chargebee:{site}:{type}:{payload.get('id')}",
            "kind": kind,
            "net": None if major is None else sign * major,
            "deal": _deal(payload),
            "product": _product(payload),
            "takes_back": f"chargebee:{site}:{of}:{original}" if original else "",
        }

    return shape


def _payment_of(payload: Mapping[str, Any]) -> str:
    """The payment that a refund gives back."""
    linked: Sequence[Mapping[str, Any]] = payload.get("linked_payments") or ()
    named = payload.get("refunded_txn_id") or payload.get("reference_transaction_id")
    return str(named or (linked[0].get("id") if len(linked) == 1 else "") or "")


def _priced(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    name = payload.get("external_name") or payload.get("name") or payload.get("id")
    currency = payload.get("currency_code")
    exact = payload.get("price_in_decimal")
    amount = Decimal(str(exact)) if exact is not None else _major(payload.get("price"), currency)
    return {**payload, "name": str(name)[:120], "amount": amount}


# --- Objects -------------------------------------------------------------------------------------------------------

_ACCOUNT_OF: Final = Proposal("account", "customer_id", lookup_by="external_id")
_PAID_COLUMNS: Final = (
    Column("id", "Id"),
    Column("key", _("Key")),
    Column("kind", _("Kind")),
    number("net", _("Amount without tax, negative where it takes back")),
    Column("currency_code", _("Currency")),
    Column("customer_id", _("Customer")),
    unix("date", _("Day that counts")),
    Column("status", _("Status")),
    Column("deal", _("Deal, from a custom field or the metadata")),
    Column("product", _("Product, where there is only one")),
    Column("takes_back", _("Takes back")),
)


def _transactions(code: str, type: str, label: str, *more: Proposal) -> Object:
    return transactions(
        code,
        label,
        _PAID_COLUMNS,
        _paid(type),
        _ACCOUNT_OF,
        *more,
        day="date",
        currency="currency_code",
        link=_link(code),
    )


def _link(page: str) -> str:
    return f"https://{{site}}.chargebee.com/d/{page}/{{id}}"


_SOLD: Final = (
    Column("id", "Id"),
    Column("name", _("Name")),
    number("amount", _("Price of one")),
    Column("currency_code", _("Currency")),
    Column("status", _("Status")),
)
_SELLS: Final = (
    Proposal("name", "name"),
    Proposal("code", "id"),
    Proposal("price", "amount", is_rounded=True, clears=False),
    Proposal("currency", "currency_code", clears=False),
)
_ITEMS: Final = Object(
    "items", "products", _("Items"), _SOLD, (_SELLS[0], _SELLS[1]), shape=_priced, is_offered=False, link=_link("items")
)
_ITEM_PRICES: Final = Object(
    "item_prices", "products", _("Item prices, each as a product"), _SOLD, _SELLS, shape=_priced
)
_PLANS: Final = Object("plans", "products", _("Plans"), _SOLD, _SELLS, shape=_priced, is_whole=True)
_CUSTOMERS: Final = Object(
    "customers",
    "accounts",
    _("Customers"),
    (
        Column("id", "Id"),
        Column("name", _("Name")),
        Column("company", _("Company"), is_writable=True),
        Column("first_name", _("First name"), is_writable=True),
        Column("last_name", _("Last name"), is_writable=True),
        Column("email", _("E-mail"), is_writable=True),
        Column("phone", _("Phone"), is_writable=True),
        Column("billing_address.country", _("Country")),
        Column("billing_address.city", _("City")),
    ),
    (
        Proposal("external_id", "id"),
        Proposal("name", "name", master="fill"),
        Proposal("country", "billing_address.country", clears=False, master="fill"),
        Proposal("city", "billing_address.city", clears=False, master="fill"),
    ),
    shape=_customer,
    link=_link("customers"),
)
_SUBSCRIPTIONS: Final = subscriptions(
    _subscription, customer="customer_id", mrr="monthly", currency="currency_code", link=_link("subscriptions")
)
_INVOICES: Final = _transactions("invoices", "invoice", _("Invoices"), DEAL_OF, PRODUCT_OF)
_CREDIT_NOTES: Final = _transactions("credit_notes", "credit_note", _("Credit notes"), TAKES_BACK)
_PAYMENTS: Final = _transactions("transactions", "transaction", _("Payments and refunds"), DEAL_OF, TAKES_BACK)

_OLD: Final = (_PLANS, _CUSTOMERS, _SUBSCRIPTIONS, _INVOICES, _CREDIT_NOTES, _PAYMENTS)
_NEW: Final = (_ITEM_PRICES, _ITEMS, _CUSTOMERS, _SUBSCRIPTIONS, _INVOICES, _CREDIT_NOTES, _PAYMENTS)
#: What wraps a row of each list.
_WRAPPED: Final[Mapping[str, str]] = {
    "customers": "customer",
    "subscriptions": "subscription",
    "invoices": "invoice",
    "credit_notes": "credit_note",
    "transactions": "transaction",
    "items": "item",
    "item_prices": "item_price",
    "plans": "plan",
}


class Chargebee(Vendor):
    """Chargebee by its second API."""

    code = "chargebee"
    label = "Chargebee"
    family = "billing"
    settings = (
        Setting(
            "site",
            _("Site"),
            hint=_("The first part of your address at chargebee.com; that of a test site ends in -test."),
            pattern=r"[a-z0-9][a-z0-9-]{0,60}",
        ),
        Setting("api_key", _("Key"), hint=_("A read-only key is enough."), is_secret=True),
        Setting(
            "catalog",
            _("Product catalogue"),
            choices=(("2", _("Items and item prices")), ("1", _("Plans and addons"))),
            default="2",
        ),
        Setting(
            "webhook_secret",
            _("User and password of the webhook"),
            hint=_("As user:password, the same as in Chargebee. It signs nothing, so this is all the proof there is."),
            is_secret=True,
            is_required=False,
            pattern=r"[^\s:]{1,100}:[^\s]{1,200}",
        ),
    )
    objects = (*_NEW, _PLANS)
    #: What a test site and the smallest plan allow in a minute, less a share for other programs.
    allowance = (120, 60.0)
    #: Too many requests may be told with another status to sites that were warned.
    codes = {
        "api_request_limit_exceeded": FaultKind.LIMITED,
        "resource_not_found": FaultKind.MISSING,
    }
    #: HTTP Basic: who knows the password may say anything, so records are fetched and never taken from the body.
    hook_scheme = "chargebee"
    hook_words = {name: code for code, name in _WRAPPED.items()}
    webhook_help = _(
        "In Chargebee under Settings, Configure Chargebee, Webhooks, add this address with basic authentication, and enter"
        " the same user and password here."
    )

    def objects_for(self, settings: Mapping[str, str]) -> tuple[Object, ...]:
        """A site has plans or items, never both."""
        return _OLD if settings.get("catalog") == "1" else _NEW

    def base(self, settings: Mapping[str, str]) -> str:
        """The site's own address, wherever its data are kept."""
        return elsewhere(f"https://{settings.get('site', '')}.chargebee.com/api/v2/", settings)

    def sign(self, headers: dict[str, str], http: Http) -> None:
        """The key as the user of HTTP Basic, without a password."""
        headers["Authorization"] = basic(http.secret("api_key"))

    def identify(self, http: Http) -> Identity:
        """Nothing tells the name of a site: the key is tried on its customers."""
        http.get("customers", {"limit": 1})
        site = http.settings.get("site", "")
        return Identity(site, site)

    def columns(self, object: Object, http: Http) -> Sequence[Column]:
        """The known ones, and the custom fields and keys of metadata that some records have."""
        rows = self._list(object, {"limit": _PAGE}, http)[0]
        custom = dict.fromkeys(name for row in rows for name in row if name.startswith("cf_"))
        keys = dict.fromkeys(key for row in rows for key in row.get("meta_data") or ())
        return (
            *object.columns,
            *(Column(name, name) for name in custom),
            *(Column(f"meta_data.{key}", key) for key in keys),
        )

    # --- reading

    def read(self, object: Object, ask: Ask, http: Http) -> Page:
        """A page in the order of changes; see the head of this file."""
        params: Json = {"limit": min(ask.size or _PAGE, _PAGE)}
        position = ask.position or {"after": int(ask.since.timestamp()) - 1 if ask.since else None}
        if position.get("offset"):
            params["offset"] = position["offset"]
        if object is _PLANS:
            # Few, without an order; a whole sweep each time finds what shifted before.
            rows, offset = self._list(object, {**params, "include_deleted": True}, http)
            return Page(_raws(object, rows, http), next={"offset": offset} if offset else None)
        params["sort_by[asc]"] = "updated_at"
        if position.get("after") is not None:
            params["updated_at[after]"] = position["after"]
        if ask.until is not None:
            params["updated_at[before]"] = int(ask.until.timestamp())
        if object.code not in _WITHOUT_DELETED:
            params["include_deleted"] = True
        rows, offset = self._list(object, params, http)
        known = frozenset(position.get("told", ()))
        raws = _raws(object, [row for row in rows if _told(row) not in known], http)
        # Told backwards the second time, for it is not the same page that comes again.
        return Page(raws[::-1] if "before" in position else raws, next=_following(position, rows, offset))

    def _list(self, object: Object, params: Mapping[str, Any], http: Http) -> tuple[list[Mapping[str, Any]], str]:
        """Rows out of their wrapping, and the offset of those that follow."""
        told = http.get(object.code, params).json()
        return [row[_WRAPPED[object.code]] for row in told["list"]], str(told.get("next_offset") or "")

    def fetch(self, object: Object, external_ids: Sequence[str], http: Http, columns: Sequence[str] = ()) -> list[Raw]:
        """One by one; what is deleted is only in lists, so it is gone as of now."""
        raws = []
        for external_id in external_ids:
            reply = http.get(f"{object.code}/{external_id}", expect=(404,))
            if reply.status == 404:
                raws.append(gone(external_id, http.vendor_time))
            else:
                raws += _raws(object, [reply.json()[_WRAPPED[object.code]]], http)
        return raws

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
        """Columns of a customer. Chargebee knows no condition, so its version is read just before."""
        if object.code != "customers":
            raise NotImplementedError
        now = http.get(f"customers/{external_id}").json()["customer"]
        if wanted := to_write(values, now, base, self.label):
            now = http.send("POST", f"customers/{external_id}", form=wanted, is_safe=True).json()["customer"]
        return Written(_raws(object, [now], http)[0])

    # --- what replies mean

    def said(self, told: Any) -> Said:
        """Chargebee's own codes and words."""
        return Said(str(told.get("message") or ""), str(told.get("api_error_code") or ""))


def _following(position: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], offset: str) -> Json | None:
    """Where to go on behind a page of rows.

    Usually from the second before the last one seen; "told" are the rows of that second, which will come again. While a
    page lies within one second ("second"), by offset, with a sum over the ids of that second; "before" is the sum of the
    pass before. A row that was edited in between is missing in the next pass, so two equal sums mean that nothing shifted.
    """
    if offset and not rows:
        return {**position, "offset": offset}
    after = position.get("after")
    moments = [int(row["updated_at"]) for row in rows]
    second = position.get("second", moments[0] if moments else 0)
    of_second = (str(row["id"]) for row, at in zip(rows, moments, strict=True) if at == second)
    sum_ = sum_of(of_second, int(position.get("sum", 0)))
    if offset and moments[-1] <= second:
        more = {"before": position["before"]} if "before" in position else {}
        return {"after": after, "second": second, "offset": offset, "sum": sum_, **more}
    if "second" in position and sum_ != position.get("before"):
        return {"after": after, "second": second, "sum": 0, "before": sum_}
    if not offset:
        return None
    told = [_told(row) for row, at in zip(rows, moments, strict=True) if at == moments[-1]]
    return {"after": moments[-1] - 1, "told": told}


def _told(row: Mapping[str, Any]) -> str:
    """A record and its version, to know it again."""
    return f"{row['id']}@{row.get('resource_version')}"


def _raws(object: Object, rows: Iterable[Mapping[str, Any]], http: Http) -> list[Raw]:
    site = http.settings.get("site", "")
    raws = []
    for row in rows:
        moment = datetime.fromtimestamp(int(row.get("updated_at") or 0), UTC)
        version = version_of(moment, int(row.get("resource_version") or 0))
        raws.append(Raw(str(row["id"]), version, {**row, _SITE: site}, is_deleted=_is_gone(object.code, row)))
    return raws


def _is_gone(code: str, row: Mapping[str, Any]) -> bool:
    """Whether a record does not count here: deleted, not yet or no longer worth anything."""
    status = row.get("status")
    if row.get("deleted") or status == "deleted":
        return True
    if code == "invoices":
        return status in ("voided", "pending")
    if code == "credit_notes":
        return status == "voided"
    if code == "transactions":
        return status != "success" or row.get("type") not in ("payment", *_BACK)
    if code == "subscriptions":
        start, end = _lives(row)
        return start is None or (end is not None and end - start < SHORTEST)
    return False


VENDOR: Final = Chargebee()
