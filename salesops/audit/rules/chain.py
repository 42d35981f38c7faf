"""The hash chain: how an entry is written down for hashing, and how a chain is checked, row by row."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from salesops.values.outcomes import gettext_noop

#: What the first entry follows.
GENESIS: Final = "0" * 64
#: How many broken entries are compared with each other to tell "moved" from "edited".
_MOVES_LOOKED_AT: Final = 200
_canonical: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def plain(value: Any) -> Any:
    """Turn a value into what JSON keeps exactly on every database: text, whole numbers, booleans, lists, mappings.

    Decimals become text without exponent, moments become UTC, floats become their shortest exact text.
    """
    kind = type(value)
    if value is None or kind is int or kind is bool or (kind is str and value.isascii() and "\x00" not in value):
        return value  # nearly all there is, so it is told first
    if kind is dict:
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, (bool, int)):
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
        return digest_of(
            (
                self.sequence,
                moment_text(self.at),
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
            )
        )


def digest_of(facts: tuple[Any, ...]) -> str:
    """The SHA-256 over the facts of an entry in the order of `Link`, its moment as text (see `moment_text`)."""
    return hashlib.sha256(_canonical(facts).encode()).hexdigest()


def moment_text(at: datetime) -> str:
    """A moment as it is hashed."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


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


#: What each fault is called.
FAULTS: Final[Mapping[Fault, str]] = {
    Fault.EDITED: gettext_noop("edited"),
    Fault.REMOVED: gettext_noop("removed"),
    Fault.MOVED: gettext_noop("moved"),
    Fault.INSERTED: gettext_noop("inserted"),
    Fault.REWRITTEN: gettext_noop("rewritten"),
    Fault.TRUNCATED: gettext_noop("truncated"),
    Fault.NO_HEAD: gettext_noop("no head"),
    Fault.ANCHOR_MISSING: gettext_noop("anchor missing"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing found wrong: where (a sequence), what, and a sentence for the person who reads it."""

    sequence: int
    fault: Fault
    message: str
    params: tuple[tuple[str, object], ...] = ()

    @property
    def detail(self) -> str:
        """The sentence in English."""
        return self.text()

    def text(self, translate: Callable[[str], str] = gettext_noop) -> str:
        """The sentence; `translate` turns the English sentence into the reader's."""
        return translate(self.message) % dict(self.params)


@dataclass(slots=True)
class Check:
    """Walks a chain in the order of its sequence, holding one row at a time.

    `anchors` are entry hashes that must still occur, each with the names of what they are kept on (none where somebody
    brought the hash). Give each row to `see`, then the head row to `finish`, which returns all problems.
    """

    anchors: dict[str, tuple[str, ...]] = field(default_factory=dict)
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
            self._add(link.sequence, Fault.INSERTED, gettext_noop("an entry stands before the first"))
        elif link.sequence != self.last_sequence + 1:
            first, last = self.last_sequence + 1, link.sequence - 1
            self._gaps.append((first, last))
            if first == last:
                self._add(first, Fault.REMOVED, gettext_noop("entry %(first)s is missing"), first=first)
            else:
                message = gettext_noop("entries %(first)s to %(last)s are missing")
                self._add(first, Fault.REMOVED, message, first=first, last=last)
        if link.digest() != link.entry_hash:
            self._broken.append(link)
        elif link.previous_hash != self.last_hash and link.sequence == self.last_sequence + 1 and self._is_last_sound:
            self._add(
                link.sequence,
                Fault.INSERTED if self.last_sequence else Fault.REWRITTEN,
                gettext_noop("the entry does not follow from the one before it: that one was inserted or rewritten"),
            )
        self.anchors.pop(link.entry_hash, None)
        self._is_last_sound = not self._broken or self._broken[-1] is not link
        self.last_sequence, self.last_hash = link.sequence, link.entry_hash

    def finish(self, head_sequence: int | None, head_hash: str) -> list[Problem]:
        """Compare the end with the head row and name every problem, in order of its place."""
        if head_sequence is None:
            if self.seen:
                self._add(self.last_sequence, Fault.NO_HEAD, gettext_noop("the head row is missing"))
        elif head_sequence > self.last_sequence:
            first = self.last_sequence + 1
            message = gettext_noop("entries %(first)s to %(last)s were cut off at the end")
            self._add(first, Fault.TRUNCATED, message, first=first, last=head_sequence)
        elif head_sequence < self.last_sequence:
            first = head_sequence + 1
            message = gettext_noop("entries %(first)s to %(last)s stand after the head")
            self._add(first, Fault.INSERTED, message, first=first, last=self.last_sequence)
        elif head_hash != self.last_hash:
            message = gettext_noop("the last entry is not the one that the head names")
            self._add(self.last_sequence, Fault.REWRITTEN, message)
        self._name_broken()
        self._name_lost_anchors()
        return sorted(self._problems, key=lambda problem: problem.sequence)

    def _name_lost_anchors(self) -> None:
        """What was the end of the chain once and is not in it any more shows that the chain was written anew."""
        for anchor, kept_on in sorted(self.anchors.items(), key=lambda item: (item[1], item[0])):
            for name in kept_on:
                message = gettext_noop(
                    "%(name)s keeps the hash %(hash)s, and no entry has it: the chain was cut or rewritten"
                )
                self._add(self.last_sequence, Fault.ANCHOR_MISSING, message, name=name, hash=anchor)
            if not kept_on:
                message = gettext_noop("no entry has the hash %(hash)s: the chain was rewritten")
                self._add(self.last_sequence, Fault.ANCHOR_MISSING, message, hash=anchor)

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
                self._add(link.sequence, Fault.EDITED, gettext_noop("the entry is not what was recorded"))
            else:
                self._add(link.sequence, Fault.MOVED, gettext_noop("the entry stood at %(place)s"), place=stood)

    def _add(self, sequence: int, fault: Fault, message: str, **params: object) -> None:
        self._problems.append(Problem(sequence, fault, message, tuple(params.items())))
