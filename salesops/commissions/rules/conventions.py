"""Everything on which ways of paying silently differ, as named settings of a plan with their defaults."""

from dataclasses import dataclass
from enum import StrEnum

from salesops.commissions.rules.curves import Boundary
from salesops.commissions.rules.rounding import Rounding
from salesops.commissions.rules.shapes import ZeroQuota
from salesops.values.outcomes import Problem, gettext_noop


class SettlementOrder(StrEnum):
    """What the cap covers and when the draw is taken."""

    BONUS_CAP_DRAW = "bonus_cap_draw"
    CAP_BONUS_DRAW = "cap_bonus_draw"
    CAP_DRAW_BONUS = "cap_draw_bonus"


class Proration(StrEnum):
    """How a quota and target pay shrink for somebody who is on the plan for a part of the period."""

    CALENDAR_DAYS = "calendar_days"
    WORKING_DAYS = "working_days"
    MONTHS = "months"
    NONE = "none"


class RampRule(StrEnum):
    """Which is the first month of a ramp."""

    STARTING_MONTH = "starting_month"
    FIRST_FULL_MONTH = "first_full_month"


class QuotaChange(StrEnum):
    """What a quota is when it changes within a period of pay: its parts added up, or one of them for all of its days."""

    BY_DAYS = "by_days"
    LATEST = "latest"
    FIRST = "first"


class Refund(StrEnum):
    """What a reversal takes back."""

    NEGATE = "negate"
    MOVE_DOWN = "move_down"


class CountingDate(StrEnum):
    """The day that puts a transaction into a period: its own. The other two stand in drafts from before; see `instead_of`."""

    BOOKING = "booking"
    INVOICE = "invoice"
    PAYMENT = "payment"


class Exchange(StrEnum):
    """The rate of exchange by which a credit is converted: of its day, the mean of its month, or as the plan states."""

    TRANSACTION_DAY = "transaction_day"
    MONTH_AVERAGE = "month_average"
    FIXED = "fixed"


class TierChange(StrEnum):
    """What reaching a retroactive tier late in a longer period does to what earlier periods of pay in it paid."""

    TRUE_UP = "true_up"
    FORWARD_ONLY = "forward_only"


class Leaver(StrEnum):
    """What somebody who leaves keeps: all that was credited to them before, or only what periods before had paid."""

    CREDITED_BEFORE = "credited_before"
    PAID_BEFORE = "paid_before"


class CreditDay(StrEnum):
    """As of which day it is looked up who is credited, and whose line and pod counts with them.

    transaction_day: that of the transaction. creation: when the deal was opened. stage: when the deal first came to the
    stage that decides the credit, or further. by_days: whoever owned the deal between its opening and its closing shares
    in it by days, each with their line and pod of the last day on which it was theirs. Agreed shares come first in any
    case, and what belongs to no deal goes by the day of the transaction.
    """

    TRANSACTION_DAY = "transaction_day"
    CREATION = "creation"
    STAGE = "stage"
    BY_DAYS = "by_days"


@dataclass(frozen=True)
class Conventions:
    """Everything on which ways of paying silently differ, each with its default; printed on plan and statement."""

    boundary: Boundary = Boundary.UPPER
    zero_quota: ZeroQuota = ZeroQuota.HOLD
    settlement_order: SettlementOrder = SettlementOrder.BONUS_CAP_DRAW
    proration: Proration = Proration.CALENDAR_DAYS
    ramp: RampRule = RampRule.STARTING_MONTH
    quota_change: QuotaChange = QuotaChange.BY_DAYS
    refund: Refund = Refund.NEGATE
    rounding: Rounding = Rounding.CUMULATIVE
    counting_date: CountingDate = CountingDate.BOOKING
    exchange: Exchange = Exchange.TRANSACTION_DAY
    tier_change: TierChange = TierChange.TRUE_UP
    leaver: Leaver = Leaver.CREDITED_BEFORE
    credit_day: CreditDay = CreditDay.TRANSACTION_DAY


def instead_of(chosen: CountingDate) -> Problem | None:
    """What to write instead of counting a booking on the day of its invoice or payment; None for its own day.

    An invoice is a transaction with a day and an amount of its own, so a component that counts invoices already says it.
    """
    if chosen is CountingDate.BOOKING:
        return None
    return Problem.of(
        "counting-date",
        gettext_noop("A booking is not counted on the day of another transaction (%(value)s)."),
        where="conventions.counting_date",
        remedy=gettext_noop(
            "Write counts: [%(value)s] in the component: each then counts on its own day with its own amount. To earn by the "
            "booking and pay with the customer's money, write releases: [{kind: on_payment}] in the settlement."
        ),
        value=chosen.value,
    )
