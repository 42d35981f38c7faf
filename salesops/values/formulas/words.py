"""The words of a formula: names, numbers, texts and signs, each with its place; also what a page colours them by."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# How each function is written. The names are also words of the language, so they stand here once.
USAGES: Final[Mapping[str, str]] = {
    "IF": "IF(condition, value, value)",
    "AND": "AND(condition, condition, ...)",
    "OR": "OR(condition, condition, ...)",
    "NOT": "NOT(condition)",
    "MIN": "MIN(number, number, ...)",
    "MAX": "MAX(number, number, ...)",
    "ROUND": "ROUND(number, digits)",
    "ABS": "ABS(number)",
    "ISBLANK": "ISBLANK(value)",
    "CONTAINS": 'CONTAINS(text, "part")',
    "YEAR": "YEAR(date)",
    "QUARTER": "QUARTER(date)",
    "MONTH": "MONTH(date)",
    "DAY": "DAY(date)",
    "DATE": "DATE(2026, 1, 31)",
}
# Words that never name a field. The other functions are functions only before an opening bracket.
KEYWORDS: Final = frozenset(("AND", "OR", "NOT", "IN", "TRUE", "FALSE"))

_WORDS: Final = re.compile(
    r"""(?P<space>[ \t\r\n\u00a0]+)
    |(?P<number>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[ ]?%)?)
    |(?P<field>[^\W\d]\w*)
    |(?P<text>"(?:[^"]|"")*")
    |(?P<operator><>|!=|<=|>=|[-=<>+*/])
    |(?P<bracket>[(),])
    |(?P<unknown>.)""",
    re.VERBOSE | re.DOTALL,
)


class TokenKind(StrEnum):
    """What a word of a formula is."""

    FIELD = "field"
    FUNCTION = "function"
    KEYWORD = "keyword"
    NUMBER = "number"
    TEXT = "text"
    OPERATOR = "operator"
    BRACKET = "bracket"
    SPACE = "space"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Token:
    """A word with its place: `start` counts characters from 0."""

    kind: TokenKind
    text: str
    start: int

    @property
    def end(self) -> int:
        """The place behind the last character."""
        return self.start + len(self.text)

    @property
    def name(self) -> str:
        """The word in capitals, as keywords and functions are looked up; empty for anything but a word."""
        is_word = self.kind in (TokenKind.FIELD, TokenKind.FUNCTION, TokenKind.KEYWORD)
        return self.text.upper() if is_word else ""


def tokens(text: str, most: int = 2_000) -> tuple[Token, ...]:
    """Every character of the text in exactly one token, in order; what lies beyond `most` characters is one unknown.

    Never fails: what has no meaning is of the kind UNKNOWN.
    """
    found = [
        Token(TokenKind(match.lastgroup or "unknown"), match[0], match.start())
        for match in _WORDS.finditer(text[:most])
    ]
    if len(text) > most:
        found.append(Token(TokenKind.UNKNOWN, text[most:], most))
    following = ""
    for index in range(len(found) - 1, -1, -1):
        token = found[index]
        if token.kind is TokenKind.FIELD:
            if token.name in KEYWORDS:
                found[index] = Token(TokenKind.KEYWORD, token.text, token.start)
            elif token.name in USAGES and following == "(":
                found[index] = Token(TokenKind.FUNCTION, token.text, token.start)
        if token.kind is not TokenKind.SPACE:
            following = token.text
    return tuple(found)
