"""Printed examples of the field, read from beside the project; tests that need them skip where they are absent."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "gtm_cases.json"


@cache
def _cases() -> dict[str, dict[str, Any]]:
    return {case["id"]: case for case in json.loads(CASES.read_text(encoding="utf-8"))["cases"]}


def case_of(name: str) -> dict[str, Any]:
    """One case by its id."""
    if not CASES.exists():
        pytest.skip("the printed examples are not beside the project")
    return _cases()[name]
