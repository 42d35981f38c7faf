"""Other systems are asked over HTTP through one door only, where the guard stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DOOR = "salesops/connectors/wire.py"
#: What opens connections of its own. (The portal's own servers are reached by their drivers.)
WAYS_OUT = ("aiohttp", "ftplib", "http.client", "httpcore", "httpx", "requests", "urllib.request", "urllib3", "xmlrpc")


def imported(text: str) -> Iterator[str]:
    """Every module that a file imports, wherever in it; of `from a import b` both `a` and `a.b`."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def ways_out(text: str) -> set[str]:
    return {way for name in imported(text) for way in WAYS_OUT if name == way or name.startswith(f"{way}.")}


def test_nothing_else_asks_other_systems() -> None:
    wrong = {
        path: found
        for file in sorted((ROOT / "salesops").rglob("*.py"))
        if (path := str(file.relative_to(ROOT))) != DOOR and (found := ways_out(file.read_text(encoding="utf-8")))
    }
    assert wrong == {}


@pytest.mark.parametrize(
    ("line", "way"),
    [
        ("import httpx", "httpx"),
        ("from httpx import Client", "httpx"),
        ("import urllib.request as r", "urllib.request"),
        ("from urllib import request", "urllib.request"),
        ("from urllib.request import urlopen", "urllib.request"),
        ("def f():\n    from http import client", "http.client"),
        ("import requests.sessions", "requests"),
    ],
)
def test_a_second_door_is_found(line: str, way: str) -> None:
    assert ways_out(line) == {way}


def test_what_asks_nobody_is_left_alone() -> None:
    assert ways_out("from urllib.parse import quote\nfrom http import HTTPStatus\nfrom .requests import ask") == set()


def test_the_door_is_there() -> None:
    assert "httpx" in ways_out((ROOT / DOOR).read_text(encoding="utf-8"))
