"""What speaks against settling a period: facts that are missing, contradict one another or cannot be."""

from collections import Counter
from collections.abc import Iterable, Iterator

from salesops.commissions.rules.settlement.facts import Carried, PeriodInput, Reversal, SettledPart
from salesops.commissions.rules.settlement.terms import Terms, terms_problems
from salesops.values.money import MAX_MINOR
from salesops.values.outcomes import Problem, gettext_noop


def input_problems(given: PeriodInput, terms: Terms, carried: Carried) -> list[Problem]:
    """Everything wrong with what a period is settled from; nothing is settled as long as there is anything."""
    return [
        *terms_problems(terms),
        *_state_problems(given, terms, carried),
        *_target_problems(given, terms),
        *_fact_problems(given, terms),
        *_reversal_problems(given.reversals),
    ]


def bounds_problems(amounts: Iterable[int]) -> list[Problem]:
    """A problem where an amount is more than can be kept, instead of a wrong number."""
    if all(abs(amount) <= MAX_MINOR for amount in amounts):
        return []
    return [
        Problem.of(
            "settlement-beyond-bounds",
            gettext_noop("An amount is larger than can be kept."),
            remedy=gettext_noop("Correct the amount; no pay is that large."),
        )
    ]


def _state_problems(given: PeriodInput, terms: Terms, carried: Carried) -> Iterator[Problem]:
    if carried.currency != terms.currency:
        yield Problem.of(
            "settlement-currency",
            gettext_noop("What is carried over is in %(before)s, and the plan pays in %(now)s."),
            remedy=gettext_noop("Settle what is carried over first, by an adjustment in each currency."),
            before=carried.currency,
            now=terms.currency,
        )
    if carried.until is not None and given.period.start < carried.until:
        yield Problem.of(
            "settlement-period-again",
            gettext_noop("%(period)s begins before %(day)s, up to which pay is settled already."),
            remedy=gettext_noop("Settle periods one after the other, each once."),
            period=given.period.label,
            day=carried.until,
        )


def _target_problems(given: PeriodInput, terms: Terms) -> Iterator[Problem]:
    if terms.uses_target and given.target_minor is None:
        yield Problem.of(
            "target-missing",
            gettext_noop("There is no target pay, and the plan pays by target pay."),
            remedy=gettext_noop("Enter the target pay of this person for the period."),
        )
    if (given.target_minor or 0) < 0:
        yield Problem.of(
            "quota-negative",
            gettext_noop("A quota or target pay is below zero."),
            remedy=gettext_noop("Correct the quota or the target pay."),
        )
    if terms.multiplier and given.team_attainment is None:
        yield Problem.of(
            "team-attainment-missing",
            gettext_noop("The attainment of the team is not known, and the plan pays by it."),
            remedy=gettext_noop("Put the person into a team with a quota, or change the plan."),
        )
    if not 0 <= given.active_share <= 1:
        yield _wrong("active_share", given.active_share)


def _fact_problems(given: PeriodInput, terms: Terms) -> Iterator[Problem]:
    yield from _twice("achieved", (item.objective for item in given.achieved))
    yield from _twice("occurrences", (f"{item.bonus}: {item.reference}" for item in given.occurrences))
    yield from _twice("collections", (item.reference for item in given.collections))
    yield from _twice("adjustments", (item.reference for item in given.adjustments))
    objectives, bonuses = {item.key for item in terms.objectives}, {item.key for item in terms.bonuses}
    for achieved in given.achieved:
        if achieved.objective not in objectives or achieved.share < 0:
            yield _wrong("achieved", f"{achieved.objective}: {achieved.share}")
    for occurrence in given.occurrences:
        prize = occurrence.prize
        is_known = occurrence.bonus in bonuses if prize is None else occurrence.bonus == prize.words.component
        if not is_known or not occurrence.reference:
            yield _wrong("occurrences", f"{occurrence.bonus}: {occurrence.reference}")
        elif prize is not None and prize.words.currency != terms.currency:
            yield Problem.of(
                "contest-currency",
                gettext_noop("The contest “%(contest)s” pays in %(currency)s, and the plan pays in %(now)s."),
                where=occurrence.bonus,
                remedy=gettext_noop("Cancel the contest and pay its prizes by adjustments."),
                contest=prize.words.name,
                currency=prize.words.currency,
                now=terms.currency,
            )
    for collection in given.collections:
        if collection.paid_minor < 0 or collection.invoice_minor < 0:
            yield _wrong("collections", f"{collection.reference}: {collection.paid_minor}/{collection.invoice_minor}")
    for earning in given.earnings:
        if not earning.reference or terms.is_bonus(earning.component):
            yield _wrong("earnings", f"{earning.component}: {earning.reference}")
        if earning.day >= given.period.end:
            yield Problem.of(
                "settlement-day-after-period",
                gettext_noop("%(reference)s is of %(day)s, after the end of the period."),
                where=earning.component,
                remedy=gettext_noop("It belongs into the period of its day."),
                reference=earning.reference,
                day=earning.day,
            )
    for adjustment in given.adjustments:
        is_signed = adjustment.cause or (adjustment.preparer and adjustment.approver)
        if not (adjustment.reference and adjustment.reason.strip() and is_signed):
            yield Problem.of(
                "adjustment-incomplete",
                gettext_noop("The adjustment %(reference)s needs a reason, a preparer and an approver."),
                where="adjustments",
                remedy=gettext_noop("Enter what is missing, and have another person approve it."),
                reference=adjustment.reference,
            )


def _reversal_problems(reversals: tuple[Reversal, ...]) -> Iterator[Problem]:
    yield from _twice(
        "reversals", (f"{item.original.component}: {item.original.reference}: {item.reference}" for item in reversals)
    )
    originals: dict[tuple[str, str], SettledPart] = {}
    taken: Counter[tuple[str, str]] = Counter()
    for reversal in reversals:
        original = reversal.original
        key = (original.component, original.reference)
        taken[key] -= reversal.amount_minor
        is_same = originals.setdefault(key, original) == original
        is_opposite = (reversal.amount_minor > 0) == (original.earned_minor < 0) and original.earned_minor != 0
        if not (reversal.reference and reversal.amount_minor and is_same and is_opposite):
            yield _wrong("reversals", f"{original.component}: {reversal.reference}: {reversal.amount_minor}")
    for key, amount in sorted(taken.items()):
        if abs(amount) > abs(originals[key].earned_minor):
            yield Problem.of(
                "reversal-beyond-original",
                gettext_noop("More of %(reference)s is cancelled than is left of it."),
                where=key[0],
                remedy=gettext_noop("Cancel no more than was credited."),
                reference=key[1],
            )


def _twice(where: str, keys: Iterable[str]) -> list[Problem]:
    return [
        Problem.of(
            "settlement-key-twice",
            gettext_noop("%(key)s is listed twice."),
            where=where,
            remedy=gettext_noop("List it once."),
            key=key,
        )
        for key, count in sorted(Counter(keys).items())
        if count > 1
    ]


def _wrong(where: str, value: object) -> Problem:
    return Problem.of(
        "settlement-impossible",
        gettext_noop("%(value)s is not possible here."),
        where=where,
        remedy=gettext_noop("Correct it together with the fields beside it."),
        value=value,
    )
