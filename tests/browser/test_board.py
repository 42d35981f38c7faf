"""Deals are moved on the board by mouse and by keyboard; the database and what is said aloud agree."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from salesops.deals.models import Deal, Stage, StageChange
from tests.browser.conftest import Portal


@pytest.fixture
def stages(portal: Portal) -> tuple[Stage, Stage]:
    """The stage of the scene's deal and the next open one."""
    with portal.database():
        here = portal.scene.deal.stage
        return here, Stage.objects.filter(kind="open", position__gt=here.position).order_by("position")[0]


def _card(page: Page, portal: Portal, stage: Stage) -> None:
    """The card lies in this stage's column, and no longer waits for the portal."""
    card = page.locator(f'[data-stage="{stage.pk}"] [data-card="{portal.scene.deal.pk}"]')
    expect(card).to_be_visible()
    expect(page.locator(".is-waiting, .is-lifted")).to_have_count(0)


def _stored(portal: Portal) -> tuple[int, int]:
    """The stage that is stored, and how often it changed."""
    with portal.database():
        deal = Deal.objects.get(pk=portal.scene.deal.pk)
        return deal.stage_id, StageChange.objects.filter(deal=deal).count()


def test_by_mouse(portal: Portal, stages: tuple[Stage, Stage]) -> None:
    """A card is dragged into the next column; the heads of both columns count again."""
    here, there = stages
    page = portal.page("ana", width=1440)
    page.goto("/deals/board/")
    card = page.locator(f'[data-card="{portal.scene.deal.pk}"]')
    expect(card).to_be_visible()
    start = card.bounding_box()
    target = page.locator(f'[data-stage="{there.pk}"] [data-cards]').bounding_box()
    assert start
    assert target
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] - 8)
    page.mouse.down()
    page.mouse.move(start["x"] + start["width"] / 2 + 12, start["y"] + start["height"], steps=4)
    page.mouse.move(target["x"] + target["width"] / 2, target["y"] + 24, steps=12)
    with page.expect_response(lambda answer: "/place/" in answer.url) as answer:
        page.mouse.up()
    assert answer.value.status == 200
    _card(page, portal, there)
    assert _stored(portal) == (there.pk, 1)
    expect(page.locator(f'[data-stage="{there.pk}"] .board-head')).to_contain_text("$12,000")
    expect(page.locator(f'[data-stage="{here.pk}"] .board-head')).not_to_contain_text("$12,000")
    expect(page.locator("[data-board-says]")).to_contain_text(there.name)
    page.get_by_role("button", name="Undo").click()
    _card(page, portal, here)
    assert _stored(portal) == (here.pk, 2)
    expect(page.locator(f'[data-stage="{here.pk}"] .board-head')).to_contain_text("$12,000")


def test_by_keyboard(portal: Portal, stages: tuple[Stage, Stage]) -> None:
    """Space lifts, an arrow carries, Escape puts back and stores nothing; lifted again, space puts it down."""
    here, there = stages
    page = portal.page("ana", width=1440)
    page.goto("/deals/board/")
    says = page.locator("[data-board-says]")
    card = page.locator(f'[data-card="{portal.scene.deal.pk}"]')
    card.focus()
    page.keyboard.press("Space")
    expect(says).to_contain_text(f"“Amber Optics lenses” lifted in {here.name}, place 1.")
    page.keyboard.press("ArrowRight")
    expect(says).to_have_text(f"{there.name}, place 1 of 1.")
    page.keyboard.press("Escape")
    expect(says).to_have_text(f"“Amber Optics lenses” is back in {here.name}.")
    _card(page, portal, here)
    assert _stored(portal) == (here.pk, 0)
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    _card(page, portal, there)
    expect(says).to_contain_text(there.name)
    assert _stored(portal) == (there.pk, 1)
    expect(page.locator(f'[data-card="{portal.scene.deal.pk}"]')).to_be_focused()
    page.keyboard.press("Control+z")
    _card(page, portal, here)
    expect(says).to_contain_text(here.name)
    assert _stored(portal) == (here.pk, 2)


def test_a_move_that_came_too_late(portal: Portal, stages: tuple[Stage, Stage]) -> None:
    """Somebody changed the deal meanwhile: the card goes where the deal is now, and a message says why."""
    here, _there = stages
    page = portal.page("ana", width=1440)
    page.goto("/deals/board/")
    card = page.locator(f'[data-card="{portal.scene.deal.pk}"]')
    expect(card).to_be_visible()
    with portal.database():
        Deal.objects.filter(pk=portal.scene.deal.pk).update(version=portal.scene.deal.version + 1)
    card.focus()
    for key in ("Space", "ArrowRight", "Space"):
        page.keyboard.press(key)
    expect(page.locator("#toasts .toast-error")).to_be_visible()
    _card(page, portal, here)
    assert _stored(portal) == (here.pk, 0)
