"""Crediting: the right people, the whole amount, the rule's name, and nobody credited is said aloud."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesops.commissions.rules.credits import (
    DEFAULT_RULES,
    Credit,
    CreditKind,
    CreditRule,
    Grouping,
    Holding,
    Share,
    TransactionFacts,
    credit_transactions,
    reversed_credits,
)

DAY = date(2026, 3, 2)
ANNA, BEN, CHEN, DORA = 1, 2, 3, 4


def credited(
    *transactions: TransactionFacts,
    holdings: tuple[Holding, ...] = (),
    rules: tuple[CreditRule, ...] = DEFAULT_RULES,
    groupings: tuple[Grouping, ...] = (),
) -> tuple[list[tuple[int, int, str, str]], list[str]]:
    """Who is credited with how much by which rule and why, and the codes of the problems."""
    outcome = credit_transactions(transactions, holdings, rules, groupings)
    credits = [(credit.person, credit.amount, credit.rule, credit.why) for credit in outcome.unwrap()]
    return credits, [problem.code for problem in outcome.problems]


def test_agreed_shares_come_before_the_owner_and_add_up() -> None:
    split = TransactionFacts("D-1", DAY, 100, owner=CHEN, shares=(Share(BEN, 6667), Share(ANNA, 3333)))
    assert credited(split) == ([(ANNA, 33, "split", ""), (BEN, 67, "split", "")], [])


def test_without_shares_the_owner_is_credited_with_all() -> None:
    assert credited(TransactionFacts("D-1", DAY, -100, owner=CHEN)) == ([(CHEN, -100, "owner", "")], [])


def test_without_an_owner_whoever_held_the_account_or_territory_on_the_day() -> None:
    holdings = (
        Holding("account:17", ANNA, date(2026, 1, 1), date(2026, 3, 2)),
        Holding("account:17", BEN, date(2026, 3, 2)),
        Holding("territory:5", CHEN, date(2026, 1, 1)),
    )
    things = ("account:17", "territory:5")
    before = TransactionFacts("D-1", date(2026, 3, 1), 100, things=things)
    on_the_day = TransactionFacts("D-2", DAY, 100, things=things)
    long_ago = TransactionFacts("D-3", date(2025, 12, 31), 100, things=things)
    elsewhere = TransactionFacts("D-4", DAY, 100, things=("account:99", "territory:5"))
    assert credited(before, on_the_day, long_ago, elsewhere, holdings=holdings) == (
        [
            (ANNA, 100, "holder", "account:17"),
            (BEN, 100, "holder", "account:17"),
            (CHEN, 100, "holder", "territory:5"),
        ],
        ["nobody-credited"],
    )


def test_nobody_credited_is_a_problem_and_stops_no_other() -> None:
    outcome = credit_transactions([TransactionFacts("D-1", DAY, 100), TransactionFacts("D-2", DAY, 5, owner=ANNA)])
    assert [credit.transaction for credit in outcome.unwrap()] == ["D-2"]
    assert [str(problem) for problem in outcome.problems] == ["D-1: Nobody is credited for D-1 of 2026-03-02."]
    assert outcome.problems[0].remedy


def test_two_holders_on_one_day_are_a_problem_and_not_a_choice() -> None:
    holdings = (Holding("account:17", ANNA, DAY), Holding("account:17", BEN, DAY))
    transaction = TransactionFacts("D-1", DAY, 100, things=("account:17",))
    assert credited(transaction, holdings=holdings) == ([], ["two-holders"])
    same = (Holding("account:17", ANNA, date(2026, 1, 1)), Holding("account:17", ANNA, DAY))
    assert credited(transaction, holdings=same) == ([(ANNA, 100, "holder", "account:17")], [])


@pytest.mark.parametrize(
    "shares",
    [
        (Share(ANNA, 5000), Share(BEN, 4999)),
        (Share(ANNA, 5000), Share(BEN, 5001)),
        (Share(ANNA, 5000), Share(ANNA, 5000)),
        (Share(ANNA, 10_000), Share(BEN, 0)),
        (Share(ANNA, 15_000), Share(BEN, -5000)),
    ],
)
def test_shares_that_are_not_a_whole_credit_nobody(shares: tuple[Share, ...]) -> None:
    assert credited(TransactionFacts("D-1", DAY, 100, owner=CHEN, shares=shares)) == ([], ["shares-not-whole"])
    assert "100 %" in credit_transactions([TransactionFacts("D-1", DAY, 100, shares=shares)]).problems[0].remedy_text()


def test_overlay_credits_come_on_top() -> None:
    facts = TransactionFacts("D-1", DAY, 101, owner=ANNA, overlays=(Share(CHEN, 5000), Share(BEN, 10_001)))
    rules = (*DEFAULT_RULES, CreditRule.OVERLAY)
    assert credited(facts, rules=rules) == (
        [(ANNA, 101, "owner", ""), (CHEN, 51, "overlay", "")],
        ["overlay-out-of-range"],
    )


def test_a_component_that_does_not_ask_for_overlays_credits_none() -> None:
    facts = TransactionFacts("D-1", DAY, 101, owner=ANNA, overlays=(Share(CHEN, 5000),))
    assert credited(facts) == ([(ANNA, 101, "owner", "")], [])


def test_a_component_of_overlays_alone_gives_the_direct_credits_to_nobody() -> None:
    facts = TransactionFacts("D-1", DAY, 101, owner=ANNA, overlays=(Share(CHEN, 5000),))
    assert credited(facts, rules=(CreditRule.OVERLAY,)) == ([(CHEN, 51, "overlay", "")], [])


def test_whoever_leads_is_credited_with_what_their_people_were_on_the_day() -> None:
    split = TransactionFacts("D-1", DAY, 101, shares=(Share(ANNA, 6000), Share(BEN, 4000)))
    lines = (
        Grouping(CreditRule.ROLL_UP, ANNA, CHEN, date(2026, 1, 1)),
        # Twice above the same person counts once; below somebody else until the day before.
        Grouping(CreditRule.ROLL_UP, ANNA, CHEN, date(2026, 3, 1)),
        Grouping(CreditRule.ROLL_UP, BEN, CHEN, date(2026, 3, 3)),
        Grouping(CreditRule.ROLL_UP, BEN, DORA, date(2026, 1, 1), date(2026, 3, 3)),
        Grouping(CreditRule.ROLL_UP, ANNA, DORA, date(2026, 1, 1)),
        Grouping(CreditRule.POD, ANNA, ANNA, date(2026, 1, 1)),
    )
    assert credited(split, rules=(CreditRule.ROLL_UP,), groupings=lines) == (
        [(CHEN, 61, "roll_up", ""), (DORA, 101, "roll_up", "")],
        [],
    )


def test_every_member_of_the_pod_is_credited_with_what_the_pod_won() -> None:
    split = TransactionFacts("D-1", DAY, 100, shares=(Share(ANNA, 6000), Share(BEN, 4000)))
    members = [
        Grouping(CreditRule.POD, person, receiver, date(2026, 1, 1))
        for person in (ANNA, CHEN)
        for receiver in (ANNA, CHEN)
    ]
    assert credited(split, rules=(*DEFAULT_RULES, CreditRule.POD), groupings=tuple(members)) == (
        [(ANNA, 60, "split", ""), (BEN, 40, "split", ""), (ANNA, 60, "pod", ""), (CHEN, 60, "pod", "")],
        [],
    )


def test_a_plan_may_try_the_rules_in_another_order() -> None:
    facts = TransactionFacts("D-1", DAY, 100, owner=ANNA, shares=(Share(BEN, 10_000),))
    owner_first = credit_transactions([facts], rules=(CreditRule.OWNER, CreditRule.SPLIT)).unwrap()
    assert [credit.person for credit in owner_first] == [ANNA]
    assert [problem.code for problem in credit_transactions([facts], rules=(CreditRule.HOLDER,)).problems] == [
        "nobody-credited"
    ]


@given(
    st.integers(-(10**12), 10**12),
    st.dictionaries(st.integers(1, 50), st.integers(1, 2000), min_size=1, max_size=5),
)
def test_direct_credits_add_up_and_a_reversal_leaves_everybody_at_zero(total: int, parts: dict[int, int]) -> None:
    first = min(parts)
    parts[first] += 10_000 - sum(parts.values())
    shares = tuple(Share(person, points) for person, points in parts.items())
    original = credit_transactions(
        [TransactionFacts("D-1", DAY, total, shares=shares, overlays=(Share(99, 3333),))],
        rules=(*DEFAULT_RULES, CreditRule.OVERLAY),
    ).unwrap()
    assert sum(credit.amount for credit in original if credit.kind is CreditKind.DIRECT) == total
    back = reversed_credits(original, "R-1", DAY, -total).unwrap()
    net: dict[tuple[int, str], int] = {}
    for credit in (*original, *back):
        net[credit.person, credit.kind] = net.get((credit.person, credit.kind), 0) + credit.amount
    assert set(net.values()) == {0}
    assert {(credit.rule, credit.why) for credit in back} == {("reversal", "D-1")}


def test_a_reversal_of_another_amount_is_a_problem() -> None:
    original = [Credit("D-1", ANNA, DAY, 100, 10_000, CreditKind.DIRECT, "owner")]
    assert [problem.code for problem in reversed_credits(original, "R-1", DAY, -99).problems] == ["reversal-differs"]
    assert reversed_credits([], "R-1", DAY, 0).value is None
