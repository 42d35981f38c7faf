"""Twilio: its log of calls, newest first, with the legs of a call as one; who is behind a number or a client is told in the
settings, for Twilio knows no users.

A call may end a day after it began and the log is asked by beginnings, so each sweep reaches back a day; calls that are
still going on are left for the next one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from salesops.connectors.rules.shapes import iso_of
from salesops.connectors.vendors.base import (
    BEGINNING,
    Ask,
    FaultKind,
    Http,
    Identity,
    Object,
    Page,
    Raw,
    Said,
    Setting,
    Vendor,
    basic,
    version_of,
)
from salesops.connectors.vendors.telephony import COUNTRY, Call, calls, seconds_between, with_country
from salesops.values.outcomes import gettext_noop as _

_PAGE: Final = 1_000
#: [K] A call lasts four hours, and a day where that was asked for.
_LONGEST_CALL: Final = timedelta(days=1)
#: States of calls that are over.
_OVER: Final = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})
#: Ends of a call that are people of ours, wherever they stand.
_INNER: Final = ("client:", "sip:")
_PEOPLE_KEY: Final = "_people"


def _call(payload: Mapping[str, Any]) -> Call:
    """A call from its legs, the first of which is the root.

    Who dials by a client or is called back first has a root that is ours at both ends: the customer is then in the leg
    that was dialled. What was spoken is the longest dialled leg, not the root, which holds the ringing and the menus.
    """
    people: Mapping[str, str] = payload.get(_PEOPLE_KEY) or {}
    root, *children = payload["legs"]

    def is_ours(end: Any) -> bool:
        return bool(end) and (str(end) in people or str(end).startswith(_INNER))

    is_outbound = str(root.get("direction", "")).startswith("outbound") or is_ours(root.get("from"))
    spoken = max(children, key=_seconds, default=root)
    if is_outbound:
        theirs = [leg.get("to") for leg in (spoken, *children, root)]
        ours = [root.get("from"), root.get("to"), spoken.get("from")]
        ours = [*(end for end in ours if is_ours(end)), *ours]
    else:
        theirs = [root.get("from"), root.get("caller_name")]
        ours = [*(leg.get("to") for leg in (spoken, *children)), root.get("to")]
    other = next((str(end) for end in theirs if end and not is_ours(end)), "")
    own = next((str(end) for end in ours if str(end) in people), str(next(filter(None, ours), "")))
    began, answered = _moment(root.get("start_time")), _moment(spoken.get("start_time"))
    return Call(
        id=str(root["sid"]),
        person=people.get(own, own),
        other=other,
        is_outbound=is_outbound,
        is_answered=spoken.get("status") == "completed" and _seconds(spoken) > 0,
        started_at=began,
        seconds=_seconds(spoken),
        rang_seconds=seconds_between(began, answered) if children else None,
    )


_CALLS: Final = calls(
    "Calls",
    _call,
    person_by="email",
    overlap=_LONGEST_CALL + timedelta(minutes=5),
    link="https://console.twilio.com/us1/monitor/logs/calls?frameUrl=%2Fconsole%2Fvoice%2Fcalls%2Flogs%2F{id}",
)


class Twilio(Vendor):
    """Twilio's programmable voice."""

    code = "twilio"
    label = "Twilio"
    family = "activity"
    api_url = "https://api.twilio.com/"
    settings = (
        Setting("sid", _("Account SID"), pattern=r"AC[0-9a-f]{32}"),
        Setting("auth_token", _("Auth token"), hint=_("It also proves webhooks."), is_secret=True),
        COUNTRY,
        Setting(
            "people",
            _("Who is behind which number"),
            hint=_("One a line: a number or a client as Twilio writes it, =, the person's e-mail address."),
            is_required=False,
            is_long=True,
        ),
    )
    objects = (_CALLS,)
    allowance = (20, 1.0)
    #: Too many requests at once [K].
    codes = {"20429": FaultKind.LIMITED}
    hook_scheme = "twilio"
    hook_credential = "auth_token"
    #: Each leg tells its own end: the log is asked for the whole call.
    hook_words = {"call": "Calls"}
    webhook_help = _("Give this address as the status callback of your numbers, TwiML apps and dialled calls.")

    def sign(self, headers: dict[str, str], http: Http) -> None:
        """SID and token by HTTP Basic."""
        headers["Authorization"] = basic(http.settings.get("sid", ""), http.secret("auth_token"))

    def identify(self, http: Http) -> Identity:
        """The account."""
        told = http.get(f"{_path(http)}.json").json()
        return Identity(str(told.get("sid", "")), str(told.get("friendly_name", "")))

    def read(self, object: Object, ask: Ask, http: Http) -> Page:
        """A page of the log; its next one hangs on the last row, so that new calls shift nothing. A leg brings its whole
        call along: root and legs may lie on different pages."""
        rows, following = self._page(ask, http)
        roots = {str(row["sid"]): row for row in rows if not row.get("parent_call_sid")}
        families = {parent: row for row in rows if (parent := str(row.get("parent_call_sid") or ""))}
        raws = [_raw([root], http) for sid, root in roots.items() if sid not in families]
        for sid in families:
            root = roots.get(sid)
            if root is None:
                reply = http.get(f"{_path(http)}/Calls/{sid}.json", expect=(404,))
                if reply.status == 404:
                    continue
                root = reply.json()
            legs = http.get(f"{_path(http)}/Calls.json", {"ParentCallSid": sid, "PageSize": _PAGE}).json()["calls"]
            raws.append(_raw([root, *sorted(legs, key=lambda leg: str(leg["sid"]))], http))
        return Page([raw for raw in raws if raw is not None], next={"query": following} if following else None)

    def _page(self, ask: Ask, http: Http) -> tuple[list[Mapping[str, Any]], str]:
        """Rows, and the query of the next page: of an address in a reply only that is believed."""
        asked: list[tuple[str, Any]]
        if ask.position:
            asked = list(parse_qsl(ask.position["query"], keep_blank_values=True))
        else:
            asked = [("PageSize", min(ask.size or _PAGE, _PAGE))]
            if ask.since is not None:
                asked.append(("StartTime>", iso_of(ask.since)))
            if ask.until is not None:
                asked.append(("StartTime<", iso_of(ask.until)))
        told = http.get(f"{_path(http)}/Calls.json", asked).json()
        return told["calls"], urlsplit(str(told.get("next_page_uri") or "")).query

    def said(self, told: Any) -> Said:
        """Twilio's own codes, which are numbers, and words."""
        return Said(str(told.get("message") or ""), str(told.get("code")))


def _path(http: Http) -> str:
    return f"2010-04-01/Accounts/{http.settings.get('sid', '')}"


def _raw(legs: Sequence[Mapping[str, Any]], http: Http) -> Raw | None:
    """A call that is over with all its legs, else None. The newest change of a leg is its version; more legs say more."""
    if any(leg.get("status") not in _OVER for leg in legs):
        return None
    ends = {str(end) for leg in legs for end in (leg.get("from"), leg.get("to")) if end}
    people = {end: email for end, email in _people(http.settings).items() if end in ends}
    changed = max((_moment(leg.get("date_updated")) or BEGINNING for leg in legs), default=BEGINNING)
    kept = [{name: value for name, value in leg.items() if name != "subresource_uris"} for leg in legs]
    payload = with_country({"legs": kept, _PEOPLE_KEY: people}, http)
    return Raw(str(legs[0]["sid"]), version_of(changed, len(legs)), payload)


def _people(settings: Mapping[str, str]) -> dict[str, str]:
    pairs = (line.partition("=") for line in settings.get("people", "").splitlines())
    return {end.strip(): email.strip() for end, sign, email in pairs if sign}


def _seconds(leg: Mapping[str, Any]) -> int:
    text = str(leg.get("duration") or "0")
    return int(text) if text.isdecimal() else 0


def _moment(text: Any) -> datetime | None:
    """A moment as RFC 2822 writes it."""
    try:
        return parsedate_to_datetime(str(text)).astimezone(UTC)
    except (TypeError, ValueError):
        return None


VENDOR: Final = Twilio()
