"""What is known of a lead by SPICED: situation, pain, impact, critical event, decision."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from salesops.leads.models.leads import Lead
from salesops.leads.querysets import LeadSpicedQuerySet
from salesops.leads.rules.spiced import COMPONENTS


class Spiced(models.Model):
    """Five components in free text, and the day of the critical event. `filled` counts those that say something."""

    situation = models.TextField(_("situation"), blank=True)
    pain = models.TextField(_("pain"), blank=True)
    impact = models.TextField(_("impact"), blank=True)
    critical_event = models.TextField(_("critical event"), blank=True)
    critical_event_on = models.DateField(_("day of the critical event"), null=True, blank=True)
    decision = models.TextField(_("decision"), blank=True)
    filled = models.PositiveSmallIntegerField(_("components known"), default=0, editable=False, db_index=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        abstract = True

    @property
    def missing(self) -> tuple[str, ...]:
        """The components that say nothing yet."""
        return tuple(name for name in COMPONENTS if not getattr(self, name).strip())


class LeadSpiced(Spiced):
    """SPICED of a lead."""

    lead = models.OneToOneField(Lead, models.CASCADE, related_name="spiced", verbose_name=_("lead"))

    objects = LeadSpicedQuerySet.as_manager()

    class Meta(Spiced.Meta):
        abstract = False
        verbose_name, verbose_name_plural = _("SPICED of a lead"), _("SPICED of leads")

    def __str__(self) -> str:
        return f"{self.lead}: {self.filled}/5"


class DisqualifyReason(models.Model):
    """Why a lead is not to be worked on. Administrators name and order them; without any, the reason is typed freely."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    is_active = models.BooleanField(_("in use"), default=True)

    class Meta:
        ordering = ["position", "id"]
        verbose_name, verbose_name_plural = _("disqualify reason"), _("disqualify reasons")

    def __str__(self) -> str:
        return self.name
