"""Fixed lists of the commissions room."""

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

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


class ContestState(models.TextChoices):
    """Where a contest stands. Only a draft can be changed; whether one in force runs or has ended its days say."""

    DRAFT = "draft", _("Draft")
    ACTIVE = "active", _("In force")
    CANCELLED = "cancelled", pgettext_lazy("contest", "Cancelled")


class PeriodState(models.TextChoices):
    """Where a period stands. A locked period never opens again: late changes become adjustments elsewhere."""

    OPEN = "open", pgettext_lazy("period", "Open")
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
    RENEWAL = "renewal", _("Renewal")
    EXPANSION = "expansion", _("Expansion")
    CONTRACTION = "contraction", _("Contraction")
    CANCELLATION = "cancellation", _("Cancellation")
    INVOICE = "invoice", _("Invoice")
    PAYMENT = "payment", _("Payment received")
    REFUND = "refund", _("Refund")
    CREDIT_NOTE = "credit_note", _("Credit note")
    USAGE = "usage", _("Usage")
    PIPELINE = "pipeline", _("Accepted pipeline")
    MEETING = "meeting", _("Meeting held")
    OBJECTIVE = "objective", _("Objective reached")
    ADJUSTMENT = "adjustment", _("Adjustment")


class Decision(models.TextChoices):
    """What an approver said."""

    APPROVED = "approved", _("Approved")
    RETURNED = "returned", _("Returned")


class LedgerAccount(models.TextChoices):
    """Where an amount lies: each posting adds up to zero over these."""

    EXPENSE = "expense", _("Cost of sales")
    OWED = "owed", _("Owed to the person")
    HELD = "held", _("Earned, not yet due")
    ADVANCED = "advanced", _("Advanced as a draw")
    TAKEN = "taken", _("To be taken back later")
    PAID = "paid", _("Handed to payroll")


class EntryKind(models.TextChoices):
    """Why an entry was posted."""

    EARNING = "earning", _("Earning")
    BONUS = "bonus", _("Bonus")
    MULTIPLIER = "multiplier", _("Team multiplier")
    LIMIT = "limit", _("Cap or floor")
    CLAWBACK = "clawback", _("Clawback")
    DRAW = "draw", _("Draw advanced")
    RECOVERY = "recovery", _("Draw recovered")
    FORGIVEN = "forgiven", _("Draw forgiven")
    HOLD = "hold", _("Held")
    RELEASE = "release", _("Released")
    CARRIED = "carried", _("Carried to another period")
    ADJUSTMENT = "adjustment", _("Adjustment")
    PAYMENT = "payment", _("Payment")
    REVERSAL = "reversal", _("Reversal")


class PayrollFormat(models.TextChoices):
    """The files payroll programs read."""

    GUSTO = "gusto", _("Gusto")
    ADP_WFN = "adp_wfn", _("ADP Workforce Now")
    ADP_RUN = "adp_run", _("ADP RUN")
    GENERIC = "generic", _("Generic CSV")
    MAPPED = "mapped", _("Saved columns")


class SettledKind(models.TextChoices):
    """What a line of the settlement is, in the order in which a settlement is told; values of rules.settlement.lines."""

    EARNING = "earning", _("Late change")
    OBJECTIVE = "objective", _("Objective")
    BONUS = "bonus", _("Bonus")
    MULTIPLIER = "multiplier", _("Team multiplier")
    CAP = "cap", _("Cap")
    FLOOR = "floor", _("Floor")
    REVERSAL = "reversal", _("Taken back")
    CLAWBACK_WAIVED = "clawback_waived", _("Clawback waived")
    DRAW_GUARANTEE = "draw_guarantee", _("Guaranteed draw")
    DRAW_ADVANCE = "draw_advance", _("Draw advanced")
    DRAW_RECOVERY = "draw_recovery", _("Draw recovered")
    DRAW_FORGIVEN = "draw_forgiven", _("Draw forgiven")
    DRAW_OWED = "draw_owed", _("Draw still owed")
    HOLD = "hold", _("Held")
    HELD_CANCELLED = "held_cancelled", _("Set off against what was held")
    RELEASE = "release", _("Released")
    ADJUSTMENT = "adjustment", _("Adjustment")
    BROUGHT_FORWARD = "brought_forward", _("Brought forward")
    CARRIED_FORWARD = "carried_forward", _("Carried forward")
    OWED = "owed", _("Owed by the person")


class AdjustmentKind(models.TextChoices):
    """Where an adjustment comes from."""

    MANUAL = "manual", _("By hand")
    LATE = "late", _("Late change")


class AdjustmentState(models.TextChoices):
    """Where an adjustment stands. Only an approved one is paid."""

    WAITING = "waiting", _("To be approved")
    APPROVED = "approved", _("Approved")
    REFUSED = "refused", _("Refused")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class Cause(models.TextChoices):
    """Why a recalculation of a locked period comes to something else than was paid."""

    DEAL_EDITED = "deal_edited", _("Deal changed")
    DEAL_GONE = "deal_gone", _("Deal no longer counts")
    DEAL_REMOVED = "deal_removed", _("Deal removed")
    DEAL_LATE = "deal_late", _("Deal became known late")
    REFUND_LATE = "refund_late", _("Refund became known late")
    SHARES = "shares", _("Shares changed")
    OWNER = "owner", _("Owner changed")
    QUOTA = "quota", _("Quota changed")
    PLAN = "plan", _("Plan changed")
    EXCHANGE_RATE = "exchange_rate", _("Exchange rate changed")
    STANDING = "standing", _("Standing of a contest changed")
    ALONG_THE_CURVE = "along_the_curve", _("Moved along the curve by another change")
    OTHER = "other", _("Another change")


class DisputeState(models.TextChoices):
    """Where a dispute stands."""

    OPEN = "open", pgettext_lazy("dispute", "Open")
    ACCEPTED = "accepted", _("Accepted")
    REFUSED = "refused", _("Refused")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class EventKind(models.TextChoices):
    """What a settlement needs to know of a person beside their earnings."""

    OBJECTIVE = "objective", _("Objective achieved")
    BONUS = "bonus", _("Bonus earned")
    TEAM = "team", _("Attainment of the team")
    PAYMENT = "payment", _("Payment of an invoice")
