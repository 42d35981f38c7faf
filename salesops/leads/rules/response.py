"""How long leads wait, in working time: in the queue until somebody has them, and with that person until they are touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from salesops.people.rules.working_time import MOST_DAYS, Calendar

Ints = npt.NDArray[np.int64]

#: Under so many values a figure says more about one lead than about how leads are treated.
FEW: Final = 5
#: Shares of leads on which nobody works: from here on somebody should look, and from here on everybody.
UNWORKED_TARGET_BP: Final = 500
UNWORKED_ALARM_BP: Final = 1_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)


def seconds_of(moment: datetime) -> int:
    """A moment in whole seconds."""
    return (moment - _EPOCH) // _SECOND


def worked(since: Ints, until: Ints, calendar: Calendar) -> Ints:
    """How many seconds of working time lie between each two moments (seconds); nothing where the second is not later.

    The same as `worked_between` of people, for many moments of one person at once.
    """
    if not len(since):
        return np.zeros(0, dtype=np.int64)
    first, last = int(since.min()), int(until.max())
    starts: list[int] = []
    ends: list[int] = []
    begin = _EPOCH + first * _SECOND
    covered = first
    while seconds_of(begin) < last:  # a calendar gives its stretches for MOST_DAYS at a time
        for start, end in calendar.stretches(begin):
            if seconds_of(start) >= last:
                break
            if seconds_of(end) > covered:
                starts.append(max(seconds_of(start), covered))
                covered = seconds_of(end)
                ends.append(covered)
        begin += timedelta(days=MOST_DAYS - 2)
    opens, closes = np.array(starts, dtype=np.int64), np.array(ends, dtype=np.int64)
    before = np.concatenate([[0], np.cumsum(closes - opens)]).astype(np.int64)

    def so_far(moments: Ints) -> Ints:
        place = np.searchsorted(opens, moments, side="right")
        found = before[np.maximum(place - 1, 0)]
        inside = np.where(
            place > 0,
            np.minimum(moments, closes[np.maximum(place - 1, 0)]) - opens[np.maximum(place - 1, 0)],
            0,
        )
        result: Ints = found + inside
        return result

    if not len(opens):
        return np.zeros(len(since), dtype=np.int64)
    return np.where(until > since, so_far(until) - so_far(since), 0)


@dataclass(frozen=True, slots=True)
class Times:
    """Times of some leads. median, p90: seconds; None where there are fewer than FEW."""

    count: int = 0
    median: int | None = None
    p90: int | None = None


def times_of(seconds: Sequence[int] | Ints) -> Times:
    """Count, median (the mean of the middle two, rounded down) and 90th percentile (the nearest rank)."""
    values = np.sort(np.asarray(seconds, dtype=np.int64))
    count = len(values)
    if count < FEW:
        return Times(count)
    median = int(values[(count - 1) // 2] + values[count // 2]) // 2
    return Times(count, median, int(values[-(-9 * count // 10) - 1]))


def share_of(part: int, whole: int) -> int | None:
    """Basis points, rounded down; None of fewer than FEW."""
    return None if whole < FEW else 10_000 * part // whole


def grouped(keys: Sequence[Any], values: Ints, is_known: npt.NDArray[np.bool_]) -> dict[Any, Ints]:
    """The known values by their keys."""
    found: dict[Any, list[int]] = {}
    for key, value, known in zip(keys, values.tolist(), is_known.tolist(), strict=True):
        if known:
            found.setdefault(key, []).append(value)
    return {key: np.array(group, dtype=np.int64) for key, group in found.items()}
