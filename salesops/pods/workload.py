"""What pods and people have on their desks. The rooms above, which know the work, say how to count it when they start."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol


@dataclass(frozen=True)
class Load:
    """Open pieces of one kind of work, by the key of the pod and of the person that hold them; none is left out."""

    by_pod: Mapping[int, int] = field(default_factory=dict)
    by_person: Mapping[int, int] = field(default_factory=dict)


class Counter(Protocol):
    """Counts the open work of these pods and of these people, in one query for each that is not empty."""

    def __call__(self, *, pod_ids: Collection[int], person_ids: Collection[int]) -> Load: ...


_counters: Final[dict[str, Counter]] = {}


def install(noun: str, counter: Counter) -> None:
    """Say how work of this noun ("leads", "deals") is counted. Called once for each, when the portal starts."""
    _counters[noun] = counter


def load_of(noun: str, *, pod_ids: Collection[int] = (), person_ids: Collection[int] = ()) -> Load | None:
    """The open work of this noun; None when no room counts it."""
    counter = _counters.get(noun)
    return counter(pod_ids=pod_ids, person_ids=person_ids) if counter else None
