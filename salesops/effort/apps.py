"""The effort room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EffortConfig(AppConfig):
    """Registers the effort room."""

    name = "salesops.effort"
    label = "effort"
    verbose_name = _("Effort")

    def ready(self) -> None:
        """Say what can be switched off here; each legal entity has a switch of its own besides."""
        from salesops.core import features
        from salesops.effort.choices import EFFORT

        features.declare(
            code=EFFORT,
            title=_("Effort scores"),
            description=_(
                "What people logged is counted by day and kind and shown to them as a score, where their legal entity has"
                " it switched on. Off: nothing is counted, scored or shown anywhere."
            ),
        )
