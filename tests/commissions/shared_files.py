"""Where the public examples lie that these tests read: beside the project, never in it."""

from pathlib import Path

SHARED = Path(__file__).resolve().parents[3] / "shared"
ADVENTUREWORKS = SHARED / "data" / "adventureworks"
CASES = SHARED / "cases" / "commission_cases.json"
