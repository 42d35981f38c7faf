"""Counts what people logged by day and kind, and makes a score of each week; deletes counts whose time is over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Q

from salesops.core import features
from salesops.core.actor import Actor
from salesops.core.days import company_day
from salesops.effort.choices import EFFORT, GOOD
from salesops.effort.models import EffortDay, EffortPolicy, EffortScore, EffortVersion
from salesops.effort.rules.days import Employment, stretch_of, week_of
from salesops.effort.rules.scores import Counted, Target, band_of, hundredths, parts_of, quality_bp, score_of
from salesops.effort.selectors.facts import Key, counts_of, employments_of
from salesops.effort.selectors.versions import targets_of, versions_on
from salesops.people.models import User

#: The nightly job, and how many people it scores in one transaction.
SCORE_EFFORT: Final = "effort.score"
PEOPLE: Final = 500
#: The week that is running and so many before it are counted again, since work is logged late. Older ones stay.
WEEKS_AGAIN: Final = 1
_WEEK: Final = timedelta(days=7)


def weeks_to_score(at: datetime) -> list[date]:
    """The Mondays of the weeks that are counted again: today is not over and counts tomorrow."""
    this = week_of(company_day(at) - timedelta(days=1))
    return [this - _WEEK * back for back in range(WEEKS_AGAIN, -1, -1)]


@transaction.atomic
def score_weeks(*, actor: Actor, person_ids: Collection[int], weeks: Collection[date], at: datetime) -> int:
    """Count and score these weeks of these people up to yesterday; how many scores were written.

    Only of those whose legal entity has it switched on. Only working days count, on both sides: what is logged on a day
    off adds nothing, and a day off asks for nothing. A fixed number of queries, however many people.
    """
    if not weeks or not features.is_on(EFFORT):
        return 0
    # Held until the end: nothing is written for an entity that is being switched off, and no week twice at once.
    entities = list(
        EffortPolicy.objects.select_for_update().filter(is_on=True).order_by("pk").values_list("entity_id", flat=True)
    )
    people = set(User.objects.filter(pk__in=person_ids, legal_entity_id__in=entities).values_list("pk", flat=True))
    today = company_day(at)
    versions = versions_on(sorted(weeks))
    targets = {version.pk: targets_of(version) for version in versions.values() if version is not None}
    start, end = min(weeks), min(max(weeks) + _WEEK, today)
    employments = employments_of(people, start, max(weeks) + _WEEK)
    counts: dict[int, dict[Key, Counted]] = defaultdict(dict)
    for key, counted in counts_of(actor, people, start, end).items():
        counts[key[0]][key] = counted
    days: list[EffortDay] = []
    scores: list[EffortScore] = []
    for week in sorted(weeks):
        version = versions[week]
        for pk in sorted(employments):
            if version is None:
                continue
            made = _score(
                pk, week, min(week + _WEEK, today), version, targets[version.pk], employments[pk], counts[pk], at
            )
            if made is not None:
                days += made[0]
                scores.append(made[1])
    mine: dict[str, Any] = {"person_id__in": people}
    for week in weeks:
        EffortDay.objects.filter(on__gte=week, on__lt=week + _WEEK, **mine).delete()
    EffortDay.objects.bulk_create(days)
    written = {(score.person_id, score.week_on) for score in scores}
    gone = [
        pk
        for pk, person_id, week in EffortScore.objects.filter(week_on__in=weeks, **mine).values_list(
            "pk", "person_id", "week_on"
        )
        if (person_id, week) not in written
    ]
    EffortScore.objects.filter(pk__in=gone).delete()
    EffortScore.objects.bulk_create(
        scores,
        update_conflicts=True,
        unique_fields=["person", "week_on"],
        update_fields=[
            "version",
            "function",
            "score",
            "band",
            "quality_bp",
            "days",
            "parts",
            "is_whole",
            "scored_at",
        ],
    )
    return len(scores)


def _score(
    person_id: int,
    week: date,
    end: date,
    version: EffortVersion,
    targets: dict[str, tuple[Target, ...]],
    employment: Employment,
    counts: dict[Key, Counted],
    at: datetime,
) -> tuple[list[EffortDay], EffortScore] | None:
    """The daily counts and the score of one person's week; None where no day counts or nothing is expected of them."""
    stretch = stretch_of(employment, week, end, full_day_minutes=version.full_day_minutes)
    mine = targets.get(stretch.function, ())
    if not mine or not stretch.worth:
        return None
    kinds = {target.kind for target in mine}
    sums: dict[str, Counted] = {}
    days = []
    for (_person, day, kind), counted in sorted(counts.items()):
        if day in stretch.days and kind in kinds:
            before = sums.get(kind, Counted(0))
            sums[kind] = Counted(before.count + counted.count, before.good + counted.good)
            days.append(EffortDay(person_id=person_id, on=day, kind=kind, count=counted.count, good=counted.good))
    parts = parts_of(mine, sums, days=stretch.worth, cap_percent=version.cap_percent)
    score = hundredths(score_of(parts))
    return days, EffortScore(
        person_id=person_id,
        week_on=week,
        version=version,
        function=stretch.function,
        score=score,
        band=band_of(score, low_below=version.low_below, high_above=version.high_above),
        quality_bp=quality_bp((part.count, part.good) for part in parts if part.kind in GOOD),
        days=hundredths(stretch.worth),
        parts=[
            [part.kind, part.count, part.good, str(part.target), part.weight, hundredths(part.points), part.is_capped]
            for part in parts
        ],
        is_whole=end == week + _WEEK,
        scored_at=at,
    )


@transaction.atomic
def delete_old_counts(*, at: datetime) -> int:
    """Delete the daily counts whose time is over, by what each legal entity has settled; scores stay. How many.

    Counts of people whose entity has settled nothing (they moved there) go after the usual time.
    """
    today, deleted = company_day(at), 0
    policies = list(EffortPolicy.objects.order_by("pk"))
    for policy in policies:
        edge = kept_since(policy, today)
        deleted += EffortDay.objects.filter(person__legal_entity_id=policy.entity_id, on__lt=edge).delete()[0]
    others = Q(person__legal_entity=None) | ~Q(person__legal_entity_id__in=[policy.entity_id for policy in policies])
    return deleted + EffortDay.objects.filter(others, on__lt=kept_since(EffortPolicy(), today)).delete()[0]


def kept_since(policy: EffortPolicy, today: date) -> date:
    """The first day of which daily counts are kept: whole weeks."""
    return week_of(today) - _WEEK * policy.keep_weeks
