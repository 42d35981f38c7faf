"""A formula that has been checked: its SQL for columns, and its value for one row."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from salesops.values.formulas import tree
from salesops.values.formulas.checking import checked
from salesops.values.formulas.kinds import Field, Fields, FormulaError, Kind
from salesops.values.formulas.rows import MOST_EXPONENT, DividedByZero, Exponent, RowReader, exponent_of
from salesops.values.formulas.sql import SqlNumber, SqlText, SqlWriter, TooFineError
from salesops.values.formulas.tree import Node, Op, Value, problem_at
from salesops.values.money import round_half_up
from salesops.values.outcomes import Outcome, Problem, gettext_noop


@dataclass(frozen=True)
class Formula:
    """A text that has been read against a list of fields.

    text: as it was written. kind: what was wanted. known: the definitions of the fields used, sorted by name.

    Where money is among the fields, `exponent` is how many decimals its currency has: a number, or the name of the
    column that says it for each row. It has no default, because a wrong one is wrong by a hundred.
    """

    text: str
    kind: Kind
    known: tuple[Field, ...]
    tree: Node

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields used, sorted."""
        return tuple(field.name for field in self.known)

    def sql(self, columns: Mapping[str, str], exponent: Exponent = None) -> SqlNumber | SqlText:
        """DuckDB SQL over the columns named for each field: whole numbers (minor units for money), texts, days.

        Raises FormulaError for a column that is missing or is not a plain name (`amount`, `t.amount`).
        """
        writer = SqlWriter(self._known, columns, exponent)
        return writer.number(self.tree) if self.kind.is_numeric else writer.text(self.tree)

    def sql_minor(self, columns: Mapping[str, str], exponent: Exponent) -> str:
        """The amount in minor units, rounded once by the rounding rule: a BIGINT expression, NULL for no value."""
        self._needs_number()
        return SqlWriter(self._known, columns, exponent).minor(self.tree)

    def evaluate(self, row: Mapping[str, object], exponent: Exponent = None) -> Value:
        """The value for one row of the same values as the columns hold; None where there is none.

        Raises FormulaError for a field that the row does not have, or of another kind.
        """
        try:
            value = RowReader(self._known, row, exponent).value(self.tree)
        except DividedByZero:
            return None
        return value is True if self.kind is Kind.BOOLEAN else value

    def minor(self, row: Mapping[str, object], exponent: Exponent) -> int | None:
        """The amount for one row in minor units, rounded once by the rounding rule; None where there is none."""
        self._needs_number()
        value = self.evaluate(row, exponent)
        return round_half_up(value * 10 ** exponent_of(exponent, row)) if isinstance(value, Fraction) else None

    def missing(self, row: Mapping[str, object], exponent: Exponent = None) -> Problem | None:
        """Why the row has no value; None where it has one."""
        reader = RowReader(self._known, row, exponent)
        try:
            if reader.value(self.tree) is not None or self.kind is Kind.BOOLEAN:
                return None
        except DividedByZero as zero:
            return problem_at(
                "formula-divided-by-zero",
                gettext_noop("The formula divides by %(word)s at character %(position)s, which is zero here."),
                gettext_noop("Correct the value, or let the formula ask first: %(example)s"),
                self.text,
                zero.divisor.start,
                zero.divisor.end,
                example="IF(x = 0, 0, y / x)",
            )
        blank = ", ".join(name for name in self.fields if reader.field(name) is None)
        return Problem.of(
            "formula-blank",
            gettext_noop("The formula gives no value, because these fields are blank: %(fields)s."),
            remedy=gettext_noop("Fill them in, or let the formula ask first: %(example)s"),
            fields=blank,
            example="IF(ISBLANK(x), 0, x)",
        )

    @property
    def _known(self) -> Fields:
        return {field.name: field for field in self.known}

    def _needs_number(self) -> None:
        if not self.kind.is_numeric:
            raise FormulaError(f"A {self.kind} has no minor units.")


def check(text: str, fields: Fields, wants: Kind = Kind.BOOLEAN) -> Outcome[Formula]:
    """Read a formula that is to give a value of that kind; or all that is wrong with it, with places.

    A problem's `position` counts characters from 1, `length` and `word` are those of the offending word. Where money is
    wanted a number will do. Never raises for any text.
    """
    outcome = tree.read(text)
    if outcome.value is None:
        return Outcome(value=None, problems=outcome.problems)
    node, problems = checked(text, outcome.value, fields, wants)
    if node is None:
        return Outcome.bad(*problems)
    known = tuple(fields[name] for name in sorted(_names(node)))
    formula = Formula(text, wants, known, node)
    try:
        # Without money the exponent plays no part until an amount is wanted.
        is_money = wants is Kind.MONEY or any(field.kind is Kind.MONEY for field in known)
        for exponent in (*range(MOST_EXPONENT + 1), "exponent") if is_money else (0,):
            formula.sql({name: name for name in formula.fields}, exponent)
            if wants is Kind.MONEY:
                formula.sql_minor({name: name for name in formula.fields}, exponent)
    except TooFineError:
        return Outcome.bad(
            problem_at(
                "formula-too-fine",
                gettext_noop("The numbers in this formula are too large or too fine to be calculated exactly."),
                gettext_noop("Use fewer digits, or fewer numbers multiplied by one another."),
                text,
                0,
                len(text),
            )
        )
    return Outcome.good(formula)


def _names(node: Node) -> set[str]:
    if node.op is Op.FIELD:
        return {str(node.value)}
    return set().union(*(_names(arg) for arg in node.args))
