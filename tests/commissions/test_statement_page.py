"""What a person reads on a statement: every step from earned to paid, what did not count, and the why of each line."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import date

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from salesops.commissions.models import PlanAssignment, Quota
from salesops.commissions.selectors.pace import pace_of
from salesops.deals.models import Deal, Stage
from tests.cast import NOW, TODAY, Cast
from tests.commissions.pay import FIVE_THEN_TEN, FLAT_8, definition, quota, statement_of, won
from tests.commissions.test_settled_periods import (
    calculated,
    happened,
    in_force,
    locked,
    quarter,
    refund,
    with_settlement,
)

pytestmark = pytest.mark.django_db


def text_of(client: Client, name: str, pk: int) -> str:
    """The words of a page, with single spaces."""
    response = client.get(reverse(name, kwargs={"pk": pk}))
    assert response.status_code == 200
    body = re.sub(r"<(style|script|svg).*?</\1>", " ", response.content.decode(), flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_the_steps_from_earned_to_paid_are_told_in_their_order(cast: Cast, client_of: Callable[[str], Client]) -> None:
    in_force(cast, with_settlement(limits=[{"cap": "500.00"}], draw={"amount": "1000.00"}))
    won(cast, "ana", 10_000_00, date(2026, 4, 3))
    calculated(cast)
    text = text_of(client_of("ana"), "commissions:statement_detail", statement_of(cast, "ana").pk)
    steps = text[text.index("From earned to paid") :]
    assert "Earned The sum of every line $800.00" in steps
    assert "Cap Cut by the cap of 500.00" in steps
    assert "Draw advanced Advanced up to the draw of 1000.00." in steps
    assert steps.index("Cap") < steps.index("Draw advanced") < steps.index("Paid out")
    assert "Owed from the draw" in text


def test_what_is_credited_and_not_counted_is_listed_with_the_reason(
    cast: Cast, client_of: Callable[[str], Client]
) -> None:
    words = definition(FLAT_8)
    words["components"][0]["when"] = "amount >= 1000"
    in_force(cast, words)
    won(cast, "ana", 999_00, name="Small fry")
    won(cast, "ana", 1_000_00, name="Big fish")
    happened("usage", "u-1", cast.ana, date(2026, 5, 1), 50_00)
    calculated(cast)
    text = text_of(client_of("ana"), "commissions:statement_detail", statement_of(cast, "ana").pk)
    part = text[text.index("Credited, but not counted") :]
    assert "u-1 1 May 2026 No component of the plan counts this kind of transaction." in part.replace(
        "May 1, 2026", "1 May 2026"
    )
    assert "Not true of it: amount >= 1000" in part
    assert "Big fish" not in part[: part.index("Approval")]


def test_things_are_shown_as_things(cast: Cast, client_of: Callable[[str], Client]) -> None:
    words = definition(
        {"shape": "marginal", "tiers": [{"from": "0", "rate": "50 each"}, {"from": "100%", "rate": "75 each"}]}
    )
    words["components"][0] |= {"measure": "count", "counts": ["meeting"], "quota_name": "meetings"}
    in_force(cast, words, ("sam",))
    Quota.objects.create(
        person=cast.sam, measure="meetings", start_on=date(2026, 4, 1), end_on=date(2026, 7, 1), amount_minor=2
    )
    for number in range(3):
        happened("meeting", f"m{number}", cast.sam, date(2026, 4, 10 + number))
    calculated(cast)
    statement = statement_of(cast, "sam")
    text = text_of(client_of("sam"), "commissions:statement_detail", statement.pk)
    assert "Reached 3 · 150.00 %" in text
    why = text_of(client_of("sam"), "commissions:earning_detail", statement.earnings.get(position=3).pk)
    assert "Counted in the period before: 2; with this: 3." in why
    assert "Meeting held" in why
    assert "must not happen" not in why
    lines = client_of("sam").get(reverse("commissions:earning_list", kwargs={"pk": statement.pk})).content.decode()
    assert "m2" in lines


def test_a_line_that_takes_back_says_what_of(cast: Cast, client_of: Callable[[str], Client]) -> None:
    in_force(cast, definition(FLAT_8))
    deal = won(cast, "ana", 1_000_00, date(2026, 2, 10), name="Northwind")
    locked(cast, 1)
    refund(deal, -250_00, date(2026, 4, 20))
    calculated(cast, 2)
    line = statement_of(cast, "ana", quarter(2)).earnings.get()
    text = text_of(client_of("ana"), "commissions:earning_detail", line.pk)
    assert "What happened Refund: −$250.00 on" in text
    assert "Exactly what Northwind had earned in the period that paid it" in text
    assert line.amount_minor == -20_00


def test_a_late_change_is_told_on_the_next_statement(cast: Cast, client_of: Callable[[str], Client]) -> None:
    in_force(cast, definition(FLAT_8))
    deal = won(cast, "ana", 1_000_00, date(2026, 2, 10))
    locked(cast, 1)
    deal.kind = "lost"
    deal.save()
    calculated(cast, 2)
    text = text_of(client_of("ana"), "commissions:statement_detail", statement_of(cast, "ana", quarter(2)).pk)
    assert "Adjustment 2026Q1 was paid for a deal that no longer counts." in text
    assert "Year to date 2026" in text


def test_the_year_is_told_with_its_sum(cast: Cast, client_of: Callable[[str], Client]) -> None:
    """Each period with what was credited, reached, earned and paid, and where it stands; the sum is that of the rows."""
    in_force(cast, with_settlement(limits=[{"cap": "100.00"}]))
    quota(cast, "ana", "2026Q1", 2_000_00)
    won(cast, "ana", 1_000_00, date(2026, 2, 10))
    locked(cast, 1)
    won(cast, "ana", 2_000_00)
    calculated(cast)
    client = client_of("ana")
    response = client.get(reverse("commissions:statement_detail", kwargs={"pk": statement_of(cast, "ana").pk}))
    assert [response.context[name] for name in ("year_credited", "year_earned", "year_paid")] == [
        3_000_00,
        240_00,
        180_00,
    ]
    text = text_of(client, "commissions:statement_detail", statement_of(cast, "ana").pk)
    year = text[text.index("Year to date 2026") :]
    assert "2026Q2 Field $2,000.00 no quota $160.00 $100.00 To be approved" in year
    assert "2026Q1 Field $1,000.00 50.00 % $80.00 $80.00 Locked" in year
    assert "Together $3,000.00 $240.00 $180.00" in year
    # The first quarter knows nothing of the second.
    first = text_of(client, "commissions:statement_detail", statement_of(cast, "ana", quarter(1)).pk)
    assert "Together $1,000.00 $80.00 $80.00" in first


# --- Pace and forecast --------------------------------------------------------------------------------------------

PAGE, FORECAST = "commissions:statement_detail", "commissions:statement_forecast"


def pace_text(client: Client, pk: int) -> str:
    """What the part about pace says."""
    text = re.sub(r" ([.:,])", r"\1", text_of(client, PAGE, pk))
    part = text[text.index("Pace and forecast") : text.index("Every line")]
    return part.partition("How this is reckoned")[0]


def test_the_pace_of_a_running_period(cast: Cast, client_of: Callable[[str], Client]) -> None:
    """8,000 in 56 of 65 working days are 9,285.71 by the end: 464.29 by the curve of today."""
    in_force(cast, definition(FIVE_THEN_TEN))
    quota(cast, "ana", "2026Q2", 10_000_00)
    won(cast, "ana", 8_000_00)
    calculated(cast)
    text = pace_text(client_of("ana"), statement_of(cast, "ana").pk)
    assert "as calculated on 17 Jun 2026" in text
    assert "56 working days are gone, 9 are left until 30 Jun 2026. Going on like this earns $464.29 by then." in text
    assert "Commission $8,000.00 80.00 % $400.00 $9,285.71 92.86 % $464.29" in text
    assert "caps" not in text


def test_the_pace_counts_the_days_on_the_plan_only(cast: Cast, client_of: Callable[[str], Client]) -> None:
    """Ana is on the plan from Monday the 15th: three working days are gone, nine are left."""
    in_force(cast, with_settlement(limits=[{"cap": "9000.00"}]))
    PlanAssignment.objects.update(start_on=date(2026, 6, 15))
    won(cast, "ana", 1_000_00, date(2026, 6, 16))
    calculated(cast)
    text = pace_text(client_of("ana"), statement_of(cast, "ana").pk)
    assert "3 working days are gone, 9 are left until 30 Jun 2026. Going on like this earns $320.00 by then." in text
    assert "Bonuses, caps, draws and what is held are not in it." in text
    assert "Commission $1,000.00 no quota $80.00 $4,000.00 no quota $320.00" in text


def test_a_year_goes_on_from_where_the_period_began(cast: Cast) -> None:
    """9,000 in the first quarter, 1,120 since: 1,300 by the end of June, of which 300 are above the year's 10,000."""
    tiers = [{"from": "0", "rate": "5%"}, {"from": "10000.00", "rate": "10%"}]
    words = definition({"shape": "marginal", "tiers": tiers})
    words["components"][0] |= {"period_kind": "year"}
    in_force(cast, words)
    won(cast, "ana", 9_000_00, date(2026, 2, 3))
    won(cast, "ana", 1_120_00, date(2026, 4, 3))
    locked(cast, 1)
    calculated(cast)
    found = pace_of(statement_of(cast, "ana"), TODAY)
    assert found is not None
    (each,) = found.components
    assert each.pace is not None
    assert (each.pace.reached, each.pace.credited, each.attainment_then) == (10_300_00, 1_300_00, None)
    assert (each.shown.earned_minor, found.earned_minor) == (62_00, 80_00)


def test_without_anything_to_go_on_a_sentence_says_so(cast: Cast, client_of: Callable[[str], Client]) -> None:
    in_force(cast, definition(FIVE_THEN_TEN), ("ana", "sam"))
    quota(cast, "ana", "2026Q2", 10_000_00)
    won(cast, "sam", 1_000_00)
    for number in (1, 2, 3):
        calculated(cast, number)
    nothing = pace_text(client_of("ana"), statement_of(cast, "ana").pk)
    assert "Nothing is credited after 56 working days, 9 are left: there is no pace to go on." in nothing
    no_quota = pace_text(client_of("sam"), statement_of(cast, "sam").pk)
    assert "What this pace earns cannot be said: see below." in no_quota
    assert "There is no curve to go by: its quota or target pay is missing, or the quota is zero." in no_quota
    over = pace_text(client_of("ana"), statement_of(cast, "ana", quarter(1)).pk)
    assert "The last day was 31 Mar 2026: what is credited is what counts, and there is nothing to forecast." in over
    assert "pipeline" not in over
    to_come = pace_text(client_of("ana"), statement_of(cast, "ana", quarter(3)).pk)
    assert "It begins on 1 Jul 2026: there is no pace before that." in to_come
    for text in (nothing, over, to_come):
        assert "$0" not in text


def test_a_locked_period_has_no_pace(cast: Cast, client_of: Callable[[str], Client]) -> None:
    in_force(cast, definition(FLAT_8))
    locked(cast, 1)
    pk = statement_of(cast, "ana", quarter(1)).pk
    assert "Pace and forecast" not in text_of(client_of("ana"), PAGE, pk)
    assert client_of("ana").get(reverse(FORECAST, kwargs={"pk": pk})).status_code == 404


def pipeline(cast: Cast, name: str, amount_minor: int, day: date | None, probability_bp: int) -> Deal:
    """An open deal of Ana's in a stage of this probability."""
    stage, _made = Stage.objects.get_or_create(
        code=f"open-{probability_bp}", defaults={"name": "Open", "kind": "open", "probability_bp": probability_bp}
    )
    return Deal.objects.create(
        name=name,
        owner=cast.ana,
        stage=stage,
        kind="open",
        amount_minor=amount_minor,
        currency="USD",
        expected_close_on=day,
        created_at=NOW,
    )


def test_the_pipeline_is_paid_by_the_engine_all_of_it_and_by_probability(
    cast: Cast, client_of: Callable[[str], Client]
) -> None:
    in_force(
        cast, with_settlement(limits=[{"cap": "700.00"}]) | {"components": definition(FIVE_THEN_TEN)["components"]}
    )
    quota(cast, "ana", "2026Q2", 10_000_00)
    won(cast, "ana", 8_000_00)
    pipeline(cast, "Likely", 4_000_00, date(2026, 6, 25), 5_000)
    pipeline(cast, "Certain", 1_000_00, date(2026, 6, 28), 10_000)
    pipeline(cast, "Unsaid", 500_00, date(2026, 6, 30), 0)
    pipeline(cast, "Next quarter", 9_000_00, date(2026, 7, 1), 5_000)
    pipeline(cast, "Some day", 9_000_00, None, 5_000)
    calculated(cast)
    statement = statement_of(cast, "ana")
    client = client_of("ana")
    address = reverse(FORECAST, kwargs={"pk": statement.pk})
    assert (
        f'hx-get="{address}" hx-trigger="load"'
        in client.get(reverse(PAGE, kwargs={"pk": statement.pk})).content.decode()
    )
    text = text_of(client, FORECAST, statement.pk)
    # Likely: 2,000 at 5 % and 2,000 at 10 % are 300. Certain: 100. Unsaid: 50. The cap pays 700 of 850.
    assert "All 3 open deals expected in the period, won earned $850.00, paid out $700.00" in text
    assert "By the probability of their stages earned $650.00" in text  # 400 + 300 ÷ 2 + 100
    assert "As it stands earned $400.00, paid out $400.00" in text
    assert "1 deal is in a stage without a probability and weighs nothing." in text
    assert "1 open deal has no expected day and is left out." in text
    part = client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert reverse("commissions:what_if", kwargs={"pk": statement.pk}) in part
    assert client_of("alba").get(address).status_code == 404


def test_a_pipeline_of_nothing_or_without_probabilities(cast: Cast, client_of: Callable[[str], Client]) -> None:
    in_force(cast, definition(FLAT_8))
    calculated(cast)
    pk = statement_of(cast, "ana").pk
    assert "No open deal is expected to close in the period: the pipeline adds nothing." in text_of(
        client_of("ana"), FORECAST, pk
    )
    pipeline(cast, "Unsaid", 500_00, date(2026, 6, 30), 0)
    text = text_of(client_of("ana"), FORECAST, pk)
    assert "1 open deal expected in the period, won earned $40.00, paid out $40.00" in text
    assert "By the probability of their stages cannot be said: the stages have no probability" in text


def test_pace_and_pipeline_cost_the_same_however_much_there_is(cast: Cast, client_of: Callable[[str], Client]) -> None:
    in_force(cast, definition(FLAT_8))
    client = client_of("ana")
    won(cast, "ana", 100_00)
    calculated(cast)
    counts: list[list[int]] = []
    for more in (1, 30):
        for number in range(more):
            won(cast, "ana", 100_00, name=f"{more}-{number}")
            pipeline(cast, f"Open {more}-{number}", 100_00, date(2026, 6, 30), 5_000)
        calculated(cast)
        pk = statement_of(cast, "ana").pk
        client.get(reverse(PAGE, kwargs={"pk": pk}))
        counts.append([])
        for name in (PAGE, FORECAST):
            with CaptureQueriesContext(connection) as found:
                client.get(reverse(name, kwargs={"pk": pk}))
            counts[-1].append(len(found))
    assert counts[0] == counts[1]
