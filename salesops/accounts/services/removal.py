"""Takes rows away that are gone in their source, brings them back, and lets one row stand for another.

Nothing is deleted: what hangs on a row stays with it, and its page can still be opened.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _

from salesops.accounts.merging import move_names
from salesops.accounts.models import Account, Contact, Subscription
from salesops.accounts.rules.consent import stricter
from salesops.accounts.services.guards import check_may_import
from salesops.audit.services import Change, change_of, record, record_many, state_of
from salesops.core.actor import Actor
from salesops.core.models import Removable
from salesops.core.upserts import Fate, RecordOutcome, UpsertResult

RowT = TypeVar("RowT", bound=Removable)

_MOST_WORDS = 200
_TOLD = ("removed_at", "removed_because", "merged_into")


def remove_rows(
    model: type[RowT],
    *,
    noun: str,
    pks: Sequence[int],
    actor: Actor,
    because: str,
    at: datetime,
    then: Callable[[Collection[RowT]], None] | None = None,
) -> UpsertResult:
    """Remove these rows; those that are removed already stay as they are. Three statements, however many.

    because: why, in words that name the source. `then` does what a room has to do about rows that go. Raises
    PermissionDenied unless the actor may change all rows.
    """
    check_may_import(actor)
    why = " ".join(because.split())[:_MOST_WORDS]
    result = UpsertResult()
    with transaction.atomic():
        rows = _locked(model, pks)
        going: dict[int, RowT] = {}
        for position, pk in enumerate(pks):
            row = rows.get(pk)
            if row is None:
                result.refuse(position, _("What this refers to does not exist."))
                continue
            fate = Fate.UNCHANGED if row.is_removed or pk in going else Fate.CHANGED
            if fate is Fate.CHANGED:
                going[pk] = row
            result.outcomes.append(RecordOutcome(position, fate, pk, str(row)))
        _write(model, going, {"removed_at": at, "removed_because": why}, at)
        if then is not None and going:
            then(going.values())
        record_many(
            actor=actor,
            changes=[
                change_of(
                    row,
                    action=f"{noun}.removed",
                    before={"removed_at": None, "removed_because": ""},
                    after={"removed_at": at, "removed_because": why},
                    reason=why,
                )
                for row in going.values()
            ],
            at=at,
        )
    return result.in_order()


def restore_rows(
    model: type[RowT],
    *,
    noun: str,
    pks: Sequence[int],
    actor: Actor,
    because: str,
    at: datetime,
    before: Callable[[Collection[RowT]], None] | None = None,
) -> UpsertResult:
    """Bring these rows back; those that are there stay as they are. As `remove_rows`.

    What a merge moved to another row stays there: from which row it came is not known.
    """
    check_may_import(actor)
    result = UpsertResult()
    with transaction.atomic():
        rows = _locked(model, pks)
        coming: dict[int, RowT] = {}
        for position, pk in enumerate(pks):
            row = rows.get(pk)
            if row is None:
                result.refuse(position, _("What this refers to does not exist."))
                continue
            fate = Fate.CHANGED if row.is_removed and pk not in coming else Fate.UNCHANGED
            if fate is Fate.CHANGED:
                coming[pk] = row
            result.outcomes.append(RecordOutcome(position, fate, pk, str(row)))
        stood = {
            pk: {name: getattr(row, f"{name}_id", getattr(row, name)) for name in _TOLD} for pk, row in coming.items()
        }
        if before is not None and coming:
            before(coming.values())
        _write(model, coming, {"removed_at": None, "removed_because": "", "merged_into": None}, at)
        record_many(actor=actor, changes=[restored(row, noun, stood[pk], because) for pk, row in coming.items()], at=at)
    return result.in_order()


def restored(row: Removable, noun: str, stood: dict[str, Any], because: str) -> Change:
    """What the audit keeps of a row that is there again."""
    return change_of(
        row,
        action=f"{noun}.restored",
        before=stood,
        after={"removed_at": None, "removed_because": "", "merged_into": None},
        reason=because,
    )


def back_again(row: Removable) -> dict[str, Any]:
    """The columns that an upsert of a removed row writes so that it is there again; nothing for one that is there."""
    if not row.is_removed:
        return {}
    return {"removed_at": None, "removed_because": "", "merged_into_id": None}


@transaction.atomic
def merge_pair(
    model: type[RowT],
    *,
    noun: str,
    loser: int,
    winner: int,
    actor: Actor,
    at: datetime,
    before: Callable[[RowT, RowT], None] | None = None,
) -> UpsertResult:
    """Let the winner stand for the loser: the loser is removed, and what named it names the winner (see `merging`).

    Merging the same two again changes nothing. Raises ValidationError for a row merged into itself or into one that is
    removed, PermissionDenied unless the actor may change all rows.
    """
    check_may_import(actor)
    rows = _locked(model, (loser, winner))
    result = UpsertResult()
    if loser == winner or len(rows) < 2:
        raise ValidationError(_("Two rows that exist are needed to make one of them."), code="merge")
    lost, stays = rows[loser], rows[winner]
    if stays.is_removed:
        raise ValidationError(_("The row that should stay was removed itself."), code="merge-removed")
    if lost.is_removed and _successor(lost) == winner:
        result.outcomes.append(RecordOutcome(0, Fate.UNCHANGED, winner, str(stays)))
        return result
    if before is not None:
        before(lost, stays)
    moved = move_names(lost, stays, at=at)
    why = (translate("Merged into “%(name)s”.") % {"name": stays})[:_MOST_WORDS]
    stood = {"removed_at": lost.removed_at, "removed_because": lost.removed_because, "merged_into": _successor(lost)}
    _write(
        model, {loser: lost}, {"removed_at": lost.removed_at or at, "removed_because": why, "merged_into": stays}, at
    )
    now = {"removed_at": lost.removed_at, "removed_because": why, "merged_into": winner}
    record_many(
        actor=actor,
        changes=[
            change_of(lost, action=f"{noun}.merged", before=stood, after=now, reason=why),
            change_of(
                stays, action=f"{noun}.took_over", after={"merged_from": loser, "moved": moved}, reason=str(lost)
            ),
        ],
        at=at,
    )
    result.outcomes.append(RecordOutcome(0, Fate.CHANGED, winner, str(stays)))
    return result


def _successor(row: Removable) -> int | None:
    """The key of the row that stands for it."""
    found: int | None = row.merged_into_id  # type: ignore[attr-defined]  # a column of every model that is one
    return found


def _locked(model: type[RowT], pks: Collection[int]) -> dict[int, RowT]:
    rows = model._base_manager.filter(pk__in=set(pks)).order_by("pk").select_for_update(of=("self",))
    return {row.pk: row for row in rows}


def _write(model: type[RowT], rows: dict[int, RowT], values: dict[str, Any], at: datetime) -> None:
    """Write the same to all these rows, in memory too."""
    if not rows:
        return
    counted = (
        {"version": F("version") + 1} if any(each.name == "version" for each in model._meta.concrete_fields) else {}
    )
    model._base_manager.filter(pk__in=rows).update(**values, updated_at=at, **counted)
    for row in rows.values():
        for name, value in values.items():
            setattr(row, name, value)


# --- Accounts and contacts ----------------------------------------------------------------------------------------


def remove_accounts(*, pks: Sequence[int], actor: Actor, because: str, at: datetime) -> UpsertResult:
    """Remove companies. Their contacts, deals and subscriptions stay. As `remove_rows`."""
    return remove_rows(Account, noun="account", pks=pks, actor=actor, because=because, at=at)


def restore_accounts(*, pks: Sequence[int], actor: Actor, because: str = "", at: datetime) -> UpsertResult:
    """Bring companies back. As `restore_rows`."""
    return restore_rows(Account, noun="account", pks=pks, actor=actor, because=because, at=at)


def merge_accounts(*, loser: int, winner: int, actor: Actor, at: datetime) -> UpsertResult:
    """Let one company stand for another: its contacts, deals, leads, activities and money are the winner's now.

    A company that belonged to the loser belongs to the winner. As `merge_pair`.
    """

    def before(lost: Account, stays: Account) -> None:
        if stays.parent_id == lost.pk:
            # It would become its own parent.
            stays.parent_id = lost.parent_id
            Account.every.filter(pk=stays.pk).update(parent=lost.parent_id)
        if Contact.objects.filter(account=stays, is_primary=True).exists():
            Contact.every.filter(account=lost, is_primary=True).update(is_primary=False)

    return merge_pair(Account, noun="account", loser=loser, winner=winner, actor=actor, at=at, before=before)


def remove_contacts(*, pks: Sequence[int], actor: Actor, because: str, at: datetime) -> UpsertResult:
    """Remove contacts. As `remove_rows`."""
    return remove_rows(Contact, noun="contact", pks=pks, actor=actor, because=because, at=at)


def restore_contacts(*, pks: Sequence[int], actor: Actor, because: str = "", at: datetime) -> UpsertResult:
    """Bring contacts back; who took the place of a main contact meanwhile keeps it. As `restore_rows`."""

    return restore_rows(Contact, noun="contact", pks=pks, actor=actor, because=because, at=at, before=give_way)


def give_way(contacts: Collection[Contact]) -> None:
    """Contacts that come back are main contacts no more where another took the place."""
    accounts = {contact.account_id for contact in contacts if contact.is_primary}
    if not accounts:
        return
    taken = set(Contact.objects.filter(account__in=accounts, is_primary=True).values_list("account_id", flat=True))
    for contact in contacts:
        if contact.is_primary and contact.account_id in taken:
            contact.is_primary = False
            Contact.every.filter(pk=contact.pk).update(is_primary=False)
        elif contact.is_primary:
            taken.add(contact.account_id)


def merge_contacts(*, loser: int, winner: int, actor: Actor, at: datetime) -> UpsertResult:
    """Let one contact stand for another, which takes over the stricter word about consent. As `merge_pair`."""

    def before(lost: Contact, stays: Contact) -> None:
        old, new = stays.consent, stricter(stays.consent, lost.consent)
        if new != old:
            stays.consent = new
            Contact.every.filter(pk=stays.pk).update(consent=new, updated_at=at)
            record(
                actor=actor,
                action="contact.edited",
                subject=stays,
                before={"consent": old},
                after={"consent": new},
                at=at,
            )

    return merge_pair(Contact, noun="contact", loser=loser, winner=winner, actor=actor, at=at, before=before)


def remove_subscriptions(*, pks: Sequence[int], actor: Actor, because: str, at: datetime) -> UpsertResult:
    """Delete subscriptions that never were; the audit keeps what they said. One that ends gets its last day instead.

    Raises PermissionDenied unless the actor may change all rows.
    """
    check_may_import(actor)
    result = UpsertResult()
    with transaction.atomic():
        rows = (
            Subscription.objects.select_related("account")
            .filter(pk__in=set(pks))
            .select_for_update(of=("self",))
            .in_bulk()
        )
        changes = [
            change_of(row, action="subscription.deleted", before=state_of(row), reason=because) for row in rows.values()
        ]
        for position, pk in enumerate(pks):
            fate = Fate.CHANGED if pk in rows else Fate.UNCHANGED
            result.outcomes.append(RecordOutcome(position, fate, pk, str(rows.get(pk, ""))))
        Subscription.objects.filter(pk__in=rows).delete()
        record_many(actor=actor, changes=changes, at=at)
    return result
