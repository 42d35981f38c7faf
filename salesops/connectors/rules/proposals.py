"""A mapping proposed from headers and values, with its reasons."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from rapidfuzz import fuzz

from salesops.connectors.rules import numbers, templates
from salesops.connectors.rules.fields import ANY_KEY, KINDS, LOOKUP_KEYS, NUMERIC, Field, FieldType, Kind
from salesops.connectors.rules.mapping import FieldRule, Mapping, RateUnit, header_words
from salesops.connectors.rules.profile import ColumnProfile, TableProfile
from salesops.connectors.rules.questions import Question, questions, remarks
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

# Likeness of a header and a field from which the column is proposed.
_ENOUGH: Final = 0.55
_TYPO: Final = 88.0


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
    for kind in (each for each in KINDS.values() if each.is_for_files):
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

# What stands behind the name of an amount in headers such as "Value (EUR)".
_CURRENCIES: Final = frozenset(
    [
        "usd",
        "eur",
        "gbp",
        "chf",
        "cny",
        "rmb",
        "twd",
        "hkd",
        "jpy",
        "krw",
        "sgd",
        "cad",
        "aud",
        "nzd",
        "inr",
        "brl",
        "mxn",
        "sek",
        "nok",
        "dkk",
        "pln",
        "czk",
        "zar",
        "aed",
    ]
)


def _likeness(field: Field, header: str) -> float:
    """How well a header suits a field by its words alone, from 0 to 1."""
    words = header_words(header)
    if not words:
        return 0.0
    if field.type is FieldType.MONEY and len(words) > 1 and words[-1] in _CURRENCIES:
        # "Value (EUR)" is a value; a column without the currency is still the likelier one.
        return _likeness(field, " ".join(words[:-1])) * 0.98
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
    elif field.type in NUMERIC:
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
    if field.type in NUMERIC:
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
    if not templates.parse(template).is_ok:
        # A header with braces or brackets in it cannot stand in a template.
        return mapping, []
    note = Problem.of(
        "name-made",
        _("The file has no name for deals; they are named by the template %(template)s."),
        remedy=_("Change the template in the mapping as you like."),
        template=template,
    )
    return mapping.with_rule(FieldRule("name", template=template)), [note]
