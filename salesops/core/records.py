"""Core asks to have things recorded; the audit room, which stands above it, says how when the portal starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.db.models import Model, QuerySet

from salesops.core.actor import Actor


class Recorder(Protocol):
    """Records one change in the caller's transaction."""

    def __call__(
        self,
        *,
        actor: Actor,
        action: str,
        subject: Model | None = None,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        reason: str = "",
        at: datetime,
    ) -> object: ...


class Historian(Protocol):
    """Reads what happened to one row, newest first, as far as the actor may see it."""

    def __call__(self, actor: Actor, subject: Model) -> QuerySet[Any]: ...


@dataclass(slots=True)
class _Keeper:
    record: Recorder | None = None
    history_of: Historian | None = None


_keeper = _Keeper()


def install(*, record: Recorder, history_of: Historian) -> None:
    """Say who keeps the records. Called once, when the portal starts."""
    _keeper.record, _keeper.history_of = record, history_of


def record(
    *,
    actor: Actor,
    action: str,
    subject: Model | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    at: datetime,
) -> None:
    """Record one change; nothing that must be recorded goes through when nobody keeps records (RuntimeError)."""
    if _keeper.record is None:
        raise RuntimeError("no audit is installed")
    _keeper.record(actor=actor, action=action, subject=subject, before=before, after=after, reason=reason, at=at)


def history_of(actor: Actor, subject: Model) -> QuerySet[Any]:
    """What happened to a row, newest first. Raises RuntimeError when nobody keeps records."""
    if _keeper.history_of is None:
        raise RuntimeError("no audit is installed")
    return _keeper.history_of(actor, subject)
