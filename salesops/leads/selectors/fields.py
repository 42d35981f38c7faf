"""What conditions may ask of leads, read: many leads in columns, or one."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

import numpy as np
from django.db.models import QuerySet

from salesops.leads.models import Lead
from salesops.leads.rules.fields import EXPONENT, OF_A_LEAD, Known, domain_of
from salesops.values.formulas import Kind
from salesops.values.money import exponent

# Where each field is read, where that is not its name, and how it is made of what is read.
_READ: Final = {"segment": "segment__code", "value": "estimated_minor", "domain": "email", "has_phone": "phone"}
_MADE: Final[dict[str, Callable[[Any], Any]]] = {"domain": domain_of, "has_phone": lambda phone: bool(phone.strip())}


def known_of(leads: QuerySet[Lead], names: Collection[str] = tuple(OF_A_LEAD)) -> Known:
    """These fields of leads in columns, ordered by the leads' keys; one query."""
    asked = [name for name in OF_A_LEAD if name in names]
    read = ["pk", *dict.fromkeys(_READ.get(name, name) for name in asked)]
    if "value" in asked and "currency" not in read:
        read.append("currency")
    rows = list(leads.order_by("pk").values_list(*read))
    columns: dict[str, Any] = dict(zip(read, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(read, ())
    count = len(rows)
    values: dict[str, Any] = {}
    is_known: dict[str, Any] = {}
    for name in asked:
        found = columns[_READ.get(name, name)]
        if name in _MADE:
            found = [_MADE[name](value) for value in found]
        kind = OF_A_LEAD[name].kind
        if kind is Kind.TEXT:
            values[name] = np.empty(count, dtype=object)
            values[name][:] = [value or "" for value in found]
        elif kind is Kind.BOOLEAN:
            values[name] = np.fromiter(found, dtype=np.bool_, count=count)
        else:
            is_known[name] = np.fromiter((value is not None for value in found), dtype=np.bool_, count=count)
            values[name] = np.fromiter((value or 0 for value in found), dtype=np.int64, count=count)
    decimals = {currency: exponent(currency) for currency in set(columns.get("currency", ()))}
    return Known(
        lead=np.fromiter(columns["pk"], dtype=np.int64, count=count),
        exponent=np.fromiter((decimals[code] for code in columns["currency"]), dtype=np.int64, count=count)
        if decimals
        else np.zeros(count, dtype=np.int64),
        values=values,
        is_known=is_known,
    )


def facts_of(lead: Lead) -> dict[str, Any]:
    """The same of one lead, as a formula evaluates it: `formula.evaluate(facts_of(lead), EXPONENT)`; None for a blank."""
    found: dict[str, Any] = {EXPONENT: exponent(lead.currency)}
    for name in OF_A_LEAD:
        path = _READ.get(name, name)
        value = lead.segment and lead.segment.code if name == "segment" else getattr(lead, path)
        found[name] = _MADE[name](value) if name in _MADE else value
    return found
