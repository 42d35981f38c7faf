"""From a company's files to its payroll: people, territories, quotas, rates, orders come in; twelve quarters are paid."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from salesops.accounts.models import Account
from salesops.audit.models import AuditEntry
from salesops.commissions.models import PayrollFile, PayrollItem, Period, PlanAssignment, Quota, Statement
from salesops.commissions.rules.payroll import GUSTO_COLUMNS
from salesops.commissions.services.approvals import approve_statements
from salesops.commissions.services.calculate import calculate_period
from salesops.commissions.services.periods import open_period
from salesops.commissions.services.plans import activate_version, create_plan, save_draft
from salesops.connectors.models import RejectedRow, Source
from salesops.connectors.rules.mapping import FieldRule, RateUnit
from salesops.connectors.services import imports
from salesops.deals.models import Deal
from salesops.people.models import ReportingLine, User
from salesops.pods.models import Territory, TerritoryAssignment
from salesops.values.money import to_minor
from salesops.values.periods import PeriodKind, parse_label
from tests.cast import NOW, Cast
from tests.commissions.pay import PERSONAL, definition
from tests.connectors.shared_data import shared
from tests.journeys.bringing import Importer, counts


def content(name: str) -> bytes:
    """A file of the company's."""
    return shared(f"adventureworks/{name}").read_bytes()


def lines(name: str) -> list[dict[str, str]]:
    """The rows of a file, by column."""
    return list(csv.DictReader(io.StringIO(content(name).decode())))


def cents(text: str) -> int:
    """An unrounded amount of the golden file, to the cent."""
    return to_minor(text, "USD", is_rounded=True)


@pytest.mark.django_db
def test_from_the_files_of_a_company_to_its_payroll(cast: Cast, client_of: Callable[[str], Client]) -> None:
    """Every one of the 163 person-quarters is credited and paid to the cent, and the payroll file says the same."""
    golden = lines("golden_attainment.csv")
    assert len(golden) == 163
    # The company's own numbers must not meet those of the cast.
    User.objects.update(employee_number=None)
    source = Source.objects.create(code="adventureworks", name="AdventureWorks")
    ada, rita = Importer(cast.actor("ada"), source), Importer(cast.actor("rita"), source)

    _people(ada)
    _territories(rita)
    _resellers_and_orders(rita)
    _quotas(rita, golden)
    _rates(rita, cast)
    _calculated(cast, golden)
    _paid(cast, client_of("fay"), golden)


def _people(ada: Importer) -> None:
    """18 people with their reporting line; what cannot be taken lies on the shelf and is mended there."""
    staff = lines("sales_employees.csv")
    row = ada.upload("sales_employees.csv", content("sales_employees.csv"), "people")
    row = ada.match(
        row,
        FieldRule("employee_number", column="employee_key"),
        FieldRule("external_id", column="person_id"),
        FieldRule("manager", column="manager_employee_key", lookup_by="employee_number"),
        FieldRule("started_on", column="hire_date"),
        without=("left_on",),
    )
    row = ada.run(ada.answer(row))
    shelf = {each.line: each for each in RejectedRow.objects.filter(file_import=row)}
    number_112, jose = shelf.pop(3), shelf.pop(11)
    assert not shelf
    assert number_112.problems[0]["where"] == "manager_employee_key"
    assert jose.problems[0]["where"] == "email"
    assert counts(row) == (17, 0, 0, 1)

    cells = [str(cell) for cell in jose.cells]
    cells[row.layout["headers"].index("email")] = "jose1@adventure-works.com"
    fate = imports.mend_row(actor=ada.actor, row=jose, cells=cells, at=NOW)
    assert (fate.fate, fate.label) == ("created", "José Saraiva")
    imports.dismiss_row(actor=ada.actor, row=number_112, at=NOW)

    known = {user.employee_number: user for user in User.objects.exclude(employee_number=None)}
    assert {key: user.external_id for key, user in known.items()} == {
        each["employee_key"]: each["person_id"] for each in staff
    }
    manager_of = dict(
        ReportingLine.objects.filter(person__in=known.values()).values_list(
            "person__employee_number", "manager__employee_number"
        )
    )
    assert manager_of == {
        each["employee_key"]: each["manager_employee_key"] for each in staff if each["manager_employee_key"] != "112"
    }


def _territories(rita: Importer) -> None:
    """Ten territories, and who held which from when until when."""
    row = rita.upload("territory.csv", content("territory.csv"), "territories")
    assert counts(rita.run(rita.answer(row)))[0] == 10
    row = rita.upload("territory_history.csv", content("territory_history.csv"), "territory_assignments")
    row = rita.match(
        row,
        FieldRule("person", column="person_id", lookup_by="external_id"),
        FieldRule("territory", column="territory_id", lookup_by="code"),
        FieldRule("start_on", column="start_date"),
        FieldRule("end_on", column="end_date"),
    )
    assert counts(rita.run(rita.answer(row, lambda question: "yes" if question.setting == "is_last_day" else ""))) == (
        17, 0, 0, 0,
    )  # fmt: skip
    assert ("is_last_day", "end_date") in rita.asked
    held = TerritoryAssignment.objects.filter(person__external_id="275").order_by("start_on")
    # The file names the last day; the portal keeps the day after it.
    assert list(held.values_list("territory__code", "start_on", "end_on")) == [
        ("2", date(2011, 5, 31), date(2012, 11, 30)),
        ("3", date(2012, 11, 30), None),
    ]
    assert Territory.objects.count() == 10


def _resellers_and_orders(rita: Importer) -> None:
    """701 resellers as accounts, 3,616 orders as won deals of who sold them."""
    row = rita.upload("resellers.csv", content("resellers.csv"), "accounts")
    assert counts(rita.run(rita.answer(row))) == (701, 0, 0, 0)
    row = rita.upload("reseller_orders.csv", content("reseller_orders.csv"), "deals")
    row = rita.match(
        row,
        FieldRule("external_id", column="order_number"),
        FieldRule("name", column="order_number"),
        FieldRule("account", column="reseller_key", lookup_by="external_id"),
        FieldRule("owner", column="employee_key", lookup_by="employee_number"),
        FieldRule("stage", constant="Won"),
        FieldRule("amount", column="amount", is_rounded=True),
        FieldRule("currency", constant="USD"),
        FieldRule("closed_on", column="order_date"),
    )
    assert counts(rita.run(rita.answer(row))) == (3_616, 0, 0, 0)
    orders = {order["order_number"]: order for order in lines("reseller_orders.csv")}
    stored = Deal.objects.values_list(
        "external_id", "owner__employee_number", "account__external_id", "amount_minor", "closed_on", "kind"
    )
    assert {key: tuple(rest) for key, *rest in stored} == {
        key: (
            order["employee_key"],
            order["reseller_key"],
            cents(order["amount"]),
            date.fromisoformat(order["order_date"]),
            "won",
        )
        for key, order in orders.items()
    }
    assert Account.objects.filter(source="adventureworks").count() == 701


def _quotas(rita: Importer, golden: list[dict[str, str]]) -> None:
    """The quota dates lie six years and a month before the orders: moved, and put on the nearest quarter."""
    row = rita.upload("quota_history.csv", content("quota_history.csv"), "quotas")
    row = rita.match(
        row,
        FieldRule("person", column="person_id", lookup_by="external_id"),
        FieldRule(
            "period", column="quota_date", shift_months=73, snap=PeriodKind.QUARTER, period_kind=PeriodKind.QUARTER
        ),
        FieldRule("amount", column="sales_quota"),
        FieldRule("currency", constant="USD"),
    )
    assert counts(rita.run(rita.answer(row))) == (163, 0, 0, 0)
    stored = Quota.objects.values_list("person__external_id", "start_on", "end_on", "amount_minor", "currency")
    assert sorted(stored) == sorted(
        (
            each["person_id"],
            parse_label(each["quarter_shifted"]).start,
            parse_label(each["quarter_shifted"]).end,
            cents(each["quota"]),
            "USD",
        )
        for each in golden
    )


def _rates(rita: Importer, cast: Cast) -> None:
    """A plan that pays everybody their own rate; the rates come from the file."""
    finn = cast.actor("finn")
    plan = create_plan(actor=rita.actor, name="Own rate", at=NOW)
    draft = save_draft(actor=rita.actor, plan=plan, definition=definition(PERSONAL), start_on=date(2017, 1, 1), at=NOW)
    activate_version(actor=finn, version=draft, at=NOW)
    row = rita.upload("sales_person.csv", content("sales_person.csv"), "commission_rates")
    row = rita.match(
        row,
        FieldRule("person", column="person_id", lookup_by="external_id"),
        FieldRule("plan", constant="Own rate"),
        FieldRule("rate", column="commission_pct", rate_unit=RateUnit.FRACTION),
        FieldRule("currency", constant="USD"),
        FieldRule("start_on", constant="2017-01-01"),
    )
    assert counts(rita.run(rita.answer(row))) == (17, 0, 0, 0)
    stored = dict(PlanAssignment.objects.values_list("person__external_id", "rate"))
    assert stored == {each["person_id"]: Decimal(each["commission_pct"]) for each in lines("sales_person.csv")}


def _calculated(cast: Cast, golden: list[dict[str, str]]) -> None:
    """Twelve quarters: credited sales, quota and commission as the golden file says, a rate of nothing too."""
    rita, finn = cast.actor("rita"), cast.actor("finn")
    for label in sorted({each["quarter_shifted"] for each in golden}):
        period = open_period(day=parse_label(label).start, kind="quarter", time_zone="UTC")
        calculate_period(actor=rita, period=period, at=NOW)
        ids = list(period.statements.values_list("pk", flat=True))
        assert approve_statements(actor=finn, statement_ids=ids, at=NOW).decided == len(ids)
    stated = {
        (person, label): tuple(amounts)
        for person, label, *amounts in Statement.objects.values_list(
            "person__external_id", "period__label", "credited_minor", "quota_minor", "earned_minor", "currency"
        )
    }
    wrong = {
        (each["person_id"], each["quarter_shifted"]): stated.get((each["person_id"], each["quarter_shifted"]))
        for each in golden
        if stated.get((each["person_id"], each["quarter_shifted"]))
        != (cents(each["sales"]), cents(each["quota"]), cents(each["flat_commission"]), "USD")
    }
    assert wrong == {}
    without_rate = [
        stated[each["person_id"], each["quarter_shifted"]] for each in golden if not float(each["commission_pct"])
    ]
    assert len(without_rate) == 24
    assert {earned for _credited, _quota, earned, _currency in without_rate} == {0}


def _paid(cast: Cast, client: Client, golden: list[dict[str, str]]) -> None:
    """Somebody else locks and releases on the pages; the file holds the golden commissions and never changes."""
    period = Period.objects.get(label="2019Q2")
    client.post(reverse("commissions:period_lock", kwargs={"pk": period.pk}))
    period.refresh_from_db()
    assert period.state == "locked"
    release = {"payroll_format": "gusto"}
    client.post(reverse("commissions:payroll_release", kwargs={"pk": period.pk}), release)
    client.post(reverse("commissions:payroll_release", kwargs={"pk": period.pk}), release)
    (file,) = PayrollFile.objects.all()
    address = reverse("commissions:payrollfile_download", kwargs={"pk": file.pk})
    first, second = (b"".join(_parts(client.get(address))) for _time in range(2))
    assert first == second
    assert hashlib.sha256(first).hexdigest() == file.sha256
    assert AuditEntry.objects.filter(action="export.downloaded").count() == 2
    reader = csv.DictReader(io.StringIO(first.decode()))
    rows = {row["gusto_employee_id"]: row for row in reader}
    assert tuple(reader.fieldnames or ()) == GUSTO_COLUMNS
    due = {
        each["employee_key"]: cents(each["flat_commission"])
        for each in golden
        if each["quarter_shifted"] == "2019Q2" and cents(each["flat_commission"])
    }
    assert {key: cents(row["commission"]) for key, row in rows.items()} == due
    assert PayrollItem.objects.count() == len(due) == file.people
    assert file.total_minor == sum(due.values())


def _parts(response: Any) -> Any:
    return response.streaming_content if response.streaming else [response.content]
