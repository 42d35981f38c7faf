"""Runs the whole portal, or a part of it, as children of one process."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.utils import timezone

from salesops.jobs import health
from salesops.jobs.doorbell import bell
from salesops.jobs.supervisor import Child, Supervisor

PARTS: Final = ("web", "worker", "scheduler")
#: Seconds in which Ctrl-C ends everything; running jobs go on from their last batch at the next start.
GRACE: Final = 6.0
WORKER_GRACE: Final = "2"
SCHEDULER_IS_LATE: Final = timedelta(minutes=1)


class Command(BaseCommand):
    """Starts gunicorn, a Celery worker and the scheduler, restarts what dies, ends all on Ctrl-C."""

    help = "Runs web, worker and scheduler together. With --only, a part of them, as on a second machine."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to listen and what to run."""
        parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"), help="address to listen on (HOST)")
        parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")), help="port (PORT, 8000)")
        parser.add_argument("--only", default=",".join(PARTS), help=f"parts to run, of {','.join(PARTS)}")
        parser.add_argument("--web-processes", type=int, default=2, help="processes that serve pages (2)")
        parser.add_argument("--web-threads", type=int, default=4, help="threads in each of them (4)")
        parser.add_argument("--concurrency", type=int, default=2, help="jobs that run at once (2)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until stopped."""
        parts = [part.strip() for part in options["only"].split(",") if part.strip()]
        if not parts or not set(parts) <= set(PARTS):
            raise CommandError(f"--only takes {', '.join(PARTS)}, separated by commas.")
        host, port = options["host"], options["port"]
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        if "web" in parts:
            self._refuse_taken_port(host, port)
        folder = Path(tempfile.mkdtemp(prefix="salesops-run-"))
        everyone = {"PYTHONUNBUFFERED": "1", "SITE_URL": os.environ.get("SITE_URL", address.rstrip("/"))}
        children = {
            "web": Child("web", self._web(options, folder), everyone),
            "worker": Child(
                "worker",
                self._worker(options, folder),
                {"REMAP_SIGTERM": "SIGQUIT", "WORKER_GRACE_SECONDS": WORKER_GRACE} | everyone,
                is_well=self._workers_listen,
            ),
            "scheduler": Child(
                "scheduler", self._tied("manage", "run_scheduler"), everyone, is_well=self._scheduler_ticks
            ),
        }
        chosen = [children[part] for part in PARTS if part in parts]
        supervisor = Supervisor(chosen, folder=settings.BASE_DIR, grace=GRACE)

        def say_where() -> None:
            if "web" in parts:
                supervisor.say("portal", f"Salesops is at {address} (Ctrl-C ends it)")
            else:
                supervisor.say("portal", f"running {', '.join(parts)} (Ctrl-C ends it)")

        try:
            supervisor.run(on_start=say_where)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        supervisor.say("portal", "ended")

    @staticmethod
    def _tied(*words: str) -> list[str]:
        """A Python module as a program that ends with us, even when we are killed."""
        return [sys.executable, "-m", "salesops.jobs.lifeline", *words]

    def _web(self, options: dict[str, Any], folder: Path) -> list[str]:
        memory = Path("/dev/shm")  # noqa: S108  # heart-beat files of gunicorn, which must not wait for a disk
        return self._tied(
            *("gunicorn", "salesops.config.wsgi:application", "--worker-class", "gthread", "--no-control-socket"),
            *("--bind", f"{options['host']}:{options['port']}", "--workers", str(options["web_processes"])),
            *("--threads", str(options["web_threads"]), "--graceful-timeout", "4", "--timeout", "120"),
            *("--worker-tmp-dir", str(memory if memory.is_dir() else folder), "--log-level", "warning"),
            *("--max-requests", "5000", "--max-requests-jitter", "500"),
        )

    def _worker(self, options: dict[str, Any], folder: Path) -> list[str]:
        return self._tied(
            *("celery", "--app", "salesops.config", "--quiet", "worker", "--concurrency", str(options["concurrency"])),
            *("--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"),
            *("--hostname", f"portal-{os.getpid()}@{socket.gethostname()}"),
        )

    @staticmethod
    def _refuse_taken_port(host: str, port: int) -> None:
        """Say so politely when somebody listens already."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise CommandError(
                    f"Port {port} on {host} cannot be used ({error.strerror}). Is the portal running already? "
                    f"Another port: PORT={port + 1} make run"
                ) from error

    @staticmethod
    def _workers_listen() -> bool:
        """Deaf only when the broker answers and nothing moves; a broker that is away is not the worker's fault."""
        try:
            return not health.workers_are_deaf(at=timezone.now()) or bell.queue_length() is None
        except DatabaseError:
            return True
        finally:
            connection.close()

    @staticmethod
    def _scheduler_ticks() -> bool:
        try:
            seen_at = health.scheduler_seen_at()
        except DatabaseError:
            return True
        finally:
            connection.close()
        return seen_at is None or timezone.now() - seen_at < SCHEDULER_IS_LATE
