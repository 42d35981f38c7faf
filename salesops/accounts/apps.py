"""The accounts room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """Registers the accounts room."""

    name = "salesops.accounts"
    label = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        """Say what moves along when two accounts become one."""
        from salesops.accounts import merging
        from salesops.accounts.models import Account, Contact, Subscription

        merging.install(Account, Account, "parent")
        merging.install(Account, Contact, "account")
        merging.install(Account, Subscription, "account")
