"""Takes a file in: stores it, looks at it, proposes what its columns mean."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from salesops.audit.services import record
from salesops.connectors.choices import CHANGEABLE, IMPORTS, ImportState
from salesops.connectors.destinations import kinds_taken
from salesops.connectors.models import ConfirmedName, FileImport, SavedMapping, Source
from salesops.connectors.rules import files
from salesops.connectors.rules.fields import LookupKind
from salesops.connectors.rules.mapping import Mapping, signature
from salesops.connectors.rules.profile import TableProfile, profile_of
from salesops.connectors.rules.proposals import guess_kinds, propose
from salesops.connectors.rules.questions import Question, answer, questions
from salesops.connectors.rules.tables import FileRefused, Layout, Limits, Reading, Row
from salesops.connectors.services.reading import layout_of, mapping_of, path_of
from salesops.core import features
from salesops.core.actor import Actor, Noun, Scope
from salesops.values.outcomes import Problem

#: Rows that are looked at to propose a mapping and to find conventions: enough evidence, bounded time.
PROFILED = 20_000


def limits() -> Limits:
    """The file limits of this installation."""
    return Limits(file_bytes=settings.IMPORT_MAX_BYTES)


def _need(actor: Actor) -> int:
    if actor.sight(Noun.IMPORT) < Scope.ALL or actor.user_id is None:
        raise PermissionDenied(_("Only revenue operations and administrators import files."))
    return actor.user_id


def upload(
    *, actor: Actor, name: str, chunks: Iterable[bytes], source: Source, at: datetime, reading: Reading | None = None
) -> FileImport:
    """Store a file and look at it. A file that cannot be a table is kept as refused, with the reasons.

    Raises ValidationError when it is larger than allowed; nothing is kept then.
    """
    return keep(
        actor=actor, looked_at=look_at(actor=actor, name=name, chunks=chunks, reading=reading), source=source, at=at
    )


def look_at(*, actor: Actor, name: str, chunks: Iterable[bytes], reading: Reading | None = None) -> FileImport:
    """Store a file and look at it, outside any transaction since that takes a while; `keep` or `forget` it then.

    Raises ValidationError when it is larger than allowed.
    """
    _need(actor)
    folder = Path(settings.MEDIA_ROOT) / "imports"
    folder.mkdir(parents=True, exist_ok=True)
    stored = folder / f"{uuid.uuid4().hex}.upload"
    digest, size = hashlib.sha256(), 0
    try:
        with stored.open("wb") as out:
            for chunk in chunks:
                size += len(chunk)
                if size > settings.IMPORT_MAX_BYTES:
                    raise ValidationError(too_large_text())
                digest.update(chunk)
                out.write(chunk)
        row = FileImport(
            file_name=Path(name).name[:200] or "upload",
            stored_as=f"imports/{stored.name}",
            size_bytes=size,
            sha256=digest.hexdigest(),
        )
        inspect(file_import=row, reading=reading)
        if row.state == ImportState.REFUSED and not may_be_read_again(row):
            forget(looked_at=row)
            row.stored_as = ""
    except BaseException:
        stored.unlink(missing_ok=True)
        raise
    return row


@transaction.atomic
def keep(*, actor: Actor, looked_at: FileImport, source: Source, at: datetime) -> FileImport:
    """Begin the import of a file that was looked at. Raises SwitchedOffError while imports are switched off."""
    features.need(IMPORTS)
    row = looked_at
    row.source, row.uploaded_by_id, row.uploaded_at = source, _need(actor), at
    row.save()
    record(
        actor=actor,
        action="import.uploaded",
        subject=row,
        after={"file": row.file_name, "bytes": row.size_bytes, "sha256": row.sha256},
        at=at,
    )
    return row


def forget(*, looked_at: FileImport) -> None:
    """Remove a file that was looked at and not kept, as after a form that was posted twice."""
    if looked_at.stored_as:
        path_of(looked_at).unlink(missing_ok=True)


def may_be_read_again(file_import: FileImport) -> bool:
    """Whether the file is there and can be read another way, also one that was refused for its encoding alone."""
    if file_import.state == ImportState.REFUSED:
        problems = {problem["code"] for problem in file_import.problems}
        return bool(file_import.stored_as) and problems == {"file-encoding"}
    return file_import.state in CHANGEABLE


def too_large_text() -> str:
    """What is said about a file that is larger than allowed."""
    return _("The file is larger than %(most)s MB. Divide it and upload the parts one after the other.") % {
        "most": settings.IMPORT_MAX_BYTES // (1024 * 1024)
    }


def inspect(*, file_import: FileImport, reading: Reading | None = None) -> None:
    """Find out how the file is read and propose a mapping; the caller saves it. `reading`: what a person decided."""
    with path_of(file_import).open("rb") as stream:
        found = files.inspect(stream, file_import.file_name, reading, limits())
    file_import.notes = [note.as_plain() for note in found.notes]
    file_import.preview = {"sheets": list(found.sheets)}
    if found.layout is None:
        file_import.state = ImportState.REFUSED
        file_import.problems = [problem.as_plain() for problem in found.problems]
        return
    file_import.layout = found.layout.as_plain()
    file_import.problems = []
    file_import.state = ImportState.MAPPING
    saved = SavedMapping.objects.filter(signature=signature(found.layout.headers)).order_by("-used_at", "-pk").first()
    if saved is not None and Mapping.from_plain(saved.definition).unwrap().fits(found.layout.headers):
        file_import.kind, file_import.mapping, file_import.saved_mapping = saved.kind, saved.definition, saved
        return
    taken = kinds_taken()
    guesses = [guess.kind for guess in guess_kinds(found.layout.headers, file_import.file_name) if guess.kind in taken]
    file_import.kind = guesses[0] if guesses else taken[0]
    _propose(file_import)


def _propose(file_import: FileImport) -> None:
    proposal = propose(file_import.kind, profile_for(file_import), currency=settings.COMPANY_CURRENCY)
    file_import.mapping = proposal.mapping.as_plain()
    file_import.saved_mapping = None


def profile_for(file_import: FileImport) -> TableProfile:
    """What the columns of the file hold, from its first rows."""
    return _profile(path_of(file_import), json.dumps(file_import.layout, sort_keys=True))


@lru_cache(maxsize=16)
def _profile(path: Path, layout_text: str) -> TableProfile:
    """A stored file never changes, so what was found out about it is kept for the next step of the same person."""
    layout = Layout.from_plain(json.loads(layout_text))
    with path.open("rb") as stream:
        return profile_of(layout.headers, _readable(files.rows(stream, layout)))


def _readable(rows: Iterator[Row]) -> Iterator[Row]:
    """The first rows, as far as the file can be read: where it is cut, the import says so."""
    try:
        yield from islice(rows, PROFILED)
    except FileRefused:
        return


def open_questions(file_import: FileImport) -> tuple[Question, ...]:
    """What a person must still say before the file can be read."""
    return questions(mapping_of(file_import), profile_for(file_import))


def _changeable(file_import: FileImport, *, or_refused: bool = False) -> FileImport:
    row = FileImport.objects.select_for_update().get(pk=file_import.pk)
    if row.state not in CHANGEABLE and not (or_refused and may_be_read_again(row)):
        raise ValidationError(_("This import has begun; its mapping cannot be changed any more."))
    row.job_id = None  # a job that was stopped with the columns as they were must not go on with others
    return row


@transaction.atomic
def choose_kind(*, actor: Actor, file_import: FileImport, kind: str) -> FileImport:
    """Say what the rows are; the mapping is proposed anew."""
    _need(actor)
    row = _changeable(file_import)
    if kind not in kinds_taken():
        raise ValidationError(_("Choose one of the kinds offered."))
    row.kind, row.state = kind, ImportState.MAPPING
    row.preview = {"sheets": row.preview.get("sheets", [])}
    _propose(row)
    row.save()
    return row


@transaction.atomic
def read_again(*, actor: Actor, file_import: FileImport, reading: Reading) -> FileImport:
    """Look at the file again with another encoding, delimiter, sheet or header line.

    Raises ValidationError, and leaves everything as it was, when it cannot be read that way.
    """
    _need(actor)
    row = _changeable(file_import, or_refused=True)
    inspect(file_import=row, reading=reading)
    if row.state == ImportState.REFUSED:
        raise ValidationError([Problem.from_plain(each).text(_) for each in row.problems])
    row.save()
    return row


@transaction.atomic
def set_mapping(*, actor: Actor, file_import: FileImport, mapping: Mapping) -> FileImport:
    """Keep a changed mapping; what was previewed by the old one is forgotten."""
    _need(actor)
    row = _changeable(file_import)
    if not mapping.fits(layout_of(row).headers):
        raise ValidationError(_("The file has no such column."))
    row.mapping, row.state = mapping.as_plain(), ImportState.MAPPING
    row.preview = {"sheets": row.preview.get("sheets", [])}
    row.save()
    return row


def answer_questions(*, actor: Actor, file_import: FileImport, answers: dict[str, str]) -> FileImport:
    """Answer open questions: "setting:column" to the value chosen. Raises ValidationError for an answer not offered."""
    mapping = mapping_of(file_import)
    for question in open_questions(file_import):
        value = answers.get(f"{question.setting}:{question.column}", "")
        if value:
            try:
                mapping = answer(mapping, question, value)
            except ValueError as error:
                raise ValidationError(_("Choose one of the answers offered.")) from error
    return set_mapping(actor=actor, file_import=file_import, mapping=mapping)


@transaction.atomic
def save_mapping(*, actor: Actor, file_import: FileImport, name: str, at: datetime) -> SavedMapping:
    """Keep the mapping under a name; files with the same columns are recognised by it."""
    user_id = _need(actor)
    name = name.strip()
    if not name:
        raise ValidationError(_("Give the mapping a name."))
    layout = layout_of(file_import)
    saved, _is_new = SavedMapping.objects.update_or_create(
        name=name,
        defaults={
            "kind": file_import.kind,
            "signature": signature(layout.headers),
            "definition": file_import.mapping,
            "made_by_id": user_id,
            "made_at": at,
            "used_at": at,
        },
    )
    FileImport.objects.filter(pk=file_import.pk).update(saved_mapping=saved)
    record(actor=actor, action="mapping.saved", subject=saved, after={"name": name, "kind": saved.kind}, at=at)
    return saved


@transaction.atomic
def confirm_name(
    *, actor: Actor, kind: LookupKind, text: str, record_id: int, record_name: str, at: datetime
) -> ConfirmedName:
    """Remember what a name in files means; record_id 0 means "none of them". Asked once, never again."""
    user_id = _need(actor)
    row, _is_new = ConfirmedName.objects.update_or_create(
        kind=kind.value,
        text=" ".join(text.split())[:200],
        defaults={
            "record_id": record_id,
            "record_name": record_name[:200],
            "confirmed_by_id": user_id,
            "confirmed_at": at,
        },
    )
    record(actor=actor, action="name.confirmed", subject=row, after={"text": row.text, "means": record_name}, at=at)
    return row
