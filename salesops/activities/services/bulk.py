"""Logs one thing that was done about many leads, deals or accounts: a mailing, a fair, calls of an afternoon."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Model

from salesops.accounts.models import Account
from salesops.activities.choices import ActivityKind
from salesops.activities.models import Activity
from salesops.activities.services.activities import (
    SIGNALS,
    FollowUp,
    check_activity,
    check_consent,
    check_may_log,
    follow_up_of,
    when,
)
from salesops.core.actor import Actor
from salesops.deals.models import Deal
from salesops.leads.models import Lead
from salesops.leads.services.scores import note_signals
from salesops.leads.services.touches import touch_leads

_NOUNS: dict[type[Model], str] = {Lead: "lead", Deal: "deal", Account: "account"}


@transaction.atomic
def log_many(
    *,
    actor: Actor,
    rows: Sequence[Lead] | Sequence[Deal] | Sequence[Account],
    at: datetime,
    kind: str,
    subject: str = "",
    note: str = "",
    outcome: str = "",
    happened_at: datetime | None = None,
    due_at: datetime | None = None,
    duration_minutes: int | None = None,
    follow_up: FollowUp | None = None,
) -> list[Activity]:
    """Keep for each of these rows, which the actor sees, what `log_activity` would keep; all of it or nothing.

    The number of statements does not depend on the rows. Leads are touched, and what they did counts for their scores.
    Raises ValidationError by field and PermissionDenied as `log_activity`; nothing is logged about no rows.
    """
    person_id = check_may_log(actor)
    moment, due = when(kind, outcome, happened_at, due_at, at)
    made: list[Activity] = []
    next_steps: list[Activity] = []
    for row in rows:
        about: dict[str, Any] = {_NOUNS[type(row)]: row}
        if not isinstance(row, Account):
            about["account_id"] = row.account_id
        activity = Activity(
            kind=kind,
            subject=" ".join(subject.split()) or str(ActivityKind(kind).label),
            note=note.strip(),
            outcome=outcome,
            person_id=person_id,
            happened_at=moment,
            due_at=due,
            duration_minutes=duration_minutes,
            created_at=at,
            **about,
        )
        if not made:
            # What is wrong with one is wrong with all: they differ only in what they are about, which the actor sees.
            check_activity(actor, activity, at, brought=True, relations=False)
        made.append(activity)
        next_step = follow_up_of(activity, follow_up, at) if follow_up is not None else None
        check_consent(activity, next_step)
        if next_step is not None:
            next_steps.append(next_step)
    Activity.objects.bulk_create([*made, *next_steps], batch_size=500)
    touched = {activity.lead_id: activity for activity in made if activity.lead_id is not None}
    if touched and moment is not None and kind != ActivityKind.NOTE:
        touch_leads(lead_ids=list(touched), at=moment)
        signal = SIGNALS.get(outcome)
        if signal is not None:
            keys = {lead: f"activity:{activity.pk}:{signal}" for lead, activity in touched.items()}
            note_signals(keys=keys, kind=signal, happened_at=moment, at=at)
    return made
