"""Undoes a reorganisation: every row that it changed is as it was before, as if nobody had moved."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from salesops.audit.rules.chain import plain
from salesops.audit.services import change_of, record, record_many
from salesops.core.actor import Actor
from salesops.leads.choices import WORK_STATUSES
from salesops.leads.models import Lead
from salesops.leads.services.bulk import bulk_assign
from salesops.people.models import User
from salesops.pods.models import Pod
from salesops.reorganisations.choices import ReorganisationState
from salesops.reorganisations.models import Reorganisation, ReorganisationChange
from salesops.reorganisations.selectors.snapshots import COLUMNS, KINDS
from salesops.reorganisations.services.carrying import tell_whom_it_touches
from salesops.reorganisations.services.drafts import check_may_arrange, locked

#: So many rows in the way are named.
_NAMED = 10


@transaction.atomic
def undo(
    *, actor: Actor, reorganisation_id: int, at: datetime, reason: str, leaves_changed: bool = False
) -> Reorganisation:
    """Put back every row that it changed, remove those it made, make those it removed.

    leaves_changed: rows that somebody has changed since stay as they are now; without it they stand in the way and are
    named. Periods that were locked meanwhile stay as they are: what they would pay otherwise comes as adjustments. Raises
    PermissionDenied, Http404, ValidationError.
    """
    check_may_arrange(actor)
    row = locked(actor, reorganisation_id)
    if row.state != ReorganisationState.DONE:
        raise ValidationError(_("Only what was carried out can be undone."))
    if not reason.strip():
        raise ValidationError({"reason": _("Say why it is undone.")})
    changes = list(row.changes.order_by("pk"))
    now = _as_they_are(changes)
    changed_since = [change for change in changes if now.get((change.kind, change.object_id)) != change.after]
    if changed_since and not leaves_changed:
        names = "; ".join(
            f"{KINDS[change.kind]._meta.verbose_name}: {change.label}" for change in changed_since[:_NAMED]
        )
        raise ValidationError(
            _(
                "Changed since, or in other hands: %(names)s (%(count)s in all). Tick “leave alone what was changed since” "
                "to undo the rest."
            ),
            params={"names": names, "count": len(changed_since)},
        )
    left = {change.pk for change in changed_since}
    _put_back([change for change in changes if change.pk not in left], row, actor, at, reason)
    row.state, row.undone_at = ReorganisationState.UNDONE, at
    row.save(update_fields=["state", "undone_at"])
    tell_whom_it_touches(row, at, is_undone=True)
    record(
        actor=actor,
        action="reorganisation.undone",
        subject=row,
        before={"state": ReorganisationState.DONE},
        after={"state": row.state, "put_back": len(changes) - len(left), "left_alone": len(left)},
        reason=reason,
        at=at,
    )
    return row


def _as_they_are(changes: list[ReorganisationChange]) -> dict[tuple[str, int], dict[str, Any]]:
    """The rows as they are now, locked; a lead that is no longer worked on counts as changed."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for kind, model in KINDS.items():
        keys = [change.object_id for change in changes if change.kind == kind]
        rows = model._default_manager.filter(pk__in=keys).order_by("pk").select_for_update(of=("self",))
        if model is Lead:
            rows = rows.filter(status__in=WORK_STATUSES)
        for values in rows.values("pk", *COLUMNS[model]):
            key = values.pop("pk")
            found[kind, key] = plain(values)
    return found


def _put_back(
    changes: list[ReorganisationChange], row: Reorganisation, actor: Actor, at: datetime, reason: str
) -> None:
    """First what was made goes, then what was changed is as before, then what was removed comes back: so that two rows of
    one person never hold at the same time."""
    entries = []
    leads: dict[tuple[int | None, int | None], list[int]] = defaultdict(list)
    for change in changes:
        if change.before is None:
            KINDS[change.kind]._default_manager.filter(pk=change.object_id).delete()
    for change in changes:
        model = KINDS[change.kind]
        if model is Lead and change.before is not None:
            leads[change.before["owner_id"], change.before["pod_id"]].append(change.object_id)
        elif change.before is not None and change.after is not None:
            model._default_manager.filter(pk=change.object_id).update(
                **_values(model, change.before), **_also(model, at)
            )
    for change in changes:
        if change.before is not None and change.after is None:
            model = KINDS[change.kind]
            model(pk=change.object_id, **_values(model, change.before)).save(force_insert=True)
    said = _("Undone: %(name)s") % {"name": row.name}
    for (owner, pod), keys in leads.items():
        bulk_assign(
            actor=actor,
            lead_ids=keys,
            owner=User.objects.get(pk=owner) if owner else None,
            pod=Pod.objects.get(pk=pod) if pod else None,
            at=at,
            reason=said,
        )
    for change in changes:
        if KINDS[change.kind] is not Lead:
            entries.append((change, change.before or {}, change.after or {}))
    record_many(
        actor=actor,
        changes=(
            change_of(
                None,
                action="reorganisation.row_put_back",
                before={"row": f"{change.kind}:{change.object_id}", **after},
                after={"row": f"{change.kind}:{change.object_id}", **before},
                reason=reason,
            )
            for change, before, after in entries
        ),
        at=at,
    )


def _values(model: type[models.Model], row: dict[str, Any]) -> dict[str, Any]:
    """Columns as the model takes them: days are days again."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    return {name: fields[name].to_python(value) for name, value in row.items()}


def _also(model: type[models.Model], at: datetime) -> dict[str, Any]:
    """What else moves on with a row that is changed."""
    names = {field.name for field in model._meta.concrete_fields}
    also: dict[str, Any] = {"updated_at": at} if "updated_at" in names else {}
    if "version" in names:
        also["version"] = F("version") + 1
    return also
