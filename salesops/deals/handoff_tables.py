"""The table of hand-offs."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from salesops.core.tables import (
    BadgeColumn,
    Cell,
    ChoiceColumn,
    LinkColumn,
    MomentColumn,
    NumberColumn,
    PersonColumn,
    PortalColumn,
    PortalTable,
)
from salesops.deals.choices import HandOffState
from salesops.deals.models import HandOff

#: The colours of a hand-off's state.
HAND_OFF_TONES = {HandOffState.SENT: "amber", HandOffState.ACCEPTED: "green", HandOffState.DECLINED: "red"}


class SubjectColumn(LinkColumn):
    """What is handed off, leading to the hand-off's page."""

    def show(self, value: Any, record: Any, table: PortalTable) -> str:
        """The deal, account or lead."""
        return super().show(record.deal or record.account or record.lead, record, table)

    def export(self, value: Any, record: Any) -> list[Cell]:
        """The same, as text."""
        return [str(record.deal or record.account or record.lead)]


class HandOffTable(PortalTable):
    """Hand-offs given and received."""

    subject = SubjectColumn(
        "deals:handoff_detail",
        accessor="pk",
        related=("deal", "account", "lead"),
        orderable=False,
        verbose_name=_("What"),
    )
    pair = ChoiceColumn(verbose_name=_("From whom to whom"))
    state = BadgeColumn(tones=HAND_OFF_TONES, verbose_name=_("State"))
    giver = PersonColumn(accessor="giver", verbose_name=_("Given by"))
    receiver = PersonColumn(accessor="receiver", verbose_name=_("Received by"))
    pod = PortalColumn(accessor="pod__name", verbose_name=_("Pod"))
    sent_at = MomentColumn(ago=True, verbose_name=_("Sent"), initial_sort_descending=True)
    answered_at = MomentColumn(ago=True, verbose_name=_("Answered"), initial_sort_descending=True)
    completeness = NumberColumn(verbose_name=_("Completeness"))
    promise_alignment = NumberColumn(verbose_name=_("Promise alignment"))
    sentiment_continuity = NumberColumn(verbose_name=_("Sentiment continuity"))
    context_transfer = NumberColumn(verbose_name=_("Context transfer"))
    stakeholder_map = NumberColumn(verbose_name=_("Stakeholder map"))
    rated_at = MomentColumn(ago=True, verbose_name=_("Rated"), initial_sort_descending=True)

    default_columns = ("subject", "pair", "state", "giver", "receiver", "sent_at", "promise_alignment", "rated_at")

    class Meta:
        model = HandOff
        fields = ()
