"""How soon leads are answered: the report, and the leads on which nobody works."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.core.views import PortalView
from salesops.leads.rules.response import FEW
from salesops.leads.selectors.board import ASSIGNERS
from salesops.leads.selectors.response import MONTHS, Response, first_day, response_report, unworked_for
from salesops.leads.selectors.routing_versions import minutes_text


class ResponseReportView(PortalView):
    """Time in the queue and time until the first touch, in working time, by month, pod and service level."""

    roles = ASSIGNERS
    title = gettext_lazy("How soon leads are answered")

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """The report of some months."""
        asked = request.GET.get("months", "")
        months = int(asked) if asked in {str(each) for each in MONTHS} else MONTHS[1]
        report = response_report(self.actor, months=months, at=self.now)
        context = {
            "title": self.title,
            "months": months,
            "choices": MONTHS,
            "since": first_day(self.now, months),
            "total": shown(report.total),
            "held": report.held,
            "few": FEW,
            "tables": [
                (_("By month"), _("Month"), "month", [shown(row) for row in report.months]),
                (_("By pod"), _("Pod"), "pod", [shown(row) for row in report.pods]),
                (_("By service level"), _("Service level"), "level", [shown(row) for row in report.levels]),
            ],
            "unworked": unworked_for(self.actor, self.now),
            "sees_rules": True,
        }
        return render(request, "leads/response_report.html", context)


def shown(row: Response) -> dict[str, Any]:
    """A row as the templates show it: times in words, None for too few."""
    return {
        "label": row.label,
        "given": row.given,
        "waiting": row.waiting,
        "queue_count": row.queue.count,
        "queue_median": _text(row.queue.median),
        "queue_p90": _text(row.queue.p90),
        "rep_count": row.rep.count,
        "rep_median": _text(row.rep.median),
        "rep_p90": _text(row.rep.p90),
        "in_time": row.in_time,
        "watched": row.watched,
        "in_time_bp": row.in_time_bp,
    }


def _text(seconds: int | None) -> str | None:
    """Working time in words; under a minute "< 1 min"."""
    if seconds is None:
        return None
    return _("< 1 min") if 0 < seconds < 60 else minutes_text(seconds // 60)
