"""Reads score rules, what leads did, and scores with what would change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from django.db.models import Q

from salesops.core.actor import Actor
from salesops.leads.choices import LeadStatus, SignalKind, VersionState
from salesops.leads.models import Lead, LeadScore, LeadSignal, ScoreVersion
from salesops.leads.rules.score_columns import SignalColumns, microseconds
from salesops.leads.rules.scoring import Change, Scheme, Score, Signal, changes, scheme_of, score
from salesops.leads.selectors.fields import facts_of
from salesops.values.outcomes import Outcome

#: The numbers of a version that its rules are read with.
NUMBERS: Final = (
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
_KINDS: Final = tuple(SignalKind.values)
_PLACES: Final[Mapping[str, int]] = {kind: place for place, kind in enumerate(_KINDS)}


def score_rules_in_force() -> ScoreVersion | None:
    """The version by which leads are scored; None before the first is put in force."""
    return ScoreVersion.objects.filter(state=VersionState.ACTIVE).first()


def scheme_of_version(version: ScoreVersion) -> Outcome[Scheme]:
    """The rules of a version, or everything that is wrong with them; two queries."""
    rules = version.rules.order_by("position").values(
        "position", "part", "name", "condition", "signal", "points", "most_times", "group__name"
    )
    return scheme_of(
        {
            "rules": [{**row, "group": row["group__name"] or ""} for row in rules],
            "groups": list(version.groups.order_by("name").values("name", "limit")),
            **{name: getattr(version, name) for name in NUMBERS},
        }
    )


def signals_in(keys: Sequence[int], scheme: Scheme, at: datetime, *, is_range: bool = False) -> SignalColumns:
    """Signals of leads that may still count under a scheme, in columns; two queries, three where leads were merged.

    What a lead did that was merged into one of these counts for that one. is_range: all leads between the first and the
    last key.
    """

    def of(column: str) -> Q:
        if is_range:
            return Q(**{f"{column}__gte": keys[0], f"{column}__lte": keys[-1]})
        return Q(**{f"{column}__in": keys})

    into = dict(Lead.every.filter(of("merged_into")).order_by().values_list("pk", "merged_into_id"))
    kinds = {rule.signal for rule in scheme.rules if rule.signal}
    found: list[tuple[int, int, int, int]] = []
    for which in (of("lead"), Q(lead__in=into)) if into else (of("lead"),):
        rows = LeadSignal.objects.filter(which, kind__in=kinds, happened_at__gt=at - scheme.window).order_by()
        found.extend(
            (into.get(lead, lead), _PLACES[kind], microseconds(moment), number)
            for lead, kind, moment, number in rows.values_list("lead_id", "kind", "happened_at", "pk").iterator(20_000)
        )
    table = np.array(found, dtype=np.int64).reshape(len(found), 4)
    return SignalColumns(_KINDS, *(np.ascontiguousarray(table[:, place]) for place in range(4)))


def signals_of(lead: Lead, scheme: Scheme, at: datetime) -> list[Signal]:
    """The same of one lead; two queries: asked as "of this one or of one merged into it", databases read everybody's."""
    leads = [lead.pk, *Lead.every.filter(merged_into=lead).order_by().values_list("pk", flat=True)]
    rows = LeadSignal.objects.filter(lead__in=leads, happened_at__gt=at - scheme.window)
    return [Signal(*row) for row in rows.order_by().values_list("kind", "happened_at", "pk")]


# --- What came of leads -----------------------------------------------------------------------------------------------

#: So many of the latest leads tell what a grade is worth, and fewer than so many say nothing.
_LATEST: Final = 1_000
_LEAST: Final = 5


@dataclass(frozen=True, slots=True)
class GradeRecord:
    """How the latest leads ended that had a grade when they were closed: how many, and how many were converted.

    A whole company's, so that it says the same to everybody.
    """

    grade: str
    decided: int
    won: int

    @property
    def is_enough(self) -> bool:
        """Whether anything can be said."""
        return self.decided >= _LEAST


def record_of_grade(grade: str) -> GradeRecord:
    """How leads of this grade ended; what is closed keeps the score that it had. One query."""
    closed = (LeadStatus.CONVERTED, LeadStatus.DISQUALIFIED)
    rows = LeadScore.objects.filter(grade=grade, lead__status__in=closed, lead__removed_at=None).order_by("-lead_id")
    ended = list(rows.values_list("lead__status", flat=True)[:_LATEST])
    return GradeRecord(grade, len(ended), ended.count(LeadStatus.CONVERTED))


# --- One lead, for people -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Brought:
    """What a rule brought to a lead: points, how many times, and its signals, newest first. why_not: it has no value."""

    name: str
    points: float
    times: int
    group: str = ""
    each: Sequence[tuple[datetime, float]] = ()
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class HalfShown:
    """Fit or engagement for people. taken: what limits of groups took off, by name; over: what the half's own did."""

    points: float
    limit: int
    brought: Sequence[Brought]
    taken: Sequence[tuple[str, float]]
    over: float


@dataclass(frozen=True, slots=True)
class Way:
    """Something that would lift the grade, in the words of the rules."""

    grade: str
    holds: Sequence[str]
    ends: Sequence[str]
    signal: str
    times: int


@dataclass(frozen=True, slots=True)
class ScoreShown:
    """A lead's score under a version at a moment, with all that a person asks about it.

    stored: as lists show it, None before the first calculation. is_newer: something changed since, and the stored one
    follows within seconds. fades_at, then: when it next changes by itself, and its points and grade from then on.
    """

    version: ScoreVersion
    grade: str
    fit: HalfShown
    engagement: HalfShown
    ways: Sequence[Way]
    stored: LeadScore | None
    is_newer: bool
    fades_at: datetime | None
    then: tuple[float, str] | None


def score_shown(actor: Actor, lead: Lead, at: datetime, version: ScoreVersion | None = None) -> ScoreShown | None:
    """The score of a lead that the actor sees: by the rules in force, or by another version to try it.

    None without rules in force, or for a version that cannot be read.
    """
    stored = LeadScore.objects.visible_to(actor).filter(lead=lead).first()
    version = version or score_rules_in_force()
    if version is None:
        return None
    scheme = scheme_of_version(version).value
    if scheme is None:
        return None
    facts, signals = facts_of(lead), signals_of(lead, scheme, at)
    found = score(scheme, facts, signals, at)
    then = score(scheme, facts, signals, found.fades_at) if found.fades_at else None
    is_same = stored is not None and (stored.version_id, stored.grade, stored.fit, stored.engagement) == (
        version.pk,
        found.grade,
        found.fit.total // 100,
        found.engagement.total,
    )
    return ScoreShown(
        version=version,
        grade=found.grade,
        fit=_half(scheme, found, is_fit=True),
        engagement=_half(scheme, found, is_fit=False),
        ways=[_way(scheme, change) for change in changes(scheme, facts, signals, at)],
        stored=stored,
        is_newer=not is_same,
        fades_at=found.fades_at,
        then=(then.engagement.total / 100, then.grade) if then else None,
    )


def _half(scheme: Scheme, found: Score, *, is_fit: bool) -> HalfShown:
    half = found.fit if is_fit else found.engagement
    rules = {rule.number: rule for rule in scheme.rules}
    brought = [
        Brought(
            name=rules[line.number].name,
            points=line.points / 100,
            times=line.times,
            group=rules[line.number].group,
            each=[(moment, points / 100) for moment, points in line.each],
        )
        for line in half.lines
    ]
    for number, problem in (found.without_value or {}).items():
        if (rules[number].part == "fit") == is_fit:
            brought.append(Brought(rules[number].name, 0, 0, why_not=problem.text()))
    return HalfShown(
        points=half.total / 100,
        limit=scheme.fit_limit if is_fit else scheme.engagement_limit,
        brought=brought,
        taken=[(name, points / 100) for name, points in half.taken.items()],
        over=half.over / 100,
    )


def _way(scheme: Scheme, change: Change) -> Way:
    names = {rule.number: rule.name for rule in scheme.rules}
    return Way(
        grade=change.grade,
        holds=[names[number] for number in change.holds],
        ends=[names[number] for number in change.ends],
        signal=str(SignalKind(change.signal).label) if change.signal else "",
        times=change.times,
    )
