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
        from salesops.core import features
        from salesops.jobs import registry
        from salesops.pods.choices import UNREADY_PODS
        from salesops.pods.selectors import actor_of

        registry.connect(actor_of=actor_of)
        features.declare(
            code=UNREADY_PODS,
            title=_("Pods that are not whole may open"),
            description=_(
                "Revenue operations and administrators open a pod before anybody in it wins or keeps customers, and are"
                " told what is missing. Off: such a pod is not opened; its first people are named with it."
            ),
        )
