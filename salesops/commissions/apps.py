"""The commissions room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CommissionsConfig(AppConfig):
    """Registers the commissions room."""

    name = "salesops.commissions"
    label = "commissions"
    verbose_name = _("Commissions")
