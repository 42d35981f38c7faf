"""HubSpot: searches swept by last change and id, the archive for deletions, associations by batches, writing by PATCH."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from salesops.connectors.rules.mapping import RateUnit, Unknown
from salesops.connectors.rules.shapes import moment
from salesops.connectors.vendors.base import (
    BEGINNING,
    Ask,
    Column,
    ColumnType,
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
    gone,
    overtaken,
    version_of,
    zone_of,
)
from salesops.values.outcomes import gettext_noop as _

_OBJECTS: Final = "crm/v3/objects/"
#: Rows of a search, of a list, of a batch, of a batch with history; records of an association batch.
_SEARCHED: Final = 200
_LISTED: Final = 100
_BATCH: Final = 100
_WITH_HISTORY: Final = 50
#: So many more pages of one record's associations are read for the primary one.
_MOST_LINKS: Final = 20
#: A search knows a change about a minute late (60 s after an update): far less than this.
_OVERLAP: Final = timedelta(minutes=5)
#: The property that holds the ids of the records that were merged into this one, joined by semicolons.
_MERGED: Final = "hs_merged_object_ids"
_STAMP: Final = "hs_lastmodifieddate"
_STAMPS: Final[Mapping[str, str]] = {"contacts": "lastmodifieddate"}
#: The label of the association that a person made the main one.
_PRIMARY: Final = "Primary"
#: By the policy that a refusal for too many requests names: how long to wait where no header says it.
_POLICIES: Final[Mapping[str, timedelta]] = {
    "SECONDLY": timedelta(seconds=1),
    "TEN_SECONDLY_ROLLING": timedelta(seconds=10),
    "DAILY": timedelta(hours=1),
}
#: "This account is being moved to another data centre": it passes within a day.
_MOVING: Final = 477

#: Objects of ours that are read from another object's records.
_HISTORY_CODE: Final = "deal_stage_history"
_SPLITS_CODE: Final = "deal_splits"
#: HubSpot's numbers of its objects, in webhooks and in the addresses of its pages.
_NUMBERS: Final[Mapping[str, str]] = {
    "contacts": "0-1", "companies": "0-2", "deals": "0-3", "products": "0-7", "line_items": "0-8", "tasks": "0-27",
    "notes": "0-46", "meetings": "0-47", "calls": "0-48", "emails": "0-49", "leads": "0-136",
}  # fmt: skip
_SINGULAR: Final[Mapping[str, str]] = {name: name.removesuffix("s") for name in _NUMBERS} | {"companies": "company"}

_TYPES: Final[Mapping[str, ColumnType]] = {
    "number": ColumnType.NUMBER,
    "date": ColumnType.DAY,
    "datetime": ColumnType.MOMENT,
    "bool": ColumnType.BOOLEAN,
}
#: Where a record's associations stand among its columns.
_LINK: Final = "associations."


def _columns(*names: str) -> tuple[Column, ...]:
    return (Column("id", "Record ID"), *columns_of(*names))


def _flat(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record with its properties and associations at the top.

    A close date at midnight UTC is a bare day: imports and other systems write it so, and in the account's own zone it
    would be the day before. Companies without a name are called by their domain.
    """
    properties = dict(payload.get("properties") or {})
    closes = properties.get("closedate")
    if isinstance(closes, str) and closes[10:] in ("T00:00:00Z", "T00:00:00.000Z"):
        properties["closedate"] = date.fromisoformat(closes[:10])
    if "domain" in properties and not properties.get("name"):
        properties["name"] = properties["domain"]
    links = {f"{_LINK}{other}": id for other, id in (payload.get("associations") or {}).items()}
    return {**properties, **links, "id": payload.get("id")}


_OWNER: Final = by_id("owner", "hubspot_owner_id")
_ID: Final = Proposal("external_id", "id")

_OWNERS: Final = Object(
    "owners",
    "owners",
    _("Owners"),
    _columns("email", "firstName", "lastName", "userIdIncludingInactive", "archived:boolean"),
    (_ID, Proposal("email", "email"), Proposal("first_name", "firstName"), Proposal("last_name", "lastName")),
    is_whole=True,
)
_PRODUCTS: Final = Object(
    "products",
    "products",
    _("Products"),
    _columns("name", "hs_sku", "hs_product_type", "price:number"),
    (Proposal("name", "name"), Proposal("code", "hs_sku"), Proposal("price", "price", is_rounded=True)),
    overlap=_OVERLAP,
    shape=_flat,
)
_COMPANIES: Final = Object(
    "companies",
    "accounts",
    _("Companies"),
    _columns(
        "name", "domain", "website", "industry", "country", "city", "numberofemployees:number", "annualrevenue:number",
        "hubspot_owner_id", "hs_parent_company_id", "lifecyclestage",
    ),
    (
        _ID,
        Proposal("name", "name"),
        _OWNER,
        by_id("parent", "hs_parent_company_id"),
        Proposal("industry", "industry"),
        Proposal("country", "country"),
        Proposal("city", "city"),
        Proposal("website", "website", clears=False),
        Proposal("employees", "numberofemployees"),
    ),
    overlap=_OVERLAP,
    shape=_flat,
)  # fmt: skip
_CONTACTS: Final = Object(
    "contacts",
    "contacts",
    _("Contacts of companies"),
    _columns("firstname", "lastname", "email", "phone", "jobtitle", "associatedcompanyid", "hubspot_owner_id"),
    (
        _ID,
        Proposal("account", "associatedcompanyid", lookup_by="external_id"),
        Proposal("name", template="{firstname} {lastname}"),
        Proposal("title", "jobtitle"),
        Proposal("email", "email"),
        Proposal("phone", "phone"),
    ),
    overlap=_OVERLAP,
    shape=_flat,
)
_LEADS: Final = Object(
    "leads",
    "leads",
    _("Leads"),
    _columns("hs_lead_name", "hs_lead_source", "hubspot_owner_id", "hs_createdate:moment"),
    (
        _ID,
        Proposal("name", "hs_lead_name"),
        _OWNER,
        by_id("account", f"{_LINK}companies"),
        Proposal("created_on", "hs_createdate", clears=False),
    ),
    overlap=_OVERLAP,
    shape=_flat,
)
_DEALS: Final = Object(
    "deals",
    "deals",
    _("Deals"),
    _columns(
        "dealname", "amount:number", "deal_currency_code", "dealstage", "pipeline", "closedate:moment",
        "createdate:moment", "hubspot_owner_id", "hs_next_step", "closed_lost_reason", "hs_is_closed_won:boolean",
        f"{_LINK}companies", f"{_LINK}contacts",
    ),
    (
        _ID,
        Proposal("name", "dealname"),
        Proposal("account", f"{_LINK}companies", lookup_by="external_id"),
        by_id("contact", f"{_LINK}contacts"),
        _OWNER,
        Proposal("stage", "dealstage"),
        Proposal("amount", "amount", when_blank="0", is_rounded=True),
        Proposal("currency", "deal_currency_code", clears=False),
        Proposal("opened_on", "createdate", clears=False),
        Proposal("closed_on", "closedate", clears=False),
        Proposal("lost_because", "closed_lost_reason"),
        Proposal("next_step", "hs_next_step"),
    ),
    overlap=_OVERLAP,
    shape=_flat,
)  # fmt: skip
_LINES: Final = Object(
    "line_items",
    "deal_lines",
    _("Line items of deals"),
    _columns(
        "name", "quantity:number", "price:number", "amount:number", "hs_discount_percentage:number", "hs_product_id",
        "hs_line_item_currency_code", f"{_LINK}deals",
    ),
    (
        _ID,
        Proposal("deal", f"{_LINK}deals", lookup_by="external_id"),
        Proposal("product", "hs_product_id", on_unknown=Unknown.EMPTY),
        Proposal("quantity", "quantity"),
        Proposal("unit_price", "price", is_rounded=True),
        Proposal("discount", "hs_discount_percentage", rate_unit=RateUnit.PERCENT),
        Proposal("amount", "amount", is_rounded=True),
        Proposal("currency", "hs_line_item_currency_code", clears=False),
        Proposal("note", "name"),
    ),
    overlap=_OVERLAP,
    shape=_flat,
)  # fmt: skip
_SPLITS: Final = Object(
    _SPLITS_CODE,
    "deal_splits",
    _("Splits of deals"),
    _columns("deal", "owner", "share:number"),
    (
        _ID,
        Proposal("deal", "deal", lookup_by="external_id"),
        Proposal("person", "owner", lookup_by="external_id"),
        Proposal("share", "share", rate_unit=RateUnit.PERCENT),
    ),
    # A share that was taken away is told nowhere: only the whole says what is no longer there.
    is_whole=True,
    sweeps_deletes=True,
    is_offered=False,
)
_HISTORY: Final = Object(
    _HISTORY_CODE,
    "stage_changes",
    _("Stage history of deals"),
    _columns("deal", "from_stage", "to_stage", "changed_at:moment"),
    (
        _ID,
        Proposal("deal", "deal", lookup_by="external_id"),
        Proposal("from_stage", "from_stage", on_unknown=Unknown.EMPTY),
        Proposal("to_stage", "to_stage"),
        Proposal("changed_at", "changed_at"),
    ),
    overlap=_OVERLAP,
    is_offered=False,
)


def _activity(code: str, kind: str, label: str, subject: str, note: str, *more: Proposal) -> Object:
    """An engagement: whose it is, when it was, and what it is about."""
    names = [proposal.column for proposal in more if proposal.column]
    return Object(
        code,
        "activities",
        label,
        _columns(
            subject, note, "hs_timestamp:moment", "hubspot_owner_id",
            *(f"{_LINK}{other}" for other in ("deals", "companies", "contacts")), *names,
        ),
        (
            _ID,
            Proposal("kind", constant=kind),
            Proposal("subject", subject),
            Proposal("person", "hubspot_owner_id", lookup_by="external_id"),
            by_id("deal", f"{_LINK}deals"),
            by_id("account", f"{_LINK}companies"),
            by_id("contact", f"{_LINK}contacts"),
            *([] if any(proposal.field == "happened_at" for proposal in more) else [Proposal("happened_at", "hs_timestamp")]),
            *more,
        ),
        overlap=_OVERLAP,
        shape=_flat,
        is_offered=False,
    )  # fmt: skip


_DIRECTIONS: Final = (
    ("INBOUND", "inbound"),
    ("OUTBOUND", "outbound"),
    ("EMAIL", "outbound"),
    ("INCOMING_EMAIL", "inbound"),
)
_CALLS: Final = _activity(
    "calls", "call", _("Calls"), "hs_call_title", "hs_call_body",
    Proposal("direction", "hs_call_direction", choices=_DIRECTIONS),
)  # fmt: skip
_MEETINGS: Final = _activity("meetings", "meeting", _("Meetings"), "hs_meeting_title", "hs_meeting_body")
_EMAILS: Final = _activity(
    "emails", "mail", _("Mails"), "hs_email_subject", "hs_email_status",
    Proposal("direction", "hs_email_direction", choices=_DIRECTIONS),
)  # fmt: skip
_NOTES: Final = _activity("notes", "note", _("Notes"), "hs_note_body", "hs_note_body")
_TASKS: Final = _activity(
    "tasks", "task", _("Tasks"), "hs_task_subject", "hs_task_body",
    Proposal("done_at", "hs_task_completion_date"),
)  # fmt: skip


class HubSpot(Vendor):
    """HubSpot's CRM by its objects, v3, with associations v4."""

    code = "hubspot"
    label = "HubSpot"
    #: One address for all accounts, those in the European data centre too.
    api_url = "https://api.hubapi.com/"
    settings = (
        Setting(
            "private_token",
            _("Token of a private app"),
            hint=_("Instead of signing in: the access token of a private app, with the rights to read its objects."),
            is_secret=True,
            is_required=False,
        ),
    )
    oauth = OAuth(
        authorize_url="https://app.hubspot.com/oauth/authorize",
        token_url="https://api.hubapi.com/oauth/v1/token",  # noqa: S106 - an address
        scopes=(
            "oauth",
            *(f"crm.objects.{name}.read" for name in ("companies", "contacts", "deals", "owners")),
            *(f"crm.schemas.{name}.read" for name in ("companies", "contacts", "deals")),
        ),
        expires_in=timedelta(minutes=30),
        extra=(
            (
                "optional_scope",
                "crm.objects.line_items.read crm.objects.products.read crm.objects.leads.read e-commerce"
                " crm.objects.companies.write crm.objects.contacts.write crm.objects.deals.write",
            ),
        ),
    )
    objects = (
        _OWNERS, _PRODUCTS, _COMPANIES, _CONTACTS, _LEADS, _DEALS, _LINES, _SPLITS, _HISTORY, _CALLS, _MEETINGS, _EMAILS,
        _NOTES, _TASKS,
    )  # fmt: skip
    #: Searches are the narrowest: four to five in a second for each token.
    allowance = (1, 0.25)
    hook_scheme = "hubspot"
    hook_credential = "client_secret"
    hook_words = {word: name for words in (_NUMBERS, _SINGULAR) for name, word in words.items()}
    webhook_help = _(
        "In your app at HubSpot, give this address as the target of its webhooks and subscribe to creation, change,"
        " deletion, restore and merge of the objects. An app has one address for all accounts that use it."
    )

    def sign(self, headers: dict[str, str], http: Http) -> None:
        """A bearer token: of the private app where there is one."""
        headers["Authorization"] = f"Bearer {http.secret('private_token') or http.secret('access_token')}"

    def identify(self, http: Http) -> Identity:
        """The account, with its currency for amounts beside which none stands, and the zone in which its days are meant."""
        told = http.get("account-info/v3/details").json()
        portal = str(told["portalId"])
        settings = {
            "currency": str(told.get("companyCurrency") or ""),
            "time_zone": zone_of(told.get("timeZone")),
            "ui_domain": str(told.get("uiDomain") or ""),
            "portal_id": portal,
        }
        return Identity(portal, f"{self.label} {portal}", settings)

    def columns(self, object: Object, http: Http) -> Sequence[Column]:
        """The known columns that this connection may see, and the account's own. An object that it may not see has none."""
        if object.code == "owners":
            return object.columns
        if object.code == _SPLITS_CODE:
            reply = self._splits([], http, expect=(400, 403, 404))
            return object.columns if reply.status < 400 else ()
        kind = "deals" if object.code == _HISTORY_CODE else object.code
        reply = http.get(f"crm/v3/properties/{kind}", expect=(400, 403, 404))
        if reply.status >= 400:
            return ()
        if object.code == _HISTORY_CODE:
            return object.columns
        found = [column for column in object.columns if column.path == "id" or column.path.startswith(_LINK)]
        for each in reply.json()["results"]:
            name = str(each["name"])
            if object.column(name) is None and each.get("hubspotDefined", False):
                continue
            is_fixed = each.get("calculated") or (each.get("modificationMetadata") or {}).get("readOnlyValue")
            kind = _TYPES.get(str(each.get("type")), ColumnType.TEXT)
            found.append(Column(name, str(each.get("label") or name), kind, is_writable=not is_fixed))
        return found

    def words(self, object: Object, http: Http) -> Mapping[str, Sequence[Word]]:
        """The stages of all pipelines: records name them by their internal id."""
        if object.code not in ("deals", _HISTORY_CODE):
            return {}
        pipelines = http.get("crm/v3/pipelines/deals").json()["results"]
        words = [_word(stage) for pipeline in pipelines for stage in pipeline["stages"] if not stage.get("archived")]
        return {"stage": words, "to_stage": words, "from_stage": words}

    # --- reading

    def read(self, object: Object, ask: Ask, http: Http) -> Page:
        """A page: of owners and of splits by list, of all else by search, by (last change, id)."""
        if object.code == "owners":
            return self._owners(ask, http)
        if object.code == _SPLITS_CODE:
            return self._whole_splits(ask, http)
        if object.code == _HISTORY_CODE:
            rows, following, total = self._search("deals", ask, http, (), most=_WITH_HISTORY)
            return Page(self._stage_changes([str(row["id"]) for row in rows], http), following)
        rows, following, total = self._search(object.code, ask, http, _asked(object, ask.columns))
        return Page(self._raws(object, rows, http), following, total=total)

    def _search(
        self, kind: str, ask: Ask, http: Http, names: Sequence[str], *, most: int = _SEARCHED
    ) -> tuple[list[Any], Json | None, int | None]:
        """The rows of a page, the position of the next, and of the first page how many there will be.

        A search gives no more than ten thousand and can only be sorted by one property, so it is always asked for its
        first page: what changed from a moment on. The last moment of a full page may go on in the next one; it is left
        to that. Where a page holds one moment only (a mass edit), that moment is paged by id.
        """
        stamp = _stamp_of(kind)
        size = max(2, min(ask.size or most, most))
        at = ask.position
        if at and "at" in at:
            filters = [_filter(stamp, "EQ", at["at"]), _filter("hs_object_id", "GT", at["id"])]
            rows, has_more, _total = self._ask(kind, filters, "hs_object_id", names, size, http)
            if has_more and rows:
                return rows, {"at": at["at"], "id": str(rows[-1]["id"])}, None
            return rows, {"from": at["at"] + 1}, None
        filters = []
        since = at["from"] if at else _millis(ask.since) if ask.since else None
        if since is not None:
            filters.append(_filter(stamp, "GTE", since))
        if ask.until is not None:
            filters.append(_filter(stamp, "LT", _millis(ask.until)))
        if kind == "contacts":
            # Those who belong to no company have no place here; they come when they get one, which is a change.
            filters.append({"propertyName": "associatedcompanyid", "operator": "HAS_PROPERTY"})
        rows, has_more, total = self._ask(kind, filters, stamp, names, size, http)
        if at:
            total = None
        if not has_more or not rows:
            return rows, None, total
        last = _millis(_changed(kind, rows[-1]))
        before = [row for row in rows if _millis(_changed(kind, row)) < last]
        return before, ({"from": last} if before else {"at": last, "id": "0"}), total

    def _ask(
        self, kind: str, filters: Sequence[Json], sort: str, names: Sequence[str], size: int, http: Http
    ) -> tuple[list[Any], bool, int | None]:
        asked = {
            "filterGroups": [{"filters": list(filters)}] if filters else [],
            "sorts": [{"propertyName": sort, "direction": "ASCENDING"}],
            "properties": [*dict.fromkeys([_stamp_of(kind), *names])],
            "limit": size,
        }
        answer = http.send("POST", f"{_OBJECTS}{kind}/search", json=asked, is_safe=True).json()
        rows = answer["results"]
        return rows, len(rows) >= size or _next(answer) is not None, answer.get("total")

    def _raws(self, object: Object, rows: Sequence[Any], http: Http) -> list[Raw]:
        """Records with the ids of what they belong to; those that were merged into them come after them."""
        links = self._links(object, [str(row["id"]) for row in rows], http)
        raws, merged = [], []
        for row in rows:
            id = str(row["id"])
            payload = {name: row[name] for name in ("id", "properties", "createdAt", "updatedAt") if name in row}
            if object.code in _LINKS:
                payload["associations"] = links.get(id, {})
            version = version_of(_changed(object.code, row))
            raws.append(Raw(id, version, payload))
            gone = str(row["properties"].get(_MERGED) or "").replace(",", ";").split(";")
            merged += [
                Raw(loser, version, {}, merged_into=id) for each in gone if (loser := each.strip()) and loser != id
            ]
        return raws + merged

    def _links(self, object: Object, ids: Sequence[str], http: Http) -> dict[str, dict[str, str]]:
        """By record and other object: the one that it belongs to, which is the primary one or else the first. Lists and
        searches do not tell all of them."""
        found: dict[str, dict[str, str]] = {}
        for other in _LINKS.get(object.code, ()):
            waiting: list[Json] = [{"id": id} for id in ids]
            for _round in range(_MOST_LINKS):
                if not waiting:
                    break
                url = f"crm/v4/associations/{object.code}/{other}/batch/read"
                answer = http.send("POST", url, json={"inputs": waiting}, is_safe=True).json()
                waiting = []
                for each in answer["results"]:
                    id = str(each["from"]["id"])
                    mine = found.setdefault(id, {})
                    main = [
                        one
                        for one in each["to"]
                        if any(kind.get("label") == _PRIMARY for kind in one["associationTypes"])
                    ]
                    if main:
                        mine[other] = str(main[0]["toObjectId"])
                    elif each["to"]:
                        mine.setdefault(other, str(each["to"][0]["toObjectId"]))
                    if not main and (after := _next(each)) is not None:
                        waiting.append({"id": id, "after": after})
        return found

    def _owners(self, ask: Ask, http: Http) -> Page:
        """Owners, then those who left: their deals still name them."""
        at = ask.position or {"archived": False, "after": None}
        asked = {"limit": _LISTED, "archived": at["archived"], "after": at["after"]}
        answer = http.get("crm/v3/owners/", asked).json()
        raws = [Raw(str(row["id"]), version_of(moment(row.get("updatedAt"))), row) for row in answer["results"]]
        after = _next(answer)
        if after is not None:
            return Page(raws, {"archived": at["archived"], "after": after})
        return Page(raws, None if at["archived"] else {"archived": True, "after": None})

    def _splits(self, ids: Sequence[str], http: Http, *, expect: Sequence[int] = ()) -> Reply:
        asked = {"inputs": [{"id": id} for id in ids]}
        return http.send("POST", "crm/objects/v3/deals/splits/batch/read", json=asked, expect=expect, is_safe=True)

    def _whole_splits(self, ask: Ask, http: Http) -> Page:
        """The splits of a page of deals, in the order of their ids."""
        deals, following = self._list("deals", ask, http)
        if not deals:
            return Page([], following)
        raws = []
        for deal in self._splits([str(each["id"]) for each in deals], http).json()["results"]:
            for each in deal.get("splits") or []:
                properties = each["properties"]
                payload = {
                    "id": str(each["id"]),
                    "deal": str(deal["id"]),
                    "owner": properties.get("hubspot_owner_id"),
                    "share": properties.get("hs_deal_split_percentage"),
                }
                raws.append(Raw(payload["id"], version_of(moment(each.get("updatedAt"))), payload))
        return Page(raws, following)

    def _stage_changes(self, ids: Sequence[str], http: Http) -> list[Raw]:
        """Every stage that deals were in, from the history of that property."""
        if not ids:
            return []
        asked = {
            "inputs": [{"id": id} for id in ids],
            "properties": ["dealstage"],
            "propertiesWithHistory": ["dealstage"],
        }
        answer = http.send("POST", f"{_OBJECTS}deals/batch/read", json=asked, is_safe=True).json()
        raws = []
        for deal in answer["results"]:
            past = sorted(
                (deal.get("propertiesWithHistory") or {}).get("dealstage") or [],
                key=lambda entry: moment(entry["timestamp"]) or BEGINNING,
            )
            before = None
            for entry in past:
                at = moment(entry["timestamp"]) or BEGINNING
                id = f"{deal['id']}:{_millis(at)}"
                payload = {
                    "id": id,
                    "deal": str(deal["id"]),
                    "from_stage": before,
                    "to_stage": entry["value"],
                    "changed_at": entry["timestamp"],
                }
                raws.append(Raw(id, version_of(at), payload))
                before = entry["value"]
        return raws

    def _list(self, kind: str, ask: Ask, http: Http, **more: Any) -> tuple[list[Any], Json | None]:
        """A page of the plain list in the order of ids."""
        asked = {"limit": min(ask.size or _LISTED, _LISTED), "after": (ask.position or {}).get("after"), **more}
        answer = http.get(f"{_OBJECTS}{kind}", {**asked, "properties": "hs_object_id"}).json()
        after = _next(answer)
        return answer["results"], None if after is None else {"after": after}

    def deletions(self, object: Object, ask: Ask, http: Http) -> Page | None:
        """The archive, all of it: it cannot be asked by time, and a search never shows what is in it."""
        if object.code not in _NUMBERS:
            return None
        rows, following = self._list(object.code, ask, http, archived=True)
        return Page([_archived(row) for row in rows], following)

    def fetch(self, object: Object, external_ids: Sequence[str], http: Http, columns: Sequence[str] = ()) -> list[Raw]:
        """Records by id. One that was merged is answered with its winner, one in the archive as deleted."""
        if object.code not in _NUMBERS:
            raise NotImplementedError
        url = f"{_OBJECTS}{object.code}/batch/read"
        names = [_stamp_of(object.code), *_asked(object, columns)]
        asked = {"inputs": [{"id": id} for id in external_ids], "properties": [*dict.fromkeys(names)]}
        rows = http.send("POST", url, json=asked, is_safe=True).json()["results"]
        found = {raw.external_id: raw for raw in self._raws(object, rows, http)}
        lacking = [id for id in external_ids if id not in found]
        if lacking:
            asked = {"inputs": [{"id": id} for id in lacking], "properties": ["hs_object_id"]}
            rows = http.send("POST", url, params={"archived": True}, json=asked, is_safe=True).json()["results"]
            found |= {str(row["id"]): _archived(row) for row in rows}
        return list(found.values())

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
        """PATCH the record, unless one of these properties was changed since it was read: HubSpot checks no version."""
        if object.code not in _NUMBERS:
            raise NotImplementedError
        url = f"{_OBJECTS}{object.code}/{external_id}"
        now = http.get(url, {"properties": ",".join(values)}).json()["properties"]
        seen = base.get("properties") or {}
        changed = sorted(name for name in values if (now.get(name) or "") != (seen.get(name) or ""))
        if changed:
            raise overtaken(self.label, changed)
        http.send("PATCH", url, json={"properties": dict(values)}, is_safe=True)
        found = self.fetch(object, [external_id], http, [*seen])
        return Written(next((raw for raw in found if raw.external_id == external_id), None))

    def spell(self, column: Column, value: Any) -> Any:
        """Empty text takes a value away; a day in a property with a time is its midnight UTC."""
        if value is None:
            return ""
        if column.type is ColumnType.MOMENT and isinstance(value, date) and not isinstance(value, datetime):
            return f"{value.isoformat()}T00:00:00.000Z"
        return super().spell(column, value)

    def said(self, told: Any) -> Said:
        """The words, and the policy whose limit was reached."""
        return Said(str(told.get("message") or ""), str(told.get("policyName") or ""))

    def meant(self, reply: Reply, said: Said) -> Verdict | None:
        """Refusals name the limit that was reached, and only some say for how long."""
        if reply.status == 429 and "retry-after" not in reply.headers:
            return Verdict(FaultKind.LIMITED, said.words, _POLICIES.get(said.code))
        if reply.status == _MOVING:
            return Verdict(FaultKind.PASSING, said.words)
        return None

    def link(self, object: Object, external_id: str, settings: Mapping[str, str]) -> str:
        """The record's page in the data centre of the account."""
        if object.code not in _NUMBERS or "portal_id" not in settings:
            return ""
        domain = settings.get("ui_domain") or "app.hubspot.com"
        return f"https://{domain}/contacts/{settings['portal_id']}/record/{_NUMBERS[object.code]}/{external_id}"


#: By object: what its records belong to, as far as no property says it.
_LINKS: Final[Mapping[str, tuple[str, ...]]] = {
    each.code: tuple(column.path.removeprefix(_LINK) for column in each.columns if column.path.startswith(_LINK))
    for each in HubSpot.objects
    if any(column.path.startswith(_LINK) for column in each.columns)
} | {"leads": ("companies",)}


def _stamp_of(kind: str) -> str:
    return _STAMPS.get(kind, _STAMP)


def _asked(object: Object, columns: Iterable[str]) -> list[str]:
    """The properties to ask for: only those that are named come."""
    names = [column.path for column in object.columns] + list(columns) + [_MERGED]
    return [name for name in dict.fromkeys(names) if name != "id" and not name.startswith(_LINK)]


def _changed(kind: str, row: Mapping[str, Any]) -> datetime:
    told = row["properties"].get(_stamp_of(kind)) or row.get("updatedAt")
    return moment(told) or BEGINNING


def _archived(row: Mapping[str, Any]) -> Raw:
    return gone(str(row["id"]), moment(row.get("archivedAt")) or moment(row.get("updatedAt")))


def _millis(at: datetime) -> int:
    """Milliseconds since 1970, cut off: as searches compare moments."""
    return int((at.astimezone(UTC) - BEGINNING) / timedelta(milliseconds=1))


def _filter(name: str, operator: str, value: Any) -> Json:
    return {"propertyName": name, "operator": operator, "value": str(value)}


def _next(answer: Mapping[str, Any]) -> str | None:
    after = ((answer.get("paging") or {}).get("next") or {}).get("after")
    return None if after is None else str(after)


def _word(stage: Mapping[str, Any]) -> Word:
    told = stage.get("metadata") or {}
    share = float(told.get("probability") or 0)
    is_closed = str(told.get("isClosed")).lower() == "true"
    return Word(
        str(stage["id"]), str(stage["label"]), ("won" if share >= 1 else "lost") if is_closed else "open", share
    )


VENDOR: Final = HubSpot()
