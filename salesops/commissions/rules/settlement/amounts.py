"""Working values of a settlement: the amounts of a period on their way to the payout, and how they are shared out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from salesops.commissions.rules.explain import exact_text
from salesops.commissions.rules.settlement.facts import SettledPart, Stage, merged_stages
from salesops.commissions.rules.settlement.lines import LineKind
from salesops.values.money import round_half_up
from salesops.values.split import split_by_largest_remainder


@dataclass(frozen=True)
class Part:
    """An amount of the period that multiplier and caps work on.

    reference: what it belongs to in the end; for something taken back by way of the curve, what that reverses.
    source: the reference of the line itself; the same for everything else. Both are "" for what a floor adds.
    """

    kind: LineKind
    component: str
    reference: str
    day: date
    earned_minor: int
    amount_minor: int
    source: str = ""
    stages: tuple[Stage, ...] = ()

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Orders parts, so that it does not matter in which order they were given."""
        return (self.component, self.reference, self.source, self.kind)


def total(parts: Iterable[Part]) -> int:
    """The sum of the parts."""
    return sum(part.amount_minor for part in parts)


def scaled(amounts: Sequence[int], factor: Fraction) -> list[int]:
    """Each amount times the factor, so that they add up to their rounded sum times the factor.

    What is left over goes to the largest remainders, ties to the earlier amount.
    """
    exact = [amount * factor for amount in amounts]
    parts = [number.numerator // number.denominator for number in exact]
    left_over = round_half_up(sum(exact, Fraction(0))) - sum(parts)
    order = sorted(range(len(parts)), key=lambda index: (parts[index] - exact[index], index))
    for index in order[:left_over]:
        parts[index] += 1
    return parts


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """Share an amount over weights, none of them below zero, by largest remainder; ties to the earlier weight."""
    return split_by_largest_remainder(amount, weights, range(len(weights))) if amount else [0] * len(weights)


def settled_parts(parts: Iterable[Part]) -> list[SettledPart]:
    """What each reference of a component came to, in the order of component and reference."""
    found: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        if part.reference:
            found.setdefault((part.component, part.reference), []).append(part)
    return [
        SettledPart(
            component,
            reference,
            min(part.day for part in same),
            sum(part.earned_minor for part in same),
            total(same),
            merged_stages(stage for part in same for stage in part.stages),
        )
        for (component, reference), same in sorted(found.items())
    ]


def percent(share: Fraction) -> str:
    """A share for reading: 1/4 is "25%"."""
    return f"{exact_text(share * 100)}%"
