"""How values are written for people."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone, translation

from salesops.core import display, parts
from salesops.core.charts import Chart, Series


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (123_450, "USD", "$1,234.50"), (-5, "USD", "−$0.05"), (1_000, "JPY", "¥1,000"), (1_234, "KWD", "KWD\xa01.234"),
        (None, "USD", "—"), (12_345_678_901_234_567_89, "USD", "$12,345,678,901,234,567.89"), (0, "EUR", "€0.00"),
    ],
)  # fmt: skip
def test_money(minor: int | None, currency: str, text: str) -> None:
    with translation.override("en"):
        assert display.money(minor, currency) == text


def test_money_in_chinese() -> None:
    with translation.override("zh-hans"):
        assert display.money(123_450, "USD") == "US$1,234.50"
    with translation.override("zh-hant"):
        assert display.money(123_450, "CNY") == "CN¥1,234.50"


def test_short_money_and_shares() -> None:
    with translation.override("en"):
        assert display.money_short(34_209_000, "USD") == "$342.1K"
        assert [display.share(each) for each in (1250, 10_000, 0, 1, None)] == ["12.5 %", "100 %", "0 %", "0.01 %", "—"]


def test_what_was_measured_keeps_its_decimals() -> None:
    figures = (2780, 10_000, 0, 1, -50, 1_234_567, None)
    with translation.override("en"):
        told = [display.ratio(each) for each in figures]
    assert told == ["27.80 %", "100.00 %", "0.00 %", "0.01 %", "−0.50 %", "12,345.67 %", "—"]


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (timedelta(seconds=5), "just now"), (timedelta(seconds=-5), "in a moment"), (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=59, seconds=59), "59 minutes ago"), (timedelta(hours=1), "1 hour ago"),
        (timedelta(days=1), "1 day ago"), (timedelta(days=-2), "in 2 days"), (timedelta(days=61), "2 months ago"),
        (timedelta(days=800), "2 years ago"),
    ],
)  # fmt: skip
def test_how_long_ago(before: timedelta, text: str) -> None:
    now = datetime(2026, 6, 17, 10, tzinfo=UTC)
    with translation.override("en"):
        assert display.ago(now - before, now) == text


def test_days_and_moments_in_the_readers_zone() -> None:
    with translation.override("en"), timezone.override("America/New_York"):
        assert display.day(date(2026, 6, 7)) == "7 Jun 2026"
        assert display.moment(datetime(2026, 6, 17, 2, 30, tzinfo=UTC)) == "16 Jun 2026, 22:30"


def test_pieces_of_html_escape_what_people_wrote() -> None:
    evil = '<img src=x onerror="alert(1)">'
    for piece in (parts.badge(evil), parts.person(evil), parts.avatar(evil), parts.icon("x", evil), parts.icon(evil)):
        assert "<img" not in piece
        assert 'onerror="' not in piece
    assert "pill-grey" in parts.badge("x", '"><script>')


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Ana Alvarez", "AA"), ("Cher", "C"), ("Mary Jane van Dyke", "MD"), ("", ""), ("李 明", "李明")],
)
def test_initials(name: str, letters: str) -> None:
    assert display.initials(name) == letters


def test_a_chart_says_the_same_in_figures_and_words() -> None:
    chart = Chart("c", "Won", ["Jan", "Feb"], [Series.of_money("Won", [123_450, None], "USD")], currency="USD")
    assert chart.data["series"] == [
        {"name": "Won", "values": ["1234.50", None], "texts": ["$1,234.50", "—"], "kind": "", "tone": ""}
    ]
    assert chart.rows == [("Jan", ["$1,234.50"]), ("Feb", ["—"])]
