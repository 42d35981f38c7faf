"""What was learned, as plain numbers: a weight a feature, or small trees; applied and opened into parts with numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from salesops.leads.rules.learned.history import Floats, Ints

#: Leads kept with trees, to compare one lead with when its score is opened into parts.
COMPARED: Final = 64


@dataclass(frozen=True, eq=False)
class Weights:
    """Logistic regression: log-odds are the bias and a weight a feature. Features are around their means, so the bias is
    what the average lead has."""

    bias: float
    weights: Floats

    def margins(self, matrix: Floats) -> Floats:
        """Log-odds of the rows of a matrix of features."""
        return np.asarray(matrix @ self.weights + self.bias, dtype=np.float64)

    def parts(self, features: Floats, spans: tuple[slice, ...]) -> tuple[float, tuple[float, ...]]:
        """Log-odds to start from, and what each column adds for one lead; together they are its log-odds."""
        return self.bias, tuple(float(features[span] @ self.weights[span]) for span in spans)

    def as_plain(self) -> dict[str, Any]:
        """The weights as plain JSON data."""
        return {"bias": self.bias, "weights": self.weights.tolist()}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Weights:
        """Read back what `as_plain` wrote."""
        return cls(plain["bias"], np.array(plain["weights"], dtype=np.float64))


@dataclass(frozen=True, eq=False)
class Trees:
    """Boosted trees, all nodes in one row of arrays.

    roots: the first node of each tree. feature, threshold: a lead goes left where its feature is not above the threshold.
    left, right: the following node; a leaf is followed by itself. value: log-odds a leaf adds. depth: the most steps.
    compared: features of the leads (COMPARED of them) that one lead is compared with.
    """

    bias: float
    roots: Ints
    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    value: Floats
    depth: int
    compared: Floats

    def margins(self, matrix: Floats) -> Floats:
        """Log-odds of the rows of a matrix of features."""
        total = np.full(len(matrix), self.bias)
        rows = np.arange(len(matrix))
        for root in self.roots:
            node = np.full(len(matrix), root)
            for _ in range(self.depth):
                goes_left = matrix[rows, self.feature[node]] <= self.threshold[node]
                node = np.where(goes_left, self.left[node], self.right[node])
            total += self.value[node]
        return total

    def parts(self, features: Floats, spans: tuple[slice, ...]) -> tuple[float, tuple[float, ...]]:
        """Mean log-odds of the leads compared with, and what each column adds for one lead; together its log-odds.

        Column by column, the lead's own features are put in the place of those of each lead compared with; what that
        changes in the mean is the column's. The same is done in the opposite order, and a column has the mean of both.
        Trees of two questions join two columns at the most, and of two columns each comes first once: so these are the
        Shapley values (Lundberg and Lee 2017, with those leads as the background), not a sample of them.
        """
        added = np.zeros(len(spans))
        for order in (range(len(spans)), range(len(spans) - 1, -1, -1)):
            mixed = self.compared.copy()
            before = float(self.margins(mixed).mean())
            for place in order:
                mixed[:, spans[place]] = features[spans[place]]
                after = float(self.margins(mixed).mean())
                added[place] += (after - before) / 2
                before = after
        return float(self.margins(self.compared).mean()), tuple(added.tolist())

    def as_plain(self) -> dict[str, Any]:
        """The trees as plain JSON data."""
        return {
            "bias": self.bias,
            "roots": self.roots.tolist(),
            "feature": self.feature.tolist(),
            "threshold": self.threshold.tolist(),
            "left": self.left.tolist(),
            "right": self.right.tolist(),
            "value": self.value.tolist(),
            "depth": self.depth,
            "compared": self.compared.tolist(),
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Trees:
        """Read back what `as_plain` wrote."""
        return cls(
            bias=plain["bias"],
            roots=np.array(plain["roots"], dtype=np.int64),
            feature=np.array(plain["feature"], dtype=np.int64),
            threshold=np.array(plain["threshold"], dtype=np.float64),
            left=np.array(plain["left"], dtype=np.int64),
            right=np.array(plain["right"], dtype=np.int64),
            value=np.array(plain["value"], dtype=np.float64),
            depth=plain["depth"],
            compared=np.array(plain["compared"], dtype=np.float64),
        )


Model = Weights | Trees


@dataclass(frozen=True)
class Calibration:
    """From log-odds of a model to a probability that was true lately: log-odds times slope and shift (Platt 1999).

    least, most: no probability is beyond them; so many leads cannot tell more.
    """

    slope: float
    shift: float
    least: float
    most: float

    def margins(self, margins: Floats) -> Floats:
        """The log-odds set right, before they are bounded."""
        return np.asarray(self.slope * margins + self.shift, dtype=np.float64)

    def probabilities(self, margins: Floats) -> Floats:
        """Probabilities; they never fall where the model's log-odds rise."""
        return np.clip(chances(self.margins(margins)), self.least, self.most)


def chances(margins: Floats) -> Floats:
    """Probabilities of log-odds, without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * margins)), dtype=np.float64)


def calibrate(margins: Floats, outcome: Ints) -> Calibration:
    """The slope, not below zero, and the shift that surprise least on leads the model was not trained on.

    The outcomes are softened as by Platt: a win is (wins + 1) / (wins + 2), a loss 1 / (losses + 2). The slope has a
    normal prior around 1 with a standard deviation of 1, so that a handful of leads does not turn it; bounds are those of
    Laplace, 1 / (n + 2) from either end. Without leads nothing is changed.
    """
    count, wins = len(outcome), int(outcome.sum())
    targets = np.where(outcome == 1, (wins + 1) / (wins + 2), 1 / (count - wins + 2))
    slope, moved = _least_surprise(margins, targets, is_sloped=True)
    if slope < 0:
        slope, moved = 0.0, _least_surprise(margins, targets, is_sloped=False)[1]
    least = 1 / (count + 2)
    return Calibration(slope, moved, least, 1 - least) if count else Calibration(1.0, 0.0, 0.0, 1.0)


def _least_surprise(margins: Floats, targets: Floats, *, is_sloped: bool) -> tuple[float, float]:
    """Newton's method on a convex loss; a step that overshoots is halved."""
    inputs = np.column_stack([margins if is_sloped else np.zeros(len(margins)), np.ones(len(margins))])
    middle, held = np.array([1.0, 0.0]), np.diag([1.0, 1e-6])

    def loss(at: Floats) -> float:
        sums = inputs @ at
        return float((np.logaddexp(0, sums) - targets * sums).sum() + (at - middle) @ held @ (at - middle) / 2)

    at = middle.copy()
    for _ in range(100):
        expected = chances(inputs @ at)
        slope = inputs.T @ (expected - targets) + held @ (at - middle)
        bend = (inputs * (expected * (1 - expected))[:, None]).T @ inputs + held
        step = np.linalg.solve(bend, slope)
        while loss(at - step) > loss(at) and np.abs(step).max() > 1e-12:
            step = step / 2
        at = at - step
        if np.abs(step).max() < 1e-10:
            break
    return float(at[0]), float(at[1])
