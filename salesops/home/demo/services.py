"""Writes the made-up company into an empty portal, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from salesops.audit.services import record
from salesops.core.actor import system_actor
from salesops.deals.choices import StageKind
from salesops.deals.models import Stage
from salesops.home.demo import ground, staff
from salesops.home.demo.bulk import made_ahead, put_aside
from salesops.home.demo.commissions import write_commissions
from salesops.home.demo.company import COMPANY_NAME, SEGMENTS, Company, make_company
from salesops.home.demo.effort import write_effort
from salesops.home.demo.ground import Ground, Numbers, Stages
from salesops.home.demo.history import History
from salesops.home.demo.routing import write_routing
from salesops.home.demo.rows import day_number
from salesops.home.demo.scores import write_scores
from salesops.home.demo.selling import write_selling
from salesops.home.demo.size import Size
from salesops.home.demo.writer import TableWriter
from salesops.pods.models import Segment

#: What a person without a password has: nothing that anybody types matches it.
NO_PASSWORD: Final = "!"  # noqa: S105 -- the mark of an unusable one
#: The demo is only for a portal in which nobody works yet: these must be empty.
_MUST_BE_EMPTY: Final = (
    "pods.pod",
    "pods.territory",
    "deals.product",
    "accounts.account",
    "leads.lead",
    "leads.pool",
    "effort.effortversion",
    "leads.scoreversion",
    "deals.guardpolicy",
    "deals.deal",
)
_LOCK: Final = 7_300_271


class DemoRefusedError(Exception):
    """The demo company cannot be made here; the message says why and can be shown to a person."""


@dataclass(frozen=True, slots=True)
class DemoMade:
    """What was written: rows of each table, and the company with its people."""

    counts: Mapping[str, int]
    company: Company
    at: datetime


def only_one_at_a_time() -> None:
    """Let a second process wait here until this transaction ends. SQLite's transactions do that by themselves."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = 0")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


@transaction.atomic
def make_demo(
    *,
    seed: int,
    size: Size,
    today: date,
    password: str = NO_PASSWORD,
    progress: Callable[[int], None] | None = None,
) -> DemoMade:
    """Write Nordlicht Instruments with two years of history that ends when `today` begins.

    The same seed, size and day give the same bytes in every table. `password` is the stored hash for all its people;
    without one nobody can log in. `progress` hears how many leads and deals are written. Raises DemoRefusedError when
    the portal holds data already or has no stages to sell through.
    """
    only_one_at_a_time()
    for label in _MUST_BE_EMPTY:
        model = apps.get_model(label)
        if model._default_manager.exists():
            raise DemoRefusedError(
                _("The portal already holds %(rows)s. The demo company is only for an empty one.")
                % {"rows": model._meta.verbose_name_plural}
            )
    company = make_company(seed=seed, today=day_number(today), currency=settings.COMPANY_CURRENCY)
    stages = _stages()
    segments = tuple(_segment(position) for position in range(len(SEGMENTS)))
    writer = TableWriter(connection, as_of=day_number(today) * 86_400)
    numbers = Numbers(stages=stages, segments=segments, first=writer.first_ids([*staff.TABLES, *ground.TABLES]))
    stands_on = Ground(company, numbers, company_zone=settings.COMPANY_TIME_ZONE)
    for rows in staff.Staff(stands_on, password=password).rows():
        writer.write(rows)
    with put_aside(connection, ground.TABLES) if size.is_large else nullcontext():
        for batch in made_ahead(History(stands_on, size).batches()):
            for rows in batch:
                writer.write(rows)
            if progress is not None:
                progress(writer.counts.get(ground.LEAD, 0) + writer.counts.get(ground.DEAL, 0))
    writer.finish()
    at = datetime.fromtimestamp(stands_on.now, UTC)
    if size.has_pay:
        write_commissions(company, now=at)
    if not size.is_large:  # what is made for measuring is routed by rules of its own
        write_routing(company, now=at)
        write_effort(now=at)
        write_scores(now=at)
        write_selling(company, now=at)
    record(
        actor=system_actor(),
        action="demo.made",
        after={"company": COMPANY_NAME, "seed": seed, "today": today.isoformat(), **writer.counts},
        at=at,
    )
    return DemoMade(counts=writer.counts, company=company, at=at)


def _stages() -> Stages:
    """The stages in use, as the administrators have them."""
    rows = list(Stage.objects.filter(is_active=True).order_by("position", "id").values_list("pk", "kind"))
    of_kind = {kind: tuple(pk for pk, its_kind in rows if its_kind == kind) for kind in StageKind.values}
    if not all(of_kind.values()):
        raise DemoRefusedError(_("Deals need at least one open, one won and one lost stage in use."))
    return Stages(open=of_kind[StageKind.OPEN], won=of_kind[StageKind.WON][0], lost=of_kind[StageKind.LOST][0])


def _segment(position: int) -> int:
    facts = SEGMENTS[position]
    row, _made = Segment.objects.get_or_create(
        code=facts.code,
        defaults={
            "name": facts.name,
            "min_employees": facts.min_employees,
            "max_employees": facts.max_employees,
            "position": position + 1,
        },
    )
    return int(row.pk)
