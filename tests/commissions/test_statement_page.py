"""What a person reads on a statement: every step from earned to paid, what did not count, and the why of each line."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import date

import pytest
from django.test import Client
from django.urls import reverse

from salesops.commissions.models import Quota
from tests.cast import Cast
from tests.commissions.pay import FLAT_8, definition, statement_of, won
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
    assert "Reached 3 · 150 %" in text.replace("150%", "150 %")
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
