"""Formulas a spreadsheet user can read, for conditions and amounts: checked with reasons, exact in SQL and in Python.

The language is described in docs/formulas.md. `check` reads a text; the Formula it gives compiles to DuckDB SQL on whole
columns (`sql`) and, as a second, slow implementation, works out one row on Fractions (`evaluate`).

Blanks: a field without a value is blank, and so is an empty text. A comparison with a blank is false (also <> and
NOT IN), arithmetic with a blank is blank, and where a condition is needed a blank counts as false; so NOT of a
comparison with a blank is true. A row in which something is divided by zero has no value at all, not even false, unless
IF, AND or OR, which look from left to right and no further than needed, kept the division from being reached.
"""

from salesops.values.formulas.formula import Formula, check
from salesops.values.formulas.kinds import Field, FieldHelp, Fields, FormulaError, Kind, describe_fields
from salesops.values.formulas.sql import SqlNumber, SqlText
from salesops.values.formulas.tree import (
    MOST_CHARACTERS,
    MOST_DECIMALS,
    MOST_DEPTH,
    MOST_DIGITS,
    MOST_PARTS,
)
from salesops.values.formulas.words import USAGES, Token, TokenKind, tokens

__all__ = [
    "MOST_CHARACTERS",
    "MOST_DECIMALS",
    "MOST_DEPTH",
    "MOST_DIGITS",
    "MOST_PARTS",
    "USAGES",
    "Field",
    "FieldHelp",
    "Fields",
    "Formula",
    "FormulaError",
    "Kind",
    "SqlNumber",
    "SqlText",
    "Token",
    "TokenKind",
    "check",
    "describe_fields",
    "tokens",
]
