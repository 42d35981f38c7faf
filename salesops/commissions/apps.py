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

        Tell the deals room of which deals something was paid back. Transactions move along when deals or accounts become
        one; a deal's own booking does not: it follows its deal.
        """
        from django.db.models import Q

        from salesops.accounts import merging
        from salesops.accounts.models import Account
        from salesops.audit import anchors
        from salesops.commissions.choices import PAYROLL_RELEASE
        from salesops.commissions.models import Transaction
        from salesops.commissions.selectors.paid_back import deals_paid_back
        from salesops.commissions.selectors.periods import payroll_anchors
        from salesops.commissions.selectors.transactions import DEAL_KEYS
        from salesops.core import features
        from salesops.deals import aftermath
        from salesops.deals.models import Deal

        features.declare(
            code=PAYROLL_RELEASE,
            title=_("Release of payroll"),
            description=_(
                "Finance makes the payroll files of locked periods. Off: no file is made; those made earlier can still be"
                " downloaded."
            ),
        )
        aftermath.install("commissions", deals_paid_back)
        of_the_deal = Q(source_key__startswith=DEAL_KEYS)
        merging.install(Account, Transaction, "account", ~of_the_deal)
        merging.install(Deal, Transaction, "deal", ~of_the_deal)
        anchors.keep("payroll files", payroll_anchors)
