"""The connectors room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConnectorsConfig(AppConfig):
    """Registers the connectors room and the kinds of records that the rooms below take."""

    name = "salesops.connectors"
    label = "connectors"
    verbose_name = _("Connectors")

    def ready(self) -> None:
        """Say where records go, and what can be switched off here."""
        from salesops.connectors.choices import IMPORTS
        from salesops.connectors.destinations import introduce_rooms_below
        from salesops.connectors.selectors.connections import behind
        from salesops.core import features, freshness

        introduce_rooms_below()
        freshness.install(behind)
        features.declare(
            code=IMPORTS,
            title=_("Imports of files"),
            description=_(
                "Revenue operations and administrators bring in files. Off: no file is uploaded and no import begins;"
                " what runs already ends, and the shelf can be mended."
            ),
        )
