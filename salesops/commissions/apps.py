"""The commissions room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CommissionsConfig(AppConfig):
    """Registers the commissions room."""

    name = "salesops.commissions"
    label = "commissions"
    verbose_name = _("Commissions")

    def ready(self) -> None:
        """Payroll files keep the head of the audit; say so to those who check the audit."""
        from salesops.audit import anchors
        from salesops.commissions.selectors.periods import payroll_anchors

        anchors.keep("payroll files", payroll_anchors)
