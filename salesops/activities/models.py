"""Calls, mails, meetings, notes and tasks."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from salesops.accounts.models import Account, Contact
from salesops.activities.choices import ActivityKind, Direction, Outcome
from salesops.activities.querysets import ActivityQuerySet
from salesops.deals.models import Deal
from salesops.leads.models import Lead


class Activity(models.Model):
    """Something a person did (`happened_at`) or has to do (`due_at`, until `done_at`)."""

    kind = models.CharField(_("kind"), max_length=8, choices=ActivityKind.choices)
    subject = models.CharField(_("subject"), max_length=200)
    note = models.TextField(_("note"), blank=True)
    outcome = models.CharField(_("outcome"), max_length=14, choices=Outcome.choices, blank=True)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="activities", verbose_name=_("person")
    )
    lead = models.ForeignKey(
        Lead, models.PROTECT, null=True, blank=True, related_name="activities", verbose_name=_("lead")
    )
    deal = models.ForeignKey(
        Deal, models.PROTECT, null=True, blank=True, related_name="activities", verbose_name=_("deal")
    )
    account = models.ForeignKey(
        Account, models.PROTECT, null=True, blank=True, related_name="activities", verbose_name=_("account")
    )
    contact = models.ForeignKey(
        Contact, models.PROTECT, null=True, blank=True, related_name="activities", verbose_name=_("contact")
    )
    happened_at = models.DateTimeField(_("happened at"), null=True, blank=True)
    due_at = models.DateTimeField(_("due at"), null=True, blank=True)
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)
    duration_minutes = models.PositiveIntegerField(_("minutes"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"))
    direction = models.CharField(
        _("direction"), max_length=8, choices=Direction.choices, blank=True, default="", db_default=""
    )
    source = models.CharField(_("source"), max_length=40, blank=True, default="", db_default="", editable=False)
    external_id = models.CharField(
        _("external id"), max_length=80, blank=True, default="", db_default="", editable=False
    )
    client_key = models.UUIDField(
        null=True, blank=True, unique=True, editable=False, help_text="Sent twice, kept once."
    )

    objects = ActivityQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name, verbose_name_plural = _("activity"), _("activities")
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="activities_activity_newest"),
            models.Index(fields=["person", "-happened_at"], name="activities_activity_person"),
            models.Index(
                fields=["person", "due_at"],
                condition=Q(done_at__isnull=True, due_at__isnull=False),
                name="activities_activity_due",
            ),
            models.Index(fields=["lead", "-created_at"], name="activities_activity_lead"),
            models.Index(fields=["deal", "-created_at"], name="activities_activity_deal"),
            models.Index(fields=["account", "-created_at"], name="activities_activity_account"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(happened_at__isnull=False) | Q(due_at__isnull=False), name="activities_activity_has_a_time"
            ),
            models.UniqueConstraint(
                fields=["source", "external_id"], condition=~Q(external_id=""), name="activities_activity_external"
            ),
        ]

    def __str__(self) -> str:
        return self.subject

    @property
    def is_planned(self) -> bool:
        """Whether it is a meeting that is still to come: `due_at` says when."""
        return self.kind == ActivityKind.MEETING and self.happened_at is None

    @property
    def is_to_do(self) -> bool:
        """Whether it waits to be done: a task, or a meeting that is to be held."""
        return self.happened_at is None and self.done_at is None
