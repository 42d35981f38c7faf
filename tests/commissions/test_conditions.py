"""A plan that pays some products otherwise than the rest, calculated on the portal's own bookings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from salesops.commissions.errors import CommissionRefusedError
from salesops.commissions.models import Calculation, Earning, Plan, Transaction
from salesops.commissions.services.plans import activate_version, assign_to_plan, create_plan, save_draft
from salesops.deals.models import Product
from tests.cast import NOW, Cast
from tests.commissions.pay import FLAT_8, calculated, definition, statement_of, won

pytestmark = pytest.mark.django_db

FLAT_3 = {"shape": "flat", "rate": "3%"}


def parted(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """A plan of two components of one group: what the first does not take, the second does."""
    words = definition(FLAT_8)
    (rest,) = words["components"]
    services = rest | {"key": "services", "name": "Services", "shape": FLAT_3}
    words["components"] = [services | {"group": "booking"} | first, rest | {"group": "booking"} | second]
    return words


def in_force(cast: Cast, words: dict[str, Any]) -> Plan:
    """Written by Rita, put in force by Finn, Ana on it."""
    rita = cast.actor("rita")
    plan = create_plan(actor=rita, name="Field", at=NOW)
    draft = save_draft(actor=rita, plan=plan, definition=words, start_on=date(2026, 1, 1), at=NOW)
    activate_version(actor=cast.actor("finn"), version=draft, at=NOW)
    assign_to_plan(
        actor=rita, plan=plan, person_id=cast.ana.pk, start_on=date(2026, 1, 1), rate=None, currency="USD", at=NOW
    )
    return plan


def product(name: str) -> Product:
    """A product of this name."""
    return Product.objects.create(
        code=name.lower(), name=name, match_name=name.lower(), price_minor=1_00, currency="USD"
    )


def test_each_deal_is_paid_by_the_first_component_that_takes_it(cast: Cast) -> None:
    in_force(cast, parted({"when": 'product = "Calibration"'}, {}))
    won(cast, "ana", 1_000_00, product=product("Calibration"))
    won(cast, "ana", 2_000_00, product=product("Lens"))
    won(cast, "ana", 500_00)
    calculated(cast)
    statement = statement_of(cast, "ana")
    rows = Earning.objects.filter(statement=statement).order_by("component", "amount_minor")
    assert [(row.component, row.credit.amount_minor, row.amount_minor) for row in rows] == [
        ("commission", 500_00, 40_00),
        ("commission", 2_000_00, 160_00),
        ("services", 1_000_00, 30_00),
    ]
    assert (statement.credited_minor, statement.earned_minor) == (3_500_00, 230_00)
    assert [row.credit.why["fields"] for row in rows] == [
        {"product": ""},
        {"product": "Lens"},
        {"product": "Calibration"},
    ]


def test_a_deal_that_no_condition_takes_is_credited_and_earns_nothing(cast: Cast) -> None:
    words = definition(FLAT_8)
    words["components"][0]["when"] = 'amount >= 1000 AND product <> "Lens"'
    in_force(cast, words)
    won(cast, "ana", 999_99, product=product("Probe"))
    won(cast, "ana", 1_000_00, product=product("Lens"))
    won(cast, "ana", 1_000_00, product=product("Stage"))
    calculated(cast)
    assert statement_of(cast, "ana").earned_minor == 80_00
    assert Calculation.objects.get().problems == []


def test_what_the_first_component_cannot_judge_the_second_takes(cast: Cast) -> None:
    """A formula without a value takes nothing away from the rest of its group, and is told."""
    in_force(cast, parted({"when": "amount / term_months > 50"}, {}))
    for key, months in (("long", 24), ("short", 6), ("none", 0)):
        Transaction.objects.create(
            source_key=key, kind="booking", effective_on=date(2026, 5, 4), amount_minor=1_000_00, currency="USD",
            credited_to=cast.ana, attributes={"term_months": months}, recorded_at=NOW,
        )  # fmt: skip
    calculated(cast)
    rows = Earning.objects.order_by("credit__transaction__source_key")
    assert list(rows.values_list("credit__transaction__source_key", "component", "amount_minor")) == [
        ("long", "commission", 80_00),
        ("none", "commission", 80_00),
        ("short", "services", 30_00),
    ]
    problems = [problem for problem in Calculation.objects.get().problems if problem["code"] == "formula-without-value"]
    assert [problem["where"] for problem in problems] == ["none"]


def test_a_condition_that_asks_for_what_no_booking_has_is_refused_in_words(cast: Cast) -> None:
    with pytest.raises(CommissionRefusedError, match=r"services\.when: .*colour"):
        in_force(cast, parted({"when": 'colour = "red"'}, {}))
    assert not Plan.objects.get().versions.exists()


def test_a_condition_is_written_on_the_page_and_shown_there(cast: Cast, client_of: Callable[[str], Client]) -> None:
    rita = client_of("rita")
    plan = create_plan(actor=cast.actor("rita"), name="Field", at=NOW)
    draft = save_draft(
        actor=cast.actor("rita"), plan=plan, definition=definition(FLAT_8), start_on=date(2026, 1, 1), at=NOW
    )
    address = reverse("commissions:component_edit", kwargs={"pk": draft.pk, "place": 0})
    form = rita.get(address).context["form"]
    typed = {name: form.get_initial_for_field(field, name) or "" for name, field in form.fields.items()}
    typed |= {"when": 'product = "Service" AND colour = "red"'}
    refused = rita.post(address, typed)
    assert refused.status_code == 422
    assert list(refused.context["form"].errors) == ["when"]
    assert "colour" in refused.context["form"].errors["when"][0]
    rita.post(address, typed | {"when": 'product = "Service"'})
    draft.refresh_from_db()
    assert draft.definition["components"][0]["when"] == 'product = "Service"'
    page = rita.get(reverse("commissions:plan_detail", kwargs={"pk": plan.pk})).content.decode()
    assert "<code>product = &quot;Service&quot;</code>" in page
    again = rita.get(address).context["form"]
    assert again.initial["when"] == 'product = "Service"'
