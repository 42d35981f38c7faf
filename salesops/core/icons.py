"""The icons of the portal: Tabler's outline icons by name. Those named in templates and Python files are found there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

#: Icons whose names are worked out while the portal runs, so that no file spells them in a way that can be found.
COMPUTED: Final = frozenset(
    {
        "inbox", "edit", "activity", "address-book", "briefcase", "building", "calendar-dollar", "chart-line", "coins",
        "devices", "file-import", "file-percent", "hexagons", "history", "home", "layout-kanban", "lock", "pencil-plus",
        "plus", "progress", "settings", "shield-lock", "target", "target-arrow", "user-circle", "users", "check", "x",
        "phone", "mail", "calendar-event", "note", "checkbox", "message", "clock", "flame", "alert-triangle",
        "info-circle", "circle-check", "trending-up", "trending-down", "arrow-right", "search", "user", "keyboard", "adjustments", "message-circle-question", "calendar-star",
        "table-column", "gauge", "arrows-shuffle", "shield-check", "arrows-exchange", "pencil",
        "search-off", "trash", "star", "refresh", "player-play", "player-stop", "eye", "key", "logout", "upload",
    }
)  # fmt: skip

_IN_TEMPLATE = re.compile(r"""\{%\s*icon\s+["']([a-z0-9-]+)["']""")
_IN_PYTHON = re.compile(r"""\bicon(?:\(|\s*[=:]\s*(?:str\s*=\s*)?)["']([a-z0-9-]+)["']""")
_EMPTY_STATE = re.compile(r"""\bEmpty\((?:[^()]|\([^()]*\))*?["']([a-z0-9-]+)["'],?\s*\)""")


def icons_used(templates: Path, code: Path) -> frozenset[str]:
    """The names of all icons that the portal may show."""
    found = set(COMPUTED)
    found.update(_names(templates.rglob("*.html"), (_IN_TEMPLATE,)))
    found.update(_names(code.rglob("*.py"), (_IN_PYTHON, _EMPTY_STATE)))
    return frozenset(found)


def _names(files: Iterable[Path], patterns: tuple[re.Pattern[str], ...]) -> set[str]:
    names: set[str] = set()
    for file in files:
        text = file.read_text(encoding="utf-8")
        for pattern in patterns:
            names.update(pattern.findall(text))
    return names


def symbol(name: str, svg: str) -> str:
    """An icon file as a symbol of the sprite. Strokes take the colour of the text around."""
    body = re.search(r"<svg[^>]*>(.*)</svg>", svg, re.DOTALL)
    if body is None:
        raise ValueError(f"{name} is not an SVG")
    inner = re.sub(r"\s+", " ", re.sub(r"<!--.*?-->", "", body.group(1), flags=re.DOTALL)).strip()
    inner = re.sub(r"> <", "><", inner)
    inner = re.sub(r'<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*/?>(</path>)?', "", inner)
    return f'<symbol id="{name}" viewBox="0 0 24 24">{inner}</symbol>'
