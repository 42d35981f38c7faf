"""The effort score: parts, caps, bands, check-ins; with the printed examples of the field."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesops.effort.rules.hints import Hint, Worked, busier_hints, hints_for, is_busier_not_better
from salesops.effort.rules.scores import (
    Counted,
    Target,
    band_of,
    check_in,
    hundredths,
    parts_of,
    points_per_unit,
    problems_of,
    quality_bp,
    score_of,
)
from tests.leads.gtm_cases import case_of

AMBITION = (
    Target("calls", Decimal(20), 20),
    Target("emails", Decimal(20), 10),
    Target("new_leads", Decimal(5), 30),
    Target("demos", Decimal(4), 40),
)


def test_the_points_of_one_piece_as_printed() -> None:
    case = case_of("activity-59")
    targets = {
        name: Target(name, Decimal(each["target"]), each["weight"]) for name, each in case["inputs"]["daily"].items()
    }
    assert sum(target.weight for target in targets.values()) == 100
    expected = case["expected"]["points_per_unit"]
    assert points_per_unit(targets["calls"]) == expected["call"]
    assert points_per_unit(targets["emails"]) == Fraction(str(expected["email"]))
    assert points_per_unit(targets["new_leads"]) == 6
    assert points_per_unit(targets["demos"]) == 10


def test_bands_as_printed() -> None:
    case = case_of("activity-60")
    words = {"low": "below: may warrant a follow-up", "middle": "average", "high": "above average"}
    assert [words[band_of(score * 100)] for score in case["inputs"]["scores"]] == case["expected"]["band"]


def test_check_ins_as_printed() -> None:
    case = case_of("activity-61")
    assert case["inputs"]["rule"] == "score < 30 OR weekly drop > 20%"
    assert check_in(29_99, None) == "low"
    assert check_in(30_00, None) == ""
    assert check_in(30_00, 37_50) == "", "a fifth, and not more"
    assert check_in(29_99 + 1, 37_51) == "drop"
    assert check_in(60_00, 75_01) == "drop"
    assert check_in(90_00, 80_00) == ""
    assert check_in(0, 0) == "low"


@pytest.mark.parametrize(("cap", "expected"), [(None, 170), (150, 150), (100, 100)])
def test_parts_are_capped_each(cap: int | None, expected: int) -> None:
    """Without a cap 170 per cent of every target is 170, as the definitions say of the source."""
    done = {"calls": Counted(34), "emails": Counted(34), "new_leads": Counted(17), "demos": Counted(34)}
    parts = parts_of(AMBITION, done, days=Fraction(2), cap_percent=cap)
    of = {part.kind: part.points for part in parts}
    assert of["calls"] == min(17, Fraction(20 * (cap or 1000), 100))
    assert of["emails"] == Fraction(17, 2)
    parts = parts_of(
        AMBITION,
        {"calls": Counted(340), "emails": Counted(340), "new_leads": Counted(85), "demos": Counted(68)},
        days=Fraction(10),
        cap_percent=cap,
    )
    assert score_of(parts) == expected
    assert all(part.is_capped == (cap is not None) for part in parts)


def test_much_of_one_kind_does_not_make_up_for_the_others() -> None:
    parts = parts_of(AMBITION, {"calls": Counted(10_000)}, days=Fraction(5), cap_percent=150)
    assert score_of(parts) == 30
    assert next((part.kind, part.is_capped) for part in parts) == ("calls", True)


def test_half_the_time_asks_for_half() -> None:
    full = parts_of(AMBITION, {"calls": Counted(100)}, days=Fraction(5), cap_percent=150)
    part_time = parts_of(AMBITION, {"calls": Counted(50)}, days=Fraction(5, 2), cap_percent=150)
    assert score_of(full) == score_of(part_time) == 20


def test_there_is_nothing_to_divide_by() -> None:
    with pytest.raises(ValueError, match="no working day"):
        parts_of(AMBITION, {}, days=Fraction(0), cap_percent=150)
    with pytest.raises(ValueError, match="not above zero"):
        parts_of([Target("calls", Decimal(0), 100)], {}, days=Fraction(1), cap_percent=150)


def test_what_is_wrong_with_targets() -> None:
    assert problems_of(AMBITION) == []
    assert problems_of([]) == ["none"]
    assert problems_of(AMBITION[:3]) == ["weights"]
    assert problems_of([Target("calls", Decimal(0), 100)]) == ["target"]


def test_hundredths_are_half_up() -> None:
    assert hundredths(Fraction(1, 200)) == 1
    assert hundredths(Fraction(49, 10_000)) == 0
    assert hundredths(Fraction(200, 3)) == 6667


def test_quality_is_the_share_that_went_well() -> None:
    assert quality_bp([(3, 1), (1, 1)]) == 5_000
    assert quality_bp([(3, 1)]) == 3_333
    assert quality_bp([(3, 2)]) == 6_667
    assert quality_bp([(0, 0)]) is None


COUNTS = st.fixed_dictionaries({target.kind: st.integers(0, 500).map(Counted) for target in AMBITION})
DAYS = st.fractions(min_value=Fraction(1, 8), max_value=7, max_denominator=8)


@given(COUNTS, DAYS)
def test_a_score_lies_between_nothing_and_the_cap(counts: dict[str, Counted], days: Fraction) -> None:
    parts = parts_of(AMBITION, counts, days=days, cap_percent=150)
    assert 0 <= score_of(parts) <= 150
    assert all(part.points <= Fraction(part.weight * 3, 2) for part in parts)
    assert score_of(parts) == sum(part.points for part in parts)


@given(COUNTS, DAYS, st.sampled_from([target.kind for target in AMBITION]))
def test_one_more_never_lowers_it(counts: dict[str, Counted], days: Fraction, kind: str) -> None:
    more = counts | {kind: Counted(counts[kind].count + 1)}
    before = score_of(parts_of(AMBITION, counts, days=days, cap_percent=150))
    assert score_of(parts_of(AMBITION, more, days=days, cap_percent=150)) >= before


@given(COUNTS, DAYS, st.integers(2, 5))
def test_the_same_pace_gives_the_same_score(counts: dict[str, Counted], days: Fraction, times: int) -> None:
    longer = {kind: Counted(each.count * times) for kind, each in counts.items()}
    assert score_of(parts_of(AMBITION, counts, days=days, cap_percent=150)) == score_of(
        parts_of(AMBITION, longer, days=days * times, cap_percent=150)
    )


# --- Hints ----------------------------------------------------------------------------------------------------------


def worked(calls: int, reached: int, days: int = 5) -> Worked:
    return Worked(Fraction(days), {"call": (calls, reached)})


def test_more_done_and_less_of_it_well() -> None:
    """A sign that something is done to be counted."""
    assert is_busier_not_better((100, 40), (160, 40))
    assert not is_busier_not_better((100, 40), (160, 64))
    assert not is_busier_not_better((100, 40), (90, 20))
    assert not is_busier_not_better((0, 0), (90, 20))
    assert busier_hints(worked(100, 40), worked(160, 40), with_quality=["call"]) == [Hint("busier", "call", 2500, 4000)]
    assert busier_hints(worked(100, 40), worked(110, 40), with_quality=["call"]) == [], "no clear difference"
    assert busier_hints(worked(9, 9), worked(30, 3), with_quality=["call"]) == [], "nine are no share"


def test_hints_come_only_from_large_enough_groups() -> None:
    own = worked(50, 5)
    others = [worked(50, 20) for _each in range(4)]
    kinds = {"kinds": ["call"], "with_quality": ["call"]}
    assert hints_for(own, others[:3], **kinds) == []
    assert hints_for(own, others, **kinds) == [Hint("quality", "call", 1000, 4000, 4)]
    assert hints_for(own, others, **kinds, least=6) == []
    assert hints_for(worked(9, 0), others, kinds=[], with_quality=["call"]) == []
    assert hints_for(own, [*others[:3], worked(500, 200)], **kinds) == [], "one of them is most of it"


def test_what_those_do_with_whom_most_goes_well() -> None:
    own = worked(50, 15)
    good = [worked(100, 60) for _each in range(5)]
    rest = [worked(50, 10) for _each in range(6)]
    found = hints_for(own, [*good, *rest], kinds=["call"], with_quality=["call"])
    assert Hint("more", "call", 1000, 2000, 5) in found
    found = hints_for(own, [*good[:4], *rest], kinds=["call"], with_quality=["call"])
    assert [hint.what for hint in found] == ["quality"]
