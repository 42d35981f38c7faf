"""Rates of exchange: reading the European Central Bank's wide table, keeping them, looking them up."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction

from salesops.core import records
from salesops.core.actor import Actor
from salesops.core.models import ExchangeRate
from salesops.values.money import MoneyError, check_currency
from salesops.values.outcomes import Problem, gettext_noop
from salesops.values.rates import MAX_AGE_DAYS, Rate, RateError, RateTable, exact_rate

#: The source under which the central bank's rates are kept; its table is quoted against the euro.
ECB: Final = "ecb"
_MAX_BYTES: Final = 50 * 1024 * 1024
_MOST_PROBLEMS: Final = 200
_NOTHING: Final = {"", "N/A", "NA", "-"}


@dataclass(frozen=True, slots=True)
class RatesImported:
    """What an import of rates came to. `replaced` counts rates whose value changed; `problems` what was left out."""

    added: int
    replaced: int
    unchanged: int
    problems: tuple[Problem, ...]
    first_on: date | None
    last_on: date | None


def rate_table(*, start: date, end: date) -> RateTable:
    """All rates that matter for days in [start, end). A rate entered by hand wins over a published one."""
    rows = ExchangeRate.objects.filter(on__gte=start - timedelta(days=MAX_AGE_DAYS), on__lt=end)
    chosen: dict[tuple[date, str, str], tuple[Decimal, str]] = {}
    for on, base, quote, value, source in rows.order_by("source").values_list("on", "base", "quote", "rate", "source"):
        if (on, base, quote) not in chosen or source == ExchangeRate.MANUAL:
            chosen[on, base, quote] = (value, source)
    return RateTable(
        Rate(base=base, quote=quote, on=on, value=exact_rate(value), source=source)
        for (on, base, quote), (value, source) in chosen.items()
    )


def import_rates(
    *,
    actor: Actor,
    content: bytes,
    name: str,
    at: datetime,
    base: str = "EUR",
    source: str = ECB,
    replace: bool = False,
) -> RatesImported:
    """Take over a wide table of rates: a column of days, then one column for each currency, N/A where there is none.

    A rate that is already kept with the same value is left alone. One with another value is replaced only if
    `replace`; otherwise it is a problem, because what was calculated with it would no longer be reproduced. Cells that
    are no rate, lines without a day and columns that are no currency are problems and stop nothing else. Raises
    ValidationError when the file as a whole cannot be read.
    """
    problems: list[Problem] = []
    found: dict[tuple[date, str], str] = {}
    for on, quote, value in _cells(content, problems):
        if quote == base:
            continue
        known = found.setdefault((on, quote), value)
        if known != value:
            _tell(
                problems,
                "rate-twice",
                gettext_noop("The day stands twice in the file with different rates."),
                f"{quote} {on}",
            )
    days = [on for on, _quote in found]
    first, last = min(days, default=None), max(days, default=None)
    with transaction.atomic():
        kept = (
            {
                (row.on, row.quote): row
                for row in ExchangeRate.objects.select_for_update().filter(
                    base=base, source=source, on__gte=first, on__lte=last
                )
            }
            if first is not None
            else {}
        )
        new: list[ExchangeRate] = []
        changed: list[ExchangeRate] = []
        before: dict[str, str] = {}
        after: dict[str, str] = {}
        for (on, quote), value in found.items():
            row = kept.get((on, quote))
            if row is None:
                new.append(ExchangeRate(on=on, base=base, quote=quote, rate=Decimal(value), source=source))
            elif row.rate != Decimal(value):
                if not replace:
                    _tell(
                        problems,
                        "rate-differs",
                        gettext_noop("Another rate is already kept for this day; it was left as it is."),
                        f"{quote} {on}",
                    )
                    continue
                before[f"{quote} {on}"], after[f"{quote} {on}"] = str(row.rate), value
                row.rate = Decimal(value)
                changed.append(row)
        ExchangeRate.objects.bulk_create(new, batch_size=2000)
        ExchangeRate.objects.bulk_update(changed, ["rate"], batch_size=200)
        if new or changed:
            records.record(
                actor=actor,
                action="rate.imported",
                before=before,
                after={
                    **after,
                    "file": name,
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "source": source,
                    "added": len(new),
                    "replaced": len(changed),
                    "first_on": first,
                    "last_on": last,
                },
                at=at,
            )
    unchanged = sum(1 for key in found if key in kept) - len(changed)
    return RatesImported(len(new), len(changed), unchanged, tuple(problems), first, last)


def _tell(problems: list[Problem], code: str, message: str, where: str) -> None:
    """Add a problem, up to a number that a person can still read."""
    if len(problems) < _MOST_PROBLEMS:
        problems.append(Problem.of(code, message, where=where))


def _day(text: str) -> date | None:
    """A day as the central bank writes it: 2024-01-31, or 31 January 2024."""
    for form in ("%Y-%m-%d", "%d %B %Y"):
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007  # a day has no time zone
        except ValueError:
            continue
    return None


def _cells(content: bytes, problems: list[Problem]) -> Iterator[tuple[date, str, str]]:
    """Each rate of the table as (day, currency, canonical text)."""
    if len(content) > _MAX_BYTES:
        raise ValidationError(gettext_noop("The file is larger than any table of rates."))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValidationError(gettext_noop("The file is not text in UTF-8.")) from error
    if "\x00" in text:
        raise ValidationError(gettext_noop("The file is not text in UTF-8."))
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if len(header) < 2 or header[0].lower() not in {"date", "day"}:
            raise ValidationError(
                gettext_noop("The first line has to name the columns: Date, then a currency for each column.")
            )
        columns: dict[int, str] = {}
        for place, cell in enumerate(header[1:], start=1):
            if not cell:
                continue
            try:
                columns[place] = check_currency(cell.upper())
            except MoneyError:
                _tell(
                    problems, "no-currency", gettext_noop("The column is not a currency and was left out."), cell[:40]
                )
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            on = _day(row[0].strip())
            if on is None:
                where = f"{reader.line_num}: {row[0][:40]}"
                _tell(problems, "no-day", gettext_noop("The line does not begin with a day and was left out."), where)
                continue
            for place, quote in columns.items():
                cell = row[place].strip() if place < len(row) else ""
                if cell.upper() in _NOTHING:
                    continue
                try:
                    exact_rate(cell)
                except RateError:
                    where = f"{quote} {on}: {cell[:40]}"
                    _tell(problems, "no-rate", gettext_noop("The cell is not a rate and was left out."), where)
                    continue
                yield on, quote, ExchangeRate._meta.get_field("rate").canonical(cell)
    except csv.Error as error:
        raise ValidationError(gettext_noop("The file is not a table separated by commas.")) from error
