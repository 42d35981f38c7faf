"""The people room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PeopleConfig(AppConfig):
    """Registers the people room."""

    name = "salesops.people"
    label = "people"
    verbose_name = _("People")
