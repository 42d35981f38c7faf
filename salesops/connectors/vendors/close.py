"""Close: lists and searches swept by last change, the event log for what was deleted, merged or edited, writing by PUT."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from salesops.connectors.rules.mapping import Unknown
from salesops.connectors.rules.shapes import moment
from salesops.connectors.vendors.base import (
    BEGINNING,
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
    basic,
    by_id,
    columns_of,
    overtaken,
    version_of,
)
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

#: Rows of a list, of a search, of the event log.
_LISTED: Final = 100
_SEARCHED: Final = 200
_EVENTS: Final = 50
#: How far back the event log reaches, less an hour for clocks.
_REACH: Final = timedelta(days=30) - timedelta(hours=1)
#: By how much the value of an opportunity counts for a year; `annualized_value` says the same.
_TIMES_A_YEAR: Final[Mapping[str, int]] = {"one_time": 1, "monthly": 12, "annual": 1}
#: What an opportunity's record is asked for beside its columns, to say what it is worth and when it closes.
_OF_VALUE: Final = ("value", "value_period", "annualized_value", "status_type", "date_won", "date_lost", "lead_name")


def _columns(*names: str) -> tuple[Column, ...]:
    return (Column("id", "Id"), *columns_of(*names))


def opportunity(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """An opportunity with what it is worth and its day.

    amount: a value is per period; what recurs counts for a year, as Close's own totals count it. closes: of an open or a
    won one `date_won`, which until then is the day on which it is expected; of a lost one `date_lost`.
    """
    value, yearly = payload.get("value"), payload.get("annualized_value")
    if yearly is None and value is not None:
        yearly = value * _TIMES_A_YEAR.get(str(payload.get("value_period")), 1)
    is_lost = payload.get("status_type") == "lost"
    closes = (payload.get("date_lost") if is_lost else None) or payload.get("date_won")
    title = payload.get("lead_name") or str(payload.get("note") or "").strip().partition("\n")[0][:200]
    return {**payload, "amount": yearly, "closes": closes, "title": title}


_ID: Final = Proposal("external_id", "id")

_USERS: Final = Object(
    "user",
    "owners",
    _("Users"),
    _columns("email", "first_name", "last_name"),
    (_ID, Proposal("email", "email"), Proposal("first_name", "first_name"), Proposal("last_name", "last_name")),
    is_whole=True,
)
#: What Close calls a lead is a company.
_LEADS: Final = Object(
    "lead",
    "accounts",
    _("Leads (companies)"),
    _columns("name", "url", "status_label", "addresses.0.city", "addresses.0.country", "description"),
    (
        _ID,
        Proposal("name", "name"),
        Proposal("website", "url", clears=False),
        Proposal("country", "addresses.0.country"),
        Proposal("city", "addresses.0.city"),
    ),
    sweeps_deletes=True,
    link="https://app.close.com/lead/{id}/",
)
_CONTACTS: Final = Object(
    "contact",
    "contacts",
    _("Contacts"),
    _columns("lead_id", "name", "title", "emails.0.email", "phones.0.phone"),
    (
        _ID,
        Proposal("account", "lead_id", lookup_by="external_id"),
        Proposal("name", "name"),
        Proposal("title", "title"),
        Proposal("email", "emails.0.email"),
        Proposal("phone", "phones.0.phone"),
    ),
    sweeps_deletes=True,
)
_OPPORTUNITIES: Final = Object(
    "opportunity",
    "deals",
    _("Opportunities"),
    (
        *_columns(
            "title", "lead_id", "contact_id", "user_id", "status_id", "pipeline_id", "value_currency", "value_period",
            "confidence:number", "closes:day", "date_created:moment",
        ),
        Column("note", "note", is_writable=True),
        Column("amount", "amount", ColumnType.MINOR, currency_column="value_currency", is_writable=True),
    ),
    (
        _ID,
        Proposal("name", "title"),
        Proposal("account", "lead_id", lookup_by="external_id"),
        by_id("contact", "contact_id"),
        by_id("owner", "user_id"),
        Proposal("stage", "status_id"),
        Proposal("amount", "amount", when_blank="0"),
        Proposal("currency", "value_currency", clears=False),
        Proposal("opened_on", "date_created", clears=False),
        Proposal("closed_on", "closes", clears=False),
        Proposal("note", "note"),
    ),
    shape=opportunity,
    sweeps_deletes=True,
)  # fmt: skip
_STATUS_CHANGES: Final = Object(
    "status_change",
    "stage_changes",
    _("Status changes of opportunities"),
    _columns("opportunity_id", "old_status_id", "new_status_id", "user_id", "date_created:moment"),
    (
        _ID,
        Proposal("deal", "opportunity_id", lookup_by="external_id"),
        Proposal("from_stage", "old_status_id", on_unknown=Unknown.EMPTY),
        Proposal("to_stage", "new_status_id"),
        Proposal("changed_at", "date_created"),
        by_id("changed_by", "user_id"),
    ),
    is_offered=False,
)
_DIRECTIONS: Final = (("incoming", "inbound"), ("outgoing", "outbound"))


def _activity(code: str, kind: str, label: str, subject: str, *more: Proposal) -> Object:
    """An activity: who did it, when, and with which company."""
    names = [proposal.column or "" for proposal in more]
    return Object(
        code,
        "activities",
        label,
        _columns("user_id", "lead_id", "contact_id", "activity_at:moment", subject, *names),
        (
            _ID,
            Proposal("kind", constant=kind),
            Proposal("subject", subject),
            Proposal("person", "user_id", lookup_by="external_id"),
            by_id("account", "lead_id"),
            by_id("contact", "contact_id"),
            Proposal("happened_at", "activity_at"),
            *more,
        ),
        is_offered=False,
    )


_CALLS: Final = _activity(
    "call", "call", _("Calls"), "note",
    Proposal("duration_seconds", "duration"), Proposal("direction", "direction", choices=_DIRECTIONS),
)  # fmt: skip
_EMAILS: Final = _activity(
    "email", "mail", _("Mails"), "subject", Proposal("direction", "direction", choices=_DIRECTIONS)
)
_MEETINGS: Final = _activity("meeting", "meeting", _("Meetings"), "title")
_NOTES: Final = _activity("note", "note", _("Notes"), "note")

#: Where each object is listed.
_LISTS: Final[Mapping[str, str]] = {
    "user": "user/",
    "opportunity": "opportunity/",
    "status_change": "activity/status_change/opportunity/",
    **{name: f"activity/{name}/" for name in ("call", "email", "meeting", "note")},
}
#: What the event log and webhooks call them.
_EVENT_TYPES: Final[Mapping[str, str]] = {
    "lead": "lead",
    "contact": "contact",
    "opportunity": "opportunity",
    "status_change": "status_change.opportunity",
    **{name: f"activity.{name}" for name in ("call", "email", "meeting", "note")},
}
#: By object: which entries of the log say what a sweep does not. Lists of activities cannot be asked for edits.
_TOLD_BY_LOG: Final[Mapping[str, tuple[str, ...]]] = {
    "lead": ("deleted", "merged"),
    "contact": ("deleted",),
    "opportunity": ("deleted",),
    "status_change": ("deleted",),
    **dict.fromkeys(("call", "email", "meeting", "note"), ("deleted", "updated")),
}


class Close(Vendor):
    """Close by its API, v1."""

    code = "close"
    label = "Close"
    #: Every address ends with a slash.
    api_url = "https://api.close.com/api/v1/"
    settings = (
        Setting(
            "api_key",
            _("API key"),
            hint=_("Instead of signing in: a key from Settings, Developer, API keys."),
            is_secret=True,
            is_required=False,
        ),
    )
    oauth = OAuth(
        authorize_url="https://app.close.com/oauth2/authorize/",
        token_url="https://api.close.com/oauth2/token/",  # noqa: S106 - an address
        scopes=("all.full_access", "offline_access"),
        rotates=True,
        expires_in=timedelta(hours=1),
    )
    objects = (
        _USERS, _LEADS, _CONTACTS, _OPPORTUNITIES, _STATUS_CHANGES, _CALLS, _EMAILS, _MEETINGS, _NOTES,
    )  # fmt: skip
    allowance = (10, 1.0)
    hook_scheme = "close"
    hook_words = {word: name for name, word in _EVENT_TYPES.items()} | {
        "activity.opportunity_status_change": "status_change"
    }
    webhook_help = _(
        "Make a webhook subscription at Close with this address for the created, updated, deleted and merged events of the"
        " objects, and keep its signature key here. Close pauses a subscription whose address fails for three days."
    )

    def sign(self, headers: dict[str, str], http: Http) -> None:
        """The API key as the user of HTTP Basic where there is one, else a bearer token."""
        if key := http.secret("api_key"):
            headers["Authorization"] = basic(key)
        else:
            super().sign(headers, http)

    def identify(self, http: Http) -> Identity:
        """The organisation of the person or key, with its currency."""
        found = http.get("me/").json().get("organizations") or [{}]
        organization = found[0]
        settings = {"currency": str(organization.get("currency") or "")}
        return Identity(str(organization.get("id", "")), str(organization.get("name", "")), settings)

    def columns(self, object: Object, http: Http) -> Sequence[Column]:
        """The known columns and the organisation's own fields."""
        if object.code not in ("lead", "contact", "opportunity"):
            return object.columns
        reply = http.get(f"custom_field/{object.code}/", expect=(403, 404))
        own = reply.json()["data"] if reply.status < 400 else []
        return [
            *object.columns,
            *(Column(f"custom.{each['id']}", str(each.get("name") or each["id"])) for each in own),
        ]

    def words(self, object: Object, http: Http) -> Mapping[str, Sequence[Word]]:
        """The statuses of all pipelines, by id; what is open is as far along as its place says."""
        if object.code not in ("opportunity", "status_change"):
            return {}
        words = []
        for pipeline in http.get("pipeline/").json()["data"]:
            active = [status["id"] for status in pipeline["statuses"] if status["type"] == "active"]
            for status in pipeline["statuses"]:
                kind = {"active": "open"}.get(status["type"], status["type"])
                share = (active.index(status["id"]) + 1) / (len(active) + 1) if kind == "open" else float(kind == "won")
                words.append(Word(status["id"], status["label"], kind, share))
        return {"stage": words, "to_stage": words, "from_stage": words}

    # --- reading

    def read(self, object: Object, ask: Ask, http: Http) -> Page:
        """A page by (last change, order within it); of activities by the moment of their making. Raises Fault GONE when
        the event log no longer reaches back to the last sweep: what was deleted since would never be told."""
        if object.code == "user":
            return self._users(ask, http)
        search = object.code in ("lead", "contact")
        stamp = "date_updated" if search or object.code == "opportunity" else "date_created"
        names = _asked(object, ask.columns)
        question = self._searched if search else self._listed
        most = _SEARCHED if search else _LISTED

        def asked(limits: Json, position: Any, size: int) -> tuple[list[Any], Any]:
            return question(object.code, stamp, limits, position, names, size, http)

        page = _by_moment(ask, stamp, most, asked)
        if ask.since is not None and ask.position is None:
            now = http.vendor_time or ask.asked_at
            if now - ask.since > _REACH:
                raise Fault(
                    FaultKind.GONE,
                    Problem.of(
                        "log-too-short",
                        _("The event log of Close reaches back thirty days, and the last sync was before that."),
                        remedy=_("Nothing needs to be done: everything is read once more."),
                    ),
                )
        return page

    def _users(self, ask: Ask, http: Http) -> Page:
        skip = (ask.position or {}).get("skip", 0)
        answer = http.get("user/", {"_skip": skip, "_limit": _LISTED}).json()
        raws = [_raw(row) for row in answer["data"]]
        return Page(raws, {"skip": skip + _LISTED} if answer.get("has_more") else None)

    def _listed(
        self, code: str, stamp: str, limits: Json, position: Any, names: Sequence[str], size: int, http: Http
    ) -> tuple[list[Any], Any]:
        """Rows of a list between limits, oldest first, and where those behind them begin.

        A row that leaves the list moves all behind it: the last row seen is asked for once more, and where it stands
        elsewhere the list is read from its beginning.
        """
        skip = position["skip"] - 1 if position else 0
        answer = http.get(
            _LISTS[code],
            {
                **{f"{stamp}__{sign}": value for sign, value in limits.items()},
                "_order_by": stamp,
                "_skip": skip,
                "_limit": size,
                "_fields": ",".join(names),
            },
        ).json()
        rows = answer["data"]
        following = {"skip": skip + len(rows), "last": rows[-1]["id"]} if answer.get("has_more") and rows else None
        if position is None:
            return rows, following
        if not rows or rows[0]["id"] != position["last"]:
            return self._listed(code, stamp, limits, None, names, size, http)
        return rows[1:], following

    def _searched(
        self, code: str, stamp: str, limits: Json, position: Any, names: Sequence[str], size: int, http: Http
    ) -> tuple[list[Any], Any]:
        """Rows of a search between limits, oldest first, and the cursor of those behind them."""
        field = {"type": "regular_field", "object_type": code, "field_name": stamp}
        queries: list[Json] = [{"type": "object_type", "object_type": code}]
        if limits:
            words = {"gte": "on_or_after", "lte": "on_or_before", "lt": "before"}
            fixed = {words[sign]: {"type": "fixed_utc", "value": value} for sign, value in limits.items()}
            condition = {"type": "moment_range", **fixed}
            queries.append({"type": "field_condition", "field": field, "condition": condition})
        asked = {
            "query": {"type": "and", "queries": queries},
            "sort": [{"direction": "asc", "field": field}],
            "_fields": {code: list(names)},
            "_limit": size,
            **({"cursor": position} if position else {}),
        }
        answer = http.send("POST", "data/search/", json=asked, is_safe=True).json()
        return answer["data"], answer.get("cursor") or None

    def deletions(self, object: Object, ask: Ask, http: Http) -> Page | None:
        """A page of the event log, the newest first: what was deleted and merged, and of activities what was edited."""
        actions = _TOLD_BY_LOG.get(object.code, ())
        at = ask.position or {"action": 0, "cursor": None}
        if at["action"] >= len(actions):
            return None
        action = actions[at["action"]]
        asked: Json = {"object_type": _EVENT_TYPES[object.code], "action": action, "_limit": _EVENTS}
        if at["cursor"]:
            asked["_cursor"] = at["cursor"]
        elif ask.since is not None:
            asked["date_updated__gte"] = _iso(ask.since)
        answer = http.get("event/", asked).json()
        events = answer["data"]
        since = ask.since or BEGINNING
        recent = [event for event in events if _happened(event) >= since]
        cursor = answer.get("cursor_next")
        following: Json | None = {"action": at["action"], "cursor": cursor}
        if not cursor or len(recent) < len(events):
            # The cursor forgets the moment that was asked for: behind it lies what the sweep before has seen.
            is_last = at["action"] + 1 >= len(actions)
            following = None if is_last else {"action": at["action"] + 1, "cursor": None}
        if action == "updated":
            ids = [*dict.fromkeys(str(event["object_id"]) for event in recent)]
            return Page(self.fetch(object, ids, http, ask.columns), following)
        return Page([_gone(event) for event in recent], following)

    def fetch(self, object: Object, external_ids: Sequence[str], http: Http, columns: Sequence[str] = ()) -> list[Raw]:
        """The records of these ids, one by one. What is not there is left out: it may be merged, which the log says."""
        names = _asked(object, columns)
        raws = []
        for id in external_ids:
            reply = http.get(f"{_address(object.code)}{id}/", {"_fields": ",".join(names)}, expect=(404,))
            if reply.status != 404:
                row = reply.json()
                # Not every address of a single record heeds `_fields`.
                raws.append(_raw({name: row[name] for name in names if name in row}))
        return raws

    # --- writing

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
        """PUT what changes, unless somebody changed it since it was read: Close checks no version. An amount is written
        back as the value of its period."""
        if object.code not in ("lead", "contact", "opportunity"):
            raise NotImplementedError
        values = dict(values)
        if "amount" in values:
            values["value"] = self._of_period(values.pop("amount"), base)
        url = f"{_address(object.code)}{external_id}/"
        now = http.get(url).json()
        changed = sorted(name for name in (*values, "value_period") if now.get(name) != base.get(name))
        if changed:
            raise overtaken(self.label, changed)
        http.send("PUT", url, json=values, is_safe=True)
        names = tuple(name for name in base if name not in _asked(object, ()))
        found = self.fetch(object, [external_id], http, names)
        return Written(found[0] if found else None)

    def _of_period(self, yearly: int | None, base: Mapping[str, Any]) -> int | None:
        times = _TIMES_A_YEAR.get(str(base.get("value_period")), 1)
        if yearly is not None and yearly % times:
            raise Fault(
                FaultKind.REFUSED,
                Problem.of(
                    "not-a-monthly-value",
                    _(
                        "The amount cannot be written to Close: it is monthly there, and the year's amount has no twelfth part."
                    ),
                    remedy=_("Enter an amount that can be divided by twelve, or change the value at Close."),
                ),
            )
        return None if yearly is None else yearly // times

    def said(self, told: Any) -> Said:
        """All that Close says: of the request, and of each field."""
        parts = [
            str(told.get("error") or ""),
            *map(str, told.get("errors") or ()),
            *(f"{name}: {words}" for name, words in (told.get("field-errors") or {}).items()),
        ]
        return Said("; ".join(part for part in parts if part))

    def meant(self, reply: Reply, said: Said) -> Verdict | None:
        """402 is a plan that does not include it; a cursor that is no longer known means to begin anew."""
        if reply.status == 402:
            return Verdict(FaultKind.FORBIDDEN, said.words)
        if reply.status == 400 and "cursor" in said.words.lower():
            return Verdict(FaultKind.GONE, said.words)
        return None


#: A question between limits from a position on, so many rows of it: the rows, and the position behind them or None.
_Question = Callable[[Json, Any, int], tuple[list[Any], Any]]


def _by_moment(ask: Ask, stamp: str, most: int, question: _Question) -> Page:
    """A page of what changed from a moment on, so that nothing is lost that changes while paging.

    Always the first rows from a moment on: `_skip` is capped and shifts. The last moment of a full page may go on in the
    next one; it is left to that. Where a page holds one moment only, that moment is read by positions: rows can leave it,
    but none can come into it.
    """
    size = max(2, min(ask.size or most, most))
    at = ask.position or {}
    if "at" in at:
        rows, behind = question({"gte": at["at"], "lte": at["at"]}, at["position"], most)
        raws = [_raw(row) for row in rows]
        if behind is not None and rows:
            return Page(raws, {"at": at["at"], "position": behind})
        after = (moment(at["at"]) or BEGINNING) + timedelta(microseconds=1)
        return Page(raws, {"from": _iso(after)})
    limits: Json = {}
    if "from" in at:
        limits["gte"] = at["from"]
    elif ask.since is not None:
        limits["gte"] = _iso(ask.since)
    if ask.until is not None:
        limits["lt"] = _iso(ask.until)
    rows, behind = question(limits, None, size)
    if not rows or (behind is None and len(rows) < size):
        return Page([_raw(row) for row in rows])
    last = moment(rows[-1][stamp])
    before = [row for row in rows if moment(row[stamp]) != last]
    start = _iso(last or BEGINNING)
    return Page([_raw(row) for row in before], {"from": start} if before else {"at": start, "position": None})


def _asked(object: Object, columns: Sequence[str]) -> list[str]:
    """The fields to ask for: leads would bring all that hangs under them."""
    names = [column.path for column in object.columns] + list(columns)
    names = [name if name.startswith("custom.") else name.partition(".")[0] for name in names]
    names += ["date_created", "date_updated"]
    if object.code == "opportunity":
        names = [name for name in (*names, *_OF_VALUE) if name not in ("amount", "closes", "title")]
    return [*dict.fromkeys(names)]


def _address(code: str) -> str:
    return _LISTS.get(code) or f"{code}/"


def _raw(row: Mapping[str, Any]) -> Raw:
    payload = {name: value for name, value in row.items() if name != "__object_type"}
    return Raw(str(row["id"]), version_of(moment(row.get("date_updated") or row.get("date_created"))), payload)


def _happened(event: Mapping[str, Any]) -> datetime:
    """When something happened; the log writes moments in UTC without saying so."""
    return moment(event.get("date_updated") or event.get("date_created")) or BEGINNING


def _gone(event: Mapping[str, Any]) -> Raw:
    meta = event.get("meta") or {}
    into = str(meta.get("merge_destination_lead_id") or "") if event["action"] == "merged" else ""
    id = str((meta.get("merge_source_lead_id") if into else None) or event["object_id"])
    return Raw(id, version_of(_happened(event)), {}, is_deleted=not into, merged_into=into)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


VENDOR: Final = Close()
