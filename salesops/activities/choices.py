"""Fixed lists of the activities room."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class ActivityKind(models.TextChoices):
    """What was done, or is to be done."""

    CALL = "call", _("Call")
    MAIL = "mail", _("Mail")
    MEETING = "meeting", _("Meeting")
    NOTE = "note", _("Note")
    TASK = "task", _("Task")


class Outcome(models.TextChoices):
    """How it went."""

    REACHED = "reached", pgettext_lazy("somebody called", "Reached")
    NO_ANSWER = "no_answer", _("No answer")
    LEFT_MESSAGE = "left_message", _("Left a message")
    HELD = "held", pgettext_lazy("meeting", "Held")
    NO_SHOW = "no_show", _("Did not show up")
    REPLIED = "replied", _("Replied")


class Direction(models.TextChoices):
    """Who turned to whom."""

    INBOUND = "inbound", _("From them")
    OUTBOUND = "outbound", _("To them")
