"""The plans that the reader is paid by, was or will be: theirs alone, whatever else they may see."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from salesops.commissions.models import Acknowledgement, Plan, PlanAssignment, PlanVersion
from salesops.commissions.selectors.plans import current_version, to_acknowledge
from salesops.core.actor import Actor


@dataclass(frozen=True, slots=True)
class OwnPlan:
    """A plan of the reader. first_day, last_day: how long they are on it, last_day None while no end is known.

    version: in force today, else the newest that they may see. acknowledged_at: when they said that they have read it.
    to_read: versions, in force or to come, that they have not acknowledged.
    """

    plan: Plan
    first_day: date
    last_day: date | None
    is_now: bool
    is_over: bool
    version: PlanVersion | None
    acknowledged_at: datetime | None
    to_read: list[PlanVersion]


def own_plans(actor: Actor, day: date) -> list[OwnPlan]:
    """The reader's own plans, those of the day first, then what comes, then what is over. Five queries.

    The days are the reader's own, so they are not asked for by their sight of pay, which revenue operations lack.
    """
    if actor.user_id is None:
        return []
    plans = {plan.pk: plan for plan in Plan.objects.visible_to(actor).filter(assignments__person_id=actor.user_id)}
    held: dict[int, list[PlanAssignment]] = defaultdict(list)
    for row in PlanAssignment.objects.filter(person_id=actor.user_id, plan__in=plans).order_by("start_on"):
        held[row.plan_id].append(row)
    versions: dict[int, list[PlanVersion]] = defaultdict(list)
    for version in PlanVersion.objects.visible_to(actor).filter(plan__in=plans).order_by("-number"):
        versions[version.plan_id].append(version)
    read = dict(
        Acknowledgement.objects.filter(person_id=actor.user_id, plan_version__plan__in=plans).values_list(
            "plan_version_id", "acknowledged_at"
        )
    )
    unread = to_acknowledge(actor, day)
    found = []
    for plan_id, rows in held.items():
        row = next((each for each in rows if each.start_on <= day and not _ended(each, day)), rows[-1])
        shown = current_version(versions[plan_id], day)
        found.append(
            OwnPlan(
                plan=plans[plan_id],
                first_day=row.start_on,
                last_day=row.end_on - timedelta(days=1) if row.end_on else None,
                is_now=row.start_on <= day and not _ended(row, day),
                is_over=_ended(row, day),
                version=shown,
                acknowledged_at=read.get(shown.pk) if shown else None,
                to_read=[each for each in unread if each.plan_id == plan_id],
            )
        )
    return sorted(found, key=lambda each: (not each.is_now, each.is_over, each.plan.name))


def _ended(row: PlanAssignment, day: date) -> bool:
    return row.end_on is not None and row.end_on <= day
