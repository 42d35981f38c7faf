"""The notices room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class NoticesConfig(AppConfig):
    """Registers the notices room, and lets people hear of jobs that were given up."""

    name = "salesops.notices"
    label = "notices"
    verbose_name = _("Notices")

    def ready(self) -> None:
        """Tell people when a job, which lies below, is given up."""
        from salesops.jobs import registry
        from salesops.notices.services import tell_of_dead_job

        registry.connect(tell_dead=tell_of_dead_job)
