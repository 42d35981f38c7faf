"""The reorganisations room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ReorganisationsConfig(AppConfig):
    """Registers the reorganisations room."""

    name = "salesops.reorganisations"
    label = "reorganisations"
    verbose_name = _("Reorganisations")

    def ready(self) -> None:
        """Moves are told in the history of their reorganisation."""
        from salesops.audit.wording import teach_part

        teach_part("reorganisations.reorganisation", "reorganisations.move")
