"""Who does which kind of job, what comes round by itself, and what only the rooms above can tell.

A room writes its handlers in `<room>/tasks.py`; those modules are imported at start-up, as Django's admin does it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from salesops.core.actor import NOBODY, Actor, system_actor
from salesops.jobs.choices import CatchUp

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

    from salesops.jobs.models import Job
    from salesops.jobs.runner import JobRun

HandlerFunction = Callable[["JobRun"], None]

_HANDLERS: dict[str, HandlerFunction] = {}
_SCHEDULES: dict[str, DeclaredSchedule] = {}


class UnknownKindError(LookupError):
    """No handler is registered for this kind of job."""


def handles(kind: str) -> Callable[[HandlerFunction], HandlerFunction]:
    """Register a function as the one handler of a kind of job, such as "commissions.calculate"."""

    def register(function: HandlerFunction) -> HandlerFunction:
        known = _HANDLERS.get(kind)
        if known is not None and (known.__module__, known.__qualname__) != (function.__module__, function.__qualname__):
            raise ValueError(f"{kind} is already handled by {known.__module__}.{known.__qualname__}")
        _HANDLERS[kind] = function
        return function

    return register


def handler_of(kind: str) -> HandlerFunction | None:
    """The handler of a kind; None when this process knows none (an older worker, for instance)."""
    return _HANDLERS.get(kind)


def kinds() -> list[str]:
    """Every kind that has a handler, in order."""
    return sorted(_HANDLERS)


@dataclass(frozen=True)
class DeclaredSchedule:
    """Work that comes round, as its room declares it. Administrators may change the stored copy afterwards."""

    code: str
    title: _StrOrPromise
    kind: str
    rule: str
    time_zone: str
    catch_up: CatchUp = CatchUp.LATEST
    payload: Mapping[str, Any] = field(default_factory=dict)


def comes_round(
    *,
    code: str,
    title: _StrOrPromise,
    kind: str,
    rule: str,
    time_zone: str = "UTC",
    catch_up: CatchUp = CatchUp.LATEST,
    payload: Mapping[str, Any] | None = None,
) -> None:
    """Declare a schedule: `rule` is a cron line of five fields, read in `time_zone`."""
    _SCHEDULES[code] = DeclaredSchedule(code, title, kind, rule, time_zone, catch_up, payload or {})


def declared_schedules() -> list[DeclaredSchedule]:
    """Every declared schedule, in order of its code."""
    return [_SCHEDULES[code] for code in sorted(_SCHEDULES)]


class ActorOf(Protocol):
    """Makes the actor of a user as of a moment; NOBODY when the user may not log in any more."""

    def __call__(self, user_id: int, *, at: datetime) -> Actor: ...


class Record(Protocol):
    """Writes to the audit what a person did to a job."""

    def __call__(
        self, *, actor: Actor, action: str, job: Job, before: Mapping[str, Any], after: Mapping[str, Any], at: datetime
    ) -> None: ...


class Tell(Protocol):
    """Tells people that a job was given up."""

    def __call__(self, job: Job, *, at: datetime) -> None: ...


def _nobody(user_id: int, *, at: datetime) -> Actor:
    """Without a room above that knows users, nobody has rights."""
    return NOBODY


def _no_record(
    *, actor: Actor, action: str, job: Job, before: Mapping[str, Any], after: Mapping[str, Any], at: datetime
) -> None:
    """Without an audit, nothing is recorded."""


def _tell_nobody(job: Job, *, at: datetime) -> None:
    """Without notices, nobody is told."""


@dataclass
class _Above:
    """What the rooms above have connected."""

    actor_of: ActorOf = _nobody
    record: Record = _no_record
    tell_dead: Tell = _tell_nobody


_above = _Above()


def connect(*, actor_of: ActorOf | None = None, record: Record | None = None, tell_dead: Tell | None = None) -> None:
    """Connect what only rooms above know: whose rights a job has, where acts are recorded, who hears of a dead job."""
    if actor_of is not None:
        _above.actor_of = actor_of
    if record is not None:
        _above.record = record
    if tell_dead is not None:
        _above.tell_dead = tell_dead


def actor_for_job(job: Job, *, at: datetime) -> Actor:
    """Whom the job acts for, with the rights of this moment: its asker, or the portal when nobody asked."""
    if job.requested_by_id is None:
        return system_actor()
    return _above.actor_of(job.requested_by_id, at=at)


def record(
    *, actor: Actor, action: str, job: Job, before: Mapping[str, Any], after: Mapping[str, Any], at: datetime
) -> None:
    """Hand what a person did to a job to the audit."""
    _above.record(actor=actor, action=action, job=job, before=before, after=after, at=at)


def tell_dead(job: Job, *, at: datetime) -> None:
    """Hand a dead job to those who tell people."""
    _above.tell_dead(job, at=at)
