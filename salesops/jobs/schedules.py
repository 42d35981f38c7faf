"""Turns slots that have come into jobs, each slot once, however many schedulers tick."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.utils import translation

from salesops.core.actor import system_actor
from salesops.jobs import registry, services
from salesops.jobs.choices import CatchUp
from salesops.jobs.models import Schedule, ScheduleRun
from salesops.jobs.rules.cron import CronError, parse, slots

log = logging.getLogger(__name__)

#: Slots of one schedule that are caught up in one tick.
CATCH_UP_AT_ONCE: Final = 100
#: A schedule that is switched off is carried along, so that switching it on does not catch up the time between.
CARRY_ALONG: Final = timedelta(hours=1)


def declare(*, at: datetime) -> int:
    """Write the schedules declared in code that the database does not know; how many are new.

    A new schedule begins now. When and whether a known one runs is left to administrators.
    """
    made = 0
    for declared in registry.declared_schedules():
        schedule, is_new = Schedule.objects.get_or_create(
            code=declared.code,
            defaults={
                "title": _in_english(declared.title),
                "kind": declared.kind,
                "payload": dict(declared.payload),
                "rule": declared.rule,
                "time_zone": declared.time_zone,
                "catch_up": declared.catch_up,
                "last_slot_at": at,
            },
        )
        if not is_new and schedule.kind != declared.kind:
            Schedule.objects.filter(pk=schedule.pk).update(kind=declared.kind)
        made += is_new
    return made


def _in_english(title: Any) -> str:
    """As it is stored, whoever's language is active; pages translate it for their readers."""
    with translation.override("en"):
        return str(title)


def tick(*, at: datetime) -> int:
    """Enqueue a job for each slot that has come; how many slots were handled here."""
    handled = 0
    for schedule in Schedule.objects.order_by("code"):
        if not schedule.is_active:
            if schedule.last_slot_at < at - CARRY_ALONG:
                Schedule.objects.filter(pk=schedule.pk, is_active=False).update(last_slot_at=at)
            continue
        if registry.handler_of(schedule.kind) is None:
            log.warning("Schedule %s: this process knows no %s.", schedule.code, schedule.kind)
            continue
        try:
            handled += _handle(schedule, at=at)
        except CronError as error:
            log.error("Schedule %s: its rule cannot be read (%s).", schedule.code, error)
        except IntegrityError:
            log.info("Schedule %s: another scheduler was faster.", schedule.code)
    return handled


def _handle(schedule: Schedule, *, at: datetime) -> int:
    coming = slots(parse(schedule.rule), ZoneInfo(schedule.time_zone), after=schedule.last_slot_at, until=at)
    if schedule.catch_up == CatchUp.ALL:
        chosen = [(slot, 0) for slot in islice(coming, CATCH_UP_AT_ONCE)]
    else:
        count, latest = 0, None
        for slot in coming:
            count, latest = count + 1, slot
        chosen = [(latest, count - 1)] if latest is not None else []
    if not chosen:
        return 0
    with transaction.atomic():
        moved = Schedule.objects.filter(pk=schedule.pk, last_slot_at=schedule.last_slot_at, is_active=True).update(
            last_slot_at=chosen[-1][0]
        )
        if not moved:
            return 0
        for slot, missed in chosen:
            # Slots of which only the latest matters share a key: while one waits, the next joins it.
            key = f"schedule:{schedule.code}"
            if schedule.catch_up == CatchUp.ALL:
                key += f":{slot.isoformat()}"
            job = services.enqueue(
                kind=schedule.kind,
                key=key,
                payload={**schedule.payload, "slot": slot.isoformat()},
                actor=system_actor(),
                at=at,
                title=schedule.title,
                max_attempts=schedule.max_attempts,
            )
            ScheduleRun.objects.create(schedule=schedule, slot_start=slot, job=job, missed_count=missed, created_at=at)
    return len(chosen)
