"""The Celery application. Messages are only doorbells: see salesops.jobs."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init

from salesops.config.memory import settle
from salesops.jobs.ears import Ears
from salesops.jobs.lifeline import tie_to_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesops.config.settings")

app = Celery("salesops")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["consumer"].add(Ears)


@worker_process_init.connect
def _end_with_the_worker(**_: Any) -> None:
    """A child whose worker was killed would wait for work for ever."""
    tie_to_parent(whole_group=False)


@worker_process_init.connect
def _leave_the_program_alone(**_: Any) -> None:
    """What was loaded to begin with stays; looking through it for garbage again and again is time lost to the work."""
    settle()
