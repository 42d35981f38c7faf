"""Fixed lists of the commissions room."""

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _

#: The switch for making payroll files.
PAYROLL_RELEASE: Final = "payroll_release"


class PeriodKind(models.TextChoices):
    """How long a period of pay is."""

    MONTH = "month", _("Month")
    QUARTER = "quarter", _("Quarter")
    YEAR = "year", _("Year")


class VersionState(models.TextChoices):
    """Where a plan version stands. Only a draft can be changed."""

    DRAFT = "draft", _("Draft")
    ACTIVE = "active", _("In force")
    RETIRED = "retired", _("Retired")


class PeriodState(models.TextChoices):
    """Where a period stands. A locked period never opens again: late changes become adjustments elsewhere."""

    OPEN = "open", _("Open")
    LOCKED = "locked", _("Locked")


class StatementState(models.TextChoices):
    """Where a statement stands, in this order."""

    DRAFT = "draft", _("To be approved")
    APPROVED = "approved", _("Approved")
    LOCKED = "locked", _("Locked")
    PAID = "paid", _("Handed to payroll")


class TransactionKind(models.TextChoices):
    """What happened to the business."""

    BOOKING = "booking", _("Booking")
    ADJUSTMENT = "adjustment", _("Adjustment")


class Decision(models.TextChoices):
    """What an approver said."""

    APPROVED = "approved", _("Approved")
    RETURNED = "returned", _("Returned")


class LedgerAccount(models.TextChoices):
    """Where an amount lies: each posting adds up to zero over these."""

    EXPENSE = "expense", _("Cost of sales")
    OWED = "owed", _("Owed to the person")
    PAID = "paid", _("Handed to payroll")


class EntryKind(models.TextChoices):
    """Why an entry was posted."""

    EARNING = "earning", _("Earning")
    ADJUSTMENT = "adjustment", _("Adjustment")
    PAYMENT = "payment", _("Payment")
    REVERSAL = "reversal", _("Reversal")


class PayrollFormat(models.TextChoices):
    """The files payroll programs read."""

    GUSTO = "gusto", _("Gusto")
    GENERIC = "generic", _("Generic CSV")
