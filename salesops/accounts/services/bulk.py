"""Changes many accounts at once: first what would happen to each, then exactly that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils.translation import gettext as _

from salesops.accounts.choices import AccountStatus
from salesops.accounts.models import Account, AccountOwnership
from salesops.accounts.services.guards import check_may_edit, check_receiver
from salesops.accounts.services.owners import hand_over
from salesops.audit.services import change_of, record_many
from salesops.core.actor import Actor
from salesops.core.days import company_day
from salesops.core.upserts import UNSET, Unset
from salesops.people.models import User
from salesops.pods.models import Pod, Segment, Territory
from salesops.pods.selectors import pod_of

_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class BulkRow:
    """One chosen row: what differs, by column (references by name), or the problem for which it stays as it is."""

    pk: int
    label: str
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def is_changed(self) -> bool:
        """Whether anything changes."""
        return bool(self.after) and not self.problem


@dataclass(frozen=True, slots=True)
class AccountChanges:
    """What is to become of the chosen accounts; what is UNSET is left alone. A new owner brings their pod, unless given."""

    owner: User | Unset | None = UNSET
    pod: Pod | Unset | None = UNSET
    status: str | Unset = UNSET
    segment: Segment | Unset | None = UNSET
    territory: Territory | Unset | None = UNSET
    industry: str | Unset = UNSET


def given(changes: Any) -> dict[str, Any]:
    """The changes that are asked for, by field. Raises ValidationError when there are none."""
    asked = {one.name: getattr(changes, one.name) for one in fields(changes)}
    asked = {name: value for name, value in asked.items() if value is not UNSET}
    if not asked:
        raise ValidationError(_("Choose at least one thing to change."), code="nothing")
    return asked


def shown(row: models.Model, name: str) -> str:
    """A column's value in words."""
    display_of = getattr(row, f"get_{name}_display", None)
    value = display_of() if callable(display_of) else getattr(row, name)
    return "" if value is None else str(value)


def key_of(value: Any) -> Any:
    """A value as the audit keeps it: a row is its key."""
    return value.pk if isinstance(value, models.Model) else value


def key_batches(keys: Sequence[int]) -> Iterator[list[int]]:
    """Distinct keys in order, so that two bulk changes at once cannot wait for each other in a circle."""
    ordered = sorted(set(keys))
    for start in range(0, len(ordered), _BATCH):
        yield ordered[start : start + _BATCH]


def plan_bulk_edit(*, actor: Actor, account_ids: Sequence[int], changes: AccountChanges, at: datetime) -> list[BulkRow]:
    """Say what `bulk_edit` would do to each of these accounts now; writes nothing. Raises as `bulk_edit`."""
    return _bulk(actor, account_ids, changes, at, reason="", is_preview=True)


@transaction.atomic
def bulk_edit(
    *, actor: Actor, account_ids: Sequence[int], changes: AccountChanges, at: datetime, reason: str = ""
) -> list[BulkRow]:
    """Change these accounts in one transaction and say what happened to each; those not the actor's are left out.

    Raises PermissionDenied, ValidationError when nothing is asked or the owner or pod is none the actor may give to.
    """
    return _bulk(actor, account_ids, changes, at, reason=reason, is_preview=False)


@transaction.atomic
def bulk_reassign(
    *,
    actor: Actor,
    account_ids: Sequence[int],
    at: datetime,
    owner: User | Unset | None = UNSET,
    pod: Pod | Unset | None = UNSET,
    day: date | None = None,
    reason: str = "",
) -> list[BulkRow]:
    """Give these accounts to another owner or pod, from today on or from another day. As `bulk_edit`."""
    changes = AccountChanges(owner=owner, pod=pod)
    return _bulk(actor, account_ids, changes, at, reason=reason, is_preview=False, day=day)


@transaction.atomic
def bulk_hand_over(
    *,
    actor: Actor,
    account_ids: Sequence[int],
    function: str,
    person: User,
    at: datetime,
    day: date,
    reason: str = "",
) -> dict[int, str]:
    """Make a person responsible for these accounts in a function other than the owner's, from a day on.

    Gives the accounts for which it cannot be, with the reason. Raises PermissionDenied, or ValidationError for a person
    the actor may not give work to.
    """
    check_may_edit(actor)
    check_receiver(actor, person, UNSET, at)
    refused: dict[int, str] = {}
    for keys in key_batches(account_ids):
        accounts = list(
            Account.objects.visible_to(actor).filter(pk__in=keys).order_by("pk").select_for_update(of=("self",))
        )
        held = AccountOwnership.objects.on(day).filter(account__in=accounts, function=function)
        before = dict(held.values_list("account_id", "person_id"))
        moving = [account for account in accounts if before.get(account.pk) != person.pk]
        refused |= hand_over({account.pk: person.pk for account in moving}, day, function=function)
        record_many(
            actor=actor,
            changes=[
                change_of(
                    account,
                    action="account.responsible_changed",
                    before={"function": function, "person": before.get(account.pk)},
                    after={"function": function, "person": person.pk, "day": day},
                    reason=reason,
                )
                for account in moving
                if account.pk not in refused
            ],
            at=at,
        )
    return refused


def _bulk(
    actor: Actor,
    account_ids: Sequence[int],
    changes: AccountChanges,
    at: datetime,
    *,
    reason: str,
    is_preview: bool,
    day: date | None = None,
) -> list[BulkRow]:
    check_may_edit(actor)
    day = day or company_day(at)
    asked = given(changes)
    check_receiver(actor, changes.owner, changes.pod, at)
    if "status" in asked and asked["status"] not in AccountStatus.values:
        raise ValidationError({"status": _("There is no such status.")})
    if len(asked.get("industry", "")) > 80:
        raise ValidationError({"industry": _("At most 80 characters.")})
    if isinstance(changes.owner, User) and changes.pod is UNSET:
        brought = pod_of([changes.owner.pk], day).get(changes.owner.pk)
        if brought is not None:
            asked["pod"] = Pod.objects.get(pk=brought)
    done: list[BulkRow] = []
    for keys in key_batches(account_ids):
        done += _batch(actor, keys, asked, at, day, reason=reason, is_preview=is_preview)
    return done


def _batch(
    actor: Actor,
    keys: Sequence[int],
    asked: Mapping[str, Any],
    at: datetime,
    day: date,
    *,
    reason: str,
    is_preview: bool,
) -> list[BulkRow]:
    """One batch: a fixed number of queries, however many accounts."""
    rows = Account.objects.visible_to(actor).filter(pk__in=keys).order_by("pk").select_related(*_RELATED)
    if not is_preview:
        rows = rows.select_for_update(of=("self",))
    accounts = list(rows)
    before = {
        account.pk: {name: (getattr(account, name), shown(account, name)) for name in asked} for account in accounts
    }
    new_owner = asked.get("owner", UNSET)
    owners = {
        account.pk: new_owner.pk if new_owner else None
        for account in accounts
        if new_owner is not UNSET and account.owner_id != (new_owner.pk if new_owner else None)
    }
    refused = _hand_over(owners, day, is_preview=is_preview)
    done, written, entries = [], [], []
    for account in accounts:
        if account.pk in refused:
            done.append(BulkRow(account.pk, account.name, problem=refused[account.pk]))
            continue
        for name, value in asked.items():
            setattr(account, name, value)
        differing = [name for name, value in asked.items() if before[account.pk][name][0] != value]
        old = {name: before[account.pk][name][1] for name in differing}
        done.append(BulkRow(account.pk, account.name, old, {name: shown(account, name) for name in differing}))
        if differing:
            account.updated_at = at
            written.append(account)
            entries.append(
                change_of(
                    account,
                    action="account.reassigned" if set(differing) <= {"owner", "pod"} else "account.edited",
                    before={name: key_of(before[account.pk][name][0]) for name in differing},
                    after={name: key_of(getattr(account, name)) for name in differing},
                    reason=reason,
                )
            )
    if written and not is_preview:
        Account.objects.bulk_create(
            written, update_conflicts=True, update_fields=[*asked, "updated_at"], unique_fields=["pk"]
        )
        record_many(actor=actor, changes=entries, at=at)
    return done


def _hand_over(owners: Mapping[int, int | None], day: date, *, is_preview: bool) -> dict[int, str]:
    """Move the ownerships; a preview does the same and takes it back, so that it refuses what the real one would."""
    if not owners:
        return {}
    with transaction.atomic():
        refused = hand_over(owners, day)
        if is_preview:
            transaction.set_rollback(True)
    return refused


_RELATED: Final = ("owner", "pod", "segment", "territory")
