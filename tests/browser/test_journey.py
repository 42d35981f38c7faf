"""The whole road in a browser: log in with a code, bring a file in, mend a row, and on to the downloaded payroll file."""

from __future__ import annotations

import csv
import io
import re
import time
from pathlib import Path

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Page, expect

from salesops.connectors.models import RejectedRow
from salesops.deals.models import Deal
from tests.browser.conftest import Portal
from tests.cast import PASSWORD

FILE = """deal id,deal name,owner,stage,amount,currency,closed on
Q-1,Quartz cells,ana@example.com,Won,"$2,500.00",USD,2026-05-20
Q-2,Quartz mounts,ana@example.com,Won,about 900,USD,2026-05-21
"""


def code_of(secret: str) -> str:
    """What the app of a phone shows now."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def log_in(page: Page, who: str) -> str:
    """Through the form, then set up the second factor that finance must have; its secret."""
    page.goto("/")
    page.get_by_label("Email").fill(f"{who}@example.com")
    page.locator("input[type=password]").fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_role("heading", name="Set up your second factor")).to_be_visible()
    secret = page.locator(".secret").inner_text().strip()
    page.locator("#id_code").fill(code_of(secret))
    page.get_by_role("button", name="Set it up").click()
    expect(page.get_by_role("heading", name="Set up your second factor")).to_have_count(0)
    return secret


def test_log_in_with_a_code(portal: Portal) -> None:
    """Finance sets up an app, logs out, and comes in again with password and code, not with the password alone."""
    page = portal.page()
    secret = log_in(page, "finn")
    page.goto("/")
    page.locator(".side-foot summary").click()
    page.get_by_role("button", name="Log out").click()
    page.goto("/commissions/")
    page.get_by_label("Email").fill("finn@example.com")
    page.locator("input[type=password]").fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_role("heading", name="Your second factor")).to_be_visible()
    page.goto("/commissions/")
    expect(page.get_by_role("heading", name="Your second factor")).to_be_visible()
    expect(page.get_by_text("Ana Alvarez")).to_have_count(0)
    page.locator("#id_code").fill("000000")
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.locator("main")).to_contain_text("Incorrect code")
    portal.clock.shift(30)  # a code is good once; half a minute later there is another
    page.locator("#id_code").fill(code_of(secret))
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page).to_have_url(re.compile(r"/commissions/$"))
    expect(page.get_by_role("link", name="Ana Alvarez").first).to_be_visible()


def test_the_road_from_a_file_to_a_payroll_file(portal: Portal, tmp_path: Path) -> None:
    """Rita brings two deals in and mends one; pay is calculated; Finn approves, locks, releases and downloads."""
    rita = portal.page("rita")
    _bring_in(portal, rita)
    _mend(portal, rita)
    _calculate(portal, rita)
    with portal.database():
        person = portal.scene.cast.ana
        person.refresh_from_db()
    finn = portal.page("finn")
    _approve(portal, finn)
    rows = _pay(portal, finn, tmp_path)
    # 8 % of 1,000.00 that the scene holds, of 2,500.00 and of 900.00.
    assert [(row["last_name"], row["first_name"], row["gusto_employee_id"], row["commission"]) for row in rows] == [
        ("Alvarez", "Ana", "105", "352.00")
    ]


def _bring_in(portal: Portal, page: Page) -> None:
    """Upload, check what would happen, import."""
    page.goto("/imports/new/")
    page.locator("input[type=file]").set_input_files(
        {"name": "deals.csv", "mimeType": "text/csv", "buffer": FILE.encode()}
    )
    page.locator("select[name=source]").select_option(label="CRM")
    page.locator("main form button.btn-primary").click()
    expect(page.get_by_role("heading", name="deals.csv")).to_be_visible()
    expect(page.locator("select[name=kind]")).to_have_value("deals")
    page.get_by_role("button", name="Check the file").click()
    portal.run_jobs()
    page.reload()
    expect(page.locator("a.tile", has_text="Created")).to_contain_text("1")
    expect(page.locator("a.tile", has_text="Refused")).to_contain_text("1")
    with portal.database():
        assert not Deal.objects.filter(name__startswith="Quartz").exists()
    page.get_by_role("button", name="Import", exact=True).click()
    portal.run_jobs()
    page.reload()
    expect(page.locator(".tile", has_text="Created")).to_contain_text("1")
    with portal.database():
        deal = Deal.objects.get(name__startswith="Quartz")
        assert (deal.name, deal.owner, deal.amount_minor, deal.kind) == (
            "Quartz cells",
            portal.scene.cast.ana,
            2_500_00,
            "won",
        )


def _mend(portal: Portal, page: Page) -> None:
    """The row with an amount that is no amount lies on the shelf; mended there, it comes in."""
    page.get_by_role("link", name="1 row on the shelf").click()
    expect(page.locator("tbody")).to_contain_text("about 900")
    page.locator("tbody tr a").first.click()
    page.locator("input[value='about 900']").fill("900.00")
    page.locator("main form button.btn-primary").click()
    portal.run_jobs()
    expect(page.locator("tbody")).not_to_contain_text("about 900")
    with portal.database():
        assert Deal.objects.get(name="Quartz mounts").amount_minor == 900_00
        assert not RejectedRow.objects.filter(file_import__file_name="deals.csv", state="shelved").exists()


def _calculate(portal: Portal, page: Page) -> None:
    """The quarter is calculated in the background, and shows what is earned now."""
    page.goto(f"/commissions/periods/{portal.scene.period.pk}/")
    page.get_by_role("button", name="Calculate").click()
    portal.run_jobs()
    page.reload()
    expect(page.locator(".tile", has_text="Statements")).to_contain_text("2 to be approved")


def _approve(portal: Portal, page: Page) -> None:
    """Ana's statement says how its sum comes about; one step approves both drafts."""
    page.goto(f"/commissions/periods/{portal.scene.period.pk}/")
    expect(page.locator(".tile", has_text="Earned")).to_contain_text("$352.00")
    page.locator("section[aria-labelledby=statements-title]").get_by_role("link", name="Ana Alvarez").click()
    expect(page.locator(".tile", has_text="Earned")).to_contain_text("$352.00")
    # 4,400.00 count; a renewal of 12,000.00 is credited, and no component counts it.
    expect(page.locator(".tile", has_text="Credited")).to_contain_text("$16,400.00")
    expect(page.locator("main")).to_contain_text("No component of the plan counts this kind of transaction.")
    expect(page.locator(".tile", has_text="Quota")).to_contain_text("$10,000.00")
    expect(page.locator(".tile", has_text="Attainment")).to_contain_text("44.00 %")
    page.locator("main").get_by_role("link", name="Quartz mounts").first.click()
    expect(page.locator("main")).to_contain_text("$72.00")
    page.go_back()
    page.get_by_role("button", name="Approve").click()
    _confirm_approval(page)
    page.goto(f"/commissions/periods/{portal.scene.period.pk}/")
    page.get_by_role("link", name="Review and approve").click()
    page.locator("[data-pick-page]").check()
    page.locator("[data-bulk] button, [data-bulk] a", has_text="Approve").first.click()
    _confirm_approval(page)


def _confirm_approval(page: Page) -> None:
    """See what will change, then do it."""
    expect(page.get_by_role("heading", name="Approve statements")).to_be_visible()
    page.get_by_role("button", name="Preview", exact=True).click()
    page.locator("button[name=step][value=apply]").click()
    expect(page.get_by_role("heading", name="Approve statements")).to_have_count(0)


def _pay(portal: Portal, page: Page, folder: Path) -> list[dict[str, str]]:
    """Decide what waits, lock the quarter, release the payroll, and read the file that comes down."""
    page.goto(f"/commissions/adjustments/{portal.scene.adjustment.pk}/refuse/")
    page.locator("#id_note").fill("Nothing was promised in writing.")
    page.locator("main form button.btn-primary, main form button.btn-danger").first.click()
    expect(page.locator("main")).to_contain_text("Refused")
    page.goto(f"/commissions/periods/{portal.scene.period.pk}/")
    page.get_by_role("link", name="Lock").click()
    page.locator("main form button.btn-primary").click()
    page.get_by_role("link", name="Release payroll").click()
    page.locator("main form button.btn-primary").click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name=re.compile(r"gusto-2026Q2-USD")).first.click()
    path = folder / "gusto.csv"
    waiting.value.save_as(path)
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
