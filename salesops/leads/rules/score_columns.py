"""Scores of many leads at once: the rules of `scoring` in columns, exact to the hundredth and the same for every lead."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import duckdb
import numpy as np

from salesops.leads.rules.fields import EXPONENT, Ints, Known, columns_in
from salesops.leads.rules.scoring import POINT, Part, Rule, Scheme, faded
from salesops.values.formulas import SqlText

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_EVER: Final = 2**62


def microseconds(moment: datetime) -> int:
    """A moment as columns hold it: microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(number: int) -> datetime:
    """The moment of so many microseconds since 1970."""
    return _EPOCH + number * _MICROSECOND


@dataclass(frozen=True)
class SignalColumns:
    """Signals of leads, one row each. kind: index into `kinds`. happened: microseconds since 1970. number: its key."""

    kinds: tuple[str, ...]
    lead: Ints
    kind: Ints
    happened: Ints
    number: Ints


def score_in(
    calculator: duckdb.DuckDBPyConnection,
    scheme: Scheme,
    known: Known,
    signals: SignalColumns,
    at: datetime,
    table: str = "scored",
) -> None:
    """Leave a table in the calculator: lead, fit and engagement in hundredths, grade, parts (JSON), fades (or NULL).

    Its name is the caller's choice. Raises ColumnsError through the calculator where a formula leaves 128 bits.
    """
    known.register(calculator, "known")
    calculator.register(
        "signals",
        {"lead": signals.lead, "kind": signals.kind, "happened": signals.happened, "number": signals.number},
    )
    _register_rules(calculator, scheme, signals.kinds)
    calculator.execute(f"CREATE OR REPLACE TEMP TABLE met AS SELECT row, lead{_met(scheme)} FROM known")  # noqa: S608 - see formulas.sql
    calculator.execute(
        f"CREATE OR REPLACE TEMP TABLE engaged AS {_engaged(scheme)}",
        {
            "at": microseconds(at),
            "window": scheme.window // _MICROSECOND,
            "fading": scheme.fading // _MICROSECOND,
            "is_fading": scheme.keep_percent < 100,
            "ever": _EVER,
        },
    )
    calculator.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {_scored(scheme)}")
    for name in ("engaged", "met"):
        calculator.execute(f"DROP TABLE {name}")
    calculator.execute("DROP VIEW known")
    for name in ("known_columns", "signals", "counting", "points"):
        calculator.unregister(name)


def _register_rules(calculator: duckdb.DuckDBPyConnection, scheme: Scheme, kinds: Sequence[str]) -> None:
    """Which kinds each rule of engagement counts, and what is left of its points after each number of periods."""
    counting: list[tuple[int, int, int]] = []
    points: list[tuple[int, int, int]] = []
    for rule in scheme.of(Part.ENGAGEMENT):
        if rule.signal not in kinds:
            continue
        counting.append((rule.number, kinds.index(rule.signal), _EVER if rule.most_times is None else rule.most_times))
        for periods in range((scheme.window_days - 1) // scheme.fading_days + 1):
            left = faded(rule.points, periods, scheme.keep_percent)
            if not left:
                break
            points.append((rule.number, periods, left))
    for name, columns, rows in (
        ("counting", ("rule", "kind", "most"), counting),
        ("points", ("rule", "periods", "points"), points),
    ):
        table = np.array(rows, dtype=np.int64).reshape(len(rows), len(columns))
        calculator.register(
            name, {column: np.ascontiguousarray(table[:, place]) for place, column in enumerate(columns)}
        )


def _met(scheme: Scheme) -> str:
    """Whether each rule's condition holds, as m<number>; without a value it does not."""
    found = []
    for rule in scheme.rules:
        condition = "TRUE"
        if rule.when is not None:
            text = rule.when.sql(columns_in("known", rule.when), f"known.{EXPONENT}")
            condition = f"coalesce({text.expression}, FALSE)" if isinstance(text, SqlText) else "FALSE"
        found.append(f", {condition} AS m{rule.number}")
    return "".join(found)


def _engaged(scheme: Scheme) -> str:
    """For each lead with signals what each rule of engagement counts (e<number>, n<number>) and when that next changes."""
    rules = scheme.of(Part.ENGAGEMENT)
    asked = [f"WHEN {rule.number} THEN m.m{rule.number}" for rule in rules if rule.when is not None]
    holds = f"CASE c.rule {' '.join(asked)} ELSE TRUE END" if asked else "TRUE"
    sums = "".join(
        f", coalesce(sum(points) FILTER (rule = {rule.number}), 0)::BIGINT AS e{rule.number}"
        f", count(*) FILTER (rule = {rule.number} AND is_fresh) AS n{rule.number}"
        for rule in rules
    )
    place = "row_number() OVER (PARTITION BY m.row, c.rule, is_fresh ORDER BY s.happened DESC, s.number DESC)"
    most = f"QUALIFY NOT is_fresh OR {place} <= c.most" if any(rule.most_times is not None for rule in rules) else ""
    return f"""
        WITH counted AS (
            SELECT m.row, c.rule, s.happened, $at - s.happened AS age, s.happened <= $at AS is_fresh
            FROM signals s JOIN met m ON m.lead = s.lead JOIN counting c ON c.kind = s.kind
            WHERE $at - s.happened < $window AND {holds}
            {most}
        ), worth AS (
            SELECT k.row, k.rule, k.is_fresh, p.points,
                CASE WHEN NOT k.is_fresh THEN k.happened
                    WHEN p.points IS NOT NULL AND $is_fading
                        THEN k.happened + least((k.age // $fading + 1) * $fading, $window)
                    WHEN p.points IS NOT NULL THEN k.happened + $window
                    ELSE $ever END AS turns
            FROM counted k LEFT JOIN points p ON k.is_fresh AND p.rule = k.rule AND p.periods = k.age // $fading
        )
        SELECT row, nullif(min(turns), $ever) AS fades{sums} FROM worth GROUP BY row"""  # noqa: S608 - numbers of rules


def _scored(scheme: Scheme) -> str:
    """All together: sums, groups, limits, the grade and the parts as JSON."""
    halves, together, taken, lines = [], [], [], []
    for part in Part:
        rules = scheme.of(part)
        own, off, own_lines = _half(scheme, part, rules)
        together.append(own)
        taken.extend(off)
        lines.append(own_lines)
        limit = scheme.limit(part)
        halves.append(f"greatest({-limit}, least({limit}, {part.value}_together))")
    fit, engagement = halves
    offs = _joined(
        [
            f"CASE WHEN {off} > 0 THEN {_quoted(json.dumps(name, ensure_ascii=False) + ':')} || {off} END"
            for name, off in taken
        ]
    )
    return f"""
        WITH sums AS (
            SELECT m.lead, e.fades, ({together[0]})::BIGINT AS fit_together,
                ({together[1]})::BIGINT AS engagement_together,
                '"fit":[' || {lines[0]} || '],"engagement":[' || {lines[1]} || '],"groups":{{' || {offs} || '}}' AS listed
            FROM met m LEFT JOIN engaged e USING (row)
        ), limited AS (
            SELECT *, {fit}::BIGINT AS fit, {engagement}::BIGINT AS engagement FROM sums
        )
        SELECT lead, fit, engagement, fades,
            CASE WHEN fit >= {POINT * scheme.fit_a} THEN 'A' WHEN fit >= {POINT * scheme.fit_b} THEN 'B' ELSE 'C' END
            || CASE WHEN engagement >= {POINT * scheme.engagement_1} THEN '1'
                WHEN engagement >= {POINT * scheme.engagement_2} THEN '2' ELSE '3' END AS grade,
            '{{' || listed || ',"over":[' || (fit_together - fit) || ',' || (engagement_together - engagement) || ']}}'
                AS parts
        FROM limited"""  # noqa: S608 - numbers of rules, names quoted


def _half(scheme: Scheme, part: Part, rules: Sequence[Rule]) -> tuple[str, list[tuple[str, str]], str]:
    """The points of a half with its groups' limits, what these take off, and its lines as JSON."""
    points = {rule.number: _points(rule) for rule in rules}
    terms = [points[rule.number] for rule in rules if not rule.group]
    taken = []
    for name in dict.fromkeys(rule.group for rule in rules if rule.group):
        whole = " + ".join(points[rule.number] for rule in rules if rule.group == name)
        limit = POINT * scheme.groups[name]
        terms.append(f"least({limit}, {whole})")
        taken.append((name, f"greatest(0, {whole} - {limit})"))
    if part is Part.FIT:
        lines = [f"CASE WHEN m.m{rule.number} THEN '[{rule.number},{rule.points * POINT},1]' END" for rule in rules]
    else:
        lines = [
            f"CASE WHEN e.n{rule.number} > 0 THEN '[{rule.number},' || e.e{rule.number} || ',' || e.n{rule.number} || ']'"
            " END"
            for rule in rules
        ]
    return " + ".join(terms) or "0", taken, _joined(lines)


def _points(rule: Rule) -> str:
    """The points of a rule before limits, never NULL."""
    if rule.part is Part.FIT:
        return f"CASE WHEN m.m{rule.number} THEN {rule.points * POINT} ELSE 0 END"
    return f"coalesce(e.e{rule.number}, 0)"


def _joined(parts: Sequence[str]) -> str:
    """What is not NULL of these, with commas between."""
    return f"concat_ws(',', {', '.join(parts)})" if parts else "''"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
