"""The pages of periods: which can be calculated, and where the road goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from django.test import Client
from django.urls import reverse

from salesops.commissions.models import Period, Statement
from salesops.commissions.services.periods import open_period
from tests.cast import Cast
from tests.commissions.pay import FLAT_8, calculated, plan_in_force, won

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


def approve(finn: Client, *periods: Period) -> str:
    """Tick the statements of these periods, preview, approve; where that leads."""
    address = reverse("commissions:statement_approve")
    chosen = {"pk": list(Statement.objects.filter(period__in=periods).values_list("pk", flat=True)), "note": ""}
    preview = finn.post(address, chosen | {"step": "preview"})
    answer = finn.post(address, chosen | {"step": "apply", "fingerprint": preview.context["fingerprint"]})
    assert not Statement.objects.filter(period__in=periods).exclude(state="approved").exists()
    return str(answer.headers["Location"])


def test_an_approval_leads_to_the_period_and_its_next_step(client_of: Callable[[str], Client], cast: Cast) -> None:
    """With the statements of one period to that period, with those of several to the list; Rita is told who goes on."""
    plan_in_force(cast, FLAT_8, people=("ana", "alba"))
    first, second, third = (
        calculated(cast, period=open_period(day=date(2026, month, 1), kind="quarter", time_zone="UTC"))
        for month in (1, 4, 7)
    )
    finn, rita = client_of("finn"), client_of("rita")
    page = reverse("commissions:period_detail", kwargs={"pk": first.pk})
    told = "The next step is for finance"
    assert told in rita.get(page).content.decode()
    assert told not in finn.get(page).content.decode()
    assert approve(finn, first) == page
    assert finn.get(page).context["standing"].step == "lock"
    assert approve(finn, second, third) == reverse("commissions:statement_list")


def test_the_sums_of_a_period_are_not_in_the_audit_of_those_who_do_not_see_them(
    client_of: Callable[[str], Client], cast: Cast
) -> None:
    """Ana alone is on the plan, so that the period's sum is her pay: Finn reads it, Rita and Ada do not."""
    plan_in_force(cast, FLAT_8, people=("ana",))
    won(cast, "ana", 1_000_00)
    calculated(cast)
    for name, is_seen in (("finn", True), ("rita", False), ("ada", False)):
        page = client_of(name).get(reverse("audit:entry_list")).content.decode()
        assert ("$80.00" in page) == is_seen, name
        assert ("Period calculated" in page) == is_seen, name
