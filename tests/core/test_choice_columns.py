"""Columns of choices: every table of the portal says each choice in the reader's words, on the page and in files."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
from django.apps import apps
from django.db.models import Field
from django.utils import translation
from django.utils.html import strip_tags

from salesops.commissions.models import Statement
from salesops.commissions.tables import StatementTable
from salesops.connectors.tables import ConnectionTable
from salesops.core.tables import BadgeColumn, ChoiceColumn, PortalTable
from salesops.jobs.models import Job
from salesops.jobs.tables import JobTable
from tests.cast import NOW

#: What else a row has whose choice is said as it is: a connection that was never in step loads for the first time.
GIVEN: dict[type[PortalTable], dict[str, Any]] = {ConnectionTable: {"last_success_at": NOW}}


def tables() -> list[type[PortalTable]]:
    """All tables of the rooms."""
    for room in apps.get_app_configs():
        if room.name.startswith("salesops.") and find_spec(f"{room.name}.tables"):
            import_module(f"{room.name}.tables")
    found = [table for table in PortalTable.__subclasses__() if table.__module__.startswith("salesops.")]
    return sorted(found, key=lambda table: table.__qualname__)


def columns() -> list[Any]:
    """Each column of each table that reads a field with choices of the row itself, and every badge."""
    found = []
    for table in tables():
        for name, column in table.base_columns.items():
            accessor = str(column.accessor or name)
            model: Any = table._meta.model
            fields = model._meta.concrete_fields if model else ()
            field: Any = next((each for each in fields if each.name == accessor), None)
            if isinstance(column, ChoiceColumn) or (field is not None and field.choices):
                found.append(pytest.param(table, name, field, id=f"{table.__name__}-{name}"))
    return found


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize(("table", "name", "field"), columns())
def test_a_choice_is_said_in_words(
    table: type[PortalTable], name: str, field: Field[Any, Any] | None, language: str
) -> None:
    """Exactly the translated label; a column of another row's name (the stage of a deal) has no choices to say."""
    if field is None:
        assert (table.__name__, name) in {("DealTable", "stage"), ("CreditTable", "state")}
        return
    assert field.choices, "a badge of a field without choices"
    model: Any = table._meta.model
    with translation.override(language):
        for value, label in field.flatchoices:
            shown_of = table([], columns_shown=[name])
            record = model(**{field.attname: value}, **GIVEN.get(table, {}))
            html = shown_of._shower(name)[2](record)
            said = re.sub(r"\s+", " ", strip_tags(html)).strip()
            exported = next(shown_of.file_rows([record]))[shown_of.shown.index(name)]
            own = hasattr(table, f"show_{name}")
            assert (said.split(" ")[0] if own else said) == (str(label).split(" ")[0] if own else str(label)), value
            assert exported == str(label), value


def test_there_are_badges_to_look_at() -> None:
    seen = {(param.values[0], param.values[1]) for param in columns()}
    assert {(StatementTable, "state"), (JobTable, "state")} <= seen
    badges = sum(isinstance(each, BadgeColumn) for table in tables() for each in table.base_columns.values())
    assert badges >= 8


@pytest.mark.parametrize(
    ("language", "statement", "job"), [("en", "To be approved", "Given up"), ("zh-hans", "待批准", "已放弃")]
)
def test_the_words_themselves(language: str, statement: str, job: str) -> None:
    with translation.override(language):
        assert f">{statement}<" in StatementTable([])._shower("state")[2](Statement(state="draft"))
        assert f">{job}<" in JobTable([])._shower("state")[2](Job(state="dead"))


def test_what_comes_round_is_named_in_the_readers_language() -> None:
    job = Job(pk=1, kind="jobs.tidy", title="Old jobs are cleared away", state="done")
    said = {}
    for language in ("en", "zh-hans"):
        with translation.override(language):
            said[language] = strip_tags(JobTable([])._shower("title")[2](job))
            assert next(JobTable([]).file_rows([job]))[0] == said[language]
    assert said["en"] == "Old jobs are cleared away"
    assert said["zh-hans"] == "清理旧作业"
    assert said["zh-hans"] != said["en"]
