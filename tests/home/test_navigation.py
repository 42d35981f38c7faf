"""The menu, the palette's actions and the person's own menu lead nowhere that says no."""

from __future__ import annotations

import pytest
from django.urls import reverse

from salesops.home.navigation import ACTIONS, GROUPS, PERSONAL, Entry, links_for
from tests.access_matrix import ROWS, WHO
from tests.cast import Cast

pytestmark = pytest.mark.django_db

ENTRIES: tuple[Entry, ...] = (*(entry for group in GROUPS for entry in group.entries), *ACTIONS, *PERSONAL)


@pytest.mark.parametrize("who", WHO)
def test_every_link_may_be_opened(cast: Cast, who: str) -> None:
    """What the access matrix refuses to somebody is not offered to them."""
    answers = {
        reverse(row.name): row.status_for(who)
        for row in ROWS
        if row.method == "GET" and row.name in {entry.url_name for entry in ENTRIES}
    }
    offered = links_for(cast.actor(WHO[who]), ENTRIES)
    # Some lead on to the newest of their pages, which the matrix has a row of its own for.
    refused = [(link.label, answers[link.url]) for link in offered if answers.get(link.url, 200) not in (200, 302)]
    assert not refused


def test_every_entry_exists() -> None:
    """No entry names a page that is not there."""
    for entry in ENTRIES:
        reverse(entry.url_name)
