"""Brings a file in as a person does on the pages: upload, columns, answers, check, import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from salesops.connectors.models import FileImport, Source
from salesops.connectors.rules import mapping as mappings
from salesops.connectors.rules.mapping import FieldRule, Unknown
from salesops.connectors.services import imports, uploads
from salesops.connectors.services.reading import mapping_of
from salesops.core.actor import Actor
from salesops.jobs.testing import run_due
from tests.cast import NOW


@dataclass
class Importer:
    """Somebody who imports files of one source, with a note of the questions they were asked."""

    actor: Actor
    source: Source
    at: datetime = NOW
    asked: list[tuple[str, str]] = field(default_factory=list)

    def upload(self, name: str, content: bytes, kind: str = "") -> FileImport:
        """Upload; say what the rows are where the guess would be wrong."""
        row = uploads.upload(actor=self.actor, name=name, chunks=[content], source=self.source, at=self.at)
        return uploads.choose_kind(actor=self.actor, file_import=row, kind=kind) if kind else row

    def match(
        self,
        row: FileImport,
        *rules: FieldRule,
        without: tuple[str, ...] = (),
        unknown: Mapping[str, Unknown] | None = None,
    ) -> FileImport:
        """Change some columns of the proposal, and what happens to names that are not known."""
        mapping: mappings.Mapping = mapping_of(row)
        for rule in rules:
            mapping = mapping.with_rule(rule)
        for code in without:
            mapping = mapping.without(code)
        for code, what in (unknown or {}).items():
            old = mapping.rule(code)
            assert old is not None, code
            mapping = mapping.with_rule(replace(old, on_unknown=what))
        return uploads.set_mapping(actor=self.actor, file_import=row, mapping=mapping)

    def answer(self, row: FileImport, choose: Callable[[Any], str] | None = None) -> FileImport:
        """Answer what is asked: with the likelier answer, unless `choose` says another."""
        open_now = uploads.open_questions(row)
        self.asked += [(question.setting, question.column) for question in open_now]
        answers = {
            f"{question.setting}:{question.column}": (choose and choose(question))
            or question.suggested
            or question.options[0].value
            for question in open_now
        }
        return uploads.answer_questions(actor=self.actor, file_import=row, answers=answers)

    def check(self, row: FileImport) -> FileImport:
        """See what would happen."""
        imports.preview(actor=self.actor, file_import=row, at=self.at)
        run_due(at=self.at)
        row.refresh_from_db()
        return row

    def run(self, row: FileImport) -> FileImport:
        """Import, and wait for the end."""
        imports.start(actor=self.actor, file_import=row, at=self.at)
        run_due(at=self.at)
        row.refresh_from_db()
        return row

    def bring(self, name: str, content: bytes, kind: str = "") -> FileImport:
        """The whole road for a file whose proposal is right."""
        return self.run(self.answer(self.upload(name, content, kind)))


def counts(row: FileImport) -> tuple[int, int, int, int]:
    """Created, changed, left alone, refused."""
    return row.created_count, row.changed_count, row.unchanged_count, row.refused_count
