"""A mapping: which column, text or template fills which field, and how its values are read. A value that is stored."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping as ReadOnly
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields, replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final, cast

from salesops.connectors.rules import templates
from salesops.connectors.rules.dates import PIVOT, DateFormat
from salesops.connectors.rules.fields import ANY_KEY, CREATABLE, KINDS, LOOKUP_KEYS, Field, FieldType, Kind
from salesops.connectors.rules.numbers import DecimalMark
from salesops.connectors.rules.tables import shown
from salesops.values.money import MoneyError, check_currency
from salesops.values.outcomes import Outcome, Problem
from salesops.values.outcomes import gettext_noop as _
from salesops.values.periods import PeriodKind

# Rises when stored mappings have to be read differently.
VERSION: Final = 1

_MOST_TEXT: Final = 300
_MOST_PAIRS: Final = 500
_MOST_SHIFT: Final = 1_200


class RateUnit(StrEnum):
    """What a rate without a percent sign means: 12.5 per hundred, or a share of one."""

    PERCENT = "percent"
    FRACTION = "fraction"


class Unknown(StrEnum):
    """What happens when a lookup finds nothing: the row is refused, the field left empty, or the record made."""

    REFUSE = "refuse"
    EMPTY = "empty"
    CREATE = "create"


class Write(StrEnum):
    """When a value replaces what is stored: always, only where nothing is stored, or only in new records."""

    ALWAYS = "always"
    IF_EMPTY = "if_empty"
    ON_CREATE = "on_create"


@dataclass(frozen=True)
class FieldRule:
    """How one field is filled: from a column, a constant or a template (exactly one), and how that is read.

    when_blank: what is used where the cell is blank. blank_words: words that mean blank in this column.
    date_format, pivot: how days are written, and below which two-digit years belong to this century.
    is_last_day: the file names the last day, the portal keeps the day after it; None: not said yet.
    shift_months: months added to each day. snap: each day moves to the nearest start of such a period.
    period_kind, fiscal_start_month: what period a day stands for, and in which month the year begins.
    decimal: the decimal mark of the column. multiplier: what numbers are multiplied with (1000000 for millions).
    currency: the currency of the column where none stands beside the number. is_rounded: amounts with more decimals
        than the currency has are rounded half up instead of refused.
    rate_unit: what a rate without a percent sign means.
    lookup_by: by what the record is found. on_unknown: what happens when it is not.
    choices: words of the file and the choices they mean, as pairs; of a lookup, the texts that are looked up instead.
    write: when the value replaces what is stored. clears: a blank cell empties what is stored.
    """

    field: str
    column: str | None = None
    constant: str | None = None
    template: str | None = None
    when_blank: str | None = None
    blank_words: tuple[str, ...] = ()
    date_format: DateFormat | None = None
    pivot: int = PIVOT
    is_last_day: bool | None = None
    shift_months: int = 0
    snap: PeriodKind | None = None
    period_kind: PeriodKind | None = None
    fiscal_start_month: int = 1
    decimal: DecimalMark | None = None
    multiplier: Decimal = Decimal(1)
    currency: str | None = None
    is_rounded: bool = False
    rate_unit: RateUnit | None = None
    lookup_by: str = ANY_KEY
    on_unknown: Unknown = Unknown.REFUSE
    choices: tuple[tuple[str, str], ...] = ()
    write: Write = Write.ALWAYS
    clears: bool = False

    def as_plain(self) -> dict[str, Any]:
        """The rule as plain JSON data: what differs from the defaults."""
        plain: dict[str, Any] = {}
        for part in fields(self):
            value = getattr(self, part.name)
            if part.default is not MISSING and value == part.default:
                continue
            if isinstance(value, Decimal):
                value = format(value, "f")
            elif isinstance(value, tuple):
                value = [list(item) if isinstance(item, tuple) else item for item in value]
            elif isinstance(value, StrEnum):
                value = value.value
            plain[part.name] = value
        return plain


@dataclass(frozen=True)
class Mapping:
    """How a file becomes records of one kind."""

    kind: str
    rules: tuple[FieldRule, ...]

    @property
    def definition(self) -> Kind:
        """The kind with its fields."""
        return KINDS[self.kind]

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column it needs, in the order of the rules."""
        needed: dict[str, None] = {}
        for rule in self.rules:
            if rule.column is not None:
                needed[rule.column] = None
            elif rule.template is not None:
                needed.update(dict.fromkeys(templates.parse(rule.template).unwrap().columns))
        return tuple(needed)

    def rule(self, code: str) -> FieldRule | None:
        """The rule of a field, or None when the field is not filled."""
        return next((rule for rule in self.rules if rule.field == code), None)

    def with_rule(self, rule: FieldRule) -> "Mapping":
        """The mapping with a rule added or replaced."""
        if self.rule(rule.field) is None:
            return replace(self, rules=(*self.rules, rule))
        return replace(self, rules=tuple(rule if old.field == rule.field else old for old in self.rules))

    def without(self, code: str) -> "Mapping":
        """The mapping with a field no longer filled."""
        return replace(self, rules=tuple(rule for rule in self.rules if rule.field != code))

    def fits(self, headers: Sequence[str]) -> bool:
        """Whether a file with these headers has every column that is needed."""
        return set(self.columns) <= set(headers)

    def missing(self) -> tuple[Problem, ...]:
        """What must still be filled before records can be made."""
        return _missing(self)

    def as_plain(self) -> dict[str, Any]:
        """The mapping as plain JSON data."""
        return {"version": VERSION, "kind": self.kind, "rules": [rule.as_plain() for rule in self.rules]}

    @classmethod
    def from_plain(cls, plain: object) -> "Outcome[Mapping]":
        """Read a stored or posted mapping; every problem is found, none is passed over."""
        return _read(plain)


def signature(headers: Sequence[str]) -> str:
    """A digest of a set of headers, by which a saved mapping is recognised: order, case and spaces do not matter."""
    words = sorted(" ".join(header_words(header)) for header in headers)
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:32]


def header_words(header: str) -> tuple[str, ...]:
    """The words of a header: "dealStage", "Deal stage" and "deal_stage" have the same."""
    text = unicodedata.normalize("NFKC", header)
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    return tuple(re.findall(r"[^\W_]+", text.casefold()))


def _missing(mapping: Mapping) -> tuple[Problem, ...]:
    kind = mapping.definition
    filled = {rule.field for rule in mapping.rules}
    problems = [_lacks(field.label) for field in kind.fields if field.is_required and field.code not in filled]
    for alternatives in kind.needs:
        if not any(filled.issuperset(codes) for codes in alternatives):
            labels = [" + ".join(_label(kind, code) for code in codes) for codes in alternatives]
            problems.append(_lacks(" / ".join(labels)))
    named = filled | ({"name"} if {"first_name", "last_name"} <= filled else set())
    if not problems and not any(named.issuperset(codes) for codes in kind.identities):
        labels = [" + ".join(_label(kind, code) for code in codes) for codes in kind.identities]
        problems.append(_lacks(" / ".join(labels)))
    return tuple(problems)


def _label(kind: Kind, code: str) -> str:
    field = kind.field(code)
    return field.label if field else code


def _lacks(label: str) -> Problem:
    return Problem.of(
        "mapping-missing",
        _("Nothing fills “%(field)s” yet."),
        remedy=_("Choose a column for it, or give a fixed value or a template."),
        field=label,
    )


def _read(plain: object) -> Outcome[Mapping]:
    if not isinstance(plain, dict) or not isinstance(plain.get("rules"), list):
        return Outcome.bad(_wrong(_("This is not a mapping.")))
    kind = KINDS.get(plain["kind"]) if isinstance(plain.get("kind"), str) else None
    if kind is None or plain.get("version") != VERSION:
        return Outcome.bad(_wrong(_("The mapping is of a kind or version that is not known.")))
    if len(plain["rules"]) > len(kind.fields):
        return Outcome.bad(_wrong(_("The mapping has more rules than there are fields.")))
    rules: list[FieldRule] = []
    problems: list[Problem] = []
    for part in plain["rules"]:
        outcome = _read_rule(part, kind)
        problems += outcome.problems
        if outcome.value is None:
            continue
        if any(rule.field == outcome.value.field for rule in rules):
            problems.append(_wrong(_("A field is filled twice."), outcome.value.field))
        rules.append(outcome.value)
    return Outcome.bad(*problems) if problems else Outcome.good(Mapping(kind.code, tuple(rules)))


def _read_rule(plain: object, kind: Kind) -> Outcome[FieldRule]:
    if not isinstance(plain, dict) or not isinstance(plain.get("field"), str):
        return Outcome.bad(_wrong(_("A rule of the mapping names no field.")))
    code = plain["field"]
    field = kind.field(code)
    if field is None:
        return Outcome.bad(_wrong(_("There is no such field."), code))
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    for name, value in plain.items():
        reader = _READERS.get(name)
        if reader is None:
            problems.append(_wrong(_("The option “%(option)s” does not exist."), code, option=shown(name)))
            continue
        try:
            values[name] = reader(value)
        except (ValueError, TypeError, InvalidOperation, MoneyError):
            problems.append(_wrong(_("The option “%(option)s” has a value that it cannot have."), code, option=name))
    if problems:
        return Outcome.bad(*problems)
    rule = FieldRule(**values)
    problems += _inconsistent(rule, field)
    return Outcome.bad(*problems) if problems else Outcome.good(rule)


def _inconsistent(rule: FieldRule, field: Field) -> list[Problem]:
    """What does not go together in a rule."""
    problems: list[Problem] = []
    sources = [source for source in (rule.column, rule.constant, rule.template) if source is not None]
    if len(sources) != 1 or not sources[0].strip():
        problems.append(_wrong(_("A field is filled by exactly one column, fixed value or template."), field.code))
    if rule.template is not None:
        problems += templates.parse(rule.template).problems
    if field.lookup:
        if rule.lookup_by != ANY_KEY and rule.lookup_by not in LOOKUP_KEYS[field.lookup]:
            problems.append(_wrong(_("Records of this kind cannot be found by that key."), field.code))
        if rule.on_unknown is Unknown.CREATE and field.lookup not in CREATABLE:
            problems.append(_wrong(_("Records of this kind cannot be made from a name."), field.code))
    elif rule.lookup_by != ANY_KEY or rule.on_unknown is not Unknown.REFUSE:
        problems.append(_wrong(_("Only lookups can say what they look for."), field.code))
    known = {choice.code for choice in field.choices}
    if not field.lookup and any(code not in known for _word, code in rule.choices):
        problems.append(_wrong(_("A word is said to mean a choice that does not exist."), field.code))
    if field.type not in {FieldType.DATE, FieldType.PERIOD} and (rule.shift_months or rule.snap or rule.is_last_day):
        problems.append(_wrong(_("Only days can be shifted."), field.code))
    if rule.clears and field.is_required:
        problems.append(_wrong(_("A required field cannot be emptied."), field.code))
    return problems


def _wrong(message: str, where: str = "", **params: object) -> Problem:
    return Problem.of("mapping-wrong", message, where=where, remedy=_("Set the mapping anew and save it."), **params)


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MOST_TEXT or "\0" in value:
        raise ValueError("not a text")
    return value


def _optional_text(value: object) -> str | None:
    return None if value is None else _text(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not a flag")
    return value


def _whole(low: int, high: int) -> Any:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError("not a whole number in range")
        return value

    return read


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _MOST_PAIRS:
        raise TypeError("not a list of words")
    return tuple(_text(word) for word in value)


def _pairs(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, list) or len(value) > _MOST_PAIRS:
        raise TypeError("not a list of pairs")
    pairs = []
    for pair in value:
        word, code = cast("list[object]", pair)
        pairs.append((_text(word), _text(code)))
    return tuple(pairs)


def _factor(value: object) -> Decimal:
    factor = Decimal(_text(value))
    if not factor.is_finite() or not Decimal("1e-12") <= abs(factor) <= Decimal("1e12"):
        raise ValueError("not a factor")
    return factor


def _option(kind: type[StrEnum]) -> Any:
    return lambda value: None if value is None else kind(_text(value))


_READERS: Final[ReadOnly[str, Any]] = {
    "field": _text,
    "column": _optional_text,
    "constant": _optional_text,
    "template": _optional_text,
    "when_blank": _optional_text,
    "blank_words": _words,
    "date_format": _option(DateFormat),
    "pivot": _whole(0, 100),
    "is_last_day": lambda value: None if value is None else _flag(value),
    "shift_months": _whole(-_MOST_SHIFT, _MOST_SHIFT),
    "snap": _option(PeriodKind),
    "period_kind": _option(PeriodKind),
    "fiscal_start_month": _whole(1, 12),
    "decimal": _option(DecimalMark),
    "multiplier": _factor,
    "currency": lambda value: None if value is None else check_currency(_text(value)),
    "is_rounded": _flag,
    "rate_unit": _option(RateUnit),
    "lookup_by": _text,
    "on_unknown": lambda value: Unknown(_text(value)),
    "choices": _pairs,
    "write": lambda value: Write(_text(value)),
    "clears": _flag,
}
