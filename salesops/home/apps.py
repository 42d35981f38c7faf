"""The home room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class HomeConfig(AppConfig):
    """Registers the home room, the highest of all, which introduces rooms to each other."""

    name = "salesops.home"
    label = "home"
    verbose_name = _("Home")

    def ready(self) -> None:
        """Imports bring quotas and people on plans."""
        from salesops.home.introductions import introduce_rooms

        introduce_rooms()
