"""Keeps how pools are set up, version by version, and brings an earlier setup back."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from salesops.audit.services import record
from salesops.core.actor import Actor, Role
from salesops.leads.models import Pool, PoolVersion
from salesops.leads.rules.setups import MEMBER, POOL, setup_changes, setup_of
from salesops.people.models import User

#: Who sets pools up.
CONFIGURING: Final = (Role.REVOPS, Role.ADMIN)


def keep_setups(*, pools: Collection[int], actor: Actor, at: datetime) -> int:
    """Keep how these pools are set up now, of those of which it differs from what was kept last, in the caller's transaction.
    Gives how many. Call it whenever settings of a pool or of its members have been written."""
    count = 0
    for pool in Pool.objects.select_for_update(of=("self",)).filter(pk__in=pools).order_by("pk"):
        setup = setup_of(pool, list(pool.members.all()))
        last = pool.versions.order_by("-number").first()
        if last is not None and last.setup == setup:
            continue
        PoolVersion.objects.create(
            pool=pool,
            number=last.number + 1 if last is not None else 1,
            setup=setup,
            made_at=at,
            made_by_id=actor.user_id,
        )
        count += 1
    return count


@transaction.atomic
def bring_setup_back(*, actor: Actor, version_id: int, at: datetime) -> Pool:
    """Set a pool up as it was in an earlier version: weights, limits, conditions and how its turns go. Credits stay, and who
    joined since takes part no more. It becomes a version of its own.

    Raises PermissionDenied, Http404, ValidationError for the version that holds now, or for one that names somebody who has
    left or a pool that is switched off.
    """
    if not may_set_up(actor):
        raise PermissionDenied(_("Only revenue operations and administrators set pools up."))
    version: PoolVersion = PoolVersion.objects.get_for(actor, pk=version_id)
    pool = Pool.objects.select_for_update(of=("self",)).get(pk=version.pool_id)
    members = {row.person_id: row for row in pool.members.select_for_update(of=("self",))}
    now = setup_of(pool, list(members.values()))
    wanted = version.setup
    if not setup_changes(now, wanted):
        raise ValidationError(_("The pool is set up like this already."), code="same")
    _refuse(wanted)
    for name in POOL:
        setattr(pool, name, wanted["pool"][name])
    pool.full_clean()
    pool.save(update_fields=[name.removesuffix("_id") for name in POOL])
    for person, row in members.items():
        settings = wanted["members"].get(str(person), {"is_in": False})
        for name, value in settings.items():
            setattr(row, name, value)
        row.save(update_fields=list(MEMBER))
    keep_setups(pools=[pool.pk], actor=actor, at=at)
    record(actor=actor, action="pool.setup_brought_back", subject=pool, after={"version": version.number}, at=at)
    return pool


def may_set_up(actor: Actor) -> bool:
    """Who configures: revenue operations and administrators."""
    return actor.has(*CONFIGURING)


def _refuse(wanted: dict[str, dict[str, Any]]) -> None:
    other = Pool.objects.filter(pk=wanted["pool"]["fallback_id"], is_active=False).first()
    if other is not None:
        raise ValidationError(
            _("“%(pool)s” takes over in it and is switched off now: switch it on first.") % {"pool": other}
        )
    taking = [int(person) for person, settings in wanted["members"].items() if settings["is_in"]]
    gone = (
        User.objects.filter(pk__in=[*taking, wanted["pool"]["on_call_id"] or 0], is_active=False)
        .order_by("name")
        .first()
    )
    if gone is not None:
        raise ValidationError(
            _("%(person)s is in it and has left: take over what you need in the admin site.") % {"person": gone}
        )
