"""The table of the leads room."""

from __future__ import annotations

from typing import Any

from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from salesops.core import parts
from salesops.core.tables import (
    BadgeColumn,
    ChoiceColumn,
    LinkColumn,
    MomentColumn,
    MoneyColumn,
    NumberColumn,
    PersonColumn,
    PortalColumn,
    PortalTable,
)
from salesops.leads.choices import LeadStatus
from salesops.leads.models import Lead

#: The colour of a lead's status, wherever it is shown.
TONES = {
    LeadStatus.NEW: "blue",
    LeadStatus.WORKING: "amber",
    LeadStatus.QUALIFIED: "teal",
    LeadStatus.NURTURING: "violet",
    LeadStatus.CONVERTED: "green",
    LeadStatus.DISQUALIFIED: "grey",
}


#: The colour of a grade goes by its letter.
_GRADE_TONES = {"A": "green", "B": "teal"}


def tone_of_grade(grade: str) -> str:
    """The colour of a grade, wherever it is shown."""
    return _GRADE_TONES.get(grade[:1], "grey")


class GradeColumn(PortalColumn):
    """A grade, A1 to C3, in its colour."""

    css = "col-badge"

    def show(self, value: Any, record: Any, table: PortalTable) -> str:
        """A badge."""
        return parts.badge(str(value), tone_of_grade(str(value)))


class SpicedColumn(NumberColumn):
    """How many of the five components are known; nothing where nobody has written any."""

    def show(self, value: Any, record: Any, table: PortalTable) -> str:
        """As a fraction."""
        return f"{value}/5"


class LeadTable(PortalTable):
    """The lead list. Columns that lead no index sort lists of up to 10,000 rows."""

    name = LinkColumn("leads:lead_detail", verbose_name=_("Lead"))
    company = PortalColumn(verbose_name=_("Company"))
    title = PortalColumn(verbose_name=_("Title"))
    status = BadgeColumn(accessor="status", tones=TONES, verbose_name=_("Status"))
    score = GradeColumn(
        accessor="score__grade",
        verbose_name=_("Score"),
        help=_("Fit from A to C, engagement from 1 to 3."),
    )
    spiced = SpicedColumn(
        accessor="spiced__filled", verbose_name=_("SPICED"), help=_("How many of the five components are known.")
    )
    origin = ChoiceColumn(accessor="origin", verbose_name=_("Origin"))
    owner = PersonColumn(accessor="owner", verbose_name=_("Owner"))
    pod = PortalColumn(accessor="pod__name", verbose_name=_("Pod"))
    segment = PortalColumn(accessor="segment__name", verbose_name=_("Segment"))
    value = MoneyColumn(accessor="estimated_minor", verbose_name=_("Estimated value"), initial_sort_descending=True)
    email = PortalColumn(verbose_name=_("E-mail"))
    phone = PortalColumn(verbose_name=_("Phone"))
    country = PortalColumn(verbose_name=_("Country"))
    employees = NumberColumn(verbose_name=_("Employees"))
    campaign = PortalColumn(verbose_name=_("Campaign"))
    created_at = MomentColumn(ago=True, verbose_name=_("Created"), initial_sort_descending=True)
    assigned_at = MomentColumn(ago=True, verbose_name=pgettext_lazy("lead", "Given"))
    first_touched_at = MomentColumn(ago=True, verbose_name=_("First touch"))
    last_touched_at = MomentColumn(ago=True, verbose_name=_("Last touch"))
    converted_at = MomentColumn(ago=True, verbose_name=_("Converted"))
    credited_to = PersonColumn(accessor="credited_to", verbose_name=_("Credit"))
    disqualified_because = PortalColumn(verbose_name=_("Disqualified because"))
    external_id = PortalColumn(verbose_name=_("External id"))

    default_columns = (
        "name",
        "company",
        "status",
        "score",
        "origin",
        "owner",
        "value",
        "created_at",
        "last_touched_at",
    )

    class Meta:
        model = Lead
        fields = ()

    def show_email(self, value: str, record: Lead) -> str:
        """An address to write to."""
        return format_html('<a href="mailto:{}">{}</a>', value, value) if value else ""

    def show_phone(self, value: str, record: Lead) -> str:
        """A number to call."""
        return format_html('<a href="tel:{}">{}</a>', value, value) if value else ""
