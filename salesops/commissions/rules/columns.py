"""The columnar calculator: credits in, earnings out, whole columns of 64-bit integers at a time, exact in DuckDB."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt

from salesops.commissions.rules.curves import Curve
from salesops.commissions.rules.rounding import Rounding
from salesops.values.calculator import ColumnsError, open_calculator

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Whose curve: (person, component, period), each a number of the caller's choosing.
GroupKey = tuple[int, int, int]

# The greatest number of a column.
_GREATEST: Final = 2**63 - 1

# A whole split in basis points.
WHOLE_SHARE: Final = 10_000


@dataclass(frozen=True)
class CreditColumns:
    """Credits, one row each. All columns have the same length and are 64-bit integers, `key` may be text instead.

    day: effective day as an ordinal number. key: what the transaction is known by; (day, key, rank) is the order in
    which credits of a person, component and period count, and must be unique among them.
    amount: minor units of the plan's currency, or things.
    rank: tells several credits of one transaction to one person apart; 0 when None.
    """

    person: Ints
    component: Ints
    period: Ints
    day: Ints
    key: Ints | npt.NDArray[np.object_]
    amount: Ints
    rank: Ints | None = None

    def __len__(self) -> int:
        """Number of credits."""
        return len(self.amount)

    def as_columns(self) -> dict[str, npt.NDArray[Any]]:
        """The checked columns by name, with their row numbers. Raises ColumnsError."""
        columns: dict[str, npt.NDArray[Any]] = {
            "person": _ints("person", self.person),
            "component": _ints("component", self.component),
            "period": _ints("period", self.period),
            "day": _ints("day", self.day),
            "key": _keys(self.key),
            "amount": _ints("amount", self.amount),
            "rank": np.zeros(len(self), dtype=np.int64) if self.rank is None else _ints("rank", self.rank),
        }
        _same_length(columns)
        columns["row"] = np.arange(len(self), dtype=np.int64)
        return columns


@dataclass(frozen=True)
class EarningColumns:
    """Earnings, row by row the credits they came from.

    before, after: credited total of the person, component and period before and after this credit.
    pay_before, pay_after: what these totals are worth, rounded, in minor units.
    amount: what the credit earns in minor units; `pay_after - pay_before` unless lines are rounded by themselves.
    segment_before, segment_after: index of the curve's segment that owns the total; -1 without a curve.
    is_calculated: false where the person, component and period has no curve; pays are then 0 and segments -1.
    without_curve: those persons, components and periods, sorted.
    """

    before: Ints
    after: Ints
    pay_before: Ints
    pay_after: Ints
    amount: Ints
    segment_before: Ints
    segment_after: Ints
    is_calculated: Bools
    without_curve: tuple[GroupKey, ...] = ()


@dataclass(frozen=True)
class SplitColumns:
    """Parts of split transactions, row by row the shares they came from; a refused transaction has parts of 0.

    refused: numbers of the transactions whose shares do not add up to the whole, are not above zero, name somebody twice,
    or state different totals; sorted.
    """

    part: Ints
    is_split: Bools
    refused: tuple[int, ...] = ()


def calculate(
    credits: CreditColumns, curves: Mapping[GroupKey, Curve], rounding: Rounding = Rounding.CUMULATIVE
) -> EarningColumns:
    """Earnings of all credits, each from the curve of its person, component and period.

    The result does not depend on the order of the rows. Raises ColumnsError for columns that do not fit together, for
    two credits with the same place in the order, and when a total or pay leaves 64 bits; nothing is ever wrapped.
    """
    columns = credits.as_columns()
    with open_calculator() as calculator:
        calculator.register("credits", columns)
        keys = [
            (int(person), int(component), int(period))
            for person, component, period in calculator.execute(
                "SELECT DISTINCT person, component, period FROM credits ORDER BY ALL"
            ).fetchall()
        ]
        groups, numbers = _curve_tables(keys, curves)
        calculator.register("groups", groups)
        calculator.register("numbers", numbers)
        calculator.execute(_PLACED, {"per_line": rounding is Rounding.PER_LINE})
        _refuse_repeats(calculator)
        found = calculator.execute(earned_sql(calculator, numbers, per_line=rounding is Rounding.PER_LINE)).fetchnumpy()
    order = np.asarray(found.pop("row"), dtype=np.int64)
    ordered = {name: _scattered(values, order) for name, values in found.items()}
    return EarningColumns(
        before=ordered["before"],
        after=ordered["after"],
        pay_before=ordered["pay_before"],
        pay_after=ordered["pay_after"],
        amount=ordered["amount"],
        segment_before=ordered["segment_before"],
        segment_after=ordered["segment_after"],
        is_calculated=ordered["segment_after"] >= 0,
        without_curve=tuple(key for key in keys if key not in curves),
    )


def split_columns(transaction: Ints, total: Ints, payee: Ints, share: Ints, whole: int = WHOLE_SHARE) -> SplitColumns:
    """Split the totals of many transactions by largest remainder at once, ties to the smaller payee number.

    One row a share: `total` repeats the transaction's amount in minor units, `share` is in basis points (or parts of
    `whole`). The same rule as `split_by_largest_remainder`; transactions with faulty shares are refused by number and
    stop no other. Raises ColumnsError for columns that do not fit together.
    """
    columns = {
        "transaction": _ints("transaction", transaction),
        "total": _ints("total", total),
        "payee": _ints("payee", payee),
        "share": _ints("share", share),
    }
    _same_length(columns)
    columns["row"] = np.arange(len(columns["total"]), dtype=np.int64)
    with open_calculator() as calculator:
        calculator.register("shares", columns)
        found = calculator.execute(_SPLIT, {"whole": whole}).fetchnumpy()
    order = np.asarray(found["row"], dtype=np.int64)
    is_split = _scattered(found["is_split"], order).astype(np.bool_)
    refused = np.unique(columns["transaction"][~is_split])
    return SplitColumns(_scattered(found["part"], order), is_split, tuple(int(number) for number in refused))


def convert_columns(amount: Ints, numerator: Ints, denominator: Ints) -> Ints:
    """Convert minor units by exact rates `numerator / denominator`, each row rounded once by the rounding rule.

    Raises ColumnsError when a result leaves 64 bits or a denominator is not above zero.
    """
    columns = {
        "amount": _ints("amount", amount),
        "numerator": _ints("numerator", numerator),
        "denominator": _ints("denominator", denominator),
    }
    _same_length(columns)
    if np.any(columns["denominator"] <= 0):
        raise ColumnsError("A rate needs a denominator above zero.")
    columns["row"] = np.arange(len(columns["amount"]), dtype=np.int64)
    with open_calculator() as calculator:
        calculator.register("amounts", columns)
        found = calculator.execute(_CONVERTED).fetchnumpy()
    return _scattered(found["converted"], np.asarray(found["row"], dtype=np.int64))


# --- The calculator -----------------------------------------------------------------------------------------------

# Credits in their order, with the running total.
_PLACED: Final = """
CREATE TEMP TABLE placed AS
SELECT c.row, g.curve, c.amount, $per_line AS per_line,
    (sum(c.amount) OVER line)::BIGINT AS total,
    coalesce(lag(c.day) OVER line = c.day AND lag(c.key) OVER line = c.key AND lag(c.rank) OVER line = c.rank, false)
        AS repeats
FROM credits c JOIN groups g USING (person, component, period)
WINDOW line AS (PARTITION BY g.number ORDER BY c.day, c.key, c.rank ROWS UNBOUNDED PRECEDING)
"""

# Up to so many segments of a curve are compared one by one; more are looked up by sorting, which costs more in itself.
_FEW_SEGMENTS: Final = 16


def earned_sql(
    calculator: duckdb.DuckDBPyConnection, numbers: Mapping[str, Ints], *, per_line: bool, is_shifted: bool = False
) -> str:
    """The question for what each row of `placed` moves along its curve of the table `numbers`.

    placed: row, curve, amount, total (after the row), per_line, and whatever is to be kept with it. per_line: any of its
    rows may be rounded by itself. is_shifted: it also has `since`, the total from which pay is reckoned.
    """
    if len(numbers["segment"]) and int(numbers["segment"].max()) >= _FEW_SEGMENTS:
        join, within = "ASOF LEFT JOIN", "{place} >= {segment}.first"
    else:
        join, within = "LEFT JOIN", "{place} BETWEEN {segment}.first AND {segment}.last"
    ends = calculator.execute("SELECT min(total), max(total), min(amount), max(amount) FROM placed").fetchall()[0]
    return _EARNED.format(
        wide="BIGINT" if _is_narrow(numbers, ends) else "HUGEINT",
        join=join,
        of_after=within.format(place="p.total", segment="n1"),
        of_before=within.format(place="p.total - p.amount", segment="n0"),
        since=" - p.since" if is_shifted else "",
        **(_BY_ITSELF if per_line else _BY_TOTAL),
    )


def _is_narrow(numbers: Mapping[str, Ints], ends: Sequence[int | None]) -> bool:
    """Whether every step of `_EARNED` stays within 64 bits, which take half the time of 128.

    ends: the least and greatest of the totals and amounts. Since where pay is reckoned is a total, too. Were it wrong,
    DuckDB would refuse the number instead of wrapping it.
    """
    farthest = sum(max(abs(low or 0), abs(high or 0)) for low, high in (ends[:2], ends[2:]))
    greatest = {name: max(map(abs, (int(each.min()), int(each.max())))) for name, each in numbers.items() if len(each)}
    if not greatest:
        return True
    over = greatest["rest"] + greatest["slope"] * 2 * farthest
    return greatest["denominator"] < 2**30 and greatest["whole"] + over < 2**61


_EARNED: Final = """
WITH found AS (
    SELECT p.* EXCLUDE (curve, amount, total), p.total - p.amount AS before, p.total AS after,
        n0.segment AS segment0, n1.segment AS segment1,
        n0.whole::{wide} AS whole0, n0.rest + n0.slope::{wide} * (p.total - p.amount{since}) AS over0,
        n1.whole::{wide} AS whole1, n1.rest + n1.slope::{wide} * (p.total{since}) AS over1,
        n0.denominator::{wide} AS d0, n1.denominator::{wide} AS d1
    FROM placed p
    {join} numbers n1 ON p.curve = n1.curve AND {of_after}
    {join} numbers n0 ON p.curve = n0.curve AND {of_before}
), heights AS (
    SELECT * EXCLUDE (whole0, over0, whole1, over1),
        whole0 + floor_div(over0, d0) AS q0, floor_rest(over0, d0) AS r0,
        whole1 + floor_div(over1, d1) AS q1, floor_rest(over1, d1) AS r1
    FROM found
), pays AS (
    SELECT * EXCLUDE (q0, r0, d0, q1, r1, d1),
        rounded(q0, r0, d0) AS height0, rounded(q1, r1, d1) AS height1{parts}
    FROM heights
)
SELECT * EXCLUDE (segment0, segment1, height0, height1, {left_out}per_line),
    coalesce(segment0, -1)::BIGINT AS segment_before,
    coalesce(segment1, -1)::BIGINT AS segment_after,
    coalesce(height0, 0)::BIGINT AS pay_before,
    coalesce(height1, 0)::BIGINT AS pay_after,
    coalesce({amount}, 0)::BIGINT AS amount
FROM pays
"""
_BY_TOTAL: Final = {"parts": "", "left_out": "", "amount": "height1 - height0"}
_BY_ITSELF: Final = {
    "parts": """,
        q1 - q0 AS whole, CASE WHEN per_line THEN r1 * d0 - r0 * d1 ELSE 0 END AS rest,
        CASE WHEN per_line THEN d0 * d1 ELSE 1 END AS d""",
    "left_out": "whole, rest, d, ",
    "amount": """CASE WHEN per_line THEN rounded(whole + floor_div(rest, d), floor_rest(rest, d), d)
        ELSE height1 - height0 END""",
}

_SPLIT: Final = """
WITH checked AS (
    SELECT *, abs(total::HUGEINT) * share AS product,
        coalesce(lag(payee) OVER (PARTITION BY transaction ORDER BY payee) = payee, false) AS repeats
    FROM shares
), judged AS (
    SELECT *,
        sum(share) OVER every = $whole AND min(share) OVER every > 0 AND NOT bool_or(repeats) OVER every
            AND min(total) OVER every = max(total) OVER every AS is_split
    FROM checked
    WINDOW every AS (PARTITION BY transaction)
), parts AS (
    SELECT row, transaction, total, is_split, product // $whole AS part,
        row_number() OVER (PARTITION BY transaction ORDER BY product % $whole DESC, payee) AS place,
        abs(total::HUGEINT) - sum(product // $whole) OVER (PARTITION BY transaction) AS left_over
    FROM judged
)
SELECT row, is_split,
    CASE WHEN is_split THEN sign(total) * (part + CASE WHEN place <= left_over THEN 1 ELSE 0 END) ELSE 0 END::BIGINT
        AS part
FROM parts
"""

_CONVERTED: Final = """
SELECT row, rounded(floor_div(product, denominator), floor_rest(product, denominator), denominator)::BIGINT AS converted
FROM (SELECT row, amount::HUGEINT * numerator AS product, denominator::HUGEINT AS denominator FROM amounts)
"""


def _curve_tables(
    keys: Sequence[GroupKey], curves: Mapping[GroupKey, Curve]
) -> tuple[dict[str, Ints], dict[str, Ints]]:
    """The groups with the number of their curve (-1 without one), and each different curve's segments as integers."""
    curve_column, numbers = curve_numbers([curves.get(key) for key in keys])
    parts = np.array(keys, dtype=np.int64).reshape(len(keys), 3)
    groups = {
        "number": np.arange(len(keys), dtype=np.int64),
        "person": np.ascontiguousarray(parts[:, 0]),
        "component": np.ascontiguousarray(parts[:, 1]),
        "period": np.ascontiguousarray(parts[:, 2]),
        "curve": np.array(curve_column, dtype=np.int64),
    }
    return groups, numbers


def curve_numbers(curves: Sequence[Curve | None]) -> tuple[list[int], dict[str, Ints]]:
    """The number of each curve (-1 for none), the same for the same curve, and their segments as columns of integers."""
    numbers: dict[Curve, int] = {}
    # Many people share a curve, and its fractions take long to hash.
    seen: dict[int, int] = {id(None): -1}
    for curve in curves:
        if id(curve) not in seen and curve is not None:
            seen[id(curve)] = numbers.setdefault(curve, len(numbers))
    column = [seen[id(curve)] for curve in curves]
    rows: list[tuple[int, ...]] = []
    for curve, number in numbers.items():
        listed = list(curve.numbers())
        lasts = [row.first - 1 for row in listed[1:]] + [_GREATEST]
        rows.extend(
            (number, row.segment, row.first, last, row.whole, row.rest, row.slope, row.denominator)
            for row, last in zip(listed, lasts, strict=True)
        )
    names = ("curve", "segment", "first", "last", "whole", "rest", "slope", "denominator")
    table = np.array(rows, dtype=np.int64).reshape(len(rows), len(names))
    return column, {name: np.ascontiguousarray(table[:, index]) for index, name in enumerate(names)}


def _refuse_repeats(calculator: duckdb.DuckDBPyConnection) -> None:
    found = calculator.execute(
        """SELECT c.person, c.component, c.period, c.day, c.key, c.rank
        FROM placed p JOIN credits c USING (row) WHERE p.repeats ORDER BY ALL LIMIT 1"""
    ).fetchone()
    if found:
        person, component, period, _day, key, rank = found
        raise ColumnsError(
            f"Transaction {key} (rank {rank}) is credited twice to person {person}, component {component}, "
            f"period {period}, so its place in the order is not certain."
        )


def _scattered(values: npt.NDArray[Any], order: Ints) -> Ints:
    """Values put back into the order of the rows they came from."""
    result = np.empty(len(order), dtype=np.int64)
    result[order] = values
    return result


def _ints(name: str, values: npt.NDArray[Any]) -> Ints:
    if not isinstance(values, np.ndarray) or values.ndim != 1 or values.dtype != np.int64:
        raise ColumnsError(f"The column {name} is not a plain column of 64-bit integers.")
    return np.ascontiguousarray(values)


def _keys(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if isinstance(values, np.ndarray) and values.dtype == np.object_ and values.ndim == 1:
        if not all(isinstance(value, str) for value in values):
            raise ColumnsError("The column key holds something that is neither text nor a number.")
        return values
    return _ints("key", values)


def _same_length(columns: Mapping[str, npt.NDArray[Any]]) -> None:
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ColumnsError(f"The columns differ in length: {lengths}.")
