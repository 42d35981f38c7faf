"""Edits made here reach the CRM once, without echo; what differs from the source is found and mended."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from salesops.accounts.models import Account
from salesops.connectors.choices import DriftKind, HoldState, OutgoingState, RawState, RunKind
from salesops.connectors.destinations import destination_of
from salesops.connectors.models import Drift, Hold, Outgoing, RawRecord, Stream, SyncRun
from salesops.connectors.services import brakes, pulling, pushing, reconciling, shelf
from salesops.connectors.services.applying import Applier
from salesops.connectors.vendors.base import Raw, version_of
from salesops.core.actor import system_actor
from salesops.deals.models import Deal, DealLine, DealSplit
from salesops.deals.services.deals import edit_deal
from salesops.jobs import services as jobs
from salesops.jobs.choices import JobState
from salesops.jobs.models import Job
from tests.cast import NOW, Cast
from tests.connectors.linking import Link, allowed
from tests.connectors.standins.salesforce import Salesforce

TABLES = ("connectors_stream", "connectors_hold")


@pytest.fixture
def org() -> Iterator[Salesforce]:
    """An org with an account, Ana, and ten open deals of 100.00."""
    with Salesforce() as org, allowed(org):
        org.clock.now = NOW
        org.put("User", 2, Name="Ana Alvarez", Email="ana@example.com", IsActive=True)
        org.put("Account", 1, Name="Acme")
        for number in range(10):
            put(org, number)
        yield org


def put(org: Salesforce, number: int, **fields: Any) -> str:
    """A deal of the org."""
    return org.put(
        "Opportunity",
        number + 1,
        **{
            "Name": f"Deal {number}",
            "AccountId": org.identity("Account", 1),
            "OwnerId": org.identity("User", 2),
            "StageName": "Prospecting",
            "Amount": Decimal("100.00"),
            "CloseDate": date(2026, 7, 1),
            **fields,
        },
    )


@pytest.fixture
def link(org: Salesforce, cast: Cast) -> Link:
    """In step with it; next steps are the portal's, amounts the newest's."""
    link = Link(cast.actor("rita"), org).connect("salesforce").want("User", "Account", "Opportunity")
    Stream.objects.filter(connection=link.connection, object="Opportunity").update(
        masters={"next_step": "portal", "amount": "newest"}
    )
    link.start()
    link.run()
    assert Deal.objects.count() == 10
    return link


def deal(number: int) -> Deal:
    return Deal.objects.get(name=f"Deal {number}")


def edit(link: Link, number: int, **changes: object) -> None:
    """Rita edits a deal in the portal."""
    row = deal(number)
    edit_deal(actor=link.actor, deal_id=row.pk, version=row.version, at=link.at, changes=changes)
    Deal.objects.filter(pk=row.pk).update(updated_at=link.at)


def push(link: Link) -> SyncRun | None:
    """Let the minute pass in which edits are written back."""
    pushing.enqueue_all(at=link.at)
    link.run()
    return SyncRun.objects.filter(connection=link.connection, kind=RunKind.OUTGOING).order_by("pk").last()


def test_an_edit_reaches_the_crm_once_and_does_not_come_back(link: Link, org: Salesforce) -> None:
    edit(link, 3, next_step="Call Bo", amount_minor=12_345)
    run = push(link)
    assert run is not None
    assert run.counts == {"Opportunity": {"written": 1}}
    assert (org.row("Opportunity", 4)["NextStep"], org.row("Opportunity", 4)["Amount"]) == (
        "Call Bo",
        Decimal("123.45"),
    )
    patches = len(org.asked("/services/data", "PATCH"))
    before = deal(3).version
    link.sync()
    push(link)
    assert len(org.asked("/services/data", "PATCH")) == patches == 1
    assert deal(3).version == before
    assert link.last_run().counts.get("Opportunity", {}).get("changed", 0) == 0
    change = Outgoing.objects.get()
    assert (change.state, change.fields["amount_minor"]) == (OutgoingState.WRITTEN, [10_000, 12_345])


def test_a_field_that_the_source_owns_is_not_written(link: Link, org: Salesforce) -> None:
    edit(link, 3, name="Renamed here")
    push(link)
    assert org.asked("/services/data", "PATCH") == []


def test_the_portals_own_field_stays_when_the_source_says_otherwise(link: Link, org: Salesforce) -> None:
    edit(link, 3, next_step="Call Bo")
    put(org, 3, NextStep="Something else", Name="Deal 3")
    link.sync()
    assert deal(3).next_step == "Call Bo"


@pytest.mark.parametrize(("portal_first", "stands"), [(True, 77_00), (False, 123_00)])
def test_of_two_edits_the_newer_stands(link: Link, org: Salesforce, portal_first: bool, stands: int) -> None:
    link.at = org.clock.now
    if portal_first:
        edit(link, 3, amount_minor=123_00)
        org.clock.advance(60)
        put(org, 3, Amount=Decimal("77.00"))
    else:
        put(org, 3, Amount=Decimal("77.00"))
        link.at = org.clock.now
        link.sleep(60)
        edit(link, 3, amount_minor=123_00)
    link.sync()
    assert deal(3).amount_minor == stands
    push(link)
    link.sync()
    assert deal(3).amount_minor == stands
    assert org.row("Opportunity", 4)["Amount"] == Decimal(stands) / 100


@pytest.mark.parametrize("touched", ["another field", "by the system", "recalculated"])
def test_an_older_edit_does_not_win_because_its_row_was_written_later(
    link: Link, org: Salesforce, touched: str
) -> None:
    """Of the field itself the source has the last word: nobody changed it here since."""
    link.at = org.clock.now
    edit(link, 3, amount_minor=123_00)
    link.sleep(60)
    put(org, 3, Amount=Decimal("77.00"))
    link.sleep(60)
    if touched == "another field":
        edit(link, 3, next_step="Call Bo")
    elif touched == "by the system":
        row = deal(3)
        edit_deal(
            actor=system_actor(), deal_id=row.pk, version=row.version, at=link.at, changes={"amount_minor": 124_00}
        )
    Deal.objects.filter(pk=deal(3).pk).update(updated_at=link.at)
    link.sync()
    assert deal(3).amount_minor == 77_00
    push(link)
    assert org.row("Opportunity", 4)["Amount"] == Decimal("77.00")


def test_what_a_person_let_in_of_the_source_is_no_edit_of_theirs(link: Link, org: Salesforce) -> None:
    applier = Applier(link.stream("Opportunity"), actor=link.actor)  # as when she tries a record again
    raw = link.raws("Opportunity")[org.identity("Opportunity", 4)]
    payload = json.loads(raw.payload)
    told_at = link.at + timedelta(minutes=1)
    late = told_at + timedelta(minutes=5)
    applier.apply([Raw(raw.external_id, version_of(told_at), payload | {"Amount": 88})], at=late)
    assert deal(3).amount_minor == 88_00
    Deal.objects.filter(pk=deal(3).pk).update(amount_minor=123_00)  # as a program of ours would
    told_at += timedelta(minutes=1)
    applier.apply([Raw(raw.external_id, version_of(told_at), payload | {"Amount": 99})], at=late)
    assert deal(3).amount_minor == 99_00


def test_the_moments_of_a_page_are_read_in_one_query(
    link: Link, org: Salesforce, django_assert_num_queries: Any
) -> None:
    link.at = org.clock.now
    for number in range(8):
        edit(link, number, amount_minor=123_00)
    pks = [deal(number).pk for number in range(8)]
    since = link.at - timedelta(seconds=1)
    with django_assert_num_queries(1):
        found = destination_of("deals").edited(pks, since=since)
    assert found == {pk: {"amount_minor": link.at} for pk in pks}
    assert destination_of("deals").edited(pks, since=link.at) == {}


def test_a_write_that_is_refused_is_shown_and_not_repeated(link: Link, org: Salesforce) -> None:
    org.hide("Opportunity", "NextStep")
    edit(link, 3, next_step="Call Bo")
    push(link)
    change = Outgoing.objects.get()
    assert change.state == OutgoingState.REFUSED
    assert change.error["message"]
    asked = len(org.asked("/services/data", "PATCH"))
    push(link)
    assert len(org.asked("/services/data", "PATCH")) == asked


def test_somebody_was_faster_at_the_source(link: Link, org: Salesforce) -> None:
    edit(link, 3, next_step="Call Bo")
    org.clock.advance(30)
    put(org, 3, Amount=Decimal("55.00"))
    push(link)
    assert Outgoing.objects.earliest("pk").state == OutgoingState.OVERTAKEN
    assert org.row("Opportunity", 4)["NextStep"] is None
    link.sync()
    push(link)
    assert org.row("Opportunity", 4)["NextStep"] == "Call Bo"
    assert deal(3).amount_minor == 55_00


# --- the brake


def close(org: Salesforce, numbers: range) -> None:
    for number in numbers:
        put(org, number, StageName="Closed Won", CloseDate=date(2026, 6, 1))


def ten_closed(link: Link, org: Salesforce) -> None:
    """Ten deals are closed and here, of which three may change in one go."""
    close(org, range(10))
    link.sync()
    link.connection.brake_deals = 3
    link.connection.save()


def test_few_changes_of_closed_deals_come_in_at_the_end_of_the_sweep(link: Link, org: Salesforce) -> None:
    close(org, range(10))
    link.sync()
    put(org, 1, Amount=Decimal("150.00"), StageName="Closed Won", CloseDate=date(2026, 6, 1))
    link.sync()
    assert deal(1).amount_minor == 150_00
    assert not Hold.objects.exists()


@pytest.mark.parametrize("admit", [True, False])
def test_many_changes_of_closed_deals_wait_for_a_person(link: Link, org: Salesforce, admit: bool) -> None:
    ten_closed(link, org)
    for number in range(8):
        put(org, number, Amount=Decimal("900.00"), StageName="Closed Won", CloseDate=date(2026, 6, 1))
    put(org, 20)
    link.sync()
    hold = Hold.objects.get()
    assert (hold.deals, hold.amount_minor, hold.state) == (8, 8 * 800_00, HoldState.WAITING)
    assert {deal(number).amount_minor for number in range(8)} == {100_00}
    assert deal(20).amount_minor == 100_00  # the rest is not held up
    applier = Applier(link.stream("Opportunity"), actor=system_actor())
    brakes.decide(actor=link.actor, hold=hold, admit=admit, reason="Checked", applier=applier, at=link.at)
    link.sync()
    assert {deal(number).amount_minor for number in range(8)} == {900_00 if admit else 100_00}
    assert not RawRecord.objects.filter(state=RawState.HELD).exists()


@pytest.fixture
def by_three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held records are looked at and let in three at a time."""
    monkeypatch.setattr(brakes, "PORTION", 3)


def test_a_large_hold_is_let_in_by_portions_and_none_is_held_again(
    link: Link, org: Salesforce, by_three: None, client_of: Callable[[str], Client]
) -> None:
    ten_closed(link, org)
    for number in range(8):
        put(org, number, Amount=Decimal("900.00"), StageName="Closed Won", CloseDate=date(2026, 6, 1))
    link.sync()
    hold = Hold.objects.get()
    assert (hold.deals, hold.amount_minor, hold.coming.count()) == (8, 8 * 800_00, 8)
    rita, page = client_of("rita"), reverse("connectors:hold_decide", args=[hold.pk])
    told = rita.post(page, {"decision": "admit", "reason": "Checked"}, follow=True)
    assert "5 records are still coming in" in told.content.decode()
    assert [deal(number).amount_minor for number in range(8)] == [900_00] * 3 + [100_00] * 5
    assert "5 records are still coming in" in rita.get(page).content.decode()

    # A sweep meanwhile leaves to the job what was let in, but for what its source changed since.
    put(org, 7, Amount=Decimal("950.00"), StageName="Closed Won", CloseDate=date(2026, 6, 1))
    jobs.cancel(job=Job.objects.get(kind=brakes.ADMITTED), actor=link.actor, at=link.at)
    link.sync()
    assert [deal(number).amount_minor for number in range(8)] == [900_00] * 3 + [100_00] * 4 + [950_00]
    assert (Hold.objects.count(), hold.coming.count()) == (1, 4)

    assert brakes.enqueue_left(at=link.at) == 1  # whoever ended the job did not take the decision back
    link.run()
    assert [deal(number).amount_minor for number in range(8)] == [900_00] * 7 + [950_00]
    assert not RawRecord.objects.filter(state=RawState.HELD).exists()
    assert brakes.enqueue_left(at=link.at) == 0
    job = Job.objects.filter(kind=brakes.ADMITTED).latest("pk")
    assert (job.state, job.done_count, job.total_count) == (JobState.DONE, 4, 4)


def test_who_decides_locks_in_the_order_of_a_sweep(link: Link, org: Salesforce) -> None:
    """The object, then the hold: in the other order a sweep that ends and a person who decides wait for each other."""
    ten_closed(link, org)
    for number in range(8):
        put(org, number, Amount=Decimal("900.00"), StageName="Closed Won", CloseDate=date(2026, 6, 1))
    link.sync()
    hold, applier = Hold.objects.get(), Applier(link.stream("Opportunity"), actor=system_actor())
    with CaptureQueriesContext(connection) as queries:
        brakes.decide(actor=link.actor, hold=hold, admit=False, reason="", applier=applier, at=link.at)
    asked = [each["sql"] for each in queries.captured_queries]
    of = {table: next(place for place, sql in enumerate(asked) if f'FROM "{table}"' in sql) for table in TABLES}
    assert of["connectors_stream"] < of["connectors_hold"]


def test_by_portions_it_is_as_much_as_in_one(link: Link, org: Salesforce, by_three: None) -> None:
    """Few deals come in all, many are turned away all."""
    ten_closed(link, org)
    link.connection.brake_deals = 7
    link.connection.save()
    for number in range(7):
        put(org, number, Amount=Decimal("150.00"), StageName="Closed Won", CloseDate=date(2026, 6, 1))
    link.sync()
    assert [deal(number).amount_minor for number in range(7)] == [150_00] * 7
    for number in range(8):
        put(org, number, Amount=Decimal("200.00"), StageName="Closed Won", CloseDate=date(2026, 6, 1))
    link.sync()
    hold = Hold.objects.get()
    assert (hold.deals, hold.amount_minor, hold.coming.count()) == (8, 7 * 50_00 + 100_00, 8)
    applier = Applier(link.stream("Opportunity"), actor=system_actor())
    brakes.decide(actor=link.actor, hold=hold, admit=False, reason="", applier=applier, at=link.at)
    assert (hold.coming.count(), hold.records.filter(state=RawState.DISMISSED).count()) == (0, 8)


@pytest.fixture
def turned_away(link: Link, org: Salesforce) -> Link:
    """Six changes of amounts and two deletions of closed deals were turned away, where three may change in one go."""
    ten_closed(link, org)
    for number in range(6):
        put(org, number, Amount=Decimal("900.00"), StageName="Closed Won", CloseDate=date(2026, 6, 1))
    for number in (6, 7):
        org.delete("Opportunity", number + 1)
    link.sync()
    applier = Applier(link.stream("Opportunity"), actor=system_actor())
    brakes.decide(actor=link.actor, hold=Hold.objects.get(), admit=False, reason="", applier=applier, at=link.at)
    return link


def stand(link: Link) -> None:
    """Nothing of what was turned away has come in."""
    assert {deal(number).amount_minor for number in range(8)} == {100_00}


def test_what_was_turned_away_does_not_come_in_by_portions(turned_away: Link, org: Salesforce) -> None:
    """Whoever tries some of it again has all of it decided anew."""
    link, ids = turned_away, [org.identity("Opportunity", number + 1) for number in range(8)]
    rows = link.raws("Opportunity")
    for portion in (ids[:2], ids[2:4], ids[6:]):
        done = shelf.retry(
            actor=link.actor, connection=link.connection, ids=[rows[each].pk for each in portion], at=link.at
        )
        assert set(done.counts) <= {"held"}
        link.sync()
        stand(link)
    hold = Hold.objects.get(state=HoldState.WAITING)
    assert (hold.deals, hold.records.count(), hold.amount_minor) == (8, 8, 6 * 800_00 + 2 * 100_00)
    applier = Applier(link.stream("Opportunity"), actor=system_actor())
    brakes.decide(actor=link.actor, hold=hold, admit=True, reason="", applier=applier, at=link.at)
    assert {deal(number).amount_minor for number in range(6)} == {900_00}
    assert not Deal.objects.filter(name__in=["Deal 6", "Deal 7"]).exists()


@pytest.mark.parametrize("again", ["resync", "mapping", "mend"])
def test_what_was_turned_away_stays_so_however_it_is_read_again(turned_away: Link, org: Salesforce, again: str) -> None:
    link = turned_away
    link.connection.brake_deals = 100
    link.connection.save()
    if again == "resync":
        link.resync()
    elif again == "mapping":
        RawRecord.objects.update(digest="")
        link.resync()
    else:
        for external_id, row in link.raws("Opportunity").items():
            kind = DriftKind.MISSING_THERE if row.is_gone else DriftKind.DIFFERS
            Drift.objects.create(stream=row.stream, external_id=external_id, kind=kind, found_at=link.at)
        with link.caller() as http:
            reconciling.mend(actor=link.actor, connection=link.connection, http=http, at=link.at)
    link.sync()
    stand(link)
    for number in range(6):
        put(org, number, Amount=Decimal("901.00"), StageName="Closed Won", CloseDate=date(2026, 6, 1))
    link.sync()  # spoken again
    assert {deal(number).amount_minor for number in range(6)} == {901_00}


def patches(org: Salesforce) -> int:
    return len(org.asked("/services/data", "PATCH"))


@pytest.mark.parametrize(
    ("admit", "amount", "stands"), [(True, 123_00, 900_00), (False, 123_00, 123_00), (True, None, 900_00)]
)
def test_an_edit_of_a_deal_that_is_held_goes_out_once_it_is_decided(
    link: Link, org: Salesforce, admit: bool, amount: int | None, stands: int
) -> None:
    """Next steps are the portal's and go out; of two amounts the source's is newer."""
    close(org, range(10))
    link.sync()
    link.connection.brake_deals = 0
    link.connection.save()
    link.at = org.clock.now
    if amount is not None:
        edit(link, 3, amount_minor=amount)
    link.sleep(60)
    put(org, 3, Amount=Decimal("900.00"), StageName="Closed Won", CloseDate=date(2026, 6, 1))
    link.sync()
    assert link.states("Opportunity")[org.identity("Opportunity", 4)] == RawState.HELD
    edit(link, 3, next_step="Call Bo")
    for _again in range(3):
        assert push(link) is None  # nothing can be written now, and no run says so each minute
    assert patches(org) == 0
    change = Outgoing.objects.get()
    assert (change.state, change.error["code"]) == (OutgoingState.WAITING, "record-not-taken")
    applier = Applier(link.stream("Opportunity"), actor=system_actor())
    brakes.decide(actor=link.actor, hold=Hold.objects.get(), admit=admit, reason="", applier=applier, at=link.at)
    push(link)
    if not admit:  # until the source speaks again
        assert patches(org) == 0
        close(org, range(3, 4))
        put(org, 3, Amount=Decimal("100.00"), StageName="Closed Won", CloseDate=date(2026, 6, 1))
        link.sync()
    for _minute in range(2):  # looked at anew, then written
        push(link)
    assert org.row("Opportunity", 4)["NextStep"] == "Call Bo"
    link.sync()
    push(link)
    assert (patches(org), deal(3).next_step) == (1, "Call Bo")
    assert not Outgoing.objects.filter(state=OutgoingState.WAITING).exists()
    if admit:
        assert (deal(3).amount_minor, org.row("Opportunity", 4)["Amount"]) == (stands, Decimal(stands) / 100)


def test_an_edit_of_a_record_on_the_shelf_goes_out_once_that_is_taken(link: Link, org: Salesforce) -> None:
    put(org, 3, StageName="No such stage")
    link.sync()
    external_id = org.identity("Opportunity", 4)
    assert link.states("Opportunity")[external_id] == RawState.REFUSED
    shelf.dismiss(
        actor=link.actor, connection=link.connection, ids=[link.raws("Opportunity")[external_id].pk], at=link.at
    )
    edit(link, 3, next_step="Call Bo")
    push(link)
    assert (patches(org), Outgoing.objects.get().state) == (0, OutgoingState.WAITING)
    link.sleep(60)
    edit(link, 3, next_step="Call Bo again")
    Deal.objects.exclude(pk=deal(3).pk).update(updated_at=NOW)
    Stream.objects.filter(pushed_at__gt=link.at).update(pushed_at=link.at)
    push(link)
    assert Outgoing.objects.get().values == {"NextStep": "Call Bo again"}
    put(org, 3)
    link.sync()
    for _minute in range(2):
        push(link)
    link.sync()
    push(link)
    assert (patches(org), org.row("Opportunity", 4)["NextStep"]) == (1, "Call Bo again")
    assert Outgoing.objects.get().state == OutgoingState.WRITTEN


def test_many_deleted_closed_deals_wait_too(link: Link, org: Salesforce) -> None:
    ten_closed(link, org)
    for number in range(6):
        org.delete("Opportunity", number + 1)
    link.sync()
    assert Hold.objects.get().deals == 6
    assert Deal.objects.filter(removed_at__isnull=True).count() == 10
    applier = Applier(link.stream("Opportunity"), actor=system_actor())
    brakes.decide(actor=link.actor, hold=Hold.objects.get(), admit=True, reason="", applier=applier, at=link.at)
    assert Deal.objects.filter(removed_at__isnull=True).count() == 4


# --- the brake, for what hangs on deals

LINES, SPLITS = "OpportunityLineItem", "OpportunitySplit"


def put_line(org: Salesforce, number: int, place: int = 0, **fields: Any) -> str:
    """A line of a deal of the org: half of its 100.00 unless it is said."""
    return org.put(
        LINES,
        100 + number * 10 + place,
        **{
            "OpportunityId": org.identity("Opportunity", number + 1),
            "Product2Id": org.identity("Product2", 1),
            "Quantity": Decimal(1),
            "UnitPrice": Decimal(50),
            "TotalPrice": Decimal(50),
            **fields,
        },
    )


def put_split(org: Salesforce, number: int, user: int, percent: int = 100) -> str:
    """A share of a deal of the org."""
    return org.put(
        SPLITS,
        100 + number,
        OpportunityId=org.identity("Opportunity", number + 1),
        SplitOwnerId=org.identity("User", user),
        SplitPercentage=Decimal(percent),
        SplitTypeId=org.identity("OpportunitySplitType", 1),
    )


@pytest.fixture
def parted(org: Salesforce, cast: Cast) -> Link:
    """In step with ten won deals of 100.00, each of two lines and wholly Ana's; three may change in one go."""
    org.enable_splits()
    org.put("User", 3, Name="Sam Silva", Email=cast.sam.email, IsActive=True)
    org.put("Product2", 1, Name="Licence", ProductCode="L", IsActive=True)
    close(org, range(10))
    for number in range(10):
        put_line(org, number)
        put_line(org, number, 1)
        put_split(org, number, 2)
    link = Link(cast.actor("rita"), org).connect("salesforce")
    link.want("User", "Account", "Product2", "Opportunity", LINES, SPLITS).start().run()
    assert (DealLine.objects.count(), DealSplit.objects.count()) == (20, 10)
    assert not RawRecord.objects.filter(state=RawState.HELD).exists()
    link.connection.brake_deals = 3
    link.connection.save()
    return link


def rows_of(page: str) -> list[str]:
    """What the rows of a page's table say, without their tags."""
    rows = re.findall(r"<tr>(.*?)</tr>", page.partition("<tbody>")[2], re.DOTALL)
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", row)).split()) for row in rows]


def told_of(client_of: Callable[[str], Client]) -> list[str]:
    """What the page of the hold says of each record, without its id at the source."""
    url = reverse("connectors:hold_decide", kwargs={"pk": Hold.objects.get().pk})
    page = str(client_of("rita").get(url).content.decode())
    return [each.rpartition(" ")[0] for each in rows_of(page)]


def decide(link: Link, hold: Hold, *, admit: bool) -> None:
    applier = Applier(hold.stream, actor=system_actor())
    brakes.decide(actor=link.actor, hold=hold, admit=admit, reason="", applier=applier, at=link.at)


@pytest.mark.parametrize("admit", [True, False])
def test_many_shares_of_closed_deals_wait_for_a_person(
    parted: Link, org: Salesforce, cast: Cast, client_of: Callable[[str], Client], admit: bool
) -> None:
    for number in range(8):
        put_split(org, number, 3)
    parted.sync()
    hold = Hold.objects.get()
    page = str(client_of("rita").get(reverse("connectors:hold_decide", kwargs={"pk": hold.pk})).content.decode())
    assert all(reverse("deals:deal_detail", kwargs={"pk": deal(number).pk}) in page for number in range(8))
    assert told_of(client_of) == [f"Deal {number} Sam Sorensen Person Ana Alvarez Sam Sorensen" for number in range(8)]
    assert (hold.stream.object, hold.deals, hold.amount_minor) == (SPLITS, 8, 8 * 100_00)
    assert set(DealSplit.objects.values_list("person", flat=True)) == {cast.ana.pk}
    decide(parted, hold, admit=admit)
    parted.sync()
    assert DealSplit.objects.filter(person=cast.sam).count() == (8 if admit else 0)


@pytest.mark.parametrize("change", ["price", "gone", "more", "moved"])
def test_many_lines_of_closed_deals_wait_for_a_person(
    parted: Link, org: Salesforce, client_of: Callable[[str], Client], change: str
) -> None:
    """Two lines of a deal alter one deal."""
    before = list(DealLine.objects.order_by("pk").values_list("deal", "amount_minor"))
    for number in range(6):
        if change == "price":
            put_line(org, number, UnitPrice=Decimal(70), TotalPrice=Decimal(70))
            put_line(org, number, 1, UnitPrice=Decimal(70), TotalPrice=Decimal(70))
        elif change == "gone":
            org.delete(LINES, 100 + number * 10)
        elif change == "more":
            put_line(org, number, 2)
        else:
            put_line(org, number, OpportunityId=org.identity("Opportunity", 10))
    parted.sync()
    hold = Hold.objects.get()
    assert (
        told_of(client_of)[0]
        == {
            "price": "Deal 0 Licence × 1 Unit price $50.00 $70.00 Amount $50.00 $70.00",
            "gone": "Deal 0 It is gone at the source. Product Licence — Quantity 1 — Amount $50.00 —",
            "more": "Deal 0 Licence × 1 Deal Deal 0 Product Licence Quantity 1 Unit price $50.00 Discount 0 % Amount $50.00",
            "moved": "Deal 0 Licence × 1 Deal Deal 0 Deal 9",
        }[change]
    )
    found = (hold.deals, hold.amount_minor)
    assert found == {"price": (6, 12 * 20_00), "gone": (6, 300_00), "more": (6, 300_00), "moved": (7, 300_00)}[change]
    assert list(DealLine.objects.order_by("pk").values_list("deal", "amount_minor")) == before
    decide(parted, hold, admit=True)
    assert list(DealLine.objects.order_by("pk").values_list("deal", "amount_minor")) != before
    assert not RawRecord.objects.filter(state=RawState.HELD).exists()


def test_few_parts_of_closed_deals_come_in_at_the_end_of_the_sweep(parted: Link, org: Salesforce, cast: Cast) -> None:
    for number in range(3):
        put_split(org, number, 3)
        put_line(org, number, UnitPrice=Decimal(70), TotalPrice=Decimal(70))
    parted.sync()
    assert not Hold.objects.exists()
    assert DealSplit.objects.filter(person=cast.sam).count() == 3
    assert DealLine.objects.filter(amount_minor=70_00).count() == 3


def test_parts_that_come_with_their_deals_do_not_wait(parted: Link, org: Salesforce) -> None:
    """Also where a deal was open here before, or is read again without a change."""
    for number in range(20, 26):
        put(org, number)
    parted.sync()
    close(org, range(20, 32))
    for number in range(20, 32):
        put_line(org, number)
        put_split(org, number, 2)
    put_line(org, 1, Description="As before")
    parted.resync()
    parted.sync()
    assert not Hold.objects.exists()
    assert (DealLine.objects.count(), DealSplit.objects.count()) == (32, 22)


def test_shares_made_by_hand_are_not_replaced_in_many_closed_deals(
    parted: Link, org: Salesforce, cast: Cast, client_of: Callable[[str], Client]
) -> None:
    """The source tells its shares once more, each the same: it would take the place of what was agreed here."""
    for row in DealSplit.objects.all():
        row.share_bp = 5_000
        row.save()
        DealSplit.objects.create(deal=row.deal, person=cast.sam, share_bp=5_000)
    RawRecord.objects.filter(stream__object=SPLITS).update(digest="")
    parted.resync()
    parted.sync()
    assert Hold.objects.get().deals == 10
    assert told_of(client_of)[0] == (
        "Deal 0 Ana Alvarez Share 50 % 100 % Shares that it takes the place of Sam Sorensen 50 % —"
    )
    assert DealSplit.objects.filter(person=cast.sam).count() == 10


def test_what_goes_with_a_share_or_a_line_is_told(
    parted: Link, org: Salesforce, cast: Cast, client_of: Callable[[str], Client]
) -> None:
    for number in range(4):
        org.delete(SPLITS, 100 + number)
    parted.sync()
    assert told_of(client_of)[0] == "Deal 0 It is gone at the source. Person Ana Alvarez — Share 100 % —"


# --- reconciling


def test_what_differs_is_found_listed_and_mended(
    link: Link, org: Salesforce, client_of: Callable[[str], Client]
) -> None:
    link.sync(after=3600)
    ids = {number: org.identity("Opportunity", number + 1) for number in range(10)}
    Deal.objects.filter(pk=deal(0).pk).update(name="Renamed here")
    RawRecord.objects.filter(external_id=ids[1]).delete()  # lost here
    org.purge("Opportunity", 3)  # gone there without a trace
    org.drift("Opportunity", 4, Name="A formula changed it")
    reconciling.enqueue(actor=link.actor, connection=link.connection, at=link.at)
    link.run()
    found = {drift.external_id: drift.kind for drift in Drift.objects.filter(stream__object="Opportunity")}
    assert found == {
        ids[0]: DriftKind.DIFFERS,
        ids[1]: DriftKind.MISSING_HERE,
        ids[2]: DriftKind.MISSING_THERE,
        ids[3]: DriftKind.DIFFERS,
    }
    page = client_of("rita").get(reverse("connectors:drift_list", kwargs={"pk": link.connection.pk})).content.decode()
    assert "Name: Renamed here → Deal 0" in page
    assert "Name: Deal 3 → A formula changed it" in page
    for number in (0, 2, 3):  # what was lost here has no record to look at
        raw = RawRecord.objects.get(external_id=ids[number])
        assert f'<a href="{reverse("connectors:rawrecord_detail", kwargs={"pk": raw.pk})}">{ids[number]}</a>' in page
    assert ids[1] in page
    with link.caller() as http:
        assert reconciling.mend(actor=link.actor, connection=link.connection, http=http, at=link.at) == 4
    reconciling.enqueue(actor=link.actor, connection=link.connection, at=link.at)
    link.run()
    assert not Drift.objects.filter(stream__object="Opportunity", mended_at__isnull=True).exists()
    assert Deal.objects.get(external_id=ids[0]).name == "Deal 0"
    assert Deal.every.get(external_id=ids[2]).removed_at is not None
    assert Deal.objects.get(external_id=ids[3]).name == "A formula changed it"


# --- parents


def test_a_parent_that_comes_after_its_subsidiary_is_found_in_the_same_sweep(
    link: Link, org: Salesforce, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "PAGE_ROWS", 2)
    for number in range(10, 16):
        org.put("Account", number, Name=f"Company {number}")
    org.put("Account", 10, ParentId=org.identity("Account", 15))
    org.put("Account", 11, ParentId=org.identity("Account", 12))
    for number in range(12, 16):
        org.put("Account", number, Industry="Energy")
    link.sync()
    parents = dict(Account.objects.filter(parent__isnull=False).values_list("name", "parent__name"))
    assert parents == {"Company 10": "Company 15", "Company 11": "Company 12"}
