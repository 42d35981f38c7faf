"""Who reads the audit, what they find there, and how entries are put into words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.test import Client

from salesops.audit import selectors
from salesops.audit.models import AuditEntry
from salesops.audit.services import Change, record, record_many
from salesops.audit.wording import Line, described, title_of
from salesops.deals.models import Product
from tests.cast import NOW, Cast

ClientOf = Callable[[str], Client]


@pytest.fixture
def entries(cast: Cast) -> None:
    """Something about work, something about a plan, something about pay."""
    record(
        actor=cast.actor("ada"),
        action="person.edited",
        subject=cast.ana,
        before={"title": ""},
        after={"title": "AE"},
        at=NOW,
    )
    changes = [
        Change("plan.approved", "commissions.plan", 1, "Plan 2026"),
        Change("statement.approved", "commissions.statement", 5, "Ana, June"),
        Change("split.changed", "commissions.credit", 6, "Credit 6"),
        Change(
            "payroll.released",
            "people.user",
            cast.ana.pk,
            "Ana Alvarez",
            {},
            {"amount_minor": 12_300, "currency": "USD"},
        ),
        Change("export.downloaded", "", "", "", {}, {"rows": 3}),
    ]
    record_many(actor=cast.actor("finn"), changes=changes, at=NOW)


def actions(name: str, cast: Cast) -> list[str]:
    return [entry.action for entry in selectors.entries_for(cast.actor(name))]


def test_entries_about_pay_are_for_those_who_see_all_pay(cast: Cast, entries: None) -> None:
    everything = [
        "export.downloaded",
        "payroll.released",
        "split.changed",
        "statement.approved",
        "plan.approved",
        "person.edited",
    ]
    without_pay = ["export.downloaded", "plan.approved", "person.edited"]
    assert actions("finn", cast) == everything
    assert actions("rita", cast) == actions("ada", cast) == without_pay
    for name in ("ana", "max", "elsa", "norm"):
        assert actions(name, cast) == []


@pytest.mark.parametrize(("name", "status"), [("ada", 200), ("rita", 200), ("finn", 200), ("max", 403), ("ana", 403)])
def test_the_page_is_for_those_who_keep_the_books(client_of: ClientOf, entries: None, name: str, status: int) -> None:
    client = client_of(name)
    assert client.get("/audit/").status_code == status
    assert client.get("/audit/1/").status_code == status


def test_an_entry_about_pay_is_not_there_for_others(client_of: ClientOf, entries: None, cast: Cast) -> None:
    pay = AuditEntry.objects.get(action="payroll.released")
    assert client_of("finn").get(f"/audit/{pay.pk}/").status_code == 200
    assert client_of("ada").get(f"/audit/{pay.pk}/").status_code == 404
    assert client_of("ada").get("/audit/?q=payroll").context["page"].rows == []


def test_filters_narrow_the_list(client_of: ClientOf, entries: None, cast: Cast) -> None:
    client = client_of("finn")

    def shown(query: str) -> list[str]:
        response = client.get(f"/audit/?{query}")
        return [row.action for row in response.context["page"].rows]

    assert shown("kind=plan&kind=person") == ["plan.approved", "person.edited"]
    assert shown(f"subject_type=people.user&subject_id={cast.ana.pk}") == ["payroll.released", "person.edited"]
    assert shown("actor_name=Ada Admin") == ["person.edited"]
    assert shown("q=june") == ["statement.approved"]
    assert shown("at=today") != []
    assert shown("at=last_month") == []


def test_a_list_costs_the_same_for_many(client_of: ClientOf, cast: Cast, django_assert_max_num_queries: Any) -> None:
    def fill(count: int) -> None:
        changes = [
            Change("deal.edited", "deals.deal", n, f"Deal {n}", {"owner": cast.ana.pk}, {"owner": cast.sam.pk})
            for n in range(count)
        ]
        record_many(actor=cast.actor("rita"), changes=changes, at=NOW)

    client = client_of("rita")
    client.get("/audit/")
    fill(3)
    with django_assert_max_num_queries(40) as few:
        client.get("/audit/?per=200")
    fill(300)
    with django_assert_max_num_queries(40) as many:
        client.get("/audit/?per=200")
    assert len(many) == len(few)


def test_the_history_of_a_row_is_for_those_who_see_the_row(cast: Cast) -> None:
    record(
        actor=cast.actor("rita"),
        action="pod.edited",
        subject=cast.north,
        before={"name": "N"},
        after={"name": "North"},
        at=NOW,
    )
    record(actor=cast.actor("finn"), action="pay.noted", subject=cast.north, at=NOW)
    seen = {
        name: [entry.action for entry in selectors.history_of(cast.actor(name), cast.north)]
        for name in ("ana", "alba", "max", "rita", "finn", "norm")
    }
    assert seen == {
        "ana": ["pod.edited"],
        "alba": [],
        "max": ["pod.edited"],
        "rita": ["pod.edited"],
        "finn": ["pay.noted", "pod.edited"],
        "norm": [],
    }


def test_actions_in_words(db: None) -> None:
    assert title_of("deal.stage_moved") == "Deal moved to another stage"
    assert title_of("person.left") == "Person left the company"
    assert title_of("rate.imported") == "Exchange rates imported"
    assert title_of("unheard_of.frobbed") == "Unheard of frobbed"


def test_changes_in_words(cast: Cast, django_assert_num_queries: Any) -> None:
    product = Product.objects.create(code="p", name="P", match_name="p", price_minor=100, currency="JPY")
    record(
        actor=cast.actor("rita"),
        action="product.edited",
        subject=product,
        before={"price_minor": 100, "is_active": True, "series": ""},
        after={"price_minor": 123_400, "is_active": False, "series": "X"},
        at=NOW,
    )
    record(
        actor=cast.actor("rita"),
        action="reporting_line.changed",
        subject=cast.ana,
        before={"manager": cast.max.pk},
        after={"manager": 99_999, "start_on": date(2026, 7, 1), "language": "zh-hans", "left_bp": 1250},
        at=NOW,
    )
    newest, oldest = described(AuditEntry.objects.order_by("-sequence"))
    assert oldest.lines == [
        Line("Series", "", "X"),
        Line("List price", "¥100", "¥123,400"),
        Line("On sale", "Yes", "No"),
    ]
    assert newest.lines == [
        Line("Language", "", "简体中文"),
        Line("Reports to", "Max Manager", "#99999"),
        Line("From", "", "1 Jul 2026"),
        Line("Left bp", "", "12.5 %"),
    ]


def test_sums_of_several_currencies_in_words(cast: Cast) -> None:
    record(
        actor=cast.actor("rita"),
        action="period.calculated",
        subject=cast.ana,
        after={"earned_minor": {"USD": 26_003_678, "EUR": 2_707_119, "JPY": 500}, "paid_minor": {"points": 12}},
        at=NOW,
    )
    (only,) = described(AuditEntry.objects.all())
    assert {line.label: line.after for line in only.lines} == {
        "Earned": "€27,071.19 · ¥500 · $260,036.78",
        "Paid": "12 minor units",
    }


def test_a_page_shows_what_was_recorded_and_nothing_runs(client_of: ClientOf, cast: Cast) -> None:
    evil = "<script>alert(1)</script>"
    entry = record(
        actor=cast.actor("rita"), action="person.edited", subject=cast.ana, after={"title": evil}, reason=evil, at=NOW
    )
    for path in ("/audit/", f"/audit/{entry.pk}/"):
        page = client_of("rita").get(path).content.decode()
        assert evil not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
