"""Takes the pictures of the README: `python -m tests.browser.pictures`. The same seed and day give the same pictures.

Makes the demo company in a folder of its own (`--data` keeps one for another time), serves it from this process at the
company's last day, and writes docs/images.
"""

from __future__ import annotations

import argparse
import base64
import os
import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SEED = 7
#: The demo's history ends as this day begins; the pictures show the portal in its afternoon.
NOW = datetime(2026, 6, 17, 14, 0, tzinfo=UTC)
IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
#: More bytes than this slow the README down.
BOUND = 250_000


def prepare(data: Path) -> None:
    """Set Django up on this folder; make the demo company there unless it is there already."""
    os.environ["SALESOPS_DATA"] = str(data)
    os.environ["DJANGO_SETTINGS_MODULE"] = "salesops.config.settings"
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright keeps an event loop in this thread
    os.environ.setdefault("STATICFILES_STORAGE", "django.contrib.staticfiles.storage.StaticFilesStorage")
    import django
    from django.core.management import call_command

    django.setup()
    from salesops.people.models import User

    call_command("migrate", verbosity=0)
    if not User.objects.exists():
        call_command("demo", seed=SEED, today=NOW.date(), verbosity=0)


@contextmanager
def served() -> Iterator[str]:
    """The portal on a free port of this machine; its address."""
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.test.testcases import LiveServerThread

    server = LiveServerThread("127.0.0.1", StaticFilesHandler)
    server.daemon = True
    server.start()
    server.is_ready.wait()
    if server.error:
        raise server.error
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.terminate()


@contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import ARGUMENTS, CHROMIUM

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def session_of(role: str) -> str:
    """The session of the first person with this role who was hired for good; both factors given."""
    from django.test import Client

    from salesops.people.models import User

    person = (
        User.objects.filter(role_grants__role=role, role_grants__end_on=None, is_active=True).order_by("pk").first()
    )
    if person is None:
        raise SystemExit(f"The company has nobody who is {role}.")
    client = Client()
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    session = client.session
    session["account_authentication_methods_user"] = str(person.pk)
    session["account_authentication_methods"] = [{"method": "mfa", "type": "totp", "at": NOW.timestamp()}]
    session.save()
    return str(session.session_key)


def page_of(browser: Browser, url: str, role: str, *, width: int, height: int, scheme: str = "light") -> Page:
    """A page in which somebody with this role is logged in."""
    context = browser.new_context(
        base_url=url,
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
        locale="en",
        timezone_id="UTC",
    )
    context.add_cookies([{"name": "sessionid", "value": session_of(role), "url": url}])
    return context.new_page()


def pixels(page: Page, png: bytes) -> np.ndarray:
    """The picture's pixels as (height, width, 3), decoded by the browser."""
    found = page.evaluate(
        """async (png) => {
          const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
          const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
          const drawing = canvas.getContext("2d");
          drawing.drawImage(bitmap, 0, 0);
          const bytes = drawing.getImageData(0, 0, bitmap.width, bitmap.height).data;
          let text = "";
          for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
          return [bitmap.height, bitmap.width, btoa(text)];
        }""",
        base64.b64encode(png).decode(),
    )
    height, width, raw = found
    return np.frombuffer(base64.b64decode(raw), np.uint8).reshape(height, width, 4)[:, :, :3]


def small(picture: np.ndarray) -> bytes:
    """A PNG of the 256 commonest colours; each other one becomes the nearest of them."""
    height, width, _ = picture.shape
    packed = picture.astype(np.int32) @ np.array([65536, 256, 1], np.int32)
    colours, place, counts = np.unique(packed, return_inverse=True, return_counts=True)
    parts = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1)
    palette = parts[np.argsort(-counts, kind="stable")[:256]]
    nearest = np.array([np.abs(palette - each).sum(axis=1).argmin() for each in parts], np.uint8)
    rows = np.zeros((height, width + 1), np.uint8)
    rows[:, 1:] = nearest[place.reshape(height, width)]
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", palette.astype(np.uint8).tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def _statement() -> str:
    """The statement with most lines of the last finished quarter's."""
    from salesops.commissions.models import Statement

    best = (
        Statement.objects.filter(period__end_on__lte=NOW.date()).order_by("-period__start_on", "-earned_minor").first()
    )
    if best is None:
        raise SystemExit("The company has no statement.")
    return f"/commissions/statements/{best.pk}/"


@contextmanager
def _followed() -> Iterator[str]:
    """A connection for the time of its picture, with a few records on its shelf and one object still coming; its page.

    No vendor is asked: the rows are what a vendor would have left.
    """
    from salesops.connectors.models import Connection, RateBudget, RawRecord, Source, Stream
    from salesops.connectors.services.connecting import proposed
    from salesops.connectors.vendors import vendor_of
    from salesops.people.models import User

    minute = timedelta(minutes=1)
    vendor = vendor_of("salesforce")
    source = Source.objects.create(code="picture", name="Salesforce")
    connection = Connection.objects.create(
        source=source,
        vendor=vendor.code,
        state="running",
        account_name="Acme Selling",
        hook_token="the token of a picture",
        next_sync_at=NOW + 3 * minute,
        last_success_at=NOW - 2 * minute,
        made_by=User.objects.filter(role_grants__role="revops").order_by("pk")[0],
        made_at=NOW,
    )
    RateBudget.objects.create(
        connection=connection, tokens_milli=0, filled_at=NOW, day_limit=100_000, day_remaining=98_412
    )
    for position, (code, taken, refused) in enumerate(
        (("User", 28, 0), ("Account", 412, 0), ("Contact", 893, 2), ("Opportunity", 655, 4), ("Task", 230, 0))
    ):
        object = vendor.object(code)
        is_loading = code == "Task"
        stream = Stream.objects.create(
            connection=connection,
            object=code,
            kind=object.kind,
            position=position,
            columns=[],
            mapping=proposed(object, object.columns, currency="USD").as_plain(),
            state="first_load" if is_loading else "following",
            load_began_at=NOW - 4 * minute if is_loading else None,
            load_done=2_300 if is_loading else taken,
            load_total=6_100 if is_loading else taken,
            last_success_at=None if is_loading else NOW - 2 * minute,
        )
        RawRecord.objects.bulk_create(
            RawRecord(
                stream=stream,
                external_id=f"{code}-{number}",
                digest="",
                payload="{}",
                received_at=NOW,
                state="refused" if number < refused else "taken",
            )
            for number in range(taken)
        )
    try:
        yield connection.get_absolute_url()
    finally:
        RawRecord.objects.filter(stream__connection=connection).delete()
        connection.streams.all().delete()
        connection.delete()
        source.delete()


def _take(browser: Browser, url: str, name: str, role: str, path: str, scheme: str, height: int) -> None:
    """Write one picture."""
    page = page_of(browser, url, role, width=1440, height=height, scheme=scheme)
    page.goto(path, wait_until="networkidle")
    png = page.screenshot()
    page.goto("about:blank")
    picture = small(pixels(page, png))
    if len(picture) > BOUND:
        raise SystemExit(f"{name}.png has {len(picture):,} bytes; more than {BOUND:,}.")
    (IMAGES / f"{name}.png").write_bytes(picture)
    print(f"{name}.png {len(picture):,} bytes")
    page.context.close()


def main() -> None:
    """Make the five pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder to keep the demo company in")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="salesops-pictures-") as scratch:
        prepare(given.data or Path(scratch))
        import time_machine

        with time_machine.travel(NOW, tick=True), served() as url, chromium() as browser:
            IMAGES.mkdir(parents=True, exist_ok=True)
            for name, role, path, scheme, height in (
                ("home", "rep", "/", "light", 900),
                ("deals", "manager", "/deals/", "light", 900),
                ("board", "manager", "/deals/board/", "dark", 900),
                ("statement", "finance", _statement(), "light", 1160),
            ):
                _take(browser, url, name, role, path, scheme, height)
            with _followed() as path:
                _take(browser, url, "connection", "revops", path, "light", 700)


if __name__ == "__main__":
    main()
