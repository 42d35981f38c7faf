"""What became of won deals: how many of a group were lost or paid back afterwards, where the group is large enough to say."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

#: Groups smaller than this say nothing: one deal would be the whole figure.
LEAST_GROUP: Final = 5


@dataclass(frozen=True, slots=True)
class After:
    """A won deal: whether the guard flagged it, whether the customer left since, whether anything was paid back."""

    deal: int
    pod: int | None
    is_flagged: bool
    has_churned: bool
    is_paid_back: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Counts of a group of won deals. Shares are in basis points; None where the group is too small."""

    count: int
    churned: int
    paid_back: int
    either: int

    @property
    def is_too_few(self) -> bool:
        """Whether the group is too small to say anything."""
        return self.count < LEAST_GROUP

    def share_bp(self, part: int) -> int | None:
        """A part of the group, rounded half up; None where there are too few."""
        return None if self.is_too_few else (part * 20_000 + self.count) // (2 * self.count)

    @property
    def churned_bp(self) -> int | None:
        """Whose customer left."""
        return self.share_bp(self.churned)

    @property
    def paid_back_bp(self) -> int | None:
        """Of which something was paid back, credited or cancelled."""
        return self.share_bp(self.paid_back)

    @property
    def either_bp(self) -> int | None:
        """Of which one or the other is so."""
        return self.share_bp(self.either)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Flagged deals beside the others; `difference_bp` is of the share that churned or was paid back."""

    flagged: Group
    others: Group

    @property
    def difference_bp(self) -> int | None:
        """How much larger the share is among flagged deals; None where either group is too small."""
        mine, theirs = self.flagged.either_bp, self.others.either_bp
        return None if mine is None or theirs is None else mine - theirs


def compare(deals: Collection[After]) -> Comparison:
    """Flagged deals beside those that the guard allowed."""
    return Comparison(
        _group(each for each in deals if each.is_flagged), _group(each for each in deals if not each.is_flagged)
    )


def compare_by_pod(deals: Iterable[After]) -> dict[int | None, Comparison]:
    """The same for each pod."""
    by_pod: dict[int | None, list[After]] = {}
    for each in deals:
        by_pod.setdefault(each.pod, []).append(each)
    return {pod: compare(group) for pod, group in by_pod.items()}


def _group(deals: Iterable[After]) -> Group:
    rows = list(deals)
    return Group(
        count=len(rows),
        churned=sum(each.has_churned for each in rows),
        paid_back=sum(each.is_paid_back for each in rows),
        either=sum(each.has_churned or each.is_paid_back for each in rows),
    )
