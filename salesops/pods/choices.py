"""Fixed lists of the pods room."""

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _


class PodTemplate(models.TextChoices):
    """The ratio SDR : AE : CSM that a pod is staffed to, by complexity of what it sells."""

    SIMPLE = "2:3:1", _("2 : 3 : 1 · simple product")
    MODERATE = "1:2:1", _("1 : 2 : 1 · moderate")
    COMPLEX = "1:1:1", _("1 : 1 : 1 · complex")


class CustomerSize(models.TextChoices):
    """The size of the customers that a pod serves: who should be in it (rules.readiness.FUNCTIONS_OF_SIZE)."""

    SMALL = "small", _("Small · inbound MDR, tele-close by an AE, digital CSM")
    MIDDLE = "middle", _("Middle · SDR, AE, CSM")
    LARGE = "large", _("Large · ADR and SDR, KAM, senior CSM")


#: The switch for opening pods in which nobody wins or keeps customers yet.
UNREADY_PODS: Final = "unready_pods"
