"""Who is responsible for an account, in time: the one before ends on the day on which the next begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from salesops.accounts.models import Account, AccountOwnership
from salesops.accounts.services.guards import check_may_edit, check_receiver
from salesops.audit.services import changed, record, state_of
from salesops.core.actor import Actor
from salesops.core.days import company_day
from salesops.core.upserts import UNSET, Unset
from salesops.people.choices import JobFunction
from salesops.people.models import User
from salesops.pods.models import Pod
from salesops.pods.selectors import pod_of

#: The function whose holder is the account's owner.
OWNER = JobFunction.AE


@transaction.atomic
def set_owner(
    *,
    actor: Actor,
    account_id: int,
    owner: User | None,
    at: datetime,
    day: date | None = None,
    pod: Pod | Unset | None = UNSET,
    reason: str = "",
) -> Account:
    """Give an account to a person from a day on (today unless given), or to nobody.

    The pod becomes the one given, else the new owner's of today, else stays. The ownership that holds until then ends
    on that day; who was responsible before stays on record. Raises PermissionDenied, Http404, ValidationError for a
    person or pod the actor may not give work to, a day to come, or a day before the present owner began.
    """
    check_may_edit(actor)
    check_receiver(actor, owner, pod, at)
    account: Account = Account.objects.select_for_update(of=("self",)).get_for(actor, pk=account_id)
    today = company_day(at)
    day = day or today
    if day > today:
        raise ValidationError({"day": _("Choose today or a day that is past.")})
    before = state_of(account, names=["owner", "pod"])
    if account.owner_id != (owner.pk if owner else None):
        refusals = hand_over({account.pk: owner.pk if owner else None}, day)
        if refusals:
            raise ValidationError({"day": refusals[account.pk]})
        account.owner = owner
    if not isinstance(pod, Unset):
        account.pod = pod
    elif owner is not None:
        account.pod_id = pod_of([owner.pk], today).get(owner.pk, account.pod_id)
    old, new = changed(before, state_of(account, names=["owner", "pod"]))
    if new:
        account.save(update_fields=["owner", "pod", "updated_at"])
        record(
            actor=actor,
            action="account.reassigned",
            subject=account,
            before=old,
            after=new | ({"day": day} if day != today else {}),
            reason=reason,
            at=at,
        )
    return account


@transaction.atomic
def set_responsible(
    *,
    actor: Actor,
    account_id: int,
    function: str,
    person: User | None,
    at: datetime,
    day: date | None = None,
    reason: str = "",
) -> None:
    """Say who is responsible for an account in another function (CSM, onboarding, ...) from a day on, or that nobody is.

    The owner's own function goes through `set_owner`. Raises as that does.
    """
    if function == OWNER:
        set_owner(actor=actor, account_id=account_id, owner=person, at=at, day=day, reason=reason)
        return
    check_may_edit(actor)
    check_receiver(actor, person, UNSET, at)
    if function not in JobFunction.values:
        raise ValidationError({"function": _("There is no function “%(code)s”.") % {"code": function}})
    account: Account = Account.objects.select_for_update(of=("self",)).get_for(actor, pk=account_id)
    day = day or company_day(at)
    held = AccountOwnership.objects.on(day).filter(account=account, function=function).first()
    if (held.person_id if held else None) == (person.pk if person else None):
        return
    refusals = hand_over({account.pk: person.pk if person else None}, day, function=function)
    if refusals:
        raise ValidationError({"day": refusals[account.pk]})
    record(
        actor=actor,
        action="account.responsible_changed",
        subject=account,
        before={"function": function, "person": held.person_id if held else None},
        after={"function": function, "person": person.pk if person else None, "day": day},
        reason=reason,
        at=at,
    )


def hand_over(
    owners: Mapping[int, int | None], day: date, *, function: str = OWNER, since: Mapping[int, date] | None = None
) -> dict[int, str]:
    """Let these accounts (by key) have these owners from a day on, in a handful of statements for any number of them.

    The ownership held on the day ends; one that began on that very day is replaced. `since` names other days for some
    accounts. Gives the accounts for which it cannot be, with the reason: an ownership that begins after the day. The
    accounts must be locked by the caller.
    """
    days = {key: (since or {}).get(key, day) for key in owners}
    ending: list[AccountOwnership] = []
    replaced: list[int] = []
    refused: dict[int, str] = {}
    rows = AccountOwnership.objects.filter(account__in=owners, function=function).order_by("account_id", "-start_on")
    for row in rows:
        start = days[row.account_id]
        if row.account_id in refused or (row.end_on is not None and row.end_on <= start):
            continue
        if row.start_on > start:
            refused[row.account_id] = _("Somebody else begins on %(day)s: choose that day or a later one.") % {
                "day": date_format(row.start_on)
            }
        elif row.start_on == start:
            replaced.append(row.pk)
        else:
            row.end_on = start
            ending.append(row)
    ending = [row for row in ending if row.account_id not in refused]
    AccountOwnership.objects.filter(pk__in=replaced).exclude(account__in=refused).delete()
    AccountOwnership.objects.bulk_create(ending, update_conflicts=True, update_fields=["end_on"], unique_fields=["pk"])
    AccountOwnership.objects.bulk_create(
        AccountOwnership(account_id=key, person_id=person_id, function=function, start_on=days[key])
        for key, person_id in owners.items()
        if person_id is not None and key not in refused
    )
    return refused


def begin_ownership(accounts: Sequence[Account], day: date, since: Mapping[int, date] | None = None) -> None:
    """The first ownership of new accounts that have an owner."""
    hand_over({account.pk: account.owner_id for account in accounts if account.owner_id}, day, since=since)


def as_pair(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Column names without "_id", as the audit keeps them."""
    return (
        {name.removesuffix("_id"): value for name, value in before.items()},
        {name.removesuffix("_id"): value for name, value in after.items()},
    )
