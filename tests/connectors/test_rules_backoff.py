"""Waiting as the vendor says, and reading what may still be asked, in every dialect."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesops.connectors.rules.backoff import CAP, Reading, reading_of, wait_of

NOW = datetime(2026, 6, 18, 9, 30, tzinfo=UTC)
DATE = {"Date": "Thu, 18 Jun 2026 09:00:00 GMT"}  # the vendor's clock is half an hour behind ours


def seconds(status: int, headers: dict[str, str], attempt: int = 1, jitter: float = 0.5) -> float:
    return wait_of(status, headers, attempt, NOW, jitter).total_seconds()


@pytest.mark.parametrize(
    ("told", "waited"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0.25", 0.25),
        ("1.5", 1.5),
        ("Thu, 18 Jun 2026 09:30:20 GMT", 20),
        ("2026-06-18T09:32:00Z", 120),
        ("2026-06-18T11:32:00.500+02:00", 120.5),
        ("2026-06-18T09:32:00", 120),
        ("3600", 3600),
        ("3601", 3600),
        ("999999999", 3600),
        ("2026-06-19T09:30:00Z", 3600),
    ],
)
@pytest.mark.parametrize("status", [429, 503, 500])
def test_the_vendor_says_how_long(told: str, waited: float, status: int) -> None:
    assert seconds(status, {"RETRY-after": told}, attempt=9) == waited


def test_moments_belong_to_the_clock_that_names_them() -> None:
    assert seconds(503, {**DATE, "Retry-After": "Thu, 18 Jun 2026 09:00:20 GMT"}) == 20
    assert seconds(503, {**DATE, "Retry-After": "20"}) == 20


@pytest.mark.parametrize(
    ("attempt", "least", "most"), [(0, 1, 1), (1, 1, 2), (2, 1, 4), (5, 1, 32), (6, 1, 60), (7, 1, 60), (10**9, 1, 60)]
)
def test_without_a_word_the_wait_grows(attempt: int, least: float, most: float) -> None:
    assert (seconds(500, {}, attempt, 0.0), seconds(500, {}, attempt, 1.0)) == (least, most)


@pytest.mark.parametrize(
    "told", ["", "soon", "-5", "0", "999999999999999", "nan", "inf", "1e9", "Thu, 18 Jun 2026 09:29:00 GMT", "1_000"]
)
def test_what_is_no_wait_is_not_one(told: str) -> None:
    assert seconds(503, {"Retry-After": told}, attempt=3) == 4.5


def test_an_exhausted_window_is_waited_for() -> None:
    spent = {"ratelimit": "limit=240; remaining=0; reset=2.5"}
    assert seconds(429, spent, attempt=6) == 2.5
    assert seconds(429, {**spent, "Retry-After": "9"}) == 9
    assert seconds(500, spent, attempt=1) == 1.5
    # Refused though something is left: the limit is another one.
    assert seconds(429, {"ratelimit": "limit=240; remaining=3; reset=2.5"}, attempt=1) == 1.5


@given(
    st.integers(100, 599),
    st.dictionaries(
        st.sampled_from(["Retry-After", "Date", "RateLimit", "X-RateLimit-Reset", "X-RateLimit-Remaining"]), st.text()
    ),
    st.integers(0, 50),
    st.floats(0, 1),
)
def test_the_wait_is_never_none_and_never_long(
    status: int, headers: dict[str, str], attempt: int, jitter: float
) -> None:
    assert timedelta() < wait_of(status, headers, attempt, NOW, jitter) <= CAP


@pytest.mark.parametrize(
    ("headers", "reading"),
    [
        ({"Sforce-Limit-Info": "api-usage=53/15000"}, Reading(day_limit=15000, day_remaining=14947)),
        (
            {"Sforce-Limit-Info": "per-app-api-usage=17/250(appName=sample); api-usage=15001/15000"},
            Reading(day_limit=15000, day_remaining=0),
        ),
        (
            {
                "X-HubSpot-RateLimit-Max": "110",
                "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
                "X-HubSpot-RateLimit-Remaining": "109",
                "X-HubSpot-RateLimit-Secondly": "11",
                "X-HubSpot-RateLimit-Daily": "250000",
                "X-HubSpot-RateLimit-Daily-Remaining": "249000",
            },
            Reading(110, 109, NOW + timedelta(seconds=10), 250_000, 249_000),
        ),
        (
            {"ratelimit": "limit=240; remaining=239; reset=2", "x-ratelimit-limit": "60, 60;w=1, 100;w=1"},
            Reading(240, 239, NOW + timedelta(seconds=2)),
        ),
        ({"RateLimit": "limit=240, remaining=0, reset=0.75"}, Reading(240, 0, NOW + timedelta(milliseconds=750))),
        ({"X-RateLimit-Limit": "60, 60;w=1, 100;w=1"}, Reading(limit=60)),
        (
            {"X-RateLimit-Limit": "10000", "X-RateLimit-Remaining": "9999", "X-RateLimit-Reset": "1781776800"},
            Reading(10000, 9999, datetime(2026, 6, 18, 10, 0, tzinfo=UTC)),
        ),
        (
            {"X-RateLimit-Remaining": "-3", "X-RateLimit-Reset": "1781776800000"},
            Reading(remaining=0, resets_at=datetime(2026, 6, 18, 10, 0, tzinfo=UTC)),
        ),
        (
            {"RateLimit-Limit": "100", "RateLimit-Remaining": "5", "RateLimit-Reset": "2026-06-18T10:00:00Z"},
            Reading(100, 5, datetime(2026, 6, 18, 10, 0, tzinfo=UTC)),
        ),
        (
            {
                "x-ratelimit-limit": "80",
                "x-ratelimit-remaining": "79",
                "x-ratelimit-reset": "2",
                "x-daily-ratelimit-token-limit": "150000",
                "x-daily-ratelimit-token-remaining": "149990",
            },
            Reading(80, 79, NOW + timedelta(seconds=2), 150_000, 149_990),
        ),
        (
            {"X-MinLimit-Remaining": "59", "X-AppMinLimit-Remaining": "12", "X-DayLimit-Remaining": "4990"},
            Reading(remaining=12, resets_at=NOW + timedelta(seconds=60), day_remaining=4990),
        ),
        (
            {
                "X-Rate-Limit-Group": "heavy",
                "X-Rate-Limit-Limit": "10",
                "X-Rate-Limit-Remaining": "0",
                "X-Rate-Limit-Window": "60",
            },
            Reading(10, 0, NOW + timedelta(seconds=60)),
        ),
        ({"X-Rate-Limit-Window": "999999999999999"}, Reading(resets_at=NOW + timedelta(days=31))),
        ({"X-RateLimit-Reset": "0001-01-01T00:00:00+14:00"}, Reading(resets_at=NOW)),
        ({"X-RateLimit-Reset": "9999-12-31T23:59:59-14:00"}, Reading(resets_at=NOW + timedelta(days=31))),
        ({"X-RateLimit-Reset": "Thu, 18 Jun 99999999999999999999 09:30:00 GMT"}, None),
        ({"X-RateLimit-Reset": "999999999999999", "X-RateLimit-Limit": "x"}, None),
        ({"X-RateLimit-Limit": "9" * 5000}, Reading(limit=999_999_999_999_999)),  # what a database still holds
        ({"Content-Type": "application/json"}, None),
    ],
)
def test_the_budget_in_every_dialect(headers: dict[str, str], reading: Reading | None) -> None:
    assert reading_of(headers, NOW) == reading


def test_windows_end_by_our_clock() -> None:
    for told in ("120", "Thu, 18 Jun 2026 09:02:00 GMT", "1781773320"):
        reading = reading_of({**DATE, "X-RateLimit-Reset": told}, NOW)
        assert reading == Reading(resets_at=NOW + timedelta(seconds=120))
