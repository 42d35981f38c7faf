"""Public examples by files: splits, managers, several plans, currencies."""

from typing import Any

from tests.commissions.case_files import (
    NEEDS_CASES,
    PERIODS,
    all_cents,
    calculated,
    cents,
    deal,
    paid,
    part,
    percent,
    plan,
    reproduces,
    share,
    tiered,
)

pytestmark = NEEDS_CASES

Case = dict[str, Any]


def split(shares: dict[str, str]) -> str:
    """Shares as the column of credits has them."""
    return "; ".join(f"{person.split()[0]} {percent(share(text))}" for person, text in shares.items())


@reproduces("icm-split-01")
def test_a_deal_shared_by_two(case: Case) -> None:
    (item,) = case["inputs"]
    words = plan(part(rate=case["plan"]["rate"]), currency=case["plan"]["currency"])
    result = paid(words, [deal(item["deal"], item["amount"], person="", credits=split(item["credits"]))])
    assert {name: result.person(name)["earned"] for name in result.people()} == case["expected"]
    # Shares that are no whole are refused.
    short = split(item["credits"] | {"P2": "0.2"})
    refused = calculated(words, [deal(item["deal"], item["amount"], person="", credits=short)])
    assert [problem["code"] for problem in refused.problems] == ["shares-not-whole"]
    assert refused.people() == []


@reproduces("icm-split-03")
def test_the_part_moves_each_person_along_the_tiers(case: Case) -> None:
    (item,) = case["inputs"]
    quotas = [{"person": name, "quota": case["plan"]["quota"].split()[0]} for name in item["credits"]]
    result = paid(tiered(case), [deal(item["deal"], item["amount"], person="", credits=split(item["credits"]))], quotas)
    assert {name: result.person(name)["earned"] for name in result.people()} == case["expected"]


@reproduces("xactly-credit-01")
def test_an_order_credited_in_halves(case: Case) -> None:
    (item,) = case["inputs"]
    names = [f"P{index}" for index in range(item["people"])]
    credits = "; ".join(f"{name} {percent(share('1') / item['people'])}" for name in names)
    result = paid(plan(part(rate="1%")), [deal("O1", item["order"], person="", credits=credits)])
    each = [cents(component["credited"]) for name in names for component in result.components(name)]
    assert each == [cents(case["expected"]["credit_each"])] * len(names)


@reproduces("amant-retro-03", "amant-retro-04")
def test_a_manager_is_paid_on_what_the_team_sold(case: Case) -> None:
    words = tiered(case)
    words["components"][0]["crediting"] = ["roll_up"]
    rows = [deal(f"S{index}", item["sale"], item["date"], f"Rep {index}") for index, item in enumerate(case["inputs"])]
    quotas = [{"person": row["person"], "manager": "Boss"} for row in rows] + [{"person": "Boss"}]
    result = paid(words, rows, quotas)
    assert result.people() == ["Boss"]
    assert result.person("Boss")["earned"] == case["expected"]["bonus"]


@reproduces("icm-mgr-02")
def test_a_manager_on_another_plan_is_paid_on_a_part_of_the_credit(case: Case) -> None:
    words = case["plan"]
    override = part(rate=words["B"], crediting=["roll_up"], amount=f"amount * {words['override']}")
    plans = [plan(part(rate=words["A"]), name="A"), plan(override, name="B")]
    quotas = [{"person": "alice", "plan": "A", "manager": "bob"}, {"person": "bob", "plan": "B"}]
    rows = [deal(item["deal"], item["amount"], person=item["payee"].split()[0]) for item in case["inputs"]]
    result = paid(plans, rows, quotas)
    found = [result.person("alice", "A")["earned"], result.person("bob", "B")["earned"]]
    assert [cents(text) for text in found] == all_cents([case["expected"]["alice"], case["expected"]["bob"]])


@reproduces("icm-run-01")
def test_a_deal_shared_across_two_plans(case: Case) -> None:
    (item,) = case["inputs"]
    plans = [plan(part(rate=rate), name=name) for name, rate in case["plan"]["plans"].items()]
    on = {name.split()[0]: name.split()[2].rstrip(")") for name in item["credits"]}
    quotas = [{"person": person, "plan": name} for person, name in on.items()]
    result = paid(plans, [deal(item["deal"], item["amount"], person="", credits=split(item["credits"]))], quotas)
    found = {person: cents(result.person(person, name)["earned"]) for person, name in on.items()}
    assert found == {person: cents(text) for person, text in case["expected"].items()}
    assert [result.people(name) for name in on.values()] == [[person] for person in on]


@reproduces("icm-run-02")
def test_plans_of_different_periods(case: Case) -> None:
    plans = []
    for name, text in case["plan"]["plans"].items():
        rate, period = text.split()
        plans.append(plan(part(rate=rate), name=name, period_kind=PERIODS[period]))
    quotas = [{"person": "P001", "plan": "Q"}, {"person": "P002", "plan": "M"}]
    (each, once) = (item[person] for item, person in zip(case["inputs"], ("P001", "P002"), strict=True))
    assert each.endswith("in each of 2026-01..03")
    rows = [deal(f"Q{month}", each.split()[0], f"2026-{month:02d}-10", "P001") for month in (1, 2, 3)]
    rows.append(deal("M1", once.split()[0], f"{once.split()[-1]}-10", "P002"))
    result = paid(plans, rows, quotas)
    for person, name in (("P001", "Q"), ("P002", "M")):
        amount, period = case["expected"][person].split(" in ")
        told = [(item["period"], cents(item["earned"])) for item in result.periods(person, name)]
        assert told == [(period.replace("-Q", "Q"), cents(amount))]


@reproduces("idynamics-ccy-01")
def test_an_invoice_in_pounds_is_paid_in_pounds_or_at_the_rate_of_its_day(case: Case) -> None:
    words, expected = case["plan"], case["expected"]
    pounds, dollars = words["invoice_currency"], words["local_currency"]
    rate = words["fx"].split("$")[1].split()[0]
    rows = [deal("I1", case["inputs"][0]["invoice"].removeprefix("£"), "2026-03-02", currency=pounds)]
    days = (("2026-03-01", "1.50"), ("2026-03-02", rate), ("2026-03-03", "1.70"))
    rates = [{"date": day, "base": pounds, "quote": dollars, "rate": number} for day, number in days]
    for currency, name in ((pounds, "commission_GBP"), (dollars, "commission_USD_at_invoice_date")):
        result = paid(plan(part(rate=words["rate"]), currency=currency), rows, rates=rates)
        assert cents(result.person()["earned"]) == cents(expected[name])
    missing = calculated(plan(part(rate=words["rate"])), rows)
    assert [(problem["code"], problem["person"]) for problem in missing.problems] == [("rate-missing", "Ana")]
