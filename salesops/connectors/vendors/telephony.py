"""What telephone systems have in common: a call with its legs as one row, whoever tells it, and how it becomes an activity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from salesops.connectors.rules.mapping import Unknown
from salesops.connectors.rules.telephone import number_of
from salesops.connectors.vendors.base import Column, ColumnType, Http, Object, Proposal, Setting
from salesops.values.outcomes import gettext_noop as _

INBOUND: Final = "inbound"
OUTBOUND: Final = "outbound"
#: Where the setting `country` of the connection stands in a payload, so that a row can be read by itself.
COUNTRY_KEY: Final = "_country"

COUNTRY: Final = Setting(
    "country",
    _("Country"),
    hint=_("Two letters, such as CH: in which telephone numbers without a country's code are meant."),
    is_required=False,
    pattern=r"[A-Za-z]{2}",
)


@dataclass(frozen=True, slots=True)
class Call:
    """A call, all its legs together.

    person: the id, or the e-mail address, of whoever spoke or was rung. other: the number of the other side as it was
    told. seconds: spoken, not rung. rang_seconds: until somebody answered, or until the end. recording: a link.
    """

    id: str
    person: str
    other: str
    is_outbound: bool
    is_answered: bool
    started_at: Any
    seconds: int = 0
    rang_seconds: int | None = None
    other_name: str = ""
    recording: str = ""
    note: str = ""

    def plain(self, country: str) -> dict[str, Any]:
        """The row that columns are read from."""
        number = number_of(self.other, country)
        shown = number or self.other
        return {
            "id": self.id,
            "person": self.person,
            "other_number": number,
            "other_name": self.other_name,
            "subject": f"{self.other_name} {shown}".strip(),
            "direction": OUTBOUND if self.is_outbound else INBOUND,
            "outcome": "reached" if self.is_answered else "no_answer",
            "started_at": self.started_at,
            "seconds": self.seconds if self.is_answered else 0,
            "rang_seconds": self.rang_seconds,
            "recording": self.recording,
            "note": "\n".join(part for part in (self.note, self.recording) if part),
        }


_COLUMNS: Final = (
    Column("id", _("Id")),
    Column("person", _("Who spoke")),
    Column("other_number", _("Number of the other side")),
    Column("other_name", _("Name of the other side")),
    Column("subject", _("Name and number of the other side")),
    Column("direction", _("Direction")),
    Column("outcome", _("Outcome")),
    Column("started_at", _("Began"), ColumnType.MOMENT),
    Column("seconds", _("Seconds spoken"), ColumnType.NUMBER),
    Column("rang_seconds", _("Seconds it rang"), ColumnType.NUMBER),
    Column("recording", _("Link to the recording")),
    Column("note", _("Note and link to the recording")),
)


def with_country(row: Mapping[str, Any], http: Http) -> dict[str, Any]:
    """A payload with the country of the connection, in which its numbers are read."""
    return {**row, COUNTRY_KEY: http.settings.get("country", "")}


def seconds_between(began: datetime | None, ended: datetime | None) -> int | None:
    """Whole seconds from one moment to another; None where one is not known."""
    return int((ended - began).total_seconds()) if began and ended else None


def calls(
    code: str,
    read: Callable[[Mapping[str, Any]], Call],
    *,
    person_by: str,
    overlap: timedelta,
    reach: timedelta | None = None,
    moments: ColumnType = ColumnType.MOMENT,
    link: str = "",
) -> Object:
    """The object of a system's calls. `read` makes a call of a payload; `person_by`: "external_id" where the system lists
    its users, else "email". `moments`: how the start is written."""

    def shape(payload: Mapping[str, Any]) -> Mapping[str, Any]:
        return read(payload).plain(str(payload.get(COUNTRY_KEY) or ""))

    return Object(
        code,
        "activities",
        _("Calls"),
        tuple(Column(each.path, each.label, moments) if each.path == "started_at" else each for each in _COLUMNS),
        (
            Proposal("external_id", "id"),
            Proposal("kind", constant="call"),
            Proposal("subject", "subject"),
            Proposal("person", "person", lookup_by=person_by),
            *(
                Proposal(field, "other_number", lookup_by="phone", on_unknown=Unknown.EMPTY, clears=False)
                for field in ("contact", "account", "lead")
            ),
            Proposal("happened_at", "started_at"),
            Proposal("duration_seconds", "seconds"),
            Proposal("outcome", "outcome"),
            Proposal("direction", "direction"),
            Proposal("note", "note"),
        ),
        overlap=overlap,
        reach=reach,
        shape=shape,
        link=link,
    )


def owners(code: str, *columns: Column, id: str = "id", email: str = "email") -> Object:
    """The object of a system's users, whom people of the portal are matched to; read whole each time."""
    proposal = (Proposal("external_id", id), Proposal("email", email), Proposal("name", "name"))
    return Object(code, "owners", _("Users"), columns, proposal, is_whole=True)
