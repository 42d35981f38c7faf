"""Which fields a formula uses and whether its kinds fit: a tree with kinds, or every reason against it."""

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Final

from salesops.values.formulas.kinds import Fields, Kind
from salesops.values.formulas.tree import Node, Op, not_a_day, problem_at
from salesops.values.outcomes import Problem, gettext_noop

# More reasons than anybody mends at once are not looked for.
_MOST_PROBLEMS: Final = 10
_MOST_ROUNDING: Final = 12

_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)

_NEEDED: Final[dict[Kind, tuple[str, str]]] = {
    Kind.NUMBER: (
        gettext_noop("A number is needed at character %(position)s, and %(word)s is none."),
        gettext_noop("Numbers are written without quotes. An amount of money becomes a number when divided by money."),
    ),
    Kind.MONEY: (
        gettext_noop("A number or an amount of money is needed at character %(position)s, and %(word)s is neither."),
        gettext_noop("Numbers are written without quotes."),
    ),
    Kind.TEXT: (
        gettext_noop("A text is needed at character %(position)s, and %(word)s is none."),
        gettext_noop("Texts are written in double quotes."),
    ),
    Kind.DATE: (
        gettext_noop("A day is needed at character %(position)s, and %(word)s is none."),
        gettext_noop('Use a field that holds a day, or write it as "2026-01-31".'),
    ),
    Kind.BOOLEAN: (
        gettext_noop("A condition is needed at character %(position)s, and %(word)s is none."),
        gettext_noop('A condition is true or false: compare with something, as in segment = "enterprise".'),
    ),
}


def checked(text: str, tree: Node, fields: Fields, wants: Kind) -> tuple[Node | None, list[Problem]]:
    """The tree with kinds, or the problems in their order in the text."""
    checker = _Checker(text, fields)
    node = checker.needed(tree, wants)
    problems = sorted(checker.problems, key=lambda problem: int(dict(problem.params)["position"]))
    return (None if problems else node), problems


class _Checker:
    """Walks the tree once. A part with a problem comes back as None, and what contains it keeps silent about it."""

    def __init__(self, text: str, fields: Fields) -> None:
        self.text = text
        self.fields = fields
        self.problems: list[Problem] = []
        self.unknown: set[str] = set()
        self.by_op: dict[Op, Callable[[Node], Node | None]] = {
            Op.LITERAL: self.literal,
            Op.FIELD: self.field,
            Op.SUM: self.numbers,
            Op.MIN: self.numbers,
            Op.MAX: self.numbers,
            Op.NEGATIVE: self.numbers,
            Op.ABS: self.numbers,
            Op.ROUND: self.rounded,
            Op.PRODUCT: self.product,
            Op.COMPARE: self.compared,
            Op.IN: self.listed,
            Op.NOT_IN: self.listed,
            Op.AND: self.conditions,
            Op.OR: self.conditions,
            Op.NOT: self.conditions,
            Op.IF: self.chosen,
            Op.ISBLANK: self.blank,
            Op.CONTAINS: self.contained,
            Op.YEAR: self.part_of_day,
            Op.QUARTER: self.part_of_day,
            Op.MONTH: self.part_of_day,
            Op.DAY: self.part_of_day,
        }

    def node(self, node: Node) -> Node | None:
        return None if len(self.problems) >= _MOST_PROBLEMS else self.by_op[node.op](node)

    def needed(self, node: Node, kind: Kind) -> Node | None:
        """The part, which must be of that kind: numbers pass for money, texts that are written days for days."""
        found = self.node(node)
        if found is None or found.kind is kind or (kind is Kind.MONEY and found.kind is Kind.NUMBER):
            return found
        if kind is Kind.DATE and found.op is Op.LITERAL and found.kind is Kind.TEXT:
            return self.as_day(found)
        message, remedy = _NEEDED[kind]
        return self.wrong("formula-kind", message, remedy, node)

    def all_needed(self, nodes: Sequence[Node], kind: Kind) -> tuple[Node, ...] | None:
        return _whole([self.needed(node, kind) for node in nodes], len(nodes))

    def literal(self, node: Node) -> Node:
        kinds = {bool: Kind.BOOLEAN, Fraction: Kind.NUMBER, str: Kind.TEXT, date: Kind.DATE}
        return replace(node, kind=kinds[type(node.value)])

    def field(self, node: Node) -> Node | None:
        name = str(node.value).lower()
        if name in self.fields:
            return replace(node, value=name, kind=self.fields[name].kind)
        if name in self.unknown:
            return None
        self.unknown.add(name)
        remedy = gettext_noop("These fields may be used: %(fields)s. Texts are written in double quotes.")
        nearest = difflib.get_close_matches(name[:60], list(self.fields), n=3, cutoff=0.6)
        if nearest:
            remedy = gettext_noop(
                "Perhaps %(nearest)s? These fields may be used: %(fields)s. Texts are written in double quotes."
            )
        return self.wrong(
            "formula-field",
            gettext_noop("There is no field %(word)s (character %(position)s)."),
            remedy,
            node,
            nearest=", ".join(nearest),
            fields=", ".join(self.fields),
        )

    def numbers(self, node: Node) -> Node | None:
        args = self.all_needed(node.args, Kind.MONEY)
        return self.numeric(node, args) if args else None

    def numeric(self, node: Node, args: tuple[Node, ...]) -> Node:
        kind = Kind.MONEY if any(arg.kind is Kind.MONEY for arg in args) else Kind.NUMBER
        return replace(node, args=args, kind=kind)

    def rounded(self, node: Node) -> Node | None:
        digits = node.args[1]
        if not (isinstance(digits.value, Fraction) and digits.value.denominator == 1) or (
            abs(digits.value) > _MOST_ROUNDING
        ):
            return self.wrong(
                "formula-digits",
                gettext_noop("%(word)s at character %(position)s is no number of digits to round to."),
                gettext_noop("Write a whole number from -%(most)s to %(most)s: 2 rounds to hundredths, 0 to ones."),
                digits,
                most=_MOST_ROUNDING,
            )
        args = self.all_needed(node.args, Kind.MONEY)
        return self.numeric(node, args) if args else None

    def product(self, node: Node) -> Node | None:
        args = self.all_needed(node.args, Kind.MONEY)
        if args is None:
            return None
        power = 0
        for sign, arg in zip(node.signs, args, strict=True):
            if sign == "/" and arg.op is Op.LITERAL and arg.value == 0:
                return self.wrong(
                    "formula-zero",
                    gettext_noop("Nothing can be divided by %(word)s (character %(position)s)."),
                    gettext_noop("Divide by something that is not zero."),
                    arg,
                )
            if arg.kind is Kind.MONEY:
                power += 1 if sign == "*" else -1
        if power > 1:
            return self.wrong(
                "formula-money-squared",
                gettext_noop("%(word)s at character %(position)s multiplies money by money."),
                gettext_noop("Multiply an amount by a number or a percentage."),
                node,
            )
        return replace(node, args=args, kind=Kind.MONEY if power == 1 else Kind.NUMBER)

    def compared(self, node: Node) -> Node | None:
        args = self.alike(node)
        if args is None:
            return None
        if node.signs[0] not in ("=", "<>") and not (_numeric(args[0]) or args[0].kind is Kind.DATE):
            return self.wrong(
                "formula-order",
                gettext_noop(
                    "%(word)s at character %(position)s asks which is more, but neither is a number or a day."
                ),
                gettext_noop("Texts and conditions can only be compared with = and <>."),
                node,
            )
        return replace(node, args=args, kind=Kind.BOOLEAN)

    def listed(self, node: Node) -> Node | None:
        args = self.alike(node)
        return replace(node, args=args, kind=Kind.BOOLEAN) if args else None

    def conditions(self, node: Node) -> Node | None:
        args = self.all_needed(node.args, Kind.BOOLEAN)
        return replace(node, args=args, kind=Kind.BOOLEAN) if args else None

    def chosen(self, node: Node) -> Node | None:
        condition = self.needed(node.args[0], Kind.BOOLEAN)
        results = self.alike(replace(node, args=node.args[1:]))
        if condition is None or results is None:
            return None
        kind = self.numeric(node, results).kind if _numeric(results[0]) else results[0].kind
        return replace(node, args=(condition, *results), kind=kind)

    def blank(self, node: Node) -> Node | None:
        arg = self.node(node.args[0])
        return replace(node, args=(arg,), kind=Kind.BOOLEAN) if arg else None

    def contained(self, node: Node) -> Node | None:
        args = self.all_needed(node.args, Kind.TEXT)
        return replace(node, args=args, kind=Kind.BOOLEAN) if args else None

    def part_of_day(self, node: Node) -> Node | None:
        args = self.all_needed(node.args, Kind.DATE)
        return replace(node, args=args, kind=Kind.NUMBER) if args else None

    def alike(self, node: Node) -> tuple[Node, ...] | None:
        """The parts, which must be of one kind; beside a day, a text that is written as a day is one."""
        args = _whole([self.node(arg) for arg in node.args], len(node.args))
        if args is None:
            return None
        if any(arg.kind is Kind.DATE for arg in args):
            days = [self.as_day(arg) if arg.op is Op.LITERAL and arg.kind is Kind.TEXT else arg for arg in args]
            args = _whole(days, len(days))
            if args is None:
                return None
        if len({Kind.NUMBER if _numeric(arg) else arg.kind for arg in args}) == 1:
            return args
        self.wrong(
            "formula-unlike",
            gettext_noop("%(word)s at character %(position)s puts together values of different kinds."),
            gettext_noop("Numbers are written without quotes, texts in double quotes, days as %(day)s."),
            node,
            day='"2026-01-31"',
        )
        return None

    def as_day(self, node: Node) -> Node | None:
        written = str(node.value)
        try:
            if not _ISO_DAY.fullmatch(written):
                raise ValueError(written)
            return replace(node, value=date.fromisoformat(written), kind=Kind.DATE)
        except ValueError:
            self.problems.append(not_a_day(self.text, node.start, node.end))
            return None

    def wrong(self, code: str, message: str, remedy: str, node: Node, **params: object) -> Node | None:
        """Note a problem; nothing comes of the part."""
        self.problems.append(problem_at(code, message, remedy, self.text, node.start, node.end, **params))
        return None


def _numeric(node: Node) -> bool:
    return node.kind is not None and node.kind.is_numeric


def _whole(nodes: Sequence[Node | None], count: int) -> tuple[Node, ...] | None:
    found = tuple(node for node in nodes if node is not None)
    return found if len(found) == count else None
