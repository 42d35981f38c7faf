"""The list of quotas says until when each holds, as people say it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from salesops.commissions.services.plans import set_quota
from salesops.values.periods import parse_label
from tests.cast import NOW, Cast

pytestmark = pytest.mark.django_db


def test_the_last_day_is_the_last_one_on_which_it_holds(client_of: Callable[[str], Client], cast: Cast) -> None:
    set_quota(
        actor=cast.actor("rita"),
        person_id=cast.ana.pk,
        period=parse_label("2026Q2"),
        amount_minor=10_000_00,
        currency="USD",
        at=NOW,
    )
    rita = client_of("rita")
    page = rita.get("/commissions/quotas/").content.decode()
    assert "30 Jun 2026" in page
    assert "1 Jul 2026" not in page
    answer = rita.post("/commissions/quotas/", {"do": "export", "form": "csv"})
    exported = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    assert exported.splitlines() == [
        "Person,From,Last day,Quota,Quota (currency)",
        "Ana Alvarez,2026-04-01,2026-06-30,10000.00,USD",
    ]
