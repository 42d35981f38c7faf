"""The fixed cast of the tests: a small company whose people are the same everywhere.

Elsa Executive
├── Max Manager ── pod North: Sam (SDR), Ana (AE), Carl (CSM)
└── Mia Manager ── pod South: Sven (SDR), Alba (AE), Cleo (CSM)
Ada Admin · Rita Revops · Finn and Fay Finance · Norm Norole
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from salesops.core.actor import Actor
from salesops.people.choices import JobFunction, RoleChoice
from salesops.people.models import FunctionAssignment, ReportingLine, RoleGrant, User
from salesops.pods.models import Pod, PodMembership, Segment
from salesops.pods.selectors import actor_for

#: The moment at which the tests play, unless one says otherwise: a Wednesday.
NOW = datetime(2026, 6, 17, 10, 0, tzinfo=UTC)
TODAY = NOW.date()
SINCE = date(2025, 1, 1)
PASSWORD = "correct horse battery staple"


@dataclass
class Cast:
    """The people by first name in lower case (`cast.ana`), the two pods, the two segments."""

    people: dict[str, User] = field(default_factory=dict)
    north: Pod = None  # type: ignore[assignment]  # set by make_cast
    south: Pod = None  # type: ignore[assignment]
    smb: Segment = None  # type: ignore[assignment]
    enterprise: Segment = None  # type: ignore[assignment]

    def __getattr__(self, name: str) -> User:
        try:
            return self.__dict__["people"][name]
        except KeyError:
            raise AttributeError(name) from None

    def actor(self, name: str, at: datetime = NOW) -> Actor:
        """The actor of a person of the cast."""
        return actor_for(User.objects.get(pk=self.people[name].pk), at=at)


_PEOPLE: list[tuple[str, str, RoleChoice | None, JobFunction | None, str]] = [
    ("elsa", "Elsa Executive", RoleChoice.EXECUTIVE, None, ""),
    ("max", "Max Manager", RoleChoice.MANAGER, None, "elsa"),
    ("mia", "Mia Manager", RoleChoice.MANAGER, None, "elsa"),
    ("sam", "Sam Sorensen", RoleChoice.REP, JobFunction.SDR, "max"),
    ("ana", "Ana Alvarez", RoleChoice.REP, JobFunction.AE, "max"),
    ("carl", "Carl Chen", RoleChoice.REP, JobFunction.CSM, "max"),
    ("sven", "Sven Singh", RoleChoice.REP, JobFunction.SDR, "mia"),
    ("alba", "Alba Abe", RoleChoice.REP, JobFunction.AE, "mia"),
    ("cleo", "Cleo Costa", RoleChoice.REP, JobFunction.CSM, "mia"),
    ("ada", "Ada Admin", RoleChoice.ADMIN, None, ""),
    ("rita", "Rita Revops", RoleChoice.REVOPS, None, ""),
    ("finn", "Finn Finance", RoleChoice.FINANCE, None, ""),
    ("fay", "Fay Finance", RoleChoice.FINANCE, None, ""),
    ("norm", "Norm Norole", None, None, ""),
]


def make_cast() -> Cast:
    """Write the cast to the database and return it."""
    cast = Cast()
    cast.smb = Segment.objects.create(code="smb", name="Small business", max_employees=99, position=1)
    cast.enterprise = Segment.objects.create(code="enterprise", name="Enterprise", min_employees=100, position=2)
    cast.north = Pod.objects.create(name="North", segment=cast.smb, opened_on=SINCE)
    cast.south = Pod.objects.create(name="South", segment=cast.enterprise, opened_on=SINCE)
    probe = User()
    probe.set_password(PASSWORD)
    for number, (key, name, role, function, manager) in enumerate(_PEOPLE, start=1):
        is_admin = role == RoleChoice.ADMIN
        user = User.objects.create(
            email=f"{key}@example.com",
            name=name,
            password=probe.password,
            employee_number=str(100 + number),
            started_on=SINCE,
            is_staff=is_admin,
            is_superuser=is_admin,
        )
        cast.people[key] = user
        if role:
            RoleGrant.objects.create(person=user, role=role, start_on=SINCE)
        if function:
            FunctionAssignment.objects.create(person=user, function=function, start_on=SINCE)
            pod = cast.north if manager == "max" else cast.south
            PodMembership.objects.create(pod=pod, person=user, function=function, start_on=SINCE)
        if manager:
            ReportingLine.objects.create(person=user, manager=cast.people[manager], start_on=SINCE)
    return cast
