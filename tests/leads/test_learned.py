"""Learned win probabilities, piece by piece: what may be learned from, measures, features, models, parts of a score."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from itertools import permutations, product
from math import exp, log
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from salesops.leads.rules.learned import (
    Bin,
    Column,
    Fitted,
    History,
    HistoryError,
    Kind,
    fit,
    fitted,
    measures,
    training,
    usable_columns,
    usable_rows,
)
from salesops.leads.rules.learned.encoding import FEWEST, MOST_WORDS, Encoding, NumberCode, WordCode, encode
from salesops.leads.rules.learned.history import Floats, Ints, as_numbers, as_words
from salesops.leads.rules.learned.measures import Estimate
from salesops.leads.rules.learned.models import Calibration, Weights, calibrate, chances

DAY = 86_400


def ints(values: Iterable[int]) -> Ints:
    return np.array(list(values), dtype=np.int64)


def floats(values: Iterable[float]) -> Floats:
    return np.array(list(values), dtype=np.float64)


#: Scores with many ties, each with an outcome.
SCORED = st.lists(
    st.tuples(st.integers(-4, 4).map(float) | st.floats(-5, 5), st.integers(0, 1)), min_size=1, max_size=40
)
#: Probabilities with many ties, each with an outcome.
TOLD = st.lists(
    st.tuples(st.sampled_from((0.0, 0.1, 0.25, 0.5, 1.0)) | st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=60
)


def pairs_won(scores: Floats, outcome: Ints) -> tuple[float, int]:
    """Counted pair by pair: how often the won lead is above the lost one, and how many pairs there are."""
    pairs = [(won, lost) for won in scores[outcome == 1] for lost in scores[outcome == 0]]
    return sum((won > lost) + 0.5 * (won == lost) for won, lost in pairs), len(pairs)


class TestRanking:
    @given(SCORED)
    @example([(1.0, 1), (1.0, 0)])
    def test_auc_is_the_share_of_pairs(self, scored: list[tuple[float, int]]) -> None:
        scores, outcome = floats(s for s, _ in scored), ints(o for _, o in scored)
        above, pairs = pairs_won(scores, outcome)
        assert measures.auc(scores, outcome) == pytest.approx(above / pairs if pairs else 0.5, abs=1e-12)

    @given(SCORED)
    def test_turned_round_it_is_the_rest_of_one(self, scored: list[tuple[float, int]]) -> None:
        scores, outcome = floats(s for s, _ in scored), ints(o for _, o in scored)
        assert measures.auc(-scores, outcome) == pytest.approx(1 - measures.auc(scores, outcome), abs=1e-12)

    def test_equal_scores_share_a_rank(self) -> None:
        assert measures.ranks(floats([5, 1, 5, 0])).tolist() == [3.5, 2.0, 3.5, 1.0]

    def test_the_interval_is_delongs(self) -> None:
        scores, outcome = floats([1, 3, 4, 2, 2, 0]), ints([1, 1, 1, 0, 0, 0])
        # Won 1 is above one lost of three, 3 and 4 above all; lost 2 and 2 are below two won of three, 0 below all.
        won, lost = [1 / 3, 1, 1], [2 / 3, 2 / 3, 1]
        variance = np.var(won, ddof=1) / 3 + np.var(lost, ddof=1) / 3
        wide = 1.959964 * variance**0.5
        assert measures.auc_estimate(scores, outcome) == Estimate(
            pytest.approx(7 / 9), pytest.approx(7 / 9 - wide), 1.0
        )

    def test_with_one_win_nothing_is_certain(self) -> None:
        assert measures.auc_estimate(floats([1, 2, 3]), ints([0, 0, 1])) == Estimate(1.0, pytest.approx(0.020018), 1.0)

    def test_blocks_weigh_their_pairs(self) -> None:
        scores, outcome = floats([1, 2, 9, 8, 7, 9]), ints([0, 1, 0, 1, 1, 1])
        # One pair, won; three pairs, of which two are lost and one is a tie.
        found = measures.auc_within(scores, outcome, ints([0, 0, 1, 1, 1, 1]))
        assert found.value == pytest.approx((1 + 0.5) / 4)

    def test_what_only_follows_the_times_ranks_nothing_within_them(self) -> None:
        outcome = ints([1, 0, 0, 0, 1, 1, 1, 0])
        rate = floats([0.25] * 4 + [0.75] * 4)
        assert measures.auc(rate, outcome) == 0.75
        assert measures.auc_within(rate, outcome, ints([0] * 4 + [1] * 4)).value == 0.5

    def test_without_a_pair_it_says_nothing(self) -> None:
        assert measures.auc_within(floats([1, 2]), ints([0, 1]), ints([0, 1])) == Estimate(0.5, 0.0, 1.0)


class TestCalibrationChart:
    def test_exact(self) -> None:
        told, outcome = floats([0.1, 0.1, 0.3, 0.5, 0.8, 0.9]), ints([0, 0, 1, 0, 1, 1])
        chart = measures.bins(told, outcome, 3)
        assert chart == (
            Bin(0.1, 0.0, 2, 0),
            Bin(0.4, 0.5, 2, 1),
            Bin(pytest.approx(0.85), 1.0, 2, 2),
        )
        assert measures.calibration_error(chart) == pytest.approx((0.1 + 0.1 + 0.15) / 3)

    @given(TOLD, st.integers(1, 12))
    def test_bins_are_a_partition_and_keep_equals_together(self, told: list[tuple[float, int]], count: int) -> None:
        probabilities, outcome = floats(p for p, _ in told), ints(o for _, o in told)
        chart = measures.bins(probabilities, outcome, count)
        assert 1 <= len(chart) <= count
        assert sum(each.rows for each in chart) == len(told)
        assert sum(each.wins for each in chart) == outcome.sum()
        assert sum(each.predicted * each.rows for each in chart) == pytest.approx(probabilities.sum())
        ends = np.cumsum([0, *(each.rows for each in chart)])
        ordered = np.sort(probabilities)
        assert all(ordered[end - 1] < ordered[end] for end in ends[1:-1])

    @given(TOLD, st.randoms(use_true_random=False))
    def test_the_error_does_not_hang_on_the_order_of_rows(self, told: list[tuple[float, int]], chance: Any) -> None:
        def error(rows: list[tuple[float, int]]) -> float:
            return measures.calibration_error(measures.bins(floats(p for p, _ in rows), ints(o for _, o in rows)))

        mixed = list(told)
        chance.shuffle(mixed)
        assert error(mixed) == pytest.approx(error(told), abs=1e-12)
        assert 0 <= error(told) <= 1

    @given(st.floats(0, 1), st.lists(st.integers(0, 1), min_size=1, max_size=30))
    def test_one_prediction_for_all_errs_by_its_distance_from_the_share_won(self, told: float, came: list[int]) -> None:
        chart = measures.bins(np.full(len(came), told), ints(came))
        assert measures.calibration_error(chart) == pytest.approx(abs(told - sum(came) / len(came)), abs=1e-12)

    def test_nothing_has_no_error(self) -> None:
        assert measures.calibration_error(measures.bins(floats([]), ints([]))) == 0


class TestLoss:
    def test_exact(self) -> None:
        assert measures.log_loss(floats([0.8, 0.4]), ints([1, 0])) == pytest.approx(-(log(0.8) + log(0.6)) / 2)

    def test_a_certain_error_costs_much_but_not_everything(self) -> None:
        assert measures.log_loss(floats([0.0]), ints([1])) == pytest.approx(12 * log(10))

    def test_gain_and_its_interval(self) -> None:
        outcome = np.ones(30, dtype=np.int64)
        told = floats([0.5, 0.8] * 15)
        found = measures.gain(told, np.full(30, 0.4), outcome)
        each = [log(0.5 / 0.4), log(0.8 / 0.4)] * 15
        wide = 2.04523 * np.std(each, ddof=1) / 30**0.5
        assert found.value == pytest.approx(np.mean(each))
        assert (found.low, found.high) == (pytest.approx(found.value - wide), pytest.approx(found.value + wide))

    def test_neighbours_that_err_together_count_once(self) -> None:
        outcome = np.ones(300, dtype=np.int64)
        alone = measures.gain(np.tile([0.5, 0.6, 0.7], 100), np.full(300, 0.5), outcome)
        together = measures.gain(np.repeat([0.5, 0.6, 0.7], 100), np.full(300, 0.5), outcome)
        assert together.value == pytest.approx(alone.value)
        assert together.high - together.low > 3 * (alone.high - alone.low)


class TestShift:
    def test_the_same_has_not_moved(self) -> None:
        assert measures.shift(as_words(["a", "b", None]), as_words(["a", "b", None])) == 0
        assert measures.shift(floats([1, 2, 3, np.nan]), floats([1, 2, 3, np.nan])) == 0

    def test_exact(self) -> None:
        # Three words and the cell of missing values, half a lead added to each: 2.5, 1.5, .5 and .5 of 5 before.
        before, after = np.array([0.5, 2.5, 1.5, 0.5]) / 5, np.array([0.5, 0.5, 1.5, 2.5]) / 5
        found = measures.shift(as_words(["a", "a", "b"]), as_words(["b", "c", "c"]))
        assert found == pytest.approx(((after - before) * np.log(after / before)).sum())

    def test_numbers_that_went_up_and_values_that_went_missing_have_moved(self) -> None:
        before = np.arange(100, dtype=np.float64)
        assert measures.shift(before, before + 50) > 0.25
        assert measures.shift(before, np.full(100, np.nan)) > 0.25
        assert measures.shift(np.full(100, np.nan), before) > 0.25

    def test_a_tenth_more_of_the_same_has_not(self) -> None:
        before = np.arange(1000, dtype=np.float64)
        assert measures.shift(before, np.arange(0, 1000, 1.1)) < 0.01


class TestUnlike:
    @pytest.mark.parametrize(
        ("wins", "rows"),
        [
            ([40, 62], [100, 100]),
            ([12, 12, 9, 26], [100, 90, 110, 100]),
            ([5, 7], [50, 50]),
            ([9, 12, 6, 5] * 10, [30] * 40),
        ],
    )
    def test_is_as_unlikely_as_pearsons_chi_square(self, wins: list[int], rows: list[int]) -> None:
        from scipy import stats

        table = [wins, [all_of_them - won for won, all_of_them in zip(wins, rows, strict=True)]]
        expected = stats.chi2_contingency(table, correction=False).pvalue
        found = stats.norm.sf(measures.unlike(ints(wins), ints(rows)))
        assert 1e-4 < expected < 0.9
        assert log(found) == pytest.approx(log(expected), abs=0.3)

    def test_what_is_far_from_like_is_far_from_chance(self) -> None:
        assert measures.unlike(ints([300, 700]), ints([1000, 1000])) > 9

    def test_one_group_or_one_outcome_is_like_itself(self) -> None:
        assert measures.unlike(ints([3]), ints([9])) == 0
        assert measures.unlike(ints([0, 0]), ints([5, 6])) == 0
        assert measures.unlike(ints([5, 6]), ints([5, 6])) == 0


class TestCalibrating:
    def test_a_shift_and_a_slope_are_found_again(self) -> None:
        chance = np.random.default_rng(1)
        margins = chance.normal(size=20_000)
        outcome = (chance.random(20_000) < chances(0.5 * margins - 1)).astype(np.int64)
        found = calibrate(margins, outcome)
        assert (found.slope, found.shift) == (pytest.approx(0.5, abs=0.06), pytest.approx(-1, abs=0.06))

    @given(SCORED, st.lists(st.floats(-50, 50), min_size=2, max_size=20))
    def test_probabilities_never_fall_where_log_odds_rise(
        self, scored: list[tuple[float, int]], margins: list[float]
    ) -> None:
        calibration = calibrate(floats(s for s, _ in scored), ints(o for _, o in scored))
        told = calibration.probabilities(floats(sorted(margins)))
        assert (np.diff(told) >= 0).all()
        least = 1 / (len(scored) + 2)
        assert (told >= least).all()
        assert (told <= 1 - least).all()

    @given(SCORED)
    def test_the_mean_is_what_was_softened(self, scored: list[tuple[float, int]]) -> None:
        margins, outcome = floats(s for s, _ in scored), ints(o for _, o in scored)
        wins = int(outcome.sum())
        soft = np.where(outcome == 1, (wins + 1) / (wins + 2), 1 / (len(outcome) - wins + 2))
        assert chances(calibrate(margins, outcome).margins(margins)).mean() == pytest.approx(soft.mean(), abs=1e-4)

    def test_what_ranks_the_wrong_way_round_is_not_turned(self) -> None:
        found = calibrate(floats([3, 2, 1, 0] * 20), ints([0, 0, 1, 1] * 20))
        assert found.slope == 0
        assert found.probabilities(floats([-9, 9])).tolist() == pytest.approx([0.5, 0.5])

    def test_nobody_changes_nothing(self) -> None:
        assert calibrate(floats([]), ints([])) == Calibration(1.0, 0.0, 0.0, 1.0)

    def test_one_won_lead_is_no_certainty(self) -> None:
        assert calibrate(floats([0]), ints([1])).probabilities(floats([0, 100])).tolist() == pytest.approx(
            [2 / 3] * 2, abs=1e-5
        )

    def test_extreme_log_odds_do_not_overflow(self) -> None:
        with np.errstate(all="raise"):
            assert chances(floats([-1e9, 0, 1e9])).tolist() == [0, 0.5, 1]


def history(
    outcome: Iterable[int],
    columns: Mapping[str, Iterable[Any]] = {},
    known_at: Mapping[str, Iterable[int]] = {},
    **options: Any,
) -> History:
    """Leads asked about on days 0, 1, 2 …, each decided half a day later; values known when asked about unless said."""
    came = ints(outcome)
    asked = options.pop("asked_at", np.arange(len(came), dtype=np.int64) * DAY)
    made = {}
    for name, values in columns.items():
        cells, known = list(values), known_at.get(name, asked)
        is_words = any(isinstance(value, str) for value in cells)
        made[name] = Column.of_words(cells, known) if is_words else Column.of_numbers(cells, known)
    return History(made, asked, came, options.pop("decided_at", asked + DAY // 2), **options)


class TestWhatWasKnown:
    def test_a_column_filled_in_at_the_outcome_is_refused(self) -> None:
        known = [day * DAY + DAY // 2 for day in range(4)]
        leads = history([1, 0, 1, 0], {"value": [9, 0, 8, 0], "size": [1, 2, 3, 4]}, {"value": known})
        found = usable_columns(leads)
        assert set(found.unwrap().columns) == {"size"}
        (problem,) = found.problems
        assert (problem.code, problem.where) == ("known-late", "value")
        assert problem.text() == (
            "value became known only after the question was asked for 2 of 2 won and 2 of 2 lost leads; "
            "more than 1 % of either is refused."
        )

    def test_known_in_the_second_of_asking_is_known(self) -> None:
        leads = history([1, 0], {"size": [1, 2]}, {"size": [0, DAY]})
        assert usable_columns(leads).is_ok
        late = history([1, 0], {"size": [1, 2]}, {"size": [1, DAY]})
        assert not usable_columns(late).unwrap().columns

    def test_missing_values_have_no_moment(self) -> None:
        leads = history([1, 0], {"size": [None, 2], "word": [None, "b"]}, {"size": [DAY, 0], "word": [DAY, 0]})
        assert usable_columns(leads).is_ok

    def test_few_late_values_are_taken_for_missing(self) -> None:
        asked = np.zeros(400, dtype=np.int64)
        known = np.zeros(400, dtype=np.int64)
        known[[1, 2]] = 1
        columns = {"size": [7] * 400, "word": ["x"] * 400}
        leads = history([0, 1] * 200, columns, {"size": known, "word": known}, asked_at=asked)
        found = usable_columns(leads)
        assert found.is_ok
        assert np.flatnonzero(found.unwrap().columns["size"].missing()).tolist() == [1, 2]
        assert np.flatnonzero(found.unwrap().columns["word"].missing()).tolist() == [1, 2]
        assert leads.columns["size"].values[1] == 7

    def test_late_for_few_leads_but_for_the_won_ones_is_refused(self) -> None:
        """Two in a thousand values are late, and they are a fifth of the won."""
        known = np.zeros(1000, dtype=np.int64)
        known[[0, 1]] = 1
        leads = history([1] * 10 + [0] * 990, {"a": [1] * 1000}, {"a": known}, asked_at=np.zeros(1000, dtype=np.int64))
        (problem,) = usable_columns(leads).problems
        assert dict(problem.params) | {"late_won": "2", "won": "10", "late_lost": "0"} == dict(problem.params)

    def test_decided_when_asked_about_is_left_out(self) -> None:
        leads = history([1, 0, 1], {"a": [1, 2, 3]}, decided_at=ints([0, DAY + 1, 2 * DAY - 1]))
        found = usable_rows(leads)
        assert found.unwrap().columns["a"].values.tolist() == [2]
        assert found.problems[0].text() == "2 of 3 leads were decided when the question was asked, and are left out."

    def test_columns_must_fit(self) -> None:
        with pytest.raises(HistoryError, match="lengths"):
            history([1, 0], {"a": [1]}, {"a": [0]})
        with pytest.raises(HistoryError, match="outcome"):
            history([2])
        with pytest.raises(HistoryError, match="something else"):
            as_numbers(["x"])  # type: ignore[list-item]
        with pytest.raises(HistoryError, match="infinite"):
            as_numbers([float("inf")])
        with pytest.raises(HistoryError, match="rules"):
            history([1], rules=Column.of_words(["A"], [0]))


class TestFeatures:
    def test_numbers_are_told_from_their_mean(self) -> None:
        values = as_numbers([0, 2] * 50)
        code = encode({"a": values}).codes[0]
        assert code == NumberCode("a", 0.0, 2.0, 1.0, 1.0, None)
        assert code.features(as_numbers([0, 2, 1, None, 99])).tolist() == [[-1], [1], [0], [0], [1]]

    def test_outliers_are_cut(self) -> None:
        code = encode({"a": as_numbers([*range(1000), 10**9])}).codes[0]
        assert isinstance(code, NumberCode)
        assert (code.low, code.high) == (10, 990)

    def test_missing_numbers_are_told_apart_when_there_are_enough(self) -> None:
        values = [None] * FEWEST + [0, 2] * FEWEST
        found = encode({"a": as_numbers(values)})
        assert found.matrix({"a": as_numbers([None, 2])}) == pytest.approx(np.array([[0, 2 / 3], [1, -1 / 3]]))
        assert encode({"a": as_numbers(values[1:])}).width == 1

    def test_words_are_told_from_their_shares(self) -> None:
        found = encode({"a": as_words(["x"] * 30 + ["y"] * 10 + [f"rare {n}" for n in range(10)] + [None] * 10)})
        assert found.codes[0] == WordCode("a", ("x", "y"), (30 / 60, 10 / 60), 10 / 60, 10 / 60)
        shares = np.array([30, 10, 10, 10]) / 60
        rows = found.matrix({"a": as_words(["x", "y", "never seen", None, ""])})
        assert rows == pytest.approx(np.eye(4)[[0, 1, 2, 3, 3]] - shares)

    def test_an_unseen_word_without_a_rest_is_the_average(self) -> None:
        found = encode({"a": as_words(["x"] * 30 + ["y"] * 30 + [None])})
        assert found.matrix({"a": as_words(["never seen", None])}).tolist() == [[0, 0], [0, 0]]

    def test_words_beyond_the_most_are_one_rest(self) -> None:
        found = encode({"a": as_words([f"word {n:02}" for n in range(MOST_WORDS + 2)] * FEWEST)}).codes[0]
        assert isinstance(found, WordCode)
        assert (len(found.words), found.rest) == (MOST_WORDS, pytest.approx(2 / (MOST_WORDS + 2)))

    @pytest.mark.parametrize("values", [as_numbers([None] * 50), as_numbers([0.1] * 50), as_words(["rare"] * 3)])
    def test_what_tells_nothing_has_no_feature(self, values: Any) -> None:
        found = encode({"a": values})
        assert found.matrix({"a": values}).shape == (len(values), 0)

    def test_over_what_was_learned_features_cancel_out(self) -> None:
        columns = {"n": as_numbers([None, 1, 2, 5] * 20), "w": as_words(["a", "b", None, "c"] * 20)}
        assert encode(columns).matrix(columns).sum(axis=0) == pytest.approx(0, abs=1e-9)

    def test_kept_as_plain_data(self) -> None:
        found = encode({"n": as_numbers([None, 1, 2, 5] * 20), "w": as_words(["a", "b", None, "c"] * 20)})
        assert Encoding.from_plain(json.loads(json.dumps(found.as_plain(), allow_nan=False))) == found

    def test_a_column_that_is_not_there_or_changed_its_kind_is_refused(self) -> None:
        found = encode({"a": as_numbers([0, 2] * 50)})
        with pytest.raises(HistoryError, match="The column a"):
            found.matrix({})
        with pytest.raises(HistoryError, match="The column a"):
            found.matrix({"a": as_words(["x"])})


def joined(rows: int = 600, seed: int = 3) -> tuple[Floats, Ints]:
    """Features and outcomes in which two features count only together."""
    chance = np.random.default_rng(seed)
    matrix = chance.normal(size=(rows, 4))
    margins = 1.5 * np.sign(matrix[:, 0] * matrix[:, 1]) + 0.5 * matrix[:, 2]
    return matrix, (chance.random(rows) < chances(margins)).astype(np.int64)


class TestModels:
    def test_trees_say_what_scikit_learn_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier

        seen: list[Any] = []
        original = HistGradientBoostingClassifier.fit

        def fit_and_keep(self: Any, *arguments: Any) -> Any:
            seen.append(self)
            return original(self, *arguments)

        monkeypatch.setattr(HistGradientBoostingClassifier, "fit", fit_and_keep)
        matrix, outcome = joined()
        ours = training.trees(matrix, outcome)
        more = np.vstack(
            [matrix, np.random.default_rng(4).normal(scale=9, size=(2000, 4)), ours.threshold[:, None] * [[1] * 4]]
        )
        assert np.abs(ours.margins(more) - seen[0].decision_function(more)).max() < 1e-12
        assert chances(ours.margins(more)) == pytest.approx(seen[0].predict_proba(more)[:, 1], abs=1e-12)
        assert len(ours.roots) == 100
        assert measures.auc(ours.margins(matrix), outcome) > 0.8

    def test_weights_say_what_scikit_learn_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from sklearn.linear_model import LogisticRegression

        matrix, outcome = joined()
        ours = training.weights(matrix, outcome)
        theirs = LogisticRegression(C=0.1, max_iter=1000, tol=1e-6).fit(matrix, outcome)
        assert chances(ours.margins(matrix)) == pytest.approx(theirs.predict_proba(matrix)[:, 1], abs=1e-12)

    @pytest.mark.parametrize("train", [training.weights, training.trees])
    def test_kept_as_plain_data(self, train: Any) -> None:
        matrix, outcome = joined()
        model = train(matrix, outcome)
        again = type(model).from_plain(json.loads(json.dumps(model.as_plain(), allow_nan=False)))
        assert (again.margins(matrix) == model.margins(matrix)).all()
        assert again.parts(matrix[0], (slice(0, 4),)) == model.parts(matrix[0], (slice(0, 4),))

    def test_parts_of_weights(self) -> None:
        model = Weights(-1.0, floats([2, 3, 4]))
        assert model.parts(floats([1, 10, 100]), (slice(0, 2), slice(2, 3))) == (-1.0, (32.0, 400.0))

    def test_parts_of_trees_are_shapley_values(self) -> None:
        """As defined: the mean over all orders of columns of what a column changes."""
        matrix, outcome = joined()
        model = training.trees(matrix, outcome)
        spans = (slice(0, 1), slice(1, 2), slice(2, 4))

        def worth(columns: Iterable[int], lead: Floats) -> float:
            mixed = model.compared.copy()
            for column in columns:
                mixed[:, spans[column]] = lead[spans[column]]
            return float(model.margins(mixed).mean())

        for lead in matrix[:5]:
            orders = list(permutations(range(3)))
            expected = [
                np.mean([worth(o[: o.index(c) + 1], lead) - worth(o[: o.index(c)], lead) for o in orders])
                for c in range(3)
            ]
            start, parts = model.parts(lead, spans)
            assert parts == pytest.approx(expected, abs=1e-12)
            assert start + sum(parts) == pytest.approx(model.margins(lead[None, :])[0], abs=1e-12)


def truth(size: Floats, source: Any) -> Floats:
    """The log-odds that were planted."""
    return np.asarray(size + 1.5 * (source == "partner") - 1, dtype=np.float64)


def planted(rows: int = 2000, seed: int = 5) -> History:
    """Leads with a size that helps, a source of which one is better, and a note that tells nothing and is often missing."""
    chance = np.random.default_rng(seed)
    size = np.asarray(chance.normal(size=rows), dtype=np.float64)
    source = chance.choice(["fair", "web", "partner"], size=rows)
    note = chance.choice(["p", "q", ""], size=rows)
    margins = truth(size, source)
    outcome = (chance.random(rows) < chances(margins)).astype(np.int64)
    return history(outcome, {"size": size, "source": source, "note": note})


END = 10**9


@pytest.fixture(scope="module", params=list(Kind))
def learned(request: pytest.FixtureRequest) -> Fitted:
    return fit(planted(), request.param, at=END).unwrap()


class TestFitting:
    def test_what_was_planted_is_found(self, learned: Fitted) -> None:
        fresh = planted(seed=6)
        told = learned.probabilities(fresh.values())
        best = truth(fresh.columns["size"].values, fresh.columns["source"].values)
        assert measures.auc(told, fresh.outcome) > measures.auc(best, fresh.outcome) - 0.02
        assert measures.auc(best, fresh.outcome) > 0.75
        assert measures.calibration_error(measures.bins(told, fresh.outcome)) < 0.05
        assert (learned.rows, learned.wins) == (2000, planted().wins)

    def test_the_same_again(self, learned: Fitted) -> None:
        again = fit(planted(), learned.kind, at=END).unwrap()
        assert json.dumps(again.as_plain()) == json.dumps(learned.as_plain())

    def test_kept_as_plain_data(self, learned: Fitted) -> None:
        kept = json.dumps(learned.as_plain(), allow_nan=False)
        again = Fitted.from_plain(json.loads(kept))
        leads = planted(seed=6).values()
        assert (again.probabilities(leads) == learned.probabilities(leads)).all()
        assert again.reasons({"size": 1.0}) == learned.reasons({"size": 1.0})
        with pytest.raises(ValueError, match="format 2"):
            Fitted.from_plain(json.loads(kept) | {"format": 2})

    def test_only_what_was_decided_before_counts(self, learned: Fitted) -> None:
        """The rows stand in any order; what is decided in the moment itself is not known yet."""
        leads, at = planted(), 1500 * DAY + DAY // 2
        later = leads.decided_at >= at
        assert later.sum() == 500
        flipped = History(
            leads.columns, leads.asked_at, np.where(later, 1 - leads.outcome, leads.outcome), leads.decided_at
        )
        mixed = flipped.take(np.random.default_rng(7).permutation(2000))
        found = [fit(each, learned.kind, at=at).unwrap() for each in (leads, flipped, mixed)]
        assert found[0].rows == 1500
        assert len({json.dumps(each.as_plain()) for each in found}) == 1
        one_more = fit(flipped, learned.kind, at=at + 1).unwrap()
        assert one_more.rows == 1501

    def test_the_window_forgets(self, learned: Fitted) -> None:
        leads = planted()
        found = fit(leads, learned.kind, at=END, window=400).unwrap()
        alone = fit(leads.take(np.arange(1600, 2000)), learned.kind, at=END).unwrap()
        assert json.dumps(found.as_plain()) == json.dumps(alone.as_plain())

    def test_the_newest_set_the_level(self, learned: Fitted) -> None:
        """In the newest fifth far more is won: probabilities follow."""
        leads = planted()
        outcome = leads.outcome.copy()
        outcome[1600:] |= np.random.default_rng(8).random(400) < 0.6
        found = fit(History(leads.columns, leads.asked_at, outcome, leads.decided_at), learned.kind, at=END).unwrap()
        assert found.probabilities(leads.values()).mean() == pytest.approx(outcome[1600:].mean(), abs=0.03)

    def test_leads_in_pieces_are_the_same(self, learned: Fitted, monkeypatch: pytest.MonkeyPatch) -> None:
        leads = planted(rows=50).values()
        whole = learned.probabilities(leads)
        monkeypatch.setattr(fitted, "_AT_ONCE", 7)
        assert learned.probabilities(leads) == pytest.approx(whole, abs=1e-12)
        assert len(learned.probabilities({name: values[:0] for name, values in leads.items()})) == 0

    def test_a_late_column_is_not_learned_from(self) -> None:
        leads = planted()
        late = Column(leads.outcome.astype(np.float64), leads.decided_at)
        with_late = History({**leads.columns, "paid": late}, leads.asked_at, leads.outcome, leads.decided_at)
        found = fit(with_late, Kind.LOGISTIC, at=END)
        assert [problem.where for problem in found.problems] == ["paid"]
        assert found.unwrap().as_plain() == fit(leads, Kind.LOGISTIC, at=END).unwrap().as_plain()

    def test_a_lead_decided_when_it_was_asked_about_is_not_learned_from(self) -> None:
        leads = planted()
        decided = np.where(np.arange(2000) % 2, leads.asked_at, leads.decided_at)
        found = fit(History(leads.columns, leads.asked_at, leads.outcome, decided), Kind.LOGISTIC, at=END)
        assert [problem.code for problem in found.problems] == ["decided-before-asked"]
        half = fit(leads.take(np.arange(0, 2000, 2)), Kind.LOGISTIC, at=END)
        assert found.unwrap().as_plain() == half.unwrap().as_plain()

    def test_too_few(self) -> None:
        leads = planted()
        assert fit(leads, Kind.LOGISTIC, at=199 * DAY).problems[0].code == "too-few-to-learn"
        one_kind = History(leads.columns, leads.asked_at, np.ones(2000, dtype=np.int64), leads.decided_at)
        assert fit(one_kind, Kind.BOOSTING, at=END).value is None

    @pytest.mark.parametrize("kind", list(Kind))
    def test_columns_that_tell_nothing_give_the_base_rate(self, kind: Kind) -> None:
        leads = history([1, 0, 0, 0] * 100, {"empty": [None] * 400, "same": [3] * 400})
        found = fit(leads, kind, at=END).unwrap()
        assert found.probabilities(leads.values()) == pytest.approx(0.25, abs=0.01)
        assert {part.log_odds for part in found.reasons({"same": 3}).parts} == {0.0}


class TestReasons:
    def test_parts_add_up(self, learned: Fitted) -> None:
        for size, source, note in product((-1.0, 2.0, None), ("partner", "unheard of", None), ("p", None)):
            lead = {"size": size, "source": source, "note": note}
            found = learned.reasons(lead)
            columns = {"size": as_numbers([size]), "source": as_words([source]), "note": as_words([note])}
            assert found.probability == pytest.approx(learned.probabilities(columns)[0], abs=1e-12)
            assert found.start + sum(part.log_odds for part in found.parts) == pytest.approx(found.log_odds, abs=1e-9)
            assert found.probability == pytest.approx(1 / (1 + exp(-found.log_odds)), abs=1e-9)
            assert found.start_probability == pytest.approx(1 / (1 + exp(-found.start)), abs=1e-9)
            sizes = [abs(part.log_odds) for part in found.parts]
            assert sizes == sorted(sizes, reverse=True)

    def test_what_would_change_it(self, learned: Fitted) -> None:
        lead: dict[str, fitted.Value] = {"size": -1.0, "source": "web", "note": "p"}
        found = {part.column: part for part in learned.reasons(lead).parts}
        assert found["size"].log_odds < 0
        assert found["source"].log_odds < 0
        assert (found["source"].value, found["source"].instead) == ("web", "partner")
        assert found["source"].probability == pytest.approx(learned.reasons(lead | {"source": "partner"}).probability)
        assert found["source"].probability > learned.reasons(lead).probability + 0.05
        best = {part.column: part for part in learned.reasons(lead | {"source": "partner"}).parts}["source"]
        assert best.log_odds > 0
        assert best.instead is None

    def test_the_average_lead_has_no_parts(self) -> None:
        found = fit(planted(), Kind.LOGISTIC, at=END).unwrap()
        sizes = [code.mean for code in found.encoding.codes if isinstance(code, NumberCode)]
        parts = {part.column: part for part in found.reasons({"size": sizes[0], "source": "unheard of"}).parts}
        assert parts["size"].log_odds == pytest.approx(0, abs=1e-12)
        assert parts["source"].log_odds == 0


def in_a_new_process(program: str) -> str:
    """What a program prints. It has a minute."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=dict(os.environ), check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


_TRAIN = """
import numpy as np, json
from salesops.leads.rules.learned import Column, Fitted, History, Kind, fit
asked = np.arange(1000) * 100
chance = np.random.default_rng(1)
def train(kind):
    column = Column.of_numbers(chance.normal(size=1000), asked)
    return fit(History({"a": column}, asked, chance.integers(0, 2, 1000), asked + 1), kind, at=10**6).unwrap()
"""


class TestProcesses:
    def test_only_training_loads_scikit_learn(self) -> None:
        plain = json.dumps(fit(planted(), Kind.BOOSTING, at=END).unwrap().as_plain())
        program = f"""
import json, sys
from salesops.leads.rules.learned import Fitted, judging, training
Fitted.from_plain(json.loads({plain!r})).reasons({{"size": 1.0}})
print([name for name in sys.modules if name.split(".")[0] in ("sklearn", "scipy", "joblib", "django")])
"""
        assert in_a_new_process(program).strip() == "[]"

    def test_a_forked_worker_trains_after_its_parent(self) -> None:
        program = (
            _TRAIN
            + """
import os, signal
for kind in Kind:
    train(kind)
pid = os.fork()
if not pid:
    signal.alarm(30)
    for kind in Kind:
        train(kind)
    os._exit(0)
print(os.waitpid(pid, 0)[1])
"""
        )
        assert in_a_new_process(program).strip() == "0"

    def test_training_takes_one_thread(self) -> None:
        """Threads are counted while scikit-learn trains: no pool of its own may be wider than one."""
        program = (
            _TRAIN
            + """
import sklearn.ensemble, sklearn.linear_model
from threadpoolctl import threadpool_info
seen = []
for owner in (sklearn.ensemble.HistGradientBoostingClassifier, sklearn.linear_model.LogisticRegression):
    def fit_and_look(self, *arguments, original=owner.fit):
        seen.extend(pool["num_threads"] for pool in threadpool_info())
        return original(self, *arguments)
    owner.fit = fit_and_look
for kind in Kind:
    train(kind)
print(len(seen) > 2, max(seen))
"""
        )
        assert in_a_new_process(program).strip() == "True 1"
