"""Payroll files of ADP and of saved columns: the columns as published, plain numbers, guarded text, frozen bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse

from salesops.audit.models import AuditEntry
from salesops.commissions.choices import PayrollFormat
from salesops.commissions.errors import CommissionRefusedError
from salesops.commissions.models import LedgerEntry, PayrollFile, PayrollItem, PayrollMapping, Period
from salesops.commissions.rules.payroll import (
    AdpRun,
    AdpWorkforceNow,
    Field,
    PayrollRow,
    SavedColumn,
    adp_run_file,
    adp_wfn_file,
    adp_wfn_name,
    columns_from_plain,
    mapped_file,
)
from salesops.commissions.services.adjustments import approve_adjustments, prepare_adjustment
from salesops.commissions.services.approvals import approve_statements, lock_period
from salesops.commissions.services.payroll import release_payroll
from salesops.commissions.services.payroll_mappings import save_mapping, try_mapping
from tests.cast import NOW, Cast
from tests.commissions.pay import FLAT_8, calculated, plan_in_force, second_quarter, statement_of, won

MICHAEL = PayrollRow(
    "000275",
    "Blythe",
    "Michael",
    12_345_67,
    "USD",
    email="michael9@example.com",
    period_start=date(2017, 7, 1),
    period_end=date(2017, 9, 30),
    reference="S275",
)
LINDA = PayrollRow("000276", "Mitchell", "Linda", 0, "USD")
WFN = AdpWorkforceNow("ABC", "7", "COM", "USD")
RUN = AdpRun("12345678", "M", "C")


def test_workforce_now_has_its_columns_and_nothing_where_there_is_nothing() -> None:
    made = adp_wfn_file([LINDA, MICHAEL], WFN)
    assert made.content.decode() == (
        "Co Code,Batch ID,File #,Earnings 3 Code,Earnings 3 Amount\r\nABC,7,000275,COM,12345.67\r\nABC,7,000276,,\r\n"
    )
    assert (made.total_minor, made.problems) == (12_345_67, ())
    assert adp_wfn_name("ABC") == "PRABCEPI.csv"


def test_run_says_what_it_is_and_writes_days_as_americans_do() -> None:
    assert adp_run_file([MICHAEL], RUN).content.decode() == (
        "##GENERIC## V1.0\r\n"
        "IID,Pay Frequency,Pay Period Start Date,Pay Period End Date,Employee ID,Earnings Code,Pay Hours,Dollars,"
        "Separate Check,Worked In Dept,Rate Code\r\n"
        "12345678,M,07/01/2017,09/30/2017,000275,C,,12345.67,,,\r\n"
    )


@pytest.mark.parametrize("write", [lambda rows: adp_wfn_file(rows, WFN), lambda rows: adp_run_file(rows, RUN)])
def test_what_adp_cannot_pay_is_held(write: Any) -> None:
    rows = [
        MICHAEL,
        replace(MICHAEL, employee_id="1", last_name="Below", commission_minor=-1),
        replace(MICHAEL, employee_id="2", last_name="Euro", currency="EUR"),
        replace(MICHAEL, employee_id=" ", last_name="Numberless"),
    ]
    made = write(rows)
    assert made.rows == (MICHAEL,)
    assert [problem.code for problem in made.problems] == [
        "payroll-negative",
        "payroll-currency",
        "payroll-employee-missing",
    ]


def test_text_is_guarded_and_numbers_are_not() -> None:
    row = replace(MICHAEL, employee_id="=1+1", first_name="@x", email="+1")
    assert ",'=1+1," in adp_wfn_file([row], WFN).content.decode()
    assert ",'=1+1," in adp_run_file([row], RUN).content.decode()
    assert "'=ABC" in adp_wfn_file([row], replace(WFN, company_code="=ABC")).content.decode()
    columns = [SavedColumn("n", Field.NAME), SavedColumn("c", Field.TEXT, "=cmd()"), SavedColumn("a", Field.AMOUNT)]
    assert mapped_file([row], columns).content.decode() == "n,c,a\r\n'@x Blythe,'=cmd(),12345.67\r\n"


def test_saved_columns_stand_in_their_order() -> None:
    columns = columns_from_plain([{"header": each.value, "field": each.value} for each in Field if each != "text"])
    made = mapped_file([MICHAEL], [*columns.unwrap(), SavedColumn("Company", Field.TEXT, "ACME, Inc.")])
    assert made.content.decode() == (
        "employee_id,email,first_name,last_name,name,pay_code,period_start,period_end,amount,currency,reference,"
        "Company\r\n"
        "000275,michael9@example.com,Michael,Blythe,Michael Blythe,COMMISSION,2017-07-01,2017-09-30,12345.67,USD,S275,"
        '"ACME, Inc."\r\n'
    )


ID, PAY = {"header": "Number", "field": "employee_id"}, {"header": "Pay", "field": "amount"}


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("no list", "1 to 60 columns"),
        ([], "1 to 60 columns"),
        ([ID, PAY] * 31, "1 to 60 columns"),
        ([ID], "The amount must stand in one column"),
        ([ID, PAY, {"header": "Again", "field": "amount"}], "The amount must stand in one column"),
        ([PAY], "whose pay it is"),
        ([ID, PAY, {"header": "Pay", "field": "currency"}], "“Pay” stands twice"),
        ([ID, PAY, {"header": " ", "field": "currency"}], "1 to 80 characters"),
        ([ID, PAY, {"header": "x" * 81, "field": "currency"}], "1 to 80 characters"),
        ([ID, PAY, {"header": "Iban", "field": "iban"}], "“iban” is no field"),
        ([ID, PAY, {"header": "Company", "field": "text"}], "has a text"),
        ([ID, PAY, {"header": "Mail", "field": "email", "text": "x"}], "has a text"),
        ([ID, PAY, "x"], "1 to 80 characters"),
    ],
)
def test_columns_that_make_no_file_are_refused(columns: Any, words: str) -> None:
    outcome = columns_from_plain(columns)
    assert outcome.value is None
    assert words in " ".join(problem.text() for problem in outcome.problems)


# --- released ---


@pytest.fixture
def locked(cast: Cast, settings: Any) -> Period:
    """Ana earned 80.00 and is paid 130.00, Alba 160.00, Sam nothing; Finn approved and locked."""
    settings.PAYROLL_ADP_COMPANY_CODE = "ABC"
    settings.PAYROLL_ADP_EARNINGS_CODE = "COM"
    settings.PAYROLL_ADP_IID = "12345678"
    settings.PAYROLL_ADP_PAY_FREQUENCY = "M"
    plan = plan_in_force(cast, FLAT_8)
    won(cast, "ana", 1_000_00)
    won(cast, "alba", 2_000_00)
    more = prepare_adjustment(
        actor=cast.actor("max"),
        person_id=cast.ana.pk,
        plan=plan,
        period=second_quarter(),
        amount_minor=50_00,
        reason="Promised in writing",
        at=NOW,
    )
    approve_adjustments(actor=cast.actor("finn"), adjustment_ids=[more.pk], at=NOW, looked_again=True)
    period = calculated(cast)
    keys = list(period.statements.values_list("pk", flat=True))
    approve_statements(actor=cast.actor("finn"), statement_ids=keys, at=NOW)
    return lock_period(actor=cast.actor("finn"), period=period, at=NOW)


def released(cast: Cast, period: Period, payroll_format: PayrollFormat, **more: Any) -> PayrollFile:
    (file,) = release_payroll(
        actor=cast.actor("finn"), period=period, payroll_format=payroll_format, at=NOW, **more
    ).files
    return file


def test_what_is_paid_is_what_the_settlement_came_to(cast: Cast, locked: Period) -> None:
    """Not what was earned; whoever is paid nothing is in no file."""
    ana = statement_of(cast, "ana")
    assert (ana.earned_minor, ana.payout_minor) == (80_00, 130_00)
    file = released(cast, locked, PayrollFormat.ADP_WFN)
    assert (file.name, file.people, file.total_minor) == ("PRABCEPI.csv", 2, 290_00)
    assert bytes(file.content).decode() == (
        "Co Code,Batch ID,File #,Earnings 3 Code,Earnings 3 Amount\r\n"
        f"ABC,1,{cast.alba.employee_number},COM,160.00\r\n"
        f"ABC,1,{cast.ana.employee_number},COM,130.00\r\n"
    )
    assert PayrollItem.objects.get(statement=ana).amount_minor == 130_00
    assert LedgerEntry.objects.get(statement=ana, kind="payment", account="paid").amount_minor == 130_00
    assert statement_of(cast, "sam").state == "locked"


def test_run_pays_by_the_period(cast: Cast, locked: Period) -> None:
    file = released(cast, locked, PayrollFormat.ADP_RUN)
    assert file.name == "adp_run-2026Q2-USD-1.csv"
    assert bytes(file.content).decode().split("\r\n")[2] == (
        f"12345678,M,04/01/2026,06/30/2026,{cast.alba.employee_number},COM,,160.00,,,"
    )


@pytest.mark.parametrize(
    ("payroll_format", "name"),
    [
        (PayrollFormat.ADP_WFN, "PAYROLL_ADP_COMPANY_CODE"),
        (PayrollFormat.ADP_WFN, "PAYROLL_ADP_EARNINGS_CODE"),
        (PayrollFormat.ADP_RUN, "PAYROLL_ADP_IID"),
        (PayrollFormat.ADP_RUN, "PAYROLL_ADP_PAY_FREQUENCY"),
        (PayrollFormat.ADP_RUN, "PAYROLL_ADP_EARNINGS_CODE"),
    ],
)
def test_without_the_companys_codes_no_adp_file_is_made(
    cast: Cast, locked: Period, settings: Any, payroll_format: PayrollFormat, name: str
) -> None:
    setattr(settings, name, " ")
    with pytest.raises(CommissionRefusedError, match=name):
        released(cast, locked, payroll_format)
    assert PayrollFile.objects.count() == 0
    assert statement_of(cast, "ana").state == "locked"


def test_adp_does_not_pay_in_another_currency(cast: Cast, locked: Period, settings: Any) -> None:
    settings.COMPANY_CURRENCY = "EUR"
    with pytest.raises(CommissionRefusedError, match="does not pay in USD"):
        released(cast, locked, PayrollFormat.ADP_WFN)
    assert PayrollFile.objects.count() == 0


def saved(cast: Cast, name: str = "Unsere Löhne", **more: Any) -> PayrollMapping:
    return save_mapping(actor=cast.actor("finn"), name=name, columns=[ID, PAY], at=NOW, **more)


def test_saved_columns_are_released_and_the_file_stays(
    cast: Cast, locked: Period, client_of: Callable[[str], Client]
) -> None:
    mapping = saved(cast)
    finn = client_of("finn")
    url = reverse("commissions:payroll_release", kwargs={"pk": locked.pk})
    form = finn.get(url).context["form"]
    choices = [value for value, _label in form.fields["payroll_format"].choices]
    assert choices == ["gusto", "adp_wfn", "adp_run", "generic", f"mapped:{mapping.pk}"]
    assert finn.post(url, {"payroll_format": "mapped"}).status_code == 422
    assert finn.post(url, {"payroll_format": f"mapped:{mapping.pk}"}).status_code == 302
    file = PayrollFile.objects.get()
    expected = f"Number,Pay\r\n{cast.alba.employee_number},160.00\r\n{cast.ana.employee_number},130.00\r\n"
    assert (file.name, bytes(file.content).decode()) == ("unsere-lohne-2026Q2-USD-1.csv", expected)
    assert AuditEntry.objects.get(action="payroll.released").after["columns"] == "Unsere Löhne"
    save_mapping(actor=cast.actor("finn"), name="Other", columns=[PAY, ID], at=NOW, mapping=mapping)
    assert bytes(PayrollFile.objects.get().content).decode() == expected


def test_columns_are_tried_without_saving_or_releasing(
    cast: Cast, locked: Period, client_of: Callable[[str], Client]
) -> None:
    finn, url = client_of("finn"), reverse("commissions:payrollmapping_create")
    data = {"name": "Ours", "columns": 'Number = employee_id\n\nFirm = "A=B"\nPay = amount'}
    page = finn.post(url, {**data, "try": "1"})
    (trial,) = page.context["trials"]
    assert (trial.period, trial.currency, trial.lines) == (
        locked,
        "USD",
        [
            "Number,Firm,Pay",
            f"{cast.alba.employee_number},A=B,160.00",
            f"{cast.ana.employee_number},A=B,130.00",
        ],
    )
    assert f"{cast.alba.employee_number},A=B,160.00" in page.content.decode()
    assert PayrollMapping.objects.count() == PayrollFile.objects.count() == 0
    assert statement_of(cast, "ana").state == "locked"
    assert finn.post(url, data).status_code == 302
    mapping = PayrollMapping.objects.get()
    assert mapping.columns == [
        {"header": "Number", "field": "employee_id"},
        {"header": "Firm", "field": "text", "text": "A=B"},
        {"header": "Pay", "field": "amount"},
    ]
    edit = reverse("commissions:payrollmapping_edit", kwargs={"pk": mapping.pk})
    assert "Firm = &quot;A=B&quot;\nPay = amount</textarea>" in finn.get(edit).content.decode()
    assert finn.post(edit, {"name": "Ours", "columns": "Number = employee_id"}).status_code == 422
    assert finn.post(edit, {"name": "Ours", "columns": "no sign"}).status_code == 422
    assert PayrollMapping.objects.get().columns == mapping.columns


def test_without_a_locked_period_there_is_nothing_to_try(cast: Cast) -> None:
    assert try_mapping(actor=cast.actor("finn"), columns=[ID, PAY]) == []


def test_a_name_is_taken_once(cast: Cast) -> None:
    saved(cast, name="Ours")
    with pytest.raises(CommissionRefusedError, match="taken"):
        saved(cast, name="Ours")
    assert PayrollMapping.objects.count() == 1


@pytest.mark.parametrize("who", ["ana", "max", "rita", "elsa", "ada", "norm"])
def test_only_finance_writes_columns(cast: Cast, who: str) -> None:
    with pytest.raises(PermissionDenied):
        save_mapping(actor=cast.actor(who), name="Ours", columns=[ID, PAY], at=NOW)
    with pytest.raises(PermissionDenied):
        try_mapping(actor=cast.actor(who), columns=[ID, PAY])
    assert PayrollMapping.objects.count() == 0


def test_a_page_says_why_everybody_is_held(cast: Cast, locked: Period, client_of: Callable[[str], Client]) -> None:
    """Several reasons at once are shown, and nothing is released."""
    for person in (cast.ana, cast.alba):
        person.employee_number = None
        person.save()
    url = reverse("commissions:payroll_release", kwargs={"pk": locked.pk})
    page = client_of("finn").post(url, {"payroll_format": "gusto"})
    assert page.status_code == 422
    assert "Ana Alvarez is held" in page.content.decode()
    assert "Alba Abe is held" in page.content.decode()
    assert PayrollFile.objects.count() == 0
