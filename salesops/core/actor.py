"""Who is asking: one frozen value, made once for each request, token or job."""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final


class Role(enum.StrEnum):
    """What a person may do in the portal. A person may hold several; the widest right wins."""

    REP = "rep"
    MANAGER = "manager"
    REVOPS = "revops"
    FINANCE = "finance"
    EXECUTIVE = "executive"
    ADMIN = "admin"


class Scope(enum.IntEnum):
    """How far an actor sees into a noun, from nothing to everything. TOTALS: sums, never single rows."""

    NONE = 0
    TOTALS = 1
    OWN = 2
    POD = 3
    TREE = 4
    ALL = 5


class Noun(enum.StrEnum):
    """The kinds of rows the one window decides about."""

    PAY = "pay"  # statements, earnings, credits, ledger
    WORK = "work"  # leads, deals, accounts, contacts, activities
    POD = "pod"  # pods, memberships, territories
    PLAN = "plan"  # commission plans and their rules
    QUOTA = "quota"
    PAYROLL = "payroll"
    IMPORT = "import"  # files, mappings, the shelf
    JOB = "job"
    EFFORT = "effort"  # effort scores of people: one's own and the tree's, never everybody's


#: How far each role sees. Anything not named is NONE: an unknown role sees nothing.
SIGHT: Final[dict[Role, dict[Noun, Scope]]] = {
    Role.REP: {
        Noun.PAY: Scope.OWN,
        Noun.WORK: Scope.POD,
        Noun.POD: Scope.POD,
        Noun.PLAN: Scope.OWN,
        Noun.QUOTA: Scope.OWN,
        Noun.JOB: Scope.OWN,
        Noun.EFFORT: Scope.OWN,
    },
    Role.MANAGER: {
        Noun.PAY: Scope.TREE,
        Noun.WORK: Scope.TREE,
        Noun.POD: Scope.TREE,
        Noun.PLAN: Scope.ALL,
        Noun.QUOTA: Scope.TREE,
        Noun.JOB: Scope.OWN,
        Noun.EFFORT: Scope.TREE,
    },
    Role.REVOPS: {
        Noun.WORK: Scope.ALL,
        Noun.POD: Scope.ALL,
        Noun.PLAN: Scope.ALL,
        Noun.QUOTA: Scope.ALL,
        Noun.IMPORT: Scope.ALL,
        Noun.JOB: Scope.ALL,
        Noun.EFFORT: Scope.OWN,
    },
    Role.FINANCE: {
        Noun.PAY: Scope.ALL,
        Noun.WORK: Scope.ALL,
        Noun.POD: Scope.ALL,
        Noun.PLAN: Scope.ALL,
        Noun.QUOTA: Scope.ALL,
        Noun.PAYROLL: Scope.ALL,
        Noun.JOB: Scope.OWN,
        Noun.EFFORT: Scope.OWN,
    },
    Role.EXECUTIVE: {
        Noun.PAY: Scope.TOTALS,
        Noun.WORK: Scope.TOTALS,
        Noun.POD: Scope.ALL,
        Noun.PLAN: Scope.TOTALS,
        Noun.QUOTA: Scope.TOTALS,
        Noun.EFFORT: Scope.OWN,
    },
    Role.ADMIN: {
        Noun.WORK: Scope.ALL,
        Noun.POD: Scope.ALL,
        Noun.PLAN: Scope.ALL,
        Noun.QUOTA: Scope.ALL,
        Noun.IMPORT: Scope.ALL,
        Noun.JOB: Scope.ALL,
        Noun.EFFORT: Scope.OWN,
    },
}

#: Roles that may change leads, deals and accounts they see. Finance and executives read.
EDITORS: Final = frozenset({Role.REP, Role.MANAGER, Role.REVOPS, Role.ADMIN})
#: Those of them that may change what a closed deal pays: commission is counted from it.
CLOSED_DEAL_EDITORS: Final = frozenset({Role.MANAGER, Role.REVOPS, Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Actor:
    """A person at a moment: roles, functions, pods and the people below them, all as of `as_of`.

    `tree_ids` are the people below the actor on the reporting line, the actor not included; `tree_pod_ids` the pods in
    which any of them works. `system` marks the portal itself (jobs, commands): it sees everything and is named as such
    in the audit.
    """

    user_id: int | None
    name: str
    roles: frozenset[Role] = frozenset()
    functions: frozenset[str] = frozenset()
    pod_ids: frozenset[int] = frozenset()
    tree_ids: frozenset[int] = frozenset()
    tree_pod_ids: frozenset[int] = frozenset()
    as_of: datetime | None = None
    time_zone: str = "UTC"
    language: str = "en"
    is_system: bool = False
    request_id: str = field(default="", compare=False)

    def has(self, *roles: Role) -> bool:
        """Say whether the actor holds any of these roles."""
        return self.is_system or not self.roles.isdisjoint(roles)

    def sight(self, noun: Noun) -> Scope:
        """How far the actor sees into this noun: the widest of what the roles give."""
        if self.is_system:
            return Scope.ALL
        return max((SIGHT.get(role, {}).get(noun, Scope.NONE) for role in self.roles), default=Scope.NONE)

    @property
    def people_ids(self) -> frozenset[int]:
        """The actor and everyone below."""
        return self.tree_ids | ({self.user_id} if self.user_id is not None else frozenset())

    @property
    def all_pod_ids(self) -> frozenset[int]:
        """The actor's own pods and the pods of everyone below."""
        return self.pod_ids | self.tree_pod_ids

    @property
    def may_edit_work(self) -> bool:
        """Whether the actor may change the leads, deals and accounts that they see."""
        return self.is_system or not self.roles.isdisjoint(EDITORS)

    @property
    def may_change_closed_deals(self) -> bool:
        """Whether the actor may change what a won or lost deal pays, among the deals that they see."""
        return self.is_system or not self.roles.isdisjoint(CLOSED_DEAL_EDITORS)


NOBODY: Final = Actor(user_id=None, name="")


def system_actor(name: str = "Salesops") -> Actor:
    """The portal itself, for jobs and commands."""
    return Actor(user_id=None, name=name, is_system=True)


def roles_from(values: Collection[str]) -> frozenset[Role]:
    """Turn stored role names into roles; names that no longer exist give nothing."""
    known = {role.value for role in Role}
    return frozenset(Role(value) for value in values if value in known)
