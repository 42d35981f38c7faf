"""Rows to canonical records by a mapping: typed values, money in minor units, references looked up, or the reasons why not."""

import hashlib
import json
import re
import unicodedata
from calendar import monthrange
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Context, Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

from salesops.connectors.rules import dates, numbers, templates
from salesops.connectors.rules.fields import Field, FieldType, LookupKind
from salesops.connectors.rules.mapping import FieldRule, Mapping, RateUnit, Unknown
from salesops.connectors.rules.profile import EMAIL
from salesops.connectors.rules.tables import Cell, Row, cell_text, shown
from salesops.values.money import MoneyError, check_currency, exponent, to_minor
from salesops.values.names import fold_name
from salesops.values.outcomes import Outcome, Problem
from salesops.values.outcomes import gettext_noop as _
from salesops.values.periods import Period, PeriodError, parse_label, period_of

_MOST_WHOLE: Final = 2**31 - 1
# Wide enough for any number that is read times any multiplier: nothing is rounded on the way.
_EXACT: Final = Context(prec=100)
_MOST_EMAIL: Final = 254
_ERRORS: Final = frozenset(
    {"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#GETTING_DATA"}
)
# Words that mean "nothing here" where a number, a day, a choice or a reference is expected. Texts are taken literally.
BLANK_WORDS: Final = frozenset({"-", "–", "—", "n/a", "na", "null", "none", "nil", "nan", "(blank)", "(none)"})
_WHOLE_AS_FLOAT: Final = re.compile(r"[0-9]{1,18}\.0+")
_QUARTER_FIRST: Final = re.compile(r"(FY ?)?([0-9]{4})[ -]?([QH])([1-4])|([QH])([1-4])[ -/]?(FY ?)?([0-9]{4})", re.I)
_MONTH_OF_YEAR: Final = re.compile(r"([^\W\d_]{3,12})\.?[ -]([0-9]{4})")


class Part(StrEnum):
    """Which fields of a mapping are read.

    A reference to a record of the same kind (the manager of a person, the parent of an account) may point further
    down in the file: FIRST leaves those out, DEFERRED reads only them and what names the record, ALL reads everything.
    """

    ALL = "all"
    FIRST = "first"
    DEFERRED = "deferred"


class Lookup(NamedTuple):
    """What has to be found: a kind of record, by which of its keys, and the text that stands in the file."""

    kind: LookupKind
    by: str
    text: str


class Reference(NamedTuple):
    """A record that was found: its key, or None when it has to be made, and the text it was found by."""

    kind: LookupKind
    key: int | None
    text: str


@dataclass(frozen=True)
class Answer:
    """What became of a lookup: the key that was found, or why there is none.

    A problem without a key always refuses the row, whatever the mapping says about unknown names: it is how a
    proposal waits for its confirmation, and how two equally good records are refused.
    """

    key: int | None = None
    problem: Problem | None = None


Value = str | int | Decimal | date | Period | Reference | None


@dataclass(frozen=True)
class Record:
    """A canonical record: typed values by name (money as `<field>_minor` with `currency`), in the order of the fields.

    A name that is missing says nothing about that field; None empties it. `identity` is by what the record is found
    again.
    """

    kind: str
    line: int
    values: ReadOnly[str, Value]
    identity: tuple[tuple[str, Value], ...]

    def flat(self) -> dict[str, Any]:
        """The values as plain keyword arguments: references as `<field>_id`, those still to be made left out."""
        flat: dict[str, Any] = {}
        for name, value in self.values.items():
            if not isinstance(value, Reference):
                flat[name] = value
            elif value.key is not None:
                flat[f"{name}_id"] = value.key
        return flat

    def digest(self) -> str:
        """A digest of everything the record says, the same for the same content."""
        plain = [[name, _plain(value)] for name, value in sorted(self.values.items())]
        return hashlib.sha256(json.dumps([self.kind, plain], ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True)
class Converted:
    """What became of a row: a record, or the problems that send it to the shelf. `where` of each names the column."""

    row: Row
    record: Record | None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class _Reader:
    """A rule made ready: where the text comes from and how it is read."""

    rule: FieldRule
    field: Field
    place: int | None
    template: templates.Template | None
    places: tuple[tuple[str, int], ...]
    blank_words: frozenset[str]

    @property
    def where(self) -> str:
        """What a message names: the column, or the field where no column is read."""
        return self.rule.column or self.field.label


class Converter:
    """Turns rows of one layout into records of one mapping. Made once for a file, used for every batch."""

    def __init__(self, mapping: Mapping, headers: Sequence[str], part: Part = Part.ALL) -> None:
        """Make ready. Raises ValueError when the headers lack a column of the mapping."""
        if not mapping.fits(headers):
            raise ValueError("the headers lack a column of the mapping")
        self._mapping = mapping
        self._headers = tuple(headers)
        self._kind = mapping.definition
        named = {code for identity in self._kind.identities for code in identity} | {"first_name", "last_name"}
        readers = [self._reader(rule) for rule in mapping.rules]
        if part is Part.FIRST:
            readers = [reader for reader in readers if not reader.field.is_deferred]
        elif part is Part.DEFERRED:
            readers = [reader for reader in readers if reader.field.is_deferred or reader.field.code in named]
        # The currency is read first: amounts need it.
        self._readers = sorted(readers, key=lambda reader: reader.field.type is not FieldType.CURRENCY)
        self._read_by_type: dict[FieldType, Callable[[_Reader, Cell, dict[str, Value]], Outcome[Any]]] = {
            FieldType.TEXT: self._text,
            FieldType.LONG_TEXT: self._text,
            FieldType.EMAIL: self._email,
            FieldType.INTEGER: self._integer,
            FieldType.MONEY: self._money,
            FieldType.RATE: self._rate,
            FieldType.DATE: self._date,
            FieldType.PERIOD: self._period,
            FieldType.CURRENCY: self._currency,
            FieldType.CHOICE: self._choice,
        }

    def _reader(self, rule: FieldRule) -> _Reader:
        field = self._kind.field(rule.field)
        if field is None:
            raise ValueError(f"there is no field {rule.field}")
        words = {word.strip().casefold() for word in rule.blank_words}
        if field.type not in {FieldType.TEXT, FieldType.LONG_TEXT}:
            words |= BLANK_WORDS
        template = templates.parse(rule.template).unwrap() if rule.template is not None else None
        return _Reader(
            rule,
            field,
            place=self._headers.index(rule.column) if rule.column is not None else None,
            template=template,
            places=tuple((name, self._headers.index(name)) for name in template.columns) if template else (),
            blank_words=frozenset(words),
        )

    def lookups(self, rows: Iterable[Row]) -> set[Lookup]:
        """Everything that has to be looked up before these rows can be converted."""
        readers = [reader for reader in self._readers if reader.field.lookup]
        wanted: set[Lookup] = set()
        for row in rows:
            if row.problems:
                continue
            for reader in readers:
                cell = self._cell(reader, row.cells)
                if cell != "" and not _error_in(cell):
                    wanted.add(self._lookup(reader, cell))
        return wanted

    def convert_many(self, rows: Iterable[Row], answers: ReadOnly[Lookup, Answer]) -> list[Converted]:
        """Convert a batch; one bad row stops no other."""
        return [self.convert(row, answers) for row in rows]

    def convert(self, row: Row, answers: ReadOnly[Lookup, Answer]) -> Converted:
        """Convert one row. All its problems are found, not only the first."""
        if row.problems:
            return Converted(row, None, row.problems)
        values: dict[str, Value] = {}
        problems: list[Problem] = []
        for reader in self._readers:
            cell = self._cell(reader, row.cells)
            if cell == "":
                if reader.field.is_required:
                    problems.append(_blank(reader.where, reader.field.label))
                elif reader.rule.clears:
                    values[reader.field.target] = None
                continue
            if error := _error_in(cell):
                problems.append(_spreadsheet_error(reader.where, error))
                continue
            if reader.field.lookup:
                self._find(reader, cell, answers, values, problems)
                continue
            outcome = self._read_by_type[reader.field.type](reader, cell, values)
            problems += [_at(problem, reader.where) for problem in outcome.problems]
            if outcome.value is not None:
                values[reader.field.target] = outcome.value
        _join_names(values)
        if not problems:
            problems += self._across(values)
        identity = self._identity(values)
        if not problems and identity is None:
            problems.append(self._nameless())
        if problems or identity is None:
            return Converted(row, None, tuple(problems))
        return Converted(row, Record(self._kind.code, row.line, self._ordered(values), identity))

    def _cell(self, reader: _Reader, cells: Sequence[Cell]) -> Cell:
        """The cell or text that fills a field; "" when it is blank."""
        rule = reader.rule
        cell: Cell
        if reader.place is not None:
            cell = cells[reader.place]
        elif reader.template is not None:
            cell = reader.template.fill({name: cell_text(cells[place]) for name, place in reader.places})
        else:
            cell = rule.constant or ""
        if isinstance(cell, str):
            cell = cell.strip()
            if not cell or cell.casefold() in reader.blank_words:
                cell = (rule.when_blank or "").strip()
        return cell

    def _lookup(self, reader: _Reader, cell: Cell) -> Lookup:
        text = _one_line(cell_text(cell))[:300]
        if _WHOLE_AS_FLOAT.fullmatch(text):
            # Tools that read a column of ids with gaps in it write 2 as 2.0.
            text = text.partition(".")[0]
        return Lookup(reader.field.lookup or LookupKind.PERSON, reader.rule.lookup_by, text)

    def _find(
        self,
        reader: _Reader,
        cell: Cell,
        answers: ReadOnly[Lookup, Answer],
        values: dict[str, Value],
        problems: list[Problem],
    ) -> None:
        """Put the answer of a lookup into the values, or say why there is none."""
        lookup = self._lookup(reader, cell)
        answer = answers.get(lookup, Answer())
        if answer.key is not None:
            values[reader.field.target] = Reference(lookup.kind, answer.key, lookup.text)
        elif answer.problem:
            problems.append(_at(answer.problem, reader.where))
        elif reader.rule.on_unknown is Unknown.CREATE:
            values[reader.field.target] = Reference(lookup.kind, None, lookup.text)
        elif reader.rule.on_unknown is Unknown.REFUSE:
            problems.append(_unknown(reader.where, reader.field.label, lookup.text))
        elif reader.rule.clears:
            values[reader.field.target] = None

    def _identity(self, values: ReadOnly[str, Value]) -> tuple[tuple[str, Value], ...] | None:
        for codes in self._kind.identities:
            if all(values.get(code) is not None for code in codes):
                return tuple((code, values[code]) for code in codes)
        return None

    def _ordered(self, values: dict[str, Value]) -> dict[str, Value]:
        return {field.target: values[field.target] for field in self._kind.fields if field.target in values}

    def _nameless(self) -> Problem:
        labels = [
            " + ".join(field.label for code in codes if (field := self._kind.field(code)))
            for codes in self._kind.identities
        ]
        return Problem.of(
            "record-nameless",
            _("The row says nothing by which the record could be found again (%(fields)s)."),
            remedy=_("Fill one of these, or leave the row out."),
            fields=" / ".join(labels),
        )

    def _across(self, values: ReadOnly[str, Value]) -> list[Problem]:
        """What does not go together in one record."""
        start, end = values.get("start_on"), values.get("end_on")
        if isinstance(start, date) and isinstance(end, date) and end <= start:
            return [
                Problem.of(
                    "record-range",
                    _("It ends (%(end)s) before it has begun (%(start)s)."),
                    remedy=_("Correct one of the days."),
                    start=start.isoformat(),
                    end=end.isoformat(),
                )
            ]
        return []

    def _text(self, reader: _Reader, cell: Cell, _values: dict[str, Value]) -> Outcome[Any]:
        text = cell_text(cell)
        text = _lines(text) if reader.field.type is FieldType.LONG_TEXT else _one_line(text)
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
        return Outcome.good(text) if text else Outcome.bad(_blank(reader.where, reader.field.label))

    def _email(self, _reader: _Reader, cell: Cell, _values: dict[str, Value]) -> Outcome[Any]:
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

    def _number(self, reader: _Reader, cell: Cell) -> Outcome[numbers.Number]:
        # What the mapping itself says is written plainly, whatever the convention of a column.
        mark = reader.rule.decimal if reader.place is not None else numbers.DecimalMark.POINT
        return numbers.read(cell, mark)

    def _integer(self, reader: _Reader, cell: Cell, _values: dict[str, Value]) -> Outcome[Any]:
        return self._number(reader, cell).then(lambda number: _whole(number, reader.rule.multiplier, cell))

    def _money(self, reader: _Reader, cell: Cell, values: dict[str, Value]) -> Outcome[Any]:
        outcome = self._number(reader, cell)
        if outcome.value is None:
            return outcome
        number = outcome.value
        if number.is_percent:
            return Outcome.bad(numbers.not_a_number(cell_text(cell)))
        currency = values.get("currency") or reader.rule.currency or _only_currency(number.sign)
        if not isinstance(currency, str):
            return Outcome.bad(_no_currency())
        if number.sign and currency not in numbers.currencies_of(number.sign):
            return Outcome.bad(_other_currency(cell_text(cell), currency))
        amount = _EXACT.multiply(number.value, reader.rule.multiplier)
        try:
            minor = to_minor(amount, currency, is_rounded=reader.rule.is_rounded)
        except MoneyError:
            return Outcome.bad(_not_money(cell_text(cell), amount, currency))
        values.setdefault("currency", currency)
        return Outcome.good(minor)

    def _rate(self, reader: _Reader, cell: Cell, _values: dict[str, Value]) -> Outcome[Any]:
        outcome = self._number(reader, cell)
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

    def _day(self, reader: _Reader, cell: Cell) -> Outcome[date]:
        rule = reader.rule
        form = rule.date_format if reader.place is not None else dates.DateFormat.YMD
        return dates.read(cell, form, rule.pivot).then(lambda day: _moved(day, rule))

    def _date(self, reader: _Reader, cell: Cell, _values: dict[str, Value]) -> Outcome[Any]:
        return self._day(reader, cell)

    def _period(self, reader: _Reader, cell: Cell, _values: dict[str, Value]) -> Outcome[Any]:
        rule = reader.rule
        if isinstance(cell, str | Decimal) and (label := _period_label(cell_text(cell))):
            try:
                return Outcome.good(parse_label(label, rule.fiscal_start_month))
            except PeriodError:
                return Outcome.bad(_not_a_period(cell_text(cell)))
        outcome = self._day(reader, cell)
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

    def _currency(self, _reader: _Reader, cell: Cell, _values: dict[str, Value]) -> Outcome[Any]:
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

    def _choice(self, reader: _Reader, cell: Cell, _values: dict[str, Value]) -> Outcome[Any]:
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


def _join_names(values: dict[str, Value]) -> None:
    """A first and a last name make the name where none is given by itself."""
    first, last = values.pop("first_name", None), values.pop("last_name", None)
    if values.get("name") is None and (first or last):
        values["name"] = " ".join(str(part) for part in (first, last) if part)


def _only_currency(sign: str) -> str | None:
    """The one currency that a sign can stand for."""
    if not sign or (sign not in numbers.CURRENCY_SIGNS and sign not in numbers.known_currencies()):
        return None
    codes = numbers.currencies_of(sign)
    return next(iter(codes)) if len(codes) == 1 else None


def _one_line(text: str) -> str:
    """Composed text on one line: control characters and line breaks become spaces."""
    text = unicodedata.normalize("NFC", text)
    if not text.isprintable():
        text = "".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in text)
    return " ".join(text.split())


def _lines(text: str) -> str:
    """Composed text whose line breaks stay; other control characters become spaces."""
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    return "\n".join(_one_line(line) for line in text.split("\n")).strip()


def _error_in(cell: Cell) -> str:
    """The error of a spreadsheet that stands in a cell, "" for none."""
    return cell if isinstance(cell, str) and cell.startswith("#") and cell in _ERRORS else ""


def _plain(value: Value) -> Any:
    if isinstance(value, Reference):
        return [value.kind.value, value.key if value.key is not None else value.text]
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, Period):
        return [value.start.isoformat(), value.end.isoformat()]
    if isinstance(value, date):
        return value.isoformat()
    return value


def _at(problem: Problem, where: str) -> Problem:
    """The problem, said of a column."""
    return Problem(problem.code, problem.message, where, problem.remedy, problem.params)


def _blank(where: str, label: str) -> Problem:
    return Problem.of(
        "blank",
        _("“%(field)s” is needed, but the cell is blank."),
        where=where,
        remedy=_("Fill the cell, or say in the mapping what is used where it is blank."),
        field=label,
    )


def _spreadsheet_error(where: str, error: str) -> Problem:
    return Problem.of(
        "spreadsheet-error",
        _("The cell holds the spreadsheet error %(error)s."),
        where=where,
        remedy=_("Correct the formula, or write the value."),
        error=error,
    )


def _unknown(where: str, label: str, text: str) -> Problem:
    return Problem.of(
        "lookup-unknown",
        _("“%(value)s” was not found (%(field)s)."),
        where=where,
        remedy=_("Import or create it first, correct the name, or say in the mapping what happens with unknown names."),
        value=shown(text),
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
