"""Reorganisations: who moves to which pod on a day, what becomes of what they hold, and every row that it changed."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from salesops.deals.models import Deal
from salesops.people.choices import JobFunction
from salesops.pods.models import Pod
from salesops.reorganisations.choices import Book, ReorganisationState
from salesops.reorganisations.querysets import ReorganisationChangeQuerySet, ReorganisationQuerySet


class Reorganisation(models.Model):
    """A set of moves that are carried out as one, on a day.

    preview, result: figures before and after, as services.rehearsing writes them; the first as foreseen, the second as
    they were when it had been carried out. revision: how often the moves were changed; a preview of an
    earlier one no longer holds.
    """

    name = models.CharField(_("name"), max_length=120)
    effective_on = models.DateField(_("takes effect on"))
    explanation = models.TextField(
        _("explanation"), blank=True, help_text=_("Why. Those who move read this when it is carried out.")
    )
    protect_from_bp = models.PositiveIntegerField(
        _("protect deals from this probability"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(10_000)],
    )
    protect_days = models.PositiveSmallIntegerField(
        _("protect deals that close within so many days"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(365)],
    )
    state = models.CharField(
        _("state"), max_length=9, choices=ReorganisationState.choices, default=ReorganisationState.DRAFT
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created at"))
    revision = models.PositiveIntegerField(_("revision"), default=1)
    preview = models.JSONField(_("preview"), null=True, blank=True)
    preview_revision = models.PositiveIntegerField(_("revision of the preview"), null=True, blank=True)
    previewed_at = models.DateTimeField(_("previewed at"), null=True, blank=True)
    scheduled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("scheduled by"),
    )
    scheduled_at = models.DateTimeField(_("scheduled at"), null=True, blank=True)
    failure = models.TextField(_("why it could not be carried out"), blank=True)
    result = models.JSONField(_("result"), null=True, blank=True)
    done_at = models.DateTimeField(_("carried out at"), null=True, blank=True)
    undone_at = models.DateTimeField(_("undone at"), null=True, blank=True)

    objects = ReorganisationQuerySet.as_manager()

    class Meta:
        ordering = ["-effective_on", "-id"]
        verbose_name, verbose_name_plural = _("reorganisation"), _("reorganisations")

    def __str__(self) -> str:
        return self.name

    @property
    def has_fresh_preview(self) -> bool:
        """Whether the preview is of the moves as they are now."""
        return self.preview_revision == self.revision


class Move(models.Model):
    """One person's move: the new pod, function and manager, the new quota, and what becomes of what they hold.

    quota_minor: of the period of pay that holds the day, for the whole of it.
    """

    reorganisation = models.ForeignKey(
        Reorganisation, models.CASCADE, related_name="moves", verbose_name=_("reorganisation")
    )
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="moves", verbose_name=_("person"))
    to_pod = models.ForeignKey(
        Pod, models.PROTECT, null=True, blank=True, related_name="moves", verbose_name=_("to pod")
    )
    function = models.CharField(_("function"), max_length=8, choices=JobFunction.choices, blank=True)
    manager = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("manager")
    )
    accounts = models.CharField(_("accounts"), max_length=5, choices=Book.choices, default=Book.STAYS)
    deals = models.CharField(_("open deals"), max_length=5, choices=Book.choices, default=Book.STAYS)
    leads = models.CharField(_("leads in work"), max_length=5, choices=Book.choices, default=Book.STAYS)
    successor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("who takes over"),
    )
    quota_minor = models.BigIntegerField(_("new quota"), null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, default=settings.COMPANY_CURRENCY)
    swaps_pools = models.BooleanField(_("leaves the old pod's pools of leads and joins the new one's"), default=True)

    class Meta:
        ordering = ["reorganisation", "id"]
        verbose_name, verbose_name_plural = _("move"), _("moves")
        constraints = [
            models.UniqueConstraint(fields=["reorganisation", "person"], name="reorganisations_move_once"),
            models.CheckConstraint(
                condition=Q(successor__isnull=True) | ~Q(successor=F("person")), name="reorganisations_move_to_another"
            ),
            models.CheckConstraint(
                condition=Q(quota_minor__isnull=True) | Q(quota_minor__gte=0), name="reorganisations_move_quota"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.to_pod or '–'}"


class DealProtection(models.Model):
    """Somebody decided by hand that a deal stays with who works on it, or that it does not."""

    reorganisation = models.ForeignKey(
        Reorganisation, models.CASCADE, related_name="protections", verbose_name=_("reorganisation")
    )
    deal = models.ForeignKey(Deal, models.PROTECT, related_name="+", verbose_name=_("deal"))
    is_protected = models.BooleanField(_("protected"), default=True)

    class Meta:
        ordering = ["reorganisation", "deal_id"]
        verbose_name, verbose_name_plural = _("protected deal"), _("protected deals")
        constraints = [
            models.UniqueConstraint(fields=["reorganisation", "deal"], name="reorganisations_protection_once")
        ]

    def __str__(self) -> str:
        return f"{self.deal}"


class ReorganisationChange(models.Model):
    """One row that a reorganisation changed, made (no `before`) or removed (no `after`). Append-only.

    before, after: the columns as they were, by name. said_before, said_after: the same in words, as of then.
    """

    reorganisation = models.ForeignKey(
        Reorganisation, models.PROTECT, related_name="changes", verbose_name=_("reorganisation")
    )
    kind = models.CharField(_("kind"), max_length=40)
    object_id = models.BigIntegerField(_("row"))
    label = models.CharField(_("what"), max_length=200)
    before = models.JSONField(_("columns before"), null=True, blank=True)
    after = models.JSONField(_("columns after"), null=True, blank=True)
    said_before = models.CharField(_("before"), max_length=300, blank=True)
    said_after = models.CharField(_("after"), max_length=300, blank=True)

    objects = ReorganisationChangeQuerySet.as_manager()

    class Meta:
        ordering = ["reorganisation", "id"]
        verbose_name, verbose_name_plural = _("change"), _("changes")
        constraints = [
            models.UniqueConstraint(fields=["reorganisation", "kind", "object_id"], name="reorganisations_change_once")
        ]

    def __str__(self) -> str:
        return self.label
