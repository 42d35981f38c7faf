"""Payout curves: what a credited total is worth, exactly, as an ordered list of straight segments with jumps."""

import bisect
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from math import ceil, floor, lcm
from typing import Any, Final

from salesops.values.money import MAX_MINOR, MIN_MINOR, round_half_up
from salesops.values.outcomes import Outcome, Problem, gettext_noop

# A segment's numbers become 64-bit columns over one denominator; beyond these the columns could not hold them.
MOST_DENOMINATOR: Final = 2**62
# More segments than any plan has; keeps a curve read from a file from growing without end.
MOST_SEGMENTS: Final = 1000

_EXACT = re.compile(r"-?[0-9]{1,40}(/[0-9]{1,40})?", re.ASCII)


class CurveError(ValueError):
    """A curve that cannot exist; the message says why."""


class Boundary(StrEnum):
    """Which side owns a boundary: the tier that begins there (upper) or the one that ends there (lower)."""

    UPPER = "upper"
    LOWER = "lower"


@dataclass(frozen=True)
class Segment:
    """A straight piece: from `start` on the curve is `height + slope * (x - start)`.

    start: credited total at which it begins, in units of the measure (minor units where money is measured).
    height, slope: pay in minor units, and pay per unit of the measure.
    label: a stable word for what it is ("tier:2", "gate", "cap"), "" when nothing is known.
    The first segment of a curve also reaches below its start without end.
    """

    start: Fraction
    height: Fraction
    slope: Fraction
    label: str = ""

    def at(self, x: int | Fraction) -> Fraction:
        """The height of this straight line at `x`, whether or not the segment owns `x`."""
        return self.height + self.slope * (x - self.start)


@dataclass(frozen=True)
class Piece:
    """A part of the way between two credited totals: along one segment, or up a jump (then `x_from == x_to`).

    amount: what this part adds, exact, in minor units; the parts of a way add up to the difference of the heights.
    """

    kind: str
    segment: int
    x_from: Fraction
    x_to: Fraction
    rate: Fraction
    amount: Fraction
    label: str = ""


@dataclass(frozen=True)
class SegmentNumbers:
    """A segment as 64-bit integers: from total `first` on, pay is `whole + (rest + slope * x) / denominator`."""

    segment: int
    first: int
    whole: int
    rest: int
    slope: int
    denominator: int


@dataclass(frozen=True)
class Curve:
    """A payout curve: ordered segments, and who owns the boundaries between them. Raises CurveError when malformed."""

    segments: tuple[Segment, ...]
    boundary: Boundary = Boundary.UPPER

    def __post_init__(self) -> None:
        """Refuse a curve without segments, out of order, or with numbers that are not exact."""
        if not isinstance(self.boundary, Boundary):
            raise CurveError(f"{self.boundary!r} does not say who owns a boundary.")
        if not self.segments:
            raise CurveError("A curve needs at least one segment.")
        if len(self.segments) > MOST_SEGMENTS:
            raise CurveError(f"A curve has at most {MOST_SEGMENTS} segments.")
        for segment in self.segments:
            for number in (segment.start, segment.height, segment.slope):
                if not isinstance(number, Fraction):
                    raise CurveError(f"{number!r} is not an exact number: a Fraction is needed.")
            if not MIN_MINOR < segment.start < MAX_MINOR:
                raise CurveError(f"A segment cannot begin at {segment.start}: totals are 64-bit numbers.")
        for before, after in zip(self.segments, self.segments[1:], strict=False):
            if after.start <= before.start:
                raise CurveError(f"The segments are not in order: {after.start} comes after {before.start}.")

    @cached_property
    def _starts(self) -> list[Fraction]:
        return [segment.start for segment in self.segments[1:]]

    def segment_at(self, x: int | Fraction) -> int:
        """The index of the segment that owns the total `x`."""
        if self.boundary is Boundary.UPPER:
            return bisect.bisect_right(self._starts, x)
        return bisect.bisect_left(self._starts, x)

    def since(self, total: int) -> "Curve":
        """The curve of what a total is worth where everything up to `total` was settled before: every line goes through
        nothing there. Meant for curves whose lines all go through nothing at 0, as retroactive tiers do.
        """
        moved = (replace(segment, height=segment.at(segment.start - total)) for segment in self.segments)
        return Curve(tuple(moved), self.boundary)

    def height(self, x: int | Fraction) -> Fraction:
        """What a credited total of `x` is worth in minor units, exact."""
        return self.segments[self.segment_at(x)].at(x)

    def pay(self, x: int) -> int:
        """What a credited total of `x` is worth in minor units, rounded by the rounding rule."""
        return round_half_up(self.height(x))

    def earned(self, x_from: int, x_to: int) -> int:
        """What moving from one total to another earns by the cumulative rule: the difference of the rounded heights."""
        return self.pay(x_to) - self.pay(x_from)

    def stretch(self, x_from: int, x_to: int) -> tuple[Piece, ...]:
        """The way from one total to another in the order it is walked, piece by piece.

        Going down gives the same pieces backwards with the opposite sign. Pieces of no length are left out; a jump
        belongs to the way only when the boundary is crossed or reached on the side that owns it.
        """
        if x_to < x_from:
            return tuple(
                replace(piece, x_from=piece.x_to, x_to=piece.x_from, amount=-piece.amount)
                for piece in reversed(self.stretch(x_to, x_from))
            )
        first, last = self.segment_at(x_from), self.segment_at(x_to)
        pieces: list[Piece] = []
        here = Fraction(x_from)
        for index in range(first, last + 1):
            segment = self.segments[index]
            if index > first:
                jump = segment.height - self.segments[index - 1].at(segment.start)
                if jump:
                    pieces.append(Piece("jump", index, here, here, Fraction(0), jump, segment.label))
            end = Fraction(x_to) if index == last else self.segments[index + 1].start
            if end > here:
                amount = segment.slope * (end - here)
                pieces.append(Piece("slope", index, here, end, segment.slope, amount, segment.label))
            here = end
        return tuple(pieces)

    def jumps(self) -> list[tuple[int, Fraction]]:
        """Index of each segment the curve jumps to, with the size of the jump in minor units."""
        found = []
        for index in range(1, len(self.segments)):
            segment = self.segments[index]
            size = segment.height - self.segments[index - 1].at(segment.start)
            if size:
                found.append((index, size))
        return found

    @property
    def is_rising(self) -> bool:
        """Whether more credit never lowers the pay: no falling slope and no jump down."""
        return all(segment.slope >= 0 for segment in self.segments) and all(size > 0 for _index, size in self.jumps())

    def numbers(self) -> list[SegmentNumbers]:
        """The curve as integers for columns, one row a segment that owns at least one whole total.

        Raises CurveError when a segment cannot be written in 64-bit numbers.
        """
        rows: list[SegmentNumbers] = []
        for index, segment in enumerate(self.segments):
            if index == 0:
                first = MIN_MINOR
            elif self.boundary is Boundary.UPPER:
                first = ceil(segment.start)
            else:
                first = floor(segment.start) + 1
            at_zero = segment.at(0)
            denominator = lcm(at_zero.denominator, segment.slope.denominator)
            whole = floor(at_zero)
            rest = (at_zero - whole) * denominator
            slope = segment.slope * denominator
            if denominator > MOST_DENOMINATOR or abs(slope) > MAX_MINOR or not MIN_MINOR <= whole <= MAX_MINOR:
                raise CurveError(f"Segment {index + 1} is too fine or too steep to be kept in 64-bit numbers.")
            if rows and rows[-1].first == first:
                rows.pop()
            rows.append(SegmentNumbers(index, first, whole, int(rest), int(slope), denominator))
        return rows

    def as_plain(self) -> dict[str, Any]:
        """The curve as plain JSON data; numbers are exact text such as "3/40"."""
        return {
            "boundary": self.boundary.value,
            "segments": [
                {
                    "start": str(segment.start),
                    "height": str(segment.height),
                    "slope": str(segment.slope),
                    "label": segment.label,
                }
                for segment in self.segments
            ],
        }


# --- Shapes -------------------------------------------------------------------------------------------------------


def flat(rate: Fraction, boundary: Boundary = Boundary.UPPER) -> Curve:
    """One slope: the same rate on everything. The boundary matters only to a gate put on it later."""
    return Curve((Segment(Fraction(0), Fraction(0), rate, "tier:1"),), boundary)


def marginal(tiers: Sequence[tuple[Fraction, Fraction]], boundary: Boundary = Boundary.UPPER) -> Curve:
    """Each tier's rate on the part of the total that lies in it: the slope changes, nothing jumps.

    `tiers` are (where it begins, rate), beginning at 0 or above; below the first nothing is paid.
    """
    segments = _from_zero(tiers)
    height = Fraction(0)
    for index, (start, rate) in enumerate(tiers):
        if index:
            before_start, before_rate = tiers[index - 1]
            height += before_rate * (start - before_start)
        segments.append(Segment(start, height, rate, f"tier:{index + 1}"))
    return Curve(tuple(segments), boundary)


def retroactive(tiers: Sequence[tuple[Fraction, Fraction]], boundary: Boundary = Boundary.UPPER) -> Curve:
    """The rate of the tier reached, on everything from the first unit: the curve jumps to the new line."""
    segments = _from_zero(tiers)
    segments.extend(
        Segment(start, rate * start, rate, f"tier:{index + 1}") for index, (start, rate) in enumerate(tiers)
    )
    return Curve(tuple(segments), boundary)


def steps(amounts: Sequence[tuple[Fraction, Fraction]], boundary: Boundary = Boundary.UPPER) -> Curve:
    """Fixed amounts: `amounts` are (total reached, pay from there on); nothing before the first."""
    segments = _from_zero(amounts) or [Segment(Fraction(-1), Fraction(0), Fraction(0), "below")]
    segments.extend(Segment(start, pay, Fraction(0), f"step:{index + 1}") for index, (start, pay) in enumerate(amounts))
    return Curve(tuple(segments), boundary)


def joined(
    points: Sequence[tuple[Fraction, Fraction]],
    boundary: Boundary = Boundary.UPPER,
    *,
    is_continued: bool = False,
) -> Curve:
    """Straight lines between points (total, pay). The pay of the first point holds below it.

    After the last point the pay stays as it is or, with `is_continued`, goes on with the last slope.
    """
    if len(points) < 2:
        raise CurveError("Joined points need at least two points.")
    segments = [Segment(points[0][0] - 1, points[0][1], Fraction(0), "point:0")]
    slope = Fraction(0)
    for index, ((start, pay), (end, next_pay)) in enumerate(itertools.pairwise(points)):
        if end <= start:
            raise CurveError(f"The points are not in order: {end} comes after {start}.")
        slope = (next_pay - pay) / (end - start)
        segments.append(Segment(start, pay, slope, f"point:{index + 1}"))
    last, last_pay = points[-1]
    segments.append(Segment(last, last_pay, slope if is_continued else Fraction(0), f"point:{len(points)}"))
    return Curve(tuple(segments), boundary)


def gated(curve: Curve, at: Fraction, *, is_from_gate: bool = False) -> Curve:
    """Nothing until the total reaches `at`. Then all that the curve says, or only what lies above the gate."""
    index = bisect.bisect_right([segment.start for segment in curve.segments[1:]], at)
    height = curve.segments[index].at(at)
    taken = height if is_from_gate else Fraction(0)
    opened = curve.segments[index]
    segments = [
        Segment(at - 1, Fraction(0), Fraction(0), "gate"),
        Segment(at, height - taken, opened.slope, opened.label),
        *(replace(segment, height=segment.height - taken) for segment in curve.segments[index + 1 :]),
    ]
    return Curve(tuple(segments), curve.boundary)


def capped(curve: Curve, most: Fraction) -> Curve:
    """Never more than `most` minor units: flat wherever the curve would be higher."""
    return _clipped(curve, most, "cap", is_upper=True)


def floored(curve: Curve, least: Fraction, since: Fraction | None = None) -> Curve:
    """Never less than `least` minor units: flat wherever the curve would be lower. With `since` only from there on."""
    raised = _clipped(curve, least, "floor", is_upper=False)
    if since is None:
        return raised
    first, last = curve.segments[0], raised.segments[bisect.bisect_right(raised._starts, since)]
    below = min(first.start, since - 1)
    segments = [
        replace(first, start=below, height=first.at(below)),
        *(segment for segment in curve.segments[1:] if segment.start < since),
        replace(last, start=since, height=last.at(since)),
        *(segment for segment in raised.segments[1:] if segment.start > since),
    ]
    return Curve(tuple(segments), curve.boundary)


def _from_zero(rows: Sequence[tuple[Fraction, Fraction]]) -> list[Segment]:
    """What lies below the first row: nothing when the row begins at zero, since its own line goes on below it."""
    if not rows:
        raise CurveError("At least one tier or step is needed.")
    for (start, _value), (end, _next_value) in itertools.pairwise(rows):
        if end <= start:
            raise CurveError(f"The bounds are not in order: {end} comes after {start}.")
    if rows[0][0] < 0:
        raise CurveError("A tier or step cannot begin below zero.")
    return [Segment(Fraction(0), Fraction(0), Fraction(0), "below")] if rows[0][0] > 0 else []


def _clipped(curve: Curve, limit: Fraction, label: str, *, is_upper: bool) -> Curve:
    """Cut the curve at a height, splitting the segments that cross it at the exact, perhaps fractional, total."""
    result: list[Segment] = []
    was_cut = False
    for index, segment in enumerate(curve.segments):
        low = segment.start if index else None
        high = curve.segments[index + 1].start if index + 1 < len(curve.segments) else None
        for start, is_cut in _cuts(segment, limit, low, high, is_upper=is_upper):
            if not is_cut:
                result.append(replace(segment, start=start, height=segment.at(start)))
            elif not was_cut:
                result.append(Segment(start, limit, Fraction(0), label))
            was_cut = is_cut
    return Curve(tuple(result), curve.boundary)


def _cuts(
    segment: Segment, limit: Fraction, low: Fraction | None, high: Fraction | None, *, is_upper: bool
) -> list[tuple[Fraction, bool]]:
    """Where the parts of a segment over [low, high) begin, and whether each is cut off; None is without end."""
    if not segment.slope:
        over = segment.height - limit
        return [(segment.start, over > 0 if is_upper else over < 0)]
    crossing = segment.start + (limit - segment.height) / segment.slope
    is_cut_before = (segment.slope < 0) == is_upper
    if low is not None and crossing <= low:
        return [(low, not is_cut_before)]
    if high is not None and crossing >= high:
        return [(segment.start, is_cut_before)]
    begin = min(segment.start, crossing - 1) if low is None else low
    return [(begin, is_cut_before), (crossing, not is_cut_before)]


# --- Checking and reading -----------------------------------------------------------------------------------------


def curve_problems(
    curve: Curve, *, where: str = "", is_falling_allowed: bool = False, most_rate: Fraction | None = None
) -> list[Problem]:
    """What speaks against paying by this curve.

    A credited total of zero must be worth nothing (otherwise the lines would not add up to the pay); more credit must
    not lower the pay unless the plan says so; no rate may be above `most_rate`; all numbers must fit 64-bit columns.
    """
    problems = []
    if curve.height(0) != 0:
        problems.append(
            Problem.of(
                "curve-not-from-zero",
                gettext_noop("A credited total of zero would already pay %(pay)s minor units."),
                where=where,
                remedy=gettext_noop("Begin the curve at zero; a guaranteed amount belongs into a draw or a bonus."),
                pay=curve.height(0),
            )
        )
    if not is_falling_allowed and not curve.is_rising:
        problems.append(
            Problem.of(
                "curve-falls",
                gettext_noop("More credit would lower the pay somewhere on the curve."),
                where=where,
                remedy=gettext_noop("Raise the later rates or amounts, or allow a falling curve on the component."),
            )
        )
    if most_rate is not None:
        for index, segment in enumerate(curve.segments):
            if segment.slope > most_rate:
                problems.append(
                    Problem.of(
                        "rate-absurd",
                        gettext_noop("The rate %(rate)s of segment %(number)s is above the bound %(bound)s."),
                        where=where,
                        remedy=gettext_noop("Check for a missing percent sign or a wrong quota."),
                        rate=segment.slope,
                        number=index + 1,
                        bound=most_rate,
                    )
                )
    try:
        curve.numbers()
    except CurveError as error:
        problems.append(
            Problem.of(
                "curve-too-fine",
                gettext_noop("The curve cannot be calculated exactly: %(reason)s"),
                where=where,
                remedy=gettext_noop("Use fewer decimals in the rates, or rounder quotas and targets."),
                reason=error,
            )
        )
    return problems


def curve_from_plain(plain: object, where: str = "curve") -> Outcome[Curve]:
    """Read a curve as `Curve.as_plain` writes it; everything wrong with it comes back as problems with their place."""
    if not isinstance(plain, dict) or not isinstance(plain.get("segments"), list):
        return Outcome.bad(_unreadable(where, plain))
    problems: list[Problem] = []
    if plain.get("boundary") not in set(Boundary):
        problems.append(_unreadable(f"{where}.boundary", plain.get("boundary")))
    segments: list[Segment] = []
    for index, row in enumerate(plain["segments"][: MOST_SEGMENTS + 1]):
        place = f"{where}.segments[{index}]"
        if not isinstance(row, dict):
            problems.append(_unreadable(place, row))
            continue
        numbers = {name: _exact(row.get(name)) for name in ("start", "height", "slope")}
        label = row.get("label", "")
        problems.extend(
            _unreadable(f"{place}.{name}", row.get(name)) for name, value in numbers.items() if value is None
        )
        if not isinstance(label, str) or len(label) > 100:
            problems.append(_unreadable(f"{place}.label", label))
        found = [value for value in numbers.values() if value is not None]
        if len(found) == 3 and isinstance(label, str):
            segments.append(Segment(found[0], found[1], found[2], label))
    if problems:
        return Outcome.bad(*problems)
    try:
        return Outcome.good(Curve(tuple(segments), Boundary(plain["boundary"])))
    except CurveError as error:
        return Outcome.bad(
            Problem.of("curve-malformed", gettext_noop("The curve is malformed: %(reason)s"), where=where, reason=error)
        )


def _exact(text: object) -> Fraction | None:
    if not isinstance(text, str) or not _EXACT.fullmatch(text):
        return None
    numerator, _, denominator = text.partition("/")
    divisor = int(denominator or "1")
    return Fraction(int(numerator), divisor) if divisor else None


def _unreadable(where: str, value: object) -> Problem:
    return Problem.of(
        "curve-unreadable",
        gettext_noop("%(value)s cannot be read here."),
        where=where,
        remedy=gettext_noop('Numbers are exact text such as "12500" or "3/40"; the boundary is upper or lower.'),
        value=repr(value)[:80],
    )
