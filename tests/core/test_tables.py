"""Tables: cells, what they fetch, what they escape, what they cost."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from salesops.core.tables import LinkColumn, MoneyColumn, PersonColumn, PortalColumn, PortalTable, Rows, ShareColumn
from salesops.deals.models import Deal
from tests.cast import NOW
from tests.core.pages import DealTable

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.core.pages")]


class OddTable(PortalTable):
    """Rows that are plain dictionaries."""

    name = PortalColumn()
    price = MoneyColumn()
    rate = ShareColumn(accessor="terms__rate_bp")
    shout = PortalColumn(accessor="name", orderable=False)

    default_columns = ("price", "name")

    def show_shout(self, value: str, record: dict[str, str]) -> str:
        """Loud."""
        return value.upper()

    def export_shout(self, value: str, record: dict[str, str]) -> str:
        """Loud."""
        return value.upper()


ROWS = [
    {"name": "<b>x</b>", "price": 1050, "currency": "EUR", "terms": {"rate_bp": 1250}},
    {"name": "", "price": None, "currency": "EUR", "terms": None},
]


def test_the_first_column_leads_whatever_is_chosen() -> None:
    assert OddTable.choose(()) == ["name", "price"]
    assert OddTable.choose(["rate", "price", "rate", "nonsense"]) == ["name", "rate", "price"]
    assert OddTable.choose(["nonsense"]) == ["name", "price"]


def test_cells_of_plain_rows() -> None:
    table = OddTable(ROWS, columns_shown=["price", "rate", "shout"])
    cells = [[str(html) for _css, _label, html in cells] for _record, cells in table.body()]
    assert cells[0] == ["<b>x</b>", "€10.50", "12.5 %", "<B>X</B>"]
    assert [cell.count("nothing") for cell in cells[1]] == [1, 1, 1, 1]
    assert list(table.file_rows(ROWS)) == [
        ["<b>x</b>", 1050 / 100, "EUR", 12.5, "<B>X</B>"],
        [None, None, None, None, ""],
    ]


def test_a_template_escapes_cells(client_of: object, cast: object, stage: object) -> None:
    Deal.objects.create(name="<script>alert(1)</script>", note="<i>n</i>", stage=stage, owner=cast.ana, created_at=NOW)  # type: ignore[attr-defined, misc]
    text = client_of("ana").get("/sample/deals/?cols=note").content.decode()  # type: ignore[operator]
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "&lt;i&gt;n&lt;/i&gt;" in text


def test_only_columns_with_a_field_sort() -> None:
    assert DealTable.sort_fields("account") == ("account__name",)
    assert DealTable.sort_fields("owner") == ("owner__name",)
    assert DealTable.sort_fields("amount") == ("amount_minor",)
    assert DealTable.sort_fields("nonsense") == ()
    assert OddTable.sort_fields("shout") == ()


def test_what_the_columns_shown_need_is_fetched_with_the_rows() -> None:
    assert DealTable.related_fields(Deal, ["name", "amount", "note"]) == []
    assert DealTable.related_fields(Deal, ["account", "owner", "stage"]) == ["account", "owner", "stage"]

    class Deep(PortalTable):
        name = LinkColumn("sample:deal_detail")
        manager = PersonColumn(accessor="account__owner")
        other = PortalColumn(accessor="name", related=("pod__segment",))

    assert Deep.related_fields(Deal, ["name", "manager", "other"]) == ["account__owner", "pod__segment"]


def test_a_table_over_a_list_knows_its_headers() -> None:
    table = DealTable(Rows([], Deal), columns_shown=["amount", "expected_close_on"], now=NOW, sort="-amount")
    assert [header.label for header in table.headers] == ["Name", "Amount", "Expected close"]
    assert [header.direction for header in table.headers] == ["", "descending", ""]
    assert [header.sort for header in table.headers] == ["name", "amount", "expected_close_on"]


def test_showing_rows_asks_nothing_of_the_database(deals: object, django_assert_num_queries: object) -> None:
    deals(5)  # type: ignore[operator]
    rows = list(Deal.objects.select_related("account", "owner", "stage"))
    table = DealTable(Rows(rows, Deal), columns_shown=DealTable.column_names(), now=NOW)
    with CaptureQueriesContext(connection) as captured:
        list(table.body())
        list(table.file_rows(rows))
    assert len(captured) == 0
