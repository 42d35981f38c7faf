"""Reads what legal entities have settled, and for whom effort is counted."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import Http404

from salesops.core import features
from salesops.core.actor import Actor, Role
from salesops.effort.choices import EFFORT
from salesops.effort.models import EffortPolicy
from salesops.people.models import LegalEntity, User

#: Who reads what was settled for every entity. Only administrators change it.
READERS = (Role.REVOPS, Role.ADMIN)


def entities_for(actor: Actor) -> QuerySet[LegalEntity]:
    """The legal entities whose policies the actor may read."""
    return LegalEntity.objects.all() if actor.has(*READERS) else LegalEntity.objects.none()


def entity_for(actor: Actor, pk: int) -> LegalEntity:
    """One legal entity. Raises Http404."""
    entity = entities_for(actor).filter(pk=pk).first()
    if entity is None:
        raise Http404
    return entity


def policy_of_entity(entity: LegalEntity) -> EffortPolicy:
    """What the entity has settled; not saved and off where it has settled nothing."""
    return EffortPolicy.objects.filter(entity=entity).first() or EffortPolicy(entity=entity)


def people_without_entity() -> int:
    """How many active people no legal entity employs: nothing is counted of them."""
    return User.objects.filter(is_active=True, legal_entity=None).count()


def policies_by_entity() -> dict[int, EffortPolicy]:
    """What each entity has settled, by its key."""
    return {policy.entity_id: policy for policy in EffortPolicy.objects.all()}


def policy_of_person(person_id: int | None) -> EffortPolicy | None:
    """What is settled for a person; None where their entity has settled nothing or they have none."""
    if person_id is None:
        return None
    entities = LegalEntity.objects.filter(people=person_id)
    return EffortPolicy.objects.select_related("entity").filter(entity__in=entities).first()


def is_shown_to(policy: EffortPolicy | None) -> bool:
    """Whether anything is counted and shown under this policy now."""
    return policy is not None and policy.is_on and features.is_on(EFFORT)
