"""Adjustments by hand: who prepares and who decides, twice looked at, one decision only, paid with the open period."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from salesops.audit.models import AuditEntry
from salesops.commissions.errors import CommissionRefusedError
from salesops.commissions.models import Adjustment, Period, Plan
from salesops.commissions.rules.reviews import SecondLook, median, second_look
from salesops.commissions.services.adjustments import (
    approve_adjustments,
    prepare_adjustment,
    refuse_adjustment,
    withdraw_adjustment,
)
from salesops.commissions.services.approvals import approve_statements, lock_period
from salesops.commissions.services.calculate import calculate_period
from salesops.commissions.services.periods import open_period
from salesops.deals.models import Deal
from tests.cast import NOW, Cast, make_cast
from tests.commissions.pay import FLAT_8, calculated, plan_in_force, second_quarter, statement_of, won

REASON = "Promised in writing in April"


def third_quarter() -> Period:
    return open_period(day=date(2026, 8, 1), kind="quarter", time_zone="UTC")


def first_quarter() -> Period:
    return open_period(day=date(2026, 2, 1), kind="quarter", time_zone="UTC")


def locked(cast: Cast, period: Period) -> Period:
    """Calculated by Rita, approved by Finn and (his own) by Fay, locked by Finn."""
    calculated(cast, period=period)
    for checker in ("finn", "fay"):
        keys = list(period.statements.filter(state="draft").values_list("pk", flat=True))
        approve_statements(actor=cast.actor(checker), statement_ids=keys, at=NOW)
    return lock_period(actor=cast.actor("finn"), period=period, at=NOW)


@pytest.fixture
def plan(cast: Cast) -> Plan:
    """Ana, Sam and Alba earn 8 %; Ana earned 80.00 in the first quarter, which is locked."""
    plan = plan_in_force(cast, FLAT_8, people=("ana", "sam", "alba", "finn"))
    won(cast, "ana", 1_000_00, date(2026, 2, 3))
    locked(cast, first_quarter())
    return plan


def prepared(cast: Cast, plan: Plan, by: str = "max", person: str = "ana", amount_minor: int = 50_00) -> Adjustment:
    return prepare_adjustment(
        actor=cast.actor(by),
        person_id=cast.people[person].pk,
        plan=plan,
        period=second_quarter(),
        amount_minor=amount_minor,
        reason=REASON,
        at=NOW,
    )


def approved(cast: Cast, row: Adjustment, by: str = "finn", **more: Any) -> dict[int, str]:
    return approve_adjustments(actor=cast.actor(by), adjustment_ids=[row.pk], at=NOW, **more).refused


def state_of(row: Adjustment) -> str:
    return Adjustment.objects.get(pk=row.pk).state


def test_one_prepares_another_approves_and_the_statement_pays_it(cast: Cast, plan: Plan) -> None:
    won(cast, "ana", 1_000_00)
    row = prepared(cast, plan)
    assert (row.state, row.prepared_by_id, row.currency) == ("waiting", cast.max.pk, "USD")
    calculated(cast)
    assert statement_of(cast, "ana").payout_minor == 80_00
    assert approved(cast, row, note="checked with Max") == {}
    row.refresh_from_db()
    assert (row.state, row.decided_by, row.decided_at, row.decision_note) == (
        "approved",
        cast.finn,
        NOW,
        "checked with Max",
    )
    calculated(cast)
    assert statement_of(cast, "ana").payout_minor == 130_00
    assert [entry.action for entry in AuditEntry.objects.filter(action__startswith="adjustment.").order_by("pk")] == [
        "adjustment.prepared",
        "adjustment.approved",
    ]


@pytest.mark.parametrize("by", ["rita", "max", "finn", "fay"])
def test_revops_finance_and_managers_prepare(cast: Cast, plan: Plan, by: str) -> None:
    assert prepared(cast, plan, by=by).prepared_by == cast.people[by]


@pytest.mark.parametrize(
    ("by", "person"),
    [
        ("ana", "sam"),
        ("elsa", "ana"),
        ("ada", "ana"),
        ("norm", "ana"),
        ("mia", "ana"),
        ("finn", "finn"),
        ("ana", "ana"),
    ],
)
def test_others_prepare_nothing_nor_anybody_for_themselves(cast: Cast, plan: Plan, by: str, person: str) -> None:
    with pytest.raises(PermissionDenied):
        prepared(cast, plan, by=by, person=person)
    assert Adjustment.objects.count() == 0


def test_what_cannot_be_prepared_says_why(cast: Cast, plan: Plan) -> None:
    def refused(field: str, **changed: Any) -> None:
        values = {
            "actor": cast.actor("rita"),
            "person_id": cast.ana.pk,
            "plan": plan,
            "period": second_quarter(),
            "amount_minor": 1,
            "reason": REASON,
            "at": NOW,
        }
        with pytest.raises(CommissionRefusedError) as caught:
            prepare_adjustment(**{**values, **changed})
        assert list(caught.value.message_dict) == [field]

    refused("reason", reason="  too  short ")
    refused("reason", reason="x" * 301)
    refused("amount_minor", amount_minor=0)
    refused("amount_minor", amount_minor=10**19)
    refused("period", period=first_quarter())  # locked
    refused("period", period=open_period(day=date(2026, 5, 1), kind="month", time_zone="UTC"))
    refused("period", period=open_period(day=date(2025, 5, 1), kind="quarter", time_zone="UTC"))  # before the plan
    refused("person", person_id=cast.carl.pk)
    assert Adjustment.objects.count() == 0


def test_neither_the_preparer_nor_the_person_decides(cast: Cast, plan: Plan) -> None:
    own = prepared(cast, plan, by="finn")
    mine = prepared(cast, plan, by="rita", person="finn")
    assert list(approved(cast, own)) == [own.pk]
    assert list(approved(cast, mine, looked_again=True)) == [mine.pk]
    for row in (own, mine):
        with pytest.raises(CommissionRefusedError):
            refuse_adjustment(actor=cast.actor("finn"), adjustment=row, at=NOW, note="no")
        assert state_of(row) == "waiting"
    assert approved(cast, own, by="fay") == {}
    assert approved(cast, mine, by="fay", looked_again=True) == {}


@pytest.mark.parametrize("by", ["ana", "max", "rita", "elsa", "ada", "norm"])
def test_only_finance_decides(cast: Cast, plan: Plan, by: str) -> None:
    row = prepared(cast, plan, by="fay")
    with pytest.raises(PermissionDenied):
        approved(cast, row, by=by)
    with pytest.raises(PermissionDenied):
        refuse_adjustment(actor=cast.actor(by), adjustment=row, at=NOW, note="no")
    assert state_of(row) == "waiting"


def test_the_database_refuses_one_person_for_both(cast: Cast, plan: Plan) -> None:
    row = prepared(cast, plan, by="finn")
    for change in (
        {"state": "approved", "decided_by": cast.finn, "decided_at": NOW},
        {"state": "approved"},
        {"state": "approved", "prepared_by": None, "decided_by": cast.fay},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Adjustment.objects.filter(pk=row.pk).update(**change)
    assert state_of(row) == "waiting"


def test_a_refusal_has_a_note(cast: Cast, plan: Plan) -> None:
    row = prepared(cast, plan)
    with pytest.raises(CommissionRefusedError):
        refuse_adjustment(actor=cast.actor("finn"), adjustment=row, at=NOW, note="  ")
    refuse_adjustment(actor=cast.actor("finn"), adjustment=row, at=NOW, note="Not agreed")
    row.refresh_from_db()
    assert (row.state, row.decision_note) == ("refused", "Not agreed")
    assert list(approved(cast, row)) == [row.pk]
    calculated(cast)
    assert statement_of(cast, "ana").payout_minor == 0


def test_the_preparer_withdraws_while_it_waits(cast: Cast, plan: Plan) -> None:
    row = prepared(cast, plan)
    with pytest.raises(PermissionDenied):
        withdraw_adjustment(actor=cast.actor("finn"), adjustment=row, at=NOW)
    withdraw_adjustment(actor=cast.actor("max"), adjustment=row, at=NOW)
    assert state_of(row) == "withdrawn"
    assert list(approved(cast, row)) == [row.pk]
    other = prepared(cast, plan)
    approved(cast, other)
    with pytest.raises(CommissionRefusedError):
        withdraw_adjustment(actor=cast.actor("max"), adjustment=other, at=NOW)
    assert state_of(other) == "approved"


def test_a_locked_period_takes_no_more(cast: Cast, plan: Plan) -> None:
    """Whatever way it was locked: as a rule an adjustment that waits keeps the period open."""
    row = prepared(cast, plan)
    Period.objects.filter(pk=row.period_id).update(state="locked", locked_at=NOW)
    assert "2026Q2 is locked" in approved(cast, row)[row.pk]
    assert state_of(row) == "waiting"
    with pytest.raises(CommissionRefusedError):
        prepared(cast, plan)


def test_late_changes_are_nobodys_decision(cast: Cast, plan: Plan) -> None:
    row = Adjustment.objects.create(
        kind="late",
        person=cast.ana,
        plan=plan,
        period=second_quarter(),
        amount_minor=10_00,
        currency="USD",
        reason="Deal changed",
        cause="deal_edited",
        state="waiting",
        prepared_at=NOW,
    )
    assert "late change" in approved(cast, row)[row.pk]
    with pytest.raises(CommissionRefusedError):
        refuse_adjustment(actor=cast.actor("finn"), adjustment=row, at=NOW, note="no")
    assert state_of(row) == "waiting"


# --- what is out of proportion ---


def test_what_is_out_of_proportion_needs_a_tick(cast: Cast, plan: Plan) -> None:
    """Ana's only earlier period came to 80.00: three times that is the bound, whichever the sign."""
    fits, most, less = (prepared(cast, plan, amount_minor=amount) for amount in (240_00, 240_01, -240_01))
    assert approved(cast, fits) == {}
    for row in (most, less):
        (reason,) = approved(cast, row).values()
        assert "more than 3 times" in reason
        assert "80.00" in reason
        assert state_of(row) == "waiting"
        assert approved(cast, row, looked_again=True) == {}


def test_without_earlier_pay_there_is_nothing_to_compare_with(cast: Cast, plan: Plan) -> None:
    row = prepare_adjustment(
        actor=cast.actor("rita"),
        person_id=cast.ana.pk,
        plan=plan,
        period=second_quarter(),
        amount_minor=1,
        reason=REASON,
        at=NOW,
    )
    assert approved(cast, row) == {}
    before = Adjustment.objects.get(pk=row.pk)
    Adjustment.objects.filter(pk=row.pk).update(
        period=third_quarter(), person=cast.carl, state="waiting", decided_by=None, decided_at=None
    )
    assert "no earlier pay" in approved(cast, before)[row.pk]


@pytest.mark.parametrize(
    ("amount", "earned", "expected"),
    [
        (300, [100], None),
        (301, [100], SecondLook(Fraction(100), 1)),
        (-301, [100], SecondLook(Fraction(100), 1)),
        (450, [100, 200, 900, 100], None),
        (451, [100, 200, 900, 100], SecondLook(Fraction(150), 4)),
        (301, [-100], SecondLook(Fraction(-100), 1)),
        (300, [-100], None),
        (1, [0], SecondLook(Fraction(0), 1)),
        (1, [], SecondLook(None, 0)),
    ],
)
def test_the_bound_is_a_multiple_of_the_median(amount: int, earned: list[int], expected: SecondLook | None) -> None:
    assert second_look(amount, earned, 3) == expected


def test_the_median_of_an_even_number_is_exact() -> None:
    assert [median([3]), median([4, 1]), median([5, 1, 2]), median([])] == [3, Fraction(5, 2), 2, None]


def test_only_the_last_periods_are_compared(cast: Cast, plan: Plan, settings: Any) -> None:
    settings.ADJUSTMENT_LOOK_AGAIN_PERIODS = 1
    won(cast, "ana", 100_000_00)
    locked(cast, second_quarter())
    row = prepare_adjustment(
        actor=cast.actor("rita"),
        person_id=cast.ana.pk,
        plan=plan,
        period=third_quarter(),
        amount_minor=24_000_00,
        reason=REASON,
        at=NOW,
    )
    assert approved(cast, row) == {}


# --- pages ---


def test_two_approvers_at_once_one_wins(transactional_db: None) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("threads cannot wait for one another in the tests' database in memory")
    cast = make_cast()
    plan = plan_in_force(cast, FLAT_8)
    row = prepared(cast, plan)
    actors = [cast.actor("finn"), cast.actor("fay")]
    barrier, decided, refused = threading.Barrier(2), [], []

    def decide(number: int) -> None:
        try:
            barrier.wait()
            if number == 0:
                result = approve_adjustments(
                    actor=actors[0], adjustment_ids=[row.pk], at=NOW, note="yes", looked_again=True
                )
                (decided if result.decided else refused).append("approved")
            else:
                refuse_adjustment(actor=actors[1], adjustment=row, at=NOW, note="no")
                decided.append("refused")
        except CommissionRefusedError:
            refused.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=decide, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(decided), len(refused)) == (1, 1)
    assert [state_of(row)] == decided
    assert AuditEntry.objects.filter(action__in=["adjustment.approved", "adjustment.refused"]).count() == 1


def test_the_pages_prepare_show_and_approve(cast: Cast, plan: Plan, client_of: Callable[[str], Client]) -> None:
    data = {
        "person": cast.ana.pk,
        "plan": plan.pk,
        "period": second_quarter().pk,
        "amount_minor": "-1,250.50",
        "reason": REASON,
    }
    answer = client_of("max").post(reverse("commissions:adjustment_create"), data)
    row = Adjustment.objects.get()
    assert answer.headers["Location"] == reverse("commissions:adjustment_detail", kwargs={"pk": row.pk})
    assert (row.amount_minor, row.prepared_by) == (-1_250_50, cast.max)
    finn = client_of("finn")
    page = finn.get(answer.headers["Location"]).content.decode()
    assert "Held, look again" in page
    assert "-$1,250.50" in page or "−$1,250.50" in page or "-1,250.50" in page
    approve = reverse("commissions:adjustment_approve", kwargs={"pk": row.pk})
    assert finn.post(approve, {"note": "fine"}).status_code == 422
    assert state_of(row) == "waiting"
    assert finn.post(approve, {"note": "fine", "looked_again": "on"}).status_code == 302
    assert state_of(row) == "approved"
    assert finn.post(approve, {"note": "fine", "looked_again": "on"}).status_code == 422


def test_the_form_offers_managers_their_own_people_only(
    cast: Cast, plan: Plan, client_of: Callable[[str], Client]
) -> None:
    def offered(who: str) -> set[str]:
        form = client_of(who).get(reverse("commissions:adjustment_create")).context["form"]
        return {person.name for person in form.fields["person"].queryset}

    assert offered("max") == {"Ana Alvarez", "Sam Sorensen"}
    assert offered("rita") == {"Ana Alvarez", "Sam Sorensen", "Alba Abe", "Finn Finance"}
    assert offered("finn") == {"Ana Alvarez", "Sam Sorensen", "Alba Abe"}
    form = client_of("max").get(reverse("commissions:adjustment_create")).context["form"]
    assert [period.label for period in form.fields["period"].queryset] == []
    second_quarter()
    form = client_of("max").get(reverse("commissions:adjustment_create")).context["form"]
    assert [period.label for period in form.fields["period"].queryset] == ["2026Q2"]


def test_many_are_approved_with_a_preview_of_what_stays(
    cast: Cast, plan: Plan, client_of: Callable[[str], Client]
) -> None:
    good, absurd, own = prepared(cast, plan), prepared(cast, plan, amount_minor=999_00), prepared(cast, plan, by="finn")
    finn, url = client_of("finn"), reverse("commissions:adjustment_bulk_approve")
    chosen = {"pk": [good.pk, absurd.pk, own.pk]}
    page = finn.post(url, {**chosen, "step": "preview", "note": ""})
    assert page.context["changes_count"] == 1
    assert {str(change.problem)[:14] for change in page.context["problems"]} == {"Held, look aga", "You prepared i"}
    finn.post(url, {**chosen, "step": "apply", "fingerprint": page.context["fingerprint"], "note": ""})
    assert [state_of(row) for row in (good, absurd, own)] == ["approved", "waiting", "waiting"]
    page = finn.post(url, {**chosen, "step": "preview", "note": "", "looked_again": "on"})
    finn.post(
        url,
        {**chosen, "step": "apply", "fingerprint": page.context["fingerprint"], "note": "", "looked_again": "on"},
    )
    assert [state_of(row) for row in (good, absurd, own)] == ["approved", "approved", "waiting"]


def test_who_sees_which(cast: Cast, plan: Plan, client_of: Callable[[str], Client]) -> None:
    """Revenue operations see what they prepared themselves; reps their own; managers their people's; finance all."""
    of_rita, of_max = prepared(cast, plan, by="rita", person="alba"), prepared(cast, plan)
    seen = {
        who: set(client_of(who).get(reverse("commissions:adjustment_list")).context["page"].rows)
        for who in ("ana", "sam", "max", "mia", "rita", "finn")
    }
    assert seen == {
        "ana": {of_max},
        "sam": set(),
        "max": {of_max},
        "mia": {of_rita},
        "rita": {of_rita},
        "finn": {of_rita, of_max},
    }


def test_the_list_is_filtered_and_exported(cast: Cast, plan: Plan, client_of: Callable[[str], Client]) -> None:
    row = prepared(cast, plan)
    prepared(cast, plan, person="sam")
    Adjustment.objects.filter(person=cast.sam).update(state="withdrawn")
    finn, url = client_of("finn"), reverse("commissions:adjustment_list")
    assert finn.get(f"{url}?state=waiting&kind=manual&q=Ana&period={row.period_id}").context["page"].rows == [row]
    assert finn.get(f"{url}?kind=late").context["page"].rows == []
    assert finn.get(f"{url}?mine=yes").context["page"].rows == []
    file = finn.post(f"{url}?state=waiting", {"do": "export", "form": "csv"})
    text = b"".join(file.streaming_content).decode() if file.streaming else file.content.decode()
    assert re.search(r"Ana Alvarez,50\.00,USD,Promised in writing in April,", text)
    assert "Sam" not in text


def test_a_late_change_shows_what_was_and_what_should_have_been_paid(
    cast: Cast, plan: Plan, client_of: Callable[[str], Client]
) -> None:
    """The deal of the locked first quarter grows by half: the second quarter pays what is missing."""
    Deal.objects.filter(owner=cast.ana).update(amount_minor=1_500_00)
    calculate_period(actor=cast.actor("rita"), period=second_quarter(), at=NOW)
    row = Adjustment.objects.get(kind="late")
    assert (row.amount_minor, row.about_period.label) == (40_00, "2026Q1")
    page = client_of("ana").get(reverse("commissions:adjustment_detail", kwargs={"pk": row.pk})).content.decode()
    assert "Deal changed" in page
    assert "2026Q1" in page
    assert "$120.00" in page
    assert "$80.00" in page
    finn = client_of("finn").get(reverse("commissions:adjustment_detail", kwargs={"pk": row.pk}))
    assert not finn.context["may_decide"]
    assert not finn.context["may_withdraw"]


def test_the_administration_does_not_know_adjustments(cast: Cast) -> None:
    """Administrators configure; what somebody is paid is not theirs to approve."""
    assert Adjustment not in admin.site._registry


def test_a_paid_adjustment_is_kept_by_the_database(cast: Cast, plan: Plan) -> None:
    row = prepared(cast, plan)
    approved(cast, row)
    locked(cast, second_quarter())
    row.refresh_from_db()
    assert row.locked_at is not None
    for act in (
        lambda: Adjustment.objects.filter(pk=row.pk).update(amount_minor=1),
        lambda: Adjustment.objects.filter(pk=row.pk)._raw_delete("default"),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            act()
