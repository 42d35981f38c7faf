"""The two ways of learning, on scikit-learn. Only jobs train: nothing is imported before they do.

One thread trains: once OpenMP has started more, a worker forked from the process waits for ever for those it has not.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from salesops.leads.rules.learned.history import Floats, Ints
from salesops.leads.rules.learned.models import COMPARED, Trees, Weights

# How strongly weights are held near zero (scikit-learn's C, smaller is stronger).
_HOLD: Final = 0.1
# Trees of two questions: what two columns say together, and the parts of a score can be told exactly.
_QUESTIONS: Final = 2
_TREES: Final = 100
_STEP: Final = 0.1
_FEWEST_IN_A_LEAF: Final = 20
_SEED: Final = 20


def weights(matrix: Floats, outcome: Ints) -> Weights:
    """Logistic regression."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        learned = LogisticRegression(C=_HOLD, max_iter=1000, tol=1e-6).fit(matrix, outcome)
    return Weights(float(learned.intercept_[0]), np.asarray(learned.coef_[0], dtype=np.float64))


def trees(matrix: Floats, outcome: Ints) -> Trees:
    """Gradient boosting."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    boosting = HistGradientBoostingClassifier(
        max_iter=_TREES,
        max_depth=_QUESTIONS,
        learning_rate=_STEP,
        min_samples_leaf=_FEWEST_IN_A_LEAF,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=_SEED,
    )
    with threadpool_limits(limits=1):
        learned = boosting.fit(matrix, outcome)
    kept = np.unique(np.linspace(0, len(matrix) - 1, COMPARED).astype(np.int64))
    return _opened(learned, matrix[kept])


def _opened(learned: Any, compared: Floats) -> Trees:
    """The nodes of scikit-learn's trees, which it keeps to itself: a test holds them to its own predictions."""
    pieces = [stage[0].nodes for stage in learned._predictors]
    starts = np.cumsum([0, *(len(nodes) for nodes in pieces)])[:-1].astype(np.int64)
    nodes = np.concatenate(pieces)
    offset = np.repeat(starts, [len(piece) for piece in pieces])
    is_leaf = nodes["is_leaf"].astype(bool)
    itself = np.arange(len(nodes), dtype=np.int64)
    return Trees(
        bias=float(np.ravel(learned._baseline_prediction)[0]),
        roots=starts,
        feature=np.where(is_leaf, 0, nodes["feature_idx"]).astype(np.int64),
        threshold=np.where(is_leaf, 0.0, nodes["num_threshold"]).astype(np.float64),
        left=np.where(is_leaf, itself, nodes["left"].astype(np.int64) + offset),
        right=np.where(is_leaf, itself, nodes["right"].astype(np.int64) + offset),
        value=np.where(is_leaf, nodes["value"], 0.0).astype(np.float64),
        depth=_QUESTIONS,
        compared=compared,
    )
