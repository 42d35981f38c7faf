"""Fixed lists of the deals room."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class StageKind(models.TextChoices):
    """What a stage means for the forecast and for pay."""

    OPEN = "open", pgettext_lazy("deal", "Open")
    WON = "won", _("Won")
    LOST = "lost", _("Lost")


class GuardRuleKind(models.TextChoices):
    """What a rule of the selling guard looks at."""

    DISCOUNT = "discount", _("Highest discount")
    OFFER = "offer", _("Limits of an offer")
    PROMISE = "promise", _("Forbidden promises")
    PRODUCT = "product", _("Wrong product for the customer")


class GuardEffect(models.TextChoices):
    """What a broken rule does."""

    BLOCK = "block", _("Refuse it")
    ESCALATE = "escalate", _("Ask for approval")


class GuardOutcome(models.TextChoices):
    """What the selling guard said."""

    ALLOW = "allow", _("Allowed")
    BLOCK = "block", _("Blocked")
    ESCALATE = "escalate", _("Needs approval")


class GuardOccasion(models.TextChoices):
    """When the selling guard was asked."""

    CREATED = "created", pgettext_lazy("occasion", "Deal added")
    EDITED = "edited", pgettext_lazy("occasion", "Deal edited")
    LINES = "lines", pgettext_lazy("occasion", "Lines changed")
    MOVED = "moved", pgettext_lazy("occasion", "Stage changed")
    IMPORT = "import", pgettext_lazy("occasion", "Imported")


class EscalationState(models.TextChoices):
    """Where an approval stands."""

    OPEN = "open", _("Waits for an answer")
    APPROVED = "approved", _("Approved")
    REFUSED = "refused", pgettext_lazy("approval", "Refused")
    WITHDRAWN = "withdrawn", _("No longer needed")


class HandOffPair(models.TextChoices):
    """From which function to which a hand-off goes."""

    SDR_AE = "sdr-ae", "SDR → AE"
    AE_ONB = "ae-onb", "AE → ONB"
    ONB_CSM = "onb-csm", "ONB → CSM"
    AE_CSM = "ae-csm", "AE → CSM"


class HandOffState(models.TextChoices):
    """Where a hand-off stands."""

    SENT = "sent", _("Waits for the receiver")
    ACCEPTED = "accepted", _("Accepted")
    DECLINED = "declined", _("Declined")
