"""The table of activities."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

from salesops.activities.choices import ActivityKind
from salesops.activities.models import Activity
from salesops.activities.services import may_edit
from salesops.core import display, parts
from salesops.core.tables import BadgeColumn, MomentColumn, NumberColumn, PersonColumn, PortalColumn, PortalTable

#: The colour of an outcome, wherever it is shown.
TONES = {"reached": "green", "held": "green", "replied": "green", "no_show": "red"}
#: The icon of a kind.
ICONS = {"call": "phone", "mail": "mail", "meeting": "calendar-event", "note": "note", "task": "checkbox"}


class ActivityTable(PortalTable):
    """What was done, and what is to be done."""

    subject = PortalColumn(verbose_name=_("Subject"), orderable=False)
    kind = PortalColumn(verbose_name=_("Kind"), orderable=False)
    about = PortalColumn(accessor="pk", verbose_name=_("About"), orderable=False, related=("deal", "lead", "account"))
    outcome = BadgeColumn(accessor="outcome", tones=TONES, verbose_name=_("Outcome"), orderable=False)
    person = PersonColumn(accessor="person", verbose_name=_("Person"), orderable=False)
    happened_at = MomentColumn(ago=True, verbose_name=_("Happened"), orderable=False)
    due_at = MomentColumn(verbose_name=_("Due"), orderable=False)
    duration_minutes = NumberColumn(verbose_name=_("Minutes"), orderable=False)
    created_at = MomentColumn(ago=True, verbose_name=_("Logged"), initial_sort_descending=True)

    default_columns = ("subject", "kind", "about", "outcome", "person", "happened_at", "due_at")

    class Meta:
        model = Activity
        fields = ()

    def show_subject(self, value: str, record: Activity) -> str:
        """The subject, which leads who may correct it to the form."""
        if not may_edit(self.actor, record):
            return value
        url = reverse("activities:activity_edit", kwargs={"pk": record.pk})
        return format_html('<a href="{}" data-dialog>{}</a>', url, value)

    def show_kind(self, value: str, record: Activity) -> str:
        """The kind with its icon; a task says whether it is done."""
        shown = format_html("{} {}", parts.icon(ICONS.get(value, "activity")), record.get_kind_display())
        if record.is_planned:
            return format_html("{} {}", shown, parts.badge(pgettext("meeting", "Planned"), "blue"))
        if value != ActivityKind.TASK:
            return shown
        if record.done_at:
            return format_html("{} {}", shown, parts.badge(pgettext("task", "Done"), "green"))
        is_late = record.due_at is not None and self.now is not None and record.due_at < self.now
        return format_html(
            "{} {}",
            shown,
            parts.badge(translate("Overdue") if is_late else translate("To do"), "red" if is_late else "amber"),
        )

    def export_kind(self, value: str, record: Activity) -> Any:
        """The kind in words."""
        return record.get_kind_display()

    def show_about(self, value: int, record: Activity) -> str:
        """The deal, lead or account, as a way there."""
        if record.deal is not None:
            return format_html(
                '<a href="{}">{}</a>', reverse("deals:deal_detail", kwargs={"pk": record.deal_id}), record.deal
            )
        if record.lead is not None:
            return format_html(
                '<a href="{}">{}</a>', reverse("leads:lead_detail", kwargs={"pk": record.lead_id}), record.lead
            )
        if record.account is not None:
            url = reverse("accounts:account_detail", kwargs={"pk": record.account_id})
            return format_html('<a href="{}">{}</a>', url, record.account)
        return ""

    def export_about(self, value: int, record: Activity) -> Any:
        """Its name."""
        return str(record.deal or record.lead or record.account or "")

    def show_due_at(self, value: Any, record: Activity) -> str:
        """By when, for tasks."""
        return display.day(value.date()) if value else ""
