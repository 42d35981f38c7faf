"""The home room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class HomeConfig(AppConfig):
    """Registers the home room."""

    name = "salesops.home"
    label = "home"
    verbose_name = _("Home")
