"""One lead that stands for another since somebody said that they are the same, and all that is needed to take it back."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from salesops.leads.models.leads import Lead
from salesops.leads.querysets import LeadMergeQuerySet


class LeadMerge(models.Model):
    """`lost` was merged into `stays`.

    moved: the keys of the rows that named the one and name the other since, by table and column. filled: what the one that
    stays took over, by column, as [before, after]; components of SPICED as "spiced.<name>".
    """

    lost = models.ForeignKey(Lead, models.PROTECT, related_name="merges", verbose_name=_("merged lead"))
    stays = models.ForeignKey(Lead, models.PROTECT, related_name="took_over", verbose_name=_("lead that stays"))
    merged_at = models.DateTimeField(_("merged at"))
    merged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("merged by")
    )
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    moved = models.JSONField(_("moved"), default=dict, blank=True)
    filled = models.JSONField(_("taken over"), default=dict, blank=True)
    undone_at = models.DateTimeField(_("undone at"), null=True, blank=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("undone by")
    )

    objects = LeadMergeQuerySet.as_manager()

    class Meta:
        ordering = ["-merged_at", "-id"]
        verbose_name, verbose_name_plural = _("merge of leads"), _("merges of leads")
        constraints = [
            models.UniqueConstraint(fields=["lost"], condition=Q(undone_at__isnull=True), name="leads_merge_once"),
            models.CheckConstraint(condition=~Q(lost=F("stays")), name="leads_merge_of_two"),
        ]

    def __str__(self) -> str:
        return f"{self.lost} → {self.stays}"
