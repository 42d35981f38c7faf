"""The core room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CoreConfig(AppConfig):
    """Registers the core room."""

    name = "salesops.core"
    label = "core"
    verbose_name = _("Core")
