"""Runs the relay and the schedules: one process, or several on several machines, which do not disturb one another."""

from __future__ import annotations

import logging
import signal
import threading
import time
from argparse import ArgumentParser
from typing import Any, Final

from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections, connection
from django.utils import timezone

from salesops.jobs import health, relay, schedules
from salesops.jobs.models import Pulse

log = logging.getLogger(__name__)


#: Seconds between two looks at the schedules and two signs of life.
TICK: Final = 5.0


class Command(BaseCommand):
    """Ticks until it is told to stop."""

    help = "Rings again for jobs that nobody took, and enqueues the jobs of schedules. Any number of copies may run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How often to look."""
        parser.add_argument("--every", type=float, default=1.0, help="seconds between two sweeps (1)")
        parser.add_argument("--once", action="store_true", help="one sweep and one tick, then end")

    def handle(self, *args: Any, **options: Any) -> None:
        """Sweep and tick until SIGTERM or SIGINT."""
        stopped = threading.Event()
        if not options["once"]:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stopped.set())
        next_tick = 0.0
        is_declared = False
        while True:
            try:
                close_old_connections()
                if not is_declared:
                    schedules.declare(at=timezone.now())
                    is_declared = True
                if time.monotonic() >= next_tick:
                    schedules.tick(at=timezone.now())
                    Pulse.objects.update_or_create(name=health.SCHEDULER, defaults={"beat_at": timezone.now()})
                    next_tick = time.monotonic() + TICK
                relay.sweep(at=timezone.now())
            except DatabaseError as error:
                log.warning("The database did not answer (%s); trying again.", type(error).__name__)
                connection.close()
            if options["once"] or stopped.wait(options["every"]):
                return
