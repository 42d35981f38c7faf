"""The tables of the reorganisations room."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from salesops.core import parts
from salesops.core.tables import DayColumn, LinkColumn, NumberColumn, PortalColumn, PortalTable
from salesops.reorganisations.choices import ReorganisationState
from salesops.reorganisations.models import Reorganisation, ReorganisationChange
from salesops.reorganisations.selectors.snapshots import KINDS

#: How each state is coloured.
TONES = {
    ReorganisationState.DRAFT: "grey",
    ReorganisationState.SCHEDULED: "blue",
    ReorganisationState.DONE: "green",
    ReorganisationState.UNDONE: "amber",
    ReorganisationState.DROPPED: "grey",
}


class ReorganisationTable(PortalTable):
    """Reorganisations, the latest day first."""

    name = LinkColumn("reorganisations:reorganisation_detail", verbose_name=_("Name"))
    state = PortalColumn(verbose_name=_("State"))
    effective_on = DayColumn(verbose_name=_("Takes effect on"))
    people = NumberColumn(verbose_name=_("People who move"))
    created_by = PortalColumn(accessor="created_by__name", verbose_name=_("Drafted by"))

    class Meta:
        model = Reorganisation
        fields = ()

    def show_state(self, value: str, record: Reorganisation) -> str:
        """A badge."""
        return parts.badge(record.get_state_display(), TONES[ReorganisationState(record.state)])

    def export_state(self, value: str, record: Reorganisation) -> str:
        """The state's label."""
        return str(record.get_state_display())


class ChangeTable(PortalTable):
    """The rows that a reorganisation changed."""

    kind = PortalColumn(verbose_name=_("Kind"))
    label = PortalColumn(verbose_name=_("What"))
    said_before = PortalColumn(verbose_name=_("Before"), orderable=False)
    said_after = PortalColumn(verbose_name=_("After"), orderable=False)

    class Meta:
        model = ReorganisationChange
        fields = ()

    def show_kind(self, value: Any, record: ReorganisationChange) -> str:
        """What kind of row."""
        return kind_text(record.kind)

    def export_kind(self, value: Any, record: ReorganisationChange) -> str:
        """What kind of row."""
        return kind_text(record.kind)


def kind_text(kind: str) -> str:
    """A model in words; as it was written where there is no such model any more."""
    model = KINDS.get(kind)
    return str(model._meta.verbose_name).capitalize() if model else kind
