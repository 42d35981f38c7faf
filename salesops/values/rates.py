"""Rates of exchange: the last one known on a day, through a common currency where needed, and exact conversion."""

import bisect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final, TypeVar

from salesops.values.money import check_currency, check_minor, exponent, round_half_up
from salesops.values.outcomes import Outcome, Problem, gettext_noop

# A week bridges week-ends and the longest runs of bank holidays; a rate older than that is stale.
MAX_AGE_DAYS: Final = 7

LegT = TypeVar("LegT", "Rate", "MonthMean")

_RATE = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)


class RateError(ValueError):
    """A rate of exchange that cannot be one."""


@dataclass(frozen=True)
class Rate:
    """On that day one unit of `base` was worth `value` units of `quote` (major units), says `source`."""

    base: str
    quote: str
    on: date
    value: Fraction
    source: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be a rate: the same currency twice, nothing, less than nothing, a float."""
        check_currency(self.base)
        check_currency(self.quote)
        if self.base == self.quote:
            raise RateError(f"A rate needs two currencies, not {self.base} twice.")
        if not isinstance(self.value, Fraction) or self.value <= 0:
            raise RateError(f"{self.value!r} is not a rate: an exact number above zero is needed.")


def exact_rate(text: str | Decimal) -> Fraction:
    """Read a rate as it is printed ("1.0842") without rounding it. Raises RateError."""
    plain = format(text, "f") if isinstance(text, Decimal) else text
    if not isinstance(plain, str) or not _RATE.fullmatch(plain) or not Fraction(plain):
        raise RateError(f"{str(text)[:60]!r} is not a rate of exchange: a plain decimal above zero is needed.")
    return Fraction(plain)


@dataclass(frozen=True)
class MonthMean:
    """The mean of the rates of a pair that were published on the days of a calendar month.

    month: its first day. rates: those that went in, at least one, in the order of their days. is_whole: whether all of
    the month's are known, as far as can be told: one was published on the last weekday or later.
    """

    base: str
    quote: str
    month: date
    rates: tuple[Rate, ...]
    is_whole: bool

    @property
    def value(self) -> Fraction:
        """The exact mean, in major units of `quote` for one of `base`."""
        return sum((rate.value for rate in self.rates), Fraction(0)) / len(self.rates)


@dataclass(frozen=True)
class PinnedRate:
    """The rate used, to be stored with what it converted: `value` units of `quote` for one of `base`.

    `legs` are the published rates, or the means of them, it was made from, in order: none for the same currency, one
    directly, two through a common currency. asked_on: the day; the first of the month for means.
    """

    base: str
    quote: str
    asked_on: date
    value: Fraction
    legs: tuple[Rate | MonthMean, ...] = ()

    @property
    def means(self) -> tuple[MonthMean, ...]:
        """The means among what it was made from."""
        return tuple(leg for leg in self.legs if isinstance(leg, MonthMean))

    @property
    def is_same_currency(self) -> bool:
        """Whether nothing needs converting."""
        return self.base == self.quote

    def minor_fraction(self) -> Fraction:
        """How many minor units of `quote` one minor unit of `base` is worth."""
        return self.value * Fraction(10) ** (exponent(self.quote) - exponent(self.base))


def convert(minor: int, rate: PinnedRate) -> int:
    """Convert minor units exactly and round once by the rounding rule. Raises MoneyError beyond 64 bits."""
    return check_minor(round_half_up(check_minor(minor) * rate.minor_fraction()))


def value_through(base: str, legs: Iterable[Rate | MonthMean]) -> Fraction:
    """What one unit of `base` is worth after these legs, each taken forwards or backwards as it comes."""
    value = Fraction(1)
    for leg in legs:
        is_forward = leg.base == base
        value = value * leg.value if is_forward else value / leg.value
        base = leg.quote if is_forward else leg.base
    return value


class RateTable:
    """Published rates, looked up as of a day. Two rates for the same pair and day that differ are refused."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        """Take the rates in any order."""
        by_pair: dict[tuple[str, str], dict[date, Rate]] = {}
        for rate in rates:
            days = by_pair.setdefault((rate.base, rate.quote), {})
            known = days.setdefault(rate.on, rate)
            if known.value != rate.value:
                raise RateError(f"Two different rates {rate.base}/{rate.quote} on {rate.on}.")
        self._series = {pair: [days[day] for day in sorted(days)] for pair, days in by_pair.items()}
        self._bases = sorted({base for base, _quote in self._series})
        self._means: dict[tuple[str, str, date], Outcome[PinnedRate]] = {}

    def rate_on(self, base: str, quote: str, day: date, max_age_days: int = MAX_AGE_DAYS) -> Outcome[PinnedRate]:
        """The rate from `base` to `quote` as of `day`: the last one on or before it, within the bound.

        Looked for directly, then the other way round, then through a common base (both currencies quoted against the
        euro, say; the base that comes first in the alphabet wins, so the answer never depends on order). Where there
        is none the outcome is a problem, never a rate of 1.
        """
        check_currency(base)
        check_currency(quote)
        if base == quote:
            return Outcome.good(PinnedRate(base, quote, day, Fraction(1)))
        legs = self._legs(base, quote, lambda one, other: self._known(one, other, day, max_age_days))
        if legs is None:
            return Outcome.bad(self._missing(base, quote, day, max_age_days))
        return Outcome.good(PinnedRate(base, quote, day, value_through(base, legs), legs))

    def mean_of_month(self, base: str, quote: str, day: date) -> Outcome[PinnedRate]:
        """The mean rate from `base` to `quote` of the calendar month that holds `day`, of what is published of it so far.

        Looked for like the rate of a day; the other way round and through a common currency the means are divided, not
        the days' quotients averaged. Where nothing of the month was published the outcome is a problem.
        """
        check_currency(base)
        check_currency(quote)
        month = day.replace(day=1)
        if base == quote:
            return Outcome.good(PinnedRate(base, quote, month, Fraction(1)))
        known = self._means.get((base, quote, month))
        if known is None:
            legs = self._legs(base, quote, lambda one, other: self._mean(one, other, month))
            known = (
                Outcome.good(PinnedRate(base, quote, month, value_through(base, legs), legs))
                if legs
                else Outcome.bad(_month_missing(base, quote, month))
            )
            self._means[base, quote, month] = known
        return known

    def _legs(self, base: str, quote: str, known: Callable[[str, str], LegT | None]) -> tuple[LegT, ...] | None:
        direct = known(base, quote) or known(quote, base)
        if direct:
            return (direct,)
        for common in self._bases:
            first, second = known(common, base), known(common, quote)
            if first and second:
                return (first, second)
        return None

    def _mean(self, base: str, quote: str, month: date) -> MonthMean | None:
        series = self._series.get((base, quote), [])
        after = (month + timedelta(31)).replace(day=1)
        rates = tuple(rate for rate in series if month <= rate.on < after)
        if not rates:
            return None
        last = after - timedelta(days=1)
        last_weekday = last - timedelta(days=max(0, last.weekday() - 4))
        return MonthMean(base, quote, month, rates, series[-1].on >= last_weekday)

    def _known(self, base: str, quote: str, day: date, max_age_days: int) -> Rate | None:
        series = self._series.get((base, quote), [])
        index = bisect.bisect_right(series, day, key=lambda rate: rate.on)
        if not index:
            return None
        rate = series[index - 1]
        return rate if (day - rate.on).days <= max_age_days else None

    def _missing(self, base: str, quote: str, day: date, max_age_days: int) -> Problem:
        return Problem.of(
            "rate-missing",
            gettext_noop(
                "There is no rate of exchange from %(base)s to %(quote)s for %(day)s or the %(days)s days before."
            ),
            where=f"{base}/{quote} {day.isoformat()}",
            remedy=gettext_noop("Import the rates of exchange for that day, then calculate again."),
            base=base,
            quote=quote,
            day=day.isoformat(),
            days=max_age_days,
        )


def _month_missing(base: str, quote: str, month: date) -> Problem:
    return Problem.of(
        "rate-missing",
        gettext_noop("There is no rate of exchange from %(base)s to %(quote)s of %(month)s."),
        where=f"{base}/{quote} {month:%Y-%m}",
        remedy=gettext_noop("Import the rates of exchange of that month, then calculate again."),
        base=base,
        quote=quote,
        month=f"{month:%Y-%m}",
    )
