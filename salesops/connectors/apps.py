"""The connectors room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConnectorsConfig(AppConfig):
    """Registers the connectors room."""

    name = "salesops.connectors"
    label = "connectors"
    verbose_name = _("Connectors")
