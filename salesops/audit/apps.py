"""The audit room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AuditConfig(AppConfig):
    """Registers the audit room."""

    name = "salesops.audit"
    label = "audit"
    verbose_name = _("Audit")
