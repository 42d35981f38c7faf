"""The commissions room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CommissionsConfig(AppConfig):
    """Registers the commissions room."""

    name = "salesops.commissions"
    label = "commissions"
    verbose_name = _("Commissions")

    def ready(self) -> None:
        """Name what can be switched off here; payroll files keep the head of the audit: say so to those who check it.

        Tell the deals room of which deals something was paid back.
        """
        from salesops.audit import anchors
        from salesops.commissions.choices import PAYROLL_RELEASE
        from salesops.commissions.selectors.paid_back import deals_paid_back
        from salesops.commissions.selectors.periods import payroll_anchors
        from salesops.core import features
        from salesops.deals import aftermath

        features.declare(
            code=PAYROLL_RELEASE,
            title=_("Release of payroll"),
            description=_(
                "Finance makes the payroll files of locked periods. Off: no file is made; those made earlier can still be"
                " downloaded."
            ),
        )
        aftermath.install("commissions", deals_paid_back)
        anchors.keep("payroll files", payroll_anchors)
