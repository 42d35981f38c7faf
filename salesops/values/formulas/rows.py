"""Formulas row by row on Fractions: simple, slow, and there to be compared with the columns."""

import operator
from collections.abc import Callable, Mapping
from datetime import date, datetime
from fractions import Fraction
from typing import Any, Final

from salesops.values.formulas.kinds import Fields, FormulaError, Kind
from salesops.values.formulas.tree import Node, Op, Value
from salesops.values.money import round_half_up

MOST_EXPONENT: Final = 4

# How many decimals the currency has: a number, or the name of the column that says it for each row.
Exponent = int | str | None

_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class DividedByZero(Exception):  # noqa: N818 - never leaves this package
    """The row has no value."""

    def __init__(self, divisor: Node) -> None:
        """Keep what was zero."""
        super().__init__(divisor)
        self.divisor = divisor


def folded(text: str) -> str:
    """The text in small letters, one by one, as DuckDB's `lower` gives it: without regard to neighbours."""
    return "".join(sign.lower()[0] for sign in text)


def exponent_of(exponent: Exponent, row: Mapping[str, object]) -> int:
    """The decimals of the row's currency. Raises FormulaError when they are not known."""
    value = row.get(exponent) if isinstance(exponent, str) else exponent
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_EXPONENT:
        raise FormulaError(f"{value!r} is no number of decimals of a currency.")
    return value


class RowReader:
    """Works out one row. Only as much of IF, AND and OR is looked at as is needed, from left to right."""

    def __init__(self, fields: Fields, row: Mapping[str, object], exponent: Exponent) -> None:
        """Keep the row."""
        self.fields = fields
        self.row = row
        self.exponent = exponent

    def value(self, node: Node) -> Value:
        """The value of a part; None is a blank. Raises DividedByZero."""
        match node.op:
            case Op.LITERAL:
                return node.value
            case Op.FIELD:
                return self.field(str(node.value))
            case Op.AND:
                return all(self.value(arg) is True for arg in node.args)
            case Op.OR:
                return any(self.value(arg) is True for arg in node.args)
            case Op.NOT:
                return self.value(node.args[0]) is not True
            case Op.IF:
                return self.value(node.args[1 if self.value(node.args[0]) is True else 2])
            case Op.ISBLANK:
                return self.value(node.args[0]) is None
            case Op.PRODUCT:
                return self.product(node)
        values = [self.value(arg) for arg in node.args]
        if any(value is None for value in values):
            return False if node.kind is Kind.BOOLEAN else None
        values = [folded(value) if isinstance(value, str) else value for value in values]
        match node.op:
            case Op.COMPARE:
                return _COMPARE[node.signs[0]](values[0], values[1])
            case Op.IN:
                return values[0] in values[1:]
            case Op.NOT_IN:
                return values[0] not in values[1:]
            case Op.CONTAINS:
                return str(values[1]) in str(values[0])
        if isinstance(values[0], date):
            return _part_of_day(node.op, values[0])
        return _calculated(node, [value for value in values if isinstance(value, Fraction)])

    def product(self, node: Node) -> Value:
        """A product or quotient. A zero below the line leaves no value, whatever stands above it."""
        result: Fraction | None = Fraction(1)
        for sign, arg in zip(node.signs, node.args, strict=True):
            factor = self.value(arg)
            if sign == "/" and factor == 0:
                raise DividedByZero(arg)
            if result is None or not isinstance(factor, Fraction):
                result = None
            else:
                result = result * factor if sign == "*" else result / factor
        return result

    def field(self, name: str) -> Value:
        """The value of a field in its own kind. Raises FormulaError for a value of another."""
        field = self.fields[name]
        if name not in self.row:
            raise FormulaError(f"The row has no value, not even a blank one, for the field {name}.")
        value = self.row[name]
        if value is None or value == "":
            return None
        if field.kind.is_numeric and isinstance(value, int) and not isinstance(value, bool):
            decimals = exponent_of(self.exponent, self.row) if field.kind is Kind.MONEY else field.decimals
            return Fraction(value, 10**decimals)
        if field.kind is Kind.TEXT and isinstance(value, str):
            return value
        if field.kind is Kind.BOOLEAN and isinstance(value, bool):
            return value
        if field.kind is Kind.DATE and isinstance(value, date) and not isinstance(value, datetime):
            return value
        raise FormulaError(f"{value!r} is not a value for the field {name}, which is of the kind {field.kind}.")


def rounded(value: Fraction, digits: int) -> Fraction:
    """Halves away from zero, as the one rounding rule says; negative digits round to tens and hundreds."""
    scale = Fraction(10) ** digits
    return round_half_up(value * scale) / scale


def _part_of_day(op: Op, day: date) -> Fraction:
    parts = {Op.YEAR: day.year, Op.QUARTER: (day.month + 2) // 3, Op.MONTH: day.month, Op.DAY: day.day}
    return Fraction(parts[op])


def _calculated(node: Node, values: list[Fraction]) -> Fraction:
    match node.op:
        case Op.SUM:
            signed = (value if sign == "+" else -value for sign, value in zip(node.signs, values, strict=True))
            return sum(signed, Fraction(0))
        case Op.NEGATIVE:
            return -values[0]
        case Op.ABS:
            return abs(values[0])
        case Op.MIN:
            return min(values)
        case Op.MAX:
            return max(values)
        case Op.ROUND:
            return rounded(values[0], int(values[1]))
    raise FormulaError(f"Nobody knows how to work out {node.op}.")
