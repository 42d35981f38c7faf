"""Brings territories, who works in them, and pod memberships from outside into the portal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db import transaction
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from salesops.audit.services import change_of, changed, record_many
from salesops.core.actor import Actor
from salesops.core.upserts import (
    UNSET,
    Fate,
    Merged,
    RecordOutcome,
    Unset,
    UpsertResult,
    Wanted,
    batches,
    existing_by,
    merge_rows,
    refusing,
    values_given,
)
from salesops.pods.models import PodMembership, Territory, TerritoryAssignment
from salesops.pods.services.pods import add_member, check_may_arrange, correct_membership, end_membership
from salesops.pods.services.territories import assign_territory, end_territory_assignment


@dataclass(frozen=True, slots=True)
class TerritoryRecord:
    """A territory as a source knows it, found by its code."""

    code: str
    name: str | Unset = UNSET
    country: str | Unset = UNSET
    region: str | Unset = UNSET


@dataclass(frozen=True, slots=True)
class TerritoryAssignmentRecord:
    """A person in a territory for [start_on, end_on), found by both and the first day.

    A source that names the last day instead must have one day added by whoever reads it.
    """

    person_id: int
    territory_id: int
    start_on: date
    end_on: date | None = None


@dataclass(frozen=True, slots=True)
class MembershipRecord:
    """A person in a pod in a function for [start_on, end_on), found by the person and the first day."""

    person_id: int
    pod_id: int
    function: str
    start_on: date
    end_on: date | None = None


def upsert_territories(
    *, records: Sequence[TerritoryRecord], actor: Actor, source: str, at: datetime, preview: bool = False
) -> UpsertResult:
    """Bring territories in; see `merge_rows` for what happens to each. Raises PermissionDenied."""
    check_may_arrange(actor)
    result = UpsertResult()
    for batch in batches(records):
        with transaction.atomic():
            wanted = [
                Wanted(
                    position,
                    record.code.strip(),
                    {"code": record.code.strip()} | values_given(record, ["name", "country", "region"]),
                )
                for position, record in batch
            ]
            existing = existing_by(Territory.objects.all(), "code", {str(one.key) for one in wanted}, lock=not preview)
            merged = merge_rows(Territory, wanted, existing, result=result, preview=preview)
            if not preview:
                _record(merged, source=source, actor=actor, at=at)
    return result.in_order()


def upsert_territory_assignments(
    *, records: Sequence[TerritoryAssignmentRecord], actor: Actor, source: str, at: datetime, preview: bool = False
) -> UpsertResult:
    """Bring in who works where. The same person twice in a territory at one time is refused. Raises PermissionDenied."""
    check_may_arrange(actor)
    result = UpsertResult()
    for batch in batches(records):
        with transaction.atomic():
            rows = TerritoryAssignment.objects.filter(
                territory__in={record.territory_id for _position, record in batch}
            )
            held = {(row.territory_id, row.person_id, row.start_on): row for row in rows}
            for position, record in batch:
                key = (record.territory_id, record.person_id, record.start_on)
                with refusing(result, position):
                    outcome = _apply_assignment(position, record, held.get(key), actor=actor, source=source, at=at)
                    result.outcomes.append(outcome)
                    held[key] = TerritoryAssignment(pk=outcome.pk, end_on=record.end_on)
            if preview:
                transaction.set_rollback(True)
                result.forget_new_keys()
    return result.in_order()


def _apply_assignment(
    position: int,
    record: TerritoryAssignmentRecord,
    found: TerritoryAssignment | None,
    *,
    actor: Actor,
    source: str,
    at: datetime,
) -> RecordOutcome:
    if found is None:
        made = assign_territory(
            territory_id=record.territory_id,
            person_id=record.person_id,
            start_on=record.start_on,
            end_on=record.end_on,
            actor=actor,
            at=at,
            reason=source,
        )
        return RecordOutcome(position, Fate.CREATED, made.pk, str(made), {}, {"end_on": record.end_on})
    if found.end_on == record.end_on:
        return RecordOutcome(position, Fate.UNCHANGED, found.pk)
    row = end_territory_assignment(assignment_id=found.pk, end_on=record.end_on, actor=actor, at=at, reason=source)
    return RecordOutcome(position, Fate.CHANGED, row.pk, str(row), {"end_on": found.end_on}, {"end_on": record.end_on})


def upsert_memberships(
    *, records: Sequence[MembershipRecord], actor: Actor, source: str, at: datetime, preview: bool = False
) -> UpsertResult:
    """Bring in who is in which pod, earliest first. Raises PermissionDenied.

    A person is in one pod at a time. A membership that was open until further notice ends where a later record of the
    same person begins, and the outcome's note says so; any other overlap, or days on which the pod is not open, are
    refused. A record with the first day of a membership that exists corrects it.
    """
    check_may_arrange(actor)
    result = UpsertResult()
    for batch in batches(records):
        with transaction.atomic():
            people = {record.person_id for _position, record in batch}
            held: dict[tuple[int, date], PodMembership] = {}
            rows = PodMembership.objects.filter(person__in=people)
            held.update({(row.person_id, row.start_on): row for row in rows})
            for position, record in sorted(batch, key=lambda one: (one[1].start_on, one[0])):
                with refusing(result, position):
                    outcome = _apply_membership(position, record, held, actor=actor, source=source, at=at)
                    result.outcomes.append(outcome)
            if preview:
                transaction.set_rollback(True)
                result.forget_new_keys()
    return result.in_order()


def _apply_membership(
    position: int,
    record: MembershipRecord,
    held: dict[tuple[int, date], PodMembership],
    *,
    actor: Actor,
    source: str,
    at: datetime,
) -> RecordOutcome:
    key = (record.person_id, record.start_on)
    found = held.get(key)
    wanted = values_given(record, _MEMBERSHIP)
    if found is None:
        earlier = [row for row in held.values() if row.person_id == record.person_id and row.end_on is None]
        ended = next((row for row in earlier if row.start_on < record.start_on), None)
        note: str | Promise = ""
        if ended is not None:
            note = format_lazy(_("ends the membership since {day}"), day=ended.start_on.isoformat())
            end_membership(membership_id=ended.pk, end_on=record.start_on, actor=actor, at=at, reason=source)
        held[key] = add_member(
            pod_id=record.pod_id,
            person_id=record.person_id,
            function=record.function,
            start_on=record.start_on,
            end_on=record.end_on,
            actor=actor,
            at=at,
            reason=source,
        )
        if ended is not None:
            ended.end_on = record.start_on
        return RecordOutcome(position, Fate.CREATED, held[key].pk, str(held[key]), {}, wanted, note)
    before = values_given(found, _MEMBERSHIP)
    if before == wanted:
        return RecordOutcome(position, Fate.UNCHANGED, found.pk)
    held[key] = correct_membership(
        membership_id=found.pk,
        pod_id=record.pod_id,
        function=record.function,
        end_on=record.end_on,
        actor=actor,
        at=at,
        reason=source,
    )
    old, new = changed(before, wanted)
    return RecordOutcome(position, Fate.CHANGED, found.pk, str(held[key]), old, new)


_MEMBERSHIP: Final = ("pod_id", "function", "end_on")


def _record(merged: Iterable[Merged[Territory]], *, source: str, actor: Actor, at: datetime) -> None:
    record_many(
        actor=actor,
        changes=[
            change_of(
                one.row,
                action="territory.added" if one.fate is Fate.CREATED else "territory.edited",
                before=one.before,
                after=one.after,
                reason=source,
            )
            for one in merged
            if one.fate in {Fate.CREATED, Fate.CHANGED}
        ],
        at=at,
    )
