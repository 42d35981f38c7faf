"""The deals room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DealsConfig(AppConfig):
    """Registers the deals room."""

    name = "salesops.deals"
    label = "deals"
    verbose_name = _("Deals")

    def ready(self) -> None:
        """Tell the pods room how to count open deals; name what can be switched off here; say what moves along when
        accounts, contacts or leads become one.
        """
        from salesops.accounts import merging
        from salesops.accounts.models import Account, Contact
        from salesops.core import features
        from salesops.deals.models import Deal, HandOff
        from salesops.deals.selectors.workload import open_deals
        from salesops.deals.services.from_leads import SOURCED
        from salesops.deals.services.guard import GUARD
        from salesops.leads.models import Lead
        from salesops.pods.workload import install

        install("deals", open_deals)
        merging.install(Account, Deal, "account")
        merging.install(Contact, Deal, "contact")
        merging.install(Lead, Deal, "lead")
        merging.install(Lead, HandOff, "lead")
        features.declare(
            code=GUARD,
            title=_("Selling guard"),
            description=_(
                "Holds deals against the selling policy in force: refuses, or asks for approval. Off: nothing is held "
                "against it, and nothing waits for an approval."
            ),
        )
        features.declare(
            code=SOURCED,
            title=_("Credit for the lead"),
            description=_(
                "A deal made from a converted lead gives whoever won the lead a share of 100 per cent on top. Off: deals are "
                "made without it, and shares are given by hand."
            ),
        )
