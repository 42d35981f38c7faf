"""What formulas of a plan may ask of a transaction."""

from typing import Final

from salesops.values.formulas import Field, Kind
from salesops.values.outcomes import gettext_noop

# What every transaction has.
BUILT_IN: Final[dict[str, Field]] = {
    field.name: field
    for field in (
        Field("amount", Kind.MONEY, gettext_noop("Amount")),
        Field("quantity", Kind.NUMBER, gettext_noop("Quantity")),
        Field("day", Kind.DATE, gettext_noop("Day that counts")),
        Field("kind", Kind.TEXT, gettext_noop("What happened")),
        Field("currency", Kind.TEXT, gettext_noop("Currency")),
    )
}

# What the portal knows of a transaction beside that; files bring columns of their own. Blank where there is none.
OF_THE_PORTAL: Final[dict[str, Field]] = BUILT_IN | {
    field.name: field
    for field in (
        Field("product", Kind.TEXT, gettext_noop("Product")),
        Field("account", Kind.TEXT, gettext_noop("Account")),
        Field("segment", Kind.TEXT, gettext_noop("Segment")),
        Field("industry", Kind.TEXT, gettext_noop("Industry")),
        Field("country", Kind.TEXT, gettext_noop("Country")),
        Field("territory", Kind.TEXT, gettext_noop("Territory")),
        Field("series", Kind.TEXT, gettext_noop("Product series")),
        Field("term_months", Kind.NUMBER, gettext_noop("Term in months")),
    )
}
