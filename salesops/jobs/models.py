"""The row is the job: job rows with lease and fencing token, what happened to them, schedules and their slots."""

from __future__ import annotations

import zoneinfo
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from salesops.jobs.choices import RETRYABLE, UNFINISHED, CatchUp, JobEventKind, JobState
from salesops.jobs.querysets import JobQuerySet
from salesops.jobs.rules.cron import CronError, parse


def empty_object() -> dict[str, Any]:
    """The default of a JSON column."""
    return {}


class Job(models.Model):
    """One piece of work, written in the transaction of the data it concerns.

    `attempts` counts claims, never goes back and is the fencing token: whoever holds an older number may no longer
    write. `strikes` counts claims since the job last got on; at `max_attempts` strikes the job is given up.
    `requested_by_id` is a user's id without a foreign key, because users live in a room above; empty means the portal.
    """

    kind = models.CharField(_("kind"), max_length=80)
    key = models.CharField(_("key"), max_length=200, help_text=_("One unfinished job for each key."))
    title = models.CharField(_("title"), max_length=200)
    url = models.CharField(_("link"), max_length=300, blank=True)
    payload = models.JSONField(_("what to do"), default=empty_object)
    checkpoint = models.JSONField(_("how far it got"), default=empty_object)
    state = models.CharField(_("state"), max_length=10, choices=JobState.choices, default=JobState.NEW)

    requested_by_id = models.BigIntegerField(_("asked by"), null=True, blank=True)
    requested_by_name = models.CharField(_("asked by"), max_length=150, blank=True)
    created_at = models.DateTimeField(_("asked at"))
    run_after = models.DateTimeField(_("not before"))
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    strikes = models.PositiveIntegerField(_("attempts without progress"), default=0)
    max_attempts = models.PositiveIntegerField(_("most attempts without progress"), default=5)
    worker = models.CharField(_("worker"), max_length=120, blank=True)
    lease_until = models.DateTimeField(_("lease until"), null=True, blank=True)
    heartbeat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    cancel_requested_at = models.DateTimeField(_("cancel asked at"), null=True, blank=True)
    last_error = models.TextField(_("last error"), blank=True)

    ring_after = models.DateTimeField(_("ring again at"))
    rung_at = models.DateTimeField(_("last rung at"), null=True, blank=True)
    rings = models.PositiveIntegerField(_("times rung"), default=0)

    done_count = models.BigIntegerField(_("done"), default=0)
    total_count = models.BigIntegerField(_("of"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=300, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name, verbose_name_plural = _("job"), _("jobs")
        constraints = [
            models.UniqueConstraint(fields=["key"], condition=Q(state__in=UNFINISHED), name="jobs_job_one_unfinished"),
            models.CheckConstraint(
                condition=~Q(state=JobState.RUNNING) | Q(lease_until__isnull=False), name="jobs_job_running_has_lease"
            ),
            models.CheckConstraint(
                condition=Q(state__in=UNFINISHED, finished_at__isnull=True)
                | (~Q(state__in=UNFINISHED) & Q(finished_at__isnull=False)),
                name="jobs_job_ended_or_not",
            ),
            models.CheckConstraint(condition=Q(max_attempts__gte=1), name="jobs_job_max_attempts"),
        ]
        indexes = [
            models.Index(fields=["ring_after"], condition=Q(state__in=UNFINISHED), name="jobs_job_to_ring"),
            models.Index(fields=["requested_by_id", "-created_at"], name="jobs_job_asker"),
            models.Index(fields=["state", "-created_at"], name="jobs_job_state"),
            models.Index(fields=["kind", "-finished_at"], name="jobs_job_kind"),
            models.Index(fields=["-created_at", "-id"], name="jobs_job_newest"),
            models.Index(fields=["heartbeat_at"], name="jobs_job_alive"),
        ]

    def __str__(self) -> str:
        return self.title or self.kind

    @property
    def shown_title(self) -> str:
        """The title in the reader's language: what comes round by itself is kept in English."""
        return gettext(self.title) if self.title else self.kind

    @property
    def is_unfinished(self) -> bool:
        """Whether the job will still do something by itself."""
        return self.state in UNFINISHED

    @property
    def is_retryable(self) -> bool:
        """Whether a person may let the job run again."""
        return self.state in RETRYABLE

    @property
    def percent(self) -> int | None:
        """How much is done, 0 to 100, or None when the total is not known."""
        if self.state == JobState.DONE:
            return 100
        if not self.total_count:
            return None
        return max(0, min(100, self.done_count * 100 // self.total_count))


class JobEvent(models.Model):
    """Something that happened to a job besides running smoothly: an error, a lost worker, a cancel, a retry."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="events", verbose_name=_("job"))
    at = models.DateTimeField(_("at"))
    kind = models.CharField(_("kind"), max_length=10, choices=JobEventKind.choices)
    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    by_name = models.CharField(_("by"), max_length=150, blank=True)
    text = models.TextField(_("text"), blank=True)

    class Meta:
        ordering = ["at", "id"]
        verbose_name, verbose_name_plural = _("job event"), _("job events")

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.text}" if self.text else self.get_kind_display()


def validate_zone(value: str) -> None:
    """Refuse a time zone that this machine does not know."""
    if value not in zoneinfo.available_timezones():
        raise ValidationError(
            _("“%(value)s” is not a time zone. Use a name such as Europe/Berlin."), params={"value": value}
        )


def validate_rule(value: str) -> None:
    """Refuse what is not a cron rule."""
    try:
        parse(value)
    except CronError as error:
        raise ValidationError(
            _("“%(value)s” cannot be read as minute, hour, day, month, weekday. Every Monday at six: 0 6 * * 1"),
            params={"value": value},
        ) from error


class Schedule(models.Model):
    """Work that comes round: a cron rule read in a real time zone. Declared in code, then kept by administrators.

    `title` is kept in English and shown in the reader's language.
    """

    code = models.CharField(_("code"), max_length=80, unique=True)
    title = models.CharField(_("title"), max_length=200)
    kind = models.CharField(_("kind"), max_length=80)
    payload = models.JSONField(_("what to do"), default=empty_object, blank=True)
    rule = models.CharField(
        _("when"),
        max_length=100,
        validators=[validate_rule],
        help_text=_("Minute, hour, day, month, weekday, as in cron."),
    )
    time_zone = models.CharField(_("time zone"), max_length=60, default="UTC", validators=[validate_zone])
    catch_up = models.CharField(_("after downtime"), max_length=6, choices=CatchUp.choices, default=CatchUp.LATEST)
    max_attempts = models.PositiveIntegerField(_("most attempts"), default=5)
    is_active = models.BooleanField(_("active"), default=True)
    last_slot_at = models.DateTimeField(_("handled until"))

    class Meta:
        ordering = ["code"]
        verbose_name, verbose_name_plural = _("schedule"), _("schedules")

    def __str__(self) -> str:
        return gettext(self.title) if self.title else self.code


class ScheduleRun(models.Model):
    """One slot of a schedule that was handled: the row is unique, so two schedulers cannot double it."""

    schedule = models.ForeignKey(Schedule, models.CASCADE, related_name="runs", verbose_name=_("schedule"))
    slot_start = models.DateTimeField(_("slot"))
    job = models.ForeignKey(
        Job, models.SET_NULL, null=True, blank=True, related_name="schedule_runs", verbose_name=_("job")
    )
    missed_count = models.PositiveIntegerField(_("slots passed over before this one"), default=0)
    created_at = models.DateTimeField(_("handled at"))

    class Meta:
        ordering = ["-slot_start"]
        verbose_name, verbose_name_plural = _("schedule run"), _("schedule runs")
        constraints = [models.UniqueConstraint(fields=["schedule", "slot_start"], name="jobs_schedulerun_once")]

    def __str__(self) -> str:
        return f"{self.schedule_id} {self.slot_start:%Y-%m-%d %H:%M}"


class Pulse(models.Model):
    """When a long-running process last showed that it is alive."""

    name = models.CharField(_("name"), max_length=40, primary_key=True)
    beat_at = models.DateTimeField(_("last sign of life"))

    class Meta:
        verbose_name, verbose_name_plural = _("pulse"), _("pulses")

    def __str__(self) -> str:
        return self.name
