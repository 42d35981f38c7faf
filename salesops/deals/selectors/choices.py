"""What an actor may choose from: owners, pods, stages, products."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from salesops.core.actor import Actor, Noun, Scope
from salesops.core.days import company_day
from salesops.deals.models import Product, Stage
from salesops.people.models import User
from salesops.people.selectors import people_for
from salesops.pods.models import Pod, PodMembership


def owners_for(actor: Actor, *, at: datetime) -> QuerySet[User]:
    """The people to whom the actor may give a deal: everybody, the tree and its pods' members, or the pod's members."""
    scope = actor.sight(Noun.WORK)
    active = User.objects.filter(is_active=True)
    if scope >= Scope.ALL:
        return active
    if scope < Scope.OWN:
        return active.none()
    people = actor.people_ids if scope >= Scope.TREE else frozenset({actor.user_id})
    pods = actor.all_pod_ids if scope >= Scope.TREE else actor.pod_ids if scope >= Scope.POD else frozenset()
    members = PodMembership.objects.on(company_day(at)).filter(pod_id__in=pods).values("person_id")
    return active.filter(pk__in=people) | active.filter(pk__in=members)


def people_to_share_with(actor: Actor) -> QuerySet[User]:
    """The people who may have a share in a deal: everybody who works here, of whatever pod."""
    return people_for(actor).filter(is_active=True)


def pods_to_choose_for(actor: Actor) -> QuerySet[Pod]:
    """The open pods that the actor sees."""
    return Pod.objects.visible_to(actor).filter(closed_on__isnull=True)


def stages() -> QuerySet[Stage]:
    """The stages in use, in the order of the board."""
    return Stage.objects.filter(is_active=True)


def products() -> QuerySet[Product]:
    """What is on sale."""
    return Product.objects.filter(is_active=True)


def products_for(actor: Actor) -> QuerySet[Product]:
    """All products, for whoever sees deals: what a company sells is no secret within it."""
    return Product.objects.all() if actor.sight(Noun.WORK) > Scope.NONE else Product.objects.none()
