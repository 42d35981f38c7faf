"""The tables of the pods room."""

from __future__ import annotations

from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from salesops.core import parts
from salesops.core.tables import DayColumn, LinkColumn, NumberColumn, PortalColumn, PortalTable, ShareColumn
from salesops.pods.models import PodMembership, Territory


class MemberTable(PortalTable):
    """Who works in which pod today, across the pods."""

    person = LinkColumn(
        "people:person_detail",
        accessor="person__name",
        pk_field="person_id",
        verbose_name=_("Person"),
        order_by=("person__name",),
    )
    function = PortalColumn(verbose_name=_("Function"))
    pod = LinkColumn("pods:pod_detail", accessor="pod__name", pk_field="pod_id", verbose_name=_("Pod"))
    segment = PortalColumn(accessor="pod__segment__name", verbose_name=_("Segment"))
    open_leads = NumberColumn(verbose_name=_("Leads in work"), orderable=False)
    load = ShareColumn(
        accessor="load_bp",
        related=(),
        orderable=False,
        verbose_name=_("Load"),
        help=_("Leads in work as a share of what they can carry now, with ramp, hours and leave."),
    )
    can_carry = NumberColumn(accessor="can__now", related=(), orderable=False, verbose_name=_("Can carry"))
    ramp = NumberColumn(accessor="can__ramp", related=(), orderable=False, verbose_name=_("Ramp in per cent"))
    leave = DayColumn(accessor="next_leave__start_on", related=(), orderable=False, verbose_name=_("Next leave"))
    open_deals = NumberColumn(verbose_name=_("Open deals"), orderable=False)
    start_on = DayColumn(verbose_name=_("In the pod since"))
    end_on = DayColumn(verbose_name=_("Until"))

    default_columns = ("person", "function", "pod", "segment", "open_leads", "load", "leave", "open_deals", "start_on")

    class Meta:
        model = PodMembership
        fields = ()

    def show_person(self, value: str, record: PodMembership) -> str:
        """Avatar and name, leading to the person."""
        column = self.base_columns["person"]
        return format_html('<a href="{}">{}</a>', column.address(record.person_id), parts.person(value))

    def show_function(self, value: str, record: PodMembership) -> str:
        """The function's label."""
        return record.get_function_display()

    def export_function(self, value: str, record: PodMembership) -> str:
        """The function's label."""
        return str(record.get_function_display())


class TerritoryTable(PortalTable):
    """The territories, and who works there today."""

    name = LinkColumn("pods:territory_detail", verbose_name=_("Territory"))
    code = PortalColumn(verbose_name=_("Code"))
    country = PortalColumn(verbose_name=_("Country"))
    region = PortalColumn(verbose_name=_("Region"))
    people = PortalColumn(verbose_name=_("People"), orderable=False, accessor="people_today", related=())

    class Meta:
        model = Territory
        fields = ()

    def show_people(self, value: list[str], record: Territory) -> str:
        """Their names."""
        return format_html_join(", ", "{}", ((name,) for name in value))

    def export_people(self, value: list[str] | None, record: Territory) -> str:
        """Their names."""
        return ", ".join(value or ())
