"""Previews an import, runs it in the background, mends what lies on the shelf."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import F, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from salesops.audit.services import record
from salesops.connectors.choices import CHANGEABLE, IMPORTS, ImportState, RowState
from salesops.connectors.models import FileImport, RejectedRow
from salesops.connectors.rules.convert import Lookup, Part
from salesops.connectors.rules.tables import Cell, Checkpoint, FileRefused, Row, cell_text, pack_cells, unpack_cells
from salesops.connectors.services.reading import Reader, RowFate, mapping_of, path_of, unresolved
from salesops.connectors.services.uploads import open_questions
from salesops.core import features
from salesops.core.actor import Actor, Noun, Scope
from salesops.core.upserts import Fate
from salesops.jobs.choices import RETRYABLE, JobState
from salesops.jobs.models import Job
from salesops.jobs.runner import JobRun
from salesops.jobs.services import enqueue

#: Examples of each fate that a preview keeps, and distinct names that it asks about.
SAMPLES: Final = 50
#: Characters of a cell that an example keeps: what the page shows of a whole row.
SAMPLE_CHARS: Final = 160
MOST_NAMES: Final = 200
#: A file up to this size is previewed while the person waits.
AT_ONCE_BYTES: Final = 300_000
#: Shelved rows that are tried again together, and how many of them while the person waits.
RETRIED_TOGETHER: Final = 500


def _need(actor: Actor) -> None:
    if actor.sight(Noun.IMPORT) < Scope.ALL or actor.user_id is None:
        raise PermissionDenied(_("Only revenue operations and administrators import files."))


def _ready(file_import: FileImport) -> None:
    """Refuse while columns are missing or questions are open."""
    missing = mapping_of(file_import).missing()
    if missing:
        raise ValidationError([problem.text(_) for problem in missing])
    if open_questions(file_import):
        raise ValidationError(_("Answer the open questions first."))


def preview(*, actor: Actor, file_import: FileImport, at: datetime) -> FileImport:
    """Say what the import would do, without doing it: at once for a small file, as a job for a large one.

    Raises ValidationError when the import is not ready, or has begun.
    """
    _need(actor)
    if file_import.state not in CHANGEABLE:
        raise ValidationError(_("This import has begun; its mapping cannot be changed any more."))
    _ready(file_import)
    if file_import.size_bytes <= AT_ONCE_BYTES:
        found = _look_through(file_import, actor, at, lambda done: None)
        with transaction.atomic():
            return _keep_preview(file_import, found)
    with transaction.atomic():
        job = enqueue(
            kind="connectors.preview",
            key=f"connectors.preview:{file_import.pk}:{_digest(file_import.mapping)}",
            payload={"import": file_import.pk},
            actor=actor,
            at=at,
            title=_("Preview of %(file)s") % {"file": file_import.file_name},
        )
        FileImport.objects.filter(pk=file_import.pk, state__in=CHANGEABLE).update(job_id=job.pk)
    file_import.refresh_from_db()
    return file_import


def run_preview(run: JobRun) -> None:
    """The job of a preview: reads the whole file, then keeps what it found."""
    file_import = FileImport.objects.select_related("source").get(pk=run.payload["import"])
    found = _look_through(file_import, run.actor, run.now(), lambda done: run.progress(done, None, _("rows read")))
    with run.finish():
        _keep_preview(file_import, found)


def _digest(mapping: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(mapping, sort_keys=True).encode()).hexdigest()[:16]


def _keep_preview(seen: FileImport, found: dict[str, Any]) -> FileImport:
    """Keep what was found, unless the columns were changed meanwhile or the import has begun."""
    row = FileImport.objects.select_for_update().get(pk=seen.pk)
    if row.mapping == seen.mapping and row.layout == seen.layout and row.state in CHANGEABLE:
        row.preview = {"sheets": row.preview.get("sheets", []), **found}
        row.rows_total = found["rows"]
        row.state = ImportState.READY
        row.save()
    return row


def _look_through(file_import: FileImport, actor: Actor, at: datetime, report: Callable[[int], None]) -> dict[str, Any]:
    """Counts, examples and unsettled names of a whole file; writes nothing."""
    reader = Reader(file_import, Part.FIRST)
    counts: Counter[str] = Counter()
    samples: dict[str, list[dict[str, Any]]] = {fate.value: [] for fate in Fate}
    names: Counter[Lookup] = Counter()
    refusal = ""
    rows = 0
    with path_of(file_import).open("rb") as stream:
        try:
            for batch in reader.batches(stream):
                unresolved(reader, batch, names)
                for fate in reader.take(batch, actor=actor, at=at, preview=True):
                    counts[fate.fate.value] += 1
                    kept = samples[fate.fate.value]
                    if len(kept) < SAMPLES:
                        kept.append(_sample(fate))
                rows += len(batch)
                report(rows)
        except FileRefused as error:
            refusal = error.problem.text(_)
    return {
        "rows": rows,
        "counts": dict(counts),
        "samples": samples,
        "names": [_name(reader, lookup, count) for lookup, count in names.most_common(MOST_NAMES)],
        "more_names": max(0, len(names) - MOST_NAMES),
        "refusal": refusal,
    }


def _sample(fate: RowFate) -> dict[str, Any]:
    return {
        "line": fate.row.line,
        "label": fate.label,
        "cells": [cell_text(cell)[:SAMPLE_CHARS] for cell in fate.row.cells[:30]],
        "before": {name: _plain(value) for name, value in fate.before.items()},
        "after": {name: _plain(value) for name, value in fate.after.items()},
        "problems": [problem.as_plain() for problem in fate.problems],
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str | bool) or value is None else str(value)


def _name(reader: Reader, lookup: Lookup, count: int) -> dict[str, Any]:
    match = reader.resolver.match(lookup)
    problem = match.problem()
    return {
        "kind": lookup.kind.value,
        "text": lookup.text,
        "count": count,
        "key": match.key,
        "name": match.name,
        "reason": problem.as_plain() if problem else None,
        "rivals": [[rival.key, rival.name] for rival in match.rivals],
    }


@transaction.atomic
def start(*, actor: Actor, file_import: FileImport, at: datetime) -> Job:
    """Begin the import in the background. Pressed twice, it runs once. Raises ValidationError when it is not ready.

    Raises SwitchedOffError while imports are switched off.
    """
    _need(actor)
    features.need(IMPORTS)
    settle_stopped()
    row = FileImport.objects.select_for_update().get(pk=file_import.pk)
    if row.state == ImportState.RUNNING and row.job_id:
        return Job.objects.get(pk=row.job_id)
    if row.state in (ImportState.DONE, ImportState.REFUSED):
        raise ValidationError(_("This file was imported already. Upload it again to import it again."))
    _ready(row)
    job = enqueue(
        kind="connectors.import",
        key=f"connectors.import:{row.pk}:{row.started_at.isoformat() if row.started_at else 'first'}",
        payload={"import": row.pk},
        actor=actor,
        at=at,
        title=_("Import of %(file)s") % {"file": row.file_name},
    )
    row.state, row.started_at, row.job_id = ImportState.RUNNING, at, job.pk
    row.rows_done = row.created_count = row.changed_count = row.unchanged_count = row.refused_count = 0
    row.save()
    RejectedRow.objects.filter(file_import=row).delete()
    record(
        actor=actor,
        action="import.started",
        subject=row,
        after={"kind": row.kind, "mapping": row.mapping, "sha256": row.sha256},
        at=at,
    )
    return job


def settle_stopped() -> None:
    """Imports whose job was cancelled or given up are not running any more: they can be begun again."""
    for job_state in RETRYABLE:
        FileImport.objects.filter(
            state=ImportState.RUNNING, job_id__in=Job.objects.filter(state=job_state).values("pk")
        ).update(state=ImportState.CANCELLED if job_state == JobState.CANCELLED else ImportState.FAILED)


def run_import(run: JobRun) -> None:
    """The job of an import: batch by batch; each batch's records, shelf, counts and place in the file are one commit.

    A worker that dies continues with the batch that was not committed. References between rows of the same file are
    filled in a second pass. A job in whose place another was begun does nothing.
    """
    file_import = FileImport.objects.select_related("source").get(pk=run.payload["import"])
    if file_import.job_id != run.job.pk:
        return
    part = Part(run.state.get("part", Part.FIRST.value))
    refusal = ""
    try:
        if part is Part.FIRST:
            _pass(run, file_import, Part.FIRST)
            part = Part.DEFERRED
        if not run.cancelled and Reader(file_import, Part.DEFERRED).has_deferred:
            _pass(run, file_import, Part.DEFERRED)
    except FileRefused as error:
        refusal = error.problem.text(_)
    if run.cancelled:
        return
    with run.finish():
        row = FileImport.objects.select_for_update().get(pk=file_import.pk)
        row.state = ImportState.FAILED if refusal else ImportState.DONE
        row.problems = (
            [{"code": "file-cut", "message": refusal, "where": "", "remedy": "", "params": {}}] if refusal else []
        )
        row.finished_at = run.now()
        row.save()
        record(
            actor=run.actor,
            action="import.finished",
            subject=row,
            after={
                "created": row.created_count,
                "changed": row.changed_count,
                "unchanged": row.unchanged_count,
                "refused": row.refused_count,
            },
            at=run.now(),
        )


def _pass(run: JobRun, file_import: FileImport, part: Part) -> None:
    """One way through the file, from where the last committed batch ended."""
    reader = Reader(file_import, part)
    same = run.state.get("part", Part.FIRST.value) == part.value
    checkpoint = Checkpoint(*run.state["checkpoint"]) if same and "checkpoint" in run.state else None
    done = int(run.state.get("done", 0)) if same else 0
    total = file_import.rows_total
    run.link(reverse("connectors:import_detail", kwargs={"pk": file_import.pk}))
    with path_of(file_import).open("rb") as stream:
        for batch in reader.batches(stream, checkpoint):
            if run.cancelled:
                return
            with run.batch():
                fates = reader.take(batch, actor=run.actor, at=run.now(), preview=False)
                done += len(batch)
                run.state.update(part=part.value, checkpoint=list(batch[-1].after), done=done)
                run.progress(done, total, _("rows") if part is Part.FIRST else _("rows linked"))
                _count(file_import, fates, done, part)


def _count(file_import: FileImport, fates: Sequence[RowFate], done: int, part: Part) -> None:
    """Keep the numbers of a batch, and put refused rows and fields that were left out on the shelf."""
    shelf = [
        RejectedRow(
            file_import=file_import,
            line=fate.row.line,
            cells=pack_cells(fate.row.cells),
            raw=fate.row.raw,
            problems=[problem.as_plain() for problem in fate.problems],
            is_taken=part is Part.DEFERRED or fate.fate is not Fate.REFUSED,
        )
        for fate in fates
        if fate.problems
    ]
    RejectedRow.objects.bulk_create(shelf, ignore_conflicts=True)
    if part is not Part.FIRST:
        return
    counted = Counter(fate.fate for fate in fates)
    FileImport.objects.filter(pk=file_import.pk).update(
        state=ImportState.RUNNING,
        rows_done=done,
        created_count=F("created_count") + counted[Fate.CREATED],
        changed_count=F("changed_count") + counted[Fate.CHANGED],
        unchanged_count=F("unchanged_count") + counted[Fate.UNCHANGED],
        refused_count=F("refused_count") + counted[Fate.REFUSED],
    )


@transaction.atomic
def mend_row(*, actor: Actor, row: RejectedRow, cells: Sequence[str], at: datetime) -> RowFate:
    """Try a shelved row again with mended cells. It stays on the shelf, with what is still wrong, until it is taken.

    A cell that was left as it is keeps being the number or day that it is in a workbook.
    """
    _need(actor)
    row = RejectedRow.objects.select_for_update().select_related("file_import__source").get(pk=row.pk)
    if row.state != RowState.SHELVED:
        raise ValidationError(_("This row is not on the shelf any more."))
    reader = Reader(row.file_import, Part.ALL)
    if len(cells) != len(reader.layout.headers):
        raise ValidationError(_("The row needs one cell for each column."))
    stood = unpack_cells(row.cells)
    typed: list[Cell] = [
        stood[place] if place < len(stood) and cell_text(stood[place]) == text else text
        for place, text in enumerate(cells)
    ]
    row.cells = pack_cells(tuple(typed))
    (fate,) = _try(reader, [row], actor, at)
    record(
        actor=actor,
        action="import.row_mended",
        subject=row.file_import,
        after={"line": row.line, "fate": fate.fate.value, "record": fate.label},
        at=at,
    )
    return fate


def _try(reader: Reader, rows: Sequence[RejectedRow], actor: Actor, at: datetime) -> list[RowFate]:
    """Bring shelved rows in as they are now; those that are taken leave the shelf, the others say what is wrong."""
    again = [Row(line=row.line, cells=unpack_cells(row.cells), after=reader.layout.start) for row in rows]
    fates = reader.take(again, actor=actor, at=at, preview=False)
    counted: Counter[str] = Counter()
    for row, fate in zip(rows, fates, strict=True):
        row.problems = [problem.as_plain() for problem in fate.problems]
        if fate.fate is Fate.REFUSED:
            continue
        if not row.is_taken:
            row.is_taken = True
            counted["refused_count"] -= 1
            counted[_COUNTERS[fate.fate]] += 1
        if not fate.problems:
            row.state, row.decided_at, row.decided_by_id = RowState.MENDED, at, actor.user_id
    RejectedRow.objects.bulk_update(rows, ["cells", "problems", "state", "is_taken", "decided_at", "decided_by"])
    if counted:
        FileImport.objects.filter(pk=reader.file_import.pk).update(
            **{name: F(name) + number for name, number in counted.items()}
        )
    return fates


_COUNTERS: Final = {Fate.CREATED: "created_count", Fate.CHANGED: "changed_count", Fate.UNCHANGED: "unchanged_count"}


@transaction.atomic
def retry_rows(*, actor: Actor, file_import: FileImport, at: datetime) -> tuple[int, int] | None:
    """Try all shelved rows again as they are, after names were confirmed or records made: taken, still refused.

    More than fit into one batch are tried in the background; None is returned then.
    """
    _need(actor)
    waiting = _retryable(file_import)
    if waiting[: RETRIED_TOGETHER + 1].count() > RETRIED_TOGETHER:
        job = enqueue(
            kind="connectors.retry",
            key=f"connectors.retry:{file_import.pk}",
            payload={"import": file_import.pk},
            actor=actor,
            at=at,
            title=_("Shelf of %(file)s") % {"file": file_import.file_name},
        )
        FileImport.objects.filter(pk=file_import.pk).exclude(state=ImportState.RUNNING).update(job_id=job.pk)
        return None
    rows = list(waiting.select_for_update())
    return _retry(Reader(file_import, Part.ALL), rows, actor, at) if rows else (0, 0)


def _retryable(file_import: FileImport) -> QuerySet[RejectedRow]:
    rows: QuerySet[RejectedRow] = RejectedRow.objects.filter(file_import=file_import, state=RowState.SHELVED)
    return rows.exclude(cells=[]).order_by("line")


def _retry(reader: Reader, rows: Sequence[RejectedRow], actor: Actor, at: datetime) -> tuple[int, int]:
    """Try a batch; one audit entry for it."""
    fates = _try(reader, rows, actor, at)
    taken = sum(not fate.problems for fate in fates)
    record(
        actor=actor,
        action="import.rows_retried",
        subject=reader.file_import,
        after={"taken": taken, "left": len(fates) - taken, "lines": f"{rows[0].line}-{rows[-1].line}"},
        at=at,
    )
    return taken, len(fates) - taken


def run_retry(run: JobRun) -> None:
    """The job of a large shelf: batch by batch, each with its place on the shelf in one commit."""
    file_import = FileImport.objects.select_related("source").get(pk=run.payload["import"])
    reader = Reader(file_import, Part.ALL)
    while not run.cancelled:
        waiting = _retryable(file_import).filter(line__gt=run.state.get("line", 0))[:RETRIED_TOGETHER]
        lines = list(waiting.values_list("line", flat=True))
        if not lines:
            return
        with run.batch():
            rows = list(_retryable(file_import).filter(line__in=lines).select_for_update())
            if rows:
                _retry(reader, rows, run.actor, run.now())
            run.state.update(line=lines[-1], done=run.state.get("done", 0) + len(lines))
            run.progress(run.state["done"], None, _("rows"))


@transaction.atomic
def dismiss_row(*, actor: Actor, row: RejectedRow, at: datetime) -> None:
    """Set a row aside for good; it stays readable."""
    _need(actor)
    changed = RejectedRow.objects.filter(pk=row.pk, state=RowState.SHELVED).update(
        state=RowState.DISMISSED, decided_by_id=actor.user_id, decided_at=at
    )
    if not changed:
        raise ValidationError(_("This row is not on the shelf any more."))
    record(actor=actor, action="import.row_set_aside", subject=row.file_import, after={"line": row.line}, at=at)
