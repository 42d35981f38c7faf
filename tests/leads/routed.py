"""Pools and rules for the tests of routing, in few words."""

from __future__ import annotations

from typing import Any

from salesops.leads.choices import VersionState
from salesops.leads.models import Lead, Pool, PoolMember, RoutingRule, RoutingVersion, ServiceLevel
from salesops.leads.services import create_lead
from tests.cast import NOW, Cast


def make_pool(cast: Cast, name: str, *people: str, weights: dict[str, int] | None = None, **fields: Any) -> Pool:
    """A pool of people of the cast, in the order of the wheel."""
    pool = Pool.objects.create(name=name, **fields)
    for place, person in enumerate(people):
        PoolMember.objects.create(
            pool=pool, person=cast.people[person], weight=(weights or {}).get(person, 1), tie_key=place
        )
    return pool


def in_force(*rules: dict[str, Any], levels: list[dict[str, Any]] | None = None, **fields: Any) -> RoutingVersion:
    """Rules that are in force: each rule a dict with name, condition, action, pool, person."""
    RoutingVersion.objects.filter(state=VersionState.ACTIVE).update(state=VersionState.RETIRED)
    version = RoutingVersion.objects.create(
        number=RoutingVersion.objects.count() + 1,
        state=VersionState.ACTIVE,
        created_at=NOW,
        activated_at=NOW,
        **fields,
    )
    for position, rule in enumerate(rules, start=1):
        RoutingRule.objects.create(version=version, position=position, **({"name": f"Rule {position}"} | rule))
    for position, level in enumerate(levels or [], start=1):
        ServiceLevel.objects.create(version=version, position=position, **({"name": f"Level {position}"} | level))
    return version


def arrives(cast: Cast, number: int = 0, **fields: Any) -> Lead:
    """A lead that comes for nobody in particular, brought in by Rita."""
    at = fields.pop("at", NOW)
    return create_lead(actor=cast.actor("rita"), at=at, **({"name": f"Lead {number}"} | fields))


def credit_of(cast: Cast, pool: Pool, *people: str) -> list[int]:
    """Credits in parts of a lead."""
    credits = dict(pool.members.values_list("person_id", "credit"))
    return [credits[cast.people[person].pk] for person in people]
