"""What calendars have in common: a meeting with somebody outside as one row, in however many calendars it stands."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from salesops.connectors.rules.mapping import Unknown
from salesops.connectors.rules.telephone import several
from salesops.connectors.vendors.base import Column, ColumnType, Object, Proposal, Raw, Setting, version_of
from salesops.values.outcomes import gettext_noop as _

#: Meetings that begin further ahead are left for a later sweep, and all is swept anew in time for them.
AHEAD: Final = timedelta(days=60)
#: After so long a sweep begins anew, so that the window moves on.
RENEWED: Final = timedelta(days=30)

CALENDARS: Final = Setting(
    "calendars",
    _("Whose calendars"),
    hint=_("E-mail addresses, one a line. Empty: the calendar of whoever signs in."),
    is_required=False,
    is_long=True,
)
DOMAINS: Final = Setting(
    "domains",
    _("Domains of the company"),
    hint=_("Such as acme.com acme.io: meetings among these addresses only are left out."),
    is_long=True,
)


def calendars_of(settings: Mapping[str, str], own: str) -> list[str]:
    """The calendars that are read: those named, else the one of whoever signed in."""
    named = [line.strip().lower() for line in settings.get("calendars", "").splitlines() if line.strip()]
    return list(dict.fromkeys(named)) or [own]


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who is invited, by a lower-case address."""

    email: str
    has_declined: bool = False


@dataclass(frozen=True, slots=True)
class Meeting:
    """A meeting as one calendar tells it.

    uid: the same in all calendars. occurrence: which one of a series, by when it was first meant to be: it stays when the
    meeting is moved. start: None for one that takes whole days.
    """

    uid: str
    occurrence: str
    organizer: str
    guests: Sequence[Guest]
    start: datetime | None
    end: datetime | None
    changed_at: datetime | None
    subject: str = ""
    is_cancelled: bool = False

    @property
    def key(self) -> str:
        """By what it is one meeting, short enough for every column."""
        return key_of(self.uid, self.occurrence)

    def raw(self, domains: str) -> Raw:
        """The row: only of what all copies of the meeting share, so that they do not overwrite each other in turn. What is
        no meeting with somebody outside comes as deleted, for it may have been one before."""
        ours = {domain.strip().lstrip("@").lower() for domain in domains.replace(",", " ").split()}

        def is_ours(email: str) -> bool:
            return email.rpartition("@")[2] in ours

        there = sorted({guest.email for guest in self.guests if guest.email and not guest.has_declined})
        if self.organizer in there:
            there.remove(self.organizer)
        if self.organizer and not any(guest.email == self.organizer and guest.has_declined for guest in self.guests):
            there.insert(0, self.organizer)
        people, others = [one for one in there if is_ours(one)], [one for one in there if not is_ours(one)]
        version = version_of(self.changed_at)
        if self.is_cancelled or not people or not others or self.start is None or self.end is None:
            return Raw(self.key, version, {}, is_deleted=True)
        payload = {
            "id": self.key,
            "uid": self.uid,
            "subject": self.subject,
            "people": several(people),
            "others": several(others),
            "start": self.start.isoformat(),
            "seconds": max(0, int((self.end - self.start).total_seconds())),
        }
        return Raw(self.key, version, payload)

    def speaks_for_all(self, calendars: Sequence[str], calendar: str) -> bool:
        """Whether its leaving this calendar means that the meeting is off: of a meeting whose organizer's calendar is
        read, only that calendar says so; elsewhere a guest may just have tidied up."""
        return self.organizer not in calendars or self.organizer == calendar


def key_of(uid: str, occurrence: str = "") -> str:
    """The key of a meeting."""
    return hashlib.blake2b(f"{uid}\n{occurrence}".encode(), digest_size=16).hexdigest()


def meetings(reach: timedelta | None = None) -> Object:
    """The object of a system's meetings. reach: how far back its window begins."""
    return Object(
        "meetings",
        "activities",
        _("Meetings"),
        (
            Column("id", _("Id")),
            Column("subject", _("Subject")),
            Column("people", _("People of the company")),
            Column("others", _("Others")),
            Column("start", _("Began"), ColumnType.MOMENT),
            Column("seconds", _("Seconds"), ColumnType.NUMBER),
        ),
        (
            Proposal("external_id", "id"),
            Proposal("kind", constant="meeting"),
            Proposal("subject", "subject"),
            Proposal("person", "people", lookup_by="email"),
            *(
                Proposal(field, "others", lookup_by="email", on_unknown=Unknown.EMPTY, clears=False)
                for field in ("contact", "account", "lead")
            ),
            Proposal("happened_at", "start"),
            Proposal("duration_seconds", "seconds"),
        ),
        reach=reach,
    )


def address(value: Any) -> str:
    """An e-mail address in lower case."""
    return str(value or "").strip().lower()
