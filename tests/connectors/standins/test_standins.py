"""The stand-in vendors themselves: what the other tests rely on."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest

from tests.connectors.standins.base import BEGINNING, OAuth, Request, StandIn, route
from tests.connectors.standins.close import Close
from tests.connectors.standins.hubspot import HubSpot
from tests.connectors.standins.outreach import Outreach
from tests.connectors.standins.salesforce import Salesforce, eighteen


class Answer:
    """A reply as a client sees it."""

    def __init__(self, status: int, headers: http.client.HTTPMessage, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body, parse_float=Decimal)


def call(
    standin: StandIn,
    path: str,
    params: dict[str, Any] | None = None,
    *,
    method: str = "",
    token: str = "",
    data: Any = None,
    form: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    timeout: float = 5,
) -> Answer:
    """One plain request."""
    connection = http.client.HTTPConnection(standin.address, timeout=timeout)
    sent = dict(headers or {})
    body = None
    if token:
        sent["Authorization"] = f"Bearer {token}"
    if data is not None:
        body, sent["Content-Type"] = json.dumps(data), sent.get("Content-Type", "application/json")
    if form is not None:
        body, sent["Content-Type"] = urlencode(form), "application/x-www-form-urlencoded"
    target = f"{path}?{urlencode(params)}" if params else path
    try:
        connection.request(method or ("POST" if body else "GET"), target, body, sent)
        reply = connection.getresponse()
        return Answer(reply.status, reply.headers, reply.read())
    finally:
        connection.close()


class Corner(StandIn):
    """The smallest vendor there is: one object, three ways of paging, rotating tokens."""

    vendor = "corner"
    oauth = OAuth("/authorize", "/token", lifetime=60, rotates=True, reuse_revokes=True)
    key_in = "x-key"

    @route("GET", "/deals", page=True)
    def deals(self, ask: Request) -> Any:
        rows = sorted(self.rows("deal"), key=lambda row: (row.modified_at, row.id))
        part = self.by_offset(rows, ask.number("start", 0), 2)
        return {"rows": [{"id": row.id, **row.fields} for row in part.rows], "next": part.next}

    @route("GET", "/cursor", page=True)
    def cursor(self, ask: Request) -> Any:
        part = self.by_cursor(lambda: self.rows("deal"), ask.params.get("cursor"), 2)
        return {"rows": [row.id for row in part.rows], "next": part.next}

    @route("GET", "/search")
    def search(self, _ask: Request) -> Any:
        return {row.id: row["name"] for row in self.indexed("deal")}

    def rate_headers(self, ask: Request) -> dict[str, str]:
        return {"X-Left": str(self.remaining(self.limits[0]))} if self.limits else {}


@pytest.fixture
def corner() -> Any:
    with Corner() as standin:
        yield standin


KEY = {"x-key": Corner.api_key}


def consent(standin: StandIn, verifier: str = "v" * 43, **more: str) -> dict[str, str]:
    """Walk through the page of consent; what came back in the redirect."""
    assert standin.oauth
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    asked = {
        "response_type": "code",
        "client_id": standin.client_id,
        "redirect_uri": "https://portal.example.com/back",
        "state": "s1",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **more,
    }
    reply = call(standin, standin.oauth.authorize, asked)
    assert reply.status == 302, reply.body
    return {name: values[0] for name, values in parse_qs(urlsplit(reply.headers["Location"]).query).items()}


def token(standin: StandIn, **form: str) -> Answer:
    assert standin.oauth
    client = {"client_id": standin.client_id, "client_secret": standin.client_secret}
    return call(standin, standin.oauth.token, form=client | form)


def redeem(standin: StandIn, code: str, verifier: str = "v" * 43) -> Answer:
    back = "https://portal.example.com/back"
    return token(standin, grant_type="authorization_code", code=code, redirect_uri=back, code_verifier=verifier)


def test_consent_gives_a_code_that_works_once_for_its_verifier(corner: Corner) -> None:
    answer = consent(corner)
    assert answer["state"] == "s1"
    assert redeem(corner, answer["code"], "w" * 43).json["error"] == "invalid_grant"
    assert redeem(corner, answer["code"]).status == 400  # burnt by the wrong verifier
    code = consent(corner)["code"]
    tokens = redeem(corner, code).json
    assert (tokens["expires_in"], redeem(corner, code).json["error"]) == (60, "invalid_grant")
    assert call(corner, "/deals", token=tokens["access_token"]).status == 200
    assert call(corner, "/deals").json == {"error": "unauthorized"}
    assert call(corner, "/deals", headers=KEY).status == 200
    assert call(corner, "/authorize", {"client_id": "stranger", "redirect_uri": "https://a.example"}).status == 400
    corner.redirect_uris = {"https://other.example/back"}
    wrong = {"client_id": corner.client_id, "redirect_uri": "https://portal.example.com/back"}
    assert call(corner, "/authorize", wrong).status == 400
    corner.redirect_uris, corner.denies = set(), True
    assert consent(corner)["error"] == "access_denied"


def test_tokens_die_by_the_vendors_clock_and_reused_refresh_tokens_end_everything(corner: Corner) -> None:
    first = corner.give_tokens()
    corner.clock.advance(61)
    assert call(corner, "/deals", token=first["access_token"]).status == 401
    second = token(corner, grant_type="refresh_token", refresh_token=first["refresh_token"]).json
    assert call(corner, "/deals", token=second["access_token"]).status == 200
    assert second["refresh_token"] != first["refresh_token"]
    assert (
        token(corner, grant_type="refresh_token", refresh_token=first["refresh_token"]).json["error"] == "invalid_grant"
    )
    assert call(corner, "/deals", token=second["access_token"]).status == 401
    assert (corner.refreshes, corner.refused_refreshes) == (1, 1)
    assert token(corner, grant_type="refresh_token", refresh_token="", client_secret="wrong").status == 401


def test_edits_share_a_stamp_while_the_clock_is_still(corner: Corner) -> None:
    corner.put("deal", 1, name="a", on=date(2026, 5, 1), at=datetime(2026, 5, 1, tzinfo=UTC), price=Decimal("1.10"))
    corner.clock.still = True
    corner.put("deal", 2, name="b")
    corner.put("deal", 1, name="c")
    assert corner.row("deal", 1).modified_at == corner.row("deal", 2).modified_at == BEGINNING + timedelta(seconds=1)
    assert corner.log[-1].previous == {"name": "a"}
    corner.clock.still = False
    corner.delete("deal", 2)
    assert corner.row("deal", 2).modified_at == corner.row("deal", 2).deleted_at == BEGINNING + timedelta(seconds=2)
    corner.restore("deal", 2)
    reply = call(corner, "/deals", headers=KEY)
    assert b'"price":1.10}' in reply.body
    assert reply.json["rows"][0]["at"] == "2026-05-01T00:00:00.000Z"
    assert parsedate_to_datetime(reply.headers["Date"]) == corner.clock.now


def test_a_record_moves_between_pages_and_offsets_lose_one_while_cursors_do_not(corner: Corner) -> None:
    for number in range(1, 6):
        corner.put("deal", number, name=str(number))

    def move(page: int) -> None:
        if page == 2:
            corner.put("deal", 1, name="moved")

    corner.before_page(move)
    seen: list[str] = []
    start: int | None = 0
    while start is not None:
        page = call(corner, "/deals", {"start": start}, headers=KEY).json
        seen += [row["id"] for row in page["rows"]]
        start = page["next"]
    assert seen == ["1", "2", "4", "5", "1"]
    corner.before_page(move)
    cursor, seen = "", []
    while True:
        page = call(corner, "/cursor", {"cursor": cursor} if cursor else None, headers=KEY).json
        seen, cursor = seen + page["rows"], page["next"]
        if not cursor:
            break
    assert seen == ["1", "2", "3", "4", "5"]


def test_cursors_that_never_end(corner: Corner) -> None:
    corner.put("deal", 1)
    repeat = corner.faults.add("endless_cursor", "/cursor", mode="repeat")
    first = call(corner, "/cursor", headers=KEY).json["next"]
    assert call(corner, "/cursor", {"cursor": first}, headers=KEY).json["next"] == first
    assert repeat.fired == 2
    corner.faults.clear()
    corner.faults.add("endless_cursor", "/cursor", mode="invent")
    seen = {first}
    for _ in range(5):
        seen.add(call(corner, "/cursor", {"cursor": first}, headers=KEY).json["next"])
    assert len(seen) == 6


def test_searches_lag_until_released_or_by_the_clock(corner: Corner) -> None:
    corner.put("deal", 1, name="old")
    lag = corner.faults.add("search_lag")
    corner.put("deal", 1, name="new")
    corner.put("deal", 2, name="fresh")
    assert call(corner, "/search", headers=KEY).json == {"1": "old"}
    lag.release()
    assert call(corner, "/search", headers=KEY).json == {"1": "new", "2": "fresh"}
    corner.faults.add("search_lag", seconds=30)
    corner.put("deal", 1, name="newer")
    corner.clock.advance(29)
    assert call(corner, "/search", headers=KEY).json["1"] == "new"
    corner.clock.advance(1)
    assert call(corner, "/search", headers=KEY).json["1"] == "newer"


def test_faults_hit_the_request_they_are_meant_for(corner: Corner) -> None:
    corner.faults.add("429", "/deals", nth=2, retry_after=7)
    corner.faults.add(503, "/search", times=2, html=True)
    assert [call(corner, "/deals", headers=KEY).status for _ in range(3)] == [200, 429, 200]
    assert [call(corner, "/search", headers=KEY).status for _ in range(3)] == [503, 503, 200]
    assert [ask.status for ask in corner.asked("/deals")] == [200, 429, 200]
    corner.faults.add("429", "/deals", retry_after="Wed, 21 Oct 2026 07:28:00 GMT")
    assert call(corner, "/deals", headers=KEY).headers["Retry-After"] == "Wed, 21 Oct 2026 07:28:00 GMT"
    corner.faults.add("garbled", "/deals")
    assert call(corner, "/deals", headers=KEY).body.startswith(b"<!DOCTYPE html>")
    corner.faults.add("expire_token", "/deals", nth=2)
    access = corner.give_tokens()["access_token"]
    assert [call(corner, "/deals", token=access).status for _ in range(2)] == [200, 401]
    corner.faults.add("redirect", "/deals", to="http://169.254.169.254/latest")
    assert call(corner, "/deals", headers=KEY).headers["Location"] == "http://169.254.169.254/latest"
    with pytest.raises(ValueError):
        corner.faults.add("earthquake")


def test_answers_that_do_not_arrive(corner: Corner) -> None:
    corner.put("deal", 1, name="a" * 100)
    corner.faults.add("half_body", "/deals")
    with pytest.raises(http.client.IncompleteRead):
        call(corner, "/deals", headers=KEY)
    corner.faults.add("reset", "/deals")
    with pytest.raises(ConnectionResetError):
        call(corner, "/deals", headers=KEY)
    hang = corner.faults.add("hang", "/deals")
    with pytest.raises(TimeoutError):
        call(corner, "/deals", headers=KEY, timeout=0.1)
    hang.release()
    slow = corner.faults.add("slow_body", "/deals", every=0.01)
    started = time.perf_counter()
    connection = http.client.HTTPConnection(corner.address, timeout=5)
    connection.request("GET", "/deals", headers=KEY)
    reply = connection.getresponse()
    assert reply.read(5)
    slow.release()
    assert len(reply.read()) > 100
    assert time.perf_counter() - started < 5
    connection.close()
    corner.faults.add("huge", "/deals", size=3_000_000)
    assert len(call(corner, "/deals", headers=KEY).body) == 3_000_000


@pytest.mark.usefixtures("frozen")
def test_it_answers_while_our_clock_stands_still(corner: Corner) -> None:
    corner.limit(per=10, n=1)
    corner.put("deal", 1, name="a" * 50)
    corner.faults.add("slow_body", "/deals", every=0.001)
    assert call(corner, "/deals", headers=KEY).status == 200
    assert call(corner, "/deals", headers=KEY).status == 429


def test_limits_are_enforced_and_overruns_kept(corner: Corner) -> None:
    corner.limit(per=10, n=2)
    replies = [call(corner, "/deals", headers=KEY) for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 429]
    assert [reply.headers["X-Left"] for reply in replies] == ["1", "0", "0"]
    assert replies[2].headers["Retry-After"] == "10"
    assert len(corner.overruns) == 1
    corner.clock.advance(10)
    assert call(corner, "/deals", headers=KEY).status == 200


# -- Salesforce


@pytest.fixture
def salesforce() -> Any:
    with Salesforce() as standin:
        yield standin


def soql(standin: Salesforce, query: str, *, path: str = "query", token: str = "", **headers: str) -> Answer:
    access = token or standin.give_tokens()["access_token"]
    return call(standin, f"/services/data/v60.0/{path}", {"q": query}, token=access, headers=headers)


def test_salesforce_ids_have_two_forms() -> None:
    assert eighteen("001A0000006Vm9r") == "001A0000006Vm9rIAC"  # published example


def test_salesforce_tokens_name_the_instance_and_no_lifetime(salesforce: Salesforce) -> None:
    tokens = redeem(salesforce, consent(salesforce)["code"]).json
    assert tokens["instance_url"] == salesforce.origin
    assert "expires_in" not in tokens
    again = token(salesforce, grant_type="refresh_token", refresh_token=tokens["refresh_token"]).json
    assert "refresh_token" not in again
    assert (
        call(salesforce, "/services/oauth2/userinfo", token=again["access_token"])
        .json["organization_id"]
        .startswith("00D")
    )
    refused = call(salesforce, "/services/data/v60.0/limits", token="old")
    assert (refused.status, refused.json[0]["errorCode"]) == (401, "INVALID_SESSION_ID")


def test_salesforce_answers_queries(salesforce: Salesforce) -> None:
    acme = salesforce.put("Account", 1, Name="Acme")
    salesforce.put("User", 2, FirstName="Ada", LastName="Byron", Email="ada@acme.example", IsActive=True)
    one = salesforce.put(
        "Opportunity", 1, Name="One", AccountId=1, OwnerId=2, Amount=Decimal("10.50"), CloseDate=date(2026, 6, 30)
    )
    two = salesforce.put("Opportunity", 2, Name="Two", StageName="Closed Won", CloseDate=date(2026, 5, 1))
    stamp = "2026-06-17T10:00:00Z"
    reply = soql(
        salesforce,
        f"SELECT Id, Amount, Account.Name, Owner.Email, CloseDate, SystemModstamp FROM Opportunity "
        f"WHERE SystemModstamp >= {stamp} AND (Name = 'one' OR IsWon = true) ORDER BY SystemModstamp, Id LIMIT 1",
    ).json
    assert reply["totalSize"] == 1
    assert reply["done"] is True
    record = reply["records"][0]
    assert record["attributes"]["url"] == f"/services/data/v60.0/sobjects/Opportunity/{one}"
    assert (record["Amount"], record["Account"]["Name"], record["Owner"]["Email"]) == (
        Decimal("10.50"), "Acme", "ada@acme.example",
    )  # fmt: skip
    assert record["SystemModstamp"].endswith(".000+0000")
    by_short = soql(salesforce, f"SELECT Id FROM Opportunity WHERE AccountId IN ('{acme[:15]}')").json
    assert [row["Id"] for row in by_short["records"]] == [one]
    won = soql(salesforce, "SELECT Id, Probability FROM Opportunity WHERE IsClosed = true").json["records"]
    assert [(row["Id"], row["Probability"]) for row in won] == [(two, 100)]
    sums = soql(salesforce, "SELECT COUNT(Id) n, SUM(Amount) total FROM Opportunity").json["records"][0]
    assert (sums["n"], sums["total"]) == (2, Decimal("10.50"))
    assert soql(salesforce, "SELECT COUNT() FROM Opportunity").json["totalSize"] == 2
    history = soql(salesforce, "SELECT StageName FROM OpportunityHistory ORDER BY CreatedDate, Id").json["records"]
    assert [row["StageName"] for row in history] == ["Prospecting", "Closed Won"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT Id FROM Opportunity WHERE SystemModstamp >= '2026-05-04T08:00:00Z'", "INVALID_FIELD"),
        ("SELECT Nothing FROM Opportunity", "INVALID_FIELD"),
        ("SELECT Id FROM Nowhere", "INVALID_TYPE"),
        ("SELECT Id FROM OpportunitySplit", "INVALID_TYPE"),
        ("SELECT FIELDS(ALL) FROM Opportunity", "MALFORMED_QUERY"),
        ("SELECT Id FROM Opportunity OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE"),
        ("SELECT Id FROM Opportunity WHERE IsWon = true AND IsClosed = true OR Id = 'x'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Opportunity WHERE SystemModstamp >= 2026-05-04T08:00:00 0000", "MALFORMED_QUERY"),
    ],
)
def test_salesforce_refuses_what_it_would_refuse(salesforce: Salesforce, query: str, code: str) -> None:
    reply = soql(salesforce, query)
    assert (reply.status, reply.json[0]["errorCode"]) == (400, code)


def test_salesforce_pages_by_locators_of_the_session(salesforce: Salesforce) -> None:
    salesforce.bulk("Account", 450, lambda number: {"Name": f"Company {number}"})
    access = salesforce.give_tokens()["access_token"]
    query = "SELECT Id FROM Account ORDER BY SystemModstamp, Id"
    first = soql(salesforce, query, token=access, **{"Sforce-Query-Options": "batchSize=200"}).json
    assert (first["totalSize"], first["done"], len(first["records"])) == (450, False, 200)
    options = {"Sforce-Query-Options": "batchSize=200"}
    second = call(salesforce, first["nextRecordsUrl"], token=access, headers=options).json
    last = call(salesforce, second["nextRecordsUrl"], token=access, headers=options).json
    ids = [row["Id"] for page in (first, second, last) for row in page["records"]]
    assert (len(set(ids)), last["done"], "nextRecordsUrl" in last) == (450, True, False)
    other = salesforce.give_tokens()["access_token"]
    again = soql(salesforce, query, token=access, **options).json["nextRecordsUrl"]
    assert call(salesforce, again, token=other).json[0]["errorCode"] == "INVALID_QUERY_LOCATOR"


def test_salesforce_keeps_what_was_deleted_and_merged(salesforce: Salesforce) -> None:
    for number in (1, 2, 3):
        salesforce.put("Account", number, Name=str(number))
    deal = salesforce.put("Opportunity", 1, Name="D", AccountId=1)
    salesforce.delete("Account", 3)
    salesforce.merge("Account", 1, 2)
    gone = soql(
        salesforce,
        "SELECT Id, MasterRecordId FROM Account WHERE IsDeleted = true ORDER BY SystemModstamp",
        path="queryAll",
    ).json["records"]
    winner = salesforce.identity("Account", 2)
    assert [(row["Id"], row["MasterRecordId"]) for row in gone] == [
        (salesforce.identity("Account", 3), None),
        (salesforce.identity("Account", 1), winner),
    ]
    assert salesforce.row("Opportunity", deal)["AccountId"] == winner
    access = salesforce.give_tokens()["access_token"]
    path = "/services/data/v60.0/sobjects/Account/deleted/"
    window = {"start": "2026-06-17T10:00:00+00:00", "end": "2026-06-17T10:05:00+00:00"}
    assert len(call(salesforce, path, window, token=access).json["deletedRecords"]) == 2
    early = {"start": "2026-04-01T08:00:00Z", "end": "2026-06-17T10:05:00Z"}
    assert call(salesforce, path, early, token=access).json[0]["errorCode"] == "INVALID_REPLICATION_DATE"
    salesforce.restore("Account", 3)
    assert soql(salesforce, "SELECT COUNT() FROM Account").json["totalSize"] == 2


def test_salesforce_hides_columns_and_takes_edits(salesforce: Salesforce) -> None:
    key = salesforce.put("Opportunity", 1, Name="D", Amount=5, Margin__c=Decimal("0.25"))
    access = salesforce.give_tokens()["access_token"]
    path = f"/services/data/v60.0/sobjects/Opportunity/{key}"
    described = call(salesforce, "/services/data/v60.0/sobjects/Opportunity/describe", token=access).json["fields"]
    assert {"Amount", "Margin__c"} <= {field["name"] for field in described}
    assert call(salesforce, path, token=access, method="PATCH", data={"Amount": 7}).status == 204
    assert (salesforce.row("Opportunity", 1)["Amount"], salesforce.log[-1].previous) == (7, {"Amount": 5})
    seen = {"If-Unmodified-Since": "Wed, 17 Jun 2026 10:00:00 GMT"}
    assert call(salesforce, path, token=access, method="PATCH", data={"Amount": 8}, headers=seen).status == 412
    salesforce.hide("Opportunity", "Amount")
    assert soql(salesforce, "SELECT Amount FROM Opportunity").json[0]["errorCode"] == "INVALID_FIELD"
    assert (
        call(salesforce, path, token=access, method="PATCH", data={"Amount": 8}).json[0]["errorCode"] == "INVALID_FIELD"
    )
    assert "Amount" not in call(salesforce, path, token=access).json
    with pytest.raises(LookupError):
        salesforce.put("Opportunity", 1, Ammount=1)


def test_salesforce_says_403_when_the_day_is_used_up(salesforce: Salesforce) -> None:
    salesforce.limits[0].n = 2
    access = salesforce.give_tokens()["access_token"]
    replies = [call(salesforce, "/services/data/v60.0/limits", token=access) for _ in range(3)]
    assert [reply.headers["Sforce-Limit-Info"] for reply in replies] == [
        "api-usage=1/2",
        "api-usage=2/2",
        "api-usage=2/2",
    ]
    assert (replies[2].status, replies[2].json[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")


def test_salesforce_bulk_queries_give_csv(salesforce: Salesforce) -> None:
    salesforce.bulk("Account", 5, lambda number: {"Name": f"C{number}"})
    access = salesforce.give_tokens()["access_token"]
    jobs = "/services/data/v60.0/jobs/query"
    asked = {"operation": "query", "query": "SELECT Name, AnnualRevenue, IsDeleted FROM Account"}
    path = f"{jobs}/{call(salesforce, jobs, token=access, data=asked).json['id']}"
    states = [call(salesforce, path, token=access).json["state"] for _ in range(2)]
    assert states == ["InProgress", "JobComplete"]
    first = call(salesforce, f"{path}/results", {"maxRecords": 3}, token=access)
    assert (first.body.splitlines()[:2], first.headers["Sforce-Locator"]) == (
        [b'"Name","AnnualRevenue","IsDeleted"', b'"C0","","false"'], "3",
    )  # fmt: skip
    rest = call(salesforce, f"{path}/results", {"maxRecords": 3, "locator": 3}, token=access)
    assert (len(rest.body.splitlines()), rest.headers["Sforce-Locator"]) == (3, "null")


# -- HubSpot


@pytest.fixture
def hubspot() -> Any:
    with HubSpot() as standin:
        yield standin


def ms(at: datetime) -> str:
    return str(round(at.timestamp() * 1000))


def find(standin: HubSpot, since: datetime, *, after: str = "", limit: int = 200, kind: str = "deals") -> Answer:
    name = "lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"
    body = {
        "filterGroups": [{"filters": [{"propertyName": name, "operator": "GTE", "value": ms(since)}]}],
        "sorts": [{"propertyName": name, "direction": "ASCENDING"}],
        "properties": ["dealname", "amount"],
        "limit": limit,
        "after": after,
    }
    return call(standin, f"/crm/v3/objects/{kind}/search", token=standin.api_key, data=body)


def test_hubspot_lists_and_searches(hubspot: HubSpot) -> None:
    for number in range(1, 6):
        hubspot.put("deals", number, dealname=f"D{number}", amount=Decimal("10.50"), closedate=date(2026, 6, 30))
    token = hubspot.api_key
    page = call(hubspot, "/crm/v3/objects/deals", {"limit": 2, "properties": "amount,nonsense"}, token=token).json
    assert [row["id"] for row in page["results"]] == ["1", "2"]
    assert sorted(page["results"][0]["properties"]) == ["amount", "createdate", "hs_lastmodifieddate", "hs_object_id"]
    assert page["results"][0]["properties"]["amount"] == "10.50"
    assert page["paging"]["next"]["after"] == "2"
    assert call(hubspot, "/crm/v3/objects/deals", {"limit": 101}, token=token).status == 400
    one = call(hubspot, "/crm/v3/objects/deals/1", {"properties": "closedate,hs_is_closed"}, token=token).json
    assert one["properties"]["closedate"] == "2026-06-30T00:00:00.000Z"
    found = find(hubspot, hubspot.row("deals", 3).modified_at, limit=2).json
    assert (found["total"], [row["id"] for row in found["results"]]) == (3, ["3", "4"])
    assert found["paging"]["next"]["after"] == "2"
    assert [row["id"] for row in find(hubspot, BEGINNING, after="4").json["results"]] == ["5"]


def test_hubspot_searches_end_at_ten_thousand(hubspot: HubSpot) -> None:
    hubspot.bulk("contacts", 10_001, lambda number: {"email": f"p{number}@acme.example"})
    assert find(hubspot, BEGINNING, after="9800", kind="contacts").json["total"] == 10_001
    refused = find(hubspot, BEGINNING, after="9900", kind="contacts")
    assert (refused.status, refused.json["category"]) == (400, "VALIDATION_ERROR")


def test_hubspot_archives_and_merges(hubspot: HubSpot) -> None:
    for number in (1, 2, 3):
        hubspot.put("companies", number, name=str(number))
    hubspot.put("deals", 9, dealname="D")
    hubspot.associate("deals", 9, "companies", 1)
    hubspot.delete("companies", 3)
    token = hubspot.api_key
    gone = call(hubspot, "/crm/v3/objects/companies", {"archived": "true"}, token=token).json["results"]
    assert [(row["id"], row["archived"], "archivedAt" in row) for row in gone] == [("3", True, True)]
    call(hubspot, "/crm/v3/objects/companies/merge", token=token, data={"primaryObjectId": "2", "objectIdToMerge": "1"})
    living = call(hubspot, "/crm/v3/objects/companies", {"properties": "hs_merged_object_ids"}, token=token).json[
        "results"
    ]
    assert [(row["id"], row["properties"]["hs_merged_object_ids"]) for row in living] == [("2", "1")]
    assert call(hubspot, "/crm/v3/objects/companies/1", token=token).json["id"] == "2"
    asked = {"inputs": [{"id": "9"}, {"id": "8"}]}
    linked = call(hubspot, "/crm/v4/associations/deals/companies/batch/read", token=token, data=asked)
    assert (linked.status, linked.json["numErrors"]) == (207, 1)
    assert [one["toObjectId"] for one in linked.json["results"][0]["to"]] == [2]
    assert linked.json["results"][0]["to"][0]["associationTypes"][0]["label"] == "Primary"


def test_hubspot_keeps_past_values_and_takes_edits(hubspot: HubSpot) -> None:
    hubspot.put("deals", 1, dealname="D")
    token = hubspot.api_key
    edit = {"properties": {"dealstage": "closedwon"}}
    reply = call(hubspot, "/crm/v3/objects/deals/1", token=token, method="PATCH", data=edit)
    assert reply.json["updatedAt"] == "2026-06-17T10:00:02.000Z"
    asked = {"propertiesWithHistory": "dealstage", "properties": "hs_is_closed_won"}
    shown = call(hubspot, "/crm/v3/objects/deals/1", asked, token=token).json
    assert [entry["value"] for entry in shown["propertiesWithHistory"]["dealstage"]] == [
        "closedwon",
        "appointmentscheduled",
    ]
    assert shown["properties"]["hs_is_closed_won"] == "true"
    wrong = {"properties": {"dealstage": "won"}}
    assert call(hubspot, "/crm/v3/objects/deals/1", token=token, method="PATCH", data=wrong).status == 400
    hubspot.splits["1"] = {"7": "0.6", "8": "0.4"}
    splits = call(hubspot, "/crm/v3/objects/deals/splits/batch/read", token=token, data={"inputs": [{"id": "1"}]}).json
    assert [one["properties"]["hs_deal_split_percentage"] for one in splits["results"][0]["splits"]] == ["0.6", "0.4"]
    missing = call(
        hubspot, "/crm/v3/objects/deals/batch/read", token=token, data={"inputs": [{"id": "1"}, {"id": "2"}]}
    )
    assert (missing.status, len(missing.json["results"])) == (207, 1)


def test_hubspot_owners_are_not_users(hubspot: HubSpot) -> None:
    hubspot.owner(7, email="ada@acme.example", teams=["West"])
    hubspot.owner(8, email="bob@acme.example")
    hubspot.delete("owners", 8)
    here = call(hubspot, "/crm/v3/owners", token=hubspot.api_key).json["results"]
    gone = call(hubspot, "/crm/v3/owners", {"archived": "true"}, token=hubspot.api_key).json["results"]
    assert [(one["id"], one["userId"], one["teams"][0]["name"]) for one in here] == [("7", 500007, "West")]
    assert [(one["id"], one["userId"], one["userIdIncludingInactive"]) for one in gone] == [("8", None, 500008)]


def test_hubspot_says_how_it_refuses(hubspot: HubSpot) -> None:
    hubspot.limit_as_documented()
    replies = [find(hubspot, BEGINNING) for _ in range(6)]
    assert [reply.status for reply in replies] == [200] * 5 + [429]
    assert (replies[5].json["policyName"], replies[5].headers["Retry-After"]) == ("SECONDLY", None)
    assert "X-HubSpot-RateLimit-Remaining" not in replies[0].headers
    listed = call(hubspot, "/crm/v3/objects/deals", token=hubspot.api_key)
    assert listed.headers["X-HubSpot-RateLimit-Remaining"] == "104"
    tokens = hubspot.give_tokens()
    hubspot.clock.advance(1800)
    assert call(hubspot, "/crm/v3/owners", token=tokens["access_token"]).json["category"] == "EXPIRED_AUTHENTICATION"
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert token(hubspot, **form).json["refresh_token"] == tokens["refresh_token"]
    assert token(hubspot, grant_type="refresh_token", refresh_token="x").json["status"] == "BAD_REFRESH_TOKEN"


def test_hubspot_signs_what_it_pushes(hubspot: HubSpot) -> None:
    hubspot.put("deals", 1, dealname="D")
    hubspot.put("deals", 1, dealname="E", amount=3)
    hubspot.put("deals", 2, dealname="F")
    hubspot.merge("deals", 2, 1)
    [delivery] = hubspot.hook_deliveries()
    told = json.loads(delivery.body)
    assert [one["subscriptionType"] for one in told][:4] == [
        "deal.creation", "deal.propertyChange", "deal.propertyChange", "deal.creation",
    ]  # fmt: skip
    assert (told[4]["primaryObjectId"], told[4]["mergedObjectIds"]) == (1, [2])
    assert len({one["eventId"] for one in told}) == len(told) == 5
    twice = json.loads(hubspot.hook_deliveries(twice=True, shuffle=1)[0].body)
    assert (len(twice), {one["eventId"] for one in twice}) == (10, {one["eventId"] for one in told})
    stamp = delivery.headers["X-HubSpot-Request-Timestamp"]
    signed = f"POST{hubspot.hook_url}".encode() + delivery.body + stamp.encode()
    proof = hmac.new(hubspot.client_secret.encode(), signed, hashlib.sha256).digest()
    assert delivery.headers["X-HubSpot-Signature-v3"] == base64.b64encode(proof).decode()


def test_hubspot_signs_as_published() -> None:
    standin = HubSpot()
    standin.client_secret = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
    item = {
        "eventId": 1, "subscriptionId": 12345, "portalId": 62515, "occurredAt": 1564113600000,
        "subscriptionType": "contact.creation", "attemptNumber": 0, "objectId": 123, "changeSource": "CRM",
        "changeFlag": "NEW", "appId": 54321,
    }  # fmt: skip
    delivery = standin.hook_delivery([item], BEGINNING)
    assert delivery.headers["X-HubSpot-Signature"] == "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de"


# -- Close


@pytest.fixture
def close() -> Any:
    with Close() as standin:
        yield standin


CLOSE_KEY = {"Authorization": "Basic " + base64.b64encode(f"{Close.api_key}:".encode()).decode()}


def test_close_lists_what_can_be_filtered(close: Close) -> None:
    close.put("lead", 1, name="Acme")
    close.put("opportunity", 1, lead_id=1, value=50000, value_period="annual")
    close.put("opportunity", 2, lead_id=1, value=10000)
    since = close.clock.now
    close.put("opportunity", 1, status_id=2)
    path = "/api/v1/opportunity/"
    [won] = call(close, path, {"date_updated__gt": since.isoformat()}, headers=CLOSE_KEY).json["data"]
    assert (won["status_type"], won["date_won"], won["value_formatted"], won["lead_name"]) == (
        "won", "2026-06-17", "$500 annual", "Acme",
    )  # fmt: skip
    assert won["date_updated"].endswith(".000000+00:00")
    assert call(close, "/api/v1/opportunity", headers=CLOSE_KEY).status == 404
    assert call(close, "/api/v1/activity/call/", {"date_updated__gt": "2026-01-01"}, headers=CLOSE_KEY).status == 400
    assert call(close, "/api/v1/activity/", {"_skip": 1001}, headers=CLOSE_KEY).status == 400
    [change] = call(close, "/api/v1/activity/status_change/opportunity/", headers=CLOSE_KEY).json["data"]
    assert (change["old_status_type"], change["new_status_type"]) == ("active", "won")
    page = call(close, path, {"_limit": 1}, headers=CLOSE_KEY).json
    assert (page["has_more"], page["total_results"]) == (True, 2)
    override = {"x-http-method-override": "GET", **CLOSE_KEY}
    assert len(call(close, path, data={"_params": {"status_type": "won"}}, headers=override).json["data"]) == 1


def test_close_logs_events_newest_first(close: Close) -> None:
    for number in range(1, 61):
        close.put("lead", number, name=str(number))
    close.put("opportunity", 1, lead_id=1)
    close.delete("lead", 60)
    close.merge("lead", 1, 2)
    first = call(close, "/api/v1/event/", {"object_type": "lead"}, headers=CLOSE_KEY).json
    assert [event["action"] for event in first["data"][:4]] == ["updated", "merged", "deleted", "created"]
    assert first["data"][1]["meta"]["merge_destination_lead_id"] == close.identity("lead", 2)
    assert "+" not in first["data"][0]["date_created"]
    rest = call(
        close, "/api/v1/event/", {"object_type": "lead", "_cursor": first["cursor_next"]}, headers=CLOSE_KEY
    ).json
    assert (len(first["data"]), len(rest["data"]), rest["cursor_next"]) == (50, 13, None)
    assert close.row("opportunity", 1)["lead_id"] == close.identity("lead", 2)
    close.clock.advance(31 * 86400)
    assert call(close, "/api/v1/event/", headers=CLOSE_KEY).json["data"] == []


def test_close_searches_by_moment_and_cursor(close: Close) -> None:
    for number in (1, 2, 3):
        close.put("lead", number, name=str(number))
    field = {"type": "regular_field", "object_type": "lead", "field_name": "date_updated"}
    since = {"type": "fixed_utc", "value": close.row("lead", 2).modified_at.isoformat()}
    query = {
        "type": "and",
        "queries": [
            {"type": "object_type", "object_type": "lead"},
            {"type": "field_condition", "field": field, "condition": {"type": "moment_range", "on_or_after": since}},
        ],
    }
    body = {"query": query, "_limit": 1, "_fields": {"lead": ["name"]}, "sort": [{"field": field, "direction": "asc"}]}
    first = call(close, "/api/v1/data/search/", data=body, headers=CLOSE_KEY).json
    second = call(close, "/api/v1/data/search/", data={**body, "cursor": first["cursor"]}, headers=CLOSE_KEY).json
    assert [one["name"] for one in first["data"] + second["data"]] == ["2", "3"]
    assert second["cursor"] is None


def test_close_signs_limits_and_rotates(close: Close) -> None:
    close.put("lead", 1, name="Acme")
    [delivery] = close.hook_deliveries()
    signed = delivery.headers["close-sig-timestamp"].encode() + delivery.body
    key = bytes.fromhex(close.hook_secret)
    assert delivery.headers["close-sig-hash"] == hmac.new(key, signed, hashlib.sha256).hexdigest()
    assert json.loads(delivery.body)["event"]["object_type"] == "lead"
    close.limit(per=2, n=1)
    assert call(close, "/api/v1/me/", headers=CLOSE_KEY).headers["ratelimit"].startswith("limit=1; remaining=0; reset=")
    refused = call(close, "/api/v1/me/", headers=CLOSE_KEY)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "2")
    tokens = close.give_tokens()
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert token(close, **form).json["organization_id"] == close.org
    assert token(close, **form).json["error"] == "invalid_grant"


# -- Outreach


@pytest.fixture
def outreach() -> Any:
    with Outreach() as standin:
        yield standin


MEDIA = {"Content-Type": "application/vnd.api+json"}


def ask_outreach(standin: Outreach, path: str, params: dict[str, Any] | None = None, **more: Any) -> Answer:
    access = standin.give_tokens()["access_token"]
    return call(standin, f"/api/v2{path}", params, token=access, headers=MEDIA, **more)


def test_outreach_pages_by_places_so_that_what_moves_is_seen_again(outreach: Outreach) -> None:
    for number in range(1, 6):
        outreach.put("opportunity", number, name=str(number), amountPrecise="10.50", owner=("user", 1))
    outreach.before_page(lambda page: page == 2 and outreach.put("opportunity", 1, name="moved"))
    since = outreach.row("opportunity", 1).modified_at.isoformat().replace("+00:00", "Z")
    params = {"filter[updatedAt]": f"{since}..inf", "sort": "updatedAt", "page[size]": 2}
    page = ask_outreach(outreach, "/opportunities", params).json
    first = page["data"][0]
    assert (first["id"], first["attributes"]["amount"], first["attributes"]["amountPrecise"]) == (1, 11, "10.50")
    assert first["relationships"]["owner"]["data"] == {"type": "user", "id": 1}
    seen = [row["id"] for row in page["data"]]
    while "next" in page["links"] and len(seen) < 20:
        following = urlsplit(page["links"]["next"])
        page = ask_outreach(outreach, "/opportunities", dict(parse_qsl(following.query))).json
        seen += [row["id"] for row in page["data"]]
    assert seen == [1, 2, 3, 4, 5, 1]
    new = {"newFilterSyntax": "true", "filter[updatedAt][gte]": since, "count": "true", "filter[owner][id]": 1}
    assert ask_outreach(outreach, "/opportunities", new).json["meta"]["count"] == 5


def test_outreach_says_how_it_refuses(outreach: Outreach) -> None:
    access = outreach.give_tokens()["access_token"]
    assert call(outreach, "/api/v2/opportunities", token=access).json["errors"][0]["id"] == "unsupportedMediaType"
    assert ask_outreach(outreach, "/opportunities", {"page[offset]": 10001}).status == 400
    tokens = redeem(outreach, consent(outreach)["code"]).json
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert token(outreach, **form).json["errors"][0]["id"] == "rateLimitExceeded"
    outreach.clock.advance(60)
    newest = token(outreach, **form).json["refresh_token"]
    assert newest != tokens["refresh_token"]
    outreach.clock.advance(15 * 86400)
    assert token(outreach, grant_type="refresh_token", refresh_token=newest).json["error"] == "invalid_grant"
    outreach.faults.add(503, retry_after=600)
    down = ask_outreach(outreach, "/users")
    assert down.headers["Retry-After"] == "2026-07-02T10:11:05.000Z"


def test_outreach_pushes_what_changed(outreach: Outreach) -> None:
    outreach.put("opportunity", 1, name="A")
    outreach.put("opportunity", 1, name="B")
    outreach.trash(1)
    outreach.delete("opportunity", 1)
    deliveries = outreach.hook_deliveries()
    told = [json.loads(delivery.body) for delivery in deliveries]
    assert [one["meta"]["eventName"] for one in told] == [
        "opportunity.created", "opportunity.updated", "opportunity.updated", "opportunity.destroyed",
    ]  # fmt: skip
    assert told[1]["beforeUpdate"]["attributes"] == {"name": "A"}
    proof = hmac.new(outreach.hook_secret.encode(), deliveries[0].body, hashlib.sha256).hexdigest()
    assert deliveries[0].headers["Outreach-Webhook-Signature"] == proof
    assert ask_outreach(outreach, "/opportunities").json["data"] == []


def test_outreach_takes_edits(outreach: Outreach) -> None:
    outreach.put("opportunity", 1, name="A")
    data = {"data": {"type": "opportunity", "id": 1, "attributes": {"amountPrecise": "3.20"}}}
    shown = ask_outreach(outreach, "/opportunities/1", data=data, method="PATCH").json["data"]["attributes"]
    assert (shown["amount"], shown["amountPrecise"]) == (3, "3.20")
    wrong = {"data": {"type": "account", "id": 1, "attributes": {}}}
    assert ask_outreach(outreach, "/opportunities/1", data=wrong, method="PATCH").status == 422


# -- All of them


def turn_salesforce(standin: Salesforce, cursor: str | None) -> str | None:
    standin.locators_of_session = False
    access = standin.give_tokens()["access_token"]
    if cursor:
        reply = call(standin, cursor, token=access)
    else:
        reply = soql(standin, "SELECT Id FROM Account", token=access)
    return reply.json.get("nextRecordsUrl")


def turn_hubspot(standin: HubSpot, cursor: str | None) -> str | None:
    params = {"after": cursor} if cursor else None
    reply = call(standin, "/crm/v3/objects/companies", params, token=standin.api_key).json
    return reply.get("paging", {}).get("next", {}).get("after")


def turn_hubspot_search(standin: HubSpot, cursor: str | None) -> str | None:
    reply = find(standin, BEGINNING, after=cursor or "", kind="companies").json
    return reply.get("paging", {}).get("next", {}).get("after")


def turn_close(standin: Close, cursor: str | None) -> str | None:
    return call(standin, "/api/v1/event/", {"_cursor": cursor} if cursor else None, headers=CLOSE_KEY).json[
        "cursor_next"
    ]


def turn_outreach(standin: Outreach, cursor: str | None) -> str | None:
    links = ask_outreach(standin, "/accounts", {"page[after]": cursor} if cursor else None).json["links"]
    return dict(parse_qsl(urlsplit(links["next"]).query))["page[after]"] if "next" in links else None


@pytest.mark.parametrize(
    ("vendor", "object", "turn"),
    [
        (Salesforce, "Account", turn_salesforce),
        (HubSpot, "companies", turn_hubspot),
        (HubSpot, "companies", turn_hubspot_search),
        (Close, "lead", turn_close),
        (Outreach, "account", turn_outreach),
    ],
)
def test_every_vendor_can_page_for_ever(vendor: Any, object: str, turn: Any) -> None:
    with vendor() as standin:
        for number in range(1, 4):
            standin.put(object, number)
        assert turn(standin, None) is None
        standin.faults.add("endless_cursor", mode="repeat")
        first = turn(standin, turn(standin, None))
        assert first is not None
        assert turn(standin, first) == first
        standin.faults.clear()
        standin.faults.add("endless_cursor", mode="invent")
        cursor, seen = None, set()
        for _ in range(5):
            cursor = turn(standin, cursor)
            seen.add(cursor)
        assert len(seen) == 5


@pytest.mark.parametrize("vendor", [Salesforce, HubSpot, Close, Outreach])
def test_every_vendor_refuses_strangers_in_its_own_words(vendor: Any) -> None:
    paths = {
        "salesforce": "/services/data/v60.0/limits",
        "hubspot": "/crm/v3/owners",
        "close": "/api/v1/me/",
        "outreach": "/api/v2/users",
    }
    with vendor() as standin:
        path = paths[standin.vendor]
        refused = call(standin, path, headers=MEDIA)
        assert refused.status == 401
        assert refused.body == standin.unauthorized(standin.requests[-1]).content()
        access = standin.give_tokens()["access_token"]
        assert call(standin, path, token=access, headers=MEDIA).status == 200
        standin.revoke()
        assert call(standin, path, token=access, headers=MEDIA).status == 401
