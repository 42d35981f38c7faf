"""The first page, and the search over all rooms."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from salesops.core.views import PortalView
from salesops.home.cards import cards_for, tiles_for
from salesops.home.navigation import ACTIONS, GROUPS, PERSONAL, Entry, Link, links_for
from salesops.home.selectors import find_records


class DayView(PortalView):
    """The first page: what to do next, one action a card, and the person's own figures."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The page."""
        cards = cards_for(self.actor, at=self.now)
        tiles = tiles_for(self.actor, at=self.now)
        return render(request, "home/day.html", {"title": _("Home"), "cards": cards, "tiles": tiles})


class SearchView(PortalView):
    """What the command palette shows for a text: pages, actions and records, as options of its list."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """A fragment."""
        text = request.GET.get("q", "")[:100].strip()
        groups: list[dict[str, Any]] = []
        for label, entries in (
            (_("Do"), ACTIONS),
            (_("Go to"), (*(entry for group in GROUPS for entry in group.entries), *PERSONAL)),
        ):
            links = self.matching(entries, text)
            if links:
                groups.append({"label": label, "options": links, "is_dialog": entries is ACTIONS})
        return render(
            request,
            "home/search_results.html",
            {"groups": groups, "found": find_records(self.actor, text)},
        )

    def matching(self, entries: tuple[Entry, ...], text: str) -> list[Link]:
        """The pages whose names hold all words typed."""
        words = text.casefold().split()
        return [
            link for link in links_for(self.actor, entries) if all(word in link.label.casefold() for word in words)
        ][:12]
