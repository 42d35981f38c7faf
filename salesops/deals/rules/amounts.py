"""What a line comes to, what a deal comes to, and whether shares add up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from salesops.values.money import MoneyError, check_minor, round_half_up
from salesops.values.outcomes import Problem, gettext_noop

#: Basis points of the whole.
WHOLE_BP: Final = 10_000

#: Beside the columns of a share that an import brings: which others, without a record of their own, it takes the place of.
DROPPED_SHARES: Final = "dropped_shares"

#: Beyond this a quantity is a slip of the keyboard; it also keeps exact arithmetic cheap.
MOST_QUANTITY: Final = Decimal("1000000000")


def line_amount(quantity: Decimal, unit_price_minor: int, discount_bp: int) -> int:
    """Quantity × price × (1 − discount) in minor units, rounded once, half up. Raises MoneyError for what cannot be."""
    if not quantity.is_finite() or abs(quantity) > MOST_QUANTITY:
        raise MoneyError(f"{quantity} is not a quantity.")
    if not 0 <= discount_bp <= WHOLE_BP:
        raise MoneyError(f"A discount lies between 0 and {WHOLE_BP} basis points, not {discount_bp}.")
    exact = Fraction(quantity) * check_minor(unit_price_minor) * Fraction(WHOLE_BP - discount_bp, WHOLE_BP)
    return check_minor(round_half_up(exact))


def deal_amount(line_amounts: Iterable[int]) -> int:
    """The sum of the lines. Raises MoneyError beyond 64 bits."""
    return check_minor(sum(line_amounts))


@dataclass(frozen=True, slots=True)
class Share:
    """A person's part of a deal in a function, in basis points; one on top takes from nobody."""

    person_id: int
    function: str
    share_bp: int
    is_overlay: bool = False


def problems_of_shares(shares: Sequence[Share]) -> tuple[Problem, ...]:
    """Why these shares cannot be a deal's: each above zero, nobody twice in a function, 10,000 together but for those on
    top, of which each person has 10,000 at most together.

    No shares at all, or only some on top, are fine: the owner then has the whole.
    """
    if not shares:
        return ()
    problems: list[Problem] = []
    if any(share.share_bp <= 0 for share in shares):
        problems.append(Problem.of("share-not-positive", gettext_noop("Each share must be above zero.")))
    if len({(share.person_id, share.function) for share in shares}) != len(shares):
        problems.append(
            Problem.of("share-twice", gettext_noop("The same person is listed twice in the same function."))
        )
    on_top: dict[int, int] = {}
    for share in shares:
        if share.is_overlay:
            on_top[share.person_id] = on_top.get(share.person_id, 0) + share.share_bp
    if any(sum_bp > WHOLE_BP for sum_bp in on_top.values()):
        text = gettext_noop("What one person has on top is at most 100 per cent together, whatever the function.")
        problems.append(Problem.of("share-too-large", text))
    total = sum(share.share_bp for share in shares if not share.is_overlay)
    if total != WHOLE_BP and not all(share.is_overlay for share in shares):
        problems.append(
            Problem.of(
                "shares-not-whole",
                gettext_noop("The shares add up to %(total)s %%, not to 100 %%."),
                total=percent(total),
            )
        )
    return tuple(problems)


def percent(share_bp: int) -> str:
    """Basis points as plain percent: 3,333 is "33.33", 5,000 is "50"."""
    return format((Decimal(share_bp) / 100).normalize(), "f")
