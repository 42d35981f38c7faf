"""How good probabilities are: ranking, calibration, surprise, with intervals; and how far a population has moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from salesops.leads.rules.learned.history import Floats, Ints, Values, missing

#: Standard errors of a two-sided 95 % interval: of the normal distribution, and of Student's t with 29 degrees.
_NORMAL: Final = 1.959964
_STUDENT_29: Final = 2.045230
#: Into how many stretches of time losses are put together, so that neighbours that err together count once.
STRETCHES: Final = 30
#: Bins of the calibration chart, of as equal numbers of leads as equal predictions allow.
BINS: Final = 10


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Bin:
    """Leads with like predictions: the mean prediction and the share won of them, how many, and how many were won."""

    predicted: float
    observed: float
    rows: int
    wins: int


def ranks(values: Floats) -> Floats:
    """Ranks from 1 on; equal values share the mean of theirs."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.searchsorted(ordered, ordered, side="left")
    last = np.searchsorted(ordered, ordered, side="right")
    out = np.empty(len(values), dtype=np.float64)
    out[order] = (first + last + 1) / 2
    return out


def auc(scores: Floats, outcome: Ints) -> float:
    """How often a won lead is ranked above a lost one, a tie counting half; 0.5 when there are none of one kind."""
    won = outcome == 1
    wins, losses = int(won.sum()), int((~won).sum())
    if not wins or not losses:
        return 0.5
    return float((ranks(scores)[won].sum() - wins * (wins + 1) / 2) / (wins * losses))


def _auc_variance(scores: Floats, outcome: Ints) -> float:
    """Variance of the AUC after DeLong, DeLong and Clarke-Pearson (1988); the greatest possible with fewer than two."""
    won = outcome == 1
    wins, losses = int(won.sum()), int((~won).sum())
    if wins < 2 or losses < 2:
        return 0.25
    together = ranks(scores)
    above_lost = (together[won] - ranks(scores[won])) / losses
    below_won = 1 - (together[~won] - ranks(scores[~won])) / wins
    return float(above_lost.var(ddof=1) / wins + below_won.var(ddof=1) / losses)


def auc_estimate(scores: Floats, outcome: Ints) -> Estimate:
    """The AUC over all leads, whenever they were asked about."""
    return _bounded(auc(scores, outcome), _auc_variance(scores, outcome))


def auc_within(scores: Floats, outcome: Ints, blocks: Ints) -> Estimate:
    """The AUC among leads of the same block only: blocks weigh as many pairs of a won and a lost lead as they have.

    Where the base rate moves, whatever follows it ranks leads of good months above those of bad ones. That is no help in
    choosing among the leads of a day: only pairs of the same time tell. 0.5 with the whole interval when there are none.
    """
    pairs = concordant = variance = 0.0
    for block in np.unique(blocks):
        rows = blocks == block
        wins = int(outcome[rows].sum())
        weight = wins * (int(rows.sum()) - wins)
        if weight:
            pairs += weight
            concordant += weight * auc(scores[rows], outcome[rows])
            variance += weight**2 * _auc_variance(scores[rows], outcome[rows])
    if not pairs:
        return Estimate(0.5, 0.0, 1.0)
    return _bounded(concordant / pairs, variance / pairs**2)


def _bounded(value: float, variance: float) -> Estimate:
    """An AUC with its interval, which does not leave 0 to 1."""
    wide = _NORMAL * variance**0.5
    return Estimate(value, max(0.0, value - wide), min(1.0, value + wide))


def surprises(probabilities: Floats, outcome: Ints) -> Floats:
    """The log loss of each lead, in nats."""
    of_what_came = np.where(outcome == 1, probabilities, 1 - probabilities)
    return np.asarray(-np.log(np.clip(of_what_came, 1e-12, 1)), dtype=np.float64)


def log_loss(probabilities: Floats, outcome: Ints) -> float:
    """The mean surprise, in nats."""
    return float(surprises(probabilities, outcome).mean())


def gain(probabilities: Floats, others: Floats, outcome: Ints) -> Estimate:
    """By how much the log loss is lower than that of other probabilities, of leads in the order of time.

    The interval comes from the means of STRETCHES consecutive stretches, so leads of one time that err together are not
    taken for independent. Needs as many leads as there are stretches.
    """
    differences = surprises(others, outcome) - surprises(probabilities, outcome)
    means = np.array([stretch.mean() for stretch in np.array_split(differences, STRETCHES)])
    wide = _STUDENT_29 * float(means.std(ddof=1)) / STRETCHES**0.5
    value = float(differences.mean())
    return Estimate(value, value - wide, value + wide)


def bins(probabilities: Floats, outcome: Ints, count: int = BINS) -> tuple[Bin, ...]:
    """Leads by growing prediction in at most `count` bins of like size; equal predictions stay together."""
    order = np.argsort(probabilities, kind="stable")
    ordered, came = probabilities[order], outcome[order]
    wanted = (np.arange(1, count) * len(ordered)) // count
    cuts = np.unique(np.searchsorted(ordered, ordered[wanted], side="left")) if len(ordered) else wanted[:0]
    pieces = zip(np.split(ordered, cuts), np.split(came, cuts), strict=True)
    return tuple(
        Bin(float(predicted.mean()), float(won.mean()), len(won), int(won.sum()))
        for predicted, won in pieces
        if len(won)
    )


def calibration_error(chart: tuple[Bin, ...]) -> float:
    """Expected calibration error: the mean distance of predicted and observed over the bins, each weighing its leads."""
    rows = sum(each.rows for each in chart)
    return sum(abs(each.predicted - each.observed) * each.rows for each in chart) / rows if rows else 0.0


def shift(before: Values, after: Values) -> float:
    """Population stability index of one column: 0 the same, over 0.25 by custom a great shift.

    Numbers are put into tenths of the earlier ones, words by themselves, missing ones apart; half a lead is added to each
    cell, so that a word that is new does not make it infinite.
    """
    cells_before, cells_after = _cells(before, after)
    count = int(max(cells_before.max(initial=0), cells_after.max(initial=0))) + 1
    earlier = np.bincount(cells_before, minlength=count) + 0.5
    later = np.bincount(cells_after, minlength=count) + 0.5
    earlier, later = earlier / earlier.sum(), later / later.sum()
    return float(((later - earlier) * np.log(later / earlier)).sum())


def unlike(wins: Ints, rows: Ints) -> float:
    """How unlike the shares won of several groups are, in standard errors of the normal distribution.

    Pearson's chi-square of equal shares, brought to the normal distribution after Wilson and Hilferty (1931). 0 for one
    group, and where all were won or all were lost.
    """
    share, free = wins.sum() / rows.sum(), len(rows) - 1
    if not free or share in (0, 1):
        return 0.0
    square = float(((wins - rows * share) ** 2 / (rows * share * (1 - share))).sum())
    spread = 2 / (9 * free)
    return float(((square / free) ** (1 / 3) - (1 - spread)) / spread**0.5)


def _cells(before: Values, after: Values) -> tuple[Ints, Ints]:
    """The number of the cell of each value; missing ones are in cell 0."""
    if before.dtype.kind == "f":
        there = before[~missing(before)]
        edges = np.unique(np.quantile(there, np.arange(1, 10) / 10)) if len(there) else np.empty(0)
        return (
            np.where(missing(before), 0, np.searchsorted(edges, before, side="right") + 1),
            np.where(missing(after), 0, np.searchsorted(edges, after, side="right") + 1),
        )
    known = sorted({value for values in (before, after) for value in values if value is not None})
    cells = {word: cell for cell, word in enumerate(known, start=1)}
    return (
        np.array([cells.get(value, 0) for value in before], dtype=np.int64),
        np.array([cells.get(value, 0) for value in after], dtype=np.int64),
    )
