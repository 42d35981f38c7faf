"""How long to wait before asking again, and how much may still be asked, as replies of the vendors tell it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

T = TypeVar("T")

#: Seconds waited where the vendor says nothing: at least, and at most.
SHORTEST: Final = 1.0
LONGEST: Final = 60.0
#: However long the vendor says.
CAP: Final = timedelta(hours=1)
#: The reply to too many requests (RFC 6585); what it tells about the budget tells how long to wait.
TOO_MANY: Final = 429

_SECONDS: Final = re.compile(r"\d{1,15}(\.\d*)?")
_COUNT: Final = re.compile(r"\s*(-?)(\d{1,15})")
_USAGE: Final = re.compile(r"(?:^|[;,\s])api-usage=(\d{1,15})/(\d{1,15})")
_PAIR: Final = re.compile(r"(limit|remaining|reset)=(\d{1,15}(?:\.\d*)?)")
#: A count of seconds this high is a moment since 1970, and one higher still counts milliseconds.
_EPOCH: Final = 1_000_000_000
_EPOCH_MILLISECONDS: Final = 1_000_000_000_000
#: No budget is longer than a month.
_LONGEST_WINDOW: Final = timedelta(days=31)


@dataclass(frozen=True)
class Reading:
    """What a reply tells of the budget: requests (or tokens) in the short window and in the day; None is untold.

    resets_at is when the short window is new at the latest, by our clock.
    """

    limit: int | None = None
    remaining: int | None = None
    resets_at: datetime | None = None
    day_limit: int | None = None
    day_remaining: int | None = None


def wait_of(status: int, headers: Mapping[str, str], attempt: int, now: datetime, jitter: float) -> timedelta:
    """How long to wait after a reply before asking the same again; never longer than CAP.

    The vendor's Retry-After counts; after a 429 without one, the end of an exhausted window; otherwise the wait is
    drawn from 1 s to 2^attempt s, at most 60 s, so that those who failed together do not come back together.

    attempt: how often it was asked already, from 1.
    jitter: the draw, from 0 to 1.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    told = _until(lowered.get("retry-after", ""), _sent(lowered, now))
    if told is None and status == TOO_MANY:
        reading = reading_of(lowered, now)
        if reading and reading.remaining == 0 and reading.resets_at:
            told = reading.resets_at - now
    if told and told > timedelta():
        return min(told, CAP)
    # "At once" would be asked for ever.
    highest = min(LONGEST, SHORTEST * 2 ** min(attempt, 10))
    return timedelta(seconds=SHORTEST + jitter * (highest - SHORTEST))


def reading_of(headers: Mapping[str, str], now: datetime) -> Reading | None:
    """The budget as the headers tell it in any vendor's dialect; None if they tell nothing.

    Salesforce `Sforce-Limit-Info`; HubSpot `X-HubSpot-RateLimit-*`; Close `ratelimit`; Outreach and many
    `X-RateLimit-*`, `RateLimit-*`; Pipedrive also `x-daily-ratelimit-token-*`; Xero `X-MinLimit-Remaining`,
    `X-AppMinLimit-Remaining`, `X-DayLimit-Remaining`; RingCentral `X-Rate-Limit-*`.
    """
    told = {name.lower(): value for name, value in headers.items()}
    sent = _sent(told, now)
    pairs = dict(_PAIR.findall(told.get("ratelimit", "")))
    used = _USAGE.search(told.get("sforce-limit-info", ""))
    minutes = [_count(told, name) for name in ("x-minlimit-remaining", "x-appminlimit-remaining")]
    minute = min((count for count in minutes if count is not None), default=None)
    resets_in = _first(
        _until(pairs.get("reset", ""), sent),
        _window(_count(told, "x-hubspot-ratelimit-interval-milliseconds"), timedelta(milliseconds=1)),
        _window(_count(told, "x-rate-limit-window"), timedelta(seconds=1)),
        *(_until(told.get(name, ""), sent) for name in ("x-ratelimit-reset", "ratelimit-reset")),
        None if minute is None else timedelta(minutes=1),
    )
    reading = Reading(
        limit=_first(
            _count(pairs, "limit"),
            *(_count(told, name) for name in ("x-hubspot-ratelimit-max", "x-rate-limit-limit")),
            *(_count(told, name) for name in ("x-ratelimit-limit", "ratelimit-limit")),
        ),
        remaining=_first(
            _count(pairs, "remaining"),
            *(_count(told, name) for name in ("x-hubspot-ratelimit-remaining", "x-rate-limit-remaining")),
            *(_count(told, name) for name in ("x-ratelimit-remaining", "ratelimit-remaining")),
            minute,
        ),
        resets_at=None if resets_in is None else now + min(max(resets_in, timedelta()), _LONGEST_WINDOW),
        day_limit=_first(
            int(used[2]) if used else None,
            *(_count(told, name) for name in ("x-hubspot-ratelimit-daily", "x-daily-ratelimit-token-limit")),
        ),
        day_remaining=_first(
            max(int(used[2]) - int(used[1]), 0) if used else None,
            _count(told, "x-hubspot-ratelimit-daily-remaining"),
            _count(told, "x-daily-ratelimit-token-remaining"),
            _count(told, "x-daylimit-remaining"),
        ),
    )
    return None if reading == Reading() else reading


def _first(*values: T | None) -> T | None:
    return next((value for value in values if value is not None), None)


def _count(told: Mapping[str, str], name: str) -> int | None:
    """The number with which a header begins ("60, 60;w=1" is 60); an overdrawn budget is an empty one."""
    found = _COUNT.match(told.get(name, ""))
    if found is None:
        return None
    return 0 if found[1] else int(found[2])


def _window(count: int | None, unit: timedelta) -> timedelta | None:
    return None if count is None else min(count, _LONGEST_WINDOW // unit) * unit


def _sent(told: Mapping[str, str], now: datetime) -> datetime:
    """When the reply was sent by the sender's own clock, to which the moments it names belong; else our now."""
    return _date(told.get("date", "")) or now


def _date(text: str) -> datetime | None:
    """A moment as HTTP or ISO 8601 writes it; without a zone it is UTC."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text.strip())
        except (ValueError, OverflowError):
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def _until(text: str, sent: datetime) -> timedelta | None:
    """How long after it was sent a header says: in seconds, as a moment in (milli)seconds since 1970, as a date."""
    if not _SECONDS.fullmatch(text.strip()):
        moment = _date(text)
        return moment - sent if moment else None
    seconds = float(text)
    if seconds < _EPOCH:
        return timedelta(seconds=seconds)
    if seconds >= _EPOCH_MILLISECONDS:
        seconds /= 1000
    try:
        return datetime.fromtimestamp(seconds, UTC) - sent
    except ValueError:  # beyond the last year there is
        return None
