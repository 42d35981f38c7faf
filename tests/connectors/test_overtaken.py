"""What people and the source do while a sync is under way: nothing is lost, nothing comes back, nothing is stuck."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.test import override_settings

from salesops.accounts.models import Account, Contact
from salesops.connectors.choices import ConnectionState, HoldState, RawState, RunKind, RunState
from salesops.connectors.destinations import Destination
from salesops.connectors.models import Connection, Credential, Drift, Hold, Outgoing, RawRecord, Stream, SyncRun
from salesops.connectors.rules.mapping import Mapping
from salesops.connectors.services import authorizing, connecting, pulling, pushing, reconciling
from salesops.connectors.services.applying import Applier
from salesops.connectors.services.calling import Caller
from salesops.connectors.vendors.base import Fault, FaultKind, Raw, version_of
from salesops.connectors.vendors.salesforce import VENDOR
from salesops.connectors.wire import Client
from salesops.core.actor import system_actor
from salesops.deals.models import Deal
from salesops.deals.services.deals import StaleDealError, edit_deal
from salesops.jobs.models import Job
from tests.cast import NOW, Cast
from tests.connectors.linking import Link, allowed
from tests.connectors.standins.salesforce import Salesforce
from tests.elsewhere import Elsewhere


@pytest.fixture
def org() -> Iterator[Salesforce]:
    """An org with an account and thirty open deals."""
    with Salesforce() as org, allowed(org):
        org.clock.now = NOW
        org.put("Account", 1, Name="Acme")
        for number in range(30):
            org.put(
                "Opportunity",
                number + 1,
                Name=f"Deal {number}",
                AccountId=org.identity("Account", 1),
                StageName="Prospecting",
                Amount=Decimal(100),
                CloseDate=date(2026, 7, 1),
            )
        yield org


@pytest.fixture
def link(org: Salesforce, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Link:
    """Connected, ten rows to a page, not started."""
    monkeypatch.setattr(pulling, "PAGE_ROWS", 10)
    return Link(cast.actor("rita"), org).connect("salesforce").want("Account", "Contact", "Opportunity")


Middle = Callable[[Callable[[], object]], None]


@pytest.fixture
def in_the_middle(monkeypatch: pytest.MonkeyPatch) -> Middle:
    """Do something once, before the second page of opportunities is asked for."""

    def arrange(act: Callable[[], object]) -> None:
        read, seen = type(VENDOR).read, {"pages": 0}

        def and_then(self: Any, object: Any, ask: Any, http: Any) -> Any:
            if object.code == "Opportunity":
                seen["pages"] += 1
                if seen["pages"] == 2:
                    with http._aside():  # as another process would
                        act()
            return read(self, object, ask, http)

        monkeypatch.setattr(type(VENDOR), "read", and_then)

    return arrange


def test_pausing_stops_at_the_next_page_and_goes_on_there(link: Link, in_the_middle: Middle) -> None:
    link.start()
    in_the_middle(lambda: connecting.pause(actor=link.actor, connection=link.connection, at=link.at))
    link.run()
    assert Deal.objects.count() == 10
    assert link.connection.state == ConnectionState.PAUSED
    connecting.start(actor=link.actor, connection=link.connection, at=link.at)
    link.run()
    assert Deal.objects.count() == 30


def test_disconnecting_ends_what_runs_and_nothing_breaks_or_comes_back(link: Link, in_the_middle: Middle) -> None:
    link.start()
    in_the_middle(lambda: connecting.disconnect(actor=link.actor, connection=link.connection, at=link.at))
    link.run()
    assert link.connection.state == ConnectionState.DISCONNECTED
    assert link.connection.next_sync_at is None
    assert not Credential.objects.filter(connection=link.connection).exists()
    assert Deal.objects.count() == 10


def test_a_renewal_under_way_keeps_nothing_of_a_connection_that_ended(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = link.connection
    answered = authorizing._ask

    def ask(*given: object, **more: object) -> dict[str, object]:
        answer = answered(*given, **more)  # type: ignore[arg-type]  # passed on
        connecting.disconnect(actor=link.actor, connection=stale, at=link.at)
        return answer

    monkeypatch.setattr(authorizing, "_ask", ask)
    with Client() as client, pytest.raises(Fault) as told:
        authorizing.renew(stale, client, aside=transaction.atomic, at=link.at)
    assert told.value.kind is FaultKind.UNAUTHORIZED
    assert not Credential.objects.filter(connection=stale).exists()


def test_a_mapping_that_changes_during_the_first_load_holds_for_everything(
    link: Link, org: Salesforce, in_the_middle: Middle
) -> None:
    stream = link.stream("Opportunity")
    mapping = Mapping.from_plain(stream.mapping).unwrap().without("next_step")
    for number in range(30):
        org.put("Opportunity", number + 1, NextStep="Call")
    link.start()
    in_the_middle(
        lambda: connecting.decide_mapping(
            actor=link.actor, stream=stream, mapping=mapping, masters={}, is_wanted=True, at=link.at
        ),
    )
    link.run()
    link.sync()
    assert Deal.objects.count() == 30
    assert link.last_run().state == RunState.DONE
    kept = link.stream("Opportunity")
    assert "next_step" not in {rule["field"] for rule in kept.mapping["rules"]}
    assert kept.cursor["follow_from"]


def test_reading_everything_once_more_is_not_lost_in_a_sync_under_way(
    link: Link, org: Salesforce, in_the_middle: Middle
) -> None:
    link.start()
    link.run()
    Deal.objects.filter(name="Deal 3").update(amount_minor=1)
    RawRecord.objects.update(digest="")
    for number in range(25):
        org.put("Opportunity", number + 1, NextStep="Call")
    in_the_middle(lambda: connecting.resync(actor=link.actor, connection=link.connection, at=link.at))
    link.sync()
    link.sync()
    assert Deal.objects.get(name="Deal 3").amount_minor == 100_00


def test_runs_and_mended_differences_of_long_ago_are_forgotten(link: Link) -> None:
    """After half a year; a run that is not ended and a difference that is open stay for good."""
    stream, long_ago = link.stream("Opportunity"), NOW - timedelta(days=180)
    for state, ended in (("done", long_ago), ("failed", NOW), ("waiting", long_ago), ("running", None)):
        SyncRun.objects.create(
            connection=link.connection, kind=RunKind.SYNC, state=state, started_at=long_ago, finished_at=ended
        )
    for name, mended in (("a", long_ago), ("b", NOW), ("c", None)):
        Drift.objects.create(stream=stream, external_id=name, kind="differs", found_at=long_ago, mended_at=mended)
    assert pulling.forget_old(at=NOW) == 0
    assert pulling.forget_old(at=NOW + timedelta(seconds=1)) == 3
    assert set(SyncRun.objects.values_list("state", flat=True)) == {"failed", "running"}
    assert set(Drift.objects.values_list("external_id", flat=True)) == {"b", "c"}


def test_a_run_whose_job_ended_without_a_word_is_closed(link: Link) -> None:
    link.start()
    left = SyncRun.objects.create(connection=link.connection, kind=RunKind.SYNC, started_at=link.at)
    link.run()
    left.refresh_from_db()
    assert left.state == RunState.FAILED
    assert left.finished_at is not None


# --- merges and deletions that meet


def contacts(org: Salesforce, link: Link) -> None:
    """Three contacts of Acme, brought in."""
    for number in range(3):
        org.put("Contact", number + 1, AccountId=org.identity("Account", 1), LastName=f"C{number}", Name=f"C{number}")
    link.start()
    link.run()
    assert Contact.objects.count() == 3


def test_a_merge_into_what_was_deleted_then_stops_nothing(link: Link, org: Salesforce) -> None:
    contacts(org, link)
    org.merge("Contact", 1, 2)
    org.delete("Contact", 2)
    link.sync()
    assert link.last_run().state == RunState.DONE
    assert set(Contact.objects.values_list("name", flat=True)) == {"C2"}


def test_a_merge_into_one_that_comes_later_is_made_when_it_comes(link: Link, org: Salesforce) -> None:
    contacts(org, link)
    applier = Applier(link.stream("Contact"), actor=system_actor())
    loser = org.identity("Contact", 1)
    newer = "2027-01-01T00:00:00.000000"
    applier.apply([Raw(loser, newer, {}, merged_into="003NEW")], at=link.at)
    lost = Contact.every.get(external_id=loser)
    assert lost.removed_at is not None
    payload = {"Id": "003NEW", "AccountId": org.identity("Account", 1), "Name": "The one", "Email": None}
    applier.apply([Raw("003NEW", newer, payload)], at=link.at)
    lost.refresh_from_db()
    assert lost.merged_into == Contact.objects.get(external_id="003NEW")


def test_a_held_deletion_is_forgotten_when_the_deal_is_back(link: Link, org: Salesforce) -> None:
    for number in range(30):
        org.put("Opportunity", number + 1, StageName="Closed Won", CloseDate=date(2026, 6, 1))
    link.start()
    link.run()
    link.connection.brake_deals = 2
    link.connection.save()
    for number in range(5):
        org.delete("Opportunity", number + 1)
    link.sync()
    assert Hold.objects.get().deals == 5
    for number in range(5):
        org.restore("Opportunity", number + 1)
    link.sync()
    assert not RawRecord.objects.filter(state=RawState.HELD).exists()
    assert not Hold.objects.filter(state=HoldState.WAITING).exists()
    assert Deal.objects.count() == 30


# --- edits on their way


def test_the_second_edit_is_what_is_written(link: Link, org: Salesforce) -> None:
    Stream.objects.filter(object="Opportunity").update(masters={"next_step": "portal"})
    link.start()
    link.run()

    def edit(text: str) -> None:
        deal = Deal.objects.get(name="Deal 3")
        edit_deal(actor=link.actor, deal_id=deal.pk, version=deal.version, at=link.at, changes={"next_step": text})

    edit("First")
    org.faults.add("500", when=lambda ask: ask.method == "PATCH", times=None)
    pushing.enqueue_all(at=link.at)
    link.run()
    assert Outgoing.objects.get().error["code"] == "vendor-passing"
    link.at += timedelta(minutes=20)
    edit("Second")
    pushing.enqueue_all(at=link.at)
    link.run()
    org.faults.clear()
    link.at += timedelta(minutes=20)
    pushing.enqueue_all(at=link.at)
    link.run()
    assert org.row("Opportunity", 4)["NextStep"] == "Second"


def test_a_comparison_goes_on_after_a_wait(link: Link, org: Salesforce) -> None:
    link.start()
    link.run()
    org.faults.add(
        "429",
        when=lambda ask: "FROM+Opportunity" in ask.query or "FROM%20Opportunity" in ask.query,
        nth=1,
        times=1,
        retry_after=900,
    )
    reconciling.enqueue(actor=link.actor, connection=link.connection, at=link.at)
    link.run()
    runs = SyncRun.objects.filter(kind=RunKind.RECONCILE)
    assert runs.get().state == RunState.WAITING
    link.sleep(1000)
    link.run()
    assert runs.get().state == RunState.DONE
    assert runs.get().counts["Opportunity"]["compared"] == 30


@pytest.fixture
def comparing(link: Link, monkeypatch: pytest.MonkeyPatch) -> Middle:
    """In step; do something while the opportunities are asked for, to compare them."""
    link.start().run()
    link.sync(after=86_400)

    def arrange(act: Callable[[], object]) -> None:
        ids = type(VENDOR).ids

        def and_then(self: Any, object: Any, ask: Any, http: Any) -> Any:
            if object.code == "Opportunity":
                with http._aside():  # as another process would
                    act()
            return ids(self, object, ask, http)

        monkeypatch.setattr(type(VENDOR), "ids", and_then)
        reconciling.enqueue(actor=link.actor, connection=link.connection, at=link.at)
        link.run()

    return arrange


@pytest.mark.parametrize("act", ["pause", "disconnect"])
def test_a_comparison_stops_when_it_is_paused(link: Link, org: Salesforce, comparing: Middle, act: str) -> None:
    for number in range(30):
        org.drift("Opportunity", number + 1, Name="Other")

    comparing(lambda: getattr(connecting, act)(actor=link.actor, connection=link.connection, at=link.at))
    assert not Drift.objects.exists()
    assert SyncRun.objects.get(kind=RunKind.RECONCILE).state == RunState.WAITING
    assert link.connection.reconciled_at is None
    assert not Job.objects.filter(kind=reconciling.RECONCILE, state="new").exists()


def test_an_object_that_is_mapped_anew_is_not_compared_by_the_old_mapping(
    link: Link, org: Salesforce, comparing: Middle
) -> None:
    for number in range(30):
        org.drift("Opportunity", number + 1, Name="Other")
    comparing(lambda: Stream.objects.filter(object="Opportunity").update(revision=F("revision") + 1))
    assert not Drift.objects.exists()
    run = SyncRun.objects.get(kind=RunKind.RECONCILE)
    assert (run.state, set(run.counts)) == (RunState.DONE, {"Account", "Contact"})


def test_of_two_comparisons_that_are_asked_for_one_is_made(link: Link, org: Salesforce) -> None:
    """Also while the rest of one waits for the vendor, and while the rest of the rest does."""
    link.start().run()
    org.faults.add("429", when=lambda ask: "FROM Opportunity" in ask.params.get("q", ""), times=2, retry_after=900)
    reconciling.enqueue(actor=link.actor, connection=link.connection, at=link.at)
    for state in (RunState.WAITING, RunState.WAITING, RunState.DONE):
        for _again in range(2):
            reconciling.enqueue(actor=link.actor, connection=link.connection, at=link.at)
            assert Job.objects.filter(kind=reconciling.RECONCILE, state="new").count() == 1
        link.run()
        assert SyncRun.objects.get(kind=RunKind.RECONCILE).state == state
        link.sleep(1000)
    assert not Job.objects.filter(kind=reconciling.RECONCILE, state="new").exists()


# --- where secrets go


def test_secrets_do_not_follow_to_another_address(link: Link, org: Salesforce) -> None:
    with pytest.raises(ValidationError, match="CONNECTORS_ALLOWED_ADDRESSES"):
        connecting.change(
            actor=link.actor,
            connection=link.connection,
            options={"address": "https://elsewhere.example"},
            given={},
            at=link.at,
        )
    assert Credential.objects.filter(connection=link.connection).exists()
    with override_settings(CONNECTORS_ALLOWED_ADDRESSES=[org.address, "elsewhere.example:443"]):
        connecting.change(
            actor=link.actor,
            connection=link.connection,
            options={"address": "https://elsewhere.example"},
            given={},
            at=link.at,
        )
    assert not Credential.objects.filter(connection=link.connection).exists()


def test_a_reply_that_leads_elsewhere_is_not_followed_with_the_token(link: Link) -> None:
    with link.caller() as http, pytest.raises(Fault) as told:
        http.get("https://elsewhere.example/services/data/next")
    assert told.value.problem.code == "vendor-elsewhere"


def test_nothing_is_there_but_what_came(link: Link) -> None:
    link.start()
    link.run()
    assert set(Account.objects.values_list("name", flat=True)) == {"Acme"}


def asked(org: Salesforce, object: str) -> int:
    """How often an object's records were asked for so far."""
    return sum(f"FROM {object}" in ask.params.get("q", "") for ask in org.requests)


def test_after_a_wait_the_run_goes_on_with_what_was_not_read(link: Link, org: Salesforce) -> None:
    """Else what comes first would use up the limit again and again, and the rest would never come."""
    link.start()
    org.faults.add("429", when=lambda ask: "FROM Opportunity" in ask.params.get("q", ""), times=2, retry_after=900)
    link.run()
    assert link.last_run().state == RunState.WAITING
    before = asked(org, "Account")
    for _again in range(2):
        link.sync(after=901)
    assert (link.last_run().state, asked(org, "Account")) == (RunState.DONE, before)
    assert len(link.raws("Opportunity")) == 30
    # What is done is followed from then on, and so is what waited for longer.
    org.put("Account", 2, Name="Bolt")
    link.sync()
    assert asked(org, "Account") > before
    assert Account.objects.filter(name="Bolt").exists()


def test_what_was_read_long_ago_is_read_again_though_the_rest_waits(link: Link, org: Salesforce) -> None:
    link.start()
    org.faults.add("429", when=lambda ask: "FROM Opportunity" in ask.params.get("q", ""), times=1, retry_after=7200)
    link.run()
    org.put("Account", 2, Name="Bolt")
    link.sync(after=7201)
    assert link.last_run().state == RunState.DONE
    assert Account.objects.filter(name="Bolt").exists()


# --- The source is away, or not what it was


def middle_of_writing(link: Link, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> list[str]:
    """Do something after the first edit was written; the ids that were written."""
    write, written = type(VENDOR).write, []

    def and_then(self: Any, object: Any, external_id: str, *rest: Any, **more: Any) -> Any:
        written.append(external_id)
        told = write(self, object, external_id, *rest, **more)
        if len(written) == 1:
            with rest[1]._aside():  # as another process would
                act()
        return told

    monkeypatch.setattr(type(VENDOR), "write", and_then)
    return written


@pytest.fixture
def edited(link: Link) -> Link:
    """Loaded; the next steps of four deals are the portal's, and were edited."""
    link.start().run()
    Stream.objects.filter(object="Opportunity").update(masters={"next_step": "portal"})
    for deal in Deal.objects.order_by("external_id")[:4]:
        edit_deal(actor=link.actor, deal_id=deal.pk, version=deal.version, at=link.at, changes={"next_step": "Call Bo"})
    return link


def push(link: Link) -> None:
    pushing.enqueue_all(at=link.at)
    link.run()


def steps(org: Salesforce) -> int:
    return sum(row["NextStep"] == "Call Bo" for row in org.rows("Opportunity"))


def test_edits_wait_for_a_source_that_is_away(edited: Link, org: Salesforce) -> None:
    """For hours, not for ten attempts; and it is asked for three of them, not for each."""
    org.faults.add("500", when=lambda ask: ask.method == "PATCH", times=None)
    for _minute in range(12):
        edited.at += timedelta(minutes=1)
        push(edited)
    assert set(Outgoing.objects.values_list("state", "attempts")) == {("waiting", 0)}
    assert Outgoing.objects.exclude(error={}).count() == 3
    org.faults.clear()
    edited.at += timedelta(minutes=1)
    push(edited)
    assert steps(org) == 4


def test_an_edit_is_given_up_after_a_week(edited: Link, org: Salesforce) -> None:
    org.faults.add("500", when=lambda ask: ask.method == "PATCH", times=None)
    push(edited)
    edited.at += timedelta(days=8)
    push(edited)
    assert Outgoing.objects.filter(state="refused").count() == 3


@pytest.mark.parametrize("act", ["pause", "disconnect"])
def test_nothing_is_written_any_more_once_it_is_paused(
    edited: Link, org: Salesforce, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    def stop() -> None:
        getattr(connecting, act)(actor=edited.actor, connection=edited.connection, at=edited.at)

    written = middle_of_writing(edited, monkeypatch, stop)
    push(edited)
    assert (len(written), steps(org)) == (1, 1)


def test_one_object_that_cannot_be_given_keeps_no_other_back(link: Link, org: Salesforce) -> None:
    org.faults.add("500", when=lambda ask: "FROM Account" in ask.params.get("q", ""), times=None)
    link.start().run()
    assert link.last_run().state == RunState.FAILED
    assert (len(link.raws("Account")), len(link.raws("Opportunity"))) == (0, 30)
    org.faults.clear()
    link.sync(after=7200)
    assert (link.last_run().state, len(link.raws("Account"))) == (RunState.DONE, 1)


def test_a_vendor_that_is_away_is_not_asked_for_everything(link: Link, org: Salesforce) -> None:
    org.faults.add("500", when=lambda ask: "FROM " in ask.params.get("q", ""), times=None)
    before = {object: asked(org, object) for object in ("Account", "Contact", "Opportunity")}
    link.start().run()
    assert [asked(org, object) > before[object] for object in before] == [True, True, False]


def test_what_a_person_wants_is_not_undone_by_a_fault(
    link: Link, org: Salesforce, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything is wanted once more while the page is asked for that fails then."""
    link.start().run()
    link.sync(after=2 * 86_400)  # what was loaded lies before the next sweep
    before = link.last_run()
    read = type(VENDOR).read

    def and_fail(self: Any, object: Any, ask: Any, http: Any) -> Any:
        if object.code != "Opportunity":
            return read(self, object, ask, http)
        monkeypatch.setattr(type(VENDOR), "read", read)
        with http._aside():  # as another process would
            link.resync()
        raise KeyError("gone")

    monkeypatch.setattr(type(VENDOR), "read", and_fail)
    link.sync()
    link.sync(after=7200)
    runs = SyncRun.objects.filter(connection=link.connection, pk__gt=before.pk)
    assert max(run.counts.get("Opportunity", {}).get("unchanged", 0) for run in runs) >= 30


def test_another_account_is_not_mixed_in(link: Link, org: Salesforce) -> None:
    link.start().run()
    known = link.connection.account_id
    link.connection.account_id = "00DOTHER"
    link.connection.save()
    with link.caller() as http, pytest.raises(ValidationError, match="make another connection"):
        connecting.identify(actor=link.actor, connection=link.connection, at=link.at, http=http)
    link.connection.refresh_from_db()
    assert (link.connection.state, link.connection.account_id) == (ConnectionState.PAUSED, "00DOTHER")
    link.connection.account_id = known
    link.connection.save()
    with link.caller() as http:
        connecting.identify(actor=link.actor, connection=link.connection, at=link.at, http=http)


@pytest.mark.parametrize("state", [ConnectionState.BROKEN, ConnectionState.DISCONNECTED, ConnectionState.RUNNING])
def test_a_sign_in_at_another_account_is_refused_before_anything_is_kept(link: Link, state: ConnectionState) -> None:
    """Not for a moment could its records be read; what was in step stays in step with the account before."""
    link.start().run()
    known = link.connection.account_id
    Connection.objects.filter(pk=link.connection.pk).update(account_id="00DOTHER", state=state, next_sync_at=None)
    before = dict(Credential.objects.values_list("name", "sealed"))
    with pytest.raises(ValidationError, match=r"make another connection\. Nothing was changed\."):
        link.sign_in()
    link.connection.refresh_from_db()
    assert (link.connection.state, link.connection.next_sync_at) == (state, None)
    assert dict(Credential.objects.values_list("name", "sealed")) == before

    Connection.objects.filter(pk=link.connection.pk).update(account_id=known)
    link.sign_in()
    assert link.connection.state == ConnectionState.RUNNING
    assert dict(Credential.objects.values_list("name", "sealed")) != before


def test_where_nobody_says_whose_account_it_is_nothing_is_kept(
    link: Link, org: Salesforce, monkeypatch: pytest.MonkeyPatch
) -> None:
    link.start().run()
    Connection.objects.filter(pk=link.connection.pk).update(state=ConnectionState.BROKEN)
    before = dict(Credential.objects.values_list("name", "sealed"))
    renewals = len(org.asked("/services/oauth2/token", "POST"))
    trial = link.trial

    def late(connection: Connection, token: str) -> Caller:
        org.expire_tokens()
        return trial(connection, token)

    monkeypatch.setattr(link, "trial", late)
    with pytest.raises(Fault):
        link.sign_in()
    link.connection.refresh_from_db()
    assert link.connection.state == ConnectionState.BROKEN
    assert dict(Credential.objects.values_list("name", "sealed")) == before
    assert len(org.asked("/services/oauth2/token", "POST")) == renewals + 1  # the token on trial is not renewed


def test_finding_out_leaves_what_a_sweep_wrote_meanwhile(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    """The objects are read together; a page of one may be committed before its turn comes."""
    link.start().run()
    save = Stream.save

    def meanwhile(self: Stream, *rest: Any, **more: Any) -> None:
        monkeypatch.setattr(Stream, "save", save)
        Stream.objects.filter(object="Opportunity").update(cursor={"position": "further"})
        save(self, *rest, **more)

    monkeypatch.setattr(Stream, "save", meanwhile)
    with link.caller() as http:
        connecting.discover(actor=link.actor, connection=link.connection, at=link.at, http=http)
    assert link.stream("Opportunity").cursor == {"position": "further"}


def test_an_id_that_has_no_room_is_shortened(link: Link) -> None:
    stream = link.stream("Account")
    applier = Applier(stream, actor=system_actor())
    long = [Raw("x" * 300 + tail, "2026-06-17T10:00:00.000000", {"Id": tail, "Name": f"Firm {tail}"}) for tail in "ab"]
    for _again in range(2):
        with transaction.atomic():
            applier.apply(long, at=NOW)
    ids = sorted(link.raws("Account"))
    assert [len(each) for each in ids] == [200, 200]
    assert ids[0][:167] == ids[1][:167] == "x" * 167


def test_another_mapping_is_applied_to_what_is_known_and_unchanged(link: Link, org: Salesforce) -> None:
    """However many records there are, keeping the mapping writes none of them. The source tells the very same."""
    stream = link.stream("Opportunity")
    once = Mapping.from_plain(stream.mapping).unwrap()
    twice = replace(
        once,
        rules=tuple(replace(rule, multiplier=Decimal(2)) if rule.field == "amount" else rule for rule in once.rules),
    )

    def decide(mapping: Mapping) -> None:
        connecting.decide_mapping(
            actor=link.actor, stream=stream, mapping=mapping, masters={}, is_wanted=True, at=link.at
        )

    link.start().run()
    assert Deal.objects.filter(amount_minor=100_00).count() == 30
    before = set(RawRecord.objects.values_list("pk", "digest"))
    decide(twice)
    assert set(RawRecord.objects.values_list("pk", "digest")) == before
    link.sync()
    assert Deal.objects.filter(amount_minor=200_00).count() == 30
    assert link.sync().counts.get("Opportunity", {}).get("changed", 0) == 0


def test_new_masters_reach_a_sweep_under_way(link: Link, org: Salesforce, in_the_middle: Middle) -> None:
    link.start().run()
    for number in range(30):
        org.put("Opportunity", number + 1, NextStep="As they say")

    def decide() -> None:
        stream = link.stream("Opportunity")
        connecting.decide_mapping(
            actor=link.actor,
            stream=stream,
            mapping=Mapping.from_plain(stream.mapping).unwrap(),
            masters={"next_step": "portal"},
            is_wanted=True,
            at=link.at,
        )

    in_the_middle(decide)
    link.sync()
    link.sync()
    assert Deal.objects.filter(next_step="As they say").count() == 10


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("master", ["fill", "newest"])
def test_an_edit_made_while_a_page_is_written_is_not_overwritten(
    link: Link, org: Salesforce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, master: str
) -> None:
    """Whoever comes second sees what the first one wrote: the page the edit, or the person what came."""
    link.start().run()
    Stream.objects.filter(object="Opportunity").update(masters={"next_step": master})
    deal = Deal.objects.get(name="Deal 3")
    raw = link.raws("Opportunity")[deal.external_id]
    payload = json.loads(raw.payload) | {"NextStep": "As they say"}
    read, is_read, is_saved = Destination.current, Event(), Event()
    told: list[str] = []

    def and_wait(self: Destination, *rest: Any, **more: Any) -> Any:
        found = read(self, *rest, **more)
        is_read.set()
        is_saved.wait(1)  # as long as it takes others to come between
        return found

    monkeypatch.setattr(Destination, "current", and_wait)

    def bring() -> None:
        applier = Applier(link.stream("Opportunity"), actor=system_actor())
        version = version_of(link.at + timedelta(minutes=1))
        with transaction.atomic():
            applier.apply([Raw(raw.external_id, version, payload)], at=link.at)

    def edit() -> None:
        assert is_read.wait(60)
        at = link.at + timedelta(minutes=2)
        try:
            edit_deal(actor=link.actor, deal_id=deal.pk, version=deal.version, at=at, changes={"next_step": "By hand"})
            told.append("By hand")
        except StaleDealError as error:
            told.append(error.deal.next_step)
        is_saved.set()

    place, stands = Elsewhere(tmp_path), []
    place.run(bring, edit)
    place.run(lambda: stands.append(Deal.objects.get(pk=deal.pk).next_step))
    assert told == stands
