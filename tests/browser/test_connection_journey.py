"""HubSpot from the first choice to the last: connected, watched, mended, pushed to, paused, its key changed, given up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import expect

from salesops.connectors.models import Connection, Credential, RawRecord
from salesops.connectors.services import pulling
from salesops.deals.models import Deal
from tests.browser.conftest import Portal
from tests.cast import NOW
from tests.connectors.linking import allowed
from tests.connectors.standins.hubspot import HubSpot


@pytest.fixture
def hubspot() -> Iterator[HubSpot]:
    """A HubSpot portal with a company, two owners of whom one is unknown here, and 24 deals."""
    with HubSpot() as hubspot, allowed(hubspot):
        hubspot.clock.now = NOW
        hubspot.owner(7, email="ana@example.com", first="Ana", last="Alvarez")
        hubspot.put("companies", 2, name="Lemaire SA", domain="lemaire.example")
        for number in range(24):
            one(hubspot, number, owner=7)
        yield hubspot


def one(hubspot: HubSpot, number: int, *, owner: int, company: bool = True) -> str:
    """A deal there."""
    id = hubspot.put(
        "deals",
        None,
        dealname=f"Rollout {number}",
        amount=Decimal(1000 + number),
        hubspot_owner_id=owner,
        closedate="2026-07-01T00:00:00Z",
    )
    if company:
        hubspot.associate("deals", id, "companies", 2)
    return id


def test_a_hubspot_is_connected_followed_and_given_up(
    portal: Portal, hubspot: HubSpot, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.SITE_URL = portal.url
    monkeypatch.setattr(pulling, "PAGE_ROWS", 10)
    page = portal.page("rita")

    # Connect: choose, settings, sign in at HubSpot, back, tested.
    page.goto("/connections/")
    page.get_by_role("link", name="Connect a source").first.click()
    page.get_by_role("link", name=re.compile("HubSpot")).click()
    page.get_by_label("Client id").fill(hubspot.client_id)
    page.get_by_label("Client secret").fill(hubspot.client_secret)
    page.get_by_label("Another address").fill(hubspot.origin)
    page.get_by_role("button", name=re.compile("Connect|Go on|Save|Create")).first.click()
    page.get_by_role("button", name="Sign in at HubSpot").click()
    page.get_by_role("link", name="Go on to HubSpot").click()
    expect(page.get_by_role("heading", name="What is kept in step")).to_be_visible()
    with portal.database():
        connection = Connection.objects.get(vendor="hubspot")
        assert hubspot.client_secret not in "".join(Credential.objects.values_list("sealed", flat=True))

    # Review: which objects, how a deal becomes a deal, with live rows; the preview writes nothing.
    for box in page.locator("#objects-form input[type=checkbox]").all():
        box.set_checked(box.get_attribute("value") in ("companies", "deals"))
    page.get_by_role("button", name="Keep this choice").click()
    with portal.database():
        deals = connection.streams.get(object="deals")
    page.goto(f"/connections/objects/{deals.pk}/")
    expect(page.locator("#stream-sample")).to_contain_text("Rollout 0")
    page.locator("select[name=master-next_step], select[name=master-amount]").first.select_option("newest")
    page.get_by_role("button", name="Save and preview").click()
    expect(page.locator("table.rows tbody tr")).to_have_count(24)
    with portal.database():
        assert Deal.objects.filter(source=connection.source.code).count() == 0

    # Start, and watch the first load: half of it, then all of it.
    page.goto(connection.get_absolute_url())
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("First load").first).to_be_visible()
    portal.run_jobs()
    expect(page.get_by_text("Following").first).to_be_visible()
    with portal.database():
        assert Deal.objects.filter(source=connection.source.code).count() == 24

    # A deal whose company is not here is on the shelf; it is named there and taken.
    one(hubspot, 50, owner=7, company=False)
    lost = hubspot.put("deals", None, dealname="Rollout 51", amount="much", closedate="2026-07-01T00:00:00Z")
    hubspot.clock.advance(120)
    page.get_by_role("button", name="Sync now").click()
    portal.run_jobs()
    page.goto(f"{connection.get_absolute_url()}shelf/?state=refused")
    expect(page.get_by_text("much").first).to_be_visible()
    hubspot.put("deals", lost, amount=Decimal(5))
    with portal.database():
        refused = RawRecord.objects.get(external_id=lost)
    page.goto(f"/connections/records/{refused.pk}/")
    expect(page.locator("pre.payload")).to_contain_text("much")
    page.get_by_role("button", name="Try again").click()
    page.goto(connection.get_absolute_url())
    page.get_by_role("button", name="Sync now").click()
    hubspot.clock.advance(120)
    portal.run_jobs()
    with portal.database():
        assert Deal.objects.get(external_id=lost).amount_minor == 500

    # A webhook changes a deal within moments.
    with portal.database():
        known = Deal.objects.get(name="Rollout 3")
        address = f"{portal.url}/hooks/hubspot/{connection.hook_token}/"
    hubspot.log.clear()
    hubspot.put("deals", known.external_id, amount=Decimal(7777))
    hubspot.hook_url = address
    for delivery in hubspot.hook_deliveries():
        answer = httpx.request(
            delivery.method, address, headers=delivery.headers, content=delivery.body, trust_env=False
        )
        assert answer.status_code == 200
    portal.clock.shift(5)
    portal.run_jobs()
    page.goto(f"/deals/{known.pk}/")
    expect(page.get_by_text("7,777").first).to_be_visible()

    # Paused: what changes there waits until it goes on; everything once more doubles nothing.
    page.goto(connection.get_absolute_url())
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()
    hubspot.put("deals", known.external_id, amount=Decimal(8888))
    hubspot.clock.advance(120)
    portal.run_jobs()
    with portal.database():
        assert Deal.objects.get(pk=known.pk).amount_minor == 7777_00
    page.get_by_role("button", name="Start", exact=True).click()
    portal.run_jobs()
    with portal.database():
        assert Deal.objects.get(pk=known.pk).amount_minor == 8888_00
    page.goto(connection.get_absolute_url())
    page.locator("summary[aria-label=More]").click()
    page.get_by_role("link", name="Read everything once more").click()
    page.get_by_role("button", name="Read everything once more").click()
    expect(page.get_by_text("2 objects are read once more").first).to_be_visible()
    portal.run_jobs()
    page.goto(f"{connection.get_absolute_url()}runs/")
    expect(page.locator("table.rows tbody tr").first).to_contain_text("27")
    with portal.database():
        assert Deal.objects.filter(source=connection.source.code).count() == 26

    # Another key: the sign-in stays, the old secret is gone from the page and sealed anew.
    with portal.database():
        before = Credential.objects.get(connection=connection, name="client_secret").sealed
    page.goto(f"{connection.get_absolute_url()}settings/")
    secret = page.get_by_label("Client secret")
    expect(secret).to_have_value("")
    secret.fill("another-obviously-fake-secret")
    page.get_by_role("button", name="Save").first.click()
    with portal.database():
        assert Credential.objects.get(connection=connection, name="client_secret").sealed != before

    # Given up: the secrets are forgotten, what came stays.
    page.goto(connection.get_absolute_url())
    page.locator("summary[aria-label=More]").click()
    page.get_by_role("link", name="Disconnect").click()
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_text("Its secrets were forgotten").first).to_be_visible()
    with portal.database():
        assert not Credential.objects.filter(connection=connection).exists()
        assert Deal.objects.filter(source=connection.source.code).count() == 26
    assert urlsplit(page.url).path == connection.get_absolute_url()

    # Back again: the app's secret is given anew, and after the sign-in it is started.
    page.goto(f"{connection.get_absolute_url()}settings/")
    page.get_by_label("Client secret").fill(hubspot.client_secret)
    page.get_by_role("button", name="Save").first.click()
    page.goto(connection.get_absolute_url())
    page.locator("summary[aria-label=More]").click()
    page.get_by_role("button", name="Sign in anew").click()
    page.get_by_role("link", name="Go on to HubSpot").click()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("button", name="Sync now")).to_be_visible()
    hubspot.put("deals", known.external_id, amount=Decimal(9999))
    hubspot.clock.advance(120)
    portal.run_jobs()
    with portal.database():
        assert Deal.objects.get(pk=known.pk).amount_minor == 9999_00
