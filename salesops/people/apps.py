"""The people room as Django knows it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PeopleConfig(AppConfig):
    """Registers the people room."""

    name = "salesops.people"
    label = "people"
    verbose_name = _("People")

    def ready(self) -> None:
        """Let the audit, which lies below, put the codes of this room into words."""
        from salesops.audit.wording import teach
        from salesops.people.choices import JobFunction, LeaveKind, RoleChoice

        teach("role", RoleChoice.choices)
        teach("function", JobFunction.choices)
        teach("kind", LeaveKind.choices)
