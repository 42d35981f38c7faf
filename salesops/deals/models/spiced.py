"""What is known of a deal by SPICED."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from salesops.deals.models.deals import Deal
from salesops.leads.models.spiced import Spiced


class DealSpiced(Spiced):
    """SPICED of a deal; what the lead brought is copied when the deal is made of it."""

    deal = models.OneToOneField(Deal, models.CASCADE, related_name="spiced", verbose_name=_("deal"))

    class Meta(Spiced.Meta):
        abstract = False
        verbose_name, verbose_name_plural = _("SPICED of a deal"), _("SPICED of deals")

    def __str__(self) -> str:
        return f"{self.deal}: {self.filled}/5"
