"""Google Calendar: meetings by sync tokens, one for each calendar; a token that is too old has everything read anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from salesops.connectors.rules.shapes import moment
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
    Reply,
    Said,
    Vendor,
    Verdict,
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

_PAGE: Final = 250
_OWN: Final = "primary"
#: Reasons of a 403 that mean: wait.
_LIMITS: Final = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"})
#: Quotas are by the minute.
_LIMIT_WAIT: Final = timedelta(minutes=1)
#: Rooms and other things are invited like people.
_THINGS: Final = "resource.calendar.google.com"

_MEETINGS: Final = meetings()


class Google(Vendor):
    """Calendars of Google Workspace."""

    code = "google"
    label = "Google Calendar"
    family = "activity"
    api_url = "https://www.googleapis.com/calendar/v3/"
    settings = (DOMAINS, CALENDARS)
    oauth = OAuth(
        authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
        token_url="https://oauth2.googleapis.com/token",  # noqa: S106 - an address
        scopes=("https://www.googleapis.com/auth/calendar.readonly",),
        uses_pkce=True,
        # Without these no refresh token comes, or none the second time.
        extra=(("access_type", "offline"), ("prompt", "consent")),
    )
    objects = (_MEETINGS,)
    allowance = (5, 1.0)
    hook_scheme = "google"
    hook_words = {"calendar": "meetings"}
    webhook_help = _(
        "Open a channel for the events of each calendar (watch) with this address and a token of your own, and enter that"
        " token here. A channel ends by itself; without one, changes arrive with the next sync."
    )

    def identify(self, http: Http) -> Identity:
        """The own calendar, whose id is the address of whoever signed in."""
        told = http.get(f"calendars/{_OWN}").json()
        return Identity(str(told.get("id", "")), str(told.get("summary") or told.get("id", "")))

    def read(self, object: Object, ask: Ask, http: Http) -> Page:
        """A page of a calendar, then the next calendar: what changed since its token, else everything. The last page of a
        calendar brings its next token."""
        calendars = calendars_of(http.settings, _OWN)
        position = ask.position or _beginning(ask)
        before: dict[str, Any] = {} if position["is_anew"] else json.loads(ask.token)
        calendar = calendars[position["place"]]
        params: dict[str, Any] = {
            "singleEvents": True,
            "showDeleted": True,
            "maxResults": min(ask.size or _PAGE, _PAGE),
            "pageToken": position["page"] or None,
            "syncToken": before.get("tokens", {}).get(calendar) or None,
        }
        told = http.get(f"calendars/{quote(calendar, safe='')}/events", params).json()
        raws = [
            raw for row in told.get("items") or () if (raw := _raw(row, calendar, calendars, ask, http)) is not None
        ]
        if page := told.get("nextPageToken"):
            return Page(raws, next={**position, "page": page})
        tokens = {**position["tokens"], calendar: str(told.get("nextSyncToken") or "")}
        if position["place"] + 1 < len(calendars):
            return Page(raws, next={**position, "place": position["place"] + 1, "page": "", "tokens": tokens})
        return Page(raws, horizon=json.dumps({"at": position["began"], "tokens": tokens}))

    def said(self, told: Any) -> Said:
        """The words, and as the code the reason that is a quota, if one is."""
        error = told["error"]
        reasons = (each.get("reason") for each in error.get("errors") or ())
        return Said(str(error.get("message") or ""), next((reason for reason in reasons if reason in _LIMITS), ""))

    def meant(self, reply: Reply, said: Said) -> Verdict | None:
        """A quota that is used up is a 403 here."""
        if reply.status == 403 and said.code in _LIMITS:
            return Verdict(FaultKind.LIMITED, said.words, _LIMIT_WAIT)
        return None


def _beginning(ask: Ask) -> Json:
    """Where a sweep begins: with the tokens of the last one, unless that is so long ago that meetings which lay too far
    ahead then are near by now."""
    at = json.loads(ask.token)["at"] if ask.token else ""
    is_anew = not at or ask.asked_at - datetime.fromisoformat(at) >= RENEWED
    return {
        "place": 0, "page": "", "tokens": {}, "began": ask.asked_at.isoformat() if is_anew else at, "is_anew": is_anew,
    }  # fmt: skip


def _raw(row: Mapping[str, Any], calendar: str, calendars: list[str], ask: Ask, http: Http) -> Raw | None:
    """The row of an event; None for one that tells nothing. One that was cancelled may come with nothing but its id."""
    if row.get("status") == "cancelled" and not (row.get("iCalUID") and row.get("organizer")):
        reply = http.get(f"calendars/{quote(calendar, safe='')}/events/{quote(row['id'], safe='')}", expect=(404, 410))
        if reply.status >= 400:
            return None
        row = {**reply.json(), "status": "cancelled", "updated": row.get("updated") or reply.json().get("updated")}
    meeting = _meeting(row)
    domains = http.settings.get("domains", "")
    if meeting.is_cancelled and not meeting.speaks_for_all(calendars, calendar):
        return None
    if meeting.start is not None and meeting.start > ask.asked_at + AHEAD and not meeting.is_cancelled:
        return None
    return meeting.raw(domains)


def _meeting(row: Mapping[str, Any]) -> Meeting:
    original = row.get("originalStartTime") or {}
    guests = [
        Guest(address(each.get("email")), each.get("responseStatus") == "declined")
        for each in row.get("attendees") or ()
        if not each.get("resource") and not address(each.get("email")).endswith(_THINGS)
    ]
    # All-day events have only `date`; they are no meetings.
    start, end = (moment((row.get(name) or {}).get("dateTime")) for name in ("start", "end"))
    first = moment(original.get("dateTime"))
    return Meeting(
        uid=str(row.get("iCalUID") or row["id"]),
        occurrence=(str(int(first.timestamp())) if first else "") if row.get("recurringEventId") else "",
        organizer=address((row.get("organizer") or {}).get("email")),
        guests=guests,
        start=start,
        end=end,
        changed_at=moment(row.get("updated")),
        subject="" if row.get("visibility") in ("private", "confidential") else str(row.get("summary") or ""),
        is_cancelled=row.get("status") == "cancelled",
    )


VENDOR: Final = Google()
