"""Users, their roles and functions, the reporting line in time, working hours and leave."""

from __future__ import annotations

import zoneinfo
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from salesops.core.models import HeldInTime, HeldInTimeQuerySet
from salesops.people.choices import JobFunction, LeaveKind, RoleChoice, Weekday
from salesops.people.querysets import UserQuerySet


def validate_time_zone(value: str) -> None:
    """Refuse a time zone that this machine does not know."""
    if value not in zoneinfo.available_timezones():
        raise ValidationError(
            _("“%(value)s” is not a time zone. Use a name such as Europe/Berlin."), params={"value": value}
        )


class LegalEntity(models.Model):
    """A company of the group that employs people: what the law asks for in one country is settled for each."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    country = models.CharField(_("country"), max_length=80, blank=True)

    class Meta:
        ordering = ["name"]
        verbose_name, verbose_name_plural = _("legal entity"), _("legal entities")

    def __str__(self) -> str:
        return self.name


class PublicHoliday(models.Model):
    """A day on which nobody of a legal entity is expected to work."""

    entity = models.ForeignKey(LegalEntity, models.CASCADE, related_name="holidays", verbose_name=_("legal entity"))
    on = models.DateField(_("day"))
    name = models.CharField(_("name"), max_length=80)

    class Meta:
        ordering = ["entity", "on"]
        verbose_name, verbose_name_plural = _("public holiday"), _("public holidays")
        constraints = [models.UniqueConstraint(fields=["entity", "on"], name="people_publicholiday_once")]

    def __str__(self) -> str:
        return f"{self.on}: {self.name}"


class UserManager(BaseUserManager["User"].from_queryset(UserQuerySet)):  # type: ignore[misc]  # made at run time
    """Makes users; addresses are kept in lower case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Make a user who can log in with this address; without a password they must reset it first."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Make an administrator of Django's admin site."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        """Find by address, whatever its case."""
        return self.get(email=(username or "").lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person of the company who may log in. People who left stay, inactive: their history is theirs."""

    email = models.EmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name"), max_length=120)
    family_name = models.CharField(
        _("family name"),
        max_length=60,
        blank=True,
        help_text=_("As it stands in payroll files, and a part of the name. Empty: the last word of the name."),
    )
    title = models.CharField(_("title"), max_length=120, blank=True)
    employee_number = models.CharField(_("employee number"), max_length=40, null=True, blank=True, unique=True)
    external_id = models.CharField(_("external id"), max_length=80, null=True, blank=True, unique=True)
    payroll_number = models.CharField(_("payroll number"), max_length=40, blank=True)
    legal_entity = models.ForeignKey(
        LegalEntity,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="people",
        verbose_name=_("legal entity"),
        help_text=_("Who employs them. What is counted of people's work is decided for each legal entity."),
    )
    time_zone = models.CharField(
        _("time zone"), max_length=60, default=settings.COMPANY_TIME_ZONE, validators=[validate_time_zone]
    )
    language = models.CharField(_("language"), max_length=10, choices=settings.LANGUAGES, default="en")
    started_on = models.DateField(_("first day"), null=True, blank=True)
    left_on = models.DateField(_("left on"), null=True, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(_("may open the admin site"), default=False)
    date_joined = models.DateTimeField(_("account made at"), auto_now_add=True)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        ordering = ["name", "id"]
        verbose_name, verbose_name_plural = _("person"), _("people")
        constraints = [
            models.UniqueConstraint(Lower("email"), name="people_user_email_any_case"),
            models.CheckConstraint(condition=~Q(employee_number=""), name="people_user_employee_number_or_null"),
            models.CheckConstraint(condition=~Q(external_id=""), name="people_user_external_id_or_null"),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        """The name as shown."""
        return str(self)

    def get_short_name(self) -> str:
        """The first word of the name."""
        return str(self).split(" ")[0]

    @property
    def initials(self) -> str:
        """One or two letters for the avatar."""
        words = str(self).split()
        return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper()


class RoleGrant(HeldInTime):
    """A role that a person holds for a time."""

    person = models.ForeignKey(User, models.PROTECT, related_name="role_grants", verbose_name=_("person"))
    role = models.CharField(_("role"), max_length=20, choices=RoleChoice.choices)

    objects = HeldInTimeQuerySet["RoleGrant"].as_manager()

    class Meta:
        ordering = ["person", "role", "start_on"]
        verbose_name, verbose_name_plural = _("role"), _("roles")
        constraints = [HeldInTime.range_constraint("people_rolegrant")]

    def __str__(self) -> str:
        return f"{self.person}: {self.get_role_display()}"


class FunctionAssignment(HeldInTime):
    """The job function of a person for a time: one at a time."""

    person = models.ForeignKey(User, models.PROTECT, related_name="function_assignments", verbose_name=_("person"))
    function = models.CharField(_("function"), max_length=8, choices=JobFunction.choices)

    objects = HeldInTimeQuerySet["FunctionAssignment"].as_manager()

    class Meta:
        ordering = ["person", "start_on"]
        verbose_name, verbose_name_plural = _("job function"), _("job functions")
        constraints = [HeldInTime.range_constraint("people_functionassignment")]

    def __str__(self) -> str:
        return f"{self.person}: {self.get_function_display()}"


class ReportingLine(HeldInTime):
    """Who a person reports to for a time: one manager at a time, never themselves, never in a circle."""

    person = models.ForeignKey(User, models.PROTECT, related_name="manager_lines", verbose_name=_("person"))
    manager = models.ForeignKey(User, models.PROTECT, related_name="report_lines", verbose_name=_("manager"))

    objects = HeldInTimeQuerySet["ReportingLine"].as_manager()

    class Meta:
        ordering = ["person", "start_on"]
        verbose_name, verbose_name_plural = _("reporting line"), _("reporting lines")
        constraints = [
            HeldInTime.range_constraint("people_reportingline"),
            models.CheckConstraint(condition=~Q(person=F("manager")), name="people_reportingline_not_self"),
        ]

    def __str__(self) -> str:
        return f"{self.person} → {self.manager}"


class WorkingHours(models.Model):
    """When a person works on a weekday, in their own time zone."""

    person = models.ForeignKey(User, models.CASCADE, related_name="working_hours", verbose_name=_("person"))
    weekday = models.PositiveSmallIntegerField(_("weekday"), choices=Weekday.choices)
    starts_at = models.TimeField(_("starts at"))
    ends_at = models.TimeField(_("ends at"))

    class Meta:
        ordering = ["person", "weekday", "starts_at"]
        verbose_name, verbose_name_plural = _("working hours"), _("working hours")
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="people_workinghours_ends_after_start"
            ),
            models.UniqueConstraint(fields=["person", "weekday", "starts_at"], name="people_workinghours_once"),
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.get_weekday_display()} {self.starts_at:%H:%M}–{self.ends_at:%H:%M}"


class Leave(HeldInTime):
    """Days on which a person is away."""

    person = models.ForeignKey(User, models.PROTECT, related_name="leaves", verbose_name=_("person"))
    kind = models.CharField(_("kind"), max_length=12, choices=LeaveKind.choices, default=LeaveKind.VACATION)
    note = models.CharField(_("note"), max_length=200, blank=True)
    deputy = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("deputy"),
        help_text=_("Gets the leads that would go to this person by name meanwhile."),
    )

    objects = HeldInTimeQuerySet["Leave"].as_manager()

    class Meta:
        ordering = ["person", "start_on"]
        verbose_name, verbose_name_plural = _("leave"), _("leaves")
        constraints = [
            HeldInTime.range_constraint("people_leave"),
            models.CheckConstraint(condition=Q(end_on__isnull=False), name="people_leave_has_an_end"),
            models.CheckConstraint(
                condition=Q(deputy__isnull=True) | ~Q(deputy=models.F("person")), name="people_leave_deputy_is_another"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.get_kind_display()} {self.start_on}"
