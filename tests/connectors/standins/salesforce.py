"""A Salesforce that is none: OAuth, SOQL, describe, deleted, single records, limits and Bulk 2.0 queries.

`put("Opportunity", 1, Name=..., StageName=..., Amount=Decimal("10.5"), CloseDate=date(...))`: numbers become 18-character
ids (`vendor.identity("Opportunity", 1)`), which are taken in their 15-character form too. Fields ending in `__c` are
made as they come; other unknown fields are refused, so that a misspelt test fails. Moves of an opportunity write
OpportunityHistory and OpportunityFieldHistory. OpportunitySplit and CurrencyIsoCode are there after
`enable_splits()`, `enable_currencies()`. `hide("Opportunity", "Amount")` is field-level security.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from tests.connectors.standins.base import (
    Grant,
    Limit,
    OAuth,
    RefusedError,
    Reply,
    Request,
    Row,
    StandIn,
    iso,
    route,
)
from tests.connectors.standins.soql import Query, SoqlError, comparable, condition, parse, parsed_moment

#: First three characters of ids.
PREFIXES = {
    "Account": "001", "Contact": "003", "User": "005", "Opportunity": "006", "OpportunityHistory": "008",
    "OpportunityLineItem": "00k", "Lead": "00Q", "Task": "00T", "Event": "00U", "Organization": "00D",
    "OpportunityFieldHistory": "017", "Product2": "01t", "PricebookEntry": "01u", "OpportunityContactRole": "00K",
    "OpportunitySplit": "1DR", "OpportunitySplitType": "149", "UserRole": "00E", "OpportunityStage": "01J",
    "Contract": "800", "Campaign": "701", "CurrencyType": "01L", "DatedConversionRate": "04w",
}  # fmt: skip

#: Fields that every object has, unless noted.
COMMON = {
    "Id": "id", "IsDeleted": "boolean", "CreatedDate": "datetime", "CreatedById": "reference",
    "LastModifiedDate": "datetime", "LastModifiedById": "reference", "SystemModstamp": "datetime",
}  # fmt: skip

#: Fields by object: name, or name:type; text where no type is given, a reference where it ends in Id.
FIELDS = {
    "User": "Username Email:email FirstName LastName Name Alias Title Department IsActive:boolean UserRoleId ManagerId "
    "ProfileId UserType:picklist EmployeeNumber TimeZoneSidKey:picklist Phone:phone",
    "UserRole": "Name ParentRoleId DeveloperName",
    "Account": "Name MasterRecordId Type:picklist ParentId BillingStreet:textarea BillingCity BillingState "
    "BillingPostalCode BillingCountry Phone:phone Website:url Industry:picklist AnnualRevenue:currency "
    "NumberOfEmployees:int Description:textarea OwnerId AccountSource:picklist LastActivityDate:date",
    "Contact": "MasterRecordId AccountId FirstName LastName Name Salutation:picklist MailingStreet:textarea MailingCity "
    "MailingState MailingPostalCode MailingCountry Phone:phone MobilePhone:phone Email:email Title Department "
    "ReportsToId LeadSource:picklist Description:textarea OwnerId HasOptedOutOfEmail:boolean DoNotCall:boolean "
    "LastActivityDate:date",
    "Lead": "MasterRecordId FirstName LastName Name Salutation:picklist Title Company Street:textarea City State "
    "PostalCode Country Phone:phone MobilePhone:phone Email:email Website:url Description:textarea LeadSource:picklist "
    "Status:picklist Industry:picklist Rating:picklist AnnualRevenue:currency NumberOfEmployees:int OwnerId "
    "IsConverted:boolean ConvertedDate:date ConvertedAccountId ConvertedContactId ConvertedOpportunityId "
    "HasOptedOutOfEmail:boolean LastActivityDate:date",
    "Opportunity": "AccountId Name Description:textarea StageName:picklist Amount:currency Probability:percent "
    "ExpectedRevenue:currency CloseDate:date Type:picklist NextStep LeadSource:picklist IsClosed:boolean IsWon:boolean "
    "ForecastCategory:picklist ForecastCategoryName:picklist CampaignId HasOpportunityLineItem:boolean Pricebook2Id "
    "OwnerId ContactId LastActivityDate:date LastStageChangeDate:datetime",
    "OpportunityLineItem": "OpportunityId SortOrder:int PricebookEntryId Product2Id ProductCode Name Quantity:double "
    "TotalPrice:currency UnitPrice:currency ListPrice:currency Discount:percent ServiceDate:date Description",
    "OpportunityHistory": "OpportunityId StageName:picklist Amount:currency ExpectedRevenue:currency CloseDate:date "
    "Probability:percent ForecastCategory:picklist",
    "OpportunityFieldHistory": "OpportunityId Field:picklist OldValue:anyType NewValue:anyType",
    "OpportunityContactRole": "OpportunityId ContactId Role:picklist IsPrimary:boolean",
    "OpportunityStage": "MasterLabel ApiName IsActive:boolean SortOrder:int IsClosed:boolean IsWon:boolean "
    "ForecastCategory:picklist ForecastCategoryName:picklist DefaultProbability:percent",
    "OpportunitySplit": "OpportunityId SplitOwnerId SplitPercentage:percent SplitAmount:currency SplitTypeId SplitNote "
    "Split:percent",
    "OpportunitySplitType": "MasterLabel DeveloperName IsActive:boolean IsTotalValidated:boolean SplitField",
    "Product2": "Name ProductCode Description Family:picklist IsActive:boolean IsArchived:boolean StockKeepingUnit "
    "QuantityUnitOfMeasure:picklist",
    "PricebookEntry": "Name Pricebook2Id Product2Id UnitPrice:currency IsActive:boolean ProductCode",
    "Task": "WhoId WhatId Subject:combobox ActivityDate:date Status:picklist Priority:picklist IsHighPriority:boolean "
    "OwnerId Description:textarea AccountId IsClosed:boolean IsArchived:boolean CallDurationInSeconds:int "
    "CallType:picklist CallDisposition CallObject TaskSubtype:picklist CompletedDateTime:datetime Type:picklist",
    "Event": "WhoId WhatId Subject:combobox Location IsAllDayEvent:boolean ActivityDateTime:datetime ActivityDate:date "
    "DurationInMinutes:int StartDateTime:datetime EndDateTime:datetime Description:textarea AccountId OwnerId "
    "IsPrivate:boolean IsChild:boolean IsGroupEvent:boolean IsArchived:boolean EventSubtype:picklist Type:picklist",
    "Campaign": "Name ParentId Type:picklist Status:picklist StartDate:date EndDate:date IsActive:boolean OwnerId",
    "Contract": "AccountId Status:picklist StartDate:date EndDate:date ContractTerm:int OwnerId ContractNumber",
    "Organization": "Name InstanceName IsSandbox:boolean DefaultLocaleSidKey:picklist TimeZoneSidKey:picklist "
    "OrganizationType:picklist",
    "CurrencyType": "IsoCode:picklist ConversionRate:double DecimalPlaces:int IsActive:boolean IsCorporate:boolean",
    "DatedConversionRate": "IsoCode:picklist StartDate:date NextStartDate:date ConversionRate:double",
}
#: Objects without IsDeleted, and objects whose rows are never edited.
NEVER_DELETED = {
    "User",
    "UserRole",
    "OpportunityStage",
    "OpportunitySplitType",
    "Organization",
    "CurrencyType",
    "DatedConversionRate",
}
WRITTEN_ONCE = {"OpportunityFieldHistory": {"LastModifiedDate", "LastModifiedById", "SystemModstamp"},
                "OpportunityHistory": {"LastModifiedDate", "LastModifiedById"}}  # fmt: skip
#: Where references lead that do not say so by their name.
REFERENCES = {
    "OwnerId": "User", "CreatedById": "User", "LastModifiedById": "User", "ManagerId": "User", "SplitOwnerId": "User",
    "ConvertedAccountId": "Account", "ConvertedContactId": "Contact", "ConvertedOpportunityId": "Opportunity",
    "ReportsToId": "Contact", "SplitTypeId": "OpportunitySplitType", "ParentRoleId": "UserRole",
}  # fmt: skip
#: Stage, its default probability, and (is it closed, is it won).
STAGES = {
    "Prospecting": (10, False, False, "Pipeline"),
    "Qualification": (20, False, False, "Pipeline"),
    "Proposal/Price Quote": (60, False, False, "BestCase"),
    "Negotiation/Review": (80, False, False, "Forecast"),
    "Closed Won": (100, True, True, "Closed"),
    "Closed Lost": (0, True, False, "Omitted"),
}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def eighteen(id: str) -> str:
    """The 18-character form of a 15-character id: the suffix says which letters are capitals."""
    if len(id) != 15:
        return id
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(1 << place for place, letter in enumerate(id[start : start + 5]) if letter.isupper())
        suffix += ALPHABET[bits]
    return id + suffix


def moment(at: datetime) -> str:
    """As in replies: three digits, an offset without a colon."""
    return iso(at, digits=3, zone="+0000")


def error(status: int, code: str, message: str, fields: Iterable[str] | None = None) -> RefusedError:
    """Salesforce refuses with a list of errors."""
    entry: dict[str, Any] = {"message": message, "errorCode": code}
    if fields is not None:
        entry["fields"] = list(fields)
    return RefusedError(status, [entry])


class Salesforce(StandIn):
    """An organisation. Its `instance_url` is `origin`, as the token reply says."""

    vendor = "salesforce"
    precision = timedelta(seconds=1)
    oauth = OAuth("/services/oauth2/authorize", "/services/oauth2/token", lifetime=None)

    #: Calls a day; beyond it 403 REQUEST_LIMIT_EXCEEDED.
    daily = 15000
    #: What getDeleted gives at most.
    most_deleted = 600_000
    #: Whether a locator belongs to the session that asked, so that a new access token cannot go on with it.
    locators_of_session = True
    versions: ClassVar[tuple[str, ...]] = ("59.0", "60.0", "67.0")

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.fields = {name: self._fields(name, text) for name, text in FIELDS.items()}
        self.enabled = set(FIELDS) - {"OpportunitySplit", "OpportunitySplitType", "CurrencyType", "DatedConversionRate"}
        self.hidden: set[tuple[str, str]] = set()
        self.stages = dict(STAGES)
        self.corporate_currency = "EUR"
        self.has_currencies = False
        self.locators: dict[str, tuple[str, Query, list[str]]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.org = self.identity("Organization", 1)
        self.me = self.identity("User", 1)
        self._day = self.limit(per=86400, n=self.daily, path="/services/data/", name="day")
        self._histories: set[str] = set()
        self.put(
            "Organization", 1, Name="Acme Selling", InstanceName="EU47", IsSandbox=False, TimeZoneSidKey="Europe/Paris"
        )
        self.put("User", 1, Username="api@acme.example", Email="api@acme.example", FirstName="Api", LastName="User",
                 Name="Api User", IsActive=True, UserType="Standard")  # fmt: skip
        for place, (name, (chance, is_closed, is_won, forecast)) in enumerate(STAGES.items(), 1):
            self.put("OpportunityStage", place, MasterLabel=name, ApiName=name, IsActive=True, SortOrder=place, IsClosed=is_closed,
                     IsWon=is_won, DefaultProbability=chance, ForecastCategory=forecast, ForecastCategoryName=forecast)  # fmt: skip
        self.log.clear()

    @staticmethod
    def _fields(object: str, text: str) -> dict[str, str]:
        found = dict(COMMON)
        if object in NEVER_DELETED:
            del found["IsDeleted"]
        for name in WRITTEN_ONCE.get(object, ()):
            del found[name]
        for part in text.split():
            name, _, type = part.partition(":")
            found[name] = type or ("reference" if name.endswith("Id") else "string")
        return found

    # -- What an organisation may have

    def enable_splits(self) -> None:
        self.enabled |= {"OpportunitySplit", "OpportunitySplitType"}
        self.put("OpportunitySplitType", 1, MasterLabel="Revenue", DeveloperName="Revenue", IsActive=True,
                 IsTotalValidated=True, SplitField="Amount")  # fmt: skip

    def enable_currencies(self, **rates: str) -> None:
        """Several currencies: CurrencyIsoCode everywhere. `rates` are units for one of the corporate currency."""
        self.has_currencies = True
        self.enabled |= {"CurrencyType", "DatedConversionRate"}
        for object in self.enabled - {"Organization", "User", "CurrencyType", "DatedConversionRate"}:
            self.fields[object]["CurrencyIsoCode"] = "picklist"
        for place, (code, rate) in enumerate([(self.corporate_currency, "1"), *rates.items()], 1):
            self.put("CurrencyType", place, IsoCode=code, ConversionRate=Decimal(rate), DecimalPlaces=2, IsActive=True,
                     IsCorporate=code == self.corporate_currency)  # fmt: skip

    def hide(self, object: str, *names: str) -> None:
        """Field-level security: our user does not see these, nor that they exist."""
        self.hidden |= {(object, name) for name in names}

    def unhide(self, object: str, *names: str) -> None:
        self.hidden -= {(object, name) for name in names}

    def drop_locators(self) -> None:
        """Every open query is forgotten, as after a while."""
        with self.lock:
            self.locators.clear()

    # -- Records

    def identity(self, object: str, id: object) -> str:
        if id is None:
            self._numbers += 1
            id = 10_000 + self._numbers
        if isinstance(id, int):
            digits, rest = "", id
            while rest:
                rest, digit = divmod(rest, 62)
                digits = DIGITS[digit] + digits
            # 'Aa' makes the first twelve characters mixed, so that case matters.
            return eighteen(f"{PREFIXES.get(object, 'a00')}Aa{digits:0>10}")
        return eighteen(str(id))

    def moment(self, at: datetime) -> str:
        return moment(at)

    def put(self, object: str, id: object = None, /, *, is_system: bool = False, **fields: Any) -> str:
        """As ever; `is_system`: only SystemModstamp moves, as with changes that nobody made."""
        known = self.fields.get(object)
        if known is None:
            raise LookupError(f"no object {object}")
        for name, value in fields.items():
            if name.endswith("__c") and name not in known:
                is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
                known[name] = "boolean" if isinstance(value, bool) else "double" if is_number else "string"
            elif name not in known or name in COMMON:
                raise LookupError(f"{object} has no field {name} that can be set")
            if known[name] == "reference" and value is not None:
                target = REFERENCES.get(name, name.removesuffix("Id"))
                fields[name] = self.identity(target, value)
        with self.lock:
            rows = self.world.get(object, {})
            row = rows.get(self.identity(object, id)) if id is not None else None
            by_person = row.more.get("by_person") if row else None
            if object == "Opportunity":
                self._derive(row, fields)
            if object in ("Contact", "Lead", "User") and "Name" not in fields and "LastName" in fields:
                first = fields.get("FirstName", row["FirstName"] if row else None)
                fields["Name"] = f"{first} {fields['LastName']}" if first else fields["LastName"]
            key = super().put(object, id, **fields)
            row = self.world[object][key]
            row.more["by_person"] = by_person if is_system and by_person else row.modified_at
            return key

    def birth(self, row: Row) -> None:
        defaults: dict[str, Any] = {"OwnerId": self.me, "CurrencyIsoCode": self.corporate_currency}
        if row.object == "Opportunity":
            defaults |= {"StageName": "Prospecting", "IsClosed": False, "IsWon": False, "Probability": 10}
        known = self.fields[row.object]
        row.fields.update({name: value for name, value in defaults.items() if name in known})

    def _derive(self, row: Row | None, fields: dict[str, Any]) -> None:
        """What a stage brings with it."""
        stage = fields.get("StageName")
        if stage in self.stages and (row is None or stage != row["StageName"]):
            chance, is_closed, is_won, forecast = self.stages[stage]
            brings = {"Probability": chance, "IsClosed": is_closed, "IsWon": is_won, "ForecastCategory": forecast,
                      "ForecastCategoryName": forecast, "LastStageChangeDate": moment(self.clock.now)}  # fmt: skip
            for name, value in brings.items():
                fields.setdefault(name, value)

    def changed(self, row: Row, kind: str, previous: dict[str, Any]) -> None:
        super().changed(row, kind, previous)
        if row.object != "Opportunity" or kind not in ("created", "updated"):
            return
        kept = ("StageName", "Amount", "CloseDate", "Probability", "ForecastCategory", "ExpectedRevenue")
        if kind == "created" or any(name in previous for name in kept):
            self._history("OpportunityHistory", row, {name: row[name] for name in kept})
        for name in ("StageName", "Amount", "OwnerId", "CloseDate"):
            if name in previous:
                values = {"Field": name, "OldValue": previous[name], "NewValue": row[name]}
                self._history("OpportunityFieldHistory", row, values)

    def _history(self, object: str, row: Row, values: dict[str, Any]) -> None:
        """A row of history, at the same moment as what it tells of."""
        key = self.identity(object, None)
        fields = {"OpportunityId": row.id, **values}
        if self.has_currencies and object == "OpportunityHistory":
            fields["CurrencyIsoCode"] = row["CurrencyIsoCode"]
        history = Row(object, key, fields, row.modified_at, row.modified_at)
        self.world.setdefault(object, {})[key] = history

    def delete(self, object: str, id: object) -> None:
        super().delete(object, id)
        self._touched(object, id)

    def restore(self, object: str, id: object) -> None:
        super().restore(object, id)
        self._touched(object, id)

    def _touched(self, object: str, id: object) -> None:
        row = self.row(object, id)
        row.more["by_person"] = row.modified_at

    def merge(self, object: str, loser: object, winner: object) -> None:
        """The loser is deleted with MasterRecordId; what hung under it hangs under the winner (a system change)."""
        with self.lock:
            super().merge(object, loser, winner)
            gone, stays = self.row(object, loser), self.row(object, winner)
            gone.fields["MasterRecordId"] = stays.id
            for row in (gone, stays):
                row.more["by_person"] = row.modified_at
            for other, known in self.fields.items():
                names = [name for name, type in known.items() if type == "reference" and name != "MasterRecordId"]
                for row in self.rows(other):
                    for name in names:
                        if row[name] == gone.id:
                            row.fields[name] = stays.id
                            row.modified_at = stays.modified_at

    def value(self, row: Row, name: str) -> Any:
        """One field of a record, system fields too."""
        if name == "Id":
            return row.id
        if name == "IsDeleted":
            return row.is_deleted
        if name == "CreatedDate":
            return moment(row.created_at)
        if name == "SystemModstamp":
            return moment(row.modified_at)
        if name == "LastModifiedDate":
            return moment(row.more.get("by_person", row.modified_at))
        if name in ("CreatedById", "LastModifiedById"):
            return row.more.get(name, self.me)
        value = row.fields.get(name)
        return False if value is None and self.fields[row.object].get(name) == "boolean" else value

    def visible(self, object: str) -> dict[str, str]:
        """The fields that our user sees, by type."""
        known = self.fields[object]
        return {name: type for name, type in known.items() if (object, name) not in self.hidden}

    def known(self, name: str, status: int = 404) -> str:
        """The object as it is spelt. Refuses what is not there."""
        for object in self.enabled:
            if object.lower() == name.lower():
                return object
        if status == 404:
            raise error(404, "NOT_FOUND", "The requested resource does not exist")
        raise error(400, "INVALID_TYPE", f"sObject type '{name}' is not supported.")

    # -- SOQL

    def path_of(self, object: str, name: str) -> tuple[list[tuple[str, str]], str]:
        """The way to a field (`Account.Owner.Name`): references with their objects, then the field. Raises SoqlError."""
        way: list[tuple[str, str]] = []
        parts = name.split(".")
        if len(parts) > 1 and parts[0].lower() == object.lower():
            parts = parts[1:]
        here = object
        for part in parts[:-1]:
            names = {other.lower(): other for other in self.visible(here)}
            reference = names.get(f"{part}id".lower())
            if reference is None:
                raise SoqlError("INVALID_FIELD", f"Didn't understand relationship '{part}' in field path.")
            here = REFERENCES.get(reference, reference.removesuffix("Id"))
            way.append((reference, here))
        names = {other.lower(): other for other in self.visible(here)}
        if parts[-1].lower() not in names:
            raise SoqlError("INVALID_FIELD", f"No such column '{parts[-1]}' on entity '{here}'.")
        return way, names[parts[-1].lower()]

    def type_of(self, object: str, name: str) -> str:
        way, last = self.path_of(object, name)
        return self.fields[way[-1][1] if way else object][last]

    def reach(self, row: Row, name: str) -> Any:
        """The value at the end of a way; None where a reference is empty."""
        way, last = self.path_of(row.object, name)
        for reference, object in way:
            found = self.world.get(object, {}).get(row[reference] or "")
            if found is None:
                return None
            row = found
        return self.value(row, last)

    def find(self, query: Query, *, with_deleted: bool) -> list[Row]:
        """The rows of a query, in order. Raises SoqlError."""
        object = self.known(query.object, 400)
        cache: dict[str, str] = {}
        # Stamps compare as they are kept: thousands of rows would be written and read again otherwise.
        moments: dict[str, Callable[[Row], datetime]] = {
            "SystemModstamp": lambda row: row.modified_at,
            "CreatedDate": lambda row: row.created_at,
            "LastModifiedDate": lambda row: row.more.get("by_person", row.modified_at),
        }

        def value_of(row: Row, name: str) -> Any:
            simple = cache.get(name)
            if simple is None:
                way, last = self.path_of(object, name)
                simple = cache[name] = "" if way else last
            if simple in moments:
                return moments[simple](row)
            return self.value(row, simple) if simple else self.reach(row, name)

        test = condition(query.where, lambda name: self.type_of(object, name), value_of)
        found = [row for row in self.rows(object, is_deleted=None if with_deleted else False) if test(row)]
        for order in reversed(query.order):
            type = self.type_of(object, order.field)
            values = {row.id: comparable(type, value_of(row, order.field)) for row in found}
            full = [row for row in found if values[row.id] is not None]
            empty = [row for row in found if values[row.id] is None]
            full.sort(key=lambda row, values=values: values[row.id], reverse=order.is_descending)  # type: ignore[misc]
            found = full + empty if order.nulls_last else empty + full
        found = found[query.offset :]
        return found if query.limit is None else found[: query.limit]

    def columns(self, query: Query) -> list[str]:
        """The fields of a query, spelt out. Raises SoqlError."""
        object = self.known(query.object, 400)
        names: list[str] = []
        for name in query.fields:
            if name.startswith("FIELDS("):
                is_custom = {"FIELDS(ALL)": None, "FIELDS(CUSTOM)": True, "FIELDS(STANDARD)": False}[name]
                names += [one for one in self.visible(object) if is_custom in (None, one.endswith("__c"))]
            else:
                way, last = self.path_of(object, name)
                names.append(".".join([*(reference.removesuffix("Id") for reference, _object in way), last]))
        return names

    def shown(self, row: Row, names: Iterable[str], version: str) -> dict[str, Any]:
        """A record as replies have it, related ones nested."""
        url = f"/services/data/v{version}/sobjects/{row.object}/{row.id}"
        found: dict[str, Any] = {"attributes": {"type": row.object, "url": url}}
        nested: dict[str, list[str]] = {}
        for name in names:
            first, _, rest = name.partition(".")
            if rest:
                nested.setdefault(first, []).append(rest)
            else:
                found[name] = self.value(row, name)
        for first, inner in nested.items():
            object = REFERENCES.get(f"{first}Id", first)
            other = self.world.get(object, {}).get(row[f"{first}Id"] or "")
            found[first] = self.shown(other, inner, version) if other else None
        return found

    def batch_size(self, ask: Request) -> int:
        match = re.search(r"batchSize=(\d+)", ask.headers.get("sforce-query-options", ""), re.IGNORECASE)
        return min(2000, max(200, int(match.group(1)))) if match else 2000

    @route("GET", "/services/data/v{version}/query", page=True)
    @route("GET", "/services/data/v{version}/query/", page=True)
    def query(self, ask: Request, version: str) -> Any:
        return self._query(ask, version, "query")

    @route("GET", "/services/data/v{version}/queryAll", page=True)
    @route("GET", "/services/data/v{version}/queryAll/", page=True)
    def query_all(self, ask: Request, version: str) -> Any:
        return self._query(ask, version, "queryAll")

    def _query(self, ask: Request, version: str, way: str) -> Any:
        if version not in self.versions:
            raise error(404, "NOT_FOUND", "The requested resource does not exist")
        if "q" not in ask.params:
            raise error(400, "MALFORMED_QUERY", "A query string has to be specified")
        try:
            query = parse(ask.params["q"])
            names = self.columns(query)
            rows = self.find(query, with_deleted=way == "queryAll")
            if query.aggregates:
                return self._aggregate(query, rows)
        except SoqlError as fault:
            raise error(400, fault.code, f"\n{ask.params['q'][:80]}\n{fault}") from None
        if query.is_count:
            return {"totalSize": len(rows), "done": True, "records": []}
        self._numbers += 1
        locator = f"01g{self._numbers:012d}"
        self.locators[locator] = (ask.bearer, query, [row.id for row in rows])
        return self._batch(ask, version, way, locator, 0, names)

    def _aggregate(self, query: Query, rows: list[Row]) -> dict[str, Any]:
        """One row of sums and counts over everything."""
        record: dict[str, Any] = {"attributes": {"type": "AggregateResult"}}
        for function, name, alias in query.aggregates:
            object = self.known(query.object, 400)
            type = self.type_of(object, name)
            values = [self.reach(row, name) for row in rows]
            values = [value for value in values if value is not None]
            if function == "COUNT":
                record[alias] = len(values)
            elif function == "COUNT_DISTINCT":
                record[alias] = len(set(values))
            elif function == "SUM":
                record[alias] = sum((Decimal(str(value)) for value in values), Decimal(0)) if values else None
            else:
                best = min if function == "MIN" else max
                record[alias] = best(values, key=lambda value, type=type: comparable(type, value)) if values else None  # type: ignore[misc]
        return {"totalSize": 1, "done": True, "records": [record]}

    def _batch(self, ask: Request, version: str, way: str, locator: str, start: int, names: list[str]) -> Any:
        """Rows of an open query from `start` on: which ones is settled, what they say is of this moment."""
        _session, query, ids = self.locators[locator]
        object = self.known(query.object, 400)
        size = self.batch_size(ask)
        rows = [self.world[object][id] for id in ids if id in self.world[object]]
        part = self.by_offset(rows, start, size)
        records = [self.shown(row, names, version) for row in part.rows]
        reply: dict[str, Any] = {"totalSize": len(ids), "done": part.next is None, "records": records}
        if part.next is not None:
            place = part.next
            if place != start and place >= len(rows):
                self._numbers += 1
                self.locators[f"01g{self._numbers:012d}"] = self.locators[locator]
                locator, place = f"01g{self._numbers:012d}", place % max(1, len(rows))
            reply["nextRecordsUrl"] = f"/services/data/v{version}/{way}/{locator}-{place}"
        elif start + size >= len(ids):
            del self.locators[locator]
        return reply

    @route("GET", "/services/data/v{version}/query/{cursor}", page=True)
    def query_more(self, ask: Request, version: str, cursor: str) -> Any:
        return self._more(ask, version, "query", cursor)

    @route("GET", "/services/data/v{version}/queryAll/{cursor}", page=True)
    def query_all_more(self, ask: Request, version: str, cursor: str) -> Any:
        return self._more(ask, version, "queryAll", cursor)

    def _more(self, ask: Request, version: str, way: str, cursor: str) -> Any:
        locator, _, place = cursor.rpartition("-")
        session = self.locators.get(locator, ("",))[0]
        if locator not in self.locators or not place.isdigit() or (self.locators_of_session and session != ask.bearer):
            raise error(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._batch(ask, version, way, locator, int(place), self.columns(self.locators[locator][1]))

    # -- Objects and records

    @route("GET", "/services/data", is_open=True)
    @route("GET", "/services/data/", is_open=True)
    def list_versions(self, _ask: Request) -> Any:
        return [{"label": f"v{one}", "url": f"/services/data/v{one}", "version": one} for one in self.versions]

    @route("GET", "/services/data/v{version}/limits")
    @route("GET", "/services/data/v{version}/limits/")
    def list_limits(self, _ask: Request, version: str) -> Any:
        return {"DailyApiRequests": {"Max": self._day.n, "Remaining": self.remaining(self._day)}}

    @route("GET", "/services/data/v{version}/sobjects")
    @route("GET", "/services/data/v{version}/sobjects/")
    def list_objects(self, _ask: Request, version: str) -> Any:
        described = [
            {"name": name, "label": name, "keyPrefix": PREFIXES.get(name), "queryable": True, "custom": False}
            for name in sorted(self.enabled)
        ]
        return {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": described}

    @route("GET", "/services/data/v{version}/sobjects/{name}/describe")
    @route("GET", "/services/data/v{version}/sobjects/{name}/describe/")
    def describe(self, _ask: Request, version: str, name: str) -> Any:
        object = self.known(name)
        fields = []
        for one, type in self.visible(object).items():
            entry: dict[str, Any] = {
                "name": one,
                "label": re.sub(r"(?<=[a-z])(?=[A-Z])", " ", one.removesuffix("__c")),
                "type": type,
                "custom": one.endswith("__c"),
                "nillable": one not in COMMON,
                "updateable": one not in COMMON and object not in WRITTEN_ONCE,
                "createable": one not in COMMON and object not in WRITTEN_ONCE,
                "filterable": type != "textarea",
                "sortable": type != "textarea",
                "calculated": False,
                "length": {"id": 18, "reference": 18, "textarea": 32000}.get(type, 255),
                "precision": 18 if type in ("currency", "double") else 0,
                "scale": 2 if type in ("currency", "percent") else 0,
                "referenceTo": [REFERENCES.get(one, one.removesuffix("Id"))] if type == "reference" else [],
                "relationshipName": one.removesuffix("Id") if type == "reference" else None,
                "picklistValues": [],
            }
            if (object, one) == ("Opportunity", "StageName"):
                entry["picklistValues"] = [{"value": stage, "label": stage, "active": True} for stage in self.stages]
            fields.append(entry)
        return {"name": object, "label": object, "keyPrefix": PREFIXES.get(object), "custom": False, "queryable": True,
                "updateable": object not in WRITTEN_ONCE, "replicateable": True, "fields": fields}  # fmt: skip

    def _window(self, ask: Request) -> tuple[datetime, datetime]:
        """start and end of a replication call, whole minutes as in the real one. Refuses what is out of bounds."""
        try:
            start, end = (parsed_moment(ask.params[name].replace(" ", "+")) for name in ("start", "end"))
        except (KeyError, ValueError):
            raise error(400, "INVALID_REPLICATION_DATE", "start and end have to be dates with a time zone") from None
        start, end = start.replace(second=0, microsecond=0), end.replace(second=0, microsecond=0)
        if start < self.clock.now - timedelta(days=15):
            raise error(
                400, "INVALID_REPLICATION_DATE", "startDate before org replication enabled date or 15 days back"
            )
        if end <= start:
            raise error(400, "INVALID_REPLICATION_DATE", "endDate must be at least one minute greater than startDate")
        return start, end

    @route("GET", "/services/data/v{version}/sobjects/{name}/deleted")
    @route("GET", "/services/data/v{version}/sobjects/{name}/deleted/")
    def list_deleted(self, ask: Request, version: str, name: str) -> Any:
        object = self.known(name)
        start, end = self._window(ask)
        gone = [
            (row.deleted_at, row.id)
            for row in self.rows(object, is_deleted=True)
            if row.deleted_at and start <= row.deleted_at < end
        ]
        if len(gone) > self.most_deleted:
            raise error(400, "EXCEEDED_ID_LIMIT", "too many ids")
        return {
            "deletedRecords": [{"id": id, "deletedDate": moment(at)} for at, id in sorted(gone)],
            "earliestDateAvailable": moment(self.clock.now - timedelta(days=15)),
            "latestDateCovered": moment(min(end, self.clock.now)),
        }

    @route("GET", "/services/data/v{version}/sobjects/{name}/updated")
    @route("GET", "/services/data/v{version}/sobjects/{name}/updated/")
    def list_updated(self, ask: Request, version: str, name: str) -> Any:
        start, end = self._window(ask)
        ids = [row.id for row in self.rows(self.known(name)) if start <= row.modified_at < end]
        return {"ids": ids, "latestDateCovered": moment(min(end, self.clock.now))}

    def _record(self, name: str, id: str) -> Row:
        """A living record. Refuses deleted ones and strangers."""
        object = self.known(name)
        row = self.world.get(object, {}).get(self.identity(object, id))
        if row is None:
            raise error(404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: " + id)
        if row.is_deleted:
            raise error(404, "ENTITY_IS_DELETED", "entity is deleted")
        return row

    @route("GET", "/services/data/v{version}/sobjects/{name}/{id}")
    def one(self, ask: Request, version: str, name: str, id: str) -> Any:
        row = self._record(name, id)
        names = list(self.visible(row.object))
        if "fields" in ask.params:
            wanted = ask.params["fields"].split(",")
            for missing in (one for one in wanted if one not in names):
                raise error(400, "INVALID_FIELD", f"No such column '{missing}' on sobject of type {row.object}")
            names = ["Id", *wanted]
        headers = {"Last-Modified": _http_date(row.modified_at)}
        since = _parsed(ask.headers.get("if-modified-since"))
        if since and row.modified_at <= since:
            return Reply(status=304, headers=headers)
        return Reply(self.shown(row, names, version), headers=headers)

    def _writable(self, object: str, values: dict[str, Any]) -> dict[str, Any]:
        """The fields of a write. Refuses unknown, hidden and system ones."""
        values = {name: value for name, value in values.items() if name not in ("attributes", "id", "Id")}
        visible = self.visible(object)
        for name in values:
            if name not in visible:
                raise error(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {object}")
            if name in COMMON or object in WRITTEN_ONCE:
                message = f"Unable to create/update fields: {name}. Please check the security settings of this field."
                raise error(400, "INVALID_FIELD_FOR_INSERT_UPDATE", message, [name])
            if visible[name] in ("currency", "double", "percent", "int") and isinstance(values[name], str):
                raise error(
                    400, "JSON_PARSER_ERROR", f"Cannot deserialize instance of {visible[name]} from VALUE_STRING"
                )
        return values

    @route("PATCH", "/services/data/v{version}/sobjects/{name}/{id}")
    def edit(self, ask: Request, version: str, name: str, id: str) -> Any:
        row = self._record(name, id)
        unless = _parsed(ask.headers.get("if-unmodified-since"))
        if unless and row.modified_at > unless:
            raise error(412, "PRECONDITION_FAILED", "The precondition set by the If-Unmodified-Since header failed")
        self.put(row.object, row.id, **self._writable(row.object, ask.json))
        return Reply(status=204)

    @route("POST", "/services/data/v{version}/sobjects/{name}")
    @route("POST", "/services/data/v{version}/sobjects/{name}/")
    def create(self, ask: Request, version: str, name: str) -> Any:
        object = self.known(name)
        required = {"Opportunity": ("Name", "StageName", "CloseDate"), "Account": ("Name",), "Contact": ("LastName",),
                    "Lead": ("LastName", "Company")}  # fmt: skip
        missing = [one for one in required.get(object, ()) if not ask.json.get(one)]
        if missing:
            raise error(400, "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing)
        key = self.put(object, None, **self._writable(object, ask.json))
        return Reply({"id": key, "success": True, "errors": []}, 201)

    @route("DELETE", "/services/data/v{version}/sobjects/{name}/{id}")
    def remove(self, _ask: Request, version: str, name: str, id: str) -> Any:
        row = self._record(name, id)
        self.delete(row.object, row.id)
        return Reply(status=204)

    @route("PATCH", "/services/data/v{version}/composite/sobjects")
    def edit_several(self, ask: Request, version: str) -> Any:
        """Up to 200 records, each with its own result."""
        records = ask.json["records"]
        if len(records) > 200:
            raise error(400, "EXCEEDED_ID_LIMIT", "record limit reached. cannot submit more than 200 records")
        results: list[dict[str, Any]] = []
        for record in records:
            key = record.get("id") or record.get("Id")
            try:
                row = self._record(record["attributes"]["type"], key)
                self.put(row.object, row.id, **self._writable(row.object, record))
                results.append({"id": row.id, "success": True, "errors": []})
            except RefusedError as refusal:
                first = refusal.reply.data[0]
                entry = {
                    "statusCode": first["errorCode"],
                    "message": first["message"],
                    "fields": first.get("fields", []),
                }
                results.append({"id": key, "success": False, "errors": [entry]})
        return results

    # -- Bulk API 2.0 queries

    @route("POST", "/services/data/v{version}/jobs/query")
    def start_job(self, ask: Request, version: str) -> Any:
        asked = ask.json
        try:
            query = parse(asked["query"])
            names = self.columns(query)
            rows = self.find(query, with_deleted=asked.get("operation") == "queryAll")
        except SoqlError as fault:
            raise error(400, "API_ERROR", f"{fault.code}: {fault}") from None
        self._numbers += 1
        key = f"750{self._numbers:012d}"
        lines = [[self._cell(self.reach(row, name)) for name in names] for row in rows]
        self.jobs[key] = {"names": names, "lines": lines, "looks": 0, "shown": {
            "id": key, "operation": asked.get("operation", "query"), "object": query.object, "state": "UploadComplete",
            "createdDate": moment(self.clock.now), "contentType": "CSV", "lineEnding": "LF", "columnDelimiter": "COMMA",
            "apiVersion": Decimal(version)}}  # fmt: skip
        return self.jobs[key]["shown"]

    @staticmethod
    def _cell(value: Any) -> str:
        return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

    def _job(self, id: str) -> dict[str, Any]:
        if id not in self.jobs:
            raise error(404, "NOT_FOUND", "The requested resource does not exist")
        return self.jobs[id]

    @route("GET", "/services/data/v{version}/jobs/query/{id}")
    def look_at_job(self, _ask: Request, version: str, id: str) -> Any:
        """In progress at the first look, done at the second."""
        job = self._job(id)
        job["looks"] += 1
        job["shown"]["state"] = "InProgress" if job["looks"] == 1 else "JobComplete"
        if job["looks"] > 1:
            job["shown"]["numberRecordsProcessed"] = len(job["lines"])
        return job["shown"]

    @route("GET", "/services/data/v{version}/jobs/query/{id}/results", page=True)
    def job_results(self, ask: Request, version: str, id: str) -> Any:
        job = self._job(id)
        if job["shown"]["state"] != "JobComplete":
            raise error(400, "INVALIDJOBSTATE", "Job results are not available yet")
        start = int(ask.params.get("locator") or 0)
        size = int(ask.params.get("maxRecords") or 50_000)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(job["names"])
        writer.writerows(job["lines"][start : start + size])
        following = str(start + size) if start + size < len(job["lines"]) else "null"
        headers = {"Content-Type": "text/csv", "Sforce-Locator": following,
                   "Sforce-NumberOfRecords": str(len(job["lines"][start : start + size]))}  # fmt: skip
        return Reply(body=text.getvalue().encode(), headers=headers)

    @route("DELETE", "/services/data/v{version}/jobs/query/{id}")
    def end_job(self, _ask: Request, version: str, id: str) -> Any:
        self._job(id)
        del self.jobs[id]
        return Reply(status=204)

    # -- Who

    def _person(self) -> dict[str, Any]:
        return {"user_id": self.me, "organization_id": self.org, "preferred_username": "api@acme.example",
                "email": "api@acme.example", "name": "Api User"}  # fmt: skip

    @route("GET", "/services/oauth2/userinfo")
    def userinfo(self, _ask: Request) -> Any:
        return {"sub": f"{self.origin}/id/{self.org}/{self.me}", **self._person()}

    @route("GET", "/id/{org}/{user}")
    def identity_page(self, _ask: Request, org: str, user: str) -> Any:
        return {"id": f"{self.origin}/id/{org}/{user}", **self._person()}

    @route("POST", "/services/oauth2/revoke", is_open=True)
    def revoke_token(self, ask: Request) -> Any:
        token = ask.form.get("token", "")
        for grant in self.grants:
            if token in grant.access or token == grant.refresh:
                grant.is_revoked = True
                return Reply(status=200, body=b"")
        return Reply({"error": "unsupported_token_type", "error_description": "this token type is not supported"}, 400)

    def token_reply(self, reply: dict[str, Any], grant: Grant, kind: str) -> dict[str, Any]:
        return {
            **reply,
            "signature": "not-checked-here",
            "scope": grant.scope or "refresh_token api",
            "instance_url": self.origin,
            "id": f"{self.origin}/id/{self.org}/{self.me}",
            "issued_at": str(int(self.clock.now.timestamp() * 1000)),
        }

    # -- Refusals

    def unauthorized(self, ask: Request) -> Reply:
        return Reply([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}], 401)

    def not_found(self, ask: Request) -> Reply:
        return Reply([{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}], 404)

    def limit_reached(self) -> Reply:
        return Reply([{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}], 403)

    def over(self, limit: Limit, retry_after: float) -> Reply:
        return self.limit_reached()

    def too_many(self, retry_after: float | str | None) -> Reply:
        """Not what Salesforce itself says, but what proxies before it do."""
        body = [{"message": "Too many requests", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
        return Reply(body, 429, self.retry_header(retry_after))

    def failure(self, status: int) -> Reply:
        code = "SERVER_UNAVAILABLE" if status == 503 else "UNKNOWN_EXCEPTION"
        return Reply([{"errorCode": code, "message": "An unexpected error occurred."}], status)

    def rate_headers(self, ask: Request) -> dict[str, str]:
        used = self._day.used(self.clock.lapse())
        return {"Sforce-Limit-Info": f"api-usage={used}/{self._day.n}"}


def _http_date(at: datetime) -> str:
    return at.strftime("%a, %d %b %Y %H:%M:%S GMT")


def _parsed(text: str | None) -> datetime | None:
    """The moment of a conditional header."""
    if not text:
        return None
    return parsed_moment(datetime.strptime(text, "%a, %d %b %Y %H:%M:%S %Z").isoformat() + "Z")  # noqa: DTZ007
