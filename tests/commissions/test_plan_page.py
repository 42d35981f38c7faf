"""The page of a plan, as those see it who may not see pay."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from salesops.commissions.models import PlanAssignment
from salesops.commissions.rules.plans import plan_as_plain
from salesops.commissions.selectors.own_plans import own_plans
from salesops.commissions.services.plans import acknowledge_version, create_plan, save_draft
from salesops.home.navigation import Shell
from tests.cast import NOW, TODAY, Cast
from tests.commissions.every_word import every_word
from tests.commissions.pay import FLAT_8, plan_in_force

pytestmark = pytest.mark.django_db


def test_revops_learn_how_many_are_on_a_plan_and_not_who(client_of: Callable[[str], Client], cast: Cast) -> None:
    """Rita puts Ana and Alba on the plan and sees that it worked; their names and rates stay with finance."""
    plan = plan_in_force(cast, FLAT_8, people=("ana", "alba"))
    address = reverse("commissions:plan_detail", kwargs={"pk": plan.pk})
    rita, finn = (client_of(name).get(address).content.decode() for name in ("rita", "finn"))
    assert "2 people were put on it." in rita
    assert "Ana Alvarez" not in rita
    assert "2 people were put on it." not in finn
    assert "Ana Alvarez" in finn


def test_a_plan_is_told_in_words_and_beside_another_version(client_of: Callable[[str], Client], cast: Cast) -> None:
    """Every word a plan can say has words of its own on the page; two versions differ by place."""
    rita = cast.actor("rita")
    plan = create_plan(actor=rita, name="Every word", at=NOW)
    words = every_word()
    for period in (words.period_kind, "half"):
        definition = plan_as_plain(words) | {"period_kind": str(period)}
        save_draft(actor=rita, plan=plan, definition=definition, start_on=date(2026, 7, 1), at=NOW)
    address = reverse("commissions:plan_detail", kwargs={"pk": plan.pk})
    page = client_of("rita").get(address, {"version": 2, "with": 1})
    assert [(each.place, each.before, each.after) for each in page.context["differences"]] == [
        ("period_kind", "month", "half")
    ]
    html = page.content.decode()
    for text in (
        "Half-year",
        "Renewal, Booking, Credit note",
        "40% of quota, then everything",
        "1.5 × the personal rate",
        "50.50 EUR for each",
        "Things, Tiers, mbo: 80% at 0%, 120% at 100% of the team&#x27;s quota",
        "Steps, Points: 1/2 at once, 1/4 after 30 days, 1/4 after 90 days",
        "2000 EUR; taken back until a day, then forgiven; comes on top of earnings",
        "earnings → team multiplier → caps and floors → what is taken back → draw → objectives and bonuses → release",
        "25%, 50%, 87.5%",
    ):
        assert text in html, text
    told = {each.name: each.is_default for each in page.context["shown"]["conventions"]}
    assert [name for name, is_default in told.items() if is_default] == ["counting_date"]  # it has one answer
    usual = replace(words, conventions=type(words.conventions)())
    save_draft(actor=rita, plan=plan, definition=plan_as_plain(usual), start_on=date(2026, 8, 1), at=NOW)
    shown = client_of("rita").get(address, {"version": 3}).context["shown"]
    assert all(each.is_default for each in shown["conventions"])


# --- One's own plan -----------------------------------------------------------------------------------------------

MINE = "commissions:plan_mine"


def test_a_rep_finds_their_plan_in_the_menu(client_of: Callable[[str], Client], cast: Cast) -> None:
    """The entry leads to the document of the plan: curve, conventions, examples, and the question to acknowledge it."""
    plan = plan_in_force(cast, FLAT_8, people=("ana",))
    plan_in_force(cast, FLAT_8, people=("alba",), name="Enterprise")
    client = client_of("ana")
    page = client.get(reverse("home:day")).content.decode()
    assert f'href="{reverse(MINE)}"' in page
    response = client.get(reverse(MINE), follow=True)
    assert response.redirect_chain == [(reverse("commissions:plan_detail", kwargs={"pk": plan.pk}), 302)]
    html = response.content.decode()
    for part in ("Acceptance examples", "How it is counted", "<svg", "Please read and acknowledge."):
        assert part in html
    active = [
        link.label for group in Shell(response.wsgi_request).groups for link in group["entries"] if link.is_active
    ]
    assert active == ["My plan"]


def test_who_is_on_no_plan_reads_so(client_of: Callable[[str], Client], cast: Cast) -> None:
    """Also those who see every plan: of Ana's they are told nothing here."""
    plan_in_force(cast, FLAT_8, people=("ana",))
    for name in ("sam", "max", "finn", "rita", "ada"):
        html = client_of(name).get(reverse(MINE)).content.decode()
        assert "You are on no plan" in html
        assert "Field" not in html
    for name in ("elsa", "norm"):
        assert client_of(name).get(reverse(MINE)).status_code == 403


def test_several_plans_are_told_with_their_days_and_what_is_to_be_read(
    client_of: Callable[[str], Client], cast: Cast
) -> None:
    """What holds today first, then what comes, then what is over."""
    over = plan_in_force(cast, FLAT_8, people=("ana", "rita"), name="Before")
    plan_in_force(cast, FLAT_8, people=("ana",), name="To come", start_on=date(2026, 7, 1))
    now = plan_in_force(cast, FLAT_8, people=("ana",), name="Today")
    PlanAssignment.objects.filter(plan=over).update(end_on=date(2026, 4, 1))
    acknowledge_version(actor=cast.actor("ana"), version=now.versions.get(), at=NOW)
    own = own_plans(cast.actor("ana"), TODAY)
    assert [(each.plan.name, each.is_now, each.is_over, len(each.to_read)) for each in own] == [
        ("Today", True, False, 0),
        ("To come", False, False, 1),
        ("Before", False, True, 0),
    ]
    assert [each.acknowledged_at for each in own] == [NOW, None, None]
    assert (own[2].first_day, own[2].last_day) == (date(2026, 1, 1), date(2026, 3, 31))
    html = client_of("ana").get(reverse(MINE)).content.decode()
    assert html.index("Today") < html.index("To come") < html.index("Before")
    assert "1 Jan 2026 – 31 Mar 2026" in re.sub(r"<[^>]+>", "", html)
    assert "?version=1" in html
    # Revenue operations see nobody's pay, but which plan they were on themselves.
    assert [each.plan.name for each in own_plans(cast.actor("rita"), TODAY)] == ["Before"]


def test_own_plans_cost_the_same_however_many(cast: Cast, django_assert_num_queries: Callable[..., Any]) -> None:
    """Five queries for one plan and for six."""
    for number in range(6):
        plan_in_force(cast, FLAT_8, people=("ana",), name=f"Plan {number}")
        ana = cast.actor("ana")
        with django_assert_num_queries(5):
            assert len(own_plans(ana, TODAY)) == number + 1
