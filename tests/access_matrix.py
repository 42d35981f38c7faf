"""Every address of the portal × every role, with the answer expected. An address without a row fails.

Who asks: `rep` is Ana of pod North, whose rows the scene holds; `other` is Alba, a rep of pod South; `manager` is Max,
Ana's; the rest hold one role each; `norole` may log in and nothing else. Anyone not named in a row is expected to get
`otherwise`. `anonymous` is sent to the log-in page everywhere but on OPEN addresses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.scene import Scene

WHO = {
    "rep": "ana",
    "other": "alba",
    "manager": "max",
    "revops": "rita",
    "finance": "finn",
    "executive": "elsa",
    "admin": "ada",
    "norole": "norm",
}


@dataclass(frozen=True)
class Row:
    """One address: how to reach it and who gets what. `expect` maps a status to the people who get it."""

    name: str
    expect: dict[int, str]
    otherwise: int = 403
    method: str = "GET"
    kwargs: Callable[[Scene], dict[str, Any]] = field(default=lambda scene: {})
    data: Callable[[Scene], dict[str, Any]] = field(default=lambda scene: {})

    def status_for(self, who: str) -> int:
        """The status that this person should get."""
        for status, people in self.expect.items():
            if who in people.split():
                return status
        return self.otherwise


EVERYONE = " ".join(WHO)

#: Addresses that need no log-in.
OPEN: set[str] = set()

ROWS: list[Row] = []
