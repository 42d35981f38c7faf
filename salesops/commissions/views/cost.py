"""What managers and finance decide by: what a team is paid, and what pay costs the company."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from salesops.commissions.filters import TeamPayFilter
from salesops.commissions.models import Period
from salesops.commissions.selectors.accruals import Accrued, accrued_by_period, schedules
from salesops.commissions.selectors.cost import Cost, CostOfCurrency, cost_of_sales, costed_periods, periods_between
from salesops.commissions.selectors.periods import sees_amounts
from salesops.commissions.selectors.team import (
    may_see_team_pay,
    team_periods,
    team_statements,
    team_statements_in,
    team_sums,
)
from salesops.commissions.tables import TeamPayTable
from salesops.core import display, exports
from salesops.core.actor import Actor, Noun, Role, Scope
from salesops.core.tables import Cell
from salesops.core.views import Empty, MoneyTotal, PortalView, ScopedListView
from salesops.core.views.lists import Total
from salesops.values.money import from_minor


class TeamPayView(PortalView):
    """The way to the newest period in which somebody of the team has a statement."""

    def allows(self, actor: Actor) -> bool:
        """Managers and finance."""
        return may_see_team_pay(actor)

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """That period; a page that says what comes here while there is none."""
        found = team_periods(self.actor)
        if found:
            return redirect("commissions:teampay_period", pk=found[0].pk)
        return render(request, "commissions/teampay_none.html", {"title": _("Team pay")})


class TeamPayPeriodView(ScopedListView):
    """What the team reached, earned and is paid in one period."""

    selector = team_statements
    table_class, filterset_class = TeamPayTable, TeamPayFilter
    template_name = "commissions/teampay_list.html"
    title = gettext_lazy("Team pay")
    default_sort = "person"
    totals = (
        MoneyTotal(gettext_lazy("Quota"), "quota_minor"),
        MoneyTotal(gettext_lazy("Earned"), "earned_minor"),
        MoneyTotal(gettext_lazy("Paid out"), "payout_minor"),
    )
    empty = Empty(
        gettext_lazy("No statements in this period"),
        gettext_lazy("A statement appears when the period is calculated for somebody of the team on a plan."),
        "users",
    )

    def allows(self, actor: Actor) -> bool:
        """Managers and finance."""
        return may_see_team_pay(actor)

    @cached_property
    def periods(self) -> list[Period]:
        """The periods to choose from, the newest first."""
        return team_periods(self.actor)

    @cached_property
    def period(self) -> Period:
        """The period shown."""
        found = Period.objects.filter(pk=self.kwargs["pk"]).first()
        if found is None:
            raise Http404
        return found

    def get_rows(self) -> QuerySet[Any]:
        """The team's statements of the period."""
        return team_statements_in(self.actor, self.period)

    def get_totals(self) -> list[Total]:
        """Over all rows that match: the columns of the table, each summed, and the attainment of all quotas together."""
        sums = team_sums(self.matching)

        def total(label: str, name: str) -> Total:
            texts = [display.money(getattr(each, name), currency) for currency, each in sums.items()]
            return Total(label, " · ".join(texts) or display.NOTHING)

        shares = [display.ratio(each.attainment) for each in sums.values()]
        return [
            total(_("Quota"), "quota_minor"),
            total(_("Reached"), "reached_minor"),
            Total(_("Attainment"), " · ".join(shares) or display.NOTHING),
            total(_("Earned"), "earned_minor"),
            total(_("Paid out"), "payout_minor"),
        ]

    def get_context(self) -> dict[str, Any]:
        """The period and the others."""
        return {
            "period": self.period,
            "periods": self.periods,
            "is_everybody": self.actor.sight(Noun.PAY) >= Scope.ALL,
        }


class CostReportView(PortalView):
    """What pay costs next to what was credited, over a range of periods. Sums only."""

    def allows(self, actor: Actor) -> bool:
        """Finance and executives."""
        return sees_amounts(actor)

    @cached_property
    def periods(self) -> list[Period]:
        """The periods to choose from, the newest first."""
        return costed_periods()

    @cached_property
    def range(self) -> tuple[Period, Period] | None:
        """The first and the last period asked for; of the newest period's year as far as it goes when none is."""
        if not self.periods:
            return None
        by_pk = {str(each.pk): each for each in self.periods}
        last = by_pk.get(self.request.GET.get("to", ""), self.periods[0])
        year = [each for each in self.periods if each.start_on.year == last.start_on.year]
        first = by_pk.get(self.request.GET.get("from", ""), min(year, key=lambda each: each.start_on))
        return (first, last) if first.start_on <= last.start_on else (last, first)

    def reckon(self) -> list[CostOfCurrency]:
        """The figures of the range."""
        return cost_of_sales(periods_between(*self.range)) if self.range else []

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """The page."""
        first, last = self.range or (None, None)
        context = {
            "title": _("Cost of sales"),
            "periods": self.periods,
            "first": first,
            "last": last,
            "costs": self.reckon(),
            "action": request.get_full_path(),
        }
        return render(request, "commissions/cost_report.html", context)

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """The same figures as a CSV file."""
        rows: list[list[Cell]] = []
        for each in self.reckon():
            parts = [*each.parts, ("total", _("Total"), [each.total])]
            rows.extend(_cells(each.currency, title, cost) for _code, title, costs in parts for cost in costs)
        headers = [
            _("Currency"),
            pgettext("grouped", "By"),
            _("Name"),
            _("Earned"),
            _("Credited"),
            _("Earned ÷ credited in percent"),
        ]
        return csv_file(self, "commissions:cost_report", "cost-of-sales", headers, rows)


class AccrualReportView(PortalView):
    """Commissions in the books: what is capitalised and written off by month, what is accrued and not paid yet."""

    roles = (Role.FINANCE,)

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """The page."""
        accrued = accrued_by_period()
        totals: dict[str, Accrued] = {}
        for row in accrued:
            total = totals.setdefault(row.currency, Accrued(row.period, row.currency))
            total.accrued_minor += row.accrued_minor
            total.held_minor += row.held_minor
        context = {
            "title": _("Accruals"),
            "accrued": accrued,
            "totals": [totals[currency] for currency in sorted(totals)],
            "schedules": schedules(),
            "months": settings.COMMISSIONS_AMORTISATION_MONTHS,
            "new_only": settings.COMMISSIONS_CAPITALISE_NEW_ONLY,
        }
        return render(request, "commissions/accrual_report.html", context)

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """One of the two as a CSV file."""
        page = "commissions:accrual_report"
        if request.POST.get("what") == "accrued":
            headers = [_("Currency"), _("Period"), _("State"), _("Earned"), _("Not paid yet"), _("Held for later")]
            rows: list[list[Cell]] = [
                [row.currency, row.period.label, str(row.period.get_state_display())]
                + [from_minor(each, row.currency) for each in (row.earned_minor, row.accrued_minor, row.held_minor)]
                for row in accrued_by_period()
            ]
            return csv_file(self, page, "accrued-commissions", headers, rows)
        headers = [_("Currency"), _("Month"), _("Capitalised"), _("Written off"), pgettext("to be written off", "Left")]
        rows = [
            [each.currency, f"{month.first_on:%Y-%m}"]
            + [
                from_minor(minor, each.currency)
                for minor in (month.capitalised_minor, month.written_off_minor, month.left_minor)
            ]
            for each in schedules()
            for month in each.months
        ]
        return csv_file(self, page, "capitalised-commissions", headers, rows)


def _cells(currency: str, title: str, cost: Cost) -> list[Cell]:
    share = None if cost.share is None else f"{cost.share / 100:.2f}"
    earned, credited = from_minor(cost.earned_minor, currency), from_minor(cost.credited_minor, currency)
    return [currency, title, cost.label, earned, credited, share]


def csv_file(view: PortalView, page: str, name: str, headers: list[str], rows: list[list[Cell]]) -> HttpResponseBase:
    """Figures as a CSV file; the download is recorded before its first byte leaves."""
    query = view.request.GET.urlencode()
    exports.tell(view.actor, exports.Export(page, "csv", len(rows), query, tuple(headers)), view.now)
    file = exports.file_name(name, timezone.localdate(view.now), "csv")
    return exports.csv_response(file, headers, rows, timezone.get_current_timezone())
