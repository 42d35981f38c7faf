"""No path leads from effort to pay, to who gets which lead, or to promotion: not in code, not in the database."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from django.apps import apps
from django.db import models

from salesops.core.guards import declared_rules
from salesops.leads.rules.fields import OF_A_LEAD
from salesops.people.models import User

ROOT = Path(__file__).resolve().parents[2]
#: The rooms that pay, route, promote, and all they stand on.
OTHERS = (
    "values", "core", "jobs", "audit", "people", "notices", "pods", "accounts", "leads", "deals", "activities",
    "commissions", "connectors",
)  # fmt: skip
#: Where a room above may know it: its pages and its demo.
ABOVE = {"home/navigation.py", "home/demo/effort.py", "home/demo/services.py"}
#: What code that reads it would have to say.
_READS = re.compile(
    r"salesops\.effort|effort_effort|Effort(?:Score|Day|Policy|Target|Version|Contest|CheckIn|Look)\b|effort__|\beffort_"
)
_APP = apps.get_app_config("effort")


def test_effort_stands_beside_pay_in_the_contract() -> None:
    """Neighbours do not import each other, and lower rooms import nothing from above: import-linter fails otherwise."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [each["layers"] for each in contracts if each["name"].startswith("Rooms import only")]
    (level,) = [place for place, layer in enumerate(layers) if "effort" in layer.split(" | ")]
    assert sorted(layers[level].split(" | ")) == ["commissions", "connectors", "effort"]
    below = {room for layer in layers[level + 1 :] for room in layer.split(" | ")}
    assert below >= {"leads", "people", "pods", "deals", "activities"}


def test_no_other_room_names_it() -> None:
    found = []
    for room in OTHERS:
        for path in sorted((ROOT / "salesops" / room).rglob("*.py")):
            found += [f"{path.relative_to(ROOT)}: {hit}" for hit in _READS.findall(path.read_text(encoding="utf-8"))]
    assert found == []
    above = {
        str(path.relative_to(ROOT / "salesops"))
        for path in (ROOT / "salesops" / "home").rglob("*.py")
        if _READS.search(path.read_text(encoding="utf-8"))
    }
    assert above <= ABOVE


def test_the_search_would_find_it() -> None:
    for text in (
        "from salesops.effort.models import EffortScore",
        "SELECT score FROM effort_effortscore",
        'apps.get_model("effort", "EffortScore")',
        "person.effort_scores.all()",
        "filter(person__effort__score__lt=3)",
    ):
        assert _READS.search(text), text


def test_no_foreign_key_of_another_room_points_at_it() -> None:
    ours = set(_APP.get_models())
    found = [
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models(include_auto_created=True)
        if model not in ours
        for field in model._meta.get_fields(include_hidden=True)
        if field.concrete and field.related_model in ours
    ]
    assert found == []


def test_nothing_leads_here_from_the_other_side_of_a_foreign_key() -> None:
    """From a person, a record or an entity no attribute and no query comes here."""
    named = []
    for model in _APP.get_models():
        for field in model._meta.get_fields():
            is_outward = isinstance(field, models.ForeignKey) and field.related_model not in set(_APP.get_models())
            if is_outward and not field.remote_field.hidden:
                named.append(f"{model._meta.label}.{field.name}")
    assert named == []
    assert not [name for name in dir(User) if "effort" in name.lower()]
    lookups = {field.name for field in User._meta.get_fields()}
    assert not [name for name in lookups if "effort" in name]


def test_no_condition_can_ask_for_it() -> None:
    """What conditions of routing, scores and plans may ask is named in lists; none of them has it."""
    assert not [name for name in OF_A_LEAD if "effort" in name.lower()]
    rules = [path for room in ("commissions", "leads") for path in (ROOT / "salesops" / room / "rules").rglob("*.py")]
    assert len(rules) > 30
    assert not [path for path in rules if "effort" in path.read_text(encoding="utf-8").lower()]


def test_no_trigger_of_the_database_carries_it_over() -> None:
    for name, (table, statements) in {**declared_rules("sqlite"), **declared_rules("postgresql")}.items():
        if not table.startswith("effort_"):
            assert not any("effort_" in statement for statement in statements), name
        else:
            assert not any("commissions_" in statement or "leads_" in statement for statement in statements), name
