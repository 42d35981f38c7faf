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

#: Without these a pod makes a company slower, not faster: nobody should open one before both are there.
NEEDED_FIRST: Final = (Part.ACQUISITION, Part.SUCCESS)

#: Which functions serve customers of each size, in the order of the bow-tie.
FUNCTIONS_OF_SIZE: Final[dict[str, tuple[str, ...]]] = {
    "small": ("mdr", "ae", "csm"),
    "middle": ("sdr", "ae", "csm"),
    "large": ("adr", "sdr", "kam", "csm"),
}


@dataclass(frozen=True, slots=True)
class Readiness:
    """How many people do each part, what is missing altogether, and how many are short of the pod's template.

    lacking: functions that customers of the pod's size need and nobody has. A pod is ready when no part is missing; being
    short of the template, or lacking a function, does not make it unready.
    """

    have: dict[Part, int]
    missing: tuple[Part, ...]
    short: dict[Part, int]
    lacking: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether somebody does each part."""
        return not self.missing

    @property
    def missing_first(self) -> tuple[Part, ...]:
        """What is missing of that without which no pod should open."""
        return tuple(part for part in self.missing if part in NEEDED_FIRST)


def readiness(functions: Iterable[str], template: str, size: str = "") -> Readiness:
    """Judge a pod by the functions of its members and its template, such as "1:2:1" (acquisition : closing : success).

    size: of its customers (FUNCTIONS_OF_SIZE); empty where it serves all. A function that belongs to no part counts for
    none. Raises ValueError for a template that is not three numbers, KeyError for a size that is none.
    """
    ratio = [int(number) for number in template.split(":")]
    if len(ratio) != len(Part) or min(ratio) < 0:
        raise ValueError(f"{template!r} is not a template such as 1:2:1")
    there = list(functions)
    counts = Counter(PART_OF[function] for function in there if function in PART_OF)
    have = {part: counts[part] for part in Part}
    return Readiness(
        have=have,
        missing=tuple(part for part in Part if not have[part]),
        short={part: need - have[part] for part, need in zip(Part, ratio, strict=True) if need > have[part]},
        lacking=tuple(each for each in FUNCTIONS_OF_SIZE[size] if each not in there) if size else (),
    )
