"""The connectors room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConnectorsConfig(AppConfig):
    """Registers the connectors room and the kinds of records that the rooms below take."""

    name = "salesops.connectors"
    label = "connectors"
    verbose_name = _("Connectors")

    def ready(self) -> None:
        """Say where records go."""
        from salesops.connectors.destinations import introduce_rooms_below

        introduce_rooms_below()
