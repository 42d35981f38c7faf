"""Reads how deals flow through the stages in a period, from the log of their moves: a snapshot of stages hides it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Count, QuerySet, Sum

from salesops.deals.choices import StageKind
from salesops.deals.models import Deal, Stage, StageChange
from salesops.deals.rules.flow import Flow, Moves, flow_through
from salesops.values.periods import Period


@dataclass(frozen=True, slots=True)
class StageFlow:
    """An open stage and what went through it."""

    stage: Stage
    flow: Flow


def flow_of(deals: QuerySet[Deal], period: Period) -> list[StageFlow]:
    """The flow of these deals, which the caller has narrowed to what the actor may count, in days of the company; nothing
    where nothing moved. Two queries, however many deals and moves."""
    zone = ZoneInfo(settings.COMPANY_TIME_ZONE)
    start, end = (datetime.combine(day, time(), zone) for day in (period.start, period.end))
    rows = StageChange.objects.filter(
        changed_at__gte=start, changed_at__lt=end, deal__in=deals.order_by().values("pk")
    ).order_by()
    moves = [
        Moves(row["from_stage"], row["to_stage"], row["count"], int(row["seconds"] or 0), row["timed"])
        for row in rows.values("from_stage", "to_stage").annotate(
            count=Count("pk"), seconds=Sum("seconds_in_stage"), timed=Count("seconds_in_stage")
        )
    ]
    stages = list(Stage.objects.order_by("position", "pk"))
    by_kind = {kind: [stage.pk for stage in stages if stage.kind == kind] for kind in StageKind}
    found = flow_through(by_kind[StageKind.OPEN], by_kind[StageKind.WON], by_kind[StageKind.LOST], moves)
    named = {stage.pk: stage for stage in stages}
    told = [
        StageFlow(named[each.stage], each) for each in found if each.came or each.left or named[each.stage].is_active
    ]
    return told if moves else []
