"""Two people press "lock" and "recalculate" at once; and a calculation is cut off at every step."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from salesops.commissions.errors import CommissionRefusedError
from salesops.commissions.models import Calculation, Credit, Earning, Period, SettlementLine, Statement
from salesops.commissions.rules.bundle import bundle_bytes
from salesops.commissions.rules.verify import disagreements as bundle_disagreements
from salesops.commissions.rules.verify import read
from salesops.commissions.selectors.bundles import bundle_of
from salesops.commissions.selectors.totals import disagreements
from salesops.commissions.services import calculate, storing
from salesops.commissions.services.approvals import approve_statements, lock_period
from salesops.commissions.services.calculate import calculate_period
from salesops.commissions.services.periods import open_period
from salesops.deals.models import Deal
from tests.cast import NOW, Cast
from tests.commissions.pay import FLAT_8, definition, won
from tests.commissions.test_settled_periods import in_force
from tests.elsewhere import Elsewhere

#: How often they press at once. SALESOPS_RACES=500 for the long run.
RACES = int(os.environ.get("SALESOPS_RACES", "12"))


@pytest.mark.django_db(transaction=True)
def test_lock_and_recalculate_pressed_at_once_never_both_succeed(cast: Cast, tmp_path: Path, settings: Any) -> None:
    settings.COMMISSIONS_LOOK_BACK_YEARS = 0
    words = definition(FLAT_8) | {"period_kind": "month"}
    in_force(cast, words)
    months = [date(2026 + number // 12, 1 + number % 12, 1) for number in range(RACES)]
    deals = [won(cast, "ana", 1_000_00, month) for month in months]
    periods = [open_period(day=month, kind="month", time_zone="UTC") for month in months]
    for period in periods:
        calculate_period(actor=cast.actor("rita"), period=period, at=NOW)
        rows = Statement.objects.filter(period=period).values_list("pk", flat=True)
        approve_statements(actor=cast.actor("finn"), statement_ids=list(rows), at=NOW)
        Deal.objects.filter(pk=deals[periods.index(period)].pk).update(amount_minor=2_000_00)
    rita, finn = cast.actor("rita"), cast.actor("finn")
    together = Barrier(2)
    won_by: dict[str, set[int]] = {"lock": set(), "calculate": set()}

    def press(name: str, work: Callable[..., Any]) -> None:
        for place, period in enumerate(periods):
            together.wait(timeout=60)
            try:
                work(period)
            except CommissionRefusedError:
                continue
            won_by[name].add(place)

    place = Elsewhere(tmp_path)
    place.run(
        lambda: press("lock", lambda period: lock_period(actor=finn, period=period, at=NOW)),
        lambda: press("calculate", lambda period: calculate_period(actor=rita, period=period, at=NOW)),
    )
    assert won_by["lock"] & won_by["calculate"] == set()
    assert won_by["lock"] | won_by["calculate"] == set(range(RACES))
    found: list[Any] = []

    def look() -> None:
        for number, period in enumerate(periods):
            statement = Statement.objects.get(period=period)
            locked = Period.objects.get(pk=period.pk).state == "locked"
            amount = 80_00 if number in won_by["lock"] else 160_00
            approved = statement.approvals.latest("pk").digest
            good = (
                locked == (number in won_by["lock"]),
                statement.payout_minor == amount,
                (statement.digest == approved) == locked,
                disagreements(Period.objects.get(pk=period.pk)),
                bundle_disagreements(read(bundle_bytes(bundle_of(statement)))),
            )
            found.append(good)

    place.run(look)
    assert found == [(True, True, True, [], [])] * RACES


class CutError(Exception):
    """The worker is gone."""


STEPS = [
    (calculate, "sync_bookings"),
    (calculate, "_renew_late_changes"),
    (calculate, "facts_of"),
    (calculate, "settle_drafts"),
    (storing, "_delete"),
    (storing, "_filled"),
    (storing, "_store_lines"),
    (storing, "_insert"),
    (storing, "_store_settlement"),
    (calculate, "record"),
]


def everything() -> list[list[Any]]:
    """Every row that a calculation writes."""
    return [
        list(model._default_manager.order_by("pk").values())  # type: ignore[attr-defined]
        for model in (Calculation, Statement, Credit, Earning, SettlementLine)
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(("module", "name"), STEPS, ids=[name for _module, name in STEPS])
@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_a_calculation_cut_off_at_any_step_leaves_the_old_result(
    cast: Cast, module: Any, name: str, is_after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_force(cast, definition(FLAT_8) | {"settlement": {"limits": [{"cap": "100.00"}]}}, ("ana", "sam"))
    deal = won(cast, "ana", 1_000_00)
    won(cast, "sam", 2_000_00)
    period = open_period(day=date(2026, 4, 1), kind="quarter", time_zone="UTC")
    calculate_period(actor=cast.actor("rita"), period=period, at=NOW)
    before = everything()
    Deal.objects.filter(pk=deal.pk).update(amount_minor=5_000_00)
    own = getattr(module, name)

    def cut(*args: Any, **kwargs: Any) -> Any:
        if is_after:
            own(*args, **kwargs)
        raise CutError

    with monkeypatch.context() as patch:
        patch.setattr(module, name, cut)
        with pytest.raises(CutError):
            calculate_period(actor=cast.actor("rita"), period=period, at=NOW)
    assert everything() == before
    calculate_period(actor=cast.actor("rita"), period=period, at=NOW)
    assert Statement.objects.get(person=cast.ana).payout_minor == 100_00
    assert disagreements(period) == []
