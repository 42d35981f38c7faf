"""How many requests a connection may make: one bucket in the database that all workers share, fed by what replies say."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest

from salesops.connectors.models import Connection, RateBudget
from salesops.connectors.rules.backoff import Reading

#: The share of a day's requests that is left to the other systems of the company.
_LEFT_FOR_OTHERS: Final = 20
_DAY_PAUSE: Final = timedelta(hours=1)


def take(connection: Connection, allowance: tuple[int, float], *, at: datetime) -> timedelta:
    """Take one request from the bucket. Gives how long to wait before asking again; zero when it was granted.

    allowance: so many requests in so many seconds. Call it inside a transaction of its own.
    """
    most, seconds = allowance
    budget = (
        RateBudget.objects.select_for_update().filter(connection=connection).first()
        or RateBudget.objects.get_or_create(
            connection=connection, defaults={"tokens_milli": most * 1000, "filled_at": at}
        )[0]
    )
    if budget.blocked_until is not None and budget.blocked_until > at:
        return budget.blocked_until - at
    if budget.remaining == 0 and budget.resets_at is not None and budget.resets_at > at:
        return budget.resets_at - at
    if (
        budget.day_limit
        and budget.day_remaining is not None
        and budget.day_remaining * _LEFT_FOR_OTHERS < budget.day_limit
        and budget.filled_at > at - _DAY_PAUSE
    ):
        return _DAY_PAUSE
    passed = max((at - budget.filled_at).total_seconds(), 0.0)
    tokens = min(budget.tokens_milli + int(passed * most * 1000 / seconds), most * 1000)
    if tokens < 1000:
        return timedelta(seconds=(1000 - tokens) * seconds / (most * 1000))
    budget.tokens_milli, budget.filled_at, budget.requests = tokens - 1000, at, budget.requests + 1
    budget.save(update_fields=["tokens_milli", "filled_at", "requests"])
    return timedelta(0)


def note(connection: Connection, reading: Reading, *, at: datetime) -> None:
    """Keep what a reply said about the budget."""
    RateBudget.objects.filter(connection=connection).update(
        limit=reading.limit,
        remaining=reading.remaining,
        resets_at=reading.resets_at,
        day_limit=reading.day_limit,
        day_remaining=reading.day_remaining,
    )


def block(connection: Connection, until: datetime) -> None:
    """The vendor asks all of us to wait until then; a longer wait stays."""
    rows = RateBudget.objects.filter(connection=connection)
    with transaction.atomic():
        if not rows.filter(blocked_until__isnull=False).update(blocked_until=Greatest(F("blocked_until"), until)):
            rows.update(blocked_until=until)
