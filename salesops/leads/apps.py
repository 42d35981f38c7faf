"""The leads room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LeadsConfig(AppConfig):
    """Registers the leads room."""

    name = "salesops.leads"
    label = "leads"
    verbose_name = _("Leads")

    def ready(self) -> None:
        """Tell the pods room how to count leads in work; say what moves along when accounts or contacts become one."""
        from salesops.accounts import merging
        from salesops.accounts.models import Account, Contact
        from salesops.audit.wording import teach_part
        from salesops.core import features
        from salesops.leads.choices import LEARNED
        from salesops.leads.models import Lead
        from salesops.leads.selectors import leads_in_work
        from salesops.pods.workload import install

        features.declare(
            code=LEARNED,
            title=_("Learned chances"),
            description=_(
                "What became of leads is learned every night, and told as a chance where it helps. It is about"
                " leads, never about people, and routes nothing. Off: nothing is learned, and chances that were told go with"
                " the next night."
            ),
            starts_on=False,
        )
        install("leads", leads_in_work)
        merging.install(Account, Lead, "account")
        merging.install(Contact, Lead, "contact")
        # What was merged into a lead that is merged itself stands for the last of them.
        merging.install(Lead, Lead, "merged_into")
        for version, rule in (("routingversion", "routingrule"), ("scoreversion", "scorerule")):
            teach_part(f"leads.{version}", f"leads.{rule}")
