"""The table of versions of score rules."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from salesops.core.tables import BadgeColumn, LinkColumn, MomentColumn, PersonColumn, PortalColumn, PortalTable
from salesops.leads.choices import VersionState
from salesops.leads.models import ScoreVersion

#: The colour of a version's state, wherever it is shown.
STATE_TONES = {VersionState.DRAFT: "amber", VersionState.ACTIVE: "green", VersionState.RETIRED: "grey"}


class ScoreVersionTable(PortalTable):
    """Versions of score rules."""

    number = LinkColumn("leads:scoreversion_detail", verbose_name=_("Version"), initial_sort_descending=True)
    note = PortalColumn(verbose_name=_("What is new"))
    state = BadgeColumn(tones=STATE_TONES, verbose_name=_("State"))
    created_by = PersonColumn(accessor="created_by", verbose_name=_("Written by"))
    created_at = MomentColumn(verbose_name=_("Written at"), initial_sort_descending=True)
    activated_by = PersonColumn(accessor="activated_by", verbose_name=_("Put in force by"))
    activated_at = MomentColumn(verbose_name=_("In force since"), initial_sort_descending=True)
    retired_at = MomentColumn(verbose_name=_("In force until"), initial_sort_descending=True)

    class Meta:
        model = ScoreVersion
        fields = ()
