"""Two leads of one person become one, and two again: nothing is lost on the way there or back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.http import Http404
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from salesops.accounts.services import create_account
from salesops.activities.models import Activity
from salesops.activities.selectors import timeline_for
from salesops.activities.services import log_activity
from salesops.audit.models import AuditEntry
from salesops.deals.models import Deal, HandOff, Stage
from salesops.jobs.testing import run_due
from salesops.leads.models import Clock, Lead, LeadMerge, LeadScore, LeadSpiced, PoolMember, Turn
from salesops.leads.selectors import same_person
from salesops.leads.selectors.scores import signals_of
from salesops.leads.services import LeadRecord, convert_lead, create_lead, set_lead_spiced, set_status, upsert_leads
from salesops.leads.services.merging import join_leads, part_leads
from salesops.leads.services.removal import restore_leads
from salesops.leads.services.scores import note_signal
from salesops.notices.models import Notice
from tests.cast import NOW, Cast
from tests.leads.routed import arrives, credit_of, in_force, make_pool

LATER = NOW + timedelta(hours=2)
DAY = timedelta(days=1)


@pytest.fixture
def pair(cast: Cast) -> tuple[Lead, Lead]:
    """Lena twice: first with Ana, then with Sam of the same pod, who knows her phone number."""
    first = create_lead(actor=cast.actor("ana"), at=NOW, name="Lena", company="Acme", email="lena@acme.com")
    second = create_lead(
        actor=cast.actor("sam"),
        at=NOW + DAY,
        name="Lena L.",
        email="lena@acme.com",
        phone="123",
        estimated_minor=5_000_00,
        currency="EUR",
        consent="refused",
        note="Prefers mail",
    )
    return first, second


@pytest.fixture
def deal(cast: Cast) -> Deal:
    """A deal of Ana's."""
    account = create_account(actor=cast.actor("ana"), at=NOW, name="Gekko")
    stage = Stage.objects.create(code="open", name="Open", position=1)
    return Deal.objects.create(
        name="Pilot", account=account, owner=cast.ana, pod=cast.north, stage=stage, created_at=NOW, stage_entered_at=NOW
    )


def rows() -> dict[str, list[Any]]:
    """Everything that a merge may touch, but for the merges, the audit, and when leads were saved."""
    return {
        "leads": list(
            Lead.every.order_by("pk").values_list(
                *(f.attname for f in Lead._meta.concrete_fields if f.name != "updated_at")
            )
        ),
        "activities": list(Activity.objects.order_by("pk").values_list("pk", "lead", "subject")),
        "deals": list(Deal.every.order_by("pk").values_list("pk", "lead")),
        "handoffs": list(HandOff.objects.order_by("pk").values_list("pk", "lead")),
        "credits": list(PoolMember.objects.order_by("pk").values_list("pk", "credit", "deficit_minor")),
        "spiced": list(
            LeadSpiced.objects.exclude(filled=0).order_by("pk").values_list("lead", "pain", "impact", "filled")
        ),
    }


def call(cast: Cast, lead: Lead, who: str = "sam", subject: str = "Call") -> Activity:
    return log_activity(actor=cast.actor(who), at=NOW + DAY, kind="call", subject=subject, lead=lead, outcome="reached")


def test_what_hung_on_one_hangs_on_the_other_which_takes_over_what_it_lacks(
    cast: Cast, pair: tuple[Lead, Lead], deal: Deal
) -> None:
    first, second = pair
    logged = call(cast, second)
    Deal.objects.filter(pk=deal.pk).update(lead=second)
    given = HandOff.objects.create(lead=second, pair="sdr_ae", giver=cast.sam, receiver=cast.ana, sent_at=NOW)
    set_lead_spiced(actor=cast.actor("sam"), lead_id=second.pk, at=NOW, pain="Slow", impact="Costs")
    set_lead_spiced(actor=cast.actor("ana"), lead_id=first.pk, at=NOW, pain="Old tool")
    merge = join_leads(actor=cast.actor("sam"), lead_id=second.pk, into=first.pk, at=LATER, reason=" Same mail ")
    stays, lost = Lead.objects.get(), Lead.every.get(pk=second.pk)
    assert stays == first
    assert (lost.removed_at, lost.merged_into, lost.owner) == (LATER, first, cast.sam)
    assert [row.lead for row in (Activity.objects.get(pk=logged.pk), Deal.objects.get(pk=deal.pk))] == [first, first]
    assert HandOff.objects.get(pk=given.pk).lead == first
    assert (stays.name, stays.phone, stays.estimated_minor, stays.currency) == ("Lena", "123", 5_000_00, "EUR")
    assert (stays.consent, stays.note, stays.owner) == ("refused", "Prefers mail", cast.ana)
    assert (stays.first_touched_at, stays.last_touched_at) == (NOW + DAY, NOW + DAY)
    words = LeadSpiced.objects.get(lead=first)
    assert (words.pain, words.impact, words.filled) == ("Old tool", "Costs", 2)
    assert (merge.reason, merge.merged_by, merge.undone_at) == ("Same mail", cast.sam, None)
    told = AuditEntry.objects.order_by("-sequence")[:2]
    assert [(entry.action, entry.reason) for entry in told] == [
        ("lead.took_over", "Same mail"),
        ("lead.merged", "Same mail"),
    ]
    assert told[0].after["phone"] == "123"


def test_the_timelines_tell_it_in_words(cast: Cast, pair: tuple[Lead, Lead]) -> None:
    first, second = pair
    sam = cast.actor("sam")

    def told(lead: Lead) -> tuple[str, dict[str, str]]:
        lead.refresh_from_db()
        item = timeline_for(sam, lead=lead).items[0]
        return str(item.title), {str(change.label): change.after for change in item.changes}

    join_leads(actor=sam, lead_id=second.pk, into=first.pk, at=LATER + DAY, reason="Same mail")
    title, words = told(first)
    assert title == "Took over another"
    assert {"merged lead": "Lena L.", "phone": "123", "may be contacted": "Refused"}.items() <= words.items()
    assert "moved" not in words
    assert told(second) == ("Merged into another", {"merged into": "Lena · Acme"})
    part_leads(actor=sam, lead_id=second.pk, at=LATER + 2 * DAY)
    assert told(second)[0] == "The merge was undone"


@pytest.mark.parametrize("way", ["part", "restore"])
def test_taken_back_everything_is_as_it_was(cast: Cast, pair: tuple[Lead, Lead], deal: Deal, way: str) -> None:
    first, second = pair
    call(cast, second)
    call(cast, first, "ana", "Hers")
    Deal.objects.filter(pk=deal.pk).update(lead=second)
    set_lead_spiced(actor=cast.actor("sam"), lead_id=second.pk, at=NOW, pain="Slow")
    before = rows()
    join_leads(actor=cast.actor("sam"), lead_id=second.pk, into=first.pk, at=LATER)
    assert rows() != before
    if way == "part":
        part_leads(actor=cast.actor("sam"), lead_id=second.pk, at=LATER + DAY)
    else:
        restore_leads(actor=cast.actor("rita"), pks=[second.pk], at=LATER + DAY)
    assert rows() == before
    merge = LeadMerge.objects.get()
    assert (merge.undone_at, merge.undone_by) == (LATER + DAY, cast.sam if way == "part" else cast.rita)
    with pytest.raises(ValidationError, match="not merged by hand"):
        part_leads(actor=cast.actor("sam"), lead_id=second.pk, at=LATER + DAY)
    # And once more: two merges of one lead, one after the other.
    join_leads(actor=cast.actor("sam"), lead_id=second.pk, into=first.pk, at=LATER + 2 * DAY)
    part_leads(actor=cast.actor("sam"), lead_id=second.pk, at=LATER + 3 * DAY)
    assert rows() == before


def test_what_was_changed_since_stays_as_it_is(cast: Cast, pair: tuple[Lead, Lead]) -> None:
    first, second = pair
    kept, moved_on = call(cast, second), call(cast, second, subject="Elsewhere")
    join_leads(actor=cast.actor("sam"), lead_id=second.pk, into=first.pk, at=LATER)
    third = create_lead(actor=cast.actor("ana"), at=NOW, name="Third")
    Activity.objects.filter(pk=moved_on.pk).update(lead=third)
    Lead.objects.filter(pk=first.pk).update(phone="999")
    new = call(cast, first, "ana", "Since")
    part_leads(actor=cast.actor("sam"), lead_id=second.pk, at=LATER + DAY)
    where = dict(Activity.objects.values_list("pk", "lead"))
    assert where == {kept.pk: second.pk, moved_on.pk: third.pk, new.pk: first.pk}
    first.refresh_from_db()
    assert (first.phone, first.estimated_minor, first.consent) == ("999", None, "unknown")


def test_the_turn_comes_back_and_counts_again_and_the_clock_stops(cast: Cast) -> None:
    pool = make_pool(cast, "Inbound", "sam", "sven")
    in_force({"pool": pool}, levels=[{"warn_minutes": 30, "reassign_minutes": 60}])
    first, second = arrives(cast, 1), arrives(cast, 2)
    assert (first.owner, second.owner) == (cast.sam, cast.sven)
    join_leads(actor=cast.actor("rita"), lead_id=second.pk, into=first.pk, at=LATER)
    assert Clock.objects.get(lead=second).ending == "closed"
    # Sven has got none now, so the next two are his.
    assert [arrives(cast, number).owner for number in (3, 4)] == [cast.sven, cast.sam]
    taken, back = Turn.objects.filter(lead=second).order_by("pk")
    assert {key: taken.changes[key] + back.changes[key] for key in taken.changes} == dict.fromkeys(taken.changes, 0)
    stood = credit_of(cast, pool, "sam", "sven")
    part_leads(actor=cast.actor("rita"), lead_id=second.pk, at=LATER + DAY)
    again = Turn.objects.filter(lead=second).latest("pk")
    assert (again.kind, again.member, again.changes, again.taken_at) == (
        "routed",
        taken.member,
        taken.changes,
        LATER + DAY,
    )
    changes = [taken.changes[str(pool.members.get(person=person).pk)] for person in (cast.sam, cast.sven)]
    assert credit_of(cast, pool, "sam", "sven") == [sum(pair) for pair in zip(stood, changes, strict=True)]


def test_what_it_did_counts_for_the_one_that_stays(cast: Cast, pair: tuple[Lead, Lead]) -> None:
    from salesops.leads.selectors.scores import scheme_of_version
    from tests.leads.test_scores import VISIT, put_in_force

    first, second = pair
    version = put_in_force(cast, VISIT)
    scheme = scheme_of_version(version).unwrap()
    for number, lead in enumerate(pair):
        note_signal(lead_id=lead.pk, kind="visit", happened_at=NOW, key=f"v{number}", at=NOW)

    def points() -> int:
        run_due(at=LATER + DAY)
        alone = LeadScore.objects.get(lead=first).engagement
        # In columns, as at night, and one by one, as its page does: the same.
        assert len(signals_of(first, scheme, LATER)) == (2 if second.merged_into_id else 1)
        return alone

    one = points()
    join_leads(actor=cast.actor("sam"), lead_id=second.pk, into=first.pk, at=LATER)
    second.refresh_from_db()
    assert points() == 2 * one > 0
    part_leads(actor=cast.actor("sam"), lead_id=second.pk, at=LATER)
    second.refresh_from_db()
    assert points() == one


def test_one_of_three_is_taken_back_from_where_it_went_on_to(cast: Cast, pair: tuple[Lead, Lead]) -> None:
    first, second = pair
    third = create_lead(actor=cast.actor("ana"), at=NOW, name="Lena", company="Acme")
    logged = call(cast, second)
    join_leads(actor=cast.actor("sam"), lead_id=second.pk, into=first.pk, at=LATER)
    join_leads(actor=cast.actor("ana"), lead_id=first.pk, into=third.pk, at=LATER + DAY)
    assert Lead.every.get(pk=second.pk).merged_into == third
    assert Activity.objects.get(pk=logged.pk).lead == third
    part_leads(actor=cast.actor("sam"), lead_id=second.pk, at=LATER + DAY)
    assert Activity.objects.get(pk=logged.pk).lead == second
    part_leads(actor=cast.actor("ana"), lead_id=first.pk, at=LATER + DAY)
    assert set(Lead.objects.values_list("pk", flat=True)) == {first.pk, second.pk, third.pk}
    assert Activity.objects.get(pk=logged.pk).lead == second


def test_its_source_telling_of_it_again_does_not_part_them(cast: Cast) -> None:
    def told(phone: str) -> None:
        records = [LeadRecord(external_id="7", name="Lena", email="l@acme.com", phone=phone)]
        upsert_leads(actor=cast.actor("rita"), records=records, source="crm", at=NOW)

    told("1")
    lost = Lead.objects.get()
    stays = create_lead(actor=cast.actor("ana"), at=NOW, name="Lena", email="l@acme.com")
    join_leads(actor=cast.actor("rita"), lead_id=lost.pk, into=stays.pk, at=LATER)
    told("2")
    lost.refresh_from_db()
    assert (lost.merged_into, lost.phone) == (stays, "2")
    # Once it was taken back, and removed as any other, it is there again when it is told of.
    part_leads(actor=cast.actor("rita"), lead_id=lost.pk, at=LATER)
    Lead.every.filter(pk=lost.pk).update(removed_at=NOW, merged_into=stays)
    told("3")
    assert Lead.objects.filter(pk=lost.pk, merged_into=None).exists()


def test_who_may_let_a_lead_go(cast: Cast, pair: tuple[Lead, Lead]) -> None:
    first, second = pair
    nobodys = Lead.objects.create(name="Free", email="lena@acme.com", pod=cast.north, created_at=NOW)
    before = (rows(), LeadMerge.objects.count(), AuditEntry.objects.count())
    for who, lead, error in (
        ("sam", first, PermissionDenied),  # Ana's, whom he does not manage
        ("sam", nobodys, PermissionDenied),  # or anybody took what nobody has
        ("alba", first, Http404),
        ("finn", second, PermissionDenied),
        ("elsa", second, PermissionDenied),
    ):
        into = second if lead != second else first
        with pytest.raises(error):
            join_leads(actor=cast.actor(who), lead_id=lead.pk, into=into.pk, at=LATER)
    assert (rows(), LeadMerge.objects.count(), AuditEntry.objects.count()) == before
    join_leads(actor=cast.actor("max"), lead_id=nobodys.pk, into=first.pk, at=LATER)
    join_leads(actor=cast.actor("max"), lead_id=second.pk, into=first.pk, at=LATER)
    notices = Notice.objects.filter(person=cast.sam)
    assert [notice.title for notice in notices] == ["Lena L. was merged into another lead"]
    with pytest.raises(PermissionDenied):
        part_leads(actor=cast.actor("ana"), lead_id=second.pk, at=LATER)
    with pytest.raises(Http404):
        part_leads(actor=cast.actor("alba"), lead_id=second.pk, at=LATER)
    assert Lead.every.get(pk=second.pk).is_removed


def test_two_that_cannot_become_one_are_refused(cast: Cast, pair: tuple[Lead, Lead]) -> None:
    first, second = pair
    rita = cast.actor("rita")
    with pytest.raises(ValidationError, match="Two leads are needed"):
        join_leads(actor=rita, lead_id=first.pk, into=first.pk, at=LATER)
    with pytest.raises(Http404):
        join_leads(actor=rita, lead_id=first.pk, into=first.pk + 100, at=LATER)
    set_status(actor=rita, lead_id=first.pk, status="disqualified", because="no", at=NOW)
    with pytest.raises(ValidationError, match="reopen it first"):
        join_leads(actor=rita, lead_id=second.pk, into=first.pk, at=LATER)
    set_status(actor=rita, lead_id=first.pk, status="new", at=NOW)
    converted = convert_lead(actor=rita, lead_id=first.pk, at=NOW)
    with pytest.raises(ValidationError, match="merge the other one into it"):
        join_leads(actor=rita, lead_id=first.pk, into=second.pk, at=LATER)
    assert not LeadMerge.objects.exists()
    join_leads(actor=rita, lead_id=second.pk, into=first.pk, at=LATER)
    first.refresh_from_db()
    assert (first.status, first.account, first.credited_to) == ("converted", converted.account, cast.ana)


def test_who_is_probably_the_same(cast: Cast, pair: tuple[Lead, Lead]) -> None:
    first, second = pair
    named = create_lead(actor=cast.actor("ana"), at=NOW, name="Lena", company="Acme")
    other = create_lead(actor=cast.actor("ana"), at=NOW, name="Lena", company="Acme", email="another@acme.com")
    create_lead(actor=cast.actor("ana"), at=NOW, name="Leo")
    hidden = create_lead(actor=cast.actor("alba"), at=NOW, name="Lena", email="lena@acme.com")

    def alike(lead: Lead, who: str = "ana") -> set[int]:
        return set(same_person(cast.actor(who), lead).values_list("pk", flat=True))

    assert alike(first) == {second.pk, named.pk}
    assert alike(named) == {first.pk, other.pk}
    assert alike(other) == {named.pk}
    assert alike(first, "rita") == {second.pk, named.pk, hidden.pk}


# --- Pages and programs -------------------------------------------------------------------------------------------

ClientOf = Callable[[str], Client]


def test_from_the_page_of_one_to_both_and_back(cast: Cast, pair: tuple[Lead, Lead], client_of: ClientOf) -> None:
    first, second = pair
    client = client_of("sam")
    page = client.get(reverse("leads:lead_detail", args=[second.pk])).content.decode()
    url = f"{reverse('leads:lead_merge', args=[second.pk])}?other={first.pk}"
    assert url in page.replace("&amp;", "&")
    form = client.get(url).context["form"]
    assert (form.initial["other"], form.initial["stays"]) == (first.pk, "other")
    # Sam may not let Ana's go: said at the field, nothing done.
    refused = client.post(url, {"other": first.pk, "stays": "this"})
    assert (refused.status_code, list(refused.context["form"].errors)) == (422, ["stays"])
    assert not LeadMerge.objects.exists()
    done = client.post(url, {"other": first.pk, "stays": "other", "reason": "Same mail"})
    assert done["Location"] == reverse("leads:lead_detail", args=[first.pk])
    page = client.get(done["Location"]).content.decode()
    assert "Merged into this lead" in page
    assert "Same mail" in page
    gone = client.get(reverse("leads:lead_detail", args=[second.pk])).content.decode()
    part = reverse("leads:lead_part", args=[second.pk])
    assert "Merged by Sam Sorensen" in gone
    assert part in gone
    assert part not in client_of("ana").get(reverse("leads:lead_detail", args=[second.pk])).content.decode()
    assert client_of("ana").get(part).status_code == 403
    assert "Lena L." in client.get(part).content.decode()
    assert client.post(part)["Location"] == reverse("leads:lead_detail", args=[second.pk])
    assert Lead.objects.count() == 2


def test_only_leads_that_are_seen_and_alike_are_offered(
    cast: Cast, pair: tuple[Lead, Lead], client_of: ClientOf
) -> None:
    hidden = create_lead(actor=cast.actor("alba"), at=NOW, name="Lena", email="lena@acme.com")
    unlike = create_lead(actor=cast.actor("ana"), at=NOW, name="Leo")
    url = reverse("leads:lead_merge", args=[pair[1].pk])
    for other in (hidden, unlike):
        assert client_of("sam").post(url, {"other": other.pk, "stays": "other"}).status_code == 422
    assert not LeadMerge.objects.exists()
    lonely = client_of("ana").get(reverse("leads:lead_merge", args=[unlike.pk])).content.decode()
    assert "No other lead that you see" in lonely


def test_the_list_finds_duplicates_within_sight(cast: Cast, pair: tuple[Lead, Lead], client_of: ClientOf) -> None:
    create_lead(actor=cast.actor("alba"), at=NOW, name="Alone here", email="a@b.com")
    create_lead(actor=cast.actor("ana"), at=NOW, name="Alone there", email="a@b.com")
    url = reverse("leads:lead_list")

    def found(who: str, **query: str) -> set[str]:
        return {row.name for row in client_of(who).get(url, {"duplicate": "yes", **query}).context["table"].data}

    assert found("max") == {"Lena", "Lena L."}
    assert found("alba") == set()
    assert found("rita") == {"Lena", "Lena L.", "Alone here", "Alone there"}
    assert "Duplicates" in client_of("max").get(url).content.decode()
    join_leads(actor=cast.actor("rita"), lead_id=pair[1].pk, into=pair[0].pk, at=LATER)
    assert found("max") == set()


def test_programs_merge_and_part(cast: Cast, pair: tuple[Lead, Lead], client_of: ClientOf) -> None:
    first, second = pair
    client = client_of("sam")

    def post(path: str, **data: Any) -> Any:
        return client.post(f"/api/v1/leads/{path}/", data, content_type="application/json")

    assert post(f"{second.pk}/merge", into=second.pk).status_code == 400
    assert post(f"{first.pk}/merge", into=second.pk).status_code == 403
    assert post(f"{second.pk}/merge", into=first.pk + 100).status_code == 404
    merged = post(f"{second.pk}/merge", into=first.pk, reason="Same mail")
    assert (merged.status_code, merged.json()["id"], merged.json()["phone"]) == (200, first.pk, "123")
    assert client.get(f"/api/v1/leads/{second.pk}/").status_code == 404
    parted = post(f"{second.pk}/part")
    assert (parted.status_code, parted.json()["id"]) == (200, second.pk)
    assert post(f"{second.pk}/part").status_code == 400


def test_a_lead_with_much_costs_as_many_queries_as_one_with_little(cast: Cast) -> None:
    def cost(count: int) -> int:
        stays, lost = (create_lead(actor=cast.actor("ana"), at=NOW, name="L") for _each in range(2))
        for _number in range(count):
            call(cast, lost, "ana")
        with CaptureQueriesContext(connection) as queries:
            join_leads(actor=cast.actor("ana"), lead_id=lost.pk, into=stays.pk, at=LATER)
        return len(queries)

    assert cost(1) == cost(30)


# --- Who comes again ----------------------------------------------------------------------------------------------


def test_who_comes_again_is_merged_where_the_rules_say_so(cast: Cast) -> None:
    pool = make_pool(cast, "Inbound", "sam", "sven")
    in_force({"pool": pool}, merges_repeats=True)
    first = arrives(cast, name="Lena Lund", email="lena@acme.com")
    credits = credit_of(cast, pool, "sam", "sven")
    again = arrives(cast, name="LENA  LUND", email="lena@acme.com", phone="1", at=LATER)
    assert (again.merged_into, again.owner, again.removed_at) == (first, None, LATER)
    assert Lead.objects.get().phone == "1"
    assert (credit_of(cast, pool, "sam", "sven"), Turn.objects.count()) == (credits, 1)
    assert [(notice.person, notice.title) for notice in Notice.objects.all()] == [(cast.sam, "Lena Lund came again")]
    actions = AuditEntry.objects.order_by("-sequence").values_list("action", flat=True)[:3]
    assert list(actions) == ["lead.took_over", "lead.merged", "lead.created"]
    # Somebody else at the same address goes to the same owner as a lead of their own, as ever.
    other = arrives(cast, name="Leo Lund", email="lena@acme.com")
    assert (other.merged_into, other.owner) == (None, cast.sam)
    # Taken back, it goes by the rules as any that waits.
    part_leads(actor=cast.actor("rita"), lead_id=again.pk, at=LATER)
    assert Lead.objects.filter(pk=again.pk).exists()


def test_who_comes_again_in_one_import_is_one_lead(cast: Cast) -> None:
    pool = make_pool(cast, "Inbound", "sam", "sven")
    in_force({"pool": pool}, merges_repeats=True)
    records = [LeadRecord(external_id=str(n), name="Lena", email="lena@acme.com") for n in range(3)]
    for _time in range(2):
        result = upsert_leads(actor=cast.actor("rita"), records=records, source="crm", at=NOW)
        assert not result.problems
        assert (Lead.objects.count(), Lead.every.count(), LeadMerge.objects.count()) == (1, 3, 2)
    assert (Lead.objects.get().owner, Turn.objects.count()) == (cast.sam, 1)


def test_without_the_switch_or_given_to_somebody_it_stays_a_lead_of_its_own(cast: Cast) -> None:
    pool = make_pool(cast, "Inbound", "sam", "sven")
    in_force({"pool": pool})
    for _time in range(2):
        arrives(cast, name="Lena", email="lena@acme.com")
    assert Lead.objects.count() == 2
    in_force({"pool": pool}, merges_repeats=True)
    create_lead(actor=cast.actor("ana"), at=NOW, name="Lena", email="lena@acme.com")
    arrives(cast, name="Nobody's address")
    arrives(cast, name="Nobody's address")
    closed = arrives(cast, name="Leo", email="leo@acme.com")
    set_status(actor=cast.actor("rita"), lead_id=closed.pk, status="disqualified", because="no", at=NOW)
    arrives(cast, name="Leo", email="leo@acme.com")
    assert (Lead.objects.count(), LeadMerge.objects.count()) == (7, 0)


def test_a_program_gets_the_lead_that_was_there_already_as_far_as_it_sees_it(cast: Cast, client_of: ClientOf) -> None:
    pool = make_pool(cast, "Inbound", "alba")
    in_force({"pool": pool}, merges_repeats=True)
    words = {"name": "Lena", "email": "lena@acme.com", "owner": None}

    def post(who: str, key: str = "") -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        return client_of(who).post("/api/v1/leads/", words, content_type="application/json", headers=headers)

    made = post("rita")
    assert made.status_code == 201
    again = post("rita")
    assert (again.status_code, again.json()["id"]) == (200, made.json()["id"])
    for _time in range(2):  # an answer without a body comes again as it was
        hidden = post("max", "k")
        assert (hidden.status_code, hidden.content) == (204, b"")
    assert hidden.headers["Idempotency-Replayed"] == "true"
    page = client_of("rita").post(
        reverse("leads:lead_create"), {**words, "owner": "", "origin": "inbound", "currency": "USD"}
    )
    assert page["Location"] == reverse("leads:lead_detail", args=[made.json()["id"]])
    assert Lead.objects.count() == 1
