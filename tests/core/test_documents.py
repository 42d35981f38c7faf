"""Documents as PDF: nothing in the data becomes markup, no sign becomes a box, the same data gives the same bytes."""

from __future__ import annotations

import io
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import LazySettings, settings
from django.utils import translation
from pypdf import PdfReader

from salesops.core.documents import (
    Column,
    Document,
    Table,
    as_pdf,
    font_coverage,
    may_be_in,
    pdf_response,
)

MADE = datetime(2026, 6, 17, 10, 0, tzinfo=UTC)
MARKUP = '#read("/etc/passwd") *bold* _thin_ $x^2$ `code` <label> @ref \\ // gone #sys.inputs'
needs_fonts = pytest.mark.skipif(not Path(settings.FONTS_DIR).is_dir(), reason="the fonts are not installed")


def document(text: str = "Deal", rows: int = 1) -> Document:
    """A small document that says `text` in its rows."""
    return Document(
        title="Statement",
        lead="Ana",
        made_at=MADE,
        tables=[Table("Lines", [Column("Deal"), Column("Earned", is_number=True)], [[text, "$1.00"]] * rows)],
        footer="Foot",
    )


def read(content: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(content))


def text_of(content: bytes) -> str:
    """All words of a PDF with single spaces."""
    return " ".join(" ".join(page.extract_text() for page in read(content).pages).split())


def test_what_looks_like_markup_is_shown_as_it_is_written() -> None:
    assert f"{MARKUP} $1.00" in text_of(as_pdf(document(MARKUP)))


def test_a_word_that_is_too_long_breaks_within_its_column() -> None:
    width = PdfReader(io.BytesIO(as_pdf(document("W" * 400)))).pages[0]
    assert width.extract_text().count("W") == 400
    assert "W" * 100 not in width.extract_text()


def test_it_is_tagged_has_a_language_a_title_and_pages() -> None:
    content = as_pdf(document(rows=120))
    root = read(content).trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert "/StructTreeRoot" in root
    assert read(content).metadata["/Title"] == "Statement · Ana"  # type: ignore[index]
    assert "Page 3 of 3" in text_of(content)
    assert text_of(content).count("Deal Earned") == 3  # the heading of the table stands on each page


def test_the_same_gives_the_same_bytes() -> None:
    metadata = read(as_pdf(document())).metadata
    assert metadata is not None
    assert (metadata["/CreationDate"], metadata["/ModDate"]) == ("D:20260617100000Z", "D:20260617100000Z")
    assert as_pdf(document(rows=50)) == as_pdf(document(rows=50))
    assert as_pdf(document("Deal")) != as_pdf(document("Other"))


@needs_fonts
def test_chinese_and_names_of_europe_are_printed() -> None:
    for language in ("en", "zh-hans", "zh-hant"):
        with translation.override(language):
            assert may_be_in(language)
            text = text_of(as_pdf(document("Łukasz Šćőß 林志玲 國際貿易 Жанна ₹ €")))
        assert "Łukasz Šćőß 林志玲 國際貿易 Жанна ₹ €" in text


@needs_fonts
def test_a_sign_without_letters_is_told_and_never_a_box() -> None:
    said = "Signs for which this file has no letters are printed as “?”"
    text = text_of(as_pdf(document("Go \U0001f680 한 now\u202e\u0007\n.")))
    assert "Go ? ? now ." in text
    assert said in text
    assert said not in text_of(as_pdf(document("Go\u200e now")))


def test_without_the_fonts_it_is_in_english_with_what_typst_brings(tmp_path: Path, settings: LazySettings) -> None:
    settings.FONTS_DIR = tmp_path / "none"
    assert may_be_in("en")
    assert not may_be_in("zh-hans")
    assert not may_be_in("zh-hant")
    text = text_of(as_pdf(document("Łukasz 林 − “€”")))
    assert "Łukasz ? − “€”" in text


@needs_fonts
def test_the_coverage_is_that_of_the_font() -> None:
    latin = font_coverage((Path(settings.FONTS_DIR) / "NotoSans-Regular.ttf").read_bytes())
    simplified = font_coverage((Path(settings.FONTS_DIR) / "NotoSansHans-Regular.otf").read_bytes())
    assert (ord("Ł") in latin, ord("林") in latin, ord("\U0001f680") in latin) == (True, False, False)
    assert (ord("Ł") in simplified, ord("林") in simplified) == (False, True)
    assert len(simplified) == 30_789


def test_a_character_map_of_segments_is_read() -> None:
    """Format 4: A to C by a shift, X and Z from a list in which Y has no glyph."""
    segments = [(0x41, 0x43, 5, 0), (0x58, 0x5A, 0, 4), (0xFFFF, 0xFFFF, 1, 0)]
    count = len(segments)
    body = struct.pack(">HHHHHHH", 4, 0, 0, 2 * count, 0, 0, 0)
    body += struct.pack(f">{count}H", *(each[1] for each in segments)) + b"\0\0"
    for place in (0, 2, 3):
        body += struct.pack(f">{count}H", *(each[place] for each in segments))
    body += struct.pack(">3H", 7, 0, 9)
    head = b"\0\1\0\0" + struct.pack(">HHHH", 1, 0, 0, 0) + struct.pack(">4sIII", b"cmap", 0, 28, 0)
    font = head + struct.pack(">HHHHI", 0, 1, 3, 1, 12) + body
    assert font_coverage(font) == {0x41, 0x42, 0x43, 0x58, 0x5A}


def test_a_download_is_named_for_people_and_kept_by_nobody() -> None:
    response = pdf_response("Statement Ana 2026Q2", b"x")
    assert response["Content-Disposition"] == 'attachment; filename="statement-ana-2026q2.pdf"'
    assert response["Cache-Control"] == "no-store"
    named = pdf_response('林 "志玲"\r\nX: y/../2026Q2', b"x")["Content-Disposition"]
    assert named == "attachment; filename*=utf-8''%E6%9E%97-%E5%BF%97%E7%8E%B2-x-y2026q2.pdf"
