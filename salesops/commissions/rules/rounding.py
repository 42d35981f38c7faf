"""How the lines of a period are rounded."""

from enum import StrEnum


class Rounding(StrEnum):
    """So that lines add up to the rounded pay of the period, or each line by itself. Always half up away from zero."""

    CUMULATIVE = "cumulative"
    PER_LINE = "per_line"
