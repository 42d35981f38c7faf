"""The notices room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class NoticesConfig(AppConfig):
    """Registers the notices room."""

    name = "salesops.notices"
    label = "notices"
    verbose_name = _("Notices")
