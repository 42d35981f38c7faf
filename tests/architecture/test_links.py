"""No page offers what its reader may not open: every link of the pages each role sees leads to a page."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from django.test import Client
from django.urls import Resolver404, resolve

from tests.scene import Scene

_LINK = re.compile(r"<a\b[^>]*?\bhref=\"([^\"]*)\"")
_LOADED = re.compile(r"<[^>]*?\bhx-get=\"([^\"]*)\"[^>]*?\bhx-trigger=\"load")
#: Logging out ends the walk, and the admin site has tests of its own.
_NOT_OURS = {"account_logout", "set_language"}
#: So many pages of one kind are opened: what differs between them is whose they are.
_ALIKE = 1
#: One person for each role, and one without any.
READERS = ("ana", "max", "rita", "finn", "elsa", "ada", "norm")


def links_of(page: str, html: str) -> Iterator[str]:
    """The portal's own addresses in a page: of its links, and of the parts that it loads by itself."""
    for found in [*_LINK.findall(html), *_LOADED.findall(html)]:
        parts = urlsplit(urljoin(page, unescape(found)))
        if parts.scheme or parts.netloc or found.startswith("#"):
            continue
        yield parts.path + (f"?{parts.query}" if parts.query else "")


def name_of(address: str) -> str:
    """Which page an address names."""
    try:
        return resolve(urlsplit(address).path).view_name
    except Resolver404:
        return ""


def broken_links(client: Client) -> list[str]:
    """Links that lead nowhere, from the first page over the lists to the first page of each kind, and one step on."""
    visited: set[Any] = set()
    alike: Counter[Any] = Counter()
    read: set[str] = set()
    broken: list[str] = []
    waiting = deque([("/", "", True)])
    while waiting:
        address, origin, is_entry = waiting.popleft()
        parts, name = urlsplit(address), name_of(address)
        key = (parts.path, *sorted(parse_qs(parts.query, keep_blank_values=True)))
        if key in visited or name in _NOT_OURS or name.startswith("admin:"):
            continue
        visited.add(key)
        alike[name, key[1:]] += 1
        if alike[name, key[1:]] > _ALIKE:
            continue
        response = client.get(address)
        if response.status_code >= 400:
            broken.append(f"{response.status_code} {address} on {origin}")
        elif 300 <= response.status_code < 400:
            waiting.append((urljoin(address, response.headers["Location"]), origin, is_entry))
        elif not response.headers.get("Content-Type", "").startswith("text/html") or not name or name in read:
            continue
        elif is_entry or name.endswith(("_detail", "_list", ":timeline")):
            # One page of each kind is read; of the others it is enough that they open.
            read.add(name)
            waiting.extend((link, address, False) for link in links_of(address, response.content.decode()))
    return broken


@pytest.mark.parametrize("who", READERS)
def test_every_link_opens(who: str, scene: Scene, client_of: Callable[[str], Client]) -> None:
    assert broken_links(client_of(who)) == []
