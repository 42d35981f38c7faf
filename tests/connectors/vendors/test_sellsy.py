"""Sellsy: the shared scenarios on opportunities, and what only a Sellsy account does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from salesops.accounts.models import Account
from salesops.commissions.models import Transaction
from salesops.connectors.choices import RawState, RunState
from salesops.connectors.rules import proofs
from salesops.connectors.services import hooks, pulling
from salesops.connectors.vendors.sellsy import VENDOR
from salesops.deals.models import Deal
from tests.cast import NOW, Cast
from tests.connectors.compared import deals
from tests.connectors.conformance import Conformance, Table
from tests.connectors.linking import Link, allowed
from tests.connectors.standins.base import Row, StandIn
from tests.connectors.standins.sellsy import Sellsy


class TestSellsy(Conformance):
    """Opportunities of one company, with offsets that are numbers."""

    vendor = "sellsy"
    standin = Sellsy
    object = "opportunities"
    needs = ("staffs", "companies")
    path = "/v2/opportunities"
    secrets: ClassVar[dict[str, str]] = {"webhook_secret": Sellsy.hook_secret}
    lacks: ClassVar[dict[str, str]] = {
        "merges": "opportunities are not merged",
        "search": "lists are no search index",
        "cursors": "a list ends with a page that is not full; an offset that comes again: see below",
    }

    def prepare(self, standin: StandIn) -> None:
        standin.put("staff", 2, firstname="Ana", lastname="Alvarez", email="ana@example.com")
        standin.put("company", 1, name="Acme", type="client")

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        return standin.put("opportunity", None, name=f"Deal {number}", company=1, owner=2, amount=f"{amount}.00")

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        standin.put("opportunity", id, amount=f"{amount}.00")

    def delete(self, standin: StandIn, id: str) -> None:
        standin.delete("opportunity", id)

    def restore(self, standin: StandIn, id: str) -> None:
        standin.restore("opportunity", id)

    def source(self, standin: StandIn) -> Table:
        return {
            row.id: (row["name"], int(row["amount"].replace(".", "")), "Acme") for row in standin.rows("opportunity")
        }

    def table(self, link: Link) -> Table:
        return deals(link)


class TestOpaque(TestSellsy):
    """The same with offsets that are opaque."""

    @pytest.fixture
    def other(self) -> Iterator[StandIn]:
        with Sellsy() as standin, allowed(standin):
            standin.clock.now = NOW
            standin.opaque = True
            yield standin


# --- What only Sellsy does --------------------------------------------------------------------------------------------


@pytest.fixture
def other(db: None) -> Iterator[Sellsy]:
    """An account with one company, one individual and one owner."""
    with Sellsy() as standin, allowed(standin):
        standin.clock.now = NOW
        standin.put("staff", 2, firstname="Ana", lastname="Alvarez", email="ana@example.com")
        standin.put("company", 1, name="Acme", type="client", owner=2)
        standin.put("individual", 1, first_name="Ines", last_name="Martin", type="client")
        yield standin


@pytest.fixture
def link(other: Sellsy, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Link:
    """A connection in draft; ten rows to a page."""
    monkeypatch.setattr(pulling, "PAGE_ROWS", 10)
    made = Link(cast.actor("rita"), other).connect("sellsy", secrets={"webhook_secret": Sellsy.hook_secret})
    return made.want("staffs", "companies", "individuals", "opportunities", "invoices", "credit-notes")


def begun(link: Link) -> Link:
    """The first load."""
    link.start()
    link.run()
    assert link.last_run().state == RunState.DONE, link.last_run().error
    return link


def deal(link: Link, id: object) -> Deal:
    """The portal's deal of an opportunity."""
    found: Deal = Deal.every.select_related("account", "stage", "owner").get(
        source=link.connection.source.code, external_id=str(id)
    )
    return found


def paid(link: Link) -> dict[str, tuple[str, int, str, str | None]]:
    """The transactions that count, by key."""
    return {
        row.source_key: (row.kind, row.amount_minor, row.currency, row.account.name if row.account else None)
        for row in Transaction.objects.filter(is_void=False).select_related("account")
    }


def test_the_sign_in_has_a_verifier(link: Link) -> None:
    (granted,) = link.standin.asked("/oauth2/access-tokens")
    assert granted.form["code_verifier"]
    assert (link.connection.account_id, link.connection.account_name) == ("", "Api User")
    assert link.connection.options["time_zone"] == "Europe/Paris"


def test_customers_are_companies_and_individuals(link: Link, other: Sellsy) -> None:
    """Both are numbered from one; neither takes the other's deals."""
    other.put("opportunity", 1, name="Of Acme", company=1, owner=2, amount="1000.00")
    other.put("opportunity", 2, name="Of Ines", individual=1, owner=2, amount="0.50")
    begun(link)
    assert {row.external_id: row.name for row in Account.objects.filter(source=link.connection.source.code)} == {
        "1": "Acme",
        "individual-1": "Ines Martin",
    }
    assert set(
        Deal.objects.filter(source=link.connection.source.code).values_list("name", "account__name", "amount_minor")
    ) == {("Of Acme", "Acme", 100_000), ("Of Ines", "Ines Martin", 50)}
    asked = other.asked("/v2/opportunities")[-1]
    assert (asked.values("embed[]"), asked.params["order"], asked.params["direction"]) == (
        ["company"],
        "created",
        "asc",
    )


def test_states_and_steps(link: Link, other: Sellsy) -> None:
    """Late is open; closed without a sale is lost; a deal that ended has the day on which its state changed."""
    for number, status in enumerate(("open", "late", "won", "lost", "closed"), 1):
        other.put("opportunity", number, name=status, company=1, owner=2, amount="10.00", step=3)
        other.put("opportunity", number, status=status)
    begun(link)
    found = [(deal(link, number).stage.kind, deal(link, number).closed_on) for number in (1, 2, 3, 4, 5)]
    assert found == [("open", None), ("open", None), ("won", NOW.date()), ("lost", NOW.date()), ("lost", NOW.date())]
    assert deal(link, 1).stage.code == "proposal"


def test_amounts_are_without_vat(link: Link, other: Sellsy) -> None:
    """Commissions are paid on what is left to the company; with VAT stands beside, for those who want it."""
    other.put("opportunity", 4, name="Deal", company=1, owner=2, amount="100.00")
    other.put("invoice", 1, net="100.00", gross="120.00", company=1, opportunity=4)
    other.put("invoice", 2, net="0.10", gross="0.12", individual=1)
    other.put("creditnote", 1, net="40.00", gross="48.00", company=1)
    begun(link)
    assert paid(link) == {
        "sellsy:invoice:1": ("invoice", 10_000, "EUR", "Acme"),
        "sellsy:invoice:2": ("invoice", 10, "EUR", "Ines Martin"),
        "sellsy:credit-note:1": ("credit_note", -4_000, "EUR", "Acme"),
    }
    assert Transaction.objects.get(source_key="sellsy:invoice:1").deal_id == deal(link, 4).pk
    shape = VENDOR.object("credit-notes").shape
    assert shape is not None
    note = shape({"id": 9, "amounts": {"total_excl_tax": "40.00", "total_incl_tax": "48.00"},
                  "related": [{"id": 1, "type": "invoice"}]})  # fmt: skip
    assert (note["net"], note["gross"], note["takes_back"]) == (
        Decimal("-40.00"),
        Decimal("-48.00"),
        "sellsy:invoice:1",
    )


def test_drafts_and_cancelled_invoices_are_worth_nothing(link: Link, other: Sellsy) -> None:
    other.put("invoice", 1, net="100.00", company=1, status="draft")
    other.put("invoice", 2, net="200.00", company=1)
    begun(link)
    assert set(paid(link)) == {"sellsy:invoice:2"}
    other.put("invoice", 1, status="due")
    other.put("invoice", 2, status="cancelled")
    link.sync()
    assert set(paid(link)) == {"sellsy:invoice:1"}


def test_a_day_is_written_with_the_offset_of_paris(link: Link, other: Sellsy) -> None:
    """Half past ten at night in London is the next day in Paris; the text says so."""
    other.clock.now = datetime(2026, 6, 16, 22, 30, tzinfo=UTC)
    other.put("opportunity", 1, name="Late", company=1, owner=2, amount="1.00")
    other.put("opportunity", 1, status="won")
    assert other.show(other.row("opportunity", 1))["updated_status"] == "2026-06-17T00:30:02+02:00"
    other.clock.now = NOW
    begun(link)
    assert deal(link, 1).closed_on == date(2026, 6, 17)


def many(other: Sellsy, count: int) -> list[str]:
    """So many opportunities."""
    return [
        other.put("opportunity", None, name=f"Deal {number}", company=1, owner=2, amount=f"{number}.00")
        for number in range(count)
    ]


@pytest.mark.parametrize("opaque", [False, True])
@pytest.mark.parametrize("size", [10, 20, 35])
def test_pages_that_end_exactly(link: Link, other: Sellsy, size: int, opaque: bool) -> None:
    other.opaque = opaque
    many(other, size)
    begun(link)
    assert len(link.raws("opportunities")) == size


def test_a_few_that_are_deleted_while_paging_hide_none(link: Link, other: Sellsy) -> None:
    """Each page begins a few rows early, so the gap that deleted rows leave is seen."""
    ids = many(other, 40)
    gone: list[str] = []

    def drop(page: int) -> None:
        if page > 5 and len(gone) < 6:
            gone.append(ids.pop(0))
            other.delete("opportunity", gone[-1])

    begun(link)
    other.before_page(drop)
    link.sync()
    other.before_page(None)
    assert len(gone) == 6
    found = Deal.objects.filter(source=link.connection.source.code, removed_at=None)
    assert set(ids) <= set(found.values_list("external_id", flat=True))
    link.sync()
    assert set(found.values_list("external_id", flat=True)) == set(ids)


def test_many_that_are_deleted_while_paging_begin_the_list_anew(link: Link, other: Sellsy) -> None:
    """None of the rows before comes again: from the beginning, once. A second time nothing is taken for deleted."""
    ids = many(other, 60)
    begun(link)
    opportunities = link.stream("opportunities")

    def drop(times: int) -> Callable[[int], None]:
        done: list[int] = []

        def move(_page: int) -> None:
            asked = other.requests[-1]
            if asked.path == "/v2/opportunities" and int(asked.params.get("offset") or 0) > 10 and len(done) < times:
                done.append(1)
                for _row in range(8):
                    other.delete("opportunity", ids.pop(0))

        return move

    link.want("opportunities")
    other.before_page(drop(1))
    link.sync()
    assert link.last_run().state == RunState.DONE, link.last_run().error
    opportunities.refresh_from_db()
    assert len([one for one in other.asked("/v2/opportunities", "GET") if "offset" not in one.params]) >= 3
    found = Deal.objects.filter(source=link.connection.source.code, removed_at=None)
    assert set(found.values_list("external_id", flat=True)) >= set(ids)

    other.before_page(drop(2))
    link.sync()
    other.before_page(None)
    assert link.last_run().state == RunState.FAILED
    assert link.last_run().error["code"] == "list-moves"
    assert set(found.values_list("external_id", flat=True)) >= set(ids)
    link.sync(after=7200)
    assert set(found.values_list("external_id", flat=True)) == set(ids)


def test_fewer_rows_than_there_are_begin_the_list_anew(
    link: Link, other: Sellsy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list says how many it has: one that was left out is not taken for deleted."""
    ids = many(other, 15)
    begun(link)
    rows, hidden = other.rows, [True]

    def short(object: str, *, is_deleted: bool | None = False) -> list[Row]:
        found = rows(object, is_deleted=is_deleted)
        return found if object != "opportunity" or not hidden else LeftOut(found)

    class LeftOut(list[Row]):
        """Counts all, gives out one less."""

        def __getitem__(self, key: Any) -> Any:
            return (
                super().__getitem__(key)[1:] if isinstance(key, slice) and not key.start else super().__getitem__(key)
            )

    link.want("opportunities")
    monkeypatch.setattr(other, "rows", short)
    link.sync()
    assert link.last_run().error["code"] == "list-moves"
    assert set(link.states("opportunities").values()) == {RawState.TAKEN}
    hidden.clear()
    link.sync(after=7200)
    assert link.last_run().state == RunState.DONE
    assert set(link.raws("opportunities")) == set(ids)


@pytest.mark.parametrize("mode", ["repeat", "invent"])
def test_an_offset_that_comes_again_and_again(link: Link, other: Sellsy, mode: str) -> None:
    """A repeated page is stopped; invented offsets behind the end give nothing, which is the end."""
    other.opaque = True
    many(other, 25)
    begun(link)
    other.faults.add("endless_cursor", when="/v2/opportunities", times=None, mode=mode)
    link.sync()
    if mode == "repeat":
        assert link.last_run().state == RunState.FAILED
        assert link.stream("opportunities").error["code"] == "endless"
    else:
        assert link.last_run().state == RunState.DONE
    assert set(link.states("opportunities").values()) == {RawState.TAKEN}
    assert link.last_run().pages < 40


def test_the_limit_of_five_a_second_is_kept(link: Link, other: Sellsy) -> None:
    """No reply says what is left."""
    other.limit_as_documented()
    many(other, 120)
    begun(link)
    assert len(other.asked("/v2/opportunities")) > 20
    assert other.overruns == []


def test_a_refusal_without_a_time_waits_a_few_seconds(link: Link, other: Sellsy) -> None:
    many(other, 3)
    slept = link.slept
    other.faults.add("429", when="/v2/opportunities", times=1)
    begun(link)
    assert 5 <= link.slept - slept < 20
    assert len(link.raws("opportunities")) == 3


def test_webhooks_are_proven_and_customers_are_asked_as_both(link: Link, other: Sellsy) -> None:
    other.put("opportunity", 1, name="Deal", company=1, owner=2, amount="1.00")
    begun(link)
    before = other.log[-1].number
    other.put("opportunity", 1, amount="2.50")
    other.put("company", 1, name="Acme SA")
    other.put("individual", 1, last_name="Moreau")
    other.put("invoice", 5, net="9.00", company=1)
    for told in other.hook_deliveries(since=before):
        for secret, expected in (("another", proofs.Refused), (Sellsy.hook_secret, proofs.Proven)):
            delivery = proofs.Delivery(told.method, told.url, told.headers, told.body, link.at)
            assert isinstance(VENDOR.proof(delivery, {"webhook_secret": [secret]}), expected)
        assert isinstance(hooks.receive(connection=link.connection, delivery=delivery), hooks.Taken)
    asked = len(other.requests)
    link.at += timedelta(seconds=5)
    link.run()
    assert {ask.path for ask in other.requests[asked:]} == {
        "/v2/opportunities/1", "/v2/companies/1", "/v2/individuals/1", "/v2/invoices/5",
    }  # fmt: skip
    assert deal(link, 1).amount_minor == 250
    accounts = Account.objects.filter(source=link.connection.source.code)
    assert set(accounts.values_list("name", flat=True)) == {"Acme SA", "Ines Moreau"}
    assert paid(link)["sellsy:invoice:5"] == ("invoice", 900, "EUR", "Acme SA")


def test_what_is_gone_is_told_as_gone(link: Link, other: Sellsy) -> None:
    other.put("opportunity", 1, name="Deal", company=1, owner=2, amount="1.00")
    begun(link)
    other.delete("individual", 1)
    with link.caller() as http:
        (individual,) = VENDOR.fetch(VENDOR.object("individuals"), ["individual-1"], http)
        (company,) = VENDOR.fetch(VENDOR.object("companies"), ["1"], http)
    assert (individual.external_id, individual.is_deleted) == ("individual-1", True)
    assert (company.external_id, company.payload["name"]) == ("1", "Acme")


def test_it_is_only_read(link: Link) -> None:
    with link.caller() as http, pytest.raises(NotImplementedError):
        VENDOR.write(VENDOR.object("opportunities"), "1", {}, http, key="k", base={})
