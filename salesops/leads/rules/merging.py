"""What a lead that stays takes over from one that it stands for: only what it lacks, and the stricter word about consent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from salesops.accounts.rules.consent import stricter

#: Taken over one by one where the one that stays says nothing.
LACKED: Final = ("title", "company", "email", "phone", "country", "employees", "segment_id", "campaign")
#: Of these all or none: an amount means nothing in another currency, a contact belongs to its account.
TOGETHER: Final = (("estimated_minor", "currency"), ("account_id", "contact_id"))
#: Every column that may be written.
TAKEN_OVER: Final = (
    *LACKED,
    *(name for names in TOGETHER for name in names),
    "consent",
    "note",
    "first_touched_at",
    "last_touched_at",
)


def taken_over(stays: Mapping[str, Any], lost: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of the lead that stays which change, with their new values. Both: TAKEN_OVER by name."""
    found = {name: lost[name] for name in LACKED if _is_empty(stays[name])}
    for names in TOGETHER:
        if _is_empty(stays[names[0]]):
            found |= {name: lost[name] for name in names if not _is_empty(lost[names[0]])}
    found["consent"] = stricter(stays["consent"], lost["consent"])
    if lost["note"] not in stays["note"]:
        found["note"] = "\n\n".join(note for note in (stays["note"], lost["note"]) if note)
    for name, which in (("first_touched_at", min), ("last_touched_at", max)):
        known = [moment for moment in (stays[name], lost[name]) if moment is not None]
        found[name] = which(known) if known else None
    return {name: value for name, value in found.items() if value != stays[name]}


def _is_empty(value: Any) -> bool:
    return value is None or value == ""
