"""The jobs room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    """Registers the jobs room."""

    name = "salesops.jobs"
    label = "jobs"
    verbose_name = _("Jobs")
