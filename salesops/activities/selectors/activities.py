"""Reads activities and tasks, and the rows that an activity may be about."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import Http404

from salesops.accounts.models import Account
from salesops.activities.choices import ActivityKind
from salesops.activities.models import Activity
from salesops.core.actor import Actor
from salesops.deals.models import Deal
from salesops.leads.models import Lead

#: Rows of each kind that a search for a subject offers.
_OFFERED = 4


@dataclass(frozen=True, slots=True)
class About:
    """A row that an activity is about: a lead, a deal or an account."""

    kind: str
    row: Lead | Deal | Account

    @property
    def value(self) -> str:
        """As a form carries it: "deal-12"."""
        return f"{self.kind}-{self.row.pk}"

    @property
    def label(self) -> str:
        """Its name."""
        return str(self.row)

    @property
    def hint(self) -> str:
        """What tells it from others of the same name."""
        if isinstance(self.row, Deal):
            return str(self.row.account or "")
        return ""


def activities_for(actor: Actor) -> QuerySet[Activity]:
    """The activities and tasks that the actor sees, newest first."""
    return Activity.objects.visible_to(actor)


def activity_for(actor: Actor, pk: int) -> Activity:
    """One activity with what it names. Raises Http404 when it is not the actor's."""
    activity: Activity = Activity.objects.select_related("lead", "deal", "account", "contact", "person").get_for(
        actor, pk=pk
    )
    return activity


def open_tasks_for(actor: Actor) -> QuerySet[Activity]:
    """The actor's own tasks that are not done, the one due first on top."""
    return (
        Activity.objects.visible_to(actor)
        .filter(person_id=actor.user_id, kind=ActivityKind.TASK, done_at__isnull=True)
        .order_by("due_at", "pk")
    )


def about_for(actor: Actor, value: str) -> About:
    """The row behind "deal-12", also one that was removed. Raises Http404 when it is none that the actor sees."""
    kind, _separator, pk = value.partition("-")
    if not pk.isdecimal() or len(pk) > 18:
        raise Http404
    if kind == "deal":
        return About(kind, Deal.every.get_for(actor, pk=int(pk)))
    if kind == "lead":
        return About(kind, Lead.every.get_for(actor, pk=int(pk)))
    if kind == "account":
        return About(kind, Account.every.get_for(actor, pk=int(pk)))
    raise Http404


def subjects_for(actor: Actor, text: str) -> list[About]:
    """Leads, deals and accounts whose name holds the text, a few of each: what an activity may be about."""
    words = text.strip()[:100]
    if len(words) < 2:
        return []
    found: list[About] = []
    deals = (
        Deal.objects.visible_to(actor).filter(name__icontains=words).select_related("account").order_by("name", "pk")
    )
    found += [About("deal", row) for row in deals[:_OFFERED]]
    leads = Lead.objects.visible_to(actor).filter(name__icontains=words).order_by("name", "pk")
    found += [About("lead", row) for row in leads[:_OFFERED]]
    accounts = Account.objects.visible_to(actor).filter(name__icontains=words).order_by("name", "pk")
    found += [About("account", row) for row in accounts[:_OFFERED]]
    return found
