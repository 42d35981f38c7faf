"""Fixed lists of the leads room."""

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _

#: The switch by which administrators have chances of leads learned; off until they turn it.
LEARNED: Final = "learned_chances"


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
    RETURNED = "returned", _("Given back")
    LATE = "late", _("Time ran out")


class VersionState(models.TextChoices):
    """Where a set of rules stands."""

    DRAFT = "draft", _("Draft")
    ACTIVE = "active", _("In force")
    RETIRED = "retired", _("Retired")


class PoolMethod(models.TextChoices):
    """How the turns of a pool go."""

    EQUAL = "equal", _("In turn")
    WEIGHTED = "weighted", _("In turn, by weight")
    LOAD = "load", _("Least load first")
    VALUE = "value", _("By value")


class OnReturn(models.TextChoices):
    """What somebody gets for the leads that came while they were on leave."""

    KEEP = "keep", _("Keeps their place")
    HALF = "half", _("Catches up half")
    FULL = "full", _("Catches up")


class WhenNobody(models.TextChoices):
    """What becomes of a lead that nobody in a pool can take now."""

    HOLD = "hold", _("Waits until somebody can")
    POOL = "pool", _("Goes to another pool")
    ON_CALL = "on_call", _("Goes to whoever is on call")


class RuleAction(models.TextChoices):
    """What a routing rule does with a lead."""

    ACCOUNT_OWNER = "account_owner", _("To the owner of its account")
    PERSON = "person", _("To a person")
    POOL = "pool", _("To a pool")
    HOLD = "hold", _("Hold it")


class TurnKind(models.TextChoices):
    """What changed the credits of a pool."""

    ROUTED = "routed", _("By rule")
    MANUAL = "manual", _("By hand")
    RETURNED = "returned", _("Given back")
    CAUGHT_UP = "caughtup", _("After leave")


class ClockEnding(models.TextChoices):
    """Why a clock stopped."""

    TOUCHED = "touched", _("Touched")
    MOVED = "moved", _("Given to somebody else")
    LATE = "late", _("Time ran out")
    CLOSED = "closed", _("Closed")


class ScorePart(models.TextChoices):
    """What points count for: who the lead is, or what it did."""

    FIT = "fit", _("Fit")
    ENGAGEMENT = "engagement", _("Engagement")


class SignalKind(models.TextChoices):
    """What a lead did."""

    VISIT = "visit", _("Visited the site")
    OPENED = "opened", _("Opened a mail")
    CLICKED = "clicked", _("Followed a link")
    FORM = "form", _("Sent a form")
    DEMO = "demo", _("Asked for a demo")
    REPLIED = "replied", _("Answered")
    SPOKE = "spoke", _("Spoke with us")
    MET = "met", _("Met us")
    UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")


#: The grades of a score, best fit first.
GRADES = tuple(f"{letter}{digit}" for letter in "ABC" for digit in "123")
