"""Reads scores: one's own with every part, those of the people below, and what is told beside them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from django.db.models import QuerySet, Sum
from django.http import Http404

from salesops.core import features
from salesops.core.actor import Actor, Noun, Scope
from salesops.effort.choices import EFFORT, GOOD, CountedKind
from salesops.effort.models import EffortCheckIn, EffortContest, EffortDay, EffortLook, EffortPolicy, EffortScore
from salesops.effort.querysets import switched_on
from salesops.effort.rules.hints import Hint, Worked, busier_hints, hints_for
from salesops.effort.selectors.groups import smallest_group
from salesops.effort.selectors.policies import is_shown_to, policy_of_person
from salesops.people.models import User

#: Weeks that the chart of a person shows.
TREND: Final = 12
#: Weeks that hints are taken from.
HINT_WEEKS: Final = 4
#: Looks that a page shows.
LOOKS: Final = 50


def scores_for(actor: Actor) -> QuerySet[EffortScore]:
    """The scores that the actor sees: their own and, for managers, those of the people below them."""
    if not features.is_on(EFFORT):
        return EffortScore.objects.none()
    rows: QuerySet[EffortScore] = EffortScore.objects.visible_to(actor)
    return rows


def team_scores_for(actor: Actor) -> QuerySet[EffortScore]:
    """The scores of the people below the actor, without the actor's own."""
    return scores_for(actor).filter(person_id__in=actor.tree_ids)


def person_with_effort(actor: Actor, pk: int) -> User:
    """The person whose effort page this is: oneself, or somebody below who has it switched on. Raises Http404."""
    if pk == actor.user_id:
        return User.objects.get(pk=pk)
    if actor.sight(Noun.EFFORT) < Scope.TREE or pk not in actor.tree_ids or not features.is_on(EFFORT):
        raise Http404
    person = User.objects.filter(pk=pk, legal_entity_id__in=switched_on()).first()
    if person is None:
        raise Http404
    return person


@dataclass(frozen=True, slots=True)
class ShownPart:
    """One part of a score as it is shown. percent: of the target, whole; bar: of the cap, for the bar."""

    kind: str
    label: str
    count: int
    good: int
    has_quality: bool
    target: Decimal
    weight: int
    points: Decimal
    is_capped: bool
    percent: int
    quality_bp: int | None


def shown_parts(score: EffortScore) -> list[ShownPart]:
    """The parts of a score."""
    labels = dict(CountedKind.choices)
    found = []
    for kind, count, good, target, weight, points, is_capped in score.parts:
        has_quality = kind in GOOD
        exact = Fraction(target)
        found.append(
            ShownPart(
                kind,
                str(labels.get(kind, kind)),
                count,
                good,
                has_quality,
                round(Decimal(exact.numerator) / exact.denominator, 1),
                weight,
                Decimal(points) / 100,
                is_capped,
                round(count * 100 / exact) if exact else 0,
                (good * 20_000 + count) // (count * 2) if has_quality and count else None,
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class EffortPage:
    """All that is shown of one person's effort."""

    person: User
    policy: EffortPolicy | None
    is_on: bool
    scores: list[EffortScore] = field(default_factory=list)  # the latest last
    current: EffortScore | None = None
    parts: list[ShownPart] = field(default_factory=list)
    check_in: EffortCheckIn | None = None
    contests: list[EffortContest] = field(default_factory=list)
    looks: list[EffortLook] = field(default_factory=list)
    hints: list[Hint] = field(default_factory=list)


def effort_page_for(actor: Actor, person: User, *, week_on: date | None = None) -> EffortPage:
    """The page of a person that `person_with_effort` gave: a week (the latest without one), the trend, doubts, looks.

    Hints and looks are for the person alone.
    """
    policy = policy_of_person(person.pk)
    if policy is None or not is_shown_to(policy):
        return EffortPage(person, policy, is_on=False)
    is_own = person.pk == actor.user_id
    rows = list(scores_for(actor).filter(person=person).select_related("version").order_by("-week_on")[:TREND])
    current = next((row for row in rows if row.week_on == week_on), None)
    if current is None and week_on is not None:
        current = scores_for(actor).filter(person=person, week_on=week_on).select_related("version").first()
    if current is None:
        current = rows[0] if rows else None
    contests = EffortContest.objects.visible_to(actor).filter(person=person).select_related("activity", "decided_by")
    check_ins = EffortCheckIn.objects.visible_to(actor).filter(person=person, ended_at__isnull=True)
    if not is_own:
        check_ins = check_ins.exclude(manager_told_at=None)
    return EffortPage(
        person=person,
        policy=policy,
        is_on=True,
        scores=rows[::-1],
        current=current,
        parts=shown_parts(current) if current else [],
        check_in=check_ins.first(),
        contests=list(contests[:20]),
        looks=list(EffortLook.objects.visible_to(actor).select_related("viewer")[:LOOKS]) if is_own else [],
        hints=hints_of(rows, least=smallest_group()) if is_own else [],
    )


def worked_in(scores: Iterable[EffortScore]) -> Worked:
    """What some weeks of one person come to."""
    days, counts = Fraction(0), dict[str, tuple[int, int]]()
    for score in scores:
        days += Fraction(score.days, 100)
        for kind, count, good, *_rest in score.parts:
            before = counts.get(kind, (0, 0))
            counts[kind] = (before[0] + count, before[1] + good)
    return Worked(days, counts)


def hints_of(rows: list[EffortScore], *, least: int) -> list[Hint]:
    """Hints for a person from their own weeks (the latest first) and from those of their job function. One query."""
    whole = [row for row in rows if row.is_whole]
    recent, before = whole[:HINT_WEEKS], whole[HINT_WEEKS : 2 * HINT_WEEKS]
    if not recent:
        return []
    function, weeks = recent[0].function, [row.week_on for row in recent]
    others: dict[int, list[EffortScore]] = {}
    peers = EffortScore.objects.all().displayed().filter(function=function, week_on__in=weeks, is_whole=True)
    for row in peers.exclude(person_id=recent[0].person_id).order_by("person_id", "-week_on"):
        others.setdefault(row.person_id, []).append(row)
    qualities = [kind.value for kind in GOOD]
    found = busier_hints(worked_in(before), worked_in(recent), with_quality=qualities) if before else []
    found += hints_for(
        worked_in(recent),
        [worked_in(each) for each in others.values()],
        kinds=list(CountedKind.values),
        with_quality=qualities,
        least=least,
    )
    return found


def daily_counts_of(actor: Actor, person: User, week_on: date) -> list[dict[str, Any]]:
    """The counts of a week by day, as far as they are still kept."""
    rows = EffortDay.objects.visible_to(actor).filter(
        person=person, on__gte=week_on, on__lt=week_on + timedelta(days=7)
    )
    return list(rows.order_by("on").values("on").annotate(count=Sum("count"), good=Sum("good")))


def own_rows(actor: Actor) -> tuple[list[EffortDay], list[EffortScore], list[EffortContest], list[EffortLook]]:
    """Everything that is kept about the actor, for their own file."""
    own = {"person_id": actor.user_id}
    return (
        list(EffortDay.objects.visible_to(actor).filter(**own).order_by("on", "kind")),
        list(EffortScore.objects.visible_to(actor).filter(**own).order_by("week_on")),
        list(EffortContest.objects.visible_to(actor).filter(**own).select_related("decided_by").order_by("asked_at")),
        list(EffortLook.objects.visible_to(actor).select_related("viewer").order_by("looked_at")),
    )
