"""The front-end packages: a lock without addresses, every icon there is named exists."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.conf import settings

from salesops.core.icons import icons_used, symbol

ROOT = Path(settings.BASE_DIR)
ICONS = ROOT / "node_modules" / "@tabler" / "icons" / "icons" / "outline"


def test_the_lock_names_no_download_address_and_every_package_has_a_hash() -> None:
    text = (ROOT / "package-lock.json").read_text()
    assert "resolved" not in text
    assert "://" not in text.replace("https://github.com/sponsors", "").replace(
        "https://opencollective.com", ""
    ) or all("funding" in line or "url" in line for line in text.splitlines() if "://" in line)
    packages = {name: each for name, each in json.loads(text)["packages"].items() if name}
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())


def test_package_versions_are_exact() -> None:
    given = json.loads((ROOT / "package.json").read_text())
    versions = [*given["dependencies"].values(), *given["devDependencies"].values()]
    assert all(version[0].isdigit() for version in versions)


def test_icons_are_found_where_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("{% icon \"star-off\" %}{% icon 'abc' label=x %}{% icon entry.icon %}")
    (tmp_path / "views.py").write_text(
        'BulkAction(_("x"), "a:b", icon="users-plus")\nEmpty(_("No"), _("t"), "moon-stars")\n'
    )
    found = icons_used(tmp_path, tmp_path)
    assert {"star-off", "abc", "users-plus", "moon-stars"} <= found


def test_a_symbol_takes_the_drawing_only() -> None:
    svg = '<!--\n-->\n<svg xmlns="x" width="24">\n  <path d="M1 1" />\n  <path d="M2 2" />\n</svg>'
    assert symbol("a", svg) == '<symbol id="a" viewBox="0 0 24 24"><path d="M1 1" /><path d="M2 2" /></symbol>'
    with pytest.raises(ValueError, match="not an SVG"):
        symbol("a", "nothing")


@pytest.mark.skipif(not ICONS.is_dir(), reason="the front-end packages are not installed")
def test_every_icon_named_exists() -> None:
    missing = [
        name for name in icons_used(ROOT / "templates", ROOT / "salesops") if not (ICONS / f"{name}.svg").is_file()
    ]
    assert sorted(missing) == []
