"""The portal by keyboard alone: search, help, going somewhere, the palette, logging a call."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from salesops.activities.models import Activity
from tests.browser.conftest import Portal


def test_keys(portal: Portal) -> None:
    """`g d` goes to deals, `/` into its search, `?` shows the keys, Ctrl K finds a deal and goes there."""
    page = portal.page("ana")
    page.goto("/")
    page.keyboard.press("g")
    page.keyboard.press("d")
    expect(page).to_have_url(re.compile(r"/deals/$"))
    page.wait_for_load_state("load")  # the address changes before the new page listens to keys
    page.keyboard.press("/")
    expect(page.locator("#list-search")).to_be_focused()
    page.keyboard.type("nothing like this")
    expect(page.locator("#list .empty")).to_be_visible()
    page.keyboard.press("Control+A")
    page.keyboard.type("lenses")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    expect(page.locator("#help")).to_contain_text("Search and commands")
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("Control+k")
    expect(page.locator("#palette-input")).to_be_focused()
    page.keyboard.type("amber optics lens")
    option = page.locator("#palette-list [role=option]", has_text="Amber Optics lenses")
    expect(option).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/deals/{portal.scene.deal.pk}/$"))
    expect(page.get_by_role("heading", name="Amber Optics lenses", level=1)).to_be_visible()


def test_log_a_call(portal: Portal) -> None:
    """`l` opens the log from any page; a call about a deal is kept with its outcome, the focus comes back."""
    page = portal.page("ana")
    page.goto("/deals/")
    page.keyboard.press("l")
    dialog = page.locator("#dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_role("radio", name="Call").check(force=True)
    page.locator("#id_about").fill("Amber Optics len")
    dialog.locator("#about-options").get_by_text("Amber Optics lenses").click()
    dialog.locator(".log-for-call input").first.check(force=True)
    dialog.get_by_label("Subject").first.fill("Asked about the coating")
    dialog.locator("button.btn-primary").click()
    expect(dialog).to_be_hidden()
    with portal.database():
        call = Activity.objects.get(subject="Asked about the coating")
        assert (call.kind, call.deal_id, call.person_id) == ("call", portal.scene.deal.pk, portal.scene.cast.ana.pk)
        assert call.outcome
