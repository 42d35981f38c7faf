"""Reads leads and how they came to whoever has them, always for an actor."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from salesops.accounts.models import Account
from salesops.accounts.selectors import accounts_for
from salesops.core.actor import Actor
from salesops.leads.choices import OPEN_STATUSES, WORK_STATUSES
from salesops.leads.models import Lead, LeadAssignment, LeadMerge
from salesops.leads.querysets import LeadAssignmentQuerySet, LeadQuerySet
from salesops.pods.workload import Load
from salesops.values.names import match_name


def leads_for(actor: Actor) -> LeadQuerySet:
    """The leads the actor may see, newest first."""
    return Lead.objects.visible_to(actor)


def lead_for(actor: Actor, pk: int) -> Lead:
    """One lead with all it refers to; raises Http404 when it is not theirs."""
    return Lead.objects.select_related("owner", "pod", "segment", "account", "contact", "credited_to").get_for(
        actor, pk=pk
    )


def lead_or_removed_for(actor: Actor, pk: int) -> Lead:
    """As `lead_for`, and also a lead that was removed: for its own page."""
    names = ("owner", "pod", "segment", "account", "contact", "credited_to", "merged_into")
    return Lead.every.select_related(*names).get_for(actor, pk=pk)


#: So many leads are offered where one is asked for by some of its name.
_OFFERED: Final = 10


def leads_like(actor: Actor, asked: str) -> list[Lead]:
    """The leads that the actor sees and that may be meant: one by its number, else some by name, company or address."""
    if not asked:
        return []
    rows = leads_for(actor).select_related("segment", "owner")
    number = asked.removeprefix("#")
    if number.isdecimal() and len(number) <= 18:
        return list(rows.filter(pk=int(number)))
    like = Q(name__icontains=asked) | Q(company__icontains=asked) | Q(email__icontains=asked)
    return list(rows.filter(like).order_by("-created_at", "-pk")[:_OFFERED])


def assignments_of(actor: Actor, lead: Lead) -> LeadAssignmentQuerySet:
    """Each time a lead was given to somebody, newest first, with all the people: why it is whose."""
    rows = LeadAssignment.objects.visible_to(actor).filter(lead=lead)
    return rows.select_related("person", "pod", "assigned_by").order_by("-assigned_at", "-pk")


def accounts_like(actor: Actor, lead: Lead) -> list[Account]:
    """Accounts the actor may see whose name means the lead's company: to convert into, instead of a second one."""
    name = match_name(lead.company)
    return list(accounts_for(actor).filter(match_name=name).order_by("pk")[:5]) if name else []


def same_person(actor: Actor, lead: Lead) -> QuerySet[Lead]:
    """Other leads the actor may see that are probably the same person, newest first: of one e-mail address, or of one name
    at one company. Two that give different addresses are two, whatever their names."""
    alike = Q(email=lead.email) if lead.email else Q()
    if lead.name and lead.company:
        named = Q(name=lead.name, company=lead.company)
        alike |= named & Q(email="") if lead.email else named
    if not alike:
        return leads_for(actor).none()
    return leads_for(actor).filter(alike).exclude(pk=lead.pk)


def has_twin(actor: Actor) -> Q:
    """The condition for leads with the address of another open lead that the actor sees, too."""
    others = leads_for(actor).filter(email=OuterRef("email"), status__in=OPEN_STATUSES).exclude(pk=OuterRef("pk"))
    return ~Q(email="") & Q(Exists(others.order_by()))


def standing_merge(actor: Actor, lead: Lead) -> LeadMerge | None:
    """The merge by hand by which another stands for this lead; None for one that is there or was merged elsewhere."""
    rows = LeadMerge.objects.standing().filter(lost__in=Lead.every.visible_to(actor)).select_related("stays")
    return rows.filter(lost=lead).first()


def merged_into_it(actor: Actor, lead: Lead) -> QuerySet[LeadMerge]:
    """What was merged into a lead by hand and not taken back, the latest first."""
    return LeadMerge.objects.visible_to(actor).standing().filter(stays=lead).select_related("lost__owner", "merged_by")


def leads_in_work(*, pod_ids: Collection[int], person_ids: Collection[int]) -> Load:
    """How many leads these pods and people have in work; nurtured ones do not count."""
    rows = Lead.objects.filter(status__in=WORK_STATUSES).order_by()
    by_pod = rows.filter(pod__in=pod_ids).values_list("pod").annotate(count=Count("pk")) if pod_ids else ()
    by_person = rows.filter(owner__in=person_ids).values_list("owner").annotate(count=Count("pk")) if person_ids else ()
    return Load(by_pod=dict(by_pod), by_person=dict(by_person))
