"""How well a lead fits and how much it is interested: points by rules, with what limits took off and what would change it.

Fit counts the conditions that hold. Engagement counts what the lead did: each signal keeps `keep_percent` of its points for
each whole period of fading since it happened, rounded once to hundredths of a point, halves away from zero, and is
forgotten after the window. Of the signals that a rule counts at most so many times the newest count. Then, in this order:
points of a group together are at most the group's limit, and each half is at most its limit and at least minus that. All
points are hundredths of a point, as whole numbers.
"""

import enum
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from salesops.leads.rules.fields import EXPONENT, OF_A_LEAD
from salesops.values.formulas import Formula, check
from salesops.values.money import round_half_up
from salesops.values.outcomes import Outcome, Problem, gettext_noop

#: A point in hundredths.
POINT: Final = 100
#: More rules than this nobody reads.
MOST_RULES: Final = 100
#: The highest limit of a half, in points.
HIGHEST_LIMIT: Final = 100_000


class Part(enum.StrEnum):
    """What points count for; the values of choices.ScorePart."""

    FIT = "fit"
    ENGAGEMENT = "engagement"


@dataclass(frozen=True, slots=True)
class Rule:
    """Points for a condition that holds, or for each signal of a kind while the condition holds, if there is one.

    number: its place, by which scores name it. most_times: how many signals count; None for all.
    """

    number: int
    part: Part
    name: str
    points: int
    when: Formula | None = None
    signal: str = ""
    group: str = ""
    most_times: int | None = None


@dataclass(frozen=True)
class Scheme:
    """The rules of a version. Limits and edges are in points; grades are A to C by fit and 1 to 3 by engagement.

    groups: the most that rules of each group count together.
    """

    rules: tuple[Rule, ...]
    groups: Mapping[str, int]
    fit_limit: int = 100
    fit_a: int = 60
    fit_b: int = 30
    engagement_limit: int = 100
    engagement_1: int = 50
    engagement_2: int = 20
    keep_percent: int = 50
    fading_days: int = 30
    window_days: int = 90

    @property
    def fading(self) -> timedelta:
        """A period of fading."""
        return timedelta(days=self.fading_days)

    @property
    def window(self) -> timedelta:
        """After which a signal is forgotten."""
        return timedelta(days=self.window_days)

    def of(self, part: Part) -> list[Rule]:
        """The rules of a half, in their order."""
        return [rule for rule in self.rules if rule.part is part]

    def limit(self, part: Part) -> int:
        """The most for a half, in hundredths."""
        return POINT * (self.fit_limit if part is Part.FIT else self.engagement_limit)

    def fields(self) -> set[str]:
        """The fields that conditions ask for."""
        return {name for rule in self.rules if rule.when for name in rule.when.fields}

    def grade(self, fit: int, engagement: int) -> str:
        """A1 to C3, for hundredths of points."""
        letter = "A" if fit >= POINT * self.fit_a else "B" if fit >= POINT * self.fit_b else "C"
        digit = (
            "1" if engagement >= POINT * self.engagement_1 else "2" if engagement >= POINT * self.engagement_2 else "3"
        )
        return letter + digit


@dataclass(frozen=True, slots=True)
class Signal:
    """Something a lead did. number: its key, which orders signals of one moment."""

    kind: str
    happened_at: datetime
    number: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """What a rule brought before limits: hundredths, and how many times it counted. each: its signals, newest first."""

    number: int
    points: int
    times: int
    each: tuple[tuple[datetime, int], ...] = ()


@dataclass(frozen=True)
class Half:
    """Fit, or engagement. total: after all limits. taken: what the limit of each group took off; over: the half's own."""

    total: int
    lines: tuple[Line, ...]
    taken: Mapping[str, int]
    over: int


@dataclass(frozen=True)
class Score:
    """The score of a lead at a moment.

    fades_at: when a signal next fades, is forgotten or, told ahead of time, begins to count; None when it stays so.
    without_value: rules whose condition has no value for this lead, which therefore brought nothing, and why.
    """

    fit: Half
    engagement: Half
    grade: str
    fades_at: datetime | None = None
    without_value: Mapping[int, Problem] | None = None

    def parts(self) -> dict[str, Any]:
        """The parts as they are stored."""
        return {
            "fit": [[line.number, line.points, line.times] for line in self.fit.lines],
            "engagement": [[line.number, line.points, line.times] for line in self.engagement.lines],
            "groups": dict(self.fit.taken) | dict(self.engagement.taken),
            "over": [self.fit.over, self.engagement.over],
        }


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that would lift the grade: rules that would have to hold (or no longer hold), or more signals of a kind.

    fit, engagement: hundredths as they would be then.
    """

    grade: str
    fit: int
    engagement: int
    holds: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()
    signal: str = ""
    times: int = 0


# --- A scheme ------------------------------------------------------------------------------------------------------


def scheme_of(plain: Mapping[str, Any]) -> Outcome[Scheme]:
    """A version's rules from plain data, or everything that is wrong with them, each with the rule it is about."""
    problems: list[Problem] = []
    rules: list[Rule] = []
    groups = {str(group["name"]): int(group["limit"]) for group in plain["groups"]}
    for row in sorted(plain["rules"], key=lambda row: int(row["position"])):
        where = str(row["name"])
        when = None
        if row["condition"].strip():
            read = check(row["condition"], OF_A_LEAD)
            problems.extend(replace(problem, where=where) for problem in read.problems)
            when = read.value
        rules.append(
            Rule(
                number=int(row["position"]),
                part=Part(row["part"]),
                name=where,
                points=int(row["points"]),
                when=when,
                signal=row["signal"],
                group=row["group"],
                most_times=row["most_times"],
            )
        )
    numbers = {name: int(plain[name]) for name in _NUMBERS}
    scheme = Scheme(tuple(rules), groups, **numbers)
    problems.extend(_faults(scheme))
    return Outcome.bad(*problems) if problems else Outcome.good(scheme)


_NUMBERS: Final = (
    "fit_limit",
    "fit_a",
    "fit_b",
    "engagement_limit",
    "engagement_1",
    "engagement_2",
    "keep_percent",
    "fading_days",
    "window_days",
)


def _faults(scheme: Scheme) -> Iterable[Problem]:
    if not scheme.rules:
        yield Problem.of("score-no-rules", gettext_noop("There are no rules yet."))
    if len(scheme.rules) > MOST_RULES:
        yield Problem.of("score-many-rules", gettext_noop("There are more than %(most)s rules."), most=MOST_RULES)
    for rule in scheme.rules:
        if rule.part is Part.ENGAGEMENT and rule.most_times == 0:
            yield Problem.of("score-never", gettext_noop("The rule counts at most 0 times."), where=rule.name)
        if rule.group and rule.group not in scheme.groups:
            yield Problem.of(
                "score-group-unknown",
                gettext_noop("There is no group “%(group)s” in this version."),
                where=rule.name,
                group=rule.group,
            )
    for name in scheme.groups:
        if len({rule.part for rule in scheme.rules if rule.group == name}) > 1:
            yield Problem.of(
                "score-group-mixed",
                gettext_noop("The group has rules for fit and for engagement: it can limit only one of them."),
                where=name,
                remedy=gettext_noop("Make a group for each."),
            )
    for label, limit, high, low in (
        (gettext_noop("Fit"), scheme.fit_limit, scheme.fit_a, scheme.fit_b),
        (gettext_noop("Engagement"), scheme.engagement_limit, scheme.engagement_1, scheme.engagement_2),
    ):
        if high <= low:
            yield Problem.of("score-edges", gettext_noop("The upper edge is not above the lower one."), where=label)
        if high > limit:
            yield Problem.of(
                "score-edge-unreachable",
                gettext_noop("The best grade begins at %(edge)s points, but no more than %(limit)s count."),
                where=label,
                edge=high,
                limit=limit,
            )
        if limit > HIGHEST_LIMIT:
            yield Problem.of(
                "score-limit-high",
                gettext_noop("The limit is above %(most)s points."),
                where=label,
                most=HIGHEST_LIMIT,
            )


# --- One lead ------------------------------------------------------------------------------------------------------


def faded(points: int, periods: int, keep_percent: int) -> int:
    """What is left of so many points after whole periods of fading, in hundredths, rounded once from the exact fraction."""
    if keep_percent == 100:
        return points * POINT
    return round_half_up(points * POINT * keep_percent**periods, 100**periods)


def score(scheme: Scheme, facts: Mapping[str, Any], signals: Collection[Signal], at: datetime) -> Score:
    """The score of a lead with these facts (the fields of OF_A_LEAD and `exponent`) and signals, at a moment."""
    holds, without_value = _holding(scheme, facts)
    return replace(_scored(scheme, holds, signals, at), without_value=without_value)


def _holding(scheme: Scheme, facts: Mapping[str, Any]) -> tuple[set[int], dict[int, Problem]]:
    """The rules whose condition holds, and why others have no value."""
    holds: set[int] = set()
    without: dict[int, Problem] = {}
    for rule in scheme.rules:
        if rule.when is None or rule.when.evaluate(facts, EXPONENT) is True:
            holds.add(rule.number)
        elif (problem := rule.when.missing(facts, EXPONENT)) is not None:
            without[rule.number] = problem
    return holds, without


def _scored(scheme: Scheme, holds: Collection[int], signals: Collection[Signal], at: datetime) -> Score:
    fit = [Line(rule.number, rule.points * POINT, 1) for rule in scheme.of(Part.FIT) if rule.number in holds]
    of_kind: dict[str, list[Signal]] = defaultdict(list)
    for signal in sorted(signals, key=lambda signal: (signal.happened_at, signal.number), reverse=True):
        of_kind[signal.kind].append(signal)
    engagement: list[Line] = []
    turns: list[datetime] = []
    for rule in scheme.of(Part.ENGAGEMENT):
        if rule.number not in holds:
            continue
        line, turning = _engaged(scheme, rule, of_kind.get(rule.signal, ()), at)
        turns.extend(turning)
        if line.times:
            engagement.append(line)
    halves = [_limited(scheme, part, lines) for part, lines in ((Part.FIT, fit), (Part.ENGAGEMENT, engagement))]
    grade = scheme.grade(halves[0].total, halves[1].total)
    return Score(halves[0], halves[1], grade, min(turns, default=None))


def _engaged(scheme: Scheme, rule: Rule, signals: Sequence[Signal], at: datetime) -> tuple[Line, list[datetime]]:
    """What a rule makes of signals of its kind, newest first, and when each of them counts otherwise."""
    turns = [signal.happened_at for signal in signals if signal.happened_at > at]
    fresh = [signal for signal in signals if timedelta(0) <= at - signal.happened_at < scheme.window]
    each = []
    for signal in fresh[: rule.most_times]:
        periods = (at - signal.happened_at) // scheme.fading
        points = faded(rule.points, periods, scheme.keep_percent)
        each.append((signal.happened_at, points))
        if points:
            fades = scheme.window if scheme.keep_percent == 100 else min(scheme.fading * (periods + 1), scheme.window)
            turns.append(signal.happened_at + fades)
    return Line(rule.number, sum(points for _at, points in each), len(each), tuple(each)), turns


def _limited(scheme: Scheme, part: Part, lines: Sequence[Line]) -> Half:
    group_of = {rule.number: rule.group for rule in scheme.rules}
    sums: dict[str, int] = defaultdict(int)
    for line in lines:
        sums[group_of[line.number]] += line.points
    taken = {}
    for name, total in sums.items():
        if name and total > POINT * scheme.groups[name]:
            taken[name] = total - POINT * scheme.groups[name]
    together = sum(sums.values()) - sum(taken.values())
    total = max(-scheme.limit(part), min(scheme.limit(part), together))
    return Half(total, tuple(lines), taken, together - total)


# --- What would change it ------------------------------------------------------------------------------------------

#: So many ways to a better grade are named for each half.
_MOST_CHANGES: Final = 3
#: Nobody is told to do a thing more often than this.
_MOST_TIMES: Final = 5


def changes(scheme: Scheme, facts: Mapping[str, Any], signals: Collection[Signal], at: datetime) -> list[Change]:
    """What would lift the letter, and what the digit, of a lead's grade: for each half the nearest ways first.

    Where no single condition would lift the letter, the fewest that would together; nothing where none would.
    """
    holds, _without = _holding(scheme, facts)
    now = _scored(scheme, holds, signals, at)
    return _of_fit(scheme, holds, signals, at, now) + _of_engagement(scheme, holds, signals, at, now)


def _of_fit(
    scheme: Scheme, holds: Collection[int], signals: Collection[Signal], at: datetime, now: Score
) -> list[Change]:
    able = [rule for rule in scheme.of(Part.FIT) if (rule.points > 0) != (rule.number in holds)]

    def after(rules: Sequence[Rule]) -> Change:
        numbers = {rule.number for rule in rules}
        then = _scored(scheme, set(holds) ^ numbers, signals, at)
        begun = tuple(rule.number for rule in rules if rule.number not in holds)
        ended = tuple(rule.number for rule in rules if rule.number in holds)
        return Change(then.grade, then.fit.total, then.engagement.total, begun, ended)

    singles = [change for change in (after([rule]) for rule in able) if change.grade[0] < now.grade[0]]
    if singles or now.grade[0] == "A":
        return sorted(singles, key=lambda change: change.fit)[:_MOST_CHANGES]
    strongest = sorted(able, key=lambda rule: after([rule]).fit, reverse=True)
    for count in range(2, len(strongest) + 1):
        change = after(strongest[:count])
        if change.grade[0] < now.grade[0]:
            return [change]
    return []


def _of_engagement(
    scheme: Scheme, holds: Collection[int], signals: Collection[Signal], at: datetime, now: Score
) -> list[Change]:
    found = []
    kinds = {rule.signal: None for rule in scheme.of(Part.ENGAGEMENT) if rule.points > 0 and rule.number in holds}
    newest = max((signal.number for signal in signals), default=0)
    for kind in kinds:
        for times in range(1, _MOST_TIMES + 1):
            more = [Signal(kind, at, newest + place) for place in range(1, times + 1)]
            then = _scored(scheme, holds, [*signals, *more], at)
            if then.grade[1] < now.grade[1]:
                found.append(Change(then.grade, then.fit.total, then.engagement.total, signal=kind, times=times))
                break
    return sorted(found, key=lambda change: (change.times, change.engagement))[:_MOST_CHANGES]
