"""Outreach: JSON:API lists by the moment of change, cursors behind a place, amounts by their precise text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from salesops.connectors.rules.shapes import iso_of, moment, value_at
from salesops.connectors.vendors.base import (
    Ask,
    Column,
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
    Vendor,
    Verdict,
    Word,
    Written,
    by_id,
    columns_of,
    gone,
    version_of,
)
from salesops.values.outcomes import gettext_noop as _

_PAGE: Final = 500
#: The media type that every request must name, questions too; anything else is answered with 415.
_MEDIA: Final = "application/vnd.api+json"
#: Most organisations fill Outreach from Salesforce: the same deal would come from two sources.
_FROM_THE_CRM: Final = False


def _columns(*names: str) -> tuple[Column, ...]:
    """Attributes may be written, ids and relations of a record not as they stand."""
    return (
        Column("id", "Id"),
        *(
            replace(
                column,
                label=column.path.removeprefix("attributes.").removesuffix(".data.id"),
                is_writable=column.path.startswith("attributes.")
                and not column.path.endswith(("createdAt", "updatedAt")),
            )
            for column in columns_of(*names)
        ),
    )


_USERS: Final = Object(
    "users",
    "owners",
    _("Users"),
    _columns("attributes.email", "attributes.name"),
    (Proposal("external_id", "id"), Proposal("email", "attributes.email"), Proposal("name", "attributes.name")),
)
_ACCOUNTS: Final = Object(
    "accounts",
    "accounts",
    _("Accounts"),
    _columns(
        "attributes.name",
        "attributes.industry",
        "attributes.locality",
        "attributes.numberOfEmployees:number",
        "attributes.websiteUrl",
        "relationships.owner.data.id",
    ),
    (
        Proposal("external_id", "id"),
        Proposal("name", "attributes.name"),
        Proposal("industry", "attributes.industry"),
        Proposal("city", "attributes.locality"),
        Proposal("employees", "attributes.numberOfEmployees"),
        Proposal("website", "attributes.websiteUrl", clears=False),
        by_id("owner", "relationships.owner.data.id"),
    ),
    link="https://web.outreach.io/accounts/{id}",
)
_PROSPECTS: Final = Object(
    "prospects",
    "leads",
    _("Prospects"),
    _columns(
        "attributes.name",
        "attributes.company",
        "attributes.title",
        "attributes.emails",
        "attributes.addressCountry",
        "attributes.createdAt:moment",
        "relationships.owner.data.id",
    ),
    (
        Proposal("external_id", "id"),
        Proposal("name", "attributes.name"),
        Proposal("company", "attributes.company"),
        Proposal("title", "attributes.title"),
        Proposal("country", "attributes.addressCountry"),
        Proposal("created_on", "attributes.createdAt", clears=False),
        by_id("owner", "relationships.owner.data.id"),
    ),
    is_offered=_FROM_THE_CRM,
    link="https://web.outreach.io/prospects/{id}",
)
_OPPORTUNITIES: Final = Object(
    "opportunities",
    "deals",
    _("Opportunities"),
    _columns(
        "attributes.name",
        "attributes.amountPrecise:number",
        "attributes.currencyType",
        "attributes.closeDate:day",
        "attributes.externalCreatedAt:moment",
        "attributes.nextStep",
        "relationships.owner.data.id",
        "relationships.account.data.id",
        "relationships.stage.data.id",
    ),
    (
        Proposal("external_id", "id"),
        Proposal("name", "attributes.name"),
        Proposal("account", "relationships.account.data.id", lookup_by="external_id"),
        by_id("owner", "relationships.owner.data.id"),
        Proposal("stage", "relationships.stage.data.id"),
        Proposal("amount", "attributes.amountPrecise", when_blank="0", is_rounded=True),
        Proposal("currency", "attributes.currencyType"),
        Proposal("opened_on", "attributes.externalCreatedAt", clears=False),
        Proposal("closed_on", "attributes.closeDate", clears=False),
        Proposal("next_step", "attributes.nextStep"),
    ),
    is_offered=_FROM_THE_CRM,
    link="https://web.outreach.io/opportunities/{id}",
)
_CALLS: Final = Object(
    "calls",
    "activities",
    _("Calls"),
    _columns(
        "attributes.note",
        "attributes.direction",
        "attributes.answeredAt:moment",
        "attributes.completedAt:moment",
        "attributes.createdAt:moment",
        "relationships.user.data.id",
        "relationships.opportunity.data.id",
        "relationships.account.data.id",
        "relationships.prospect.data.id",
    ),
    (
        Proposal("external_id", "id"),
        Proposal("kind", constant="call"),
        Proposal("note", "attributes.note"),
        Proposal("direction", "attributes.direction"),
        Proposal("happened_at", "attributes.createdAt"),
        Proposal("person", "relationships.user.data.id", lookup_by="external_id"),
        by_id("deal", "relationships.opportunity.data.id"),
        by_id("account", "relationships.account.data.id"),
        by_id("lead", "relationships.prospect.data.id"),
    ),
)


class Outreach(Vendor):
    """Outreach over its JSON:API."""

    code = "outreach"
    label = "Outreach"
    api_url = "https://api.outreach.io/api/v2/"
    oauth = OAuth(
        authorize_url="https://api.outreach.io/oauth/authorize",
        token_url="https://api.outreach.io/oauth/token",  # noqa: S106 - an address
        scopes=(
            "users.read", "accounts.all", "prospects.read", "opportunities.all", "opportunityStages.read", "calls.read",
        ),
        rotates=True,
        expires_in=timedelta(hours=2),
    )  # fmt: skip
    objects = (_USERS, _ACCOUNTS, _PROSPECTS, _OPPORTUNITIES, _CALLS)
    allowance = (10_000, 3600.0)
    hook_scheme = "outreach"
    webhook_help = _(
        "Make a webhook for each resource with the secret that stands here. Outreach takes every answer for an arrival and"
        " does not send again: what is missed comes with the next sync, but destroyed records only by comparing."
    )

    def sign(self, headers: dict[str, str], http: Http) -> None:
        """A bearer token, and the media type that questions need as well."""
        super().sign(headers, http)
        headers["Accept"] = headers["Content-Type"] = _MEDIA

    def identify(self, http: Http) -> Identity:
        """The organisation."""
        org = http.get(self.base(http.settings).rstrip("/")).json().get("meta", {}).get("org", {})
        return Identity(str(org.get("guid", "")), str(org.get("name", "")))

    def words(self, object: Object, http: Http) -> Mapping[str, Sequence[Word]]:
        """The stages of opportunities, by their ids."""
        if object.code != "opportunities":
            return {}
        words = []
        for each in http.get("opportunityStages", {"page[size]": 1000}).json()["data"]:
            told = each["attributes"]
            kind = "won" if told.get("isWon") else "lost" if told.get("isClosed") else "open"
            chance = told.get("probability")
            share = float(chance) / 100 if chance is not None else None
            words.append(Word(str(each["id"]), str(told.get("name") or ""), kind, share))
        return {"stage": words}

    def read(self, object: Object, ask: Ask, http: Http) -> Page:
        """A page in order of change; the cursor stands behind a place in that order, so what moves is seen again."""
        params: dict[str, Any] = {"sort": "updatedAt", "page[size]": ask.size or _PAGE, "count": "false"}
        if ask.since is not None or ask.until is not None:
            low = _iso(ask.since) if ask.since else "neginf"
            params["filter[updatedAt]"] = f"{low}..{_iso(ask.until) if ask.until else 'inf'}"
        if ask.position:
            params["page[after]"] = ask.position["after"]
        answer = http.get(object.code, params).json()
        following = (answer.get("links") or {}).get("next")
        after = parse_qs(urlsplit(following).query).get("page[after]") if following else None
        return Page([_raw(each) for each in answer["data"]], next={"after": after[0]} if after else None)

    def fetch(self, object: Object, external_ids: Sequence[str], http: Http, columns: Sequence[str] = ()) -> list[Raw]:
        """The records of these ids; those that do not come are destroyed."""
        params = {"filter[id]": ",".join(external_ids), "page[size]": 1000, "count": "false"}
        found = [_raw(each) for each in http.get(object.code, params).json()["data"]]
        there = {raw.external_id for raw in found}
        return found + [gone(each, http.vendor_time) for each in external_ids if each not in there]

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
        """PATCH the attributes; the reply is the record as it is then."""
        data = {
            "type": str(base.get("type") or object.code),
            "id": int(external_id),
            "attributes": {path.removeprefix("attributes."): value for path, value in values.items()},
        }
        reply = http.send("PATCH", f"{object.code}/{external_id}", json={"data": data})
        return Written(_raw(reply.json()["data"]))

    def said(self, told: Any) -> Said:
        """The words of the first error."""
        first = (told.get("errors") or [{}])[0]
        return Said(str(first.get("detail") or first.get("title") or ""))

    def meant(self, reply: Reply, said: Said) -> Verdict | None:
        """The year's spent entitlement is a 403 that only a contract ends."""
        if reply.status == 403 and "API calls" in said.words:
            return Verdict(FaultKind.LIMITED, said.words, timedelta(hours=1))
        return None


def _raw(row: Mapping[str, Any]) -> Raw:
    told = row.get("attributes") or {}
    stamp = moment(told.get("updatedAt")) or moment(told.get("createdAt"))
    return Raw(str(row["id"]), version_of(stamp), row, is_deleted=bool(value_at(row, "attributes.trashedAt")))


def _iso(value: datetime) -> str:
    return iso_of(value, "milliseconds")


VENDOR: Final = Outreach()
