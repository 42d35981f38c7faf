"""The deals room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DealsConfig(AppConfig):
    """Registers the deals room."""

    name = "salesops.deals"
    label = "deals"
    verbose_name = _("Deals")

    def ready(self) -> None:
        """Tell the pods room how to count open deals."""
        from salesops.deals.selectors.workload import open_deals
        from salesops.pods.workload import install

        install("deals", open_deals)
