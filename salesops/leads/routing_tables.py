"""The tables of pools and of versions of routing rules."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from salesops.core.tables import (
    BadgeColumn,
    ChoiceColumn,
    FlagColumn,
    LinkColumn,
    MomentColumn,
    NumberColumn,
    PersonColumn,
    PortalColumn,
    PortalTable,
)
from salesops.leads.choices import VersionState
from salesops.leads.models import Pool, RoutingVersion

#: The colour of a version's state.
STATE_TONES = {VersionState.DRAFT: "amber", VersionState.ACTIVE: "green", VersionState.RETIRED: "grey"}


class PoolTable(PortalTable):
    """Pools, with a few figures that the view works out for the rows of a page."""

    name = LinkColumn("leads:pool_detail", verbose_name=_("Pool"))
    method = ChoiceColumn(accessor="method", verbose_name=_("How turns go"))
    members = NumberColumn(accessor="in_short__members", related=(), orderable=False, verbose_name=_("Take part"))
    waiting = NumberColumn(accessor="in_short__waiting", related=(), orderable=False, verbose_name=_("Waiting leads"))
    given = NumberColumn(accessor="in_short__given", related=(), orderable=False, verbose_name=_("Turns in 30 days"))
    gap = PortalColumn(
        accessor="in_short__gap",
        related=(),
        orderable=False,
        verbose_name=_("Largest difference"),
        help=_("Between who is owed most and who least, in leads."),
    )
    when_nobody = ChoiceColumn(accessor="when_nobody", verbose_name=_("When nobody can take it"))
    pod = PortalColumn(accessor="pod__name", verbose_name=_("Pod"))
    is_active = FlagColumn(accessor="is_active", verbose_name=_("Active"))

    default_columns = ("name", "method", "members", "waiting", "given", "gap", "when_nobody")

    class Meta:
        model = Pool
        fields = ()


class RoutingVersionTable(PortalTable):
    """Versions of routing rules."""

    number = LinkColumn("leads:routingversion_detail", verbose_name=_("Version"), initial_sort_descending=True)
    note = PortalColumn(verbose_name=_("What is new"))
    state = BadgeColumn(tones=STATE_TONES, verbose_name=_("State"))
    created_by = PersonColumn(accessor="created_by", verbose_name=_("Written by"))
    created_at = MomentColumn(verbose_name=_("Written at"), initial_sort_descending=True)
    activated_by = PersonColumn(accessor="activated_by", verbose_name=_("Put in force by"))
    activated_at = MomentColumn(verbose_name=_("In force since"), initial_sort_descending=True)
    retired_at = MomentColumn(verbose_name=_("In force until"), initial_sort_descending=True)

    class Meta:
        model = RoutingVersion
        fields = ()
