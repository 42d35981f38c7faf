"""Every page: no serious failing of accessibility in light and dark, no sideways scrolling on a phone.

That no page complains about its content policy, and no script fails, is watched on every page (watching.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.addresses import LOOKERS, pages
from tests.browser.conftest import Portal

AXE = Path(settings.BASE_DIR) / "node_modules" / "axe-core" / "axe.min.js"

_RULES = {
    "light": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "dark": ["color-contrast"],  # all else is the same in both
}
_CHECK = """async (rules) => {
  const found = await axe.run(document, {resultTypes: ["violations"], runOnly: rules});
  return found.violations.filter((each) => ["serious", "critical"].includes(each.impact)).map((each) => ({
    rule: each.id, help: each.help, nodes: each.nodes.slice(0, 4).map((node) => node.html.slice(0, 160) + " " + (node.any[0]?.message || "")),
  }));
}"""
_LOOK = """() => {
  const wide = document.scrollingElement.scrollWidth - window.innerWidth;
  if (wide <= 0) return "";
  const past = [...document.body.querySelectorAll("*")].filter((each) => each.getBoundingClientRect().right > window.innerWidth + 1);
  return `${wide} px too wide: ` + past.slice(0, 3).map((each) => each.outerHTML.slice(0, 120)).join(" | ");
}"""

#: So long a page may take to fit into a window that has become narrow, in milliseconds.
SETTLING = 3_000


def _violations(page: Page, address: str, scheme: str) -> list[str]:
    """What axe finds in the page as it is now."""
    found: list[dict[str, Any]] = page.evaluate(_CHECK, _RULES[scheme])
    return [
        f"{address} ({scheme}) {each['rule']}: {each['help']}\n    " + "\n    ".join(each["nodes"]) for each in found
    ]


def _both(page: Page, address: str) -> list[str]:
    """The page in light and in dark, without loading it again."""
    found: list[str] = []
    page.wait_for_function("() => !document.querySelector('.htmx-request, .totals-wait')")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        page.wait_for_function("scheme => document.documentElement.dataset.bsTheme === scheme", arg=scheme)
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        found += _violations(page, address, scheme)
    return found


@pytest.fixture(autouse=True)
def _axe_is_here() -> None:
    """The rules come from npm."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci")


def _walk(page: Page, addresses: Mapping[str, int]) -> list[str]:
    """All these pages, each with the status it should have: what axe says of them, and what is too wide for a phone."""
    found: list[str] = []
    for address, status in addresses.items():
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == status, f"{address}: {answer.status}"
        if "<html" not in answer.text():
            continue  # a piece that other pages fetch
        page.set_viewport_size({"width": 1280, "height": 800})
        found += _both(page, address)
        page.set_viewport_size({"width": 360, "height": 740})
        with suppress(PlaywrightTimeout):  # tables and charts fit themselves to the window once it has changed
            page.wait_for_function(f"() => !({_LOOK})()", timeout=SETTLING)
        too_wide = page.evaluate(_LOOK)
        if too_wide:
            found.append(f"{address} at 360 px: {too_wide}")
    return found


@pytest.mark.parametrize("who", LOOKERS)
def test_every_page(portal: Portal, who: str) -> None:
    """Each page of the access matrix, as one of those who may see it."""
    with portal.database():
        addresses = pages(portal.scene, who)
    found = _walk(portal.page(who), dict.fromkeys(addresses, 200))
    assert not found, "\n".join(found)


def test_doors_and_refusals(portal: Portal) -> None:
    """The pages around logging in, and those that say no."""
    found = _walk(portal.page(), {"/account/login/": 200, "/account/password/reset/": 200})
    found += _walk(
        portal.page("finn"), {"/account/2fa/": 200, "/account/2fa/totp/activate/": 200, "/account/sessions/": 200}
    )
    found += _walk(portal.page("ana"), {"/deals/999999/": 404, "/audit/": 403})
    assert not found, "\n".join(found)
