"""A real company's three years: every person-quarter credited and paid to the cent through the columns.

The data lies beside the project and not in it; without it the tests skip and say so.
"""

import csv
from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from salesops.commissions.rules import curves
from salesops.commissions.rules.columns import CreditColumns, EarningColumns, calculate
from salesops.commissions.rules.credits import Credit, TransactionFacts, credit_transactions
from salesops.commissions.rules.shapes import PersonFacts, curve_of, shape_from_plain
from salesops.values.money import round_half_up, to_minor
from salesops.values.periods import parse_label, period_of
from tests.commissions.shared_files import ADVENTUREWORKS

pytestmark = pytest.mark.skipif(not ADVENTUREWORKS.is_dir(), reason=f"{ADVENTUREWORKS} is absent")


def rows_of(name: str) -> list[dict[str, str]]:
    """The rows of a file, by column."""
    with (ADVENTUREWORKS / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def credited() -> list[Credit]:
    """Every order credited to whoever sold it."""
    person_of = {row["employee_key"]: int(row["person_id"]) for row in rows_of("sales_employees.csv")}
    orders = [
        TransactionFacts(
            key=row["order_number"],
            day=date.fromisoformat(row["order_date"]),
            amount=to_minor(row["amount"], "USD"),
            owner=person_of[row["employee_key"]],
        )
        for row in rows_of("reseller_orders.csv")
    ]
    outcome = credit_transactions(orders)
    assert outcome.problems == ()
    assert len(outcome.unwrap()) == 3_616
    return list(outcome.unwrap())


def quarter(day: date) -> int:
    """The number of the day's quarter, by its first day."""
    return period_of(day, "quarter").start.toordinal()


def calculated(credits: list[Credit], of: dict[tuple[int, int, int], curves.Curve]) -> EarningColumns:
    """The earnings of all credits."""
    return calculate(
        CreditColumns(
            person=np.array([credit.person for credit in credits], dtype=np.int64),
            component=np.ones(len(credits), dtype=np.int64),
            period=np.array([quarter(credit.day) for credit in credits], dtype=np.int64),
            day=np.array([credit.day.toordinal() for credit in credits], dtype=np.int64),
            key=np.array([credit.transaction for credit in credits], dtype=object),
            amount=np.array([credit.amount for credit in credits], dtype=np.int64),
        ),
        of,
    )


def sums(credits: list[Credit], amounts: list[int]) -> dict[tuple[int, int], int]:
    """Amounts added up by person and quarter."""
    found: dict[tuple[int, int], int] = {}
    for credit, amount in zip(credits, amounts, strict=True):
        key = (credit.person, quarter(credit.day))
        found[key] = found.get(key, 0) + amount
    return found


def test_all_163_person_quarters_are_credited_and_paid_to_the_cent() -> None:
    golden = rows_of("golden_attainment.csv")
    assert len(golden) == 163
    rates = {int(row["person_id"]): Fraction(row["commission_pct"]) for row in rows_of("sales_person.csv")}
    words = shape_from_plain({"shape": "flat", "rate": "personal"}).unwrap()
    keys = {(int(row["person_id"]), parse_label(row["quarter_shifted"]).start.toordinal()): row for row in golden}
    of = {
        (person, 1, start): curve_of(
            words, PersonFacts("USD", quota=to_minor(row["quota"], "USD"), personal_rate=rates[person])
        ).unwrap()
        for (person, start), row in keys.items()
    }
    credits = credited()
    earnings = calculated(credits, of)
    assert earnings.without_curve == ()
    sales = sums(credits, [credit.amount for credit in credits])
    paid = sums(credits, earnings.amount.tolist())
    expected_sales = {key: to_minor(Decimal(row["sales"]), "USD", is_rounded=True) for key, row in keys.items()}
    expected_pay = {key: to_minor(Decimal(row["flat_commission"]), "USD", is_rounded=True) for key, row in keys.items()}
    assert {key: sales.get(key, 0) for key in keys} == expected_sales
    assert {key: paid.get(key, 0) for key in keys} == expected_pay
    assert set(sales) <= set(keys)
    assert sum(paid.values()) == 1_058_440_04
    assert paid == {key: round_half_up(total * rates[key[0]]) for key, total in sales.items()}


def test_attainment_against_the_quotas_is_the_known_one() -> None:
    golden = rows_of("golden_attainment.csv")
    sales = sums(credited(), [credit.amount for credit in credited()])
    shares = [
        Fraction(
            sales.get((int(row["person_id"]), parse_label(row["quarter_shifted"]).start.toordinal()), 0),
            to_minor(row["quota"], "USD"),
        )
        for row in golden
    ]
    assert round_half_up(sum(shares, Fraction(0)) / len(shares) * 1000) == 839


def test_tiers_with_an_accelerator_agree_with_plain_arithmetic() -> None:
    words = shape_from_plain(
        {"shape": "marginal", "tiers": [{"from": "0", "rate": "2%"}, {"from": "100%", "rate": "3.5%"}]}
    ).unwrap()
    quotas = {
        (int(row["person_id"]), parse_label(row["quarter_shifted"]).start.toordinal()): to_minor(row["quota"], "USD")
        for row in rows_of("golden_attainment.csv")
    }
    of = {
        (person, 1, start): curve_of(words, PersonFacts("USD", quota=quota)).unwrap()
        for (person, start), quota in quotas.items()
    }
    credits = credited()
    paid = sums(credits, calculated(credits, of).amount.tolist())
    sales = sums(credits, [credit.amount for credit in credits])
    assert paid == {
        key: round_half_up(min(total, quotas[key]) * 20 + max(0, total - quotas[key]) * 35, 1000)
        for key, total in sales.items()
    }
    assert sum(total > quotas[key] for key, total in sales.items()) == 9
