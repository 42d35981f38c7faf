"""Somebody is taken off a plan from a day on: nothing of later days counts, and what was paid for them comes back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from django.test import Client
from django.urls import reverse

from salesops.audit.models import AuditEntry
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.models import Adjustment, PlanAssignment
from salesops.commissions.services.calculate import calculate_touched
from salesops.commissions.services.plans import assign_to_plan, take_off_plan
from tests.cast import NOW, Cast
from tests.commissions.pay import FLAT_8, calculated, plan_in_force, second_quarter, statement_of, won
from tests.commissions.test_adjustments import first_quarter, locked

pytestmark = pytest.mark.django_db


def held(cast: Cast, person: str = "ana") -> list[tuple[date, date | None]]:
    """The days of a person on plans."""
    rows = PlanAssignment.objects.filter(person=cast.people[person]).order_by("start_on")
    return list(rows.values_list("start_on", "end_on"))


def test_what_comes_after_the_day_counts_no_more(cast: Cast) -> None:
    """In the open quarter at once, and the calculation of what changed finds it."""
    plan = plan_in_force(cast, FLAT_8)
    won(cast, "ana", 1_000_00, date(2026, 4, 30))
    won(cast, "ana", 2_000_00, date(2026, 5, 1))
    won(cast, "sam", 500_00)
    period = calculated(cast)
    assert statement_of(cast, "ana").earned_minor == 240_00
    (row,) = take_off_plan(actor=cast.actor("rita"), plan=plan, person_id=cast.ana.pk, end_on=date(2026, 5, 1), at=NOW)
    assert (held(cast), held(cast, "sam")) == ([(date(2026, 1, 1), date(2026, 5, 1))], [(date(2026, 1, 1), None)])
    calculate_touched(actor=cast.actor("rita"), period=period, at=NOW)
    assert (statement_of(cast, "ana").earned_minor, statement_of(cast, "sam").earned_minor) == (80_00, 40_00)
    entry = AuditEntry.objects.get(action="plan.person_taken_off")
    assert (entry.subject_id, entry.before["end_on"], entry.after["end_on"]) == (str(row.pk), None, "2026-05-01")


def test_what_a_locked_quarter_paid_for_later_days_comes_back(cast: Cast) -> None:
    plan = plan_in_force(cast, FLAT_8)
    won(cast, "ana", 1_000_00, date(2026, 2, 1))
    won(cast, "ana", 2_000_00, date(2026, 3, 1))
    digest = statement_of(cast, "ana", locked(cast, first_quarter())).digest
    take_off_plan(actor=cast.actor("rita"), plan=plan, person_id=cast.ana.pk, end_on=date(2026, 3, 1), at=NOW)
    calculated(cast)
    assert list(Adjustment.objects.values_list("person__name", "amount_minor")) == [("Ana Alvarez", -160_00)]
    assert statement_of(cast, "ana", first_quarter()).digest == digest


def test_what_would_have_begun_later_never_begins(cast: Cast) -> None:
    plan, rita = plan_in_force(cast, FLAT_8), cast.actor("rita")
    assign_to_plan(
        actor=rita,
        plan=plan,
        person_id=cast.ana.pk,
        start_on=date(2026, 7, 1),
        target_pay_minor=5,
        currency="USD",
        at=NOW,
    )
    ended = take_off_plan(actor=rita, plan=plan, person_id=cast.ana.pk, end_on=date(2026, 6, 1), at=NOW)
    assert held(cast) == [(date(2026, 1, 1), date(2026, 6, 1))]
    assert len(ended) == 2
    gone = AuditEntry.objects.filter(action="plan.person_taken_off").latest("pk")
    assert (gone.before["start_on"], gone.before["target_pay_minor"], gone.after) == ("2026-07-01", 5, {})
    # From its first day on: they never were on it.
    take_off_plan(actor=rita, plan=plan, person_id=cast.ana.pk, end_on=date(2026, 1, 1), at=NOW)
    assert held(cast) == []


def test_who_is_not_on_it_is_not_taken_off_and_only_designers_do(cast: Cast) -> None:
    plan = plan_in_force(cast, FLAT_8)
    day = date(2026, 5, 1)
    with pytest.raises(CommissionRefusedError, match="not on the plan"):
        take_off_plan(actor=cast.actor("rita"), plan=plan, person_id=cast.carl.pk, end_on=day, at=NOW)
    for name in ("ana", "max", "finn", "elsa"):
        with pytest.raises(NotAllowedError):
            take_off_plan(actor=cast.actor(name), plan=plan, person_id=cast.ana.pk, end_on=day, at=NOW)
    take_off_plan(actor=cast.actor("rita"), plan=plan, person_id=cast.ana.pk, end_on=day, at=NOW)
    with pytest.raises(CommissionRefusedError, match="not on the plan"):
        take_off_plan(actor=cast.actor("rita"), plan=plan, person_id=cast.ana.pk, end_on=day, at=NOW)
    assert held(cast) == [(date(2026, 1, 1), day)]


def test_revops_do_it_from_the_page_of_the_plan(cast: Cast, client_of: Callable[[str], Client]) -> None:
    plan = plan_in_force(cast, FLAT_8)
    rita, address = client_of("rita"), reverse("commissions:assignment_end", kwargs={"pk": plan.pk})
    page = reverse("commissions:plan_detail", kwargs={"pk": plan.pk})
    assert address in rita.get(page).content.decode()
    assert address not in client_of("finn").get(page).content.decode()
    refused = rita.post(address, {"person": cast.carl.pk, "end_on": "2026-05-01"})
    assert (refused.status_code, "not on the plan" in refused.content.decode()) == (422, True)
    before = held(cast)
    assert client_of("finn").post(address, {"person": cast.ana.pk, "end_on": "2026-05-01"}).status_code in (403, 404)
    assert held(cast) == before
    done = rita.post(address, {"person": cast.ana.pk, "end_on": "2026-05-01"})
    assert (done.status_code, held(cast)) == (302, [(date(2026, 1, 1), date(2026, 5, 1))])
    assert second_quarter().state == "open"
