"""What people do by hand enters the same ledger of turns: a lead given is a turn, a lead taken away or back is none."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from salesops.accounts.services.guards import check_may_edit
from salesops.audit.services import change_of, record_many
from salesops.core.actor import Actor, Role
from salesops.leads.choices import AssignmentMethod, ClockEnding, LeadStatus, PoolMethod, TurnKind
from salesops.leads.models import Lead, LeadAssignment, Pool, PoolMember, Turn
from salesops.leads.rules.rotation import given_back
from salesops.leads.rules.routing import Action, Ruleset, fits
from salesops.leads.selectors.fields import facts_of
from salesops.leads.selectors.routing import Values, number_of, pools_at_work, presence_of, rules_in_force
from salesops.leads.services.routing import (
    ROUTED_STATUSES,
    route_leads,
    save_pools,
    save_turns,
    start_clocks,
    stop_clocks,
    turns_of,
)


def note_by_hand(
    *, assignments: Sequence[LeadAssignment], at: datetime, ways: Mapping[int, int | None] | None = None
) -> None:
    """Let leads that were given by hand count: as turns of those who got them, and as none of those who had them.

    The leads are locked and saved by the caller, in whose transaction this happens. The pool is the one that brought the
    lead, else the one to which the rules would send it; who is not in it, or in none, takes no turn. ways: the pool of
    each lead that went where the rules send it, None where they name somebody. Who gets a lead that nobody has touched
    has the time of its service level to do so.
    """
    leads = [assignment.lead for assignment in assignments]
    stop_clocks([lead.pk for lead in leads], ClockEnding.MOVED, at)
    ruleset = rules_in_force()
    _watch(assignments, ruleset, at)
    Lead.objects.filter(pk__in=[lead.pk for lead in leads]).exclude(waits_because="").update(waits_because="")
    taken_away = turns_standing([lead.pk for lead in leads])
    given_ways = ways or {}
    pools = _pools_of([lead for lead in leads if lead.pk not in given_ways], ruleset)
    pools |= {lead: pool for lead, pool in given_ways.items() if pool is not None}
    members = {
        (pool, person): pk
        for pk, pool, person in PoolMember.objects.filter(
            pool__in=set(pools.values()),
            person__in={assignment.person_id for assignment in assignments if assignment.person_id},
            is_in=True,
        ).values_list("pk", "pool_id", "person_id")
    }
    wanted = [
        (assignment, pools[assignment.lead_id], members[pools[assignment.lead_id], assignment.person_id])
        for assignment in assignments
        if assignment.person_id and (pools.get(assignment.lead_id), assignment.person_id) in members
    ]
    touched = {turn.pool_id for turn in taken_away} | {pool for _assignment, pool, _member in wanted}
    if not touched:
        return
    locked = list(Pool.objects.select_for_update(of=("self",)).filter(pk__in=touched).order_by("pk"))
    take_turns_back(taken_away, at)
    works, values = pools_at_work(locked, at), Values(at)
    currencies = {pool.pk: pool.currency for pool in locked}
    rows: list[tuple[Any, ...]] = []
    for assignment, pool, member in wanted:
        given = works[pool].give(
            facts_of(assignment.lead),
            at=number_of(at),
            value=values.value_of(assignment.lead, currencies[pool]),
            forced=member,
        )
        rows.extend(turns_of(works[pool], given, assignment.lead, assignment.pk, TurnKind.MANUAL, at))
    save_turns(rows)
    save_pools(works.values())
    for pool in {pool for _assignment, pool, _member in wanted}:
        theirs = [assignment.lead_id for assignment, where, _member in wanted if where == pool]
        Lead.objects.filter(pk__in=theirs).exclude(pool=pool).update(pool=pool)


def _watch(assignments: Sequence[LeadAssignment], ruleset: Ruleset | None, at: datetime) -> None:
    """Start the clocks of leads that nobody has touched yet, by the first service level that fits each."""
    if ruleset is None or not ruleset.levels:
        return
    given = []
    for assignment in assignments:
        lead = assignment.lead
        if assignment.person_id is None or lead.first_touched_at is not None or lead.status not in ROUTED_STATUSES:
            continue
        facts = facts_of(lead)
        level = next((level for level in ruleset.levels if fits(level.when, facts)), None)
        if level is not None:
            given.append((assignment.pk, lead.pk, assignment.person_id, level))
    if given:
        start_clocks(given, presence_of({person for _key, _lead, person, _level in given}, at), at)


def may_give_back(actor: Actor, lead: Lead) -> bool:
    """Whether somebody may give a lead back that they see: its owner, who manages them, who configures."""
    return (
        actor.may_edit_work
        and lead.owner_id is not None
        and lead.status in ROUTED_STATUSES
        and (lead.owner_id in actor.people_ids or actor.has(Role.REVOPS, Role.ADMIN))
    )


@transaction.atomic
def give_back(*, actor: Actor, lead_id: int, reason: str, at: datetime, is_bad: bool = False) -> Lead:
    """Give a lead back: its owner gets the turn back, and it goes to somebody else by the rules.

    is_bad: it is no lead at all: it is disqualified with the reason instead, and the turn comes back all the same. The
    owner may do so, and who manages them. Raises PermissionDenied, Http404, ValidationError.
    """
    check_may_edit(actor)
    lead: Lead = Lead.objects.select_for_update(of=("self",)).get_for(actor, pk=lead_id)
    if lead.owner_id is None or lead.status not in ROUTED_STATUSES:
        raise ValidationError(_("Only a lead that somebody works on can be given back."), code="nobodys")
    if not may_give_back(actor, lead):
        raise PermissionDenied(_("Only its owner and who manages them give a lead back."))
    if not reason.strip():
        raise ValidationError({"reason": _("Say why it is given back.")}, code="no-reason")
    owner = lead.owner_id
    stop_clocks([lead.pk], ClockEnding.CLOSED if is_bad else ClockEnding.MOVED, at)
    turns = turns_standing([lead.pk])
    if turns:
        list(
            Pool.objects.select_for_update(of=("self",)).filter(pk__in={turn.pool_id for turn in turns}).order_by("pk")
        )
        take_turns_back(turns, at)
    before = {"owner": owner, "status": lead.status}
    if is_bad:
        lead.status, lead.disqualified_because = LeadStatus.DISQUALIFIED, reason.strip()[:200]
        lead.save(update_fields=["status", "disqualified_because", "updated_at"])
    else:
        lead.owner = None
        lead.assigned_at = at
        lead.save(update_fields=["owner", "assigned_at", "updated_at"])
        LeadAssignment.objects.create(
            lead=lead,
            pod_id=lead.pod_id,
            assigned_at=at,
            assigned_by_id=actor.user_id,
            method=AssignmentMethod.RETURNED,
            reason=reason.strip()[:300],
        )
    back = change_of(
        lead,
        action="lead.given_back",
        before=before,
        after={"owner": lead.owner_id, "status": lead.status},
        reason=reason.strip(),
    )
    routed = [] if is_bad else route_leads(leads=[lead], at=at, had_it={lead.pk: frozenset(people_who_had(lead.pk))})
    record_many(actor=actor, changes=[back, *routed], at=at)
    return lead


def people_who_had(lead_id: int) -> set[int]:
    """Who gave a lead back, or let its time run out: it does not come to them again by rule."""
    rows = LeadAssignment.objects.filter(lead=lead_id).order_by("pk").values_list("person_id", "method")
    found: set[int] = set()
    holder: int | None = None
    for person, method in rows:
        if method in (AssignmentMethod.RETURNED, AssignmentMethod.LATE) and holder is not None:
            found.add(holder)
        holder = person
    return found


def people_who_had_each(lead_ids: Collection[int]) -> dict[int, frozenset[int]]:
    """The same of those leads that anybody gave back or let run out, by lead; two queries."""
    methods = (AssignmentMethod.RETURNED, AssignmentMethod.LATE)
    rows = LeadAssignment.objects.filter(lead__in=lead_ids, method__in=methods).values_list("lead_id", flat=True)
    found: dict[int, set[int]] = {pk: set() for pk in rows}
    holder: dict[int, int | None] = {}
    if found:
        every = LeadAssignment.objects.filter(lead__in=found).order_by("pk")
        for lead, person, method in every.values_list("lead_id", "person_id", "method"):
            had = holder.get(lead)
            if method in methods and had is not None:
                found[lead].add(had)
            holder[lead] = person
    return {pk: frozenset(people) for pk, people in found.items()}


def turns_standing(lead_ids: Collection[int]) -> list[Turn]:
    """The turns by which these leads were taken and that still count, the latest of each lead."""
    rows = (
        Turn.objects.filter(lead__in=lead_ids, kind__in=(TurnKind.ROUTED, TurnKind.MANUAL), reversed_by__isnull=True)
        .select_related("pool")
        .order_by("pk")
    )
    return list({turn.lead_id: turn for turn in rows}.values())


def take_turns_back(turns: Iterable[Turn], at: datetime) -> None:
    """Negate turns exactly as they were stored. The pools are locked by the caller."""
    for turn in turns:
        changes = given_back({int(key): parts for key, parts in turn.changes.items()})
        for member in PoolMember.objects.filter(pk__in=changes).order_by("pk"):
            member.credit += changes[member.pk]
            if member.pk == turn.member_id and turn.pool.method == PoolMethod.VALUE:
                worth = turn.pool.quantum_minor if turn.value_minor is None else turn.value_minor
                member.deficit_minor += worth or 0
            member.save(update_fields=["credit", "deficit_minor"])
        Turn.objects.create(
            pool_id=turn.pool_id,
            kind=TurnKind.RETURNED,
            member_id=turn.member_id,
            lead_id=turn.lead_id,
            value_minor=turn.value_minor,
            changes={str(key): parts for key, parts in changes.items()},
            reverses=turn,
            taken_at=at,
        )


def count_again(turns: Iterable[Turn], assignments: Mapping[int, int | None], at: datetime) -> None:
    """Let turns that were taken back count once more, each as a row of its own. The pools are locked by the caller.

    assignments: by turn, the assignment that the new row belongs to.
    """
    for turn in turns:
        changes = {int(key): parts for key, parts in turn.changes.items()}
        for member in PoolMember.objects.filter(pk__in=changes).order_by("pk"):
            member.credit += changes[member.pk]
            if member.pk == turn.member_id and turn.pool.method == PoolMethod.VALUE:
                worth = turn.pool.quantum_minor if turn.value_minor is None else turn.value_minor
                member.deficit_minor -= worth or 0
            member.save(update_fields=["credit", "deficit_minor"])
        Turn.objects.create(
            pool_id=turn.pool_id,
            kind=turn.kind,
            member_id=turn.member_id,
            lead_id=turn.lead_id,
            assignment_id=assignments[turn.pk],
            value_minor=turn.value_minor,
            changes=turn.changes,
            taken_at=at,
        )


def _pools_of(leads: Sequence[Lead], ruleset: Ruleset | None) -> dict[int, int]:
    """The pool of each lead: the one that brought it, else where the rules would send it."""
    found = {lead.pk: lead.pool_id for lead in leads if lead.pool_id}
    rest = [lead for lead in leads if lead.pk not in found]
    if ruleset is not None:
        for lead in rest:
            facts = facts_of(lead)
            for rule in ruleset.rules:
                if rule.action is Action.POOL and rule.pool and fits(rule.when, facts):
                    found[lead.pk] = rule.pool
                    break
    return found
