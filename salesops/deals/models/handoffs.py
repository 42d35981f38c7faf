"""Hand-offs: a deal or an account goes from one function to the next, and the receiver says how well."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from salesops.accounts.models import Account
from salesops.deals.choices import HandOffPair, HandOffState
from salesops.deals.models.deals import Deal
from salesops.deals.querysets import HandOffQuerySet
from salesops.leads.models import Lead
from salesops.pods.models import Pod

#: The five ratings, in the order in which they are asked.
RATINGS = ("completeness", "promise_alignment", "sentiment_continuity", "context_transfer", "stakeholder_map")


def _rating(label: object) -> models.PositiveSmallIntegerField[int | None, int | None]:
    """A rating of 1 to 5; empty until the receiver rates."""
    return models.PositiveSmallIntegerField(
        label,  # type: ignore[arg-type]  # a lazy text
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(5)],
    )


class HandOff(models.Model):
    """One piece of work that one person gives to the next. `pod` is the giver's pod of that day."""

    deal = models.ForeignKey(
        Deal, models.PROTECT, null=True, blank=True, related_name="hand_offs", verbose_name=_("deal")
    )
    account = models.ForeignKey(
        Account, models.PROTECT, null=True, blank=True, related_name="hand_offs", verbose_name=_("account")
    )
    lead = models.ForeignKey(
        Lead, models.PROTECT, null=True, blank=True, related_name="hand_offs", verbose_name=_("lead")
    )
    pair = models.CharField(_("from whom to whom"), max_length=8, choices=HandOffPair.choices)
    giver = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="hand_offs_given", verbose_name=_("given by")
    )
    receiver = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="hand_offs_received", verbose_name=_("received by")
    )
    pod = models.ForeignKey(Pod, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("pod"))
    note = models.TextField(_("note"), blank=True)
    state = models.CharField(
        _("state"), max_length=8, choices=HandOffState.choices, default=HandOffState.SENT, editable=False
    )
    sent_at = models.DateTimeField(_("sent at"))
    answered_at = models.DateTimeField(_("answered at"), null=True, blank=True)
    declined_because = models.CharField(_("declined because"), max_length=300, blank=True)
    completeness = _rating(_("completeness"))
    promise_alignment = _rating(_("promise alignment"))
    sentiment_continuity = _rating(_("sentiment continuity"))
    context_transfer = _rating(_("context transfer"))
    stakeholder_map = _rating(_("stakeholder map"))
    comment = models.TextField(_("comment"), blank=True)
    rated_at = models.DateTimeField(_("rated at"), null=True, blank=True)

    objects = HandOffQuerySet.as_manager()

    class Meta:
        ordering = ["-sent_at", "-id"]
        verbose_name, verbose_name_plural = _("hand-off"), _("hand-offs")
        indexes = [
            models.Index(fields=["-sent_at", "-id"], name="deals_handoff_newest"),
            models.Index(fields=["receiver", "state", "-sent_at"], name="deals_handoff_of_receiver"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(deal__isnull=False) | Q(account__isnull=False) | Q(lead__isnull=False),
                name="deals_handoff_is_about_something",
            ),
            models.CheckConstraint(condition=~Q(giver=F("receiver")), name="deals_handoff_to_another"),
            models.CheckConstraint(
                condition=~Q(state=HandOffState.DECLINED) | ~Q(declined_because=""),
                name="deals_handoff_declined_with_reason",
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{name}__isnull": True}) | Q(**{f"{name}__gte": 1, f"{name}__lte": 5}),
                    name=f"deals_handoff_{name[:12]}",
                )
                for name in RATINGS
            ),
            models.CheckConstraint(
                condition=Q(rated_at__isnull=True) | Q(**{f"{name}__isnull": False for name in RATINGS}),
                name="deals_handoff_rated_in_full",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deal or self.account or self.lead}: {self.get_pair_display()}"
