"""The page of a plan, as those see it who may not see pay."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from tests.cast import Cast
from tests.commissions.pay import FLAT_8, plan_in_force

pytestmark = pytest.mark.django_db


def test_revops_learn_how_many_are_on_a_plan_and_not_who(client_of: Callable[[str], Client], cast: Cast) -> None:
    """Rita puts Ana and Alba on the plan and sees that it worked; their names and rates stay with finance."""
    plan = plan_in_force(cast, FLAT_8, people=("ana", "alba"))
    address = reverse("commissions:plan_detail", kwargs={"pk": plan.pk})
    rita, finn = (client_of(name).get(address).content.decode() for name in ("rita", "finn"))
    assert "2 people were put on it." in rita
    assert "Ana Alvarez" not in rita
    assert "2 people were put on it." not in finn
    assert "Ana Alvarez" in finn
