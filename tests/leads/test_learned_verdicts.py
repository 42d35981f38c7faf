"""Whether learned win probabilities are put to use: planted casts, and the real files with and without something to learn."""

from __future__ import annotations

import csv
import json
from calendar import month_abbr
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from salesops.leads.rules.learned import Answer, Column, History, Kind, Practice, Rival, Verdict, judge
from salesops.leads.rules.learned.history import Floats, Ints
from salesops.leads.rules.learned.models import chances
from tests.connectors.shared_data import shared

HOUR = 3600
DAY = 24 * HOUR


def cast(
    rows: int = 3000,
    seed: int = 1,
    strength: float = 1.0,
    rate: Any = 0.0,
    delay: int = 20 * DAY,
    rules: str = "",
) -> History:
    """Leads an hour apart with two columns that help as much as `strength` says, and one that does not.

    rate: log-odds of the average lead, or one a lead. delay: until they are decided. rules: "better" knows what was
    planted, "worse" is a guess at it, "noise" nothing.
    """
    chance = np.random.default_rng(seed)
    size = np.asarray(chance.normal(size=rows), dtype=np.float64)
    source = chance.choice(["fair", "web", "partner"], size=rows)
    truth = strength * (size + (source == "partner")) + rate
    outcome = (chance.random(rows) < chances(np.asarray(truth, dtype=np.float64))).astype(np.int64)
    asked = np.arange(rows, dtype=np.int64) * HOUR
    columns = {
        "size": Column.of_numbers(size, asked),
        "source": Column.of_words(source, asked),
        "note": Column.of_words(chance.choice(["p", "q", ""], size=rows), asked),
    }
    noise = chance.normal(size=rows)
    scores = {"better": truth, "worse": truth + 4 * noise, "noise": noise}
    scored = Column.of_numbers(scores[rules], asked) if rules else None
    return History(columns, asked, outcome, asked + delay, scored)


def codes(verdict: Verdict) -> list[str]:
    """What the reasons are called."""
    return [reason.code for reason in verdict.reasons]


class TestAnswers:
    def test_something_to_learn_is_useful(self) -> None:
        verdict = judge(cast())
        assert verdict.answer is Answer.USEFUL
        assert codes(verdict) == ["ranks", "base-rate-beaten", "calibrated"]
        score, drift = verdict.score, verdict.drift
        assert score
        assert drift
        assert (score.rows, score.refits, verdict.rows) == (900, 4, 3000)
        assert (score.from_at, score.until_at) == (2100 * HOUR, 2999 * HOUR)
        assert score.wins == cast().outcome[2100:].sum()
        assert sum(each.rows for each in score.chart) == 900
        assert score.calibration_error < 0.06
        assert verdict.chosen is Kind.LOGISTIC
        assert [candidate.kind for candidate in verdict.candidates] == list(Kind)
        # Of the 600 leads before, the last 20 days' are not decided when the time held back begins.
        assert {candidate.rows for candidate in verdict.candidates} == {600 - 20 * 24}
        assert [(block.from_at, block.rows) for block in drift.blocks] == [
            (row * HOUR, rows) for row, rows in ((2100, 250), (2350, 250), (2600, 250), (2850, 150))
        ]
        assert not drift.has_moved
        assert not verdict.notes

    @pytest.mark.parametrize("seed", range(8))
    def test_nothing_to_learn_is_no_skill(self, seed: int) -> None:
        verdict = judge(cast(seed=seed, strength=0.0))
        assert verdict.answer is Answer.NO_SKILL
        assert "base-rate-not-beaten" in codes(verdict)

    @pytest.mark.parametrize("seed", range(4))
    def test_following_a_moving_base_rate_is_no_skill(self, seed: int) -> None:
        """Good times and bad ones rank all leads better than chance, and those of one day not at all."""
        slow = np.sin(np.arange(3000) / 200) * 2
        verdict = judge(cast(seed=seed, strength=0.0, rate=slow, delay=DAY), Practice(every=50))
        assert verdict.score
        assert verdict.score.auc.low > 0.5, verdict.score.auc
        assert verdict.answer is Answer.NO_SKILL
        assert "within-like-chance" in codes(verdict)
        assert "auc-like-chance" not in codes(verdict)
        assert verdict.drift
        assert verdict.drift.has_moved
        assert [note.code for note in verdict.notes] == ["drift"]

    def test_interactions_are_left_to_trees(self) -> None:
        chance = np.random.default_rng(3)
        rows, asked = 4000, np.arange(4000, dtype=np.int64) * HOUR
        left, right = chance.normal(size=(2, rows))
        outcome = (chance.random(rows) < chances(2 * np.sign(left * right))).astype(np.int64)
        columns = {"left": Column.of_numbers(left, asked), "right": Column.of_numbers(right, asked)}
        verdict = judge(History(columns, asked, outcome, asked + DAY))
        assert (verdict.answer, verdict.chosen) == (Answer.USEFUL, Kind.BOOSTING)
        losses = {candidate.kind: candidate.log_loss for candidate in verdict.candidates}
        assert losses[Kind.BOOSTING] < losses[Kind.LOGISTIC] - 0.1

    def test_a_column_known_only_after_the_outcome_is_refused(self) -> None:
        """It would tell everything."""
        leads = cast(strength=0.0)
        paid = leads.outcome.astype(np.float64)

        def with_paid(known_at: Ints) -> History:
            columns = {**leads.columns, "paid": Column.of_numbers(paid, known_at)}
            return History(columns, leads.asked_at, leads.outcome, leads.decided_at)

        verdict = judge(with_paid(leads.decided_at))
        assert verdict.answer is Answer.NO_SKILL
        assert [(note.code, note.where) for note in verdict.notes] == [("known-late", "paid")]
        honest = judge(leads)
        assert verdict.score == honest.score
        told_everything = judge(with_paid(leads.asked_at))
        assert told_everything.score
        assert told_everything.score.auc.value == 1.0

    def test_a_column_filled_in_for_the_won_ones_only_is_refused(self) -> None:
        leads = cast(strength=0.0)
        won = leads.outcome == 1
        paid = Column(np.where(won, 1.0, np.nan), np.where(won, leads.decided_at, 0))
        verdict = judge(History({**leads.columns, "paid": paid}, leads.asked_at, leads.outcome, leads.decided_at))
        assert verdict.answer is Answer.NO_SKILL
        assert [note.where for note in verdict.notes] == ["paid"]


class TestRivals:
    def test_rules_that_know_more_are_kept(self) -> None:
        verdict = judge(cast(rules="better"))
        assert verdict.answer is Answer.NO_SKILL
        assert "rules-not-beaten" in codes(verdict)
        assert "base-rate-not-beaten" not in codes(verdict)

    @pytest.mark.parametrize("rules", ["worse", "noise"])
    def test_rules_that_know_less_are_beaten(self, rules: str) -> None:
        verdict = judge(cast(rules=rules))
        assert verdict.answer is Answer.USEFUL
        assert codes(verdict) == ["ranks", "base-rate-beaten", "rules-beaten", "calibrated"]
        assert verdict.score
        base, against = verdict.score.against
        assert (base.rival, against.rival) == (Rival.BASE_RATE, Rival.RULES)
        assert against.within < verdict.score.within.value
        assert against.gain.low > 0
        assert (rules == "noise") == (against.log_loss >= base.log_loss - 0.005)

    def test_rules_that_rank_better_are_kept_though_they_surprise_more(self) -> None:
        """All that matters is who is in the best tenth, which an even line over ranks does not say; a column says it, but
        is wrong at times."""
        chance = np.random.default_rng(4)
        rows, asked = 4000, np.arange(4000, dtype=np.int64) * HOUR
        rank = chance.random(rows)
        outcome = (chance.random(rows) < np.where(rank > 0.85, 0.95, 0.02)).astype(np.int64)
        told = np.where(chance.random(rows) < 0.02, rank <= 0.85, rank > 0.85).astype(np.float64)
        leads = History(
            {"told": Column.of_numbers(told, asked)}, asked, outcome, asked + DAY, Column.of_numbers(rank, asked)
        )
        verdict = judge(leads)
        assert (verdict.answer, codes(verdict)) == (Answer.NO_SKILL, ["ranks-worse-than-rules"])

    def test_rules_are_ranked_by_their_scores(self) -> None:
        """Whatever their scale, as long as it rises."""
        leads = cast(rules="worse")
        assert leads.rules
        curved = Column(np.exp(leads.rules.values / 3) * 1000, leads.rules.known_at)
        again = History(leads.columns, leads.asked_at, leads.outcome, leads.decided_at, curved)
        assert judge(again) == judge(leads)

    def test_rules_scored_after_the_fact_cannot_be_compared_with(self) -> None:
        leads = cast(rules="worse")
        assert leads.rules
        late = Column(leads.rules.values, leads.decided_at)
        verdict = judge(History(leads.columns, leads.asked_at, leads.outcome, leads.decided_at, late))
        assert (verdict.answer, codes(verdict)) == (Answer.NOT_ENOUGH_DATA, ["rules-known-late"])

    def test_a_lead_without_a_score_of_the_rules_ranks_last(self) -> None:
        leads = cast(rules="better")
        assert leads.rules
        scores, known = leads.rules.values.copy(), leads.asked_at.copy()

        def judged(scores: Floats, known: Ints) -> Verdict:
            return judge(History(leads.columns, leads.asked_at, leads.outcome, leads.decided_at, Column(scores, known)))

        lowest, absent = scores.copy(), scores.copy()
        lowest[::2], absent[::2] = -99, np.nan
        assert judged(absent, known) == judged(lowest, known) != judged(scores, known)
        # A score that came late, to few, is none either, however good.
        lowest, late = scores.copy(), scores.copy()
        lowest[2500:2505], late[2500:2505], known[2500:2505] = -99, 99, leads.decided_at[2500:2505]
        assert judged(late, known) == judged(lowest, leads.asked_at) != judged(late, leads.asked_at)

    @pytest.mark.parametrize(("rate", "is_long_better"), [(0.0, True), (np.arange(3000) / 500 - 3, False)])
    def test_the_base_rate_has_the_better_memory(self, rate: Any, is_long_better: bool) -> None:
        leads = cast(strength=0.0, rate=rate, delay=DAY)
        verdict = judge(leads)
        long, short = [], []
        for start, end in ((2100, 2350), (2350, 2600), (2600, 2850), (2850, 3000)):
            known = leads.outcome[leads.decided_at < start * HOUR][-2000:]
            for told, memory in ((long, known), (short, known[-400:])):
                told += [(memory.sum() + 1) / (len(memory) + 2)] * (end - start)
        losses = [
            float(-np.log(np.where(leads.outcome[2100:] == 1, told, 1 - np.array(told))).mean())
            for told in (long, short)
        ]
        assert (losses[0] < losses[1]) == is_long_better
        assert verdict.score
        assert verdict.score.against[0].log_loss == pytest.approx(min(losses), abs=1e-12)


class TestTooLittle:
    def test_fewer_than_a_thousand_leads(self) -> None:
        verdict = judge(cast(999))
        assert (verdict.answer, codes(verdict)) == (Answer.NOT_ENOUGH_DATA, ["too-few-decided"])
        assert verdict.reasons[0].text() == "999 leads are decided; at least 1000 are needed."
        assert verdict.score is None
        assert judge(cast(1000)).answer is not Answer.NOT_ENOUGH_DATA

    @pytest.mark.parametrize(("outcome", "code"), [(1, "too-few-lost"), (0, "too-few-won")])
    def test_one_outcome_only(self, outcome: int, code: str) -> None:
        leads = cast()
        same = np.full(3000, outcome, dtype=np.int64)
        verdict = judge(History(leads.columns, leads.asked_at, same, leads.decided_at))
        assert (verdict.answer, codes(verdict)) == (Answer.NOT_ENOUGH_DATA, [code])

    def test_two_hundred_wins_are_needed(self) -> None:
        leads = cast(4000)
        for wins, answers in ((199, ["too-few-won"]), (200, None)):
            outcome = np.zeros(4000, dtype=np.int64)
            outcome[np.linspace(0, 3999, wins).astype(int)] = 1
            verdict = judge(History(leads.columns, leads.asked_at, outcome, leads.decided_at))
            assert (codes(verdict) == answers) == (answers is not None), verdict.reasons

    def test_no_column_was_known(self) -> None:
        leads = cast()
        late = {name: Column(column.values, leads.decided_at) for name, column in leads.columns.items()}
        verdict = judge(History(late, leads.asked_at, leads.outcome, leads.decided_at))
        assert (verdict.answer, codes(verdict)) == (Answer.NOT_ENOUGH_DATA, ["no-columns"])
        assert len(verdict.notes) == 3

    def test_all_asked_about_at_once(self) -> None:
        """Nothing was known when the question was asked, and nobody is parted from those of the same second."""
        leads = cast()
        zero = np.zeros(3000, dtype=np.int64)
        columns = {name: Column(column.values, zero) for name, column in leads.columns.items()}
        verdict = judge(History(columns, zero, leads.outcome, leads.decided_at))
        assert (verdict.answer, codes(verdict)) == (Answer.NOT_ENOUGH_DATA, ["too-few-held-back"])

    def test_outcomes_that_come_after_every_question(self) -> None:
        verdict = judge(cast(delay=3000 * HOUR))
        assert (verdict.answer, codes(verdict)) == (Answer.NOT_ENOUGH_DATA, ["too-few-held-back"])
        assert verdict.reasons[0].text().startswith("Only 0 leads, 0 of them won,")

    def test_fewer_than_three_hundred_to_check_on(self) -> None:
        verdict = judge(cast(delay=2600 * HOUR))
        assert (verdict.answer, codes(verdict)) == (Answer.NOT_ENOUGH_DATA, ["too-few-held-back"])
        assert verdict.reasons[0].text().startswith("Only 150 leads,")

    @pytest.mark.parametrize(("wins", "is_enough"), [(29, False), (30, True)])
    def test_thirty_of_either_outcome_to_check_on(self, wins: int, is_enough: bool) -> None:
        leads = cast()
        for few, many in ((1, 0), (0, 1)):
            outcome = leads.outcome.copy()
            outcome[2100:] = many
            outcome[2100 + np.arange(wins) * 20] = few
            verdict = judge(History(leads.columns, leads.asked_at, outcome, leads.decided_at))
            assert (verdict.answer is not Answer.NOT_ENOUGH_DATA) == is_enough, verdict.reasons

    def test_outcomes_that_come_late_leave_fewer_leads_to_check_on(self) -> None:
        """Enough is known 2,300 hours on: what was asked about before is not checked."""
        verdict = judge(cast(delay=2000 * HOUR))
        assert verdict.score
        assert verdict.score.from_at == 2350 * HOUR
        assert verdict.score.rows == 650
        assert not verdict.candidates
        assert verdict.chosen is Kind.LOGISTIC

    def test_leads_decided_when_asked_about_do_not_count(self) -> None:
        leads = cast(1100)
        decided = leads.decided_at.copy()
        decided[:200] = leads.asked_at[:200]
        verdict = judge(History(leads.columns, leads.asked_at, leads.outcome, decided))
        assert (verdict.rows, codes(verdict)) == (900, ["too-few-decided"])
        assert [note.code for note in verdict.notes] == ["decided-before-asked"]


class TestTime:
    def test_the_order_of_rows_means_nothing(self) -> None:
        leads = cast(rules="worse")
        assert judge(leads.take(np.random.default_rng(2).permutation(3000))) == judge(leads)

    def test_no_outcome_is_used_before_it_is_known(self) -> None:
        """Whatever is decided from the last refit on may turn out otherwise: nothing told by then changes."""
        leads = cast()
        first = judge(leads)
        turned = np.where(leads.decided_at >= 2850 * HOUR, 1 - leads.outcome, leads.outcome)
        second = judge(History(leads.columns, leads.asked_at, turned, leads.decided_at))
        assert first.drift
        assert second.drift
        told = [[block.predicted for block in drift.blocks] for drift in (first.drift, second.drift)]
        assert told[0] == told[1]
        assert first.candidates == second.candidates
        assert [block.wins for block in first.drift.blocks] != [block.wins for block in second.drift.blocks]
        before = np.where(leads.decided_at >= 2850 * HOUR - 1 - 24 * HOUR, 1 - leads.outcome, leads.outcome)
        third = judge(History(leads.columns, leads.asked_at, before, leads.decided_at))
        assert third.drift
        assert [block.predicted for block in third.drift.blocks][:3] == told[0][:3]
        assert third.drift.blocks[3].predicted != told[0][3]

    def test_the_choice_is_made_before_the_time_held_back(self) -> None:
        leads = cast()
        late = leads.decided_at >= 2100 * HOUR
        turned = History(
            leads.columns, leads.asked_at, np.where(late, 1 - leads.outcome, leads.outcome), leads.decided_at
        )
        assert judge(turned).candidates == judge(leads).candidates

    def test_leads_of_the_same_second_are_asked_about_together(self) -> None:
        """Seven at a time: neither blocks nor the time held back part them."""
        leads = cast()
        asked = leads.asked_at // (7 * HOUR) * 7 * HOUR
        columns = {name: Column(column.values, asked) for name, column in leads.columns.items()}
        verdict = judge(History(columns, asked, leads.outcome, leads.decided_at))
        assert verdict.drift
        assert [block.from_at % (7 * HOUR) for block in verdict.drift.blocks] == [0] * 4
        assert [block.rows for block in verdict.drift.blocks] == [252, 252, 252, 144]

    def test_very_many_leads_grow_the_blocks(self) -> None:
        verdict = judge(cast(), Practice(every=10, most_refits=5))
        assert verdict.drift
        assert [block.rows for block in verdict.drift.blocks] == [180] * 5

    def test_a_rate_that_moves_is_followed(self) -> None:
        """From 12 % won to 88 %: learned anew, probabilities follow; learned once, they would not."""
        rate = np.concatenate([np.full(2100, -2.5), np.linspace(-2.5, 2, 900)])
        verdict = judge(cast(rate=rate, delay=HOUR), Practice(window=500, every=50))
        assert verdict.answer is Answer.USEFUL
        assert verdict.score
        drift = verdict.drift
        assert drift
        assert drift.has_moved
        assert drift.rate_held_back > drift.rate_before + 0.2
        assert verdict.score.calibration_error < 0.09 < 0.25 < drift.once_error
        assert verdict.score.auc.value > drift.once_auc
        assert [note.code for note in verdict.notes] == ["drift"]
        assert drift.blocks[-1].wins / drift.blocks[-1].rows > 0.6 > 0.3 > drift.blocks[0].wins / drift.blocks[0].rows

    def test_a_column_that_moves_is_named(self) -> None:
        leads = cast()
        moved = leads.columns["size"].values + np.where(np.arange(3000) >= 2100, 2, 0)
        columns = {**leads.columns, "size": Column(moved, leads.asked_at)}
        verdict = judge(History(columns, leads.asked_at, leads.outcome, leads.decided_at))
        assert verdict.drift
        assert verdict.drift.has_moved
        first, *others = verdict.drift.shifts
        assert first.column == "size"
        assert first.index > 1
        assert all(shift.index < 0.05 for shift in others)


class TestKeeping:
    @pytest.mark.parametrize("leads", [cast(rules="worse"), cast(500)], ids=["judged", "too few"])
    def test_kept_as_plain_data(self, leads: History) -> None:
        verdict = judge(leads)
        assert Verdict.from_plain(json.loads(json.dumps(verdict.as_plain(), allow_nan=False))) == verdict

    def test_judged_again_it_is_the_same(self) -> None:
        assert judge(cast()) == judge(cast())


def second(day: date) -> int:
    """The first second of a day."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


@pytest.fixture(scope="module")
def bank_calls() -> History:
    """Calls of a bank. Only the month is in the file, which is in the order of time: a month that falls is a new year.

    An outcome is known by the end of the day of the call, and so is how long the call took.
    """
    months = {name.lower(): number for number, name in enumerate(month_abbr)}
    with shared("bank_calls/bank-full.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter=";"))
    year, last, days = 2008, 0, []
    for row in rows:
        month = months[row["month"]]
        year, last = year + (month < last), month
        days.append(second(date(year, month, int(row["day"]))))
    asked = np.array(days, dtype=np.int64)
    decided = asked + DAY - 1
    columns = {}
    for name in rows[0]:
        values, known = [row[name] for row in rows], decided if name == "duration" else asked
        if name in ("age", "balance", "campaign", "pdays", "previous", "day", "duration"):
            columns[name] = Column.of_numbers([float(value) for value in values], known)
        elif name != "y":
            columns[name] = Column.of_words(values, known)
    return History(columns, asked, np.array([row["y"] == "yes" for row in rows]).astype(np.int64), decided)


def maven_deals() -> History:
    """Deals won and lost, with what is known when they open; what they close at is known when they are decided."""

    def read(name: str) -> list[dict[str, str]]:
        with shared(f"maven_crm/{name}").open(newline="") as lines:
            return list(csv.DictReader(lines))

    accounts = {row["account"]: row for row in read("accounts.csv")}
    agents = {row["sales_agent"]: row for row in read("sales_teams.csv")}
    deals = [row for row in read("sales_pipeline_iso.csv") if row["deal_stage"] in ("Won", "Lost")]
    rows = [deal | accounts[deal["account"]] | agents[deal["sales_agent"]] for deal in deals]
    asked = np.array([second(date.fromisoformat(row["engage_date"])) for row in rows], dtype=np.int64)
    decided = np.array([second(date.fromisoformat(row["close_date"])) for row in rows], dtype=np.int64) + DAY - 1
    words = ("sales_agent", "manager", "regional_office", "product", "account", "sector", "office_location")
    columns = {name: Column.of_words([row[name] for row in rows], asked) for name in words}
    for name in ("revenue", "employees", "year_established"):
        columns[name] = Column.of_numbers([float(row[name]) for row in rows], asked)
    columns["close_value"] = Column.of_numbers([float(row["close_value"] or 0) for row in rows], decided)
    outcome = np.array([row["deal_stage"] == "Won" for row in rows]).astype(np.int64)
    return History(columns, asked, outcome, decided)


class TestRealFiles:
    def test_calls_of_a_bank(self, bank_calls: History) -> None:
        """The rate goes from 5 % to 52 %. Every call is told from outcomes of earlier days only."""
        verdict = judge(bank_calls)
        score, drift = verdict.score, verdict.drift
        assert score
        assert drift
        measured = (
            f"AUC {score.auc.value:.4f}, within {score.within.value:.4f}, error {score.calibration_error:.4f}; "
            f"learned once {drift.once_auc:.4f} and {drift.once_error:.4f}; base rate AUC {score.against[0].auc:.4f}"
        )
        # The last 30 % begin within a day, of which none is parted: 39 calls more.
        assert (verdict.rows, score.rows) == (45_211, 13_603)
        assert verdict.answer is Answer.USEFUL, measured
        assert score.auc.value >= 0.76, measured
        assert score.calibration_error < 0.04, measured
        assert score.within.low > 0.6, measured
        assert drift.once_auc < 0.7, measured
        assert drift.once_error > 0.1, measured
        assert [(note.code, note.where) for note in verdict.notes] == [("known-late", "duration"), ("drift", "")]
        rates = [block.wins / block.rows for block in drift.blocks]
        assert min(rates) < 0.08 < 0.5 < max(rates)
        assert drift.shifts[0].column == "month"
        assert "duration" not in [shift.column for shift in drift.shifts]

    @pytest.mark.parametrize(
        ("practice", "auc", "error"),
        [
            (Practice(window=1000), 0.76, 0.04),
            (Practice(window=3000), 0.76, 0.04),
            (Practice(window=4000, every=500), 0.74, 0.03),
        ],
    )
    def test_calls_of_a_bank_with_another_memory(
        self, bank_calls: History, practice: Practice, auc: float, error: float
    ) -> None:
        """What is reported does not hang on the window; a refit every 500 leads comes late for some."""
        score = judge(bank_calls, practice).score
        assert score
        measured = f"AUC {score.auc.value:.4f}, error {score.calibration_error:.4f}"
        assert score.auc.value >= auc, measured
        assert score.calibration_error < error, measured

    def test_deals_that_are_a_coin(self) -> None:
        verdict = judge(maven_deals())
        assert (verdict.answer, verdict.rows, verdict.wins) == (Answer.NO_SKILL, 6711, 4238)
        assert verdict.score
        assert set(codes(verdict)) == {"auc-like-chance", "within-like-chance", "base-rate-not-beaten"}
        assert 0.45 < verdict.score.within.value < 0.53, verdict.score.within
        # Won deals close at the ends of quarters.
        assert [(note.code, note.where) for note in verdict.notes] == [("known-late", "close_value"), ("drift", "")]
