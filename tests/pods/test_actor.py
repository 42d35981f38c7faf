"""Who an actor is at a moment, and that the one window shows exactly what the organisation of that day allows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db.models import Model
from django.http import Http404
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from salesops.accounts.models import Account, AccountOwnership, Contact, Subscription
from salesops.core.actor import NOBODY, Actor, Noun, Role, Scope, system_actor
from salesops.core.days import company_day
from salesops.leads.choices import AssignmentMethod
from salesops.leads.models import Lead, LeadAssignment
from salesops.people.models import FunctionAssignment, ReportingLine, RoleGrant, User
from salesops.pods.models import Pod, PodMembership, Territory, TerritoryAssignment
from salesops.pods.selectors import actor_for, people_below
from tests.cast import NOW, SINCE, TODAY, Cast

YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)


def leads_of(actor: Actor) -> set[str]:
    return set(Lead.objects.visible_to(actor).values_list("name", flat=True))


@pytest.fixture
def leads(cast: Cast) -> None:
    """One lead for each rep, one of pod South without an owner, one of nobody."""
    for name in ("sam", "ana", "carl", "sven", "alba", "cleo"):
        pod = cast.north if name in {"sam", "ana", "carl"} else cast.south
        Lead.objects.create(name=name, owner=cast.people[name], pod=pod, created_at=NOW)
    Lead.objects.create(name="of south", pod=cast.south, created_at=NOW)
    Lead.objects.create(name="of nobody", created_at=NOW)


NORTH = {"sam", "ana", "carl"}
SOUTH = {"sven", "alba", "cleo", "of south"}


def test_the_actor_of_a_rep(cast: Cast) -> None:
    actor = cast.actor("ana")
    assert actor == Actor(
        user_id=cast.ana.pk,
        name="Ana Alvarez",
        roles=frozenset({Role.REP}),
        functions=frozenset({"ae"}),
        pod_ids=frozenset({cast.north.pk}),
        as_of=NOW,
    )
    assert actor.people_ids == {cast.ana.pk}


def test_the_tree_of_a_manager_is_transitive(cast: Cast) -> None:
    assert cast.actor("max").tree_ids == {cast.sam.pk, cast.ana.pk, cast.carl.pk}
    elsa = cast.actor("elsa")
    assert elsa.tree_ids == {
        cast.people[name].pk for name in ("max", "mia", "sam", "ana", "carl", "sven", "alba", "cleo")
    }
    assert (elsa.pod_ids, elsa.tree_pod_ids) == (frozenset(), {cast.north.pk, cast.south.pk})


def test_each_role_sees_its_share(cast: Cast, leads: None) -> None:
    everything = NORTH | SOUTH | {"of nobody"}
    seen = {name: leads_of(cast.actor(name)) for name in cast.people}
    assert seen == {
        "elsa": set(),
        "max": NORTH | {"of nobody"},
        "mia": SOUTH | {"of nobody"},
        **dict.fromkeys(("sam", "ana", "carl"), NORTH),
        **dict.fromkeys(("sven", "alba", "cleo"), SOUTH),
        **dict.fromkeys(("ada", "rita", "finn", "fay"), everything),
        "norm": set(),
    }
    assert leads_of(system_actor()) == everything
    assert leads_of(NOBODY) == set()


def test_who_moved_sees_the_new_pod_and_keeps_what_is_theirs(cast: Cast, leads: None) -> None:
    PodMembership.objects.filter(person=cast.ana).update(end_on=TODAY)
    PodMembership.objects.create(pod=cast.south, person=cast.ana, function="ae", start_on=TODAY)
    assert cast.actor("ana").pod_ids == {cast.south.pk}
    assert leads_of(cast.actor("ana")) == SOUTH | {"ana"}
    before = cast.actor("ana", at=NOW - timedelta(days=1))
    assert (before.pod_ids, leads_of(before)) == ({cast.north.pk}, NORTH)
    # Max still answers for Ana, hence for what her new pod holds.
    assert leads_of(cast.actor("max")) == NORTH | SOUTH | {"of nobody"}


def test_a_membership_that_ended_today_no_longer_counts(cast: Cast, leads: None) -> None:
    PodMembership.objects.filter(person=cast.ana).update(end_on=TODAY)
    assert leads_of(cast.actor("ana")) == {"ana"}
    PodMembership.objects.filter(person=cast.ana).update(end_on=TOMORROW)
    assert leads_of(cast.actor("ana")) == NORTH


def test_a_membership_of_tomorrow_does_not_count_yet(cast: Cast, leads: None) -> None:
    PodMembership.objects.filter(person=cast.ana).update(start_on=TOMORROW)
    assert leads_of(cast.actor("ana")) == {"ana"}
    assert leads_of(cast.actor("ana", at=NOW + timedelta(days=1))) == NORTH


def test_a_manager_who_handed_over_sees_nothing_of_the_old_tree(cast: Cast, leads: None) -> None:
    for name in ("sam", "ana", "carl"):
        ReportingLine.objects.filter(person=cast.people[name]).update(end_on=TODAY)
        ReportingLine.objects.create(person=cast.people[name], manager=cast.mia, start_on=TODAY)
    assert leads_of(cast.actor("max")) == {"of nobody"}
    assert leads_of(cast.actor("mia")) == NORTH | SOUTH | {"of nobody"}
    assert leads_of(cast.actor("max", at=NOW - timedelta(days=1))) == NORTH | {"of nobody"}
    with pytest.raises(Http404):
        Lead.objects.get_for(cast.actor("max"), name="ana")


def test_a_role_that_ended_yesterday_shows_nothing(cast: Cast, leads: None) -> None:
    RoleGrant.objects.filter(person=cast.rita).update(end_on=YESTERDAY)
    assert (cast.actor("rita").roles, leads_of(cast.actor("rita"))) == (frozenset(), set())
    assert cast.actor("rita", at=NOW - timedelta(days=2)).roles == {Role.REVOPS}


def test_a_role_that_no_longer_exists_gives_nothing(cast: Cast, leads: None) -> None:
    RoleGrant.objects.filter(person=cast.rita).update(role="overlord")
    assert (cast.actor("rita").roles, leads_of(cast.actor("rita"))) == (frozenset(), set())


def test_several_roles_give_the_widest_sight(cast: Cast, leads: None) -> None:
    RoleGrant.objects.create(person=cast.ana, role="finance", start_on=SINCE)
    assert cast.actor("ana").sight(Noun.WORK) is Scope.ALL
    RoleGrant.objects.create(person=cast.elsa, role="manager", start_on=SINCE)
    assert leads_of(cast.actor("elsa")) == NORTH | SOUTH | {"of nobody"}


def test_a_superuser_without_a_role_sees_nothing(cast: Cast, leads: None) -> None:
    User.objects.filter(pk=cast.norm.pk).update(is_superuser=True, is_staff=True)
    assert leads_of(cast.actor("norm")) == set()


def test_who_may_not_log_in_is_nobody(cast: Cast) -> None:
    User.objects.filter(pk=cast.ana.pk).update(is_active=False)
    assert cast.actor("ana") is NOBODY
    assert actor_for(AnonymousUser(), at=NOW) is NOBODY


def test_a_circle_in_the_reporting_line_ends(cast: Cast) -> None:
    ReportingLine.objects.create(person=cast.elsa, manager=cast.sam, start_on=SINCE)
    everyone = {cast.people[name].pk for name in ("elsa", "max", "mia", "sam", "ana", "carl", "sven", "alba", "cleo")}
    assert people_below(cast.sam.pk, TODAY) == everyone - {cast.sam.pk}
    assert people_below(cast.elsa.pk, TODAY) == everyone - {cast.elsa.pk}


def test_the_day_is_the_companys(cast: Cast, settings: Any, leads: None) -> None:
    settings.COMPANY_TIME_ZONE = "Pacific/Auckland"
    late = datetime(2026, 6, 17, 12, 0, tzinfo=UTC)  # already the 18th in Auckland
    assert company_day(late) == TOMORROW
    RoleGrant.objects.filter(person=cast.rita).update(end_on=TOMORROW)
    assert cast.actor("rita", at=late - timedelta(seconds=1)).roles == {Role.REVOPS}
    assert cast.actor("rita", at=late).roles == frozenset()


def test_the_actor_takes_four_queries_however_large_the_tree(cast: Cast, django_assert_num_queries: Any) -> None:
    for name in ("ana", "elsa"):
        user = User.objects.get(pk=cast.people[name].pk)
        with django_assert_num_queries(4):
            actor_for(user, at=NOW)


# --- Random organisations -----------------------------------------------------------------------------------------

DAYS = [date(2026, 6, 10) + timedelta(days=number) for number in range(8)]
PEOPLE = range(6)


@st.composite
def in_time(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> list[tuple[Any, date, date | None]]:
    """Facts held one after the other, perhaps with gaps."""
    cuts = sorted(draw(st.sets(st.sampled_from(DAYS), min_size=0, max_size=4)))
    ends: list[date | None] = [*cuts[1:], None]
    return [
        (value, start, end)
        for start, end in zip(cuts, ends, strict=False)
        if (value := draw(st.one_of(st.none(), values))) is not None
    ]


@st.composite
def organisations(draw: st.DrawFn) -> dict[str, Any]:
    """Six people with roles, managers and pods over eight days, and what they work on."""
    one_of_people = st.sampled_from(list(PEOPLE))
    return {
        "roles": {
            person: draw(in_time(st.sampled_from([*(role.value for role in Role), "overlord"]))) for person in PEOPLE
        },
        "managers": {
            person: draw(in_time(one_of_people.filter(lambda above, p=person: above != p))) for person in PEOPLE
        },
        "pods": {person: draw(in_time(st.sampled_from([0, 1, 2]))) for person in PEOPLE},
        "active": {person: draw(st.integers(0, 9)) > 0 for person in PEOPLE},
        "work": draw(
            st.lists(
                st.tuples(st.one_of(st.none(), one_of_people), st.one_of(st.none(), st.sampled_from([0, 1, 2]))),
                min_size=1,
                max_size=6,
            )
        ),
        "day": draw(st.sampled_from(DAYS)),
    }


def naive_sight(organisation: dict[str, Any], viewer: int) -> dict[str, Any]:
    """Who sees what, worked out the long way from the same facts."""
    day = organisation["day"]

    def held(facts: list[tuple[Any, date, date | None]]) -> list[Any]:
        return [value for value, start, end in facts if start <= day and (end is None or day < end)]

    def is_below(person: int, top: int) -> bool:
        seen: set[int] = set()
        while person not in seen:
            seen.add(person)
            above = held(organisation["managers"][person])
            if not above:
                return False
            person = above[0]
            if person == top:
                return True
        return False

    roles = set(held(organisation["roles"][viewer])) if organisation["active"][viewer] else set()
    sees_all = bool(roles & {"revops", "finance", "admin"})
    is_manager, is_rep = "manager" in roles, "rep" in roles
    people, pods = set(), set()
    if is_manager or is_rep:
        people.add(viewer)
        pods.update(held(organisation["pods"][viewer]))
    if is_manager:
        below = {person for person in PEOPLE if person != viewer and is_below(person, viewer)}
        people |= below
        pods.update(pod for person in below for pod in held(organisation["pods"][person]))
    work = {
        index: (sees_all or owner in people or pod in pods) for index, (owner, pod) in enumerate(organisation["work"])
    }
    return {
        "leads": {
            index
            for index, (owner, pod) in enumerate(organisation["work"])
            if work[index] or (is_manager and owner is None and pod is None)
        },
        "accounts": {index for index, seen in work.items() if seen},
        "pods": {0, 1, 2} if sees_all or "executive" in roles else pods,
        "people": set(PEOPLE) if sees_all or "executive" in roles else people,
        "any": bool(roles & {role.value for role in Role}),
    }


class RandomOrganisations(TestCase):
    """For any history of roles, managers and pods, the window equals the long way round."""

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(organisations())
    def test_the_window_equals_the_long_way_round(self, organisation: dict[str, Any]) -> None:
        users = [
            User.objects.create(
                email=f"{person}@example.com", name=str(person), password="!", is_active=organisation["active"][person]
            )
            for person in PEOPLE
        ]
        pods = [Pod.objects.create(name=str(pod), opened_on=DAYS[0]) for pod in range(3)]
        for person, user in enumerate(users):
            for role, start, end in organisation["roles"][person]:
                RoleGrant.objects.create(person=user, role=role, start_on=start, end_on=end)
            for manager, start, end in organisation["managers"][person]:
                ReportingLine.objects.create(person=user, manager=users[manager], start_on=start, end_on=end)
            for pod, start, end in organisation["pods"][person]:
                PodMembership.objects.create(pod=pods[pod], person=user, function="ae", start_on=start, end_on=end)
                FunctionAssignment.objects.create(person=user, function="ae", start_on=start, end_on=end)
        territory = Territory.objects.create(code="t", name="t")
        for user in users:
            TerritoryAssignment.objects.create(territory=territory, person=user, start_on=DAYS[0])
        for index, (owner, pod) in enumerate(organisation["work"]):
            place = {"owner": None if owner is None else users[owner], "pod": None if pod is None else pods[pod]}
            lead = Lead.objects.create(name=str(index), created_at=NOW, **place)
            LeadAssignment.objects.create(lead=lead, assigned_at=NOW, method=AssignmentMethod.MANUAL)
            account = Account.objects.create(name=str(index), match_name=str(index), created_at=NOW, **place)
            Contact.objects.create(account=account, name=str(index), created_at=NOW)
            Subscription.objects.create(account=account, name="s", mrr_minor=1, start_on=DAYS[0])
            AccountOwnership.objects.create(account=account, person=users[0], start_on=DAYS[0])
        moment = datetime.combine(organisation["day"], datetime.min.time(), UTC) + timedelta(hours=12)
        for viewer, user in enumerate(users):
            actor = actor_for(user, at=moment)
            expected = naive_sight(organisation, viewer)

            def seen(model: type[Model], column: str, actor: Actor = actor) -> list[str]:
                return sorted(model.objects.visible_to(actor).values_list(column, flat=True))  # type: ignore[attr-defined]

            def names(indices: set[int]) -> list[str]:
                return sorted(str(index) for index in indices)

            assert seen(Lead, "name") == names(expected["leads"])
            assert seen(LeadAssignment, "lead__name") == names(expected["leads"])
            assert seen(Account, "name") == names(expected["accounts"])
            assert seen(Contact, "account__name") == names(expected["accounts"])
            assert seen(Subscription, "account__name") == names(expected["accounts"])
            assert seen(AccountOwnership, "account__name") == names(expected["accounts"])
            assert seen(Pod, "name") == names(expected["pods"])
            assert set(seen(PodMembership, "pod__name")) <= set(names(expected["pods"]))
            assert seen(TerritoryAssignment, "person__name") == names(expected["people"])
            assert bool(seen(Territory, "code")) == expected["any"]
