"""What all changes to people share: who may, one lock, and rows that hold for a time making room for each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext as _

from salesops.audit.services import Change, change_of, state_of
from salesops.core.actor import Actor, Role
from salesops.core.models import HeldInTime
from salesops.people.models import User
from salesops.people.querysets import EDITORS

HeldT = TypeVar("HeldT", bound=HeldInTime)


def need(actor: Actor, *roles: Role) -> None:
    """Refuse whoever holds none of these roles."""
    if not actor.has(*roles):
        raise PermissionDenied


def need_above(actor: Actor, person: User) -> None:
    """Refuse whoever neither edits people nor manages this one."""
    if not actor.has(*EDITORS) and person.pk not in actor.tree_ids:
        raise PermissionDenied


def locked(person: User) -> User:
    """The person as the database has them, locked until the transaction ends."""
    return User.objects.select_for_update().get(pk=person.pk)


def one_at_a_time() -> None:
    """One lock for what must be seen whole, held until the transaction ends.

    Two changes at a time could close a circle, or take away the last two administrators, and neither would see it.
    """
    User.objects.select_for_update().order_by("pk").first()


def save_new(row: models.Model) -> None:
    """Check and save; what only the database notices (two at the same time) becomes a ValidationError as well."""
    row.full_clean()
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise ValidationError(
            _("Somebody else has just saved something that does not go together with this. Look again.")
        ) from error


def refuse_overlap(rows: models.QuerySet[Any], new: HeldInTime, message: Callable[[str], str]) -> None:
    """Raise a ValidationError when a row of these overlaps the new one. `message` is made from that row's first day."""
    clash = rows.exclude(pk=new.pk).filter(models.Q(end_on__isnull=True) | models.Q(end_on__gt=new.start_on))
    if new.end_on is not None:
        clash = clash.filter(start_on__lt=new.end_on)
    first = clash.order_by("start_on").first()
    if first is not None:
        raise ValidationError(message(first.start_on.isoformat()))


def next_start(model: type[HeldT], person: User, start_on: date) -> date | None:
    """The first day after `start_on` on which the person's next row begins."""
    rows: models.QuerySet[Any] = model._default_manager.filter(person=person, start_on__gt=start_on)
    found = rows.order_by("start_on").values_list("start_on", flat=True).first()
    return found if isinstance(found, date) else None


def from_day_on(
    model: type[HeldT], person: User, values: Mapping[str, Any], start_on: date
) -> tuple[HeldT, dict[str, Any]]:
    """Let new values hold from a day on: the row that holds then ends, or is replaced if it begins that very day.

    Returns the row and what held before, by column.
    """
    rows: models.QuerySet[Any] = model._default_manager.filter(person=person)
    current = (
        rows.filter(start_on__lte=start_on)
        .filter(models.Q(end_on__isnull=True) | models.Q(end_on__gt=start_on))
        .first()
    )
    before = state_of(current, names=values) if current else {}
    if current is not None and current.start_on == start_on:
        for name, value in values.items():
            setattr(current, name, value)
        current.end_on = next_start(model, person, start_on)
        current.full_clean()
        current.save()
        return current, before
    if current is not None:
        current.end_on = start_on
        current.save(update_fields=["end_on"])
    row = model(person=person, start_on=start_on, end_on=next_start(model, person, start_on), **values)
    save_new(row)
    return row, before


def end(row: Any, person: User, end_on: date, action: str, reason: str) -> Change:
    """End one row on a day, or delete it when it has not begun by then; the change to record."""
    before = state_of(row)
    before.pop("person", None)
    if row.start_on >= end_on:
        row.delete()
        return change_of(person, action=action, before=before, reason=reason)
    row.end_on = end_on
    row.save(update_fields=["end_on"])
    after = {**before, "end_on": end_on}
    return change_of(person, action=action, before=before, after=after, reason=reason)


def end_all(model: type[HeldT], person: User, end_on: date, action: str, reason: str) -> list[Change]:
    """End every row of a person that reaches beyond a day."""
    rows: models.QuerySet[Any] = model._default_manager.filter(person=person)
    beyond = rows.select_for_update().filter(models.Q(end_on__isnull=True) | models.Q(end_on__gt=end_on))
    return [end(row, person, end_on, action, reason) for row in beyond.order_by("start_on")]
