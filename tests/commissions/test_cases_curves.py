"""Public examples by files: rates, tiers, accelerators, caps and floors, rules by product, formulas, quotas, ramps."""

import re
from fractions import Fraction
from typing import Any

from salesops.commissions.rules.amortisation import straight_line
from salesops.commissions.services.plan_files import read_plans
from salesops.values.money import round_half_up
from tests.commissions.case_files import (
    CASES,
    NEEDS_CASES,
    Result,
    all_cents,
    calculated,
    cents,
    deal,
    first_number,
    paid,
    part,
    percent,
    plan,
    plan_text,
    reproduces,
    share,
    thousands,
    tiered,
    tiers,
)

pytestmark = NEEDS_CASES

Case = dict[str, Any]


def parts_of(result: Result, key: str) -> list[dict[str, str]]:
    """The parts of a line that lie on a slope and earn or could earn something."""
    return [item for item in result.line(key)["parts"] if item["kind"] == "slope"]


def deals_of(case: Case) -> list[dict[str, str]]:
    """A case's dated deals; those without a date all fall into one month."""
    return [
        deal(item["deal"], item["amount"], item.get("date", item.get("period", "2026-01") + "-10"))
        for item in case["inputs"]
    ]


def quota_row(quota: str, **cells: str) -> dict[str, str]:
    """Ana's quota in every period of pay, unless a period is named."""
    return {"person": "Ana", "quota": quota} | cells


# --- Flat rates ---------------------------------------------------------------------------------------------------


@reproduces("commissionstarter-01")
def test_a_flat_rate_beside_a_quota(case: Case) -> None:
    (sales,) = case["inputs"]
    words = plan(part(rate=case["plan"]["rate"]))
    result = paid(words, [deal("D1", sales)], [quota_row(case["plan"]["quota"])])
    assert cents(result.person()["earned"]) == cents(case["expected"]["commission"])
    assert result.components()[0]["attainment"] == "124.00%"


@reproduces("salescompass-01")
def test_a_flat_rate_on_a_won_opportunity(case: Case) -> None:
    (won,) = case["inputs"]
    result = paid(plan(part(rate=case["plan"]["rate"])), [deal(won["opportunity"], won["amount"])])
    assert result.person()["earned"] == case["expected"]["commission"]


@reproduces("mathscore-01")
def test_flat_rates_and_a_base_beside_one(case: Case) -> None:
    results = []
    for item in case["inputs"]:
        words = plan(part(rate=item["rate"]))
        if "base" in item:
            words["settlement"] = {"draw": {"amount": item["base"], "kind": "non_recoverable", "mode": "on_top"}}
        person = paid(words, [deal("D1", item["sales"])]).person()
        results.append(
            " → ".join(dict.fromkeys(amount.removesuffix(".00") for amount in (person["earned"], person["payout"])))
        )
    assert results == case["expected"]["results"]


@reproduces("erpnext-01")
def test_a_flat_rate_on_the_lines_that_are_marked(case: Case) -> None:
    items = [
        deal(item["item"], item.get("amount", "300"), grant_commission=str(item["grant_commission"]))
        for item in case["inputs"]
    ]
    earned = []
    for rate in case["plan"]["rate"].removesuffix(" %").split(" / "):
        result = paid(plan(part(rate=f"{rate}%", when="grant_commission = 1")), items)
        (component,) = result.components()
        assert cents(component["credited"]) == cents(case["expected"]["amount_eligible_for_commission"])
        earned.append(cents(result.person()["earned"]))
    assert earned == all_cents(case["expected"]["total_commission"])
    # 101 % is refused by the source and not by us: docs/commission-cases.md.
    below_zero = case["expected"]["refused_rates"][-1]
    broken = plan_text(plan(part(rate="1%"))).replace("1%", f"{below_zero}%")
    (problem,) = read_plans(broken.encode()).problems
    assert problem.where == "components[0].shape.rate"


# --- Tiers --------------------------------------------------------------------------------------------------------


@reproduces("amant-retro-02")
def test_retroactive_tiers(case: Case) -> None:
    sales = [deal(f"S{index}", item["sale"]) for index, item in enumerate(case["inputs"])]
    assert paid(tiered(case), sales).person()["earned"] == case["expected"]["bonus"]


@reproduces("hf-tier-01", "ehow-tier-01", "qammunity-01", "referello-01")
def test_marginal_tiers_part_by_part(case: Case) -> None:
    (sales,) = case["inputs"]
    expected = case["expected"]
    result = paid(tiered(case), [deal("D1", sales)])
    earned = cents(result.person()["earned"])
    lines = [cents(item["amount"]) for item in parts_of(result, "D1")]
    if "lines" in expected:
        assert lines == all_cents(expected["lines"])
    if "total" in expected:
        assert earned == cents(expected["total"])
    if "blended_%" in expected:
        assert round_half_up(Fraction(earned * 1000, cents(sales))) == Fraction(expected["blended_%"]) * 10
    assert sum(lines) == earned


@reproduces("prowi-acc-01")
def test_tiers_by_attainment_over_a_year(case: Case) -> None:
    words, expected = case["plan"], case["expected"]
    quota, sales = first_number(words["quota"]), first_number(case["inputs"][0])
    head = {"period_kind": "year", "currency": words["currency"]}
    result = paid(plan(part(words["tier_mode"], tiers=tiers(words)), **head), [deal("D1", sales)], [quota_row(quota)])
    plain = paid(plan(part(rate=words["tiers"][0]["rate"]), **head), [deal("D1", sales)])
    assert [cents(item["amount"]) for item in parts_of(result, "D1")] == all_cents(expected["lines"])
    earned, without = (cents(found.person()["earned"]) for found in (result, plain))
    assert [earned, without, earned - without] == all_cents(
        [expected["total"], expected["without_accelerator"], expected["extra"]]
    )
    assert result.components()[0]["attainment"] == "130.00%"


@reproduces("icm-tier-01", "icm-tier-06", "icm-cat-02", "icm-period-01")
def test_marginal_tiers_by_share_of_quota(case: Case) -> None:
    expected = case["expected"]
    result = paid(tiered(case), deals_of(case), [quota_row(case["plan"]["quota"])])
    assert cents(result.person()["earned"]) == cents(expected.get("total", expected.get("commission")))
    if "rate" in expected:
        assert [share(item["rate"]) for item in parts_of(result, "T1")] == [share(expected["rate"])]
    if "period" in expected:
        assert [item["period"] for item in result.periods()] == [expected["period"].replace("-", "")]


@reproduces("icm-tier-02")
def test_deals_are_taken_in_order_against_running_attainment(case: Case) -> None:
    rows = deals_of(case)
    result = paid(tiered(case), rows[::-1], [quota_row(case["plan"]["quota"])])
    assert result.line("T2")["earned"] == case["expected"]["commission_T2"]


@reproduces("icm-tier-03")
def test_one_deal_across_a_boundary_has_both_parts(case: Case) -> None:
    result = paid(tiered(case), deals_of(case), [quota_row(case["plan"]["quota"])])
    found = [
        (cents(item["to"]) - cents(item["from"]), share(item["rate"]), cents(item["amount"]))
        for item in parts_of(result, "T2")
    ]
    assert found == [
        (cents(line["base"]), share(line["rate"]), cents(line["commission"])) for line in case["expected"]["T2_lines"]
    ]


@reproduces("icm-tier-05")
def test_a_quota_of_zero_takes_the_top_tier_where_the_plan_says_so(case: Case) -> None:
    words = tiered(case, conventions={"zero_quota": "highest"})
    result = paid(words, deals_of(case), [quota_row(case["plan"]["quota"])])
    parts = parts_of(result, "T1")
    assert [share(item["rate"]) for item in parts] == [share(case["expected"]["rate"])]
    assert len(parts) == case["expected"]["lines"]
    held = calculated(tiered(case), deals_of(case), [quota_row(case["plan"]["quota"])])
    assert [problem["code"] for problem in held.problems] == ["quota-zero"]


@reproduces("netsuite-marginal-01")
def test_nothing_up_to_a_threshold(case: Case) -> None:
    # The rate is read from the printed pay of 40 for the 1,000 above the threshold.
    threshold = re.search(r"[\d,]+(?=;)", case["plan"]["tiers"])[0].replace(",", "")  # type: ignore[index]
    pay, on = re.search(r"(\d+) on ([\d,]+)", case["plan"]["tiers"]).groups()  # type: ignore[union-attr]
    rate = percent(Fraction(int(pay), int(on.replace(",", ""))))
    rows = [deal(f"T{item['tran']}", item["amount"]) for item in case["inputs"]]
    result = paid(plan(part("marginal", tiers=[{"from": threshold, "rate": rate}])), rows)
    assert [cents(line["earned"]) for line in result.lines()] == all_cents(case["expected"]["commission"])
    assert [cents(line["after"]) for line in result.lines()] == all_cents(
        [item["period_total"] for item in case["inputs"]]
    )


@reproduces("oracle-boundary-01")
def test_a_value_on_a_bound_takes_the_higher_tier(case: Case) -> None:
    (sales,) = case["inputs"]
    rates = []
    for boundary in ("upper", "lower"):
        words = plan(part("retroactive", tiers=tiers(case["plan"])), conventions={"boundary": boundary})
        rates.append(Fraction(cents(paid(words, [deal("D1", sales)]).person()["earned"]), cents(sales)))
    assert rates == [share(case["expected"]["rate"]), share("2%")]


@reproduces("oracle-blend-01")
def test_a_blended_rate_is_its_parts(case: Case) -> None:
    (sales,) = case["inputs"]
    result = paid(plan(part("marginal", tiers=tiers(case["plan"]))), [deal("D1", sales)])
    parts = [Fraction(cents(item["amount"]), cents(sales)) * 100 for item in parts_of(result, "D1")]
    assert parts == [Fraction(text) for text in case["expected"]["parts_%"]]
    assert sum(parts) == Fraction(case["expected"]["blended_%"])
    # The last tier at nothing works as a cap.
    top = cents(case["plan"]["tiers"][-1]["from"])
    more = paid(plan(part("marginal", tiers=tiers(case["plan"]))), [deal("D1", f"{top // 100}"), deal("D2", "5000")])
    assert more.line("D2")["earned"] == "0.00"


@reproduces("oracle-blend-02")
def test_rates_earned_in_proportion_to_the_tier_filled(case: Case) -> None:
    """The source adds up rates as if they were amounts: all of the first and a quarter of the second."""
    (sales,) = case["inputs"]
    points, upto = [{"at": "0", "pays": "0"}], Fraction(0)
    for tier in CASES["oracle-blend-01"]["plan"]["tiers"]:
        upto += share(tier["rate"]) * 100
        points.append({"at": tier["to"], "pays": str(upto)})
    result = paid(plan(part("points", points=points)), [deal("D1", sales)])
    assert cents(result.person()["earned"]) == cents(case["expected"]["blended_%"])
    assert cents(parts_of(result, "D1")[0]["amount"]) == cents(case["expected"]["first_part_%"])


@reproduces("oracle-interp-01")
def test_amounts_earned_in_proportion_to_the_tier_filled(case: Case) -> None:
    """The source starts anew with every transaction."""
    points, upto = [{"at": "0", "pays": "0"}], 0
    for tier in case["plan"]["tiers"]:
        upto += int(tier["amount"])
        points.append({"at": tier["to"], "pays": str(upto)})
    rows = [deal(key, amount, item["date"]) for item in case["inputs"] for key, amount in item.items() if key != "date"]
    result = paid(plan(part("points", points=points, scope="transaction")), rows)
    assert [cents(line["earned"]) for line in result.lines()] == all_cents(case["expected"]["commission"])
    assert cents(result.person()["earned"]) == cents(case["expected"]["total"])


@reproduces("visdum-usage-01")
def test_the_tier_of_a_deal_by_its_monthly_worth(case: Case) -> None:
    rows = [{"from": tier.get("from", "0"), "rate": tier["add"]} for tier in case["plan"]["tiers"]]
    words = plan(part("retroactive", tiers=rows, scope="transaction", counts=["usage"]))
    (usage,) = case["inputs"]
    result = paid(words, [deal("U1", usage["monthly_worth"], kind="usage"), deal("U2", "800", kind="usage")])
    earned = cents(result.line("U1")["earned"])
    assert Fraction(earned, cents(usage["monthly_worth"])) == share(case["expected"]["additional"])
    assert result.line("U2")["earned"] == "0.00"


# --- Accelerators, caps, floors -----------------------------------------------------------------------------------


def accelerator(words: Case) -> dict[str, Any]:
    """An additional line that pays rate × multiplier on the part above the threshold."""
    gate = {"at": words["threshold"].split()[0], "then": "above"}
    return part(rate=percent(share(words["rate"]) * Fraction(words["multiplier"])), gate=gate)


@reproduces("icm-acc-02", "icm-acc-03")
def test_an_additional_line_on_the_part_above_the_quota(case: Case) -> None:
    expected = case["expected"]
    result = paid(plan(accelerator(case["plan"])), deals_of(case), [quota_row(case["plan"]["quota"])])
    earning = [line["transaction"] for line in result.lines() if line["earned"] != "0.00"]
    if "lines" in expected:
        assert len(earning) == expected["lines"]
    else:
        assert earning == [expected["lines_on"].split()[0]]
        (above,) = [item for item in parts_of(result, "T2") if item["rate"] != "0"]
        assert cents(above["to"]) - cents(above["from"]) == cents(expected["base_T2"])


@reproduces("icm-multi-01")
def test_a_flat_rule_and_an_accelerator(case: Case) -> None:
    flat, more = case["plan"]["rules"]
    words = plan(part(rate=flat["rate"]), accelerator(more))
    result = paid(words, deals_of(case), [quota_row(case["plan"]["quota"])])
    assert result.person()["earned"] == case["expected"]["total"]
    assert len([line for line in result.lines() if line["earned"] != "0.00"]) == case["expected"]["lines"]


@reproduces("getcommish-01")
def test_multiples_of_a_personal_rate_against_a_ramped_quota(case: Case) -> None:
    words = case["plan"]
    ramp: list[str] = []
    for step in words["ramp"]:
        first, _dash, last = step["months"].partition("–")
        ramp += [step["quota"]] * (int(last) - int(first) + 1 if last else 1)
    rows = [{"from": tier["from"], "rate": f"{tier['x']}x personal"} for tier in words["tiers"]]
    quota = quota_row("1000", rate=words["base"], ramp_from="2026-01-01")
    deals = [deal("JAN", "1000"), deal("MAR", "1500", "2026-03-10"), deal("MAY", "2000", "2026-05-10")]
    result = paid(plan(part("marginal", tiers=rows), ramp=ramp), deals, [quota])
    for key in ("JAN", "MAR", "MAY"):
        # Each is twice the ramped quota and so goes through all tiers.
        rates = [str(share(item["rate"]) * 100) for item in parts_of(result, key)]
        assert rates == case["expected"]["effective_rate_%"]
    assert [item["quota"] for item in result.components()] == ["500.00", "750.00", "1000.00"]


@reproduces("salesops-acc-01")
def test_twice_the_rate_above_the_whole_quota(case: Case) -> None:
    times, above = re.fullmatch(r"(\d+)x above (\d+%)", case["plan"]["multiplier"]).groups()  # type: ignore[union-attr]
    attainment = share(case["inputs"][0].split()[0])
    curves = {
        "extra_without": part(rate="1x"),
        "extra_with": part("marginal", tiers=[{"from": "0", "rate": "1x"}, {"from": above, "rate": f"{times}x"}]),
    }
    for name, component in curves.items():
        row = quota_row("1000", target="700")
        result = paid(plan(component), [deal("D1", str(attainment * 1000))], [row])
        extra = Fraction(cents(result.person()["earned"]), cents("700")) - 1
        assert extra == share(case["expected"][name])


@reproduces("quotapath-capped-01")
def test_a_last_tier_at_nothing_is_a_cap_and_the_full_quota_pays_the_target(case: Case) -> None:
    quota = first_number(case["plan"]["quota"])
    words = plan(part("marginal", tiers=tiers(case["plan"])), period_kind="quarter")
    rows = [deal(f"Q{index}", quota, f"2026-{3 * index + 2:02d}-10") for index in range(4)]
    result = paid(words, rows, [quota_row(quota)])
    assert cents(result.person()["earned"]) == thousands(case["expected"]["variable_per_year"])
    most = paid(words, [deal("D1", str(int(quota) * 2)), deal("D2", quota)], [quota_row(quota)])
    assert most.line("D2")["earned"] == "0.00"


@reproduces("mikesalkin-01")
def test_a_least_amount_for_each_deal(case: Case) -> None:
    floor = first_number(case["plan"]["floor"])
    words = plan(part(case["plan"]["tier_mode"], tiers=tiers(case["plan"]), floor=floor, scope="transaction"))
    rows = [deal(f"D{index}", amount) for index, amount in enumerate(case["inputs"])]
    result = paid(words, rows)
    earned = [cents(line["earned"]) for line in result.lines()]
    assert earned == all_cents(case["expected"]["commission"])
    effective = [Fraction(pay * 100, cents(sales)) for pay, sales in zip(earned, case["inputs"], strict=True)]
    assert effective == [Fraction(text) for text in case["expected"]["effective_%"]]


# --- Rules by product, discount, formula --------------------------------------------------------------------------


@reproduces("oca-criteria-01")
def test_the_most_particular_rule_takes_a_line_first(case: Case) -> None:
    names = ("all", "category", "product", "variant")
    says = {name: value for rule in case["plan"]["rules"] for name, value in rule.items()}
    worth = dict(zip(names, says.values(), strict=True))
    found = {"all": "", "category": 'category = "Office Furniture"'}
    found |= {"product": 'product = "Customizable Desk"', "variant": 'variant = "Steel, White"'}
    components = []
    for name in reversed(names):
        fixed = worth[name].startswith("fixed")
        shape = {"rate": f"{first_number(worth[name])} each", "measure": "count"} if fixed else {"rate": worth[name]}
        condition = {"when": found[name]} if found[name] else {}
        components.append(part(**shape, **condition, key=name, name=name, group="line"))
    lines = [
        {"product": "Chair", "category": "Home"},
        {"product": "Cabinet", "category": "Office Furniture"},
        {"product": "Customizable Desk", "category": "Office Furniture"},
        {"product": "Customizable Desk", "category": "Office Furniture", "variant": "Steel, White"},
    ]
    rows = [
        deal(f"L{index}", item["price"], **{"product": "", "category": "", "variant": ""} | line)
        for index, (item, line) in enumerate(zip(case["inputs"], lines, strict=True))
    ]
    result = paid(plan(*components), rows)
    assert [cents(result.line(f"L{index}")["earned"]) for index in range(4)] == all_cents(case["expected"]["amounts"])


@reproduces("oca-rules-02")
def test_the_order_of_the_rules_decides(case: Case) -> None:
    rules = sorted(case["plan"]["rules"], key=lambda rule: rule["seq"])
    conditions = {"child category": 'category = "child"', "product_1": 'product = "product_1"'}
    components = [part(rate=rule["rate"], when=conditions[rule["match"]], group="line") for rule in rules]
    components.append(part(rate=case["plan"]["fallback"], group="line"))
    category = {"product_1": "child", "product_2": "child", "product_3": "other"}
    rows = [
        deal(name, amount, product=name, category=category[name])
        for item in case["inputs"]
        for name, amount in item.items()
    ]
    printed = next(check["printed"] for check in case["checks"])
    assert cents(paid(plan(*components), rows).person()["earned"]) == cents(printed)


@reproduces("oca-discount-01")
def test_an_amount_by_the_discount_given(case: Case) -> None:
    low, high = case["plan"]["rules"]
    most = low["discount"].removesuffix("%").split("–")[1]
    words = plan(
        part(rate=f"{low['fixed']} each", measure="count", when=f"discount <= {most}"),
        part(rate=f"{high['fixed']} each", measure="count", when=f"discount > {most}"),
    )
    rows = [deal(f"L{index}", item["price"], discount=item["discount"]) for index, item in enumerate(case["inputs"])]
    result = paid(words, rows)
    earned = [cents(result.line(row["key"])["earned"]) for row in rows]
    assert earned == all_cents(case["expected"]["amounts"])


@reproduces("oca-formula-01")
def test_a_formula(case: Case) -> None:
    partial, result = (step.split(" = ")[1] for step in case["plan"]["formula"].split("; "))
    amount = result.replace("partial", f"({partial})").replace("subtotal", "amount")
    (order,) = case["inputs"]
    found = paid(plan(part(rate="100%", amount=amount)), [deal(order["order"], order["amount"])])
    assert found.person()["earned"] == case["expected"]["commission"]


# --- Things counted -----------------------------------------------------------------------------------------------


@reproduces("quotapath-sdr-01")
def test_an_amount_for_each_opportunity(case: Case) -> None:
    count = first_number(case["plan"]["quota"])
    words = plan(
        part(rate=f"{first_number(case['plan']['rate'])} each", measure="count", counts=["opportunity"]),
        period_kind="quarter",
    )
    rows = [
        deal(f"Q{index}", "0", f"2026-{3 * index + 1:02d}-10", kind="opportunity", quantity=count) for index in range(4)
    ]
    result = paid(words, rows, [quota_row(count)])
    assert cents(result.person()["earned"]) == thousands(case["expected"]["variable_per_year"])
    assert {item["attainment"] for item in result.components()} == {"100.00%"}


@reproduces("quotapath-sdr-03")
def test_three_parts_with_their_weights(case: Case) -> None:
    demos, opportunities, arr = case["plan"]["parts"]
    shares = {name: case["expected"][f"{name}_share"] for name in ("demo", "opportunity")}
    rest = percent(1 - sum(share(text) for text in shares.values()))
    components = [
        part(
            rate=f"{re.search(r'[$]([0-9]+)', text)[1]} each",  # type: ignore[index]
            measure="count",
            counts=[name],
            key=name,
            name=name,
            weight=shares[name],
            quota_name=name,
        )
        for name, text in (("demo", demos), ("opportunity", opportunities))
    ]
    # The rate on closed revenue is not printed: target pay ÷ quota, for the weight that is left.
    components.append(part(rate="1x", counts=["booking"], key="arr", name="arr", weight=rest, quota_name="arr"))
    quota = re.search(r"[\d,]+", arr)[0].replace(",", "")  # type: ignore[index]
    target = str(thousands(case["plan"]["variable"].split()[0]) // 400)
    counts = {"demo": first_number(demos), "opportunity": first_number(opportunities)}
    quotas = [
        {"person": "Ana", "quota_name": name, "quota": reach, "target": target}
        for name, reach in (counts | {"arr": quota}).items()
    ]
    rows = []
    for index in range(4):
        day = f"2026-{3 * index + 1:02d}-10"
        rows += [deal(f"{name}{index}", "0", day, kind=name, quantity=count) for name, count in counts.items()]
        rows.append(deal(f"arr{index}", quota, day, kind="booking"))
    result = paid(plan(*components, period_kind="quarter"), rows, quotas)
    variable = thousands(case["plan"]["variable"].split()[0])
    assert cents(result.person()["earned"]) == variable
    for name, text in shares.items():
        earned = sum(cents(line["earned"]) for line in result.lines() if line["component"] == name)
        assert Fraction(earned, variable) == share(text)


# --- Quotas, ramps, proration -------------------------------------------------------------------------------------


@reproduces("icm-att-02")
def test_the_quota_of_a_period_goes_before_the_one_that_holds_always(case: Case) -> None:
    words = case["plan"]
    ((period, quota),) = words["quotas"].items()
    quotas = [quota_row(words["quota_default"]), quota_row(quota, period=period)]
    later = deal("T2", case["inputs"][0]["amount"], "2026-02-10")
    result = paid(plan(part(rate="5%")), [*deals_of(case), later], quotas)
    first, second = result.components()
    expected = case["expected"]
    assert [cents(first["quota"]), cents(first["credited"])] == all_cents([expected["quota"], expected["bookings"]])
    printed = Fraction(expected["attainment"].split()[0])
    assert round_half_up(share(first["attainment"]) * 10_000) == printed * 10_000
    assert cents(second["quota"]) == cents(words["quota_default"])


@reproduces("icm-quota-02")
def test_the_quota_that_holds_always_where_the_period_has_none(case: Case) -> None:
    default, first = re.search(r"default (\d+) \(Q1 (\d+)", case["plan"]["quota"]).groups()  # type: ignore[union-attr]
    quotas = [quota_row(default), quota_row(first, period="2026Q1")]
    assert paid(tiered(case), deals_of(case), quotas).person()["earned"] == case["expected"]["total"]


@reproduces("icm-cat-01")
def test_a_quota_for_one_category(case: Case) -> None:
    name, quota, default = re.search(r"(\w+) (\d+) \(default (\d+)\)", case["plan"]["quota"]).groups()  # type: ignore[union-attr]
    words = tiered(case)
    words["components"][0]["quota_name"] = name
    quotas = [quota_row(default), quota_row(quota, quota_name=name)]
    assert cents(paid(words, deals_of(case), quotas).person()["earned"]) == cents(case["expected"]["total"])


@reproduces("icm-cat-04")
def test_a_ramp_on_the_quota_of_a_category(case: Case) -> None:
    quota, ramp, comes_to = re.fullmatch(r"(\d+) × ramp ([\d.]+) = (\d+)", case["plan"]["quota"]).groups()  # type: ignore[union-attr]
    result = paid(tiered(case, ramp=[ramp]), deals_of(case), [quota_row(quota, ramp_from="2026-01-01")])
    assert cents(result.person()["earned"]) == cents(case["expected"]["total"])
    assert cents(result.components()[0]["quota"]) == cents(comes_to)


@reproduces("icm-ramp-01")
def test_a_ramp_from_the_month_of_the_start(case: Case) -> None:
    """The source does not prorate the month of the start, and there is no quota before it."""
    expected = case["expected"]
    words = plan(part(rate="5%"), ramp=case["plan"]["ramp"], conventions={"proration": "none"})
    first, months = case["plan"]["start"].split()[0], case["inputs"]["months"]

    def quotas_from(start: str, wanted: list[str]) -> Result:
        rows = [deal(f"D{month}", "100", f"{month}-28") for month in wanted]
        return calculated(words, rows, [quota_row(case["plan"]["quota"], ramp_from=start, on_plan_from=start)])

    def told(result: Result) -> dict[str, int]:
        return {item["period"]: cents(item["components"][0]["quota"]) for item in result.periods()}

    assert told(quotas_from(first, months)) == {month: cents(expected[f"quota_{month}"]) for month in months}
    mid = {month: cents(quota) for month, quota in expected["start_2026-06-15"].items()}
    assert told(quotas_from("2026-06-15", list(mid))) == mid
    before = quotas_from(first, ["2025-12", *months])
    assert "2025-12" not in told(before)
    assert expected["quota_before_start"] == "0"
    (problem,) = before.problems
    assert problem["code"] == "not-on-a-plan"
    assert problem["message"].endswith("on no plan on that day: 1.")


@reproduces("icm-ramp-04")
def test_a_ramp_on_the_quota_of_a_period(case: Case) -> None:
    ((period, quota),) = case["plan"]["quotas"].items()
    words = plan(part(rate="5%"), ramp=case["plan"]["ramp"])
    result = paid(words, [deal("D1", "1")], [quota_row(quota, period=period, ramp_from=f"{period}-01")])
    assert cents(result.components()[0]["quota"]) == cents(case["expected"][f"quota_{period}"])


@reproduces("quickbase-prorate-01")
def test_a_seasonal_quota_from_the_month_of_the_start(case: Case) -> None:
    words, year = case["plan"], case["plan"]["start"][:4]
    whole = Fraction(first_number(words["quota"]))
    quotas = [
        quota_row(str(whole * share(part_of_year)), period=f"{year}Q{index}", on_plan_from=words["start"])
        for index, part_of_year in enumerate(words["seasonality"], 1)
    ]
    rows = [deal(f"D{month}", "1", f"{year}-{month:02d}-10") for month in (3, 4, 7, 10)]
    head = {"period_kind": "quarter", "conventions": {"proration": "months"}}
    found = [item["quota"] for item in paid(plan(part(rate="5%"), **head), rows, quotas).components()]
    # The source prints whole dollars.
    dollars = [round_half_up(Fraction(text)) for text in found]
    assert dollars == [int(case["expected"][f"Q{index}"]) for index in range(1, 5)]
    assert sum(dollars) == int(case["expected"]["total"])


# --- Amortisation -------------------------------------------------------------------------------------------------


@reproduces("asc-aleq-01")
def test_commissions_of_four_people_over_48_months(case: Case) -> None:
    months = int(case["plan"]["life"].split()[0])
    amounts = [amount for item in case["inputs"] for amount in item.values()]
    schedules = [straight_line(cents(amount), months) for amount in amounts]
    # The source prints whole dollars.
    assert [round_half_up(schedule[0], 100) for schedule in schedules] == [
        int(text) for text in case["expected"]["per_month"]
    ]
    assert [sum(schedule) for schedule in schedules] == all_cents(amounts)


@reproduces("asc-velocity-01")
def test_a_commission_over_five_years(case: Case) -> None:
    years = int(case["plan"]["life"].split()[0])
    schedule = straight_line(cents(case["plan"]["capitalise"]), 12 * years)
    assert schedule == [cents(case["expected"]["month"])] * 12 * years
    assert cents(case["inputs"][0]["commission"]) == sum(schedule)
