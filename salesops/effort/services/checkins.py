"""Offers a check-in after a low week: to the person first, to their manager later and only if it has not come back."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from salesops.core import features
from salesops.core.days import company_day
from salesops.effort.choices import EFFORT, Because
from salesops.effort.models import EffortCheckIn, EffortPolicy, EffortScore
from salesops.effort.rules.days import week_of
from salesops.effort.rules.scores import LEAST_DAYS, check_in, is_drop
from salesops.notices.services import tell
from salesops.people.models import ReportingLine, User

#: A week is judged only when so many days have passed since it ended: work is logged late.
GRACE: Final = timedelta(days=2)
_LEAST: Final = int(LEAST_DAYS * 100)


@transaction.atomic
def offer_check_ins(*, at: datetime) -> int:
    """Tell each person whose last whole week was low or fell, once for a week, and nobody else. How many were told."""
    if not features.is_on(EFFORT):
        return 0
    today = company_day(at)
    week = week_of(today - GRACE) - timedelta(days=7)
    scores = list(
        EffortScore.objects.all()
        .displayed()
        .filter(week_on=week, is_whole=True, days__gte=_LEAST)
        .select_related("version")
        .order_by("person_id")
    )
    people = [score.person_id for score in scores]
    known = set(
        EffortCheckIn.objects.filter(person_id__in=people, week_on=week).values_list("person_id", flat=True)
    ) | set(
        EffortCheckIn.objects.filter(person_id__in=people, ended_at__isnull=True).values_list("person_id", flat=True)
    )
    before = _weeks_before(people, week)
    told = 0
    for score in scores:
        if score.person_id in known:
            continue
        last = before.get(score.person_id)
        # Weights of another version or function are another measure: no fall from one to the other.
        if last is not None and (last.version_id, last.function) != (score.version_id, score.function):
            last = None
        why = check_in(
            score.score,
            last.score if last else None,
            alert_below=score.version.alert_below,
            drop_percent=score.version.drop_percent,
        )
        if not why:
            continue
        made = EffortCheckIn.objects.create(
            person_id=score.person_id,
            week_on=week,
            because=why,
            score=score.score,
            score_before=last.score if last else None,
            told_at=at,
        )
        tell(
            person_ids=[score.person_id],
            key=f"effort:checkin:{made.pk}",
            title=lambda: _("A check-in may help: your effort score is lower than usual"),
            body=lambda: _(
                "Look at its parts first: what was not logged, or should not count, can be put right there. Nobody else was"
                " told. If it stays so, your manager will be asked to talk with you; it has no effect on pay."
            ),
            url=f"{reverse('effort:effort_mine')}?week={week.isoformat()}",
            at=at,
        )
        told += 1
    return told


def _weeks_before(people: list[int], week: date) -> dict[int, EffortScore]:
    """The last whole week of each with enough days, of the eight before."""
    rows = EffortScore.objects.filter(
        person_id__in=people, week_on__lt=week, week_on__gte=week - timedelta(weeks=8), is_whole=True, days__gte=_LEAST
    )
    return {row.person_id: row for row in rows.order_by("person_id", "week_on")}


@transaction.atomic
def follow_check_ins(*, at: datetime) -> int:
    """End check-ins of people whose score came back; tell the managers of the others when the time has come. How many."""
    if not features.is_on(EFFORT):
        return 0
    policies = {policy.entity_id: policy for policy in EffortPolicy.objects.filter(is_on=True)}
    rows = list(
        EffortCheckIn.objects.all()
        .displayed()
        .filter(ended_at__isnull=True)
        .select_related("person")
        .select_for_update(of=("self",))
        .order_by("pk")
    )
    settled_before = week_of(company_day(at) - GRACE)
    latest: dict[int, EffortScore] = {}
    for score in (
        EffortScore.objects.filter(
            person_id__in=[row.person_id for row in rows],
            is_whole=True,
            days__gte=_LEAST,
            week_on__lt=settled_before,
        )
        .select_related("version")
        .order_by("person_id", "week_on")
    ):
        latest[score.person_id] = score
    managers = dict(
        ReportingLine.objects.on(company_day(at))
        .filter(person_id__in=[row.person_id for row in rows])
        .values_list("person_id", "manager_id")
    )
    told = 0
    for row in rows:
        last = latest.get(row.person_id)
        if last is None or last.week_on <= row.week_on:
            continue
        if not _is_still_so(row, last):
            row.ended_at = at
            row.save(update_fields=["ended_at"])
            continue
        policy = policies.get(row.person.legal_entity_id or 0)
        if (
            policy is None
            or row.manager_told_at is not None
            or at < row.told_at + timedelta(days=policy.manager_after_days)
        ):
            continue
        manager = managers.get(row.person_id)
        if manager is None:
            continue
        row.manager_told_at = at
        row.save(update_fields=["manager_told_at"])
        _ask_manager(manager, row.person, row, at)
        told += 1
    return told


def _is_still_so(row: EffortCheckIn, last: EffortScore) -> bool:
    """Whether the latest settled week is still low, or still below what it fell from."""
    if row.because == Because.DROP and row.score_before is not None:
        return is_drop(last.score, row.score_before, drop_percent=last.version.drop_percent)
    return last.score < last.version.alert_below * 100


def _ask_manager(manager: int, person: User, row: EffortCheckIn, at: datetime) -> None:
    tell(
        person_ids=[manager],
        key=f"effort:checkin:{row.pk}:manager",
        title=lambda: _("A check-in with %(person)s may help") % {"person": person},
        body=lambda: _(
            "Their effort score has been lower than usual for more than a week; they were told first. Ask what stands in"
            " the way. It is a signal for a talk, not a judgement, and has no effect on pay or promotion."
        ),
        url=reverse("effort:effort_person", args=[person.pk]),
        at=at,
    )
