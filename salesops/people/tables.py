"""The table of the people page."""

from __future__ import annotations

from datetime import date
from functools import cached_property

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.core import parts
from salesops.core.days import company_day
from salesops.core.tables import DayColumn, LinkColumn, PortalColumn, PortalTable
from salesops.people.choices import JobFunction
from salesops.people.models import User
from salesops.people.selectors import away_on, functions_on, managers_on, roles_on


class PersonTable(PortalTable):
    """Who works here, what they do and to whom they report today."""

    name = LinkColumn("people:person_detail", verbose_name=gettext_lazy("Name"))
    title = PortalColumn(verbose_name=gettext_lazy("Title"))
    function = PortalColumn(verbose_name=gettext_lazy("Function"), accessor="pk", orderable=False)
    roles = PortalColumn(verbose_name=gettext_lazy("Roles"), accessor="pk", orderable=False)
    manager = PortalColumn(verbose_name=gettext_lazy("Reports to"), accessor="pk", orderable=False)
    email = PortalColumn(verbose_name=gettext_lazy("E-mail"))
    state = PortalColumn(verbose_name=gettext_lazy("State"), accessor="pk", orderable=False)
    started_on = DayColumn(verbose_name=gettext_lazy("First day"))
    left_on = DayColumn(verbose_name=gettext_lazy("Left on"))
    time_zone = PortalColumn(verbose_name=gettext_lazy("Time zone"))
    employee_number = PortalColumn(verbose_name=gettext_lazy("Employee number"))

    default_columns = ("name", "title", "function", "roles", "manager", "email", "state")

    class Meta:
        model = User
        fields = ()

    @cached_property
    def _day(self) -> date:
        if self.now is None:
            raise ValueError("a table of people needs the moment")
        return company_day(self.now)

    @cached_property
    def _keys(self) -> list[int]:
        return [row.pk for row in self.data] if hasattr(self.data, "__len__") and len(self.data) <= 500 else []

    @cached_property
    def _functions(self) -> dict[int, str]:
        return functions_on(self._day, self._keys or None)

    @cached_property
    def _roles(self) -> dict[int, list[str]]:
        return roles_on(self._day, self._keys or None)

    @cached_property
    def _managers(self) -> dict[int, str]:
        return managers_on(self._day, self._keys or None)

    @cached_property
    def _away(self) -> set[int]:
        return away_on(self._day, self._keys or None)

    def show_function(self, value: int, record: User) -> str:
        """The short name of the function."""
        code = self._functions.get(value, "")
        return code.upper()

    def export_function(self, value: int, record: User) -> str:
        """The whole name of the function."""
        code = self._functions.get(value)
        return str(JobFunction(code).label) if code else ""

    def show_roles(self, value: int, record: User) -> str:
        """The roles held today."""
        return ", ".join(self._roles.get(value, []))

    def export_roles(self, value: int, record: User) -> str:
        """As shown."""
        return self.show_roles(value, record)

    def show_manager(self, value: int, record: User) -> str | SafeString:
        """The manager of today."""
        name = self._managers.get(value)
        return parts.person(name) if name else ""

    def export_manager(self, value: int, record: User) -> str:
        """The name."""
        return self._managers.get(value, "")

    def show_state(self, value: int, record: User) -> str | SafeString:
        """Here, away or gone."""
        text = self.export_state(value, record)
        tone = "grey" if not record.is_active else "amber" if value in self._away else "green"
        return parts.badge(text, tone)

    def export_state(self, value: int, record: User) -> str:
        """In words."""
        if not record.is_active:
            return _("Left") if record.left_on else _("Inactive")
        return _("Away today") if value in self._away else _("Here")
