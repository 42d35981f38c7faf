"""Brings quotas and people on plans into the portal from outside, in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from salesops.audit.services import Change, record_many
from salesops.commissions.models import PlanAssignment, Quota
from salesops.commissions.selectors.plans import quota_names
from salesops.core.actor import Actor, Role
from salesops.core.upserts import UNSET, Fate, Merged, Unset, UpsertResult, Wanted, batches, merge_rows, values_given
from salesops.values.money import exponent
from salesops.values.periods import Period


@dataclass(frozen=True, slots=True)
class QuotaRecord:
    """What a person is to reach in a period; found again by person, period and measure.

    Minor units of `currency`, also for a quota of things: 20 things come as 2000 cents and are kept as 20.
    """

    person_id: int
    period: Period
    amount_minor: int
    currency: str | Unset = UNSET
    measure: str | Unset = UNSET


@dataclass(frozen=True, slots=True)
class PlanPersonRecord:
    """A person on a plan from a day, with the rate (a share: 0.012 is 1.2 %) or target pay agreed with them.

    Found again by person, plan and first day.
    """

    person_id: int
    plan_id: int
    start_on: date
    end_on: date | Unset | None = UNSET
    rate: Decimal | Unset | None = UNSET
    target_pay_minor: int | Unset | None = UNSET
    currency: str | Unset = UNSET


def _need_designer(actor: Actor) -> None:
    if not actor.has(Role.REVOPS, Role.ADMIN):
        raise PermissionDenied(_("Only revenue operations and administrators bring in quotas and plans."))


def upsert_quotas(
    *, records: Sequence[QuotaRecord], actor: Actor, source: str, at: datetime, preview: bool = False
) -> UpsertResult:
    """Set quotas; those that say what is already so are left alone. Raises PermissionDenied."""
    _need_designer(actor)
    result = UpsertResult()
    of_things = quota_names()[1]
    with transaction.atomic():
        for batch in batches(records):
            wanted = []
            for position, record in batch:
                measure = "bookings" if isinstance(record.measure, Unset) else record.measure
                key = (record.person_id, measure, record.period.start, record.period.end)
                amount = record.amount_minor
                if measure in of_things:
                    amount = _things(record)
                values = {"amount_minor": amount, **values_given(record, ("currency",))}
                place = {"person_id": key[0], "measure": key[1], "start_on": key[2], "end_on": key[3]}
                wanted.append(Wanted(position, key, {**place, **values}))
            people = {record.person_id for _position, record in batch}
            rows = Quota.objects.filter(person_id__in=people).order_by("pk")
            existing = {
                (row.person_id, row.measure, row.start_on, row.end_on): row
                for row in (rows if preview else rows.select_for_update(of=("self",)))
            }
            merged = merge_rows(Quota, wanted, existing, result=result, preview=preview, check=_check_quota)
            if not preview:
                record_many(actor=actor, changes=_changes("quota.set", "commissions.quota", merged, source), at=at)
    return result.in_order()


def _things(record: QuotaRecord) -> int:
    """The number of things of a quota that came as an amount; -1, which is refused, for a part of one."""
    currency = settings.COMPANY_CURRENCY if isinstance(record.currency, Unset) else record.currency
    number, rest = divmod(record.amount_minor, 10 ** exponent(currency))
    return -1 if rest else number


def _check_quota(row: Quota) -> None:
    if row.amount_minor < 0:
        raise ValidationError({"amount_minor": _("A quota cannot be negative, and one of things is a whole number.")})


def upsert_plan_people(
    *, records: Sequence[PlanPersonRecord], actor: Actor, source: str, at: datetime, preview: bool = False
) -> UpsertResult:
    """Put people on plans; what they were on the same plan before ends where this begins. Raises PermissionDenied."""
    _need_designer(actor)
    result = UpsertResult()
    names = ("end_on", "rate", "target_pay_minor", "currency")
    with transaction.atomic():
        for batch in batches(records):
            wanted, keys = [], []
            for position, record in batch:
                key = (record.person_id, record.plan_id, record.start_on)
                keys.append(key)
                place = {"person_id": key[0], "plan_id": key[1], "start_on": key[2]}
                wanted.append(Wanted(position, key, {**place, **values_given(record, names)}))
            people = {record.person_id for _position, record in batch}
            rows = PlanAssignment.objects.filter(person_id__in=people).order_by("pk")
            existing = {
                (row.person_id, row.plan_id, row.start_on): row
                for row in (rows if preview else rows.select_for_update(of=("self",)))
            }
            if not preview:
                _end_earlier([key for key in keys if key not in existing], existing)
            merged = merge_rows(PlanAssignment, wanted, existing, result=result, preview=preview, check=_check_rate)
            if not preview:
                changes = _changes("plan.person_assigned", "commissions.planassignment", merged, source)
                record_many(actor=actor, changes=changes, at=at)
    return result.in_order()


def _end_earlier(keys: Sequence[tuple[int, int, date]], existing: dict[tuple[int, int, date], PlanAssignment]) -> None:
    """Open-ended rows of the same person and plan end where a new one begins."""
    for person_id, plan_id, start_on in keys:
        for (other_person, other_plan, other_start), row in existing.items():
            if (other_person, other_plan) == (person_id, plan_id) and other_start < start_on and row.end_on is None:
                row.end_on = start_on
                row.save(update_fields=["end_on"])


def _check_rate(row: PlanAssignment) -> None:
    if row.rate is not None and not 0 <= row.rate <= 10:
        raise ValidationError({"rate": _("A personal rate is a share between 0 and 10; 0.012 is 1.2 %.")})
    if row.end_on is not None and row.end_on <= row.start_on:
        raise ValidationError({"end_on": _("It must end after it starts.")})


def _changes(
    action: str, subject_type: str, merged: Sequence[Merged[Quota]] | Sequence[Merged[PlanAssignment]], source: str
) -> list[Change]:
    """Audit entries of what was written."""
    return [
        Change(
            action=action,
            subject_type=subject_type,
            subject_id=each.row.pk,
            subject_label=str(each.row),
            before=each.before,
            after=each.after,
            reason=source,
        )
        for each in merged
        if each.fate is not Fate.UNCHANGED
    ]
