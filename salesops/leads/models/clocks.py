"""How soon a lead must be touched, and the clock that runs until it is."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from salesops.leads.choices import ClockEnding
from salesops.leads.models.leads import Lead, LeadAssignment
from salesops.leads.models.routing import RoutingVersion
from salesops.leads.querysets import ClockQuerySet


class ServiceLevel(models.Model):
    """How soon leads of a kind must be touched, in minutes of the owner's working time. The first that fits counts."""

    version = models.ForeignKey(RoutingVersion, models.CASCADE, related_name="levels", verbose_name=_("version"))
    position = models.PositiveSmallIntegerField(_("position"))
    name = models.CharField(_("name"), max_length=80)
    condition = models.CharField(_("when"), max_length=1000, blank=True, help_text=_("Empty: for every other lead."))
    warn_minutes = models.PositiveIntegerField(_("remind the owner after"))
    alert_minutes = models.PositiveIntegerField(_("tell the manager after"), null=True, blank=True)
    reassign_minutes = models.PositiveIntegerField(_("give it to somebody else after"), null=True, blank=True)

    class Meta:
        ordering = ["version", "position", "id"]
        verbose_name, verbose_name_plural = _("service level"), _("service levels")
        constraints = [
            models.UniqueConstraint(fields=["version", "position"], name="leads_servicelevel_position"),
            models.CheckConstraint(
                condition=Q(alert_minutes__isnull=True) | Q(alert_minutes__gte=F("warn_minutes")),
                name="leads_servicelevel_alert_after_reminder",
            ),
            models.CheckConstraint(
                condition=Q(reassign_minutes__isnull=True)
                | (
                    Q(reassign_minutes__gte=F("warn_minutes"))
                    & (Q(alert_minutes__isnull=True) | Q(reassign_minutes__gte=F("alert_minutes")))
                ),
                name="leads_servicelevel_reassigned_last",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Clock(models.Model):
    """The clock of one assignment: runs from when the lead was given until it is touched or moves on.

    The moments are worked out when it starts, in the owner's working time. next_at: the next of them; none when it
    stands.
    """

    lead = models.ForeignKey(Lead, models.PROTECT, related_name="clocks", verbose_name=_("lead"))
    assignment = models.OneToOneField(
        LeadAssignment, models.PROTECT, related_name="clock", verbose_name=_("assignment")
    )
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="clocks", verbose_name=_("person")
    )
    level = models.CharField(_("service level"), max_length=80)
    started_at = models.DateTimeField(_("since"))
    warn_at = models.DateTimeField(_("reminder at"))
    alert_at = models.DateTimeField(_("manager told at"), null=True, blank=True)
    reassign_at = models.DateTimeField(_("moves on at"), null=True, blank=True)
    next_at = models.DateTimeField(_("next"), null=True, blank=True)
    warned_at = models.DateTimeField(_("reminded"), null=True, blank=True)
    alerted_at = models.DateTimeField(_("manager told"), null=True, blank=True)
    ended_at = models.DateTimeField(_("stopped"), null=True, blank=True)
    ending = models.CharField(_("how it stopped"), max_length=10, choices=ClockEnding.choices, blank=True)

    objects = ClockQuerySet.as_manager()

    class Meta:
        ordering = ["next_at", "id"]
        verbose_name, verbose_name_plural = _("clock"), _("clocks")
        indexes = [
            models.Index(fields=["next_at"], condition=Q(next_at__isnull=False), name="leads_clock_next"),
            models.Index(fields=["lead"], condition=Q(ended_at__isnull=True), name="leads_clock_running"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ending="") | (Q(ended_at__isnull=False) & ~Q(ending="")),
                name="leads_clock_stopped_with_an_ending",
            )
        ]

    def __str__(self) -> str:
        return f"{self.lead} · {self.level}"
