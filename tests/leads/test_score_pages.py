"""Scores on pages: in the list, on the lead, the rules with their versions, and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from salesops.jobs.models import Job
from salesops.jobs.testing import run_due
from salesops.leads.models import Lead, LeadScore, LeadSignal, ScoreGroup, ScoreRule, ScoreVersion
from salesops.leads.selectors.scores import NUMBERS
from salesops.leads.services import create_lead
from salesops.leads.services import score_versions as rules
from salesops.leads.services.scores import note_signal, score_leads
from tests.cast import NOW, Cast

ClientOf = Callable[[str], Client]


@pytest.fixture
def version(cast: Cast) -> ScoreVersion:
    """Rules in force: large leads are A, demos make 1."""
    by: dict[str, Any] = {"actor": cast.actor("rita"), "at": NOW}
    version = rules.draft_score_version(**by)
    version.rules.all().delete()
    by["version_id"] = version.pk
    group = rules.put_score_group(**by, name="Site", limit=15).groups.get()
    rules.put_score_rule(**by, part="fit", name="Large", points=60, condition="employees >= 200")
    rules.put_score_rule(**by, part="fit", name="Has a <phone>", points=35, condition="has_phone")
    rules.put_score_rule(**by, part="engagement", name="Visits", points=10, signal="visit", group=group)
    rules.put_score_rule(**by, part="engagement", name="Demo", points=50, signal="demo", most_times=1)
    rules.activate_score_version(**by)
    version.refresh_from_db()
    return version


def make(cast: Cast, name: str = "Lena", **fields: Any) -> Lead:
    return create_lead(actor=cast.actor("rita"), at=NOW, name=name, owner=cast.sam, **fields)


def note(lead: Lead, kind: str, key: str, days: int = 0) -> None:
    note_signal(lead_id=lead.pk, kind=kind, happened_at=NOW - timedelta(days=days), key=key, at=NOW)


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


# --- In the list ---------------------------------------------------------------------------------------------------


def names(client: Client, query: str) -> list[str]:
    page = client.get(f"/leads/?{query}")
    assert page.status_code == 200
    return [row.name for row in page.context["page"].rows]


def test_leads_are_sorted_and_filtered_by_their_grade(cast: Cast, client_of: ClientOf, version: ScoreVersion) -> None:
    Lead.objects.create(name="Never", owner=cast.sam, pod=cast.north, created_at=NOW, status="converted")
    best = make(cast, "Best", employees=300)
    make(cast, "Fits", employees=300)
    make(cast, "Poor")
    note(best, "demo", "d")
    run_due(at=NOW + timedelta(seconds=2))
    client = client_of("sam")
    assert names(client, "sort=score") == ["Best", "Fits", "Poor", "Never"]
    assert names(client, "sort=-score") == ["Poor", "Fits", "Best", "Never"]
    assert names(client, "score=A1&score=C3&sort=name") == ["Best", "Poor"]
    page = text(client.get("/leads/?cols=name,score"))
    assert '<span class="pill pill-green">A1</span>' in page
    assert '<span class="pill pill-grey">C3</span>' in page


def test_a_list_with_scores_costs_the_same_for_few_and_many(
    cast: Cast, client_of: ClientOf, version: ScoreVersion
) -> None:
    client = client_of("sam")

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert client.get("/leads/?cols=name,score&sort=score").status_code == 200
        return len(found)

    make(cast)
    queries()
    few = queries()
    Lead.objects.bulk_create(
        Lead(name=f"Lead {number}", owner=cast.sam, pod=cast.north, created_at=NOW) for number in range(40)
    )
    score_leads(lead_ids=list(Lead.objects.values_list("pk", flat=True)), at=NOW)
    assert queries() == few


# --- On the lead ---------------------------------------------------------------------------------------------------


def test_a_lead_shows_its_score_its_parts_and_what_would_change_it(
    cast: Cast, client_of: ClientOf, version: ScoreVersion
) -> None:
    lead = make(cast, employees=300, phone="1")
    for number in range(2):
        note(lead, "visit", f"v{number}", days=20)
    run_due(at=NOW + timedelta(seconds=2))
    page = text(client_of("sam").get(reverse("leads:lead_detail", kwargs={"pk": lead.pk})))
    card = page[page.index('<section class="card score"') : page.index('aria-labelledby="why-title"')]
    assert '<span class="pill pill-green">A3</span>' in card
    assert "95 of 100" in card
    assert "15 of 100" in card
    assert "Has a &lt;phone&gt;" in card
    assert "Above the limit of Site" in card
    assert "1 time more: Asked for a demo" in card
    assert '">27 Jun 2026, 10:00</time>: engagement 10' in card
    assert "engagement 10" in card
    assert "Something changed just now" not in card
    # A rep sees the parts, and has no page of rules to go to.
    assert "See the rules" not in card
    assert "See the rules" in text(client_of("max").get(reverse("leads:lead_detail", kwargs={"pk": lead.pk})))
    note(lead, "demo", "d")
    assert "Something changed just now" in text(client_of("sam").get(f"/leads/{lead.pk}/"))


def test_a_grade_says_how_leads_of_it_ended(cast: Cast, client_of: ClientOf, version: ScoreVersion) -> None:
    lead = make(cast)
    grade = LeadScore.objects.get(lead=lead).grade
    ends = ["converted", "disqualified", "disqualified", "disqualified", "converted", "nurturing"]
    Lead.objects.bulk_create(Lead(name=f"Lead {n}", created_at=NOW, pod=cast.south) for n in range(len(ends)))
    others = list(Lead.objects.filter(name__startswith="Lead ").order_by("pk"))
    score_leads(lead_ids=[each.pk for each in others], at=NOW)
    assert set(LeadScore.objects.values_list("grade", flat=True)) == {grade}

    def shown() -> str:
        return text(client_of("sam").get(f"/leads/{lead.pk}/"))

    for each, end in zip(others[:4], ends, strict=False):
        Lead.objects.filter(pk=each.pk).update(status=end, disqualified_because="x")
    assert f"Too few leads were closed as {grade} to say what it is worth." in shown()
    for each, end in zip(others, ends, strict=True):
        Lead.objects.filter(pk=each.pk).update(status=end, disqualified_because="x")
    assert f"Of the latest 5 leads that were closed as {grade}, 2 were converted." in shown()
    Lead.objects.filter(pk=others[0].pk).update(removed_at=NOW)
    assert "Too few" in shown()


def test_without_rules_a_lead_says_so(cast: Cast, client_of: ClientOf) -> None:
    lead = make(cast)
    assert "No score rules are in force yet." in text(client_of("sam").get(f"/leads/{lead.pk}/"))


# --- The rules -----------------------------------------------------------------------------------------------------


def test_the_way_from_an_empty_list_to_rules_in_force(cast: Cast, client_of: ClientOf) -> None:
    client = client_of("rita")
    assert "No score rules yet" in text(client.get("/leads/scores/"))
    lead = make(cast, employees=300)
    answer = client.post("/leads/scores/new/", {"note": "First"})
    draft = ScoreVersion.objects.get()
    page_url = reverse("leads:scoreversion_detail", kwargs={"pk": draft.pk})
    assert answer.headers["Location"] == page_url
    rule_url = f"/leads/scores/{draft.pk}/rules"
    answer = client.post(f"{rule_url}/new/?part=fit", {"name": "New", "points": 9, "condition": 'contry = "x"'})
    assert answer.status_code == 422
    assert "There is no field contry (character 1)." in text(answer)
    answer = client.post(f"{rule_url}/new/?part=fit", {"name": "New", "points": 9, "condition": "employees > 1"})
    assert answer.headers["Location"] == page_url
    rule = draft.rules.get(name="New")
    assert (rule.part, rule.points, rule.signal, rule.position) == ("fit", 9, "", 14)
    client.post(f"/leads/scores/{draft.pk}/groups/new/", {"name": "Talks", "limit": 30})
    group = draft.groups.get()
    spoke = draft.rules.get(name="Spoke with us")
    given = {"name": "Spoke", "points": 21, "signal": "spoke", "most_times": 3, "condition": "", "group": group.pk}
    client.post(f"{rule_url}/{spoke.pk}/", given)
    spoke.refresh_from_db()
    assert (spoke.name, spoke.points, spoke.most_times, spoke.group) == ("Spoke", 21, 3, group)
    assert client.post(f"{rule_url}/{rule.pk}/drop/").status_code == 302
    assert not draft.rules.filter(pk=rule.pk).exists()
    assert client.post(f"/leads/scores/{draft.pk}/groups/{group.pk}/drop/").status_code == 302
    assert draft.groups.count() == 0
    numbers = {name: getattr(draft, name) for name in NUMBERS} | {"note": "Begun", "fit_a": 30, "fit_b": 20}
    assert client.post(f"/leads/scores/{draft.pk}/edit/", numbers).headers["Location"] == page_url
    answer = client.post(f"/leads/scores/{draft.pk}/edit/", numbers | {"fit_b": 31})
    assert answer.status_code == 422
    compared = text(client.get(f"/leads/scores/{draft.pk}/compare/"))
    assert "1 open lead would be graded like this." in compared
    answer = client.post(f"/leads/scores/{draft.pk}/activate/")
    assert answer.headers["Location"] == page_url
    assert "Score all leads by the new rules" in text(client.get(page_url))
    run_due(at=NOW)
    draft.refresh_from_db()
    assert (draft.state, draft.fit_a, draft.note) == ("active", 30, "Begun")
    assert LeadScore.objects.get(lead=lead).grade == "A3"
    assert "These are the rules in force." in text(client.get(f"/leads/scores/{draft.pk}/compare/"))


def test_a_draft_that_does_not_read_says_why_and_has_no_way_into_force(
    cast: Cast, client_of: ClientOf, version: ScoreVersion
) -> None:
    draft = rules.draft_score_version(actor=cast.actor("rita"), at=NOW)
    rules.put_score_rule(
        actor=cast.actor("rita"), version_id=draft.pk, at=NOW, part="fit", name="Odd", points=1, condition="nonsense"
    )
    client = client_of("rita")
    page = text(client.get(f"/leads/scores/{draft.pk}/"))
    assert "These rules cannot be put in force yet." in page
    assert "<strong>Odd</strong>: There is no field nonsense (character 1)." in page
    assert "/activate/" not in page
    answer = client.post(f"/leads/scores/{draft.pk}/activate/")
    assert answer.status_code == 422
    assert "Odd: There is no field nonsense (character 1)." in text(answer)
    assert "cannot be read yet" in text(client.get(f"/leads/scores/{draft.pk}/compare/"))
    version.refresh_from_db()
    assert version.state == "active"


def test_managers_read_rules_and_change_none(cast: Cast, client_of: ClientOf, version: ScoreVersion) -> None:
    draft = rules.draft_score_version(actor=cast.actor("rita"), at=NOW)
    client = client_of("max")
    page = text(client.get(f"/leads/scores/{draft.pk}/"))
    assert "employees &gt;= 200" in page
    for way in ("/activate/", "/edit/", "/discard/", "/rules/", "/groups/"):
        assert f"{draft.pk}{way}" not in page
    before = list(ScoreRule.objects.values_list())
    for path in ("edit/", "activate/", "discard/", "compare/", "rules/new/", "groups/new/"):
        assert client.post(f"/leads/scores/{draft.pk}/{path}", {"name": "X"}).status_code == 403
    assert list(ScoreRule.objects.values_list()) == before
    assert ScoreVersion.objects.filter(state="draft").exists()


def test_a_rule_of_another_version_is_not_found(cast: Cast, client_of: ClientOf, version: ScoreVersion) -> None:
    draft = rules.draft_score_version(actor=cast.actor("rita"), at=NOW)
    client = client_of("rita")
    foreign, group = version.rules.all()[0], version.groups.get()
    for path in (f"rules/{foreign.pk}/", f"groups/{group.pk}/"):
        assert client.get(f"/leads/scores/{draft.pk}/{path}").status_code == 404
    for path in (f"rules/{foreign.pk}/drop/", f"groups/{group.pk}/drop/"):
        assert client.post(f"/leads/scores/{draft.pk}/{path}").status_code == 404
    assert (version.rules.count(), ScoreGroup.objects.count()) == (4, 2)


def test_two_versions_stand_side_by_side(
    cast: Cast, client_of: ClientOf, version: ScoreVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(cast, "Large", employees=300)
    small = make(cast, "Small", employees=100)
    draft = rules.draft_score_version(actor=cast.actor("rita"), at=NOW)
    rule = draft.rules.get(name="Large")
    rules.put_score_rule(
        actor=cast.actor("rita"), version_id=draft.pk, at=NOW, rule_id=rule.pk, condition="employees >= 100"
    )
    url = f"/leads/scores/{draft.pk}/compare/"
    client = client_of("rita")
    said = "Of 2 open leads 1 rise and 0 fall against version 1, 0 do both, 1 stay."
    page = text(client.get(url))
    assert said in page
    assert (
        f'<a href="/leads/{small.pk}/">Small</a> <span class="held-when">C3 → A3 <span class="muted">+60</span>' in page
    )
    # A manager of others sees how many, and whose name is not theirs to see they do not.
    others = text(client_of("mia").get(url))
    assert said in others
    assert "Small" not in others
    # Of many leads a job does the work.
    monkeypatch.setattr("salesops.leads.views.scores.AT_ONCE", 1)
    assert said not in text(client.get(url))
    assert client.post(url).headers["Location"] == f"/leads/scores/{draft.pk}/"
    assert "Compare score rules" in text(client.get(url))
    run_due(at=NOW)
    assert Job.objects.get(kind="leads.compare_scores").state == "done"
    assert said in text(client.get(url))


def test_a_version_is_tried_on_a_lead(cast: Cast, client_of: ClientOf, version: ScoreVersion) -> None:
    lead, other = make(cast, "Lena Lee", employees=100), make(cast, "Lena Lund")
    theirs = create_lead(actor=cast.actor("rita"), at=NOW, name="Lena Theirs", owner=cast.sven)
    draft = rules.draft_score_version(actor=cast.actor("rita"), at=NOW)
    rules.put_score_rule(
        actor=cast.actor("rita"),
        version_id=draft.pk,
        at=NOW,
        part="fit",
        name="Some",
        points=61,
        condition="employees > 1",
    )
    client = client_of("max")
    url = f"/leads/scores/{draft.pk}/try/"
    assert "Type a lead's number" in text(client.get(url))
    several = text(client.get(f"{url}?lead=lena"))
    assert (f"?lead={lead.pk}" in several, f"?lead={other.pk}" in several) == (True, True)
    assert "Theirs" not in several
    assert "No lead of yours is like this." in text(client.get(f"{url}?lead={theirs.pk}"))
    one = text(client.get(f"{url}?lead=%23{lead.pk}"))
    assert "By version 2" in one
    assert '<span class="pill pill-grey">C3</span>' in one
    assert '<span class="pill pill-green">A3</span>' in one
    assert LeadScore.objects.get(lead=lead).grade == "C3"


# --- For administrators --------------------------------------------------------------------------------------------


def change_of(version: ScoreVersion, **given: Any) -> dict[str, Any]:
    """The form of a version as the admin page sends it, with its rules."""
    numbers = {name: getattr(version, name) for name in NUMBERS} | {"note": version.note}
    listed = list(version.rules.all())
    groups = list(version.groups.all())
    data: dict[str, Any] = {
        "rules-TOTAL_FORMS": len(listed),
        "rules-INITIAL_FORMS": len(listed),
        "groups-TOTAL_FORMS": len(groups),
        "groups-INITIAL_FORMS": len(groups),
    }
    for place, rule in enumerate(listed):
        row = {
            "id": rule.pk,
            "version": version.pk,
            "position": rule.position,
            "part": rule.part,
            "name": rule.name,
            "group": rule.group_id or "",
            "condition": rule.condition,
            "signal": rule.signal,
            "points": rule.points,
            "most_times": rule.most_times or "",
        }
        data |= {f"rules-{place}-{name}": value for name, value in row.items()}
    for place, group in enumerate(groups):
        data |= {f"groups-{place}-id": group.pk, f"groups-{place}-version": version.pk}
        data |= {f"groups-{place}-name": group.name, f"groups-{place}-limit": group.limit}
    return numbers | data | given


def test_administrators_change_drafts_and_nothing_else(cast: Cast, client_of: ClientOf, version: ScoreVersion) -> None:
    client = client_of("ada")
    draft = rules.draft_score_version(actor=cast.actor("ada"), at=NOW)
    url = f"/admin/leads/scoreversion/{draft.pk}/change/"
    assert client.get(url).status_code == 200
    answer = client.post(url, change_of(draft, **{"fit_a": 70, "rules-0-points": 44}))
    assert answer.status_code == 302, answer.content.decode()[:3000]
    draft.refresh_from_db()
    assert (draft.fit_a, draft.rules.all()[0].points) == (70, 44)
    answer = client.post(f"/admin/leads/scoreversion/{version.pk}/change/", change_of(version, fit_a=99))
    assert answer.status_code == 403
    version.refresh_from_db()
    assert version.fit_a == 60
    page = client.get(f"/admin/leads/scoreversion/{version.pk}/change/")
    assert page.status_code == 200
    assert 'name="fit_a"' not in page.content.decode()
    assert client.get("/admin/leads/scoreversion/add/").status_code == 403


# --- For programs --------------------------------------------------------------------------------------------------


def send(client: Client, path: str, **body: Any) -> Any:
    return client.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json")


def test_programs_read_the_score_and_tell_signals(cast: Cast, client_of: ClientOf, version: ScoreVersion) -> None:
    lead = make(cast, employees=300)
    client = client_of("sam")
    url = f"leads/{lead.pk}/signals/"
    told = send(client, url, kind="demo", key="form-1", happened_at="2026-06-17T09:00:00Z")
    assert (told.status_code, told.json()["kind"], told.json()["key"]) == (201, "demo", "form-1")
    assert send(client, url, kind="demo", key="form-1").status_code == 200
    assert send(client, url, kind="visit", key="form-1").status_code == 400
    assert send(client, url, kind="pigeon", key="x").status_code == 400
    assert send(client, url, kind="visit").status_code == 400
    assert send(client, url, kind="visit", key="now").json()["happened_at"] == "2026-06-17T10:00:00Z"
    assert [row["key"] for row in client.get(f"/api/v1/{url}").json()["results"]] == ["now", "form-1"]
    run_due(at=NOW + timedelta(seconds=2))
    assert client.get(f"/api/v1/leads/{lead.pk}/score/").json() == {
        "lead": lead.pk,
        "version": 1,
        "grade": "A1",
        "fit": 60,
        "engagement": 6000,
        "parts": {"fit": [[1, 6000, 1]], "engagement": [[3, 1000, 1], [4, 5000, 1]], "groups": {}, "over": [0, 0]},
        "scored_at": "2026-06-17T10:00:02Z",
        "fades_at": "2026-07-17T09:00:00Z",
    }


def test_who_does_not_see_a_lead_neither_reads_nor_tells(
    cast: Cast, client_of: ClientOf, version: ScoreVersion
) -> None:
    lead = make(cast)
    for who, status in (("alba", 404), ("finn", 403), ("norm", 403)):
        assert send(client_of(who), f"leads/{lead.pk}/signals/", kind="visit", key="x").status_code == status
    assert LeadSignal.objects.count() == 0
    assert client_of("alba").get(f"/api/v1/leads/{lead.pk}/score/").status_code == 404
    assert client_of("finn").get(f"/api/v1/leads/{lead.pk}/score/").status_code == 200
