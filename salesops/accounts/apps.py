"""The accounts room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """Registers the accounts room."""

    name = "salesops.accounts"
    label = "accounts"
    verbose_name = _("Accounts")
