"""Zoom Phone: the history of calls, a month at a time, as Zoom gives it; calls between colleagues are nobody's business.

Zoom dates no change, so the sweep reaches back a day, and of two tellings of a call the later one stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from salesops.connectors.rules.shapes import iso_of, moment
from salesops.connectors.vendors.base import (
    Ask,
    Column,
    Http,
    Identity,
    OAuth,
    Object,
    Page,
    Raw,
    Said,
    Vendor,
    version_of,
)
from salesops.connectors.vendors.telephony import COUNTRY, Call, calls, owners, seconds_between, with_country
from salesops.values.outcomes import gettext_noop as _

#: [K] Rows of a page of calls, of users.
_PAGE: Final = 300
_USERS_PAGE: Final = 100
#: [K] One question may be about so many days.
_WINDOW: Final = timedelta(days=30)
#: How far back a first load asks; the history itself reaches less far.
_REACH: Final = timedelta(days=730)
#: [K] Results of a call in which somebody spoke; every other one rang in vain, reached a machine or was blocked.
_ANSWERED: Final = frozenset({"answered", "connected", "call_connected", "recorded", "accepted"})
#: [K] Kinds of extensions behind which a person is.
_PEOPLE: Final = frozenset({"user"})
#: [K] What is answered when the token of a page is older than fifteen minutes.
_EXPIRED: Final = 400


def _call(payload: Mapping[str, Any]) -> Call:
    """A call with its own and its other side; what was spoken begins when somebody answered."""
    own, other = _sides(payload)
    began, answered, ended = (moment(payload.get(name)) for name in ("start_time", "answer_time", "end_time"))
    spoken = seconds_between(answered, ended)
    return Call(
        id=str(payload["call_id"]),
        person=str(payload.get(f"{own}_ext_id") or ""),
        other=str(payload.get(f"{other}_did_number") or ""),
        is_outbound=own == "caller",
        is_answered=_is_answered(payload),
        started_at=payload.get("start_time"),
        seconds=int(payload.get("duration") or 0) if spoken is None else max(0, spoken),
        rang_seconds=seconds_between(began, answered),
        other_name=str(payload.get(f"{other}_name") or ""),
    )


def _sides(row: Mapping[str, Any]) -> tuple[str, str]:
    """What names of the own and of the other side of a call begin with."""
    return ("caller", "callee") if row.get("direction") == "outbound" else ("callee", "caller")


def _is_answered(row: Mapping[str, Any]) -> bool:
    return str(row.get("call_result") or "").lower() in _ANSWERED


_USERS: Final = owners(
    "users",
    Column("extension_id", _("Id of the extension")),
    Column("extension_number", _("Extension")),
    Column("email", _("E-mail")),
    Column("name", _("Name")),
    id="extension_id",
)
_CALLS: Final = calls("calls", _call, person_by="external_id", overlap=timedelta(days=1), reach=_REACH)


class Zoom(Vendor):
    """Zoom Phone by its second API."""

    code = "zoom"
    label = "Zoom Phone"
    family = "activity"
    api_url = "https://api.zoom.us/v2/"
    settings = (COUNTRY,)
    #: [K] The scopes are those that the app at Zoom was given.
    oauth = OAuth(
        authorize_url="https://zoom.us/oauth/authorize",
        token_url="https://zoom.us/oauth/token",  # noqa: S106 - an address
        client_auth="basic",
        rotates=True,
        expires_in=timedelta(hours=1),
    )
    objects = (_USERS, _CALLS)
    #: [K] Medium requests: 60 in a second, 20 on the smallest plan, whose refusals pace it.
    allowance = (40, 1.0)
    #: Both sides of a call tell of it; the history is asked, which has it once.
    hook_scheme = "zoom"
    hook_words = {"phone": "calls"}
    webhook_help = _(
        "In the app at Zoom under Event subscriptions, add this address for the events of the phone that end a call, and"
        " enter the secret token of the app here."
    )

    def identify(self, http: Http) -> Identity:
        """The account of whoever signed in."""
        told = http.get("users/me").json()
        return Identity(str(told.get("account_id", "")), str(told.get("company") or told.get("email") or ""))

    def read(self, object: Object, ask: Ask, http: Http) -> Page:
        """A page of a month, then the month before: what is new, and what a preview shows, comes first."""
        if object is _USERS:
            params = {"page_size": min(ask.size or _USERS_PAGE, _USERS_PAGE), **(ask.position or {})}
            told = http.get("phone/users", params).json()
            raws = [Raw(str(row["extension_id"]), version_of(None), row) for row in told["users"]]
            token = str(told.get("next_page_token") or "")
            return Page(raws, next={"next_page_token": token} if token else None)
        position = ask.position or self._beginning(ask)
        first, until = datetime.fromisoformat(position["first"]), datetime.fromisoformat(position["to"])
        began = max(first, until - _WINDOW)
        params = {
            "from": iso_of(began),
            "to": iso_of(until),
            "page_size": min(ask.size or _PAGE, _PAGE),
            "next_page_token": position["token"] or None,
        }
        told = http.get("phone/call_history", params, expect=(_EXPIRED,) if position["token"] else ()).json()
        if "call_logs" not in told:
            return Page([], next={**position, "token": ""})  # its token was too old: the month is read once more
        raws = _raws(told["call_logs"], http)
        if token := str(told.get("next_page_token") or ""):
            return Page(raws, next={**position, "token": token})
        return Page(raws, next={**position, "to": began.isoformat(), "token": ""} if began > first else None)

    def _beginning(self, ask: Ask) -> dict[str, str]:
        until = ask.until or ask.asked_at + timedelta(days=1)
        return {"first": (ask.since or until - _REACH).isoformat(), "to": until.isoformat(), "token": ""}

    def said(self, told: Any) -> Said:
        """Zoom's own words."""
        return Said(str(told.get("message") or ""))


def _raws(rows: list[Mapping[str, Any]], http: Http) -> list[Raw]:
    """Calls with somebody outside that a person of ours made or was rung by, each once: the leg that was answered speaks
    for the others."""
    best: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        own, other = _sides(row)
        if row.get(f"{own}_ext_type") not in _PEOPLE or row.get(f"{other}_ext_id") or not row.get("end_time"):
            continue
        call_id = str(row["call_id"])
        if call_id not in best or _weight(row) > _weight(best[call_id]):
            best[call_id] = row
    return [Raw(id, version_of(moment(row["end_time"])), with_country(row, http)) for id, row in best.items()]


def _weight(row: Mapping[str, Any]) -> tuple[bool, int]:
    return _is_answered(row), int(row.get("duration") or 0)


VENDOR: Final = Zoom()
