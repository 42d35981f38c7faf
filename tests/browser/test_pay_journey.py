"""The life of a plan in a browser: designed, tried, put in force, read; a quarter is closed, doubted, paid, and corrected later."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, date, datetime
from pathlib import Path

from playwright.sync_api import Page, expect

from salesops.commissions.models import Adjustment, PlanVersion, Statement, Transaction
from salesops.deals.models import Deal
from tests.browser.conftest import Portal
from tests.browser.test_journey import _confirm_approval
from tests.commissions.pay import quota, won
from tests.commissions.test_adjustments import first_quarter, locked
from tests.core.test_documents import text_of


def test_a_plan_from_the_template_to_the_payroll_file_and_a_late_refund(portal: Portal, tmp_path: Path) -> None:
    """Rita designs, Finn puts in force, Ana reads, doubts and is paid; a refund comes late and says why."""
    rita, finn, ana = portal.page("rita"), portal.page("finn"), portal.page("ana")
    _close_the_quarter_before(portal)
    version = _design(portal, rita)
    _break_an_example(portal, rita, finn, version)
    _mend_it(rita, version)
    for name in ("Ana Alvarez", "Alba Abe"):
        _put_on_it(portal, rita, version, name)
    _try_it(portal, rita, version)
    _activate(portal, finn, version)
    for page in (ana, portal.page("alba")):
        _acknowledge(portal, page, version)
    statement = _calculate(portal, rita, version)
    _look_ahead(ana, statement)
    _close(portal, finn)
    _doubt(portal, ana, statement)
    _answer(portal, portal.page("max"))
    _read_the_answer(ana)
    rows = _pay(portal, finn, tmp_path)
    # 8 % of 1,000.00 by the plan of the scene, and 1,000.00 of a quota of 10,000.00 at a target pay of 2,000.00.
    assert [(row["last_name"], row["commission"]) for row in rows] == [("Alvarez", "280.00")]
    _keep_it(ana, statement, tmp_path)
    _refund_late(portal)


def _close_the_quarter_before(portal: Portal) -> None:
    """Ana sold 2,000.00 in the first quarter, which is over and locked; everybody has a quota of 10,000.00."""
    with portal.database():
        cast = portal.scene.cast
        for person, label in (("ana", "2026Q1"), ("alba", "2026Q1"), ("alba", "2026Q2")):
            quota(cast, person, label, 10_000_00)
        won(cast, "ana", 2_000_00, date(2026, 2, 10))
        locked(cast, first_quarter())


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


def _put_on_it(portal: Portal, page: Page, version: int, name: str) -> None:
    """With a target pay; the quotas stand already."""
    with portal.database():
        plan = PlanVersion.objects.get(pk=version).plan_id
    page.goto(f"/commissions/plans/{plan}/people/")
    page.locator("#id_person").select_option(label=name)
    page.locator("#id_start_on").fill("2026-01-01")
    page.locator("#id_target_pay_minor").fill("2000")
    page.locator("main form button.btn-primary").click()
    expect(page.get_by_role("heading", name="Account executives 2026")).to_be_visible()


def _try_it(portal: Portal, page: Page, version: int) -> None:
    """On the last quarter, which is locked: what it would have cost, next to what it did; nothing of it is saved."""
    page.get_by_role("link", name="Try on a past period").click()
    page.locator("#id_name").fill("With an accelerator")
    page.locator("#id_period").select_option(label="2026Q1")
    expect(page.locator(f"input[name=versions][value='{version}']")).to_be_checked()
    page.get_by_role("button", name="Calculate").click()
    portal.run_jobs()
    page.reload()
    expect(page.locator(".tile", has_text="Cost in USD")).to_contain_text("$560.00")
    expect(page.locator(".tile", has_text="Cost in USD")).to_contain_text("in force: $160.00")
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
    """Who is on the plan finds it in the menu, reads it and says so."""
    with portal.database():
        number = PlanVersion.objects.get(pk=version).number
    page.goto("/")
    page.get_by_role("navigation").get_by_role("link", name="My plan").click()
    card = page.locator("section", has_text="Account executives 2026")
    card.get_by_role("link", name=f"Version {number}").click()
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


def _look_ahead(page: Page, statement: int) -> None:
    """Ana reads what she earned so far and where it leads."""
    page.goto(f"/commissions/statements/{statement}/")
    expect(page.locator(".tile", has_text="Paid out")).to_contain_text("$200.00")
    # 56 of 65 working days are gone. Her open deal of 12,000.00 reaches 130 % of the quota: 2,000.00 and 900.00 more,
    # of which a tenth is likely.
    expect(page.locator("main")).to_contain_text("56 working days are gone, 9 are left")
    expect(page.locator("main")).to_contain_text("earned $2,900.00, paid out $2,900.00")
    expect(page.locator("main")).to_contain_text("earned $470.00")


def _close(portal: Portal, page: Page) -> None:
    """Finn decides what waits, approves and locks."""
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
    expect(page.get_by_role("link", name="Release payroll")).to_be_visible()


def _doubt(portal: Portal, page: Page, statement: int) -> None:
    """Ana opens a line of the locked statement, sees its stretch of the curve, and doubts it."""
    page.goto(f"/commissions/statements/{statement}/")
    page.locator("section", has_text="Every line").locator("tbody a").first.click()
    expect(page.locator(".curve-stretch")).to_be_visible()
    expect(page.locator("main")).to_contain_text("Attainment from 0.00 % to 10.00 %")
    page.get_by_role("link", name="Dispute this line").click()
    expect(page.get_by_role("heading", name="Dispute the statement of 2026Q2")).to_be_visible()
    assert page.locator("#id_line").input_value().startswith("new_business:deal:")
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


def _read_the_answer(page: Page) -> None:
    """Ana finds it where she wrote."""
    page.goto("/commissions/disputes/")
    page.get_by_role("link", name="The second half of the deal").click()
    expect(page.locator("main")).to_contain_text("It counts in the third quarter.")


def _pay(portal: Portal, page: Page, folder: Path) -> list[dict[str, str]]:
    """Finn releases and downloads."""
    page.goto(f"/commissions/periods/{portal.scene.period.pk}/")
    page.get_by_role("link", name="Release payroll").click()
    page.locator("main form button.btn-primary").click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name=re.compile(r"gusto-2026Q2-USD")).first.click()
    path = folder / "gusto.csv"
    waiting.value.save_as(path)
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def _keep_it(page: Page, statement: int, folder: Path) -> None:
    """Ana keeps her statement as a PDF."""
    page.goto(f"/commissions/statements/{statement}/")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="PDF").click()
    assert waiting.value.suggested_filename == "statement-ana-alvarez-2026q2.pdf"
    path = folder / "statement.pdf"
    waiting.value.save_as(path)
    text = text_of(path.read_bytes())
    assert "Handed to payroll" in text
    assert "Paid out $200.00" in text


def _record_refund(page: Page, deal: Deal, booking: Transaction, day: str, amount: str, key: str) -> None:
    """Rita records what the customer takes back."""
    page.goto("/commissions/transactions/")
    page.get_by_role("link", name="Record a transaction").click()
    page.locator("#id_kind").select_option(label="Refund")
    page.locator("#id_effective_on").fill(day)
    page.locator("#id_amount_minor").fill(amount)
    page.locator("#id_deal").fill(f"{deal.name} (#{deal.pk})")
    page.locator("#id_reverses").fill(booking.source_key)
    page.locator("#id_source_key").fill(key)
    page.get_by_role("button", name="Record").click()
    expect(page.locator("body")).to_contain_text("Recorded. It counts when its period is calculated next.")
    expect(page.locator("main")).to_contain_text(key)


def _refund_late(portal: Portal) -> None:
    """In July a refund of June becomes known, the customer takes half back, and the deal had been for more: all of it
    stands in the next statement, each with its cause.
    """
    portal.clock.move_to(datetime(2026, 7, 8, 10, 0, tzinfo=UTC))
    rita, ana = portal.page("rita"), portal.page("ana")
    with portal.database():
        rows = Transaction.objects.filter(kind="booking", credits__statement__period=portal.scene.period)
        booking = rows.distinct().get()
        deal = booking.deal
        assert deal is not None
    _record_refund(rita, deal, booking, "2026-06-29", "-100", "refund of June")
    _record_refund(rita, deal, booking, "2026-07-06", "-500", "refund of July")
    rita.goto(f"/deals/{deal.pk}/edit/")
    rita.locator("#id_amount_minor").fill("1200")
    rita.locator("main form button.btn-primary").click()
    rita.wait_for_url(re.compile(rf"/deals/{deal.pk}/$"))
    rita.goto("/commissions/periods/")
    rita.get_by_role("button", name="2026Q3").click()
    portal.run_jobs()
    with portal.database():
        statement = Statement.objects.get(
            period__label="2026Q3", person=portal.scene.cast.ana, plan_version__plan__name="Account executives 2026"
        )
        late = Adjustment.objects.filter(
            period=statement.period, person=portal.scene.cast.ana, plan=statement.plan_version.plan
        )
        # 240.00 is what the deal came to, and was 200.00; 100 of 1,200 of it went back in June.
        found = dict(late.values_list("cause", "amount_minor"))
        assert found == {"deal_edited": 40_00, "refund_late": -20_00}
    ana.goto(f"/commissions/statements/{statement.pk}/")
    expect(ana.locator("main")).to_contain_text("What is taken back in 2026Q2 became known after it was locked.")
    expect(ana.locator("main")).to_contain_text("2026Q2 was paid before the deal was changed.")
    # 500 of 1,200 of 240.00 go back in July.
    expect(ana.locator(".tile", has_text="Earned")).to_contain_text("−$100.00")
    expect(ana.locator("main")).to_contain_text("Carried forward")
    expect(ana.locator("section", has_text="Year to date 2026")).to_contain_text("2026Q2")
    ana.locator("section", has_text="Every line").locator("tbody a").first.click()
    expect(ana.locator("main")).to_contain_text("What is taken back")
