"""Leads are given on the pod board by mouse, by keyboard and on a phone; what is stored and what is said aloud agree."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from salesops.leads.models import Lead, LeadAssignment, Pool, Turn
from tests.browser.conftest import Portal
from tests.browser.test_pages import _both
from tests.cast import NOW
from tests.leads.routed import in_force, make_pool


@pytest.fixture
def leads(portal: Portal) -> list[int]:
    """Twelve leads that nobody has, the oldest first, and rules by which Sam and Ana take them in turn."""
    with portal.database():
        pool = make_pool(portal.scene.cast, "Board", "sam", "ana")
        in_force({"name": "Everything", "pool": pool}, levels=[{"name": "Hot", "warn_minutes": 30}])
        return [
            Lead.objects.create(
                name=f"Lead {number}",
                company=f"Company {number}",
                segment=portal.scene.cast.smb,
                estimated_minor=(number + 1) * 1_000_00,
                created_at=NOW - timedelta(hours=30 - number),
            ).pk
            for number in range(12)
        ]


def _owners(portal: Portal) -> Counter[str]:
    """How many of the twelve each has, by first name; "" for nobody."""
    with portal.database():
        rows = Lead.objects.filter(name__startswith="Lead ").values_list("owner__name", flat=True)
        return Counter((name or "").split(" ")[0] for name in rows)


def _open(portal: Portal, **size: int) -> Page:
    page = portal.page("max", **size)
    page.goto("/leads/board/")
    expect(page.locator("[data-lead]")).to_have_count(12)
    return page


def _count(page: Page, count: int) -> None:
    """So many are left, as the head says, and the portal is not waited for."""
    expect(page.locator("#giving-leads-title .board-count")).to_have_text(str(count))
    expect(page.locator(".giving.is-waiting")).to_have_count(0)


def _drag(page: Page, what: Locator, onto: Locator) -> None:
    start, target = what.bounding_box(), onto.bounding_box()
    assert start
    assert target
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] - 6)
    page.mouse.down()
    page.mouse.move(start["x"] + start["width"] / 2 + 12, start["y"] + start["height"], steps=4)
    page.mouse.move(target["x"] + 40, target["y"] + 16, steps=12)
    with page.expect_response(lambda answer: "/board/assign/" in answer.url) as answer:
        page.mouse.up()
    assert answer.value.status == 200


def _person(page: Page, name: str) -> Locator:
    return page.locator(f'[data-receiver="person"][data-name="{name}"]')


def test_ten_leads_by_mouse(portal: Portal, leads: list[int]) -> None:
    """One is dragged alone, nine together; the load counts them; the last act is undone by the message's button."""
    page = _open(portal, width=1440)
    _drag(page, page.locator(f'[data-lead="{leads[0]}"]'), _person(page, "Sam Sorensen"))
    _count(page, 11)
    assert _owners(portal) == {"": 11, "Sam": 1}
    page.locator(f'[data-lead="{leads[1]}"] [data-pick]').click()
    page.locator(f'[data-lead="{leads[9]}"]').click(modifiers=["Shift"], position={"x": 200, "y": 30})
    expect(page.locator("[data-selected-count]")).to_have_text("9 selected")
    page.get_by_label("Reason, shown to whoever gets them").fill("Closest to them")
    _drag(page, page.locator(f'[data-lead="{leads[4]}"]'), _person(page, "Ana Alvarez"))
    _count(page, 2)
    assert _owners(portal) == {"": 2, "Sam": 1, "Ana": 9}
    with portal.database():
        given = LeadAssignment.objects.filter(lead__in=leads)
        assert given.count() == 10
        assert given.filter(person=portal.scene.cast.ana, reason="Closest to them", method="bulk").count() == 9
        assert Turn.objects.filter(kind="manual").count() == 10
    expect(_person(page, "Sam Sorensen")).to_contain_text("1 of 200")
    expect(page.locator("[data-giving-says]")).to_have_text("Gave 9 leads.")
    page.locator("#toasts").get_by_role("button", name="Undo").last.click()
    _count(page, 11)
    assert _owners(portal) == {"": 11, "Sam": 1}
    expect(page.locator("#giving-reason")).to_have_value("")


def test_ten_leads_by_keyboard(portal: Portal, leads: list[int]) -> None:
    """Space and Shift select, S suggests, the list to type in gives, Control Z takes back; focus stays at its place."""
    page = _open(portal, width=1440)
    says = page.locator("[data-giving-says]")
    page.locator(f'[data-lead="{leads[0]}"]').focus()
    page.keyboard.press("Space")
    expect(says).to_have_text("Lead 0 · Company 0 selected. 1 in all.")
    for _each in range(5):
        page.keyboard.press("Shift+ArrowDown")
    expect(says).to_have_text("Lead 5 · Company 5 selected. 6 in all.")
    page.keyboard.press("s")
    expect(says).to_have_text("Somebody is suggested for 6 of 6 leads.")
    expect(page.locator(f'[data-lead="{leads[0]}"] [data-said]')).to_contain_text("It is their turn")
    page.get_by_role("button", name="Assign 6 as suggested").focus()
    page.keyboard.press("Enter")
    _count(page, 6)
    assert _owners(portal) == {"": 6, "Sam": 3, "Ana": 3}
    expect(page.locator(f'[data-lead="{leads[6]}"]')).to_be_focused()
    for _each in range(3):
        page.keyboard.press("Space")
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.keyboard.press("a")
    expect(page.locator("[data-picker-title]")).to_have_text("Give 4 to…")
    page.keyboard.type("sam")
    expect(page.locator("#giving-options [role=option]")).to_have_count(1)
    page.keyboard.press("Enter")
    _count(page, 2)
    assert _owners(portal) == {"": 2, "Sam": 7, "Ana": 3}
    with portal.database():
        pool = Pool.objects.get(name="Board")
        assert sum(pool.members.values_list("credit", flat=True)) == 0
        credits = list(pool.members.order_by("pk").values_list("credit", flat=True))
    page.keyboard.press("Control+z")
    _count(page, 6)
    expect(says).to_have_text("Put 4 leads back.")
    assert _owners(portal) == {"": 6, "Sam": 3, "Ana": 3}
    with portal.database():
        assert list(pool.members.order_by("pk").values_list("credit", flat=True)) != credits
        assert set(pool.members.values_list("credit", flat=True)) == {0}
    page.keyboard.press("Control+z")
    _count(page, 12)
    assert _owners(portal) == {"": 12}


def test_what_is_selected_nowhere_and_keys_in_fields(portal: Portal, leads: list[int]) -> None:
    """Without a selection the keys say what to do; in a field they are letters."""
    page = _open(portal, width=1440)
    page.keyboard.press("a")
    expect(page.locator("#toasts")).to_contain_text("Select leads first")
    expect(page.locator("#giving-picker")).not_to_be_visible()
    page.locator("#giving-reason").fill("")
    page.locator("#giving-reason").press_sequentially("as a zebra")
    expect(page.locator("#giving-reason")).to_have_value("as a zebra")
    assert _owners(portal) == {"": 12}


def test_on_a_phone(portal: Portal, leads: list[int]) -> None:
    """Two are ticked with a thumb and given in the sheet at the foot; nothing scrolls sideways."""
    page = _open(portal, width=390, height=844)
    expect(page.locator(".giving-people")).not_to_be_visible()
    for pk in leads[:2]:
        page.locator(f'[data-lead="{pk}"] [data-pick]').click()
    bar = page.locator("[data-bar]")
    expect(bar).to_be_in_viewport()
    bar.get_by_role("button", name=re.compile("Assign to")).click()
    sheet = page.locator("#giving-picker")
    box = sheet.bounding_box()
    assert box
    assert round(box["width"]) == page.evaluate("document.body.getBoundingClientRect().width")
    assert round(box["y"] + box["height"]) == 844
    page.get_by_role("option", name=re.compile("Carl Chen")).click()
    _count(page, 10)
    assert _owners(portal) == {"": 10, "Carl": 2}
    assert page.evaluate("document.scrollingElement.scrollWidth - window.innerWidth") <= 0


def test_nothing_stands_in_the_way_of_anybody(portal: Portal, leads: list[int]) -> None:
    """axe finds nothing serious: as it opens, with a selection and suggestions, in the list of people; on a phone too."""
    found: list[str] = []
    for width in (1440, 390):
        page = _open(portal, width=width)
        found += _both(page, f"board at {width}")
        page.locator("[data-pick-all]").check()
        page.locator("[data-suggest]").click()
        expect(page.locator("[data-said]").first).to_be_visible()
        found += _both(page, f"suggestions at {width}")
        page.locator("[data-assign]").click()
        expect(page.locator("#giving-picker")).to_be_visible()
        found += _both(page, f"list of people at {width}")
    assert not found, "\n".join(found)
