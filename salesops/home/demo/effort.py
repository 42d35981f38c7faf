"""The demo company's effort: three legal entities, one of them without scores, published targets, a quarter of weeks."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from salesops.audit.services import record
from salesops.core.actor import system_actor
from salesops.core.days import company_day
from salesops.effort.choices import LookedAt
from salesops.effort.models import EffortContest, EffortLook, EffortPolicy, EffortScore, EffortTarget, EffortVersion
from salesops.effort.rules.days import week_of
from salesops.effort.services.scoring import score_weeks
from salesops.home.demo.calendar import is_public_holiday
from salesops.home.demo.company import MAIL_DOMAIN
from salesops.leads.choices import VersionState
from salesops.people.models import LegalEntity, PublicHoliday, ReportingLine, User

#: Weeks that are scored, and how long ago the weights were published.
_WEEKS: Final = 13
#: What is expected on a full day: (kind, a day, weight).
_FRONT: Final = (("call", "2", 40), ("mail", "1.6", 25), ("meeting", "0.25", 35))
_OUTBOUND: Final = (("call", "1.2", 40), ("mail", "1", 25), ("meeting", "0.1", 35))
_CLOSING: Final = (("call", "0.35", 30), ("mail", "0.4", 20), ("meeting", "0.4", 50))
_TARGETS: Final = {"mdr": _FRONT, "sdr": _FRONT, "adr": _OUTBOUND, "ae": _CLOSING, "kam": _CLOSING}
_PURPOSE: Final = "So that people and their managers see where help is needed. Agreed with those whom it is about."
_NOTICE: Final = (
    "Calls, mails and meetings that you log are counted by day. You and the managers above you see the score; you see who"
    " looked. Questions and objections: revenue operations."
)


def write_effort(*, now: datetime) -> None:
    """Write who employs whom, switch scores on for those in Europe and America, and score the last quarter."""
    day = company_day(now)
    weeks = [week_of(day - timedelta(days=1)) - timedelta(weeks=back) for back in range(_WEEKS - 1, -1, -1)]
    begun = weeks[0]
    europe = LegalEntity.objects.create(name="Nordlicht Instruments GmbH", country="Germany")
    america = LegalEntity.objects.create(name="Nordlicht Instruments Inc.", country="United States")
    others = LegalEntity.objects.create(name="Nordlicht Instruments Pte. Ltd.", country="Singapore")
    # Whoever was there before belongs to nobody here.
    hired = User.objects.filter(email__endswith=f"@{MAIL_DOMAIN}")
    hired.update(legal_entity=others)
    hired.filter(time_zone__startswith="Europe/").update(legal_entity=europe)
    hired.filter(time_zone__startswith="America/").update(legal_entity=america)
    holidays = [each for each in (begun + timedelta(days=place) for place in range(365)) if is_public_holiday(each)]
    PublicHoliday.objects.bulk_create(
        PublicHoliday(entity=entity, on=each, name="Public holiday")
        for entity in (europe, america, others)
        for each in holidays
    )
    policies = [
        EffortPolicy.objects.create(
            entity=entity,
            is_on=True,
            counted_from=begun,
            changed_at=now - timedelta(weeks=_WEEKS),
            purpose=_PURPOSE,
            notice=_NOTICE,
        )
        for entity in (europe, america)
    ]
    EffortPolicy.objects.create(entity=others)
    version = EffortVersion.objects.create(
        number=1,
        note="First targets",
        state=VersionState.ACTIVE,
        created_at=now - timedelta(weeks=_WEEKS + 1),
        activated_at=now - timedelta(weeks=_WEEKS, days=1),
    )
    EffortTarget.objects.bulk_create(
        EffortTarget(version=version, function=function, kind=kind, per_day=Decimal(per_day), weight=weight)
        for function, rows in _TARGETS.items()
        for kind, per_day, weight in rows
    )
    people = list(hired.order_by("pk").values_list("pk", flat=True))
    score_weeks(actor=system_actor(), person_ids=people, weeks=weeks, at=now)
    _look_and_doubt(now)
    for policy in policies:
        record(
            actor=system_actor(),
            action="effortpolicy.switched_on",
            subject=policy,
            after={"counted_from": policy.counted_from},
            at=now,
        )


def _look_and_doubt(now: datetime) -> None:
    """Each manager has looked at each of their people once, and one person doubts a day."""
    scored = EffortScore.objects.order_by("person_id").values_list("person_id", flat=True).distinct()
    lines = ReportingLine.objects.on(company_day(now)).filter(person_id__in=scored).order_by("person_id")
    EffortLook.objects.bulk_create(
        EffortLook(person_id=person, viewer_id=manager, what=LookedAt.PAGE, looked_at=now - timedelta(days=6))
        for person, manager in lines.values_list("person_id", "manager_id")
    )
    last = EffortScore.objects.filter(is_whole=True, person__is_active=True).order_by("-week_on", "person_id").first()
    if last is not None:
        EffortContest.objects.create(
            person_id=last.person_id,
            on=last.week_on + timedelta(days=1),
            reason="I was at the trade fair all day.",
            asked_at=now - timedelta(days=1),
        )
