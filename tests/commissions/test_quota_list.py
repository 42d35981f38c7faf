"""The list of quotas says until when each holds, as people say it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from django.test import Client

from salesops.commissions.models import Quota
from salesops.commissions.rules.plans import plan_as_plain
from salesops.commissions.rules.templates import template_of, template_plan
from salesops.commissions.services.imports import QuotaRecord, upsert_quotas
from salesops.commissions.services.plans import create_plan, save_draft, set_quota
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
        "Person,From,Last day,Which,Quota,Quota (currency)",
        "Ana Alvarez,2026-04-01,2026-06-30,bookings,10000.00,USD",
    ]


def test_a_quota_of_things_is_their_number(client_of: Callable[[str], Client], cast: Cast) -> None:
    """As soon as a draft counts meetings, a quota of that name has no currency: typed, shown, exported, imported."""
    plan = create_plan(actor=cast.actor("rita"), name="Meetings", at=NOW)
    words = plan_as_plain(template_plan(template_of("sdr_meetings"), "USD", "UTC"))
    save_draft(actor=cast.actor("rita"), plan=plan, definition=words, start_on=date(2026, 7, 1), at=NOW)
    rita = client_of("rita")
    typed = {"person": cast.sam.pk, "period": "2026-07", "measure": "meetings", "currency": "USD"}
    refused = rita.post("/commissions/quotas/new/", typed | {"amount_minor": "20.5"})
    assert refused.context["form"].errors["amount_minor"] == ["This quota counts things: write a whole number."]
    rita.post("/commissions/quotas/new/", typed | {"amount_minor": "20"})
    rita.post("/commissions/quotas/new/", typed | {"measure": "", "amount_minor": "1,000"})
    assert dict(Quota.objects.values_list("measure", "amount_minor")) == {"meetings": 20, "bookings": 1_000_00}
    meetings = Quota.objects.get(measure="meetings")
    form = rita.get(f"/commissions/quotas/{meetings.pk}/").context["form"]
    assert (form.initial["amount_minor"], form.initial["measure"]) == ("20", "meetings")
    exported = b"".join(
        rita.post("/commissions/quotas/", {"do": "export", "form": "csv"}).streaming_content  # type: ignore[attr-defined]
    ).decode("utf-8-sig")
    assert set(exported.splitlines()[1:]) == {
        "Sam Sorensen,2026-07-01,2026-07-31,meetings,20,",
        "Sam Sorensen,2026-07-01,2026-07-31,bookings,1000.00,USD",
    }
    totals = rita.get("/commissions/quotas/?part=totals").content.decode()
    assert "$1,000.00" in totals
    for amount, kept in ((30_00, 30), (30_50, 30)):  # the second is refused
        record = QuotaRecord(cast.sam.pk, parse_label("2026-07"), amount, measure="meetings")
        result = upsert_quotas(records=[record], actor=cast.actor("rita"), source="file", at=NOW)
        assert result.is_refused(0) is (amount == 30_50)
        meetings.refresh_from_db()
        assert meetings.amount_minor == kept
