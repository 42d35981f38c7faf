"""Which pages there are and who looks at them: taken from the access matrix, so that a new page is walked over too."""

from __future__ import annotations

from typing import Final

from django.urls import reverse

from tests.access_matrix import ROWS, WHO, Row
from tests.scene import Scene

#: Answers that are files; a browser does not show them.
FILES: Final = frozenset(
    {
        "commissions:statement_bundle",
        "commissions:statement_pdf",
        "commissions:payrollfile_download",
        "commissions:version_file",
        "effort:effort_export",
        "api:schema",
    }
)
#: Who looks at a page: the first of these who may see it.
_LOOKERS: Final = ("manager", "revops", "finance", "admin", "rep", "norole")


def _looker(row: Row) -> str:
    """The name of the person of the cast who looks at this page; empty when nobody of them may."""
    if row.method != "GET" or row.name in FILES:
        return ""
    return next((WHO[who] for who in _LOOKERS if row.status_for(who) == 200), "")


#: Everybody who has a page to look at.
LOOKERS: Final = tuple(sorted({_looker(row) for row in ROWS} - {""}))


def pages(scene: Scene, who: str) -> list[str]:
    """The addresses that this person of the cast looks at."""
    return [reverse(row.name, kwargs=row.kwargs(scene)) for row in ROWS if _looker(row) == who]
