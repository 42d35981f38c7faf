"""Pages of effort: weights in versions, legal entities and their switches, doubts from the page, texts and links."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404
from django.test import Client
from django.urls import reverse

from salesops.audit.models import AuditEntry
from salesops.effort.models import EffortContest, EffortPolicy, EffortScore, EffortTarget, EffortVersion
from salesops.effort.services.versions import (
    activate_effort_version,
    change_effort_version,
    discard_effort_version,
    draft_effort_version,
    put_targets,
)
from salesops.leads.choices import VersionState
from salesops.notices.models import Notice
from salesops.people.models import LegalEntity, User
from tests.cast import NOW, TODAY, Cast
from tests.effort.world import LAST_WEEK, entity_on, logged, score_of, scored, weights_on

pytestmark = pytest.mark.django_db

ClientOf = Callable[[str], Client]


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def rows() -> list[tuple[str, str, Decimal, int]]:
    return list(EffortTarget.objects.order_by("pk").values_list("function", "kind", "per_day", "weight"))


# --- Weights --------------------------------------------------------------------------------------------------------


def test_a_first_draft_can_be_published_as_it_is(cast: Cast) -> None:
    by: dict[str, Any] = {"actor": cast.actor("rita"), "at": NOW}
    draft = draft_effort_version(**by)
    assert {function for function, *_rest in rows()} == {"mdr", "sdr", "adr", "ae", "kam", "onb", "csm"}
    with pytest.raises(ValidationError, match="draft already"):
        draft_effort_version(**by)
    activate_effort_version(**by, version_id=draft.pk)
    second = draft_effort_version(**by, note=" More calls ")
    put_targets(**by, version_id=second.pk, function="sdr", targets={"call": (Decimal("12.5"), 100)})
    put_targets(**by, version_id=second.pk, function="ae", targets={})
    change_effort_version(**by, version_id=second.pk, cap_percent=120)
    activate_effort_version(**by, version_id=second.pk)
    first, second = EffortVersion.objects.order_by("number")
    assert (first.state, second.state, second.note) == (VersionState.RETIRED, VersionState.ACTIVE, "More calls")
    assert list(second.targets.filter(function__in=["sdr", "ae"]).values_list("kind", "per_day", "weight")) == [
        ("call", Decimal("12.5"), 100)
    ]
    assert first.targets.filter(function="sdr").count() == 4, "what was in force stays as it was"
    assert list(AuditEntry.objects.order_by("sequence").values_list("action", flat=True)) == [
        "effortversion.drafted",
        "effortversion.activated",
        "effortversion.drafted",
        "effortversion.targets_kept",
        "effortversion.targets_kept",
        "effortversion.edited",
        "effortversion.activated",
    ]


def test_what_is_refused_of_weights(cast: Cast) -> None:
    by: dict[str, Any] = {"actor": cast.actor("rita"), "at": NOW}
    draft = draft_effort_version(**by)
    before = rows()
    for targets, said in (
        ({"call": (Decimal(10), 99)}, "100"),
        ({"call": (Decimal(0), 100)}, "above zero"),
        ({"call": (Decimal(5), 0), "mail": (Decimal(5), 100)}, "1"),
    ):
        with pytest.raises(ValidationError, match=said):
            put_targets(**by, version_id=draft.pk, function="sdr", targets=targets)
        assert rows() == before
    with pytest.raises(Http404):
        put_targets(**by, version_id=draft.pk, function="ceo", targets={})
    with pytest.raises(Http404):
        put_targets(**by, version_id=draft.pk, function="sdr", targets={"note": (Decimal(5), 100)})
    with pytest.raises(ValidationError, match="above the lower"):
        change_effort_version(**by, version_id=draft.pk, low_below=80)
    for name in ("ana", "max", "finn", "elsa", "norm"):
        for act in (
            lambda name=name: draft_effort_version(actor=cast.actor(name), at=NOW),
            lambda name=name: activate_effort_version(actor=cast.actor(name), at=NOW, version_id=draft.pk),
            lambda name=name: discard_effort_version(actor=cast.actor(name), at=NOW, version_id=draft.pk),
        ):
            with pytest.raises(PermissionDenied):
                act()
    EffortTarget.objects.filter(function="sdr", kind="call").update(weight=1)
    with pytest.raises(ValidationError, match=r"SDR .*do not add up to 100"):
        activate_effort_version(**by, version_id=draft.pk)
    EffortTarget.objects.all().delete()
    with pytest.raises(ValidationError, match="No job function"):
        activate_effort_version(**by, version_id=draft.pk)
    EffortVersion.objects.update(state=VersionState.RETIRED)
    with pytest.raises(ValidationError, match="Only a draft"):
        discard_effort_version(**by, version_id=draft.pk)
    assert EffortVersion.objects.count() == 1


def test_weights_are_written_and_published_on_pages(cast: Cast, client_of: ClientOf, frozen: Any) -> None:
    rita = client_of("rita")
    begun = rita.post(reverse("effort:effortversion_create"), {"note": "First"})
    draft = EffortVersion.objects.get()
    page = reverse("effort:effortversion_detail", args=[draft.pk])
    assert begun.headers["Location"] == page
    url = reverse("effort:efforttarget_edit", args=[draft.pk, "sdr"])
    form = rita.get(url).context["form"]
    assert form["call_per_day"].initial == Decimal(20)
    refused = rita.post(url, {"call_per_day": "5", "call_weight": "60", "mail_per_day": "5"})
    assert refused.status_code == 422
    assert "Give both" in text(refused)
    refused = rita.post(url, {"call_per_day": "5", "call_weight": "60"})
    assert (refused.status_code, "add up to 100" in text(refused)) == (422, True)
    data = {"call_per_day": "5", "call_weight": "60", "meeting_per_day": "0.5", "meeting_weight": "40"}
    assert rita.post(url, data).headers["Location"] == page
    assert list(draft.targets.filter(function="sdr").order_by("kind").values_list("kind", "per_day", "weight")) == [
        ("call", Decimal(5), 60),
        ("meeting", Decimal("0.5"), 40),
    ]
    assert rita.get(reverse("effort:efforttarget_edit", args=[draft.pk, "ceo"])).status_code == 404
    edit = reverse("effort:effortversion_edit", args=[draft.pk])
    values = {"note": "First", "cap_percent": 140, "full_day_minutes": 450, "low_below": 35, "high_above": 80}
    saved = rita.post(edit, {**values, "alert_below": 25, "drop_percent": 30})
    assert saved.status_code == 302
    # A draft is nobody else's; what is published is everybody's.
    assert client_of("ana").get(page).status_code == 404
    assert rita.post(reverse("effort:effortversion_activate", args=[draft.pk])).status_code == 302
    for who in ("ana", "finn", "elsa"):
        html = text(client_of(who).get(page))
        assert "140 %" in html
        assert "SDR · sales development" in html
        assert "Publish" not in html.split("<main")[-1].replace("Published", "").replace("published", "")
    draft.refresh_from_db()
    assert (draft.state, draft.full_day_minutes, draft.activated_by) == (VersionState.ACTIVE, 450, cast.rita)


# --- Legal entities -------------------------------------------------------------------------------------------------


def test_an_administrator_settles_and_switches(cast: Cast, client_of: ClientOf, frozen: Any) -> None:
    entity = LegalEntity.objects.create(name="Nord GmbH")
    User.objects.filter(pk=cast.sam.pk).update(legal_entity=entity)
    ada, overview = client_of("ada"), reverse("effort:effortpolicy_list")
    assert "Nothing is settled yet" in text(ada.get(overview))
    assert "13 people have no legal entity" in text(ada.get(overview))
    on = reverse("effort:effortpolicy_on", args=[entity.pk])
    refused = ada.post(on)
    assert (refused.status_code, "not told why" in text(refused)) == (422, True)
    edit = reverse("effort:effortpolicy_edit", args=[entity.pk])
    values = {"purpose": "To help", "notice": "Ask us", "keep_weeks": 8, "smallest_group": 4, "manager_after_days": 14}
    refused = ada.post(edit, values)
    assert (refused.status_code, EffortPolicy.objects.count()) == (422, 0), "no group of four"
    assert ada.post(edit, {**values, "smallest_group": 6}).headers["Location"] == overview
    assert ada.post(on).headers["Location"] == overview
    policy = EffortPolicy.objects.get()
    assert (policy.is_on, policy.keep_weeks, policy.counted_from) == (True, 8, TODAY)
    assert Notice.objects.filter(person=cast.sam).count() == 1
    html = text(ada.get(overview))
    assert "Switch off" in html
    assert "Switch off" not in text(client_of("rita").get(overview)), "revenue operations read"
    off = reverse("effort:effortpolicy_off", args=[entity.pk])
    assert "Delete the daily counts" in text(ada.get(off))
    score_of(cast.sam, LAST_WEEK, 50_00, weights_on())
    assert ada.post(off, {"then": "all"}).headers["Location"] == overview
    policy.refresh_from_db()
    assert (policy.is_on, EffortScore.objects.count()) == (False, 0)


def test_the_page_says_what_is_counted_since_when_and_what_for(cast: Cast, client_of: ClientOf, frozen: Any) -> None:
    sam, url = client_of("sam"), reverse("effort:effort_mine")
    assert "Nobody has switched effort scores on" in text(sam.get(url))
    entity_on(cast, "sam")
    assert "No score yet" in text(sam.get(url))
    weights_on()
    logged(cast.sam, LAST_WEEK, "call", 10, good=4)
    scored(cast, "sam")
    html = text(sam.get(f"{url}?week={LAST_WEEK}"))
    for said in (
        "2026-05-01",
        "To see where help is needed.",
        "Ask the works council.",
        "No content, no time of day, no idle time.",
        "no effect on pay",
        "Daily counts 13 weeks; scores stay.",
        "Version 1, published",
        "10 done, 4 went well",
        "Everything kept about me",
        "there are too few in your job function",
    ):
        assert said in html, said
    assert sam.get(f"{url}?week=nonsense").status_code == 200
    assert sam.get(f"{url}?week=9999-12-31").status_code == 200


def test_every_part_leads_to_its_records_and_each_can_be_doubted(cast: Cast, client_of: ClientOf, frozen: Any) -> None:
    entity_on(cast, "sam", "max")
    weights_on()
    calls = logged(cast.sam, LAST_WEEK, "call", 3, good=1)
    logged(cast.sam, LAST_WEEK + timedelta(days=7), "call", 2)
    scored(cast, "sam")
    sam = client_of("sam")
    records = f"{reverse('effort:effort_records', args=[cast.sam.pk])}?week={LAST_WEEK}&kind=call"
    assert (
        records.replace("&", "&amp;") in sam.get(f"{reverse('effort:effort_mine')}?week={LAST_WEEK}").content.decode()
    )
    html = text(sam.get(records))
    assert [html.count(f"call {number}<") for number in range(3)] == [1, 1, 1]
    ask = f"{reverse('effort:effortcontest_create')}?activity={calls[0].pk}"
    assert ask in html
    assert "call 0" in text(sam.get(ask))
    answer = sam.post(ask, {"activity": calls[0].pk, "reason": "Twice in the file"})
    assert answer.headers["Location"] == reverse("effort:effortcontest_list")
    row = EffortContest.objects.get()
    assert (row.activity, row.person, row.reason) == (calls[0], cast.sam, "Twice in the file")
    again = sam.post(ask, {"activity": calls[0].pk, "reason": "Twice"})
    assert (again.status_code, "doubted this already" in text(again)) == (422, True)
    assert "Open" in text(sam.get(records))
    manager = client_of("max")
    decide = reverse("effort:effortcontest_decide", args=[row.pk])
    assert decide in text(manager.get(reverse("effort:effortcontest_list")))
    assert "Twice in the file" in text(manager.get(decide))
    assert manager.post(decide, {"decision": "accepted"}).status_code == 422
    assert manager.post(decide, {"decision": "accepted", "because": "Seen"}).status_code == 302
    row.refresh_from_db()
    assert (row.decision, row.decided_by) == ("accepted", cast.max)
    assert EffortScore.objects.get(week_on=LAST_WEEK).parts[0][1] == 2
    assert manager.post(decide, {"decision": "declined", "because": "No"}).status_code == 409


def test_a_record_of_somebody_else_is_not_named(cast: Cast, client_of: ClientOf, frozen: Any) -> None:
    entity_on(cast, "sam", "ana")
    hers = logged(cast.ana, LAST_WEEK, "call", 1)[0]
    sam = client_of("sam")
    ask = f"{reverse('effort:effortcontest_create')}?activity={hers.pk}"
    assert "call 0" not in text(sam.get(ask))
    refused = sam.post(ask, {"activity": hers.pk, "reason": "Hers"})
    assert refused.status_code == 422, "it asks for a day"
    assert EffortContest.objects.count() == 0


def test_a_day_is_doubted_and_taken_back_on_pages(cast: Cast, client_of: ClientOf, frozen: Any) -> None:
    entity_on(cast, "sam")
    sam, url = client_of("sam"), reverse("effort:effortcontest_create")
    assert sam.post(url, {"reason": "A fair"}).status_code == 422
    assert sam.post(url, {"on": str(TODAY), "reason": "A fair"}).status_code == 422
    assert sam.post(url, {"on": str(LAST_WEEK), "reason": "A fair"}).status_code == 302
    row = EffortContest.objects.get()
    take_back = reverse("effort:effortcontest_withdraw", args=[row.pk])
    assert take_back in text(sam.get(reverse("effort:effortcontest_list")))
    assert sam.post(take_back).status_code == 302
    assert EffortContest.objects.count() == 0


def test_hints_come_from_ones_own_job_function(cast: Cast, client_of: ClientOf, frozen: Any) -> None:
    entity = entity_on(cast, "sam")
    version = weights_on()
    score_of(cast.sam, LAST_WEEK, 30_00, version, parts=[["call", 50, 5, "50", 40, 4000, False]])
    for number in range(4):
        person = User.objects.create(email=f"peer{number}@example.com", name=f"Peer {number}", legal_entity=entity)
        parts = [["call", 50, 20, "50", 40, 4000, False]]
        score_of(person, LAST_WEEK, 40_00, version, parts=parts, function="sdr" if number else "ae")
    html = text(client_of("sam").get(reverse("effort:effort_mine")))
    assert "there are too few in your job function" in html
    EffortScore.objects.exclude(person=cast.sam).update(function="sdr")
    html = text(client_of("sam").get(reverse("effort:effort_mine")))
    assert "Calls: of those of 4 others in your job function" in html
    assert "Peer" not in html


def test_the_manager_reads_neither_hints_nor_looks(cast: Cast, client_of: ClientOf, frozen: Any) -> None:
    entity_on(cast, "sam", "max")
    score_of(cast.sam, LAST_WEEK, 30_00, weights_on())
    html = text(client_of("max").get(reverse("effort:effort_person", args=[cast.sam.pk])))
    assert "What may help" not in html
    assert "Who looked" not in html
    assert "Everything kept about me" not in html
