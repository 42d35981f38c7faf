"""Headers: the content security policy on every kind of answer, messages with answers to htmx."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib import messages
from django.contrib.messages.storage.fallback import FallbackStorage
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from salesops.core.middleware import STRICT, PartialMessagesMiddleware

Clients = Callable[[str], Client]


def directives(policy: str) -> dict[str, list[str]]:
    """The policy, taken apart."""
    return {part.split()[0]: part.split()[1:] for part in policy.split(";") if part.strip()}


def test_the_strict_policy_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    found = directives(STRICT)
    assert found["default-src"] == found["script-src"] == found["style-src"] == ["'self'"]
    assert found["object-src"] == found["base-uri"] == found["frame-ancestors"] == ["'none'"]
    assert "unsafe" not in STRICT
    assert "*" not in STRICT
    assert "http" not in STRICT


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/no/such/page/", "/account/login/", "/search/?q=x"])
def test_every_answer_carries_the_policy(client_of: Clients, path: str) -> None:
    for client in (client_of("ana"), Client()):
        answer = client.get(path)
        assert answer.headers["Content-Security-Policy"] == STRICT
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"


@pytest.mark.django_db
def test_a_failure_carries_it_too_and_says_nothing(client_of: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("salesops.home.views.find_records", broken)
    client = client_of("ana")
    client.raise_request_exception = False
    answer = client.get("/search/?q=x")
    assert answer.status_code == 500
    assert answer.headers["Content-Security-Policy"] == STRICT
    assert "secret detail" not in answer.content.decode()
    assert "Something went wrong" in answer.content.decode()


def test_no_template_has_inline_scripts_or_styles() -> None:
    found = []
    for file in Path(settings.BASE_DIR / "templates").rglob("*.html"):
        if "mail" in file.relative_to(settings.BASE_DIR / "templates").parts:
            continue
        text = file.read_text()
        for what in (r"\sstyle=", r"\son[a-z]+=[\"']", r"<style\b", r"javascript:", r"hx-on", r"hx-vals=[\"']js:"):
            found += [f"{file.name}: {match[0]}" for match in re.finditer(what, text)]
        found += [
            f"{file.name}: {tag[0]}"
            for tag in re.finditer(r"<script\b[^>]*>", text)
            if "src=" not in tag[0] and 'type="application/json"' not in tag[0]
        ]
    assert found == []


def answer_to(*, is_htmx: bool, **headers: str) -> HttpResponse:
    """What the middleware makes of an answer with a message waiting."""
    request = RequestFactory().get("/")
    request.session = {}  # type: ignore[assignment]
    request._messages = FallbackStorage(request)  # type: ignore[attr-defined]
    request.htmx = is_htmx  # type: ignore[attr-defined]
    messages.success(request, "Saved “Ä”.")

    def view(_request: HttpRequest) -> HttpResponse:
        return HttpResponse("ok", headers=headers)

    return PartialMessagesMiddleware(view)(request)


def test_messages_come_with_answers_to_htmx_only() -> None:
    given = answer_to(is_htmx=True).headers["HX-Trigger"]
    assert given.isascii()
    assert json.loads(given) == {"toast": [{"text": "Saved “Ä”.", "level": "success"}]}
    assert "HX-Trigger" not in answer_to(is_htmx=False).headers
    assert "HX-Trigger" not in answer_to(is_htmx=True, **{"HX-Redirect": "/there/"}).headers
    assert answer_to(is_htmx=True, **{"HX-Trigger": "own"}).headers["HX-Trigger"] == "own"
