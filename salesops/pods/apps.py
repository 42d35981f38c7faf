"""The pods room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PodsConfig(AppConfig):
    """Registers the pods room."""

    name = "salesops.pods"
    label = "pods"
    verbose_name = _("Pods")
