"""Writes the rules and service levels of a draft of the routing rules; what is in force or retired stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import F
from django.http import Http404
from django.utils.translation import gettext as _

from salesops.audit.services import record, state_of
from salesops.core.actor import Actor
from salesops.leads.choices import RuleAction
from salesops.leads.models import Pool, RoutingRule, RoutingVersion, ServiceLevel
from salesops.leads.rules.fields import OF_A_LEAD
from salesops.leads.services.routing_versions import may_write_routing
from salesops.people.models import User
from salesops.values.formulas import check

#: What the audit keeps of a rule, and of a service level.
_OF_VERSION: Final = ("note", "needs_consent", "merges_repeats")
_OF_RULE: Final = ("position", "name", "condition", "action", "pool_id", "person_id")
_OF_LEVEL: Final = ("position", "name", "condition", "warn_minutes", "alert_minutes", "reassign_minutes")
#: Where rows stand while they change places: positions are unique at every moment.
_ASIDE: Final = 10_000


@transaction.atomic
def change_routing_version(
    *, actor: Actor, version_id: int, note: str, needs_consent: bool, at: datetime, merges_repeats: bool = False
) -> RoutingVersion:
    """What is new in a draft, whether it asks for consent, and whether who comes again is merged.

    Raises PermissionDenied, Http404, ValidationError.
    """
    draft = _draft(actor, version_id)
    before = state_of(draft, names=_OF_VERSION)
    draft.note, draft.needs_consent, draft.merges_repeats = note.strip(), needs_consent, merges_repeats
    draft.full_clean()
    draft.save(update_fields=_OF_VERSION)
    after = state_of(draft, names=_OF_VERSION)
    if after != before:
        record(actor=actor, action="routing.edited", subject=draft, before=before, after=after, at=at)
    return draft


@transaction.atomic
def put_routing_rule(
    *,
    actor: Actor,
    version_id: int,
    name: str,
    condition: str,
    action: str,
    pool: Pool | None,
    person: User | None,
    at: datetime,
    rule_id: int | None = None,
    position: int | None = None,
) -> RoutingRule:
    """Add a rule to a draft, or change one; at a position from 1, the others move on. Without one it stays, or is last.

    What its action does not need (a pool, a person) is left out. Raises PermissionDenied, Http404, ValidationError for
    a condition that does not read, an action that does not know where to, and what is no draft.
    """
    draft = _draft(actor, version_id)
    rows: list[Any] = list(draft.rules.order_by("position", "pk"))
    rule = _found(rows, rule_id) if rule_id is not None else RoutingRule(version=draft)
    before = _kept(rule, _OF_RULE) if rule_id is not None else {}
    rule.name, rule.condition, rule.action = name.strip(), condition.strip(), action
    rule.pool = pool if action == RuleAction.POOL else None
    rule.person = person if action == RuleAction.PERSON else None
    if action == RuleAction.POOL and pool is None:
        raise ValidationError({"pool": _("Say to which pool.")}, code="no-pool")
    if action == RuleAction.PERSON and person is None:
        raise ValidationError({"person": _("Say to whom.")}, code="no-person")
    _check_condition(rule.condition)
    _place(rows, rule, position, RoutingRule)
    _tell(
        actor, draft, "routing.rule_added" if not before else "routing.rule_edited", before, _kept(rule, _OF_RULE), at
    )
    return rule


@transaction.atomic
def drop_routing_rule(*, actor: Actor, version_id: int, rule_id: int, at: datetime) -> None:
    """Take a rule out of a draft; those after it move up. Raises PermissionDenied, Http404, ValidationError."""
    draft = _draft(actor, version_id)
    _drop(list(draft.rules.order_by("position", "pk")), rule_id, RoutingRule, _OF_RULE, "rule", actor, draft, at)


@transaction.atomic
def put_service_level(
    *,
    actor: Actor,
    version_id: int,
    name: str,
    condition: str,
    warn_minutes: int,
    alert_minutes: int | None,
    reassign_minutes: int | None,
    at: datetime,
    level_id: int | None = None,
    position: int | None = None,
) -> ServiceLevel:
    """Add a service level to a draft, or change one, as `put_routing_rule` does.

    Minutes are of working time, and do not fall from one step to the next. Raises the same.
    """
    draft = _draft(actor, version_id)
    rows: list[Any] = list(draft.levels.order_by("position", "pk"))
    level = _found(rows, level_id) if level_id is not None else ServiceLevel(version=draft)
    before = _kept(level, _OF_LEVEL) if level_id is not None else {}
    level.name, level.condition = name.strip(), condition.strip()
    level.warn_minutes, level.alert_minutes, level.reassign_minutes = warn_minutes, alert_minutes, reassign_minutes
    _check_condition(level.condition)
    if alert_minutes is not None and alert_minutes < warn_minutes:
        raise ValidationError({"alert_minutes": _("The manager is told after the owner is reminded.")}, code="order")
    if reassign_minutes is not None and reassign_minutes < max(warn_minutes, alert_minutes or 0):
        raise ValidationError({"reassign_minutes": _("It goes to somebody else last of all.")}, code="order")
    _place(rows, level, position, ServiceLevel)
    action = "routing.level_added" if not before else "routing.level_edited"
    _tell(actor, draft, action, before, _kept(level, _OF_LEVEL), at)
    return level


@transaction.atomic
def drop_service_level(*, actor: Actor, version_id: int, level_id: int, at: datetime) -> None:
    """Take a service level out of a draft. Raises PermissionDenied, Http404, ValidationError."""
    draft = _draft(actor, version_id)
    _drop(list(draft.levels.order_by("position", "pk")), level_id, ServiceLevel, _OF_LEVEL, "level", actor, draft, at)


def _draft(actor: Actor, version_id: int) -> RoutingVersion:
    if not may_write_routing(actor):
        raise PermissionDenied(_("Only revenue operations and administrators change routing rules."))
    version = RoutingVersion.objects.select_for_update(of=("self",)).filter(pk=version_id).first()
    if version is None:
        raise Http404
    if not version.is_draft:
        raise ValidationError(_("Only a draft can be changed: begin a new one."), code="no-draft")
    return version


def _found(rows: Sequence[Any], pk: int) -> Any:
    row = next((row for row in rows if row.pk == pk), None)
    if row is None:
        raise Http404
    return row


def _kept(row: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _check_condition(text: str) -> None:
    problems = check(text, OF_A_LEAD).problems if text else ()
    if problems:
        raise ValidationError(
            {"condition": [f"{each.text(_)} {each.remedy_text(_)}".strip() for each in problems]}, code="condition"
        )


def _place(rows: list[Any], row: Any, position: int | None, model: Any) -> None:
    """Save a row at its place, and the others around it."""
    others = [each for each in rows if each is not row]
    place = position - 1 if position is not None else rows.index(row) if row in rows else len(others)
    others.insert(max(0, min(place, len(others))), row)
    row.position = others.index(row) + 1
    row.full_clean(validate_unique=False, validate_constraints=False)
    model.objects.filter(version=row.version).update(position=F("position") + _ASIDE)
    row.save()
    for number, each in enumerate(others, start=1):
        model.objects.filter(pk=each.pk).update(position=number)


def _drop(
    rows: list[Any],
    pk: int,
    model: Any,
    names: Sequence[str],
    what: str,
    actor: Actor,
    draft: RoutingVersion,
    at: datetime,
) -> None:
    row = _found(rows, pk)
    before = _kept(row, names)
    row.delete()
    for number, each in enumerate((each for each in rows if each is not row), start=1):
        model.objects.filter(pk=each.pk).update(position=number)
    _tell(actor, draft, f"routing.{what}_dropped", before, {}, at)


def _tell(
    actor: Actor, draft: RoutingVersion, action: str, before: dict[str, Any], after: dict[str, Any], at: datetime
) -> None:
    if before == after:
        return
    changed = (
        {name for name in {**before, **after} if before.get(name) != after.get(name)} if before and after else None
    )
    record(
        actor=actor,
        action=action,
        subject=draft,
        before={name: value for name, value in before.items() if changed is None or name in changed},
        after={name: value for name, value in after.items() if changed is None or name in changed},
        at=at,
    )
