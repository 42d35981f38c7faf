"""Words that reorganisations are described with."""

from __future__ import annotations

from typing import Final

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class ReorganisationState(TextChoices):
    """Where a reorganisation is."""

    DRAFT = "draft", pgettext_lazy("reorganisation", "Draft")
    SCHEDULED = "scheduled", pgettext_lazy("reorganisation", "Scheduled")
    DONE = "done", pgettext_lazy("reorganisation", "Carried out")
    UNDONE = "undone", pgettext_lazy("reorganisation", "Undone")
    DROPPED = "dropped", pgettext_lazy("reorganisation", "Dropped")


class Book(TextChoices):
    """What becomes of what a person holds when they move."""

    ALONG = "along", _("goes along to the new pod")
    STAYS = "stays", _("stays in the pod, with somebody else")


#: States of what is still to come.
TO_COME: Final = (ReorganisationState.DRAFT, ReorganisationState.SCHEDULED)
