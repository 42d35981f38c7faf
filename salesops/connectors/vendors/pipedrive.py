"""Pipedrive: version 2 by moment of change and cursors, version 1 for users, leads and notes; deals in the archive too.

The cursors of version 2 name a place in the order (the field, its value and the id: they are base64 of JSON), so what
changes while paging comes again at the end. Version 1 pages by number: it is asked anew from the last moment seen.
Deleted deals are listed for a month, other deletions are told by webhooks alone.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from salesops.connectors.rules.shapes import iso_of, moment
from salesops.connectors.vendors.base import (
    ENDS,
    Ask,
    Column,
    ColumnType,
    Fault,
    FaultKind,
    Http,
    Identity,
    Json,
    OAuth,
    Object,
    Page,
    Proposal,
    Raw,
    Reply,
    Said,
    Setting,
    Vendor,
    Verdict,
    Word,
    Written,
    by_id,
    columns_of,
    elsewhere,
    endless,
    gone,
    version_of,
    zone_of,
)
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

_V2: Final = "api/v2/"
_V1: Final = "v1/"
#: Where the account lives until the sign-in has told it.
_ANYWHERE: Final = "https://api.pipedrive.com"
#: Rows of a page at most.
_PAGE: Final = 500
#: Lists of settings (stages, fields) are not longer than this many pages.
_SETTING_PAGES: Final = 40
#: Rows asked again where a page by number begins: so many may leave their place meanwhile.
_AGAIN: Final = 10
#: Whoever goes on after many refusals is shut out before Pipedrive itself is reached, with a page of HTML; nobody says for
#: how long.
_SHUT_OUT: Final = timedelta(minutes=30)
#: What deals are called that are put away, and asked for apart.
_ARCHIVE: Final = "deals/archived"
_TAG: Final = re.compile(r"<[^>]{0,500}>")

#: Objects of version 2 that can be asked for what changed; the others are read whole.
_FOLLOWED: Final = frozenset({"organizations", "persons", "deals", "activities"})
#: Objects of version 1, which are paged by number.
_NUMBERED: Final = frozenset({"leads", "notes"})
#: Where the fields of an object are described.
_FIELDS: Final[Mapping[str, str]] = {
    "deals": "dealFields",
    "persons": "personFields",
    "organizations": "organizationFields",
}
_TYPES: Final[Mapping[str, ColumnType]] = {
    "double": ColumnType.NUMBER,
    "int": ColumnType.NUMBER,
    "date": ColumnType.DAY,
    "time": ColumnType.TEXT,
}
#: Custom fields that are written as they are read.
_PLAIN: Final = frozenset({"varchar", "varchar_auto", "text", "double", "int", "date", "phone"})
#: Columns that hold a whole number as id.
_IDS: Final = frozenset({"id", "owner_id", "org_id", "person_id", "organization_id"})
#: Kinds of activities that every account begins with; their own are tasks unless the mapping says otherwise.
_ACTIVITY_KINDS: Final[Mapping[str, str]] = {"call": "call", "meeting": "meeting", "lunch": "meeting", "email": "mail"}


# --- How records are read ------------------------------------------------------------------------------------------


def _deal(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """A deal has a stage and, apart from it, a state: a won or lost one keeps the stage in which that happened."""
    status = payload.get("status")
    if status not in ("won", "lost"):
        return {**payload, "stage": payload.get("stage_id"), "closed_at": None}
    told = (payload.get(name) for name in ("close_time", f"{status}_time", "stage_change_time", "update_time"))
    return {**payload, "stage": status, "closed_at": next((each for each in told if each), None)}


def _primary(entries: Any) -> str:
    """The value that is marked as the first choice, else the first."""
    rows = [each for each in entries or () if isinstance(each, Mapping) and each.get("value")]
    chosen = [each for each in rows if each.get("primary")] or rows
    return str(chosen[0]["value"]) if chosen else ""


def _person(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**payload, "email": _primary(payload.get("emails")), "phone": _primary(payload.get("phones"))}


def _activity(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Day and time of an activity, which are in UTC, as one moment; its length in seconds."""
    day, at = payload.get("due_date"), str(payload.get("due_time") or "00:00:00")
    due = f"{day}T{at}Z" if day else None
    done = payload.get("marked_as_done_time") if payload.get("done") else None
    return {
        **payload,
        "kind": _ACTIVITY_KINDS.get(str(payload.get("type")), "task"),
        "due_at": due,
        "done_at": done,
        "happened_at": done or due or payload.get("add_time"),
        "seconds": _seconds(payload.get("duration")),
        "text": _plain(payload.get("note")),
    }


def _note(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """A note beside activities: their numbers overlap, so its own says what it is."""
    text = _plain(payload.get("content"))
    return {**payload, "key": f"note-{payload.get('id')}", "text": text, "subject": text.partition("\n")[0][:200]}


def _seconds(text: Any) -> int | None:
    """ "01:30:00" or "01:30" as seconds; None for anything else."""
    parts = str(text or "").split(":")
    if len(parts) not in (2, 3) or not all(part.isdigit() for part in parts):
        return None
    hours, minutes, seconds = [*map(int, parts), 0][:3]
    return hours * 3600 + minutes * 60 + seconds


def _plain(markup: Any) -> str:
    """Text without its HTML."""
    text = re.sub(r"(?i)<br\s*/?>|</p>|</div>|</li>", "\n", str(markup or ""))
    return html.unescape(_TAG.sub("", text)).strip()


# --- The objects ---------------------------------------------------------------------------------------------------

_OWNER: Final = by_id("owner", "owner_id")

_USERS: Final = Object(
    "users",
    "owners",
    _("Users"),
    columns_of("id", "name", "email", "active_flag:boolean"),
    (Proposal("external_id", "id"), Proposal("email", "email"), Proposal("name", "name")),
    is_whole=True,
)
_PRODUCTS: Final = Object(
    "products",
    "products",
    _("Products"),
    columns_of("id", "name", "code", "category", "unit", "prices.0.price:number", "prices.0.currency"),
    (
        Proposal("name", "name"),
        Proposal("code", "code"),
        Proposal("series", "category"),
        Proposal("price", "prices.0.price", is_rounded=True, clears=False),
        Proposal("currency", "prices.0.currency", clears=False),
    ),
    is_whole=True,
    sweeps_deletes=True,
    link="product/{id}",
)
_ORGANIZATIONS: Final = Object(
    "organizations",
    "accounts",
    _("Organizations"),
    columns_of("id", "name!", "owner_id!", "address.country", "address.locality", "address.value", "add_time:moment"),
    (
        Proposal("external_id", "id"),
        Proposal("name", "name"),
        _OWNER,
        Proposal("country", "address.country", clears=False),
        Proposal("city", "address.locality", clears=False),
    ),
    link="organization/{id}",
)
_PERSONS: Final = Object(
    "persons",
    "contacts",
    _("People"),
    columns_of("id", "name!", "first_name", "last_name", "org_id!", "owner_id!", "email", "phone", "job_title"),
    (
        Proposal("external_id", "id"),
        Proposal("account", "org_id", lookup_by="external_id"),
        Proposal("name", "name"),
        Proposal("title", "job_title", clears=False),
        Proposal("email", "email"),
        Proposal("phone", "phone"),
    ),
    shape=_person,
    link="person/{id}",
)
_LEADS: Final = Object(
    "leads",
    "leads",
    _("Leads"),
    columns_of(
        "id", "title", "owner_id", "person_id", "organization_id", "source_name", "value.amount:number",
        "value.currency", "expected_close_date:day", "add_time:moment",
    ),
    (
        Proposal("external_id", "id"),
        Proposal("name", "title"),
        by_id("account", "organization_id"),
        _OWNER,
        Proposal("estimated", "value.amount", is_rounded=True),
        Proposal("currency", "value.currency", clears=False),
        Proposal("created_on", "add_time", clears=False),
    ),
    link="leads/inbox/{id}",
)  # fmt: skip
_DEALS: Final = Object(
    "deals",
    "deals",
    _("Deals"),
    columns_of(
        "id", "title!", "org_id!", "person_id!", "owner_id!", "stage!", "status", "stage_id", "pipeline_id",
        "value:number!", "currency", "probability:number!", "add_time:moment", "closed_at:moment", "close_time:moment",
        "won_time:moment", "lost_time:moment", "stage_change_time:moment", "expected_close_date:day!", "lost_reason!", "acv:number",
        "arr:number", "mrr:number", "origin", "is_archived:boolean", "label_ids",
    ),
    (
        Proposal("external_id", "id"),
        Proposal("name", "title"),
        Proposal("account", "org_id", lookup_by="external_id"),
        _OWNER,
        by_id("contact", "person_id"),
        Proposal("stage", "stage"),
        Proposal("amount", "value", when_blank="0", is_rounded=True),
        Proposal("currency", "currency"),
        Proposal("opened_on", "add_time", clears=False),
        Proposal("expected_close_on", "expected_close_date"),
        Proposal("closed_on", "closed_at"),
        Proposal("lost_because", "lost_reason"),
    ),
    shape=_deal,
    link="deal/{id}",
)  # fmt: skip
_ACTIVITIES: Final = Object(
    "activities",
    "activities",
    _("Activities"),
    columns_of(
        "id", "subject", "type", "kind", "owner_id", "deal_id", "lead_id", "person_id", "org_id", "due_at:moment",
        "done_at:moment", "happened_at:moment", "seconds:number", "text", "done:boolean",
    ),
    (
        Proposal("external_id", "id"),
        Proposal("kind", "kind"),
        Proposal("subject", "subject"),
        Proposal("note", "text", clears=False),
        Proposal("person", "owner_id", lookup_by="external_id"),
        by_id("deal", "deal_id"),
        by_id("lead", "lead_id"),
        by_id("account", "org_id"),
        by_id("contact", "person_id"),
        Proposal("happened_at", "happened_at"),
        Proposal("due_at", "due_at"),
        Proposal("done_at", "done_at"),
        Proposal("duration_seconds", "seconds"),
    ),
    shape=_activity,
)  # fmt: skip
_NOTES: Final = Object(
    "notes",
    "activities",
    _("Notes"),
    columns_of(
        "id", "key", "subject", "text", "user_id", "deal_id", "lead_id", "person_id", "org_id", "add_time:moment"
    ),
    (
        Proposal("external_id", "key"),
        Proposal("kind", constant="note"),
        Proposal("subject", "subject"),
        Proposal("note", "text"),
        Proposal("person", "user_id", lookup_by="external_id"),
        by_id("deal", "deal_id"),
        by_id("lead", "lead_id"),
        by_id("account", "org_id"),
        by_id("contact", "person_id"),
        Proposal("happened_at", "add_time"),
    ),
    shape=_note,
    is_offered=False,
)


class Pipedrive(Vendor):
    """Pipedrive by OAuth."""

    code = "pipedrive"
    label = "Pipedrive"
    settings = (
        Setting(
            "webhook_secret",
            _("User and password of the webhooks"),
            hint=_("As user:password, the two that you give Pipedrive for HTTP Basic."),
            is_secret=True,
            is_required=False,
            pattern=r"[^\s:]{1,200}:[^\s]{1,200}",
        ),
    )
    oauth = OAuth(
        authorize_url="https://oauth.pipedrive.com/oauth/authorize",
        token_url="https://oauth.pipedrive.com/oauth/token",  # noqa: S106 - an address
        client_auth="basic",
        expires_in=timedelta(hours=1),
    )
    objects = (
        _USERS, _PRODUCTS, _ORGANIZATIONS, _PERSONS, _LEADS, _DEALS, _ACTIVITIES, _NOTES,
    )  # fmt: skip
    #: Half of the eighty in two seconds that replies tell of: other apps of the company share them.
    allowance = (40, 2.0)
    hook_scheme = "pipedrive"
    hook_words = {
        "user": "users",
        "product": "products",
        "organization": "organizations",
        "person": "persons",
        "lead": "leads",
        "deal": "deals",
        "activity": "activities",
        "note": "notes",
    }
    webhook_help = _(
        "In Pipedrive open Tools and apps, Webhooks, and create one of version 2 for all events and all objects, with this"
        " address and the user and password of HTTP Basic, as an administrator: it tells only what its user may see."
    )

    def base(self, settings: Mapping[str, str]) -> str:
        """The company's own address, which the sign-in told."""
        return elsewhere(settings.get("api_domain") or _ANYWHERE, settings).rstrip("/") + "/"

    def identify(self, http: Http) -> Identity:
        """The company of the user who signed in, with that user's zone and currency."""
        me = http.get(f"{_V1}users/me").json()["data"]
        told = {"currency": str(me.get("default_currency") or ""), "time_zone": zone_of(me.get("timezone_name"))}
        name = str(me.get("company_name") or me.get("company_domain") or "")
        return Identity(str(me.get("company_id") or ""), name, told)

    def columns(self, object: Object, http: Http) -> Sequence[Column]:
        """The known columns and the custom fields, whose keys are other ones in each company."""
        if object.code not in _FIELDS:
            return object.columns
        found = list(object.columns)
        for field in _all(http, f"{_V2}{_FIELDS[object.code]}"):
            if field.get("is_custom_field"):
                found += _custom(field)
        return found

    def words(self, object: Object, http: Http) -> Mapping[str, Sequence[Word]]:
        """The stages of all pipelines by their ids, and the two states in which a deal ends."""
        if object.code != "deals":
            return {}
        stages = [each for each in _all(http, f"{_V2}stages") if not each.get("is_deleted")]
        words = [Word(str(each["id"]), str(each["name"]), "open", _share(each, stages)) for each in stages]
        return {"stage": [*words, *ENDS]}

    def read(self, object: Object, ask: Ask, http: Http) -> Page:
        """A page by moment of change; of deals, those in the archive after the others."""
        if object.code == "users":
            return Page([_raw(object, row) for row in http.get(f"{_V1}users").json().get("data") or ()])
        if object.code in _NUMBERED:
            return self._by_number(object, ask, http)
        params: Json = {"sort_by": "id"}
        if object.code in _FOLLOWED:
            params = {
                "sort_by": "update_time",
                "updated_since": _literal(ask.since),
                "updated_until": _literal(ask.until),
            }
        return self._by_cursor(object, ask, http, params)

    def deletions(self, object: Object, ask: Ask, http: Http) -> Page | None:
        """The deals that were deleted in the last thirty days. Nobody says that a deletion counts as a change, so all are
        asked for; those that are known to be gone cost nothing here."""
        if object.code != "deals" or ask.since is None:
            return None
        page = self._by_cursor(object, ask, http, {"sort_by": "id", "status": "deleted"})
        return replace(page, raws=[replace(raw, payload={}, is_deleted=True) for raw in page.raws])

    def fetch(self, object: Object, external_ids: Sequence[str], http: Http, columns: Sequence[str] = ()) -> list[Raw]:
        """The records of these ids. A list leaves out what it does not have or has put away: those are asked for one by
        one."""
        found: dict[str, Raw] = {}
        prefix = _V1 if object.code in _NUMBERED or object.code == "users" else _V2
        if prefix == _V2:
            answer = http.get(f"{_V2}{object.code}", {"ids": ",".join(external_ids), "limit": len(external_ids)}).json()
            for row in answer.get("data") or ():
                raw = _raw(object, row)
                found[raw.external_id] = raw
        for external_id in external_ids:
            if external_id in found:
                continue
            reply = http.get(f"{prefix}{object.code}/{external_id}", expect=(404,))
            if reply.status == 404:
                found[external_id] = gone(external_id, reply.date or http.vendor_time)
            else:
                found[external_id] = _raw(object, reply.json()["data"])
        return list(found.values())

    def write(
        self,
        object: Object,
        external_id: str,
        values: Mapping[str, Any],
        http: Http,
        *,
        key: str,
        base: Mapping[str, Any],
    ) -> Written:
        """PATCH the record. Pipedrive knows no condition, so it is read before: whoever was faster is not overwritten."""
        if object.code not in _FOLLOWED:
            raise NotImplementedError
        url = f"{_V2}{object.code}/{external_id}"
        now = http.get(url).json()["data"]
        if _moment_of(now) != _moment_of(base):
            raise Fault(FaultKind.CHANGED, _changed(external_id))
        reply = http.send("PATCH", url, json=_body(values))
        return Written(_raw(object, reply.json()["data"]))

    def spell(self, column: Column, value: Any) -> Any:
        """Numbers are JSON numbers, ids whole ones."""
        if isinstance(value, Decimal):
            return int(value) if value == value.to_integral_value() else float(value)
        if column.path in _IDS and value is not None:
            return int(value)
        return super().spell(column, value)

    def said(self, told: Any) -> Said:
        """Pipedrive's own words; a dash where it says none, for what says nothing did not come from Pipedrive."""
        return Said(str(told.get("error") or told.get("message") or "–"))

    def meant(self, reply: Reply, said: Said) -> Verdict | None:
        """A refusal with a page of HTML comes from before Pipedrive: we asked too much and are shut out."""
        if reply.status == 403 and not said.words:
            return Verdict(FaultKind.LIMITED, "403", _SHUT_OUT)
        return None

    def link(self, object: Object, external_id: str, settings: Mapping[str, str]) -> str:
        """The record's page in the company's Pipedrive."""
        site = settings.get("api_domain", "").rstrip("/")
        return f"{site}/{object.link.format(id=external_id)}" if object.link and site else ""

    def _by_cursor(self, object: Object, ask: Ask, http: Http, params: Json) -> Page:
        """A page of version 2. Behind the last page of deals comes the first of the archive."""
        place = ask.position or {"list": object.code, "cursor": None}
        asked = {
            **params,
            "sort_direction": "asc",
            "limit": min(ask.size or _PAGE, _PAGE),
            "cursor": place["cursor"],
        }
        answer = http.get(f"{_V2}{place['list']}", asked).json()
        raws = [_raw(object, row) for row in answer.get("data") or ()]
        cursor = (answer.get("additional_data") or {}).get("next_cursor")
        if cursor:
            return Page(raws, next={"list": place["list"], "cursor": cursor})
        if place["list"] == "deals":
            return Page(raws, next={"list": _ARCHIVE, "cursor": None})
        return Page(raws)

    def _by_number(self, object: Object, ask: Ask, http: Http) -> Page:
        """A page of version 1, in the order of change: the next is asked for from the last moment seen, or by its number,
        with some rows again, while all share that moment. The description of leads takes no direction: where the newest
        come first, it goes by number, and what moves to the front comes with the next sweep."""
        place = ask.position or {"since": _literal(ask.since), "start": 0}
        asked = {
            "sort": "update_time",
            "updated_since": place["since"],
            "start": place["start"],
            "limit": min(ask.size or _PAGE, _PAGE),
        }
        answer = http.get(f"{_V1}{object.code}", asked).json()
        rows = answer.get("data") or []
        raws = [_raw(object, row) for row in rows]
        pages = (answer.get("additional_data") or {}).get("pagination") or {}
        if not rows or not pages.get("more_items_in_collection"):
            return Page(raws)
        first, last = _literal(_moment_of(rows[0])), _literal(_moment_of(rows[-1]))
        if first and last and last >= first and last > (place["since"] or ""):
            return Page(raws, next={"since": last, "start": 0})
        return Page(raws, next={**place, "start": place["start"] + len(rows) - min(_AGAIN, len(rows) // 2)})


# --- Small parts ---------------------------------------------------------------------------------------------------


def _all(http: Http, url: str) -> list[Mapping[str, Any]]:
    """All rows of a list of settings."""
    rows: list[Mapping[str, Any]] = []
    cursor: str | None = None
    for _number in range(_SETTING_PAGES):
        answer = http.get(url, {"limit": _PAGE, "cursor": cursor}).json()
        rows += answer.get("data") or ()
        following = (answer.get("additional_data") or {}).get("next_cursor")
        if not following:
            return rows
        cursor = following
    raise endless(url)


def _custom(field: Mapping[str, Any]) -> list[Column]:
    """The columns of a custom field. Those with options hold the numbers of the options; the label says what they mean."""
    code, kind = str(field["field_code"]), str(field.get("field_type"))
    label, path = str(field.get("field_name") or code), f"custom_fields.{code}"
    if kind == "monetary":
        return [
            Column(f"{path}.value", label, ColumnType.NUMBER),
            Column(f"{path}.currency", f"{label} ({_('currency')})"),
        ]
    options = [f"{each.get('id')} = {each.get('label')}" for each in field.get("options") or ()]
    if options:
        label = f"{label} ({', '.join(options)})"[:200]
    return [Column(path, label, _TYPES.get(kind, ColumnType.TEXT), is_writable=kind in _PLAIN)]


def _share(stage: Mapping[str, Any], stages: Sequence[Mapping[str, Any]]) -> float:
    """How far along a stage is: its probability, or its place where all have the same."""
    alike = sorted(
        (each for each in stages if each.get("pipeline_id") == stage.get("pipeline_id")),
        key=lambda each: (each.get("order_nr") or 0, each["id"]),
    )
    chances = {each.get("deal_probability") for each in alike}
    if len(chances) > 1 and stage.get("deal_probability") is not None:
        return float(stage["deal_probability"]) / 100
    return (alike.index(stage) + 1) / (len(alike) + 1)


def _body(values: Mapping[str, Any]) -> Json:
    """Values by path as Pipedrive is told them."""
    body: Json = {}
    for path, value in values.items():
        head, _dot, rest = path.partition(".")
        if path == "stage" and value in ("won", "lost"):
            body["status"] = value
        elif path == "stage":
            body |= {"status": "open", "stage_id": int(value)}
        elif head == "custom_fields":
            body.setdefault(head, {})[rest] = value
        else:
            body[path] = value
    return body


def _raw(object: Object, row: Mapping[str, Any]) -> Raw:
    return Raw(
        external_id=str(row["id"]),
        version=version_of(_moment_of(row)),
        payload=row,
        is_deleted=bool(row.get("is_deleted")) or (object.code == "notes" and row.get("active_flag") is False),
    )


def _moment_of(row: Mapping[str, Any]) -> datetime | None:
    """When a record was changed last; where it never was, when it was made."""
    return moment(row.get("update_time") or row.get("modified") or row.get("add_time") or row.get("created"))


def _literal(value: datetime | None) -> str | None:
    """A moment as it is asked by: RFC 3339 in UTC, in whole seconds."""
    return iso_of(value) if value else None


def _changed(external_id: str) -> Problem:
    return Problem.of(
        "changed-elsewhere",
        _("The record %(id)s was changed in Pipedrive in the meantime."),
        remedy=_("The change there is brought in first."),
        id=external_id,
    )


VENDOR: Final = Pipedrive()
