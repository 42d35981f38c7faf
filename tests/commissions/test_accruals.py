"""Commissions in the books: capitalised and written off by month, accrued and not paid; they tie to the ledger."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from salesops.commissions.choices import PayrollFormat
from salesops.commissions.models import LedgerEntry, Period, Transaction
from salesops.commissions.selectors.accruals import accrued_by_period, schedules
from salesops.commissions.services.payroll import release_payroll
from tests.cast import NOW, Cast
from tests.commissions.pay import FLAT_8, definition, won
from tests.commissions.test_settled_periods import calculated, happened, in_force, locked, with_settlement

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _three_months(settings: Any) -> None:
    settings.COMMISSIONS_AMORTISATION_MONTHS = 3
    settings.COMMISSIONS_CAPITALISE_NEW_ONLY = True


def months() -> list[tuple[str, int, int, int]]:
    """Month, capitalised, written off, left."""
    (schedule,) = schedules()
    return [
        (f"{each.first_on:%Y-%m}", each.capitalised_minor, each.written_off_minor, each.left_minor)
        for each in schedule.months
    ]


def sold(cast: Cast) -> Period:
    """100.00 earned on new business in January, 20.00 on a renewal in February; locked."""
    words = definition(FLAT_8)
    words["components"][0]["counts"] = ["booking", "renewal", "refund"]
    in_force(cast, words)
    happened("booking", "new", cast.ana, date(2026, 1, 20), 1_250_00)
    happened("renewal", "renewed", cast.ana, date(2026, 2, 3), 250_00)
    return locked(cast, 1)


def test_new_business_is_written_off_and_the_rest_expensed_at_once(cast: Cast) -> None:
    """100.00 over three months is 33.33, 33.34, 33.33."""
    sold(cast)
    assert months() == [
        ("2026-01", 100_00, 33_33, 66_67),
        ("2026-02", 0, 33_34, 33_33),
        ("2026-03", 0, 33_33, 0),
    ]
    (schedule,) = schedules()
    assert (schedule.capitalised_minor, schedule.expensed_minor, schedule.posted_minor) == (100_00, 20_00, 120_00)
    assert schedule.difference == 0


def test_a_company_may_capitalise_everything(cast: Cast, settings: Any) -> None:
    settings.COMMISSIONS_CAPITALISE_NEW_ONLY = False
    sold(cast)
    (schedule,) = schedules()
    assert (schedule.capitalised_minor, schedule.expensed_minor) == (120_00, 0)
    assert [each[1] for each in months()] == [100_00, 20_00, 0, 0]


def test_what_is_taken_back_leaves_nothing_to_be_written_off(cast: Cast, settings: Any) -> None:
    """Over six months; refunded in April, the fourth: what was written off so far, and the rest, go back."""
    settings.COMMISSIONS_AMORTISATION_MONTHS = 6
    sold(cast)
    happened("booking", "enough", cast.ana, date(2026, 4, 1), 7_500_00)
    back = happened("refund", "back", cast.ana, date(2026, 4, 20), -1_250_00)
    back.reverses = Transaction.objects.get(source_key="new")
    back.save()
    locked(cast, 2)
    # January: 16.67 a month; April: 600.00 comes and 100.00 goes.
    found = months()
    assert found[3][:2] == ("2026-04", 500_00)
    # Of the refund nothing is left after June; from April on each month writes off 100.00 of the new one, alone.
    assert [each[2] for each in found] == [16_67, 16_66, 16_67, 100_00 - 50_00, 100_00, 100_00, 100_00, 100_00, 100_00]
    assert found[-1][3] == 0
    (schedule,) = schedules()
    assert schedule.difference == 0


def test_the_written_off_months_and_the_ledger_add_up(cast: Cast) -> None:
    sold(cast)
    (schedule,) = schedules()
    assert sum(each.written_off_minor for each in schedule.months) == schedule.capitalised_minor
    expense = LedgerEntry.objects.filter(account="expense", kind="earning").values_list("amount_minor", flat=True)
    assert -sum(expense) == schedule.capitalised_minor + schedule.expensed_minor


def test_what_is_open_and_what_is_not_released_is_accrued(cast: Cast) -> None:
    """120.00 of the locked quarter until it is released; 80.00 of the open one."""
    first = sold(cast)
    won(cast, "ana", 1_000_00)
    calculated(cast)
    assert [(row.period.label, row.earned_minor, row.accrued_minor, row.held_minor) for row in accrued_by_period()] == [
        ("2026Q2", 80_00, 80_00, 0),
        ("2026Q1", 120_00, 120_00, 0),
    ]
    release_payroll(actor=cast.actor("finn"), period=first, payroll_format=PayrollFormat.GENERIC, at=NOW)
    assert [(row.period.label, row.accrued_minor) for row in accrued_by_period()] == [("2026Q2", 80_00)]


def test_what_is_held_is_told_beside_it(cast: Cast) -> None:
    """Paid with the customer's money, of which none came: 80.00 are held, in the open period and by the ledger."""
    in_force(cast, with_settlement(releases=[{"kind": "on_payment"}]))
    won(cast, "ana", 1_000_00)
    calculated(cast)
    expected = [("2026Q2", 80_00, 0, 80_00)]
    for lock in (False, True):
        if lock:
            locked(cast, 2)
        rows = accrued_by_period()
        assert [(r.period.label, r.earned_minor, r.accrued_minor, r.held_minor) for r in rows] == expected


def test_the_page_and_its_files(cast: Cast, client_of: Callable[[str], Client]) -> None:
    sold(cast)
    finn, address = client_of("finn"), reverse("commissions:accrual_report")
    page = finn.get(address).content.decode()
    assert "written off over 3 months" in page
    assert "$66.67" in page
    files = {}
    for what in ("schedule", "accrued"):
        answer = finn.post(address, {"what": what})
        content = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
        files[what] = [list(row.values()) for row in csv.DictReader(io.StringIO(content))]
    assert files["schedule"][0] == ["USD", "2026-01", "100.00", "33.33", "66.67"]
    assert files["accrued"] == [["USD", "2026Q1", "Locked", "120.00", "120.00", "0.00"]]
    with CaptureQueriesContext(connection) as queries:
        schedules()
        accrued_by_period()
    assert len(queries) == 7
