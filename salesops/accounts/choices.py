"""Fixed lists of the accounts room."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class AccountStatus(models.TextChoices):
    """Where an account stands in the bow-tie."""

    PROSPECT = "prospect", _("Prospect")
    CUSTOMER = "customer", _("Customer")
    FORMER = "former", _("Former customer")


class Consent(models.TextChoices):
    """Whether somebody may be contacted."""

    UNKNOWN = "unknown", _("Not known")
    GIVEN = "given", pgettext_lazy("consent", "Given")
    REFUSED = "refused", _("Refused")
