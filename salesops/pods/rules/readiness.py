"""Is a pod staffed to win, close and keep customers by itself? And what is missing, if not."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


class Part(enum.StrEnum):
    """The three parts of the bow-tie that a pod covers."""

    ACQUISITION = "acquisition"
    CLOSING = "closing"
    SUCCESS = "success"


#: The functions that do each part.
PART_OF: Final[dict[str, Part]] = {
    "mdr": Part.ACQUISITION,
    "sdr": Part.ACQUISITION,
    "adr": Part.ACQUISITION,
    "ae": Part.CLOSING,
    "kam": Part.CLOSING,
    "csm": Part.SUCCESS,
    "onb": Part.SUCCESS,
}


@dataclass(frozen=True, slots=True)
class Readiness:
    """How many people do each part, what is missing altogether, and how many are short of the pod's template.

    A pod is ready when no part is missing; being short of the template does not make it unready.
    """

    have: dict[Part, int]
    missing: tuple[Part, ...]
    short: dict[Part, int]

    @property
    def is_ready(self) -> bool:
        """Whether somebody does each part."""
        return not self.missing


def readiness(functions: Iterable[str], template: str) -> Readiness:
    """Judge a pod by the functions of its members and its template, such as "1:2:1" (acquisition : closing : success).

    A function that belongs to no part counts for none. Raises ValueError for a template that is not three numbers.
    """
    ratio = [int(number) for number in template.split(":")]
    if len(ratio) != len(Part) or min(ratio) < 0:
        raise ValueError(f"{template!r} is not a template such as 1:2:1")
    counts = Counter(PART_OF[function] for function in functions if function in PART_OF)
    have = {part: counts[part] for part in Part}
    return Readiness(
        have=have,
        missing=tuple(part for part in Part if not have[part]),
        short={part: need - have[part] for part, need in zip(Part, ratio, strict=True) if need > have[part]},
    )
