"""The demo company's lead scores: the usual rules in force, and what its open leads did in the last quarter."""

from __future__ import annotations

from datetime import datetime, timedelta

from salesops.activities.models import Activity
from salesops.activities.services import SIGNALS
from salesops.core.actor import system_actor
from salesops.leads.choices import OPEN_STATUSES, LeadOrigin, SignalKind
from salesops.leads.models import Lead, LeadSignal
from salesops.leads.services.score_versions import activate_score_version, draft_score_version
from salesops.leads.services.scores import next_open_leads, score_range

#: How long ago what leads did still says something.
_QUARTER = timedelta(days=90)


def write_scores(*, now: datetime) -> None:
    """Tell what reps logged and which leads sent a form, put the usual rules in force, and score every open lead."""
    logged = Activity.objects.filter(
        outcome__in=SIGNALS, happened_at__gt=now - _QUARTER, lead__status__in=OPEN_STATUSES
    ).order_by("pk")
    forms = Lead.objects.filter(status__in=OPEN_STATUSES, origin=LeadOrigin.INBOUND, created_at__gt=now - _QUARTER)
    LeadSignal.objects.bulk_create(
        [
            *(
                LeadSignal(
                    lead_id=lead,
                    kind=SIGNALS[outcome],
                    happened_at=at,
                    known_at=at,
                    key=f"activity:{pk}:{SIGNALS[outcome]}",
                )
                for pk, lead, outcome, at in logged.values_list("pk", "lead_id", "outcome", "happened_at")
                if at is not None
            ),
            *(
                LeadSignal(lead_id=pk, kind=SignalKind.FORM, happened_at=at, known_at=at, key=f"demo:form:{pk}")
                for pk, at in forms.order_by("pk").values_list("pk", "created_at")
            ),
        ],
        batch_size=500,
    )
    draft = draft_score_version(actor=system_actor(), at=now, note="The usual rules")
    activate_score_version(actor=system_actor(), version_id=draft.pk, at=now)
    after = 0
    while keys := next_open_leads(after=after):
        score_range(keys=keys, at=now)
        after = keys[-1]
