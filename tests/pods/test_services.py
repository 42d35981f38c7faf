"""Pods are opened, staffed in time and closed; what does not fit is refused in words and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.http import Http404

from salesops.audit.models import AuditEntry
from salesops.pods import services
from salesops.pods.models import Pod, PodMembership, Territory, TerritoryAssignment
from tests.cast import NOW, SINCE, TODAY, Cast

TOMORROW = TODAY + timedelta(days=1)


@pytest.fixture
def by_rita(cast: Cast) -> dict[str, Any]:
    """Who and when, for services that arrange pods."""
    return {"actor": cast.actor("rita"), "at": NOW}


def memberships(cast: Cast, name: str) -> list[tuple[str, str, date, date | None]]:
    rows = PodMembership.objects.filter(person=cast.people[name]).order_by("start_on")
    return list(rows.values_list("pod__name", "function", "start_on", "end_on"))


def everything() -> list[Any]:
    return [sorted(model.objects.values_list()) for model in (Pod, PodMembership, Territory, TerritoryAssignment)] + [
        AuditEntry.objects.count()
    ]


def refusal(call: Callable[[], Any]) -> str:
    """What a service says when it refuses, having changed nothing."""
    before = str(everything())
    with pytest.raises(ValidationError) as caught:
        call()
    assert str(everything()) == before
    return " ".join(caught.value.messages)


def test_a_pod_is_opened_and_recorded(cast: Cast, by_rita: dict[str, Any]) -> None:
    pod = services.open_pod(
        name=" West ", segment=cast.smb, template="1:1:1", opened_on=TODAY, lead_capacity=90, **by_rita
    )
    assert (pod.name, pod.segment, pod.template, pod.opened_on, pod.lead_capacity) == (
        "West", cast.smb, "1:1:1", TODAY, 90,
    )  # fmt: skip
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.action, entry.actor_id, entry.subject_label, entry.after["lead_capacity"]) == (
        "pod.opened", cast.rita.pk, "West", 90,
    )  # fmt: skip


def test_a_name_is_taken_once(cast: Cast, by_rita: dict[str, Any]) -> None:
    said = refusal(lambda: services.open_pod(name="North", segment=None, template="1:1:1", opened_on=TODAY, **by_rita))
    assert said == "Pod with this Name already exists."


@pytest.mark.parametrize("who", ["ana", "max", "finn", "elsa", "norm"])
def test_only_revenue_operations_and_administrators_arrange(cast: Cast, who: str) -> None:
    by = {"actor": cast.actor(who), "at": NOW}
    before = str(everything())
    member = PodMembership.objects.get(person=cast.ana)
    for call in (
        lambda: services.open_pod(name="X", segment=None, template="1:1:1", opened_on=TODAY, **by),
        lambda: services.edit_pod(pod_id=cast.north.pk, values={"name": "X"}, **by),
        lambda: services.close_pod(pod_id=cast.north.pk, closed_on=TODAY, end_memberships=True, **by),
        lambda: services.add_member(pod_id=cast.north.pk, person_id=cast.norm.pk, function="ae", start_on=TODAY, **by),
        lambda: services.move_member(person_id=cast.ana.pk, to_pod_id=cast.south.pk, day=TODAY, **by),
        lambda: services.end_membership(membership_id=member.pk, end_on=TODAY, **by),
        lambda: services.correct_membership(
            membership_id=member.pk, pod_id=cast.south.pk, function="ae", end_on=None, **by
        ),
        lambda: services.add_territory(code="x", name="X", **by),
        lambda: services.assign_territory(territory_id=1, person_id=cast.ana.pk, start_on=TODAY, **by),
        lambda: services.end_territory_assignment(assignment_id=1, end_on=TODAY, **by),
        lambda: services.upsert_territories(records=[services.TerritoryRecord("x", "X")], source="s", **by),
        lambda: services.upsert_memberships(records=[], source="s", **by),
        lambda: services.upsert_territory_assignments(records=[], source="s", **by),
    ):
        with pytest.raises(PermissionDenied):
            call()
    assert str(everything()) == before


def test_an_edit_is_recorded_with_what_differs_and_only_then(cast: Cast, by_rita: dict[str, Any]) -> None:
    services.edit_pod(pod_id=cast.north.pk, values={"lead_capacity": 50, "segment": cast.smb}, **by_rita)
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.action, entry.before, entry.after) == (
        "pod.edited", {"lead_capacity": 200}, {"lead_capacity": 50},
    )  # fmt: skip
    count = AuditEntry.objects.count()
    services.edit_pod(pod_id=cast.north.pk, values={"lead_capacity": 50}, **by_rita)
    assert AuditEntry.objects.count() == count
    with pytest.raises(KeyError):
        services.edit_pod(pod_id=cast.north.pk, values={"closed_on": TODAY}, **by_rita)


def test_a_pod_with_people_is_not_closed(cast: Cast, by_rita: dict[str, Any]) -> None:
    said = refusal(lambda: services.close_pod(pod_id=cast.north.pk, closed_on=TODAY, **by_rita))
    assert said == (
        "These people are still in the pod: Ana Alvarez, Carl Chen, Sam Sorensen. "
        "Move them first, or end their memberships with the pod."
    )


def test_closing_a_pod_can_end_its_memberships_and_keeps_all_rows(cast: Cast, by_rita: dict[str, Any]) -> None:
    services.add_member(
        pod_id=cast.north.pk, person_id=cast.norm.pk, function="mdr", start_on=TODAY + timedelta(days=9), **by_rita
    )
    services.close_pod(pod_id=cast.north.pk, closed_on=TOMORROW, end_memberships=True, **by_rita)
    cast.north.refresh_from_db()
    assert cast.north.closed_on == TOMORROW
    assert memberships(cast, "ana") == [("North", "ae", SINCE, TOMORROW)]
    assert memberships(cast, "norm") == []  # it had not begun
    assert memberships(cast, "alba") == [("South", "ae", SINCE, None)]
    actions = list(AuditEntry.objects.order_by("sequence").values_list("action", flat=True))
    assert actions == ["pod.member_added"] + ["pod.member_ended"] * 3 + ["pod.member_withdrawn", "pod.closed"]
    said = refusal(lambda: services.close_pod(pod_id=cast.north.pk, closed_on=TOMORROW, **by_rita))
    assert said == "This pod was closed on 18 Jun 2026."


def test_a_pod_does_not_close_before_it_opens(cast: Cast, by_rita: dict[str, Any]) -> None:
    day = SINCE - timedelta(days=1)
    said = refusal(lambda: services.close_pod(pod_id=cast.north.pk, closed_on=day, end_memberships=True, **by_rita))
    assert said == "A pod cannot close before it opens."


def test_a_person_is_in_one_pod_at_a_time(cast: Cast, by_rita: dict[str, Any]) -> None:
    def add(start: date, end: date | None = None) -> PodMembership:
        return services.add_member(
            pod_id=cast.south.pk, person_id=cast.ana.pk, function="ae", start_on=start, end_on=end, **by_rita
        )

    assert refusal(lambda: add(TODAY)) == (
        "Ana Alvarez has been in pod North since 1 Jan 2025: end that first, or move them."
    )
    services.end_membership(membership_id=PodMembership.objects.get(person=cast.ana).pk, end_on=TODAY, **by_rita)
    assert refusal(lambda: add(TODAY - timedelta(days=1))) == (
        "Ana Alvarez is in pod North from 1 Jan 2025 until 17 Jun 2026: the two would overlap."
    )
    add(TODAY, TOMORROW)
    add(TOMORROW)
    assert memberships(cast, "ana") == [
        ("North", "ae", SINCE, TODAY),
        ("South", "ae", TODAY, TOMORROW),
        ("South", "ae", TOMORROW, None),
    ]


def test_the_database_refuses_an_overlap_too(cast: Cast) -> None:
    for change in (
        lambda: PodMembership.objects.create(pod=cast.south, person=cast.ana, function="ae", start_on=TODAY),
        lambda: PodMembership.objects.bulk_create(
            [PodMembership(pod=cast.south, person=cast.ana, function="ae", start_on=TODAY)]
        ),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()
    PodMembership.objects.filter(person=cast.ana).update(end_on=TODAY)
    PodMembership.objects.create(pod=cast.south, person=cast.ana, function="ae", start_on=TODAY)
    with pytest.raises(IntegrityError), transaction.atomic():
        PodMembership.objects.filter(person=cast.ana, pod=cast.north).update(end_on=TOMORROW)
    assert memberships(cast, "ana") == [("North", "ae", SINCE, TODAY), ("South", "ae", TODAY, None)]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"start_on": SINCE - timedelta(days=1)}, "The pod opened on 1 Jan 2025."),
        ({"function": "boss"}, "Value 'boss' is not a valid choice."),
        ({"end_on": TODAY}, "It must end after it begins."),
    ],
)
def test_a_membership_must_make_sense(cast: Cast, by_rita: dict[str, Any], values: dict[str, Any], said: str) -> None:
    given = {"pod_id": cast.north.pk, "person_id": cast.norm.pk, "function": "ae", "start_on": TODAY} | values
    assert refusal(lambda: services.add_member(**given, **by_rita)) == said


def test_nobody_joins_a_closed_pod_or_after_leaving(cast: Cast, by_rita: dict[str, Any]) -> None:
    empty = services.open_pod(name="West", segment=None, template="1:1:1", opened_on=SINCE, **by_rita)
    services.close_pod(pod_id=empty.pk, closed_on=TODAY, **by_rita)
    assert (
        refusal(
            lambda: services.add_member(
                pod_id=empty.pk, person_id=cast.norm.pk, function="ae", start_on=TODAY - timedelta(days=3), **by_rita
            )
        )
        == "The pod closed on 17 Jun 2026."
    )
    cast.norm.left_on = TODAY
    cast.norm.save()
    assert (
        refusal(
            lambda: services.add_member(
                pod_id=cast.north.pk, person_id=cast.norm.pk, function="ae", start_on=TODAY, **by_rita
            )
        )
        == "Norm Norole left on 17 Jun 2026."
    )


def test_what_does_not_exist_is_not_found(cast: Cast, by_rita: dict[str, Any]) -> None:
    for call in (
        lambda: services.add_member(pod_id=99999, person_id=cast.norm.pk, function="ae", start_on=TODAY, **by_rita),
        lambda: services.add_member(pod_id=cast.north.pk, person_id=99999, function="ae", start_on=TODAY, **by_rita),
        lambda: services.end_membership(membership_id=99999, end_on=TODAY, **by_rita),
        lambda: services.close_pod(pod_id=99999, closed_on=TODAY, **by_rita),
    ):
        with pytest.raises(Http404):
            call()


def test_a_move_ends_one_membership_and_begins_the_next_on_the_same_day(cast: Cast, by_rita: dict[str, Any]) -> None:
    services.move_member(person_id=cast.ana.pk, to_pod_id=cast.south.pk, day=TODAY, **by_rita)
    assert memberships(cast, "ana") == [("North", "ae", SINCE, TODAY), ("South", "ae", TODAY, None)]
    services.move_member(person_id=cast.ana.pk, to_pod_id=cast.south.pk, day=TOMORROW, function="kam", **by_rita)
    assert memberships(cast, "ana")[1:] == [("South", "ae", TODAY, TOMORROW), ("South", "kam", TOMORROW, None)]
    said = refusal(
        lambda: services.move_member(person_id=cast.ana.pk, to_pod_id=cast.south.pk, day=TOMORROW, **by_rita)
    )
    assert said == "Ana Alvarez is in pod South already."
    said = refusal(lambda: services.move_member(person_id=cast.max.pk, to_pod_id=cast.south.pk, day=TODAY, **by_rita))
    assert said == "Max Manager is in no pod on 17 Jun 2026: add them instead."


def test_a_move_on_the_first_day_takes_its_place(cast: Cast, by_rita: dict[str, Any]) -> None:
    services.move_member(person_id=cast.ana.pk, to_pod_id=cast.south.pk, day=SINCE, **by_rita)
    assert memberships(cast, "ana") == [("South", "ae", SINCE, None)]


def test_a_move_lasts_as_long_as_the_membership_would_have(cast: Cast, by_rita: dict[str, Any]) -> None:
    PodMembership.objects.filter(person=cast.ana).update(end_on=date(2027, 1, 1))
    services.move_member(person_id=cast.ana.pk, to_pod_id=cast.south.pk, day=TODAY, **by_rita)
    assert memberships(cast, "ana")[1] == ("South", "ae", TODAY, date(2027, 1, 1))


def test_a_membership_ends_after_it_began(cast: Cast, by_rita: dict[str, Any]) -> None:
    key = PodMembership.objects.get(person=cast.ana).pk
    said = refusal(lambda: services.end_membership(membership_id=key, end_on=SINCE - timedelta(days=1), **by_rita))
    assert said == "It began on 1 Jan 2025 and cannot end before that."
    assert services.end_membership(membership_id=key, end_on=SINCE, **by_rita) is None
    assert memberships(cast, "ana") == []
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.action, entry.before["person"]) == ("pod.member_withdrawn", cast.ana.pk)


def test_an_end_that_would_overlap_is_refused(cast: Cast, by_rita: dict[str, Any]) -> None:
    first = PodMembership.objects.get(person=cast.ana)
    services.move_member(person_id=cast.ana.pk, to_pod_id=cast.south.pk, day=TODAY, **by_rita)
    said = refusal(lambda: services.end_membership(membership_id=first.pk, end_on=TOMORROW, **by_rita))
    assert said == "Ana Alvarez has been in pod South since 17 Jun 2026: end that first, or move them."


def test_a_correction_replaces_from_the_first_day(cast: Cast, by_rita: dict[str, Any]) -> None:
    key = PodMembership.objects.get(person=cast.ana).pk
    services.correct_membership(
        membership_id=key, pod_id=cast.south.pk, function="kam", end_on=None, reason="typed wrongly", **by_rita
    )
    assert memberships(cast, "ana") == [("South", "kam", SINCE, None)]
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.before, entry.after, entry.reason) == (
        {"function": "ae", "pod": cast.north.pk}, {"function": "kam", "pod": cast.south.pk}, "typed wrongly",
    )  # fmt: skip


def test_territories_are_shared_but_held_once_by_each(cast: Cast, by_rita: dict[str, Any]) -> None:
    north = services.add_territory(code="N", name="Northwest", country="US", **by_rita)
    first = services.assign_territory(territory_id=north.pk, person_id=cast.ana.pk, start_on=SINCE, **by_rita)
    services.assign_territory(territory_id=north.pk, person_id=cast.alba.pk, start_on=SINCE, **by_rita)
    said = refusal(
        lambda: services.assign_territory(territory_id=north.pk, person_id=cast.ana.pk, start_on=TODAY, **by_rita)
    )
    assert said == "Ana Alvarez has territory Northwest from 1 Jan 2025 already."
    said = refusal(lambda: services.end_territory_assignment(assignment_id=first.pk, end_on=SINCE, **by_rita))
    assert said == "It began on 1 Jan 2025 and must end after that."
    services.end_territory_assignment(assignment_id=first.pk, end_on=TODAY, **by_rita)
    services.assign_territory(territory_id=north.pk, person_id=cast.ana.pk, start_on=TODAY, **by_rita)
    assert list(
        TerritoryAssignment.objects.filter(person=cast.ana).order_by("start_on").values_list("start_on", "end_on")
    ) == [(SINCE, TODAY), (TODAY, None)]
    with pytest.raises(IntegrityError), transaction.atomic():
        TerritoryAssignment.objects.filter(pk=first.pk).update(end_on=None)
