"""The life of a plan in a browser: designed, tried, put in force, read; a quarter is paid, doubted, and corrected later."""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from pathlib import Path

from playwright.sync_api import Page, expect

from salesops.commissions.models import Adjustment, PlanVersion, Statement, Transaction
from salesops.commissions.services.calculate import calculate_period
from salesops.commissions.services.periods import open_period
from salesops.deals.models import Deal
from tests.browser.conftest import Portal
from tests.browser.test_journey import _confirm_approval
from tests.cast import NOW


def test_a_plan_from_the_template_to_the_payroll_file_and_a_late_refund(portal: Portal, tmp_path: Path) -> None:
    """Rita designs, Finn puts in force, Ana reads, doubts and is paid; a refund comes late and says why."""
    rita, finn, ana = portal.page("rita"), portal.page("finn"), portal.page("ana")
    version = _design(portal, rita)
    _break_an_example(portal, rita, finn, version)
    _mend_it(rita, version)
    _put_ana_on_it(portal, rita, version)
    _try_it(portal, rita, version)
    _activate(portal, finn, version)
    _acknowledge(portal, ana, version)
    statement = _calculate(portal, rita, version)
    _doubt(portal, ana, statement)
    _answer(portal, portal.page("max"))
    rows = _pay(portal, finn, tmp_path)
    # 8 % of 1,000.00 by the plan of the scene, and 1,000.00 of a quota of 10,000.00 at a target pay of 2,000.00.
    assert [(row["last_name"], row["commission"]) for row in rows] == [("Alvarez", "280.00")]
    _refund_late(portal, rita, ana)


def _design(portal: Portal, page: Page) -> int:
    """A new plan from the template of an account executive with an accelerator."""
    page.goto("/commissions/plans/")
    page.get_by_role("link", name="New plan").click()
    page.locator("#id_name").fill("Account executives 2026")
    page.locator("#id_start_on").fill("2026-04-01")
    page.locator("input[name=template][value=ae_accelerator]").check()
    page.get_by_role("button", name="Make the plan").click()
    page.wait_for_url(re.compile(r"/commissions/versions/\d+/"))
    with portal.database():
        return PlanVersion.objects.get(plan__name="Account executives 2026").pk


def _break_an_example(portal: Portal, rita: Page, finn: Page, version: int) -> None:
    """An example that promises something else keeps the plan from being put in force, and says what it comes to."""
    rita.goto(f"/commissions/versions/{version}/examples/")
    rita.locator("input[name$=expected]").first.fill("60000")
    rita.locator("input[name$=lines]").first.fill("")
    rita.get_by_role("button", name="Save").click()
    rita.wait_for_url(re.compile(rf"/commissions/versions/{version}/(#.*)?$"))
    finn.goto(f"/commissions/versions/{version}/force/")
    finn.locator("main form button.btn-primary, main form button.btn-danger").first.click()
    expect(finn.locator("main")).to_contain_text("the plan pays 55000.00 USD")
    with portal.database():
        assert PlanVersion.objects.get(pk=version).state == "draft"


def _mend_it(page: Page, version: int) -> None:
    """What the engine says is taken over."""
    page.goto(f"/commissions/versions/{version}/examples/")
    page.locator("input[name$=expected]").first.fill("")
    page.get_by_role("button", name="Calculate and take over").click()
    expect(page.locator("input[name$=expected]").first).to_have_value(re.compile("55000"))
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile(rf"/commissions/versions/{version}/(#.*)?$"))


def _put_ana_on_it(portal: Portal, page: Page, version: int) -> None:
    """With a target pay; her quota of the quarter stands already."""
    with portal.database():
        plan = PlanVersion.objects.get(pk=version).plan_id
    page.goto(f"/commissions/plans/{plan}/people/")
    page.locator("#id_person").select_option(label="Ana Alvarez")
    page.locator("#id_start_on").fill("2026-04-01")
    page.locator("#id_target_pay_minor").fill("2000")
    page.locator("main form button.btn-primary").click()
    expect(page.get_by_role("heading", name="Account executives 2026")).to_be_visible()


def _try_it(portal: Portal, page: Page, version: int) -> None:
    """On the quarter: what it would cost, next to what is in force."""
    page.get_by_role("link", name="Try on a past period").click()
    page.locator("#id_name").fill("With an accelerator")
    page.locator("#id_period").select_option(label="2026Q2")
    expect(page.locator(f"input[name=versions][value='{version}']")).to_be_checked()
    page.get_by_role("button", name="Calculate").click()
    portal.run_jobs()
    page.reload()
    expect(page.locator(".tile", has_text="Cost in USD")).to_contain_text("$280.00")
    expect(page.locator(".tile", has_text="Cost in USD")).to_contain_text("in force: $80.00")
    expect(page.locator(".tile", has_text="Would gain")).to_contain_text("1")
    expect(page.locator("main")).not_to_contain_text("Ana Alvarez")  # revops does not see pay
    with portal.database():
        assert PlanVersion.objects.get(pk=version).state == "draft"


def _activate(portal: Portal, page: Page, version: int) -> None:
    """By somebody else than its writer."""
    page.goto(f"/commissions/versions/{version}/force/")
    page.locator("main form button.btn-primary, main form button.btn-danger").first.click()
    expect(page.locator("main")).to_contain_text("In force")
    with portal.database():
        assert PlanVersion.objects.get(pk=version).state == "active"


def _acknowledge(portal: Portal, page: Page, version: int) -> None:
    """Ana reads the plan and says so."""
    with portal.database():
        plan = PlanVersion.objects.get(pk=version).plan_id
    page.goto(f"/commissions/plans/{plan}/")
    expect(page.locator("main")).to_contain_text("Please read and acknowledge.")
    page.get_by_role("button", name="I have read it").click()
    expect(page.locator("main")).to_contain_text("You acknowledged this version")


def _calculate(portal: Portal, page: Page, version: int) -> int:
    """The quarter, in the background; Ana's statement of the new plan."""
    page.goto(f"/commissions/periods/{portal.scene.period.pk}/")
    page.get_by_role("button", name="Calculate").click()
    portal.run_jobs()
    with portal.database():
        return Statement.objects.get(plan_version=version, person=portal.scene.cast.ana).pk


def _doubt(portal: Portal, page: Page, statement: int) -> None:
    """Ana opens the line, sees its stretch of the curve, and doubts the statement."""
    page.goto(f"/commissions/statements/{statement}/")
    expect(page.locator(".tile", has_text="Paid out")).to_contain_text("$200.00")
    page.locator("tbody a").first.click()
    expect(page.locator(".curve-stretch")).to_be_visible()
    expect(page.locator("main")).to_contain_text("Attainment from 0 % to 10 %")
    page.goto(f"/commissions/statements/{statement}/dispute/")
    page.locator("#id_subject").fill("The second half of the deal")
    page.locator("#id_message").fill("It was signed in June.")
    page.locator("main form button.btn-primary").click()
    expect(page.get_by_role("heading", name="The second half of the deal")).to_be_visible()


def _answer(portal: Portal, page: Page) -> None:
    """Her manager finds it on the first page of the day, asks back, and decides."""
    page.goto("/commissions/disputes/")
    page.get_by_role("link", name="The second half of the deal").click()
    page.locator("#id_text").fill("The order form says July.")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("main")).to_contain_text("The order form says July.")
    page.get_by_role("link", name="Decide").click()
    page.locator("input[name=outcome][value=refused]").check()
    page.locator("textarea").first.fill("It counts in the third quarter.")
    page.locator("main form button.btn-primary").click()
    expect(page.locator("main")).to_contain_text("It counts in the third quarter.")
    expect(page.locator("main")).to_contain_text("Refused")


def _pay(portal: Portal, page: Page, folder: Path) -> list[dict[str, str]]:
    """Finn decides what waits, approves, locks, releases and downloads."""
    page.goto(f"/commissions/adjustments/{portal.scene.adjustment.pk}/refuse/")
    page.locator("#id_note").fill("Nothing was promised in writing.")
    page.locator("main form button.btn-primary, main form button.btn-danger").first.click()
    page.goto(f"/commissions/periods/{portal.scene.period.pk}/")
    page.get_by_role("link", name="Review and approve").click()
    page.locator("[data-pick-page]").check()
    page.locator("[data-bulk] button, [data-bulk] a", has_text="Approve").first.click()
    _confirm_approval(page)
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


def _refund_late(portal: Portal, rita: Page, ana: Page) -> None:
    """In July the customer takes half back, and another deal is found not to count: both stand in the next statement."""
    with portal.database():
        rows = Transaction.objects.filter(kind="booking", credits__statement__period=portal.scene.period)
        booking = rows.distinct().get().deal
        assert booking is not None
        Transaction.objects.create(
            source_key="refund of July",
            kind="refund",
            deal=booking,
            effective_on=date(2026, 7, 6),
            amount_minor=-500_00,
            currency="USD",
            reverses=Transaction.objects.get(source_key=f"deal:{booking.pk}:booking"),
            recorded_at=NOW,
        )
        Deal.objects.filter(pk=booking.pk).update(amount_minor=1_200_00)
        period = open_period(day=date(2026, 7, 1), kind="quarter", time_zone="UTC")
        calculate_period(actor=portal.scene.cast.actor("rita"), period=period, at=NOW)
        statement = Statement.objects.get(
            period=period, person=portal.scene.cast.ana, plan_version__plan__name="Account executives 2026"
        )
        late = Adjustment.objects.get(period=period, person=portal.scene.cast.ana, plan=statement.plan_version.plan)
        assert (late.cause, late.amount_minor) == ("deal_edited", 40_00)
    ana.goto(f"/commissions/statements/{statement.pk}/")
    expect(ana.locator("main")).to_contain_text("2026Q2 was paid before the deal was changed.")
    # 240.00 is what the deal came to; 500 of 1,200 of it go back.
    expect(ana.locator(".tile", has_text="Earned")).to_contain_text("−$100.00")
    expect(ana.locator("main")).to_contain_text("Carried forward")
    ana.locator("tbody a").first.click()
    expect(ana.locator("main")).to_contain_text("What is taken back")
