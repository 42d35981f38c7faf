"""What the board does: gives many leads to their people in one act, and takes an act back as if it had not been.

Order of locks as in routing: leads, then pools by key, then the head of the audit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from salesops.audit.services import change_of, record_many
from salesops.core.actor import Actor
from salesops.core.days import company_day
from salesops.leads.choices import AssignmentMethod, ClockEnding, TurnKind
from salesops.leads.models import Clock, Lead, LeadAssignment, Pool, Turn
from salesops.leads.rules.rotation import Method
from salesops.leads.selectors.board import ASSIGNERS, act_of, number_of_act
from salesops.leads.selectors.routing import rules_in_force
from salesops.leads.selectors.ways import HELD, Gone, leads_text, ways_of
from salesops.leads.services.routing import ROUTED_STATUSES, Routed, stop_clocks, try_leads
from salesops.leads.services.turns import (
    count_again,
    note_by_hand,
    people_who_had_each,
    take_turns_back,
    turns_standing,
)
from salesops.people.models import User
from salesops.pods.models import Pod
from salesops.pods.selectors import assignees_for, open_pods_for, pod_of

#: Leads that are given in one act; more are given from the list, in bulk.
MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Wish:
    """Where a lead is to go: to a person, or to a pod only."""

    lead: int
    owner: int | None = None
    pod: int | None = None


@dataclass(frozen=True, slots=True)
class Handed:
    """What an act came to. given: leads by key; unchanged: were there already; refused: (lead, why) each.

    act: the number by which it can be taken back; None where nothing was given.
    """

    given: tuple[int, ...] = ()
    unchanged: int = 0
    refused: tuple[tuple[str, str], ...] = ()
    act: int | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Whom the rules in force would give a lead now. person: None where it would wait, or is not the actor's to give.

    why: in words, for whoever assigns.
    """

    lead: int
    person: int | None
    name: str
    why: str


def check_may_assign(actor: Actor) -> None:
    """Refuse whoever does not distribute leads: raises PermissionDenied."""
    if not actor.has(*ASSIGNERS):
        raise PermissionDenied(_("Managers, revenue operations and administrators give leads to others."))


# --- What the rules suggest -----------------------------------------------------------------------------------------


def suggest(*, actor: Actor, lead_ids: Sequence[int], at: datetime) -> list[Suggestion]:
    """Whom the rules in force would give these leads, one after the other, as pools stand now; nothing is written.

    In the order given, as each takes a turn. Leads that are not the actor's, or closed, are left out. Raises
    PermissionDenied, ValidationError where no rules are in force or too many are asked.
    """
    check_may_assign(actor)
    _check_number(lead_ids)
    found = Lead.objects.visible_to(actor).filter(status__in=ROUTED_STATUSES).select_related("segment")
    leads = _in_order(found.in_bulk(list(lead_ids)), lead_ids)
    tried = _tried(leads, at)
    if tried is None:
        raise ValidationError(
            _("No routing rules are in force, so nobody can be suggested. Choose a person or a pod."), code="no-rules"
        )
    allowed = set(
        assignees_for(actor, company_day(at))
        .filter(pk__in={done.person for done in tried if done.person})
        .values_list("pk", flat=True)
    )
    names = dict(User.objects.filter(pk__in=allowed).values_list("pk", "name"))
    ways = ways_of(actor, [Gone(done.lead.pk, _path_of(done), done.person) for done in tried])
    said = []
    for done in tried:
        person = done.person if done.person in allowed else None
        if done.held is not None:
            why = _("By the rules it would wait: %(why)s.") % {"why": HELD[done.held]}
        elif person is None:
            why = _("By the rules it goes to somebody to whom you do not give leads.")
        else:
            way = ways[done.lead.pk]
            why = " ".join([*way.steps[-1:], _owed(done)]).strip()
        said.append(Suggestion(done.lead.pk, person, names.get(person or 0, ""), why))
    return said


def _owed(done: Routed) -> str:
    """How much whoever is picked is owed, where turns go by what people are owed."""
    for one in reversed(done.path.get("pools", ())):
        row = next((row for row in one["candidates"] if row[0] == done.person), None)
        if row is None:
            continue
        if one["method"] == Method.LOAD:
            return _("Has the fewest open leads for their weight.")
        if one["method"] == Method.VALUE:
            return _("It is their turn by value.")
        owed = leads_text((row[3] + 1_000 + 5) // 10, is_signed=False)
        return _("It is their turn: they are owed %(owed)s of a lead.") % {"owed": owed}
    return ""


def _tried(leads: Sequence[Lead], at: datetime) -> list[Routed] | None:
    """What the rules in force would do with leads, whoever has them; None where there are no rules."""
    ruleset = rules_in_force()
    if ruleset is None:
        return None
    return try_leads(leads=leads, ruleset=ruleset, at=at, had_it=people_who_had_each([lead.pk for lead in leads]))


def _path_of(done: Routed) -> dict[str, Any]:
    return done.path | ({"held": done.held.value} if done.held else {})


# --- Giving ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def assign_leads(
    *, actor: Actor, wishes: Sequence[Wish], at: datetime, reason: str = "", is_suggested: bool = False
) -> Handed:
    """Give leads to people or pods in one act, in the order given; each keeps by whom, why and how it stood before.

    They enter the ledger of turns as every lead that is given by hand. A person brings their pod of today. With
    `is_suggested` the way by the rules is kept with each lead that goes where the rules would send it. Closed leads are
    refused one by one; those not the actor's are left out. Raises PermissionDenied; ValidationError for receivers to
    whom the actor may not give work, for a wish without one, for too many.
    """
    check_may_assign(actor)
    _check_number(wishes)
    wanted = {wish.lead: wish for wish in wishes}
    people = _receivers(actor, wanted.values(), at)
    brought = pod_of(people, company_day(at))
    rows = Lead.objects.visible_to(actor).filter(pk__in=wanted).order_by("pk").select_related("segment")
    locked = {lead.pk: lead for lead in rows.select_for_update(of=("self",))}
    leads = _in_order(locked, list(wanted))
    tried = {done.lead.pk: done for done in _tried(leads, at) or ()} if is_suggested else {}
    written, entries, assignments = [], [], []
    refused: list[tuple[str, str]] = []
    ways: dict[int, int | None] = {}
    unchanged = 0
    for lead in leads:
        wish = wanted[lead.pk]
        if lead.status not in ROUTED_STATUSES:
            refused.append((str(lead), _("It is closed, or rests: reopen it first.")))
            continue
        pod = wish.pod if wish.owner is None else brought.get(wish.owner, lead.pod_id)
        if (wish.owner, pod) == (lead.owner_id, lead.pod_id):
            unchanged += 1
            continue
        before = {"owner": lead.owner_id, "pod": lead.pod_id}
        kept = before | {
            "pool": lead.pool_id,
            "waits": lead.waits_because,
            "assigned_at": lead.assigned_at.isoformat() if lead.assigned_at else None,
        }
        done = tried.get(lead.pk)
        path: dict[str, Any] = {"before": kept}
        if done is not None and done.person is not None and done.person == wish.owner:
            path |= _path_of(done)
            ways[lead.pk] = done.pool.pk if done.pool else None
        lead.owner_id, lead.pod_id, lead.assigned_at, lead.updated_at = wish.owner, pod, at, at
        written.append(lead)
        assignments.append(
            LeadAssignment(
                lead=lead,
                person_id=wish.owner,
                pod_id=pod,
                assigned_at=at,
                assigned_by_id=actor.user_id,
                method=AssignmentMethod.MANUAL if len(wanted) == 1 else AssignmentMethod.BULK,
                reason=reason.strip()[:300],
                path=path,
            )
        )
        after = {"owner": wish.owner, "pod": pod}
        entries.append(
            change_of(lead, action="lead.reassigned", before=before, after=after, reason=reason.strip()[:300])
        )
    if written:
        Lead.objects.bulk_update(written, ["owner", "pod", "assigned_at", "updated_at"])
        LeadAssignment.objects.bulk_create(assignments)
        note_by_hand(assignments=assignments, at=at, ways=ways)
        record_many(actor=actor, changes=entries, at=at)
    return Handed(tuple(lead.pk for lead in written), unchanged, tuple(refused), number_of_act(at) if written else None)


def _check_number(given: Collection[Any]) -> None:
    if not given:
        raise ValidationError(_("Select at least one lead."), code="nothing")
    if len(given) > MOST:
        raise ValidationError(
            _("At most %(most)s leads are given in one act. Take fewer, or use “Reassign” in the list of leads."),
            params={"most": MOST},
            code="too-many",
        )


def _receivers(actor: Actor, wishes: Collection[Wish], at: datetime) -> set[int]:
    """The people of wishes; raises ValidationError when the actor may not give work to one of them, or to a pod."""
    day = company_day(at)
    people = {wish.owner for wish in wishes if wish.owner is not None}
    pods = {wish.pod for wish in wishes if wish.owner is None and wish.pod is not None}
    if any(wish.owner is None and wish.pod is None for wish in wishes):
        raise ValidationError(_("Choose a person or a pod."), code="nobody")
    if assignees_for(actor, day).filter(pk__in=people).count() < len(people):
        raise ValidationError(
            {"owner": ValidationError(_("You cannot give work to this person."), "owner-not-allowed")}
        )
    if open_pods_for(actor, day).filter(pk__in=pods).count() < len(pods):
        raise ValidationError({"pod": ValidationError(_("You cannot give work to this pod."), "pod-not-allowed")})
    return people


def _in_order(found: Mapping[int, Lead], keys: Sequence[int]) -> list[Lead]:
    return [found[pk] for pk in dict.fromkeys(keys) if pk in found]


# --- Taking an act back ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Undone:
    """What taking an act back came to. back: leads that are as they were; refused: (lead, why) each."""

    back: tuple[int, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


@transaction.atomic
def take_back(*, actor: Actor, act: int, at: datetime) -> Undone:
    """Take back an act of the actor's: owners, pods, turns and clocks are as they were before it.

    A lead that somebody has touched, closed or given on since stays where it is, with the reason. The turns that the act
    brought are negated, those that it took away come back, each as a row of its own. Raises PermissionDenied;
    ValidationError when there is nothing (any more) to take back.
    """
    check_may_assign(actor)
    rows = {row.lead_id: row for row in act_of(actor, act, at)}
    if not rows:
        raise ValidationError(_("There is nothing to take back: it has been done already, or is too long ago."))
    leads = list(Lead.objects.visible_to(actor).filter(pk__in=rows).order_by("pk").select_for_update(of=("self",)))
    # Read again under the lock: somebody may have been faster.
    rows = {row.lead_id: row for row in act_of(actor, act, at)}
    back, refused = [], []
    reach = _reach(actor, rows.values(), at)
    for lead in leads:
        why = _why_it_stays(lead, rows.get(lead.pk), reach)
        if why:
            refused.append((str(lead), why))
        else:
            back.append(lead)
    if back:
        _restore(actor, back, rows, at)
    return Undone(tuple(lead.pk for lead in back), tuple(refused))


@dataclass(frozen=True, slots=True)
class _Reach:
    """To whom of those who had them before leads may go back: people and pods."""

    people: frozenset[int]
    pods: frozenset[int]


def _reach(actor: Actor, rows: Iterable[LeadAssignment], at: datetime) -> _Reach:
    """As for giving: who is gone, or not the actor's to give to, gets nothing back."""
    day = company_day(at)
    before = [row.path["before"] for row in rows]
    people = assignees_for(actor, day).filter(pk__in={each["owner"] for each in before if each["owner"]})
    pods = open_pods_for(actor, day).filter(pk__in={each["pod"] for each in before if each["pod"]})
    return _Reach(frozenset(people.values_list("pk", flat=True)), frozenset(pods.values_list("pk", flat=True)))


def _why_it_stays(lead: Lead, row: LeadAssignment | None, reach: _Reach) -> str:
    if row is None or (lead.owner_id, lead.pod_id) != (row.person_id, row.pod_id):
        return _("Somebody has given it on since.")
    if lead.last_touched_at is not None and lead.last_touched_at > row.assigned_at:
        return _("Somebody has worked on it since.")
    if lead.status not in ROUTED_STATUSES:
        return _("It has been closed since.")
    before = row.path["before"]
    if before["owner"] and before["owner"] not in reach.people:
        return _("Who had it before cannot take it any more.")
    if before["pod"] and before["pod"] not in reach.pods:
        return _("The pod that had it before cannot take it any more.")
    return ""


def _restore(actor: Actor, leads: Sequence[Lead], rows: Mapping[int, LeadAssignment], at: datetime) -> None:
    keys = [lead.pk for lead in leads]
    acted = {rows[pk].assigned_at for pk in keys}
    entries = []
    for lead in leads:
        row, kept = rows[lead.pk], rows[lead.pk].path["before"]
        lead.owner_id, lead.pod_id, lead.pool_id = kept["owner"], kept["pod"], kept["pool"]
        lead.waits_because = kept["waits"]
        lead.assigned_at = datetime.fromisoformat(kept["assigned_at"]) if kept["assigned_at"] else None
        lead.updated_at = at
        entries.append(
            change_of(
                lead,
                action="lead.taken_back",
                before={"owner": row.person_id, "pod": row.pod_id},
                after={"owner": lead.owner_id, "pod": lead.pod_id},
                reason=row.reason,
            )
        )
    Lead.objects.bulk_update(leads, ["owner", "pod", "pool", "waits_because", "assigned_at", "updated_at"])
    made = LeadAssignment.objects.bulk_create(
        LeadAssignment(
            lead=lead,
            person_id=lead.owner_id,
            pod_id=lead.pod_id,
            assigned_at=at,
            assigned_by_id=actor.user_id,
            method=rows[lead.pk].method,
            reason=_("Taken back"),
        )
        for lead in leads
    )
    _turns_as_they_were({row.lead_id: row.pk for row in made}, rows, acted, at)
    stopped = list(Clock.objects.filter(lead__in=keys, ending=ClockEnding.MOVED, ended_at__in=acted).order_by("pk"))
    stop_clocks(keys, ClockEnding.MOVED, at)
    for clock in stopped:
        coming = (
            clock.warn_at if clock.warned_at is None else None,
            clock.alert_at if clock.alerted_at is None else None,
            clock.reassign_at,
        )
        clock.ended_at, clock.ending = None, ""
        clock.next_at = min((moment for moment in coming if moment is not None), default=None)
        clock.save(update_fields=["ended_at", "ending", "next_at"])
    record_many(actor=actor, changes=entries, at=at)


def _turns_as_they_were(
    made: Mapping[int, int], rows: Mapping[int, LeadAssignment], acted: Collection[datetime], at: datetime
) -> None:
    """Negate the turns that an act brought, and let those count again that it took away. made: assignment by lead."""
    brought = [turn for turn in turns_standing(made) if turn.assignment_id == rows[turn.lead_id or 0].pk]
    away = [
        row.reverses
        for row in Turn.objects.filter(lead__in=made, kind=TurnKind.RETURNED, taken_at__in=acted)
        .select_related("reverses__pool")
        .order_by("pk")
        if row.reverses is not None
    ]
    touched = {turn.pool_id for turn in (*brought, *away)}
    if not touched:
        return
    list(Pool.objects.select_for_update(of=("self",)).filter(pk__in=touched).order_by("pk"))
    take_turns_back(brought, at)
    count_again(away, {turn.pk: made[turn.lead_id or 0] for turn in away}, at)


def wishes_for(lead_ids: Sequence[int], owner: User | int | None = None, pod: Pod | int | None = None) -> list[Wish]:
    """All these leads to the same person or pod."""
    owner_id = owner.pk if isinstance(owner, User) else owner
    pod_id = pod.pk if isinstance(pod, Pod) else pod
    return [Wish(pk, owner_id, None if owner_id is not None else pod_id) for pk in lead_ids]
