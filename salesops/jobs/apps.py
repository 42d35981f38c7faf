"""The jobs room as Django knows it."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    """Registers the jobs room and finds every room's handlers."""

    name = "salesops.jobs"
    label = "jobs"
    verbose_name = _("Jobs")

    def ready(self) -> None:
        """Import the `tasks` module of each room, so that web, worker and commands know the same kinds of jobs."""
        autodiscover_modules("tasks")
