"""Reads figures of job functions and pods, as far as they tell nothing of one person."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Literal

from django.db.models import Max

from salesops.core import features
from salesops.core.actor import Actor, Noun, Role, Scope
from salesops.effort.choices import EFFORT
from salesops.effort.models import EffortPolicy, EffortScore
from salesops.effort.rules.groups import LEAST, Figures, TooFew, disclose
from salesops.people.choices import JobFunction
from salesops.pods.models import Pod, PodMembership

#: Who reads figures of groups. Executives get these and nothing by person.
READERS = (Role.MANAGER, Role.REVOPS, Role.EXECUTIVE)


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A job function or a pod with its figures, or without."""

    kind: Literal["function", "pod"]
    name: str
    figures: Figures | TooFew

    @property
    def is_shown(self) -> bool:
        """Whether there are figures."""
        return isinstance(self.figures, Figures)


def latest_whole_week() -> date | None:
    """The Monday of the latest week that is over and scored."""
    week: date | None = EffortScore.objects.filter(is_whole=True).aggregate(last=Max("week_on"))["last"]
    return week


def group_rows_for(actor: Actor, week_on: date) -> list[GroupRow]:
    """The figures of every job function and every pod in a week, for this reader. Five queries, whatever the size.

    All of them are judged together: what one would tell in the light of the others is not shown.
    """
    if not features.is_on(EFFORT) or not actor.has(*READERS):
        return []
    scores: dict[int, int] = {}
    functions: dict[str, dict[int, int]] = defaultdict(dict)
    of_pods: dict[int, dict[int, int]] = defaultdict(dict)
    rows = EffortScore.objects.all().displayed().filter(week_on=week_on, is_whole=True)
    for person_id, function, score in rows.values_list("person_id", "function", "score"):
        scores[person_id] = score
        functions[function][person_id] = score
    for person_id, pod_id in PodMembership.objects.on(week_on).values_list("person_id", "pod_id"):
        if person_id in scores:
            of_pods[pod_id][person_id] = scores[person_id]
    known = actor.people_ids if actor.sight(Noun.EFFORT) >= Scope.TREE else {actor.user_id or 0}
    pods = dict(Pod.objects.filter(pk__in=of_pods).values_list("pk", "name"))
    by_function, by_pod = disclose(
        [functions, {str(pk): group for pk, group in of_pods.items()}],
        known=known & set(scores),
        least=smallest_group(),
    )
    found = [GroupRow("function", str(JobFunction(code).label), figures) for code, figures in by_function.items()]
    found += [GroupRow("pod", pods[int(pk)], figures) for pk, figures in by_pod.items()]
    return sorted(found, key=lambda row: (row.kind, row.name))


def smallest_group() -> int:
    """The strictest of what the entities have settled: groups go across them."""
    most: int | None = EffortPolicy.objects.filter(is_on=True).aggregate(most=Max("smallest_group"))["most"]
    return most or LEAST
