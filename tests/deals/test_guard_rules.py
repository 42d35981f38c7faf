"""The selling guard as rules: what breaks one, which effect wins, and that the reason names the rule and its figures."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesops.deals.rules.ageing import age_of
from salesops.deals.rules.amounts import line_amount
from salesops.deals.rules.guard import (
    GuardRule,
    LineFacts,
    OfferFacts,
    Outcome,
    RuleKind,
    discount_of,
    judge,
    newer_than,
    problems_of_rule,
    promises_in,
    uncovered,
    words_of,
)
from tests.leads.gtm_cases import case_of

CAP_25 = GuardRule("Cap", RuleKind.DISCOUNT, Outcome.BLOCK, tier="standard", max_discount_bp=2_500)


def line(discount_bp: int = 0, **fields: Any) -> LineFacts:
    """A line of ten pieces at 100.00, with this discount."""
    values = {"product": 1, "quantity": Decimal(10), "list_minor": 10_000, "unit_minor": 10_000} | fields
    values.setdefault("amount_minor", line_amount(values["quantity"], values["unit_minor"], discount_bp))
    return LineFacts(discount_bp=discount_bp, **values)


def offer(*lines: LineFacts, **fields: Any) -> OfferFacts:
    """An offer in dollars."""
    return OfferFacts(lines=lines, **({"currency": "USD"} | fields))


def reasons(rules: list[GuardRule], what: OfferFacts) -> list[str]:
    return [each.problem.text() for each in judge(rules, what).violations]


def test_the_printed_example_is_blocked_with_its_very_words() -> None:
    case = case_of("guard-66")
    rule = replace(CAP_25, tier=case["inputs"]["tier"], max_discount_bp=case["inputs"]["max_discount_pct"] * 100)
    verdict = judge([rule], offer(line(case["inputs"]["discount_pct"] * 100)))
    assert verdict.outcome.value.upper() == case["expected"]["outcome"]
    assert [each.problem.text() for each in verdict.violations] == [case["expected"]["reason"]]


def test_the_printed_example_without_the_file() -> None:
    assert reasons([CAP_25], offer(line(3_500))) == [
        "Discount of 35% exceeds max_discount_by_tier['standard'] = 25%.",
    ]


def test_ages_are_as_printed() -> None:
    case = case_of("aging-102")
    given_days = zip(case["inputs"]["days"], case["inputs"]["expected_days"], strict=True)
    assert [age_of(days, expected).value for days, expected in given_days] == case["expected"]["status"]


@pytest.mark.parametrize(
    ("days", "expected", "is_open", "age"),
    [
        (13, 14, True, "green"),
        (14, 14, True, "yellow"),
        (20, 14, True, "yellow"),
        (21, 14, True, "red"),
        (7, 5, True, "yellow"),
        (8, 5, True, "red"),
        (400, 14, False, "green"),
        (400, None, True, "green"),
        (400, 0, True, "green"),
    ],
)
def test_a_card_turns_yellow_at_once_and_red_at_one_and_a_half_times(
    days: int, expected: int | None, is_open: bool, age: str
) -> None:
    assert age_of(days, expected, is_open=is_open) == age


def test_exactly_the_highest_discount_is_allowed() -> None:
    assert judge([CAP_25], offer(line(2_500))).outcome is Outcome.ALLOW
    assert reasons([CAP_25], offer(line(2_501))) == [
        "Discount of 25.01% exceeds max_discount_by_tier['standard'] = 25%."
    ]


def test_a_lower_price_or_amount_is_a_discount_as_well() -> None:
    cheaper = line(0, unit_minor=6_500)
    stated = line(0, amount_minor=65_000)
    assert [discount_of(each) for each in (cheaper, stated)] == [3_500, 3_500]
    for each in (cheaper, stated):
        assert reasons([CAP_25], offer(each)) == ["Discount of 35% exceeds max_discount_by_tier['standard'] = 25%."]


def test_limits_are_named_by_what_they_depend_on() -> None:
    cap = replace(CAP_25, tier="")
    facts = offer(line(3_000), segment="smb")
    names = [
        reasons([rule], facts)[0].split(" exceeds ")[1]
        for rule in (cap, replace(cap, segment="smb"), replace(cap, segment="smb", tier="standard"))
    ]
    assert names == [
        "max_discount = 25%.",
        "max_discount_by_segment['smb'] = 25%.",
        "max_discount_by_segment_and_tier['smb', 'standard'] = 25%.",
    ]
    assert reasons([replace(cap, segment="enterprise"), replace(cap, tier="premium")], facts) == []


def test_all_rules_are_asked_and_the_worst_wins() -> None:
    ask = replace(CAP_25, name="Ask", effect=Outcome.ESCALATE, max_discount_bp=1_500)
    lesser = judge([CAP_25, ask], offer(line(2_000)))
    assert (lesser.outcome, [each.rule for each in lesser.violations]) == (Outcome.ESCALATE, ["Ask"])
    both = judge([ask, CAP_25], offer(line(3_000)))
    assert (both.outcome, [each.rule for each in both.violations]) == (Outcome.BLOCK, ["Ask", "Cap"])


def test_limits_of_an_offer_tell_their_figures() -> None:
    rule = GuardRule(
        "Size",
        RuleKind.OFFER,
        Outcome.ESCALATE,
        segment="smb",
        least_minor=100_000,
        most_minor=5_000_000,
        currency="USD",
        least_months=12,
        most_months=36,
    )
    assert reasons([rule], offer(amount_minor=99_999, term_months=11, segment="smb")) == [
        "Total of 999.99 USD is below min_total_by_segment['smb'] = 1000.00 USD.",
        "Term of 11 months is below min_term_by_segment['smb'] = 12.",
    ]
    assert reasons([rule], offer(amount_minor=5_000_001, term_months=37, segment="smb")) == [
        "Total of 50000.01 USD exceeds max_total_by_segment['smb'] = 50000.00 USD.",
        "Term of 37 months exceeds max_term_by_segment['smb'] = 36.",
    ]
    assert reasons([rule], offer(amount_minor=100_000, term_months=12, segment="smb")) == []
    assert reasons([rule], offer(amount_minor=1, term_months=1, segment="enterprise")) == []
    assert reasons([rule], offer(amount_minor=100_000, segment="smb")) == []


def test_an_offer_in_another_currency_is_exchanged_or_escalated() -> None:
    rule = GuardRule("Size", RuleKind.OFFER, Outcome.BLOCK, most_minor=100_000, currency="USD")
    euros = offer(amount_minor=95_000, currency="EUR", amounts={"USD": 104_500})
    assert judge([rule], euros).outcome is Outcome.BLOCK
    unknown = judge([rule], replace(euros, amounts={}))
    assert unknown.outcome is Outcome.ESCALATE
    assert [each.problem.text() for each in unknown.violations] == [
        "max_total is in USD, and there is no exchange rate from EUR."
    ]


@pytest.mark.parametrize(
    ("text", "phrase", "is_there"),
    [
        ("We guarantee a refund.", "guarantee", True),
        ("We GUARANTEE it", "guarantee", True),
        ("Guaranteed results", "guarantee", False),
        ("garantie à vie", "garantie a vie", True),
        ("Garantie  à   vie!", "GARANTIE À VIE", True),
        ("money-back", "money back", True),
        ("Straße frei", "strasse", True),
        ("Żółty łoś", "zolty los", True),
        ("我们保证退款给您", "保证退款", True),
        ("free of charge", "free charge", False),
        ("", "free", False),
        ("anything", "…", False),
    ],
)
def test_promises_are_found_as_whole_words(text: str, phrase: str, is_there: bool) -> None:
    assert bool(promises_in(text, [phrase])) is is_there


def test_a_forbidden_promise_says_where_it_stands() -> None:
    rule = GuardRule("No refunds", RuleKind.PROMISE, Outcome.BLOCK, phrases=("full refund", "for ever"))
    verdict = judge([rule], offer(texts=(("note", "A full refund, and a full refund"), ("line:2", "free for ever"))))
    assert [(each.problem.where, each.problem.text()) for each in verdict.violations] == [
        ("text:note", "“full refund” is one of forbidden_promises."),
        ("text:line:2", "“for ever” is one of forbidden_promises."),
    ]


def test_a_product_is_wrong_for_the_customers_named_and_no_others() -> None:
    rule = GuardRule(
        "Too big",
        RuleKind.PRODUCT,
        Outcome.BLOCK,
        product=7,
        product_name="Suite",
        employees_to=50,
        countries=("Côte d'Ivoire",),
    )
    facts = offer(products=(7,), employees=50, country="cote d’ivoire")
    assert reasons([rule], facts) == [
        "Suite is not for this customer (employees = 50; country = cote d’ivoire): wrong_product['Suite']."
    ]
    for other in (
        {"products": (8,)},
        {"employees": 51},
        {"employees": None},
        {"country": "France"},
        {"country": ""},
    ):
        assert reasons([rule], replace(facts, **other)) == []  # type: ignore[arg-type]


def test_what_was_approved_covers_the_same_and_less() -> None:
    ask = replace(CAP_25, effect=Outcome.ESCALATE)
    (given_then,) = judge([ask], offer(line(3_500))).violations
    approved = [(given_then.key, given_then.excess)]
    assert uncovered(judge([ask], offer(line(3_500))).violations, approved) == ()
    assert uncovered(judge([ask], offer(line(3_000))).violations, approved) == ()
    assert len(uncovered(judge([ask], offer(line(3_501))).violations, approved)) == 1
    assert len(uncovered(judge([ask], offer(line(3_500, product=2))).violations, approved)) == 1
    for limit in (2_000, 3_000):
        other = replace(ask, max_discount_bp=limit)
        assert uncovered(judge([other], offer(line(3_500))).violations, approved) == ()
        assert len(uncovered(judge([other], offer(line(3_501))).violations, approved)) == 1


def test_what_stood_before_stands_for_one_of_its_kind_each() -> None:
    def fresh(now: list[int], before: list[int]) -> list[int]:
        found = newer_than(
            judge([CAP_25], offer(*(line(each) for each in now))).violations,
            judge([CAP_25], offer(*(line(each) for each in before))).violations,
        )
        return [each.excess for each in found]

    assert fresh([4_000, 3_000], [3_000, 4_000]) == []
    assert fresh([3_000], [4_000]) == []
    assert fresh([4_000], []) == [4_000]
    assert fresh([3_000, 4_001], [4_000, 3_000]) == [4_001]
    assert fresh([4_000, 4_000], [4_000]) == [4_000]
    assert fresh([4_000, 3_500], [4_000]) == [3_500]
    assert fresh([3_500, 3_400], [4_000, 3_000]) == [3_400]


@pytest.mark.parametrize(
    ("limits", "given_then", "more", "less"),
    [
        ({"least_minor": 100}, {"amount_minor": 50}, {"amount_minor": 49}, {"amount_minor": 51}),
        ({"most_minor": 10}, {"amount_minor": 50}, {"amount_minor": 51}, {"amount_minor": 49}),
        ({"least_months": 24}, {"term_months": 12}, {"term_months": 11}, {"term_months": 13}),
        ({"most_months": 6}, {"term_months": 12}, {"term_months": 13}, {"term_months": 11}),
    ],
)
def test_an_approval_keeps_what_was_approved_whatever_the_later_limit(
    limits: dict[str, int], given_then: dict[str, int], more: dict[str, int], less: dict[str, int]
) -> None:
    rule = GuardRule("Limit", RuleKind.OFFER, Outcome.ESCALATE, currency="USD", **limits)  # type: ignore[arg-type]
    approved = [(each.key, each.excess) for each in judge([rule], offer(**given_then)).violations]
    assert len(approved) == 1
    for shift in (0, -1, 1):
        later = replace(rule, **{name: limit + shift for name, limit in limits.items()})
        assert uncovered(judge([later], offer(**less)).violations, approved) == ()
        assert len(uncovered(judge([later], offer(**more)).violations, approved)) == 1


def test_an_approval_without_a_rate_covers_its_currency_and_its_amount_alone() -> None:
    rule = GuardRule("Least", RuleKind.OFFER, Outcome.BLOCK, least_minor=100_000, currency="USD")
    approved = [
        (each.key, each.excess) for each in judge([rule], offer(amount_minor=95_000, currency="EUR")).violations
    ]
    for facts, count in (
        ({"amount_minor": 95_000, "currency": "EUR"}, 0),
        ({"amount_minor": 96_000, "currency": "EUR"}, 0),
        ({"amount_minor": 94_999, "currency": "EUR"}, 1),
        ({"amount_minor": 95_000, "currency": "JPY"}, 1),
    ):
        assert len(uncovered(judge([rule], offer(**facts)).violations, approved)) == count


def test_a_list_price_that_cannot_be_exchanged_is_asked_about() -> None:
    facts = offer(line(0, list_minor=None, list_currency="EUR"))
    verdict = judge([CAP_25], facts)
    assert (verdict.outcome, [each.problem.text() for each in verdict.violations]) == (
        Outcome.ESCALATE,
        [
            "The list price is in EUR, and there is no exchange rate to USD: max_discount_by_tier['standard'] = 25% cannot "
            "be checked."
        ],
    )
    approved = [(each.key, each.excess) for each in verdict.violations]
    more = offer(line(0, list_minor=None, list_currency="EUR", quantity=Decimal(20)))
    cheaper = offer(line(0, list_minor=None, list_currency="EUR", unit_minor=9_999))
    assert uncovered(judge([CAP_25], more).violations, approved) == ()
    assert len(uncovered(judge([CAP_25], cheaper).violations, approved)) == 1
    assert judge([replace(CAP_25, tier="premium")], facts).violations == ()


@pytest.mark.parametrize(
    "taken_off",
    [
        line(0, quantity=Decimal("-5")),
        line(0, unit_minor=-5_000),
        line(0, product=9, tier="rebate", quantity=Decimal("-1"), list_minor=None),
        line(0, quantity=Decimal("-1"), unit_minor=-5_000),
        LineFacts(9, "rebate", Decimal(1), None, 0, 0, -50_000),
    ],
)
def test_a_line_below_zero_is_asked_about_where_a_discount_is_limited(taken_off: LineFacts) -> None:
    verdict = judge([CAP_25], offer(line(0), taken_off))
    assert verdict.outcome is not Outcome.ALLOW
    (found,) = [each for each in verdict.violations if each.problem.code == "negative"]
    assert (found.effect, found.problem.where) == (Outcome.ESCALATE, "line:2")
    approved = [(found.key, found.excess)]
    twice = judge([CAP_25], offer(line(0), taken_off, taken_off)).violations
    more = [each for each in uncovered(twice, approved) if each.problem.code == "negative"]
    assert bool(more) == (taken_off.amount_minor < 0)
    assert judge([replace(CAP_25, tier="premium")], offer(line(0), taken_off)).outcome is Outcome.ALLOW
    assert judge([replace(CAP_25, segment="smb")], offer(line(0), taken_off)).outcome is Outcome.ALLOW


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"kind": RuleKind.DISCOUNT}, ["max_discount_bp"]),
        ({"kind": RuleKind.OFFER}, ["least_minor"]),
        ({"kind": RuleKind.OFFER, "least_minor": 2, "most_minor": 1}, ["most_minor"]),
        ({"kind": RuleKind.OFFER, "least_months": 2, "most_months": 1}, ["most_months"]),
        ({"kind": RuleKind.PROMISE}, ["phrases"]),
        ({"kind": RuleKind.PROMISE, "phrases": ("ok", "!!")}, ["phrases"]),
        ({"kind": RuleKind.PRODUCT, "segment": "smb"}, ["product"]),
        ({"kind": RuleKind.PRODUCT, "product": 1}, ["segment"]),
        ({"kind": RuleKind.PRODUCT, "product": 1, "employees_from": 5, "employees_to": 4}, ["employees_to"]),
        ({"kind": RuleKind.DISCOUNT, "max_discount_bp": 0, "effect": Outcome.ALLOW}, ["effect"]),
        ({"kind": RuleKind.DISCOUNT, "max_discount_bp": 0}, []),
    ],
)
def test_rules_that_say_nothing_are_refused(fields: dict[str, Any], where: list[str]) -> None:
    rule = GuardRule(**({"name": "Rule", "effect": Outcome.BLOCK} | fields))
    assert [problem.where for problem in problems_of_rule(rule)] == where


QUANTITIES = st.decimals(min_value="0.01", max_value="1000", places=2)


@given(st.integers(0, 10_000), st.integers(0, 10_000), QUANTITIES, st.integers(1, 10**9))
def test_a_written_discount_breaks_a_cap_exactly_above_it(
    discount: int, cap: int, quantity: Decimal, price: int
) -> None:
    amount = line_amount(quantity, price, discount)
    facts = LineFacts(1, "standard", quantity, price, price, discount, amount)
    verdict = judge([replace(CAP_25, max_discount_bp=cap)], offer(facts))
    assert (verdict.outcome is Outcome.BLOCK) == (discount > cap)


@given(st.integers(0, 10_000), QUANTITIES, st.integers(1, 10**9), st.integers(0, 10**6))
def test_whoever_pays_less_is_never_nearer_to_being_allowed(cap: int, quantity: Decimal, price: int, less: int) -> None:
    rule = replace(CAP_25, max_discount_bp=cap)
    whole = line_amount(quantity, price, 0)
    dear = LineFacts(1, "standard", quantity, price, price, 0, whole)
    cheap = replace(dear, amount_minor=whole - less)
    assert judge([rule], offer(dear)).outcome is Outcome.ALLOW
    if judge([rule], offer(cheap)).outcome is Outcome.ALLOW:
        assert cheap.amount_minor >= line_amount(quantity, price, cap)


RULES = st.lists(
    st.builds(
        GuardRule,
        name=st.text(max_size=5),
        kind=st.just(RuleKind.DISCOUNT),
        effect=st.sampled_from([Outcome.BLOCK, Outcome.ESCALATE]),
        message=st.text(max_size=20),
        max_discount_bp=st.integers(0, 10_000),
    ),
    max_size=6,
)


@given(RULES, st.lists(st.integers(0, 10_000), max_size=5), st.randoms())
def test_the_order_of_rules_does_not_matter_and_reasons_can_be_told(
    rules: list[GuardRule], discounts: list[int], random: Any
) -> None:
    facts = offer(*(line(each) for each in discounts))
    verdict = judge(rules, facts)
    effects = [each.effect for each in verdict.violations]
    expected = Outcome.BLOCK if Outcome.BLOCK in effects else Outcome.ESCALATE if effects else Outcome.ALLOW
    assert verdict.outcome is expected
    for each in verdict.violations:
        assert each.problem.text().startswith("Discount of ")
        rule = next(rule for rule in rules if rule.name == each.rule)
        if [other.name for other in rules].count(rule.name) == 1:
            assert each.problem.remedy_text() == rule.message
    shuffled = list(rules)
    random.shuffle(shuffled)
    assert judge(shuffled, facts).outcome is verdict.outcome


@given(st.text(max_size=40))
def test_folding_twice_is_folding_once(text: str) -> None:
    words = words_of(text)
    assert words_of(" ".join(words)) == words


@given(st.lists(st.sampled_from(["free", "for", "ever", "refund", "à", "vie"]), min_size=1, max_size=8), st.data())
def test_every_run_of_words_is_found_in_its_text(words: list[str], data: Any) -> None:
    start = data.draw(st.integers(0, len(words) - 1))
    end = data.draw(st.integers(start + 1, len(words)))
    phrase = " ".join(words[start:end])
    assert promises_in("! " + ", ".join(words).upper(), [phrase]) == [phrase]


def test_an_approval_does_not_move_with_the_rate_of_the_day() -> None:
    """A total and a list price in other currencies come to more tomorrow: the offer is the same, and so is the approval."""
    limit = GuardRule("Large", RuleKind.OFFER, Outcome.ESCALATE, most_minor=100_000, currency="EUR")
    cap = GuardRule("Cap", RuleKind.DISCOUNT, Outcome.ESCALATE, max_discount_bp=1_000)

    def offer(total_in_euro: int, list_minor: int, amount: int = 120_000) -> OfferFacts:
        line = LineFacts(1, list_minor=list_minor, unit_minor=amount, amount_minor=amount, exchanged_from="EUR")
        amounts = {"USD": amount, "EUR": total_in_euro}
        return OfferFacts(amount_minor=amount, currency="USD", amounts=amounts, lines=(line,))

    today, tomorrow = judge((limit, cap), offer(110_000, 160_000)), judge((limit, cap), offer(111_000, 162_000))
    approved = [(each.key, each.excess) for each in today.violations]
    assert len(approved) == 2
    assert uncovered(tomorrow.violations, approved) == ()
    cheaper = judge((limit, cap), offer(109_000, 160_000, amount=119_000))
    assert [each.kind for each in uncovered(cheaper.violations, approved)] == [RuleKind.DISCOUNT]
