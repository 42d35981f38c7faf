"""Reads the board: a column for each stage, with the count and sum of all its deals and the first of its cards."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from django.db.models import Count, QuerySet, Sum

from salesops.core.actor import Actor
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal, Stage
from salesops.deals.rules.places import place_between
from salesops.deals.selectors.deals import Total, deals_for

#: Cards of a column that are shown at first, and that "load more" adds.
CARDS: Final = 25
#: What cards may be ordered by, and by which columns.
ORDERS: Final[dict[str, tuple[str, ...]]] = {
    "placed": ("board_position", "-amount_minor", "-pk"),
    "amount": ("-amount_minor", "-pk"),
    "expected": ("expected_close_on", "pk"),
    "oldest": ("stage_entered_at", "pk"),
}


@dataclass(slots=True)
class Column:
    """A stage with its first cards; `count` and `totals` are of all its deals that match, never of the cards alone."""

    stage: Stage
    count: int = 0
    totals: list[Total] = field(default_factory=list)
    cards: list[Deal] = field(default_factory=list)
    offset: int = 0

    @property
    def next_offset(self) -> int | None:
        """Where "load more" goes on; None when all cards are there."""
        reached = self.offset + len(self.cards)
        return reached if self.cards and reached < self.count else None

    @property
    def left(self) -> int:
        """How many cards are not shown yet."""
        return max(0, self.count - self.offset - len(self.cards))


@dataclass(slots=True)
class Board:
    """The columns in the order of the stages, and the sums of everything open."""

    columns: list[Column]
    order: str
    open_count: int
    open_totals: list[Total]


def board_for(actor: Actor, deals: QuerySet[Deal] | None = None, *, order: str = "placed", cards: int = CARDS) -> Board:
    """The board of the deals the actor sees, or of `deals`, which the caller has filtered from them.

    One query for the stages, one for all sums, one for the cards of each stage: the same for any number of deals. A
    stage out of use is shown while deals stand in it.
    """
    rows = deals if deals is not None else deals_for(actor)
    order = order if order in ORDERS else "placed"
    totals: dict[int, list[Total]] = defaultdict(list)
    summed = (
        rows.order_by("currency").values("stage_id", "currency").annotate(count=Count("pk"), amount=Sum("amount_minor"))
    )
    for row in summed:
        totals[row["stage_id"]].append(Total(row["currency"], row["count"], int(row["amount"] or 0)))
    columns = []
    for stage in Stage.objects.all():
        if not stage.is_active and stage.pk not in totals:
            continue
        column = Column(stage, sum(total.count for total in totals[stage.pk]), totals[stage.pk])
        if column.count:
            column.cards = list(_cards(rows, stage, order)[:cards])
        columns.append(column)
    opened = [column for column in columns if column.stage.kind == StageKind.OPEN]
    return Board(columns, order, sum(column.count for column in opened), _added(opened))


def column_for(
    actor: Actor,
    stage: Stage,
    deals: QuerySet[Deal] | None = None,
    *,
    order: str = "placed",
    offset: int = 0,
    cards: int = CARDS,
) -> Column:
    """A column with the cards from `offset` on."""
    rows = (deals if deals is not None else deals_for(actor)).filter(stage=stage)
    order = order if order in ORDERS else "placed"
    summed = rows.order_by("currency").values("currency").annotate(count=Count("pk"), amount=Sum("amount_minor"))
    totals = [Total(row["currency"], row["count"], int(row["amount"] or 0)) for row in summed]
    column = Column(stage, sum(total.count for total in totals), totals, offset=offset)
    column.cards = list(_cards(rows, stage, order)[offset : offset + cards])
    return column


def neighbours_place(actor: Actor, stage: Stage, above_id: int | None, below_id: int | None) -> int | None:
    """The place between two cards of a column; None when neither is there (any more), which means on top."""
    ids = [pk for pk in (above_id, below_id) if pk is not None]
    places = dict(deals_for(actor).filter(pk__in=ids, stage=stage).values_list("pk", "board_position"))
    return place_between(
        places.get(above_id) if above_id is not None else None, places.get(below_id) if below_id is not None else None
    )


def _cards(rows: QuerySet[Deal], stage: Stage, order: str) -> QuerySet[Deal]:
    """The cards of a stage in an order, with what a card names."""
    return rows.filter(stage=stage).select_related("account", "owner", "stage").order_by(*ORDERS[order])


def _added(columns: list[Column]) -> list[Total]:
    """The sums of several columns, each currency for itself."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for column in columns:
        for total in column.totals:
            sums[total.currency][0] += total.count
            sums[total.currency][1] += total.amount_minor
    return [Total(currency, count, amount) for currency, (count, amount) in sorted(sums.items())]
