"""Scores leads: what they did is noted, what changed is marked, and scores are written in batches, in columns."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import duckdb
import numpy as np
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from salesops.core.actor import system_actor
from salesops.core.rows import as_json
from salesops.jobs.choices import JobState
from salesops.jobs.services import enqueue
from salesops.leads.choices import OPEN_STATUSES, SignalKind
from salesops.leads.models import Lead, LeadScore, LeadSignal, ScoreVersion
from salesops.leads.rules.fields import Known
from salesops.leads.rules.score_columns import SignalColumns, microseconds, moment_of, score_in
from salesops.leads.rules.scoring import POINT, Scheme, Score, Signal, score
from salesops.leads.selectors.fields import known_of
from salesops.leads.selectors.scores import scheme_of_version, score_rules_in_force, signals_in
from salesops.values.calculator import BEYOND, open_calculator

#: The job that scores leads marked as changed, and those whose signals have faded.
RESCORE_CHANGED: Final = "leads.rescore_changed"
#: The job that scores every open lead.
RESCORE_ALL: Final = "leads.rescore_all"
#: So many leads are scored in a transaction.
BATCH: Final = 10_000
#: Changes within this time make one job.
_TOGETHER: Final = timedelta(seconds=1)
#: A score that is to be calculated as soon as possible; long ago, so that no two clocks disagree whether it is due.
AT_ONCE: Final = datetime(2000, 1, 1, tzinfo=UTC)
#: Up to so many leads are scored one by one.
_FEW: Final = 20
#: Clocks of sources may be ahead; beyond this a moment is a mistake.
_MOST_AHEAD: Final = timedelta(days=1)


# --- What happened --------------------------------------------------------------------------------------------------


@transaction.atomic
def note_signal(*, lead_id: int, kind: str, happened_at: datetime, key: str, at: datetime) -> bool:
    """Keep that a lead did something, in the transaction of whoever tells it; False when the key was told before.

    A moment a little ahead is kept, and counts from then on. Raises Lead.DoesNotExist, ValidationError for an unknown
    kind, a moment more than a day ahead, or a key that was told about something else.
    """
    if kind not in SignalKind.values:
        raise ValidationError({"kind": _("There is no such signal.")})
    if happened_at > at + _MOST_AHEAD:
        raise ValidationError({"happened_at": _("This has not happened yet.")})
    if not key or len(key) > 120:
        raise ValidationError({"key": _("A key of 1 to 120 characters is needed, so that it is told only once.")})
    if not Lead.every.filter(pk=lead_id).exists():
        raise Lead.DoesNotExist(lead_id)
    signal, is_new = LeadSignal.objects.get_or_create(
        key=key, defaults={"lead_id": lead_id, "kind": kind, "happened_at": happened_at, "known_at": at}
    )
    if not is_new and (signal.lead_id, signal.kind) != (lead_id, kind):
        raise ValidationError({"key": _("This key was told about something else.")})
    if is_new:
        leads_changed(lead_ids=[lead_id], at=at)
    return is_new


def note_signals(*, keys: Mapping[int, str], kind: str, happened_at: datetime, at: datetime) -> None:
    """Keep that many leads did the same, in a handful of statements: `keys` by lead, each told before to nobody."""
    LeadSignal.objects.bulk_create(
        (
            LeadSignal(lead_id=lead, key=key, kind=kind, happened_at=happened_at, known_at=at)
            for lead, key in keys.items()
        ),
        batch_size=500,
    )
    leads_changed(lead_ids=list(keys), at=at)


@dataclass(frozen=True, slots=True)
class Signalled:
    """Something that a lead did, told under a key so that it is kept only once."""

    lead_id: int
    kind: str
    happened_at: datetime
    key: str


def note_signals_of(*, signals: Sequence[Signalled], at: datetime) -> None:
    """Keep what many leads did, in a handful of statements; what was told before under its key is not kept again."""
    wanted = {signal.key: signal for signal in signals}
    known = set(LeadSignal.objects.filter(key__in=wanted).values_list("key", flat=True))
    fresh = [signal for key, signal in wanted.items() if key not in known]
    LeadSignal.objects.bulk_create(
        (
            LeadSignal(
                lead_id=signal.lead_id, key=signal.key, kind=signal.kind, happened_at=signal.happened_at, known_at=at
            )
            for signal in fresh
        ),
        batch_size=500,
    )
    leads_changed(lead_ids=[signal.lead_id for signal in fresh], at=at)


def leads_changed(*, lead_ids: Collection[int], at: datetime) -> None:
    """Have leads scored anew that were made or changed in the caller's transaction; call it before the audit is written.

    Those with a score are marked and follow within seconds; those without one are scored here, so that a lead has a score
    from its first moment. Nothing happens while no rules are in force.
    """
    keys = sorted(set(lead_ids))
    if not keys or score_rules_in_force() is None:
        return
    marked = 0
    for start in range(0, len(keys), BATCH):
        marked += _mark(keys[start : start + BATCH], at)
    if marked:
        _ask(at)


def _mark(keys: Sequence[int], at: datetime) -> int:
    rows = LeadScore.objects.filter(lead__in=keys)
    if len(keys) > 1:
        # In the order of keys, as those who score lock them, too.
        known = set(rows.select_for_update().order_by("lead_id").values_list("lead_id", flat=True))
        missing = [key for key in keys if key not in known]
        marked = rows.update(fades_at=AT_ONCE)
    else:
        marked = rows.update(fades_at=AT_ONCE)
        missing = [] if marked else list(keys)
    if missing:
        scored, written = _score(missing, at)
        if written < scored:
            # Somebody else scored them for the first time in this moment, and has not seen this change.
            marked += LeadScore.objects.filter(lead__in=missing).update(fades_at=AT_ONCE)
    return marked


def _ask(at: datetime) -> None:
    """One job for many changes: the one that waits, else a new one. One that runs may have looked already."""
    for key in (RESCORE_CHANGED, f"{RESCORE_CHANGED}:next"):
        job = enqueue(
            kind=RESCORE_CHANGED,
            key=key,
            payload={},
            actor=system_actor(),
            at=at,
            title=gettext_noop("Score changed leads"),
            run_after=at + _TOGETHER,
        )
        if job.state == JobState.NEW:
            return


# --- Scoring --------------------------------------------------------------------------------------------------------


def score_leads(*, lead_ids: Collection[int], at: datetime) -> int:
    """Score these leads now, as far as they are open; how many. Each batch is a transaction of its own unless in one."""
    keys, scored = sorted(set(lead_ids)), 0
    for start in range(0, len(keys), BATCH):
        with transaction.atomic():
            scored += _score(keys[start : start + BATCH], at)[0]
    return scored


def is_score_due(*, at: datetime) -> bool:
    """Whether a lead is marked, or signals of one have faded."""
    return LeadScore.objects.filter(fades_at__lte=at).exists()


def score_due(*, at: datetime, most: int = BATCH) -> int:
    """Score leads that are marked or whose signals have faded, in the caller's transaction; how many, 0 when none is due.

    Those that somebody is changing at this moment are left to the job that this change asks for.
    """
    due = LeadScore.objects.filter(fades_at__lte=at).order_by("fades_at", "lead_id")
    keys = sorted(due.select_for_update(skip_locked=True).values_list("lead_id", flat=True)[:most])
    if keys:
        _score(keys, at)
        # What is closed keeps the score that it had.
        LeadScore.objects.filter(lead__in=keys, fades_at__lte=at).update(fades_at=None)
    return len(keys)


def next_open_leads(*, after: int, most: int = BATCH) -> list[int]:
    """The next open leads behind a key, in order; empty at the end."""
    rows = Lead.objects.filter(pk__gt=after, status__in=OPEN_STATUSES).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:most])


def score_range(*, keys: Sequence[int], at: datetime) -> int:
    """Score the open leads from the first to the last of these keys, in the caller's transaction; how many."""
    return _score(keys, at, is_range=True)[0]


def _score(keys: Sequence[int], at: datetime, *, is_range: bool = False) -> tuple[int, int]:
    """Score open leads: how many, and how many scores were new where there was none, or stood there already.

    First the scores there are get locked, then everything is read: whoever changes a lead marks its score, and so is
    either seen here or waits and marks it afterwards. is_range: all leads between the first and the last key.
    """
    these = Q(lead__gte=keys[0], lead__lte=keys[-1]) if is_range else Q(lead__in=keys)
    locked = LeadScore.objects.filter(these).order_by("lead_id").select_for_update().values_list("lead_id", flat=True)
    standing = list(locked)
    version = score_rules_in_force()
    if version is None:
        return 0, 0
    scheme = scheme_of_version(version).unwrap()
    own = Q(pk__gte=keys[0], pk__lte=keys[-1]) if is_range else Q(pk__in=keys)
    known = known_of(Lead.objects.filter(own, status__in=OPEN_STATUSES), scheme.fields())
    signals = signals_in(keys, scheme, at, is_range=is_range)
    if len(known) <= _FEW:
        return len(known), _write_few(_one_by_one(scheme, known, signals, at), frozenset(standing), version, at)
    with open_calculator() as calculator:
        try:
            score_in(calculator, scheme, known, signals, at)
        except BEYOND:
            # A condition leaves 128 bits for some lead: then this batch is scored one by one.
            _register(calculator, _one_by_one(scheme, known, signals, at))
        calculator.register("standing", {"lead": np.array(standing, dtype=np.int64)})
        written = _write(calculator, version, at)
    return len(known), written


def _one_by_one(scheme: Scheme, known: Known, signals: SignalColumns, at: datetime) -> list[tuple[int, Score]]:
    """The scores of few leads: the calculator would take longer to be asked than this takes."""
    of_lead: dict[int, list[Signal]] = {}
    rows = zip(signals.lead, signals.kind, signals.happened, signals.number, strict=True)
    for lead, kind, happened, number in rows:
        of_lead.setdefault(int(lead), []).append(Signal(signals.kinds[kind], moment_of(int(happened)), int(number)))
    return [
        (lead, score(scheme, facts, of_lead.get(lead, []), at))
        for lead, facts in zip(known.lead.tolist(), known.facts(), strict=True)
    ]


def _register(calculator: duckdb.DuckDBPyConnection, found: list[tuple[int, Score]]) -> None:
    """Leave scores in the calculator as it would have left them itself."""
    columns: dict[str, list[Any]] = {
        "lead": [lead for lead, _score in found],
        "fit": [each.fit.total for _lead, each in found],
        "engagement": [each.engagement.total for _lead, each in found],
        "grade": [each.grade for _lead, each in found],
        "parts": [as_json(each.parts()) for _lead, each in found],
        "fades": [microseconds(each.fades_at) if each.fades_at else None for _lead, each in found],
    }
    objects = {}
    for name, values in columns.items():
        objects[name] = np.empty(len(found), dtype=object)
        objects[name][:] = values
    calculator.register("found", objects)
    whole = ", ".join(f"{name}::BIGINT AS {name}" for name in ("lead", "fit", "engagement", "fades"))
    calculator.execute(f"CREATE OR REPLACE TEMP TABLE scored AS SELECT {whole}, grade, parts FROM found")  # noqa: S608 - names written here


# --- Writing --------------------------------------------------------------------------------------------------------

_WRITTEN: Final = ("version_id", "fit", "engagement", "grade", "parts", "scored_at", "fades_at")
#: What makes a score another one; when it was calculated does not.
_SAID: Final = ("version_id", "fit", "engagement", "grade", "parts", "fades_at")
_TABLE: Final = LeadScore._meta.db_table
_CHUNK: Final = 20_000

# A moment as both databases read it from text; SQLite compares such texts, so they are written as Django writes them.
_MOMENT: Final = (
    "strftime(make_timestamp({0}), '%Y-%m-%d %H:%M:%S')"
    " || CASE WHEN {0} % 1000000 <> 0 THEN strftime(make_timestamp({0}), '.%f') ELSE '' END"
)


def _write(calculator: duckdb.DuckDBPyConnection, version: ScoreVersion, at: datetime) -> int:
    """Write what is scored where it differs, and say how many scores of these leads stand now by our hand or did before.

    Scores that stood are locked and updated; of two who write a lead's first score the second leaves it as it is.
    """
    zone = "|| '+00'" if connection.vendor == "postgresql" else ""
    columns = {
        "lead_id": "s.lead",
        "version_id": str(version.pk),
        "fit": "s.fit // 100",
        "engagement": "s.engagement",
        "grade": "s.grade",
        "parts": "s.parts",
        "scored_at": f"{_MOMENT.format(microseconds(at))} {zone}",
        "fades_at": f"{_MOMENT.format('s.fades')} {zone}",
        "is_standing": "CASE WHEN t.lead IS NULL THEN 0 ELSE 1 END",
    }
    source = "scored s LEFT JOIN standing t USING (lead) ORDER BY s.lead"
    if connection.vendor == "postgresql":
        return _write_to_postgresql(calculator, columns, source)
    return _write_to_sqlite(calculator, columns, source)


def _write_to_postgresql(calculator: duckdb.DuckDBPyConnection, columns: dict[str, str], source: str) -> int:
    # No text here has a tab or a line break: JSON escapes them.
    texts = (
        f"coalesce(replace(({expression})::VARCHAR, chr(92), chr(92) || chr(92)), chr(92) || 'N')"
        for expression in columns.values()
    )
    found = calculator.execute(f"SELECT {' || chr(9) || '.join(texts)} FROM {source}")  # noqa: S608 - names made here
    names = ", ".join(columns)
    said, given = ", ".join(f"o.{name}" for name in _SAID), ", ".join(f"n.{name}" for name in _SAID)
    with connection.wrap_database_errors, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS scored_now")
        cursor.execute(
            """CREATE TEMP TABLE scored_now (lead_id bigint, version_id bigint, fit integer, engagement integer,
            grade text, parts jsonb, scored_at timestamptz, fades_at timestamptz, is_standing integer) ON COMMIT DROP"""
        )
        with cursor.copy(f"COPY scored_now ({names}) FROM STDIN") as copy:
            for rows in _chunks(found):
                copy.write("\n".join(row[0] for row in rows) + "\n")
        cursor.execute("SELECT count(*) FROM scored_now WHERE is_standing = 1")
        standing = int(cursor.fetchone()[0])
        cursor.execute(
            f"""UPDATE {_TABLE} o SET {", ".join(f"{name} = n.{name}" for name in _WRITTEN)}
            FROM scored_now n WHERE n.lead_id = o.lead_id AND n.is_standing = 1
            AND ({said}) IS DISTINCT FROM ({given})"""  # noqa: S608 - names made here
        )
        cursor.execute(
            f"""INSERT INTO {_TABLE} (lead_id, {", ".join(_WRITTEN)})
            SELECT lead_id, {", ".join(_WRITTEN)} FROM scored_now WHERE is_standing = 0 ORDER BY lead_id
            ON CONFLICT (lead_id) DO NOTHING"""  # noqa: S608 - names made here
        )
        return standing + int(cursor.rowcount)


def _write_to_sqlite(calculator: duckdb.DuckDBPyConnection, columns: dict[str, str], source: str) -> int:
    """One transaction writes at a time: whoever stands there was seen."""
    names = [name for name in columns if name != "is_standing"]
    found = calculator.execute(f"SELECT {', '.join(columns[name] for name in names)} FROM {source}")  # noqa: S608 - names made here
    statement = f"""INSERT INTO {_TABLE} ({", ".join(names)}) VALUES ({", ".join(["%s"] * len(names))})
        ON CONFLICT (lead_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _WRITTEN)}
        WHERE ({", ".join(f"{_TABLE}.{name}" for name in _SAID)}) IS NOT
            ({", ".join(f"excluded.{name}" for name in _SAID)})"""  # noqa: S608 - names made here
    count = 0
    with connection.cursor() as cursor:
        for rows in _chunks(found):
            cursor.executemany(statement, rows)
            count += len(rows)
    return count


def _write_few(found: list[tuple[int, Score]], standing: Collection[int], version: ScoreVersion, at: datetime) -> int:
    """The same for few leads, without the calculator."""
    differs = "IS DISTINCT FROM" if connection.vendor == "postgresql" else "IS NOT"
    statement = f"""INSERT INTO {_TABLE} (lead_id, {", ".join(_WRITTEN)}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (lead_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _WRITTEN)}
        WHERE %s = 1 AND ({", ".join(f"{_TABLE}.{name}" for name in _SAID)}) {differs}
            ({", ".join(f"excluded.{name}" for name in _SAID)})"""  # noqa: S608 - names made here
    moment = connection.ops.adapt_datetimefield_value
    count = 0
    with connection.cursor() as cursor:
        for lead, each in found:
            is_standing = lead in standing
            values = (version.pk, each.fit.total // POINT, each.engagement.total, each.grade, as_json(each.parts()))
            moments = (moment(at), moment(each.fades_at) if each.fades_at else None)
            cursor.execute(statement, (lead, *values, *moments, int(is_standing)))
            count += 1 if is_standing else cursor.rowcount
    return count


def _chunks(found: duckdb.DuckDBPyConnection) -> Iterator[list[tuple[Any, ...]]]:
    while rows := found.fetchmany(_CHUNK):
        yield rows
