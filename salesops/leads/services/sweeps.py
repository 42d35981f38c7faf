"""What comes round by itself: leads that wait find somebody, clocks that ran out are told and move leads on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from salesops.audit.services import Change, change_of, record_many
from salesops.core import display
from salesops.core.actor import Actor, Role
from salesops.core.days import company_day
from salesops.leads.choices import AssignmentMethod, ClockEnding
from salesops.leads.models import Clock, Lead, LeadAssignment
from salesops.leads.selectors.board import ASSIGNERS
from salesops.leads.selectors.response import Unworked, unworked_for
from salesops.leads.services.routing import ROUTED_STATUSES, route_leads
from salesops.leads.services.turns import people_who_had
from salesops.notices.services import tell
from salesops.people.models import ReportingLine
from salesops.people.selectors import holders_of
from salesops.pods.selectors import actor_for

#: The job that routes what waits, and the one that looks at clocks.
ROUTE_WAITING: Final = "leads.route_waiting"
RUN_CLOCKS: Final = "leads.run_clocks"
#: The job that tells managers each morning on how many leads nobody works.
TELL_UNWORKED: Final = "leads.tell_unworked"
#: Leads routed in one transaction.
BATCH: Final = 2_000
#: Clocks that ran out handled in one transaction.
CLOCKS: Final = 200


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one batch came to. last: the key after which the next batch goes on; None when there was nothing left."""

    given: int = 0
    seen: int = 0
    last: int | None = None


@transaction.atomic
def route_waiting(*, actor: Actor, at: datetime, after: int = 0) -> Sweep:
    """Route the next batch of leads that wait, in the order of their keys; those that find nobody go on waiting."""
    rows = Lead.objects.filter(
        ~Q(waits_because=""), pk__gt=after, owner__isnull=True, status__in=ROUTED_STATUSES
    ).select_related("segment")
    leads = list(rows.select_for_update(of=("self",)).order_by("pk")[:BATCH])
    if not leads:
        return Sweep()
    had_it = {lead.pk: frozenset(people_who_had(lead.pk)) for lead in _given_before(leads)}
    changes = route_leads(leads=leads, at=at, had_it=had_it)
    record_many(actor=actor, changes=changes, at=at)
    return Sweep(sum(lead.owner_id is not None for lead in leads), len(leads), leads[-1].pk)


def _given_before(leads: Sequence[Lead]) -> list[Lead]:
    """Those that somebody gave back or let run out."""
    methods = (AssignmentMethod.RETURNED, AssignmentMethod.LATE)
    rows = LeadAssignment.objects.filter(lead__among=[lead.pk for lead in leads], method__in=methods).values_list(
        "lead_id", flat=True
    )
    wanted = set(rows)
    return [lead for lead in leads if lead.pk in wanted]


@transaction.atomic
def run_clocks(*, actor: Actor, at: datetime) -> Sweep:
    """Handle the next clocks whose moment has come: remind the owner, tell the manager, give the lead to somebody else.

    What is told is told once. Where there is nobody else, the lead stays and the manager is told.
    """
    due = list(Clock.objects.filter(next_at__lte=at).order_by("next_at", "pk").values_list("pk", "lead_id")[:CLOCKS])
    if not due:
        return Sweep()
    leads = {
        lead.pk: lead
        for lead in Lead.objects.filter(pk__in={lead for _pk, lead in due})
        .select_related("segment")
        .select_for_update(of=("self",))
        .order_by("pk")
    }
    # Read again under the lock: a touch may have been faster.
    clocks = Clock.objects.filter(pk__in=[pk for pk, _lead in due], next_at__lte=at).select_related("person")
    changes: list[Change] = []
    moved = 0
    for clock in clocks.order_by("next_at", "pk"):
        lead = leads[clock.lead_id]
        if clock.reassign_at is not None and clock.reassign_at <= at:
            found = _move_on(clock, lead, at)
            moved += lead.owner_id != clock.person_id
            changes.extend(found)
            continue
        if clock.alert_at is not None and clock.alert_at <= at and clock.alerted_at is None:
            clock.alerted_at = at
            _tell_managers(clock, lead, at, "alert", _untouched(clock))
        if clock.warned_at is None:
            clock.warned_at = at
            tell(
                person_ids=[clock.person_id],
                key=f"clock:{clock.pk}:warn",
                title=_waits(lead),
                body=_untouched(clock),
                url=reverse("leads:lead_detail", args=[lead.pk]),
                at=at,
            )
        coming = [moment for moment in (clock.alert_at, clock.reassign_at) if moment is not None and moment > at]
        clock.next_at = min(coming, default=None)
        clock.save(update_fields=["warned_at", "alerted_at", "next_at"])
    record_many(actor=actor, changes=changes, at=at)
    return Sweep(moved, len(due), due[-1][0])


def _waits(lead: Lead) -> Callable[[], str]:
    return lambda: _("%(lead)s waits for a first touch") % {"lead": lead}


def _untouched(clock: Clock) -> Callable[[], str]:
    return lambda: (
        _("It was given to %(person)s and has not been touched. Service level: %(level)s.")
        % {
            "person": clock.person,
            "level": clock.level,
        }
    )


def _move_on(clock: Clock, lead: Lead, at: datetime) -> list[Change]:
    """Give a lead whose time ran out to somebody else; it stays where there is nobody."""
    owner = lead.owner_id
    clock.ended_at, clock.ending, clock.next_at = at, ClockEnding.LATE, None
    clock.save(update_fields=["ended_at", "ending", "next_at"])
    had_it = frozenset(people_who_had(lead.pk) | {clock.person_id})
    kept = (lead.owner_id, lead.pod_id, lead.pool_id, lead.waits_because)
    lead.owner = None
    with transaction.atomic():
        changes = route_leads(
            leads=[lead], at=at, method=AssignmentMethod.LATE, reason=clock.level, had_it={lead.pk: had_it}
        )
        is_moved = lead.owner_id is not None
        if not is_moved:
            transaction.set_rollback(True)
    if not is_moved:
        lead.owner_id, lead.pod_id, lead.pool_id, lead.waits_because = kept
        _tell_managers(
            clock, lead, at, "stays", lambda: _("Its time ran out, and there is nobody else who could take it now.")
        )
        return []
    _tell_managers(
        clock, lead, at, "moved", lambda: _("Its time ran out, and it went to %(person)s.") % {"person": lead.owner}
    )
    late = change_of(lead, action="lead.time_ran_out", before={"owner": owner}, after={"owner": lead.owner_id})
    return [late, *changes]


def _tell_managers(clock: Clock, lead: Lead, at: datetime, what: str, body: Callable[[], str]) -> None:
    """Tell whom the person reports to; where that is nobody, revenue operations."""
    day = company_day(at)
    managers = set(ReportingLine.objects.on(day).filter(person=clock.person_id).values_list("manager_id", flat=True))
    tell(
        person_ids=managers or holders_of(Role.REVOPS, on=day).values_list("pk", flat=True),
        key=f"clock:{clock.pk}:{what}",
        title=lambda: _("%(lead)s has waited too long") % {"lead": lead},
        body=body,
        url=reverse("leads:lead_detail", args=[lead.pk]),
        at=at,
    )


def tell_unworked(*, at: datetime) -> int:
    """Tell those who give leads to others on how many of what they see nobody works, where it is more than it should ever be.

    Once a day each. Returns how many were told.
    """
    day = company_day(at)
    told = 0
    for person in holders_of(*ASSIGNERS, on=day).order_by("pk"):
        found = unworked_for(actor_for(person, at=at), at)
        if not found.is_alarm:
            continue
        told += tell(
            person_ids=[person.pk],
            key=f"unworked:{day.isoformat()}",
            title=_share_of(found),
            body=_parts_of(found),
            url=f"{reverse('leads:lead_list')}?unworked=yes",
            at=at,
        )
    return told


def _share_of(found: Unworked) -> Callable[[], str]:
    return lambda: (
        _("%(share)s of the leads in work are nobody's or untouched") % {"share": display.share(found.share_bp)}
    )


def _parts_of(found: Unworked) -> Callable[[], str]:
    return lambda: (
        _(
            "%(count)s of %(among)s leads older than a day: %(nobodys)s without an owner, %(left)s with somebody who left,"
            " %(untouched)s never touched."
        )
        % {
            "count": display.number(found.count),
            "among": display.number(found.among),
            "nobodys": display.number(found.nobodys),
            "left": display.number(found.left),
            "untouched": display.number(found.untouched),
        }
    )
