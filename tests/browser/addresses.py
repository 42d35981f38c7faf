"""Which pages there are and who looks at them: taken from the access matrix, so that a new page is walked over too."""

from __future__ import annotations

from typing import Final

from django.urls import reverse

from tests.access_matrix import ROWS, WHO
from tests.scene import Scene

#: Answers that are no pages: files, and pieces of pages that other pages fetch.
NO_PAGES: Final = frozenset(
    {
        "commissions:statement_bundle",
        "commissions:payrollfile_download",
        "accounts:account_options",
        "deals:account_options",
        "activities:subject_options",
        "notices:notice_bell",
        "jobs:job_progress",
    }
)
#: Who looks at a page that several may see: the one to whom it shows most.
_LOOKERS: Final = ("admin", "finance", "revops", "manager", "rep")


def pages(scene: Scene) -> dict[str, list[str]]:
    """The addresses of all pages, by the person of the cast who looks at them."""
    found: dict[str, list[str]] = {}
    for row in ROWS:
        if row.method != "GET" or row.name in NO_PAGES:
            continue
        looker = next((who for who in _LOOKERS if row.status_for(who) == 200), None)
        if looker:
            found.setdefault(WHO[looker], []).append(reverse(row.name, kwargs=row.kwargs(scene)))
    return found
