"""Settles for a legal entity whether effort is scored, what for, and for how long; switching on tells everybody."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from salesops.audit.services import changed, record, state_of
from salesops.core import features
from salesops.core.actor import Actor, Role
from salesops.core.days import company_day
from salesops.effort.choices import EFFORT, OnSwitchOff
from salesops.effort.models import EffortCheckIn, EffortDay, EffortPolicy, EffortScore
from salesops.notices.services import tell
from salesops.people.models import LegalEntity, User

#: What may be settled beside the switch.
FIELDS: Final = ("purpose", "notice", "keep_weeks", "smallest_group", "manager_after_days")


def may_settle(actor: Actor) -> bool:
    """Administrators."""
    return actor.has(Role.ADMIN)


@transaction.atomic
def settle_policy(*, actor: Actor, entity: LegalEntity, at: datetime, **fields: Any) -> EffortPolicy:
    """Write purpose, notice, times and the smallest group of an entity; whether it is on stays as it is.

    Raises PermissionDenied, ValueError, ValidationError: while it is on, purpose and notice are not emptied.
    """
    unknown = set(fields) - set(FIELDS)
    if unknown:
        raise ValueError(f"not to be set here: {', '.join(sorted(unknown))}")
    policy = _locked(actor, entity)
    before = state_of(policy, names=fields)
    for name, value in fields.items():
        setattr(policy, name, value.strip() if isinstance(value, str) else value)
    if policy.is_on:
        _check_says_why(policy)
    policy.full_clean()
    policy.save()
    old, new = changed(before, state_of(policy, names=fields))
    if new:
        record(actor=actor, action="effortpolicy.edited", subject=policy, before=old, after=new, at=at)
    return policy


@transaction.atomic
def switch_on(*, actor: Actor, entity: LegalEntity, at: datetime) -> EffortPolicy:
    """Count and show from today on, and tell everybody of the entity. Days before today are never counted.

    Raises PermissionDenied, ValidationError without purpose and notice, SwitchedOffError while the whole part is off.
    """
    policy = _locked(actor, entity)
    features.need(EFFORT)
    if policy.is_on:
        return policy
    _check_says_why(policy)
    policy.is_on, policy.counted_from, policy.changed_at = True, company_day(at), at
    policy.full_clean()
    policy.save()
    tell(
        person_ids=User.objects.filter(legal_entity=entity, is_active=True).values_list("pk", flat=True),
        key=f"effort:on:{policy.pk}:{at.isoformat()}",
        title=lambda: _("From today on what you log is counted for an effort score"),
        body=lambda: f"{policy.purpose}\n\n{policy.notice}",
        url=reverse("effort:effort_mine"),
        at=at,
    )
    record(
        actor=actor,
        action="effortpolicy.switched_on",
        subject=policy,
        after={"counted_from": policy.counted_from},
        at=at,
    )
    return policy


@transaction.atomic
def switch_off(*, actor: Actor, entity: LegalEntity, at: datetime, then: OnSwitchOff) -> EffortPolicy:
    """Stop counting and showing at once; what is kept is kept unseen or deleted, as chosen. Off already stays as it is.

    Raises PermissionDenied.
    """
    policy = _locked(actor, entity)
    was_on = policy.is_on
    policy.is_on, policy.changed_at = False, at
    policy.save()
    deleted = {}
    mine = {"person__legal_entity": entity}
    EffortCheckIn.objects.filter(**mine, ended_at__isnull=True).update(ended_at=at)
    if then in (OnSwitchOff.COUNTS, OnSwitchOff.ALL):
        deleted["days"] = EffortDay.objects.filter(**mine).delete()[0]
    if then == OnSwitchOff.ALL:
        deleted["check_ins"] = EffortCheckIn.objects.filter(**mine).delete()[0]
        deleted["scores"] = EffortScore.objects.filter(**mine).delete()[0]
    if was_on or any(deleted.values()):
        record(
            actor=actor,
            action="effortpolicy.switched_off",
            subject=policy,
            before={"is_on": was_on},
            after={"is_on": False, "then": then.value, **deleted},
            at=at,
        )
    return policy


def _locked(actor: Actor, entity: LegalEntity) -> EffortPolicy:
    if not may_settle(actor):
        raise PermissionDenied(_("Only administrators settle what is counted of people's work."))
    LegalEntity.objects.select_for_update().get(pk=entity.pk)
    return EffortPolicy.objects.filter(entity=entity).first() or EffortPolicy(entity=entity)


def _check_says_why(policy: EffortPolicy) -> None:
    missing = {
        name: _("Say this first: nothing is counted of people who were not told why.")
        for name in ("purpose", "notice")
        if not getattr(policy, name).strip()
    }
    if missing:
        raise ValidationError(missing)
