"""Reads versions of routing rules for an actor, and says in words what they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from salesops.core.actor import Actor, Role
from salesops.leads.choices import RuleAction, VersionState
from salesops.leads.models import RoutingRule, RoutingVersion, ServiceLevel
from salesops.people.models import User

#: Who reads routing rules.
READERS: Final = (Role.MANAGER, Role.REVOPS, Role.ADMIN)


def routing_versions_for(actor: Actor) -> QuerySet[RoutingVersion]:
    """All versions, newest first. Raises PermissionDenied for who has nothing to do with rules."""
    if not actor.has(*READERS):
        raise PermissionDenied
    return RoutingVersion.objects.select_related("created_by", "activated_by").order_by("-number")


def routing_version_for(actor: Actor, pk: int) -> RoutingVersion:
    """One version. Raises Http404."""
    version = routing_versions_for(actor).filter(pk=pk).first()
    if version is None:
        raise Http404
    return version


@dataclass(frozen=True, slots=True)
class RuleShown:
    """A rule in words: what it does with the leads that it fits."""

    row: RoutingRule
    then: str


@dataclass(frozen=True, slots=True)
class LevelShown:
    """A service level in words: after how long what happens."""

    row: ServiceLevel
    steps: Sequence[str]


def rules_shown(version: RoutingVersion) -> list[RuleShown]:
    """The rules of a version in their order; one query."""
    rows = version.rules.select_related("pool", "person").order_by("position", "pk")
    return [RuleShown(row, _then(row)) for row in rows]


def versions_to_try(actor: Actor) -> list[RoutingVersion]:
    """The versions that can be tried on a lead: the one in force and the newest draft, those there are; one query."""
    if not actor.has(*READERS):
        return []
    rows = RoutingVersion.objects.filter(state__in=(VersionState.ACTIVE, VersionState.DRAFT)).order_by("-number")
    newest: dict[str, RoutingVersion] = {}
    for row in rows:
        newest.setdefault(row.state, row)
    return list(newest.values())


def levels_shown(version: RoutingVersion) -> list[LevelShown]:
    """The service levels of a version in their order; one query."""
    found = []
    for row in version.levels.order_by("position", "pk"):
        steps = [_("after %(time)s the owner is reminded") % {"time": minutes_text(row.warn_minutes)}]
        if row.alert_minutes is not None:
            steps.append(_("after %(time)s the manager is told") % {"time": minutes_text(row.alert_minutes)})
        if row.reassign_minutes is not None:
            steps.append(_("after %(time)s it goes to somebody else") % {"time": minutes_text(row.reassign_minutes)})
        found.append(LevelShown(row, steps))
    return found


def minutes_text(minutes: int) -> str:
    """Minutes of working time in words: "1 h 30 min"."""
    hours, rest = divmod(minutes, 60)
    if not hours:
        return _("%(minutes)s min") % {"minutes": rest}
    if not rest:
        return _("%(hours)s h") % {"hours": hours}
    return _("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": rest}


def _then(rule: RoutingRule) -> str:
    if rule.action == RuleAction.POOL:
        return _("goes to the pool %(pool)s") % {"pool": rule.pool}
    if rule.action == RuleAction.PERSON:
        return _("goes to %(person)s") % {"person": rule.person}
    if rule.action == RuleAction.ACCOUNT_OWNER:
        return _("goes to the owner of its account, where there is one")
    return _("waits for a person to decide")


@dataclass(frozen=True, slots=True)
class ByPerson:
    """What somebody would have got, and got in truth; name empty for nobody."""

    name: str
    would: int
    truly: int

    @property
    def difference(self) -> int:
        """More, or less, than in truth."""
        return self.would - self.truly


def by_person(would: Mapping[int | None, int], truly: Mapping[int | None, int]) -> list[ByPerson]:
    """Who would get how many, most first, nobody last; one query."""
    keys = {*would, *truly}
    names = dict(User.objects.filter(pk__in=[key for key in keys if key]).values_list("pk", "name"))
    rows = [ByPerson(names.get(key or 0, ""), would.get(key, 0), truly.get(key, 0)) for key in keys]
    return sorted(rows, key=lambda row: (not row.name, -row.would, -row.truly, row.name))
