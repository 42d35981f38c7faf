"""Fixed lists of the jobs room."""

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _


class JobState(models.TextChoices):
    """Where a job stands."""

    NEW = "new", _("Waiting")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    DEAD = "dead", _("Given up")
    CANCELLED = "cancelled", _("Cancelled")


#: A job in one of these will still do something by itself.
UNFINISHED: Final = (JobState.NEW, JobState.RUNNING)
#: A job in one of these runs again only when a person says so.
RETRYABLE: Final = (JobState.FAILED, JobState.DEAD, JobState.CANCELLED)


class JobEventKind(models.TextChoices):
    """What happened to a job besides running smoothly."""

    ERROR = "error", _("Error")
    LOST = "lost", _("Worker lost")
    PAUSED = "paused", _("Paused, goes on later")
    FAILED = "failed", _("Failed")
    DEAD = "dead", _("Given up")
    CANCEL = "cancel", _("Cancel asked for")
    RETRY = "retry", _("Tried again")


class CatchUp(models.TextChoices):
    """What to do with slots that passed while nobody was there to run them."""

    LATEST = "latest", _("Run the latest only")
    ALL = "all", _("Run each of them")
