"""A mapping proposed from headers and values, with its reasons, and the questions that only a person can answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from rapidfuzz import fuzz

from salesops.connectors.rules import dates, numbers
from salesops.connectors.rules.dates import DATE_FORMAT_LABELS, DateFormat
from salesops.connectors.rules.fields import ANY_KEY, KINDS, LOOKUP_KEYS, Field, FieldType, Kind
from salesops.connectors.rules.mapping import FieldRule, Mapping, RateUnit, header_words
from salesops.connectors.rules.numbers import DECIMAL_MARK_LABELS, DecimalMark
from salesops.connectors.rules.profile import ColumnProfile, TableProfile
from salesops.values.money import exponent
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _
from salesops.values.periods import PeriodKind

# Likeness of a header and a field from which the column is proposed.
_ENOUGH: Final = 0.55
_TYPO: Final = 88.0
_NUMERIC: Final = frozenset({FieldType.MONEY, FieldType.INTEGER, FieldType.RATE})
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
class KindGuess:
    """How well the headers suit a kind, from 0 to 1."""

    kind: str
    likeness: float


@dataclass(frozen=True)
class Proposed:
    """Why a field was given a column: how sure, from 0 to 1, and the reason to show."""

    field: str
    column: str
    likeness: float
    reason: Problem


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


@dataclass(frozen=True)
class Proposal:
    """A mapping to begin with: why each column was chosen, what was assumed, and what must be asked."""

    mapping: Mapping
    reasons: tuple[Proposed, ...] = ()
    notes: tuple[Problem, ...] = ()
    questions: tuple[Question, ...] = ()
    unused: tuple[str, ...] = ()


def guess_kinds(headers: Sequence[str], name: str = "") -> tuple[KindGuess, ...]:
    """Which kind of records a file holds, the likelier first, from its headers and the name of the file."""
    words = header_words(name.rsplit("/", 1)[-1].rsplit(".", 1)[0])
    guesses = []
    for kind in KINDS.values():
        scores = {field.code: likeness for field, _header, likeness in _pairs(kind, headers, None)}
        coverage = sum(scores.values()) / max(1, len(headers))
        needed = [field.code for field in kind.fields if field.is_required]
        missing = sum(code not in scores for code in needed)
        missing += sum(not any(set(codes) <= set(scores) for codes in choice) for choice in kind.needs)
        bonus = 0.25 if any(header_words(word) == words for word in kind.names) else 0.0
        if not bonus and any(set(header_words(word)) <= set(words) for word in kind.names):
            bonus = 0.12
        guesses.append(KindGuess(kind.code, round(min(1.0, coverage * 0.8**missing + bonus), 4)))
    # Of equals the kind with fewer fields explains the headers better; sorting is stable otherwise.
    return tuple(sorted(guesses, key=lambda guess: (-guess.likeness, len(KINDS[guess.kind].fields))))


def propose(kind_code: str, profile: TableProfile, *, currency: str) -> Proposal:
    """Propose a mapping of a kind for a table. `currency` is the company's own, assumed where the file says none.

    What cannot be known from the file is left open and comes back as questions.
    """
    kind = KINDS[kind_code]
    reasons: list[Proposed] = []
    rules: list[FieldRule] = []
    for field, header, likeness in _pairs(kind, profile.headers, profile):
        column = profile.column(header)
        reasons.append(Proposed(field.code, header, likeness, _reason(field, header, likeness)))
        rules.append(_rule(field, header, column))
    order = {field.code: place for place, field in enumerate(kind.fields)}
    rules.sort(key=lambda rule: order[rule.field])
    mapping = Mapping(kind.code, tuple(rules))
    notes: list[Problem] = []
    mapping, more = _assume_currency(mapping, profile, currency)
    notes += more
    if kind.code == "deals" and mapping.rule("name") is None:
        mapping, more = _name_deals(mapping)
        notes += more
    notes += remarks(mapping, profile)
    used = set(mapping.columns)
    return Proposal(
        mapping=mapping,
        reasons=tuple(sorted(reasons, key=lambda reason: order[reason.field])),
        notes=tuple(notes),
        questions=questions(mapping, profile),
        unused=tuple(header for header in profile.headers if header not in used),
    )


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
    "decimal": _NUMERIC,
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


def _pairs(kind: Kind, headers: Sequence[str], profile: TableProfile | None) -> list[tuple[Field, str, float]]:
    """Fields and the headers that suit them, the surest pairs first; each field and each header once."""
    scored: list[tuple[float, int, Field, str]] = []
    for field in kind.fields:
        for place, header in enumerate(headers):
            likeness = _likeness(field, header)
            column = profile.column(header) if profile else None
            if column:
                likeness = _weighed(field, column, likeness)
            if likeness >= _ENOUGH:
                scored.append((likeness, -place, field, header))
    scored.sort(key=lambda pair: pair[:2], reverse=True)
    pairs: list[tuple[Field, str, float]] = []
    fields: set[str] = set()
    taken: set[str] = set()
    for likeness, _place, field, header in scored:
        if field.code not in fields and header not in taken:
            fields.add(field.code)
            taken.add(header)
            pairs.append((field, header, round(likeness, 4)))
    return pairs


# Words that mean something only together with others.
_GENERIC_WORDS: Final = """
    id key code name date day amount value total number no start end from to status note notes title role type source
    user url created group area period month quarter target rate first last position team 名 姓
"""
_GENERIC: Final = frozenset(_GENERIC_WORDS.split())


def _likeness(field: Field, header: str) -> float:
    """How well a header suits a field by its words alone, from 0 to 1."""
    words = header_words(header)
    if not words:
        return 0.0
    together = "".join(words)
    best = 0.0
    for place, phrase in enumerate((field.code, field.label, *field.synonyms)):
        known = header_words(phrase)
        if known == words:
            return 1.0 if place < 2 else 0.97
        if "".join(known) == together:
            best = max(best, 0.93)
        elif known[-1:] == words[-1:] and set(known) < set(words) and (len(known) > 1 or known[0] not in _GENERIC):
            best = max(best, 0.6 + 0.25 * len(known) / len(words))
        elif len(together) >= 5 and fuzz.ratio(together, "".join(known)) >= _TYPO:
            best = max(best, 0.7)
    return best


def _weighed(field: Field, column: ColumnProfile, likeness: float) -> float:
    """The likeness with what the values say: a column without a single date is hardly a date field."""
    if not column.looked_at:
        return likeness
    if field.type is FieldType.EMAIL and column.is_mostly_emails:
        return max(likeness + 0.02, 0.6)
    suits: bool | None = None
    if field.type is FieldType.DATE:
        suits = True if column.is_mostly_dates else False if not column.dates.count else None
    elif field.type in _NUMERIC:
        suits = True if column.is_mostly_numbers else False if not column.numbers.count else None
    elif field.type is FieldType.EMAIL:
        suits = None if column.emails else False
    elif field.code in {"name", "first_name", "last_name"}:
        suits = False if column.is_mostly_numbers or column.is_mostly_dates else None
    if suits is None:
        return likeness
    return likeness + 0.02 if suits else likeness - 0.45


def _reason(field: Field, header: str, likeness: float) -> Problem:
    if likeness >= 0.93:
        message = _("The header “%(header)s” is a usual word for “%(field)s”.")
    elif likeness >= 0.6:
        message = _("The header “%(header)s” resembles “%(field)s”.")
    else:
        message = _("The values of “%(header)s” suit “%(field)s”.")
    return Problem.of("mapping-reason", message, where=header, header=header, field=field.label)


def _rule(field: Field, header: str, column: ColumnProfile | None) -> FieldRule:
    """The rule of a field that is filled from a column, with every option that the values settle."""
    rule = FieldRule(field.code, column=header)
    if column is None:
        return rule
    if field.type in {FieldType.DATE, FieldType.PERIOD}:
        return replace(rule, date_format=column.dates.format)
    if field.type in _NUMERIC:
        unit = RateUnit.PERCENT if field.type is FieldType.RATE and column.numbers.above_one else None
        return replace(rule, decimal=column.numbers.mark, rate_unit=unit)
    if field.lookup:
        return replace(rule, lookup_by=_lookup_key(field, header, column))
    return rule


def _lookup_key(field: Field, header: str, column: ColumnProfile) -> str:
    """By which key a column names its records, from the words of the header and the look of the values."""
    keys = LOOKUP_KEYS[field.lookup] if field.lookup else ()
    words = set(header_words(header))
    if len(keys) == 1:
        return keys[0]
    if "email" in keys and (column.is_mostly_emails or words & {"email", "mail"}):
        return "email"
    if "name" in words and "name" in keys:
        return "name"
    ends_in_id = bool(words & {"id", "key", "code", "number", "no", "nr", "sku"})
    if "employee_number" in keys and ends_in_id and words & {"employee", "staff", "personnel"}:
        return "employee_number"
    if ends_in_id:
        return next((key for key in ("code", "external_id") if key in keys), ANY_KEY)
    if column.filled and not column.is_mostly_numbers and not column.emails and "name" in keys:
        return "name"
    return ANY_KEY


def _assume_currency(mapping: Mapping, profile: TableProfile, company: str) -> tuple[Mapping, list[Problem]]:
    """A currency for amounts that say none: the one whose sign stands beside them, else the company's own."""
    money = [rule for rule in mapping.rules if _is_money(mapping, rule)]
    if not money or mapping.rule("currency") or mapping.definition.field("currency") is None:
        return mapping, []
    signs = {
        sign: sighting
        for rule in money
        if (column := profile.column(rule.column or ""))
        for sign, sighting in column.numbers.signs.items()
    }
    possible = frozenset.intersection(*(numbers.currencies_of(sign) for sign in signs)) if signs else frozenset()
    if not signs or company in possible:
        note = Problem.of(
            "currency-assumed",
            _("The file says no currency; amounts are taken as %(currency)s, the company's own."),
            remedy=_("Change the currency in the mapping if that is wrong."),
            currency=company,
        )
        return mapping.with_rule(FieldRule("currency", constant=company)), [note]
    if len(possible) == 1:
        (found,) = possible
        seen = next(iter(signs.values()))
        note = Problem.of(
            "currency-found",
            _("Amounts are taken as %(currency)s, because “%(value)s” stands on line %(line)s."),
            currency=found,
            value=seen.text,
            line=seen.line,
        )
        return mapping.with_rule(FieldRule("currency", constant=found)), [note]
    return mapping, []


def _is_money(mapping: Mapping, rule: FieldRule) -> bool:
    field = mapping.definition.field(rule.field)
    return bool(field and field.type is FieldType.MONEY and rule.column is not None)


def _name_deals(mapping: Mapping) -> tuple[Mapping, list[Problem]]:
    """A name for deals whose file has none, made of account and product, or of their id."""
    columns = {code: rule.column for code in ("account", "product", "external_id") if (rule := mapping.rule(code))}
    account, product, external = columns.get("account"), columns.get("product"), columns.get("external_id")
    if account and product:
        template = f"[{{{account}}} – ]{{{product}}}"
    elif external:
        template = f"{{{external}}}"
    else:
        return mapping, []
    note = Problem.of(
        "name-made",
        _("The file has no name for deals; they are named by the template %(template)s."),
        remedy=_("Change the template in the mapping as you like."),
        template=template,
    )
    return mapping.with_rule(FieldRule("name", template=template)), [note]


def _questions_of(rule: FieldRule, field: Field, column: ColumnProfile, mapping: Mapping) -> list[Question]:
    found: list[Question | None] = []
    if field.type in {FieldType.DATE, FieldType.PERIOD}:
        found.append(_date_question(rule, column))
    if field.type is FieldType.PERIOD and column.dates.count and rule.period_kind is None:
        found.append(_period_question(column))
    if field.code == "end_on" and rule.is_last_day is None and column.dates.count:
        found.append(_last_day_question(column))
    if field.type in _NUMERIC:
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
