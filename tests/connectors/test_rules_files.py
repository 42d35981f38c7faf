"""Text files: encodings, delimiters, headers, bad rows, limits, and reading on from a checkpoint."""

from __future__ import annotations

import io
import time
import tracemalloc
from collections import deque
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesops.connectors.rules import files
from salesops.connectors.rules.tables import (
    Checkpoint,
    FileRefused,
    Inspection,
    Layout,
    Limits,
    Reading,
    Row,
    pack_cells,
    unpack_cells,
)

PLAIN = "Name,Amount,Day\nAcme,10,2017-03-01\nZoé,20,2017-03-02\n"


def look(data: bytes, name: str = "table.csv", limits: Limits | None = None, **reading: object) -> Inspection:
    """Inspect bytes."""
    return files.inspect(io.BytesIO(data), name, Reading(**reading), limits or Limits())  # type: ignore[arg-type]


def read(data: bytes, limits: Limits | None = None, **reading: object) -> list[Row]:
    """All rows of the bytes; the file must be readable."""
    found = look(data, limits=limits, **reading)
    assert found.layout, found.problems
    return list(files.rows(io.BytesIO(data), found.layout, limits=limits or Limits()))


def cells(data: bytes, **reading: object) -> list[tuple[object, ...]]:
    return [row.cells for row in read(data, **reading)]


def codes(problems: tuple[object, ...]) -> list[str]:
    return [problem.code for problem in problems]  # type: ignore[attr-defined]


class TestEncodings:
    @pytest.mark.parametrize(
        "data",
        [
            PLAIN.encode(),
            PLAIN.encode("utf-8-sig"),
            PLAIN.encode("utf-16"),
            b"\xff\xfe" + PLAIN.encode("utf-16-le"),
            b"\xfe\xff" + PLAIN.encode("utf-16-be"),
            PLAIN.encode("utf-16-le"),
            PLAIN.encode("utf-16-be"),
            PLAIN.replace("\n", "\r\n").encode("utf-16-le"),
            PLAIN.replace("\n", "\r").encode("utf-16-be"),
            PLAIN.encode("cp1252"),
            PLAIN.replace("\n", "\r\n").encode(),
            PLAIN.replace("\n", "\r").encode(),
        ],
    )
    def test_the_same_table_comes_out_of_every_encoding_and_line_end(self, data: bytes) -> None:
        found = look(data)
        assert found.layout
        assert found.layout.headers == ("Name", "Amount", "Day")
        assert cells(data) == [("Acme", "10", "2017-03-01"), ("Zoé", "20", "2017-03-02")]
        assert [row.line for row in read(data)] == [2, 3]

    def test_windows_1252_is_said_to_be_an_assumption_and_on_which_line(self) -> None:
        (note,) = look(PLAIN.encode("cp1252")).notes
        assert note.code == "file-encoding-assumed"
        assert note.text() == "The file is not UTF-8 (line 3); it was read as Windows-1252."

    def test_utf16_without_a_mark_is_said_to_be_an_assumption(self) -> None:
        assert codes(look(PLAIN.encode("utf-16-le")).notes) == ["file-encoding-assumed"]
        assert codes(look(PLAIN.encode("utf-16")).notes) == []

    def test_utf16_of_mostly_chinese_text(self) -> None:
        text = "公司,金额\n" + "一二三四公司,10\n" * 20
        found = look(text.encode("utf-16-le"))
        assert found.layout
        assert found.layout.encoding == "utf-16-le"
        assert found.layout.headers == ("公司", "金额")

    def test_chinese_of_two_bytes_is_proposed_and_can_be_chosen(self) -> None:
        data = "公司名称,金额\n上海贸易有限公司,10\n北京科技有限公司,20\n".encode("gb18030")
        found = look(data)
        assert found.layout
        assert found.layout.encoding == "gb18030"
        assert codes(found.notes) == ["file-encoding-assumed"]
        assert cells(data, encoding="gb18030")[0] == ("上海贸易有限公司", "10")

    def test_a_chosen_encoding_that_does_not_fit_is_refused_with_the_line(self) -> None:
        found = look(PLAIN.encode("cp1252"), encoding="utf-8")
        assert found.layout is None
        assert codes(found.problems) == ["file-encoding"]
        assert "line 3" in found.problems[0].text()
        assert look(PLAIN.encode(), encoding="rot13").layout is None

    def test_bytes_of_no_encoding_are_refused(self) -> None:
        found = look(b"Name,Amount\nAcm\x81,1\nZo\x8d,2\n")
        assert found.layout is None
        assert codes(found.problems) == ["file-encoding"]

    def test_one_broken_character_in_utf8_costs_one_row(self) -> None:
        lines = [f"Zoé {number},{number}\n".encode() for number in range(50)]
        lines[20] = b"Broken \xff,20\n"
        rows = read(b"Name,Amount\n" + b"".join(lines))
        assert len(rows) == 50
        assert [(row.line, codes(row.problems)) for row in rows if row.problems] == [(22, ["row-encoding"])]

    def test_utf32_and_binary_are_refused_clearly(self) -> None:
        assert codes(look(PLAIN.encode("utf-32")).problems) == ["file-encoding"]
        assert codes(look(bytes(range(256)) * 8).problems) == ["file-binary"]

    def test_a_nul_costs_its_row_and_names_the_column(self) -> None:
        rows = read(PLAIN.encode().replace(b"Acme", b"Ac\0me") + b"More,1,2\n" * 9)
        assert codes(rows[0].problems) == ["row-nul"]
        assert rows[0].problems[0].where == "Name"
        assert not rows[1].problems


class TestDelimiters:
    @pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
    def test_each_delimiter_is_found(self, mark: str) -> None:
        data = mark.join(["Name", "Amount", "City"]) + "\n" + mark.join(["Acme", "10", "Bonn"]) + "\n"
        found = look(data.encode())
        assert found.layout
        assert found.layout.delimiter == mark
        assert not found.notes

    def test_decimal_commas_do_not_pass_for_columns(self) -> None:
        data = "Betrag;Kunde\n1.234,56;Meyer\n2.345,67;Schulz\n99,00;Weber\n"
        assert cells(data.encode()) == [("1.234,56", "Meyer"), ("2.345,67", "Schulz"), ("99,00", "Weber")]

    def test_decimal_commas_below_a_header_with_a_comma_do_not_pass_for_columns(self) -> None:
        data = "Betrag, EUR;Kunde\n1.234,56;Meyer\n2.345,67;Schulz\n"
        assert cells(data.encode())[0] == ("1.234,56", "Meyer")

    def test_delimiters_inside_quoted_text_do_not_count(self) -> None:
        data = 'Name,Note\n"Acme; Bonn; Köln; Rom","a|b|c;d;e"\n"Beta; Ulm","x;y;z|1|2"\n'
        assert cells(data.encode())[0] == ("Acme; Bonn; Köln; Rom", "a|b|c;d;e")

    def test_lists_inside_plain_cells_do_not_win(self) -> None:
        data = "Name,Tags,City\n" + "".join(f"N{number},a|b|c,Bonn\n" for number in range(10))
        assert cells(data.encode())[0] == ("N0", "a|b|c", "Bonn")

    def test_the_separator_line_of_excel_is_obeyed_and_not_a_row(self) -> None:
        rows = read(b"sep=;\nName;Amount\nAcme;1,5\n")
        assert [(row.line, row.cells) for row in rows] == [(3, ("Acme", "1,5"))]

    def test_one_column_is_said(self) -> None:
        found = look(b"E-mail\na@b.com\nc@d.com\n")
        assert found.layout
        assert found.layout.headers == ("E-mail",)
        assert codes(found.notes) == ["file-one-column"]

    def test_doubt_is_said(self) -> None:
        assert "file-delimiter-doubtful" in codes(look(b"a;b,c\nd;e,f\ng;h,i\n").notes)

    def test_a_chosen_delimiter_is_used(self) -> None:
        assert cells(b"a;b,c\nd;e,f\n", delimiter=";") == [("d", "e,f")]
        assert codes(look(b"a,b\n1,2\n", delimiter="ab").problems) == ["file-delimiter"]


class TestHeaders:
    def test_titles_above_are_passed_over_and_it_is_said(self) -> None:
        data = b"Sales report 2017\nmade by hand\n\nName,Amount,City\nAcme,10,Bonn\nBeta,20,Ulm\n"
        found = look(data)
        assert found.layout
        assert found.layout.header_line == 4
        assert codes(found.notes)[-1] == "file-headers-below"
        assert [row.line for row in read(data)] == [5, 6]

    def test_a_file_without_headers_gets_numbered_columns_and_loses_no_row(self) -> None:
        data = b"Acme,10,2017-03-01\nBeta,20,2017-03-02\n"
        found = look(data)
        assert found.layout
        assert found.layout.headers == ("Column 1", "Column 2", "Column 3")
        assert "file-headers-doubtful" in codes(found.notes)
        assert [row.line for row in read(data)] == [1, 2]

    def test_the_header_line_can_be_chosen(self) -> None:
        data = b"one,two\nName,Amount\nAcme,10\n"
        found = look(data, header_line=2)
        assert found.layout
        assert found.layout.headers == ("Name", "Amount")
        assert cells(data, header_line=0)[0] == ("one", "two")
        assert codes(look(data, header_line=9).problems) == ["file-headers-line"]

    def test_headers_alike_and_missing_are_made_distinct(self) -> None:
        found = look(b"Name,Amount,amount,,City\nAcme,1,2,3,Bonn\n")
        assert found.layout
        assert found.layout.headers == ("Name", "Amount", "amount (2)", "Column 4", "City")
        assert codes(found.notes) == ["file-headers-repeated", "file-headers-missing"]

    def test_only_headers_is_said(self) -> None:
        assert "file-no-rows" in codes(look(b"Name,Amount\n").notes)


class TestRows:
    def test_quoted_line_breaks_keep_the_line_numbers_right(self) -> None:
        rows = read(b'Name,Note\nAcme,"one\ntwo\nthree"\nBeta,x\n')
        assert [(row.line, row.cells) for row in rows] == [(2, ("Acme", "one\ntwo\nthree")), (5, ("Beta", "x"))]

    def test_blank_rows_are_left_out(self) -> None:
        assert [row.line for row in read(b"Name,Amount\n\nAcme,1\n,\n  ,\nBeta,2\n")] == [3, 6]

    def test_ragged_rows_are_told_and_cost_only_themselves(self) -> None:
        rows = read(b"Name,Amount,City\nAcme,1,Bonn\nshort,2\nlong,3,Ulm,more\nBeta,4,Rom\nspare,5,Ulm,,\n")
        assert [codes(row.problems) for row in rows] == [[], ["row-width"], ["row-width"], [], []]
        assert rows[1].raw == "short,2\n"
        assert rows[1].problems[0].text() == "The row has 2 cells where the headers have 3."
        assert rows[4].cells == ("spare", "5", "Ulm")

    def test_short_rows_can_be_filled_on_request(self) -> None:
        assert cells(b"Name,Amount,City\nshort,2\nAcme,1,Bonn\n", fills_short_rows=True)[0] == ("short", "2", "")

    def test_an_unclosed_quote_costs_its_own_line_only(self) -> None:
        body = "".join(f"Name {number},{number}\n" for number in range(100))
        body = body.replace("Name 7,", '"Name 7,').replace("Name 60,", '"Name, 60",')
        rows = read(("Name,Amount\n" + body).encode())
        assert [(row.line, codes(row.problems)) for row in rows if row.problems] == [(9, ["row-quotes"])]
        assert len(rows) == 100
        assert rows[60].cells == ("Name, 60", "60")

    def test_a_file_cut_in_the_middle_says_so_and_keeps_the_rest(self) -> None:
        for ending in (b"Gamma,3", b'Gamma,"3,Bo', b"Gamma,3,Zo" + "é".encode()[:1]):
            rows = read(b"Name,Amount,City\nAcme,1,Bonn\nBeta,2,Ulm\n" + ending)
            assert [bool(row.problems) for row in rows] == [False, False, True]
        rows = read(b"Name,Amount,City\nAcme,1,Bonn\nGamma,3")
        assert codes(rows[1].problems) == ["row-cut"]
        assert codes(read(b'Name,Amount,City\nAcme,1,Bonn\nGamma,"3,Bo')[1].problems) == ["row-cut"]

    def test_a_cut_inside_the_last_cell_cannot_be_known_and_is_remarked(self) -> None:
        assert codes(look(b"Name,Amount\nAcme,10").notes) == ["file-unended"]
        assert codes(look("Name,Amount\nAcme,10".encode("utf-16")).notes) == ["file-unended"]

    def test_a_mended_row_is_read_like_one_of_the_file(self) -> None:
        from salesops.connectors.rules import delimited

        layout = look(b"Name,Amount,City\nAcme,1,Bonn\n").layout
        assert layout
        assert delimited.read_one('"Acme, Inc",5,Bonn', layout, 7) == Row(
            7, ("Acme, Inc", "5", "Bonn"), Checkpoint(18, 8, 1)
        )
        assert codes(delimited.read_one("Acme,5", layout, 7).problems) == ["row-width"]
        assert codes(delimited.read_one("a,b,c\nd,e,f", layout, 7).problems) == ["row-not-one"]
        assert codes(delimited.read_one('"a,b,c', layout, 7).problems) != []


class TestLimits:
    def test_an_endless_line_is_refused_unread(self) -> None:
        stream = Endless(b"x" * 65536, pieces=16 * 1024)
        began = time.process_time()
        found = files.inspect(stream, "line.csv", limits=Limits(file_bytes=2**40))
        assert codes(found.problems) == ["file-line-length"]
        assert stream.given < 4 * 1024 * 1024
        assert time.process_time() - began < 2

    def test_an_endless_line_far_down_is_refused_and_the_rows_before_it_stay(self) -> None:
        data = b"Name,Amount\nAcme,1\nBeta,2\n" + b"y" * 5000
        limits = Limits(line_bytes=1000)
        assert codes(look(data, limits=limits).problems) == ["file-line-length"]
        layout = look(b"Name,Amount\nAcme,1\n").layout
        assert layout
        rows = files.rows(io.BytesIO(data), layout, limits=limits)
        assert [next(rows).cells, next(rows).cells] == [("Acme", "1"), ("Beta", "2")]
        with pytest.raises(FileRefused, match="Line 4 is longer than 1,000 bytes"):
            next(rows)

    def test_an_endless_line_is_refused_unread_while_rows_are_read(self) -> None:
        layout = look(b"Name,Amount\nAcme,1\n").layout
        assert layout
        stream = Endless(b"y" * 65536, pieces=1024, head=b"Name,Amount\nAcme,1\n")
        rows = files.rows(stream, layout)
        assert next(rows).cells == ("Acme", "1")
        with pytest.raises(FileRefused, match="Line 3 is longer than 1,048,576 bytes"):
            next(rows)
        assert stream.given < 2 * 1024 * 1024

    def test_a_long_line_that_ends_is_refused_as_well(self) -> None:
        layout = look(b"Name,Amount\nAcme,1\n").layout
        assert layout
        rows = files.rows(
            io.BytesIO(b"Name,Amount\nAcme,1\n" + b"y" * 5000 + b"\nBeta,2\n"), layout, limits=Limits(line_bytes=1000)
        )
        assert next(rows).cells == ("Acme", "1")
        with pytest.raises(FileRefused, match="Line 3 is longer than 1,000 bytes"):
            next(rows)

    def test_a_row_of_quoted_lines_without_end_is_given_up_early(self) -> None:
        layout = look(b"a,b\n1,2\n").layout
        assert layout
        stream = Endless(b'","x\n' * 10_000, pieces=400, head=b'a,b\n1,"x\n')
        row = next(files.rows(stream, layout))
        assert (codes(row.problems), row.line) == (["row-quotes"], 2)
        assert stream.given < 1024 * 1024

    def test_a_million_columns_are_refused(self) -> None:
        began = time.process_time()
        data = b"a," * 500_000 + b"\n" + b"1," * 500_000 + b"\n"
        assert codes(look(data).problems) == ["file-columns"]
        assert codes(look(b"a," * 1_000_000).problems) == ["file-line-length"]
        assert time.process_time() - began < 2

    def test_a_wide_row_among_narrow_ones_goes_to_the_shelf(self) -> None:
        rows = read(b"a,b\n1,2\n" + b"1," * 400_000 + b"\n3,4\n")
        assert [codes(row.problems) for row in rows] == [[], ["row-width"], []]
        assert len(rows[1].cells) == 500

    def test_too_many_rows_and_bytes(self) -> None:
        limits = Limits(rows=3)
        layout = look(b"a,b\n1,2\n").layout
        assert layout
        with pytest.raises(FileRefused, match="more than 3 rows"):
            list(files.rows(io.BytesIO(b"a,b\n" + b"1,2\n" * 4), layout, limits=limits))
        assert codes(look(b"a,b\n" + b"1,2\n" * 400, limits=Limits(file_bytes=1000)).problems) == ["file-size"]

    def test_a_long_cell_goes_to_the_shelf(self) -> None:
        for length in (40_000, 200_000):
            rows = read(b"a,b\n1," + b"x" * length + b"\n3,4\n")
            assert [codes(row.problems) for row in rows] == [["row-cell-length"], []]

    def test_quotes_that_never_close_end_the_reading_at_last(self) -> None:
        data = b"a,b\n" + b'1,"x\n' + b"2,y\n" * 20_000
        rows = read(data)
        assert sum(bool(row.problems) for row in rows) == 1
        assert len(rows) == 20_001
        hostile = b"a,b\n" + (b'1,"x\n' + b"2,yyyyyyyyyyyyyyyyyyyyyyyyyyy\n" * 2_000) * 3
        layout = look(hostile).layout
        assert layout
        with pytest.raises(FileRefused, match="quotation marks"):
            list(files.rows(io.BytesIO(hostile), layout, limits=Limits(reread_chars=10_000)))

    def test_200_megabytes_stream_through_in_little_memory(self) -> None:
        line = b"Customer 7,1234.56,2017-03-01," + b"many words " * 900 + b"\n"
        head = b"Name,Amount,Day,Note\n"
        stream = Endless(line * 100, pieces=205, head=head)
        found = files.inspect(stream, "big.csv")
        assert found.layout
        assert found.size > 190 * 1024 * 1024
        tracemalloc.start()
        try:
            (row,) = deque(files.rows(stream, found.layout), maxlen=1)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert row.after == Checkpoint(found.size, 20_502, 20_500)
        assert peak < 8 * 1024 * 1024


class Endless(io.RawIOBase):
    """A stream that makes its bytes as they are read: a head and then the same piece again and again."""

    def __init__(self, piece: bytes, pieces: int, head: bytes = b"") -> None:
        super().__init__()
        self.piece, self.head, self.place, self.given = piece, head, 0, 0
        self.length = len(head) + len(piece) * pieces

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.place = offset if whence == io.SEEK_SET else self.length + offset
        return self.place

    def read(self, size: int = -1) -> bytes:
        size = self.length - self.place if size < 0 else min(size, self.length - self.place)
        parts: list[bytes] = []
        while size > 0:
            if self.place < len(self.head):
                part = self.head[self.place : self.place + size]
            else:
                inside = (self.place - len(self.head)) % len(self.piece)
                part = self.piece[inside : inside + size]
            parts.append(part)
            self.place += len(part)
            size -= len(part)
        data = b"".join(parts)
        self.given += len(data)
        return data


class TestCheckpoints:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252"])
    def test_reading_goes_on_after_any_row(self, encoding: str) -> None:
        text = 'Name,Note\r\nZoé,"one\r\ntwo"\r\n\r\nBeta,"x\r\nGamma,y,z\r\nDelta,"a ""b"""\r\nEnd,1'
        data = text.encode(encoding)
        found = look(data)
        assert found.layout
        rows = list(files.rows(io.BytesIO(data), found.layout))
        assert len(rows) >= 4
        for place, row in enumerate(rows):
            rest = list(files.rows(io.BytesIO(data), found.layout, row.after))
            assert rest == rows[place + 1 :]

    def test_a_layout_survives_storage(self) -> None:
        for data in (PLAIN.encode(), PLAIN.encode("utf-16"), b"a;b\n1;2\n"):
            layout = look(data).layout
            assert layout
            assert Layout.from_plain(layout.as_plain()) == layout

    @given(st.lists(st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=8), min_size=2, max_size=3)))
    @settings(max_examples=60, deadline=None)
    def test_stopping_anywhere_changes_nothing(self, table: list[list[str]]) -> None:
        import csv

        out = io.StringIO()
        csv.writer(out, quoting=csv.QUOTE_ALL).writerows([["First", "Second"], *table])
        data = out.getvalue().encode()
        layout = Layout("text", ("First", "Second"), 1, Checkpoint(18, 2, 0), "utf-8")
        assert data[:18].endswith(b"\r\n")
        rows = list(files.rows(io.BytesIO(data), layout))
        for place, row in enumerate(rows):
            assert list(files.rows(io.BytesIO(data), layout, row.after)) == rows[place + 1 :]
        spare = [tuple(line[:2]) for line in table if len(line) == 2 or not line[2].strip()]
        clean = [line for line in spare if "".join(line).strip() and "\0" not in "".join(line)]
        assert [row.cells for row in rows if not row.problems] == clean


class TestKinds:
    @pytest.mark.parametrize(
        ("head", "code", "says"),
        [
            (b"%PDF-1.7 ...", "file-kind", "PDF"),
            (b"\x89PNG\r\n\x1a\n", "file-kind", "picture"),
            (b"\x1f\x8b\x08\x00", "file-kind", "gzip"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100, "file-protected", "password"),
            (b"<html><table><tr><td>1", "file-kind", "web page"),
            (b"\xef\xbb\xbf<?xml version='1.0'?>", "file-kind", "XML"),
            (b"PK\3\4broken", "workbook-damaged", "damaged"),
            (b"", "file-empty", "empty"),
            (b"\n\n\n", "file-empty", "empty"),
        ],
    )
    def test_other_files_are_told_by_what_they_contain(self, head: bytes, code: str, says: str) -> None:
        found = look(head, name="deals.csv")
        assert found.layout is None
        assert codes(found.problems) == [code]
        assert says in found.problems[0].text()
        assert found.problems[0].remedy

    def test_a_text_named_like_a_workbook_is_read_and_it_is_said(self) -> None:
        found = look(PLAIN.encode(), name="deals.xlsx")
        assert found.layout
        assert found.layout.kind == "text"
        assert codes(found.notes) == ["file-misnamed"]


class TestAnyBytes:
    @given(st.binary(max_size=600))
    @settings(max_examples=400, deadline=None)
    def test_no_bytes_raise(self, data: bytes) -> None:
        self.check(data)

    @given(st.text(alphabet="ab1,;\t|\"'\r\n\0é. =", max_size=200), st.sampled_from(["utf-8", "utf-16", "cp1252"]))
    @settings(max_examples=400, deadline=None)
    def test_no_text_raises(self, text: str, encoding: str) -> None:
        self.check(text.encode(encoding))

    @given(st.data())
    @settings(max_examples=150, deadline=None)
    def test_no_damage_raises(self, data: st.DataObject) -> None:
        whole = bytearray(PLAIN.encode(data.draw(st.sampled_from(["utf-8", "utf-16", "cp1252"]))) * 3)
        for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=5)):
            whole[place] = data.draw(st.integers(0, 255))
        self.check(bytes(whole[: data.draw(st.integers(0, len(whole)))]))

    def check(self, data: bytes) -> None:
        found = look(data)
        assert bool(found.layout) != bool(found.problems)
        if found.layout is None:
            return
        try:
            rows = list(files.rows(io.BytesIO(data), found.layout))
        except FileRefused:
            return
        width = len(found.layout.headers)
        assert all(row.problems or len(row.cells) == width for row in rows)
        places = [row.after.position for row in rows]
        assert places == sorted(places)


def test_cells_survive_storage(tmp_path: Path) -> None:
    import json
    from datetime import date, datetime
    from decimal import Decimal

    row = ("text", "", Decimal("1054.10"), date(2017, 3, 1), datetime(2017, 3, 1, 10, 30))  # noqa: DTZ001
    assert unpack_cells(json.loads(json.dumps(pack_cells(row)))) == row
    for wrong in ({"number": "abc"}, {"other": "1"}, 7, {"day": "2017-02-31"}, {"number": 5.5, "day": "x"}):
        with pytest.raises(ValueError):
            unpack_cells([wrong])
