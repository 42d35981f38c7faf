"""A plan in force, people on it, deals won: the usual start of a test about pay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from salesops.commissions.models import Period, Plan, PlanVersion, Statement
from salesops.commissions.services.calculate import calculate_period
from salesops.commissions.services.periods import open_period
from salesops.commissions.services.plans import activate_version, assign_to_plan, create_plan, save_draft, set_quota
from salesops.deals.models import Deal, Product, Stage
from salesops.values.periods import parse_label
from tests.cast import NOW, Cast

FLAT_8 = {"shape": "flat", "rate": "8%"}
FIVE_THEN_TEN = {"shape": "marginal", "tiers": [{"from": "0", "rate": "5%"}, {"from": "100%", "rate": "10%"}]}
PERSONAL = {"shape": "flat", "rate": "personal"}


def definition(shape: dict[str, Any], *, currency: str = "USD", **conventions: str) -> dict[str, Any]:
    """A plan with one component, paid by the quarter, in UTC."""
    return {
        "format": 1,
        "currency": currency,
        "time_zone": "UTC",
        "period_kind": "quarter",
        "components": [
            {
                "key": "commission",
                "name": "Commission",
                "measure": "money",
                "shape": shape,
                "crediting": ["split", "owner", "holder"],
            }
        ],
        "conventions": conventions,
    }


def plan_in_force(
    cast: Cast,
    shape: dict[str, Any],
    people: Sequence[str] = ("ana", "sam", "alba"),
    *,
    name: str = "Field",
    currency: str = "USD",
    rate: Decimal | None = None,
    start_on: date = date(2026, 1, 1),
    **conventions: str,
) -> Plan:
    """Rita writes the plan, Finn puts it in force, Rita puts people on it."""
    rita, finn = cast.actor("rita"), cast.actor("finn")
    plan = create_plan(actor=rita, name=name, at=NOW)
    draft = save_draft(
        actor=rita, plan=plan, definition=definition(shape, currency=currency, **conventions), start_on=start_on, at=NOW
    )
    activate_version(actor=finn, version=draft, at=NOW)
    for person in people:
        assign_to_plan(
            actor=rita,
            plan=plan,
            person_id=cast.people[person].pk,
            start_on=start_on,
            rate=rate,
            currency=currency,
            at=NOW,
        )
    return plan


def version_of(plan: Plan) -> PlanVersion:
    """The plan's only version."""
    return plan.versions.get()


def quota(cast: Cast, person: str, label: str, amount_minor: int, currency: str = "USD") -> None:
    """A quota for a period."""
    set_quota(
        actor=cast.actor("rita"),
        person_id=cast.people[person].pk,
        period=parse_label(label),
        amount_minor=amount_minor,
        currency=currency,
        at=NOW,
    )


def won(
    cast: Cast,
    person: str | None,
    amount_minor: int,
    day: date = date(2026, 5, 4),
    *,
    name: str = "Deal",
    currency: str = "USD",
    product: Product | None = None,
) -> Deal:
    """A deal won on a day."""
    stage = Stage.objects.filter(kind="won").order_by("position").first()
    if stage is None:
        stage = Stage.objects.create(code="won", name="Won", kind="won", position=90)
    return Deal.objects.create(
        name=name,
        owner=cast.people[person] if person else None,
        stage=stage,
        kind="won",
        amount_minor=amount_minor,
        currency=currency,
        product=product,
        closed_on=day,
        created_at=NOW,
    )


def second_quarter() -> Period:
    """2026Q2, open."""
    return open_period(day=date(2026, 5, 1), kind="quarter", time_zone="UTC")


def calculated(cast: Cast, by: str = "rita", period: Period | None = None) -> Period:
    """Calculate the second quarter."""
    period = period or second_quarter()
    calculate_period(actor=cast.actor(by), period=period, at=NOW)
    return period


def statement_of(cast: Cast, person: str, period: Period | None = None) -> Statement:
    """A person's statement of the second quarter."""
    return Statement.objects.get(person=cast.people[person], period=period or second_quarter())
