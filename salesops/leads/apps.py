"""The leads room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LeadsConfig(AppConfig):
    """Registers the leads room."""

    name = "salesops.leads"
    label = "leads"
    verbose_name = _("Leads")
