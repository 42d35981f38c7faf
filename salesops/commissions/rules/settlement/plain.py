"""Frozen values of the settlement as plain JSON data and back; whatever cannot be read is a problem with its place."""

import re
import types
import typing
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from functools import cache
from typing import Annotated, Any, Final, TypeVar

from salesops.commissions.rules.shapes import Number, Unit
from salesops.values.money import MAX_MINOR, exponent
from salesops.values.outcomes import Outcome, Problem, gettext_noop

T = TypeVar("T")

# What the text of a number may be: pay is "2000.00" or "200%" of target pay, a share "25%", "0.25" or "1/3".
Pay = Annotated[Number, "pay"]
Share = Annotated[Number, "share"]

# Metadata of a field that is left out of the plain data where it is None: what was written before it came stays the same.
LEFT_OUT: Final = {"is_left_out_where_none": True}

MOST_ITEMS: Final = 100_000
MOST_LETTERS: Final = 2_000

_PLAIN = r"[0-9]{1,15}(?:\.[0-9]{1,12})?"
_NUMBER = re.compile(_PLAIN, re.ASCII)
_PERCENT = re.compile(rf"({_PLAIN}) ?%", re.ASCII)
_QUOTIENT = re.compile(r"[0-9]{1,15}/[1-9][0-9]{0,14}", re.ASCII)
_EXACT = re.compile(r"-?[0-9]{1,40}(/[1-9][0-9]{0,39})?", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def read_pay(text: str) -> Number | None:
    """An amount "2000.00", or a share of target pay "200%"; None where the text is neither."""
    if match := _PERCENT.fullmatch(text):
        return Number(text, Fraction(match[1]) / 100, Unit.TARGET_SHARE)
    return Number(text, Fraction(text), Unit.AMOUNT) if _NUMBER.fullmatch(text) else None


def read_share(text: str) -> Number | None:
    """A share or factor: "25%", "0.25" or "1/4"; None where the text is none of them."""
    if match := _PERCENT.fullmatch(text):
        return Number(text, Fraction(match[1]) / 100, Unit.SHARE)
    return Number(text, Fraction(text), Unit.SHARE) if _NUMBER.fullmatch(text) or _QUOTIENT.fullmatch(text) else None


def pay_minor(pay: Number, currency: str, target_minor: int | None) -> Fraction:
    """Pay in minor units, exact. A share of target pay needs one (it counts as 0 where there is none)."""
    if pay.unit is Unit.TARGET_SHARE:
        return pay.value * (target_minor or 0)
    return pay.value * 10 ** exponent(currency)


def as_plain(value: Any) -> Any:
    """A frozen value as plain JSON data: numbers of a plan as they were written, exact fractions and days as text."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [as_plain(item) for item in value]
    if is_dataclass(value):
        return {
            item.name: as_plain(getattr(value, item.name))
            for item in fields(value)
            if item.metadata != LEFT_OUT or getattr(value, item.name) is not None
        }
    return value


def from_plain(kind: type[T], data: object, where: str = "") -> Outcome[T]:
    """Read a frozen value of that kind. Fields left out take their defaults; unknown fields are problems."""
    problems: list[Problem] = []
    value = _read(kind, data, where, problems)
    return Outcome.bad(*problems) if problems else Outcome.good(typing.cast(T, value))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def _read(kind: Any, data: object, where: str, problems: list[Problem]) -> object:
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        (wanted,) = [item for item in typing.get_args(kind) if item is not types.NoneType]
        return None if data is None else _read(wanted, data, where, problems)
    if origin is tuple:
        return _read_tuple(typing.get_args(kind), data, where, problems)
    if origin is Annotated:
        reader, expected = _WRITTEN[kind.__metadata__[0]]
    elif is_dataclass(kind):
        return _read_fields(typing.cast(type, kind), data, where, problems)
    elif issubclass(kind, StrEnum):
        reader, expected = (lambda text: kind(text) if text in set(kind) else None), ", ".join(kind)
    elif kind in (bool, int):
        if isinstance(data, int) and isinstance(data, bool) == (kind is bool) and abs(data) <= MAX_MINOR:
            return data
        problems.append(_unreadable(where, data, "true, false" if kind is bool else "0, 1, 2 ..."))
        return None
    else:
        reader, expected = _TEXTS[kind]
    value = reader(data) if isinstance(data, str) and len(data) <= MOST_LETTERS else None
    if value is None:
        problems.append(_unreadable(where, data, expected))
    return value


def _read_tuple(items: tuple[Any, ...], data: object, where: str, problems: list[Problem]) -> tuple[Any, ...]:
    is_open = len(items) == 2 and items[1] is Ellipsis
    if not isinstance(data, list) or len(data) > MOST_ITEMS or (not is_open and len(data) != len(items)):
        problems.append(_unreadable(where, data, "[...]"))
        return ()
    kinds = [items[0]] * len(data) if is_open else items
    return tuple(_read(kinds[index], item, f"{where}[{index}]", problems) for index, item in enumerate(data))


def _read_fields(kind: type, data: object, where: str, problems: list[Problem]) -> object:
    known = {item.name: item for item in fields(kind)}
    if not isinstance(data, dict) or set(data) - set(known):
        problems.append(_unreadable(where, data, ", ".join(known)))
        return None
    count = len(problems)
    values = {}
    for name, item in known.items():
        place = f"{where}.{name}".lstrip(".")
        if name in data:
            values[name] = _read(_hints(kind)[name], data[name], place, problems)
        elif item.default is MISSING and item.default_factory is MISSING:
            problems.append(_unreadable(place, None, "?"))
    if len(problems) > count:
        return None
    try:
        return kind(**values)
    except ValueError as error:
        problems.append(_unreadable(where, data, str(error)))
        return None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


_Reader = Callable[[str], Any]
_WRITTEN: Final[dict[str, tuple[_Reader, str]]] = {
    "pay": (read_pay, '"2000.00", "200%"'),
    "share": (read_share, '"25%", "0.25", "1/4"'),
}
_TEXTS: Final[dict[Any, tuple[_Reader, str]]] = {
    str: (lambda text: text, '"..."'),
    Fraction: (lambda text: Fraction(text) if _EXACT.fullmatch(text) else None, '"3/250"'),
    date: (_day, '"2026-01-31"'),
}


def _unreadable(where: str, value: object, expected: str) -> Problem:
    return Problem.of(
        "settlement-unreadable",
        gettext_noop("%(value)s cannot be read here."),
        where=where,
        remedy=gettext_noop("Expected: %(expected)s"),
        value=repr(value)[:80],
        expected=expected,
    )
