"""Where the real files lie that some tests read; they are no part of the project."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
#: What vendors publish about themselves.
VENDORS = SHARED.parent / "vendors"


def shared(name: str) -> Path:
    """The path of a shared file. Skips the test, saying so, where it is absent."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the shared file {name} is not here ({SHARED})")
    return path
