"""Reads an amount as a person types it into a form."""

from __future__ import annotations

import re
from decimal import Decimal

from salesops.values.money import MoneyError

_GROUPED = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?|[0-9]+(\.[0-9]+)?", re.ASCII)


def parse_money(text: str) -> Decimal:
    """ "1,234.50", "1234.5", "-3" or "−3" in major units. A comma groups thousands; anything else is refused, not guessed.

    Raises MoneyError.
    """
    bare = re.sub(r"[\s\u00a0\u202f_']", "", text).replace("−", "-")
    sign, digits = ("-", bare[1:]) if bare.startswith("-") else ("", bare)
    if len(digits) > 40 or not _GROUPED.fullmatch(digits):
        raise MoneyError(f"{text[:40]!r} is not an amount. Write it like 1,234.50.")
    return Decimal(sign + digits.replace(",", ""))
