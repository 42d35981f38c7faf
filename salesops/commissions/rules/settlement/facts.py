"""What is settled in a period, what one period hands to the next, and what comes out. All amounts are minor units."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

from salesops.commissions.rules.contests import Prize
from salesops.commissions.rules.settlement.lines import SettlementLine
from salesops.commissions.rules.settlement.plain import LEFT_OUT, as_plain, from_plain
from salesops.commissions.rules.settlement.terms import Release
from salesops.values.outcomes import Outcome
from salesops.values.periods import Period


@dataclass(frozen=True)
class Earning:
    """What a transaction earned by a component. Several of the same reference and component count as their sum.

    reverses: for something negative that came by way of the curve, the reference whose held part it is set off
    against first; without it, the part held for its own reference.
    """

    component: str
    reference: str
    day: date
    amount_minor: int
    reverses: str = ""
    late: str = ""


@dataclass(frozen=True)
class Stage:
    """What a part came to before and after a year-to-date limit."""

    limit: str
    year: str
    before_minor: int
    after_minor: int


@dataclass(frozen=True)
class SettledPart:
    """What one reference of a component came to in a period: earned, and after multiplier and caps.

    Kept with the statement. The sum of all parts of a reference (see `outstanding`) is what a reversal negates.
    """

    component: str
    reference: str
    day: date
    earned_minor: int
    settled_minor: int
    stages: tuple[Stage, ...] = ()


@dataclass(frozen=True)
class Reversal:
    """Something settled in an earlier period is cancelled, wholly or partly.

    reference: of the cancellation. original: the sum of all parts settled so far for what is cancelled, earlier
    reversals included. amount_minor: how much of `original.earned_minor` goes, with the opposite sign.
    """

    reference: str
    day: date
    amount_minor: int
    original: SettledPart


@dataclass(frozen=True)
class Achieved:
    """The share of an objective that was achieved; 1 is all of it."""

    objective: str
    share: Fraction


@dataclass(frozen=True)
class Occurrence:
    """Something a bonus pays for. prize: of a contest, whose component is then the bonus, and which has its own amount."""

    bonus: str
    reference: str
    day: date
    prize: Prize | None = field(default=None, metadata=LEFT_OUT)


@dataclass(frozen=True)
class Collection:
    """How much of an invoice had been paid, in all, at the end of the period; both net of credit notes."""

    reference: str
    paid_minor: int
    invoice_minor: int


@dataclass(frozen=True)
class Adjustment:
    """An amount entered by hand, with its reason, who prepared and who approved it.

    cause: for what a locked period should have paid beyond what it did, why (the end of a code of lines.REASONS); nobody
    prepared that, and `reason` is then the period.
    """

    reference: str
    amount_minor: int
    reason: str
    preparer: str
    approver: str
    cause: str = ""


@dataclass(frozen=True)
class PeriodInput:
    """Everything that is known about a person's period.

    year: the plan year, within which year-to-date limits count. target_minor: target pay of the period, prorated.
    active_share: the part of the period for which a draw is given. team_attainment: 1 is 100 %.
    collections: where the invoices of new and of held lines stand; no entry means that nothing is known to have changed.
    """

    period: Period
    year: str
    earnings: tuple[Earning, ...] = ()
    reversals: tuple[Reversal, ...] = ()
    achieved: tuple[Achieved, ...] = ()
    occurrences: tuple[Occurrence, ...] = ()
    collections: tuple[Collection, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    target_minor: int | None = None
    team_attainment: Fraction | None = None
    active_share: Fraction = Fraction(1)
    is_leaving: bool = False

    def as_plain(self) -> dict[str, Any]:
        """The input as plain JSON data."""
        plain: dict[str, Any] = as_plain(self)
        return plain


@dataclass(frozen=True)
class HeldPart:
    """A part that is not yet paid in full, with the release it was promised."""

    component: str
    reference: str
    day: date
    total_minor: int
    released_minor: int
    release: Release

    @property
    def held_minor(self) -> int:
        """What is still held."""
        return self.total_minor - self.released_minor


@dataclass(frozen=True)
class CutPart:
    """What a year-to-date cap cut off a part; paid when the cap has room for it later in the year."""

    component: str
    reference: str
    day: date
    cut_minor: int


@dataclass(frozen=True)
class YearTotal:
    """Where a year-to-date limit stands: what came through it, what it cut, what its floor has added."""

    limit: str
    settled_minor: int
    cuts: tuple[CutPart, ...] = ()
    guaranteed_minor: int = 0


@dataclass(frozen=True)
class DrawBalance:
    """What a person owes from a draw."""

    key: str
    owed_minor: int
    forgiven_on: date | None = None


@dataclass(frozen=True)
class Carried:
    """What one period hands to the next, also from plan to plan.

    until: first day not yet settled, None before the first period. brought_forward_minor: zero or what was taken back
    beyond what could be paid (negative). target_minor: target pay of the year so far.
    """

    currency: str
    until: date | None = None
    year: str = ""
    target_minor: int = 0
    brought_forward_minor: int = 0
    draws: tuple[DrawBalance, ...] = ()
    held: tuple[HeldPart, ...] = ()
    totals: tuple[YearTotal, ...] = ()

    @property
    def owed_minor(self) -> int:
        """What is owed from draws."""
        return sum(balance.owed_minor for balance in self.draws)

    @property
    def held_minor(self) -> int:
        """What is earned and not yet paid."""
        return sum(part.held_minor for part in self.held)

    def as_plain(self) -> dict[str, Any]:
        """The state as plain JSON data."""
        plain: dict[str, Any] = as_plain(self)
        return plain


@dataclass(frozen=True)
class Settled:
    """What a period pays, why, and what goes on into the next one.

    payout_minor: never below zero. owed_minor: what the person owes instead, where nothing is carried forward.
    """

    lines: tuple[SettlementLine, ...]
    payout_minor: int
    owed_minor: int
    parts: tuple[SettledPart, ...]
    carried: Carried

    def as_plain(self) -> dict[str, Any]:
        """The result as plain JSON data."""
        plain: dict[str, Any] = as_plain(self)
        return plain


def carried_from_plain(data: object, where: str = "carried") -> Outcome[Carried]:
    """Read what `Carried.as_plain` wrote."""
    return from_plain(Carried, data, where)


def input_from_plain(data: object, where: str = "period") -> Outcome[PeriodInput]:
    """Read what `PeriodInput.as_plain` wrote."""
    return from_plain(PeriodInput, data, where)


def settled_from_plain(data: object, where: str = "settled") -> Outcome[Settled]:
    """Read what `Settled.as_plain` wrote."""
    return from_plain(Settled, data, where)


def outstanding(parts: tuple[SettledPart, ...]) -> SettledPart:
    """What is left of one reference of a component: the sum of everything settled for it, reversals included.

    Raises ValueError for no parts, or parts of different references.
    """
    keys = {(part.component, part.reference) for part in parts}
    if len(keys) != 1:
        raise ValueError("Only parts of one reference and component can be added up.")
    ((component, reference),) = keys
    return SettledPart(
        component,
        reference,
        min(part.day for part in parts),
        sum(part.earned_minor for part in parts),
        sum(part.settled_minor for part in parts),
        merged_stages(stage for part in parts for stage in part.stages),
    )


def merged_stages(stages: Iterable[Stage]) -> tuple[Stage, ...]:
    """Stages of the same limit and year added up, in the order of limit and year."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for stage in stages:
        before, after = sums.get((stage.limit, stage.year), (0, 0))
        sums[stage.limit, stage.year] = before + stage.before_minor, after + stage.after_minor
    return tuple(Stage(*key, *amounts) for key, amounts in sorted(sums.items()) if any(amounts))
