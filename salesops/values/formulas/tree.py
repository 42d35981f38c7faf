"""A formula as a tree, made from its words within limits on length, depth and number of parts."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import Final

from salesops.values.formulas.kinds import Kind
from salesops.values.formulas.words import USAGES, Token, TokenKind, tokens
from salesops.values.outcomes import Outcome, Problem, gettext_noop

# The limits. Depth keeps every walk over the tree, here and in the database, far from running out of stack.
MOST_CHARACTERS: Final = 2_000
MOST_DEPTH: Final = 40
MOST_PARTS: Final = 400
# Digits of a written number before and after the point.
MOST_DIGITS: Final = 15
MOST_DECIMALS: Final = 12

# A value of a formula; None is a blank.
Value = bool | Fraction | str | date | None


class Op(StrEnum):
    """What a part of a formula does."""

    LITERAL = "literal"
    FIELD = "field"
    SUM = "sum"
    PRODUCT = "product"
    NEGATIVE = "negative"
    COMPARE = "compare"
    AND = "AND"
    OR = "OR"
    NOT = "NOT"
    IN = "IN"
    NOT_IN = "NOT IN"
    IF = "IF"
    MIN = "MIN"
    MAX = "MAX"
    ROUND = "ROUND"
    ABS = "ABS"
    ISBLANK = "ISBLANK"
    CONTAINS = "CONTAINS"
    YEAR = "YEAR"
    QUARTER = "QUARTER"
    MONTH = "MONTH"
    DAY = "DAY"


@dataclass(frozen=True)
class Node:
    """A part of a formula.

    value: of a literal; the name, for a field. signs: before each part of a sum (+ -) or product (* /), or how two
    values are compared. start, end: the place in the text. kind: None until the kinds have been checked.
    """

    op: Op
    start: int
    end: int
    args: tuple["Node", ...] = ()
    value: Value = None
    signs: tuple[str, ...] = ()
    kind: Kind | None = None
    depth: int = 1


class Refusal(Exception):  # noqa: N818 - carries a problem out of the depth of reading; nobody outside sees it
    """Reading stops here."""

    def __init__(self, problem: Problem) -> None:
        """Keep the problem."""
        super().__init__(problem.message)
        self.problem = problem


# Arguments each function takes: at least, at most.
_COUNTS: Final = {
    "IF": (3, 3), "AND": (1, MOST_PARTS), "OR": (1, MOST_PARTS), "MIN": (2, MOST_PARTS), "MAX": (2, MOST_PARTS),
    "ROUND": (2, 2), "ABS": (1, 1), "ISBLANK": (1, 1), "CONTAINS": (2, 2), "YEAR": (1, 1), "QUARTER": (1, 1),
    "MONTH": (1, 1), "DAY": (1, 1), "DATE": (3, 3),
}  # fmt: skip

# How tightly signs bind; NOT lies between AND and the comparisons, the minus sign of a number above all.
_OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _MINUS = range(1, 8)
_COMPARISONS: Final = frozenset(("=", "<>", "!=", "<", "<=", ">", ">="))
_END: Final = Token(TokenKind.SPACE, "", -1)


def read(text: str) -> Outcome[Node]:
    """The tree of a formula, kinds not yet checked; or the first thing that cannot be read."""
    if len(text) > MOST_CHARACTERS:
        return Outcome.bad(
            Problem.of(
                "formula-long",
                gettext_noop("The formula has %(length)s characters; at most %(most)s are read."),
                remedy=gettext_noop("Shorten it."),
                length=len(text),
                most=MOST_CHARACTERS,
            )
        )
    try:
        return Outcome.good(_Reader(text).whole())
    except Refusal as refusal:
        return Outcome.bad(refusal.problem)


class _Reader:
    """Reads words from left to right; never goes back, and never deeper than the limit."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = [token for token in tokens(text, MOST_CHARACTERS) if token.kind is not TokenKind.SPACE]
        self.place = 0
        self.depth = 0
        self.parts = 0

    @property
    def next(self) -> Token:
        return self.words[self.place] if self.place < len(self.words) else _END

    def take(self) -> Token:
        token = self.next
        self.place += 1
        return token

    def whole(self) -> Node:
        if not self.words:
            raise Refusal(
                Problem.of(
                    "formula-empty",
                    gettext_noop("The formula is empty."),
                    remedy=gettext_noop("Write a formula such as %(example)s"),
                    example='segment = "enterprise"',
                )
            )
        node = self.expression(_OR)
        if self.next is not _END:
            raise self.out_of_place(self.next, "AND OR IN = <> < <= > >= + - * /")
        return node

    def expression(self, least: int) -> Node:
        """A value and all that follows it and binds at least that tightly."""
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise self.too_deep(self.next)
        node = self.operand()
        while (power := self.power()) >= least:
            if power == _COMPARE:
                node = self.compared(node)
            elif power in (_SUM, _PRODUCT):
                node = self.calculated(node, power)
            else:
                node = self.joined(node, power)
        self.depth -= 1
        return node

    def power(self) -> int:
        """How tightly the sign that comes next binds; 0 when it joins nothing."""
        token = self.next
        if token.kind is TokenKind.OPERATOR:
            return _COMPARE if token.text in _COMPARISONS else _SUM if token.text in "+-" else _PRODUCT
        if token.name == "NOT" and self.place + 1 < len(self.words) and self.words[self.place + 1].name == "IN":
            return _COMPARE
        return {"OR": _OR, "AND": _AND, "IN": _COMPARE}.get(token.name, 0)

    def joined(self, first: Node, power: int) -> Node:
        op = Op.OR if power == _OR else Op.AND
        args = [first]
        while self.next.name == op.value:
            self.take()
            args.append(self.expression(power + 1))
        return self.node(op, first.start, args[-1].end, args)

    def calculated(self, first: Node, power: int) -> Node:
        args, signs = [first], ["+" if power == _SUM else "*"]
        while self.power() == power:
            signs.append(self.take().text)
            args.append(self.expression(power + 1))
        return self.node(Op.SUM if power == _SUM else Op.PRODUCT, first.start, args[-1].end, args, signs=tuple(signs))

    def compared(self, left: Node) -> Node:
        token = self.take()
        if token.kind is TokenKind.OPERATOR:
            right = self.expression(_SUM)
            sign = "<>" if token.text == "!=" else token.text
            node = self.node(Op.COMPARE, left.start, right.end, [left, right], signs=(sign,))
        else:
            op = Op.IN
            if token.name == "NOT":
                op, token = Op.NOT_IN, self.take()
            args, end = self.arguments(token)
            node = self.node(op, left.start, end, [left, *args])
            for item in args:
                if item.op is not Op.LITERAL:
                    raise self.refused(
                        "formula-list",
                        gettext_noop("%(word)s at character %(position)s cannot stand in a list."),
                        gettext_noop("A list holds numbers, texts or days, written out."),
                        item,
                    )
        if self.power() == _COMPARE:
            raise self.refused(
                "formula-chain",
                gettext_noop("%(word)s at character %(position)s compares what is compared already."),
                gettext_noop("Join two comparisons by AND, or put one of them in brackets."),
                self.next,
            )
        return node

    def operand(self) -> Node:
        token = self.take()
        if token.kind is TokenKind.NUMBER:
            return self.number(token)
        if token.kind is TokenKind.TEXT:
            return self.quoted(token)
        if token.kind is TokenKind.FUNCTION or (token.name in ("AND", "OR") and self.next.text == "("):
            return self.call(token)
        if token.kind is TokenKind.FIELD:
            return self.node(Op.FIELD, token.start, token.end, value=token.text)
        if token.name in ("TRUE", "FALSE"):
            return self.node(Op.LITERAL, token.start, token.end, value=token.name == "TRUE")
        if token.name == "NOT":
            inner = self.expression(_COMPARE)
            return self.node(Op.NOT, token.start, inner.end, [inner])
        if token.text in ("-", "+"):
            return self.signed(token)
        if token.text == "(":
            inner = self.expression(_OR)
            self.close(")")
            return inner
        raise self.no_value(token)

    def signed(self, token: Token) -> Node:
        """Any number of signs before a value; a minus before a written number belongs to the number."""
        inner = self.expression(_MINUS)
        if token.text == "+" or (inner.op is Op.LITERAL and isinstance(inner.value, Fraction)):
            value = inner.value
            if isinstance(value, Fraction):
                negative = -value if token.text == "-" else value
                return self.node(Op.LITERAL, token.start, inner.end, value=negative)
            # A plus sign changes nothing, but what follows must be a number: the sum of one part says so.
            return self.node(Op.SUM, token.start, inner.end, [inner], signs=("+",))
        return self.node(Op.NEGATIVE, token.start, inner.end, [inner])

    def number(self, token: Token) -> Node:
        digits = token.text.removesuffix("%").rstrip()
        whole, _, decimals = digits.partition(".")
        if len(whole) > MOST_DIGITS or len(decimals) > MOST_DECIMALS:
            problem = self.refused(
                "formula-number",
                gettext_noop(
                    "The number %(word)s at character %(position)s is too long: at most %(digits)s digits before the "
                    "point and %(decimals)s after it."
                ),
                gettext_noop("Shorten the number."),
                token,
                digits=MOST_DIGITS,
                decimals=MOST_DECIMALS,
            )
            raise problem
        value = Fraction(int(whole + decimals), 10 ** len(decimals))
        if token.text.endswith("%"):
            value /= 100
        return self.node(Op.LITERAL, token.start, token.end, value=value)

    def quoted(self, token: Token) -> Node:
        value = token.text[1:-1].replace('""', '"')
        if not value:
            raise self.refused(
                "formula-text-empty",
                gettext_noop("The text at character %(position)s is empty."),
                gettext_noop("An empty text is a blank: write %(example)s"),
                token,
                example="ISBLANK(...)",
            )
        if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in value):
            raise self.refused(
                "formula-text-control",
                gettext_noop("The text at character %(position)s holds a line break or a sign that cannot be seen."),
                gettext_noop("Type the text again on one line."),
                token,
            )
        return self.node(Op.LITERAL, token.start, token.end, value=value)

    def call(self, token: Token) -> Node:
        args, end = self.arguments(token)
        least, most = _COUNTS[token.name]
        if not least <= len(args) <= most:
            raise self.refused(
                "formula-arguments",
                gettext_noop("%(word)s at character %(position)s has %(count)s values in its brackets."),
                gettext_noop("Write it like this: %(usage)s"),
                token,
                count=len(args),
                usage=USAGES[token.name],
            )
        if token.name == "DATE":
            return self.day(token, args, end)
        return self.node(Op(token.name), token.start, end, args)

    def arguments(self, before: Token) -> tuple[list[Node], int]:
        """The values between brackets, separated by commas, and the place behind the closing one."""
        if self.next.text != "(":
            raise self.out_of_place(self.next, "(")
        self.take()
        if self.next.text == ")":
            if before.name in USAGES:
                return [], self.take().end
            raise self.no_value(self.next)
        args = [self.expression(_OR)]
        while self.next.text == ",":
            self.take()
            args.append(self.expression(_OR))
        return args, self.close(", )").end

    def day(self, token: Token, args: Sequence[Node], end: int) -> Node:
        """DATE(2026, 1, 31) of written numbers is a day; nothing else is."""
        numbers = [arg.value for arg in args if arg.op is Op.LITERAL and type(arg.value) is Fraction]
        try:
            year, month, day = (int(number) for number in numbers if number.denominator == 1)
            value = date(year, month, day)
        except (ValueError, OverflowError):
            raise Refusal(not_a_day(self.text, token.start, end)) from None
        return self.node(Op.LITERAL, token.start, end, value=value)

    def close(self, expected: str) -> Token:
        if self.next.text != ")":
            raise self.out_of_place(self.next, expected)
        return self.take()

    def node(
        self,
        op: Op,
        start: int,
        end: int,
        args: Sequence[Node] = (),
        *,
        value: Value = None,
        signs: tuple[str, ...] = (),
    ) -> Node:
        """A new part of the tree, within the limits."""
        self.parts += 1
        if self.parts > MOST_PARTS:
            raise Refusal(
                Problem.of(
                    "formula-many-parts",
                    gettext_noop("The formula has more than %(most)s parts."),
                    remedy=gettext_noop("Shorten it."),
                    most=MOST_PARTS,
                )
            )
        depth = 1 + max((arg.depth for arg in args), default=0)
        if depth > MOST_DEPTH:
            raise self.too_deep(Token(TokenKind.UNKNOWN, self.text[start : start + 1], start))
        return Node(op, start, end, tuple(args), value, signs, None, depth)

    # --- What is wrong ---

    def refused(self, code: str, message: str, remedy: str, at: Token | Node, **params: object) -> Refusal:
        return Refusal(problem_at(code, message, remedy, self.text, at.start, at.end, **params))

    def too_deep(self, token: Token) -> Refusal:
        return self.refused(
            "formula-deep",
            gettext_noop("The formula is nested more than %(most)s deep at character %(position)s."),
            gettext_noop("Use fewer brackets and functions inside one another."),
            self._end() if token is _END else token,
            most=MOST_DEPTH,
        )

    def no_value(self, token: Token) -> Refusal:
        """Something else stands where a value is needed."""
        if token is _END:
            return self.refused(
                "formula-ends",
                gettext_noop("The formula ends where a value is needed."),
                gettext_noop("A value is a field, a number, a text in double quotes, a function, or a bracket."),
                self._end(),
            )
        if token.kind is TokenKind.UNKNOWN:
            return self.unknown_sign(token)
        return self.refused(
            "formula-value",
            gettext_noop("A value is needed at character %(position)s, not %(word)s."),
            gettext_noop("A value is a field, a number, a text in double quotes, a function, or a bracket."),
            token,
        )

    def out_of_place(self, token: Token, expected: str) -> Refusal:
        """Something stands where one of the `expected` signs is needed."""
        if token is _END:
            return self.refused(
                "formula-ends",
                gettext_noop("The formula ends too early."),
                gettext_noop("Expected: %(expected)s"),
                self._end(),
                expected=expected,
            )
        if token.kind is TokenKind.UNKNOWN:
            return self.unknown_sign(token)
        before = self.words[self.place - 1] if self.place else _END
        if token.text == "," and before.kind is TokenKind.NUMBER:
            remedy = gettext_noop("Write numbers without separators, with a point before decimals: 50000.25")
        elif token.text == "(" and before.kind is TokenKind.FIELD:
            return self.refused(
                "formula-function",
                gettext_noop("There is no function %(word)s (character %(position)s)."),
                gettext_noop("These functions may be used: %(expected)s"),
                before,
                expected=", ".join(USAGES),
            )
        else:
            remedy = gettext_noop("Expected: %(expected)s")
        return self.refused(
            "formula-unexpected",
            gettext_noop("%(word)s at character %(position)s cannot stand there."),
            remedy,
            token,
            expected=expected,
        )

    def unknown_sign(self, token: Token) -> Refusal:
        if token.text == '"':
            return self.refused(
                "formula-text-open",
                gettext_noop("The text that begins at character %(position)s does not end."),
                gettext_noop("Close it with a double quotation mark."),
                token,
            )
        remedy = gettext_noop("Formulas are made of fields, numbers, texts in double quotes, and %(expected)s")
        if token.text in "'‘’“”„«»`":
            remedy = gettext_noop('Put texts in straight double quotes: "text"')
        return self.refused(
            "formula-sign",
            gettext_noop("The sign %(word)s at character %(position)s means nothing in a formula."),
            remedy,
            token,
            expected="( ) , + - * / = <> < <= > >=",
        )

    def _end(self) -> Token:
        return Token(TokenKind.SPACE, "", len(self.text))


def problem_at(code: str, message: str, remedy: str, text: str, start: int, end: int, **params: object) -> Problem:
    """A problem with its place: `position` counts from 1, `length` is that of the word, which is cut when shown."""
    word = text[start:end]
    cut = word if len(word) <= 40 else f"{word[:37]}..."
    shown = "".join(sign if sign.isprintable() else f"U+{ord(sign):04X}" for sign in cut)
    filled = {name: str(value) for name, value in params.items()}
    return Problem.of(code, message, remedy=remedy, position=start + 1, length=end - start, word=shown, **filled)


def not_a_day(text: str, start: int, end: int) -> Problem:
    """Something written as a day is none."""
    return problem_at(
        "formula-day",
        gettext_noop("%(word)s at character %(position)s is not a day."),
        gettext_noop("Write days as %(expected)s"),
        text,
        start,
        end,
        expected='"2026-01-31", DATE(2026, 1, 31)',
    )
