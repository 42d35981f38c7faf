"""Filters of the connectors room's lists."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from salesops.connectors.choices import ImportState, RowState
from salesops.connectors.models import Source
from salesops.core.filters import OneOfFilter, PeriodFilter, PortalFilterSet, RowsFilter


class ImportFilter(PortalFilterSet):
    """By file, state, source, day."""

    search_fields = ("file_name",)
    state = OneOfFilter(choices=ImportState.choices, label=_("State"))
    source = RowsFilter(queryset=lambda request: Source.objects.all(), label=_("Source"))
    uploaded = PeriodFilter(field_name="uploaded_at", is_moment=True, label=_("Uploaded"))


class RejectedRowFilter(PortalFilterSet):
    """By state."""

    state = OneOfFilter(choices=RowState.choices, label=_("State"))
