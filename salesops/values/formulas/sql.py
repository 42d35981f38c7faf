"""Formulas as DuckDB SQL, exact: numbers are pairs of 128-bit integers, and what leaves 128 bits is DuckDB's error.

Most numbers are one integer expression times a fraction that is known beforehand (an amount in cents times 1/100), so
most formulas are plain integer arithmetic. Only dividing by something that is not known beforehand makes a pair of
expressions. Where a long expression is needed more than once it is bound to a name, so that the SQL grows with the
formula and not with its powers.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

from salesops.values.formulas.kinds import Fields, FormulaError, Kind
from salesops.values.formulas.rows import MOST_EXPONENT, Exponent, exponent_of, folded
from salesops.values.formulas.tree import Node, Op

_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62})?", re.ASCII)
_MOST_HUGEINT: Final = 2**127 - 1
# Expressions up to this length are written again where they are needed again.
_SHORT: Final = 240
_ONE: Final = "CAST(1 AS HUGEINT)"


class TooFineError(ValueError):
    """The written numbers of the formula leave 128 bits by themselves."""


@dataclass(frozen=True)
class SqlNumber:
    """The number `numerator / denominator`, in major units for money: two HUGEINT expressions.

    No value (a blank, or a division by zero) makes the numerator NULL; the denominator is above zero or NULL with it.
    """

    numerator: str
    denominator: str


@dataclass(frozen=True)
class SqlText:
    """One expression: BOOLEAN for a condition, VARCHAR for a text, DATE for a day.

    A condition is NULL only where something is divided by zero.
    """

    expression: str


@dataclass(frozen=True)
class _Scaled:
    """An integer expression times a fraction; without an expression, the fraction itself."""

    expression: str
    factor: Fraction

    def over(self, denominator: int) -> str:
        """The numerator over that denominator, a multiple of the factor's own."""
        times = self.factor * denominator
        if not self.expression:
            return _literal(times.numerator)
        return self.expression if times == 1 else f"({self.expression} * {_literal(times.numerator)})"


@dataclass(frozen=True)
class _Pair:
    """A numerator and a denominator; `whole` is the one struct both are taken from, where there is one."""

    numerator: str
    denominator: str
    whole: str = ""

    @property
    def struct(self) -> str:
        return self.whole or f"struct_pack(n := {self.numerator}, d := {self.denominator})"

    @property
    def is_short(self) -> bool:
        return not self.whole and max(len(self.numerator), len(self.denominator)) <= _SHORT


_Number = _Scaled | _Pair
_PairBody = Callable[[Sequence[_Pair]], tuple[str, str]]


class SqlWriter:
    """Writes the SQL of a tree with kinds."""

    def __init__(self, fields: Fields, columns: Mapping[str, str], exponent: Exponent) -> None:
        """Check the exponent. Columns are checked when they are used."""
        self.fields = fields
        self.columns = columns
        self.exponent = exponent

    def number(self, tree: Node) -> SqlNumber:
        """The numerator and denominator of a whole formula."""
        return self._guarded(tree, self._number(tree))

    def minor(self, tree: Node) -> str:
        """The value of a whole formula in minor units, rounded half away from zero: one BIGINT expression."""
        if isinstance(self.exponent, str):
            column = _quoted_column(self.exponent)
            scale = _Scaled(f"(CASE WHEN {column} IS NOT NULL THEN {_power(column)} END)", Fraction(1))
        else:
            scale = _Scaled("", Fraction(10 ** exponent_of(self.exponent, {})))
        found = _rounded(_times([self._number(tree), scale]), 0)
        return f"CAST({self._guarded(tree, found).numerator} AS BIGINT)"

    def text(self, tree: Node) -> SqlText:
        """The expression of a whole formula that gives no number."""
        value = self._condition(tree) if tree.kind is Kind.BOOLEAN else self._plain(tree)
        faults = self._faults(tree)
        return SqlText(f"CASE WHEN {faults} THEN NULL ELSE {value} END" if faults else value)

    def _guarded(self, tree: Node, number: _Number) -> SqlNumber:
        pair = _pair(number)
        faults = self._faults(tree)
        numerator = f"CASE WHEN {faults} THEN NULL ELSE {pair.numerator} END" if faults else pair.numerator
        return SqlNumber(numerator, pair.denominator)

    # --- Numbers ---

    def _number(self, node: Node) -> _Number:
        match node.op:
            case Op.LITERAL:
                return _Scaled("", node.value if isinstance(node.value, Fraction) else Fraction(0))
            case Op.FIELD:
                return self._number_field(node)
            case Op.PRODUCT:
                factors: list[_Number] = []
                for sign, arg in zip(node.signs, node.args, strict=True):
                    number = self._number(arg)
                    factors.extend([number] if sign == "*" else _inverse(number))
                return _times(factors)
            case Op.IF:
                return self._chosen_number(node)
            case Op.YEAR | Op.QUARTER | Op.MONTH | Op.DAY:
                return _Scaled(f"CAST({node.op.value.lower()}({self._plain(node.args[0])}) AS HUGEINT)", Fraction(1))
        numbers = [self._number(arg) for arg in node.args]
        match node.op:
            case Op.SUM:
                return _plus(
                    [
                        number if sign == "+" else _negative(number)
                        for sign, number in zip(node.signs, numbers, strict=True)
                    ]
                )
            case Op.NEGATIVE:
                return _negative(numbers[0])
            case Op.ABS:
                return _absolute(numbers[0])
            case Op.MIN:
                return _extreme(numbers, "<")
            case Op.MAX:
                return _extreme(numbers, ">")
            case Op.ROUND:
                digits = node.args[1].value
                return _rounded(numbers[0], int(digits) if isinstance(digits, Fraction) else 0)
        raise FormulaError(f"Nobody knows how to write {node.op}.")

    def _number_field(self, node: Node) -> _Scaled:
        field = self.fields[str(node.value)]
        column = f"CAST({self._column(field.name)} AS HUGEINT)"
        if field.kind is Kind.NUMBER:
            return _Scaled(column, Fraction(1, 10**field.decimals))
        if not isinstance(self.exponent, str):
            return _Scaled(column, Fraction(1, 10 ** exponent_of(self.exponent, {})))
        # With a currency in each row all amounts are brought to the finest unit, so that they have one denominator.
        finest = (
            f"CASE WHEN {column} IS NOT NULL THEN {column} * {_power(_quoted_column(self.exponent), is_rest=True)} END"
        )
        return _Scaled(f"({finest})", Fraction(1, 10**MOST_EXPONENT))

    def _chosen_number(self, node: Node) -> _Number:
        condition = self._condition(node.args[0])
        first, second = (self._number(arg) for arg in node.args[1:])
        if isinstance(first, _Scaled) and isinstance(second, _Scaled):
            denominator = math.lcm(first.factor.denominator, second.factor.denominator)
            chosen = f"CASE WHEN {condition} THEN {first.over(denominator)} ELSE {second.over(denominator)} END"
            return _Scaled(f"({chosen})", Fraction(1, denominator))
        whole = f"CASE WHEN {condition} THEN {_pair(first).struct} ELSE {_pair(second).struct} END"
        return _of_struct(f"({whole})")

    # --- Conditions, texts and days ---

    def _condition(self, node: Node) -> str:
        """A BOOLEAN expression that is never NULL."""
        match node.op:
            case Op.AND | Op.OR:
                return "(" + f" {node.op.value} ".join(self._condition(arg) for arg in node.args) + ")"
            case Op.NOT:
                return f"(NOT {self._condition(node.args[0])})"
            case Op.LITERAL:
                return "TRUE" if node.value else "FALSE"
            case Op.ISBLANK:
                arg = node.args[0]
                is_number = arg.kind is not None and arg.kind.is_numeric
                return f"({_pair(self._number(arg)).numerator if is_number else self._plain(arg)} IS NULL)"
        return f"coalesce({self._maybe(node)}, FALSE)"

    def _maybe(self, node: Node) -> str:
        """A BOOLEAN expression that is NULL for blanks."""
        match node.op:
            case Op.COMPARE | Op.IN | Op.NOT_IN if node.args[0].kind is not None and node.args[0].kind.is_numeric:
                numbers = [self._number(arg) for arg in node.args]
                return _compared(numbers, node.signs[0]) if node.op is Op.COMPARE else _listed(numbers, node.op)
            case Op.COMPARE:
                left, right = (self._comparable(arg) for arg in node.args)
                return f"({left} {node.signs[0]} {right})"
            case Op.IN | Op.NOT_IN:
                first, *items = (self._comparable(arg) for arg in node.args)
                return f"({first} {node.op.value} ({', '.join(items)}))"
            case Op.CONTAINS:
                text, part = (self._comparable(arg) for arg in node.args)
                return f"contains({text}, {part})"
        return self._plain(node)

    def _comparable(self, node: Node) -> str:
        """A value as it is compared: a text in small letters."""
        if node.op is Op.LITERAL and isinstance(node.value, str):
            return _text_literal(folded(node.value))
        return f"lower({self._plain(node)})" if node.kind is Kind.TEXT else self._plain(node)

    def _plain(self, node: Node) -> str:
        """A condition, text or day; NULL for a blank."""
        match node.op:
            case Op.FIELD:
                column = self._column(str(node.value))
                return f"nullif({column}, '')" if node.kind is Kind.TEXT else column
            case Op.LITERAL if isinstance(node.value, str):
                return _text_literal(node.value)
            case Op.LITERAL if isinstance(node.value, date):
                return f"DATE '{node.value.isoformat()}'"
            case Op.IF:
                first, second = (self._plain(arg) for arg in node.args[1:])
                return f"(CASE WHEN {self._condition(node.args[0])} THEN {first} ELSE {second} END)"
        return self._condition(node)

    def _column(self, name: str) -> str:
        if name not in self.columns:
            raise FormulaError(f"There is no column for the field {name}.")
        return _quoted_column(self.columns[name])

    # --- Division by zero ---

    def _faults(self, node: Node) -> str:
        """Whether something is divided by zero that IF, AND and OR do not keep from being reached; "" for never."""
        match node.op:
            case Op.IF:
                own, yes, no = (self._faults(arg) for arg in node.args)
                if yes or no:
                    chosen = f"CASE WHEN {self._condition(node.args[0])} THEN {yes or 'FALSE'} ELSE {no or 'FALSE'} END"
                    return _either([own, chosen])
                return own
            case Op.AND | Op.OR:
                return self._faults_in_turn(node)
        found = [self._faults(arg) for arg in node.args]
        if node.op is Op.PRODUCT:
            found.extend(
                _is_zero(self._number(arg)) for sign, arg in zip(node.signs, node.args, strict=True) if sign == "/"
            )
        return _either(found)

    def _faults_in_turn(self, node: Node) -> str:
        """The second condition of AND is reached where the first is true, of OR where it is false, and so on."""
        later = ""
        for arg in reversed(node.args):
            own = self._faults(arg)
            if later:
                reached = self._condition(arg) if node.op is Op.AND else f"(NOT {self._condition(arg)})"
                later = _either([own, f"({reached} AND {later})"])
            else:
                later = own
        return later


# --- Arithmetic on expressions ------------------------------------------------------------------------------------


def _times(numbers: Sequence[_Number]) -> _Number:
    scaled = [number for number in numbers if isinstance(number, _Scaled)]
    factor = math.prod((number.factor for number in scaled), start=Fraction(1))
    expressions = [number.expression for number in scaled if number.expression]
    product = f"({' * '.join(expressions)})" if len(expressions) > 1 else "".join(expressions)
    known = _Scaled(product, factor)
    pairs = [number for number in numbers if isinstance(number, _Pair)]
    if not pairs:
        return known
    if product or factor != 1:
        pairs.append(_pair(known))

    def body(parts: Sequence[_Pair]) -> tuple[str, str]:
        return _joined("*", [part.numerator for part in parts]), _joined("*", [part.denominator for part in parts])

    return pairs[0] if len(pairs) == 1 else _bound_pair(pairs, body)


def _inverse(number: _Number) -> list[_Number]:
    """Factors that make 1 ÷ the number, with its sign above the line; NULL for zero."""
    if isinstance(number, _Scaled) and not number.factor:
        return [_Scaled("CAST(NULL AS HUGEINT)", Fraction(1))]
    if isinstance(number, _Scaled) and not number.expression:
        return [_Scaled("", 1 / number.factor)]

    def body(parts: Sequence[_Pair]) -> tuple[str, str]:
        top, bottom = parts[0].numerator, parts[0].denominator
        sign = f"CASE WHEN {top} < 0 THEN -{bottom} WHEN {top} > 0 THEN {bottom} END"
        return f"({sign})", f"nullif(abs({top}), 0)"

    if isinstance(number, _Pair):
        return [_bound_pair([number], body)]
    # What is known of the number stays a factor of its own, so that it meets other known factors.
    return [_bound_pair([_Pair(number.expression, _ONE)], body), _Scaled("", 1 / number.factor)]


def _plus(numbers: Sequence[_Number]) -> _Number:
    scaled = [number for number in numbers if isinstance(number, _Scaled)]
    pairs = [number for number in numbers if isinstance(number, _Pair)]
    if scaled:
        denominator = math.lcm(*(number.factor.denominator for number in scaled))
        known = sum((number.factor for number in scaled if not number.expression), Fraction(0))
        terms = [number.over(denominator) for number in scaled if number.expression]
        if known or not terms:
            terms.append(_literal((known * denominator).numerator))
        is_known = all(not number.expression for number in scaled)
        total = _Scaled("", known) if is_known else _Scaled(_joined("+", terms), Fraction(1, denominator))
        if not pairs:
            return total
        pairs.append(_pair(total))
    # Two by two, so that the SQL does not become deep.
    while len(pairs) > 1:
        pairs = [
            _bound_pair(pairs[index : index + 2], _sum_of_two) if index + 1 < len(pairs) else pairs[index]
            for index in range(0, len(pairs), 2)
        ]
    return pairs[0]


def _sum_of_two(parts: Sequence[_Pair]) -> tuple[str, str]:
    left, right = parts
    tops = [_joined("*", [left.numerator, right.denominator]), _joined("*", [right.numerator, left.denominator])]
    return _joined("+", tops), _joined("*", [left.denominator, right.denominator])


def _negative(number: _Number) -> _Number:
    return _times([number, _Scaled("", Fraction(-1))])


def _absolute(number: _Number) -> _Number:
    if isinstance(number, _Scaled):
        return _Scaled(f"abs({number.expression})" if number.expression else "", abs(number.factor))
    return _bound_pair([number], lambda parts: (f"abs({parts[0].numerator})", parts[0].denominator))


def _extreme(numbers: Sequence[_Number], sign: str) -> _Number:
    """The least (<) or greatest (>) of the numbers; NULL where one of them is."""
    if all(isinstance(number, _Scaled) for number in numbers):
        scaled = [number for number in numbers if isinstance(number, _Scaled)]
        if all(not number.expression for number in scaled):
            factors = [number.factor for number in scaled]
            return _Scaled("", min(factors) if sign == "<" else max(factors))
        denominator = math.lcm(*(number.factor.denominator for number in scaled))
        function = "least" if sign == "<" else "greatest"
        terms = [number.over(denominator) for number in scaled]
        blanks = _bound_all(
            terms,
            lambda names: (
                f"CASE WHEN {' AND '.join(f'{name} IS NOT NULL' for name in names)} "
                f"THEN {function}({', '.join(names)}) END"
            ),
        )
        return _Scaled(f"({blanks})", Fraction(1, denominator))
    pairs = [_pair(number) for number in numbers]

    def body(parts: Sequence[_Pair]) -> str:
        left, right = parts
        first, second = f"{left.numerator} * {right.denominator}", f"{right.numerator} * {left.denominator}"
        return f"CASE WHEN {first} {sign}= {second} THEN {left.struct} WHEN {second} {sign} {first} THEN {right.struct} END"

    while len(pairs) > 1:
        pairs = [
            _of_struct(f"({_bound(pairs[index : index + 2], body)})") if index + 1 < len(pairs) else pairs[index]
            for index in range(0, len(pairs), 2)
        ]
    return pairs[0]


def _rounded(number: _Number, digits: int) -> _Scaled:
    """Halves away from zero: DuckDB's // goes towards zero, so half of the divisor is added on the number's side."""
    unit = Fraction(1, 10**digits) if digits >= 0 else Fraction(10**-digits)
    if isinstance(number, _Scaled):
        times = number.factor / unit
        if not number.expression:
            whole = (2 * abs(times.numerator) + times.denominator) // (2 * times.denominator)
            return _Scaled("", (whole if times >= 0 else -whole) * unit)
        if times.denominator == 1:
            return number
        top = _Scaled(number.expression, Fraction(times.numerator)).over(1)
        pair = _Pair(top, _literal(times.denominator))
    else:
        pair = _pair(_times([number, _Scaled("", 1 / unit)]))

    def body(parts: Sequence[_Pair]) -> str:
        top, bottom = parts[0].numerator, parts[0].denominator
        return f"((2 * {top} + CASE WHEN {top} < 0 THEN -{bottom} ELSE {bottom} END) // (2 * {bottom}))"

    return _Scaled(_bound([pair], body), unit)


def _compared(numbers: Sequence[_Number], sign: str) -> str:
    left, right = numbers
    if isinstance(left, _Scaled) and isinstance(right, _Scaled):
        denominator = math.lcm(left.factor.denominator, right.factor.denominator)
        common = math.gcd((left.factor * denominator).numerator, (right.factor * denominator).numerator) or 1
        tops = [_Scaled(side.expression, side.factor * denominator / common).over(1) for side in (left, right)]
        return f"({tops[0]} {sign} {tops[1]})"

    def body(parts: Sequence[_Pair]) -> str:
        first, second = parts
        left_top = _joined("*", [first.numerator, second.denominator])
        return f"({left_top} {sign} {_joined('*', [second.numerator, first.denominator])})"

    return _bound([_pair(left), _pair(right)], body)


def _listed(numbers: Sequence[_Number], op: Op) -> str:
    """Whether the first number is one of the others, which are written out."""
    first = numbers[0]
    values = {number.factor for number in numbers[1:] if isinstance(number, _Scaled)}

    def of_integer(expression: str, factor: Fraction) -> str:
        # A whole number of units equals a value only if the value is a whole number of units too.
        units = sorted((value / factor).numerator for value in values if (value / factor).denominator == 1)
        units = [unit for unit in units if abs(unit) <= _MOST_HUGEINT]
        if units:
            return f"({expression} {op.value} ({', '.join(_literal(unit) for unit in units)}))"
        found = "FALSE" if op is Op.IN else "TRUE"
        return f"(CASE WHEN {expression} IS NOT NULL THEN {found} END)"

    if isinstance(first, _Scaled):
        if not first.expression or not first.factor:
            value = first.factor if not first.expression else Fraction(0)
            found = "TRUE" if (value in values) == (op is Op.IN) else "FALSE"
            return f"(CASE WHEN {first.expression} IS NOT NULL THEN {found} END)" if first.expression else found
        return of_integer(first.expression, first.factor)

    def of_pair(parts: Sequence[_Pair]) -> str:
        top, bottom = parts[0].numerator, parts[0].denominator
        tests = [
            f"{top} * {_literal(value.denominator)} = {bottom} * {_literal(value.numerator)}"
            for value in sorted(values)
        ]
        return f"({'' if op is Op.IN else 'NOT '}({' OR '.join(tests)}))"

    return _bound([first], of_pair)


def _is_zero(number: _Number) -> str:
    if isinstance(number, _Scaled) and not number.expression:
        return "" if number.factor else "TRUE"
    if isinstance(number, _Scaled) and not number.factor:
        return f"({number.expression} IS NOT NULL)"
    top = number.expression if isinstance(number, _Scaled) else number.numerator
    return f"coalesce({top} = 0, FALSE)"


def _pair(number: _Number) -> _Pair:
    if isinstance(number, _Pair):
        return number
    denominator = number.factor.denominator
    return _Pair(number.over(denominator), _literal(denominator))


def _of_struct(whole: str) -> _Pair:
    return _Pair(f"({whole}).n", f"({whole}).d", whole)


def _bound_pair(pairs: Sequence[_Pair], body: _PairBody) -> _Pair:
    """What `body` makes of the pairs. Short ones are written out, others are given names first."""
    if all(pair.is_short for pair in pairs):
        return _Pair(*body(pairs))
    return _of_struct(_bound(pairs, lambda parts: _Pair(*body(parts)).struct))


def _bound(pairs: Sequence[_Pair], body: Callable[[Sequence[_Pair]], str]) -> str:
    if all(pair.is_short for pair in pairs):
        return body(pairs)
    names = [f"v.p{index}" for index in range(len(pairs))]
    return _named([pair.struct for pair in pairs], body([_Pair(f"{name}.n", f"{name}.d", name) for name in names]))


def _bound_all(values: Sequence[str], body: Callable[[Sequence[str]], str]) -> str:
    if all(len(value) <= _SHORT for value in values):
        return body(values)
    return _named(values, body([f"v.p{index}" for index in range(len(values))]))


def _named(values: Sequence[str], body: str) -> str:
    """`body` with the values under the names v.p0, v.p1 ...: SQL has no LET, a list of one struct does the same."""
    packed = ", ".join(f"p{index} := {value}" for index, value in enumerate(values))
    return f"list_transform([struct_pack({packed})], lambda v: {body})[1]"


def _joined(sign: str, terms: Sequence[str]) -> str:
    if sign == "*":
        terms = [term for term in terms if term != _ONE] or [_ONE]
    return f"({f' {sign} '.join(terms)})" if len(terms) > 1 else terms[0]


def _either(conditions: Sequence[str]) -> str:
    found = list(dict.fromkeys(condition for condition in conditions if condition))
    return _joined("OR", found) if found else ""


# --- Spelling -----------------------------------------------------------------------------------------------------


def _literal(number: int) -> str:
    """A HUGEINT. Beyond it DuckDB would read a floating-point number, so that is refused here."""
    if abs(number) > _MOST_HUGEINT:
        raise TooFineError
    return f"CAST({number} AS HUGEINT)" if number >= 0 else f"CAST(({number}) AS HUGEINT)"


def _power(column: str, *, is_rest: bool = False) -> str:
    """10 to the decimals of the row's currency; or to what is left of the finest unit."""
    cases = " ".join(
        f"WHEN {number} THEN {_literal(10 ** (MOST_EXPONENT - number if is_rest else number))}"
        for number in range(MOST_EXPONENT + 1)
    )
    return f"CASE {column} {cases} ELSE error('The decimals of a currency are not known.') END"


def _text_literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted_column(name: str) -> str:
    if not _COLUMN.fullmatch(name):
        raise FormulaError(f"{name!r} is not the name of a column.")
    return ".".join(f'"{part}"' for part in name.split("."))
