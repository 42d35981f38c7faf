"""The activities room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ActivitiesConfig(AppConfig):
    """Registers the activities room."""

    name = "salesops.activities"
    label = "activities"
    verbose_name = _("Activities")
