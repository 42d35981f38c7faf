"""The activities room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ActivitiesConfig(AppConfig):
    """Registers the activities room."""

    name = "salesops.activities"
    label = "activities"
    verbose_name = _("Activities")

    def ready(self) -> None:
        """Activities move along when the rows that they are about become one."""
        from salesops.accounts import merging
        from salesops.accounts.models import Account, Contact
        from salesops.activities.models import Activity
        from salesops.deals.models import Deal
        from salesops.leads.models import Lead

        for row, column in ((Account, "account"), (Contact, "contact"), (Lead, "lead"), (Deal, "deal")):
            merging.install(row, Activity, column)
