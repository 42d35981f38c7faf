"""How deals flow through the stages in a period: what came, what went on and back, what was won and lost, and how fast."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from salesops.deals.rules.amounts import WHOLE_BP
from salesops.values.money import round_half_up

#: Of fewer moves out of a stage no share and no mean is told.
FEW: Final = 5
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Moves:
    """Moves that are alike, counted by the database. `left`: the stage they came from, None for new deals.

    seconds: how long they were in the stage they left together, as far as it is known of `timed` of them.
    """

    left: int | None
    entered: int
    count: int
    seconds: int = 0
    timed: int = 0


@dataclass(slots=True)
class Flow:
    """What went through a stage in a period, in moves: a deal that goes back and comes again counts twice."""

    stage: int
    came: int = 0
    went_on: int = 0
    went_back: int = 0
    won: int = 0
    lost: int = 0
    seconds: int = 0
    timed: int = 0

    @property
    def left(self) -> int:
        """How many moves led out of it."""
        return self.went_on + self.went_back + self.won + self.lost

    @property
    def onward_bp(self) -> int | None:
        """Of those that left, the share that went on or was won, in basis points; None for too few."""
        return round_half_up((self.went_on + self.won) * WHOLE_BP, self.left) if self.left >= FEW else None

    @property
    def mean_days(self) -> int | None:
        """Whole days they were there on average; None for too few."""
        return round_half_up(self.seconds, self.timed * _DAY) if self.timed >= FEW else None


def flow_through(
    open_stages: Sequence[int], won: Iterable[int], lost: Iterable[int], moves: Iterable[Moves]
) -> list[Flow]:
    """The flow through each open stage, in their order; moves from and to stages that are not named count as closed ones."""
    found = {stage: Flow(stage) for stage in open_stages}
    place = {stage: index for index, stage in enumerate(open_stages)}
    wins, losses = frozenset(won), frozenset(lost)
    for each in moves:
        if each.entered in found:
            found[each.entered].came += each.count
        if each.left not in found:
            continue
        flow = found[each.left]
        flow.seconds += each.seconds
        flow.timed += each.timed
        if each.entered in wins:
            flow.won += each.count
        elif each.entered in losses:
            flow.lost += each.count
        elif place.get(each.entered, -1) > place[each.left]:
            flow.went_on += each.count
        else:
            flow.went_back += each.count
    return list(found.values())
