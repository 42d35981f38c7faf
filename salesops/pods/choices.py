"""Fixed lists of the pods room."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class PodTemplate(models.TextChoices):
    """The ratio SDR : AE : CSM that a pod is staffed to, by complexity of what it sells."""

    SIMPLE = "2:3:1", _("2 : 3 : 1 · simple product")
    MODERATE = "1:2:1", _("1 : 2 : 1 · moderate")
    COMPLEX = "1:1:1", _("1 : 1 : 1 · complex")
