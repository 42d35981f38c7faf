"""Filters of the connectors room's lists."""

from __future__ import annotations

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from salesops.connectors.choices import (
    ConnectionState,
    DriftKind,
    EventState,
    ImportState,
    OutgoingState,
    RawState,
    RowState,
    RunKind,
    RunState,
)
from salesops.connectors.models import Source
from salesops.connectors.selectors.connections import FAILING
from salesops.core.filters import OneOfFilter, PeriodFilter, PortalFilterSet, RowsFilter, YesNoFilter


class ImportFilter(PortalFilterSet):
    """By file, state, source, day."""

    search_fields = ("file_name",)
    state = OneOfFilter(choices=ImportState.choices, label=_("State"))
    source = RowsFilter(queryset=lambda request: Source.objects.all(), label=_("Source"))
    uploaded = PeriodFilter(field_name="uploaded_at", is_moment=True, label=_("Uploaded"))


class RejectedRowFilter(PortalFilterSet):
    """By state."""

    state = OneOfFilter(choices=RowState.choices, label=_("State"))


class ConnectionFilter(PortalFilterSet):
    """By name and state."""

    search_fields = ("source__name", "account_name")
    state = OneOfFilter(choices=ConnectionState.choices, label=_("State"))
    fails = YesNoFilter(condition=FAILING, label=_("Fails"))


class RawRecordFilter(PortalFilterSet):
    """By id, state, day."""

    search_fields = ("external_id",)
    state = OneOfFilter(choices=RawState.choices, label=_("State"))
    received = PeriodFilter(field_name="received_at", is_moment=True, label=_("Received"))


class ShelfFilter(PortalFilterSet):
    """By id and state."""

    search_fields = ("external_id",)
    state = OneOfFilter(
        choices=[
            (value, label) for value, label in RawState.choices if value in (RawState.REFUSED, RawState.DISMISSED)
        ],
        label=_("State"),
    )
    received = PeriodFilter(field_name="received_at", is_moment=True, label=_("Received"))


class SyncRunFilter(PortalFilterSet):
    """By kind, state, day."""

    kind = OneOfFilter(choices=RunKind.choices, label=_("Kind"))
    state = OneOfFilter(choices=RunState.choices, label=_("State"))
    started = PeriodFilter(field_name="started_at", is_moment=True, label=_("Started"))


class WebhookEventFilter(PortalFilterSet):
    """By id, state, day."""

    search_fields = ("key", "external_id")
    state = OneOfFilter(choices=EventState.choices, label=_("State"))
    received = PeriodFilter(field_name="received_at", is_moment=True, label=_("Received"))


class OutgoingFilter(PortalFilterSet):
    """By record, state, day."""

    search_fields = ("record__external_id",)
    state = OneOfFilter(choices=OutgoingState.choices, label=_("State"))
    made = PeriodFilter(field_name="made_at", is_moment=True, label=_("Changed here"))


class DriftFilter(PortalFilterSet):
    """By id, kind, and whether it is mended."""

    search_fields = ("external_id",)
    kind = OneOfFilter(choices=DriftKind.choices, label=_("What differs"))
    mended = YesNoFilter(condition=Q(mended_at__isnull=False), label=_("Mended"))
