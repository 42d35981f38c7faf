"""The pages of connections: from choosing a vendor to an empty shelf, who may open them, what is never sent back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from salesops.connectors.choices import ConnectionState, HoldState, Master, RawState
from salesops.connectors.models import (
    Authorization,
    ConfirmedName,
    Connection,
    Credential,
    Outgoing,
    RawRecord,
    Source,
    Stream,
)
from salesops.connectors.selectors.connections import Counted
from salesops.connectors.selectors.told import Difference, Told, told
from salesops.connectors.services import budgets, shelf
from salesops.core import display
from salesops.deals.models import Deal
from salesops.jobs.models import Job
from salesops.values.outcomes import Problem
from tests.cast import NOW, Cast
from tests.commissions.pay import FLAT_8, calculated, plan_in_force, statement_of, won
from tests.connectors.linking import Link, allowed
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.salesforce import Salesforce

#: What no answer may ever hold.
CANARY = "not-a-real-secret-but-a-canary"
DEALS = ("User", "Account", "Opportunity")


@pytest.fixture(autouse=True)
def _no_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of the pages stands still, so a bucket of requests would never fill again."""
    monkeypatch.setattr(budgets, "take", lambda *_args, **_kwargs: timedelta(0))


@pytest.fixture
def other() -> Iterator[StandIn]:
    """A vendor with one account, its owner and three deals."""
    with Salesforce() as standin, allowed(standin):
        standin.clock.now = NOW
        standin.client_secret = CANARY
        standin.put("User", 2, Name="Ana Alvarez", Email="ana@example.com", IsActive=True)
        standin.put("Account", 1, Name="Acme")
        for number in range(3):
            put_deal(standin, f"Deal {number}", 100 + number)
        yield standin


def put_deal(standin: StandIn, name: str, amount: int, **more: Any) -> str:
    """A deal at the vendor."""
    fields = {
        "Name": name,
        "AccountId": standin.identity("Account", 1),
        "OwnerId": standin.identity("User", 2),
        "StageName": "Prospecting",
        "Amount": Decimal(amount),
        "CloseDate": date(2026, 7, 1),
    }
    return str(standin.put("Opportunity", None, **(fields | more)))


@pytest.fixture
def link(other: StandIn, cast: Cast) -> Link:
    """A connection that Rita made, its objects chosen."""
    return Link(cast.actor("rita"), other).connect("salesforce").want(*DEALS)


def at(name: str, pk: int | None = None, **more: Any) -> str:
    """The address of a page."""
    return reverse(f"connectors:{name}", kwargs=({"pk": pk} if pk is not None else {}) | more)


def text_of(response: Any) -> str:
    """The page as text."""
    return str(response.content.decode())


def said(response: Any) -> list[str]:
    """What the page says in its messages."""
    return [str(message) for message in response.context["messages"]]


def come_back(url: str) -> dict[str, str]:
    """Consent at the vendor; what it sends the person back with."""
    reply = httpx.get(url, trust_env=False)
    return {name: values[0] for name, values in parse_qs(urlsplit(reply.headers["location"]).query).items()}


def test_from_the_choice_to_the_first_records(client_of: Callable[[str], Client], other: StandIn, cast: Cast) -> None:
    """Choose, fill in, sign in, review, preview, start, follow: as a person does it."""
    rita = client_of("rita")
    assert "Nothing is connected yet" in text_of(rita.get(at("connection_list")))
    assert "Salesforce" in text_of(rita.get(at("connection_choose")))
    assert "No such vendor" in text_of(rita.get(at("connection_choose"), {"q": "nothing like it"}))

    page = rita.get(at("connection_create", vendor="salesforce"))
    assert "http://127.0.0.1:8000/connections/authorized/" in text_of(page)
    given = {"source_name": "Our CRM", "address": other.origin, "client_id": other.client_id, "client_secret": CANARY}
    response = rita.post(at("connection_create", vendor="salesforce"), given | {"client_id": ""})
    assert response.status_code == 422
    assert CANARY not in text_of(response)
    assert not Connection.objects.exists()
    response = rita.post(at("connection_create", vendor="salesforce"), given, follow=True)
    connection = Connection.objects.get()
    assert (connection.source.name, connection.state) == ("Our CRM", ConnectionState.DRAFT)
    assert response.redirect_chain[-1][0] == connection.get_absolute_url() == f"/connections/{connection.pk}/"
    assert "Sign in at Salesforce" in text_of(response)

    page = rita.post(at("connection_sign_in", connection.pk))
    told = come_back(page.context["url"])
    assert f'href="{other.origin}' in text_of(page)
    response = rita.get(at("connection_authorized"), told, follow=True)
    assert said(response)[0].startswith("It works: this is ")
    assert Stream.objects.filter(connection=connection).count() > 3
    assert "What is kept in step" in text_of(response)

    rita.post(at("connection_objects", connection.pk), {"object": DEALS})
    assert set(Stream.objects.filter(is_wanted=True).values_list("object", flat=True)) == set(DEALS)
    deals = Stream.objects.get(object="Opportunity")
    sample = rita.get(at("stream_sample", deals.pk))
    assert "Deal 0" in text_of(sample)
    response = rita.get(at("stream_preview", deals.pk))
    assert {fate["code"]: fate["count"] for fate in response.context["fates"]} == {
        "created": 0,
        "changed": 0,
        "unchanged": 0,
        "waits": 3,
        "refused": 0,
    }
    assert not RawRecord.objects.exists()

    response = rita.post(at("connection_start", connection.pk), follow=True)
    assert Job.objects.filter(key=f"sync:{connection.pk}").count() == 1
    assert "connection-live" in text_of(response)
    link = Link(cast.actor("rita"), other)
    link.connection = connection
    link.run()
    assert Deal.objects.filter(source="our-crm").count() == 3
    page = rita.get(connection.get_absolute_url())
    # Two people, one account, three deals; the vendor's own administrator is nobody of ours and waits on the shelf.
    assert page.context["counted"] == Counted(records=6, shelved=1, held=0)


def test_a_key_in_no_answer(client_of: Callable[[str], Client], link: Link) -> None:
    """Every page of a connection, and the administration of its secrets: the secret and the tokens are in none."""
    connection = link.start().connection
    link.run()
    held = [CANARY, link.connection.credentials.get(name="access_token").sealed]
    raw = RawRecord.objects.filter(stream__connection=connection).order_by("pk")[0]
    stream = Stream.objects.filter(connection=connection).order_by("pk")[0]
    addresses = [
        at("connection_list"),
        *(
            at(name, connection.pk)
            for name in (
                "connection_detail", "connection_edit", "rawrecord_shelf", "rawrecord_list", "syncrun_list",
                "webhookevent_list", "outgoing_list", "drift_list",
            )
        ),
        at("rawrecord_detail", raw.pk),
        at("stream_edit", stream.pk),
        at("stream_sample", stream.pk),
    ]  # fmt: skip
    rita, ada = client_of("rita"), client_of("ada")
    for address in addresses:
        response = rita.get(address)
        assert response.status_code == 200, address
        assert not any(secret in text_of(response) for secret in held), address
    credential = Credential.objects.get(connection=connection, name="client_secret")
    for address in (
        reverse("admin:connectors_credential_changelist"),
        reverse("admin:connectors_credential_change", args=[credential.pk]),
    ):
        response = ada.get(address)
        assert response.status_code == 200
        assert credential.sealed not in text_of(response)
        assert CANARY not in text_of(response)
    assert ada.get(reverse("admin:connectors_credential_add")).status_code == 403


def test_a_secret_that_is_not_typed_stays(client_of: Callable[[str], Client], link: Link) -> None:
    """Name, interval and brake are changed; an empty secret changes none, a typed one is never sent back."""
    connection = link.connection
    before = Credential.objects.get(connection=connection, name="client_secret").sealed
    given = {
        "source_name": "Head office",
        "sync_every": "15",
        "brake_deals": "3",
        "brake_minor": "1,000.00",
        "address": link.standin.origin,
        "client_id": link.standin.client_id,
        "login_host": "login.salesforce.com",
    }
    rita = client_of("rita")
    rita.post(at("connection_edit", connection.pk), given)
    connection = Connection.objects.get(pk=connection.pk)
    assert (connection.source.name, connection.sync_every, connection.brake_deals, connection.brake_minor) == (
        "Head office",
        15,
        3,
        100_000,
    )
    assert Credential.objects.get(connection=connection, name="client_secret").sealed == before
    response = rita.post(
        at("connection_edit", connection.pk), given | {"client_secret": "another-canary", "sync_every": "0"}
    )
    assert response.status_code == 422
    assert "another-canary" not in text_of(response)
    rita.post(at("connection_edit", connection.pk), given | {"client_secret": "another-canary"})
    assert Credential.objects.get(connection=connection, name="client_secret").sealed != before


@pytest.mark.parametrize("who", ["ana", "max", "finn", "elsa", "norm"])
def test_for_revops_and_administrators_only(client_of: Callable[[str], Client], link: Link, who: str) -> None:
    """Nobody else opens a page of a connection, begins a sign-in, or starts anything."""
    client = client_of(who)
    for name in ("connection_detail", "connection_edit", "rawrecord_shelf", "webhookevent_list"):
        assert client.get(at(name, link.connection.pk)).status_code == 403
    for name in ("connection_start", "connection_sign_in", "connection_disconnect", "rawrecord_retry"):
        assert client.post(at(name, link.connection.pk)).status_code == 403
    assert client.get(at("connection_list")).status_code == 403
    assert Connection.objects.get().state == ConnectionState.DRAFT
    assert not Authorization.objects.exists()


def test_a_sign_in_counts_once_and_for_its_person(client_of: Callable[[str], Client], link: Link, cast: Cast) -> None:
    """A return of somebody else's, a second one, and one without a consent connect nothing; texts are escaped."""
    rita, ada = client_of("rita"), client_of("ada")
    told = come_back(rita.post(at("connection_sign_in", link.connection.pk)).context["url"])
    sealed = Credential.objects.get(name="access_token").sealed
    response = ada.get(at("connection_authorized"), told, follow=True)
    assert "begun by somebody else" in said(response)[0]
    assert Credential.objects.get(name="access_token").sealed == sealed
    rita.get(at("connection_authorized"), told)
    renewed = Credential.objects.get(name="access_token").sealed
    assert renewed != sealed
    assert "was used already" in said(rita.get(at("connection_authorized"), told, follow=True))[-1]
    assert Credential.objects.get(name="access_token").sealed == renewed

    rita.post(at("connection_sign_in", link.connection.pk))
    response = rita.get(at("connection_authorized"), {"error": "access_denied", "state": "unknown"}, follow=True)
    assert said(response)[-1:] == ["The sign-in was not completed, so nothing was connected. You can begin it anew."]
    response = rita.get(at("connection_authorized"), {"error": "odd", "error_description": "<b>no</b>"}, follow=True)
    assert "no</b>" not in text_of(response)  # nobody's words without a sign-in of theirs
    assert "b&gt;no" not in text_of(response)


def test_a_vendor_that_fails_is_said(client_of: Callable[[str], Client], link: Link) -> None:
    """A test and a preview against a vendor that is down answer with its problem, not with an error of ours."""
    rita = client_of("rita")
    link.standin.faults.add("403_limit", when="/services", times=None)
    response = rita.post(at("connection_test", link.connection.pk), follow=True)
    assert response.status_code == 200
    assert len(said(response)) == 1
    stream = Stream.objects.get(object="Opportunity")
    for name in ("stream_preview", "stream_sample"):
        response = rita.get(at(name, stream.pk))
        assert response.status_code == 200
        assert response.context["refusal"].code


def test_fields_are_reviewed(client_of: Callable[[str], Client], link: Link) -> None:
    """A field is filled another way, a word means another stage, the portal wins; what lacks a name is refused."""
    rita = client_of("rita")
    stream = Stream.objects.get(object="Opportunity")
    page = rita.get(at("stream_edit", stream.pk))
    posted: dict[str, Any] = {"kind": "deals"}
    for each in page.context["fields"]:
        posted[f"fill-{each.field.code}"] = each.fill
        posted[f"text-{each.field.code}"] = each.text
        if each.rule:
            posted[f"by-{each.field.code}"], posted[f"unknown-{each.field.code}"] = (
                each.rule.lookup_by,
                each.rule.on_unknown.value,
            )
            posted[f"master-{each.field.code}"] = each.master
    posted |= {
        "fill-name": "template",
        "text-name": "{Name} – {StageName}",
        "master-amount": "portal",
        "word-stage": ["Prospecting", ""],
        "means-stage": ["proposal", ""],
    }
    rita.post(at("stream_edit", stream.pk), posted)
    stream.refresh_from_db()
    rules = {rule["field"]: rule for rule in stream.mapping["rules"]}
    assert rules["name"]["template"] == "{Name} – {StageName}"
    assert "column" not in rules["name"]
    assert rules["stage"]["choices"] == [["Prospecting", "proposal"]]
    assert stream.masters == {"amount": Master.PORTAL}
    kept = stream.mapping
    response = rita.post(
        at("stream_edit", stream.pk),
        posted | dict.fromkeys(("fill-name", "fill-stage", "fill-amount", "fill-external_id"), ""),
    )
    assert response.status_code == 422
    assert "Nothing fills" in text_of(response)
    stream.refresh_from_db()
    assert stream.mapping == kept


def test_the_shelf(client_of: Callable[[str], Client], link: Link, cast: Cast) -> None:
    """A deal of an owner whom nobody knows: a person says who is meant, and it is taken; the rest is set aside."""
    stream = Stream.objects.get(object="Opportunity")
    rules = [
        {name: value for name, value in rule.items() if (rule["field"], name) != ("owner", "on_unknown")}
        for rule in stream.mapping["rules"]
    ]
    stream.mapping = {**stream.mapping, "rules": rules}
    stream.save()
    link.standin.put("User", 7, Name="Nobody Known", Email="nobody@elsewhere.example", IsActive=True)
    stranger = link.standin.identity("User", 7)
    put_deal(link.standin, "Of a stranger", 5, OwnerId=stranger)
    link.start().run()
    (refused,) = RawRecord.objects.filter(stream=stream, state=RawState.REFUSED)
    rita = client_of("rita")
    shelf = text_of(rita.get(at("rawrecord_shelf", link.connection.pk)))
    assert "was not found" in shelf
    assert "Of a stranger" in shelf, "the name as the source tells it, though nothing was made of it"
    newer = json.dumps({"Name": "Of a newer telling"})
    RawRecord.objects.filter(pk=refused.pk).update(told=newer)
    assert "Of a newer telling" in text_of(rita.get(at("rawrecord_shelf", link.connection.pk)))
    RawRecord.objects.filter(pk=refused.pk).update(told="")
    page = rita.get(at("rawrecord_detail", refused.pk))
    (asked,) = page.context["unknown"]
    assert (asked["lookup"].kind.value, asked["lookup"].by, asked["lookup"].text) == ("person", "external_id", stranger)
    named = {"kind": "person", "by": "external_id", "text": stranger}
    rita.post(at("rawrecord_name", refused.pk), named | {"means": "Nobody at all"})
    rita.post(at("rawrecord_name", refused.pk), named | {"text": "005OTHER", "means": "Ana Alvarez"})
    assert not ConfirmedName.objects.exists()
    response = rita.post(at("rawrecord_name", refused.pk), named | {"means": "Ana Alvarez"}, follow=True)
    assert said(response)[-1:] == [f"“{stranger}” means “Ana Alvarez” from now on. 1 record was taken, 0 left."]
    refused.refresh_from_db()
    assert refused.state == RawState.TAKEN
    assert Deal.objects.get(name="Of a stranger").owner == cast.ana
    assert "Of a stranger" in text_of(rita.get(at("rawrecord_list", link.connection.pk)))
    assert ConfirmedName.objects.get().text == f"salesforce:{stranger}"

    left = list(RawRecord.objects.filter(state=RawState.REFUSED).values_list("pk", flat=True))
    assert left
    response = rita.post(at("rawrecord_retry", link.connection.pk), {"pk": left}, follow=True)
    assert said(response)[-1:] == [f"0 records were taken, {len(left)} left."]
    rita.post(at("rawrecord_dismiss", link.connection.pk), {"pk": left})
    assert set(RawRecord.objects.filter(pk__in=left).values_list("state", flat=True)) == {RawState.DISMISSED}


def test_what_is_set_aside_lies_on_that_shelf_and_is_no_more_than_a_batch(
    client_of: Callable[[str], Client], link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Stream.objects.get(object="Opportunity")
    other = Connection.objects.create(
        source=Source.objects.create(code="other", name="Other"), vendor="salesforce", hook_token="t",
        made_by=link.connection.made_by, made_at=NOW,
    )  # fmt: skip
    theirs = Stream.objects.create(connection=other, object="Opportunity", kind="deals")
    rows = [
        RawRecord.objects.create(
            stream=stream, external_id=str(number), version="", payload="{}", received_at=NOW, state=RawState.REFUSED
        )
        for number, stream in enumerate((mine, mine, theirs))
    ]
    address, rita = at("rawrecord_dismiss", link.connection.pk), client_of("rita")
    assert said(rita.post(address, {"pk": [rows[2].pk]}, follow=True)) == ["No row is chosen."]
    monkeypatch.setattr(shelf, "BATCH", 1)
    for chosen in ({"pk": [row.pk for row in rows]}, {"all": "1"}):
        RawRecord.objects.update(state=RawState.REFUSED)
        rita.post(address, chosen)
        assert list(RawRecord.objects.filter(state=RawState.DISMISSED)) == [rows[0]]


def test_a_hold_is_decided(client_of: Callable[[str], Client], link: Link) -> None:
    """Two closed deals change, the brake lets one pass: a person lets them in with a reason."""
    won = [put_deal(link.standin, f"Won {number}", 10, StageName="Closed Won") for number in range(2)]
    link.start().run()
    Connection.objects.update(brake_deals=1)
    for external_id in won:
        link.standin.put("Opportunity", external_id, Amount=Decimal(90))
    link.sync()
    rita = client_of("rita")
    page = rita.get(link.connection.get_absolute_url())
    (hold,) = page.context["holds"]
    page = rita.get(at("hold_decide", hold.pk))
    assert [row["raw"].external_id for row in page.context["rows"]] == won
    assert all(Told("Amount", "$10.00", "$90.00") in row["changes"] for row in page.context["rows"])
    assert rita.post(at("hold_decide", hold.pk), {"decision": "admit", "reason": ""}).status_code == 422
    assert set(Deal.objects.filter(external_id__in=won).values_list("amount_minor", flat=True)) == {1_000}
    rita.post(at("hold_decide", hold.pk), {"decision": "admit", "reason": "Agreed with finance."})
    hold.refresh_from_db()
    assert (hold.state, hold.reason) == (HoldState.ADMITTED, "Agreed with finance.")
    assert set(Deal.objects.filter(external_id__in=won).values_list("amount_minor", flat=True)) == {9_000}


def test_disconnected(client_of: Callable[[str], Client], link: Link) -> None:
    """It is asked first; then the secrets are gone, what came stays, and it cannot be started without a sign-in."""
    link.start().run()
    rita = client_of("rita")
    page = rita.get(at("connection_disconnect", link.connection.pk))
    assert "All records that it brought stay" in text_of(page)
    rita.post(at("connection_disconnect", link.connection.pk))
    connection = Connection.objects.get()
    assert connection.state == ConnectionState.DISCONNECTED
    assert not Credential.objects.exists()
    assert Deal.objects.filter(source="salesforce").count() == 3
    response = rita.post(at("connection_start", connection.pk), follow=True)
    assert said(response)[-1:] == ["Connect anew first: its secrets were forgotten."]


def test_paused_synced_and_read_once_more(client_of: Callable[[str], Client], link: Link) -> None:
    """The buttons of a running connection."""
    link.start().run()
    rita = client_of("rita")
    rita.post(at("connection_sync", link.connection.pk))
    assert Job.objects.filter(key=f"sync:{link.connection.pk}").count() == 2
    link.run()
    rita.post(at("connection_resync", link.connection.pk))
    wanted = Stream.objects.filter(is_wanted=True)
    assert [(stream.cursor, stream.load_done) for stream in wanted] == [({}, 0)] * 3
    rita.post(at("connection_pause", link.connection.pk))
    assert Connection.objects.get().state == ConnectionState.PAUSED


def test_the_origin_of_a_record(client_of: Callable[[str], Client], link: Link, cast: Cast) -> None:
    """Who sees a deal sees where it is from; the raw telling is for those who import."""
    link.start().run()
    deal = Deal.objects.get(name="Deal 1")
    address = at("origin_detail", deal.pk, kind="deal")
    ana, rita, alba = client_of("ana"), client_of("rita"), client_of("alba")
    assert address in text_of(ana.get(reverse("deals:deal_detail", kwargs={"pk": deal.pk})))
    seen = text_of(ana.get(address))
    assert deal.external_id in seen
    assert "StageName" not in seen
    assert "StageName" in text_of(rita.get(address))
    assert alba.get(address).status_code == 404
    assert rita.get(at("origin_detail", deal.pk, kind="pay")).status_code == 404


def test_what_is_behind_is_said(client_of: Callable[[str], Client], link: Link) -> None:
    """A list that rests on a source which has been silent for more than three intervals says as of when it is."""
    link.start().run()
    address = reverse("deals:deal_list")
    ana = client_of("ana")
    assert "Data from" not in text_of(ana.get(address))
    Connection.objects.update(last_success_at=NOW - timedelta(minutes=15))
    assert "Data from Salesforce is as of" in text_of(ana.get(address))
    Connection.objects.update(last_success_at=NOW - timedelta(minutes=14))
    assert "Data from" not in text_of(ana.get(address))
    Connection.objects.update(failing_since=NOW)
    assert "Data from Salesforce is as of" in text_of(ana.get(address))
    assert "Data from" not in text_of(ana.get(reverse("leads:lead_list")))


def test_a_statement_that_rests_on_stale_data_says_so(
    client_of: Callable[[str], Client], link: Link, cast: Cast
) -> None:
    """Whoever reads a statement is told as of when the deals are from which it was counted; a fresh one says nothing."""
    plan_in_force(cast, FLAT_8, people=("ana",))
    won(cast, "ana", 1_000_00)
    link.start().run()
    statement = statement_of(cast, "ana", calculated(cast))
    address = reverse("commissions:statement_detail", kwargs={"pk": statement.pk})
    before = NOW - timedelta(days=2)
    for who in ("ana", "finn"):
        with timezone.override(cast.people[who].time_zone):
            as_of = f"Data from Salesforce is as of {display.moment(before)}."
        client = client_of(who)
        Connection.objects.update(last_success_at=NOW, failing_since=None)
        assert "Data from" not in text_of(client.get(address))
        Connection.objects.update(last_success_at=before, failing_since=NOW)
        assert as_of in strip_tags(text_of(client.get(address)))
        Stream.objects.filter(kind="deals").update(is_wanted=False)
        assert "Data from" not in text_of(client.get(address)), "accounts alone change no statement"
        Stream.objects.filter(kind="deals").update(is_wanted=True)


def test_a_run_counts_what_is_refused_once(link: Link) -> None:
    """What stays on the shelf is tried again after each sweep, and is no second refusal."""
    put_deal(link.standin, "Nobody's", 5, AccountId="001NOBODY")
    link.start().run()
    assert list(link.states("Opportunity").values()).count("refused") == 1
    assert link.last_run().counts["Opportunity"]["refused"] == 1
    put_deal(link.standin, "One more", 6)
    assert link.sync().counts["Opportunity"].get("refused", 0) <= 1
    assert list(link.states("Opportunity").values()).count("refused") == 1


def test_what_is_ticked_is_what_starts(client_of: Callable[[str], Client], link: Link) -> None:
    """The boxes beside the start count, whether they were kept before or not; a start from elsewhere changes none."""
    rita = client_of("rita")
    page = text_of(rita.get(link.connection.get_absolute_url()))
    assert f'form="objects-form" formaction="{at("connection_start", link.connection.pk)}" name="chosen"' in page
    rita.post(at("connection_start", link.connection.pk), {"chosen": "1", "object": ["User", "Account"]})
    wanted = Stream.objects.filter(is_wanted=True)
    assert set(wanted.values_list("object", flat=True)) == {"User", "Account"}
    assert Connection.objects.get().state == ConnectionState.RUNNING
    rita.post(at("connection_pause", link.connection.pk))
    rita.post(at("connection_start", link.connection.pk))
    assert set(wanted.values_list("object", flat=True)) == {"User", "Account"}


def refused_sign_in() -> dict[str, Any]:
    """What is kept of a vendor that no longer lets the portal in."""
    return Problem.of("sign-in", "Salesforce no longer accepts the sign-in.", remedy="Connect anew.").as_plain()


def test_a_connection_that_fails_does_not_say_that_it_is_in_step(
    client_of: Callable[[str], Client], link: Link
) -> None:
    """On its page and in the list; the list is narrowed to those that fail."""
    link.start().run()
    rita = client_of("rita")
    pages = (link.connection.get_absolute_url(), at("connection_list"))
    badge = re.compile(r'<span class="pill pill-(?:red|green|blue)">(In step|Fails|First load)</span>')
    assert [badge.findall(text_of(rita.get(page))) for page in pages] == [["In step"], ["In step"]]
    narrowed = f"{at('connection_list')}?fails=yes"
    assert "Salesforce" not in text_of(rita.get(f"{narrowed}&part=rows"))
    Connection.objects.update(failing_since=NOW)
    assert [badge.findall(text_of(rita.get(page))) for page in pages] == [["Fails"], ["Fails"]]
    assert badge.findall(text_of(rita.get(narrowed))) == ["Fails"]
    Connection.objects.update(failing_since=None, last_success_at=None)
    assert [badge.findall(text_of(rita.get(page))) for page in pages] == [["First load"], ["First load"]]
    Connection.objects.update(state=ConnectionState.BROKEN, failing_since=NOW, error=refused_sign_in())
    page = text_of(rita.get(pages[0]))
    assert page.count("no longer accepts the sign-in") == 1
    assert page.count("notice-bad") == 1


def test_changes_are_told_in_words(client_of: Callable[[str], Client], link: Link, cast: Cast) -> None:
    """Fields by their names, money as money, keys as what they name; whoever may not see a record gets its number."""
    link.start().run()
    deal = Deal.objects.get(name="Deal 1")
    for who, account in (("rita", "Acme"), ("ana", f"#{deal.account_id}")):
        (origin,) = client_of(who).get(at("origin_detail", deal.pk, kind="deal")).context["origins"]
        words = {each.label: (each.before, each.after) for each in origin["changes"]}
        assert words["Amount"] == ("", "$101.00")
        assert words["Account"] == ("", account)
        assert words["Owner"] == ("", "Ana Alvarez")
        assert words["Stage"] == ("", deal.stage.name)
        assert words["Expected close"] == ("", "1 Jul 2026")
        assert all(before or after for before, after in words.values())
        assert not {"amount_minor", "account_id", "owner_id", "stage_id"} & set(words)
    columns = {"amount_minor": (100, 250), "account_id": (deal.account_id, None), "owner_id": (cast.alba.pk, 0)}
    seen = told(cast.actor("ana"), "deals", [Difference(deal.pk, columns), Difference(None, {"name": (None, "")})])
    assert seen == [
        [Told("Amount", "$1.00", "$2.50"), Told("Account", f"#{deal.account_id}", ""), Told("Owner", "Alba Abe", "#0")],
        [],
    ]


def test_what_is_written_back_costs_the_same_for_many(
    client_of: Callable[[str], Client], link: Link, django_assert_num_queries: Any
) -> None:
    """The list tells fields and objects by their names without asking for each row."""
    link.start().run()
    raw = RawRecord.objects.get(stream__object="Opportunity", record_id=Deal.objects.get(name="Deal 1").pk)
    fields = {"amount_minor": [10_100, 20_000], "account_id": [None, Deal.objects.get(name="Deal 1").account_id]}

    def write(count: int) -> None:
        for number in range(count):
            Outgoing.objects.create(
                record=raw, key=f"{count}-{number}", fields=fields, base_version="", state="written", made_at=NOW
            )

    rita, address = client_of("rita"), at("outgoing_list", link.connection.pk)
    write(1)
    rita.get(address)
    with CaptureQueriesContext(connection) as few:
        page = text_of(rita.get(address))
    # PostgreSQL keeps what stands in JSON in an order of its own.
    one, other = "Amount: $101.00 → $200.00", "Account: — → Acme"
    assert f"{one} · {other}" in page or f"{other} · {one}" in page
    assert "Opportunities" in page
    write(30)
    with django_assert_num_queries(len(few)):
        rita.get(address)
