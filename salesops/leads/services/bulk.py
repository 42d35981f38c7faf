"""Changes many leads at once: first what would happen to each, then exactly that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from salesops.accounts.services.bulk import BulkRow, given, key_batches, key_of, shown
from salesops.accounts.services.guards import check_may_edit, check_receiver
from salesops.audit.services import change_of, record_many
from salesops.core.actor import Actor
from salesops.core.days import company_day
from salesops.core.upserts import UNSET, Unset
from salesops.leads.choices import WORK_STATUSES, AssignmentMethod, ClockEnding, LeadOrigin
from salesops.leads.models import Lead, LeadAssignment
from salesops.leads.rules.statuses import CONVERTED, DISQUALIFIED, Refusal, step
from salesops.leads.services.leads import NOT_AFTER_CONVERSION, REFUSALS
from salesops.leads.services.routing import stop_clocks
from salesops.leads.services.scores import leads_changed
from salesops.leads.services.turns import note_by_hand
from salesops.people.models import User
from salesops.pods.models import Pod, Segment
from salesops.pods.selectors import pod_of


@dataclass(frozen=True, slots=True)
class LeadChanges:
    """What is to become of the chosen leads; what is UNSET is left alone.

    A new owner brings their pod, unless given. `because` goes with the status “disqualified”.
    """

    owner: User | Unset | None = UNSET
    pod: Pod | Unset | None = UNSET
    status: str | Unset = UNSET
    disqualified_because: str | Unset = UNSET
    segment: Segment | Unset | None = UNSET
    origin: str | Unset = UNSET
    campaign: str | Unset = UNSET


def plan_bulk_edit(*, actor: Actor, lead_ids: Sequence[int], changes: LeadChanges, at: datetime) -> list[BulkRow]:
    """Say what `bulk_edit` would do to each of these leads now; writes nothing. Raises as `bulk_edit`."""
    return _bulk(actor, lead_ids, changes, at, reason="", is_preview=True)


@transaction.atomic
def bulk_edit(
    *, actor: Actor, lead_ids: Sequence[int], changes: LeadChanges, at: datetime, reason: str = ""
) -> list[BulkRow]:
    """Change these leads in one transaction and say what happened to each; those not the actor's are left out.

    A lead whose status does not allow it stays as it is, with the reason. Raises PermissionDenied, ValidationError when
    nothing is asked, or what is asked fits no lead, or the owner or pod is none the actor may give to.
    """
    return _bulk(actor, lead_ids, changes, at, reason=reason, is_preview=False)


def bulk_assign(
    *,
    actor: Actor,
    lead_ids: Sequence[int],
    at: datetime,
    owner: User | Unset | None = UNSET,
    pod: Pod | Unset | None = UNSET,
    reason: str = "",
) -> list[BulkRow]:
    """Give these leads to another owner or pod. As `bulk_edit`; each leaves a row that says by whom and why."""
    changes = LeadChanges(owner=owner, pod=pod)
    return bulk_edit(actor=actor, lead_ids=lead_ids, changes=changes, at=at, reason=reason)


def _bulk(
    actor: Actor, lead_ids: Sequence[int], changes: LeadChanges, at: datetime, *, reason: str, is_preview: bool
) -> list[BulkRow]:
    check_may_edit(actor)
    asked = given(changes)
    check_receiver(actor, changes.owner, changes.pod, at)
    _check(asked)
    if isinstance(changes.owner, User) and changes.pod is UNSET:
        brought = pod_of([changes.owner.pk], company_day(at)).get(changes.owner.pk)
        if brought is not None:
            asked["pod"] = Pod.objects.get(pk=brought)
    done: list[BulkRow] = []
    for keys in key_batches(lead_ids):
        done += _batch(actor, keys, asked, at, reason=reason, is_preview=is_preview)
    return done


def _check(asked: dict[str, Any]) -> None:
    """Refuse what fits no lead at all; a disqualification goes with its reason, every other status takes it away."""
    if "status" in asked:
        because = str(asked.get("disqualified_because", "")).strip()
        outcome = step("new" if asked["status"] != "new" else "working", asked["status"], because)
        if isinstance(outcome, Refusal):
            column = "disqualified_because" if outcome is Refusal.NO_REASON else "status"
            raise ValidationError({column: REFUSALS[outcome]})
        asked["disqualified_because"] = because if asked["status"] == DISQUALIFIED else ""
    elif "disqualified_because" in asked:
        raise ValidationError({"status": _("A reason goes with the status “disqualified”.")})
    if "origin" in asked and asked["origin"] not in LeadOrigin.values:
        raise ValidationError({"origin": _("There is no such origin.")})
    for name, most in (("campaign", 80), ("disqualified_because", 200)):
        if len(asked.get(name, "")) > most:
            raise ValidationError({name: _("At most %(most)d characters.") % {"most": most}})


def _batch(
    actor: Actor, keys: Sequence[int], asked: Mapping[str, Any], at: datetime, *, reason: str, is_preview: bool
) -> list[BulkRow]:
    """One batch: a fixed number of queries, however many leads."""
    rows = Lead.objects.visible_to(actor).filter(pk__in=keys).order_by("pk").select_related(*_RELATED)
    if not is_preview:
        rows = rows.select_for_update(of=("self",))
    done, written, entries, assignments = [], [], [], []
    for lead in rows:
        before = {name: (getattr(lead, name), shown(lead, name)) for name in asked}
        differing = [name for name, value in asked.items() if before[name][0] != value]
        if lead.status == CONVERTED and not _AFTER_CONVERSION.issuperset(differing):
            is_given = not {"owner", "pod"}.isdisjoint(differing)
            problem = NOT_AFTER_CONVERSION if is_given else REFUSALS[Refusal.CONVERTED]
            done.append(BulkRow(lead.pk, str(lead), problem=str(problem)))
            continue
        for name in differing:
            setattr(lead, name, asked[name])
        old = {name: before[name][1] for name in differing}
        done.append(BulkRow(lead.pk, str(lead), old, {name: shown(lead, name) for name in differing}))
        if not differing:
            continue
        if not {"owner", "pod"}.isdisjoint(differing):
            lead.assigned_at = at
            assignments.append(
                LeadAssignment(
                    lead=lead,
                    person_id=lead.owner_id,
                    pod_id=lead.pod_id,
                    assigned_at=at,
                    assigned_by_id=actor.user_id,
                    method=AssignmentMethod.BULK,
                    reason=reason[:300],
                )
            )
        written.append(lead)
        entries.append(
            change_of(
                lead,
                action="lead.reassigned" if set(differing) <= {"owner", "pod"} else "lead.edited",
                before={name: key_of(before[name][0]) for name in differing},
                after={name: key_of(getattr(lead, name)) for name in differing},
                reason=reason,
            )
        )
    if written and not is_preview:
        columns = [*asked, "assigned_at", "updated_at"]
        Lead.objects.bulk_create(written, update_conflicts=True, update_fields=columns, unique_fields=["pk"])
        LeadAssignment.objects.bulk_create(assignments)
        note_by_hand(assignments=assignments, at=at)
        closed = [lead.pk for lead in written if lead.status not in WORK_STATUSES]
        stop_clocks(closed, ClockEnding.CLOSED, at)
        if not set(asked) <= {"owner", "pod"}:
            leads_changed(lead_ids=[lead.pk for lead in written], at=at)
        record_many(actor=actor, changes=entries, at=at)
    return done


_RELATED: Final = ("owner", "pod", "segment")
#: What may still change on a converted lead: how it came.
_AFTER_CONVERSION: Final = frozenset({"segment", "origin", "campaign"})
