"""The filters of the people page."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from salesops.core.days import company_day
from salesops.core.filters import OneOfFilter, PortalFilterSet, YesNoFilter
from salesops.people.choices import JobFunction, RoleChoice
from salesops.people.models import FunctionAssignment, Leave, RoleGrant, User


class HeldTodayFilter(OneOfFilter):
    """People who hold one of the chosen values today."""

    def __init__(self, *args: Any, rows: Any, column: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rows, self.column = rows, column

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """By subquery, so that nobody is listed twice."""
        if not value:
            return qs
        held = self.rows.objects.on(company_day(self.parent.request.now)).filter(**{f"{self.column}__in": list(value)})
        return qs.filter(pk__in=held.values("person_id"))


class AwayFilter(YesNoFilter):
    """People who are on leave today, or are not."""

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        """By subquery."""
        if not value:
            return qs
        away = Q(pk__in=Leave.objects.on(company_day(self.parent.request.now)).values("person_id"))
        return qs.filter(away if value == "yes" else ~away)


class PersonFilter(PortalFilterSet):
    """By function, role and whether they are here."""

    search_fields = ("name", "title", "email")

    function = HeldTodayFilter(
        label=_("Function"), choices=JobFunction.choices, rows=FunctionAssignment, column="function"
    )
    role = HeldTodayFilter(label=_("Role"), choices=RoleChoice.choices, rows=RoleGrant, column="role")
    away = AwayFilter(label=_("Away today"))
    active = YesNoFilter(field_name="is_active", label=_("Can log in"))

    class Meta:
        model = User
        fields: list[str] = []
