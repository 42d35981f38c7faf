"""The mark for "nothing was said": a field of an imported record that is left alone, unlike one that is emptied."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Unset(Enum):
    """The type of UNSET, for annotations such as `str | None | Unset`."""

    UNSET = "unset"

    def __bool__(self) -> bool:
        """Never true, so that `value or default` reads well."""
        return False

    def __repr__(self) -> str:
        """Short in messages."""
        return "UNSET"


UNSET: Final = Unset.UNSET
