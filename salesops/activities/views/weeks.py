"""The calendar: a week of one's own, or of somebody one manages."""

from __future__ import annotations

from datetime import date, timedelta

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as translate

from salesops.activities.selectors.weeks import people_with_weeks, week_of
from salesops.activities.views.activities import EDITORS
from salesops.core.views import PortalView


class WeekView(PortalView):
    """Seven days side by side, on a phone one below the other: `?from=2026-06-15&person=12`."""

    roles = EDITORS

    def get(self, request: HttpRequest) -> HttpResponse:
        """The week of the day given, this one otherwise; 404 for somebody whose week is not the actor's to see."""
        today = timezone.localtime(self.now).date()
        day = _day(request.GET.get("from", "")) or today
        monday = day - timedelta(days=day.weekday())
        people = list(people_with_weeks(self.actor))
        asked = request.GET.get("person", "")
        person = next((each for each in people if str(each.pk) == (asked or str(self.actor.user_id))), None)
        if person is None:
            raise Http404
        days = week_of(self.actor, person, monday, self.now)
        context = {
            "view": self,
            "title": translate("Week"),
            "days": days,
            "count": sum(len(each.entries) + each.more for each in days),
            "person": person,
            "people": people if len(people) > 1 else [],
            "monday": monday,
            "before": monday - timedelta(days=7),
            "after": monday + timedelta(days=7),
            "is_this_week": monday <= today < monday + timedelta(days=7),
        }
        return render(request, "activities/week.html", context)


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    # A week before and after is offered.
    return found if date(1900, 1, 8) <= found <= date(2999, 12, 1) else None
