"""Three years of a company under accelerators, territories that change hands and five currencies: the engine against SQL.

The files give orders, people, quotas, who held which territory, and rates of exchange. A plan pays sellers by tiers of
their quota and holders of territories by tiers of an amount. What it comes to is calculated a second time in plain SQL,
in whole numbers only. Days of territories and rates lie before those of the orders, and are moved by as much.
"""

from __future__ import annotations

import csv
import sqlite3
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from salesops.commissions.rules import engine
from salesops.commissions.rules.engine import Facts, Run, Terms, Transactions, relation
from salesops.commissions.rules.plans import Component, PlanDefinition, plan_from_plain
from salesops.values.money import to_minor
from salesops.values.periods import Period
from salesops.values.rates import Rate, RateTable
from tests.connectors.shared_data import shared

# From the first day of the territories and rates to that of the orders.
MOVED: Final = date(2017, 7, 1) - date(2011, 5, 31)
CURRENCIES: Final = {"US": "USD", "CA": "CAD", "FR": "EUR", "DE": "EUR", "AU": "AUD", "GB": "GBP"}
ON_PLAN: Final = (date(2017, 1, 1), date(2021, 1, 1))

PLAN: Final[dict[str, Any]] = {
    "format": 1,
    "currency": "USD",
    "time_zone": "UTC",
    "period_kind": "quarter",
    "components": [
        {
            "key": "sales",
            "name": "Own sales",
            "crediting": ["owner"],
            "shape": {
                "shape": "marginal",
                "tiers": [
                    {"from": "0%", "rate": "1.25%"},
                    {"from": "66.7%", "rate": "2.5%"},
                    {"from": "100%", "rate": "3.75%"},
                ],
            },
        },
        {
            "key": "territory",
            "name": "Territory",
            "crediting": ["holder"],
            "shape": {
                "shape": "retroactive",
                "tiers": [
                    {"from": "0", "rate": "0.4%"},
                    {"from": "250000", "rate": "0.55%"},
                    {"from": "500000", "rate": "0.7%"},
                ],
            },
        },
    ],
}

# The same plan in whole numbers: cents, rates in ten-thousandths, rates of exchange times ten thousand.
TABLES: Final = """
CREATE TABLE orders (key TEXT, day TEXT, quarter TEXT, person INTEGER, territory INTEGER, currency TEXT, cents INTEGER);
CREATE TABLE quotas (person INTEGER, quarter TEXT, cents INTEGER);
CREATE TABLE held (territory INTEGER, person INTEGER, start TEXT, stop TEXT);
CREATE TABLE rates (currency TEXT, day TEXT, per_dollar INTEGER);
CREATE VIEW dollars AS
    SELECT o.*, CASE WHEN o.currency = 'USD' THEN o.cents
        ELSE (2 * o.cents * 10000 + r.per_dollar) / (2 * r.per_dollar) END AS usd
    FROM orders o LEFT JOIN rates r ON r.currency = o.currency AND r.day = o.day;
CREATE VIEW sales AS
    WITH walked AS (
        SELECT d.key, d.person, d.quarter, d.usd, q.cents AS quota, (667 * q.cents + 500) / 1000 AS below_quota,
            sum(d.usd) OVER (PARTITION BY d.person, d.quarter ORDER BY d.day, d.key) AS upto
        FROM dollars d JOIN quotas q ON q.person = d.person AND q.quarter = d.quarter
    )
    SELECT key, person, quarter,
        (2 * (125 * upto + 125 * max(upto - below_quota, 0) + 125 * max(upto - quota, 0)) + 10000) / 20000
        - (2 * (125 * (upto - usd) + 125 * max(upto - usd - below_quota, 0) + 125 * max(upto - usd - quota, 0)) + 10000)
            / 20000 AS earned
    FROM walked;
CREATE VIEW holders AS
    SELECT d.key, d.day, d.quarter, d.usd, min(h.person) AS person, count(h.person) AS holders
    FROM dollars d LEFT JOIN held h ON h.territory = d.territory AND d.day >= h.start AND d.day < h.stop
    GROUP BY d.key, d.day, d.quarter, d.usd;
CREATE VIEW territories AS
    WITH walked AS (
        SELECT key, person, quarter, usd, sum(usd) OVER (PARTITION BY person, quarter ORDER BY day, key) AS upto
        FROM holders WHERE holders = 1
    ), rated AS (
        SELECT *, CASE WHEN upto >= 50000000 THEN 70 WHEN upto >= 25000000 THEN 55 ELSE 40 END AS rate,
            CASE WHEN upto - usd >= 50000000 THEN 70 WHEN upto - usd >= 25000000 THEN 55 ELSE 40 END AS rate_before
        FROM walked
    )
    SELECT key, person, quarter, (2 * rate * upto + 10000) / 20000 - (2 * rate_before * (upto - usd) + 10000) / 20000
        AS earned
    FROM rated;
"""

Earned = dict[tuple[str, int, str], int]


def rows_of(name: str) -> list[dict[str, str]]:
    """The rows of a file, by column."""
    path: Path = shared(f"adventureworks/{name}")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def moved(text: str, days: int = 0) -> date:
    """A day of territories and rates among those of the orders."""
    return date.fromisoformat(text[:10]) + MOVED + timedelta(days)


def quarter(day: date) -> str:
    """The label of the day's quarter."""
    return f"{day.year}Q{(day.month - 1) // 3 + 1}"


class Company:
    """What the files say."""

    def __init__(self) -> None:
        person_of = {row["employee_key"]: int(row["person_id"]) for row in rows_of("sales_employees.csv")}
        currency_of = {row["territory_id"]: CURRENCIES[row["country_code"]] for row in rows_of("territory.csv")}
        self.orders = sorted(
            (
                date.fromisoformat(row["order_date"]),
                row["order_number"],
                person_of[row["employee_key"]],
                int(row["territory_id"]),
                currency_of[row["territory_id"]],
                to_minor(row["amount"], "USD"),
            )
            for row in rows_of("reseller_orders.csv")
        )
        self.quotas = {
            (int(row["person_id"]), row["quarter_shifted"]): to_minor(row["quota"], "USD")
            for row in rows_of("golden_attainment.csv")
        }
        # The last day is named; the day after it is kept.
        self.held = [
            (
                int(row["territory_id"]),
                int(row["person_id"]),
                moved(row["start_date"]),
                moved(row["end_date"], 1) if row["end_date"] else ON_PLAN[1],
            )
            for row in rows_of("territory_history.csv")
        ]
        self.rates = [
            (row["to_ccy"], moved(row["rate_date"]), Decimal(row["average_rate"]))
            for row in rows_of("currency_rate.csv")
            if row["to_ccy"] in CURRENCIES.values() and row["to_ccy"] != "USD"
        ]
        self.people = sorted({*person_of.values(), *(person for _territory, person, *_days in self.held)})


@pytest.fixture(scope="module")
def company() -> Company:
    """The company's files."""
    return Company()


def by_engine(company: Company, plan: PlanDefinition) -> Run:
    """The engine's run over all orders."""
    currencies = tuple(sorted(set(CURRENCIES.values())))
    days, keys, owners, territories, said, cents = zip(*company.orders, strict=True)
    count = len(company.orders)
    transactions = Transactions(
        key=np.array(keys, dtype=object),
        kinds=("booking",),
        kind=np.zeros(count, dtype=np.int64),
        day=np.array([day.toordinal() for day in days], dtype=np.int64),
        amount=np.array(cents, dtype=np.int64),
        currencies=currencies,
        currency=np.array([currencies.index(currency) for currency in said], dtype=np.int64),
        quantity=np.ones(count, dtype=np.int64),
        owner=np.array(owners, dtype=np.int64),
        reverses=np.full(count, engine.NONE, dtype=np.int64),
    )
    first, last = (day.toordinal() for day in ON_PLAN)
    facts = Facts(
        transactions,
        on_plan=relation(engine.ON_PLAN, [(1, person, first, last) for person in company.people]),
        things=relation(engine.THINGS, [(row, 0, territory) for row, territory in enumerate(territories)]),
        holdings=relation(
            engine.HOLDINGS,
            [(thing, person, start.toordinal(), stop.toordinal(), 0) for thing, person, start, stop in company.held],
        ),
        rates=RateTable(Rate("USD", currency, day, Fraction(value)) for currency, day, value in company.rates),
    )

    def terms(number: int, component: Component, person: int, period: Period) -> Terms:
        return Terms(quota=company.quotas.get((person, period.label)))

    return engine.run({1: plan}, facts, terms)


def by_sql(company: Company) -> sqlite3.Connection:
    """The same in SQL: `sales` and `territories` say what each order earns whom."""
    database = sqlite3.connect(":memory:")
    database.executescript(TABLES)
    database.executemany(
        "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (key, str(day), quarter(day), owner, territory, currency, cents)
            for day, key, owner, territory, currency, cents in company.orders
        ],
    )
    database.executemany(
        "INSERT INTO quotas VALUES (?, ?, ?)", [(*key, cents) for key, cents in company.quotas.items()]
    )
    database.executemany(
        "INSERT INTO held VALUES (?, ?, ?, ?)",
        [(territory, person, str(start), str(stop)) for territory, person, start, stop in company.held],
    )
    scaled = [(currency, str(day), value * 10_000) for currency, day, value in company.rates]
    assert all(value == int(value) for _currency, _day, value in scaled)
    database.executemany(
        "INSERT INTO rates VALUES (?, ?, ?)", [(currency, day, int(value)) for currency, day, value in scaled]
    )
    return database


def test_accelerators_territories_and_currencies_come_to_what_plain_sql_says(company: Company) -> None:
    plan = plan_from_plain(PLAN).unwrap()
    run = by_engine(company, plan)
    database = by_sql(company)

    found: dict[tuple[str, str], tuple[int, str, int]] = {}
    for row in range(len(run.lines["amount"])):
        component = plan.components[int(run.lines["component"][row])].key
        key = company.orders[int(run.lines["transaction"][row])][1]
        label = run.periods[int(run.lines["period"][row])].label
        found[component, key] = (int(run.lines["person"][row]), label, int(run.lines["amount"][row]))
    expected = {
        (component, key): (person, label, earned)
        for component, view in (("sales", "sales"), ("territory", "territories"))
        for key, person, label, earned in database.execute(f"SELECT key, person, quarter, earned FROM {view}")
    }
    assert len([key for component, key in expected if component == "sales"]) == len(company.orders) == 3_616
    assert sums(found) == sums(expected)
    assert found == expected

    # What has no holder, or two of them, credits nobody: said of each order, the first by name.
    left_out = database.execute("SELECT count(*) FROM holders WHERE holders <> 1").fetchone()[0]
    said = Counter(item.problem.code for item in run.problems)
    (more,) = [dict(item.problem.params)["count"] for item in run.problems if item.problem.code == "more-uncredited"]
    assert said["two-holders"] + said["nobody-credited"] + int(more) == left_out
    assert {*said} <= {"two-holders", "nobody-credited", "more-uncredited"}


def sums(lines: dict[tuple[str, str], tuple[int, str, int]]) -> Earned:
    """What each person earned in each quarter by each component."""
    found: Earned = Counter()
    for (component, _key), (person, label, earned) in lines.items():
        found[component, person, label] += earned
    return found


def test_the_company_reaches_every_tier_changes_hands_and_sells_in_five_currencies(company: Company) -> None:
    """Otherwise the comparison would say little."""
    database = by_sql(company)
    without_rate = "SELECT count(*) FROM dollars WHERE usd IS NULL"
    assert database.execute(without_rate).fetchone() == (0,)
    currencies = database.execute(
        "SELECT currency, count(*) FROM orders GROUP BY currency ORDER BY currency"
    ).fetchall()
    assert currencies == [("AUD", 108), ("CAD", 658), ("EUR", 297), ("GBP", 174), ("USD", 2_379)]
    tiers = """SELECT count(*) FILTER (WHERE 1000 * usd < 667 * cents), count(*) FILTER (WHERE usd >= cents), count(*)
        FROM (SELECT person, quarter, sum(usd) AS usd FROM dollars GROUP BY person, quarter)
        JOIN quotas USING (person, quarter)"""
    below, above, of_all = database.execute(tiers).fetchone()
    assert (below, of_all - below - above, above) == (46, 97, 20)
    moves = """SELECT territory, group_concat(DISTINCT h.person) FROM dollars d JOIN held h USING (territory)
        WHERE d.day >= h.start AND d.day < h.stop AND d.territory IN (2, 3) GROUP BY territory ORDER BY territory"""
    assert [(territory, {*people.split(",")}) for territory, people in database.execute(moves)] == [
        (2, {"275", "277"}),
        (3, {"275", "277"}),
    ]
    rates = """SELECT DISTINCT CASE WHEN usd >= 50000000 THEN 70 WHEN usd >= 25000000 THEN 55 ELSE 40 END FROM (
        SELECT sum(usd) AS usd FROM holders WHERE holders = 1 GROUP BY person, quarter) ORDER BY 1"""
    assert database.execute(rates).fetchall() == [(40,), (55,), (70,)]
