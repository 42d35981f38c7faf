"""Aircall: calls asked oldest first from the last moment seen, users, notes that people wrote about a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from salesops.connectors.rules.proofs import read_json
from salesops.connectors.vendors.base import (
    Ask,
    Column,
    ColumnType,
    Event,
    FaultKind,
    Http,
    Identity,
    Object,
    Page,
    Raw,
    Reply,
    Said,
    Setting,
    Vendor,
    Verdict,
    basic,
    gone,
    version_of,
)
from salesops.connectors.vendors.telephony import COUNTRY, Call, calls, owners, with_country
from salesops.values.outcomes import gettext_noop as _

_PAGE: Final = 50
#: How long after its beginning a call may still end, be commented or tagged, and be seen by the next sweep.
_OVERLAP: Final = timedelta(days=1)


def _call(payload: Mapping[str, Any]) -> Call:
    """`duration` counts the ringing too, so what was spoken is the time between answer and end."""
    began, answered, ended = (payload.get(name) for name in ("started_at", "answered_at", "ended_at"))
    rung = answered or ended
    user, contact = payload.get("user") or {}, payload.get("contact") or {}
    comments = [str(each.get("content") or "") for each in payload.get("comments") or ()]
    name = " ".join(str(contact.get(part) or "") for part in ("first_name", "last_name")).strip()
    return Call(
        id=str(payload["id"]),
        person=str(user.get("id") or ""),
        other=str(payload.get("raw_digits") or ""),
        is_outbound=payload.get("direction") == "outbound",
        is_answered=bool(answered),
        started_at=began,
        seconds=max(0, int(ended) - int(answered)) if answered and ended else 0,
        rang_seconds=int(rung) - int(began) if began and rung else None,
        other_name=name or str(contact.get("company_name") or ""),
        # The recording itself is at an address that ends within the hour; this one is a page of Aircall.
        recording=str(payload.get("asset") or ""),
        note="\n".join(comment for comment in comments if comment),
    )


_USERS: Final = owners(
    "users",
    Column("id", _("Id")),
    Column("name", _("Name")),
    Column("email", _("E-mail")),
)

_CALLS: Final = calls("calls", _call, person_by="external_id", overlap=_OVERLAP, moments=ColumnType.UNIX)


class Aircall(Vendor):
    """Aircall by its public API."""

    code = "aircall"
    label = "Aircall"
    family = "activity"
    api_url = "https://api.aircall.io/v1/"
    settings = (
        Setting("api_id", _("API ID"), pattern=r"[A-Za-z0-9_-]{1,100}"),
        Setting("api_token", _("API token"), is_secret=True),
        COUNTRY,
    )
    objects = (_USERS, _CALLS)
    #: [K] Sixty a minute for a company, less a share for other programs.
    allowance = (50, 60.0)
    #: The token in the body proves who sends, not what: calls are fetched.
    hook_scheme = "aircall"
    hook_words = {"call": "calls", "user": "users"}
    webhook_help = _(
        "In Aircall under Integrations, Webhook, enter this address for the events of calls, and its token here."
    )

    def sign(self, headers: dict[str, str], http: Http) -> None:
        """ID and token by HTTP Basic."""
        headers["Authorization"] = basic(http.settings.get("api_id", ""), http.secret("api_token"))

    def identify(self, http: Http) -> Identity:
        """The company, which has a name and no id."""
        company = http.get("company").json()["company"]
        return Identity(http.settings.get("api_id", ""), str(company.get("name", "")))

    def read(self, object: Object, ask: Ask, http: Http) -> Page:
        """A page, oldest first. The next one is asked from the last beginning seen, by page only within one second:
        so nothing shifts, and the most that Aircall gives of one question is never reached."""
        position = ask.position or {"from": int(ask.since.timestamp()) if ask.since else None, "page": 1}
        params = {"order": "asc", "per_page": min(ask.size or _PAGE, _PAGE), "page": position["page"]}
        if object is _USERS:
            told = http.get("users", params).json()
            is_more = bool(told["meta"].get("next_page_link"))
            raws = [Raw(str(row["id"]), version_of(None), row) for row in told["users"]]
            return Page(raws, next={**position, "page": position["page"] + 1} if is_more else None)
        params |= {"from": position["from"], "to": int(ask.until.timestamp()) if ask.until else None}
        told = http.get("calls", params).json()
        rows = told["calls"]
        before = frozenset(position.get("told", ()))
        raws = [_raw(row, http) for row in rows if _is_over(row) and row["id"] not in before]
        if not told["meta"].get("next_page_link"):
            return Page(raws)
        last = int(rows[-1]["started_at"]) if rows else None
        if last is not None and last > (position["from"] or 0):
            told_then = [row["id"] for row in rows if row["started_at"] == last]
            return Page(raws, next={"from": last, "page": 1, "told": told_then})
        return Page(raws, next={**position, "page": position["page"] + 1})

    def fetch(self, object: Object, external_ids: Sequence[str], http: Http, columns: Sequence[str] = ()) -> list[Raw]:
        """One by one."""
        name, raws = object.code.removesuffix("s"), []
        for external_id in external_ids:
            reply = http.get(f"{object.code}/{external_id}", expect=(404,))
            if reply.status == 404:
                raws.append(gone(external_id, http.vendor_time))
                continue
            row = reply.json()[name]
            raws.append(_raw(row, http) if object is _CALLS else Raw(str(row["id"]), version_of(None), row))
        return raws

    def events(self, body: bytes, headers: Mapping[str, str]) -> list[Event]:
        """A call is heard of when it rings, is answered, hung up and ended: only one that is over is asked for."""
        told = super().events(body, headers)
        content = read_json(body)
        row = content.get("data") if isinstance(content, Mapping) else None
        if isinstance(row, Mapping) and content.get("resource") == "call" and not _is_over(row):
            return [replace(event, object="") for event in told]
        return told

    def said(self, told: Any) -> Said:
        """Aircall's own words."""
        return Said(str(told.get("troubleshoot") or told.get("error") or ""))

    def meant(self, reply: Reply, said: Said) -> Verdict | None:
        """A key that is not good is a 403 with words about it [K]."""
        words = said.words.lower()
        if reply.status == 403 and "api" in words and "key" in words:
            return Verdict(FaultKind.UNAUTHORIZED, said.words)
        return None


def _is_over(row: Mapping[str, Any]) -> bool:
    """Whether a call has ended and was somebody's: one that the whole team missed is nobody's activity."""
    return row.get("status") == "done" and bool(row.get("ended_at")) and bool(row.get("user"))


def _raw(row: Mapping[str, Any], http: Http) -> Raw:
    """Aircall dates no change, so the version is the newest moment that a call tells of: its end, its last comment."""
    moments = [row.get("ended_at"), *(each.get("posted_at") for each in row.get("comments") or ())]
    newest = max(int(moment or 0) for moment in moments)
    ties = len(row.get("comments") or ()) + len(row.get("tags") or ())
    payload = {name: value for name, value in row.items() if name not in ("recording", "voicemail")}
    return Raw(str(row["id"]), version_of(datetime.fromtimestamp(newest, UTC), ties), with_country(payload, http))


VENDOR: Final = Aircall()
