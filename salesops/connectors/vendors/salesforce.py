"""Salesforce: SOQL swept by system stamp and id, deletions and merges with the rows, writing back by PATCH."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from salesops.connectors.rules.mapping import RateUnit
from salesops.connectors.rules.shapes import iso_of, moment
from salesops.connectors.vendors.base import (
    BEGINNING,
    Ask,
    Column,
    ColumnType,
    Fault,
    FaultKind,
    Http,
    Identity,
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
)
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

_API: Final = "services/data/v60.0/"
#: Rows of a page.
_PAGE: Final = 2_000
#: How far back the log of deletions reaches.
_DELETED_REACH: Final = timedelta(days=15)
#: Objects whose losers of a merge name their winner.
_MERGED: Final = frozenset({"Account", "Contact", "Lead"})
#: Objects that are never deleted, and have no column that says so.
_STAYS: Final = frozenset({"User"})
#: What a day's exhausted allowance is answered with, beside 429.
_LIMIT_CODES: Final = ("REQUEST_LIMIT_EXCEEDED", "TOTAL_REQUESTS_LIMIT_EXCEEDED")
#: How long to leave an org alone whose allowance of 24 rolling hours is spent.
_LIMIT_WAIT: Final = timedelta(minutes=30)

_TYPES: Final[Mapping[str, ColumnType]] = {
    "currency": ColumnType.NUMBER,
    "double": ColumnType.NUMBER,
    "int": ColumnType.NUMBER,
    "percent": ColumnType.NUMBER,
    "date": ColumnType.DAY,
    "datetime": ColumnType.MOMENT,
    "boolean": ColumnType.BOOLEAN,
}


def _columns(*names: str) -> tuple[Column, ...]:
    return (Column("Id", "Id"), *columns_of(*names))


_OWNERS: Final = Object(
    "User",
    "owners",
    _("Users"),
    _columns("Name", "Email", "IsActive:boolean"),
    (Proposal("external_id", "Id"), Proposal("email", "Email"), Proposal("name", "Name")),
)
_PRODUCTS: Final = Object(
    "Product2",
    "products",
    _("Products"),
    _columns("Name", "ProductCode", "Family", "IsActive:boolean"),
    (Proposal("name", "Name"), Proposal("code", "ProductCode"), Proposal("series", "Family")),
)
_ACCOUNTS: Final = Object(
    "Account",
    "accounts",
    _("Accounts"),
    _columns(
        "Name", "ParentId", "OwnerId", "Industry", "BillingCountry", "BillingCity", "Website",
        "NumberOfEmployees:number", "AnnualRevenue:number", "Type",
    ),
    (
        Proposal("external_id", "Id"),
        Proposal("name", "Name"),
        by_id("owner", "OwnerId"),
        by_id("parent", "ParentId"),
        Proposal("industry", "Industry"),
        Proposal("country", "BillingCountry"),
        Proposal("city", "BillingCity"),
        Proposal("website", "Website", clears=False),
        Proposal("employees", "NumberOfEmployees"),
    ),
    link="{base}{id}",
)  # fmt: skip
_CONTACTS: Final = Object(
    "Contact",
    "contacts",
    _("Contacts"),
    _columns("AccountId", "Name", "Title", "Email", "Phone"),
    (
        Proposal("external_id", "Id"),
        Proposal("account", "AccountId", lookup_by="external_id"),
        Proposal("name", "Name"),
        Proposal("title", "Title"),
        Proposal("email", "Email"),
        Proposal("phone", "Phone"),
    ),
    link="{base}{id}",
)
_LEADS: Final = Object(
    "Lead",
    "leads",
    _("Leads"),
    _columns(
        "Name", "Company", "Title", "Email", "Phone", "Country", "OwnerId", "LeadSource", "Status",
        "CreatedDate:moment", "IsConverted:boolean",
    ),
    (
        Proposal("external_id", "Id"),
        Proposal("name", "Name"),
        Proposal("company", "Company"),
        Proposal("title", "Title"),
        Proposal("email", "Email"),
        Proposal("phone", "Phone"),
        Proposal("country", "Country"),
        by_id("owner", "OwnerId"),
        Proposal("created_on", "CreatedDate", clears=False),
    ),
    link="{base}{id}",
)  # fmt: skip
_DEALS: Final = Object(
    "Opportunity",
    "deals",
    _("Opportunities"),
    _columns(
        "Name", "AccountId", "OwnerId", "StageName", "Amount:number", "CloseDate:day", "CreatedDate:moment", "NextStep",
        "IsClosed:boolean", "IsWon:boolean", "CurrencyIsoCode",
    ),
    (
        Proposal("external_id", "Id"),
        Proposal("name", "Name"),
        Proposal("account", "AccountId", lookup_by="external_id"),
        by_id("owner", "OwnerId"),
        Proposal("stage", "StageName"),
        Proposal("amount", "Amount", when_blank="0", is_rounded=True),
        Proposal("currency", "CurrencyIsoCode"),
        Proposal("opened_on", "CreatedDate", clears=False),
        Proposal("closed_on", "CloseDate", clears=False),
        Proposal("next_step", "NextStep"),
    ),
    link="{base}{id}",
)  # fmt: skip
_LINES: Final = Object(
    "OpportunityLineItem",
    "deal_lines",
    _("Lines of opportunities"),
    _columns(
        "OpportunityId", "Product2Id", "Quantity:number", "UnitPrice:number", "TotalPrice:number", "Discount:number"
    ),
    (
        Proposal("external_id", "Id"),
        Proposal("deal", "OpportunityId", lookup_by="external_id"),
        Proposal("product", "Product2Id"),
        Proposal("quantity", "Quantity"),
        Proposal("unit_price", "UnitPrice", is_rounded=True),
        Proposal("amount", "TotalPrice", is_rounded=True),
    ),
)
_SPLITS: Final = Object(
    "OpportunitySplit",
    "deal_splits",
    _("Splits of opportunities"),
    _columns("OpportunityId", "SplitOwnerId", "SplitPercentage:number"),
    (
        Proposal("external_id", "Id"),
        Proposal("deal", "OpportunityId", lookup_by="external_id"),
        Proposal("person", "SplitOwnerId", lookup_by="external_id"),
        Proposal("share", "SplitPercentage", rate_unit=RateUnit.PERCENT),
    ),
)
_HISTORY: Final = Object(
    "OpportunityHistory",
    "stage_changes",
    _("Stage history"),
    _columns("OpportunityId", "StageName", "Amount:number", "CreatedDate:moment"),
    (
        Proposal("external_id", "Id"),
        Proposal("deal", "OpportunityId", lookup_by="external_id"),
        Proposal("to_stage", "StageName"),
        Proposal("changed_at", "CreatedDate"),
    ),
    is_offered=False,
)
_TASKS: Final = Object(
    "Task",
    "activities",
    _("Tasks and calls"),
    _columns(
        "Subject", "WhatId", "WhoId", "OwnerId", "ActivityDate:day", "TaskSubtype", "Status", "CreatedDate:moment"
    ),
    (
        Proposal("external_id", "Id"),
        Proposal("subject", "Subject"),
        Proposal("person", "OwnerId", lookup_by="external_id"),
        Proposal("at", "CreatedDate"),
    ),
    is_offered=False,
)


class Salesforce(Vendor):
    """Salesforce over REST and SOQL."""

    code = "salesforce"
    label = "Salesforce"
    settings = (
        Setting(
            "login_host",
            _("Sign-in"),
            hint=_("Production or a sandbox."),
            choices=(
                ("login.salesforce.com", _("Production")),
                ("test.salesforce.com", _("Sandbox")),
            ),
            default="login.salesforce.com",
        ),
    )
    oauth = OAuth(
        authorize_url="https://{login_host}/services/oauth2/authorize",
        token_url="https://{login_host}/services/oauth2/token",  # noqa: S106 - an address
        scopes=("api", "refresh_token"),
        uses_pkce=True,
    )
    objects = (
        _OWNERS,
        *(
            replace(each, sweeps_deletes=True)
            for each in (_PRODUCTS, _ACCOUNTS, _CONTACTS, _LEADS, _DEALS, _LINES, _SPLITS, _HISTORY, _TASKS)
        ),
    )
    allowance = (20, 1.0)
    codes = {
        **dict.fromkeys(_LIMIT_CODES, FaultKind.LIMITED),
        "INVALID_SESSION_ID": FaultKind.UNAUTHORIZED,
        "INVALID_QUERY_LOCATOR": FaultKind.GONE,
        "EXCEEDED_ID_LIMIT": FaultKind.GONE,
        "ENTITY_IS_DELETED": FaultKind.MISSING,
        "NOT_FOUND": FaultKind.MISSING,
        "UNABLE_TO_LOCK_ROW": FaultKind.PASSING,
    }
    hook_scheme = "salesforce"
    webhook_help = _(
        "Salesforce sends no signed webhooks. A Flow with an HTTP callout can call the address with the shared secret;"
        " without it changes arrive with the next sync."
    )

    def base(self, settings: Mapping[str, str]) -> str:
        """The org's own address, which the sign-in told."""
        return elsewhere(settings.get("instance_url", "https://login.salesforce.com"), settings).rstrip("/") + "/"

    def identify(self, http: Http) -> Identity:
        """The organisation."""
        found = self._query(http, "SELECT Id, Name FROM Organization LIMIT 1")["records"]
        org = found[0] if found else {}
        return Identity(str(org.get("Id", "")), str(org.get("Name", "")))

    def columns(self, object: Object, http: Http) -> Sequence[Column]:
        """The columns that this connection may see, with the custom ones. An object that the org has not has none."""
        reply = http.get(f"{_API}sobjects/{object.code}/describe", expect=(404,))
        if reply.status == 404:
            return ()
        found = []
        for each in reply.json()["fields"]:
            name = each["name"]
            if object.column(name) or name.endswith("__c"):
                found.append(
                    Column(
                        name,
                        each.get("label") or name,
                        _TYPES.get(each.get("type", ""), ColumnType.TEXT),
                        is_writable=bool(each.get("updateable")),
                    )
                )
        return found

    def words(self, object: Object, http: Http) -> Mapping[str, Sequence[Word]]:
        """The stages of opportunities."""
        if object.code not in ("Opportunity", "OpportunityHistory"):
            return {}
        found = self._query(
            http,
            "SELECT MasterLabel, ApiName, IsClosed, IsWon, DefaultProbability FROM OpportunityStage"
            " WHERE IsActive = true ORDER BY SortOrder",
        )
        words = [
            Word(
                each["MasterLabel"],
                each["MasterLabel"],
                "won" if each["IsWon"] else "lost" if each["IsClosed"] else "open",
                float(each["DefaultProbability"] or 0) / 100,
            )
            for each in found["records"]
        ]
        return {"stage": words, "to_stage": words}

    def read(self, object: Object, ask: Ask, http: Http) -> Page:
        """A page by (system stamp, id): the key only grows, so nothing is lost that changes while paging. Deleted rows in
        the recycle bin come along, losers of merges with their winner."""
        size = min(ask.size or _PAGE, _PAGE)
        where = []
        stamp = _stamp_of(object)
        if ask.position:
            after, last = ask.position["after"], _quoted(ask.position["id"])
            where.append(f"({stamp} > {after} OR ({stamp} = {after} AND Id > {last}))")
        elif ask.since is not None:
            where.append(f"{stamp} >= {_literal(ask.since)}")
        if ask.until is not None:
            where.append(f"{stamp} < {_literal(ask.until)}")
        names = dict.fromkeys([*_told(object), *ask.columns])
        text = f"SELECT {', '.join(names)} FROM {object.code}"  # noqa: S608 - names are the vendor's own columns
        if where:
            text += f" WHERE {' AND '.join(where)}"
        text += f" ORDER BY {stamp}, Id LIMIT {size}"
        rows = self._query(http, text, with_deleted=True)["records"]
        raws = [_raw(object, row) for row in rows]
        if len(rows) < size:
            return Page(raws)
        return Page(raws, next={"after": _literal(_moment(rows[-1][stamp])), "id": rows[-1]["Id"]})

    def deletions(self, object: Object, ask: Ask, http: Http) -> Page | None:
        """What left the recycle bin as well, from the log of deletions; it reaches back fifteen days."""
        if ask.since is None or ask.position is not None or object.code in _STAYS:
            return None
        end = ask.asked_at + timedelta(minutes=1)
        start = ask.since
        if start < end - _DELETED_REACH + timedelta(hours=1):
            # What was deleted before is no longer told: everything is read once more, and what is missing then is gone.
            raise Fault(FaultKind.GONE, _forgotten())
        reply = http.get(
            f"{_API}sobjects/{object.code}/deleted",
            {"start": _literal(start), "end": _literal(end)},
            expect=(400, 404),
        )
        if reply.status >= 400:  # some objects keep no log
            return None
        return Page([gone(each["id"], _moment(each["deletedDate"])) for each in reply.json().get("deletedRecords", [])])

    def fetch(self, object: Object, external_ids: Sequence[str], http: Http, columns: Sequence[str] = ()) -> list[Raw]:
        """The records of these ids, the deleted ones too."""
        names = dict.fromkeys([*_told(object), *columns])
        ids = ", ".join(_quoted(each) for each in external_ids)
        text = f"SELECT {', '.join(names)} FROM {object.code} WHERE Id IN ({ids})"  # noqa: S608 - as above
        return [_raw(object, row) for row in self._query(http, text, with_deleted=True)["records"]]

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
        """PATCH the record, unless somebody changed it since it was read."""
        headers = {}
        seen = moment(base.get(_stamp_of(object)))
        if seen is not None:
            headers["If-Unmodified-Since"] = seen.strftime("%a, %d %b %Y %H:%M:%S GMT")
        http.send("PATCH", f"{_API}sobjects/{object.code}/{external_id}", json=dict(values), headers=headers)
        now = self.fetch(object, [external_id], http, [name for name in base if name != "attributes"])
        return Written(now[0] if now else None)

    def spell(self, column: Column, value: Any) -> Any:
        """Amounts are JSON numbers here."""
        return float(value) if isinstance(value, Decimal) else super().spell(column, value)

    def said(self, told: Any) -> Said:
        """Code and words of the first error."""
        first = told[0] if isinstance(told, list) else told
        return Said(str(first.get("message") or ""), str(first.get("errorCode") or first.get("error") or ""))

    def meant(self, reply: Reply, said: Said) -> Verdict | None:
        """An allowance of a day that is spent is a 403 here."""
        if reply.status == 403 and said.code in _LIMIT_CODES:
            return Verdict(FaultKind.LIMITED, said.words, _LIMIT_WAIT)
        return None

    def link(self, object: Object, external_id: str, settings: Mapping[str, str]) -> str:
        """The record's page in the org, never at another address that stands in for it; none until the sign-in told it."""
        return super().link(object, external_id, {**settings, "address": ""}) if "instance_url" in settings else ""

    def _query(self, http: Http, text: str, *, with_deleted: bool = False) -> Any:
        answer = http.get(f"{_API}{'queryAll' if with_deleted else 'query'}", {"q": text}).json()
        rows = list(answer["records"])
        while not answer.get("done", True):
            # A page may be cut shorter than it was asked for; the locator gives its rest.
            answer = http.get(answer["nextRecordsUrl"]).json()
            rows += answer["records"]
            is_over = answer.get("done", True)
            if len(rows) > 2 * _PAGE or not (is_over or answer["records"]):
                raise endless(self.label)
        return {**answer, "records": rows}


def _forgotten() -> Problem:
    return Problem.of(
        "deletions-forgotten",
        _("Salesforce keeps its log of deletions for fifteen days, and the last sync was before that."),
        remedy=_("Nothing needs to be done: everything is read once more."),
    )


def _stamp_of(object: Object) -> str:
    return "CreatedDate" if object.code == "OpportunityHistory" else "SystemModstamp"


def _told(object: Object) -> list[str]:
    """The columns by which a record is known, dated and missed."""
    names = ["Id", _stamp_of(object)]
    if object.code not in _STAYS:
        names.append("IsDeleted")
    if object.code in _MERGED:
        names.append("MasterRecordId")
    return names


def _raw(object: Object, row: Mapping[str, Any]) -> Raw:
    payload = {name: value for name, value in row.items() if name != "attributes"}
    return Raw(
        external_id=str(row["Id"]),
        version=version_of(_moment(row[_stamp_of(object)])),
        payload=payload,
        is_deleted=bool(row.get("IsDeleted")),
        merged_into=str(row.get("MasterRecordId") or "") if row.get("IsDeleted") else "",
    )


def _moment(text: str) -> datetime:
    return moment(text) or BEGINNING


def _literal(value: datetime) -> str:
    """A moment as SOQL writes it, without quotes."""
    return iso_of(value, "milliseconds")


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


VENDOR: Final = Salesforce()
