"""Components that add up for longer than a period of pay, while the longer period is not over."""

from __future__ import annotations

from datetime import date

import pytest

from salesops.commissions.models import PlanAssignment
from tests.cast import Cast
from tests.commissions.pay import FIVE_THEN_TEN, definition, quota, statement_of, won
from tests.commissions.test_settled_periods import calculated, in_force

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("until", "quota_minor", "earned"),
    [
        # 1,000.00 of 1,460.00: all at 5 %.
        (None, 1_460_00, 50_00),
        # On the plan for 200 of the 365 days: 800.00 at 5 %, 200.00 at 10 %.
        (date(2026, 7, 20), 800_00, 60_00),
    ],
)
def test_the_quota_of_a_year_is_whole_for_whoever_stays(
    cast: Cast, until: date | None, quota_minor: int, earned: int
) -> None:
    words = definition(FIVE_THEN_TEN)
    words["components"][0]["period_kind"] = "year"
    in_force(cast, words)
    PlanAssignment.objects.update(end_on=until)
    quota(cast, "ana", "2026", 1_460_00)
    won(cast, "ana", 1_000_00, date(2026, 2, 3))
    statement = statement_of(cast, "ana", calculated(cast, 1))
    assert (statement.terms[0]["quota"], statement.earned_minor) == (quota_minor, earned)
