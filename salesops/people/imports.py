"""Brings people from outside into the portal: who they are, their function, role and manager."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils.text import slugify
from django.utils.translation import gettext as _

from salesops.audit.services import record as record_change
from salesops.core.actor import Actor, Role
from salesops.core.days import company_day
from salesops.core.upserts import (
    UNSET,
    Fate,
    RecordOutcome,
    Unset,
    UpsertResult,
    Wanted,
    batches,
    merge_rows,
    refusing,
    values_given,
)
from salesops.people.choices import JobFunction, RoleChoice
from salesops.people.models import FunctionAssignment, ReportingLine, RoleGrant, User
from salesops.people.querysets import EDITORS
from salesops.people.services import grant_role, leave_company, set_function, set_manager
from salesops.people.services.ranges import need
from salesops.values.names import fold_name

#: Addresses given to people whose source knows none: nobody can receive mail there, so nobody can log in with one.
NO_ADDRESS: Final = "no-address.invalid"


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """A person as a source knows them.

    Found by external id, else by employee number, else by e-mail address, else by a name that only one person has.
    `since` is the day from which function, role and manager hold: the first day of work for new people, the day of the
    import for those who are known, unless the source says another. `manager_id` is the key of a person who exists.
    """

    name: str | Unset = UNSET
    email: str | Unset = UNSET
    external_id: str | None | Unset = UNSET
    employee_number: str | None | Unset = UNSET
    payroll_number: str | Unset = UNSET
    title: str | Unset = UNSET
    time_zone: str | Unset = UNSET
    started_on: date | None | Unset = UNSET
    left_on: date | None | Unset = UNSET
    manager_id: int | Unset = UNSET
    function: str | Unset = UNSET
    role: str | Unset = UNSET
    since: date | Unset = UNSET


_PLAIN: Final = ("name", "email", "external_id", "employee_number", "payroll_number", "title", "time_zone", "started_on")


def upsert_people(
    *, records: Sequence[PersonRecord], actor: Actor, source: str, at: datetime, preview: bool = False
) -> UpsertResult:
    """Bring people in; what nobody says about them stays as it is.

    Each record is taken as a whole or refused as a whole, and the same records again change nothing. Only
    administrators add people, change addresses, grant roles and let people go; others who may edit people change the
    rest, and their records that ask for more are refused. New people have no password: somebody sends them a link.
    Raises PermissionDenied for whoever may not edit people at all.
    """
    need(actor, *EDITORS)
    result = UpsertResult()
    for batch in batches(records):
        with transaction.atomic():
            staff = _Staff.of([record for _position, record in batch], company_day(at))
            for position, record in batch:
                with refusing(result, position):
                    result.outcomes.append(_apply(position, record, staff, actor=actor, source=source, at=at))
            if preview:
                transaction.set_rollback(True)
                result.forget_new_keys()
    return result.in_order()


@dataclass(slots=True)
class _Staff:
    """The people whom a batch may mean, by all that finds them, and what they are on the day."""

    day: date
    by_external_id: dict[str, User] = field(default_factory=dict)
    by_number: dict[str, User] = field(default_factory=dict)
    by_email: dict[str, User] = field(default_factory=dict)
    by_name: dict[str, list[User]] = field(default_factory=dict)
    functions: dict[int, str] = field(default_factory=dict)
    managers: dict[int, int] = field(default_factory=dict)
    roles: set[tuple[int, str]] = field(default_factory=set)

    @classmethod
    def of(cls, records: Iterable[PersonRecord], day: date) -> _Staff:
        """Load them all in a handful of queries; everybody, where a record has nothing but a name."""
        records = list(records)
        external_ids = {record.external_id for record in records if record.external_id}
        numbers = {record.employee_number for record in records if record.employee_number}
        emails = {_address(record.email) for record in records if record.email}
        rows = User.objects.order_by("pk")
        if all(record.external_id or record.employee_number or record.email for record in records):
            rows = rows.filter(Q(external_id__in=external_ids) | Q(employee_number__in=numbers) | Q(email__in=emails))
        staff = cls(day)
        for user in rows.select_for_update():
            staff.learn(user)
        staff.functions = dict(FunctionAssignment.objects.on(day).values_list("person_id", "function"))
        staff.managers = dict(ReportingLine.objects.on(day).values_list("person_id", "manager_id"))
        staff.roles = set(RoleGrant.objects.on(day).values_list("person_id", "role"))
        return staff

    def learn(self, user: User) -> None:
        """Know a person by everything they can be found by."""
        if user.external_id:
            self.by_external_id[user.external_id] = user
        if user.employee_number:
            self.by_number[user.employee_number] = user
        self.by_email[user.email] = user
        namesakes = self.by_name.setdefault(fold_name(user.name), [])
        if user not in namesakes:
            namesakes.append(user)

    def find(self, record: PersonRecord) -> User | None:
        """Whom a record means; raises ValidationError when only a name is given and several people have it."""
        found: User | None = None
        if record.external_id:
            found = self.by_external_id.get(record.external_id)
        if found is None and record.employee_number:
            found = self.by_number.get(record.employee_number)
        if found is None and record.email:
            found = self.by_email.get(_address(record.email))
        if found is None and record.name and not (record.external_id or record.employee_number or record.email):
            namesakes = self.by_name.get(fold_name(record.name), [])
            if len(namesakes) > 1:
                raise ValidationError(
                    {"name": _("%(count)d people are called “%(name)s”: say which by number or e-mail address.")}
                    | {}
                    if False
                    else {
                        "name": _("%(count)d people are called “%(name)s”: say which by number or e-mail address.")
                        % {"count": len(namesakes), "name": record.name}
                    }
                )
            found = namesakes[0] if namesakes else None
        return found


def _address(email: str | Unset) -> str:
    return str(email).strip().lower() if email else ""
