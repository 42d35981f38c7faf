"""The lines of a settlement: each has a kind, an amount, and a reason that can be told in the reader's language."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from salesops.commissions.rules.settlement.plain import as_plain
from salesops.values.outcomes import gettext_noop


class LineKind(StrEnum):
    """What a line is. The order is the one in which a settlement is told."""

    EARNING = "earning"
    OBJECTIVE = "objective"
    BONUS = "bonus"
    MULTIPLIER = "multiplier"
    CAP = "cap"
    FLOOR = "floor"
    REVERSAL = "reversal"
    CLAWBACK_WAIVED = "clawback_waived"
    DRAW_GUARANTEE = "draw_guarantee"
    DRAW_ADVANCE = "draw_advance"
    DRAW_RECOVERY = "draw_recovery"
    DRAW_FORGIVEN = "draw_forgiven"
    DRAW_OWED = "draw_owed"
    HOLD = "hold"
    HELD_CANCELLED = "held_cancelled"
    RELEASE = "release"
    ADJUSTMENT = "adjustment"
    BROUGHT_FORWARD = "brought_forward"
    CARRIED_FORWARD = "carried_forward"
    OWED = "owed"


# Lines that say something about a balance and are not part of the payout.
NOT_PAID: Final = frozenset((LineKind.DRAW_FORGIVEN, LineKind.DRAW_OWED))

# The reason of what somebody loses who leaves, where the plan says that only what was paid before is kept.
FORFEITED: Final = "forfeited-at-leaving"

# The sentence of each reason. Placeholders are filled from the line's params.
REASONS: Final[dict[str, str]] = {
    "earned": gettext_noop("Earned by the component."),
    "objective-achieved": gettext_noop("%(achieved)s achieved of an objective worth %(weight)s of target pay."),
    "bonus-paid": gettext_noop("A fixed amount for each occurrence."),
    "bonus-beyond-count": gettext_noop("Not paid: the bonus is paid %(most)s times in a period."),
    "contest-prize": gettext_noop("Rank %(rank)s of %(count)s in the contest “%(contest)s”."),
    "contest-bound": gettext_noop("Reached what the contest “%(contest)s” asks for: rank %(rank)s of %(count)s."),
    "team-factor": gettext_noop("The team reached %(attainment)s; the factor is %(factor)s."),
    "cut-by-cap": gettext_noop("Cut by the cap of %(cap)s."),
    "cut-by-year-cap": gettext_noop("Cut by the year-to-date cap of %(cap)s."),
    "room-under-year-cap": gettext_noop("Cut before by the year-to-date cap, which now has room for it."),
    "raised-to-floor": gettext_noop("Raised to the floor of %(floor)s."),
    "raised-to-year-floor": gettext_noop("Raised to the year-to-date floor of %(floor)s."),
    "floor-taken-up": gettext_noop("What the year-to-date floor had added is now earned."),
    "cancelled": gettext_noop("%(original)s was cancelled: what it had come to is negated."),
    "cancelled-as-settled": gettext_noop(
        "%(original)s had come to something else than it earned; only that is taken back."
    ),
    "clawback-share": gettext_noop("%(days)s days after the booking only %(share)s of what was paid is taken back."),
    "draw-guaranteed": gettext_noop("Filled up to the draw of %(draw)s, to keep."),
    "draw-guaranteed-on-top": gettext_noop("The draw of %(draw)s on top of earnings, to keep."),
    "draw-advanced": gettext_noop("Advanced up to the draw of %(draw)s."),
    "draw-lent": gettext_noop("Lent on top of earnings."),
    "draw-recovered": gettext_noop("Taken back from the draw balance; %(left)s is still owed."),
    "draw-forgiven": gettext_noop("What was still owed from the draw is forgiven."),
    "draw-owed-at-leaving": gettext_noop("Still owed from the draw when leaving."),
    FORFEITED: gettext_noop("Forfeited: it had not been paid out before leaving."),
    "held-for-days": gettext_noop("Held until %(day)s."),
    "held-for-instalments": gettext_noop("Paid in %(count)s instalments."),
    "held-for-payment": gettext_noop("Paid as the customer pays."),
    "held-part-cancelled": gettext_noop("Set off against what was held for %(original)s."),
    "hold-ended": gettext_noop("The hold ended on %(day)s."),
    "instalment-due": gettext_noop("%(share)s of the line is due by now."),
    "customer-paid": gettext_noop("The customer has paid %(paid)s of %(invoice)s."),
    "adjusted": gettext_noop("%(why)s (prepared by %(preparer)s, approved by %(approver)s)"),
    "late-deal_edited": gettext_noop("%(period)s was paid before the deal was changed."),
    "late-deal_gone": gettext_noop("%(period)s was paid for a deal that no longer counts."),
    "late-deal_removed": gettext_noop("%(period)s was paid for a deal that was removed in its source since."),
    "late-deal_late": gettext_noop("A deal of %(period)s became known after it was locked."),
    "late-refund_late": gettext_noop("What is taken back in %(period)s became known after it was locked."),
    "late-shares": gettext_noop("%(period)s was paid before the shares of the deal were changed."),
    "late-owner": gettext_noop("%(period)s was paid to somebody else, or before this person was credited."),
    "late-quota": gettext_noop("%(period)s was paid by another quota."),
    "late-plan": gettext_noop("%(period)s was paid by other terms of the plan."),
    "late-exchange_rate": gettext_noop("%(period)s was paid at another rate of exchange."),
    "late-standing": gettext_noop("%(period)s was paid before the standing of a contest changed."),
    "late-along_the_curve": gettext_noop("Another late change of %(period)s moves this deal along the curve."),
    "late-other": gettext_noop("%(period)s would be paid otherwise today."),
    "brought-forward": gettext_noop("Taken back from pay: brought forward from an earlier period."),
    "carried-forward": gettext_noop("More is taken back than this period pays: the rest is carried forward."),
    "owed-by-person": gettext_noop("More is taken back than this period pays: the rest is owed."),
}


@dataclass(frozen=True)
class SettlementLine:
    """One line: an amount in minor units, seen from the payout, and why.

    reference: what it is about (a transaction, a bonus occurrence, an adjustment), "" when about the whole.
    reason: a code of REASONS. params: values of its placeholders, sorted by name.
    """

    kind: LineKind
    amount_minor: int
    reason: str
    reference: str = ""
    component: str = ""
    params: tuple[tuple[str, str], ...] = ()

    @property
    def is_paid(self) -> bool:
        """Whether the amount is part of the payout; otherwise it only tells of a balance."""
        return self.kind not in NOT_PAID

    def text(self, translate: Callable[[str], str] = gettext_noop) -> str:
        """The reason as a sentence; `translate` turns the English sentence into the reader's."""
        sentence = translate(REASONS[self.reason])
        return sentence % dict(self.params) if self.params else sentence

    def as_plain(self) -> dict[str, Any]:
        """The line as plain JSON data."""
        plain: dict[str, Any] = as_plain(self)
        return plain


def line(
    kind: LineKind, amount_minor: int, reason: str, reference: str = "", component: str = "", **params: object
) -> SettlementLine:
    """Make a line; the keyword values fill the placeholders of the reason."""
    pairs = tuple(sorted((name, str(value)) for name, value in params.items()))
    return SettlementLine(kind, amount_minor, reason, reference, component, pairs)
