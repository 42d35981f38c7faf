"""The plan designer in a browser: rows that are added, moved and taken out, the curve and formulas while one types."""

from __future__ import annotations

from datetime import date

from playwright.sync_api import expect

from salesops.commissions.models import PlanVersion
from salesops.commissions.rules.plans import PlanDefinition, plan_as_plain, plan_from_plain
from salesops.commissions.rules.templates import template_of, template_plan
from salesops.commissions.services.plans import create_plan, save_draft
from tests.browser.conftest import Portal
from tests.cast import NOW


def _draft(portal: Portal, template: str) -> PlanVersion:
    """A draft of a template."""
    with portal.database():
        rita = portal.scene.cast.actor("rita")
        plan = create_plan(actor=rita, name="Sellers", at=NOW)
        definition = plan_as_plain(template_plan(template_of(template), "USD", "UTC"))
        return save_draft(actor=rita, plan=plan, definition=definition, start_on=date(2026, 7, 1), at=NOW)


def _said(portal: Portal, version: PlanVersion) -> PlanDefinition:
    """What the draft says now."""
    with portal.database():
        version.refresh_from_db()
        return plan_from_plain(version.definition).unwrap()


def test_tiers_are_edited_and_drawn(portal: Portal) -> None:
    version = _draft(portal, "ae_accelerator")
    page = portal.page("rita")
    page.goto(f"/commissions/versions/{version.pk}/components/0/")
    tiers = page.locator(".of-tiers [data-rowset-row]")
    expect(tiers).to_have_count(4)  # the last one is empty
    before = page.locator("#preview .curve-line").get_attribute("points")
    tiers.nth(2).locator("[data-rowset-remove]").click()
    expect(tiers).to_have_count(3)
    expect(page.locator("#preview .curve-line")).not_to_have_attribute("points", before or "")
    page.locator(".of-tiers [data-rowset-add]").click()
    added = tiers.nth(3).locator("input")
    expect(added.first).to_be_focused()
    added.nth(0).fill("200%")
    added.nth(1).fill("3 x x")
    expect(page.locator("#preview")).to_contain_text("Row 3:")
    added.nth(1).fill("3x")
    expect(page.locator("#preview")).to_contain_text("from 200% of quota")
    tiers.nth(3).locator("[data-rowset-move='-1']").click()
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(f"**/versions/{version.pk}/#component-0")
    assert [(row.at.text, row.worth.text) for row in _said(portal, version).components[0].shape.rows] == [
        ("0%", "1x"),
        ("100%", "1.5x"),
        ("200%", "3x"),
    ]


def test_formulas_are_read_as_they_are_typed_and_only_the_chosen_curve_is_asked_for(portal: Portal) -> None:
    version = _draft(portal, "flat")
    page = portal.page("rita")
    page.goto(f"/commissions/versions/{version.pk}/components/0/")
    says = page.locator(".formula-says").first
    page.locator("#id_when").fill("segmnt = 1")
    expect(says).to_contain_text("There is no field segmnt")
    page.locator("#id_when").fill('segment = "smb"')
    expect(says).to_contain_text("Reads well.")
    expect(page.locator("#id_rate")).to_be_visible()
    expect(page.locator(".of-steps")).to_be_hidden()
    page.get_by_label("Fixed amounts at each step").check()
    expect(page.locator("#id_rate")).to_be_hidden()
    steps = page.locator(".of-steps [data-rowset-row]").first.locator("input")
    steps.nth(0).fill("1000")
    steps.nth(1).fill("50")
    expect(page.locator("#preview")).to_contain_text("from 1000 USD")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(f"**/versions/{version.pk}/#component-0")
    component = _said(portal, version).components[0]
    assert component.shape.as_plain() == {"shape": "steps", "steps": [{"from": "1000", "pays": "50"}]}
    assert component.when == 'segment = "smb"'
