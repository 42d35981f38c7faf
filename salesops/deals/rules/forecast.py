"""The forecast of a period: what is won, what is likely, what is possible, one currency at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from salesops.deals.rules.amounts import WHOLE_BP
from salesops.values.money import round_half_up


@dataclass(frozen=True, slots=True)
class Slice:
    """Deals that are alike: summed by the database, weighed here.

    `is_won`: closed as won within the period; else open and expected to close within it. `probability_bp` is the
    stage's. `owner_id` and `pod_id` may be None.
    """

    currency: str
    is_won: bool
    probability_bp: int
    amount_minor: int
    count: int
    owner_id: int | None = None
    pod_id: int | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """A forecast in one currency, in minor units."""

    currency: str
    won_minor: int = 0
    won_count: int = 0
    open_minor: int = 0
    open_count: int = 0
    weighted_minor: int = 0

    @property
    def forecast_minor(self) -> int:
        """Won, and the open weighted by how likely their stages are."""
        return self.won_minor + self.weighted_minor

    @property
    def best_case_minor(self) -> int:
        """Won, and everything open that is expected in the period."""
        return self.won_minor + self.open_minor


def figures_of(slices: Iterable[Slice]) -> list[Figures]:
    """Add slices up, a row for each currency in the order of their codes. The weight is rounded once, at the end."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for part in slices:
        row = sums[part.currency]
        if part.is_won:
            row[0] += part.amount_minor
            row[1] += part.count
        else:
            row[2] += part.amount_minor
            row[3] += part.count
            row[4] += part.amount_minor * part.probability_bp
    return [
        Figures(currency, won, won_count, open_, open_count, round_half_up(weight, WHOLE_BP))
        for currency, (won, won_count, open_, open_count, weight) in sorted(sums.items())
    ]


def figures_by(slices: Iterable[Slice], key: str) -> dict[int | None, list[Figures]]:
    """The same for each owner (`owner_id`) or pod (`pod_id`). Each figure is rounded on its own."""
    groups: dict[int | None, list[Slice]] = defaultdict(list)
    for part in slices:
        groups[part.pod_id if key == "pod_id" else part.owner_id].append(part)
    return {group: figures_of(parts) for group, parts in groups.items()}
