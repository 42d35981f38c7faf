"""A rep's day with leads: why one came, a call logged with a thumb, a clock that runs out, a call logged without a net."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from salesops.activities.models import Activity
from salesops.core.actor import system_actor
from salesops.leads.models import Clock, Lead
from salesops.leads.services.sweeps import run_clocks
from tests.browser.conftest import Portal
from tests.cast import NOW
from tests.leads.routed import arrives, in_force, make_pool

PHONE = {"width": 390, "height": 844}
LEVELS = [{"name": "Hot", "warn_minutes": 5, "alert_minutes": 15, "reassign_minutes": 30}]


@pytest.fixture
def leads(portal: Portal) -> list[Lead]:
    """Two leads that come to Sam and Sven in turn, each with a clock of half an hour."""
    with portal.database():
        cast = portal.scene.cast
        pool = make_pool(cast, "Two in turn", "sam", "sven")
        in_force({"name": "Everything", "pool": pool}, levels=LEVELS)
        return [arrives(cast, number, company=f"Company {number}") for number in range(2)]


def _fits(page: Page) -> None:
    """Nothing makes a phone scroll sideways."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_call_is_logged_with_a_thumb_and_stops_the_clock(portal: Portal, leads: list[Lead]) -> None:
    """Three taps on a phone, in less than five seconds; the clock stops, and the lead says why it is Sam's."""
    page = portal.page("sam", **PHONE)
    page.goto(f"/leads/{leads[0].pk}/")
    why = page.get_by_role("region", name="Why it is yours")
    expect(why).to_contain_text("Everything")
    _fits(page)
    began = time.monotonic()
    page.locator("a[data-log]").click()
    dialog = page.locator("#dialog-body")
    dialog.get_by_label("Reached", exact=True).check()
    dialog.get_by_role("button", name="Log", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("Logged.")
    assert time.monotonic() - began < 5
    _fits(page)
    with portal.database():
        call = Activity.objects.get(lead=leads[0])
        assert (call.kind, call.outcome, call.person) == ("call", "reached", portal.scene.cast.sam)
        assert Clock.objects.get(lead=leads[0]).ended_at is not None
        assert Clock.objects.get(lead=leads[1]).ended_at is None


def test_a_clock_runs_out_and_the_lead_moves(portal: Portal, leads: list[Lead]) -> None:
    """Nobody touches Sam's lead for half an hour: it is Sven's, both see why, and the clock begins anew."""
    sam, sven = portal.page("sam"), portal.page("sven")
    sam.goto(f"/leads/{leads[0].pk}/")
    expect(sam.get_by_role("region", name="Why it is yours")).to_be_visible()
    portal.clock.shift(timedelta(minutes=31))
    with portal.database():
        run_clocks(actor=system_actor(), at=NOW + timedelta(minutes=31))
        assert Lead.objects.get(pk=leads[0].pk).owner == portal.scene.cast.sven
    sven.goto(f"/leads/{leads[0].pk}/")
    why = sven.get_by_role("region", name="Why it is yours")
    expect(why).to_be_visible()
    expect(why).to_contain_text("Sam Sorensen")
    sven.goto("/")
    expect(sven.locator("main")).to_contain_text("Lead 0")


def test_what_is_logged_without_a_net_is_sent_when_there_is_one(portal: Portal, leads: list[Lead]) -> None:
    """On a train: the call is kept in the browser, says so, outlives the page, and is kept once when the net is back."""
    page = portal.page("sam", **PHONE)
    page.goto(f"/leads/{leads[0].pk}/")
    page.context.set_offline(True)
    page.locator("a[data-log]").click()
    box = page.locator("#offline-log")
    expect(box).to_be_visible()
    expect(box).to_contain_text("Lead 0")
    box.locator(".log-for-call").get_by_label("No answer").check()
    box.get_by_role("textbox", name="Note").fill("Rings, nobody there")
    box.get_by_role("button", name="Keep").click()
    expect(page.locator("#toasts")).to_contain_text("sent when you are online again")
    with portal.database():
        assert not Activity.objects.filter(lead=leads[0]).exists()
    # Without a net a browser complains of whatever it would have loaded.
    portal.watch.wrong[:] = [line for line in portal.watch.wrong if "ERR_INTERNET_DISCONNECTED" not in line]
    page.goto("about:blank")  # the page is closed before the net is back
    page.context.set_offline(False)
    page.goto(f"/leads/{leads[0].pk}/")
    expect(page.locator("#toasts")).to_contain_text("1 activity that you logged offline was sent.")
    with portal.database():
        call = Activity.objects.get(lead=leads[0])
        assert (call.kind, call.outcome, call.note) == ("call", "no_answer", "Rings, nobody there")
        assert abs(call.happened_at - call.created_at) < timedelta(minutes=5)
    page.reload()
    with portal.database():
        assert Activity.objects.filter(lead=leads[0]).count() == 1
