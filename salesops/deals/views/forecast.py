"""The forecast of a month or a quarter, over the same deals as list and board."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, Final

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import formats
from django.utils.functional import cached_property
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _

from salesops.core.actor import Noun, Role, Scope
from salesops.core.charts import Chart, Series
from salesops.core.days import company_day
from salesops.core.filters import PortalFilterSet
from salesops.deals.filters import DealFilter, TotalsFilter
from salesops.deals.models import Deal
from salesops.deals.rules.forecast import Figures
from salesops.deals.selectors import Forecast, ForecastRow, deals_counted_for, forecast_for
from salesops.deals.selectors.flow import flow_of
from salesops.deals.views.deals import DealListView
from salesops.values.periods import Period, PeriodError, PeriodKind, parse_label, period_of

_DAY: Final = timedelta(days=1)
#: Rows of the chart; the table below has all.
_CHARTED: Final = 12


class ForecastView(DealListView):
    """Won, weighted and best case, by owner and pod. Who sees totals only sees no person and no single deal."""

    roles: ClassVar[tuple[Role, ...]] = (Role.REP, Role.MANAGER, Role.REVOPS, Role.FINANCE, Role.EXECUTIVE, Role.ADMIN)
    title = _("Forecast")

    @property
    def page_key(self) -> str:
        """Saved views are shared with the list."""
        return "deals:deal_list"

    @property
    def sees_totals_only(self) -> bool:
        """Whether the actor sees sums and no rows."""
        return self.actor.sight(Noun.WORK) <= Scope.TOTALS

    def get_rows(self) -> QuerySet[Deal]:
        """The deals that are counted for the actor."""
        return deals_counted_for(self.actor)

    @cached_property
    def filterset(self) -> PortalFilterSet:
        """The filters of the list, or the few that single nobody out."""
        used = TotalsFilter if self.sees_totals_only else DealFilter
        return used(self.request.GET, self.rows, request=self.request)

    @cached_property
    def period(self) -> Period:
        """The period of the address; this quarter when there is none or it cannot be read."""
        try:
            return parse_label(self.request.GET.get("period", ""))
        except PeriodError:
            return period_of(company_day(self.now), PeriodKind.QUARTER)

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """The page, or the part that htmx asks for."""
        if request.GET.get("part") == "filters":
            return self.show_filters()
        if not request.GET and not self.is_partial and (opening := self.opening_view):
            return redirect(f"{request.path}?{opening.query}&view={opening.pk}")
        part = {"list": "deals/forecast_body.html", "list-page": "deals/forecast_page.html"}.get(self.htmx_target)
        response = render(request, part or "deals/forecast.html", self.page_context())
        if part:
            query = self.forecast_query
            response.headers["HX-Push-Url"] = f"{request.path}?{query}" if query else request.path
        return response

    @property
    def forecast_query(self) -> str:
        """The address's filters, view and period."""
        keep = self.clean_query(keep=frozenset({"view"}))
        if "period" in self.request.GET:
            keep["period"] = self.period.label
        return keep.urlencode()

    def page_context(self) -> dict[str, Any]:
        """The figures, their chart and the ways to other periods."""
        view_id = self.request.GET.get("view", "")
        active = next((each for each in self.saved_views if str(each.pk) == view_id), None)
        forecast = forecast_for(self.actor, self.period, self.matching)
        forecast.totals.sort(key=lambda each: (each.currency != settings.COMPANY_CURRENCY, each.currency))
        return {
            "view": self,
            "title": self.title,
            "noun_plural": self.model._meta.verbose_name_plural,
            **self.filter_context(),
            "saved_views": self.saved_views,
            "active_view": active,
            "is_view_changed": active is not None and active.query != self.view_query(),
            "is_own_view": active is not None and active.owner_id == self.actor.user_id,
            "opening_view_id": self.preference.opening_view_id,
            "query": self.clean_query().urlencode(),
            "shared_query": self.clean_query(keep=frozenset({"view"})).urlencode(),
            "shown_as": "forecast",
            "forecast": forecast,
            "flow": flow_of(self.matching, self.period),
            "sees_totals_only": self.sees_totals_only,
            "last_day_before": self.period.start - _DAY if self.period.start.year > 1 else None,
            "period_name": period_name(self.period),
            "periods": self.periods(),
            "kinds": self.kinds(),
            "charts": self.charts(forecast),
        }

    def charts(self, forecast: Forecast) -> list[Chart]:
        """One chart for each currency: by owner, or by pod for who sees totals only."""
        if self.sees_totals_only:
            return [
                chart(forecast.by_pod, each, translate("By pod, %(currency)s") % {"currency": each.currency})
                for each in forecast.totals
            ]
        return [
            chart(forecast.by_owner, each, translate("By owner, %(currency)s") % {"currency": each.currency})
            for each in forecast.totals
        ]

    def periods(self) -> dict[str, dict[str, str]]:
        """The period before and the one after."""
        kind = _kind_of(self.period)
        before = period_of(self.period.start.replace(day=1) - _DAY, kind) if self.period.start.year > 1 else self.period
        after = period_of(self.period.end, kind) if self.period.end.year < 9998 else self.period
        return {
            "before": {"label": before.label, "name": period_name(before)},
            "after": {"label": after.label, "name": period_name(after)},
        }

    def kinds(self) -> list[dict[str, Any]]:
        """Month, quarter and year around the period shown."""
        today = company_day(self.now)
        day = today if self.period.holds(today) else self.period.start
        names = {PeriodKind.MONTH: _("Month"), PeriodKind.QUARTER: _("Quarter"), PeriodKind.YEAR: _("Year")}
        return [
            {"label": period_of(day, kind).label, "name": name, "is_active": kind is _kind_of(self.period)}
            for kind, name in names.items()
        ]


def _kind_of(period: Period) -> PeriodKind:
    """What kind of period a label named."""
    months = (period.end.year - period.start.year) * 12 + period.end.month - period.start.month
    return next(kind for kind in PeriodKind if kind.months == months)


def period_name(period: Period) -> str:
    """A period for reading: "June 2026", "2026 Q2", "2026"."""
    kind = _kind_of(period)
    if kind is PeriodKind.MONTH:
        return formats.date_format(period.start, "YEAR_MONTH_FORMAT")
    if kind is PeriodKind.YEAR:
        return str(period.start.year)
    return f"{period.label[:4]} {period.label[4:]}"


def chart(rows: list[ForecastRow], total: Figures, title: str) -> Chart:
    """A stacked bar for each owner or pod in one currency: won, weighted, and what is open beyond the weight."""
    named = [
        (row.name or translate("Nobody"), figures)
        for row in rows
        for figures in row.figures
        if figures.currency == total.currency
    ]
    named.sort(key=lambda pair: -pair[1].forecast_minor)
    shown = [figures for _name, figures in named[:_CHARTED]]

    def series(name: str, minors: list[int], tone: str = "") -> Series:
        return Series.of_money(name, minors, total.currency, tone=tone)

    return Chart(
        id=f"forecast-chart-{total.currency}",
        title=title,
        labels=[name for name, _figures in named[:_CHARTED]],
        series=[
            series(translate("Won"), [each.won_minor for each in shown], "good"),
            series(translate("Weighted"), [each.weighted_minor for each in shown]),
            series(translate("Open beyond that"), [each.open_minor - each.weighted_minor for each in shown], "muted"),
        ],
        kind="bar",
        currency=total.currency,
        is_stacked=True,
    )
