"""The stand-in vendors themselves: what the other tests rely on."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.connectors.standins.base import BEGINNING, OAuth, Request, StandIn, route
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
    stamp = "2026-05-04T08:00:00Z"
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
    window = {"start": "2026-05-04T08:00:00+00:00", "end": "2026-05-04T08:05:00+00:00"}
    assert len(call(salesforce, path, window, token=access).json["deletedRecords"]) == 2
    early = {"start": "2026-04-01T08:00:00Z", "end": "2026-05-04T08:05:00Z"}
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
    seen = {"If-Unmodified-Since": "Mon, 04 May 2026 08:00:00 GMT"}
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
