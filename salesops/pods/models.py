"""Segments, pods and territories, and who belongs to them in time."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from salesops.core.models import HeldInTime
from salesops.people.choices import JobFunction
from salesops.people.models import validate_time_zone
from salesops.pods.choices import CustomerSize, PodTemplate
from salesops.pods.querysets import MembershipQuerySet, PodQuerySet, TerritoryAssignmentQuerySet, TerritoryQuerySet
from salesops.pods.rules.capacity import ramp_of


class Segment(models.Model):
    """A part of the market that a pod serves, by number of employees."""

    code = models.SlugField(_("code"), unique=True)
    name = models.CharField(_("name"), max_length=80)
    min_employees = models.PositiveIntegerField(_("from employees"), null=True, blank=True)
    max_employees = models.PositiveIntegerField(_("up to employees"), null=True, blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        ordering = ["position", "name"]
        verbose_name, verbose_name_plural = _("segment"), _("segments")
        constraints = [
            models.CheckConstraint(
                condition=Q(min_employees__isnull=True)
                | Q(max_employees__isnull=True)
                | Q(max_employees__gte=F("min_employees")),
                name="pods_segment_range",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Pod(models.Model):
    """SDRs, AEs and CSMs who serve one segment as a unit. Closed, never deleted."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    segment = models.ForeignKey(
        Segment, models.PROTECT, null=True, blank=True, related_name="pods", verbose_name=_("segment")
    )
    template = models.CharField(_("template"), max_length=8, choices=PodTemplate.choices, default=PodTemplate.MODERATE)
    customer_size = models.CharField(
        _("size of its customers"), max_length=6, choices=CustomerSize.choices, blank=True, default=""
    )
    time_zone = models.CharField(
        _("time zone"), max_length=60, default=settings.COMPANY_TIME_ZONE, validators=[validate_time_zone]
    )
    opened_on = models.DateField(_("opened on"))
    closed_on = models.DateField(_("closed on"), null=True, blank=True)
    lead_capacity = models.PositiveIntegerField(_("open leads it can carry"), default=200)

    objects = PodQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name, verbose_name_plural = _("pod"), _("pods")
        constraints = [
            models.CheckConstraint(
                condition=Q(closed_on__isnull=True) | Q(closed_on__gte=F("opened_on")),
                name="pods_pod_closed_after_opened",
            )
        ]

    def __str__(self) -> str:
        return self.name


class PodMembership(HeldInTime):
    """A person in a pod, in a function, for a time: one pod at a time."""

    pod = models.ForeignKey(Pod, models.PROTECT, related_name="memberships", verbose_name=_("pod"))
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="pod_memberships", verbose_name=_("person")
    )
    function = models.CharField(_("function"), max_length=8, choices=JobFunction.choices)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        ordering = ["pod", "function", "start_on"]
        verbose_name, verbose_name_plural = _("pod membership"), _("pod memberships")
        constraints = [HeldInTime.range_constraint("pods_podmembership")]

    def __str__(self) -> str:
        return f"{self.person} · {self.pod}"


def validate_ramp(value: str) -> None:
    """Refuse what is no curve."""
    try:
        ramp_of(value)
    except ValueError as error:
        raise ValidationError(
            _("Type whole per cent by month, none below the one before, such as 20, 60, 100."), code="ramp"
        ) from error


class FunctionCapacity(models.Model):
    """What people of a function can carry, and how they ramp up: a company's own figures in place of the defaults."""

    function = models.CharField(_("function"), max_length=8, choices=JobFunction.choices, unique=True)
    lead_capacity = models.PositiveIntegerField(
        _("open leads one can carry"),
        null=True,
        blank=True,
        help_text=_("Empty: a pod's capacity in equal parts for those who win customers; no limit for others."),
    )
    ramp = models.CharField(
        _("ramp"),
        max_length=120,
        blank=True,
        validators=[validate_ramp],
        help_text=_(
            "Share of full work in per cent by month in the function, such as 20, 60, 100; then all. Empty: as published"
            " (SDR 20, 60, 100; AE 0, 25, 50, 70, 85, 100; others in full from the first day)."
        ),
    )

    class Meta:
        ordering = ["function"]
        verbose_name, verbose_name_plural = _("capacity of a function"), _("capacities of functions")

    def __str__(self) -> str:
        return str(self.get_function_display())


class Territory(models.Model):
    """A region that people are responsible for."""

    code = models.CharField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    country = models.CharField(_("country"), max_length=80, blank=True)
    region = models.CharField(_("region"), max_length=80, blank=True)

    objects = TerritoryQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name, verbose_name_plural = _("territory"), _("territories")

    def __str__(self) -> str:
        return self.name


class TerritoryAssignment(HeldInTime):
    """A person in a territory for a time. Several people may share a territory."""

    territory = models.ForeignKey(Territory, models.PROTECT, related_name="assignments", verbose_name=_("territory"))
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="territory_assignments", verbose_name=_("person")
    )

    objects = TerritoryAssignmentQuerySet.as_manager()

    class Meta:
        ordering = ["territory", "start_on"]
        verbose_name, verbose_name_plural = _("territory assignment"), _("territory assignments")
        constraints = [HeldInTime.range_constraint("pods_territoryassignment")]

    def __str__(self) -> str:
        return f"{self.person} · {self.territory}"
