"""What the portal has, as the scenarios of several vendors compare it with the source."""

from __future__ import annotations

from salesops.commissions.models import Transaction
from salesops.deals.models import Deal
from tests.connectors.conformance import Table
from tests.connectors.linking import Link

_DEAL = ("name", "amount_minor", "account__name")


def deals(link: Link, fields: tuple[str, ...] = _DEAL) -> Table:
    """The deals of a connection that are there, by their ids at the vendor."""
    rows = Deal.objects.filter(source=link.connection.source.code, removed_at__isnull=True)
    return {external: tuple(told) for external, *told in rows.values_list("external_id", *fields)}


def transactions(*kinds: str) -> Table:
    """What counts, by key: amount, currency, kind, account."""
    rows = Transaction.objects.filter(is_void=False)
    if kinds:
        rows = rows.filter(kind__in=kinds)
    fields = ("amount_minor", "currency", "kind", "account__name")
    return {key: tuple(told) for key, *told in rows.values_list("source_key", *fields)}
