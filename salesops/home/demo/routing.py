"""The demo company's routing: a pool for each segment, the rules in force, how soon leads must be touched."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from salesops.audit.services import record
from salesops.core.actor import system_actor
from salesops.core.days import company_day
from salesops.home.demo.company import FRONT, GROUPS, SEGMENTS, Company
from salesops.home.demo.rows import stream_of
from salesops.leads.choices import OnReturn, PoolMethod, RuleAction, VersionState, WhenNobody
from salesops.leads.models import Pool, PoolMember, RoutingRule, RoutingVersion, ServiceLevel
from salesops.leads.services.pools import keep_setups
from salesops.pods.models import PodMembership

#: How the turns of each segment's pool go, by the segment's code.
_METHODS: Final = {"smb": PoolMethod.WEIGHTED, "mid": PoolMethod.WEIGHTED, "enterprise": PoolMethod.LOAD}
_FUNCTIONS: Final = tuple(sorted(name for name, group in GROUPS.items() if group == FRONT))
#: The most open leads of somebody who began less than so long ago, and their weight beside the others.
_NEW: Final = timedelta(days=120)


def write_routing(company: Company, *, now: datetime) -> None:
    """Write pools of those who work at the front today, with rules that send each segment to its pool."""
    day = company_day(now)
    stream = stream_of(company.seed, "routing")
    pools: dict[str, Pool] = {}
    for segment in SEGMENTS:
        pool = Pool.objects.create(
            name=segment.name, method=_METHODS[segment.code], on_return=OnReturn.HALF, currency=company.currency
        )
        pools[segment.code] = pool
        working = PodMembership.objects.on(day).filter(function__in=_FUNCTIONS, pod__segment__code=segment.code)
        for row in working.select_related("person").order_by("person__employee_number", "pk"):
            is_new = row.person.started_on is not None and row.person.started_on > day - _NEW
            PoolMember.objects.create(
                pool=pool,
                person=row.person,
                weight=1 if is_new else 2,
                cap_30_days=60 if is_new else None,
                tie_key=stream.getrandbits(62),
            )
    # What nobody in enterprise can take goes to the middle, and from there to small business, where it waits.
    for code, other in (("enterprise", "mid"), ("mid", "smb")):
        pools[code].when_nobody, pools[code].fallback = WhenNobody.POOL, pools[other]
        pools[code].save()
    begun = now - timedelta(days=90)
    keep_setups(pools=[pool.pk for pool in pools.values()], actor=system_actor(), at=begun)
    version = RoutingVersion.objects.create(
        number=1, note="By segment", state=VersionState.ACTIVE, created_at=begun, activated_at=begun
    )
    rules = [
        ("Known customers", "", RuleAction.ACCOUNT_OWNER, None),
        ("Enterprise", "employees >= 1000", RuleAction.POOL, pools["enterprise"]),
        ("Mid-market", "employees >= 100", RuleAction.POOL, pools["mid"]),
        ("Everybody else", "", RuleAction.POOL, pools["smb"]),
    ]
    for position, (name, condition, action, to) in enumerate(rules, start=1):
        RoutingRule.objects.create(
            version=version, position=position, name=name, condition=condition, action=action, pool=to
        )
    ServiceLevel.objects.create(
        version=version,
        position=1,
        name="Inbound",
        condition='origin = "inbound"',
        warn_minutes=60,
        alert_minutes=240,
        reassign_minutes=480,
    )
    ServiceLevel.objects.create(version=version, position=2, name="Others", warn_minutes=480, alert_minutes=960)
    record(
        actor=system_actor(), action="routing.activated", subject=version, after={"in_force": version.number}, at=now
    )
