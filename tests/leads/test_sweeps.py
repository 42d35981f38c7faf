"""What comes round by itself: waiting leads find somebody, clocks that ran out are told and move leads on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from salesops.audit.models import AuditEntry
from salesops.core.actor import system_actor
from salesops.jobs.models import Job
from salesops.leads.choices import VersionState
from salesops.leads.models import Clock, Lead, LeadAssignment, Pool, RoutingVersion, Turn
from salesops.leads.services import touch_lead
from salesops.leads.services.routing_versions import (
    activate_routing_version,
    discard_routing_version,
    draft_routing_version,
    dry_run,
)
from salesops.leads.services.sweeps import route_waiting, run_clocks
from salesops.leads.services.turns import give_back
from salesops.notices.models import Notice
from tests.cast import NOW, Cast
from tests.leads.routed import arrives, in_force, make_pool

MINUTE = timedelta(minutes=1)
LEVELS = [{"name": "Hot", "warn_minutes": 5, "alert_minutes": 15, "reassign_minutes": 30}]


@pytest.fixture
def pool(cast: Cast) -> Pool:
    pool = make_pool(cast, "Inbound", "sam", "sven")
    in_force({"name": "Everything", "pool": pool}, levels=LEVELS)
    return pool


def told(person: str) -> list[str]:
    return list(
        Notice.objects.filter(person__email=f"{person}@example.com").order_by("pk").values_list("title", flat=True)
    )


def clocks(at_minute: int) -> None:
    run_clocks(actor=system_actor(), at=NOW + at_minute * MINUTE)


# --- Waiting ------------------------------------------------------------------------------------------------------


def test_what_waits_is_given_when_somebody_is_there(cast: Cast, pool: Pool) -> None:
    pool.members.update(is_in=False)
    leads = [arrives(cast, n) for n in range(3)]
    before = LeadAssignment.objects.count()
    assert route_waiting(actor=system_actor(), at=NOW + MINUTE).given == 0
    # What still waits for the same reason is no news.
    assert LeadAssignment.objects.count() == before
    pool.members.update(is_in=True)
    done = route_waiting(actor=system_actor(), at=NOW + 2 * MINUTE)
    assert (done.given, done.seen, done.last) == (3, 3, leads[-1].pk)
    assert [Lead.objects.get(pk=lead.pk).owner_id for lead in leads] == [cast.sam.pk, cast.sven.pk, cast.sam.pk]
    assert not Lead.objects.exclude(waits_because="").exists()
    assert route_waiting(actor=system_actor(), at=NOW, after=leads[-1].pk).last is None


def test_a_lead_given_back_does_not_come_back_by_waiting(cast: Cast, pool: Pool) -> None:
    pool.members.filter(person=cast.sven).update(is_in=False)
    lead = arrives(cast)
    give_back(actor=cast.actor("sam"), lead_id=lead.pk, reason="Not mine", at=NOW)
    assert route_waiting(actor=system_actor(), at=NOW).given == 0
    pool.members.update(is_in=True)
    assert route_waiting(actor=system_actor(), at=NOW).given == 1
    assert Lead.objects.get().owner == cast.sven


# --- Clocks -------------------------------------------------------------------------------------------------------


def test_a_clock_reminds_then_alerts_then_moves_the_lead(cast: Cast, pool: Pool) -> None:
    lead = arrives(cast)
    clocks(4)
    assert told("sam") == []
    clocks(5)
    clocks(6)  # told once
    assert told("sam") == ["Lead 0 waits for a first touch"]
    clocks(15)
    assert told("max") == ["Lead 0 has waited too long"]
    clocks(29)
    lead.refresh_from_db()
    assert lead.owner == cast.sam
    clocks(30)
    lead.refresh_from_db()
    assert (lead.owner, lead.pod) == (cast.sven, cast.south)
    last = LeadAssignment.objects.latest("pk")
    assert (last.method, last.reason, last.person) == ("late", "Hot", cast.sven)
    assert last.path["pools"][0]["out"] == [[cast.sam.pk, "had-it"]]
    assert told("max") == ["Lead 0 has waited too long"] * 2
    assert list(Clock.objects.order_by("pk").values_list("ending", flat=True)) == ["late", ""]
    actions = list(AuditEntry.objects.order_by("sequence").values_list("action", flat=True))
    assert actions == ["lead.created", "lead.routed", "lead.time_ran_out", "lead.routed"]


def test_a_touch_is_in_time_until_the_clock_has_run_out(cast: Cast, pool: Pool) -> None:
    lead = arrives(cast)
    touch_lead(lead_id=lead.pk, at=NOW + 4 * MINUTE)
    clocks(60)
    assert told("sam") == []
    assert Lead.objects.get().owner == cast.sam


def test_with_nobody_else_it_stays_and_the_manager_knows(cast: Cast, pool: Pool) -> None:
    pool.members.filter(person=cast.sven).update(is_in=False)
    arrives(cast)
    turns = list(Turn.objects.values_list("pk", "changes"))
    clocks(30)
    lead = Lead.objects.get()
    assert (lead.owner, lead.waits_because) == (cast.sam, "")
    assert Clock.objects.get().ending == "late"
    assert "nobody else" in Notice.objects.get(person=cast.max).body
    assert list(Turn.objects.values_list("pk", "changes")) == turns


def test_a_late_lead_goes_round_once(cast: Cast, pool: Pool) -> None:
    """From one to the next, and to nobody twice."""
    arrives(cast)
    for minute in range(0, 200, 10):
        clocks(minute)
    assert [row.person.name.split()[0] for row in LeadAssignment.objects.order_by("pk")] == ["Sam", "Sven"]
    assert not Clock.objects.filter(next_at__isnull=False).exists()


# --- Versions -----------------------------------------------------------------------------------------------------


def test_a_draft_is_a_copy_and_goes_into_force(cast: Cast, pool: Pool) -> None:
    rita = cast.actor("rita")
    draft = draft_routing_version(actor=rita, at=NOW, note="Hold students")
    assert [rule.name for rule in draft.rules.all()] == ["Everything"]
    assert [level.name for level in draft.levels.all()] == ["Hot"]
    with pytest.raises(ValidationError, match="draft already"):
        draft_routing_version(actor=rita, at=NOW)
    draft.rules.update(action="hold", pool=None)
    assert arrives(cast, 1).owner == cast.sam  # a draft changes nothing
    activate_routing_version(actor=rita, version_id=draft.pk, at=NOW)
    assert list(RoutingVersion.objects.order_by("number").values_list("state", flat=True)) == ["retired", "active"]
    assert arrives(cast, 2).waits_because == "rule"
    assert Job.objects.filter(kind="leads.route_waiting").count() == 1
    with pytest.raises(ValidationError, match="Only a draft"):
        activate_routing_version(actor=rita, version_id=draft.pk, at=NOW)
    with pytest.raises(ValidationError, match="Only a draft"):
        discard_routing_version(actor=rita, version_id=draft.pk, at=NOW)


def test_rules_that_do_not_read_are_refused_with_every_reason(cast: Cast, pool: Pool) -> None:
    draft = draft_routing_version(actor=cast.actor("rita"), at=NOW)
    draft.rules.update(condition='contry = "France"')
    draft.levels.update(condition="value >")
    with pytest.raises(ValidationError) as caught:
        activate_routing_version(actor=cast.actor("rita"), version_id=draft.pk, at=NOW)
    assert [text.split(":")[0] for text in caught.value.messages] == ["rule", "level"]
    assert "country" in caught.value.messages[0]
    draft.rules.all().delete()
    draft.levels.all().delete()
    with pytest.raises(ValidationError, match="no rule"):
        activate_routing_version(actor=cast.actor("rita"), version_id=draft.pk, at=NOW)
    assert RoutingVersion.objects.get(state=VersionState.ACTIVE).number == 1


@pytest.mark.parametrize("who", ["max", "sam", "finn", "elsa"])
def test_only_revops_and_administrators_write_rules(cast: Cast, pool: Pool, who: str) -> None:
    version = RoutingVersion.objects.get()
    for call in (
        lambda: draft_routing_version(actor=cast.actor(who), at=NOW),
        lambda: activate_routing_version(actor=cast.actor(who), version_id=version.pk, at=NOW),
        lambda: dry_run(actor=cast.actor(who), version=version, at=NOW),
    ):
        with pytest.raises(PermissionDenied):
            call()
    assert RoutingVersion.objects.count() == 1


def test_a_dry_run_says_who_would_get_what_and_writes_nothing(cast: Cast, pool: Pool) -> None:
    for n in range(4):
        arrives(cast, n)
    arrives(cast, 5, at=NOW - timedelta(days=40))
    draft = draft_routing_version(actor=cast.actor("rita"), at=NOW)
    other = make_pool(cast, "Others", "ana")
    draft.rules.update(pool=other)
    before = (list(Turn.objects.values_list("pk")), list(Lead.objects.values_list("pk", "owner", "updated_at")))
    routed, truly = dry_run(actor=cast.actor("rita"), version=draft, at=NOW)
    assert [each.person for each in routed] == [cast.ana.pk] * 4
    assert truly == {cast.sam.pk: 2, cast.sven.pk: 2}
    assert (list(Turn.objects.values_list("pk")), list(Lead.objects.values_list("pk", "owner", "updated_at"))) == before
