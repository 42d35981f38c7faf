"""The fields a formula may use, and the kinds of values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from salesops.values.formulas.words import KEYWORDS
from salesops.values.outcomes import gettext_noop

_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}", re.ASCII)
# Whole numbers with more decimals than this would leave no room for calculating.
_MOST_FIELD_DECIMALS: Final = 12


class FormulaError(ValueError):
    """The program, not the person who wrote the formula, made a mistake: a column or value is missing or wrong."""


class Kind(StrEnum):
    """What a value is. Money is written and seen in major units: 50000 is 50,000.00 dollars."""

    NUMBER = "number"
    MONEY = "money"
    TEXT = "text"
    DATE = "date"
    BOOLEAN = "boolean"

    @property
    def is_numeric(self) -> bool:
        """Whether one can calculate with it."""
        return self in (Kind.NUMBER, Kind.MONEY)


@dataclass(frozen=True)
class Field:
    """Something known about each row.

    name: lower case, as written in formulas (where capitals make no difference). label: for people.
    decimals: for numbers, how many decimals the whole numbers of the column carry: with 2, 250 means 2.5.
    Money comes in minor units, its decimals are those of the currency.
    """

    name: str
    kind: Kind
    label: str
    decimals: int = 0

    def __post_init__(self) -> None:
        """Refuse a name that could not be written in a formula."""
        if not _NAME.fullmatch(self.name) or self.name.upper() in KEYWORDS:
            raise FormulaError(f"{self.name!r} cannot name a field: a-z, 0-9 and _ are needed, and no keyword.")
        if self.decimals and (self.kind is not Kind.NUMBER or not 0 < self.decimals <= _MOST_FIELD_DECIMALS):
            raise FormulaError(f"The field {self.name} cannot have {self.decimals} decimals.")


Fields = Mapping[str, Field]


@dataclass(frozen=True)
class FieldHelp:
    """One line of the list of fields beside an input: `kind` and `label` are English, to be translated at the edge."""

    name: str
    label: str
    kind: str
    example: str


_KIND_LABELS: Final[Mapping[Kind, str]] = {
    Kind.NUMBER: gettext_noop("a number"),
    Kind.MONEY: gettext_noop("an amount of money"),
    Kind.TEXT: gettext_noop("a text"),
    Kind.DATE: gettext_noop("a day"),
    Kind.BOOLEAN: gettext_noop("true or false"),
}
_EXAMPLES: Final[Mapping[Kind, str]] = {
    Kind.NUMBER: "{} >= 24",
    Kind.MONEY: "{} > 50000",
    Kind.TEXT: '{} = "..."',
    Kind.DATE: '{} >= "2026-01-31"',
    Kind.BOOLEAN: "NOT {}",
}


def describe_fields(fields: Fields) -> tuple[FieldHelp, ...]:
    """The fields in the order they were handed in, each with its kind and an example."""
    return tuple(
        FieldHelp(field.name, field.label, _KIND_LABELS[field.kind], _EXAMPLES[field.kind].format(field.name))
        for field in fields.values()
    )
