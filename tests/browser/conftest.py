"""What the browser tests share: one Chromium, the portal served to it from this process, people who are logged in."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import time_machine
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.test import Client
from django.test.testcases import LiveServerThread
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from salesops.jobs.testing import run_due
from tests.browser.watching import Watch
from tests.cast import NOW
from tests.scene import Scene, make_scene

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

#: How long a page may take to become what a test waits for, in milliseconds; only a failing test waits so long.
PATIENCE = 30_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder; skip it, saying so, where there is no Chromium."""
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker(pytest.mark.browser)
            if not CHROMIUM:
                item.add_marker(pytest.mark.skip(reason="Chromium is not installed (or name it in CHROMIUM)"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests."""
    # Playwright keeps an event loop in this thread, which Django would take for asynchronous code.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class _InTurn(StaticFilesHandler):
    """Answers one request at a time: on SQLite in memory all threads share one connection, and one transaction."""

    turn = threading.RLock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self.turn:
            return super().__call__(environ, start_response)


class _StaticInTurn(_InTurn):
    """As Django's thread wants it: made around the application."""

    def __init__(self, application: WSGIHandler) -> None:
        super().__init__(application)


@dataclass
class Portal:
    """The portal as a browser sees it, with the scene's things in it."""

    url: str
    scene: Scene
    chromium: Browser
    contexts: list[BrowserContext]
    watch: Watch
    clock: time_machine.Traveller

    @contextlib.contextmanager
    def database(self) -> Iterator[None]:
        """The test's own turn with the database, between requests."""
        with _InTurn.turn:
            yield

    def run_jobs(self) -> None:
        """Do what a worker would do now."""
        with self.database():
            run_due()

    def page(self, who: str = "", *, width: int = 1280, height: int = 800, scheme: str = "light") -> Page:
        """A page of a browser of its own in which this person is logged in; nobody without a name."""
        context = self.chromium.new_context(
            base_url=self.url,
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
            locale="en",
            timezone_id="UTC",
        )
        context.set_default_timeout(PATIENCE)
        self.contexts.append(context)
        if who:
            with self.database():
                session = session_of(self.scene, who)
            context.add_cookies([{"name": "sessionid", "value": session, "url": self.url}])
        page = context.new_page()
        self.watch.over(page)
        return page


def session_of(scene: Scene, who: str) -> str:
    """A session in which a person of the cast gave password and second factor."""
    person = scene.cast.people[who]
    client = Client()
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    session = client.session
    session["account_authentication_methods_user"] = str(person.pk)
    session["account_authentication_methods"] = [
        {"method": "password", "at": NOW.timestamp()},
        {"method": "mfa", "type": "totp", "at": NOW.timestamp()},
    ]
    session.save()
    return str(session.session_key)


@pytest.fixture
def portal(transactional_db: None, chromium: Browser) -> Iterator[Portal]:
    """The portal on a free port of this machine, on the day of the cast, with the scene in it."""
    from tests.cast import make_cast

    with time_machine.travel(NOW, tick=True) as clock:
        scene = make_scene(make_cast())
        shared = {
            connection.alias: connection
            for connection in connections.all()
            if connection.vendor == "sqlite" and connection.is_in_memory_db()
        }
        for connection in shared.values():
            if not connection.allow_thread_sharing:
                connection.inc_thread_sharing()  # and never back: idle connections of a browser end late
        server = LiveServerThread("127.0.0.1", _StaticInTurn, connections_override=shared)
        server.daemon = True
        server.start()
        server.is_ready.wait()
        assert server.error is None, server.error
        watch = Watch()
        portal = Portal(f"http://127.0.0.1:{server.port}", scene, chromium, [], watch, clock)
        try:
            yield portal
        finally:
            for context in portal.contexts:
                context.close()
            server.terminate()
    watch.nothing_wrong()
