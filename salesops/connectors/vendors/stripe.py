"""Stripe: everything once by lists, then what changed by its log of events; money in Stripe's own smallest units.

A list cannot be asked for what changed, so the first sweep reads it whole and later ones ask the events, which are kept
for thirty days. An event is only a notice: what it carries is told in the version of the account at that time, and two of
one second have no order. The records that it names are read as they are now, in the pinned version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from salesops.connectors.rules.recurring import per_month
from salesops.connectors.rules.shapes import value_at
from salesops.connectors.vendors.base import (
    BEGINNING,
    Ask,
    Column,
    ColumnType,
    Fault,
    FaultKind,
    Http,
    Identity,
    Json,
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
    endless,
    gone,
    id_of,
    version_of,
)
from salesops.connectors.vendors.billing import (
    DEAL_KEYS,
    DEAL_OF,
    PRODUCT_OF,
    SHORTEST,
    TAKES_BACK,
    changed,
    number,
    subscriptions,
    to_write,
    transactions,
    unix,
)
from salesops.values.money import round_half_up
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

#: The version that replies are asked in. Records of older ones (webhooks, a proxy) are read as well.
VERSION: Final = "2025-03-31.basil"
#: How long events are kept; an hour before that everything is read anew.
_KEPT: Final = timedelta(days=30) - timedelta(hours=1)
#: Rows of a page at most.
_PAGE: Final = 100
#: Currencies that Stripe counts in whole units, and in thousandths (docs.stripe.com/currencies). ISK and UGX have no
#: decimals elsewhere, but Stripe counts them in hundredths.
_WHOLE: Final = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
)
_THOUSANDTHS: Final = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])
#: A dispute in these states holds the money back; inquiries have not taken it yet, and a won one gave it back.
_WITHDRAWN: Final = frozenset({"needs_response", "under_review", "lost"})
#: Refunds of accounts of long ago say no state.
_REFUNDED: Final = frozenset({"succeeded", None})
_NEVER_PAID: Final = frozenset({"incomplete", "incomplete_expired"})

_ACCOUNT_OF: Final = Proposal("account", "customer", lookup_by="external_id")
# --- Money and moments ---------------------------------------------------------------------------------------------


def decimals_of(currency: str) -> int:
    """How many decimals Stripe counts a currency in."""
    code = currency.upper()
    return 0 if code in _WHOLE else 3 if code in _THOUSANDTHS else 2


def _major(minor: Any, currency: Any) -> Decimal | None:
    """An amount of Stripe in the currency's unit; None where there is none."""
    return None if minor is None else Decimal(int(minor)).scaleb(-decimals_of(str(currency)))


def _sum(rows: Iterable[Mapping[str, Any]] | None) -> int:
    return sum(int(row.get("amount") or 0) for row in rows or ())


def _net(payload: Mapping[str, Any]) -> int:
    """The total without taxes, which are named differently before and after basil."""
    without = payload.get("total_excluding_tax")
    if without is not None:
        return int(without)
    total = int(payload.get("total") or 0)
    for name in ("total_taxes", "total_tax_amounts", "tax_amounts"):
        if payload.get(name) is not None:
            return total - _sum(payload[name])
    return total - int(payload.get("tax") or 0)


def _deal(payload: Mapping[str, Any]) -> str:
    """The deal that the metadata names: its own, then those of its subscription as they were then."""
    for path in ("metadata", "parent.subscription_details.metadata", "subscription_details.metadata"):
        told = value_at(payload, path)
        for key in DEAL_KEYS:
            if isinstance(told, Mapping) and told.get(key):
                return str(told[key])
    return ""


def _product(lines: Any) -> str:
    """The one product of all lines; "" where there are several, or where not all lines are shown."""
    rows = value_at(lines or {}, "data") or ()
    found = {
        id_of(value_at(row, "pricing.price_details.product") or value_at(row, "price.product") or "") for row in rows
    }
    return found.pop() if len(found) == 1 and not (lines or {}).get("has_more") else ""


# --- Recurring revenue ---------------------------------------------------------------------------------------------


def mrr_of(subscription: Mapping[str, Any]) -> Fraction:
    """Monthly recurring revenue in Stripe's smallest units, exact: licensed items, less discounts that recur.

    What is metered is not counted, because nobody knows it beforehand; neither are discounts that come once. A discount
    of an amount comes with each invoice, so it is spread like the items. Nothing while a subscription is paused.
    """
    if subscription.get("status") == "paused":
        return Fraction(0)
    parts = [_Part(item) for item in value_at(subscription, "items.data") or ()]
    # Versions in between only name them in the list, and tell the first one whole beside it.
    for coupon in _discounts(subscription.get("discounts")) or _discounts([subscription.get("discount")]):
        _take_off(coupon, parts)
    return sum((max(part.amount, Fraction(0)) for part in parts), Fraction(0))


class _Part:
    """An item of a subscription for one month, its own discounts taken off."""

    def __init__(self, item: Mapping[str, Any]) -> None:
        price: Mapping[str, Any] = item.get("price") or {}
        recurring: Mapping[str, Any] = price.get("recurring") or {}
        self.product = id_of(price.get("product"))
        self.interval, self.count = str(recurring.get("interval", "month")), int(recurring.get("interval_count") or 1)
        self.amount = Fraction(0)
        if recurring and recurring.get("usage_type", "licensed") == "licensed":
            quantity = item.get("quantity")
            self.amount = per_month(
                _price_for(price, 1 if quantity is None else int(quantity)), self.interval, self.count
            )
        for coupon in _discounts(item.get("discounts")):
            _take_off(coupon, [self])


def _price_for(price: Mapping[str, Any], quantity: int) -> Fraction:
    """What so many of a price cost in one interval."""
    pack = price.get("transform_quantity")
    if pack:
        packs = Fraction(quantity, int(pack["divide_by"]))
        quantity = -(-packs.numerator // packs.denominator) if pack.get("round") == "up" else int(packs)
    if price.get("billing_scheme") == "tiered":
        return _tiered(price.get("tiers") or (), quantity, is_graduated=price.get("tiers_mode") == "graduated")
    return _exact(price.get("unit_amount_decimal"), price.get("unit_amount")) * quantity


def _tiered(tiers: Sequence[Mapping[str, Any]], quantity: int, *, is_graduated: bool) -> Fraction:
    """Graduated: each tier for what lies in it. By volume: the tier that the whole quantity reaches, for all of it."""
    total, below = Fraction(0), 0
    for tier in tiers:
        top = tier.get("up_to")
        flat = _exact(tier.get("flat_amount_decimal"), tier.get("flat_amount"))
        unit = _exact(tier.get("unit_amount_decimal"), tier.get("unit_amount"))
        is_last = top is None or quantity <= int(top)
        if not is_graduated and is_last:
            return flat + unit * quantity
        if is_graduated:
            total += flat + unit * ((quantity if is_last else int(top or 0)) - below)
            if is_last:
                return total
        below = int(top or 0)
    return total


def _exact(decimal: Any, whole: Any) -> Fraction:
    """An amount that Stripe tells as decimal text and, where it is whole, as a number."""
    return Fraction(str(decimal)) if decimal is not None else Fraction(int(whole or 0))


def _discounts(told: Any) -> list[Mapping[str, Any]]:
    """The discounts that recur, as far as they are told whole: some versions only name them."""
    found = []
    for discount in told or ():
        if not isinstance(discount, Mapping):
            continue
        coupon = discount.get("coupon") or value_at(discount, "source.coupon")
        if isinstance(coupon, Mapping) and coupon.get("duration") in ("forever", "repeating"):
            found.append(coupon)
    return found


def _take_off(coupon: Mapping[str, Any], parts: Sequence[_Part]) -> None:
    """Take a coupon off the items that it is for: a percentage of each, or an amount of each invoice, shared by size."""
    products = value_at(coupon, "applies_to.products")
    meant = [part for part in parts if part.amount > 0 and (not products or part.product in products)]
    if coupon.get("percent_off") is not None:
        for part in meant:
            part.amount *= 1 - Fraction(str(coupon["percent_off"])) / 100
    elif coupon.get("amount_off") and meant:
        total = sum(part.amount for part in meant)
        off = per_month(Fraction(int(coupon["amount_off"])), meant[0].interval, meant[0].count)
        for part in meant:
            part.amount -= min(off, total) * part.amount / total


# --- How records are read ------------------------------------------------------------------------------------------


def _customer(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    name = payload.get("name") or payload.get("description") or payload.get("email") or payload.get("id")
    return {**payload, "name": str(name)[:200]}


def _priced(payload: Mapping[str, Any], price: Any) -> dict[str, Any]:
    """A product or price with the amount of one unit, where it has one."""
    told: Mapping[str, Any] = price if isinstance(price, Mapping) else {}
    amount = told.get("unit_amount_decimal") or told.get("unit_amount")
    currency = str(told.get("currency") or "")
    major = None if amount is None else Decimal(str(amount)).scaleb(-decimals_of(currency))
    return {**payload, "amount": major, "currency": currency.upper() if amount is not None else ""}


def _of_product(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    return _priced(payload, payload.get("default_price"))


def _of_price(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    product = payload.get("product")
    named = product.get("name") if isinstance(product, Mapping) else ""
    name = " · ".join(str(part) for part in (named, payload.get("nickname")) if part)
    return {**_priced(payload, payload), "product": id_of(product), "name": (name or str(payload.get("id")))[:120]}


def _subscription(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    items = value_at(payload, "items.data") or ()
    price: Mapping[str, Any] = (items[0].get("price") or {}) if items else {}
    name = payload.get("description") or price.get("nickname") or price.get("lookup_key") or id_of(price.get("product"))
    seats = [int(item["quantity"]) for item in items if item.get("quantity") is not None]
    start, end = _lives(payload)
    return {
        **payload,
        "name": str(name or payload.get("id"))[:120],
        "mrr": _major(round_half_up(mrr_of(payload)), payload.get("currency")),
        "currency": str(payload.get("currency", "")).upper(),
        "customer": id_of(payload.get("customer")),
        "seats": sum(seats) if seats else None,
        "starts": start,
        "ends": end,
    }


def _lives(payload: Mapping[str, Any]) -> tuple[int, int | None]:
    """From when to when a subscription is paid for: its trial brings nothing; an end that is set already counts."""
    start = int(payload.get("start_date") or payload.get("created") or 0)
    trial = payload.get("trial_end")
    end = payload.get("ended_at") or payload.get("cancel_at")
    return max(start, int(trial or 0)), int(end) if end else None


def _money(type: str, amount: Callable[[Mapping[str, Any]], Any], sign: int = 1) -> Shape:
    """How something that is paid is read. `amount`: in Stripe's units, without a sign."""

    def shape(payload: Mapping[str, Any]) -> Mapping[str, Any]:
        currency = payload.get("currency")
        major = _major(amount(payload), currency)
        transitions = payload.get("status_transitions") or {}
        original = {"credit_note": "invoice", "refund": "charge", "dispute": "charge"}.get(type)
        taken_back = id_of(payload.get(original)) if original else ""
        return {
            **payload,
            "key": f"stripe:{type}:{payload.get('id')}",
            "net": None if major is None else sign * major,
            "currency": str(currency or "").upper(),
            "customer": id_of(payload.get("customer")),
            "counts_at": payload.get("effective_at") or transitions.get("finalized_at") or payload.get("created"),
            "deal": _deal(payload),
            "product": _product(payload.get("lines")),
            "takes_back": f"stripe:{original}:{taken_back}" if taken_back else "",
        }

    return shape


_PAID: Final = (
    Column("id", "Id"),
    Column("key", _("Key")),
    number("net", _("Amount without tax, negative where it takes back")),
    Column("currency", _("Currency")),
    Column("customer", _("Customer")),
    unix("counts_at", _("Day that counts")),
    unix("created", _("Created")),
    Column("status", _("Status")),
    Column("description", _("Description")),
    Column("deal", _("Deal, from the metadata")),
    Column("product", _("Product, where there is only one")),
    Column("takes_back", _("Takes back")),
)


def _transactions(code: str, label: str, kind: str, shape: Shape, *more: Proposal, page: str = "") -> Object:
    link = f"https://dashboard.stripe.com/{page}/{{id}}" if page else ""
    return transactions(
        code,
        label,
        _PAID,
        shape,
        *more,
        day="counts_at",
        currency="currency",
        kind=kind,
        link=link,
        sweeps_deletes=True,
    )


_CUSTOMERS: Final = Object(
    "customers",
    "accounts",
    _("Customers"),
    (
        Column("id", "Id"),
        Column("name", _("Name"), is_writable=True),
        Column("email", _("E-mail"), is_writable=True),
        Column("phone", _("Phone"), is_writable=True),
        Column("description", _("Description"), is_writable=True),
        Column("address.country", _("Country")),
        Column("address.city", _("City")),
        Column("currency", _("Currency")),
        unix("created", _("Created")),
    ),
    (
        Proposal("external_id", "id"),
        Proposal("name", "name", master="fill"),
        Proposal("country", "address.country", clears=False, master="fill"),
        Proposal("city", "address.city", clears=False, master="fill"),
    ),
    shape=_customer,
    sweeps_deletes=True,
    link="https://dashboard.stripe.com/customers/{id}",
)
_SOLD: Final = (
    Column("id", "Id"),
    Column("name", _("Name")),
    number("amount", _("Price of one")),
    Column("currency", _("Currency")),
    Column("active", _("Active"), ColumnType.BOOLEAN),
)
_SELLS: Final = (
    Proposal("name", "name"),
    Proposal("code", "id"),
    Proposal("price", "amount", is_rounded=True, clears=False),
    Proposal("currency", "currency", clears=False),
)
_PRODUCTS: Final = Object(
    "products",
    "products",
    _("Products"),
    _SOLD,
    _SELLS,
    shape=_of_product,
    sweeps_deletes=True,
    link="https://dashboard.stripe.com/products/{id}",
)
_PRICES: Final = Object(
    "prices",
    "products",
    _("Prices, each as a product"),
    (*_SOLD, Column("product", _("Product")), Column("nickname", _("Nickname"))),
    _SELLS,
    shape=_of_price,
    sweeps_deletes=True,
    is_offered=False,
    link="https://dashboard.stripe.com/prices/{id}",
)
_SUBSCRIPTIONS: Final = subscriptions(
    _subscription,
    customer="customer",
    mrr="mrr",
    currency="currency",
    sweeps_deletes=True,
    link="https://dashboard.stripe.com/subscriptions/{id}",
)
_INVOICES: Final = _transactions(
    "invoices",
    _("Invoices"),
    "invoice",
    _money("invoice", _net),
    _ACCOUNT_OF,
    DEAL_OF,
    PRODUCT_OF,
    page="invoices",
)
_CHARGES: Final = _transactions(
    "charges",
    _("Payments"),
    "payment",
    _money("charge", lambda payload: payload.get("amount_captured")),
    _ACCOUNT_OF,
    DEAL_OF,
    page="payments",
)
_REFUNDS: Final = _transactions(
    "refunds", _("Refunds"), "refund", _money("refund", lambda payload: payload.get("amount"), -1), TAKES_BACK
)
_CREDIT_NOTES: Final = _transactions(
    "credit_notes", _("Credit notes"), "credit_note", _money("credit_note", _net, -1), _ACCOUNT_OF, TAKES_BACK
)
_DISPUTES: Final = _transactions(
    "disputes",
    _("Disputes"),
    "refund",
    _money("dispute", lambda payload: payload.get("amount"), -1),
    TAKES_BACK,
    page="disputes",
)

#: By object: the events that say that one changed, at most twenty.
_EVENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "customers": ("customer.created", "customer.updated", "customer.deleted"),
    "products": ("product.created", "product.updated", "product.deleted"),
    "prices": ("price.created", "price.updated", "price.deleted"),
    "subscriptions": (
        "customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted",
        "customer.subscription.paused", "customer.subscription.resumed",
        "customer.subscription.pending_update_applied", "customer.discount.created", "customer.discount.updated",
        "customer.discount.deleted",
    ),
    "invoices": (
        "invoice.created", "invoice.updated", "invoice.finalized", "invoice.paid", "invoice.payment_succeeded",
        "invoice.payment_failed", "invoice.voided", "invoice.marked_uncollectible", "invoice.deleted", "invoice.sent",
    ),
    "charges": (
        "charge.succeeded", "charge.captured", "charge.updated", "charge.refunded", "charge.failed", "charge.expired",
    ),
    "refunds": ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated", "charge.refunded"),
    "credit_notes": ("credit_note.created", "credit_note.updated", "credit_note.voided"),
    "disputes": (
        "charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed",
        "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated",
    ),
}  # fmt: skip
#: What Stripe calls one record of an object.
_CALLED: Final[Mapping[str, str]] = {
    "customer": "customers",
    "product": "products",
    "price": "prices",
    "subscription": "subscriptions",
    "invoice": "invoices",
    "charge": "charges",
    "refund": "refunds",
    "credit_note": "credit_notes",
    "dispute": "disputes",
}
#: What is told whole inside a record; at most four levels deep in a list.
_EXPANDED: Final[Mapping[str, tuple[str, ...]]] = {
    "products": ("default_price",),
    "prices": ("product",),
    "subscriptions": ("discounts.coupon.applies_to", "items.data.discounts"),
}
#: Lists that cannot be asked by the moment of creation in every version.
_WITHOUT_CREATED: Final = frozenset({"credit_notes"})


class Stripe(Vendor):
    """Stripe by its API for accounts and for accounts of a platform."""

    code = "stripe"
    label = "Stripe"
    family = "billing"
    api_url = "https://api.stripe.com/"
    settings = (
        Setting(
            "api_key",
            _("Key"),
            hint=_(
                "A restricted key (rk_…) with the right to read is enough. Keys of test mode begin with sk_test or rk_test."
            ),
            is_secret=True,
            pattern=r"(sk|rk)_(test|live)_[A-Za-z0-9_]{5,250}",
        ),
        Setting(
            "stripe_account",
            _("Connected account"),
            hint=_("Only for the key of a platform: the account to read (acct_…)."),
            is_required=False,
            pattern=r"acct_[A-Za-z0-9]{5,60}",
        ),
        Setting(
            "webhook_secret",
            _("Secret of the webhook endpoint"),
            hint=_("Begins with whsec_. Without webhooks changes come with the next sync."),
            is_secret=True,
            is_required=False,
        ),
    )
    objects = (
        _PRODUCTS,
        _PRICES,
        _CUSTOMERS,
        _SUBSCRIPTIONS,
        _INVOICES,
        _CHARGES,
        _REFUNDS,
        _CREDIT_NOTES,
        _DISPUTES,
    )
    #: Below the 25 a second of test mode; other programs share it.
    allowance = (20, 1.0)
    #: A lock that was not got in time passes; what is missing may be a 400.
    codes = {
        "lock_timeout": FaultKind.PASSING,
        "resource_missing": FaultKind.MISSING,
    }
    #: A delivery is only a notice as well: it has no order, and the version of its endpoint.
    hook_scheme = "stripe"
    hook_words = _CALLED
    webhook_help = _(
        "In Stripe under Developers, Webhooks, add an endpoint with this address for the events of customers,"
        " subscriptions, invoices, charges, refunds, credit notes and disputes, and enter its secret here."
    )

    def sign(self, headers: dict[str, str], http: Http) -> None:
        """The key, the pinned version, and the account of a platform."""
        headers["Authorization"] = f"Bearer {http.secret('api_key')}"
        headers["Stripe-Version"] = VERSION
        if account := http.settings.get("stripe_account"):
            headers["Stripe-Account"] = account

    def identify(self, http: Http) -> Identity:
        """The account of the key."""
        told = http.get("v1/account").json()
        name = (
            value_at(told, "settings.dashboard.display_name") or value_at(told, "business_profile.name") or told["id"]
        )
        return Identity(str(told["id"]), str(name))

    def columns(self, object: Object, http: Http) -> Sequence[Column]:
        """The known ones, and the keys of metadata that the newest records have."""
        rows = http.get(f"v1/{object.code}", {"limit": _PAGE, **_more_of(object.code)}).json()["data"]
        keys = dict.fromkeys(key for row in rows for key in row.get("metadata") or ())
        return (*object.columns, *(Column(f"metadata.{key}", key) for key in keys))

    # --- reading

    def read(self, object: Object, ask: Ask, http: Http) -> Page:
        """A page of the whole list, newest first, or of the events since; both go on behind the last row, so what is new
        while paging stands before it and is for the next sweep."""
        if ask.since is None:
            reply, rows, next_ = self._page(f"v1/{object.code}", object.code, _list_params(object.code), ask, http)
            return Page(self._raws(object, rows, _read_at(reply, http), http), next=next_)
        params: list[tuple[str, Any]] = [("types[]", name) for name in _EVENTS[object.code]]
        params.append(("created[gte]", int(ask.since.timestamp())))
        _reply, events, next_ = self._page("v1/events", "events", params, ask, http)
        if (http.vendor_time or ask.asked_at) - ask.since > _KEPT:
            raise Fault(FaultKind.GONE, _too_old())
        ids = dict.fromkeys(id for event in events for id in self._named(object, event, http))
        return Page(self.fetch(object, list(ids), http), next=next_)

    def _page(
        self, url: str, code: str, params: list[tuple[str, Any]], ask: Ask, http: Http
    ) -> tuple[Reply, list[Mapping[str, Any]], Json | None]:
        """A page of any list. Where the row that it should go on behind is gone, it goes on from that row's second."""
        params = [*params, ("limit", min(ask.size or _PAGE, _PAGE))]
        if ask.until is not None and code not in _WITHOUT_CREATED:
            params.append(("created[lt]", int(ask.until.timestamp())))
        position = ask.position or {}
        window = [] if not position or code in _WITHOUT_CREATED else [("created[lte]", position["window"])]
        try:
            reply = http.get(url, [*params, *window, *([("starting_after", position["after"])] if position else [])])
        except Fault as fault:
            if fault.kind is not FaultKind.MISSING or not window:
                raise
            reply = http.get(url, [*params, ("created[lte]", position["at"])])
        told = reply.json()
        rows = told["data"]
        if not told.get("has_more") or not rows:
            return reply, rows, None
        opened = position.get("window") or int(_read_at(reply, http).timestamp())
        return reply, rows, {"after": rows[-1]["id"], "at": rows[-1]["created"], "window": opened}

    def _named(self, object: Object, event: Mapping[str, Any], http: Http) -> list[str]:
        """The records of an object that an event says something about."""
        record: Mapping[str, Any] = value_at(event, "data.object") or {}
        called = record.get("object")
        if _CALLED.get(str(called)) == object.code:
            return [id_of(record)]
        if called == "discount" and object.code == "subscriptions":
            return [id_of(record.get("subscription"))] if record.get("subscription") else []
        if called == "charge" and object.code == "refunds":
            # Accounts of long ago hear of refunds only by their charge.
            rows = http.get("v1/refunds", {"charge": id_of(record), "limit": _PAGE}).json()["data"]
            return [id_of(row) for row in rows]
        return []

    def fetch(self, object: Object, external_ids: Sequence[str], http: Http, columns: Sequence[str] = ()) -> list[Raw]:
        """One by one: Stripe gives no several."""
        raws = []
        expand = [("expand[]", name) for name in _EXPANDED.get(object.code, ())]
        for external_id in external_ids:
            reply = http.get(f"v1/{object.code}/{external_id}", expand, expect=(404,))
            at = _read_at(reply, http)
            if reply.status == 404:
                raws.append(gone(external_id, at))
            else:
                raws += self._raws(object, [reply.json()], at, http)
        return raws

    def _raws(self, object: Object, rows: Iterable[Mapping[str, Any]], at: datetime, http: Http) -> list[Raw]:
        """Rows as read at a moment: Stripe tells no moment of change, so the later reading is the newer one."""
        prices: dict[str, Any] = {}
        raws = []
        for row in rows:
            is_gone = _is_gone(object.code, row)
            if object.code == "subscriptions" and not is_gone:
                row = _whole(row, http, prices)
            raws.append(Raw(id_of(row), version_of(at), row, is_deleted=is_gone))
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
        """Columns of a customer. Stripe knows no condition, so it is read just before; what is there already is done."""
        if object.code != "customers":
            raise NotImplementedError
        now = http.get(f"v1/customers/{external_id}").json()
        if now.get("deleted"):
            raise changed(self.label)
        if wanted := to_write(values, now, base, self.label):
            headers = {"Idempotency-Key": key}
            http.send("POST", f"v1/customers/{external_id}", form=wanted, headers=headers, is_safe=True)
        # A repeated key is answered with what was true then.
        return Written(self.fetch(object, [external_id], http)[0])

    # --- what replies mean

    def said(self, told: Any) -> Said:
        """Stripe's own codes and words."""
        error = told["error"]
        return Said(str(error.get("message") or ""), str(error.get("code") or ""))

    def meant(self, reply: Reply, said: Said) -> Verdict | None:
        """What conflicts passes, unless it is there already."""
        if reply.status == 409 and said.code != "resource_already_exists":
            return Verdict(FaultKind.PASSING, said.words)
        return None


def _more_of(code: str) -> dict[str, str]:
    """What a list must be asked with to hide nothing."""
    return {"status": "all"} if code == "subscriptions" else {}


def _list_params(code: str) -> list[tuple[str, Any]]:
    return [*_more_of(code).items(), *(("expand[]", f"data.{name}") for name in _EXPANDED.get(code, ()))]


def _read_at(reply: Reply, http: Http) -> datetime:
    """Stripe's clock when it answered."""
    return reply.date or http.vendor_time or BEGINNING


def _is_gone(code: str, row: Mapping[str, Any]) -> bool:
    """Whether a record does not count here: deleted, not yet or no longer worth anything."""
    if row.get("deleted"):
        return True
    status = row.get("status")
    if code == "invoices":
        return status in ("draft", "void")
    if code == "charges":
        return status != "succeeded" or not row.get("captured", True)
    if code == "refunds":
        return status not in _REFUNDED
    if code == "credit_notes":
        return status == "void"
    if code == "disputes":
        return status not in _WITHDRAWN
    if code == "subscriptions":
        start, end = _lives(row)
        return status in _NEVER_PAID or (end is not None and end - start < SHORTEST)
    return False


def _whole(row: Mapping[str, Any], http: Http, prices: dict[str, Any]) -> Mapping[str, Any]:
    """A subscription with all its items, and with the tiers of their prices."""
    items = list(value_at(row, "items.data") or ())
    if value_at(row, "items.has_more"):
        items = _all_items(id_of(row), http)
    return {**row, "items": {"data": [_with_tiers(item, http, prices) for item in items]}}


def _all_items(subscription: str, http: Http) -> list[Any]:
    """The items of a subscription from their own list, whose order may differ."""
    items: dict[str, Any] = {}
    params: Json = {"subscription": subscription, "limit": _PAGE}
    while True:
        told = http.get("v1/subscription_items", params).json()
        known = len(items)
        items |= {id_of(item): item for item in told["data"]}
        if not told.get("has_more"):
            return list(items.values())
        if len(items) == known:
            raise endless(_("Items of a subscription"))
        params = {**params, "starting_after": id_of(told["data"][-1])}


def _with_tiers(item: Mapping[str, Any], http: Http, prices: dict[str, Any]) -> Mapping[str, Any]:
    price: Mapping[str, Any] = item.get("price") or {}
    if price.get("billing_scheme") != "tiered" or price.get("tiers"):
        return item
    id = id_of(price)
    if id not in prices:
        prices[id] = http.get(f"v1/prices/{id}", {"expand[]": "tiers"}).json().get("tiers")
    return {**item, "price": {**price, "tiers": prices[id]}}


def _too_old() -> Problem:
    return Problem.of(
        "events-gone",
        _("Stripe keeps its events for thirty days, and the last sync is longer ago."),
        remedy=_("Nothing needs to be done: everything is read once more."),
    )


VENDOR: Final = Stripe()
