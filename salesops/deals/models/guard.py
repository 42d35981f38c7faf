"""The selling guard: policies in versions, their rules, the log of what they said, and what waits for an approval."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from salesops.deals.choices import EscalationState, GuardEffect, GuardOccasion, GuardOutcome, GuardRuleKind
from salesops.deals.models.deals import Deal, Product
from salesops.deals.querysets import GuardDecisionQuerySet, OfDealQuerySet
from salesops.leads.choices import VersionState
from salesops.leads.models.versions import RuleVersion
from salesops.pods.models import Segment


class GuardPolicy(RuleVersion):
    """What may be offered to whom. One policy is in force; deals are held against it when they change."""

    class Meta(RuleVersion.Meta):
        abstract = False
        verbose_name, verbose_name_plural = _("selling policy"), _("selling policies")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["state"], condition=Q(state=VersionState.ACTIVE), name="deals_guardpolicy_one_in_force"
            )
        ]


class GuardRule(models.Model):
    """One rule of a policy. Which fields count depends on its kind; see `rules.guard`."""

    policy = models.ForeignKey(GuardPolicy, models.CASCADE, related_name="rules", verbose_name=_("policy"))
    position = models.PositiveSmallIntegerField(_("position"), default=1)
    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=8, choices=GuardRuleKind.choices)
    effect = models.CharField(_("effect"), max_length=8, choices=GuardEffect.choices, default=GuardEffect.ESCALATE)
    message = models.CharField(
        _("what to do"), max_length=300, blank=True, help_text=_("Told with the reason, such as whom to ask.")
    )
    segment = models.ForeignKey(
        Segment,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("segment"),
        help_text=_("Of the account. Empty: every segment."),
    )
    tier = models.CharField(
        _("price tier"), max_length=30, blank=True, help_text=_("Of the product. Empty: every tier.")
    )
    max_discount_bp = models.PositiveSmallIntegerField(
        _("highest discount in basis points"), null=True, blank=True, validators=[MaxValueValidator(10_000)]
    )
    least_minor = models.BigIntegerField(_("lowest total"), null=True, blank=True)
    most_minor = models.BigIntegerField(_("highest total"), null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, default=settings.COMPANY_CURRENCY)
    least_months = models.PositiveSmallIntegerField(_("shortest term in months"), null=True, blank=True)
    most_months = models.PositiveSmallIntegerField(_("longest term in months"), null=True, blank=True)
    phrases = models.TextField(
        _("words"), blank=True, help_text=_("A word or phrase a line. Case and accents do not count.")
    )
    product = models.ForeignKey(
        Product, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("product")
    )
    employees_from = models.PositiveIntegerField(_("employees from"), null=True, blank=True)
    employees_to = models.PositiveIntegerField(_("employees up to"), null=True, blank=True)
    countries = models.CharField(
        _("countries"), max_length=500, blank=True, help_text=_("Separated by commas. Empty: every country.")
    )

    class Meta:
        ordering = ["policy", "position", "id"]
        verbose_name, verbose_name_plural = _("rule of the guard"), _("rules of the guard")
        constraints = [
            models.CheckConstraint(condition=Q(max_discount_bp__lte=10_000), name="deals_guardrule_discount"),
        ]

    def __str__(self) -> str:
        return f"{self.position}. {self.name}"


class GuardDecision(models.Model):
    """What the guard said of a deal on one occasion. Append-only.

    `deal` is empty where the deal was refused before it came to be; the facts then have its name. facts: what was
    offered, as the rules saw it. reasons: the rules that were broken, each with its problem, key and excess. `key` keeps a
    refusal that is written after its transaction was undone from being written twice.
    """

    key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    deal = models.ForeignKey(
        Deal, models.PROTECT, null=True, blank=True, related_name="guard_decisions", verbose_name=_("deal")
    )
    policy = models.ForeignKey(GuardPolicy, models.PROTECT, related_name="decisions", verbose_name=_("policy"))
    occasion = models.CharField(_("occasion"), max_length=8, choices=GuardOccasion.choices)
    outcome = models.CharField(_("outcome"), max_length=8, choices=GuardOutcome.choices)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    decided_at = models.DateTimeField(_("at"))
    facts = models.JSONField(_("facts"), default=dict)
    reasons = models.JSONField(_("reasons"), default=list)

    objects = GuardDecisionQuerySet.as_manager()

    class Meta:
        ordering = ["-decided_at", "-id"]
        verbose_name, verbose_name_plural = _("decision of the guard"), _("decisions of the guard")
        indexes = [
            models.Index(fields=["-decided_at", "-id"], name="deals_guarddecision_newest"),
            models.Index(fields=["deal", "-decided_at", "-id"], name="deals_guarddecision_of_deal"),
        ]

    def __str__(self) -> str:
        return f"{self.deal or self.facts.get('name', '')}: {self.get_outcome_display()}"


class GuardEscalation(models.Model):
    """Reasons that wait for, or got, the answer of somebody other than who asked and who owns the deal.

    At most one is open for a deal. What was answered stays as it was: the database refuses to change it.
    """

    deal = models.ForeignKey(Deal, models.PROTECT, related_name="escalations", verbose_name=_("deal"))
    decision = models.ForeignKey(
        GuardDecision, models.PROTECT, related_name="escalations", verbose_name=_("decision of the guard")
    )
    reasons = models.JSONField(_("reasons"), default=list)
    state = models.CharField(
        _("state"), max_length=9, choices=EscalationState.choices, default=EscalationState.OPEN, editable=False
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("owner then"),
    )
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("asked by")
    )
    asked_at = models.DateTimeField(_("asked at"))
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("answered by"),
    )
    answered_at = models.DateTimeField(_("answered at"), null=True, blank=True)
    answer = models.CharField(_("answer"), max_length=300, blank=True)

    objects = OfDealQuerySet.as_manager()

    class Meta:
        ordering = ["-asked_at", "-id"]
        verbose_name, verbose_name_plural = _("approval asked for"), _("approvals asked for")
        indexes = [
            models.Index(fields=["-asked_at", "-id"], name="deals_escalation_newest"),
            models.Index(fields=["state", "-asked_at", "-id"], name="deals_escalation_state"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["deal"], condition=Q(state=EscalationState.OPEN), name="deals_escalation_one_open"
            ),
            models.CheckConstraint(
                condition=Q(answered_by__isnull=True)
                | (
                    (Q(asked_by__isnull=True) | ~Q(answered_by=F("asked_by")))
                    & (Q(owner__isnull=True) | ~Q(answered_by=F("owner")))
                ),
                name="deals_escalation_answered_by_another",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[EscalationState.APPROVED, EscalationState.REFUSED])
                | Q(answered_by__isnull=False, answered_at__isnull=False),
                name="deals_escalation_names_who_answered",
            ),
            models.CheckConstraint(
                condition=~Q(state=EscalationState.REFUSED) | ~Q(answer=""), name="deals_escalation_refused_with_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deal}: {self.get_state_display()}"

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to answer."""
        return self.state == EscalationState.OPEN
