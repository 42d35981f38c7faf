"""Brings people from outside into the portal: who they are, their function, role and manager."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
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
    family_name: str | Unset = UNSET
    email: str | Unset = UNSET
    external_id: str | Unset | None = UNSET
    employee_number: str | Unset | None = UNSET
    payroll_number: str | Unset = UNSET
    title: str | Unset = UNSET
    time_zone: str | Unset = UNSET
    started_on: date | Unset | None = UNSET
    left_on: date | Unset | None = UNSET
    manager_id: int | Unset = UNSET
    function: str | Unset = UNSET
    role: str | Unset = UNSET
    since: date | Unset = UNSET


_PLAIN: Final = (
    "name",
    "family_name",
    "email",
    "external_id",
    "employee_number",
    "payroll_number",
    "title",
    "time_zone",
    "started_on",
)


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
            everybody = [record for _position, record in batch]
            staff = _Staff.of(everybody, company_day(at))
            for position, record in batch:
                with refusing(result, position):
                    result.outcomes.append(_apply(position, record, staff, actor=actor, source=source, at=at))
                if result.is_refused(position):  # what it had changed in memory was never so
                    staff = _Staff.of(everybody, company_day(at))
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
    def of(cls, records: Sequence[PersonRecord], day: date) -> _Staff:
        """Load them all in a handful of queries; everybody, where a record has nothing but a name."""
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
                message = _("%(count)d people are called “%(name)s”: say which by number or e-mail address.")
                raise ValidationError({"name": message % {"count": len(namesakes), "name": record.name}})
            found = namesakes[0] if namesakes else None
        return found


def _apply(
    position: int, record: PersonRecord, staff: _Staff, *, actor: Actor, source: str, at: datetime
) -> RecordOutcome:
    """Do one record; whatever is refused on the way undoes all of it."""
    person = staff.find(record)
    one = UpsertResult()
    wanted = Wanted(position, "it", _plain_values(record, person), {"password": "!", "started_on": staff.day})
    may_add = actor.has(Role.ADMIN)
    if person is None and not may_add:
        raise ValidationError(_("Only administrators add people."))
    if person is not None and not may_add and wanted.values.get("email", person.email) != person.email:
        raise ValidationError({"email": _("Only administrators change addresses.")})
    merged = merge_rows(User, [wanted], {} if person is None else {"it": person}, result=one)
    if one.problems:
        raise ValidationError({problem.column or "__all__": problem.message for problem in one.problems})
    row, before, after = merged[0].row, dict(merged[0].before), dict(merged[0].after)
    if merged[0].fate is not Fate.UNCHANGED:
        action = "person.added" if person is None else "person.edited"
        said = {name: value for name, value in after.items() if name != "password"}
        record_change(actor=actor, action=action, subject=row, before=before, after=said, reason=source, at=at)
    _place(record, row, staff, before, after, is_new=person is None, actor=actor, source=source, at=at)
    fate = Fate.CREATED if person is None else Fate.CHANGED if after else Fate.UNCHANGED
    staff.learn(row)
    return RecordOutcome(position, fate, row.pk, row.name, before, after)


def _plain_values(record: PersonRecord, person: User | None) -> dict[str, object]:
    """The columns of the person that the record speaks about."""
    values = values_given(record, _PLAIN)
    for name in ("name", "family_name", "title", "employee_number", "external_id"):
        if isinstance(values.get(name), str):
            values[name] = values[name].strip()
    for name in ("external_id", "employee_number"):
        if name in values:
            values[name] = values[name] or None
    if "email" in values:
        values["email"] = _address(values["email"])
    if not values.get("email"):
        values.pop("email", None)
        if person is None:
            values["email"] = _no_address(str(values.get("name", "")))
    if person is None:
        values.setdefault("name", "")
    return values


def _place(
    record: PersonRecord,
    person: User,
    staff: _Staff,
    before: dict[str, object],
    after: dict[str, object],
    *,
    is_new: bool,
    actor: Actor,
    source: str,
    at: datetime,
) -> None:
    """Give the person function, manager, role and last day, where they differ; adds what changed to before and after."""
    since = record.since or (person.started_on if is_new and person.started_on else staff.day)
    if record.function and staff.functions.get(person.pk) != record.function:
        if record.function not in JobFunction.values:
            raise ValidationError({"function": _("There is no function “%(code)s”.") % {"code": record.function}})
        set_function(actor=actor, person=person, function=record.function, start_on=since, at=at, reason=source)
        before["function"], after["function"] = staff.functions.get(person.pk, ""), record.function
        staff.functions[person.pk] = record.function
    if record.manager_id and staff.managers.get(person.pk) != record.manager_id:
        manager = User.objects.filter(pk=record.manager_id).first()
        if manager is None:
            raise ValidationError({"manager": _("This person does not exist.")})
        set_manager(actor=actor, person=person, manager=manager, start_on=since, at=at, reason=source)
        before["manager_id"], after["manager_id"] = staff.managers.get(person.pk), manager.pk
        staff.managers[person.pk] = manager.pk
    if record.role and (person.pk, record.role) not in staff.roles:
        if record.role not in RoleChoice.values:
            raise ValidationError({"role": _("There is no role “%(code)s”.") % {"code": record.role}})
        if not actor.has(Role.ADMIN):
            raise ValidationError({"role": _("Only administrators grant roles.")})
        grant_role(actor=actor, person=person, role=record.role, start_on=since, at=at, reason=source)
        after["role"] = record.role
        staff.roles.add((person.pk, record.role))
    if isinstance(record.left_on, date) and person.left_on != record.left_on:
        if not actor.has(Role.ADMIN):
            raise ValidationError({"left_on": _("Only administrators let people go.")})
        before["left_on"], after["left_on"] = person.left_on, record.left_on
        leave_company(actor=actor, person=person, left_on=record.left_on, at=at, reason=source)
        person.refresh_from_db()


def _address(email: object) -> str:
    return str(email).strip().lower() if email else ""


def _no_address(name: str) -> str:
    """A stand-in address, the same for the same name."""
    mark = hashlib.sha256(fold_name(name).encode()).hexdigest()[:8]
    return f"{slugify(name)[:40] or 'person'}.{mark}@{NO_ADDRESS}"


@dataclass(frozen=True, slots=True)
class OwnerRecord:
    """Somebody who owns records in a source, who is to be one of the people here."""

    email: str = ""
    name: str = ""
    external_id: str = ""


def match_owners(
    *, records: Sequence[OwnerRecord], actor: Actor, source: str, at: datetime, preview: bool = False
) -> UpsertResult:
    """Find the people whom a source calls owners: by e-mail address, else by the very name where only one has it.

    Nobody is made and nothing is written: who is not found is refused with what to do. Two queries. Raises
    PermissionDenied as `upsert_people` does.
    """
    need(actor, *EDITORS)
    result = UpsertResult()
    emails = {record.email.strip().lower() for record in records if record.email}
    names = {" ".join(record.name.split()) for record in records if record.name}
    by_email = {
        email.lower(): (pk, name)
        for pk, name, email in User.objects.filter(email__in=emails).values_list("pk", "name", "email")
    }
    by_name: dict[str, list[tuple[int, str]]] = {}
    for pk, name in User.objects.filter(name__in=names).order_by("pk").values_list("pk", "name"):
        by_name.setdefault(name, []).append((pk, name))
    for position, record in enumerate(records):
        email, name = record.email.strip().lower(), " ".join(record.name.split())
        found = [by_email[email]] if email in by_email else by_name.get(name, [])
        if len(found) == 1:
            result.outcomes.append(RecordOutcome(position, Fate.UNCHANGED, *found[0]))
        elif len(found) > 1:
            words = _("Several people are called “%(name)s”: their e-mail address must say who is meant.")
            result.refuse(position, words % {"name": name}, "name")
        elif email:
            words = _("No person with the e-mail %(email)s: invite them or import people, then try again.")
            result.refuse(position, words % {"email": email}, "email")
        else:
            words = _("No person with the name %(name)s: invite them or import people, then try again.")
            result.refuse(position, words % {"name": name}, "name")
    return result.in_order()
