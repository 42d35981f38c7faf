"""Reads hand-offs: the actor's, one of them, those of a deal, and what their ratings come to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from salesops.core.actor import Actor, Role
from salesops.deals.choices import HandOffPair, HandOffState
from salesops.deals.models import Deal, HandOff
from salesops.deals.rules.handoffs import PAIRS, RATINGS, Means, Rated, may_rate, means_of
from salesops.people.models import User
from salesops.people.selectors import functions_on, people_for

#: Who gives and gets hand-offs, and who reads about them.
READERS: Final = (Role.REP, Role.MANAGER, Role.REVOPS, Role.FINANCE, Role.ADMIN)
#: What each rating is called, and what it asks.
LABELS: Final[dict[str, Any]] = {
    "completeness": _("Completeness"),
    "promise_alignment": _("Promise alignment"),
    "sentiment_continuity": _("Sentiment continuity"),
    "context_transfer": _("Context transfer"),
    "stakeholder_map": _("Stakeholder map"),
}
ASKS: Final[dict[str, Any]] = {
    "completeness": _("Was everything there that you need?"),
    "promise_alignment": _("Was what we sold what was promised?"),
    "sentiment_continuity": _("Did the customer feel that it went on without a break?"),
    "context_transfer": _("Did you learn why they buy and what they expect?"),
    "stakeholder_map": _("Do you know who decides, who uses it and who is against it?"),
}


def hand_offs_for(actor: Actor) -> QuerySet[HandOff]:
    """The hand-offs that the actor gave or got, or that people below them did; newest first."""
    rows: QuerySet[HandOff] = HandOff.objects.visible_to(actor)
    return rows


def hand_off_for(actor: Actor, pk: int) -> HandOff:
    """One hand-off. Raises Http404 for one that is not the actor's."""
    rows = HandOff.objects.select_related("deal", "account", "lead", "giver", "receiver", "pod")
    row: HandOff = rows.get_for(actor, pk=pk)
    return row


def hand_offs_of(actor: Actor, deal: Deal) -> list[HandOff]:
    """The hand-offs of a deal that the actor may read, newest first."""
    return list(hand_offs_for(actor).filter(deal=deal).select_related("giver", "receiver")[:10])


def may_hand_off(actor: Actor) -> bool:
    """Whether the actor works in a function from which a hand-off goes."""
    return actor.may_edit_work and any(not here.isdisjoint(actor.functions) for here, _there in PAIRS.values())


def receivers_for(actor: Actor, pair: str, *, day: date) -> QuerySet[User]:
    """The people who may get a hand-off of this pair: active, in a function to which it goes, never the actor."""
    functions = PAIRS[pair][1]
    keys = [pk for pk, function in functions_on(day).items() if function in functions]
    return people_for(actor).filter(is_active=True, pk__in=keys).exclude(pk=actor.user_id or 0)


@dataclass(frozen=True, slots=True)
class RatingShown:
    """One rating as a page shows it."""

    name: str
    label: Promise
    ask: Promise
    value: int | None


def ratings_shown(row: HandOff) -> list[RatingShown]:
    """The five ratings in their order."""
    return [RatingShown(name, LABELS[name], ASKS[name], getattr(row, name)) for name in RATINGS]


def may_rate_now(actor: Actor, row: HandOff, at: datetime) -> bool:
    """Whether the actor may rate it: the receiver, once they accepted it, and for a few days after the first rating."""
    return actor.user_id == row.receiver_id and row.state == HandOffState.ACCEPTED and may_rate(row.rated_at, at)


@dataclass(frozen=True, slots=True)
class MeansRow:
    """A row of the report: a giver, a pod or a pair, and what the ratings come to."""

    name: str
    means: Means


@dataclass(frozen=True, slots=True)
class HandOffReport:
    """What ratings come to altogether and by giver, by the giver's pod and by pair. `unrated` were accepted, not rated."""

    overall: Means
    by_giver: tuple[MeansRow, ...]
    by_pod: tuple[MeansRow, ...]
    by_pair: tuple[MeansRow, ...]
    unrated: int
    waiting: int
    declined: int


def hand_off_report_for(actor: Actor) -> HandOffReport:
    """What the ratings of the hand-offs that the actor sees come to; groups of fewer than five say nothing."""
    seen = hand_offs_for(actor)
    rated = list(seen.filter(rated_at__isnull=False).select_related("giver", "pod"))

    def grouped(name_of: Callable[[HandOff], str]) -> tuple[MeansRow, ...]:
        groups: dict[str, list[Rated]] = defaultdict(list)
        for row in rated:
            groups[name_of(row)].append(_rated(row))
        return tuple(MeansRow(name, means_of(group)) for name, group in sorted(groups.items()))

    accepted = seen.filter(state=HandOffState.ACCEPTED, rated_at__isnull=True)
    return HandOffReport(
        overall=means_of([_rated(row) for row in rated]),
        by_giver=grouped(lambda row: str(row.giver)),
        by_pod=grouped(lambda row: str(row.pod) if row.pod else ""),
        by_pair=grouped(lambda row: str(HandOffPair(row.pair).label)),
        unrated=accepted.count(),
        waiting=seen.filter(state=HandOffState.SENT).count(),
        declined=seen.filter(state=HandOffState.DECLINED).count(),
    )


def _rated(row: Any) -> Rated:
    return Rated({name: getattr(row, name) for name in RATINGS})
