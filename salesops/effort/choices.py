"""Fixed lists of the effort room."""

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from salesops.activities.choices import ActivityKind, Outcome

#: The code of the switch for the whole portal.
EFFORT: Final = "effort"


class CountedKind(models.TextChoices):
    """What is counted: something that was done with somebody, and tasks that were ticked off. Notes are not."""

    CALL = ActivityKind.CALL.value, _("Calls")
    MAIL = ActivityKind.MAIL.value, _("Mails")
    MEETING = ActivityKind.MEETING.value, _("Meetings")
    TASK = ActivityKind.TASK.value, _("Tasks done")


#: The outcome that says a contact went well; kinds without one have no quality.
GOOD: Final = {
    CountedKind.CALL: Outcome.REACHED,
    CountedKind.MAIL: Outcome.REPLIED,
    CountedKind.MEETING: Outcome.HELD,
}


class Band(models.TextChoices):
    """Where a score lies between the two published edges."""

    LOW = "low", pgettext_lazy("effort", "Below")
    MIDDLE = "middle", pgettext_lazy("effort", "Average")
    HIGH = "high", pgettext_lazy("effort", "Above average")


class Because(models.TextChoices):
    """Why a check-in is offered."""

    LOW = "low", _("The score was low")
    DROP = "drop", _("The score fell")


class Decision(models.TextChoices):
    """What became of a doubt."""

    OPEN = "open", pgettext_lazy("doubt", "Open")
    ACCEPTED = "accepted", pgettext_lazy("doubt", "Left out")
    DECLINED = "declined", pgettext_lazy("doubt", "Stays in")


class LookedAt(models.TextChoices):
    """What somebody looked at."""

    LIST = "list", _("A line in the list of the team")
    PAGE = "page", _("The page with the parts")
    RECORDS = "records", _("The records behind a part")
    EXPORT = "export", _("A file of the list")


class OnSwitchOff(models.TextChoices):
    """What becomes of what is kept when an entity switches the score off."""

    KEEP = "keep", _("Keep it, unseen, until its time is over")
    COUNTS = "counts", _("Delete the daily counts")
    ALL = "all", _("Delete the daily counts and the scores")
