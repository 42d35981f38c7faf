"""Policies by legal entity, published weights, daily counts, scores, doubts, check-ins, and who looked.

No foreign key of this room has a name on the other side: a person, an activity or an entity does not lead here.
"""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from salesops.activities.models import Activity
from salesops.core.fields import ExactDecimalField
from salesops.effort.choices import Band, Because, CountedKind, Decision, LookedAt
from salesops.effort.querysets import EffortContestQuerySet, EffortLookQuerySet, OfPeopleQuerySet
from salesops.effort.rules.groups import LEAST
from salesops.leads.choices import VersionState
from salesops.leads.models.versions import RuleVersion
from salesops.people.choices import JobFunction
from salesops.people.models import LegalEntity


def validate_above_zero(value: Decimal) -> None:
    """Refuse a target of nothing: it would be divided by."""
    if value <= 0:
        raise ValidationError(_("A target is above zero."))


class EffortPolicy(models.Model):
    """What a legal entity has settled: whether effort is scored, what for, what people are told, how long it is kept.

    Off until somebody switches it on, and nothing from before that day is counted.
    """

    entity = models.OneToOneField(LegalEntity, models.PROTECT, related_name="+", verbose_name=_("legal entity"))
    is_on = models.BooleanField(_("on"), default=False, editable=False)
    counted_from = models.DateField(_("counted from"), null=True, blank=True, editable=False)
    changed_at = models.DateTimeField(_("switched at"), null=True, blank=True, editable=False)
    purpose = models.TextField(
        _("purpose"), blank=True, help_text=_("What it is for, as it was agreed with those whom it is about.")
    )
    notice = models.TextField(
        _("notice"), blank=True, help_text=_("What people are told: what is counted, by whom it is seen, whom to ask.")
    )
    keep_weeks = models.PositiveSmallIntegerField(
        _("daily counts are kept for"),
        default=13,
        validators=[MinValueValidator(3), MaxValueValidator(104)],
        help_text=_("Weeks. Then they are deleted; scores stay."),
    )
    smallest_group = models.PositiveSmallIntegerField(
        _("smallest group"),
        default=LEAST,
        validators=[MinValueValidator(LEAST)],
        help_text=_("Of fewer people nothing is said: at least 5."),
    )
    manager_after_days = models.PositiveSmallIntegerField(
        _("managers hear after"),
        default=10,
        validators=[MinValueValidator(7), MaxValueValidator(60)],
        help_text=_("Days after the person was told, and only where the score has not come back."),
    )

    class Meta:
        ordering = ["entity"]
        verbose_name, verbose_name_plural = _("effort policy"), _("effort policies")
        constraints = [
            models.CheckConstraint(
                condition=Q(is_on=False) | (Q(counted_from__isnull=False) & ~Q(purpose="") & ~Q(notice="")),
                name="effort_effortpolicy_says_why",
            ),
            models.CheckConstraint(condition=Q(smallest_group__gte=LEAST), name="effort_effortpolicy_smallest"),
        ]

    def __str__(self) -> str:
        return str(self.entity)


class EffortVersion(RuleVersion):
    """Targets and weights by job function, with cap and edges. Those in force on a Monday hold for its week."""

    cap_percent = models.PositiveSmallIntegerField(
        _("a part counts at most"),
        default=150,
        validators=[MinValueValidator(100), MaxValueValidator(300)],
        help_text=_("Per cent of its weight: more of one kind does not make up for the others."),
    )
    full_day_minutes = models.PositiveSmallIntegerField(
        _("a full working day"),
        default=480,
        validators=[MinValueValidator(60), MaxValueValidator(1440)],
        help_text=_("Minutes. Who works less on a day is expected to do less."),
    )
    low_below = models.PositiveSmallIntegerField(_("below average under"), default=40)
    high_above = models.PositiveSmallIntegerField(_("above average over"), default=75)
    alert_below = models.PositiveSmallIntegerField(_("check-in under"), default=30)
    drop_percent = models.PositiveSmallIntegerField(
        _("check-in after a fall of more than"),
        default=20,
        validators=[MinValueValidator(5), MaxValueValidator(100)],
        help_text=_("Per cent, from one week to the next."),
    )

    class Meta(RuleVersion.Meta):
        abstract = False
        verbose_name, verbose_name_plural = _("effort weights"), _("effort weights")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["state"], condition=Q(state=VersionState.ACTIVE), name="effort_effortversion_one_in_force"
            ),
            models.CheckConstraint(
                condition=Q(high_above__gt=F("low_below")), name="effort_effortversion_edges_in_order"
            ),
        ]


class EffortTarget(models.Model):
    """What is expected of a job function of one kind on a full working day, and how much it weighs."""

    version = models.ForeignKey(EffortVersion, models.CASCADE, related_name="targets", verbose_name=_("version"))
    function = models.CharField(_("function"), max_length=8, choices=JobFunction.choices)
    kind = models.CharField(_("kind"), max_length=8, choices=CountedKind.choices)
    per_day = ExactDecimalField(_("a day"), validators=[validate_above_zero])
    weight = models.PositiveSmallIntegerField(_("weight"), validators=[MinValueValidator(1), MaxValueValidator(100)])

    class Meta:
        ordering = ["version", "function", "kind"]
        verbose_name, verbose_name_plural = _("effort target"), _("effort targets")
        constraints = [
            models.UniqueConstraint(fields=["version", "function", "kind"], name="effort_efforttarget_once"),
            models.CheckConstraint(condition=Q(weight__gte=1, weight__lte=100), name="effort_efforttarget_weight"),
        ]

    def __str__(self) -> str:
        return f"{self.get_function_display()}: {self.get_kind_display()}"


class EffortDay(models.Model):
    """How many of a kind a person logged on a working day, and how many went well. No content, no time of day."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("person"))
    on = models.DateField(_("day"))
    kind = models.CharField(_("kind"), max_length=8, choices=CountedKind.choices)
    count = models.PositiveIntegerField(_("count"))
    good = models.PositiveIntegerField(_("went well"), default=0)

    objects = OfPeopleQuerySet.as_manager()

    class Meta:
        ordering = ["-on", "person", "kind"]
        verbose_name, verbose_name_plural = _("daily count"), _("daily counts")
        constraints = [
            models.UniqueConstraint(fields=["person", "on", "kind"], name="effort_effortday_once"),
            models.CheckConstraint(condition=Q(good__lte=F("count")), name="effort_effortday_good_of_count"),
        ]
        indexes = [models.Index(fields=["on"], name="effort_effortday_on")]

    def __str__(self) -> str:
        return f"{self.person}: {self.on}"


class EffortScore(models.Model):
    """The score of a person for a week, with its parts. In hundredths of a point; days in hundredths of a working day.

    parts: [[kind, count, good, target (text), weight, points in hundredths, is capped]].
    """

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("person"))
    week_on = models.DateField(_("week"))
    version = models.ForeignKey(EffortVersion, models.PROTECT, related_name="+", verbose_name=_("version"))
    function = models.CharField(_("function"), max_length=8, choices=JobFunction.choices)
    score = models.PositiveIntegerField(_("score"))
    band = models.CharField(_("band"), max_length=6, choices=Band.choices)
    quality_bp = models.PositiveSmallIntegerField(_("went well"), null=True, blank=True)
    days = models.PositiveIntegerField(_("working days"))
    parts = models.JSONField(_("parts"), default=list)
    is_whole = models.BooleanField(_("week is over"), default=False)
    scored_at = models.DateTimeField(_("calculated at"))

    objects = OfPeopleQuerySet.as_manager()

    class Meta:
        ordering = ["-week_on", "person"]
        verbose_name, verbose_name_plural = _("effort score"), _("effort scores")
        constraints = [models.UniqueConstraint(fields=["person", "week_on"], name="effort_effortscore_once")]
        indexes = [models.Index(fields=["-week_on", "-id"], name="effort_effortscore_week")]

    def __str__(self) -> str:
        return f"{self.person}: {self.week_on}"


class EffortContest(models.Model):
    """Somebody doubts a record or a day of theirs; somebody else decides whether it is left out, and says why."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("person"))
    activity = models.ForeignKey(
        Activity, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("record")
    )
    on = models.DateField(_("day"))
    reason = models.CharField(_("reason"), max_length=400)
    asked_at = models.DateTimeField(_("asked at"))
    decision = models.CharField(
        _("decision"), max_length=8, choices=Decision.choices, default=Decision.OPEN, editable=False
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decided_because = models.CharField(_("because"), max_length=400, blank=True)

    objects = EffortContestQuerySet.as_manager()

    class Meta:
        ordering = ["-asked_at", "-id"]
        verbose_name, verbose_name_plural = pgettext_lazy("effort", "doubt"), pgettext_lazy("effort", "doubts")
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="effort_effortcontest_has_a_reason"),
            models.CheckConstraint(
                condition=Q(decision=Decision.OPEN, decided_by__isnull=True)
                | (Q(decided_by__isnull=False, decided_at__isnull=False) & ~Q(decided_because="")),
                name="effort_effortcontest_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("person")),
                name="effort_effortcontest_not_by_oneself",
            ),
            models.UniqueConstraint(
                fields=["activity"],
                condition=Q(activity__isnull=False, decision__in=[Decision.OPEN, Decision.ACCEPTED]),
                name="effort_effortcontest_one_of_a_record",
            ),
            models.UniqueConstraint(
                fields=["person", "on"],
                condition=Q(activity__isnull=True, decision__in=[Decision.OPEN, Decision.ACCEPTED]),
                name="effort_effortcontest_one_of_a_day",
            ),
        ]
        indexes = [models.Index(fields=["-asked_at", "-id"], name="effort_effortcontest_newest")]

    def __str__(self) -> str:
        return f"{self.person}: {self.on}"


class EffortCheckIn(models.Model):
    """A week after which a talk may help. The person hears of it first; their manager later, and only if it stays so."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("person"))
    week_on = models.DateField(_("week"))
    because = models.CharField(_("because"), max_length=4, choices=Because.choices)
    score = models.PositiveIntegerField(_("score"))
    score_before = models.PositiveIntegerField(_("score before"), null=True, blank=True)
    told_at = models.DateTimeField(_("person told at"))
    manager_told_at = models.DateTimeField(_("manager told at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("over at"), null=True, blank=True)

    objects = OfPeopleQuerySet.as_manager()

    class Meta:
        ordering = ["-week_on", "person"]
        verbose_name, verbose_name_plural = _("check-in"), _("check-ins")
        constraints = [
            models.UniqueConstraint(fields=["person", "week_on"], name="effort_effortcheckin_once"),
            models.UniqueConstraint(
                fields=["person"], condition=Q(ended_at__isnull=True), name="effort_effortcheckin_one_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.week_on}"


class EffortLook(models.Model):
    """Somebody looked at somebody's effort. Append-only, and shown to the person who was looked at."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("person"))
    viewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("looked by"))
    what = models.CharField(_("looked at"), max_length=8, choices=LookedAt.choices)
    looked_at = models.DateTimeField(_("at"))

    objects = EffortLookQuerySet.as_manager()

    class Meta:
        ordering = ["-looked_at", "-id"]
        verbose_name, verbose_name_plural = pgettext_lazy("effort", "look"), pgettext_lazy("effort", "looks")
        indexes = [models.Index(fields=["person", "-looked_at", "-id"], name="effort_effortlook_of_person")]
        constraints = [
            models.CheckConstraint(condition=~Q(viewer=F("person")), name="effort_effortlook_by_somebody_else")
        ]

    def __str__(self) -> str:
        return f"{self.viewer} → {self.person}"
