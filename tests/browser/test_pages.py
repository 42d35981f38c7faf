"""Every page: no serious failing of accessibility in light and dark, no sideways scrolling on a phone.

That no page complains about its content policy, and no script fails, is watched on every page (watching.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Page

from tests.browser.addresses import pages
from tests.browser.conftest import Portal

AXE = Path(settings.BASE_DIR) / "node_modules" / "axe-core" / "axe.min.js"

_CHECK = """async () => {
  const found = await axe.run(document, {resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]});
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


def _violations(page: Page, address: str, scheme: str) -> list[str]:
    """What axe finds in the page as it is now."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate(_CHECK)
    return [
        f"{address} ({scheme}) {each['rule']}: {each['help']}\n    " + "\n    ".join(each["nodes"]) for each in found
    ]


def _both(page: Page, address: str) -> list[str]:
    """The page in light and in dark, without loading it again."""
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        page.wait_for_function("scheme => document.documentElement.dataset.bsTheme === scheme", arg=scheme)
        found += _violations(page, address, scheme)
    return found


@pytest.fixture(autouse=True)
def _axe_is_here() -> None:
    """The rules come from npm."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci")


def _walk(portal: Portal, who: str) -> list[str]:
    """All pages of one person: what axe says of them, and what is too wide for a phone."""
    found: list[str] = []
    with portal.database():
        addresses = pages(portal.scene)[who]
    page = portal.page(who)
    for address in addresses:
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 200, f"{address}: {answer.status}"
        page.set_viewport_size({"width": 1280, "height": 800})
        found += _both(page, address)
        page.set_viewport_size({"width": 360, "height": 740})
        too_wide = page.evaluate(_LOOK)
        if too_wide:
            found.append(f"{address} at 360 px: {too_wide}")
    return found


@pytest.mark.parametrize("who", ["ada", "finn", "rita", "max", "ana"])
def test_every_page(portal: Portal, who: str) -> None:
    """Each page of the access matrix, as the person to whom it shows most."""
    found = _walk(portal, who)
    assert not found, "\n".join(found)
