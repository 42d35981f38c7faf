"""Fixed lists of the leads room."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class LeadStatus(models.TextChoices):
    """Where a lead stands."""

    NEW = "new", _("New")
    WORKING = "working", _("Working")
    QUALIFIED = "qualified", _("Qualified")
    NURTURING = "nurturing", _("Nurturing")
    CONVERTED = "converted", _("Converted")
    DISQUALIFIED = "disqualified", _("Disqualified")


#: Statuses in which somebody still has to do something.
OPEN_STATUSES = (LeadStatus.NEW, LeadStatus.WORKING, LeadStatus.QUALIFIED, LeadStatus.NURTURING)

#: Those of them that are on somebody's desk now: nurtured leads wait for a better time.
WORK_STATUSES = (LeadStatus.NEW, LeadStatus.WORKING, LeadStatus.QUALIFIED)


class LeadOrigin(models.TextChoices):
    """How a lead came to the company."""

    INBOUND = "inbound", _("Inbound")
    OUTBOUND = "outbound", _("Outbound")
    EVENT = "event", _("Event")
    PARTNER = "partner", _("Partner")
    REFERRAL = "referral", _("Referral")
    IMPORT = "import", _("Imported")


class AssignmentMethod(models.TextChoices):
    """How a lead came to its owner."""

    MANUAL = "manual", _("By hand")
    BULK = "bulk", _("By hand, in bulk")
    IMPORT = "import", _("Imported")
    RULE = "rule", _("By rule")
