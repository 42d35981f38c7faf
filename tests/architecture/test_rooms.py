"""The order of the rooms, kept where import-linter cannot see: foreign keys, money columns, names of files."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

ROOT = Path(__file__).resolve().parent.parent.parent
#: From the top down; a room may point only at rooms further down, or at itself.
ORDER = [
    ["config"],
    ["home"],
    ["reorganisations"],
    ["connectors", "commissions", "effort"],
    ["activities"],
    ["deals"],
    ["leads"],
    ["accounts"],
    ["pods"],
    ["notices"],
    ["people"],
    ["audit"],
    ["jobs"],
    ["core"],
]
HEIGHT = {room: len(ORDER) - level for level, rooms in enumerate(ORDER) for room in rooms}
OURS = [model for model in apps.get_models(include_auto_created=True) if model.__module__.startswith("salesops.")]
MONEY_WORDS = (
    "amount",
    "price",
    "mrr",
    "revenue",
    "commission",
    "payout",
    "quota",
    "balance",
    "earned",
    "paid",
    "cost",
    "salary",
)


def points_down(here: str, there: str) -> bool:
    """A foreign key may stay in its room or go to a lower one; rooms on one level do not know each other."""
    return here == there or HEIGHT[there] < HEIGHT[here]


def test_foreign_keys_point_down() -> None:
    wrong = []
    for model in OURS:
        for field in model._meta.get_fields():
            if isinstance(field, models.ForeignKey | models.OneToOneField | models.ManyToManyField):
                target = field.related_model
                if isinstance(target, type) and target.__module__.startswith("salesops."):
                    here, there = model._meta.app_label, target._meta.app_label
                    if not points_down(here, there):
                        wrong.append(f"{model._meta.label}.{field.name} -> {target._meta.label}")
    assert wrong == []


def test_a_key_that_points_up_is_found() -> None:
    assert not points_down("people", "deals")
    assert not points_down("connectors", "commissions")
    assert points_down("deals", "people")


def test_no_float_or_decimal_column_holds_money() -> None:
    wrong = [
        f"{model._meta.label}.{field.name}"
        for model in OURS
        for field in model._meta.get_fields()
        if isinstance(field, models.FloatField | models.DecimalField)
    ]
    assert wrong == [], "use integer minor units for money, ExactDecimalField for rates"


def test_money_columns_are_big_integers_named_minor() -> None:
    wrong = []
    for model in OURS:
        for field in model._meta.get_fields():
            if not isinstance(field, models.Field) or field.is_relation:
                continue
            if field.name.endswith("_minor") and not isinstance(field, models.BigIntegerField):
                wrong.append(f"{model._meta.label}.{field.name} is not a BigIntegerField")
            is_number = isinstance(field, models.IntegerField)
            if (
                is_number
                and not field.name.endswith(("_minor", "_id", "_bp", "_at"))
                and any(word in field.name.split("_") for word in MONEY_WORDS)
            ):
                wrong.append(f"{model._meta.label}.{field.name} looks like money but is not named _minor")
    assert wrong == []


def test_a_row_with_money_names_its_currency() -> None:
    #: Rows whose currency stands on the row they belong to.
    by_parent = {
        "deals.DealLine": "deal",
    }
    #: Rows that state sums in the company's currency: how much may change in one go, and how much would.
    of_the_company = {"connectors.Connection", "connectors.Hold"}
    wrong = []
    for model in OURS:
        names = {field.name for field in model._meta.get_fields()}
        if model._meta.label in of_the_company:
            continue
        if any(name.endswith("_minor") for name in names) and not any(name.endswith("currency") for name in names):
            parent = by_parent.get(model._meta.label) or getattr(model, "currency_from", "")
            if not parent or parent not in names:
                wrong.append(model._meta.label)
    assert wrong == []


@pytest.mark.parametrize("name", ["utils.py", "helpers.py", "signals.py", "misc.py", "common.py"])
def test_no_drawer_for_odds_and_ends(name: str) -> None:
    assert list((ROOT / "salesops").rglob(name)) == []


def test_every_file_says_what_it_is_for() -> None:
    silent = []
    for path in sorted((ROOT / "salesops").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if not text.strip() or path.parent.name == "migrations":
            continue
        if ast.get_docstring(ast.parse(text)) is None:
            silent.append(str(path.relative_to(ROOT)))
    assert silent == []


def test_only_edges_read_the_clock() -> None:
    """Services, selectors, models and rules are handed the time."""
    forbidden = ("timezone.now(", "datetime.now(", "date.today(", "time.time(", "localdate(")
    edges = ("views", "api", "admin", "tasks", "management", "middleware", "runner", "demo", "apps")
    wrong = []
    for path in sorted((ROOT / "salesops").rglob("*.py")):
        parts = path.relative_to(ROOT / "salesops").parts
        if any(part.removesuffix(".py") in edges for part in parts) or parts[0] == "jobs":
            continue
        text = path.read_text(encoding="utf-8")
        wrong += [f"{'/'.join(parts)}: {word}" for word in forbidden if word in text]
    assert wrong == []
