"""Sharing a whole number among several so that nothing is lost: the method of largest remainders."""

from collections.abc import Sequence
from fractions import Fraction
from typing import TypeVar

from salesops.values.money import MoneyError

Key = TypeVar("Key", str, int)


def split_by_largest_remainder(total: int, weights: Sequence[int | Fraction], keys: Sequence[Key]) -> list[int]:
    """Share `total` minor units in proportion to `weights`; the parts come in the order given and add up to `total`.

    Each part is within one unit of its exact share. Units left over go to the largest remainders, ties to the smaller
    key, so the order in which people are listed changes nothing. A negative total is the mirror image of the positive
    one. A weight of zero gets nothing. Raises MoneyError for no weights, a negative weight, all weights zero, keys
    that repeat or do not match the weights in number.
    """
    if isinstance(total, bool) or not isinstance(total, int):
        raise MoneyError(f"{total!r} is not a whole number of minor units.")
    if len(weights) != len(keys):
        raise MoneyError(f"There are {len(weights)} weights for {len(keys)} keys.")
    if len(set(keys)) != len(keys):
        raise MoneyError("The same key is listed twice in a split.")
    shares = [_weight(weight) for weight in weights]
    whole = sum(shares, Fraction(0))
    if not whole:
        raise MoneyError("There is nobody to share among: the weights are empty or all zero.")
    sign = -1 if total < 0 else 1
    exact = [abs(total) * share / whole for share in shares]
    parts = [share.numerator // share.denominator for share in exact]
    left_over = abs(total) - sum(parts)
    order = sorted(range(len(keys)), key=lambda index: (parts[index] - exact[index], keys[index]))
    for index in order[:left_over]:
        parts[index] += 1
    return [sign * part for part in parts]


def _weight(weight: int | Fraction) -> Fraction:
    if isinstance(weight, bool) or not isinstance(weight, int | Fraction):
        raise MoneyError(f"{weight!r} is not an exact weight: give an integer or a Fraction.")
    if weight < 0:
        raise MoneyError(f"A share cannot be negative ({weight}).")
    return Fraction(weight)
