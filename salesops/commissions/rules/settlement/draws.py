"""Draws: what is advanced on pay, taken back from it, kept or forgiven, and what is still owed."""

from dataclasses import replace
from fractions import Fraction

from salesops.commissions.rules.settlement.facts import Carried, DrawBalance, PeriodInput
from salesops.commissions.rules.settlement.lines import LineKind, SettlementLine, line
from salesops.commissions.rules.settlement.plain import pay_minor
from salesops.commissions.rules.settlement.terms import Draw, DrawKind, DrawMode, Terms
from salesops.values.money import plain, round_half_up


def settle_draw(
    earned: int, given: PeriodInput, terms: Terms, carried: Carried
) -> tuple[list[SettlementLine], tuple[DrawBalance, ...]]:
    """The lines of the draw for what a period earned (perhaps less than nothing), and the balances after it.

    A top-up brings the period up to the draw, whatever is missing. Only what lies above the draw is taken back. An
    on-top draw is lent in each of its periods and taken back once it has ended. The oldest balance goes first. Nothing
    is given to somebody who leaves and keeps only what was paid before.
    """
    lines: list[SettlementLine] = []
    balances = {balance.key: balance for balance in carried.draws}
    draw = terms.draw if terms.draw and terms.draw.is_active(given.period.start) else None
    if terms.is_forfeiting(given.is_leaving):
        draw = None
    amount = _amount(draw, given, terms) if draw else 0
    text = plain(amount, terms.currency)
    advance, recoverable = 0, max(earned, 0)
    if draw and draw.mode is DrawMode.ON_TOP:
        advance, recoverable = amount, 0
    elif draw:
        advance, recoverable = max(0, amount - earned), max(0, earned - amount)
    if draw and advance:
        if draw.kind is DrawKind.NON_RECOVERABLE:
            is_on_top = draw.mode is DrawMode.ON_TOP
            reason = "draw-guaranteed-on-top" if is_on_top else "draw-guaranteed"
            lines.append(line(LineKind.DRAW_GUARANTEE, advance, reason, draw.key, draw=text))
        elif draw.mode is DrawMode.ON_TOP:
            lines.append(line(LineKind.DRAW_ADVANCE, advance, "draw-lent", draw.key))
        else:
            lines.append(line(LineKind.DRAW_ADVANCE, advance, "draw-advanced", draw.key, draw=text))
        if draw.kind is not DrawKind.NON_RECOVERABLE:
            before = balances.get(draw.key, DrawBalance(draw.key, 0))
            balances[draw.key] = DrawBalance(draw.key, before.owed_minor + advance, draw.forgiven_on)
    share = terms.draw.most_recovered if terms.draw else None
    if share is not None:
        recoverable = min(recoverable, round_half_up(max(earned, 0) * share.value))
    for key, balance in balances.items():
        if back := min(balance.owed_minor, recoverable):
            recoverable -= back
            left = balance.owed_minor - back
            balances[key] = replace(balance, owed_minor=left)
            left_text = plain(left, terms.currency)
            lines.append(line(LineKind.DRAW_RECOVERY, -back, "draw-recovered", key, left=left_text))
    for key, balance in balances.items():
        if balance.owed_minor and balance.forgiven_on is not None and balance.forgiven_on < given.period.end:
            lines.append(line(LineKind.DRAW_FORGIVEN, balance.owed_minor, "draw-forgiven", key))
            balances[key] = replace(balance, owed_minor=0)
        elif balance.owed_minor and given.is_leaving:
            lines.append(line(LineKind.DRAW_OWED, balance.owed_minor, "draw-owed-at-leaving", key))
    return lines, tuple(balance for balance in balances.values() if balance.owed_minor)


def _amount(draw: Draw, given: PeriodInput, terms: Terms) -> int:
    share: Fraction = given.active_share
    return round_half_up(pay_minor(draw.amount, terms.currency, given.target_minor) * share)
