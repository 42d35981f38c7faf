"""Which day it is for the company."""

from __future__ import annotations

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from django.conf import settings


def company_day(moment: datetime) -> date:
    """The day it is in the company's time zone."""
    return moment.astimezone(ZoneInfo(settings.COMPANY_TIME_ZONE)).date()


def moment_on(day: date, at: datetime) -> datetime:
    """A moment at which it is that day or later for the company: `at` itself, or noon of a day that is still to come."""
    if company_day(at) >= day:
        return at
    return datetime.combine(day, time(12), ZoneInfo(settings.COMPANY_TIME_ZONE))
