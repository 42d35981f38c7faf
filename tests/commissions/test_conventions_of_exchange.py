"""Means of a month and stated rates: what they count, what holds a statement, and a bundle that is derived again."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from salesops.commissions.models import Credit, Earning, Period
from salesops.commissions.rules import verify
from salesops.commissions.rules.bundle import bundle_bytes
from salesops.commissions.rules.examples import activation_problems
from salesops.commissions.rules.plans import digest_of, plan_from_plain
from salesops.commissions.selectors.bundles import bundle_of
from salesops.commissions.selectors.statements import why_of
from salesops.commissions.selectors.totals import disagreements
from salesops.commissions.selectors.wording import conventions_told
from salesops.commissions.services.approvals import approve_statements, lock_period
from salesops.core.models import ExchangeRate
from salesops.deals.models import Deal
from tests.cast import NOW, Cast
from tests.commissions.pay import FLAT_8, calculated, definition, plan_in_force, statement_of, won
from tests.commissions.test_settled_periods import in_force

pytestmark = pytest.mark.django_db

LogIn = Callable[[str], Client]

MAY_8 = date(2026, 5, 8)


def published(*rates: tuple[date, str, str], base: str = "EUR") -> None:
    """Rates of the central bank: day, quote, value."""
    for day, quote, value in rates:
        ExchangeRate.objects.create(on=day, base=base, quote=quote, rate=Decimal(value), source="ecb")


def close(cast: Cast, period: Period) -> Period:
    """Approve and lock a calculated period."""
    keys = list(period.statements.values_list("pk", flat=True))
    approve_statements(actor=cast.actor("finn"), statement_ids=keys, at=NOW, note="Looked at.")
    return lock_period(actor=cast.actor("finn"), period=period, at=NOW)


def redone(bundle: dict[str, Any]) -> dict[str, Any]:
    """The bundle with digests that fit what it says now."""
    for part in ("plan", "inputs", "result"):
        bundle["digests"][part] = digest_of(bundle[part])
    bundle["digests"]["bundle"] = digest_of({name: part for name, part in bundle.items() if name != "digests"})
    return bundle


def test_the_mean_of_a_month_runs_on_until_the_month_is_over(cast: Cast, client_of: LogIn) -> None:
    plan_in_force(cast, FLAT_8, people=("ana",), exchange="month_average")
    won(cast, "ana", 1_000_00, MAY_8, currency="EUR")
    won(cast, "ana", 500_00, date(2026, 5, 29), currency="JPY", name="Far away")
    published((date(2026, 5, 4), "USD", "1.08"), (date(2026, 5, 20), "USD", "1.10"), (date(2026, 5, 20), "JPY", "160"))
    # In April, and therefore not in it.
    published((date(2026, 4, 30), "USD", "9"))
    period = calculated(cast)
    statement = statement_of(cast, "ana")
    assert [(problem["code"], problem["where"]) for problem in statement.problems] == [
        ("average-so-far", "EUR/USD 2026-05"),
        ("average-so-far", "JPY/USD 2026-05"),
    ]
    # 1.09 for a euro; 160 yen for one.
    assert statement.credited_minor == 1_090_00 + 340_63
    assert approve_statements(actor=cast.actor("finn"), statement_ids=[statement.pk], at=NOW).decided == 0

    # The 29th is a Friday and the last weekday; what comes later says that the month is over as well.
    published((date(2026, 5, 29), "USD", "1.11"), (date(2026, 6, 1), "JPY", "170"))
    close(cast, calculated(cast, period=period))
    statement.refresh_from_db()
    assert statement.problems == []
    euro = Fraction("3.29") / 3
    assert statement.credited_minor == 1_096_67 + round(50_000 * euro / 160 * 100)
    why = Credit.objects.get(why__currency="EUR").why
    assert Fraction(why["rate"]) == euro
    ((mean),) = why["rate_means"]
    assert {name: mean[name] for name in ("base", "quote", "month", "value", "count", "first", "last", "source")} == {
        "base": "EUR",
        "quote": "USD",
        "month": "2026-05",
        "value": "329/300",
        "count": 3,
        "first": "2026-05-04",
        "last": "2026-05-29",
        "source": "ecb",
    }
    line = Earning.objects.get(credit__why__currency="EUR")
    told = why_of(line)
    assert told["agrees"]
    assert told["exchange"]["means"] == why["rate_means"]
    client: Client = client_of("ana")
    page = client.get(reverse("commissions:earning_detail", args=[line.pk])).content.decode()
    assert "the mean of 3 days from 2026-05-04 to 2026-05-29 (ecb)" in page


def test_a_month_is_read_from_its_first_day_and_as_far_as_it_takes_to_know_that_it_is_over(cast: Cast) -> None:
    """The last month of the period, of which the last rates are not known but one of the next month is."""
    plan_in_force(cast, FLAT_8, people=("ana",), exchange="month_average")
    won(cast, "ana", 1_000_00, date(2026, 6, 30), currency="EUR")
    published((date(2026, 6, 1), "USD", "1.08"), (date(2026, 6, 15), "USD", "1.10"), (date(2026, 7, 1), "USD", "5"))
    calculated(cast)
    statement = statement_of(cast, "ana")
    assert (statement.problems, statement.credited_minor) == ([], 1_090_00)


def test_a_locked_mean_is_derived_again_from_its_bundle(cast: Cast) -> None:
    plan_in_force(cast, FLAT_8, people=("ana",), exchange="month_average")
    won(cast, "ana", 1_000_00, MAY_8, currency="EUR")
    won(cast, "ana", 500_00, MAY_8, currency="JPY")
    published((date(2026, 5, 4), "USD", "1.08"), (date(2026, 5, 29), "USD", "1.11"), (date(2026, 5, 29), "JPY", "160"))
    period = close(cast, calculated(cast))
    statement = statement_of(cast, "ana")
    before = bundle_bytes(bundle_of(statement))
    ExchangeRate.objects.all().delete()
    statement.refresh_from_db()
    assert (bundle_bytes(bundle_of(statement)), disagreements(period)) == (before, [])
    assert verify.disagreements(verify.read(before)) == []

    def told(change: Any) -> list[str]:
        bundle = json.loads(before)
        change(bundle["inputs"])
        return verify.disagreements(redone(copy.deepcopy(bundle)))

    def other_rate(inputs: dict[str, Any]) -> None:
        inputs["means"][1]["rates"][0][1] = "1.07"

    def one_less(inputs: dict[str, Any]) -> None:
        del inputs["means"][1]["rates"][0]

    def another_mean(inputs: dict[str, Any]) -> None:
        inputs["means"][1]["value"] = "11/10"

    def another_month(inputs: dict[str, Any]) -> None:
        inputs["means"][1]["rates"][0][0] = "2026-04-30"

    def april(inputs: dict[str, Any]) -> None:
        for mean in inputs["means"]:
            mean["month"] = "2026-04"
            mean["rates"] = [[day.replace("-05-", "-04-"), *rest] for day, *rest in mean["rates"]]
            mean["first"], mean["last"] = mean["rates"][0][0], mean["rates"][-1][0]
            mean["digest"] = digest_of({name: mean[name] for name in ("base", "quote", "month", "rates")})
        for credit in inputs["credits"]:
            credit["rate_of"]["month"] = "2026-04"

    def backwards(inputs: dict[str, Any]) -> None:
        inputs["means"][1]["rates"].reverse()

    def nowhere(inputs: dict[str, Any]) -> None:
        inputs["credits"][0]["rate_of"]["legs"] = []

    def nothing(inputs: dict[str, Any]) -> None:
        del inputs["credits"][0]["rate_of"]

    assert json.loads(before)["inputs"]["means"][1]["quote"] == "USD"
    assert told(lambda inputs: None) == []
    assert any("value comes to" in text for text in told(other_rate))
    assert any("count comes to 1, stated is 2" in text for text in told(one_less))
    assert any("the rate of exchange comes to" in text for text in told(another_mean))
    assert any("not of the days of the month" in text for text in told(another_month))
    assert any("from what the rate of exchange was made" in text for text in told(nothing))
    assert any("not of the days of the month" in text for text in told(backwards))
    assert any("the means lead to EUR" in text or "the means lead to JPY" in text for text in told(nowhere))
    for name in ("first", "last", "source", "digest"):
        found = told(lambda inputs, name=name: inputs["means"][1].update({name: "another"}))
        assert any(f"{name} comes to" in text and "stated is another" in text for text in found)
    assert [text.partition(": ")[2] for text in told(april)] == [
        "the mean is of 2026-04, and the day is 2026-05-08."
    ] * 2


def stated(rates: dict[str, str], exchange: str = "fixed") -> dict[str, Any]:
    """A plan that states its rates of exchange."""
    return definition(FLAT_8, exchange=exchange) | {"rates": rates}


def test_the_plan_states_the_rate_and_what_it_leaves_out_holds_the_statement(cast: Cast, client_of: LogIn) -> None:
    in_force(cast, stated({"EUR": "1.10", "KWD": "3.25"}), ("ana",))
    won(cast, "ana", 1_000_00, MAY_8, currency="EUR")
    won(cast, "ana", 1_000_000, MAY_8, currency="KWD")
    won(cast, "ana", 1_000_00, MAY_8, currency="GBP", name="Not stated")
    published((MAY_8, "USD", "2"), (MAY_8, "GBP", "2"))
    period = calculated(cast)
    statement = statement_of(cast, "ana")
    assert [(problem["code"], problem["where"]) for problem in statement.problems] == [("rate-not-stated", "GBP/USD")]
    # A dinar has a thousand fils.
    assert statement.credited_minor == 1_100_00 + 3_250_00
    assert approve_statements(actor=cast.actor("finn"), statement_ids=[statement.pk], at=NOW).decided == 0
    Deal.objects.filter(currency="GBP").update(currency="USD")
    close(cast, calculated(cast, period=period))
    statement.refresh_from_db()
    assert statement.earned_minor == 88_00 + 260_00 + 80_00
    bundle = json.loads(bundle_bytes(bundle_of(statement)))
    assert bundle["plan"]["rates"] == {"EUR": "1.10", "KWD": "3.25"}
    assert verify.disagreements(bundle) == []
    bundle["plan"]["rates"]["EUR"] = "1.11"
    assert any(
        "the rate of exchange comes to 111/100, stated is 11/10" in text for text in verify.disagreements(bundle)
    )
    page = client_of("ana").get(reverse("commissions:statement_detail", args=[statement.pk])).content.decode()
    assert "as the plan states: 1 EUR = 1.10 USD, 1 KWD = 3.25 USD" in page
    line = Earning.objects.get(credit__why__currency="EUR")
    assert why_of(line)["exchange"]["legs"] == [
        {"base": "EUR", "quote": "USD", "on": "2026-05-08", "rate": "1.1", "source": "plan"}
    ]


@pytest.mark.parametrize(
    ("rates", "where"),
    [
        ({"EUR": "0"}, "rates.EUR"),
        ({"EUR": "-1"}, "rates.EUR"),
        ({"EUR": "1,1"}, "rates.EUR"),
        ({"EUR": 1}, "rates.EUR"),
        ({"USD": "1"}, "rates.USD"),
        ({"euro": "1"}, "rates.euro"),
        (["EUR"], "rates"),
    ],
)
def test_what_is_no_rate_is_not_read(rates: Any, where: str) -> None:
    assert [problem.where for problem in plan_from_plain(stated(rates)).problems] == [where]


def test_rates_that_are_not_counted_by_are_not_put_in_force() -> None:
    plan = plan_from_plain(stated({"EUR": "1.10"}, "month_average")).unwrap()
    assert [problem.code for problem in activation_problems(plan)] == ["rates-unused"]
    assert activation_problems(plan_from_plain(stated({"EUR": "1.10"})).unwrap()) == []


def test_the_plan_prints_its_rates() -> None:
    plan = plan_from_plain(stated({"JPY": "0.0065", "EUR": "1.10"})).unwrap()
    (told,) = (each for each in conventions_told(plan) if each.name == "exchange")
    assert (told.answer, told.is_default) == ("Fixed, as the plan states: 1 EUR = 1.10 USD, 1 JPY = 0.0065 USD", False)
