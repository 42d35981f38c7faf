"""Makes and changes one lead at a time: its facts, its status, whom it is given to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from salesops.accounts.services.guards import check_may_edit, check_money, check_receiver, refuse_stale
from salesops.audit.services import change_of, changed, record, record_many, state_of
from salesops.core.actor import Actor, Role
from salesops.core.days import company_day
from salesops.core.upserts import UNSET, Unset
from salesops.leads.choices import WORK_STATUSES, AssignmentMethod, ClockEnding
from salesops.leads.models import Lead, LeadAssignment
from salesops.leads.rules.statuses import CONVERTED, DISQUALIFIED, Refusal, step
from salesops.leads.services.locking import locked_lead
from salesops.leads.services.merging import join_repeats
from salesops.leads.services.routing import route_leads, stop_clocks
from salesops.leads.services.scores import leads_changed
from salesops.leads.services.turns import note_by_hand
from salesops.people.models import User
from salesops.pods.models import Pod
from salesops.pods.selectors import pod_of, segment_for_employees, segments

#: What `edit_lead` may change. The status changes by `set_status`, owner and pod by `assign_lead`.
EDITABLE: Final = frozenset(
    {
        "name",
        "title",
        "company",
        "email",
        "phone",
        "country",
        "employees",
        "origin",
        "campaign",
        "consent",
        "segment",
        "estimated_minor",
        "currency",
        "note",
    }
)
#: What the audit keeps of a lead.
AUDITED: Final = (
    *sorted(EDITABLE),
    "status",
    "disqualified_because",
    "owner",
    "pod",
    "account",
    "contact",
    "credited_to",
    "external_id",
)
REFUSALS: Final = {
    Refusal.UNKNOWN: _("There is no such status."),
    Refusal.CONVERTED: _("This lead was converted and stays so."),
    Refusal.CONVERT: _("Convert the lead instead: that makes the account and the contact too."),
    Refusal.NO_REASON: _("Say why the lead is disqualified."),
}
NOT_AFTER_CONVERSION: Final = _("This lead was converted: give its account and deals to somebody else instead.")


@transaction.atomic
def create_lead(
    *,
    actor: Actor,
    at: datetime,
    name: str,
    owner: User | Unset | None = UNSET,
    pod: Pod | Unset | None = UNSET,
    **fields: Any,
) -> Lead:
    """Make a lead. Without an owner given it is a rep's own; its pod is the owner's of today unless given.

    The segment follows from the number of employees unless given. What comes for nobody in particular is given to its
    people by the rules in force, at once; where they say so, who comes again is merged into the lead that is there already
    (`merged_into`). Raises PermissionDenied, ValidationError at the field
    at fault, ValueError for a field that is not set this way.
    """
    check_may_edit(actor)
    _check_fields(fields)
    check_receiver(actor, owner, pod, at)
    if isinstance(owner, Unset):
        is_theirs = actor.user_id is not None and actor.has(Role.REP) and not actor.is_system
        owner = User.objects.get(pk=actor.user_id) if is_theirs else None
    if isinstance(pod, Unset):
        pod_id = pod_of([owner.pk], company_day(at)).get(owner.pk) if owner else None
    else:
        pod_id = pod.pk if pod else None
    lead = Lead(name=name, owner=owner, pod_id=pod_id, created_at=at, **fields)
    if lead.segment_id is None:
        lead.segment = segment_for_employees(lead.employees, segments())
    if lead.owner_id or lead.pod_id:
        lead.assigned_at = at
    _check(lead)
    lead.save()
    leads_changed(lead_ids=[lead.pk], at=at)
    if lead.assigned_at:
        _assigned(lead, actor, at, AssignmentMethod.MANUAL, "", None)
    filled = {name: value for name, value in state_of(lead, names=AUDITED).items() if value not in ("", None)}
    created = change_of(lead, action="lead.created", after=filled)
    again = [] if lead.assigned_at else join_repeats(leads=[lead], actor=actor, at=at)
    routed = [] if lead.assigned_at or lead.is_removed else route_leads(leads=[lead], at=at)
    record_many(actor=actor, changes=[created, *again, *routed], at=at)
    return lead


@transaction.atomic
def edit_lead(*, actor: Actor, lead_id: int, at: datetime, seen_at: datetime | None = None, **fields: Any) -> Lead:
    """Change what is known about a lead (EDITABLE). Nothing is written when nothing differs.

    With `seen_at`, the moment of saving that the form showed, a newer lead is not overwritten. Raises PermissionDenied,
    Http404, ValidationError at the field at fault (code "stale" for a newer lead), ValueError.
    """
    check_may_edit(actor)
    _check_fields(fields)
    lead = locked_lead(actor, lead_id)
    refuse_stale(lead, seen_at)
    before = state_of(lead, names=fields)
    for name, value in fields.items():
        setattr(lead, name, value)
    old, new = changed(before, state_of(lead, names=fields))
    if new:
        _check(lead)
        lead.save()
        leads_changed(lead_ids=[lead.pk], at=at)
        record(actor=actor, action="lead.edited", subject=lead, before=old, after=new, at=at)
    return lead


@transaction.atomic
def set_status(*, actor: Actor, lead_id: int, status: str, at: datetime, because: str = "") -> Lead:
    """Move a lead to another status; to disqualify it needs a reason, any open status reopens it.

    Raises PermissionDenied, Http404, ValidationError for a status that cannot be had from here.
    """
    check_may_edit(actor)
    lead = locked_lead(actor, lead_id)
    outcome = step(lead.status, status, because)
    if isinstance(outcome, Refusal):
        at_field = "because" if outcome is Refusal.NO_REASON else "status"
        raise ValidationError({at_field: ValidationError(REFUSALS[outcome], code=outcome.value)})
    if outcome is None:
        return lead
    before = state_of(lead, names=["status", "disqualified_because"])
    lead.status, lead.disqualified_because = status, because.strip() if status == DISQUALIFIED else ""
    lead.full_clean()
    lead.save(update_fields=["status", "disqualified_because", "updated_at"])
    if status not in WORK_STATUSES:
        stop_clocks([lead.pk], ClockEnding.CLOSED, at)
    leads_changed(lead_ids=[lead.pk], at=at)
    old, new = changed(before, state_of(lead, names=["status", "disqualified_because"]))
    record(actor=actor, action=f"lead.{outcome.value}", subject=lead, before=old, after=new, at=at)
    return lead


@transaction.atomic
def assign_lead(
    *,
    actor: Actor,
    lead_id: int,
    owner: User | None,
    at: datetime,
    pod: Pod | Unset | None = UNSET,
    method: str = AssignmentMethod.MANUAL,
    reason: str = "",
    path: Mapping[str, Any] | None = None,
) -> LeadAssignment | None:
    """Give a lead to a person, or to a pod only; None comes back when it is there already.

    The pod becomes the one given, else the owner's of today, else stays. The row that is kept says by whom, how and why;
    `path` is what a rule did. Raises PermissionDenied, Http404, ValidationError for a converted lead, or a person or pod
    the actor may not give work to.
    """
    check_may_edit(actor)
    check_receiver(actor, owner, pod, at)
    lead = locked_lead(actor, lead_id)
    if lead.status == CONVERTED:
        raise ValidationError(NOT_AFTER_CONVERSION, code="converted")
    before = state_of(lead, names=["owner", "pod"])
    lead.owner = owner
    if not isinstance(pod, Unset):
        lead.pod = pod
    elif owner is not None:
        lead.pod_id = pod_of([owner.pk], company_day(at)).get(owner.pk, lead.pod_id)
    old, new = changed(before, state_of(lead, names=["owner", "pod"]))
    if not new:
        return None
    lead.assigned_at = at
    lead.save(update_fields=["owner", "pod", "assigned_at", "updated_at"])
    assignment = _assigned(lead, actor, at, method, reason, path)
    note_by_hand(assignments=[assignment], at=at)
    record(actor=actor, action="lead.reassigned", subject=lead, before=old, after=new, reason=reason, at=at)
    return assignment


def _assigned(
    lead: Lead, actor: Actor, at: datetime, method: str, reason: str, path: Mapping[str, Any] | None
) -> LeadAssignment:
    return LeadAssignment.objects.create(
        lead=lead,
        person_id=lead.owner_id,
        pod_id=lead.pod_id,
        assigned_at=at,
        assigned_by_id=actor.user_id,
        method=method,
        reason=reason[:300],
        path=dict(path or {}),
    )


def _check_fields(fields: Mapping[str, Any]) -> None:
    unknown = set(fields) - EDITABLE
    if unknown:
        raise ValueError(f"not to be set here: {', '.join(sorted(unknown))}")


def _check(lead: Lead) -> None:
    """Check as a form would."""
    lead.name, lead.company, lead.email = lead.name.strip(), lead.company.strip(), lead.email.strip().lower()
    check_money(lead)
    lead.full_clean()
