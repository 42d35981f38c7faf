"""The audit room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AuditConfig(AppConfig):
    """Registers the audit room, and offers its records to core."""

    name = "salesops.audit"
    label = "audit"
    verbose_name = _("Audit")

    def ready(self) -> None:
        """Let what lies below the audit record through it."""
        from salesops.audit import selectors, services
        from salesops.core import records
        from salesops.jobs import registry

        records.install(record=services.record, history_of=selectors.history_of)
        registry.connect(record=services.record_of_job)
