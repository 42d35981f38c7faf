"""Reads versions of score rules, and compares two of them over all open leads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404

from salesops.core.actor import Actor, Role
from salesops.jobs.models import Job
from salesops.leads.choices import OPEN_STATUSES, VersionState
from salesops.leads.models import Lead, ScoreVersion
from salesops.leads.rules.score_columns import score_in
from salesops.leads.rules.scoring import Scheme
from salesops.leads.selectors.fields import known_of
from salesops.leads.selectors.leads import leads_for
from salesops.leads.selectors.scores import signals_in
from salesops.values.calculator import open_calculator

#: Who may read score rules.
READERS: Final = (Role.MANAGER, Role.REVOPS, Role.ADMIN)
#: So many leads are compared at once, and while somebody waits.
AT_ONCE: Final = 20_000
#: So many leads that rise most, and that fall most, are named.
_NAMED: Final = 10


def score_versions_for(actor: Actor) -> QuerySet[ScoreVersion]:
    """All versions, newest first. Raises PermissionDenied for who has nothing to do with rules."""
    if not actor.has(*READERS):
        raise PermissionDenied
    return ScoreVersion.objects.select_related("created_by", "activated_by").order_by("-number")


def score_version_for(actor: Actor, pk: int) -> ScoreVersion:
    """One version. Raises Http404."""
    version = score_versions_for(actor).filter(pk=pk).first()
    if version is None:
        raise Http404
    return version


def score_versions_to_try(actor: Actor) -> list[ScoreVersion]:
    """The versions that can be tried on a lead: the one in force and the newest draft, those there are; one query."""
    if not actor.has(*READERS):
        return []
    rows = ScoreVersion.objects.filter(state__in=(VersionState.ACTIVE, VersionState.DRAFT)).order_by("-number")
    newest: dict[str, ScoreVersion] = {}
    for row in rows:
        newest.setdefault(row.state, row)
    return list(newest.values())


def open_leads() -> int:
    """How many leads are open."""
    return Lead.objects.filter(status__in=OPEN_STATUSES).count()


def last_job(key: str) -> Job | None:
    """The newest job under a key."""
    return Job.objects.filter(key=key).order_by("-pk").first()


# --- Two versions side by side --------------------------------------------------------------------------------------

#: lead, grade before and after, how many hundredths it rises.
Moved = tuple[int, str, str, int]


@dataclass
class Comparison:
    """What becomes of the grades of open leads. counts: how many go from a grade to another, "" without rules before.

    moved: those that rise or fall most.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    moved: list[Moved] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many leads."""
        return sum(self.counts.values())

    def _count(self, is_it: Any) -> int:
        return sum(count for (before, after), count in self.counts.items() if is_it(before, after))

    @property
    def rising(self) -> int:
        """How many come into a better grade: no worse in letter and digit."""
        return self._count(is_better)

    @property
    def falling(self) -> int:
        """How many come into a worse one."""
        return self._count(lambda before, after: is_better(after, before))

    @property
    def mixed(self) -> int:
        """How many are better in one of letter and digit and worse in the other."""
        return self._count(
            lambda before, after: (
                before and before != after and not is_better(before, after) and not is_better(after, before)
            )
        )

    @property
    def same(self) -> int:
        """How many stay where they are."""
        return self._count(lambda before, after: before == after)

    def add(self, other: Comparison) -> None:
        """Add what another part of the leads came to."""
        self.counts.update(other.counts)
        ordered = sorted([*self.moved, *other.moved], key=lambda each: (each[3], each[0]))
        self.moved = ordered if len(ordered) <= 2 * _NAMED else [*ordered[:_NAMED], *ordered[-_NAMED:]]

    def as_plain(self) -> dict[str, Any]:
        """As the state of a job keeps it."""
        return {
            "counts": [[before, after, count] for (before, after), count in sorted(self.counts.items())],
            "moved": [list(each) for each in self.moved],
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Comparison:
        """Read back what `as_plain` wrote."""
        return cls(
            Counter({(before, after): count for before, after, count in plain.get("counts", ())}),
            [(lead, before, after, rise) for lead, before, after, rise in plain.get("moved", ())],
        )


def is_better(before: str, after: str) -> bool:
    """Whether a grade is better than another: in letter or digit, and in neither worse."""
    return bool(before) and before != after and after[0] <= before[0] and after[1] <= before[1]


def compare_next(
    old: Scheme | None, new: Scheme, *, after: int, at: datetime, most: int = AT_ONCE
) -> tuple[int, Comparison] | None:
    """Compare the next open leads behind a key: the last of them and what became of them; None at the end."""
    rows = Lead.objects.filter(pk__gt=after, status__in=OPEN_STATUSES).order_by("pk")
    keys = list(rows.values_list("pk", flat=True)[:most])
    if not keys:
        return None
    known = known_of(rows.filter(pk__lte=keys[-1]), new.fields() | (old.fields() if old else set()))
    found = Comparison()
    with open_calculator() as calculator:
        score_in(calculator, new, known, signals_in(keys, new, at, is_range=True), at, "scored_new")
        if old is None:
            counted = calculator.execute("SELECT '', grade, count(*) FROM scored_new GROUP BY ALL").fetchall()
            return keys[-1], Comparison(Counter({(before, grade): count for before, grade, count in counted}))
        score_in(calculator, old, known, signals_in(keys, old, at, is_range=True), at, "scored_old")
        calculator.execute(
            """CREATE TEMP TABLE both_scored AS
            SELECT n.lead, o.grade AS before, n.grade AS after, n.fit + n.engagement - o.fit - o.engagement AS rise
            FROM scored_new n JOIN scored_old o USING (lead)"""
        )
        for before, grade, count in calculator.execute(
            "SELECT before, after, count(*) FROM both_scored GROUP BY ALL"
        ).fetchall():
            found.counts[before, grade] = count
        for order in ("rise, lead", "rise DESC, lead DESC"):
            found.moved += calculator.execute(
                f"SELECT lead, before, after, rise FROM both_scored WHERE before <> after ORDER BY {order} LIMIT {_NAMED}"  # noqa: S608 - written here
            ).fetchall()
    found.moved = sorted(set(found.moved), key=lambda each: (each[3], each[0]))
    return keys[-1], found


def compare_all(old: Scheme | None, new: Scheme, *, at: datetime) -> Comparison:
    """Compare two schemes over all open leads at once; for as many as somebody waits for."""
    whole, last = Comparison(), 0
    while (step := compare_next(old, new, after=last, at=at)) is not None:
        last, part = step
        whole.add(part)
    return whole


@dataclass(frozen=True, slots=True)
class MovedLead:
    """A lead that comes into another grade. rise: points."""

    lead: Lead
    before: str
    after: str
    rise: float


def moved_leads(actor: Actor, comparison: Comparison) -> Sequence[MovedLead]:
    """Those of the leads that move most which the actor may see, the one that rises most first."""
    wanted: Collection[int] = [lead for lead, _before, _after, _rise in comparison.moved]
    leads = leads_for(actor).in_bulk(wanted) if wanted else {}
    return [
        MovedLead(leads[lead], before, after, rise / 100)
        for lead, before, after, rise in reversed(comparison.moved)
        if lead in leads
    ]
