"""Writes score rules: only drafts change, one at a time is in force, and what was in force stays as it was."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Max
from django.http import Http404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from salesops.audit.services import changed, record, state_of
from salesops.core.actor import Actor, Role, system_actor
from salesops.jobs.models import Job
from salesops.jobs.services import enqueue
from salesops.leads.choices import ScorePart, SignalKind, VersionState
from salesops.leads.models import ScoreGroup, ScoreRule, ScoreVersion
from salesops.leads.selectors.scores import NUMBERS, scheme_of_version
from salesops.leads.services.scores import RESCORE_ALL

#: The job that compares a draft with what is in force.
COMPARE: Final = "leads.compare_scores"

#: With what the first draft begins: name, points, condition; name, points, signal, most times.
_FIRST_FIT: Final = (
    (gettext_noop("Large enough"), 30, "employees >= 100"),
    (gettext_noop("Came by themselves, or were sent to us"), 20, 'origin IN ("inbound", "referral", "partner")'),
    (
        gettext_noop("Decides"),
        20,
        'CONTAINS(title, "head") OR CONTAINS(title, "director") OR CONTAINS(title, "chief") OR CONTAINS(title, "vp")',
    ),
    (gettext_noop("Can be called"), 10, "has_phone"),
    (gettext_noop("A private address"), -20, 'domain IN ("gmail.com", "outlook.com", "hotmail.com", "yahoo.com")'),
)
_FIRST_SIGNALS: Final = (
    (gettext_noop("Visited the site"), 2, SignalKind.VISIT, 10),
    (gettext_noop("Followed a link"), 5, SignalKind.CLICKED, 4),
    (gettext_noop("Sent a form"), 15, SignalKind.FORM, None),
    (gettext_noop("Asked for a demo"), 40, SignalKind.DEMO, 1),
    (gettext_noop("Answered"), 15, SignalKind.REPLIED, 2),
    (gettext_noop("Spoke with us"), 20, SignalKind.SPOKE, 2),
    (gettext_noop("Met us"), 30, SignalKind.MET, 2),
    (gettext_noop("Unsubscribed"), -40, SignalKind.UNSUBSCRIBED, 1),
)


@transaction.atomic
def draft_score_version(*, actor: Actor, at: datetime, note: str = "") -> ScoreVersion:
    """Begin a draft as a copy of the last version, or with usual rules where there is none.

    Raises PermissionDenied, ValidationError while there is a draft already.
    """
    _check_may_write(actor)
    rows = ScoreVersion.objects.select_for_update().order_by("-number")
    last = rows.first()
    if last is not None and rows.filter(state=VersionState.DRAFT).exists():
        raise ValidationError(_("There is a draft already: change that one."), code="draft-exists")
    draft = ScoreVersion(
        number=(last.number if last else 0) + 1,
        note=note.strip(),
        created_by_id=actor.user_id,
        created_at=at,
        **({name: getattr(last, name) for name in NUMBERS} if last else {}),
    )
    draft.full_clean()
    draft.save()
    if last is None:
        _write_first(draft)
    else:
        _copy(last, draft)
    record(actor=actor, action="scorerules.drafted", subject=draft, after={"number": draft.number}, at=at)
    return draft


def _write_first(draft: ScoreVersion) -> None:
    fit = [
        ScoreRule(part=ScorePart.FIT, name=_(name), points=points, condition=condition)
        for name, points, condition in _FIRST_FIT
    ]
    engagement = [
        ScoreRule(part=ScorePart.ENGAGEMENT, name=_(name), points=points, signal=signal, most_times=most)
        for name, points, signal, most in _FIRST_SIGNALS
    ]
    for position, rule in enumerate([*fit, *engagement], 1):
        rule.version, rule.position = draft, position
    ScoreRule.objects.bulk_create([*fit, *engagement])


def _copy(last: ScoreVersion, draft: ScoreVersion) -> None:
    groups = {}
    for group in last.groups.all():
        groups[group.pk] = ScoreGroup.objects.create(version=draft, name=group.name, limit=group.limit)
    rules = list(last.rules.all())
    for rule in rules:
        rule.pk, rule.version = None, draft
        rule.group = groups[rule.group_id] if rule.group_id else None
    ScoreRule.objects.bulk_create(rules)


@transaction.atomic
def change_score_version(*, actor: Actor, version_id: int, at: datetime, **fields: Any) -> ScoreVersion:
    """Change a draft's note, limits, edges or fading. Raises PermissionDenied, Http404, ValidationError, ValueError."""
    unknown = set(fields) - {"note", *NUMBERS}
    if unknown:
        raise ValueError(f"not to be set here: {', '.join(sorted(unknown))}")
    draft = _locked_draft(actor, version_id)
    before = state_of(draft, names=fields)
    for name, value in fields.items():
        setattr(draft, name, value)
    draft.full_clean()
    draft.save()
    old, new = changed(before, state_of(draft, names=fields))
    if new:
        record(actor=actor, action="scorerules.edited", subject=draft, before=old, after=new, at=at)
    return draft


@transaction.atomic
def put_score_rule(
    *, actor: Actor, version_id: int, at: datetime, rule_id: int | None = None, **fields: Any
) -> ScoreRule:
    """Add a rule to a draft, behind the others, or change one. A condition that does not read yet is kept and shown.

    fields: part, name, points, condition, signal, most_times, group. Raises PermissionDenied, Http404, ValidationError.
    """
    unknown = set(fields) - set(_RULE_FIELDS)
    if unknown:
        raise ValueError(f"not to be set here: {', '.join(sorted(unknown))}")
    draft = _locked_draft(actor, version_id)
    if rule_id is None:
        last = draft.rules.aggregate(last=Max("position"))["last"] or 0
        rule = ScoreRule(version=draft, position=last + 1)
        before: dict[str, Any] = {}
    else:
        rule = _of(draft.rules.filter(pk=rule_id).first())
        before = state_of(rule, names=_RULE_FIELDS)
    for name, value in fields.items():
        setattr(rule, name, value)
    if rule.part == ScorePart.FIT:
        rule.signal, rule.most_times = "", None
        if not rule.condition.strip():
            raise ValidationError({"condition": _("Say when the points count.")})
    elif not rule.signal:
        raise ValidationError({"signal": _("Choose what gives the points.")})
    if rule.group is not None and rule.group.version_id != draft.pk:
        raise ValidationError({"group": _("This group is of another version.")})
    rule.full_clean()
    rule.save()
    old, new = changed(before, state_of(rule, names=_RULE_FIELDS))
    if new:
        record(actor=actor, action="scorerules.rule_kept", subject=draft, before=old, after=new, at=at)
    return rule


_RULE_FIELDS: Final = ("part", "name", "points", "condition", "signal", "most_times", "group")


@transaction.atomic
def drop_score_rule(*, actor: Actor, version_id: int, rule_id: int, at: datetime) -> ScoreVersion:
    """Take a rule out of a draft. Raises PermissionDenied, Http404, ValidationError."""
    draft = _locked_draft(actor, version_id)
    rule = _of(draft.rules.filter(pk=rule_id).first())
    before = state_of(rule, names=_RULE_FIELDS)
    rule.delete()
    record(actor=actor, action="scorerules.rule_dropped", subject=draft, before=before, at=at)
    return draft


@transaction.atomic
def put_score_group(
    *, actor: Actor, version_id: int, name: str, limit: int | None, at: datetime, group_id: int | None = None
) -> ScoreVersion:
    """Add a group to a draft, change one, or drop it (no limit): its rules then count without. Raises as the others."""
    draft = _locked_draft(actor, version_id)
    group = ScoreGroup(version=draft) if group_id is None else _of(draft.groups.filter(pk=group_id).first())
    before = {} if group_id is None else {"name": group.name, "limit": group.limit}
    after: dict[str, Any] = {}
    if limit is None:
        if group_id is not None:
            draft.rules.filter(group=group).update(group=None)
            group.delete()
    else:
        group.name, group.limit = name.strip(), limit
        group.full_clean()
        group.save()
        after = {"name": group.name, "limit": group.limit}
    old, new = changed(before, after)
    if new:
        record(actor=actor, action="scorerules.group_kept", subject=draft, before=old, after=new, at=at)
    return draft


@transaction.atomic
def discard_score_version(*, actor: Actor, version_id: int, at: datetime) -> None:
    """Throw a draft away. Raises PermissionDenied, Http404, ValidationError for what is no draft."""
    draft = _locked_draft(actor, version_id)
    record(actor=actor, action="scorerules.discarded", subject=draft, before={"number": draft.number}, at=at)
    draft.delete()


@transaction.atomic
def activate_score_version(*, actor: Actor, version_id: int, at: datetime, url: str = "") -> Job:
    """Put a draft in force: the one in force retires, and all open leads are scored anew by the job that comes back.

    url: the page on which people see what came of it. Raises PermissionDenied, Http404, ValidationError with every
    problem of its rules, or for what is no draft.
    """
    draft = _locked_draft(actor, version_id)
    problems = scheme_of_version(draft).problems
    if problems:
        raise ValidationError([f"{_(each.where)}: {each.text(_)}" if each.where else each.text(_) for each in problems])
    before = ScoreVersion.objects.select_for_update().filter(state=VersionState.ACTIVE).first()
    if before is not None:
        before.state, before.retired_at = VersionState.RETIRED, at
        before.save(update_fields=["state", "retired_at"])
    draft.state, draft.activated_at, draft.activated_by_id = VersionState.ACTIVE, at, actor.user_id
    draft.save(update_fields=["state", "activated_at", "activated_by"])
    job = enqueue(
        kind=RESCORE_ALL,
        key=f"{RESCORE_ALL}:{draft.pk}",
        payload={},
        actor=system_actor(),
        at=at,
        title=gettext_noop("Score all leads by the new rules"),
        url=url,
    )
    record(
        actor=actor,
        action="scorerules.activated",
        subject=draft,
        before={"in_force": before.number if before else None},
        after={"in_force": draft.number},
        at=at,
    )
    return job


def ask_for_comparison(*, actor: Actor, version: ScoreVersion, at: datetime, url: str = "") -> Job:
    """Have a version compared with what is in force over all open leads, in the background. Raises PermissionDenied."""
    _check_may_write(actor)
    return enqueue(
        kind=COMPARE,
        key=f"{COMPARE}:{version.pk}",
        payload={"version": version.pk},
        actor=system_actor(),
        at=at,
        title=gettext_noop("Compare score rules"),
        url=url,
    )


def may_write_score_rules(actor: Actor) -> bool:
    """Revenue operations and administrators."""
    return actor.has(Role.REVOPS, Role.ADMIN)


def _check_may_write(actor: Actor) -> None:
    if not may_write_score_rules(actor):
        raise PermissionDenied(_("Only revenue operations and administrators change score rules."))


def _locked_draft(actor: Actor, version_id: int) -> ScoreVersion:
    _check_may_write(actor)
    version = _of(ScoreVersion.objects.select_for_update(of=("self",)).filter(pk=version_id).first())
    if not version.is_draft:
        raise ValidationError(_("Only a draft can be changed: begin a new one."), code="no-draft")
    return version


def _of(row: Any) -> Any:
    """The row; what is not of this version does not exist."""
    if row is None:
        raise Http404
    return row
