"""Writes weights and targets: only drafts change, one version is in force, and what was in force stays as it was."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404
from django.utils.translation import gettext as _

from salesops.audit.services import changed, record, state_of
from salesops.core.actor import Actor
from salesops.effort.choices import CountedKind
from salesops.effort.models import EffortTarget, EffortVersion
from salesops.effort.selectors.versions import SETTINGS, WRITERS, shown_targets
from salesops.leads.choices import VersionState
from salesops.people.choices import JobFunction

#: What a first draft begins with: (kind, a day, weight). Defaults to be discussed, not facts.
_FRONT: Final = (("call", "20", 35), ("mail", "20", 20), ("meeting", "1", 35), ("task", "4", 10))
_CLOSING: Final = (("call", "8", 25), ("mail", "12", 20), ("meeting", "2", 40), ("task", "4", 15))
_AFTER: Final = (("call", "6", 25), ("mail", "12", 20), ("meeting", "2", 35), ("task", "5", 20))
_FIRST: Final = {
    JobFunction.MDR: _FRONT,
    JobFunction.SDR: _FRONT,
    JobFunction.ADR: _FRONT,
    JobFunction.AE: _CLOSING,
    JobFunction.KAM: _CLOSING,
    JobFunction.ONB: _AFTER,
    JobFunction.CSM: _AFTER,
}


def may_write_weights(actor: Actor) -> bool:
    """Revenue operations and administrators."""
    return actor.has(*WRITERS)


@transaction.atomic
def draft_effort_version(*, actor: Actor, at: datetime, note: str = "") -> EffortVersion:
    """Begin a draft as a copy of the last version, or with usual targets where there is none.

    Raises PermissionDenied, ValidationError while there is a draft already.
    """
    _check_may_write(actor)
    rows = EffortVersion.objects.select_for_update(of=("self",)).order_by("-number")
    last = rows.first()
    if last is not None and rows.filter(state=VersionState.DRAFT).exists():
        raise ValidationError(_("There is a draft already: change that one."), code="draft-exists")
    draft = EffortVersion(
        number=(last.number if last else 0) + 1,
        note=note.strip(),
        created_by_id=actor.user_id,
        created_at=at,
        **({name: getattr(last, name) for name in SETTINGS} if last else {}),
    )
    draft.full_clean()
    draft.save()
    if last is None:
        targets = [
            EffortTarget(version=draft, function=function.value, kind=kind, per_day=Decimal(per_day), weight=weight)
            for function, rows_of in _FIRST.items()
            for kind, per_day, weight in rows_of
        ]
    else:
        targets = list(last.targets.all())
        for target in targets:
            target.pk, target.version = None, draft
    EffortTarget.objects.bulk_create(targets)
    record(actor=actor, action="effortversion.drafted", subject=draft, after={"number": draft.number}, at=at)
    return draft


@transaction.atomic
def change_effort_version(*, actor: Actor, version_id: int, at: datetime, **fields: Any) -> EffortVersion:
    """Change a draft's note, cap, edges or working day. Raises PermissionDenied, Http404, ValidationError, ValueError."""
    unknown = set(fields) - {"note", *SETTINGS}
    if unknown:
        raise ValueError(f"not to be set here: {', '.join(sorted(unknown))}")
    draft = _locked_draft(actor, version_id)
    before = state_of(draft, names=fields)
    for name, value in fields.items():
        setattr(draft, name, value)
    if draft.high_above <= draft.low_below:
        raise ValidationError({"high_above": _("It has to lie above the lower edge.")})
    draft.full_clean()
    draft.save()
    old, new = changed(before, state_of(draft, names=fields))
    if new:
        record(actor=actor, action="effortversion.edited", subject=draft, before=old, after=new, at=at)
    return draft


@transaction.atomic
def put_targets(
    *,
    actor: Actor,
    version_id: int,
    function: str,
    targets: Mapping[str, tuple[Decimal, int]],
    at: datetime,
) -> EffortVersion:
    """Write what is expected of a job function in a draft: {kind: (a day, weight)}; with none the function is not scored.

    Raises PermissionDenied, Http404, ValidationError where weights do not add up to 100 or a target is not above zero.
    """
    draft = _locked_draft(actor, version_id)
    if function not in JobFunction.values or set(targets) - set(CountedKind.values):
        raise Http404
    if targets and sum(weight for _per_day, weight in targets.values()) != 100:
        raise ValidationError(_("The weights have to add up to 100."), code="weights")
    mine = draft.targets.filter(function=function)
    before = {row.kind: [row.per_day, row.weight] for row in mine}
    rows = [
        EffortTarget(version=draft, function=function, kind=kind, per_day=per_day, weight=weight)
        for kind, (per_day, weight) in targets.items()
    ]
    mine.delete()
    for row in rows:
        row.full_clean()
        row.save()
    old, new = changed(before, {row.kind: [row.per_day, row.weight] for row in rows})
    if old or new:
        label = {"function": function}
        record(
            actor=actor,
            action="effortversion.targets_kept",
            subject=draft,
            before={**label, **old},
            after={**label, **new},
            at=at,
        )
    return draft


@transaction.atomic
def discard_effort_version(*, actor: Actor, version_id: int, at: datetime) -> None:
    """Throw a draft away. Raises PermissionDenied, Http404, ValidationError for what is no draft."""
    draft = _locked_draft(actor, version_id)
    record(actor=actor, action="effortversion.discarded", subject=draft, before={"number": draft.number}, at=at)
    draft.delete()


@transaction.atomic
def activate_effort_version(*, actor: Actor, version_id: int, at: datetime) -> EffortVersion:
    """Publish a draft: it holds from the next Monday on, so that nobody is measured by weights that they could not know.

    Raises PermissionDenied, Http404, ValidationError with every problem of its targets, or for what is no draft.
    """
    draft = _locked_draft(actor, version_id)
    shown = shown_targets(draft)
    problems = [f"{each.function.label}: {problem}" for each in shown for problem in each.problems]
    if not any(each.rows for each in shown):
        problems.append(_("No job function has targets yet."))
    if problems:
        raise ValidationError(problems)
    before = EffortVersion.objects.select_for_update(of=("self",)).filter(state=VersionState.ACTIVE).first()
    if before is not None:
        before.state, before.retired_at = VersionState.RETIRED, at
        before.save(update_fields=["state", "retired_at"])
    draft.state, draft.activated_at, draft.activated_by_id = VersionState.ACTIVE, at, actor.user_id
    draft.save(update_fields=["state", "activated_at", "activated_by"])
    record(
        actor=actor,
        action="effortversion.activated",
        subject=draft,
        before={"in_force": before.number if before else None},
        after={"in_force": draft.number},
        at=at,
    )
    return draft


def _check_may_write(actor: Actor) -> None:
    if not may_write_weights(actor):
        raise PermissionDenied(_("Only revenue operations and administrators change effort weights."))


def _locked_draft(actor: Actor, version_id: int) -> EffortVersion:
    _check_may_write(actor)
    version = EffortVersion.objects.select_for_update(of=("self",)).filter(pk=version_id).first()
    if version is None:
        raise Http404
    if not version.is_draft:
        raise ValidationError(_("Only a draft can be changed: begin a new one."), code="no-draft")
    return version
