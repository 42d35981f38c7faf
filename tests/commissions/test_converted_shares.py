"""Agreed shares of a deal in another currency add up to the converted whole, whoever is on which plan."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from salesops.commissions.models import Credit
from salesops.commissions.rules import verify
from salesops.commissions.rules.bundle import bundle_bytes
from salesops.commissions.selectors.bundles import bundle_of
from salesops.commissions.selectors.statements import why_of
from salesops.commissions.selectors.totals import disagreements
from salesops.core.models import ExchangeRate
from salesops.deals.models import DealSplit
from tests.cast import Cast
from tests.commissions.pay import FLAT_8, calculated, plan_in_force, statement_of, won

pytestmark = pytest.mark.django_db

MAY_8 = date(2026, 5, 8)


def shared(cast: Cast, amount_minor: int, shares: dict[str, int], currency: str = "EUR") -> None:
    """A deal of Ana's that is shared, in basis points."""
    deal = won(cast, "ana", amount_minor, MAY_8, currency=currency)
    for person, share in shares.items():
        DealSplit.objects.create(deal=deal, person=cast.people[person], function="ae", share_bp=share)


def rate(value: str, quote: str = "USD") -> None:
    """What a euro is worth on the day."""
    ExchangeRate.objects.create(on=MAY_8, base="EUR", quote=quote, rate=Decimal(value), source="ecb")


def credited() -> dict[str, int]:
    """What each was credited with."""
    return dict(Credit.objects.order_by("person_id").values_list("person__name", "amount_minor"))


def names(cast: Cast, **amounts: int) -> dict[str, int]:
    """Amounts by full name."""
    return {str(cast.people[person]): amount for person, amount in amounts.items()}


def first_of(cast: Cast, *people: str) -> list[str]:
    """People in the order of their numbers, in which ties are decided."""
    return sorted(people, key=lambda person: cast.people[person].pk)


def test_two_halves_are_the_whole_across_plans(cast: Cast) -> None:
    """Each half alone would be 100.01; the whole is 200.01, and two plans pay by it."""
    plan_in_force(cast, FLAT_8, people=("ana",))
    plan_in_force(cast, FLAT_8, people=("sam",), name="Other")
    rate("1.00006")
    shared(cast, 200_00, {"ana": 5_000, "sam": 5_000})
    period = calculated(cast)
    one, other = first_of(cast, "ana", "sam")
    assert credited() == names(cast, **{one: 100_01, other: 100_00})
    assert disagreements(period) == []
    for person in ("ana", "sam"):
        statement = statement_of(cast, person)
        assert why_of(statement.earnings.get())["agrees"]
        assert verify.disagreements(verify.read(bundle_bytes(bundle_of(statement)))) == []


def test_the_largest_remainder_gets_what_is_left(cast: Cast) -> None:
    """33.33, 33.33 and 33.34 euros are 4,999.5, 4,999.5 and 5,001 yen; the whole is 15,000."""
    plan_in_force(cast, FLAT_8, currency="JPY")
    rate("150", "JPY")
    shared(cast, 100_00, {"ana": 3_333, "sam": 3_333, "alba": 3_334})
    calculated(cast)
    one, other = first_of(cast, "ana", "sam")
    assert credited() == names(cast, **{one: 5_000, other: 4_999, "alba": 5_001})


def test_what_is_taken_from_somebody_mirrors_what_was_given(cast: Cast) -> None:
    """A deal below zero is parted like one above."""
    plan_in_force(cast, FLAT_8)
    rate("1.00006")
    shared(cast, -200_00, {"ana": 5_000, "sam": 5_000})
    calculated(cast)
    one, other = first_of(cast, "ana", "sam")
    assert credited() == names(cast, **{one: -100_01, other: -100_00})


def test_a_bundle_from_before_keeps_its_meaning(cast: Cast) -> None:
    """There each share was converted by itself, and is derived again like that."""
    plan_in_force(cast, FLAT_8)
    rate("1.00006")
    shared(cast, 200_00, {"ana": 5_000, "sam": 5_000})
    calculated(cast)
    bundle: dict[str, Any] = verify.read(bundle_bytes(bundle_of(statement_of(cast, first_of(cast, "ana", "sam")[1]))))
    (credit,) = bundle["inputs"]["credits"]
    assert (bundle["inputs"]["shares_converted"], credit["counted"]) == ("together", 100_00)
    assert list(verify._credits(bundle)) == []
    del bundle["inputs"]["shares_converted"]
    assert [text.partition(": ")[2] for text in verify._credits(bundle)] == ["counted is 10001, stated is 10000."]
    credit["counted"] = 100_01
    assert list(verify._credits(bundle)) == []
