"""From what a person earned in a period to what they are paid, in the order that is printed on every plan.

component earnings -> objectives and bonuses -> team multiplier -> cap -> draw -> release schedule -> adjustments

Every step works on what the step before came to and leaves lines; the payout is the sum of the lines that are paid.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from salesops.commissions.rules.contests import Prize
from salesops.commissions.rules.conventions import SettlementOrder
from salesops.commissions.rules.settlement.amounts import Part, percent, scaled, settled_parts
from salesops.commissions.rules.settlement.checks import bounds_problems, input_problems
from salesops.commissions.rules.settlement.draws import settle_draw
from salesops.commissions.rules.settlement.facts import (
    Carried,
    DrawBalance,
    PeriodInput,
    Reversal,
    Settled,
    SettledPart,
    Stage,
    YearTotal,
)
from salesops.commissions.rules.settlement.limits import Limits
from salesops.commissions.rules.settlement.lines import FORFEITED, LineKind, SettlementLine, line
from salesops.commissions.rules.settlement.plain import pay_minor
from salesops.commissions.rules.settlement.releases import Holdings
from salesops.commissions.rules.settlement.terms import Multiplier, NegativePayout, Terms
from salesops.values.money import round_half_up
from salesops.values.outcomes import Outcome


def settle(given: PeriodInput, terms: Terms, carried: Carried) -> Outcome[Settled]:
    """What the period pays, why, and what goes on into the next one; problems where it cannot be told."""
    problems = input_problems(given, terms, carried)
    if problems:
        return Outcome.bad(*problems)
    result = _settled(given, terms, carried)
    state = result.carried
    problems = bounds_problems(
        [
            result.payout_minor,
            result.owed_minor,
            state.target_minor,
            state.brought_forward_minor,
            *(item.amount_minor for item in result.lines),
            *(part.earned_minor for part in result.parts),
            *(balance.owed_minor for balance in state.draws),
            *(part.total_minor for part in state.held),
            *(item.settled_minor for item in state.totals),
        ]
    )
    return Outcome.bad(*problems) if problems else Outcome.good(result)


def _settled(given: PeriodInput, terms: Terms, carried: Carried) -> Settled:
    is_same_year = carried.year == given.year
    target_to_date = (carried.target_minor if is_same_year else 0) + (given.target_minor or 0)
    totals = {item.limit: item for item in carried.totals} if is_same_year else {}
    limits = Limits(terms.currency, given.year, given.period.last_day, given.target_minor, target_to_date, totals)
    held = {(part.component, part.reference): part for part in carried.held}
    holdings = Holdings(terms, given.period.end, held)

    taken_back = _reversed(given)
    for _line, part, _days in taken_back:
        limits.reverse(part)

    amounts = _amounts(given, terms, limits)
    parts, forfeited = _forfeited(amounts.parts) if terms.is_forfeiting(given.is_leaving) else (amounts.parts, [])
    holdings.take(parts)
    reversal_lines = [*_reversal_lines(taken_back, terms, holdings), *forfeited]
    gone = [part for _line, part, _days in taken_back]
    if terms.is_forfeiting(given.is_leaving):
        gone += holdings.forfeit()
    else:
        holdings.release(given.collections)

    earned = _sum(amounts.earning_lines) + _sum(reversal_lines)
    if terms.order is not SettlementOrder.CAP_DRAW_BONUS:
        earned += _sum(amounts.bonus_lines)
    draw_lines, draws = settle_draw(earned, given, terms, carried)
    lines = [
        *_told(amounts, reversal_lines, draw_lines, terms.order),
        *holdings.lines,
        *_adjustment_lines(given),
    ]
    return _paid(
        lines,
        (*settled_parts(parts), *gone),
        terms,
        carried,
        _State(given, target_to_date, limits.totals, draws, holdings),
    )


@dataclass(frozen=True)
class _State:
    """What is known at the end of the period, for the next one."""

    given: PeriodInput
    target_to_date: int
    totals: dict[str, YearTotal]
    draws: tuple[DrawBalance, ...]
    holdings: Holdings


def _paid(
    lines: list[SettlementLine], parts: tuple[SettledPart, ...], terms: Terms, carried: Carried, state: _State
) -> Settled:
    """Bring in what an earlier period could not take back, and keep the payout from falling below zero."""
    if carried.brought_forward_minor:
        lines.append(line(LineKind.BROUGHT_FORWARD, carried.brought_forward_minor, "brought-forward"))
    payout, forward, owed = _sum(lines), 0, 0
    if payout < 0 and terms.negative is NegativePayout.CARRY_FORWARD and not state.given.is_leaving:
        forward = payout
        lines.append(line(LineKind.CARRIED_FORWARD, -payout, "carried-forward"))
    elif payout < 0:
        owed = -payout
        lines.append(line(LineKind.OWED, owed, "owed-by-person"))
    return Settled(
        tuple(lines),
        max(payout, 0),
        owed,
        parts,
        Carried(
            carried.currency,
            state.given.period.end,
            state.given.year,
            state.target_to_date,
            forward,
            state.draws,
            state.holdings.left(),
            tuple(state.totals[key] for key in sorted(state.totals)),
        ),
    )


# --- Earnings, objectives, bonuses, multiplier, caps --------------------------------------------------------------


@dataclass(frozen=True)
class _Amounts:
    """The parts after multiplier and limits, and the lines that lead to them: of earnings, of bonuses, of the whole."""

    parts: tuple[Part, ...]
    earning_lines: tuple[SettlementLine, ...]
    bonus_lines: tuple[SettlementLine, ...]


def _amounts(given: PeriodInput, terms: Terms, limits: Limits) -> _Amounts:
    parts, lines = _earnings(given)
    bonus_parts, bonus_lines = _bonuses(given, terms)
    parts, lines = [*parts, *bonus_parts], [*lines, *bonus_lines]
    if terms.multiplier and given.team_attainment is not None:
        parts, more = _multiplied(parts, terms.multiplier, given.team_attainment)
        lines += more
    for limit in sorted(terms.limits, key=lambda item: (item.component is None, item.key, item.basis)):
        is_for_bonuses = limit.component is not None or terms.order is SettlementOrder.BONUS_CAP_DRAW
        covered: list[Part] = []
        left_out: list[Part] = []
        for part in parts:
            is_covered = limit.component in (None, part.component) and (
                is_for_bonuses or not terms.is_bonus(part.component)
            )
            (covered if is_covered else left_out).append(part)
        limited, more = limits.apply(limit, covered)
        parts = sorted([*left_out, *limited], key=lambda part: part.key)
        lines += more
    return _Amounts(
        tuple(parts),
        tuple(item for item in lines if not terms.is_bonus(item.component)),
        tuple(item for item in lines if terms.is_bonus(item.component)),
    )


def _earnings(given: PeriodInput) -> tuple[list[Part], list[SettlementLine]]:
    """Each reference of a component once, however its earnings were batched and ordered."""
    sums: dict[tuple[str, str, str], Part] = {}
    for item in given.earnings:
        key = (item.component, item.reverses or item.reference, item.reference)
        new = Part(LineKind.EARNING, item.component, key[1], item.day, item.amount_minor, item.amount_minor, key[2])
        old = sums.get(key, replace(new, earned_minor=0, amount_minor=0))
        amount = old.amount_minor + new.amount_minor
        sums[key] = replace(old, day=min(old.day, new.day), earned_minor=amount, amount_minor=amount)
    parts = sorted(sums.values(), key=lambda part: part.key)
    return parts, [line(LineKind.EARNING, part.amount_minor, "earned", part.source, part.component) for part in parts]


def _bonuses(given: PeriodInput, terms: Terms) -> tuple[list[Part], list[SettlementLine]]:
    """What objectives pay, rounded so that all of them achieved pay all of it; then bonuses, then prizes of contests, the
    earliest first.
    """
    parts: list[Part] = []
    lines: list[SettlementLine] = []
    achieved = {item.objective: item.share for item in given.achieved}
    exact = Fraction(0)
    for objective in terms.objectives:
        share = achieved.get(objective.key, Fraction(0))
        if objective.most is not None:
            share = min(share, objective.most.value)
        before, exact = round_half_up(exact), exact + objective.weight.value * share * (given.target_minor or 0)
        amount = round_half_up(exact) - before
        if objective.key in achieved:
            reference = f"{objective.key} {given.period.label}"
            parts.append(
                Part(
                    LineKind.OBJECTIVE,
                    objective.key,
                    reference,
                    given.period.last_day,
                    amount,
                    amount,
                    reference,
                )
            )
            texts = {"achieved": percent(share), "weight": objective.weight.text}
            lines.append(line(LineKind.OBJECTIVE, amount, "objective-achieved", reference, objective.key, **texts))
    for bonus in terms.bonuses:
        amount = round_half_up(pay_minor(bonus.pays, terms.currency, given.target_minor))
        happened = sorted(
            (item for item in given.occurrences if item.bonus == bonus.key), key=lambda item: (item.day, item.reference)
        )
        for count, item in enumerate(happened):
            if bonus.most_count is not None and count >= bonus.most_count:
                lines.append(
                    line(LineKind.BONUS, 0, "bonus-beyond-count", item.reference, bonus.key, most=bonus.most_count)
                )
                continue
            parts.append(Part(LineKind.BONUS, bonus.key, item.reference, item.day, amount, amount, item.reference))
            lines.append(line(LineKind.BONUS, amount, "bonus-paid", item.reference, bonus.key))
    for item in sorted(given.occurrences, key=lambda item: (item.day, item.bonus, item.reference)):
        if item.prize is not None:
            amount = item.prize.amount_minor
            parts.append(Part(LineKind.BONUS, item.bonus, item.reference, item.day, amount, amount, item.reference))
            lines.append(_prize_line(item.bonus, item.reference, item.prize))
    return parts, lines


def _prize_line(component: str, reference: str, prize: Prize) -> SettlementLine:
    """The prize of a contest: by the place, or because the bound was reached."""
    reason = "contest-prize" if prize.words.each_minor is None else "contest-bound"
    texts = {"contest": prize.words.name, "rank": str(prize.rank), "count": str(prize.taking_part)}
    return line(LineKind.BONUS, prize.amount_minor, reason, reference, component, **texts)


def _multiplied(
    parts: Sequence[Part], multiplier: Multiplier, attainment: Fraction
) -> tuple[list[Part], list[SettlementLine]]:
    """The named components times the team's factor; a component's lines add up to its rounded product."""
    factor = multiplier.factor(attainment)
    texts = {"attainment": percent(attainment), "factor": percent(factor)}
    result = {part.key: part for part in parts}
    lines = []
    for component in sorted(set(multiplier.components)):
        same = sorted((part for part in parts if part.component == component), key=lambda part: part.key)
        amounts = scaled([part.amount_minor for part in same], factor)
        for part, amount in zip(same, amounts, strict=True):
            if amount != part.amount_minor:
                result[part.key] = replace(part, amount_minor=amount)
                change = amount - part.amount_minor
                lines.append(line(LineKind.MULTIPLIER, change, "team-factor", part.source, component, **texts))
    return [result[key] for key in sorted(result)], lines


# --- Reversals, adjustments, order --------------------------------------------------------------------------------


def _reversed(given: PeriodInput) -> list[tuple[SettlementLine, SettledPart, int]]:
    """Each reversal as its line, the negative part it leaves, and the days since the booking.

    What an original had come to is negated in proportion; the last of several takes all that is left, so that nothing
    of it remains.
    """
    left: dict[tuple[str, str], SettledPart] = {}
    result = []
    for reversal in sorted(given.reversals, key=_reversal_order):
        key = (reversal.original.component, reversal.original.reference)
        original = left.get(key, reversal.original)
        share = Fraction(-reversal.amount_minor, original.earned_minor)
        stages = tuple(
            Stage(
                stage.limit,
                stage.year,
                -round_half_up(stage.before_minor * share),
                -round_half_up(stage.after_minor * share),
            )
            for stage in original.stages
        )
        part = SettledPart(
            *key, original.day, reversal.amount_minor, -round_half_up(original.settled_minor * share), stages
        )
        left[key] = replace(
            original,
            earned_minor=original.earned_minor + part.earned_minor,
            settled_minor=original.settled_minor + part.settled_minor,
            stages=tuple(
                replace(
                    before,
                    before_minor=before.before_minor + gone.before_minor,
                    after_minor=before.after_minor + gone.after_minor,
                )
                for before, gone in zip(original.stages, stages, strict=True)
            ),
        )
        told = line(
            LineKind.REVERSAL, part.settled_minor, "cancelled", reversal.reference, key[0], original=original.reference
        )
        result.append((told, part, (reversal.day - original.day).days))
    return result


def _forfeited(parts: Sequence[Part]) -> tuple[tuple[Part, ...], list[SettlementLine]]:
    """What somebody who leaves loses of a period that they did not work to its end: every reference that came to more
    than nothing. What came to less stays, to be taken back.
    """
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for part in parts:
        sums[part.component, part.reference] += part.amount_minor
    lost = {key: amount for key, amount in sums.items() if amount > 0}
    kept = tuple(replace(part, amount_minor=0) if (part.component, part.reference) in lost else part for part in parts)
    return kept, [line(LineKind.REVERSAL, -amount, FORFEITED, key[1], key[0]) for key, amount in sorted(lost.items())]


def _reversal_order(reversal: Reversal) -> tuple[date, str, str, str]:
    """One cancellation may take back several lines."""
    return reversal.day, reversal.reference, reversal.original.component, reversal.original.reference


def _reversal_lines(
    taken_back: Sequence[tuple[SettlementLine, SettledPart, int]], terms: Terms, holdings: Holdings
) -> list[SettlementLine]:
    """Reversals against what is held first; of what was paid, as much as the clawback schedule says."""
    lines = []
    for told, part, days in taken_back:
        lines.append(told)
        paid = -part.settled_minor - holdings.set_off((part.component, part.reference), -part.settled_minor)
        if terms.clawback and paid > 0:
            share = terms.clawback.share(days)
            if waived := paid - round_half_up(paid * share):
                texts = {"days": str(days), "share": percent(share)}
                lines.append(
                    line(LineKind.CLAWBACK_WAIVED, waived, "clawback-share", told.reference, told.component, **texts)
                )
    return lines


def _adjustment_lines(given: PeriodInput) -> list[SettlementLine]:
    lines = []
    for item in sorted(given.adjustments, key=lambda item: item.reference):
        texts = {"why": item.reason, "preparer": item.preparer, "approver": item.approver}
        if item.cause:
            texts = {"period": item.reason}
        reason = f"late-{item.cause}" if item.cause else "adjusted"
        lines.append(line(LineKind.ADJUSTMENT, item.amount_minor, reason, item.reference, **texts))
    return lines


def _told(
    amounts: _Amounts, reversals: list[SettlementLine], draw: list[SettlementLine], order: SettlementOrder
) -> list[SettlementLine]:
    """The lines in the order of the plan's convention; each order keeps the steps within its parts."""
    limit_kinds = (LineKind.CAP, LineKind.FLOOR)
    earning, bonus = list(amounts.earning_lines), list(amounts.bonus_lines)
    if order is SettlementOrder.CAP_DRAW_BONUS:
        return [*earning, *reversals, *draw, *bonus]
    if order is SettlementOrder.CAP_BONUS_DRAW:
        return [*earning, *bonus, *reversals, *draw]
    steps = [*earning, *bonus]
    multiplied = [item for item in steps if item.kind is LineKind.MULTIPLIER]
    limited = [item for item in steps if item.kind in limit_kinds]
    first = [item for item in steps if item.kind is not LineKind.MULTIPLIER and item.kind not in limit_kinds]
    return [*first, *multiplied, *limited, *reversals, *draw]


def _sum(lines: Sequence[SettlementLine]) -> int:
    return sum(item.amount_minor for item in lines if item.is_paid)
