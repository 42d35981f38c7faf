"""The deals room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DealsConfig(AppConfig):
    """Registers the deals room."""

    name = "salesops.deals"
    label = "deals"
    verbose_name = _("Deals")
