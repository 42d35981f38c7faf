"""Documents as PDF: plain data set by typst with the fonts the portal ships; tagged, and the same data gives the same bytes.

Data reaches typst as JSON in an input and is only ever shown as text: nothing in it can become markup. Signs that no font
has are never printed as boxes: they become a question mark, and the document says so.
"""

from __future__ import annotations

import json
import re
import struct
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import typst
from django.conf import settings
from django.http import HttpResponse
from django.utils import translation
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.utils.translation import gettext as _

TEMPLATE: Final = Path(settings.BASE_DIR) / "templates" / "core" / "document.typ"
#: The families in `fonts/`, by language: the first that has a sign prints it.
_LATIN, _SIMPLIFIED, _TRADITIONAL = "Noto Sans", "Noto Sans S Chinese", "Noto Sans T Chinese"
FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    "en": (_LATIN, _SIMPLIFIED, _TRADITIONAL),
    "zh-hans": (_LATIN, _SIMPLIFIED, _TRADITIONAL),
    "zh-hant": (_LATIN, _TRADITIONAL, _SIMPLIFIED),
}
#: What typst brings itself, for a machine on which the fonts were not installed, and what is certain to be in it.
_BUILT_IN: Final = "Libertinus Serif"
_IN_BUILT_IN: Final = frozenset(
    {*range(0x20, 0x7F), *range(0xA0, 0x180), *map(ord, "–—−‘’“”…€→")} - {0xAD, 0x149, 0x17F}
)
#: How a sign without a glyph is printed.
UNKNOWN: Final = "?"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. is_number: to the right, as narrow as it can be; is_narrow: as narrow as it can be."""

    label: str
    is_number: bool = False
    is_narrow: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a heading; notes stand below it. is_total: whether the last row is the sum of those above."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    is_total: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """What a document says, in the reader's language. made_at: when its figures were made, the date of the file."""

    title: str
    lead: str
    made_at: datetime
    stamp: str = ""
    notices: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()
    tables: Sequence[Table] = ()
    closing: Sequence[tuple[str, str]] = ()
    footer: str = ""


def may_be_in(language: str) -> bool:
    """Whether the fonts for a language are installed: those for Chinese have to be, English is always there."""
    return not language.startswith("zh") or set(FAMILIES[language]) <= set(_fonts(settings.FONTS_DIR).families())


def as_pdf(document: Document) -> bytes:
    """Set the document in the active language. The same document in the same language gives the same bytes."""
    language = translation.get_language() or "en"
    covered, families = _coverage(settings.FONTS_DIR), FAMILIES.get(language, FAMILIES["en"])
    if not covered:
        covered, families = _IN_BUILT_IN, (_BUILT_IN,)
    unknown: set[str] = set()
    data = _printable(asdict(document) | {"page": _("Page %(page)s of %(pages)s")}, covered, unknown)
    if unknown:
        left_out = _(
            "Signs for which this file has no letters are printed as “%(sign)s”: the page in the portal shows them."
        )
        data["notices"] = [*data["notices"], left_out % {"sign": UNKNOWN}]
    data |= {"families": families, "language": language[:2], "region": {"zh-hans": "cn", "zh-hant": "tw"}.get(language)}
    compiler = typst.Compiler(
        root=str(TEMPLATE.parent), font_paths=_fonts(settings.FONTS_DIR), ignore_system_fonts=True
    )
    made = compiler.compile(
        input=TEMPLATE.read_bytes(),
        format="pdf",
        sys_inputs={"data": json.dumps(data, default=str)},
        pdf_standards=["ua-1"],
        timestamp=int(document.made_at.timestamp()),
    )
    if not isinstance(made, bytes):
        raise TypeError("typst gave no bytes for a PDF")
    return made


def pdf_response(name: str, content: bytes) -> HttpResponse:
    """A PDF to keep, named for people (RFC 6266: also with letters that are not ASCII)."""
    header = content_disposition_header(True, f"{slugify(name, allow_unicode=True) or 'document'}.pdf")
    return HttpResponse(
        content,
        content_type="application/pdf",
        headers={
            "Content-Disposition": header or "attachment",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _printable(value: Any, covered: frozenset[int], unknown: set[str]) -> Any:
    """The data with every sign that cannot be printed replaced; what was replaced is added to `unknown`."""
    if isinstance(value, str):
        return _signs(value, covered, unknown)
    if isinstance(value, dict):
        return {key: _printable(each, covered, unknown) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(each, covered, unknown) for each in value]
    return value


def _signs(text: str, covered: frozenset[int], unknown: set[str]) -> str:
    if text.isascii() and text.isprintable():
        return text
    found = []
    for sign in unicodedata.normalize("NFC", re.sub(r"\s", _blank, text)):
        kind = unicodedata.category(sign)
        if ord(sign) in covered and not kind.startswith("C"):
            found.append(sign)
        elif kind in ("Cc", "Cf"):  # marks of direction and the like print nothing
            continue
        else:
            unknown.add(sign)
            found.append(UNKNOWN)
    return "".join(found)


def _blank(match: re.Match[str]) -> str:
    return match[0] if match[0] in (" ", "\u00a0") else " "


@lru_cache(maxsize=4)
def _fonts(folder: Path) -> typst.Fonts:
    return typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=True, font_paths=[str(folder)] if folder.is_dir() else []
    )


@lru_cache(maxsize=4)
def _coverage(folder: Path) -> frozenset[int]:
    """The code points that the fonts in the folder can print, those that every weight of a family has."""
    by_family: dict[str, frozenset[int]] = {}
    for info in _fonts(folder).fonts():
        if info.path:
            has = font_coverage(Path(info.path).read_bytes())
            by_family[info.family] = by_family.get(info.family, has) & has
    return frozenset().union(*by_family.values())


def font_coverage(font: bytes) -> frozenset[int]:
    """The code points of a TrueType or OpenType font, from its character map (format 12, else format 4)."""
    count = struct.unpack_from(">H", font, 4)[0]
    tables = {tag: offset for tag, _sum, offset, _length in struct.iter_unpack(">4sIII", font[12 : 12 + 16 * count])}
    start = tables[b"cmap"]
    maps = struct.unpack_from(">H", font, start + 2)[0]
    formats = {}
    for number in range(maps):
        at = start + struct.unpack_from(">I", font, start + 8 + 8 * number)[0]
        formats[struct.unpack_from(">H", font, at)[0]] = at
    if 12 in formats:
        return frozenset(_groups(font, formats[12]))
    return frozenset(_segments(font, formats[4])) if 4 in formats else frozenset()


def _groups(font: bytes, at: int) -> set[int]:
    """The code points of a map of format 12: groups of first and last."""
    count = struct.unpack_from(">I", font, at + 12)[0]
    found: set[int] = set()
    for first, last, _glyph in struct.iter_unpack(">III", font[at + 16 : at + 16 + 12 * count]):
        found.update(range(first, last + 1))
    return found


def _segments(font: bytes, at: int) -> set[int]:
    """The code points of a map of format 4: segments of first and last, each with a shift or a list of glyphs."""
    count = struct.unpack_from(">H", font, at + 6)[0] // 2
    ends = struct.unpack_from(f">{count}H", font, at + 14)
    firsts, shifts, lists = (struct.unpack_from(f">{count}H", font, at + 16 + 2 * count * place) for place in (1, 2, 3))
    found: set[int] = set()
    for number, (first, last, shift, offset) in enumerate(zip(firsts, ends, shifts, lists, strict=True)):
        here = at + 16 + 6 * count + 2 * number
        for point in range(first, min(last, 0xFFFE) + 1):
            glyph = point if offset == 0 else struct.unpack_from(">H", font, here + offset + 2 * (point - first))[0]
            if (glyph + shift) % 65_536 if glyph else offset == 0 and shift:
                found.add(point)
    return found
