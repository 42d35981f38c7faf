"""Judges whether a learned probability helps: walking forward in time, against the base rate and the rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from salesops.leads.rules.learned import measures
from salesops.leads.rules.learned.fitted import WINDOW, Fitted, Kind, Learner, parted
from salesops.leads.rules.learned.history import (
    Floats,
    History,
    Ints,
    is_late,
    late_rows,
    usable_columns,
    usable_rows,
)
from salesops.leads.rules.learned.measures import STRETCHES, Estimate
from salesops.leads.rules.learned.models import calibrate
from salesops.leads.rules.learned.verdicts import (
    Against,
    Answer,
    Block,
    Candidate,
    Drift,
    Rival,
    Score,
    Shift,
    Verdict,
)
from salesops.values.outcomes import Problem, gettext_noop

#: Fewer decided leads, or fewer of either outcome, are not judged.
FEWEST_LEADS: Final = 1000
FEWEST_OF_EITHER: Final = 200
#: Fewer leads held back, or fewer of either outcome among them, say nothing.
FEWEST_HELD_BACK: Final = 10 * STRETCHES
FEWEST_HELD_BACK_OF_EITHER: Final = 30
#: With fewer leads, or fewer of either outcome, no choice is made between ways of learning: the simpler one is taken.
FEWEST_TO_CHOOSE: Final = 100
FEWEST_TO_CHOOSE_OF_EITHER: Final = 10
#: A population stability index above it is a great shift.
GREAT_SHIFT: Final = 0.25
#: Standard errors above which shares won are unlike: chance does that once in a thousand.
_BEYOND_CHANCE: Final = 3.09


@dataclass(frozen=True)
class Practice:
    """How learned scores are kept up, and judged.

    window: leads learned from. every: leads asked about between two refits. held_back: share of the leads, the latest,
    that are reported on; choosing: share before them on which the way of learning is chosen. most_refits: of either
    stretch of time; with very many leads blocks grow instead, which does the learned probabilities no favour.
    """

    window: int = WINDOW
    every: int = 250
    held_back: float = 0.3
    choosing: float = 0.2
    most_refits: int = 400


#: How it is done when nothing else is said.
USUAL: Final = Practice()


def judge(history: History, practice: Practice = USUAL) -> Verdict:
    """Say whether learned probabilities are worth using, and show it.

    Leads are asked about block by block in the order of time. Before each block is learned anew, from leads whose outcome
    was known by then; nobody's outcome is used before it was known, whatever the order of rows. The way of learning is
    chosen on the time before the one held back, by outcomes known when that begins; the time held back is looked at once.

    They are useful when, on the time held back, with 95 % certainty each: the AUC over all leads is above 0.5; so is the
    AUC among leads of the same time (a moving base rate alone can do the former); and the log loss is lower than that of
    the base rate and of the rules, calibrated, both as of the same moments; and rank no worse than the rules among leads
    of the same time. Of the base rate and of the rules' calibration a long and a short memory are tried, and the one that
    did better in the time held back counts.
    """
    in_time = usable_rows(history)
    usable = in_time.then(usable_columns)
    rows, notes = usable.unwrap(), usable.problems
    reasons = _too_few(rows)
    if reasons:
        return Verdict(Answer.NOT_ENOUGH_DATA, reasons, len(rows), rows.wins, notes)
    return _Walk(rows.take(np.argsort(rows.asked_at, kind="stable")), practice, notes).verdict()


def _too_few(history: History) -> tuple[Problem, ...]:
    """Why there is nothing to judge."""
    decided = gettext_noop("%(count)s leads are decided; at least %(fewest)s are needed.")
    won = gettext_noop("%(count)s leads were won; at least %(fewest)s are needed.")
    lost = gettext_noop("%(count)s leads were lost; at least %(fewest)s are needed.")
    counts = (
        ("too-few-decided", decided, len(history), FEWEST_LEADS),
        ("too-few-won", won, history.wins, FEWEST_OF_EITHER),
        ("too-few-lost", lost, len(history) - history.wins, FEWEST_OF_EITHER),
    )
    reasons = [
        Problem.of(code, message, count=count, fewest=fewest)
        for code, message, count, fewest in counts
        if count < fewest
    ]
    if not history.columns:
        reasons.append(
            Problem.of(
                "no-columns",
                gettext_noop("There is no column that was known when the question was asked, to learn from."),
            )
        )
    if history.rules and is_late(history, history.rules):
        reasons.append(
            Problem.of(
                "rules-known-late",
                gettext_noop("The scores of the rules were not kept as they were when the question was asked."),
                remedy=gettext_noop("They can be compared when enough leads were scored before they were decided."),
            )
        )
    return tuple(reasons)


def _share(value: float) -> str:
    """A share in per cent, for people."""
    return f"{value * 100:.1f}"


def _range(estimate: Estimate) -> dict[str, str]:
    """An estimate as the values of a sentence's placeholders."""
    return {"value": f"{estimate.value:.3f}", "low": f"{estimate.low:.3f}", "high": f"{estimate.high:.3f}"}


def _few_of_either(outcome: Ints, fewest: int, of_either: int) -> bool:
    """Whether leads are too few to compare by."""
    wins = int(outcome.sum())
    return len(outcome) < fewest or min(wins, len(outcome) - wins) < of_either


class _Walk:
    """One walk through a history in the order of asked_at."""

    def __init__(self, history: History, practice: Practice, notes: tuple[Problem, ...]) -> None:
        self.history = history
        self.practice = practice
        self.notes = notes
        self.learner = Learner(history, practice.window)
        self.held_back = self._first(1 - practice.held_back)
        self.choosing = self._first(1 - practice.held_back - practice.choosing)

    def verdict(self) -> Verdict:
        """Walk, and say what came of it."""
        chosen, candidates = self._chosen()
        blocks = self._blocks(self.held_back, len(self.history))
        predicted, first = self._predictions(chosen, blocks)
        scored = np.flatnonzero(~np.isnan(predicted))
        outcome = self.history.outcome[scored]
        if first is None or _few_of_either(outcome, FEWEST_HELD_BACK, FEWEST_HELD_BACK_OF_EITHER):
            wins = int(outcome.sum())
            reason = Problem.of(
                "too-few-held-back",
                gettext_noop(
                    "Only %(rows)s leads, %(wins)s of them won, were asked about late enough to check on and when enough "
                    "was decided to learn from; %(fewest)s with %(either)s of either outcome are needed."
                ),
                rows=len(scored),
                wins=wins,
                fewest=FEWEST_HELD_BACK,
                either=FEWEST_HELD_BACK_OF_EITHER,
            )
            return self._verdict(Answer.NOT_ENOUGH_DATA, (reason,))
        score = self._score(predicted, scored, blocks)
        drift = self._drift(first, predicted, scored, blocks)
        failures = _failures(score)
        reasons = failures or _successes(score)
        answer = Answer.NO_SKILL if failures else Answer.USEFUL
        return self._verdict(answer, reasons, chosen, candidates, score, drift)

    def _verdict(
        self,
        answer: Answer,
        reasons: tuple[Problem, ...],
        chosen: Kind | None = None,
        candidates: tuple[Candidate, ...] = (),
        score: Score | None = None,
        drift: Drift | None = None,
    ) -> Verdict:
        notes = (*self.notes, *(_moved(drift) if drift else ()))
        return Verdict(answer, reasons, len(self.history), self.history.wins, notes, chosen, candidates, score, drift)

    def _first(self, share: float) -> int:
        """The first row of a stretch of time: leads asked about in the same second are not parted."""
        place = min(round(len(self.history) * share), len(self.history) - 1)
        return int(np.searchsorted(self.history.asked_at, self.history.asked_at[place], side="left"))

    def _blocks(self, start: int, end: int) -> list[tuple[int, int]]:
        """Half-open ranges of rows, each asked about after the same refit; of the same second none is parted."""
        asked = self.history.asked_at
        size = max(self.practice.every, -(-(end - start) // self.practice.most_refits))
        blocks = []
        while start < end:
            last = min(start + size, end) - 1
            following = min(int(np.searchsorted(asked, asked[last], side="right")), end)
            blocks.append((start, following))
            start = following
        return blocks

    def _predictions(self, kind: Kind, blocks: list[tuple[int, int]]) -> tuple[Floats, Fitted | None]:
        """What would have been told, NaN outside the blocks and where too little was known to learn from; and what was
        learned first."""
        out, first = np.full(len(self.history), np.nan), None
        for start, end in blocks:
            fitted = self.learner.learned(kind, int(self.history.asked_at[start]))
            if fitted:
                first = first or fitted
                out[start:end] = fitted.probabilities(self.history.values(slice(start, end)))
        return out, first

    def _chosen(self) -> tuple[Kind, tuple[Candidate, ...]]:
        """The way of learning that surprises least in the time of choosing, and how each of them did.

        Only leads decided before the time held back begins can be looked at; when they are too few, the simpler way.
        """
        rows = np.arange(self.choosing, self.held_back)
        rows = rows[self.history.decided_at[rows] < self.history.asked_at[self.held_back]]
        if _few_of_either(self.history.outcome[rows], FEWEST_TO_CHOOSE, FEWEST_TO_CHOOSE_OF_EITHER):
            return Kind.LOGISTIC, ()
        blocks = self._blocks(self.choosing, self.held_back)
        told = {kind: self._predictions(kind, blocks)[0][rows] for kind in Kind}
        there = ~np.isnan(told[Kind.LOGISTIC])
        outcome = self.history.outcome[rows[there]]
        if _few_of_either(outcome, FEWEST_TO_CHOOSE, FEWEST_TO_CHOOSE_OF_EITHER):
            return Kind.LOGISTIC, ()
        candidates = tuple(
            Candidate(
                kind,
                len(outcome),
                measures.log_loss(told[kind][there], outcome),
                measures.auc(told[kind][there], outcome),
            )
            for kind in Kind
        )
        return min(candidates, key=lambda candidate: candidate.log_loss).kind, candidates

    def _score(self, predicted: Floats, scored: Ints, blocks: list[tuple[int, int]]) -> Score:
        """How good the predictions were."""
        outcome, probabilities = self.history.outcome[scored], predicted[scored]
        block = self._block_of(blocks)[scored]
        chart = measures.bins(probabilities, outcome)
        return Score(
            rows=len(scored),
            wins=int(outcome.sum()),
            from_at=int(self.history.asked_at[scored[0]]),
            until_at=int(self.history.asked_at[scored[-1]]),
            refits=len(np.unique(block)),
            auc=measures.auc_estimate(probabilities, outcome),
            within=measures.auc_within(probabilities, outcome, block),
            calibration_error=measures.calibration_error(chart),
            log_loss=measures.log_loss(probabilities, outcome),
            against=tuple(self._against(predicted, scored, blocks)),
            chart=chart,
        )

    def _block_of(self, blocks: list[tuple[int, int]]) -> Ints:
        """The number of the block of each row; -1 outside."""
        out = np.full(len(self.history), -1, dtype=np.int64)
        for number, (start, end) in enumerate(blocks):
            out[start:end] = number
        return out

    def _against(self, predicted: Floats, scored: Ints, blocks: list[tuple[int, int]]) -> list[Against]:
        """The rivals, each in the better of its two memories."""
        outcome, block = self.history.outcome[scored], self._block_of(blocks)[scored]
        rivals = {Rival.BASE_RATE: [self._base_rate(blocks, is_short=is_short) for is_short in (False, True)]}
        scores = self._rules()
        if scores is not None:
            rivals[Rival.RULES] = [self._by_rules(scores, blocks, is_short=is_short) for is_short in (False, True)]
        out = []
        for rival, memories in rivals.items():
            told = min((each[scored] for each in memories), key=lambda each: measures.log_loss(each, outcome))
            ranked = scores[scored] if scores is not None and rival is Rival.RULES else told
            out.append(
                Against(
                    rival,
                    measures.log_loss(told, outcome),
                    measures.gain(predicted[scored], told, outcome),
                    measures.auc(ranked, outcome),
                    measures.auc_within(ranked, outcome, block).value,
                )
            )
        return out

    def _memory(self, start: int, *, is_short: bool) -> Ints:
        """Rows known when a block begins: all that is learned from, or the newest of them."""
        known = self.learner.known(int(self.history.asked_at[start]))
        return parted(known)[1] if is_short else known

    def _base_rate(self, blocks: list[tuple[int, int]], *, is_short: bool) -> Floats:
        """The share won of what was known before each block, a lead of either outcome added."""
        out = np.full(len(self.history), np.nan)
        for start, end in blocks:
            known = self.history.outcome[self._memory(start, is_short=is_short)]
            out[start:end] = (known.sum() + 1) / (len(known) + 2)
        return out

    def _rules(self) -> Floats | None:
        """The rules' scores; a lead without one, or that had none yet, ranks last. None when there are no rules."""
        rules = self.history.rules
        if rules is None:
            return None
        is_absent = rules.missing() | late_rows(self.history, rules)
        return np.where(is_absent, -np.inf, rules.values)

    def _by_rules(self, scores: Floats, blocks: list[tuple[int, int]], *, is_short: bool) -> Floats:
        """The probability the rules' rank stood for in what was known before each block."""
        out = np.full(len(self.history), np.nan)
        for start, end in blocks:
            known = self._memory(start, is_short=is_short)
            ladder = np.sort(scores[known])
            calibration = calibrate(_standing(scores[known], ladder), self.history.outcome[known])
            out[start:end] = calibration.probabilities(_standing(scores[start:end], ladder))
        return out

    def _drift(self, once: Fitted, predicted: Floats, scored: Ints, blocks: list[tuple[int, int]]) -> Drift:
        """What has moved since the time held back began."""
        history, start = self.history, int(self.history.asked_at[scored[0]])
        known = self.learner.known(start)
        before, after = history.outcome[known], history.outcome[scored]
        told = [(first, end) for first, end in blocks if not np.isnan(predicted[first])]
        wins = np.array([before.sum(), *(history.outcome[first:end].sum() for first, end in told)], dtype=np.int64)
        rows = np.array([len(before), *(end - first for first, end in told)], dtype=np.int64)
        shifts = sorted(
            (
                Shift(name, measures.shift(column.values[known], column.values[scored]))
                for name, column in history.columns.items()
            ),
            key=lambda shift: (-shift.index, shift.column),
        )
        frozen = once.probabilities(history.values(scored))
        rate_moved = measures.unlike(wins, rows) > _BEYOND_CHANCE
        return Drift(
            rate_before=float(before.mean()),
            rate_held_back=float(after.mean()),
            has_moved=bool(rate_moved or any(shift.index > GREAT_SHIFT for shift in shifts)),
            once_auc=measures.auc(frozen, after),
            once_error=measures.calibration_error(measures.bins(frozen, after)),
            blocks=tuple(
                Block(
                    int(history.asked_at[first]),
                    end - first,
                    int(history.outcome[first:end].sum()),
                    float(predicted[first:end].mean()),
                )
                for first, end in told
            ),
            shifts=tuple(shifts),
        )


def _standing(scores: Floats, known: Floats) -> Floats:
    """Where scores stand among known ones, sorted: from -1 below all of them to 1 above; equals share the middle."""
    below = np.searchsorted(known, scores, side="left") + np.searchsorted(known, scores, side="right")
    return np.asarray(below / max(1, len(known)) - 1, dtype=np.float64)


def _failures(score: Score) -> tuple[Problem, ...]:
    """Why there is no skill; nothing when there is."""
    out = []
    if score.auc.low <= 0.5:
        out.append(
            Problem.of(
                "auc-like-chance",
                gettext_noop("AUC %(value)s (%(low)s to %(high)s, 95 %%) on %(rows)s leads: chance gives 0.5."),
                rows=score.rows,
                **_range(score.auc),
            )
        )
    if score.within.low <= 0.5:
        out.append(
            Problem.of(
                "within-like-chance",
                gettext_noop(
                    "AUC %(value)s (%(low)s to %(high)s, 95 %%) among leads of the same time, of %(rows)s leads: "
                    "chance gives 0.5."
                ),
                rows=score.rows,
                **_range(score.within),
            )
        )
    out += [_not_beaten(score, against) for against in score.against if against.gain.low <= 0]
    out += [
        Problem.of(
            "ranks-worse-than-rules",
            gettext_noop("Among leads of the same time it ranks with AUC %(value)s, the rules with %(rules)s."),
            value=f"{score.within.value:.3f}",
            rules=f"{against.within:.3f}",
        )
        for against in score.against
        if against.rival is Rival.RULES and score.within.value < against.within
    ]
    return tuple(out)


_NOT_BEATEN: Final = {
    Rival.BASE_RATE: (
        "base-rate-not-beaten",
        gettext_noop(
            "Log loss %(loss)s, the base rate's %(other)s: better by %(value)s (%(low)s to %(high)s, 95 %%), which is "
            "not certainly more than nothing."
        ),
    ),
    Rival.RULES: (
        "rules-not-beaten",
        gettext_noop(
            "Log loss %(loss)s, the rules' %(other)s: better by %(value)s (%(low)s to %(high)s, 95 %%), which is not "
            "certainly more than nothing."
        ),
    ),
}

_BEATEN: Final = {
    Rival.BASE_RATE: (
        "base-rate-beaten",
        gettext_noop("Log loss %(loss)s, the base rate's %(other)s: better by %(value)s (%(low)s to %(high)s, 95 %%)."),
    ),
    Rival.RULES: (
        "rules-beaten",
        gettext_noop("Log loss %(loss)s, the rules' %(other)s: better by %(value)s (%(low)s to %(high)s, 95 %%)."),
    ),
}


def _compared(code: str, message: str, score: Score, against: Against) -> Problem:
    """One sentence about a rival."""
    losses = {"loss": f"{score.log_loss:.4f}", "other": f"{against.log_loss:.4f}"}
    figures = {"value": against.gain.value, "low": against.gain.low, "high": against.gain.high}
    return Problem.of(code, message, **losses, **{name: f"{figure:.4f}" for name, figure in figures.items()})


def _not_beaten(score: Score, against: Against) -> Problem:
    """Why a rival is not beaten."""
    return _compared(*_NOT_BEATEN[against.rival], score, against)


def _successes(score: Score) -> tuple[Problem, ...]:
    """Why it is useful."""
    ranked = Problem.of(
        "ranks",
        gettext_noop(
            "AUC %(all)s on %(rows)s leads held back, and %(value)s (%(low)s to %(high)s, 95 %%) among leads of the "
            "same time: chance gives 0.5."
        ),
        all=f"{score.auc.value:.3f}",
        rows=score.rows,
        **_range(score.within),
    )
    calibrated = Problem.of(
        "calibrated",
        gettext_noop(
            "Predicted and observed shares differ by %(error)s percentage points in the mean of %(bins)s bins."
        ),
        error=_share(score.calibration_error),
        bins=len(score.chart),
    )
    return (ranked, *(_compared(*_BEATEN[each.rival], score, each) for each in score.against), calibrated)


def _moved(drift: Drift) -> tuple[Problem, ...]:
    """What to say about drift; nothing when nothing has moved."""
    if not drift.has_moved:
        return ()
    greatest, rates = drift.shifts[0], [block.wins / block.rows for block in drift.blocks]
    return (
        Problem.of(
            "drift",
            gettext_noop(
                "What is predicted has moved: %(before)s %% were won before the time held back, %(after)s %% in it, from "
                "%(least)s to %(most)s %% between refits; the column that moved most is %(column)s (stability index "
                "%(index)s). Learned once and left alone, AUC would be %(auc)s and the calibration error %(error)s "
                "percentage points."
            ),
            before=_share(drift.rate_before),
            after=_share(drift.rate_held_back),
            least=_share(min(rates)),
            most=_share(max(rates)),
            column=greatest.column,
            index=f"{greatest.index:.2f}",
            auc=f"{drift.once_auc:.3f}",
            error=_share(drift.once_error),
        ),
    )
