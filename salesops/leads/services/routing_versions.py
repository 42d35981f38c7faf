"""Writes routing rules: only drafts change, one at a time is in force, and what was in force stays as it was."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from salesops.audit.services import record
from salesops.core.actor import Actor, Role, system_actor
from salesops.jobs.services import enqueue
from salesops.leads.choices import VersionState
from salesops.leads.models import Lead, RoutingRule, RoutingVersion, ServiceLevel
from salesops.leads.selectors.routing import read_version
from salesops.leads.services.routing import Routed, try_leads
from salesops.leads.services.sweeps import ROUTE_WAITING

#: A dry run looks at the leads of so many days, and at no more than so many of them.
DRY_RUN_DAYS: Final = 31
DRY_RUN_MOST: Final = 2_000


def may_write_routing(actor: Actor) -> bool:
    """Revenue operations and administrators."""
    return actor.has(Role.REVOPS, Role.ADMIN)


@transaction.atomic
def draft_routing_version(*, actor: Actor, at: datetime, note: str = "") -> RoutingVersion:
    """Begin a draft as a copy of the last version, or empty where there is none.

    Raises PermissionDenied, ValidationError while there is a draft already.
    """
    _check_may_write(actor)
    rows = RoutingVersion.objects.select_for_update(of=("self",)).order_by("-number")
    last = rows.first()
    if last is not None and rows.filter(state=VersionState.DRAFT).exists():
        raise ValidationError(_("There is a draft already: change that one."), code="draft-exists")
    draft = RoutingVersion(
        number=(last.number if last else 0) + 1,
        note=note.strip(),
        needs_consent=last.needs_consent if last else False,
        merges_repeats=last.merges_repeats if last else False,
        created_by_id=actor.user_id,
        created_at=at,
    )
    draft.full_clean()
    draft.save()
    if last is not None:
        rules, levels = list(last.rules.all()), list(last.levels.all())
        for rule in rules:
            rule.pk, rule.version = None, draft
        for level in levels:
            level.pk, level.version = None, draft
        RoutingRule.objects.bulk_create(rules)
        ServiceLevel.objects.bulk_create(levels)
    record(actor=actor, action="routing.drafted", subject=draft, after={"number": draft.number}, at=at)
    return draft


@transaction.atomic
def discard_routing_version(*, actor: Actor, version_id: int, at: datetime) -> None:
    """Throw a draft away. Raises PermissionDenied, Http404, ValidationError for what is no draft."""
    draft = _locked_draft(actor, version_id)
    record(actor=actor, action="routing.discarded", subject=draft, before={"number": draft.number}, at=at)
    draft.delete()


@transaction.atomic
def activate_routing_version(*, actor: Actor, version_id: int, at: datetime) -> RoutingVersion:
    """Put a draft in force: the one in force retires, and leads that wait are tried again.

    Raises PermissionDenied, Http404, ValidationError with every problem of its rules, or for what is no draft.
    """
    draft = _locked_draft(actor, version_id)
    outcome = read_version(draft)
    if outcome.value is None:
        raise ValidationError([f"{each.where}: {each.text(_)} {each.remedy_text(_)}" for each in outcome.problems])
    if not outcome.value.rules:
        raise ValidationError(_("There is no rule in it yet: without one every lead would wait."), code="no-rule")
    before = RoutingVersion.objects.select_for_update(of=("self",)).filter(state=VersionState.ACTIVE).first()
    if before is not None:
        before.state, before.retired_at = VersionState.RETIRED, at
        before.save(update_fields=["state", "retired_at"])
    draft.state, draft.activated_at, draft.activated_by_id = VersionState.ACTIVE, at, actor.user_id
    draft.save(update_fields=["state", "activated_at", "activated_by"])
    enqueue(
        kind=ROUTE_WAITING,
        key=f"{ROUTE_WAITING}:{draft.pk}",
        payload={},
        actor=system_actor(),
        at=at,
        title=gettext_noop("Waiting leads are tried by the new rules"),
    )
    record(
        actor=actor,
        action="routing.activated",
        subject=draft,
        before={"in_force": before.number if before else None},
        after={"in_force": draft.number},
        at=at,
    )
    return draft


def dry_run(*, actor: Actor, version: RoutingVersion, at: datetime) -> tuple[list[Routed], Counter[int | None]]:
    """What a version would do with the leads of the last month, the latest first in their order, from how pools stand now.

    Also how many of them went to whom in truth. Nothing is written. Raises PermissionDenied, ValidationError for rules
    that do not read.
    """
    _check_may_write(actor)
    outcome = read_version(version)
    if outcome.value is None:
        raise ValidationError([f"{each.where}: {each.text(_)}" for each in outcome.problems])
    since = at - timedelta(days=DRY_RUN_DAYS)
    rows = Lead.objects.filter(created_at__gte=since, created_at__lte=at).select_related("segment", "owner")
    leads = list(rows.order_by("-created_at", "-pk")[:DRY_RUN_MOST])[::-1]
    truly = Counter(lead.owner_id for lead in leads)
    return try_leads(leads=leads, ruleset=outcome.value, at=at), truly


def _check_may_write(actor: Actor) -> None:
    if not may_write_routing(actor):
        raise PermissionDenied(_("Only revenue operations and administrators change routing rules."))


def _locked_draft(actor: Actor, version_id: int) -> RoutingVersion:
    _check_may_write(actor)
    version = RoutingVersion.objects.select_for_update(of=("self",)).filter(pk=version_id).first()
    if version is None:
        raise Http404
    if not version.is_draft:
        raise ValidationError(_("Only a draft can be changed: begin a new one."), code="no-draft")
    return version
