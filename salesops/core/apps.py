"""The core room as Django knows it."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate
from django.utils.translation import gettext_lazy as _


class CoreConfig(AppConfig):
    """Registers the core room, has the database's guards looked after around each run of migrate, and switches written."""

    name = "salesops.core"
    label = "core"
    verbose_name = _("Core")

    def ready(self) -> None:
        """Connect once; the sender makes each handler run once a migrate, not once for each room."""
        from salesops.core import checks, lookups  # noqa: F401 - registers them
        from salesops.core.features import write_switches
        from salesops.core.guards import install_guards, lift_guards

        pre_migrate.connect(lift_guards, sender=self)
        post_migrate.connect(install_guards, sender=self)
        post_migrate.connect(write_switches, sender=self)
