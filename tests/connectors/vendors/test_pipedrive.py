"""Pipedrive: the shared scenarios on deals, and what only a Pipedrive company does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar

import pytest
from django.db import transaction

from salesops.accounts.models import Contact
from salesops.activities.models import Activity
from salesops.connectors.choices import RawState, RunState
from salesops.connectors.rules import proofs
from salesops.connectors.rules.mapping import FieldRule, Mapping
from salesops.connectors.services import connecting, hooks, pulling, pushing
from salesops.connectors.vendors.base import Column, Fault, FaultKind
from salesops.connectors.vendors.pipedrive import VENDOR
from salesops.core.actor import system_actor
from salesops.deals.models import Deal, Stage
from salesops.jobs import services as jobs
from salesops.leads.models import Lead
from tests.cast import NOW, Cast
from tests.connectors.compared import deals
from tests.connectors.conformance import Conformance, Table
from tests.connectors.linking import Link, allowed
from tests.connectors.standins.base import StandIn
from tests.connectors.standins.pipedrive import Pipedrive


class TestPipedrive(Conformance):
    """Deals of one organization."""

    vendor = "pipedrive"
    standin = Pipedrive
    object = "deals"
    needs = ("users", "organizations")
    path = "/api/v2/deals"
    secrets: ClassVar[dict[str, str]] = {"webhook_secret": Pipedrive.hook_secret}
    lacks: ClassVar[dict[str, str]] = {
        "merges": "a merge is told by a webhook alone: see below",
        "search": "lists are no search index",
    }

    def prepare(self, standin: StandIn) -> None:
        standin.put("user", 2, name="Ana Alvarez", email="ana@example.com")
        standin.put("organization", 1, name="Acme")

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        return standin.put("deal", None, title=f"Deal {number}", org_id=1, owner_id=2, value=Decimal(amount))

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        standin.put("deal", id, value=Decimal(amount))

    def delete(self, standin: StandIn, id: str) -> None:
        standin.delete("deal", id)

    def restore(self, standin: StandIn, id: str) -> None:
        standin.restore("deal", id)

    def source(self, standin: StandIn) -> Table:
        return {row.id: (row["title"], int(row["value"] * 100), "Acme") for row in standin.rows("deal")}

    def table(self, link: Link) -> Table:
        return deals(link)


# --- What only Pipedrive does -----------------------------------------------------------------------------------------


@pytest.fixture
def other(db: None) -> Iterator[Pipedrive]:
    """A company with one organization and one owner."""
    with Pipedrive() as standin, allowed(standin):
        standin.clock.now = NOW
        standin.put("user", 2, name="Ana Alvarez", email="ana@example.com")
        standin.put("organization", 1, name="Acme")
        yield standin


@pytest.fixture
def link(other: Pipedrive, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Link:
    """A connection in draft, which keeps the users and organizations; ten rows to a page."""
    monkeypatch.setattr(pulling, "PAGE_ROWS", 10)
    made = Link(cast.actor("rita"), other).connect("pipedrive", secrets={"webhook_secret": Pipedrive.hook_secret})
    return made.want("users", "organizations", "deals")


def begun(link: Link, *objects: str) -> Link:
    """The first load of some objects."""
    if objects:
        link.want("users", "organizations", *objects)
    link.start()
    link.run()
    assert link.last_run().state == RunState.DONE, link.last_run().error
    return link


def deal(link: Link, id: object) -> Deal:
    """The portal's deal of one of the company."""
    found: Deal = Deal.every.select_related("account", "stage", "owner").get(
        source=link.connection.source.code, external_id=str(id)
    )
    return found


def pushed(link: Link, *, since: int, objects: tuple[str, ...] = ("deal",)) -> list[str]:
    """Send the webhooks of what happened since, and let the inbox's jobs run. Gives how the events ended."""
    assert isinstance(link.standin, Pipedrive)
    for told in link.standin.hook_deliveries(since=since, objects=objects):
        delivery = proofs.Delivery(told.method, told.url, told.headers, told.body, link.at)
        assert isinstance(hooks.receive(connection=link.connection, delivery=delivery), hooks.Taken)
    link.at += timedelta(seconds=5)
    link.run()
    return list(link.connection.webhook_events.order_by("pk").values_list("state", flat=True))


def test_the_sign_in_tells_where_the_company_lives(link: Link) -> None:
    options = link.connection.options
    assert (link.connection.account_id, link.connection.account_name) == ("54235233", "Acme")
    assert (options["api_domain"], options["time_zone"], options["currency"]) == (
        "https://acme-sandbox.pipedrive.com", "Europe/Berlin", "EUR",
    )  # fmt: skip
    elsewhere = {name: value for name, value in options.items() if name != "address"}
    assert VENDOR.base(elsewhere) == "https://acme-sandbox.pipedrive.com/"
    assert VENDOR.base({}) == "https://api.pipedrive.com/"
    assert VENDOR.link(VENDOR.object("deals"), "7", options) == "https://acme-sandbox.pipedrive.com/deal/7"
    assert {ask.basic for ask in link.standin.asked("/oauth/token")} == {
        (link.standin.client_id, link.standin.client_secret)
    }


def test_a_zone_that_nobody_knows_is_left_to_the_company(link: Link, other: Pipedrive) -> None:
    for name in ("Mars/Olympus", "../etc/passwd", None, ""):
        other.put("user", 1, timezone_name=name)
        with link.caller() as http:
            assert "time_zone" not in VENDOR.identify(http).settings


def test_deals_in_the_archive_stay(link: Link, other: Pipedrive) -> None:
    """Those put away before and after, also while paging; taken out again they are the same."""
    for number in range(1, 26):
        other.put("deal", number, title=f"Deal {number}", org_id=1, owner_id=2, value=100, is_archived=number % 5 == 0)
    begun(link)
    assert Deal.objects.filter(source=link.connection.source.code, removed_at=None).count() == 25
    other.put("deal", 3, is_archived=True, value=700)
    link.sync()
    assert deal(link, 3).amount_minor == 70_000
    other.put("deal", 5, is_archived=False, value=800)
    link.sync()
    assert deal(link, 5).amount_minor == 80_000
    other.delete("deal", 10)
    link.sync()
    assert deal(link, 10).removed_at is not None
    assert Deal.objects.filter(source=link.connection.source.code, removed_at=None).count() == 24

    other.before_page(lambda page: other.put("deal", 1, is_archived=True) if page == 2 else None)
    connecting.resync(actor=link.actor, connection=link.connection, objects=["deals"], at=link.at)
    link.run()
    other.before_page(None)
    assert set(link.states("deals").values()) == {RawState.TAKEN, RawState.DELETED}
    assert deal(link, 1).removed_at is None


def test_a_deal_that_was_deleted_long_ago_is_not_listed(link: Link, other: Pipedrive) -> None:
    """The list of deletions reaches back thirty days: a connection that slept longer needs its webhook, or a census."""
    other.put("deal", 1, title="Old", org_id=1, owner_id=2, value=5)
    other.put("deal", 2, title="New", org_id=1, owner_id=2, value=5)
    begun(link)
    other.delete("deal", 1)
    link.at += timedelta(days=31)
    other.clock.advance(31 * 86_400)
    other.delete("deal", 2)
    link.sync()
    assert (deal(link, 1).removed_at, deal(link, 2).removed_at is None) == (None, False)
    with link.caller() as http:
        (gone,) = VENDOR.fetch(VENDOR.object("deals"), ["1"], http)
    assert gone.is_deleted


def test_won_and_lost_are_states_beside_the_stage(link: Link, other: Pipedrive) -> None:
    told_of: list[dict[str, Any]] = [
        {"stage_id": 1},
        {"stage_id": 3},
        {"stage_id": 2, "status": "won"},
        {"status": "lost", "lost_reason": "Price"},
    ]
    for number, told in enumerate(told_of, 1):
        other.put("deal", number, title=f"Deal {number}", org_id=1, owner_id=2, value=10, **told)
    begun(link)
    stages = [deal(link, number).stage.code for number in (1, 2, 3, 4)]
    assert stages == ["qualified", "proposal", "won", "lost"]
    assert (deal(link, 3).closed_on, deal(link, 2).closed_on) == (NOW.date(), None)
    assert deal(link, 4).lost_because == "Price"
    other.put("deal", 3, status="open", close_time=None, won_time=None)
    link.sync()
    assert (deal(link, 3).stage.kind, deal(link, 3).closed_on) == ("open", None)


def test_stages_without_chances_of_their_own_go_by_their_place(link: Link, other: Pipedrive) -> None:
    """Where a pipeline does not work with probabilities, all its stages say a hundred."""
    for number in (1, 2, 3):
        other.put("stage", number, deal_probability=100)
    with link.caller() as http:
        words = VENDOR.words(VENDOR.object("deals"), http)["stage"]
    assert [(word.text, word.label, word.kind, word.share) for word in words] == [
        ("1", "Qualified", "open", 0.25), ("2", "Proposal Made", "open", 0.5), ("3", "Negotiations", "open", 0.75),
        ("won", "Won", "won", 1.0), ("lost", "Lost", "lost", 0.0),
    ]  # fmt: skip


def test_a_day_is_the_companys(link: Link, other: Pipedrive) -> None:
    """Half past eleven at night in London is the next day in Berlin."""
    at = datetime(2026, 6, 16, 22, 30, tzinfo=UTC)
    other.put("deal", 1, title="Late", org_id=1, owner_id=2, value=10, status="won", close_time=at)
    begun(link)
    assert deal(link, 1).closed_on == date(2026, 6, 17)


@pytest.mark.parametrize("value", ["0.1", "1234567.89", "90071992547409.93", "19.999"])
def test_amounts_are_exact(link: Link, other: Pipedrive, value: str) -> None:
    """JSON numbers are read as they are written, never as floats."""
    other.put("deal", 1, title="Deal", org_id=1, owner_id=2, value=Decimal(value), currency="EUR")
    begun(link)
    assert deal(link, 1).amount_minor == int((Decimal(value) * 100).quantize(Decimal(1), ROUND_HALF_UP))


def test_custom_fields_are_found_by_their_keys(link: Link, other: Pipedrive) -> None:
    region = other.field("deal", "Region", "varchar")
    fee = other.field("deal", "Setup fee", "monetary")
    rank = other.field("deal", "Priority", "enum", ["Low", "High"])
    other.field("person", "Seat", "double")
    with link.caller() as http:
        connecting.discover(actor=link.actor, connection=link.connection, at=link.at, http=http)
        columns = {column.path: column for column in VENDOR.columns(VENDOR.object("deals"), http)}
        (seat,) = [each for each in VENDOR.columns(VENDOR.object("persons"), http) if each.label == "Seat"]
    assert len(region) == 40
    assert (columns[f"custom_fields.{region}"].label, columns[f"custom_fields.{region}"].is_writable) == (
        "Region",
        True,
    )
    assert columns[f"custom_fields.{fee}.value"].type == "number"
    assert not columns[f"custom_fields.{fee}.value"].is_writable
    assert columns[f"custom_fields.{rank}"].label == "Priority (1 = Low, 2 = High)"
    assert seat.type == "number"

    stream = link.stream("deals")
    mapping = Mapping.from_plain(stream.mapping).unwrap()
    rules = [
        replace(rule, column=f"custom_fields.{fee}.value") if rule.field == "amount" else rule for rule in mapping.rules
    ]
    rules += [FieldRule(field="next_step", column=f"custom_fields.{region}")]
    connecting.decide_mapping(
        actor=link.actor, stream=stream, mapping=Mapping("deals", tuple(rules)), masters={}, is_wanted=True, at=link.at
    )
    money = {"value": Decimal("12.34"), "currency": "EUR"}
    other.put("deal", 1, title="Deal", org_id=1, owner_id=2, value=1, **{region: "North", fee: money})
    begun(link)
    assert (deal(link, 1).amount_minor, deal(link, 1).next_step) == (1234, "North")


@pytest.mark.parametrize("mode", ["repeat", "invent"])
def test_settings_that_never_end_are_stopped(link: Link, other: Pipedrive, mode: str) -> None:
    fault = other.faults.add("endless_cursor", when="/api/v2/stages", times=None, mode=mode)
    with link.caller() as http, pytest.raises(Fault) as told:
        VENDOR.words(VENDOR.object("deals"), http)
    assert told.value.kind is FaultKind.ENDLESS
    assert fault.fired == 40


@pytest.mark.parametrize("newest_first", [False, True])
def test_leads_page_by_number_and_none_is_lost(link: Link, other: Pipedrive, newest_first: bool) -> None:
    """What moves to the end while paging leaves a gap that the next page would begin behind."""
    other.newest_first = newest_first
    value = {"amount": Decimal("99.90"), "currency": "EUR"}
    for number in range(35):
        other.put("lead", number, title=f"Lead {number}", organization_id=1, owner_id=2, value=value)

    def move(page: int) -> None:
        if page in (2, 3):
            for number in range(page * 3, page * 3 + 3):
                other.put("lead", number, title=f"Moved {number}")

    other.before_page(move)
    begun(link, "leads")
    other.before_page(None)
    assert newest_first or len(link.raws("leads")) == 35
    link.sync()
    found = Lead.objects.filter(source=link.connection.source.code)
    assert {lead.name for lead in found} == {row["title"] for row in other.rows("lead")}
    assert set(found.values_list("estimated_minor", flat=True)) == {9990}


def test_leads_of_one_moment_are_all_read(link: Link, other: Pipedrive) -> None:
    """They can only be asked for by number; some that leave their place open no gap."""
    other.clock.still = True
    for number in range(35):
        other.put("lead", number, title=f"Lead {number}", owner_id=2)
    other.clock.still = False

    def move(page: int) -> None:
        if page == 4:
            for lead in sorted(other.rows("lead"), key=lambda row: row.id)[:3]:
                other.put("lead", lead.id, title="Moved")

    other.before_page(move)
    begun(link, "leads")
    other.before_page(None)
    assert len(link.raws("leads")) == 35


def test_no_leads_at_all_are_null(link: Link) -> None:
    begun(link, "leads", "notes")
    assert link.raws("leads") == link.raws("notes") == {}


def test_notes_and_activities_of_one_number_are_two(link: Link, other: Pipedrive) -> None:
    other.put("deal", 1, title="Deal", org_id=1, owner_id=2, value=1)
    other.put(
        "activity", 7, subject="Demo", type="meeting", owner_id=2, deal_id=1, due_date="2026-06-18", due_time="09:30:00",
        duration="00:45:00",
    )  # fmt: skip
    other.put("activity", 8, subject="Ring", type="our_own_kind", owner_id=2, org_id=1, due_date="2026-06-18")
    other.put("note", 7, content="<p>Wants <b>two</b></p><p>&amp; more</p>", user_id=2, deal_id=1)
    begun(link, "deals", "activities", "notes")
    assert link.problems("activities") == link.problems("notes") == {}
    found = {
        row.external_id: (row.kind, row.subject, row.duration_minutes)
        for row in Activity.objects.filter(source=link.connection.source.code)
    }
    assert found == {
        "7": ("meeting", "Demo", 45),
        "8": ("task", "Ring", None),
        "note-7": ("note", "Wants two", None),
    }
    meeting = Activity.objects.get(source=link.connection.source.code, external_id="7")
    assert (meeting.due_at, meeting.deal_id) == (datetime(2026, 6, 18, 9, 30, tzinfo=UTC), deal(link, 1).pk)


def test_people_have_a_first_choice_of_addresses(link: Link, other: Pipedrive) -> None:
    mails = [{"value": "home@acme.example", "primary": False}, {"value": "work@acme.example", "primary": True}]
    other.put("person", 4, name="Pia Prime", org_id=1, emails=mails, phones=[{"value": "123", "primary": False}])
    other.put("deal", 1, title="Deal", org_id=1, owner_id=2, person_id=4, value=1)
    begun(link, "persons", "deals")
    contact = Contact.objects.get(source=link.connection.source.code, external_id="4")
    assert (contact.email, contact.phone, contact.account.name) == ("work@acme.example", "123", "Acme")
    assert deal(link, 1).contact_id == contact.pk


def test_webhooks_are_proven_and_bring_in_what_is_there_now(link: Link, other: Pipedrive) -> None:
    other.put("deal", 1, title="Deal", org_id=1, owner_id=2, value=1)
    other.put("deal", 2, title="Other", org_id=1, owner_id=2, value=1)
    begun(link)
    before = other.log[-1].number
    other.put("deal", 1, value=Decimal("2.50"))
    other.put("deal", 3, title="Third", org_id=1, owner_id=2, value=3)
    other.delete("deal", 2)
    assert set(pushed(link, since=before)) == {"handled"}
    assert (deal(link, 1).amount_minor, deal(link, 3).amount_minor) == (250, 300)
    assert deal(link, 2).removed_at is not None

    (told,) = other.hook_deliveries(since=before)[:1]
    for secret in ("portal:another", "obviously-not-a-hook-secret", ""):
        delivery = proofs.Delivery(told.method, told.url, told.headers, told.body, link.at)
        assert isinstance(VENDOR.proof(delivery, {"webhook_secret": [secret]}), proofs.Refused)


def test_a_webhook_of_an_archived_deal_is_no_deletion(link: Link, other: Pipedrive) -> None:
    """The list does not have it; only the record itself says whether it is gone."""
    other.put("deal", 1, title="Deal", org_id=1, owner_id=2, value=1)
    begun(link)
    before = other.log[-1].number
    other.put("deal", 1, is_archived=True, value=9)
    pushed(link, since=before)
    assert (deal(link, 1).removed_at, deal(link, 1).amount_minor) == (None, 900)


def test_a_merge_is_told_by_a_webhook_and_stays_one(link: Link, other: Pipedrive) -> None:
    """The list of deletions has the loser too, without its winner: that takes nothing back."""
    other.put("deal", 1, title="Loser", org_id=1, owner_id=2, value=1)
    other.put("deal", 2, title="Winner", org_id=1, owner_id=2, value=2)
    begun(link)
    before = other.log[-1].number
    other.merge("deal", 1, 2)
    pushed(link, since=before)
    for _time in range(2):
        lost = link.raws("deals")["1"]
        assert (lost.state, lost.merged_into) == (RawState.DELETED, "2")
        link.sync()
    assert deal(link, 2).removed_at is None


def test_without_webhooks_a_merge_is_a_deletion(link: Link, other: Pipedrive) -> None:
    other.put("deal", 1, title="Loser", org_id=1, owner_id=2, value=1)
    other.put("deal", 2, title="Winner", org_id=1, owner_id=2, value=2)
    begun(link)
    other.merge("deal", 1, 2)
    link.sync()
    assert link.states("deals") == {"1": RawState.DELETED, "2": RawState.TAKEN}
    assert deal(link, 1).removed_at is not None


def test_writing_back(link: Link, other: Pipedrive) -> None:
    """Numbers are numbers, a stage is a stage or an end, and whoever was faster is not overwritten."""
    region = other.field("deal", "Region", "varchar")
    other.put("deal", 1, title="Deal", org_id=1, owner_id=2, value=1)
    deals = VENDOR.object("deals")
    with link.caller() as http:
        (raw,) = VENDOR.fetch(deals, ["1"], http)
        values = {"title": "Bigger", "value": VENDOR.spell(column("value"), Decimal("10.50")), "stage": "3",
                  "owner_id": VENDOR.spell(column("owner_id"), "1"), f"custom_fields.{region}": "South"}  # fmt: skip
        done = VENDOR.write(deals, "1", values, http, key="k", base=raw.payload)
        assert done.raw is not None
        row = other.row("deal", 1)
        assert (row["title"], row["value"], row["stage_id"], row["owner_id"], row[region]) == (
            "Bigger", Decimal("10.5"), 3, 1, "South",
        )  # fmt: skip
        with pytest.raises(Fault) as fault:
            VENDOR.write(deals, "1", {"title": "Too late"}, http, key="l", base=raw.payload)
        assert fault.value.kind is FaultKind.CHANGED
        VENDOR.write(deals, "1", {"stage": "won"}, http, key="m", base=done.raw.payload)
    assert (row["title"], row["status"], row["stage_id"]) == ("Bigger", "won", 3)
    with link.caller() as http, pytest.raises(NotImplementedError):
        VENDOR.write(VENDOR.object("leads"), "x", {}, http, key="n", base={})


def column(path: str) -> Column:
    """A column of deals."""
    found = VENDOR.object("deals").column(path)
    assert found is not None
    return found


def test_an_edit_here_flows_back(link: Link, other: Pipedrive) -> None:
    other.put("deal", 1, title="Deal", org_id=1, owner_id=2, value=1)
    begun(link)
    stream = link.stream("deals")
    stream.masters = {"amount": "portal", "stage": "portal"}
    stream.save()
    mine = deal(link, 1)
    mine.amount_minor, mine.stage = 12_345, Stage.objects.get(code="proposal")
    mine.updated_at = link.at
    mine.save()
    with transaction.atomic():
        jobs.enqueue(
            kind=pushing.PUSH,
            key="push",
            payload={"connection_id": link.connection.pk},
            actor=system_actor(),
            at=link.at,
            title="push",
        )
    link.run()
    row = other.row("deal", 1)
    assert (row["value"], row["stage_id"], row["status"]) == (Decimal("123.45"), 3, "open")
    asked = len(other.asked("/api/v2/deals/1", "PATCH"))
    link.sync()
    assert (deal(link, 1).amount_minor, len(other.asked("/api/v2/deals/1", "PATCH"))) == (12_345, asked)


def test_the_burst_is_kept(link: Link, other: Pipedrive) -> None:
    """Eighty in two seconds: what may be saved up and what grows meanwhile together."""
    most, seconds = VENDOR.allowance
    assert most + 2 * most / seconds <= 80
    other.limit_as_documented()
    for number in range(60):
        other.put("deal", number + 1, title=f"Deal {number}", org_id=1, owner_id=2, value=number)
    begun(link)
    assert other.overruns == []


def test_the_tokens_of_a_day_are_not_used_up(link: Link, other: Pipedrive) -> None:
    """The whole company shares them: what is left is left to the others."""
    for number in range(30):
        other.put("deal", number + 1, title=f"Deal {number}", org_id=1, owner_id=2, value=number)
    other.spent_today = other.daily - 7_510
    link.start()
    link.run()
    assert link.last_run().state == RunState.WAITING
    assert other.overruns == []
    assert link.connection.next_sync_at is not None
    assert link.connection.next_sync_at >= link.at + timedelta(minutes=30)
    other.spent_today = 0
    link.sync(after=7200)
    assert link.last_run().state == RunState.DONE
    assert len(link.raws("deals")) == 30
