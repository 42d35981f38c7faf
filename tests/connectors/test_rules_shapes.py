"""Moments as vendors write them, and as they are asked by them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from salesops.connectors.rules.shapes import iso_of, moment

AT = datetime(2026, 5, 1, 9, 25, 37, 999_999, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("timespec", "text"), [("seconds", "2026-05-01T07:25:37Z"), ("milliseconds", "2026-05-01T07:25:37.999Z")]
)
def test_a_moment_is_asked_by_in_utc_and_cut_off(timespec: str, text: str) -> None:
    """Rounded up, what changed within that second would not be asked for."""
    assert iso_of(AT, timespec) == text
    assert iso_of(AT.replace(microsecond=0), timespec) == text.replace(".999", ".000")


@pytest.mark.parametrize(
    ("told", "at"),
    [
        ("2026-05-01T07:25:37Z", datetime(2026, 5, 1, 7, 25, 37, tzinfo=UTC)),
        ("2026-05-01T09:25:37.000+0200", datetime(2026, 5, 1, 7, 25, 37, tzinfo=UTC)),
        ("2026-05-01 07:25:37", datetime(2026, 5, 1, 7, 25, 37, tzinfo=UTC)),
        ("/Date(1777620337000+0000)/", datetime(2026, 5, 1, 7, 25, 37, tzinfo=UTC)),
        ("soon", None),
        ("", None),
        (None, None),
        (1_777_620_337, None),
    ],
)
def test_a_moment_is_read_as_it_is_written(told: object, at: datetime | None) -> None:
    assert moment(told) == at
