"""A reorganisation is drafted, previewed, carried out and undone in the browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from salesops.accounts.services.owners import hand_over
from salesops.pods.models import PodMembership
from tests.browser.conftest import Portal
from tests.cast import SINCE, TODAY


def _choose(page: Page, label: str, text: str) -> None:
    """Choose in a dialog by what is read there."""
    page.locator("#dialog-body").get_by_label(label, exact=True).select_option(label=text)


def _work(portal: Portal, page: Page) -> None:
    """What was started in the background is shown, done, and looked at."""
    expect(page.locator("section[id^=job-]")).to_be_visible()
    portal.run_jobs()
    page.reload()


def _pod_of(portal: Portal, person: str) -> str:
    with portal.database():
        return PodMembership.objects.on(TODAY).get(person=portal.scene.cast.people[person]).pod.name


def test_people_move_and_move_back(portal: Portal) -> None:
    """Rita drafts a move of Ana, reads who gains and who loses, carries it out, reads the same figures, and undoes it."""
    with portal.database():
        hand_over({portal.scene.account.pk: portal.scene.cast.ana.pk}, SINCE)
    page = portal.page("rita", width=1440)
    page.goto("/reorganisations/")
    page.get_by_role("link", name="New reorganisation").first.click()
    form = page.locator("form").filter(has=page.get_by_label("Takes effect on"))
    form.get_by_label("Name").fill("South grows")
    form.get_by_label("Takes effect on").fill(TODAY.isoformat())
    form.get_by_label("Explanation").fill("South needs a second account executive.")
    form.get_by_role("button", name="Start the draft").click()
    page.get_by_role("link", name="Add a move").click()
    _choose(page, "Person", "Ana Alvarez")
    _choose(page, "To pod", "South")
    _choose(page, "Who takes over what stays", "Sam Sorensen")
    page.locator("#dialog-body").get_by_role("button", name="Add").click()
    expect(page.get_by_role("row", name="Ana Alvarez")).to_contain_text("South")
    page.get_by_role("button", name="Preview").click()
    _work(portal, page)
    people = page.get_by_role("region", name="Who gains and who loses")
    ana, sam = people.get_by_role("row", name="Ana Alvarez"), people.get_by_role("row", name="Sam Sorensen")
    expect(ana).to_contain_text("South")
    told = (ana.inner_text(), sam.inner_text())
    assert _pod_of(portal, "ana") == "North"
    page.get_by_role("link", name="Carry out now").click()
    page.locator("#dialog-body").get_by_role("button", name="Carry out now").click()
    _work(portal, page)
    expect(page.get_by_role("heading", level=1, name="South grows")).to_be_visible()
    expect(page.get_by_text("Carried out", exact=True).first).to_be_visible()
    assert (ana.inner_text(), sam.inner_text()) == told
    assert _pod_of(portal, "ana") == "South"
    with portal.database():
        portal.scene.account.refresh_from_db()
        assert portal.scene.account.owner == portal.scene.cast.sam
    page.get_by_role("link", name="Every row that it changed").click()
    expect(page.get_by_role("row", name="Amber Optics").first).to_contain_text("Sam Sorensen")
    page.go_back()
    page.get_by_role("link", name="Undo").click()
    page.locator("#dialog-body").get_by_label("Reason").fill("Not yet")
    page.locator("#dialog-body").get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Undone", exact=True).first).to_be_visible()
    assert _pod_of(portal, "ana") == "North"
    with portal.database():
        portal.scene.account.refresh_from_db()
        assert portal.scene.account.owner == portal.scene.cast.ana
