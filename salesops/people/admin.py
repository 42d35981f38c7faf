"""Admin pages of the people room. Roles and reporting lines go through the services: they have more to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _

from salesops.core.admin import PortalAdmin, PortalAdminForm, PortalInline, ReadOnlyAdmin, actor_of
from salesops.people import services
from salesops.people.models import (
    FunctionAssignment,
    Leave,
    LegalEntity,
    PublicHoliday,
    ReportingLine,
    RoleGrant,
    User,
    WorkingHours,
)
from salesops.people.reauth import require_recent

# Secrets of second factors, other people's sessions and unused groups are nobody's to edit here.
for model in (EmailAddress, Authenticator, UserSession, Group):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


class GrantInline(PortalInline):
    """The roles of a person, to look at."""

    model = RoleGrant
    is_read_only = True
    fields = ("role", "start_on", "end_on")


class FunctionInline(PortalInline):
    """The functions of a person, to look at."""

    model = FunctionAssignment
    is_read_only = True
    fields = ("function", "start_on", "end_on")


class HoursInline(PortalInline):
    """The working hours of a person."""

    model = WorkingHours
    fields = ("weekday", "starts_at", "ends_at")
    may_delete = True


@admin.register(User)
class UserAdmin(PortalAdmin):
    """People. Invited, locked and let go on their page in the portal; a password is never set here."""

    list_display = ("name", "email", "title", "employee_number", "started_on", "left_on", "is_active")
    list_filter = ("is_active", "language", "started_on")
    search_fields = ("name", "email", "employee_number", "external_id")
    portal_page = "people:person_detail"
    may_add = False
    readonly_fields = ("left_on", "is_active", "is_staff", "last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("name", "family_name", "email", "title", "language", "time_zone", "started_on", "left_on")}),
        (_("Numbers"), {"fields": ("employee_number", "payroll_number", "external_id", "legal_entity")}),
        (_("Account"), {"fields": ("is_active", "is_staff", "last_login", "date_joined")}),
    )
    inlines = (GrantInline, FunctionInline, HoursInline)

    def write(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Addresses in lower case, empty numbers as none; a new address ends the person's sessions."""
        obj.email = obj.email.strip().lower()
        obj.employee_number = obj.employee_number or None
        obj.external_id = obj.external_id or None
        obj.save()
        if "email" in form.changed_data:
            services.end_sessions(person=obj)


@method_decorator(require_recent(minutes=10), name="changeform_view")
@admin.register(RoleGrant)
class RoleGrantAdmin(PortalAdmin):
    """Roles in time: given here, ended by a last day, never edited or deleted."""

    list_display = ("person", "role", "start_on", "end_on")
    list_filter = ("role", "start_on", "end_on")
    search_fields = ("person__name", "person__email")
    autocomplete_fields = ("person",)
    list_select_related = ("person",)

    def get_readonly_fields(self, request: HttpRequest, obj: RoleGrant | None = None) -> Sequence[str]:
        """What was granted stays as it was granted; only its end may be set."""
        return ("person", "role", "start_on") if obj else ()

    def save_model(self, request: HttpRequest, obj: RoleGrant, form: Any, change: bool) -> None:
        """The services know who may, whose last administrator it is, and whose sessions end."""
        actor, now = actor_of(request), request.now  # type: ignore[attr-defined]  # set by the middleware
        if not change:
            granted = services.grant_role(
                actor=actor, person=obj.person, role=obj.role, start_on=obj.start_on, end_on=obj.end_on, at=now
            )
            obj.pk = granted.pk
        elif obj.end_on is None:
            raise ValidationError({"end_on": _("A role that has ended is given anew, not opened again.")})
        elif "end_on" in form.changed_data:
            services.revoke_role(actor=actor, person=obj.person, role=obj.role, end_on=obj.end_on, at=now)


@admin.register(FunctionAssignment)
class FunctionAssignmentAdmin(PortalAdmin):
    """Functions in time: one at a time."""

    list_display = ("person", "function", "start_on", "end_on")
    list_filter = ("function", "start_on", "end_on")
    search_fields = ("person__name", "person__email")
    autocomplete_fields = ("person",)
    list_select_related = ("person",)
    may_delete = True


class ReportingLineForm(PortalAdminForm):
    """A reporting line that closes no circle."""

    def clean(self) -> dict[str, Any]:
        """Ask the rule, on the days that the form gives."""
        values = super().clean()
        person, manager, start = values.get("person"), values.get("manager"), values.get("start_on")
        if person and manager and start:
            try:
                services.refuse_circle(person=person, manager=manager, start_on=start, end_on=values.get("end_on"))
            except ValidationError as error:
                self.add_error(None, error.messages)
        return values


@admin.register(ReportingLine)
class ReportingLineAdmin(PortalAdmin):
    """Who reports to whom, in time."""

    form = ReportingLineForm
    list_display = ("person", "manager", "start_on", "end_on")
    list_filter = ("start_on", "end_on")
    search_fields = ("person__name", "manager__name")
    autocomplete_fields = ("person", "manager")
    list_select_related = ("person", "manager")
    may_delete = True


@admin.register(Leave)
class LeaveAdmin(PortalAdmin):
    """Days away."""

    list_display = ("person", "kind", "start_on", "end_on")
    list_filter = ("kind", "start_on")
    search_fields = ("person__name", "person__email")
    autocomplete_fields = ("person", "deputy")
    list_select_related = ("person",)
    may_delete = True


@admin.register(WorkingHours)
class WorkingHoursAdmin(ReadOnlyAdmin):
    """Working hours, to look at; they are changed on a person's page."""

    list_display = ("person", "weekday", "starts_at", "ends_at")
    list_filter = ("weekday",)
    search_fields = ("person__name",)
    list_select_related = ("person",)


class HolidayInline(PortalInline):
    """The days on which an entity does not work."""

    model = PublicHoliday
    fields = ("on", "name")
    may_delete = True


@admin.register(LegalEntity)
class LegalEntityAdmin(PortalAdmin):
    """The companies that employ people, with their public holidays."""

    list_display = ("name", "country")
    search_fields = ("name", "country")
    inlines = (HolidayInline,)
