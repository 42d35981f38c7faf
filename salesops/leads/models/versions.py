"""What rules of a room are written in: numbered versions, one of them in force, the others drafts or history."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from salesops.leads.choices import VersionState


class RuleVersion(models.Model):
    """A numbered set of rules. Only a draft changes; what was in force stays as it was."""

    number = models.PositiveIntegerField(_("version"), unique=True)
    note = models.CharField(_("what is new"), max_length=200, blank=True)
    state = models.CharField(
        _("state"), max_length=8, choices=VersionState.choices, default=VersionState.DRAFT, editable=False
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("written by"),
    )
    created_at = models.DateTimeField(_("written at"), editable=False)
    activated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("put in force by"),
    )
    activated_at = models.DateTimeField(_("in force since"), null=True, blank=True, editable=False)
    retired_at = models.DateTimeField(_("in force until"), null=True, blank=True, editable=False)

    class Meta:
        abstract = True
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"{self.number}" + (f" · {self.note}" if self.note else "")

    @property
    def is_draft(self) -> bool:
        """Whether it may still be changed."""
        return self.state == VersionState.DRAFT
