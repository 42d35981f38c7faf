"""Many deals at once: the preview says what will happen, and exactly that happens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from salesops.audit.models import AuditEntry
from salesops.deals.models import Deal, Product, Stage, StageChange
from salesops.deals.services import BulkChanges, BulkPlan, bulk_edit, bulk_reassign, plan_bulk_edit, start_bulk_edit
from salesops.jobs.choices import JobState
from salesops.jobs.models import Job
from salesops.jobs.testing import run_due, run_killed_everywhere
from tests.cast import NOW, TODAY, Cast

LATER = NOW + timedelta(hours=2)
MakeDeal = Callable[..., Deal]


def counts(plan: BulkPlan) -> tuple[int, int, int, int]:
    return plan.changed, plan.unchanged, plan.refused, plan.missing


def everything() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (Deal, StageChange, AuditEntry)]


@pytest.fixture
def mixed(make_deal: MakeDeal, cast: Cast) -> list[int]:
    """Two open deals of Ana, one already lost, one won, one of the other pod, and an id that does not exist."""
    deals = [
        make_deal(name="Open one"),
        make_deal(name="Open two", stage="engaging"),
        make_deal(name="Lost", stage="lost", lost_because="price"),
        make_deal(name="Won", stage="won"),
        make_deal(name="Theirs", owner=cast.alba, pod=cast.south),
    ]
    return [deal.pk for deal in deals] + [999_999]


def test_the_preview_is_what_happens(mixed: list[int], cast: Cast, stages: dict[str, Stage]) -> None:
    actor = cast.actor("max")
    changes = BulkChanges(stage=stages["lost"], lost_because="no budget", closed_on=date(2026, 6, 16))
    before = everything()
    planned = plan_bulk_edit(actor=actor, deal_ids=mixed, changes=changes, at=LATER)
    assert everything() == before
    done = bulk_edit(actor=actor, deal_ids=mixed, changes=changes, at=LATER)
    assert planned == done
    assert counts(done) == (2, 1, 1, 2)
    assert done.selected == len(mixed)
    assert [(row.name, row.after) for row in done.changed_rows] == [
        ("Open one", {"stage": "Lost", "closed_on": "2026-06-16", "lost_because": "no budget"}),
        ("Open two", {"stage": "Lost", "closed_on": "2026-06-16", "lost_because": "no budget"}),
    ]
    assert [row.name for row in done.unchanged_rows] == ["Lost"]
    assert [(row.name, [problem.code for problem in row.problems]) for row in done.refused_rows] == [
        ("Won", ["reopen-first"])
    ]
    assert list(Deal.objects.order_by("pk").values_list("kind", "lost_because", "version")) == [
        ("lost", "no budget", 2),
        ("lost", "no budget", 2),
        ("lost", "price", 1),
        ("won", "", 1),
        ("open", "", 1),
    ]
    assert StageChange.objects.count() == 2
    assert {entry.action for entry in AuditEntry.objects.all()} == {"deal.edited"}
    assert AuditEntry.objects.count() == 2


def test_all_deals_refused_change_nothing(mixed: list[int], cast: Cast, stages: dict[str, Stage]) -> None:
    before = everything()
    plan = bulk_edit(actor=cast.actor("ana"), deal_ids=mixed[:2], changes=BulkChanges(stage=stages["lost"]), at=LATER)
    assert counts(plan) == (0, 0, 2, 0)
    assert everything() == before


def test_several_fields_at_once(mixed: list[int], cast: Cast, gtx: Product) -> None:
    changes = BulkChanges(expected_close_on=date(2026, 9, 30), product=gtx, next_step=" Send the offer ")
    plan = bulk_edit(actor=cast.actor("ana"), deal_ids=mixed[:1], changes=changes, at=LATER)
    assert plan.changed_rows[0].after == {
        "expected_close_on": "2026-09-30",
        "product": "GTX Pro",
        "next_step": "Send the offer",
    }
    deal = Deal.objects.get(pk=mixed[0])
    assert (deal.expected_close_on, deal.product, deal.next_step) == (date(2026, 9, 30), gtx, "Send the offer")
    bulk_edit(actor=cast.actor("ana"), deal_ids=mixed[:1], changes=BulkChanges(product=None), at=LATER)
    deal.refresh_from_db()
    assert (deal.product, deal.next_step, deal.version) == (None, "Send the offer", 3)


def test_giving_many_deals_away(mixed: list[int], cast: Cast) -> None:
    plan = bulk_reassign(actor=cast.actor("rita"), deal_ids=mixed, owner=cast.alba, at=LATER, reason="New territory")
    assert counts(plan) == (4, 1, 0, 1)
    assert set(Deal.objects.values_list("owner", "pod")) == {(cast.alba.pk, cast.south.pk)}
    assert set(AuditEntry.objects.values_list("action", "reason")) == {("deal.reassigned", "New territory")}
    assert plan.changed_rows[0].before == {"owner": "Ana Alvarez", "pod": "North"}
    assert plan.changed_rows[0].after == {"owner": "Alba Abe", "pod": "South"}


@pytest.mark.parametrize("giver", ["ana", "max"])
def test_nobody_gives_deals_to_people_or_pods_they_do_not_see(giver: str, mixed: list[int], cast: Cast) -> None:
    before = everything()
    with pytest.raises(ValidationError) as refused:
        bulk_reassign(actor=cast.actor(giver), deal_ids=mixed, owner=cast.alba, pod=cast.south, at=LATER)
    assert set(refused.value.error_dict) == {"owner", "pod"}
    with pytest.raises(ValidationError):
        plan_bulk_edit(actor=cast.actor(giver), deal_ids=mixed, changes=BulkChanges(pod=cast.south), at=LATER)
    assert everything() == before


@pytest.mark.parametrize("reader", ["finn", "elsa", "norm"])
def test_who_only_reads_changes_nothing(reader: str, mixed: list[int], cast: Cast) -> None:
    before = everything()
    with pytest.raises(PermissionDenied):
        bulk_edit(actor=cast.actor(reader), deal_ids=mixed, changes=BulkChanges(next_step="x"), at=LATER)
    assert everything() == before


def test_nothing_to_change_is_said(mixed: list[int], cast: Cast) -> None:
    with pytest.raises(ValidationError, match="at least one"):
        bulk_edit(actor=cast.actor("ana"), deal_ids=mixed, changes=BulkChanges(), at=LATER)


def test_queries_do_not_grow_with_the_selection(make_deal: MakeDeal, cast: Cast) -> None:
    def cost(number: int) -> int:
        ids = [make_deal(name=f"{number} {n}").pk for n in range(number)]
        with CaptureQueriesContext(connection) as queries:
            plan = plan_bulk_edit(actor=cast.actor("ana"), deal_ids=ids, changes=BulkChanges(owner=cast.sam), at=LATER)
        assert plan.changed == number
        return len(queries)

    assert cost(2) == cost(60)


def test_a_plan_names_some_rows_and_counts_all(make_deal: MakeDeal, cast: Cast) -> None:
    ids = [make_deal(name=f"Deal {n}").pk for n in range(60)]
    plan = plan_bulk_edit(actor=cast.actor("ana"), deal_ids=ids, changes=BulkChanges(next_step="Call"), at=LATER)
    assert (plan.changed, len(plan.changed_rows)) == (60, 50)


@pytest.fixture
def many(make_deal: MakeDeal, cast: Cast, stages: dict[str, Stage]) -> list[int]:
    """1,201 open deals, the last one won: more than are changed at once."""
    Deal.objects.bulk_create(
        Deal(
            name=f"Deal {n}",
            owner=cast.ana,
            pod=cast.north,
            stage=stages["engaging"],
            created_at=NOW,
            stage_entered_at=NOW,
        )
        for n in range(1_200)
    )
    make_deal(stage="won")
    return list(Deal.objects.order_by("pk").values_list("pk", flat=True))


def test_beyond_a_thousand_a_job_does_it(many: list[int], cast: Cast, stages: dict[str, Stage]) -> None:
    changes = BulkChanges(stage=stages["lost"], lost_because="sunset", closed_on=TODAY)
    started = start_bulk_edit(actor=cast.actor("ana"), deal_ids=many, changes=changes, at=NOW, key="form-1")
    assert isinstance(started, Job)
    again = start_bulk_edit(actor=cast.actor("ana"), deal_ids=many, changes=changes, at=NOW, key="form-1")
    assert again == started
    assert Deal.objects.filter(kind="lost").count() == 0
    run_killed_everywhere(started, at=LATER)
    started.refresh_from_db()
    assert started.state == JobState.DONE
    assert Deal.objects.filter(kind="lost", lost_because="sunset", closed_on=TODAY, version=2).count() == 1_200
    assert (StageChange.objects.count(), AuditEntry.objects.filter(subject_type="deals.deal").count()) == (1_200, 1_200)
    assert started.note == "1200 changed, 0 left as they were, 1 refused, 0 not found"


def test_the_job_acts_with_the_rights_its_asker_has_then(many: list[int], cast: Cast) -> None:
    job = start_bulk_edit(
        actor=cast.actor("ana"), deal_ids=many, changes=BulkChanges(next_step="Call"), at=NOW, key="form-2"
    )
    assert isinstance(job, Job)
    cast.ana.role_grants.update(end_on=TODAY)
    run_due(at=LATER, raise_errors=False)
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert not Deal.objects.exclude(next_step="").exists()


def test_up_to_a_thousand_it_is_done_at_once(mixed: list[int], cast: Cast) -> None:
    done = start_bulk_edit(
        actor=cast.actor("ana"), deal_ids=mixed, changes=BulkChanges(next_step="Call"), at=NOW, key="form-3"
    )
    assert isinstance(done, BulkPlan)
    assert counts(done) == (4, 0, 0, 2)


def test_changes_survive_the_way_through_a_job(cast: Cast, stages: dict[str, Stage], gtx: Product) -> None:
    for changes in (
        BulkChanges(stage=stages["won"], closed_on=TODAY),
        BulkChanges(owner=None, pod=cast.south, reason="left"),
        BulkChanges(expected_close_on=None, product=gtx, next_step=""),
        BulkChanges(expected_close_on=TODAY, product=None, owner=cast.ana),
    ):
        assert BulkChanges.from_plain(changes.as_plain()) == changes
