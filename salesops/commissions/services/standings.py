"""Reckons who stands where in contests, keeps it to be looked at, and says which prizes a period pays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING

from salesops.commissions.models import Contest, ContestStanding, Period
from salesops.commissions.rules.contests import prizes_won
from salesops.commissions.rules.settlement.facts import Occurrence
from salesops.commissions.selectors.contests import (
    Reckoned,
    contests_around,
    is_paid_in,
    is_settled,
    paid_and_ended,
    reckon,
    words_of,
)
from salesops.commissions.services.transactions import sync_bookings

if TYPE_CHECKING:
    from salesops.commissions.services.drafting import Drafts

#: Prizes to be paid, by person and plan.
Prizes = dict[tuple[int, int], list[Occurrence]]


def lock_contests(period: Period) -> list[Contest]:
    """The contests that the calculation of a period has to do with, locked: one calculation at a time reckons them."""
    return list(contests_around(period).select_for_update())


def renew_standings(contest: Contest, *, at: datetime) -> Reckoned:
    """Reckon a contest with all deals as they are now, and keep who stands where. What did not change is not written.

    One that is final and paid keeps the standings by which it was paid.
    """
    days = Period(start_on=contest.start_on, end_on=contest.end_on)
    sync_bookings(period=days, at=at)
    found = reckon(contest)
    if not (words_of(contest).is_final and is_settled(contest)):
        _store(found, at)
    return found


def _store(found: Reckoned, at: datetime) -> None:
    contest = found.contest
    taking_part = sum(each.takes_part for each in found.standings)
    there = {row.person_id: row for row in ContestStanding.objects.filter(contest=contest)}
    fresh, changed = [], []
    for each in found.standings:
        values = {
            "total_minor": each.total_minor,
            "currency": contest.currency,
            "rank": each.rank,
            "tied": each.tied,
            "taking_part": taking_part,
            "prize_minor": each.prize_minor,
        }
        row = there.pop(each.person, None)
        if row is None:
            fresh.append(ContestStanding(contest=contest, person_id=each.person, **values))
        elif any(getattr(row, name) != value for name, value in values.items()):
            for name, value in values.items():
                setattr(row, name, value)
            changed.append(row)
    ContestStanding.objects.filter(pk__in=[row.pk for row in there.values()]).delete()
    ContestStanding.objects.bulk_create(fresh, batch_size=500)
    ContestStanding.objects.bulk_update(
        changed, ["total_minor", "currency", "rank", "tied", "taking_part", "prize_minor"], batch_size=500
    )
    contest.reckoned_at, contest.problems = at, [problem.as_plain() for problem in found.problems]
    contest.save(update_fields=["reckoned_at", "problems"])


def renew_around(contests: Iterable[Contest], period: Period, *, at: datetime) -> dict[int, Reckoned]:
    """Renew the standings of those contests that have days in a period; by id of the contest."""
    return {each.pk: renew_standings(each, at=at) for each in contests if each.end_on > period.start_on}


def prizes_in(
    contests: Iterable[Contest], reckoned: dict[int, Reckoned], period: Period, *, day: date, at: datetime
) -> Prizes:
    """The prizes that a period pays: of contests whose last day lies in it and is over on this day."""
    found: Prizes = defaultdict(list)
    for contest in paid_and_ended(contests, period, day):
        if contest.pk not in reckoned:
            reckoned[contest.pk] = renew_standings(contest, at=at)
        result = reckoned[contest.pk]
        for person, prize in prizes_won(result.words, result.standings).items():
            found[person, contest.plan_id].append(
                Occurrence(result.words.component, f"contest {contest.key}", result.words.last_day, prize)
            )
    return dict(found)


def late_contests(contests: Iterable[Contest], earlier: Period) -> list[Contest]:
    """The contests that a locked period paid and whose result is not final."""
    return [each for each in contests if is_paid_in(each, earlier) and not words_of(each).is_final]


def tell_problems(drafts: Drafts, reckoned: Collection[Reckoned]) -> None:
    """Hold the statements of winners of contests in which something could not be measured, and say why."""
    for result in reckoned:
        for problem in result.problems:
            if problem not in drafts.problems:
                drafts.problems.append(problem)
            for draft in drafts.by_key.values():
                won = draft.given.occurrences if draft.given else ()
                if any(item.bonus == result.words.component for item in won) and problem not in draft.problems:
                    draft.problems.append(problem)
