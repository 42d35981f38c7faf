"""Scores are written where they differ, follow changes within seconds, survive kills, and obey only rules in force."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.http import Http404
from django.test.utils import CaptureQueriesContext

from salesops.audit.models import AuditEntry
from salesops.jobs.models import Job
from salesops.jobs.testing import run_due, run_killed_everywhere, run_one
from salesops.leads.models import Lead, LeadScore, LeadSignal, ScoreGroup, ScoreRule, ScoreVersion
from salesops.leads.selectors import facts_of, known_of
from salesops.leads.selectors.score_versions import Comparison, compare_all, is_better, moved_leads, score_version_for
from salesops.leads.selectors.scores import scheme_of_version, score_shown, signals_of
from salesops.leads.services import (
    LeadChanges,
    LeadRecord,
    bulk_edit,
    create_lead,
    edit_lead,
    scores,
    set_status,
    upsert_leads,
)
from salesops.leads.services import score_versions as rules
from tests.cast import NOW, Cast

SOON = NOW + timedelta(seconds=2)
DAY = timedelta(days=1)


@pytest.fixture(params=["one by one", "in columns"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few leads are scored one by one, many in columns: what is stored is the same."""
    if request.param == "in columns":
        monkeypatch.setattr(scores, "_FEW", 0)


BOTH = pytest.mark.usefixtures("either_way")


def put_in_force(cast: Cast, *fields: dict[str, Any], at: Any = NOW, **numbers: Any) -> ScoreVersion:
    """A version in force with exactly these rules."""
    version = rules.draft_score_version(actor=cast.actor("rita"), at=at)
    version.rules.all().delete()
    by: dict[str, Any] = {"actor": cast.actor("rita"), "version_id": version.pk, "at": at}
    if numbers:
        rules.change_score_version(**by, **numbers)
    for number, given in enumerate(fields, 1):
        rules.put_score_rule(**by, **({"name": f"Rule {number}", "part": "fit"} | given))
    rules.activate_score_version(**by)
    version.refresh_from_db()
    return version


LARGE = {"points": 60, "condition": "employees >= 200"}
VISIT = {"part": "engagement", "points": 10, "signal": "visit"}
DEMO = {"part": "engagement", "points": 50, "signal": "demo", "most_times": 1}


def make(cast: Cast, **fields: Any) -> Lead:
    given: dict[str, Any] = {"name": "Lena Lee", "at": NOW} | fields
    return create_lead(actor=cast.actor("rita"), **given)


def note(lead: Lead, kind: str = "visit", key: str = "k1", at: Any = NOW, ago: timedelta = timedelta(0)) -> bool:
    return scores.note_signal(lead_id=lead.pk, kind=kind, happened_at=at - ago, key=key, at=at)


def stored(lead: Lead) -> tuple[Any, ...] | None:
    row = LeadScore.objects.filter(lead=lead).values_list("version__number", "grade", "fit", "engagement", "fades_at")
    return row.first()


def everything() -> list[list[str]]:
    models = (Lead, LeadScore, LeadSignal, ScoreVersion, ScoreGroup, ScoreRule, AuditEntry, Job)
    return [sorted(map(str, model.objects.values_list())) for model in models]


# --- Scores follow what happens ------------------------------------------------------------------------------------


@BOTH
def test_a_lead_has_a_score_from_its_first_moment(cast: Cast) -> None:
    put_in_force(cast, LARGE, VISIT)
    large, small = make(cast, employees=200), make(cast, employees=199)
    assert (stored(large), stored(small)) == ((1, "A3", 60, 0, None), (1, "C3", 0, 0, None))
    score = LeadScore.objects.get(lead=large)
    assert (score.parts, score.scored_at, score.probability_bp) == (
        {"fit": [[1, 6000, 1]], "engagement": [], "groups": {}, "over": [0, 0]},
        NOW,
        None,
    )


def test_nothing_is_scored_while_no_rules_are_in_force(cast: Cast) -> None:
    lead = make(cast, employees=200)
    assert note(lead)
    rules.draft_score_version(actor=cast.actor("rita"), at=NOW)
    make(cast, employees=300)
    assert (LeadScore.objects.count(), Job.objects.count()) == (0, 0)
    assert scores.score_leads(lead_ids=[lead.pk], at=NOW) == 0


def test_a_change_marks_the_score_and_one_job_follows(cast: Cast) -> None:
    put_in_force(cast, LARGE, VISIT)
    run_due(at=SOON)
    lead, other = make(cast, employees=10), make(cast, employees=10)
    actor = cast.actor("rita")
    edit_lead(actor=actor, lead_id=lead.pk, at=NOW, employees=500)
    edit_lead(actor=actor, lead_id=other.pk, at=NOW, employees=600)
    note(lead)
    jobs = Job.objects.filter(kind="leads.rescore_changed", state="new")
    assert [(job.key, job.requested_by_id) for job in jobs] == [("leads.rescore_changed", None)]
    assert stored(lead) == (1, "C3", 0, 0, scores.AT_ONCE)
    run_due(at=SOON)
    assert stored(lead) == (1, "A3", 60, 1000, NOW + 30 * DAY)
    assert stored(other) == (1, "A3", 60, 0, None)
    # What does not differ asks for nothing.
    edit_lead(actor=actor, lead_id=lead.pk, at=NOW, employees=500)
    assert not jobs.all().exists()


def test_while_a_job_looks_a_change_asks_for_the_next(cast: Cast) -> None:
    put_in_force(cast, LARGE)
    run_due(at=SOON)
    lead = make(cast, employees=10)
    edit_lead(actor=cast.actor("rita"), lead_id=lead.pk, at=NOW, employees=500)
    Job.objects.filter(key="leads.rescore_changed", state="new").update(state="running", lease_until=NOW + DAY)
    edit_lead(actor=cast.actor("rita"), lead_id=lead.pk, at=NOW, employees=501)
    assert [job.key for job in Job.objects.filter(state="new")] == ["leads.rescore_changed:next"]
    assert [job.state for job in run_due(at=SOON)] == ["done"]
    assert stored(lead) == (1, "A3", 60, 0, None)


@pytest.mark.parametrize("way", ["status", "bulk", "upsert", "new by upsert"])
def test_every_way_to_change_a_lead_is_noticed(cast: Cast, way: str) -> None:
    put_in_force(cast, {"points": 60, "condition": 'status = "working" OR campaign = "spring"'})
    lead, actor = make(cast, email="lena@acme.com"), cast.actor("rita")
    if way == "status":
        set_status(actor=actor, lead_id=lead.pk, status="working", at=NOW)
    elif way == "bulk":
        bulk_edit(actor=actor, lead_ids=[lead.pk], changes=LeadChanges(campaign="spring"), at=NOW)
    elif way == "upsert":
        upsert_leads(actor=actor, records=[LeadRecord(email="lena@acme.com", campaign="spring")], source="s", at=NOW)
    else:
        upsert_leads(actor=actor, records=[LeadRecord("Max", campaign="spring")], source="s", at=NOW)
        lead = Lead.objects.get(name="Max")
        assert stored(lead) == (1, "A3", 60, 0, None)
    run_due(at=SOON)
    assert stored(lead) == (1, "A3", 60, 0, None)


def test_a_reassignment_changes_no_score(cast: Cast) -> None:
    put_in_force(cast, LARGE)
    run_due(at=SOON)
    lead = make(cast)
    bulk_edit(actor=cast.actor("rita"), lead_ids=[lead.pk], changes=LeadChanges(owner=cast.sam), at=NOW)
    assert stored(lead) == (1, "C3", 0, 0, None)


def test_a_closed_lead_keeps_its_score_and_a_reopened_one_is_scored_anew(cast: Cast) -> None:
    put_in_force(cast, VISIT)
    lead, actor = make(cast), cast.actor("rita")
    note(lead)
    run_due(at=SOON)
    set_status(actor=actor, lead_id=lead.pk, status="disqualified", because="No budget", at=NOW)
    run_due(at=NOW + 40 * DAY)
    assert stored(lead) == (1, "C3", 0, 1000, None)
    assert scores.score_leads(lead_ids=[lead.pk], at=NOW + 40 * DAY) == 0
    set_status(actor=actor, lead_id=lead.pk, status="working", at=NOW + 40 * DAY)
    run_due(at=NOW + 41 * DAY)
    assert stored(lead) == (1, "C3", 0, 500, NOW + 60 * DAY)


@BOTH
def test_scores_fade_when_their_time_comes(cast: Cast) -> None:
    put_in_force(cast, DEMO)
    lead = make(cast)
    note(lead, "demo")
    run_due(at=SOON)
    assert stored(lead) == (1, "C1", 0, 5000, NOW + 30 * DAY)
    just_before = NOW + 30 * DAY - timedelta(microseconds=1)
    assert scores.score_due(at=just_before) == 0
    assert scores.score_due(at=NOW + 30 * DAY) == 1
    assert stored(lead) == (1, "C2", 0, 2500, NOW + 60 * DAY)
    assert scores.score_due(at=NOW + 95 * DAY) == 1
    assert stored(lead) == (1, "C3", 0, 0, None)


@BOTH
def test_a_condition_beyond_128_bits_has_its_batch_scored_one_by_one(cast: Cast) -> None:
    large = "employees * employees * employees * employees * employees > 1"
    put_in_force(cast, {"points": 60, "condition": large}, VISIT)
    lead, other = make(cast, employees=2**31 - 1), make(cast, employees=1)
    note(lead)
    run_due(at=SOON)
    assert (stored(lead), stored(other)) == ((1, "A3", 60, 1000, NOW + 30 * DAY), (1, "C3", 0, 0, None))


@BOTH
def test_what_does_not_differ_is_not_written(cast: Cast) -> None:
    put_in_force(cast, LARGE, VISIT)
    lead, other = make(cast, employees=300), make(cast)
    Lead.objects.filter(pk=other.pk).update(employees=300)
    assert scores.score_leads(lead_ids=[lead.pk, other.pk], at=NOW + DAY) == 2
    assert [LeadScore.objects.get(lead=each).scored_at for each in (lead, other)] == [NOW, NOW + DAY]
    LeadScore.objects.filter(lead=other).update(probability_bp=1234)
    Lead.objects.filter(pk=other.pk).update(employees=3)
    scores.score_leads(lead_ids=[other.pk], at=NOW + 2 * DAY)
    # What was learned is not of these rules.
    assert LeadScore.objects.values_list("grade", "probability_bp").get(lead=other) == ("C3", 1234)


def test_scoring_costs_the_same_queries_for_few_and_for_many(cast: Cast) -> None:
    put_in_force(cast, LARGE, VISIT)
    leads = [Lead(name=f"Lead {number}", created_at=NOW, employees=number) for number in range(400)]
    Lead.objects.bulk_create(leads)
    keys = list(Lead.objects.values_list("pk", flat=True))

    def queries(count: int) -> int:
        with CaptureQueriesContext(
            connection,
        ) as few:
            assert scores.score_leads(lead_ids=keys[:count], at=NOW) == count
        return len([each for each in few if "INSERT" not in each["sql"]])

    assert queries(2) == queries(20)
    assert queries(30) == queries(400)
    assert LeadScore.objects.filter(grade="A3").count() == 200


@BOTH
def test_moments_are_kept_as_django_reads_and_compares_them(cast: Cast) -> None:
    put_in_force(cast, VISIT)
    lead = make(cast)
    happened = NOW - timedelta(microseconds=1)
    scores.note_signal(lead_id=lead.pk, kind="visit", happened_at=happened, key="k", at=NOW)
    at = NOW + timedelta(seconds=3, milliseconds=250)
    scores.score_leads(lead_ids=[lead.pk], at=at)
    row = LeadScore.objects.get(lead=lead)
    assert (row.scored_at, row.fades_at) == (at, happened + 30 * DAY)
    assert LeadScore.objects.filter(scored_at=at, fades_at=happened + 30 * DAY).count() == 1


@BOTH
def test_names_of_groups_are_kept_as_they_are(cast: Cast) -> None:
    rita = {"actor": cast.actor("rita"), "at": NOW}
    version = rules.draft_score_version(**rita)
    version.rules.all().delete()
    by: dict[str, Any] = rita | {"version_id": version.pk}
    odd = 'it\'s \\ "Größe"\t{0}'
    group = rules.put_score_group(**by, name=odd, limit=50).groups.get()
    rules.put_score_rule(**by, part="fit", name="R", points=60, condition="employees > 1", group=group)
    rules.activate_score_version(**by)
    lead = make(cast, employees=2)
    score = LeadScore.objects.get(lead=lead)
    assert (score.parts["groups"], score.fit, score.grade) == ({odd: 1000}, 50, "B3")
    before = LeadScore.objects.values_list().get()
    scores.score_leads(lead_ids=[lead.pk], at=NOW + DAY)
    assert LeadScore.objects.values_list().get() == before


# --- Signals -------------------------------------------------------------------------------------------------------


def test_a_signal_is_told_once_by_its_key(cast: Cast) -> None:
    put_in_force(cast, VISIT)
    lead, other = make(cast), make(cast)
    assert note(lead) is True
    before = everything()
    assert note(lead, at=NOW + DAY) is False
    assert everything() == before
    for call in (lambda: note(other), lambda: note(lead, "demo")):
        with pytest.raises(ValidationError) as refused, transaction.atomic():
            call()
        assert refused.value.message_dict == {"key": ["This key was told about something else."]}
    assert everything() == before
    assert list(LeadSignal.objects.values_list("lead", "kind", "happened_at", "known_at", "key")) == [
        (lead.pk, "visit", NOW, NOW, "k1")
    ]


@pytest.mark.parametrize(
    ("kind", "key", "ahead", "column"),
    [
        ("pigeon", "k", timedelta(0), "kind"),
        ("visit", "", timedelta(0), "key"),
        ("visit", "x" * 121, timedelta(0), "key"),
        ("visit", "k", DAY + timedelta(seconds=1), "happened_at"),
    ],
)
def test_what_is_no_signal_is_refused(cast: Cast, kind: str, key: str, ahead: timedelta, column: str) -> None:
    lead = make(cast)
    before = everything()
    with pytest.raises(ValidationError) as refused:
        note(lead, kind, key, ago=-ahead)
    assert list(refused.value.message_dict) == [column]
    with pytest.raises(Lead.DoesNotExist):
        scores.note_signal(lead_id=lead.pk + 1, kind="visit", happened_at=NOW, key="k", at=NOW)
    assert everything() == before


def test_signals_are_only_added_to(cast: Cast) -> None:
    note(make(cast))
    signal = LeadSignal.objects.get()
    for change in (lambda: LeadSignal.objects.update(kind="demo"), signal.delete):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()


# --- Jobs that are killed ------------------------------------------------------------------------------------------


def fill(cast: Cast, count: int) -> None:
    Lead.objects.bulk_create(Lead(name=f"Lead {number}", created_at=NOW, employees=number) for number in range(count))
    LeadSignal.objects.bulk_create(
        LeadSignal(lead=lead, kind="visit", happened_at=NOW - number * DAY, known_at=NOW, key=f"s{number}")
        for number, lead in enumerate(Lead.objects.order_by("pk"))
    )


def test_the_signals_of_one_lead_are_found_without_reading_those_of_others(cast: Cast) -> None:
    version = put_in_force(cast, {"part": "engagement", "signal": "visit", "points": 10})
    scheme = scheme_of_version(version).unwrap()
    fill(cast, 3_000)
    lead = Lead.objects.order_by("pk")[15]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with CaptureQueriesContext(connection) as asked:
        assert len(signals_of(lead, scheme, NOW)) == 1
    is_server = connection.vendor == "postgresql"
    for query in asked.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {'' if is_server else 'QUERY PLAN '}{query['sql']}")
            plan = " ".join(str(row[-1]) for row in cursor.fetchall())
        assert ("Seq Scan" if is_server else "SCAN") not in plan, plan


def all_scores() -> list[tuple[Any, ...]]:
    rows = LeadScore.objects.order_by("lead__name").values_list(
        "lead__name", "version__number", "grade", "fit", "engagement", "parts", "fades_at"
    )
    return [(*row[:5], json.dumps(row[5]), row[6]) for row in rows]


@BOTH
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["leads.rescore_all", "leads.rescore_changed"])
def test_a_killed_job_loses_nothing_and_doubles_nothing(
    transactional_db: None, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.cast import make_cast

    cast = make_cast()
    for name in ("next_open_leads", "score_due"):
        small = getattr(scores, name)
        monkeypatch.setattr(f"salesops.leads.tasks.{name}", lambda small=small, **given: small(**given, most=4))
    fill(cast, 11)
    put_in_force(cast, {"points": 60, "condition": "employees >= 5"}, VISIT)
    job = Job.objects.get(kind="leads.rescore_all")
    run_one(job, at=SOON)
    undisturbed = all_scores()
    assert len(undisturbed) == 11
    LeadScore.objects.update(fit=1, engagement=1, grade="B2", parts={}, fades_at=scores.AT_ONCE)
    if kind == "leads.rescore_all":
        job.state, job.checkpoint = "new", {}
        job.save()
    else:
        scores._ask(NOW)
        job = Job.objects.get(kind=kind)
    assert run_killed_everywhere(job, at=SOON) >= 6
    job.refresh_from_db()
    assert (job.state, job.done_count, all_scores()) == ("done", 11, undisturbed)


@BOTH
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("sqlite" in connection.vendor, reason="SQLite writes one transaction at a time")
def test_a_change_in_the_midst_of_scoring_is_not_lost(transactional_db: None) -> None:
    from tests.cast import make_cast

    cast = make_cast()
    put_in_force(cast, LARGE)
    lead = make(cast, employees=10)
    actor = cast.actor("rita")
    with transaction.atomic():
        scores.score_leads(lead_ids=[lead.pk], at=NOW)

        def change() -> None:
            edit_lead(actor=actor, lead_id=lead.pk, at=NOW, employees=900)
            connection.close()

        thread = threading.Thread(target=change)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()  # it waits for the score that is being written
    thread.join(10)
    run_due(at=SOON)
    assert stored(lead) == (1, "A3", 60, 0, None)


def test_of_two_who_score_a_lead_first_the_second_marks_it(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    version = put_in_force(cast, LARGE)
    run_due(at=SOON)
    write = scores._write_few

    def too_late(found: Any, standing: Any, *others: Any) -> int:
        rows = [
            LeadScore(lead_id=lead, version=version, fit=0, engagement=0, grade="C3", scored_at=NOW)
            for lead, _s in found
        ]
        LeadScore.objects.bulk_create(rows)
        return write(found, standing, *others)

    monkeypatch.setattr(scores, "_write_few", too_late)
    lead = make(cast, employees=500)
    assert stored(lead) == (1, "C3", 0, 0, scores.AT_ONCE)
    monkeypatch.undo()
    run_due(at=SOON)
    assert stored(lead) == (1, "A3", 60, 0, None)


# --- Versions ------------------------------------------------------------------------------------------------------


def test_the_first_draft_reads_and_the_next_is_a_copy_of_the_last(cast: Cast) -> None:
    actor = cast.actor("rita")
    first = rules.draft_score_version(actor=actor, at=NOW, note=" First ")
    assert (first.number, first.note, first.state, first.created_by, first.created_at) == (
        1,
        "First",
        "draft",
        cast.rita,
        NOW,
    )
    assert scheme_of_version(first).problems == ()
    group = rules.put_score_group(actor=actor, version_id=first.pk, name="Mail", limit=20, at=NOW).groups.get()
    rule = rules.put_score_rule(
        actor=actor,
        version_id=first.pk,
        at=NOW,
        part="engagement",
        name="Opens",
        points=3,
        signal="opened",
        group=group,
    )
    rules.change_score_version(actor=actor, version_id=first.pk, at=NOW, fit_a=70, keep_percent=80)
    with pytest.raises(ValidationError, match="There is a draft already"):
        rules.draft_score_version(actor=actor, at=NOW)
    rules.activate_score_version(actor=actor, version_id=first.pk, at=NOW)
    second = rules.draft_score_version(actor=actor, at=NOW)
    assert (second.number, second.fit_a, second.keep_percent) == (2, 70, 80)
    copied = ("position", "part", "name", "points", "condition", "signal", "most_times", "group__name")
    assert list(second.rules.values_list(*copied)) == list(first.rules.values_list(*copied))
    assert second.groups.get().pk != group.pk
    rules.drop_score_rule(actor=actor, version_id=second.pk, rule_id=second.rules.get(name="Opens").pk, at=NOW)
    assert ScoreRule.objects.filter(pk=rule.pk).exists()


def test_the_one_in_force_retires_and_all_leads_are_scored_anew(cast: Cast) -> None:
    lead = make(cast, employees=300)
    first = put_in_force(cast, LARGE)
    run_due(at=SOON)
    assert stored(lead) == (1, "A3", 60, 0, None)
    second = put_in_force(cast, {"points": 35, "condition": "employees >= 200"}, at=NOW + DAY)
    first.refresh_from_db()
    assert (first.state, first.retired_at, second.state, second.activated_at, second.activated_by) == (
        "retired",
        NOW + DAY,
        "active",
        NOW + DAY,
        cast.rita,
    )
    assert stored(lead) == (1, "A3", 60, 0, None)
    run_due(at=NOW + 2 * DAY)
    assert stored(lead) == (2, "B3", 35, 0, None)
    entry = AuditEntry.objects.filter(action="scorerules.activated").latest("sequence")
    assert (entry.before, entry.after) == ({"in_force": 1}, {"in_force": 2})


def test_a_version_that_does_not_read_is_refused_with_every_problem(cast: Cast) -> None:
    actor = cast.actor("ada")
    draft = rules.draft_score_version(actor=actor, at=NOW)
    draft.rules.all().delete()
    by: dict[str, Any] = {"actor": actor, "version_id": draft.pk, "at": NOW}
    rules.put_score_rule(**by, part="fit", name="Typo", points=5, condition='contry = "x"')
    rules.put_score_rule(**by, part="fit", name="Number", points=5, condition="employees")
    before = everything()
    with pytest.raises(ValidationError) as refused:
        rules.activate_score_version(**by)
    assert refused.value.messages == [
        "Typo: There is no field contry (character 1).",
        "Number: A condition is needed at character 1, and employees is none.",
    ]
    assert everything() == before


@pytest.mark.parametrize("who", ["sam", "max", "finn", "elsa", "norm"])
def test_others_do_not_change_rules(cast: Cast, who: str) -> None:
    draft = rules.draft_score_version(actor=cast.actor("rita"), at=NOW)
    rule = draft.rules.all()[0]
    by: dict[str, Any] = {"actor": cast.actor(who), "at": NOW}
    before = everything()
    for call in (
        lambda: rules.draft_score_version(**by),
        lambda: rules.change_score_version(version_id=draft.pk, fit_a=61, **by),
        lambda: rules.put_score_rule(version_id=draft.pk, rule_id=rule.pk, points=99, **by),
        lambda: rules.drop_score_rule(version_id=draft.pk, rule_id=rule.pk, **by),
        lambda: rules.put_score_group(version_id=draft.pk, name="X", limit=1, **by),
        lambda: rules.activate_score_version(version_id=draft.pk, **by),
        lambda: rules.discard_score_version(version_id=draft.pk, **by),
        lambda: rules.ask_for_comparison(version=draft, **by),
    ):
        with pytest.raises(PermissionDenied):
            call()
    assert everything() == before


def test_what_was_in_force_stays_as_it_was(cast: Cast) -> None:
    version = put_in_force(cast, LARGE)
    rule = version.rules.get()
    by: dict[str, Any] = {"actor": cast.actor("rita"), "at": NOW}
    before = everything()
    for call in (
        lambda: rules.change_score_version(version_id=version.pk, fit_a=61, **by),
        lambda: rules.put_score_rule(version_id=version.pk, rule_id=rule.pk, points=99, **by),
        lambda: rules.drop_score_rule(version_id=version.pk, rule_id=rule.pk, **by),
        lambda: rules.put_score_group(version_id=version.pk, name="X", limit=1, **by),
        lambda: rules.activate_score_version(version_id=version.pk, **by),
        lambda: rules.discard_score_version(version_id=version.pk, **by),
    ):
        with pytest.raises(ValidationError, match="Only a draft can be changed"):
            call()
    assert everything() == before


def test_what_a_rule_cannot_be_is_refused_at_its_field(cast: Cast) -> None:
    actor = cast.actor("rita")
    put_in_force(cast, LARGE)
    old = ScoreVersion.objects.get()
    foreign = ScoreGroup.objects.create(version=old, name="Old", limit=1)
    draft = rules.draft_score_version(actor=actor, at=NOW)
    by: dict[str, Any] = {"actor": actor, "version_id": draft.pk, "at": NOW, "name": "New", "points": 1}
    before = everything()
    for given, column in (
        ({"part": "fit", "condition": " "}, "condition"),
        ({"part": "engagement"}, "signal"),
        ({"part": "fit", "condition": "has_phone", "group": foreign}, "group"),
        ({"part": "fit", "condition": "has_phone", "name": ""}, "name"),
    ):
        with pytest.raises(ValidationError) as refused, transaction.atomic():
            rules.put_score_rule(**(by | given))
        assert list(refused.value.message_dict) == [column]
    with pytest.raises(Http404), transaction.atomic():
        rules.put_score_rule(**by, part="fit", condition="has_phone", rule_id=old.rules.get().pk)
    with pytest.raises(ValidationError), transaction.atomic():
        rules.change_score_version(actor=actor, version_id=draft.pk, at=NOW, fit_a=10, fit_b=10)
    assert everything() == before


def test_a_group_that_goes_leaves_its_rules(cast: Cast) -> None:
    actor = cast.actor("rita")
    draft = rules.draft_score_version(actor=actor, at=NOW)
    by: dict[str, Any] = {"actor": actor, "version_id": draft.pk, "at": NOW}
    group = rules.put_score_group(**by, name=" Mail ", limit=20).groups.get()
    assert (group.name, group.limit) == ("Mail", 20)
    rule = draft.rules.get(name="Answered")
    rules.put_score_rule(**by, rule_id=rule.pk, group=group)
    rules.put_score_group(**by, group_id=group.pk, name="Mails", limit=25)
    assert [(each.name, each.limit) for each in draft.groups.all()] == [("Mails", 25)]
    rules.put_score_group(**by, group_id=group.pk, name="", limit=None)
    rule.refresh_from_db()
    assert (rule.group, draft.groups.count()) == (None, 0)
    rules.discard_score_version(**by)
    assert (ScoreVersion.objects.count(), ScoreRule.objects.count()) == (0, 0)


# --- Side by side --------------------------------------------------------------------------------------------------


def test_a_draft_is_compared_with_what_is_in_force(cast: Cast) -> None:
    actor = cast.actor("rita")
    put_in_force(cast, {"points": 60, "condition": "employees >= 200"}, DEMO)
    up, down, stays, closed = (
        make(cast, name=name, employees=n) for name, n in zip("uvwx", (199, 250, 400, 1), strict=True)
    )
    mixed = make(cast, name="m", employees=250)
    note(mixed, "visit", "m1")
    set_status(actor=actor, lead_id=closed.pk, status="disqualified", because="x", at=NOW)
    draft = rules.draft_score_version(actor=actor, at=NOW)
    rule = draft.rules.get(name="Rule 1")
    by: dict[str, Any] = {"actor": actor, "version_id": draft.pk, "at": NOW}
    rules.put_score_rule(**by, rule_id=rule.pk, condition="employees < 200 OR employees > 300")
    rules.put_score_rule(**by, part="engagement", name="Visit", points=20, signal="visit")
    schemes = [scheme_of_version(each).unwrap() for each in ScoreVersion.objects.order_by("number")]
    found = compare_all(schemes[0], schemes[1], at=NOW)
    assert dict(found.counts) == {("C3", "A3"): 1, ("A3", "C3"): 1, ("A3", "A3"): 1, ("A3", "C2"): 1}
    assert (found.total, found.rising, found.falling, found.mixed, found.same) == (4, 1, 1, 1, 1)
    assert [(each.lead, each.before, each.after, each.rise) for each in moved_leads(actor, found)] == [
        (up, "C3", "A3", 60),
        (mixed, "A3", "C2", -40),
        (down, "A3", "C3", -60),
    ]
    # Who sees no lead is told of none by name.
    assert moved_leads(cast.actor("sam"), found) == []
    assert Comparison.from_plain(json.loads(json.dumps(found.as_plain()))) == found
    job = rules.ask_for_comparison(actor=actor, version=draft, at=NOW)
    assert rules.ask_for_comparison(actor=actor, version=draft, at=NOW) == job
    run_due(at=SOON)
    job.refresh_from_db()
    assert (job.state, job.checkpoint["comparison"], job.checkpoint["against"]) == ("done", found.as_plain(), 1)
    assert stays.pk not in [lead for lead, *_others in found.moved]


def test_parts_of_a_comparison_add_up_to_the_whole(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(cast, 30)
    put_in_force(cast, {"points": 60, "condition": "employees >= 15"})
    draft = rules.draft_score_version(actor=cast.actor("rita"), at=NOW)
    rules.put_score_rule(
        actor=cast.actor("rita"), version_id=draft.pk, at=NOW, rule_id=draft.rules.get().pk, condition="employees < 20"
    )
    old, new = (scheme_of_version(each).unwrap() for each in ScoreVersion.objects.order_by("number"))
    whole = compare_all(old, new, at=NOW)
    assert (whole.rising, whole.falling, whole.same, len(whole.moved)) == (15, 10, 5, 20)
    monkeypatch.setattr("salesops.leads.selectors.score_versions.compare_next.__kwdefaults__", {"most": 7})
    assert compare_all(old, new, at=NOW).counts == whole.counts
    assert compare_all(None, new, at=NOW).counts == {("", "A3"): 20, ("", "C3"): 10}


def test_which_grade_is_better() -> None:
    pairs = [("C3", "A3"), ("A3", "A1"), ("B2", "A1"), ("A3", "C1"), ("A1", "A1"), ("", "A1"), ("A1", "B1")]
    assert [is_better(before, after) for before, after in pairs] == [True, True, True, False, False, False, False]


# --- For people ----------------------------------------------------------------------------------------------------


def test_a_score_is_shown_with_its_parts_and_what_would_change_it(cast: Cast) -> None:
    put_in_force(cast, LARGE, VISIT, {**DEMO, "name": "Demo"}, {"points": 35, "condition": "has_phone"})
    lead = make(cast, employees=10, owner=cast.sam)
    note(lead, ago=29 * DAY)
    run_due(at=SOON)
    lead.refresh_from_db()
    shown = score_shown(cast.actor("sam"), lead, NOW)
    assert shown is not None
    assert (shown.grade, shown.fit.points, shown.engagement.points, shown.is_newer) == ("C3", 0, 10, False)
    assert [(each.name, each.points, each.times, list(each.each)) for each in shown.engagement.brought] == [
        ("Rule 2", 10, 1, [(NOW - 29 * DAY, 10)])
    ]
    assert (shown.fades_at, shown.then) == (NOW + DAY, (5, "C3"))
    assert [(way.grade, way.holds, way.signal, way.times) for way in shown.ways] == [
        ("B3", ["Rule 4"], "", 0),
        ("A3", ["Rule 1"], "", 0),
        ("C2", [], "Visited the site", 1),
        ("C1", [], "Asked for a demo", 1),
    ]
    edit_lead(actor=cast.actor("rita"), lead_id=lead.pk, at=NOW, employees=900)
    lead.refresh_from_db()
    newer = score_shown(cast.actor("sam"), lead, NOW)
    assert newer is not None
    assert (newer.grade, newer.is_newer, newer.stored and newer.stored.grade) == ("A3", True, "C3")


def test_a_lead_is_tried_under_a_draft(cast: Cast) -> None:
    lead = make(cast, employees=300)
    assert score_shown(cast.actor("rita"), lead, NOW) is None
    put_in_force(cast, LARGE)
    draft = rules.draft_score_version(actor=cast.actor("rita"), at=NOW)
    by: dict[str, Any] = {"actor": cast.actor("rita"), "version_id": draft.pk, "at": NOW}
    rules.put_score_rule(**by, rule_id=draft.rules.get().pk, points=31)
    tried = score_shown(cast.actor("rita"), lead, NOW, score_version_for(cast.actor("max"), draft.pk))
    assert tried is not None
    assert (tried.grade, tried.version) == ("B3", draft)
    rules.put_score_rule(**by, rule_id=draft.rules.get().pk, condition="nonsense")
    assert score_shown(cast.actor("rita"), lead, NOW, draft) is None


@pytest.mark.parametrize("who", ["sam", "finn", "elsa", "norm"])
def test_rules_are_read_by_those_who_have_to_do_with_them(cast: Cast, who: str) -> None:
    version = put_in_force(cast, LARGE)
    assert score_version_for(cast.actor("max"), version.pk) == version
    with pytest.raises(PermissionDenied):
        score_version_for(cast.actor(who), version.pk)
    with pytest.raises(Http404):
        score_version_for(cast.actor("max"), version.pk + 1)


# --- What conditions may ask ---------------------------------------------------------------------------------------


def test_columns_and_one_by_one_read_the_same_of_leads(cast: Cast) -> None:
    make(
        cast,
        name="Full",
        company="Acme",
        title="Head",
        email="A@Acme.com",
        phone="1",
        country="Germany",
        employees=5,
        campaign="spring",
        estimated_minor=12_345,
        currency="JPY",
    )
    make(cast, name="Empty", phone=" ")
    known = known_of(Lead.objects.all())
    leads = list(Lead.objects.order_by("pk"))
    expected = [{name: None if value == "" else value for name, value in facts_of(lead).items()} for lead in leads]
    assert [{name: None if value == "" else value for name, value in row.items()} for row in known.facts()] == expected
    assert (expected[0]["domain"], expected[0]["segment"], expected[0]["exponent"], expected[1]["has_phone"]) == (
        "acme.com",
        "smb",
        0,
        False,
    )
    few = known_of(Lead.objects.filter(employees=F("employees")), ["value"])
    assert (list(few.values), few.lead.tolist(), few.exponent.tolist()) == (["value"], [leads[0].pk], [0])
    assert list(known_of(Lead.objects.none()).lead) == []
