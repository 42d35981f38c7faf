"""Which day it is for the company."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.conf import settings


def company_day(moment: datetime) -> date:
    """The day it is in the company's time zone."""
    return moment.astimezone(ZoneInfo(settings.COMPANY_TIME_ZONE)).date()
