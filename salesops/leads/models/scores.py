"""How well a lead fits and how much it is interested: the rules, what the lead did, and its score with its parts."""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from salesops.leads.choices import ScorePart, SignalKind, VersionState
from salesops.leads.models.leads import Lead
from salesops.leads.models.versions import RuleVersion
from salesops.leads.querysets import LeadScoreQuerySet, LeadSignalQuerySet


class ScoreVersion(RuleVersion):
    """Rules with points: fit and engagement apart, each with its limit and its two edges (A to C, 1 to 3)."""

    fit_limit = models.PositiveIntegerField(_("most for fit"), default=100)
    fit_a = models.IntegerField(_("A from"), default=60)
    fit_b = models.IntegerField(_("B from"), default=30)
    engagement_limit = models.PositiveIntegerField(_("most for engagement"), default=100)
    engagement_1 = models.IntegerField(_("1 from"), default=50)
    engagement_2 = models.IntegerField(_("2 from"), default=20)
    keep_percent = models.PositiveSmallIntegerField(
        _("keeps"),
        default=50,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("Per cent of its points that a signal keeps after each period of fading."),
    )
    fading_days = models.PositiveSmallIntegerField(
        _("period of fading"), default=30, validators=[MinValueValidator(1)], help_text=_("Days.")
    )
    window_days = models.PositiveSmallIntegerField(
        _("forgotten after"), default=90, validators=[MinValueValidator(1)], help_text=_("Days.")
    )

    class Meta(RuleVersion.Meta):
        abstract = False
        verbose_name, verbose_name_plural = _("score rules"), _("score rules")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["state"], condition=Q(state=VersionState.ACTIVE), name="leads_scoreversion_one_in_force"
            ),
            models.CheckConstraint(
                condition=Q(fit_a__gt=F("fit_b")) & Q(engagement_1__gt=F("engagement_2")),
                name="leads_scoreversion_edges_in_order",
            ),
        ]


class ScoreGroup(models.Model):
    """Rules whose points together count no more than a limit, so that one kind of signal does not outweigh all."""

    version = models.ForeignKey(ScoreVersion, models.CASCADE, related_name="groups", verbose_name=_("version"))
    name = models.CharField(_("name"), max_length=80)
    limit = models.PositiveIntegerField(_("at most"))

    class Meta:
        ordering = ["version", "name"]
        verbose_name, verbose_name_plural = _("group of score rules"), _("groups of score rules")
        constraints = [models.UniqueConstraint(fields=["version", "name"], name="leads_scoregroup_once")]

    def __str__(self) -> str:
        return self.name


class ScoreRule(models.Model):
    """Points for what a lead is (a condition), or for what it did (a kind of signal)."""

    version = models.ForeignKey(ScoreVersion, models.CASCADE, related_name="rules", verbose_name=_("version"))
    position = models.PositiveSmallIntegerField(_("position"))
    part = models.CharField(_("counts for"), max_length=10, choices=ScorePart.choices)
    name = models.CharField(_("name"), max_length=120)
    group = models.ForeignKey(
        ScoreGroup, models.CASCADE, null=True, blank=True, related_name="rules", verbose_name=_("group")
    )
    condition = models.CharField(_("when"), max_length=1000, blank=True)
    signal = models.CharField(_("signal"), max_length=14, choices=SignalKind.choices, blank=True)
    points = models.SmallIntegerField(_("points"))
    most_times = models.PositiveSmallIntegerField(_("counted at most"), null=True, blank=True, help_text=_("Times."))

    class Meta:
        ordering = ["version", "position", "id"]
        verbose_name, verbose_name_plural = _("score rule"), _("score rules")
        constraints = [
            models.UniqueConstraint(fields=["version", "position"], name="leads_scorerule_position"),
            models.CheckConstraint(
                condition=(Q(part=ScorePart.FIT, signal="") & ~Q(condition=""))
                | (Q(part=ScorePart.ENGAGEMENT) & ~Q(signal="")),
                name="leads_scorerule_of_one_kind",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class LeadSignal(models.Model):
    """Something a lead did, told by the rooms and connectors that saw it. Append-only; `key` tells it only once."""

    lead = models.ForeignKey(Lead, models.PROTECT, related_name="signals", verbose_name=_("lead"))
    kind = models.CharField(_("kind"), max_length=14, choices=SignalKind.choices)
    happened_at = models.DateTimeField(_("happened at"))
    known_at = models.DateTimeField(_("known since"))
    key = models.CharField(max_length=120, unique=True, editable=False)

    objects = LeadSignalQuerySet.as_manager()

    class Meta:
        ordering = ["-happened_at", "-id"]
        verbose_name, verbose_name_plural = _("signal"), _("signals")
        indexes = [models.Index(fields=["lead", "-happened_at"], name="leads_leadsignal_of_lead")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.lead}"


class LearnedModel(models.Model):
    """What the company's own outcomes taught, judged on held-back time; used only where it was found useful."""

    learned_at = models.DateTimeField(_("learned at"))
    verdict = models.JSONField(_("verdict"), default=dict)
    fitted = models.JSONField(default=dict, editable=False)
    is_used = models.BooleanField(_("in use"), default=False)

    class Meta:
        ordering = ["-learned_at", "-id"]
        verbose_name, verbose_name_plural = _("learned score"), _("learned scores")
        constraints = [
            models.UniqueConstraint(fields=["is_used"], condition=Q(is_used=True), name="leads_learnedmodel_one_in_use")
        ]

    def __str__(self) -> str:
        return f"{self.learned_at:%Y-%m-%d %H:%M}"


class LeadScore(models.Model):
    """The score of a lead with its parts, as last calculated. Engagement in hundredths of a point: it fades.

    parts: [[rule, points in hundredths, times]] for fit and engagement, with what limits took off. probability_bp: what
    was learned, in hundredths of a per cent; empty where no learned score is in use. fades_at: when it changes by itself.
    """

    lead = models.OneToOneField(Lead, models.CASCADE, primary_key=True, related_name="score", verbose_name=_("lead"))
    version = models.ForeignKey(ScoreVersion, models.PROTECT, related_name="+", verbose_name=_("version"))
    fit = models.IntegerField(_("fit"))
    engagement = models.IntegerField(_("engagement"))
    grade = models.CharField(_("grade"), max_length=2)
    probability_bp = models.PositiveSmallIntegerField(_("chance"), null=True, blank=True)
    model = models.ForeignKey(
        LearnedModel, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("learned score")
    )
    parts = models.JSONField(_("parts"), default=dict)
    scored_at = models.DateTimeField(_("calculated at"))
    fades_at = models.DateTimeField(_("fades at"), null=True, blank=True)

    objects = LeadScoreQuerySet.as_manager()

    class Meta:
        ordering = ["grade", "lead"]
        verbose_name, verbose_name_plural = _("score of a lead"), _("scores of leads")
        indexes = [
            models.Index(fields=["grade", "lead"], name="leads_leadscore_grade"),
            models.Index(fields=["fades_at"], condition=Q(fades_at__isnull=False), name="leads_leadscore_fades"),
        ]

    def __str__(self) -> str:
        return f"{self.lead}: {self.grade}"
