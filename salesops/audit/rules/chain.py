"""The hash chain: how an entry is written down for hashing, and how a chain is checked, row by row."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

#: What the first entry follows.
GENESIS: Final = "0" * 64
#: How many broken entries are compared with each other to tell "moved" from "edited".
_MOVES_LOOKED_AT: Final = 200


def plain(value: Any) -> Any:
    """Turn a value into what JSON keeps exactly on every database: text, whole numbers, booleans, lists, mappings.

    Decimals become text without exponent, moments become UTC, floats become their shortest exact text.
    """
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds") if value.tzinfo else value.isoformat()
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return plain(str(value))


@dataclass(frozen=True, slots=True)
class Link:
    """One entry of the chain, as it is hashed."""

    sequence: int
    at: datetime
    actor_id: int | None
    actor_name: str
    action: str
    subject_type: str
    subject_id: str
    subject_label: str
    before: dict[str, Any]
    after: dict[str, Any]
    reason: str
    request_id: str
    previous_hash: str
    entry_hash: str = ""

    def digest(self) -> str:
        """The SHA-256 over everything in the entry, its place and the hash it follows, as canonical JSON."""
        facts = [
            self.sequence,
            self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            self.actor_id,
            self.actor_name,
            self.action,
            self.subject_type,
            self.subject_id,
            self.subject_label,
            self.before,
            self.after,
            self.reason,
            self.request_id,
            self.previous_hash,
        ]
        text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


class Fault(enum.StrEnum):
    """What may be wrong with a chain."""

    EDITED = "edited"
    REMOVED = "removed"
    MOVED = "moved"
    INSERTED = "inserted"
    REWRITTEN = "rewritten"
    TRUNCATED = "truncated"
    NO_HEAD = "no head"
    ANCHOR_MISSING = "anchor missing"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing found wrong: where (a sequence), what, and a sentence for the person who reads it."""

    sequence: int
    fault: Fault
    detail: str


@dataclass(slots=True)
class Check:
    """Walks a chain in the order of its sequence, holding one row at a time.

    `anchors` are entry hashes that were kept elsewhere and must still occur. Give each row to `see`, then the head row
    to `finish`, which returns all problems.
    """

    anchors: set[str] = field(default_factory=set)
    seen: int = 0
    last_sequence: int = 0
    last_hash: str = GENESIS
    _is_last_sound: bool = True
    _problems: list[Problem] = field(default_factory=list)
    _broken: list[Link] = field(default_factory=list)
    _gaps: list[tuple[int, int]] = field(default_factory=list)

    def see(self, link: Link) -> None:
        """Look at the next row."""
        self.seen += 1
        if link.sequence < 1:
            self._add(link.sequence, Fault.INSERTED, "an entry stands before the first")
        elif link.sequence != self.last_sequence + 1:
            first, last = self.last_sequence + 1, link.sequence - 1
            self._gaps.append((first, last))
            span = f"entry {first} is" if first == last else f"entries {first} to {last} are"
            self._add(first, Fault.REMOVED, f"{span} missing")
        if link.digest() != link.entry_hash:
            self._broken.append(link)
        elif link.previous_hash != self.last_hash and link.sequence == self.last_sequence + 1 and self._is_last_sound:
            self._add(
                link.sequence,
                Fault.INSERTED if self.last_sequence else Fault.REWRITTEN,
                "the entry does not follow from the one before it: that one was inserted or rewritten",
            )
        self.anchors.discard(link.entry_hash)
        self._is_last_sound = not self._broken or self._broken[-1] is not link
        self.last_sequence, self.last_hash = link.sequence, link.entry_hash

    def finish(self, head_sequence: int | None, head_hash: str) -> list[Problem]:
        """Compare the end with the head row and name every problem, in order of its place."""
        if head_sequence is None:
            if self.seen:
                self._add(self.last_sequence, Fault.NO_HEAD, "the head row is missing")
        elif head_sequence > self.last_sequence:
            first = self.last_sequence + 1
            self._add(first, Fault.TRUNCATED, f"entries {first} to {head_sequence} were cut off at the end")
        elif head_sequence < self.last_sequence:
            first = head_sequence + 1
            self._add(first, Fault.INSERTED, f"entries {first} to {self.last_sequence} stand after the head")
        elif head_hash != self.last_hash:
            self._add(self.last_sequence, Fault.REWRITTEN, "the last entry is not the one that the head names")
        self._name_broken()
        for anchor in sorted(self.anchors):
            self._add(
                self.last_sequence, Fault.ANCHOR_MISSING, f"no entry has the hash {anchor}: the chain was rewritten"
            )
        return sorted(self._problems, key=lambda problem: problem.sequence)

    def _name_broken(self) -> None:
        """An entry whose hash is right for another place was moved; else it was edited."""
        places = {link.sequence for link in self._broken[:_MOVES_LOOKED_AT]}
        for first, last in self._gaps:
            places.update(range(first, min(last, first + _MOVES_LOOKED_AT) + 1))
        for number, link in enumerate(self._broken):
            stood = None
            if number < _MOVES_LOOKED_AT:
                stood = next((p for p in sorted(places) if replace(link, sequence=p).digest() == link.entry_hash), None)
            if stood is None:
                self._add(link.sequence, Fault.EDITED, "the entry is not what was recorded")
            else:
                self._add(link.sequence, Fault.MOVED, f"the entry stood at {stood}")

    def _add(self, sequence: int, fault: Fault, detail: str) -> None:
        self._problems.append(Problem(sequence, fault, detail))
