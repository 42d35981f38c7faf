"""One cell to one typed value, by the field it fills and the rule it is read by."""

import re
import unicodedata
from calendar import monthrange
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Any, Final

from salesops.connectors.rules import dates, numbers, templates
from salesops.connectors.rules.fields import Field, FieldType
from salesops.connectors.rules.mapping import FieldRule, RateUnit
from salesops.connectors.rules.profile import EMAIL
from salesops.connectors.rules.tables import Cell, cell_text, shown
from salesops.values.money import MoneyError, check_currency, exponent, to_minor
from salesops.values.names import fold_name
from salesops.values.outcomes import Outcome, Problem
from salesops.values.outcomes import gettext_noop as _
from salesops.values.periods import PeriodError, parse_label, period_of

_MOST_WHOLE: Final = 2**31 - 1
# Wide enough for any number that is read times any multiplier: nothing is rounded on the way.
_EXACT: Final = Context(prec=100)
_MOST_EMAIL: Final = 254
# Words that mean "nothing here" where a number, a day, a choice or a reference is expected. Texts are taken literally.
BLANK_WORDS: Final = frozenset({"-", "–", "—", "n/a", "na", "null", "none", "nil", "nan", "(blank)", "(none)"})
_ERRORS: Final = frozenset(
    {"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#GETTING_DATA"}
)
_QUOTED_TRIGGER: Final = re.compile("'[\\s\"';,|]*[=+\\-@＝＋－＠−]")
_QUARTER_FIRST: Final = re.compile(r"(FY ?)?([0-9]{4})[ -]?([QH])([1-4])|([QH])([1-4])[ -/]?(FY ?)?([0-9]{4})", re.I)
_MONTH_OF_YEAR: Final = re.compile(r"([^\W\d_]{3,12})\.?[ -]([0-9]{4})")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS: Final = re.compile("[0-9]{9,11}|[0-9]{12,14}")
# Columns repeat their values: as many outcomes as this are remembered for each, for short cells of these types.
_REMEMBERED: Final = 5_000
_SHORT: Final = 64
_LITERAL: Final = frozenset({FieldType.TEXT, FieldType.LONG_TEXT})


class CellReader:
    """A rule made ready: where the cell comes from and how it is read. Made once for a file."""

    def __init__(self, rule: FieldRule, field: Field, headers: Sequence[str]) -> None:
        """Make ready. Raises ValueError when the column is not among the headers."""
        self.rule = rule
        self.field = field
        self.target = field.target
        #: What a message names: the column, or the field where no column is read.
        self.where = rule.column or field.label
        self.is_lookup = field.lookup is not None
        self.is_money = field.type is FieldType.MONEY
        self.is_fixed = rule.column is None
        words = {word.strip().casefold() for word in rule.blank_words}
        self._blank_words = words if field.type in _LITERAL else words | BLANK_WORDS
        self._longest_blank = max(map(len, self._blank_words), default=0)
        self._when_blank = (rule.when_blank or "").strip()
        #: Where the cell stands in a row; None where it is no single column.
        self.place = headers.index(rule.column) if rule.column is not None else None
        self._template = templates.parse(rule.template).unwrap() if rule.template is not None else None
        columns = self._template.columns if self._template else ()
        self._places = tuple((name, headers.index(name)) for name in columns)
        self._read = _READ[field.type] if field.lookup is None else None
        self._known: dict[tuple[str, str | None], Outcome[Any]] = {}
        self._meant = {fold_name(word): text for word, text in rule.choices} if self.is_lookup else {}
        self._met: dict[Cell, Outcome[Any]] = {}

    def meant(self, text: str) -> str:
        """What a word stands for in a lookup, by the pairs of the rule: "closedwon" for "Closed won"; else itself."""
        return self._meant.get(fold_name(text), text) if self._meant else text

    def cell(self, cells: Sequence[Cell]) -> Cell:
        """The cell or text of a row that fills the field; "" when it is blank."""
        cell: Cell
        if self.place is not None:
            cell = cells[self.place]
        elif self._template is not None:
            cell = self._template.fill({name: cell_text(cells[place]) for name, place in self._places})
        else:
            cell = self.rule.constant or ""
        if isinstance(cell, str):
            cell = unguarded(cell.strip())
            # No text becomes shorter by folding its case.
            if not cell or (len(cell) <= self._longest_blank and cell.casefold() in self._blank_words):
                return self._when_blank
        return cell

    def recall(self, cells: Sequence[Cell]) -> Outcome[Any] | None:
        """What the text in the column came to when it was met before; None where it has to be read."""
        return self._met.get(cells[self.place]) if self.place is not None else None

    def remember(self, cells: Sequence[Cell], outcome: Outcome[Any]) -> None:
        """Keep what the text in the column came to; not of amounts, whose currency stands beside them."""
        if self.place is None or self.is_money:
            return
        cell = cells[self.place]
        if isinstance(cell, str) and len(cell) <= _SHORT:
            if len(self._met) >= _REMEMBERED:
                self._met.clear()
            self._met[cell] = outcome

    def read(self, cell: Cell, currency: str | None) -> Outcome[Any]:
        """Read a cell that is not blank. `currency` is the one that the row says, for amounts.

        The value of an amount is a pair: minor units and their currency. Problems name the column.
        """
        if self._read is None:
            raise TypeError("a reference is looked up, not read")
        if not isinstance(cell, str) or len(cell) > _SHORT or (self.place is not None and not self.is_money):
            return self._placed(self._read(self, cell, currency))
        known = self._known.get((cell, currency))
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._placed(self._read(self, cell, currency))
            self._known[cell, currency] = known
        return known

    def _placed(self, outcome: Outcome[Any]) -> Outcome[Any]:
        if not outcome.problems:
            return outcome
        return Outcome(outcome.value, tuple(at(problem, self.where) for problem in outcome.problems))


def _text(reader: CellReader, cell: Cell, _code: str | None) -> Outcome[Any]:
    text = cell_text(cell)
    text = _lines(text) if reader.field.type is FieldType.LONG_TEXT else one_line(text)
    if len(text) > reader.field.max_length:
        return Outcome.bad(
            Problem.of(
                "text-length",
                _("The text has %(length)s characters; at most %(most)s can be kept."),
                remedy=_("Shorten it."),
                length=len(text),
                most=reader.field.max_length,
            )
        )
    return Outcome.good(text) if text else Outcome.bad(blank(reader.where, reader.field.label))


def _email(_reader: CellReader, cell: Cell, _code: str | None) -> Outcome[Any]:
    text = unicodedata.normalize("NFC", cell_text(cell)).lower()
    if len(text) <= _MOST_EMAIL and EMAIL.fullmatch(text) and text.isprintable():
        return Outcome.good(text)
    return Outcome.bad(
        Problem.of(
            "email",
            _("“%(value)s” is not an e-mail address."),
            remedy=_("Correct the address."),
            value=shown(text),
        )
    )


def _number(reader: CellReader, cell: Cell) -> Outcome[numbers.Number]:
    # What the mapping itself says is written plainly, whatever the convention of a column.
    mark = reader.rule.decimal if not reader.is_fixed else numbers.DecimalMark.POINT
    return numbers.read(cell, mark)


def _integer(reader: CellReader, cell: Cell, _code: str | None) -> Outcome[Any]:
    return _number(reader, cell).then(lambda number: _whole(number, reader.rule.multiplier, cell))


def _decimal(reader: CellReader, cell: Cell, _code: str | None) -> Outcome[Any]:
    outcome = _number(reader, cell)
    if outcome.value is None:
        return outcome
    if outcome.value.sign or outcome.value.is_percent:
        return Outcome.bad(numbers.not_a_number(cell_text(cell)))
    return Outcome.good(_EXACT.multiply(outcome.value.value, reader.rule.multiplier))


def _money(reader: CellReader, cell: Cell, code: str | None) -> Outcome[Any]:
    outcome = _number(reader, cell)
    if outcome.value is None:
        return outcome
    number = outcome.value
    if number.is_percent:
        return Outcome.bad(numbers.not_a_number(cell_text(cell)))
    currency = code or reader.rule.currency or _only_currency(number.sign)
    if currency is None:
        return Outcome.bad(_no_currency())
    if number.sign and currency not in numbers.currencies_of(number.sign):
        return Outcome.bad(_other_currency(cell_text(cell), currency))
    amount = _EXACT.multiply(number.value, reader.rule.multiplier)
    try:
        minor = to_minor(amount, currency, is_rounded=reader.rule.is_rounded)
    except MoneyError:
        return Outcome.bad(_not_money(cell_text(cell), amount, currency))
    return Outcome.good((minor, currency))


def _rate(reader: CellReader, cell: Cell, _code: str | None) -> Outcome[Any]:
    outcome = _number(reader, cell)
    if outcome.value is None:
        return outcome
    number = outcome.value
    if number.sign:
        return Outcome.bad(numbers.not_a_number(cell_text(cell)))
    if number.is_percent or reader.rule.rate_unit is RateUnit.PERCENT:
        return Outcome.good(number.value.scaleb(-2))
    if reader.rule.rate_unit is RateUnit.FRACTION or not number.value:
        return Outcome.good(number.value)
    return Outcome.bad(
        Problem.of(
            "rate-ambiguous",
            _("“%(value)s” can mean %(value)s %% or %(share)s %%."),
            remedy=_("Say in the mapping whether rates are percentages or shares of one."),
            value=format(number.value, "f"),
            share=format(number.value.scaleb(2), "f"),
        )
    )


def _day(reader: CellReader, cell: Cell) -> Outcome[date]:
    rule = reader.rule
    form = rule.date_format if not reader.is_fixed else dates.DateFormat.YMD
    return dates.read(cell, form, rule.pivot).then(lambda day: _moved(day, rule))


def _date(reader: CellReader, cell: Cell, _code: str | None) -> Outcome[Any]:
    return _day(reader, cell)


def _moment(reader: CellReader, cell: Cell, _code: str | None) -> Outcome[Any]:
    """A moment: as programs write it (ISO 8601, or seconds or milliseconds since 1970), else the first one of a day.

    One without a zone is given without one; who takes the record knows in which zone the company lives.
    """
    if isinstance(cell, datetime):
        return Outcome.good(cell)
    text = cell_text(cell)
    try:
        if _SECONDS.fullmatch(text):
            return Outcome.good(_EPOCH + timedelta(milliseconds=int(text) * (1 if len(text) > 11 else 1_000)))
        if len(text) > 10 and text[4:5] == "-":
            return Outcome.good(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        pass
    return _day(reader, cell).then(lambda day: Outcome.good(datetime.combine(day, time())))


def _period(reader: CellReader, cell: Cell, _code: str | None) -> Outcome[Any]:
    rule = reader.rule
    if isinstance(cell, str | Decimal) and (label := _period_label(cell_text(cell))):
        try:
            return Outcome.good(parse_label(label, rule.fiscal_start_month))
        except PeriodError:
            return Outcome.bad(_not_a_period(cell_text(cell)))
    outcome = _day(reader, cell)
    if outcome.value is None:
        return outcome
    if rule.period_kind is None:
        return Outcome.bad(
            Problem.of(
                "period-kind",
                _("“%(value)s” is a day, and the mapping does not say what period it stands for."),
                remedy=_("Choose month, quarter, half or year in the mapping."),
                value=shown(cell_text(cell)),
            )
        )
    return Outcome.good(period_of(outcome.value, rule.period_kind, rule.fiscal_start_month))


def _currency(_reader: CellReader, cell: Cell, _code: str | None) -> Outcome[Any]:
    text = cell_text(cell)
    code = text.upper() if text.upper() in numbers.known_currencies() else _only_currency(text)
    try:
        return Outcome.good(check_currency(code or ""))
    except MoneyError:
        return Outcome.bad(
            Problem.of(
                "currency",
                _("“%(value)s” is not a currency."),
                remedy=_("Write a code such as USD."),
                value=shown(text),
            )
        )


def _choice(reader: CellReader, cell: Cell, _code: str | None) -> Outcome[Any]:
    text = cell_text(cell)
    folded = fold_name(text)
    for word, code in reader.rule.choices:
        if fold_name(word) == folded:
            return Outcome.good(code)
    for choice in reader.field.choices:
        if folded in {fold_name(word) for word in (choice.code, choice.label, *choice.synonyms)}:
            return Outcome.good(choice.code)
    return Outcome.bad(
        Problem.of(
            "choice",
            _("“%(value)s” is none of the choices (%(choices)s)."),
            remedy=_("Say in the mapping which choice the word means, or correct it."),
            value=shown(text),
            choices=", ".join(choice.code for choice in reader.field.choices),
        )
    )


def _moved(day: date, rule: FieldRule) -> Outcome[date]:
    """The day after what the mapping asks for: the day after the last one, months added, snapped to a start."""
    try:
        if rule.is_last_day:
            day += timedelta(days=1)
        if rule.shift_months:
            months = day.year * 12 + day.month - 1 + rule.shift_months
            year, month = divmod(months, 12)
            day = date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
        if rule.snap:
            period = period_of(day, rule.snap, rule.fiscal_start_month)
            day = period.start if (day - period.start) <= (period.end - day) else period.end
    except (ValueError, OverflowError):
        return Outcome.bad(
            Problem.of(
                "date-shift",
                _("%(day)s leaves the calendar when it is shifted."),
                remedy=_("Correct the date or the shift in the mapping."),
                day=day.isoformat(),
            )
        )
    return Outcome.good(day)


def _period_label(text: str) -> str | None:
    """A period as people write it, in the way periods are labelled; None when it is none (but perhaps a day)."""
    text = text.strip()
    if len(text) > 24:
        return None
    if match := _QUARTER_FIRST.fullmatch(text):
        fiscal = "FY" if match[1] or match[7] else ""
        letter, number = (match[3] or match[5]).upper(), match[4] or match[6]
        return f"{fiscal}{match[2] or match[8]}{letter}{number}"
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}|(?:FY)?[0-9]{4}", text):
        return text
    if match := re.fullmatch(r"(0?[1-9]|1[0-2])[/.-]([0-9]{4})", text):
        return f"{match[2]}-{int(match[1]):02d}"
    if match := _MONTH_OF_YEAR.fullmatch(text):
        month = dates.month_names().get(match[1].casefold())
        return f"{match[2]}-{month:02d}" if month else None
    return None


def _whole(number: numbers.Number, multiplier: Decimal, cell: Cell) -> Outcome[int]:
    value = _EXACT.multiply(number.value, multiplier)
    if number.sign or number.is_percent or value != value.to_integral_value():
        return Outcome.bad(
            Problem.of(
                "integer",
                _("“%(value)s” is not a whole number."),
                remedy=_("Write a number without decimals."),
                value=shown(cell_text(cell)),
            )
        )
    if not 0 <= value <= _MOST_WHOLE:
        return Outcome.bad(
            Problem.of(
                "integer-range",
                _("“%(value)s” is not between 0 and %(most)s."),
                remedy=_("Correct the number."),
                value=shown(cell_text(cell)),
                most=f"{_MOST_WHOLE:,}",
            )
        )
    return Outcome.good(int(value))


def _only_currency(sign: str) -> str | None:
    """The one currency that a sign can stand for."""
    if not sign or (sign not in numbers.CURRENCY_SIGNS and sign not in numbers.known_currencies()):
        return None
    codes = numbers.currencies_of(sign)
    return next(iter(codes)) if len(codes) == 1 else None


def unguarded(text: str) -> str:
    """Text without the guards that exports put around it so that a spreadsheet keeps it as text.

    A quote before what would start a formula ('+49 30 1234) and the formula that only holds a text (="00123") are not
    part of the value; importing an export must change nothing.
    """
    if not text.startswith(("'", "=")):
        return text
    if _QUOTED_TRIGGER.match(text):
        return text[1:].strip()
    if text.startswith('="') and text.endswith('"') and '"' not in text[2:-1] and len(text) > 2:
        return text[2:-1].strip()
    return text


def one_line(text: str) -> str:
    """Composed text on one line: control characters and line breaks become spaces."""
    text = unicodedata.normalize("NFC", text)
    if not text.isprintable():
        text = "".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in text)
    return " ".join(text.split())


def _lines(text: str) -> str:
    """Composed text whose line breaks stay; other control characters become spaces."""
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    return "\n".join(one_line(line) for line in text.split("\n")).strip()


def error_in(cell: Cell) -> str:
    """The error of a spreadsheet that stands in a cell, "" for none."""
    return cell if isinstance(cell, str) and cell.startswith("#") and cell in _ERRORS else ""


def at(problem: Problem, where: str) -> Problem:
    """The problem, said of a column."""
    return Problem(problem.code, problem.message, where, problem.remedy, problem.params)


def blank(where: str, label: str) -> Problem:
    return Problem.of(
        "blank",
        _("“%(field)s” is needed, but the cell is blank."),
        where=where,
        remedy=_("Fill the cell, or say in the mapping what is used where it is blank."),
        field=label,
    )


def _no_currency() -> Problem:
    return Problem.of(
        "money-currency",
        _("The amount says no currency, and neither does the mapping."),
        remedy=_("Choose a currency for the column in the mapping."),
    )


def _other_currency(text: str, currency: str) -> Problem:
    return Problem.of(
        "money-other-currency",
        _("“%(value)s” is not an amount in %(currency)s."),
        remedy=_("Correct the amount, or map a column that says the currency of each row."),
        value=shown(text),
        currency=currency,
    )


def _not_money(text: str, amount: Decimal, currency: str) -> Problem:
    """Why an amount is no money: too many decimals, or more than can be kept."""
    decimals = exponent(currency)
    if amount.is_finite() and amount.adjusted() < 18 and amount != amount.quantize(Decimal(1).scaleb(-decimals)):
        return Problem.of(
            "money-decimals",
            _("“%(value)s” has more decimals than %(currency)s has (%(decimals)s)."),
            remedy=_("Correct the amount, or allow rounding for the column in the mapping."),
            value=shown(text),
            currency=currency,
            decimals=decimals,
        )
    return Problem.of(
        "money-range",
        _("“%(value)s” is more money than can be kept."),
        remedy=_("Correct the amount or the multiplier in the mapping."),
        value=shown(text),
    )


def _not_a_period(text: str) -> Problem:
    return Problem.of(
        "period-unreadable",
        _("“%(value)s” is not a period."),
        remedy=_("Write a period such as 2017Q3, 2017-03 or 2017."),
        value=shown(text),
    )


_READ: Final[dict[FieldType, Callable[[CellReader, Cell, str | None], Outcome[Any]]]] = {
    FieldType.TEXT: _text,
    FieldType.LONG_TEXT: _text,
    FieldType.EMAIL: _email,
    FieldType.INTEGER: _integer,
    FieldType.MONEY: _money,
    FieldType.NUMBER: _decimal,
    FieldType.RATE: _rate,
    FieldType.DATE: _date,
    FieldType.MOMENT: _moment,
    FieldType.PERIOD: _period,
    FieldType.CURRENCY: _currency,
    FieldType.CHOICE: _choice,
}
