"""Deals won in the CRM reach statements and payroll with no hand on the way, and what changes there later follows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import override_settings

from salesops.accounts.models import Account, Contact
from salesops.commissions.choices import Cause, PayrollFormat
from salesops.commissions.models import Adjustment, Calculation, Earning, PayrollFile, Period, Statement, Transaction
from salesops.commissions.services.approvals import approve_statements, lock_period
from salesops.commissions.services.payroll import release_payroll
from salesops.commissions.services.plans import activate_version, assign_to_plan, create_plan, save_draft, set_quota
from salesops.connectors.choices import ConnectionState, HoldState
from salesops.connectors.models import Hold
from salesops.connectors.services import brakes
from salesops.connectors.services.applying import Applier
from salesops.deals.models import Deal
from salesops.jobs import schedules
from salesops.jobs.testing import run_due
from salesops.values.money import to_minor
from salesops.values.periods import parse_label
from tests.cast import Cast
from tests.connectors.linking import Link
from tests.connectors.standins.salesforce import Salesforce
from tests.connectors.standins.stripe import Stripe

pytestmark = pytest.mark.django_db

BEGINNING = datetime(2026, 5, 4, 9, 1, tzinfo=UTC)
#: What is won pays 5 %, beyond the quota 10 %; what is collected 2 %, and what is given back takes it back.
PLAN = {
    "format": 1,
    "currency": "USD",
    "time_zone": "UTC",
    "period_kind": "month",
    "components": [
        {
            "key": "won",
            "name": "Won",
            "measure": "money",
            "shape": {"shape": "marginal", "tiers": [{"from": "0", "rate": "5%"}, {"from": "100%", "rate": "10%"}]},
            "crediting": ["split", "owner", "holder"],
        },
        {
            "key": "collected",
            "name": "Collected",
            "measure": "money",
            "counts": ["payment", "refund"],
            "shape": {"shape": "flat", "rate": "2%"},
            "crediting": ["split", "owner", "holder"],
        },
    ],
    "conventions": {},
}


class Company:
    """A company that sells in Salesforce and bills in Stripe. Nobody touches the portal but to approve and to pay."""

    def __init__(self, cast: Cast, crm: Salesforce, billing: Stripe) -> None:
        self.cast, self.crm, self.billing = cast, crm, billing
        crm.clock.now = billing.clock.now = BEGINNING
        for number, name in ((2, "ana"), (3, "alba")):
            person = cast.people[name]
            crm.put("User", number, Name=person.name, Email=person.email, IsActive=True)
        crm.put("Account", 1, Name="Acme")
        crm.put("Account", 2, Name="Beta")
        crm.put("Contact", 1, LastName="Bell", AccountId=2)
        billing.put("customer", 1, name="Acme")
        self._plan()
        schedules.declare(at=BEGINNING)
        self.link = Link(cast.actor("rita"), crm, at=BEGINNING).connect("salesforce")
        self.link.want("User", "Account", "Contact", "Opportunity").start()
        self.bills = Link(cast.actor("rita"), billing, at=BEGINNING)
        self.bills.connect("stripe", secrets={"api_key": Stripe.api_key})
        self.bills.want("customers", "charges", "refunds").start()

    def _plan(self) -> None:
        rita, finn = self.cast.actor("rita"), self.cast.actor("finn")
        plan = create_plan(actor=rita, name="Field", at=BEGINNING)
        draft = save_draft(actor=rita, plan=plan, definition=PLAN, start_on=date(2026, 5, 1), at=BEGINNING)
        activate_version(actor=finn, version=draft, at=BEGINNING)
        for person in ("ana", "alba"):
            of = self.cast.people[person].pk
            assign_to_plan(actor=rita, plan=plan, person_id=of, start_on=date(2026, 5, 1), currency="USD", at=BEGINNING)
            for label in ("2026-05", "2026-06", "2026-07"):
                period = parse_label(label)
                set_quota(actor=rita, person_id=of, period=period, amount_minor=15_000_00, currency="USD", at=BEGINNING)

    # --- what happens elsewhere

    def win(self, number: int, owner: int, amount: str, day: date, account: int = 1) -> str:
        """A deal is won in the CRM."""
        return self.crm.put(
            "Opportunity", number, Name=f"Deal {number}", AccountId=account, OwnerId=owner, StageName="Closed Won",
            Amount=Decimal(amount), CloseDate=day,
        )  # fmt: skip

    # --- time

    def wait(self, *, until: datetime | None = None) -> None:
        """Time passes, and the workers do what comes round: as often as it takes from the source to the statement."""
        at = until or self.link.at
        for _round in range(3):
            passed = max(at - self.link.at, timedelta(minutes=15))
            for each in (self.link, self.bills):
                each.at += passed
                each.standin.clock.advance(passed.total_seconds())
            schedules.tick(at=self.link.at)
            with self.link.engine():
                run_due(at=self.link.at)
        for each in (self.link, self.bills):
            each.connection.refresh_from_db()
            assert each.connection.state == ConnectionState.RUNNING, each.connection.error
        # The CRM's own user of the connection is nobody here; all else was taken.
        shelf = self.link.problems() | self.bills.problems()
        assert set(shelf) == {self.crm.me}, shelf

    # --- what the portal says

    def statement(self, person: str, label: str) -> Statement:
        return Statement.objects.get(person=self.cast.people[person], period__label=label)

    def lines(self, person: str, label: str) -> list[tuple[str, str, int]]:
        """The lines of a statement: component, deal or what happened, earned."""
        rows = Earning.objects.filter(person=self.cast.people[person], statement__period__label=label)
        return [
            (
                component,
                f"{kind} {deal}",
                earned,
            )
            for component, kind, deal, earned in rows.order_by("component", "position").values_list(
                "component", "credit__transaction__kind", "credit__transaction__deal__name", "amount_minor"
            )
        ]

    def late(self, label: str) -> list[tuple[str, str, str, int]]:
        """The late changes in a period: whose, about what, why, how much."""
        rows = Adjustment.objects.filter(kind="late", period__label=label).order_by("person__name", "amount_minor")
        return [
            (row.person.name.split()[0], row.about_transaction.deal.name, row.cause, row.amount_minor)  # type: ignore[union-attr]  # each is about a deal
            for row in rows
        ]

    def paid(self, label: str) -> dict[str, int]:
        """Approved and locked by Finn, released by Fay: what the payroll file pays, by employee number."""
        period = Period.objects.get(label=label)
        finn, fay, at = self.cast.actor("finn"), self.cast.actor("fay"), self.link.at
        keys = list(period.statements.values_list("pk", flat=True))
        assert approve_statements(actor=finn, statement_ids=keys, at=at).decided == len(keys)
        period = lock_period(actor=finn, period=period, at=at)
        release = release_payroll(actor=fay, period=period, payroll_format=PayrollFormat.GUSTO, at=at)
        assert release.held == []
        (file,) = release.files
        return paid_by(file)


def paid_by(file: PayrollFile) -> dict[str, int]:
    """What a payroll file pays, in cents by employee number."""
    rows = csv.DictReader(io.StringIO(bytes(file.content).decode()))
    return {row["gusto_employee_id"]: to_minor(row["commission"], "USD") for row in rows}


@pytest.fixture
def company(cast: Cast) -> Iterator[Company]:
    """The company, connected; both vendors are allowed."""
    with ExitStack() as stack:
        crm, billing = stack.enter_context(Salesforce()), stack.enter_context(Stripe())
        stack.enter_context(override_settings(CONNECTORS_ALLOWED_ADDRESSES=[crm.address, billing.address]))
        yield Company(cast, crm, billing)


def test_from_the_crm_to_the_payroll_file(company: Company) -> None:
    cast = company.cast
    number = {name: cast.people[name].employee_number for name in ("ana", "alba")}
    company.wait()
    # Nobody opened May, nobody calculated it.
    assert {row.payout_minor for row in Statement.objects.filter(period__label="2026-05")} == {0}
    assert set(Calculation.objects.values_list("run_by", flat=True)) == {None}

    # --- May: deals are won in the CRM, one is paid for
    first = company.win(1, 2, "12000", date(2026, 5, 11))
    company.win(2, 2, "9500.50", date(2026, 5, 20), account=2)
    company.win(3, 3, "4321.09", date(2026, 5, 28))
    company.wait(until=datetime(2026, 5, 28, 17, 0, tzinfo=UTC))
    charge = company.billing.put("charge", 1, customer=1, amount=12_000_00, metadata={"salesforce_id": first})
    company.wait()
    # 15,000 at 5 % and 6,500.50 at 10 %; 12,000 collected at 2 %; 4,321.09 at 5 %, half up.
    assert company.lines("ana", "2026-05") == [
        ("collected", "payment Deal 1", 240_00),
        ("won", "booking Deal 1", 600_00),
        ("won", "booking Deal 2", 150_00 + 650_05),
    ]
    assert company.lines("alba", "2026-05") == [("won", "booking Deal 3", 216_05)]
    assert company.statement("ana", "2026-05").payout_minor == 1_640_05

    # --- June: May is paid
    company.wait(until=datetime(2026, 6, 2, 9, 0, tzinfo=UTC))
    assert company.paid("2026-05") == {number["ana"]: 1_640_05, number["alba"]: 216_05}
    stood = list(Statement.objects.filter(period__label="2026-05").order_by("pk").values())
    company.win(4, 2, "10000", date(2026, 6, 3))
    company.win(5, 3, "6000", date(2026, 6, 3))
    company.wait()
    assert company.late("2026-06") == []
    assert company.statement("ana", "2026-06").payout_minor == 500_00

    # --- a paid deal is edited: 1,500 less, all of it in the upper tier
    company.crm.put("Opportunity", 2, Amount=Decimal("8000.50"))
    company.wait()
    edited = ("Ana", "Deal 2", Cause.DEAL_EDITED, -150_00)
    assert company.late("2026-06") == [edited]
    assert company.statement("ana", "2026-06").payout_minor == 350_00

    # --- two accounts become one: what named the one names the other, nobody's pay moves
    before = pay()
    company.crm.merge("Account", 2, 1)
    company.wait()
    assert list(Account.objects.values_list("name", flat=True)) == ["Acme"]
    acme = Account.objects.get()
    assert set(Deal.objects.values_list("account", flat=True)) == {acme.pk}
    assert set(Transaction.objects.values_list("account", flat=True)) == {acme.pk}
    assert Contact.objects.get().account == acme
    assert pay() == before

    # --- a paid deal is deleted
    company.crm.delete("Opportunity", 3)
    company.wait()
    removed = ("Alba", "Deal 3", Cause.DEAL_REMOVED, -216_05)
    assert company.late("2026-06") == [removed, edited]
    assert company.statement("alba", "2026-06").payout_minor == 300_00 - 216_05

    # --- a quarter of what was paid is given back
    company.billing.put("refund", 1, charge=charge, amount=3_000_00)
    company.wait()
    refund = Transaction.objects.get(kind="refund")
    assert (refund.amount_minor, refund.reverses, refund.deal) == (
        -3_000_00,
        Transaction.objects.get(kind="payment"),
        Deal.objects.get(name="Deal 1"),
    )
    assert company.lines("ana", "2026-06") == [
        ("collected", "refund Deal 1", -60_00),
        ("won", "booking Deal 4", 500_00),
    ]
    assert company.late("2026-06") == [removed, edited]
    assert company.statement("ana", "2026-06").payout_minor == 500_00 - 150_00 - 60_00

    # --- July: June is paid; what was paid for May is as it was
    company.wait(until=datetime(2026, 7, 1, 9, 0, tzinfo=UTC))
    assert company.paid("2026-06") == {number["ana"]: 290_00, number["alba"]: 83_95}
    assert list(Statement.objects.filter(period__label="2026-05").order_by("pk").values()) == stood
    company.wait()
    assert company.late("2026-07") == []
    assert not Hold.objects.exists()


def pay() -> list[tuple[Any, ...]]:
    """What everybody is paid and why, in all periods."""
    paid = Statement.objects.order_by("pk").values_list("person", "period", "earned_minor", "payout_minor")
    late = Adjustment.objects.order_by("person", "amount_minor").values_list(
        "person", "period", "amount_minor", "cause"
    )
    return [*paid, *late]


def test_many_paid_deals_that_change_at_once_wait_for_a_person(company: Company) -> None:
    for number in range(1, 31):
        company.win(number, 2, "100.10", date(2026, 5, 5))
    company.wait()
    assert company.statement("ana", "2026-05").payout_minor == 150_15
    company.wait(until=datetime(2026, 6, 2, 9, 0, tzinfo=UTC))
    company.paid("2026-05")
    company.win(31, 2, "10000", date(2026, 6, 3))
    # Of few nobody is asked.
    for number in range(1, 4):
        company.crm.put("Opportunity", number, Amount=Decimal("90.10"))
    company.wait()
    few = [("Ana", f"Deal {number}", Cause.DEAL_EDITED, -50) for number in range(1, 4)]
    assert sorted(company.late("2026-06")) == few
    # Somebody's script sets all of them to nothing.
    for number in range(1, 31):
        company.crm.put("Opportunity", number, Amount=Decimal(0))
    company.wait()
    hold = Hold.objects.get()
    assert (hold.state, hold.deals, hold.amount_minor) == (HoldState.WAITING, 30, 27 * 100_10 + 3 * 90_10)
    assert sorted(company.late("2026-06")) == few
    assert set(Deal.objects.values_list("amount_minor", flat=True)) == {90_10, 100_10, 10_000_00}
    # A person says that it is so.
    stream = company.link.stream("Opportunity")
    brakes.decide(
        actor=company.cast.actor("rita"), hold=hold, admit=True, reason="The pilot was free of charge",
        applier=Applier(stream, actor=company.cast.actor("rita")), at=company.link.at,
    )  # fmt: skip
    company.wait()
    late = company.late("2026-06")
    assert {(who, why) for who, _deal, why, _amount in late} == {("Ana", Cause.DEAL_EDITED)}
    assert (len(late), sum(amount for *_rest, amount in late)) == (30, -150_15)
    assert company.statement("ana", "2026-06").payout_minor == 500_00 - 150_15
