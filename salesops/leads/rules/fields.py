"""What conditions on leads may ask, for scores and routing alike, and these values in columns of a calculator."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt

from salesops.values.formulas import Field, Formula, Kind
from salesops.values.outcomes import gettext_noop

Ints = npt.NDArray[np.int64]

#: The decimals of a lead's currency, beside its fields.
EXPONENT: Final = "exponent"

# Blank where a lead has none. Choices are asked by their code: origin = "inbound".
OF_A_LEAD: Final[dict[str, Field]] = {
    known.name: known
    for known in (
        Field("company", Kind.TEXT, gettext_noop("Company")),
        Field("title", Kind.TEXT, gettext_noop("Title")),
        Field("domain", Kind.TEXT, gettext_noop("Domain of the e-mail address")),
        Field("has_phone", Kind.BOOLEAN, gettext_noop("Has a phone number")),
        Field("country", Kind.TEXT, gettext_noop("Country")),
        Field("employees", Kind.NUMBER, gettext_noop("Employees")),
        Field("segment", Kind.TEXT, gettext_noop("Code of the segment")),
        Field("origin", Kind.TEXT, gettext_noop("Origin")),
        Field("campaign", Kind.TEXT, gettext_noop("Campaign")),
        Field("status", Kind.TEXT, gettext_noop("Status")),
        Field("consent", Kind.TEXT, gettext_noop("May be contacted")),
        Field("value", Kind.MONEY, gettext_noop("Estimated value")),
        Field("currency", Kind.TEXT, gettext_noop("Currency of the estimated value")),
    )
}


def domain_of(email: str) -> str:
    """What stands behind the last @, in small letters; empty where there is none."""
    return email.rpartition("@")[2].strip().lower() if "@" in email else ""


@dataclass(frozen=True)
class Known:
    """What is known of leads: for each lead a row, for each field that is asked a column.

    Texts are columns of objects, "" for none; numbers, and money in minor units, whole numbers; yes and no booleans.
    is_known: for numbers that may be blank, where they are not. exponent: the decimals of each lead's currency.
    """

    lead: Ints
    exponent: Ints
    values: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    is_known: Mapping[str, npt.NDArray[np.bool_]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of leads."""
        return len(self.lead)

    def facts(self) -> Iterator[dict[str, Any]]:
        """Lead by lead, what a formula evaluates: the fields there are columns of, and the decimals; None for a blank."""
        for row in range(len(self)):
            found: dict[str, Any] = {EXPONENT: int(self.exponent[row])}
            for name, values in self.values.items():
                value = values[row] if values.dtype == object else values[row].item()
                found[name] = None if name in self.is_known and not self.is_known[name][row] else value
            yield found

    def register(self, calculator: duckdb.DuckDBPyConnection, view: str) -> None:
        """Make a view of these columns: row (from 0), lead, exponent, and each field as f_<name>, NULL for a blank."""
        columns: dict[str, npt.NDArray[Any]] = {
            "row": np.arange(len(self), dtype=np.int64),
            "lead": self.lead,
            EXPONENT: self.exponent,
        }
        selected = list(columns)
        for name, values in self.values.items():
            columns[f"v_{name}"] = values
            expression = f"v_{name}"
            if name in self.is_known:
                columns[f"k_{name}"] = self.is_known[name]
                expression = f"CASE WHEN k_{name} THEN v_{name} END"
            selected.append(f"{expression} AS f_{name}")
        calculator.register(f"{view}_columns", columns)
        calculator.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT {', '.join(selected)} FROM {view}_columns")  # noqa: S608 - names of fields


def columns_in(view: str, formula: Formula) -> dict[str, str]:
    """Where a formula finds its fields in such a view; the decimals are in its column `exponent`."""
    return {name: f"{view}.f_{name}" for name in formula.fields}
