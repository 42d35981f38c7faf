"""Reads the forecast of a period: sums made by the database, weighed by the rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Count, QuerySet, Sum

from salesops.core.actor import Actor, Noun, Scope
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal
from salesops.deals.rules.forecast import Figures, Slice, figures_by, figures_of
from salesops.deals.selectors.deals import Total, deals_counted_for, totals_of
from salesops.people.models import User
from salesops.pods.models import Pod
from salesops.values.periods import Period


@dataclass(frozen=True, slots=True)
class ForecastRow:
    """The figures of an owner or a pod, a row for each currency. `pk` None: deals of nobody or of no pod."""

    pk: int | None
    name: str
    figures: tuple[Figures, ...]


@dataclass(slots=True)
class Forecast:
    """The forecast of a period. `overdue`: open deals expected before the period; `undated`: open without a day.

    Neither goes into the figures. `by_owner` is empty for who sees totals only.
    """

    period: Period
    totals: list[Figures]
    by_owner: list[ForecastRow] = field(default_factory=list)
    by_pod: list[ForecastRow] = field(default_factory=list)
    overdue: list[Total] = field(default_factory=list)
    undated: list[Total] = field(default_factory=list)


def forecast_for(actor: Actor, period: Period, deals: QuerySet[Deal] | None = None) -> Forecast:
    """What the actor's deals, or `deals` which the caller has filtered from them, come to in a period.

    Won: closed as won in the period. Open: expected to close in it, weighted by their stage. Who sees totals only gets
    the company's sums and those of pods, never of a person.
    """
    rows = deals if deals is not None else deals_counted_for(actor)
    opened = rows.filter(kind=StageKind.OPEN)
    # Two sums instead of one with OR: each is answered by an index of its own.
    parts = (
        rows.filter(kind=StageKind.WON, closed_on__gte=period.start, closed_on__lt=period.end),
        opened.filter(expected_close_on__gte=period.start, expected_close_on__lt=period.end),
    )
    slices = [
        Slice(
            currency=row["currency"],
            is_won=row["kind"] == StageKind.WON,
            probability_bp=row["stage__probability_bp"],
            amount_minor=int(row["amount"] or 0),
            count=row["count"],
            owner_id=row["owner_id"],
            pod_id=row["pod_id"],
        )
        for part in parts
        for row in part.order_by()
        .values("currency", "kind", "stage__probability_bp", "owner_id", "pod_id")
        .annotate(count=Count("pk"), amount=Sum("amount_minor"))
    ]
    forecast = Forecast(
        period,
        figures_of(slices),
        overdue=totals_of(opened.filter(expected_close_on__lt=period.start)),
        undated=totals_of(opened.filter(expected_close_on__isnull=True)),
    )
    pods = dict(Pod.objects.filter(pk__in={part.pod_id for part in slices}).values_list("pk", "name"))
    forecast.by_pod = _rows(slices, "pod_id", pods)
    if actor.sight(Noun.WORK) > Scope.TOTALS:
        owners = dict(User.objects.filter(pk__in={part.owner_id for part in slices}).values_list("pk", "name"))
        forecast.by_owner = _rows(slices, "owner_id", owners)
    return forecast


def _rows(slices: Iterable[Slice], key: str, names: dict[int, str]) -> list[ForecastRow]:
    """A row for each owner or pod, the largest forecast first, what has none last."""
    rows = [
        ForecastRow(pk, names.get(pk, "") if pk is not None else "", tuple(figures))
        for pk, figures in figures_by(slices, key).items()
    ]
    return sorted(
        rows, key=lambda row: (row.pk is None, -max(each.forecast_minor for each in row.figures), row.name, row.pk or 0)
    )
