"""Two leads of one person become one on the page of either, and two again on the page of the one that went."""

from __future__ import annotations

from playwright.sync_api import expect

from salesops.leads.models import Lead
from salesops.leads.services import create_lead
from tests.browser.conftest import Portal
from tests.browser.test_pages import _both
from tests.cast import NOW


def test_merged_and_taken_back(portal: Portal) -> None:
    with portal.database():
        sam = portal.scene.cast.actor("sam")
        first = create_lead(actor=sam, at=NOW, name="Lena Lund", company="Acme", email="lena@acme.com")
        second = create_lead(actor=sam, at=NOW, name="Lena L.", email="lena@acme.com", phone="12345")
    page = portal.page("sam", width=390, height=844)
    page.goto(f"/leads/{second.pk}/")
    page.get_by_role("link", name="Merge with Lena Lund").click()
    dialog = page.locator("#dialog-body")
    expect(dialog.get_by_label("The other one")).to_be_checked()
    found = _both(page, "the dialog")
    dialog.get_by_label("Reason").fill("Same mail")
    dialog.get_by_role("button", name="Merge", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Lena Lund")).to_be_visible()
    expect(page.get_by_role("link", name="12345")).to_be_visible()
    with portal.database():
        assert Lead.every.get(pk=second.pk).merged_into == first
    page.get_by_role("region", name="Merged into this lead").get_by_role("link", name="Lena L.").click()
    expect(page.get_by_text("Merged by Sam Sorensen")).to_be_visible()
    found += _both(page, "the lead that went")
    page.get_by_role("link", name="Undo the merge").click()
    dialog.get_by_role("button", name="Undo the merge").click()
    expect(page.locator("#toasts")).to_contain_text("They are two leads again.")
    expect(page.get_by_role("region", name="Probably the same person")).to_contain_text("Lena Lund")
    with portal.database():
        assert Lead.objects.get(pk=first.pk).phone == ""
    assert not found, "\n".join(found)
