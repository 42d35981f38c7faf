"""The page of a plan, as those see it who may not see pay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from django.test import Client
from django.urls import reverse

from salesops.commissions.rules.plans import plan_as_plain
from salesops.commissions.services.plans import create_plan, save_draft
from tests.cast import NOW, Cast
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
    assert not any(told.values())
    usual = replace(words, conventions=type(words.conventions)())
    save_draft(actor=rita, plan=plan, definition=plan_as_plain(usual), start_on=date(2026, 8, 1), at=NOW)
    shown = client_of("rita").get(address, {"version": 3}).context["shown"]
    assert all(each.is_default for each in shown["conventions"])
