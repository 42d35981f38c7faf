"""Filters: what they keep, what they say, what they do with nonsense."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from salesops.accounts.models import Account
from salesops.core import filters
from salesops.core.filters import period_days
from salesops.deals.models import Deal
from tests.cast import NOW, Cast
from tests.core.test_lists import names

Makes = Callable[..., list[Deal]]
Clients = Callable[[str], Client]
LIST = "/sample/deals/"


@pytest.mark.parametrize(
    ("code", "today", "expected"),
    [
        ("today", date(2026, 6, 17), (date(2026, 6, 17), date(2026, 6, 18))),
        ("this_week", date(2026, 6, 17), (date(2026, 6, 15), date(2026, 6, 22))),
        ("this_month", date(2026, 2, 28), (date(2026, 2, 1), date(2026, 3, 1))),
        ("last_month", date(2026, 1, 31), (date(2025, 12, 1), date(2026, 1, 1))),
        ("next_month", date(2026, 12, 31), (date(2027, 1, 1), date(2027, 2, 1))),
        ("this_quarter", date(2026, 6, 30), (date(2026, 4, 1), date(2026, 7, 1))),
        ("last_quarter", date(2026, 2, 1), (date(2025, 10, 1), date(2026, 1, 1))),
        ("this_year", date(2028, 2, 29), (date(2028, 1, 1), date(2029, 1, 1))),
        ("last_year", date(2028, 2, 29), (date(2027, 1, 1), date(2028, 1, 1))),
        ("last_30_days", date(2026, 6, 17), (date(2026, 5, 19), date(2026, 6, 18))),
        ("next_30_days", date(2026, 6, 17), (date(2026, 6, 17), date(2026, 7, 17))),
        ("before_today", date(2026, 6, 17), (None, date(2026, 6, 17))),
        ("unheard of", date(2026, 6, 17), (None, None)),
    ],
)
def test_named_periods(code: str, today: date, expected: tuple[date | None, date | None]) -> None:
    assert period_days(code, today) == expected


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)))
def test_periods_that_hold_today_hold_it_and_neighbours_meet(today: date) -> None:
    for code in ("today", "this_week", "this_month", "this_quarter", "this_year", "last_30_days", "next_30_days"):
        start, end = period_days(code, today)
        assert start is not None
        assert end is not None
        assert start <= today < end
    assert period_days("last_month", today)[1] == period_days("this_month", today)[0]
    assert period_days("this_month", today)[1] == period_days("next_month", today)[0]
    assert period_days("last_quarter", today)[1] == period_days("this_quarter", today)[0]


@pytest.mark.django_db
@pytest.mark.urls("tests.core.pages")
class TestOfAList:
    """Filters of a list page."""

    def found(self, client: Client, query: str) -> list[str]:
        """The names shown, sorted."""
        return sorted(name[-1] for name in names(client.get(f"{LIST}?{query}")))

    def chips(self, client: Client, query: str) -> list[tuple[str, str]]:
        """Labels and texts of the chips."""
        return [(chip.label, chip.text) for chip in client.get(f"{LIST}?{query}").context["chips"]]

    def test_amounts_between_bounds_typed_in_major_units(self, client_of: Clients, deals: Makes) -> None:
        for minor in (99_99, 100_00, 1_234_50, 1_234_51):
            deals(1, amount_minor=minor)
        client = client_of("ana")
        assert self.found(client, "amount_min=100&amount_max=1,234.50") == ["2", "3"]
        assert self.chips(client, "amount_min=100&amount_max=1,234.50") == [("Amount", "$100.00 – $1,234.50")]
        assert self.chips(client, "amount_max=5") == [("Amount", "≤ $5.00")]

    @pytest.mark.parametrize(
        "query",
        [
            "amount_min=lots", "amount_min=5&amount_max=4", "amount_min=1e9", "board_min=1.5", f"board_min={2**63}",
            "amount_max=" + "9" * 40, "kind=sideways", "owner=999999", "owner=x", "stage=1'--", "expected_from=31/12/2026",
            "expected=someday", "expected_from=2026-02-02&expected_until=2026-02-01", "with_note=maybe", "q=" + "x" * 101, "q=%00",
        ],
    )  # fmt: skip
    def test_what_cannot_be_understood_shows_a_message_and_no_rows(
        self, client_of: Clients, deals: Makes, query: str
    ) -> None:
        deals(2)
        answer = client_of("ana").get(f"{LIST}?{query}")
        assert answer.status_code == 200
        assert answer.context["page"].count == 0
        assert "cannot be understood" in answer.content.decode()

    def test_owner_or_nobody(self, client_of: Clients, cast: Cast, deals: Makes) -> None:
        deals(1)
        deals(1, owner=cast.sam)
        deals(1, owner=None)
        client = client_of("ana")
        assert self.found(client, f"owner={cast.sam.pk}") == ["2"]
        assert self.found(client, "owner=none") == ["3"]
        assert self.found(client, f"owner=none&owner={cast.ana.pk}") == ["1", "3"]
        assert self.chips(client, f"owner=none&owner={cast.sam.pk}") == [("Owner", "Sam Sorensen, Nobody")]

    def test_days_between_both_included(self, client_of: Clients, deals: Makes) -> None:
        for day in (1, 2, 3, 4):
            deals(1, expected_close_on=date(2026, 7, day))
        deals(1)
        client = client_of("ana")
        assert self.found(client, "expected=between&expected_from=2026-07-02&expected_until=2026-07-03") == ["2", "3"]
        assert self.found(client, "expected_until=2026-07-01") == ["1"]
        assert self.found(client, "expected_until=9999-12-31") == ["1", "2", "3", "4"]
        assert self.found(client, "expected=never") == ["5"]
        assert self.found(client, "expected=next_month") == ["1", "2", "3", "4"]
        assert self.found(client, "expected=next_month&expected_from=2026-07-04") == ["4"]
        assert self.chips(client, "expected=next_month") == [("Expected close", "Next month")]

    def test_moments_go_by_the_readers_own_day(self, client_of: Clients, cast: Cast, deals: Makes) -> None:
        cast.ana.time_zone = "America/Los_Angeles"
        cast.ana.save()
        deals(1, created_at=datetime(2026, 6, 17, 6, 59, tzinfo=UTC))  # the 16th in Los Angeles
        deals(1, created_at=datetime(2026, 6, 17, 7, 0, tzinfo=UTC))
        client = client_of("ana")
        assert self.found(client, "created=today") == ["2"]
        assert self.found(client, "created_until=2026-06-16") == ["1"]
        assert self.found(client_of("sam"), "created=today") == ["1", "2"]

    def test_every_word_must_be_found_in_the_row_or_its_account(
        self, client_of: Clients, deals: Makes, account: Account
    ) -> None:
        deals(1, account=account)
        deals(1)
        deals(1, name="Acme 100%_")
        client = client_of("ana")
        assert self.found(client, "q=ACME") == ["1", "3"]
        assert self.found(client, "q=acme+deal") == ["1"]
        assert self.found(client, "q=100%25") == ["3"]
        assert self.found(client, "q=%25") == ["3"]

    def test_a_search_with_many_accounts_finds_the_same(
        self, client_of: Clients, deals: Makes, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deals(1, account=account)
        deals(1)
        monkeypatch.setattr(filters, "_MOST_KEYS", 0)
        assert self.found(client_of("ana"), "q=acme") == ["1"]

    def test_a_chip_removes_its_filter_and_nothing_else(self, client_of: Clients, deals: Makes) -> None:
        deals(1, expected_close_on=NOW.date() + timedelta(days=1))
        chips = (
            client_of("ana")
            .get(f"{LIST}?q=deal&expected=between&expected_from=2026-06-01&sort=name&page=2")
            .context["chips"]
        )
        without = {chip.name: chip.without for chip in chips}
        assert without["q"] == "?expected=between&expected_from=2026-06-01&sort=name"
        assert without["expected"] == "?q=deal&sort=name"

    def test_filters_are_never_distinct(self, client_of: Clients, cast: Cast, deals: Makes) -> None:
        deals(1)
        view = client_of("ana").get(f"{LIST}?kind=open&owner={cast.ana.pk}&q=deal").context["view"]
        assert "DISTINCT" not in str(view.matching.query)
