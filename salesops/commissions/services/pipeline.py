"""What a person would earn in an open period if their pipeline came in: all of it, and by the probability of stages."""

from __future__ import annotations

from dataclasses import dataclass

from salesops.commissions.models import Statement
from salesops.commissions.services.what_if import IfClosed, if_closed, open_deals_of
from salesops.core.actor import Actor
from salesops.values.money import round_half_up

_WHOLE = 10_000


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The open deals of a person that are expected to close in the period, and what they would pay.

    result: all of them won, on the engine; None without such deals. weighted_minor: earned now and what each deal would
    earn, times the probability of its stage, in minor units; None where no stage has one. undated: open deals without an
    expected day, left out. unlikely: deals in stages without a probability, which weigh nothing.
    """

    count: int
    result: IfClosed | None
    weighted_minor: int | None
    undated: int
    unlikely: int


def pipeline_of(actor: Actor, statement: Statement) -> Pipeline:
    """What the deals that the actor sees of the statement's person would pay. Nothing is written."""
    period = statement.period
    rows = open_deals_of(actor, statement.person_id)
    deals = list(rows.filter(expected_close_on__gte=period.start_on, expected_close_on__lt=period.end_on))
    undated = rows.filter(expected_close_on__isnull=True).order_by().values("pk").count()
    if not deals:
        return Pipeline(0, None, None, undated, 0)
    result = if_closed(statement, deals)
    likely = {each.deal.pk: each.deal.stage.probability_bp for each in result.deals}
    expected = sum(each.earned_minor * likely[each.deal.pk] for each in result.deals)
    return Pipeline(
        count=len(deals),
        result=result,
        weighted_minor=result.now_earned + round_half_up(expected, _WHOLE) if any(likely.values()) else None,
        undated=undated,
        unlikely=sum(not points for points in likely.values()),
    )
