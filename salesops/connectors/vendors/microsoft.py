"""Microsoft 365: meetings by delta links of calendar views, one for each calendar, in a window that is moved monthly.

A meeting that leaves a calendar is told by nothing but the id that it had there, so the sweep remembers, for the window
alone, which id was which meeting.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlsplit
from zoneinfo import ZoneInfo

from salesops.connectors.rules.shapes import iso_of, moment
from salesops.connectors.vendors.base import (
    Ask,
    FaultKind,
    Http,
    Identity,
    Json,
    OAuth,
    Object,
    Page,
    Raw,
    Said,
    Setting,
    Vendor,
    gone,
)
from salesops.connectors.vendors.meetings import (
    AHEAD,
    CALENDARS,
    DOMAINS,
    RENEWED,
    Guest,
    Meeting,
    address,
    calendars_of,
    meetings,
)
from salesops.values.outcomes import gettext_noop as _

_PAGE: Final = 200
_OWN: Final = "me"
#: How far back the window begins. It is moved monthly, so that a month of it is always there twice.
_BACK: Final = timedelta(days=90)
#: Codes of a 403 or 503 that mean: wait.
_LIMITS: Final = ("ApplicationThrottled", "MailboxConcurrency", "TooManyRequests")
#: Codes that say that a delta link is too old.
_GONE: Final = ("syncStateNotFound", "resyncRequired", "SyncStateNotFound", "SyncStateInvalid")
_PREFER: Final = 'outlook.timezone="UTC", IdType="ImmutableId", odata.maxpagesize={size}'
#: Windows' names of time zones where people work, as the world names them (unicode.org, windowsZones, territory 001).
#: Everything is asked for in UTC; an event that comes in another zone all the same is read by these.
_ZONES: Final[Mapping[str, str]] = {
    "UTC": "UTC",
    "tzone://Microsoft/Utc": "UTC",
    "GMT Standard Time": "Europe/London",
    "Greenwich Standard Time": "Atlantic/Reykjavik",
    "W. Europe Standard Time": "Europe/Berlin",
    "Romance Standard Time": "Europe/Paris",
    "Central Europe Standard Time": "Europe/Budapest",
    "Central European Standard Time": "Europe/Warsaw",
    "GTB Standard Time": "Europe/Bucharest",
    "FLE Standard Time": "Europe/Kiev",
    "E. Europe Standard Time": "Europe/Chisinau",
    "Turkey Standard Time": "Europe/Istanbul",
    "Russian Standard Time": "Europe/Moscow",
    "Israel Standard Time": "Asia/Jerusalem",
    "Egypt Standard Time": "Africa/Cairo",
    "South Africa Standard Time": "Africa/Johannesburg",
    "W. Central Africa Standard Time": "Africa/Lagos",
    "E. Africa Standard Time": "Africa/Nairobi",
    "Arab Standard Time": "Asia/Riyadh",
    "Arabian Standard Time": "Asia/Dubai",
    "India Standard Time": "Asia/Calcutta",
    "SE Asia Standard Time": "Asia/Bangkok",
    "Singapore Standard Time": "Asia/Singapore",
    "China Standard Time": "Asia/Shanghai",
    "Taipei Standard Time": "Asia/Taipei",
    "Tokyo Standard Time": "Asia/Tokyo",
    "Korea Standard Time": "Asia/Seoul",
    "AUS Eastern Standard Time": "Australia/Sydney",
    "E. Australia Standard Time": "Australia/Brisbane",
    "W. Australia Standard Time": "Australia/Perth",
    "New Zealand Standard Time": "Pacific/Auckland",
    "Eastern Standard Time": "America/New_York",
    "Central Standard Time": "America/Chicago",
    "Mountain Standard Time": "America/Denver",
    "US Mountain Standard Time": "America/Phoenix",
    "Pacific Standard Time": "America/Los_Angeles",
    "Alaskan Standard Time": "America/Anchorage",
    "Hawaiian Standard Time": "Pacific/Honolulu",
    "Atlantic Standard Time": "America/Halifax",
    "Canada Central Standard Time": "America/Regina",
    "Central Standard Time (Mexico)": "America/Mexico_City",
    "E. South America Standard Time": "America/Sao_Paulo",
    "Argentina Standard Time": "America/Buenos_Aires",
    "Pacific SA Standard Time": "America/Santiago",
    "SA Pacific Standard Time": "America/Bogota",
}

_MEETINGS: Final = meetings(reach=_BACK)


class Microsoft(Vendor):
    """Calendars of Microsoft 365, by Graph."""

    code = "microsoft"
    label = "Microsoft 365"
    family = "activity"
    api_url = "https://graph.microsoft.com/v1.0/"
    settings = (
        Setting(
            "tenant",
            _("Tenant"),
            hint=_("Its id or domain; organizations for any."),
            pattern=r"[A-Za-z0-9.-]{1,100}",
            default="organizations",
        ),
        DOMAINS,
        CALENDARS,
    )
    oauth = OAuth(
        authorize_url="https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
        token_url="https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",  # noqa: S106 - an address
        scopes=("offline_access", "User.Read", "Calendars.Read", "Calendars.Read.Shared"),
        uses_pkce=True,
        rotates=True,
    )
    objects = (_MEETINGS,)
    #: 10,000 in ten minutes and four at once for a mailbox: one at a time is far below.
    allowance = (10, 1.0)
    codes = {
        **dict.fromkeys(_LIMITS, FaultKind.LIMITED),
        **dict.fromkeys(_GONE, FaultKind.GONE),
    }
    #: `clientState` proves who tells, not what; a note names an id of one calendar, so the calendars are asked.
    hook_scheme = "microsoft"
    hook_words = {"events": "meetings", "Events": "meetings"}
    webhook_help = _(
        "Subscribe this address to the events of each calendar with a clientState of your own, and enter that here. A"
        " subscription ends within a week; without one, changes arrive with the next sync."
    )

    def identify(self, http: Http) -> Identity:
        """Whoever signed in."""
        told = http.get("me").json()
        return Identity(str(told.get("id", "")), str(told.get("mail") or told.get("userPrincipalName") or ""))

    def read(self, object: Object, ask: Ask, http: Http) -> Page:
        """A page of a calendar, then the next calendar. Of links only the query is believed, never the address."""
        calendars = calendars_of(http.settings, _OWN)
        kept: dict[str, Any] = json.loads(ask.token) if ask.token else {}
        position = ask.position or _beginning(kept, ask, http)
        # A window that is to be moved is first asked once more what left it: the new one would not say.
        before = {} if position["is_anew"] else kept
        calendar = calendars[position["place"]]
        query = position["query"] or before.get("links", {}).get(calendar, "")
        params: list[tuple[str, Any]] = list(parse_qsl(query, keep_blank_values=True))
        if not params:
            began = datetime.fromisoformat(position["began"])
            params = [("startDateTime", iso_of(began - _BACK)), ("endDateTime", iso_of(began + RENEWED + AHEAD))]
        whose = _OWN if calendar == _OWN else f"users/{quote(calendar, safe='@')}"
        prefer = _PREFER.format(size=min(ask.size or _PAGE, _PAGE))
        told = http.get(f"{whose}/calendarView/delta", params, headers={"Prefer": prefer}).json()
        ids = {**before.get("ids", {}).get(calendar, {}), **position["ids"].get(calendar, {})}
        rows = told.get("value") or ()
        raws = [raw for row in rows if (raw := _raw(row, ids, calendars, calendar, ask, http)) is not None]
        position = {**position, "ids": {**position["ids"], calendar: ids}}
        if following := told.get("@odata.nextLink"):
            return Page(raws, next={**position, "query": urlsplit(following).query})
        links = {**position["links"], calendar: urlsplit(str(told.get("@odata.deltaLink") or "")).query}
        if position["place"] + 1 < len(calendars):
            return Page(raws, next={**position, "place": position["place"] + 1, "query": "", "links": links})
        if position["is_old"]:
            return Page(raws, next=_beginning({}, ask, http))
        return Page(raws, horizon=json.dumps({"at": position["began"], "links": links, "ids": position["ids"]}))

    def said(self, told: Any) -> Said:
        """Graph's own codes and words."""
        error = told["error"]
        return Said(str(error.get("message") or ""), str(error.get("code") or ""))


def _beginning(kept: Mapping[str, Any], ask: Ask, http: Http) -> Json:
    """Where a sweep begins: with what the last one left, and whether that is so old that the window is to be moved; else
    with a window around the vendor's clock."""
    if kept:
        began = datetime.fromisoformat(kept["at"])
        is_old = ask.asked_at - began >= RENEWED
    else:
        if http.vendor_time is None:
            http.get("me")
        began, is_old = http.vendor_time or ask.asked_at, False
    return {
        "place": 0, "query": "", "links": {}, "ids": {}, "began": began.isoformat(), "is_old": is_old,
        "is_anew": not kept,
    }  # fmt: skip


def _raw(
    row: Mapping[str, Any], ids: dict[str, str], calendars: list[str], calendar: str, ask: Ask, http: Http
) -> Raw | None:
    """The row of an event; None for one that tells nothing. Notes in `ids` which meeting an id is."""
    short = hashlib.blake2b(str(row.get("id")).encode(), digest_size=9).hexdigest()
    if "@removed" in row:
        key = ids.pop(short, "")
        # It is told without a moment: that of the question is later than every change that was told before.
        return gone(key, http.vendor_time or ask.asked_at) if key else None
    if row.get("type") == "seriesMaster" or not row.get("iCalUId"):
        return None  # its occurrences come by themselves
    meeting = _meeting(row)
    speaks = meeting.speaks_for_all(calendars, calendar)
    if meeting.is_cancelled and not speaks:
        return None
    raw = meeting.raw(http.settings.get("domains", ""))
    if raw.is_deleted or not speaks:
        ids.pop(short, None)
    else:
        ids[short] = raw.external_id
    return raw


def _meeting(row: Mapping[str, Any]) -> Meeting:
    is_all_day = bool(row.get("isAllDay"))
    guests = [
        Guest(address((each.get("emailAddress") or {}).get("address")), _response(each) == "declined")
        for each in row.get("attendees") or ()
        if each.get("type") != "resource"
    ]
    return Meeting(
        uid=str(row["iCalUId"]),  # each occurrence of a series has its own
        occurrence="",
        organizer=address(((row.get("organizer") or {}).get("emailAddress") or {}).get("address")),
        guests=guests,
        start=None if is_all_day else _moment(row.get("start")),
        end=None if is_all_day else _moment(row.get("end")),
        changed_at=moment(row.get("lastModifiedDateTime")),
        subject="" if row.get("sensitivity") in ("private", "confidential") else str(row.get("subject") or ""),
        is_cancelled=bool(row.get("isCancelled")),
    )


def _response(attendee: Mapping[str, Any]) -> str:
    return str((attendee.get("status") or {}).get("response") or "")


def _moment(told: Any) -> datetime | None:
    """A moment whose zone stands beside it, by the name of Windows or of the world. In a zone that nobody knows it is
    none, and the meeting is left out rather than put at a wrong hour."""
    if not isinstance(told, Mapping):
        return None
    name = str(told.get("timeZone") or "UTC")
    try:
        zone = ZoneInfo(_ZONES.get(name, name))
        # Seven digits behind the second are one more than a datetime holds.
        local = datetime.fromisoformat(str(told.get("dateTime"))[:26])
    except (ValueError, KeyError, OSError):
        return None
    return (local if local.tzinfo else local.replace(tzinfo=zone)).astimezone(UTC)


VENDOR: Final = Microsoft()
