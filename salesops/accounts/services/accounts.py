"""Makes and changes companies: their facts, their place in a group, what became of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from salesops.accounts.choices import AccountStatus
from salesops.accounts.models import Account
from salesops.accounts.rules.groups import closes_circle
from salesops.accounts.selectors import ancestors
from salesops.accounts.services.guards import check_may_edit, check_money, check_receiver, refuse_stale
from salesops.accounts.services.owners import begin_ownership
from salesops.audit.services import changed, record, state_of
from salesops.core.actor import Actor, Role
from salesops.core.days import company_day
from salesops.core.upserts import UNSET, Unset
from salesops.people.models import User
from salesops.pods.models import Pod
from salesops.pods.selectors import pod_of, segment_for_employees, segments
from salesops.values.names import match_name

#: What `edit_account` may change. Owner and pod change by `set_owner`.
EDITABLE: Final = frozenset(
    {
        "name",
        "parent",
        "status",
        "segment",
        "territory",
        "industry",
        "country",
        "city",
        "website",
        "employees",
        "revenue_minor",
        "currency",
        "founded_year",
    }
)
#: What the audit keeps of an account.
AUDITED: Final = (*sorted(EDITABLE), "owner", "pod", "external_id")


@transaction.atomic
def create_account(
    *,
    actor: Actor,
    at: datetime,
    name: str,
    owner: User | Unset | None = UNSET,
    pod: Pod | Unset | None = UNSET,
    **fields: Any,
) -> Account:
    """Make an account. Without an owner given it is a rep's own; its pod is the owner's of today unless given.

    The segment follows from the number of employees unless given. Raises PermissionDenied, or ValidationError at the
    field at fault; ValueError for a field that is not set this way.
    """
    check_may_edit(actor)
    _check_fields(fields)
    check_receiver(actor, owner, pod, at)
    if isinstance(owner, Unset):
        is_theirs = actor.user_id is not None and actor.has(Role.REP) and not actor.is_system
        owner = User.objects.get(pk=actor.user_id) if is_theirs else None
    if isinstance(pod, Unset):
        pod_id = pod_of([owner.pk], company_day(at)).get(owner.pk) if owner else None
    else:
        pod_id = pod.pk if pod else None
    account = Account(name=name, owner=owner, pod_id=pod_id, created_at=at, **fields)
    if account.segment_id is None:
        account.segment = segment_for_employees(account.employees, segments())
    _check(account)
    _check_parent(actor, account)
    account.save()
    begin_ownership([account], company_day(at))
    record(actor=actor, action="account.created", subject=account, after=_filled(account), at=at)
    return account


@transaction.atomic
def edit_account(
    *, actor: Actor, account_id: int, at: datetime, seen_at: datetime | None = None, reason: str = "", **fields: Any
) -> Account:
    """Change what is known about an account (EDITABLE). Nothing is written when nothing differs.

    With `seen_at`, the moment of saving that the form showed, a newer account is not overwritten. Raises
    PermissionDenied, Http404, ValidationError at the field at fault (code "stale" for a newer account), ValueError.
    """
    check_may_edit(actor)
    _check_fields(fields)
    account: Account = Account.objects.select_for_update(of=("self",)).get_for(actor, pk=account_id)
    refuse_stale(account, seen_at)
    before = state_of(account, names=fields)
    for name, value in fields.items():
        setattr(account, name, value)
    old, new = changed(before, state_of(account, names=fields))
    if not new:
        return account
    _check(account)
    if "parent" in new:
        _check_parent(actor, account)
    account.save()
    record(actor=actor, action="account.edited", subject=account, before=old, after=new, reason=reason, at=at)
    return account


@transaction.atomic
def become_customer(*, actor: Actor, account_id: int, at: datetime, reason: str = "") -> bool:
    """The account bought: it is a customer from now on. Says whether that is news. Raises Account.DoesNotExist.

    Rooms above call it for work that they have checked already.
    """
    account = Account.objects.select_for_update(of=("self",)).get(pk=account_id)
    if account.status == AccountStatus.CUSTOMER:
        return False
    before = {"status": account.status}
    account.status = AccountStatus.CUSTOMER
    account.save(update_fields=["status", "updated_at"])
    record(
        actor=actor,
        action="account.edited",
        subject=account,
        before=before,
        after={"status": account.status},
        reason=reason,
        at=at,
    )
    return True


def _check_fields(fields: dict[str, Any]) -> None:
    unknown = set(fields) - EDITABLE
    if unknown:
        raise ValueError(f"not to be set here: {', '.join(sorted(unknown))}")


def _check(account: Account) -> None:
    """Check as a form would; the name as matching compares it follows from the name."""
    account.name = account.name.strip()
    account.match_name = match_name(account.name)
    check_money(account)
    account.full_clean()


def _check_parent(actor: Actor, account: Account) -> None:
    """A parent must be the actor's to see, and no account may be above itself.

    All accounts of the group are locked from the bottom up, so that two moves cannot close a circle together.
    """
    if account.parent_id is None:
        return
    if not Account.objects.visible_to(actor).filter(pk=account.parent_id).exists():
        raise ValidationError({"parent": _("There is no such account.")})
    above = ancestors([account.parent_id])
    list(Account.objects.select_for_update(of=("self",)).filter(pk__in=above).order_by("pk").values_list("pk"))
    if account.pk is not None and closes_circle(account.pk, account.parent_id, ancestors([account.parent_id])):
        raise ValidationError({"parent": _("That account belongs to this one, directly or through others.")})


def _filled(account: Account) -> dict[str, Any]:
    """What the audit keeps of a new account: only what is filled in."""
    return {name: value for name, value in state_of(account, names=AUDITED).items() if value not in ("", None)}
