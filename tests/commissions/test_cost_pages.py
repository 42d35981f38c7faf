"""What managers and finance decide by: the pay of a team, and what pay costs next to what was credited."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from salesops.accounts.models import Account
from salesops.commissions.models import Period, Statement
from salesops.commissions.selectors.cost import cost_of_sales
from salesops.deals.models import Deal, DealSplit, Product
from salesops.deals.selectors.forecast import forecast_for
from salesops.pods.models import PodMembership
from salesops.pods.services import close_pod
from salesops.values.periods import parse_label
from tests.cast import NOW, TODAY, Cast
from tests.commissions.pay import FIVE_THEN_TEN, FLAT_8, calculated, definition, plan_in_force, quota, won
from tests.commissions.test_settled_periods import in_force

pytestmark = pytest.mark.django_db


# --- Team pay -----------------------------------------------------------------------------------------------------


def people(client: Client, period: Period) -> list[str]:
    """Whose rows the page of a team's pay shows."""
    answer = client.get(reverse("commissions:teampay_period", kwargs={"pk": period.pk}))
    return [row.person.name for row in answer.context["page"].rows]


def totals(client: Client, period: Period, **asked: str) -> dict[str, str]:
    """The line of totals below it."""
    address = reverse("commissions:teampay_period", kwargs={"pk": period.pk})
    answer = client.get(address, {"part": "totals", **asked})
    return {total.label: total.text for total in answer.context["totals"]}


@pytest.fixture
def paid(cast: Cast) -> Period:
    """5 % up to the quota and 10 % above: Ana is at 150 %, Sam at 25 % of a quota, Alba has none, Max is paid too."""
    plan_in_force(cast, FIVE_THEN_TEN, people=("ana", "sam"))
    plan_in_force(cast, FLAT_8, people=("alba", "max"), name="Flat")
    quota(cast, "ana", "2026Q2", 10_000_00)
    quota(cast, "sam", "2026Q2", 8_000_00)
    won(cast, "ana", 15_000_00)
    won(cast, "sam", 2_000_00)
    won(cast, "alba", 1_000_00)
    won(cast, "max", 500_00)
    return calculated(cast)


def test_a_manager_sees_the_pay_of_the_people_below_and_nobody_elses(
    client_of: Callable[[str], Client], cast: Cast, paid: Period
) -> None:
    """Max neither his own nor Alba's; Mia Alba's; Finn everybody's."""
    assert people(client_of("max"), paid) == ["Ana Alvarez", "Sam Sorensen"]
    assert people(client_of("mia"), paid) == ["Alba Abe"]
    assert people(client_of("finn"), paid) == ["Alba Abe", "Ana Alvarez", "Max Manager", "Sam Sorensen"]


def test_the_totals_are_those_of_all_rows_however_they_are_narrowed(
    client_of: Callable[[str], Client], cast: Cast, paid: Period
) -> None:
    """Ana 10,000 at 5 % and 5,000 at 10 % is 1,000; Sam 2,000 at 5 % is 100. 17,000 of 18,000 is 94.4 %."""
    max_ = client_of("max")
    assert totals(max_, paid) == {
        "Quota": "$18,000.00",
        "Reached": "$17,000.00",
        "Attainment": "94.44 %",
        "Earned": "$1,100.00",
        "Paid out": "$1,100.00",
    }
    assert totals(max_, paid, q="ana") | {"Quota": ""} == {
        "Quota": "",
        "Reached": "$15,000.00",
        "Attainment": "150.00 %",
        "Earned": "$1,000.00",
        "Paid out": "$1,000.00",
    }
    # Who has no quota counts in what was reached, and not in the attainment.
    everybody = totals(client_of("finn"), paid)
    assert (everybody["Reached"], everybody["Attainment"], everybody["Earned"]) == (
        "$18,500.00",
        "94.44 %",
        "$1,220.00",
    )


def test_a_row_leads_to_the_statement_and_the_export_says_the_same(
    client_of: Callable[[str], Client], cast: Cast, paid: Period
) -> None:
    max_ = client_of("max")
    address = reverse("commissions:teampay_period", kwargs={"pk": paid.pk})
    statement = Statement.objects.get(person=cast.ana)
    page = max_.get(address).content.decode()
    assert reverse("commissions:statement_detail", kwargs={"pk": statement.pk}) in page
    answer = max_.post(address, {"do": "export", "form": "csv"})
    content = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    rows = list(csv.DictReader(io.StringIO(content)))
    assert [(row["Person"], row["Reached"], row["Attainment"], row["Earned"], row["Paid out"]) for row in rows] == [
        ("Ana Alvarez", "15000.00", "150.00", "1000.00", "1000.00"),
        ("Sam Sorensen", "2000.00", "25.00", "100.00", "100.00"),
    ]


def test_the_way_to_team_pay_leads_to_the_newest_period_of_the_team(
    client_of: Callable[[str], Client], cast: Cast, paid: Period
) -> None:
    """Mia's people have no statement in the third quarter, Max's do."""
    third = Period.objects.create(
        kind="quarter", start_on=date(2026, 7, 1), end_on=date(2026, 10, 1), time_zone="UTC", label="2026Q3"
    )
    calculated(cast, period=third)
    Statement.objects.filter(person=cast.alba, period=third).delete()
    way = reverse("commissions:teampay_list")
    assert client_of("max").get(way).headers["Location"].endswith(f"/{third.pk}/")
    assert client_of("mia").get(way).headers["Location"].endswith(f"/{paid.pk}/")


def test_a_manager_without_paid_people_is_told_what_comes(client_of: Callable[[str], Client], cast: Cast) -> None:
    page = client_of("max").get(reverse("commissions:teampay_list"))
    assert page.status_code == 200
    assert "calculated yet" in page.content.decode()


# --- Cost of sales ------------------------------------------------------------------------------------------------


@pytest.fixture
def sold(cast: Cast) -> Period:
    """Ana moves from North to South on the first of June. 8 %: of a lens in May, a frame in June, one split with Sam."""
    plan_in_force(cast, FLAT_8, people=("ana", "sam"))
    plan_in_force(cast, FIVE_THEN_TEN, people=("alba",), name="Tiers", currency="EUR")
    quota(cast, "alba", "2026Q2", 1_000_00, "EUR")
    PodMembership.objects.filter(person=cast.ana).update(end_on=date(2026, 6, 1))
    PodMembership.objects.create(pod=cast.south, person=cast.ana, function="ae", start_on=date(2026, 6, 1))
    lens = Product.objects.create(code="lens", name="Lens", match_name="lens")
    frame = Product.objects.create(code="frame", name="Frame", match_name="frame")
    small = Account.objects.create(name="Amber", match_name="amber", segment=cast.smb, created_at=NOW)
    for person, amount, day, product, account, currency in (
        ("ana", 1_000_00, date(2026, 5, 4), lens, small, "USD"),
        ("ana", 2_000_00, date(2026, 6, 1), frame, None, "USD"),
        ("ana", 500_00, date(2026, 5, 31), None, small, "USD"),
        ("alba", 3_000_00, date(2026, 5, 5), lens, None, "EUR"),
    ):
        deal = won(cast, person, amount, day, product=product, currency=currency)
        deal.account = account
        deal.save()
    shared = won(cast, "ana", 400_00, date(2026, 5, 6), product=frame)
    DealSplit.objects.create(deal=shared, person=cast.ana, share_bp=7_500)
    DealSplit.objects.create(deal=shared, person=cast.sam, share_bp=2_500)
    return calculated(cast)


def parts_of(period: Period, currency: str) -> dict[str, list[tuple[str, int, int]]]:
    """By dimension: name, earned, credited."""
    (found,) = [each for each in cost_of_sales([period]) if each.currency == currency]
    return {
        code: [(row.label, row.earned_minor, row.credited_minor) for row in rows] for code, _title, rows in found.parts
    }


def test_cost_stands_with_the_pod_of_the_day_and_what_was_sold(cast: Cast, sold: Period) -> None:
    """The day on which Ana is in South already is South's; the one before is North's, whatever she is in today."""
    assert parts_of(sold, "USD") == {
        "pod": [("South", 160_00, 2_000_00), ("North", 152_00, 1_900_00)],
        "plan": [("Field", 312_00, 3_900_00)],
        "product": [("Frame", 192_00, 2_400_00), ("Lens", 80_00, 1_000_00), ("Without a product", 40_00, 500_00)],
        "segment": [("Small business", 120_00, 1_500_00), ("Without a segment", 192_00, 2_400_00)],
    }
    assert parts_of(sold, "EUR") == {
        "pod": [("South", 250_00, 3_000_00)],
        "plan": [("Tiers", 250_00, 3_000_00)],
        "product": [("Lens", 250_00, 3_000_00)],
        "segment": [("Without a segment", 250_00, 3_000_00)],
    }


def test_a_pod_that_closes_keeps_what_it_cost_and_what_it_won(
    client_of: Callable[[str], Client], cast: Cast, sold: Period
) -> None:
    """Results do not go over to no pod, and the pod can still be asked for."""
    Deal.objects.filter(owner=cast.ana).update(pod=cast.north)
    year = parse_label("2026")
    cost, won_by_pod = parts_of(sold, "USD")["pod"], forecast_for(cast.actor("rita"), year).by_pod
    assert ("North", 152_00, 1_900_00) in cost
    close_pod(pod_id=cast.north.pk, closed_on=TODAY, end_memberships=True, actor=cast.actor("rita"), at=NOW)
    assert parts_of(calculated(cast), "USD")["pod"] == cost
    assert forecast_for(cast.actor("rita"), year).by_pod == won_by_pod
    assert (won_by_pod[0].name, [each.won_minor for each in won_by_pod[0].figures]) == ("North", [3_900_00])
    rows = client_of("rita").get(reverse("deals:deal_list"), {"pod": cast.north.pk}).context["page"].rows
    assert {row.owner for row in rows} == {cast.ana}


#: The same told in plain SQL: by pod of the day.
BY_POD = """
SELECT coalesce(p.name, '-'), sum(e.amount_minor) FROM commissions_earning e
JOIN commissions_credit c ON c.id = e.credit_id JOIN commissions_statement s ON s.id = e.statement_id
LEFT JOIN pods_podmembership m ON m.person_id = c.person_id AND m.start_on <= c.effective_on
    AND (m.end_on IS NULL OR m.end_on > c.effective_on)
LEFT JOIN pods_pod p ON p.id = m.pod_id
WHERE s.period_id = %s AND e.currency = 'USD' GROUP BY 1
"""


def test_every_total_is_the_sum_of_the_earnings_and_credits_it_is_about(cast: Cast, sold: Period) -> None:
    with connection.cursor() as cursor:
        cursor.execute(BY_POD, [sold.pk])
        assert dict(cursor.fetchall()) == {row[0]: row[1] for row in parts_of(sold, "USD")["pod"]}
        for table, column in (("earning", 1), ("credit", 2)):
            cursor.execute(
                f"SELECT r.currency, sum(r.amount_minor) FROM commissions_{table} r "
                "JOIN commissions_statement s ON s.id = r.statement_id WHERE s.period_id = %s GROUP BY 1",
                [sold.pk],
            )
            for currency, total in cursor.fetchall():
                for rows in parts_of(sold, currency).values():
                    assert sum(row[column] for row in rows) == total


def test_a_credit_that_earns_in_two_components_is_credited_once(cast: Cast) -> None:
    words = definition(FLAT_8)
    words["components"].append(words["components"][0] | {"key": "more", "name": "More"})
    in_force(cast, words)
    won(cast, "ana", 1_000_00)
    assert parts_of(calculated(cast), "USD")["plan"] == [("Field", 160_00, 1_000_00)]


def test_the_cost_of_a_range_takes_as_many_queries_as_that_of_one_period(cast: Cast, sold: Period) -> None:
    first = Period.objects.create(
        kind="quarter", start_on=date(2026, 1, 1), end_on=date(2026, 4, 1), time_zone="UTC", label="2026Q1"
    )
    won(cast, "ana", 700_00, date(2026, 2, 2))
    calculated(cast, period=first)
    counts = []
    for periods in ([sold], [first, sold]):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            found = cost_of_sales(periods)
        counts.append(len(queries))
    assert counts[0] == counts[1] == 10
    assert [(each.currency, each.total.earned_minor) for each in found] == [("EUR", 250_00), ("USD", 368_00)]


def test_the_page_shows_sums_and_no_person_and_its_file_says_the_same(
    client_of: Callable[[str], Client], cast: Cast, sold: Period
) -> None:
    elsa, address = client_of("elsa"), reverse("commissions:cost_report")
    page = elsa.get(address).content.decode()
    assert "$312.00" in page
    assert "8.00 %" in page
    assert "Ana Alvarez" not in page
    assert "The basis of all figures is variable pay as it was earned" in page
    answer = elsa.post(address)
    content = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    rows = [tuple(row.values()) for row in csv.DictReader(io.StringIO(content)) if row["Currency"] == "USD"]
    assert ("USD", "Pod", "South", "160.00", "2000.00", "8.00") in rows
    assert rows[-1] == ("USD", "Total", "", "312.00", "3900.00", "8.00")


def test_a_range_is_read_either_way_round_and_takes_what_lies_within(
    client_of: Callable[[str], Client], cast: Cast, sold: Period
) -> None:
    first = Period.objects.create(
        kind="quarter", start_on=date(2026, 1, 1), end_on=date(2026, 4, 1), time_zone="UTC", label="2026Q1"
    )
    won(cast, "ana", 700_00, date(2026, 2, 2))
    calculated(cast, period=first)
    finn, address = client_of("finn"), reverse("commissions:cost_report")

    def earned(**asked: int) -> int:
        return int(next(c for c in finn.get(address, asked).context["costs"] if c.currency == "USD").total.earned_minor)

    assert earned() == 368_00  # of the year
    assert earned(**{"from": first.pk, "to": first.pk}) == 56_00
    assert earned(**{"from": sold.pk, "to": sold.pk}) == 312_00
    assert earned(**{"from": sold.pk, "to": first.pk}) == 368_00
