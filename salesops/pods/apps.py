"""The pods room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PodsConfig(AppConfig):
    """Registers the pods room, and lets jobs know the rights of those who asked for them."""

    name = "salesops.pods"
    label = "pods"
    verbose_name = _("Pods")

    def ready(self) -> None:
        """Tell the jobs, which lie below, whose rights they run with."""
        from salesops.jobs import registry
        from salesops.pods.selectors import actor_of

        registry.connect(actor_of=actor_of)
