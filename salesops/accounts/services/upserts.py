"""Brings accounts, contacts and subscriptions from outside into the portal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from salesops.accounts.models import Account, Contact, Subscription
from salesops.accounts.rules.groups import closes_circle
from salesops.accounts.selectors import ancestors
from salesops.accounts.services.guards import check_may_import, check_money
from salesops.accounts.services.owners import as_pair, hand_over
from salesops.accounts.services.removal import back_again, give_way
from salesops.audit.services import Change, change_of, record_many
from salesops.core.actor import Actor
from salesops.core.days import company_day
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
    values_given,
)
from salesops.pods.models import Segment
from salesops.pods.selectors import pod_of, segment_for_employees, segments
from salesops.values.names import fold_name, match_name


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """A company as a source tells it, with references already looked up. What is UNSET is left alone.

    Found by `pk` where it is known: then it keeps its source and id. Else by the source and its `external_id`; without one
    by the name, loosely. One that was removed is there again. `parent_name` or `parent_external_id`
    may name an account that comes with the same records. Amounts are minor units of `currency`. `owner_since` is the
    first day of a new owner, today unless said.
    """

    name: str | Unset = UNSET
    external_id: str = ""
    parent_id: int | Unset | None = UNSET
    parent_name: str | Unset = UNSET
    parent_external_id: str | Unset = UNSET
    status: str | Unset = UNSET
    segment_id: int | Unset | None = UNSET
    territory_id: int | Unset | None = UNSET
    owner_id: int | Unset | None = UNSET
    owner_since: date | Unset = UNSET
    pod_id: int | Unset | None = UNSET
    industry: str | Unset = UNSET
    country: str | Unset = UNSET
    city: str | Unset = UNSET
    website: str | Unset = UNSET
    employees: int | Unset | None = UNSET
    revenue_minor: int | Unset | None = UNSET
    currency: str | Unset = UNSET
    founded_year: int | Unset | None = UNSET
    created_at: datetime | Unset = UNSET
    pk: int | None = None


@dataclass(frozen=True, slots=True)
class ContactRecord:
    """A person at a company as a source tells them; `account_id` is looked up already. What is UNSET is left alone.

    Found by `pk` where it is known: then they keep their source and id. Else by the source and its `external_id`; without
    one by e-mail address within the account, else by name there. Who was removed is there again.
    """

    account_id: int | Unset = UNSET
    name: str | Unset = UNSET
    external_id: str = ""
    title: str | Unset = UNSET
    email: str | Unset = UNSET
    phone: str | Unset = UNSET
    consent: str | Unset = UNSET
    is_primary: bool | Unset = UNSET
    created_at: datetime | Unset = UNSET
    pk: int | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionRecord:
    """What an account pays every month for [start_on, end_on), found by `pk` or by the source and its `external_id`."""

    external_id: str
    account_id: int | Unset = UNSET
    name: str | Unset = UNSET
    start_on: date | Unset = UNSET
    end_on: date | Unset | None = UNSET
    mrr_minor: int | Unset = UNSET
    currency: str | Unset = UNSET
    seats: int | Unset | None = UNSET
    pk: int | None = None


_ACCOUNT: Final = (
    "name",
    "parent_id",
    "status",
    "segment_id",
    "territory_id",
    "owner_id",
    "pod_id",
    "industry",
    "country",
    "city",
    "website",
    "employees",
    "revenue_minor",
    "currency",
    "founded_year",
)
#: Columns that follow from others and are not named in what changed.
_DERIVED: Final = frozenset({"match_name"})


# --- Accounts -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Known:
    """The accounts that a batch may mean, by all that finds them."""

    by_id: dict[str, Account] = field(default_factory=dict)
    by_pk: dict[int, Account] = field(default_factory=dict)
    by_name: dict[str, list[Account]] = field(default_factory=lambda: defaultdict(list))

    def find(self, record: AccountRecord) -> tuple[Account | None, str | Promise, str | Promise]:
        """The account a record means, a note when it was matched loosely, and the problem when it cannot be told.

        With an id of the source: the account of that id, else the one by that very name that has no id yet. Without: the
        one by that very name, else the only one whose name means the same.
        """
        if record.pk is not None:
            row = self.by_pk.get(record.pk)
            return row, "", "" if row is not None else _("What this refers to does not exist.")
        if record.external_id and record.external_id in self.by_id:
            return self.by_id[record.external_id], "", ""
        if not record.name:
            return None, "", "" if record.external_id else _("A company needs a name or an id.")
        alike = self.by_name.get(match_name(record.name), [])
        if record.external_id:
            alike = [account for account in alike if not account.external_id]
        same = [account for account in alike if fold_name(account.name) == fold_name(record.name)]
        if record.external_id or len(same) == 1:
            return (same[0] if len(same) == 1 else None), "", ""
        if len(alike) > 1:
            names = ", ".join(sorted(f"“{account.name}”" for account in alike[:5]))
            return (
                None,
                "",
                format_lazy(_("Several companies have this name: {names}. Say which by its id."), names=names),
            )
        if alike:
            return alike[0], format_lazy(_("taken for “{name}”"), name=alike[0].name), ""
        return None, "", ""


def upsert_accounts(
    *, actor: Actor, records: Sequence[AccountRecord], source: str, at: datetime, preview: bool = False
) -> UpsertResult:
    """Bring companies in, a batch of a thousand in a transaction of its own; a preview writes nothing.

    Rows without a difference are not written. A loosely matched account keeps its name, and the outcome's note says for
    what it was taken; two records with different names that mean the same account are not both taken. A new owner
    brings an ownership from their day on and, unless the record names one, their pod of today. Parents among the
    records themselves are found after all are in. Owners that change and rows that change are recorded in the audit.
    Raises PermissionDenied unless the actor may change all accounts.
    """
    check_may_import(actor)
    result = UpsertResult()
    sizes = segments()
    for batch in batches(records):
        with transaction.atomic():
            _accounts_batch(actor, batch, source, at, sizes, preview, result)
    _join_groups(actor, records, source, at, preview, result)
    return result.in_order()


def _accounts_batch(
    actor: Actor,
    batch: Sequence[tuple[int, AccountRecord]],
    source: str,
    at: datetime,
    sizes: Sequence[Segment],
    preview: bool,
    result: UpsertResult,
) -> None:
    known = _load_accounts([record for _position, record in batch], source, lock=not preview)
    today = company_day(at)
    pods = pod_of({record.owner_id for _position, record in batch if isinstance(record.owner_id, int)}, today)
    wanted: list[Wanted] = []
    existing: dict[Any, Account] = {}
    meant: dict[Any, str] = {}
    since: dict[Any, date] = {}
    for position, record in batch:
        row, note, problem = known.find(record)
        if problem:
            result.refuse(position, problem, "name")
            continue
        name = record.name.strip() if isinstance(record.name, str) else ""
        key: Any = row.pk if row else record.external_id or match_name(name)
        if meant.setdefault(key, fold_name(name)) != fold_name(name) and not (record.external_id or record.pk):
            result.refuse(position, _("Another record means the same company under another name."), "name")
            continue
        if row is not None:
            existing[key] = row
        if isinstance(record.owner_since, date):
            since[key] = record.owner_since
        wanted.append(_wanted_account(position, key, record, row, note, source, at, pods, sizes))
    owners_before = {key: row.owner_id for key, row in existing.items()}
    _refuse_circles(wanted, existing, result)
    taken = merge_rows(Account, wanted, existing, result=result, preview=preview, check=check_money, derived=_DERIVED)
    if preview:
        return
    keys = {one.position: one.key for one in wanted}
    moved: dict[int, int | None] = {}
    days: dict[int, date] = {}
    for merged in taken:
        key, row = keys[merged.position], merged.row
        if owners_before.get(key) != row.owner_id:
            moved[row.pk] = row.owner_id
            is_new = key not in existing
            days[row.pk] = min(since.get(key) or (company_day(row.created_at) if is_new else today), today)
    refused = hand_over(moved, today, since=days)
    hand_over({key: moved[key] for key in refused}, today)  # the day the source names lies before the last hand-over
    record_many(actor=actor, changes=_changes(taken, "account", source), at=at)


def _load_accounts(records: Sequence[AccountRecord], source: str, *, lock: bool) -> _Known:
    """All accounts that these records may mean: one query by id, one by name."""
    ids = {record.external_id for record in records if record.external_id and record.pk is None}
    names = {match_name(record.name) for record in records if record.name and record.pk is None}
    known = _Known(
        by_id=existing_by(Account.every.filter(source=source), "external_id", ids, lock=lock),
        by_pk=existing_by(Account.every.all(), "pk", {record.pk for record in records if record.pk}, lock=lock),
    )
    # One that is named in both ways is one row.
    known.by_id = {key: known.by_pk.get(row.pk, row) for key, row in known.by_id.items()}
    if names:
        rows = Account.objects.filter(match_name__in=names).order_by("pk")
        claimed = {account.pk: account for account in (*known.by_id.values(), *known.by_pk.values())}
        for account in rows.select_for_update(of=("self",)) if lock else rows:
            known.by_name[account.match_name].append(claimed.get(account.pk, account))
    return known


def _wanted_account(
    position: int,
    key: Any,
    record: AccountRecord,
    row: Account | None,
    note: str | Promise,
    source: str,
    at: datetime,
    pods: Mapping[int, int],
    sizes: Sequence[Segment],
) -> Wanted:
    values = values_given(record, _ACCOUNT)
    if "name" in values:
        values["name"] = values["name"].strip()
        values["match_name"] = match_name(values["name"])
        if note:
            del values["name"], values["match_name"]
    if row is None:
        values.setdefault("name", "")
        owner_id, employees = values.get("owner_id"), values.get("employees")
        segment = segment_for_employees(employees, sizes) if isinstance(employees, int) else None
        defaults = {
            "source": source,
            "external_id": record.external_id,
            "created_at": record.created_at or at,
            "currency": settings.COMPANY_CURRENCY,
            "pod_id": pods.get(owner_id) if owner_id else None,
            "segment_id": segment.pk if segment else None,
        }
        return Wanted(position, key, values, defaults, note)
    if record.external_id and not row.external_id and record.pk is None:
        values |= {"source": source, "external_id": record.external_id}
    values |= back_again(row)
    owner_id = values.get("owner_id")
    if owner_id and owner_id != row.owner_id and "pod_id" not in values:
        values["pod_id"] = pods.get(owner_id, row.pod_id)
    return Wanted(position, key, values, {}, note)


def _refuse_circles(wanted: Sequence[Wanted], existing: Mapping[Any, Account], result: UpsertResult) -> None:
    """Refuse records whose parent is the account itself or below it."""
    moving = [
        one
        for one in wanted
        if one.key in existing
        and one.values.get("parent_id") is not None
        and one.values["parent_id"] != existing[one.key].parent_id
    ]
    if not moving:
        return
    above = ancestors({one.values["parent_id"] for one in moving})
    for one in moving:
        key = existing[one.key].pk
        if closes_circle(key, one.values["parent_id"], above):
            result.refuse(one.position, _CIRCLE, "parent")
        else:
            above[key] = one.values["parent_id"]


_CIRCLE: Final = _("That account belongs to this one, directly or through others.")


def _join_groups(
    actor: Actor, records: Sequence[AccountRecord], source: str, at: datetime, preview: bool, result: UpsertResult
) -> None:
    """Find the parents that records name and join the accounts to them; complain where there is none."""
    asked = [
        (position, AccountRecord(name=record.parent_name, external_id=str(record.parent_external_id or "")))
        for position, record in enumerate(records)
        if (record.parent_name or record.parent_external_id) and not result.is_refused(position)
    ]
    if not asked:
        return
    pks = result.pks
    joined: dict[int, Merged[Account]] = {}
    coming = {record.external_id for record in records} | {match_name(str(record.name or "")) for record in records}
    coming.discard("")
    for batch in batches(asked):
        with transaction.atomic():
            parents = _load_accounts([named for _index, (_position, named) in batch], source, lock=False)
            keys = {pks[position] for _index, (position, _named) in batch if position in pks}
            children = existing_by(Account.objects.all(), "pk", keys, lock=not preview)
            wanted = []
            for _index, (position, named) in batch:
                parent, _note, problem = parents.find(named)
                child = children.get(pks.get(position))
                if parent is None and not (preview and {named.external_id, match_name(str(named.name or ""))} & coming):
                    result.complain(position, problem or _("There is no such account."), "parent")
                elif parent is not None and child is not None and child.parent_id != parent.pk:
                    wanted.append(Wanted(position, child.pk, {"parent_id": parent.pk}))
            own = UpsertResult()
            _refuse_circles(wanted, children, own)
            taken = merge_rows(Account, wanted, children, result=own, preview=preview)
            for trouble in own.problems:
                result.complain(trouble.position, trouble.message, "parent")
            joined.update({merged.position: merged for merged in taken if merged.fate is Fate.CHANGED})
            if not preview:
                record_many(actor=actor, changes=_changes(taken, "account", source), at=at)
    result.outcomes = [
        _with_parent(outcome, joined[outcome.position]) if outcome.position in joined else outcome
        for outcome in result.outcomes
    ]


def _with_parent(outcome: RecordOutcome, merged: Merged[Account]) -> RecordOutcome:
    """The outcome of a record, its parent included."""
    fate = Fate.CHANGED if outcome.fate is Fate.UNCHANGED else outcome.fate
    before = {**outcome.before, **merged.before} if fate is Fate.CHANGED else outcome.before
    return replace(outcome, fate=fate, before=before, after={**outcome.after, **merged.after})


def _changes(taken: Iterable[Merged[Any]], noun: str, source: str) -> list[Change]:
    """What the audit keeps of rows that came in or changed."""
    changes = []
    for merged in taken:
        if merged.fate is Fate.UNCHANGED:
            continue
        before, after = as_pair(merged.before, merged.after)
        is_new = merged.fate is Fate.CREATED
        for derived in _DERIVED:
            before.pop(derived, None)
            after.pop(derived, None)
        if is_new:
            after = {name: value for name, value in after.items() if value not in ("", None)}
        action = "created" if is_new else "reassigned" if set(after) <= {"owner", "pod"} else "edited"
        if before.get("removed_at"):
            action = "restored"
        changes.append(change_of(merged.row, action=f"{noun}.{action}", before=before, after=after, reason=source))
    return changes


# --- Contacts -----------------------------------------------------------------------------------------------------


def upsert_contacts(
    *, actor: Actor, records: Sequence[ContactRecord], source: str, at: datetime, preview: bool = False
) -> UpsertResult:
    """Bring people at companies in, a batch of a thousand in a transaction of its own; a preview writes nothing.

    A main contact takes the place of the one before. Raises PermissionDenied unless the actor may change all accounts.
    """
    check_may_import(actor)
    result = UpsertResult()
    for batch in batches(records):
        with transaction.atomic():
            wanted, existing = _wanted_contacts(batch, source, at, result, lock=not preview)
            if not preview:
                give_way([row for row in existing.values() if row.is_removed])
                _step_down(wanted, existing)
            taken = merge_rows(Contact, wanted, existing, result=result, preview=preview)
            if not preview:
                record_many(actor=actor, changes=_changes(taken, "contact", source), at=at)
    return result.in_order()


def _wanted_contacts(
    batch: Sequence[tuple[int, ContactRecord]], source: str, at: datetime, result: UpsertResult, *, lock: bool
) -> tuple[list[Wanted], dict[Any, Contact]]:
    """The rows wanted, and the existing ones they mean: one query by id, one for contacts that have no id."""
    ids = {record.external_id for _position, record in batch if record.external_id and record.pk is None}
    by_pk = existing_by(Contact.every.all(), "pk", {record.pk for _position, record in batch if record.pk}, lock=lock)
    by_id = {
        key: by_pk.get(row.pk, row)
        for key, row in existing_by(Contact.every.filter(source=source), "external_id", ids, lock=lock).items()
    }
    loose = [record for _position, record in batch if record.pk is None and record.external_id not in by_id]
    accounts = {record.account_id for record in loose if isinstance(record.account_id, int)}
    emails = {record.email.strip().lower() for record in loose if record.email}
    names = {record.name.strip().lower() for record in loose if record.name}
    by_email: dict[tuple[int, str], Contact] = {}
    by_name: dict[tuple[int, str], Contact] = {}
    if accounts:
        rows = (
            Contact.objects.filter(account__in=accounts)
            .annotate(lower_email=Lower("email"), lower_name=Lower("name"))
            .filter(Q(lower_email__in=emails) | Q(lower_name__in=names))
            .order_by("-pk")
        )
        for contact in rows.select_for_update(of=("self",)) if lock else rows:
            known: Contact = by_pk.get(contact.pk, contact)
            by_email[contact.account_id, contact.email.lower()] = known
            by_name[contact.account_id, fold_name(contact.name)] = known
    wanted: list[Wanted] = []
    existing: dict[Any, Contact] = {}
    for position, record in batch:
        email = record.email.strip().lower() if record.email else ""
        name = record.name.strip() if record.name else ""
        row = by_id.get(record.external_id) if record.external_id else None
        if record.pk is not None:
            row = by_pk.get(record.pk)
            if row is None:
                result.refuse(position, _("What this refers to does not exist."))
                continue
        key: Any = record.external_id
        if row is None and isinstance(record.account_id, int):
            found = by_email.get((record.account_id, email)) if email else None
            if found is None and name and (not email or not record.external_id):
                found = by_name.get((record.account_id, fold_name(name)))
                if found is not None and email and found.email and found.email.lower() != email:
                    found = None  # a namesake
            if found is not None and not (record.external_id and found.external_id):
                row = found
            key = record.external_id or (record.account_id, email or fold_name(name))
        if row is None and not isinstance(record.account_id, int):
            result.refuse(position, _("A new contact needs a company."), "account")
            continue
        key = row.pk if row else key
        if row is not None:
            existing[key] = row
        values = values_given(record, ("account_id", "name", "title", "email", "phone", "consent", "is_primary"))
        if "email" in values:
            values["email"] = email
        if "name" in values:
            values["name"] = name
        if row is None:
            values.setdefault("name", "")
        else:
            values |= back_again(row)
            if record.external_id and not row.external_id and record.pk is None:
                values |= {"source": source, "external_id": record.external_id}
        defaults = {"source": source, "external_id": record.external_id, "created_at": record.created_at or at}
        wanted.append(Wanted(position, key, values, defaults))
    return wanted, existing


def _step_down(wanted: Sequence[Wanted], existing: Mapping[Any, Contact]) -> None:
    """Main contacts whose place is taken are main contacts no more."""
    rising = [one for one in wanted if one.values.get("is_primary") and not _is_primary(existing.get(one.key))]
    accounts = {
        one.values.get("account_id") or existing[one.key].account_id
        for one in rising
        if one.key in existing or one.values.get("account_id")
    }
    staying = {existing[one.key].pk for one in wanted if one.key in existing and one.values.get("is_primary")}
    if accounts:
        Contact.objects.filter(account__in=accounts, is_primary=True).exclude(pk__in=staying).update(is_primary=False)


def _is_primary(contact: Contact | None) -> bool:
    return contact is not None and contact.is_primary


# --- Subscriptions ------------------------------------------------------------------------------------------------


def upsert_subscriptions(
    *, actor: Actor, records: Sequence[SubscriptionRecord], source: str, at: datetime, preview: bool = False
) -> UpsertResult:
    """Bring subscriptions in, a batch of a thousand in a transaction of its own; a preview writes nothing.

    Raises PermissionDenied unless the actor may change all accounts.
    """
    check_may_import(actor)
    result = UpsertResult()
    names = ("account_id", "name", "start_on", "end_on", "mrr_minor", "currency", "seats")
    for batch in batches(records):
        with transaction.atomic():
            lock = not preview
            ids = {record.external_id for _position, record in batch if record.external_id and record.pk is None}
            keys = {record.pk for _position, record in batch if record.pk is not None}
            existing: dict[Any, Subscription] = {
                **existing_by(
                    Subscription.objects.select_related("account").filter(source=source), "external_id", ids, lock=lock
                ),
                **existing_by(Subscription.objects.select_related("account"), "pk", keys, lock=lock),
            }
            wanted = []
            for position, record in batch:
                values = values_given(record, names)
                if record.pk is not None:
                    if record.pk in existing:
                        wanted.append(Wanted(position, record.pk, values))
                    else:
                        result.refuse(position, _("What this refers to does not exist."))
                elif not record.external_id:
                    result.refuse(position, _("A subscription needs the id it has in its source."), "external_id")
                elif record.external_id not in existing and not {"account_id", "start_on", "mrr_minor"} <= set(values):
                    result.refuse(position, _("A new subscription needs a company, a first day and an amount."))
                else:
                    defaults = {
                        "source": source,
                        "external_id": record.external_id,
                        "name": record.external_id,
                        "currency": settings.COMPANY_CURRENCY,
                    }
                    wanted.append(Wanted(position, record.external_id, values, defaults))
            accounts = Account.every.in_bulk(
                {want.values["account_id"] for want in wanted if want.values.get("account_id") is not None}
            )

            def check(row: Subscription, accounts: Mapping[int, Account] = accounts) -> None:
                # An outcome names its row, and a subscription is named by its account: known here, not asked for each.
                if row.account_id in accounts:
                    row.account = accounts[row.account_id]
                _check_subscription(row)

            taken = merge_rows(Subscription, wanted, existing, result=result, preview=preview, check=check)
            if not preview:
                record_many(actor=actor, changes=_changes(taken, "subscription", source), at=at)
    return result.in_order()


def _check_subscription(row: Subscription) -> None:
    check_money(row)
    if row.end_on is not None and row.end_on <= row.start_on:
        raise ValidationError({"end_on": _("It must end after it begins.")})
