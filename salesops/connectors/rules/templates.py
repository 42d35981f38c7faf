"""Texts computed from other columns, such as "[{account} – ]{product}" or "{Name|dotted}@company.com"."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from salesops.connectors.rules.tables import shown
from salesops.values.outcomes import Outcome, Problem
from salesops.values.outcomes import gettext_noop as _

_MOST_CHARS: Final = 300
_TOKEN: Final = re.compile(r"\{([^{}|\[\]]+)(?:\|([a-z]+))?\}|([\[\]{}])|([^\[\]{}]+)")


def _dotted(text: str) -> str:
    """Plain lower-case letters and digits with points between words: "José Saraiva" becomes "jose.saraiva"."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    return ".".join(re.findall(r"[^\W_]+", plain.casefold()))


FILTERS: Final[dict[str, Callable[[str], str]]] = {"lower": str.lower, "upper": str.upper, "dotted": _dotted}


@dataclass(frozen=True)
class _Part:
    """A piece of text, or the value of a column; `block` numbers the optional block it stands in, 0 for none."""

    text: str = ""
    column: str = ""
    filter: str = ""
    block: int = 0


@dataclass(frozen=True)
class Template:
    """A template that was read. What stands in square brackets is left out when a column inside it is blank."""

    parts: tuple[_Part, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it takes values from."""
        return tuple(dict.fromkeys(part.column for part in self.parts if part.column))

    def fill(self, values: Mapping[str, str]) -> str:
        """The text for one row; "" when a column outside of brackets is blank or nothing is left."""
        filled = [(part, self._value(part, values)) for part in self.parts]
        empty = {part.block for part, text in filled if part.column and not text}
        if 0 in empty:
            return ""
        text = "".join(text for part, text in filled if part.block not in empty)
        return " ".join(text.split())

    @staticmethod
    def _value(part: _Part, values: Mapping[str, str]) -> str:
        if not part.column:
            return part.text
        value = values.get(part.column, "").strip()
        return FILTERS[part.filter](value) if part.filter else value


def parse(text: str, headers: Sequence[str] | None = None) -> Outcome[Template]:
    """Read a template. With `headers` it is also checked that every column is there."""
    if len(text) > _MOST_CHARS:
        return _bad(_("The template is too long."), text)
    parts: list[_Part] = []
    block = blocks = place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if not match:
            return _bad(_("A brace of the template “%(template)s” is not closed."), text)
        place = match.end()
        column, name, sign, plain = match.groups()
        if sign == "[" and not block:
            blocks += 1
            block = blocks
        elif sign == "]" and block:
            block = 0
        elif sign:
            return _bad(_("Brackets and braces of the template “%(template)s” do not pair."), text)
        elif plain is not None:
            parts.append(_Part(text=plain, block=block))
        elif name and name not in FILTERS:
            return _bad(_("“%(template)s”: there is no filter of that name; lower, upper and dotted exist."), text)
        elif headers is not None and column.strip() not in headers:
            return _bad(_("“%(template)s” names a column that the file does not have."), text)
        else:
            parts.append(_Part(column=column.strip(), filter=name or "", block=block))
    if block:
        return _bad(_("Brackets and braces of the template “%(template)s” do not pair."), text)
    if not any(part.column for part in parts):
        return _bad(_("The template “%(template)s” takes no column; write {Column}."), text)
    return Outcome.good(Template(tuple(parts)))


def _bad(message: str, text: str) -> Outcome[Template]:
    return Outcome.bad(
        Problem.of(
            "template",
            message,
            remedy=_("Write columns in braces, and in square brackets what is left out when its column is blank."),
            template=shown(text),
        )
    )
