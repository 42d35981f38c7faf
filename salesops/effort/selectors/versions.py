"""Reads weights and targets: what is in force or was is for everybody, drafts for who writes them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from salesops.core.actor import Actor, Role
from salesops.core.days import company_day
from salesops.effort.choices import CountedKind
from salesops.effort.models import EffortTarget, EffortVersion
from salesops.effort.rules.scores import Target, problems_of
from salesops.leads.choices import VersionState
from salesops.people.choices import JobFunction

#: Who writes weights, and sees drafts.
WRITERS = (Role.REVOPS, Role.ADMIN)
#: The settings of a version beside its targets.
SETTINGS = ("cap_percent", "full_day_minutes", "low_below", "high_above", "alert_below", "drop_percent")


def versions_for(actor: Actor) -> QuerySet[EffortVersion]:
    """The versions that the actor may read, the newest first."""
    if not actor.roles and not actor.is_system:
        return EffortVersion.objects.none()
    rows = EffortVersion.objects.all()
    return rows if actor.has(*WRITERS) else rows.exclude(state=VersionState.DRAFT)


def version_for(actor: Actor, pk: int) -> EffortVersion:
    """One version. Raises Http404."""
    version = versions_for(actor).filter(pk=pk).first()
    if version is None:
        raise Http404
    return version


def versions_on(days: list[date]) -> dict[date, EffortVersion | None]:
    """The version that was in force when each of these days began; None before the first. One query."""
    rows = list(EffortVersion.objects.exclude(activated_at=None).order_by("activated_at", "pk"))
    found: dict[date, EffortVersion | None] = {}
    for day in days:
        found[day] = None
        for row in rows:
            if row.activated_at is not None and company_day(row.activated_at) <= day:
                found[day] = row
    return found


def targets_of(version: EffortVersion) -> dict[str, tuple[Target, ...]]:
    """The targets of each job function, in the order in which they are shown."""
    order = list(CountedKind.values)
    found: dict[str, list[Target]] = defaultdict(list)
    for row in sorted(version.targets.all(), key=lambda row: order.index(row.kind)):
        found[row.function].append(Target(row.kind, row.per_day, row.weight))
    return {function: tuple(rows) for function, rows in found.items()}


@dataclass(frozen=True, slots=True)
class FunctionTargets:
    """One job function of a version, as it is shown. problems: why it cannot be put in force."""

    function: JobFunction
    rows: list[EffortTarget]
    problems: list[str]


def shown_targets(version: EffortVersion) -> list[FunctionTargets]:
    """Every job function with its targets; those without any are not scored."""
    order = list(CountedKind.values)
    rows: dict[str, list[EffortTarget]] = defaultdict(list)
    for row in sorted(version.targets.all(), key=lambda row: order.index(row.kind)):
        rows[row.function].append(row)
    said = {
        "weights": _("The weights do not add up to 100."),
        "target": _("A target is not above zero."),
    }
    found = []
    for function in JobFunction:
        plain = [Target(row.kind, row.per_day, row.weight) for row in rows[function.value]]
        problems = [said[each] for each in problems_of(plain) if each in said]
        found.append(FunctionTargets(function, rows[function.value], problems))
    return found
