"""Fixed lists of the people room."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from salesops.core.actor import Role


class RoleChoice(models.TextChoices):
    """Role, with its label."""

    REP = Role.REP.value, _("Rep")
    MANAGER = Role.MANAGER.value, _("Manager")
    REVOPS = Role.REVOPS.value, _("Revenue operations")
    FINANCE = Role.FINANCE.value, _("Finance")
    EXECUTIVE = Role.EXECUTIVE.value, _("Executive")
    ADMIN = Role.ADMIN.value, _("Administrator")


class JobFunction(models.TextChoices):
    """What a person does in the bow-tie, from first touch to renewal."""

    MDR = "mdr", _("MDR · market development")
    SDR = "sdr", _("SDR · sales development")
    ADR = "adr", _("ADR · account development")
    AE = "ae", _("AE · account executive")
    KAM = "kam", _("KAM · key account manager")
    ONB = "onb", _("ONB · onboarding")
    CSM = "csm", _("CSM · customer success")


#: Who wins leads, and who hands on what was won.
WINNING_FUNCTIONS = frozenset({JobFunction.MDR, JobFunction.SDR, JobFunction.ADR})
GIVING_FUNCTIONS = frozenset({JobFunction.AE, JobFunction.KAM, JobFunction.ONB})


class LeaveKind(models.TextChoices):
    """Why a person is away."""

    VACATION = "vacation", _("Vacation")
    SICK = "sick", _("Sick leave")
    PARENTAL = "parental", _("Parental leave")
    OTHER = "other", _("Other")


class Weekday(models.IntegerChoices):
    """ISO weekdays."""

    MONDAY = 1, _("Monday")
    TUESDAY = 2, _("Tuesday")
    WEDNESDAY = 3, _("Wednesday")
    THURSDAY = 4, _("Thursday")
    FRIDAY = 5, _("Friday")
    SATURDAY = 6, _("Saturday")
    SUNDAY = 7, _("Sunday")
