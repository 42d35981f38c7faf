"""Contests: who stands where by what was credited over some days, and which prizes that comes to.

Totals in, standings out. Amounts are minor units of the contest's currency, people are numbers. Nothing here knows whose
pay is calculated, so everybody's statement is told the same ranks.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction
from itertools import groupby, pairwise
from typing import Any, Final

from salesops.commissions.rules.conventions import Conventions, Refund
from salesops.commissions.rules.credits import DEFAULT_RULES, CreditRule
from salesops.commissions.rules.plans import DEFAULT_KINDS, MOST_FORMULA, Component, PlanDefinition, digest_of
from salesops.commissions.rules.settlement.plain import as_plain, from_plain
from salesops.commissions.rules.settlement.terms import CONTEST
from salesops.commissions.rules.shapes import Number, Row, Shape, ShapeKind, Unit
from salesops.values.money import MAX_MINOR
from salesops.values.outcomes import Outcome, Problem, gettext_noop
from salesops.values.periods import PeriodKind
from salesops.values.split import split_by_largest_remainder

#: More places than these are no prizes any more, and longer than a year no contest.
MOST_PRIZES: Final = 100
MOST_DAYS: Final = 366

_KEY = re.compile(r"[a-z][a-z0-9_]{0,30}", re.ASCII)


class Ties(StrEnum):
    """What those with exactly the same total get. The places that they take are gone for others either way.

    share: the prizes of all the places that they take, in equal parts. higher: each of them the highest of these.
    """

    SHARE = "share"
    HIGHER = "higher"


@dataclass(frozen=True)
class ContestWords:
    """What a contest says. In force none of it changes; its digest is of this.

    start, end: the days that count, half-open. plans, pods: numbers of those whose people on the first day are in.
    paid_by: the plan into which prizes are paid, in its currency, time zone and kind of period.
    counts, when, amount, crediting: what is measured, as a component says it.
    minimum_minor: the least total with which somebody takes part; 1 is anything at all.
    prizes_minor: what the places 1, 2 ... pay, none more than the one before. Instead of them, each_minor is paid to
    everybody whose total is bound_minor or more.
    shows_names: whether those who are in read who stands where. is_final: whether late changes leave the result alone.
    """

    key: str
    name: str
    start: date
    end: date
    paid_by: int
    currency: str
    time_zone: str
    period_kind: PeriodKind
    plans: tuple[int, ...] = ()
    pods: tuple[int, ...] = ()
    counts: tuple[str, ...] = DEFAULT_KINDS
    when: str = ""
    amount: str = ""
    crediting: tuple[CreditRule, ...] = DEFAULT_RULES
    minimum_minor: int = 1
    prizes_minor: tuple[int, ...] = ()
    bound_minor: int | None = None
    each_minor: int | None = None
    ties: Ties = Ties.SHARE
    shows_names: bool = False
    is_final: bool = False

    @property
    def component(self) -> str:
        """What prizes of the contest are called among the components of a settlement."""
        return f"{CONTEST}{self.key}"

    @property
    def last_day(self) -> date:
        """The last day that counts: the period in which it lies pays the prizes."""
        return self.end - timedelta(days=1)

    @property
    def offered_minor(self) -> int | None:
        """The sum of all prizes offered by places; None where everybody at the bound gets one."""
        return None if self.each_minor is not None else sum(self.prizes_minor)

    def as_plain(self) -> dict[str, Any]:
        """The words as plain JSON data."""
        plain: dict[str, Any] = as_plain(self)
        return plain

    def digest(self) -> str:
        """SHA-256 of the plain words in canonical form, as 64 hexadecimal digits."""
        return digest_of(self.as_plain())


@dataclass(frozen=True)
class Standing:
    """Where a person stands. Who stays below the minimum takes no part: rank, tied and turn are then 0.

    rank: the number of totals above theirs, plus one. tied: how many have exactly this total, themselves among them.
    turn: which of these the person is, by number, from 1; it says who gets the cents that cannot be parted.
    """

    person: int
    total_minor: int
    rank: int = 0
    tied: int = 0
    turn: int = 0
    prize_minor: int = 0

    @property
    def takes_part(self) -> bool:
        """Whether the minimum is reached."""
        return self.rank > 0


@dataclass(frozen=True)
class Prize:
    """What a prize was made from, kept with the statement that pays it: from these the amount follows.

    totals_digest: of the totals of all who take part, the highest first, without names; it lets whoever holds them
    prove that the rank is right.
    """

    words: ContestWords
    digest: str
    total_minor: int
    rank: int
    taking_part: int
    tied: int
    turn: int
    totals_digest: str
    amount_minor: int


def words_from_plain(data: object, where: str = "contest") -> Outcome[ContestWords]:
    """Read what `ContestWords.as_plain` wrote; what cannot be read comes back as problems with their place."""
    return from_plain(ContestWords, data, where)


def standings(words: ContestWords, totals: Mapping[int, int]) -> tuple[Standing, ...]:
    """Where everybody stands who is in, the highest total first, ties by number of the person; with their prizes."""

    def by_place(person: int) -> tuple[int, int]:
        return -totals[person], person

    found: list[Standing] = []
    for total, group in groupby(sorted(totals, key=by_place), key=lambda person: totals[person]):
        people = list(group)
        if total < max(words.minimum_minor, 1):
            found.extend(Standing(person, total) for person in people)
            continue
        rank = len(found) + 1
        parts = prizes_of(words, total=total, rank=rank, tied=len(people))
        found.extend(
            Standing(person, total, rank, len(people), turn, part)
            for turn, (person, part) in enumerate(zip(people, parts, strict=True), 1)
        )
    return tuple(found)


def prizes_of(words: ContestWords, *, total: int, rank: int, tied: int) -> list[int]:
    """The prizes of those who share a rank with this total, in the order of their numbers."""
    if words.each_minor is not None and words.bound_minor is not None:
        return [words.each_minor if total >= words.bound_minor else 0] * tied
    places = words.prizes_minor[rank - 1 : rank - 1 + tied]
    if not places:
        return [0] * tied
    if words.ties is Ties.HIGHER:
        return [places[0]] * tied
    return split_by_largest_remainder(sum(places), [1] * tied, range(tied))


def totals_digest(totals: Iterable[int]) -> str:
    """SHA-256 over the totals of all who take part, the highest first."""
    return digest_of(sorted(totals, reverse=True))


def prizes_won(words: ContestWords, found: Iterable[Standing]) -> dict[int, Prize]:
    """The prizes of those who won one, by person, with what they were made from."""
    ranked = [each for each in found if each.takes_part]
    digest, of_totals = words.digest(), totals_digest(each.total_minor for each in ranked)
    return {
        each.person: Prize(
            words, digest, each.total_minor, each.rank, len(ranked), each.tied, each.turn, of_totals, each.prize_minor
        )
        for each in ranked
        if each.prize_minor
    }


def measured_by(words: ContestWords) -> PlanDefinition:
    """A plan that pays nothing and measures what the contest measures, for the engine.

    What takes something back takes it off the total, if what it takes back counted in the contest.
    """
    nothing = Row(Number("0", Fraction(0), Unit.AMOUNT), Number("0%", Fraction(0), Unit.SHARE))
    return PlanDefinition(
        currency=words.currency,
        time_zone=words.time_zone,
        period_kind=PeriodKind.YEAR,
        components=(
            Component(
                key="contest",
                name=words.name,
                shape=Shape(ShapeKind.FLAT, (nothing,)),
                crediting=words.crediting,
                counts=words.counts,
                when=words.when,
                amount=words.amount,
            ),
        ),
        conventions=Conventions(refund=Refund.MOVE_DOWN),
    )


# --- What is wrong with a contest ---------------------------------------------------------------------------------


def contest_problems(words: ContestWords) -> list[Problem]:
    """What keeps a contest from being kept; formulas and what only the portal knows are asked elsewhere.

    where: the field.
    """
    found = [*_problems_of_who_and_when(words), *_problems_of_prizes(words)]
    if not words.counts or not words.crediting:
        found.append(
            _problem("counts", gettext_noop("Nothing is counted."), gettext_noop("Choose what counts, and who for."))
        )
    for name in ("when", "amount"):
        if len(getattr(words, name)) > MOST_FORMULA:
            found.append(_problem(name, gettext_noop("The formula is too long."), gettext_noop("Shorten the formula.")))
    return found


def _problems_of_who_and_when(words: ContestWords) -> list[Problem]:
    found = []
    if not _KEY.fullmatch(words.key):
        found.append(
            _problem(
                "key",
                gettext_noop("This cannot be a key."),
                gettext_noop("Write a-z first, then a-z, 0-9 and _, at most 31 in all."),
            )
        )
    if not words.name.strip():
        found.append(_problem("name", gettext_noop("The contest has no name."), gettext_noop("Give it a name.")))
    if not 0 < (words.end - words.start).days <= MOST_DAYS:
        found.append(
            _problem(
                "last_day",
                gettext_noop("The days are none, or more than a year."),
                gettext_noop("Let it end on its first day or later, within a year."),
            )
        )
    if not words.plans and not words.pods:
        found.append(
            _problem("plans", gettext_noop("Nobody is in."), gettext_noop("Choose plans or pods whose people are in."))
        )
    return found


def _problems_of_prizes(words: ContestWords) -> list[Problem]:
    found = []
    prizes = words.prizes_minor
    is_by_bound = words.bound_minor is not None or words.each_minor is not None
    if bool(prizes) == is_by_bound:
        found.append(
            _problem(
                "prizes",
                gettext_noop("There must be prizes for places, or one for everybody at a bound."),
                gettext_noop("Fill in the one or the other."),
            )
        )
    if is_by_bound and (words.bound_minor is None or words.each_minor is None):
        found.append(
            _problem(
                "each",
                gettext_noop("A bound and what is paid at it belong together."),
                gettext_noop("Fill in both, or neither."),
            )
        )
    if any(low > high for high, low in pairwise(prizes)) or len(prizes) > MOST_PRIZES:
        found.append(
            _problem(
                "prizes",
                gettext_noop("A place pays more than the one before it, or there are too many."),
                gettext_noop("Begin with the highest prize; there may be a hundred."),
            )
        )
    for name, amounts in (
        ("prizes", prizes),
        ("minimum", (words.minimum_minor,)),
        ("bound", () if words.bound_minor is None else (words.bound_minor,)),
        ("each", () if words.each_minor is None else (words.each_minor,)),
    ):
        if any(not 0 < amount <= MAX_MINOR // MOST_PRIZES for amount in amounts):
            found.append(
                _problem(
                    name,
                    gettext_noop("An amount is not above zero, or more than can be paid."),
                    gettext_noop("Correct the amount."),
                )
            )
    return found


def _problem(where: str, text: str, remedy: str) -> Problem:
    return Problem.of("contest-impossible", text, where=where, remedy=remedy)
