"""RingCentral: the company's log of calls, first by pages, then by a token that tells what came, changed or was deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from salesops.connectors.rules.shapes import iso_of, moment
from salesops.connectors.vendors.base import (
    Ask,
    Column,
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
    version_of,
)
from salesops.connectors.vendors.telephony import COUNTRY, Call, calls, owners, seconds_between, with_country
from salesops.values.outcomes import gettext_noop as _

#: [K] Rows of a page of the log, of what a token tells.
_PAGE: Final = 250
#: How far back a first load asks; the log itself reaches less far.
_REACH: Final = timedelta(days=730)
#: [K] Results of a call in which somebody spoke.
_ANSWERED: Final = frozenset({"call connected", "accepted"})
#: [K] Results of a call that goes on.
_GOING_ON: Final = frozenset({"in progress", "unknown", ""})
#: [K] How a token that is too old is refused.
_OLD_TOKEN: Final = "syncToken"  # noqa: S105 - the name of a parameter
#: Moments are told in thousandths of a second.
_TICK: Final = timedelta(milliseconds=1)


def _call(payload: Mapping[str, Any]) -> Call:
    """A call and its legs: the leg that was answered says who spoke, and for how long; the first one, how long it rang."""
    legs = payload.get("legs") or []
    answered = [leg for leg in legs if _is_answered(leg) and _extension(leg)]
    spoken = max(answered, key=lambda leg: int(leg.get("duration") or 0), default=payload)
    is_outbound = payload.get("direction") == "Outbound"
    other = payload.get("to" if is_outbound else "from") or {}
    began, picked_up = moment(payload.get("startTime")), moment(spoken.get("startTime"))
    return Call(
        id=_key(payload),
        person=_extension(spoken) or _extension(payload),
        other=str(other.get("phoneNumber") or ""),
        is_outbound=is_outbound,
        is_answered=bool(answered) or _is_answered(payload),
        started_at=payload.get("startTime"),
        seconds=int(spoken.get("duration") or 0),
        rang_seconds=seconds_between(began, picked_up) if answered else None,
        other_name=str(other.get("name") or ""),
        recording=str((payload.get("recording") or {}).get("contentUri") or ""),
    )


_USERS: Final = owners(
    "extensions",
    Column("id", _("Id")),
    Column("extensionNumber", _("Extension")),
    Column("contact.email", _("E-mail")),
    Column("name", _("Name")),
    email="contact.email",
)
_CALLS: Final = calls("calls", _call, person_by="external_id", overlap=timedelta(days=1), reach=_REACH)


class RingCentral(Vendor):
    """RingCentral's platform."""

    code = "ringcentral"
    label = "RingCentral"
    family = "activity"
    api_url = "https://platform.ringcentral.com/restapi/v1.0/"
    settings = (COUNTRY,)
    #: [K] The permissions are those that the app at RingCentral was given: ReadCallLog, ReadAccounts.
    oauth = OAuth(
        authorize_url="https://platform.ringcentral.com/restapi/oauth/authorize",
        token_url="https://platform.ringcentral.com/restapi/oauth/token",  # noqa: S106 - an address
        client_auth="basic",
        rotates=True,
        expires_in=timedelta(hours=1),
    )
    objects = (_USERS, _CALLS)
    #: [K] The log belongs to the heavy requests: ten a minute for a user.
    allowance = (10, 60.0)
    #: Sessions are told while they go on, so the log is asked what is new.
    hook_scheme = "ringcentral"
    hook_words = {"call": "calls"}
    webhook_help = _(
        "Subscribe this address to the telephony sessions of the account with a verification token, and enter that token"
        " here. A subscription ends by itself: renew it."
    )

    def identify(self, http: Http) -> Identity:
        """The account, which is known by its main number."""
        told = http.get("account/~").json()
        return Identity(str(told.get("id", "")), str(told.get("mainNumber", "")))

    def read(self, object: Object, ask: Ask, http: Http) -> Page:
        """What a token of the last sweep tells; without one, the log by pages, with a token that is asked for before, so
        that nothing falls between."""
        if object is _USERS:
            return _users(ask, http)
        if ask.position is None and not ask.token:
            told = http.get("account/~/call-log-sync", {"syncType": "FSync", "recordCount": 1}).json()
            start = {"token": told["syncInfo"]["syncToken"], "to": "", "page": 1}
            return self._log({**start, "from": _literal(ask.since or ask.asked_at - _REACH)}, ask, http)
        if ask.position and "page" in ask.position:
            return self._log(ask.position, ask, http)
        token = ask.position["token"] if ask.position else ask.token
        asked = {"syncType": "ISync", "syncToken": token, "recordCount": min(ask.size or _PAGE, _PAGE)}
        told = http.get("account/~/call-log-sync", asked).json()
        following = str(told["syncInfo"]["syncToken"])
        if told["records"]:
            return Page(_raws(told["records"], http), next={"token": following})
        return Page([], horizon=following)

    def _log(self, position: Json, ask: Ask, http: Http) -> Page:
        """A page of the log, newest first: the next one is asked up to the oldest seen, by number only within one
        moment, so that calls that are deleted while it is read shift nothing."""
        params = {
            "view": "Detailed",
            "type": "Voice",
            "dateFrom": position["from"],
            "dateTo": position["to"] or None,
            "perPage": min(ask.size or _PAGE, _PAGE),
            "page": position["page"],
        }
        told = http.get("account/~/call-log", params).json()
        rows = told["records"]
        before = frozenset(position.get("told", ()))
        raws = _raws([row for row in rows if row["id"] not in before], http)
        if not (told.get("navigation") or {}).get("nextPage"):
            return Page(raws, horizon=position["token"])
        oldest = min((began for row in rows if (began := moment(row["startTime"]))), default=None)
        until = moment(position["to"])
        if oldest is not None and (until is None or oldest + _TICK < until):
            seen = [row["id"] for row in rows if moment(row["startTime"]) == oldest]
            return Page(raws, next={**position, "to": _literal(oldest + _TICK), "page": 1, "told": seen})
        return Page(raws, next={**position, "page": position["page"] + 1})

    def said(self, told: Any) -> Said:
        """Its words, and as the code that it is the token that is refused."""
        named = {each.get("parameterName") for each in told.get("errors") or () if isinstance(each, Mapping)}
        return Said(str(told.get("message") or ""), _OLD_TOKEN if _OLD_TOKEN in named else "")

    def meant(self, reply: Reply, said: Said) -> Verdict | None:
        """A token that is too old is a bad parameter."""
        if reply.status == 400 and said.code == _OLD_TOKEN:
            return Verdict(FaultKind.GONE, said.words)
        return None


def _users(ask: Ask, http: Http) -> Page:
    page = ask.position["page"] if ask.position else 1
    told = http.get("account/~/extension", {"type": "User", "page": page, "perPage": ask.size or _PAGE}).json()
    raws = [Raw(str(row["id"]), version_of(None), row) for row in told["records"]]
    is_more = bool((told.get("navigation") or {}).get("nextPage"))
    return Page(raws, next={"page": page + 1} if is_more else None)


def _raws(rows: list[Mapping[str, Any]], http: Http) -> list[Raw]:
    """Calls with somebody outside that a person of ours made or was rung by, and those that were deleted."""
    raws = []
    for row in rows:
        version = version_of(moment(row.get("lastModifiedTime") or row.get("startTime")))
        if row.get("deleted"):
            raws.append(Raw(_key(row), version, {}, is_deleted=True))
            continue
        sides = [row.get("from") or {}, row.get("to") or {}]
        is_inner = all(side.get("extensionId") or not side.get("phoneNumber") for side in sides)
        if is_inner or str(row.get("result") or "").lower() in _GOING_ON:
            continue
        if _call(row).person:
            raws.append(Raw(_key(row), version, with_country(row, http)))
    return raws


def _key(row: Mapping[str, Any]) -> str:
    """A call's session: legs and both sides of a call share it."""
    return str(row.get("sessionId") or row["id"])


def _is_answered(row: Mapping[str, Any]) -> bool:
    return str(row.get("result") or "").lower() in _ANSWERED


def _extension(row: Mapping[str, Any]) -> str:
    return str((row.get("extension") or {}).get("id") or "")


def _literal(at: datetime) -> str:
    return iso_of(at, "milliseconds")


VENDOR: Final = RingCentral()
