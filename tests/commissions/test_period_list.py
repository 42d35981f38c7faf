"""Which periods can be calculated from the page of periods."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from django.test import Client
from django.urls import reverse

from salesops.commissions.models import Period
from tests.cast import Cast
from tests.commissions.pay import FLAT_8, plan_in_force

pytestmark = pytest.mark.django_db


def test_a_company_calculates_its_past_from_the_page(client_of: Callable[[str], Client], cast: Cast) -> None:
    """A plan in force since 2017 offers every quarter since, the recent ones in sight, and the first can be opened."""
    plan_in_force(cast, FLAT_8, start_on=date(2017, 1, 1))
    rita, address = client_of("rita"), reverse("commissions:period_list")
    context = rita.get(address).context
    recent, earlier = (
        [label for _kind, _zone, label, _start in context[name]] for name in ("to_open", "to_open_earlier")
    )
    assert len(recent) == 12
    assert earlier[-1] == "2017Q1"
    assert (
        len(recent) + len(earlier) == len({*recent, *earlier}) == 4 * (int(recent[0][:4]) - 2017) + int(recent[0][-1])
    )
    first = {"kind": "quarter", "time_zone": "UTC", "start_on": "2017-01-01"}
    assert rita.post(address, first).status_code == 302
    assert Period.objects.get().label == "2017Q1"
    # A quarter before the plan is asked for by nobody.
    rita.post(address, first | {"start_on": "2016-10-01"})
    assert Period.objects.count() == 1
