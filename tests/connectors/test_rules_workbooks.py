"""Excel workbooks: real values, sheets, reading on, and everything that is refused before it can hurt."""

from __future__ import annotations

import io
import random
import resource
import time
import zipfile
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from salesops.connectors.rules import files
from salesops.connectors.rules.tables import FileRefused, Inspection, Layout, Limits, Reading, Row

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def book(*rows: list[Any], title: str = "Deals") -> bytes:
    """A workbook of one sheet."""
    workbook = Workbook()
    workbook.active.title = title
    for row in rows:
        workbook.active.append(row)
    return saved(workbook)


def saved(workbook: Workbook) -> bytes:
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def look(data: bytes, name: str = "deals.xlsx", limits: Limits | None = None, **reading: Any) -> Inspection:
    return files.inspect(io.BytesIO(data), name, Reading(**reading), limits or Limits())


def read(data: bytes, limits: Limits | None = None, **reading: Any) -> list[Row]:
    found = look(data, limits=limits, **reading)
    assert found.layout, found.problems
    return list(files.rows(io.BytesIO(data), found.layout, limits=limits or Limits()))


def code(data: bytes, **more: Any) -> str:
    found = look(data, **more)
    assert found.layout is None
    assert found.problems[0].remedy
    return found.problems[0].code


def changed(data: bytes, part: str, content: bytes | None = None, replace: tuple[bytes, bytes] | None = None) -> bytes:
    """The workbook with one part replaced or edited."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            body = source.read(name)
            if name == part:
                body = content if content is not None else body
                if replace:
                    assert replace[0] in body
                    body = body.replace(*replace)
            target.writestr(name, body)
    return out.getvalue()


SHEET = "xl/worksheets/sheet1.xml"


class TestValues:
    def test_numbers_dates_and_text_keep_their_kind(self) -> None:
        data = book(
            ["Name", "Amount", "Day", "Moment", "Share", "Open"],
            ["Acme", 1054.1, date(2017, 3, 1), datetime(2017, 3, 1, 10, 30), 0.1 + 0.2, True],  # noqa: DTZ001
            ["00123", 12345678901234, datetime(2020, 2, 29), None, 1e-7, False],  # noqa: DTZ001
        )
        assert [row.cells for row in read(data)] == [
            ("Acme", Decimal("1054.1"), date(2017, 3, 1), datetime(2017, 3, 1, 10, 30), Decimal("0.3"), "TRUE"),  # noqa: DTZ001
            ("00123", Decimal("12345678901234"), date(2020, 2, 29), "", Decimal("1E-7"), "FALSE"),
        ]

    def test_formulas_are_read_as_their_stored_results(self) -> None:
        out = io.BytesIO()
        workbook = xlsxwriter.Workbook(out)
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, ["Name", "Amount"])
        sheet.write(1, 0, "Acme")
        sheet.write_formula(1, 1, "=2*521", None, 1042)
        sheet.write(2, 0, "=1+1", workbook.add_format())
        sheet.write_string(3, 0, "=cmd()")
        sheet.write(3, 1, 5)
        workbook.close()
        rows = read(out.getvalue())
        assert rows[0].cells == ("Acme", Decimal(1042))
        assert rows[2].cells == ("=cmd()", Decimal(5))

    def test_a_formula_that_was_never_calculated_is_refused_with_its_cell(self) -> None:
        found = look(book(["Name", "Amount"], ["Acme", "=1+1"]))
        assert found.layout is None
        assert found.problems[0].code == "workbook-uncalculated"
        assert found.problems[0].text().startswith("Cell B2 of sheet “Deals”")

    def test_a_formula_whose_result_is_empty_text_is_blank(self) -> None:
        data = changed(book(["Name", "Note"], ["Acme", "=1+1"]), SHEET, replace=(b'<c r="B2">', b'<c r="B2" t="str">'))
        assert [row.cells for row in read(data)] == [("Acme", "")]

    def test_the_calendar_of_old_macs_is_obeyed(self) -> None:
        workbook = Workbook()
        workbook.epoch = datetime(1904, 1, 1)  # noqa: DTZ001
        workbook.active.append(["Name", "Day"])
        workbook.active.append(["Acme", date(2017, 3, 1)])
        assert read(saved(workbook))[0].cells == ("Acme", date(2017, 3, 1))

    def test_line_numbers_are_sheet_rows_and_blank_rows_are_left_out(self) -> None:
        rows = read(book(["Name", "Amount"], [], ["Acme", 1], [None, None], ["Beta", None], []))
        assert [(row.line, row.cells) for row in rows] == [(3, ("Acme", Decimal(1))), (5, ("Beta", ""))]

    def test_headers_below_a_title(self) -> None:
        data = book(["Report of the quarter"], [], ["Name", "Amount"], ["Acme", 1], ["Beta", 2])
        found = look(data)
        assert found.layout
        assert (found.layout.header_line, found.layout.headers) == (3, ("Name", "Amount"))
        assert [note.code for note in found.notes] == ["file-headers-below"]
        assert [row.line for row in read(data)] == [4, 5]

    def test_cells_beyond_the_headers_go_to_the_shelf(self) -> None:
        rows = read(book(["Name", "Amount"], ["Acme", 1], ["Beta", 2, "more"], ["Gamma", 3]), header_line=1)
        assert [[problem.code for problem in row.problems] for row in rows] == [[], ["row-width"], []]

    def test_a_long_cell_goes_to_the_shelf(self) -> None:
        rows = read(book(["Name", "Amount"], ["x" * 3000, 1], ["Beta", 2]), limits=Limits(cell_chars=1000))
        assert [[problem.code for problem in row.problems] for row in rows] == [["row-cell-length"], []]


class TestSheets:
    def two(self) -> bytes:
        workbook = Workbook()
        workbook.active.title = "Cover"
        for title, state in (("Hidden", "hidden"), ("Deals", "visible"), ("People", "visible")):
            sheet = workbook.create_sheet(title)
            sheet.sheet_state = state
            sheet.append(["Name", "Amount"])
            sheet.append([title, 5])
        return saved(workbook)

    def test_the_first_visible_sheet_with_cells_is_read_and_it_is_said(self) -> None:
        found = look(self.two())
        assert found.layout
        assert found.layout.sheet == "Deals"
        assert found.sheets == ("Cover", "Deals", "People", "Hidden")
        assert [note.code for note in found.notes] == ["workbook-sheet-assumed"]

    def test_another_sheet_can_be_chosen(self) -> None:
        assert read(self.two(), sheet="People")[0].cells == ("People", Decimal(5))
        assert code(self.two(), sheet="Nowhere") == "workbook-sheet"
        assert code(self.two(), sheet="Cover") == "file-empty"

    def test_a_workbook_without_cells(self) -> None:
        assert code(saved(Workbook())) == "file-empty"

    def test_a_workbook_named_like_a_text_table_is_read_and_it_is_said(self) -> None:
        found = look(book(["Name", "Amount"], ["Acme", 1]), name="deals.csv")
        assert found.layout
        assert [note.code for note in found.notes] == ["file-misnamed"]


class TestCheckpoints:
    def test_reading_goes_on_after_any_row(self) -> None:
        data = book(["Name", "Amount"], *[[f"Name {number}", number] if number % 7 else [] for number in range(60)])
        layout = look(data).layout
        assert layout
        assert Layout.from_plain(layout.as_plain()) == layout
        rows = list(files.rows(io.BytesIO(data), layout))
        for place, row in enumerate(rows):
            assert list(files.rows(io.BytesIO(data), layout, row.after)) == rows[place + 1 :]
        assert rows[-1].after.rows == len(rows)
        assert look(data).sample == tuple(rows[:20])

    def test_too_many_rows(self) -> None:
        data = book(["Name", "Amount"], *[["Acme", 1]] * 5)
        layout = look(data).layout
        assert layout
        with pytest.raises(FileRefused, match="more than 4 rows"):
            list(files.rows(io.BytesIO(data), layout, limits=Limits(rows=4)))


class TestRefused:
    def test_zip_bombs_are_refused_quickly_and_in_little_memory(self) -> None:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            with zipfile.ZipFile(io.BytesIO(book(["Name"], ["Acme"]))) as source:
                for name in source.namelist():
                    if name != SHEET:
                        archive.writestr(name, source.read(name))
            with archive.open(SHEET, "w", force_zip64=True) as part:
                for _piece in range(400):
                    part.write(b"0" * 1024 * 1024)
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        assert code(out.getvalue()) == "workbook-too-large"
        assert time.process_time() - began < 2
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024

    def test_an_archive_that_unpacks_to_too_much_in_all(self) -> None:
        data = book(["Name", "Amount"], ["Acme", 1])
        assert code(data, limits=Limits(unpacked_bytes=1000)) == "workbook-too-large"
        assert code(data, limits=Limits(packed_parts=3)) == "workbook-too-large"
        shared = self.with_shared_texts([["Name"], ["Acme"]])
        assert look(shared).layout
        assert code(shared, limits=Limits(unpacked_text_bytes=100)) == "workbook-too-large"
        assert code(shared, limits=Limits(shared_texts=1)) == "workbook-too-large"

    def with_shared_texts(self, rows: list[list[str]]) -> bytes:
        out = io.BytesIO()
        workbook = xlsxwriter.Workbook(out)
        sheet = workbook.add_worksheet()
        for line, row in enumerate(rows):
            sheet.write_row(line, 0, row)
        workbook.close()
        return out.getvalue()

    @pytest.mark.parametrize(
        ("part", "root", "element"),
        [
            ("[Content_Types].xml", b"Types", b'<Override PartName="/x%d" ContentType="a"/>'),
            ("xl/_rels/workbook.xml.rels", b"Relationships", b'<Relationship Id="r%d" Type="x" Target="y"/>'),
            ("xl/workbook.xml", b"workbook", b'<sheet name="s%d"/>'),
            ("xl/styles.xml", b"styleSheet", b'<xf numFmtId="%d"/>'),
            ("docProps/core.xml", b"coreProperties", b"<x>%d</x>"),
        ],
    )
    def test_a_part_that_would_be_held_as_a_whole_is_small(self, part: str, root: bytes, element: bytes) -> None:
        many = b"<%s>%s</%s>" % (root, b"".join(element % (n * 7919 % 400_009) for n in range(400_000)), root)
        data = changed(book(["Name"], ["Acme"]), part, many)
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        assert code(data) == "workbook-too-large"
        assert time.process_time() - began < 2
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024
        whole = Limits(held_bytes=2**40)
        assert code(data, limits=whole) == "workbook-too-large"
        assert code(changed(data, part, b" " * 2_000_000 + many[:200]), limits=Limits(held_bytes=10**6)) == (
            "workbook-too-large"
        )

    def test_a_sheet_cannot_pass_itself_off_as_another_part(self) -> None:
        kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.%s+xml"
        data = changed(
            book(["Name"], ["Acme"]), "[Content_Types].xml", replace=(kind % b"worksheet", kind % b"sharedStrings")
        )
        assert code(data) == "workbook-damaged"

    def test_shared_texts_are_read_with_their_formats_and_without_their_pronunciation(self) -> None:
        sheet = self.with_shared_texts([["Name", "City"], ["Acme", "Bonn"]])
        texts = (
            f'<sst xmlns="{MAIN}"><si><t>Name</t></si><si><r><t>Ci</t></r><r><rPr><b/></rPr><t>ty</t></r></si>'
            "<si><t>東京</t><rPh sb='0' eb='2'><t>トウキョウ</t></rPh></si><si/></sst>"
        )
        data = changed(sheet, "xl/sharedStrings.xml", texts.encode())
        found = look(data)
        assert found.layout
        assert found.layout.headers == ("Name", "City")
        assert [row.cells for row in read(data)] == [("東京", "")]

    @pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "xl/styles.xml", "[Content_Types].xml"])
    def test_entities_are_refused_in_every_part(self, part: str) -> None:
        laughs = b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha">' + b"".join(
            b'<!ENTITY %s "%s">' % (bytes([98 + place]), b"&%s;" % bytes([97 + place]) * 10) for place in range(9)
        )
        began = time.process_time()
        data = changed(book(["Name"], ["Acme"]), part, laughs + b"]><worksheet>&j;</worksheet>")
        assert code(data) == "workbook-entities"
        assert time.process_time() - began < 2

    def test_entities_are_refused_in_a_sheet_under_another_name(self) -> None:
        data = book(["Name"], ["Acme"])
        data = changed(data, "xl/_rels/workbook.xml.rels", replace=(b"sheet1.xml", b"sheet1.png"))
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
            for name in source.namelist():
                body = source.read(name)
                if name == SHEET:
                    name, body = "xl/worksheets/sheet1.png", b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + body
                target.writestr(name, body)
        assert code(out.getvalue()) == "workbook-entities"

    def test_a_sheet_that_claims_to_be_enormous_is_read_as_what_it_is(self) -> None:
        data = changed(book(["Name", "Amount"], ["Acme", 1]), SHEET, replace=(b'ref="A1:B2"', b'ref="A1:XFD1048576"'))
        began = time.process_time()
        assert [row.cells for row in read(data)] == [("Acme", Decimal(1))]
        assert time.process_time() - began < 2

    def test_a_million_columns_are_refused(self) -> None:
        cells = b"".join(b"<c><v>%d</v></c>" % (number * 7919 % 99_991) for number in range(1_000_000))
        sheet = b'<worksheet xmlns="%s"><sheetData><row r="1">%s</row></sheetData></worksheet>' % (MAIN.encode(), cells)
        began = time.process_time()
        assert code(changed(book(["Name"], ["Acme"]), SHEET, sheet)) == "file-columns"
        assert time.process_time() - began < 2
        far = changed(book(["Name"], ["Acme"]), SHEET, replace=(b'r="A2"', b'r="XFD2"'))
        assert code(far) == "file-columns"

    @pytest.mark.parametrize("number", [b"99999999999", b"-3", b"1", b"0", b"2000000", b"1e3", "²".encode()])
    def test_row_numbers_out_of_order_or_range_are_damage(self, number: bytes) -> None:
        data = book(["Name"], ["Acme"], ["Beta"])
        assert code(changed(data, SHEET, replace=(b'<row r="3"', b'<row r="%s"' % number))) == "workbook-damaged"

    def test_an_endless_text_is_refused(self) -> None:
        text = b"<c r='A1' t='inlineStr'><is><t>%s</t></is></c>" % (
            random.Random(1).randbytes(2_000_000).hex().encode()
        )
        sheet = b'<worksheet xmlns="%s"><sheetData><row r="1">%s</row></sheetData></worksheet>' % (MAIN.encode(), text)
        assert code(changed(book(["Name"], ["Acme"]), SHEET, sheet)) == "workbook-too-large"
        name = b"<c r='A1' t='%s'/>" % (random.Random(1).randbytes(2_000_000).hex().encode())
        sheet = b'<worksheet xmlns="%s"><sheetData><row r="1">%s</row></sheetData></worksheet>' % (MAIN.encode(), name)
        assert code(changed(book(["Name"], ["Acme"]), SHEET, sheet)) == "workbook-too-large"

    def test_deep_nesting_is_refused(self) -> None:
        assert code(changed(book(["Name"], ["Acme"]), SHEET, b"<a>" * 5000)) == "workbook-too-large"

    def test_strict_workbooks_are_named(self) -> None:
        strict = b'<worksheet xmlns="http://purl.oclc.org/ooxml/spreadsheetml/main"><sheetData/></worksheet>'
        assert code(changed(book(["Name"], ["Acme"]), SHEET, strict)) == "workbook-strict"

    def test_a_workbook_cut_in_the_middle(self) -> None:
        data = book(["Name"], *[[f"Name {number}"] for number in range(500)])
        assert code(data[: len(data) // 2]) == "workbook-damaged"

    def test_a_sheet_cut_in_the_middle_says_so_after_the_rows_before(self) -> None:
        data = book(["Name", "Amount"], *[[f"Name {number}", number] for number in range(500)])
        layout = look(data).layout
        assert layout
        with zipfile.ZipFile(io.BytesIO(data)) as source:
            sheet = source.read(SHEET)
        cut = changed(data, SHEET, sheet[: len(sheet) // 2])
        seen: list[Row] = []
        with pytest.raises(FileRefused, match="damaged"):
            seen.extend(files.rows(io.BytesIO(cut), layout))
        assert 200 < len(seen) < 300
        assert seen[200].cells == ("Name 200", Decimal(200))

    @pytest.mark.parametrize(
        ("name", "says"),
        [
            ("xl/workbook.bin", "xlsb"),
            ("content.xml", "OpenDocument"),
            ("word/document.xml", "Word"),
            ("ppt/presentation.xml", "PowerPoint"),
            ("notes.txt", "ZIP"),
        ],
    )
    def test_other_archives_are_named(self, name: str, says: str) -> None:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr(name, "x")
        found = look(out.getvalue())
        assert found.problems[0].code == "file-kind"
        assert says in found.problems[0].text()


class TestAnyBytes:
    WHOLE = book(["Name", "Amount", "Day"], ["Acme", 1054.1, date(2017, 3, 1)], ["Beta", 2, None])

    @given(st.data())
    @settings(max_examples=150, deadline=None)
    def test_no_damaged_archive_raises(self, data: st.DataObject) -> None:
        whole = bytearray(self.WHOLE)
        for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=4)):
            whole[place] = data.draw(st.integers(0, 255))
        self.check(bytes(whole[: data.draw(st.integers(4, len(whole)))]))

    @given(st.data())
    @settings(max_examples=100, deadline=None)
    def test_no_damaged_part_raises(self, data: st.DataObject) -> None:
        with zipfile.ZipFile(io.BytesIO(self.WHOLE)) as source:
            part = data.draw(st.sampled_from(sorted(source.namelist())))
            body = bytearray(source.read(part))
        for _time in range(data.draw(st.integers(1, 3))):
            place = data.draw(st.integers(0, len(body) - 1))
            body[place : place + data.draw(st.integers(0, 12))] = data.draw(
                st.sampled_from(
                    [b"", b'"', b"<", b"0", b"-1", b"99999999999999999999", b"x", b"nan", b"\0", b">", b"A"]
                )
            )
            body = body or bytearray(b" ")
        self.check(changed(self.WHOLE, part, bytes(body)))

    def check(self, data: bytes) -> None:
        found = look(data)
        assert bool(found.layout) != bool(found.problems)
        if found.layout is None:
            return
        try:
            rows = list(files.rows(io.BytesIO(data), found.layout))
        except FileRefused:
            return
        assert all(row.problems or len(row.cells) == len(found.layout.headers) for row in rows)


def test_a_workbook_of_many_rows_in_reasonable_time() -> None:
    out = io.BytesIO()
    workbook = xlsxwriter.Workbook(out, {"constant_memory": True})
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, ["Name", "Amount", "City"])
    for number in range(5_000):
        sheet.write_row(number + 1, 0, [f"Name {number}", number, "Bonn"])
    workbook.close()
    rows = read(out.getvalue())
    assert len(rows) == 5_000
    assert rows[-1].cells == ("Name 4999", Decimal(4999), "Bonn")
