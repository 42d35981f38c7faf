"""What a file leaves open and only a person can answer, and what is assumed and must be said."""

from dataclasses import dataclass, replace
from typing import Final

from salesops.connectors.rules import dates, numbers
from salesops.connectors.rules.dates import DATE_FORMAT_LABELS, DateFormat
from salesops.connectors.rules.fields import NUMERIC, Field, FieldType
from salesops.connectors.rules.mapping import FieldRule, Mapping, RateUnit
from salesops.connectors.rules.numbers import DECIMAL_MARK_LABELS, DecimalMark
from salesops.connectors.rules.profile import ColumnProfile, TableProfile
from salesops.values.money import exponent
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _
from salesops.values.periods import PeriodKind

_PERIOD_LABELS: Final = {
    PeriodKind.MONTH: _("Month"),
    PeriodKind.QUARTER: _("Quarter"),
    PeriodKind.HALF: _("Half year"),
    PeriodKind.YEAR: _("Year"),
}
_RATE_LABELS: Final = {
    RateUnit.PERCENT: _("Percentages (1.2 is 1.2 %)"),
    RateUnit.FRACTION: _("Shares of one (0.012 is 1.2 %)"),
}


@dataclass(frozen=True)
class Option:
    """One answer to a question, with an example or reason."""

    value: str
    label: str
    example: Problem | None = None


@dataclass(frozen=True)
class Question:
    """Something that the file leaves open and that is not guessed.

    setting: the option of the rules that the answer sets. column: the column it is about.
    suggested: the likelier answer, to be shown first; never taken by itself.
    """

    setting: str
    column: str
    text: Problem
    options: tuple[Option, ...]
    evidence: tuple[Problem, ...] = ()
    suggested: str = ""


def questions(mapping: Mapping, profile: TableProfile) -> tuple[Question, ...]:
    """What a person must still say before the file can be read by the mapping: one question for each column and matter.

    A settled option is asked about again where the values of this file contradict it, as they may when a saved mapping
    meets a file that writes its days differently.
    """
    found: dict[tuple[str, str], Question] = {}
    for rule in mapping.rules:
        field = mapping.definition.field(rule.field)
        column = profile.column(rule.column) if rule.column is not None else None
        if field is None or column is None:
            continue
        for question in _questions_of(rule, field, column, mapping):
            found.setdefault((question.setting, question.column), question)
    return tuple(found.values())


def answer(mapping: Mapping, question: Question, value: str) -> Mapping:
    """The mapping with a question answered for every field that reads the column. Raises ValueError."""
    if value not in {option.value for option in question.options}:
        raise ValueError(f"{value!r} is no answer to the question")
    rules = tuple(
        _answered(rule, question.setting, value)
        if rule.column == question.column and _has_setting(mapping, rule, question.setting)
        else rule
        for rule in mapping.rules
    )
    return replace(mapping, rules=rules)


def _answered(rule: FieldRule, setting: str, value: str) -> FieldRule:
    if setting == "date_format":
        return replace(rule, date_format=DateFormat(value))
    if setting == "decimal":
        return replace(rule, decimal=DecimalMark(value))
    if setting == "rate_unit":
        return replace(rule, rate_unit=RateUnit(value))
    if setting == "period_kind":
        return replace(rule, period_kind=PeriodKind(value))
    if setting == "is_last_day":
        return replace(rule, is_last_day=value == "yes")
    return replace(rule, currency=value)


# Which fields a setting concerns: by their type, the last day by their code.
_CONCERNS: Final[dict[str, frozenset[FieldType]]] = {
    "date_format": frozenset({FieldType.DATE, FieldType.PERIOD}),
    "decimal": NUMERIC,
    "rate_unit": frozenset({FieldType.RATE}),
    "period_kind": frozenset({FieldType.PERIOD}),
    "is_last_day": frozenset({FieldType.DATE}),
    "currency": frozenset({FieldType.MONEY}),
}


def _has_setting(mapping: Mapping, rule: FieldRule, setting: str) -> bool:
    field = mapping.definition.field(rule.field)
    if field is None or field.type not in _CONCERNS[setting]:
        return False
    return setting != "is_last_day" or field.code == "end_on"


def remarks(mapping: Mapping, profile: TableProfile) -> tuple[Problem, ...]:
    """What is assumed or to be expected when the file is read by the mapping; nothing of it prevents the import."""
    notes: dict[str, Problem] = {}
    for needed in mapping.definition.fields:
        if needed.is_needed_to_create and mapping.rule(needed.code) is None:
            notes[needed.code] = Problem.of(
                "needed-to-create",
                _("Records that are there can be changed, but new ones cannot be made without “%(field)s”."),
                remedy=_("Choose a column for it, or give a template such as {Name|dotted}@company.com."),
                field=needed.label,
            )
    for rule in mapping.rules:
        field = mapping.definition.field(rule.field)
        column = profile.column(rule.column) if rule.column is not None else None
        if field is None or column is None:
            continue
        if field.type in {FieldType.DATE, FieldType.PERIOD} and column.dates.short_years:
            notes[f"{column.header}:years"] = replace(
                dates.pivot_note(column.dates.short_years, rule.pivot), where=column.header
            )
        if field.type is FieldType.MONEY:
            notes |= _money_remarks(mapping, rule, column)
        for excluded in column.dates.excluded.values() if field.type is FieldType.DATE else ():
            if excluded.sighting is None:
                notes[f"{column.header}:behaviour"] = replace(excluded.problem, where=column.header)
    return tuple(notes.values())


def _money_remarks(mapping: Mapping, rule: FieldRule, column: ColumnProfile) -> dict[str, Problem]:
    notes: dict[str, Problem] = {}
    currency = _constant_currency(mapping, rule)
    seen = column.numbers.most_decimals_at
    # A multiplier of a million leaves six decimals fewer.
    shift = max(0, rule.multiplier.adjusted())
    if currency and seen and column.numbers.most_decimals - shift > exponent(currency) and not rule.is_rounded:
        notes[f"{column.header}:decimals"] = Problem.of(
            "money-decimals",
            _("Some amounts have more decimals than %(currency)s has, such as “%(value)s” on line %(line)s."),
            where=column.header,
            remedy=_("Allow rounding for the column, or these rows go to the shelf."),
            currency=currency,
            value=seen.text,
            line=seen.line,
        )
    for sign, sighting in column.numbers.signs.items():
        if currency and currency not in numbers.currencies_of(sign):
            notes[f"{column.header}:{sign}"] = Problem.of(
                "money-other-currency",
                _("“%(value)s” on line %(line)s is not an amount in %(currency)s."),
                where=column.header,
                remedy=_("Choose the right currency, or map a column that says the currency of each row."),
                value=sighting.text,
                line=sighting.line,
                currency=currency,
            )
    return notes


def _constant_currency(mapping: Mapping, rule: FieldRule) -> str | None:
    """The currency that all amounts of a column have, as far as the mapping says one."""
    currency = mapping.rule("currency")
    if currency is None:
        return rule.currency
    constant = (currency.constant or "").strip().upper()
    return constant if constant in numbers.known_currencies() else None


def _questions_of(rule: FieldRule, field: Field, column: ColumnProfile, mapping: Mapping) -> list[Question]:
    found: list[Question | None] = []
    if field.type in {FieldType.DATE, FieldType.PERIOD}:
        found.append(_date_question(rule, column))
    if field.type is FieldType.PERIOD and column.dates.count and rule.period_kind is None:
        found.append(_period_question(column))
    if field.code == "end_on" and rule.is_last_day is None and column.dates.count:
        found.append(_last_day_question(column))
    if field.type in NUMERIC:
        found.append(_decimal_question(rule, column))
    if field.type is FieldType.RATE and rule.rate_unit is None:
        found.append(_rate_question(column))
    if field.type is FieldType.MONEY:
        found.append(_currency_question(rule, column, mapping))
    return [question for question in found if question]


def _date_question(rule: FieldRule, column: ColumnProfile) -> Question | None:
    finding = column.dates
    is_contradicted = rule.date_format is not None and finding.formats and rule.date_format not in finding.formats
    if not is_contradicted and (rule.date_format is not None or not finding.must_ask):
        return None
    forms = finding.formats or tuple(form for form in DateFormat if form in finding.fitting)
    options = tuple(
        Option(form.value, DATE_FORMAT_LABELS[form], _span(form, finding) or _share(form, finding)) for form in forms
    )
    evidence = tuple(exclusion.problem for exclusion in finding.excluded.values())
    example = finding.example
    if finding.is_mixed:
        message = _("The days in “%(column)s” are written in different ways. Which one is meant?")
    elif is_contradicted:
        message = _("The mapping does not suit the days in “%(column)s”, such as “%(value)s”. How are they written?")
    else:
        message = _("How are the days in “%(column)s” written? “%(value)s” on line %(line)s can be read in two ways.")
    text = Problem.of(
        "question-date-format",
        message,
        where=column.header,
        column=column.header,
        value=example.text if example else "",
        line=example.line if example else 0,
    )
    best = max(forms, key=lambda form: finding.fitting.get(form, 0), default=None)
    suggested = best.value if best and (finding.is_mixed or len(forms) == 1) else ""
    return Question("date_format", column.header, text, options, evidence, suggested)


def _span(form: DateFormat, finding: dates.DateFinding) -> Problem | None:
    span = finding.spans.get(form)
    if span is None:
        return None
    return Problem.of(
        "date-span",
        _("The days then lie between %(first)s and %(last)s."),
        first=span[0].isoformat(),
        last=span[1].isoformat(),
    )


def _share(form: DateFormat, finding: dates.DateFinding) -> Problem:
    return Problem.of(
        "date-share",
        _("%(count)s of %(all)s values can be read like that; the others go to the shelf."),
        count=f"{finding.fitting.get(form, 0):,}",
        all=f"{finding.count - finding.fixed_count:,}",
    )


def _decimal_question(rule: FieldRule, column: ColumnProfile) -> Question | None:
    finding = column.numbers
    is_contradicted = rule.decimal is not None and finding.mark is not None and rule.decimal is not finding.mark
    if not is_contradicted and (rule.decimal is not None or not finding.must_ask):
        return None
    seen = (finding.ambiguous or tuple(one for many in finding.decisive.values() for one in many))[0]
    if finding.is_mixed:
        message = _("Some numbers in “%(column)s” have a decimal point, others a decimal comma. Which one is meant?")
    elif is_contradicted:
        message = _("The mapping does not suit the numbers in “%(column)s”. Which decimal mark do they have?")
    else:
        message = _("Is “%(value)s” on line %(line)s in “%(column)s” a number of thousands, or one with decimals?")
    evidence = tuple(
        Problem.of(
            "number-decisive",
            _("“%(value)s” on line %(line)s can only have a decimal %(mark)s."),
            value=sightings[0].text,
            line=sightings[0].line,
            mark=mark.value,
        )
        for mark, sightings in finding.decisive.items()
    )
    options = tuple(Option(mark.value, DECIMAL_MARK_LABELS[mark], _read_as(mark, seen)) for mark in DecimalMark)
    text = Problem.of(
        "question-decimal", message, where=column.header, column=column.header, value=seen.text, line=seen.line
    )
    return Question("decimal", column.header, text, options, evidence, finding.mark.value if finding.mark else "")


def _read_as(mark: DecimalMark, seen: numbers.Sighting) -> Problem | None:
    number = numbers.readings(seen.text).get(mark)
    if number is None:
        return None
    return Problem.of(
        "number-read-as",
        _("“%(value)s” is then %(number)s."),
        value=seen.text,
        number=format(number.value, "f"),
    )


def _rate_question(column: ColumnProfile) -> Question | None:
    seen = column.numbers.fraction
    if seen is None or column.numbers.above_one:
        return None
    text = Problem.of(
        "question-rate-unit",
        _("What does “%(value)s” on line %(line)s in “%(column)s” mean? No value has a percent sign or is above 1."),
        where=column.header,
        column=column.header,
        value=seen.text,
        line=seen.line,
    )
    options = tuple(Option(unit.value, label) for unit, label in _RATE_LABELS.items())
    return Question("rate_unit", column.header, text, options, suggested=RateUnit.FRACTION.value)


def _period_question(column: ColumnProfile) -> Question:
    text = Problem.of(
        "question-period-kind",
        _("What period does a day in “%(column)s” stand for?"),
        where=column.header,
        column=column.header,
    )
    options = tuple(Option(kind.value, label) for kind, label in _PERIOD_LABELS.items())
    return Question("period_kind", column.header, text, options)


def _last_day_question(column: ColumnProfile) -> Question:
    text = Problem.of(
        "question-last-day",
        _("Does “%(column)s” name the last day on which it holds, or the first on which it no longer does?"),
        where=column.header,
        column=column.header,
    )
    options = (
        Option("yes", _("The last day on which it holds")),
        Option("no", _("The first day on which it no longer holds")),
    )
    return Question("is_last_day", column.header, text, options)


def _currency_question(rule: FieldRule, column: ColumnProfile, mapping: Mapping) -> Question | None:
    """Which of the currencies is meant that a sign may stand for."""
    if rule.currency or mapping.rule("currency"):
        return None
    for sign, seen in column.numbers.signs.items():
        codes = numbers.currencies_of(sign)
        if len(codes) > 1:
            text = Problem.of(
                "question-currency",
                _("Which currency is meant by “%(value)s” on line %(line)s in “%(column)s”?"),
                where=column.header,
                column=column.header,
                value=seen.text,
                line=seen.line,
            )
            options = tuple(Option(code, code) for code in sorted(codes))
            return Question("currency", column.header, text, options)
    return None
