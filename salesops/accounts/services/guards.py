"""What every change of an account, contact or lead asks first: may you, is it still as you saw it, may you give it there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.utils.translation import gettext as _

from salesops.core.actor import Actor, Noun, Scope
from salesops.core.days import company_day
from salesops.core.upserts import Unset
from salesops.people.models import User
from salesops.pods.models import Pod
from salesops.pods.selectors import assignees_for, open_pods_for
from salesops.values.money import MoneyError, check_currency


def check_may_edit(actor: Actor) -> None:
    """Refuse who only reads: raises PermissionDenied."""
    if not actor.may_edit_work:
        raise PermissionDenied(_("You can read this but not change it."))


def check_may_import(actor: Actor) -> None:
    """Refuse whoever may not change all rows: raises PermissionDenied."""
    if not actor.may_edit_work or actor.sight(Noun.WORK) < Scope.ALL:
        raise PermissionDenied(_("Only who may change everything may bring records in."))


def refuse_stale(row: models.Model, seen_at: datetime | None) -> None:
    """Raise a ValidationError (code "stale") when the row was saved since `seen_at`; None asks nothing."""
    if seen_at is not None and getattr(row, "updated_at", seen_at) != seen_at:
        raise ValidationError(
            _(
                "Somebody else changed this while you were working on it. Your entries are still here: compare them with "
                "what is there now, then save again."
            ),
            code="stale",
        )


def check_receiver(actor: Actor, owner: User | Unset | None, pod: Pod | Unset | None, at: datetime) -> None:
    """Refuse people and pods to whom the actor may not give work: raises ValidationError at `owner` and `pod`."""
    day = company_day(at)
    errors: dict[str, Any] = {}
    if isinstance(owner, User) and not assignees_for(actor, day).filter(pk=owner.pk).exists():
        errors["owner"] = [ValidationError(_("You cannot give work to this person."), code="owner-not-allowed")]
    if isinstance(pod, Pod) and not open_pods_for(actor, day).filter(pk=pod.pk).exists():
        errors["pod"] = [ValidationError(_("You cannot give work to this pod."), code="pod-not-allowed")]
    if errors:
        raise ValidationError(errors)


def check_money(row: Any) -> None:
    """Refuse a currency in which nothing can be kept: raises ValidationError at `currency`."""
    try:
        check_currency(row.currency)
    except MoneyError as error:
        raise ValidationError({"currency": str(error)}) from error
