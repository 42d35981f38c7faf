"""A legal entity that scores effort, weights in force, and work that people logged."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from salesops.activities.models import Activity
from salesops.core.actor import system_actor
from salesops.effort.models import EffortPolicy, EffortScore, EffortTarget, EffortVersion
from salesops.effort.services.scoring import score_weeks, weeks_to_score
from salesops.leads.choices import VersionState
from salesops.people.models import LegalEntity, User
from tests.cast import NOW, Cast

#: The Mondays of the week before NOW and of NOW's own.
LAST_WEEK, THIS_WEEK = date(2026, 6, 8), date(2026, 6, 15)
#: 10 calls and 2 meetings a day: 40 and 60 of 100.
TARGETS = (("call", "10", 40), ("meeting", "2", 60))


def entity_on(cast: Cast, *names: str, name: str = "Nord GmbH", **more: Any) -> LegalEntity:
    """An entity that employs these people and has it switched on since May."""
    entity = LegalEntity.objects.create(name=name, country="Germany")
    User.objects.filter(pk__in=[cast.people[each].pk for each in names]).update(legal_entity=entity)
    EffortPolicy.objects.create(
        entity=entity,
        is_on=True,
        counted_from=date(2026, 5, 1),
        purpose="To see where help is needed.",
        notice="Ask the works council.",
        **more,
    )
    return entity


def weights_on(functions: tuple[str, ...] = ("sdr", "ae"), since: datetime = NOW - timedelta(days=60)) -> EffortVersion:
    """A version in force for these functions."""
    version = EffortVersion.objects.create(
        number=1, state=VersionState.ACTIVE, created_at=since, activated_at=since, note="First"
    )
    for function in functions:
        for kind, per_day, weight in TARGETS:
            EffortTarget.objects.create(
                version=version, function=function, kind=kind, per_day=Decimal(per_day), weight=weight
            )
    return version


def logged(
    person: User, day: date, kind: str = "call", count: int = 1, *, good: int = 0, at: time = time(10), **more: Any
) -> list[Activity]:
    """So many of a kind on a day, the first `good` of them with the good outcome."""
    outcome = {"call": "reached", "mail": "replied", "meeting": "held"}.get(kind, "")
    moment = datetime.combine(day, at, UTC)
    times = {"done_at": moment, "due_at": moment} if kind == "task" else {"happened_at": moment}
    return Activity.objects.bulk_create(
        Activity(
            kind=kind,
            subject=f"{kind} {number}",
            person=person,
            outcome=outcome if number < good else "",
            created_at=moment,
            **{**times, **more},
        )
        for number in range(count)
    )


def scored(cast: Cast, *names: str, at: datetime = NOW) -> list[EffortScore]:
    """What the nightly job makes of these people's last weeks."""
    people = [cast.people[name].pk for name in names]
    score_weeks(actor=system_actor(), person_ids=people, weeks=weeks_to_score(at), at=at)
    return list(EffortScore.objects.filter(person_id__in=people).order_by("week_on", "person_id"))


def score_of(person: User, week: date, score: int, version: EffortVersion, **more: Any) -> EffortScore:
    """A score as if it had been made."""
    values = {
        "function": "sdr",
        "band": "middle",
        "days": 500,
        "is_whole": True,
        "scored_at": NOW,
        "parts": [["call", 30, 10, "50", 40, 2400, False], ["meeting", 5, 4, "10", 60, 3000, False]],
        "quality_bp": 4000,
    }
    return EffortScore.objects.create(person=person, week_on=week, score=score, version=version, **{**values, **more})
