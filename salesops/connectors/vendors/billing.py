"""What billing systems have in common: transactions and subscriptions as rows, and edits of a customer."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from salesops.connectors.rules.mapping import Unknown
from salesops.connectors.vendors.base import Column, ColumnType, Fault, FaultKind, Object, Proposal, Shape
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

#: Keys of metadata and custom fields under which companies keep the deal, in the order in which they count.
DEAL_KEYS: Final = ("deal_id", "salesforce_id", "opportunity_id", "hubspot_deal_id", "pipedrive_deal_id", "crm_deal_id")
#: A subscription that ended sooner than so many seconds has not lived a day in every zone, and never paid.
SHORTEST: Final = 25 * 3_600

#: What a transaction is about, where it says so.
DEAL_OF: Final = Proposal("deal", "deal", on_unknown=Unknown.EMPTY)
PRODUCT_OF: Final = Proposal("product", "product", on_unknown=Unknown.EMPTY)
TAKES_BACK: Final = Proposal("reverses", "takes_back", clears=False)


def number(path: str, label: str) -> Column:
    """A column of numbers."""
    return Column(path, label, ColumnType.NUMBER)


def unix(path: str, label: str) -> Column:
    """A column of moments in seconds since 1970."""
    return Column(path, label, ColumnType.UNIX)


def money(value: Any) -> Decimal:
    """An amount, also where it was kept as text; nothing for what is none."""
    try:
        return Decimal(str(value)) if value not in (None, "") else Decimal(0)
    except InvalidOperation:
        return Decimal(0)


def transactions(
    code: str,
    label: str,
    columns: tuple[Column, ...],
    shape: Shape,
    *more: Proposal,
    day: str,
    currency: str,
    kind: str = "",
    link: str = "",
    sweeps_deletes: bool = False,
) -> Object:
    """The object of what is paid or owed: its `shape` gives key and net. `more`: whom and what it is about. `kind`: what all
    of them are, where no column says it."""
    proposals = (
        Proposal("source_key", "key"),
        Proposal("kind", constant=kind) if kind else Proposal("kind", "kind"),
        Proposal("effective_on", day),
        Proposal("amount", "net"),
        Proposal("currency", currency),
        *more,
    )
    return Object(
        code, "transactions", label, columns, proposals, shape=shape, link=link, sweeps_deletes=sweeps_deletes
    )


def subscriptions(
    shape: Shape, *, customer: str, mrr: str, currency: str, link: str, sweeps_deletes: bool = False
) -> Object:
    """The object of a system's subscriptions: its `shape` gives name, seats, starts and ends."""
    return Object(
        "subscriptions",
        "subscriptions",
        _("Subscriptions"),
        (
            Column("id", "Id"),
            Column("name", _("Name")),
            Column(customer, _("Customer")),
            number(mrr, _("Monthly recurring revenue")),
            Column(currency, _("Currency")),
            number("seats", _("Seats")),
            unix("starts", _("First day that is paid for")),
            unix("ends", _("End")),
            Column("status", _("Status")),
        ),
        (
            Proposal("external_id", "id"),
            Proposal("account", customer, lookup_by="external_id"),
            Proposal("name", "name"),
            Proposal("mrr", mrr, is_rounded=True),
            Proposal("currency", currency),
            Proposal("seats", "seats"),
            Proposal("start_on", "starts"),
            Proposal("end_on", "ends"),
        ),
        shape=shape,
        link=link,
        sweeps_deletes=sweeps_deletes,
    )


def to_write(values: Mapping[str, Any], now: Mapping[str, Any], base: Mapping[str, Any], vendor: str) -> dict[str, Any]:
    """Which columns of a customer, as it is `now`, are still to be written; empty text takes a value away.

    For vendors that know no condition: raises Fault CHANGED where one of them is no longer as it was last seen (`base`).
    """
    wanted = {path: value or "" for path, value in values.items() if (now.get(path) or "") != (value or "")}
    if any((now.get(path) or "") != (base.get(path) or "") for path in wanted):
        raise changed(vendor)
    return wanted


def changed(vendor: str) -> Fault:
    """The fault of a write to a customer whom somebody else was faster to change."""
    return Fault(
        FaultKind.CHANGED,
        Problem.of(
            "changed-elsewhere",
            _("The customer was changed in %(vendor)s in the meantime."),
            remedy=_("The change there is brought in first."),
            vendor=vendor,
        ),
    )
