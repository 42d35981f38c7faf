"""Hand-offs: from function to function, answered and rated by the receiver alone, and what the ratings come to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.http import Http404
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from salesops.accounts.models import Account
from salesops.audit.models import AuditEntry
from salesops.deals.models import Deal, HandOff
from salesops.deals.rules.handoffs import RATINGS, Rated, means_of, pair_of
from salesops.deals.selectors.handoffs import hand_off_report_for, hand_offs_for
from salesops.deals.services.handoffs import answer_hand_off, give_hand_off, rate_hand_off
from salesops.notices.models import Notice
from salesops.people.choices import JobFunction
from tests.cast import NOW, Cast

LATER = NOW + timedelta(hours=2)
MakeDeal = Callable[..., Deal]
GOOD = dict(zip(RATINGS, (5, 4, 3, 4, 5), strict=True))


def handed(cast: Cast, deal: Deal) -> HandOff:
    """Ana hands her deal to Carl."""
    return give_hand_off(
        actor=cast.actor("ana"), pair="ae-csm", receiver=cast.carl, deal_id=deal.pk, note="Weekly calls", at=NOW
    )


def accepted(cast: Cast, deal: Deal) -> HandOff:
    row = handed(cast, deal)
    return answer_hand_off(actor=cast.actor("carl"), hand_off_id=row.pk, is_accepted=True, at=LATER)


def everything() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (HandOff, Notice, AuditEntry)]


def test_pairs_go_from_one_function_to_the_next() -> None:
    pairs = {(here, there): pair_of(here, there) for here in JobFunction.values for there in JobFunction.values}
    assert {key: pair for key, pair in pairs.items() if pair} == {
        ("sdr", "ae"): "sdr-ae",
        ("mdr", "ae"): "sdr-ae",
        ("adr", "ae"): "sdr-ae",
        ("sdr", "kam"): "sdr-ae",
        ("mdr", "kam"): "sdr-ae",
        ("adr", "kam"): "sdr-ae",
        ("ae", "onb"): "ae-onb",
        ("kam", "onb"): "ae-onb",
        ("onb", "csm"): "onb-csm",
        ("ae", "csm"): "ae-csm",
        ("kam", "csm"): "ae-csm",
    }


def test_a_hand_off_tells_the_receiver_and_changes_no_owner(cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal()
    row = handed(cast, deal)
    assert (row.giver, row.receiver, row.pod, row.state, row.sent_at) == (cast.ana, cast.carl, cast.north, "sent", NOW)
    notice = Notice.objects.get()
    assert (notice.person, notice.title, notice.body, notice.url) == (
        cast.carl,
        "Ana Alvarez hands “Pilot for Gekko” to you",
        "Weekly calls",
        f"/deals/hand-offs/{row.pk}/",
    )
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.action, entry.subject_id, entry.reason) == ("deal.handed_off", str(deal.pk), "AE → CSM: Carl Chen")
    deal.refresh_from_db()
    assert (deal.owner, deal.version) == (cast.ana, 1)


@pytest.mark.parametrize(
    ("who", "fields", "error"),
    [
        ("finn", {}, PermissionDenied),
        ("alba", {}, Http404),
        ("sam", {}, ValidationError),  # an SDR gives no hand-off of an AE
        ("rita", {}, ValidationError),  # has no function
        ("ana", {"pair": "sdr-ae"}, ValidationError),
        ("ana", {"pair": "nonsense"}, ValidationError),
        ("ana", {"receiver": "sam"}, ValidationError),
        ("ana", {"receiver": "ana"}, ValidationError),
        ("ana", {"deal_id": None}, ValidationError),
    ],
)
def test_what_fits_no_function_is_refused(
    who: str, fields: dict[str, Any], error: type[Exception], cast: Cast, make_deal: MakeDeal
) -> None:
    deal = make_deal()
    given_fields: dict[str, Any] = {"pair": "ae-csm", "receiver": "carl", "deal_id": deal.pk} | fields
    given_fields["receiver"] = cast.people[given_fields["receiver"]]
    before = everything()
    with pytest.raises(error):
        give_hand_off(actor=cast.actor(who), at=NOW, **given_fields)
    assert everything() == before


def test_the_same_is_not_handed_twice_while_it_waits(cast: Cast, make_deal: MakeDeal) -> None:
    deal = make_deal()
    row = handed(cast, deal)
    with pytest.raises(ValidationError) as refused:
        handed(cast, deal)
    assert list(refused.value.error_dict) == ["receiver"]
    answer_hand_off(actor=cast.actor("carl"), hand_off_id=row.pk, is_accepted=False, because="Too early", at=LATER)
    assert handed(cast, deal).state == "sent"
    assert Notice.objects.get(key=f"hand-off-answer:{row.pk}").person == cast.ana


def test_an_account_and_a_lead_may_be_handed_as_well(cast: Cast, gekko: Account) -> None:
    row = give_hand_off(actor=cast.actor("ana"), pair="ae-csm", receiver=cast.carl, account_id=gekko.pk, at=NOW)
    assert (row.account, AuditEntry.objects.latest("sequence").action) == (gekko, "account.handed_off")


@pytest.mark.parametrize(("who", "error"), [("ana", ValidationError), ("max", ValidationError), ("alba", Http404)])
def test_only_the_receiver_answers_and_rates(who: str, error: type[Exception], cast: Cast, make_deal: MakeDeal) -> None:
    row = handed(cast, make_deal())
    before = everything()
    for call in (
        lambda: answer_hand_off(actor=cast.actor(who), hand_off_id=row.pk, is_accepted=True, at=LATER),
        lambda: rate_hand_off(actor=cast.actor(who), hand_off_id=row.pk, at=LATER, **GOOD),
    ):
        with pytest.raises(error):
            call()
    assert everything() == before


def test_ratings_need_an_accepted_hand_off_and_all_five(cast: Cast, make_deal: MakeDeal) -> None:
    deal, carl = make_deal(), cast.actor("carl")
    row = handed(cast, deal)
    with pytest.raises(ValidationError, match="Accept the hand-off first"):
        rate_hand_off(actor=carl, hand_off_id=row.pk, at=LATER, **GOOD)
    with pytest.raises(ValidationError) as unsaid:
        answer_hand_off(actor=carl, hand_off_id=row.pk, is_accepted=False, because=" ", at=LATER)
    assert list(unsaid.value.error_dict) == ["because"]
    answer_hand_off(actor=carl, hand_off_id=row.pk, is_accepted=True, at=LATER)
    with pytest.raises(ValidationError, match="answered already"):
        answer_hand_off(actor=carl, hand_off_id=row.pk, is_accepted=False, because="No", at=LATER)
    for wrong in ({"completeness": None}, {"promise_alignment": 0}, {"stakeholder_map": 6}):
        with pytest.raises(ValidationError) as refused:
            rate_hand_off(actor=carl, hand_off_id=row.pk, at=LATER, **(GOOD | wrong))
        assert list(refused.value.error_dict) == list(wrong)
    row.refresh_from_db()
    assert (row.rated_at, row.completeness) == (None, None)
    with pytest.raises(IntegrityError), transaction.atomic():
        HandOff.objects.filter(pk=row.pk).update(completeness=6)
    with pytest.raises(IntegrityError), transaction.atomic():
        HandOff.objects.filter(pk=row.pk).update(rated_at=NOW)


def test_a_rating_may_be_mended_for_three_days_and_is_told_once(cast: Cast, make_deal: MakeDeal) -> None:
    row, carl = accepted(cast, make_deal()), cast.actor("carl")
    rate_hand_off(actor=carl, hand_off_id=row.pk, at=LATER, comment=" Fine ", **GOOD)
    days = timedelta(days=3)
    mended = rate_hand_off(actor=carl, hand_off_id=row.pk, at=LATER + days, **(GOOD | {"completeness": 1}))
    assert (mended.completeness, mended.rated_at, mended.comment) == (1, LATER, "")
    with pytest.raises(ValidationError, match="no longer be changed"):
        rate_hand_off(actor=carl, hand_off_id=row.pk, at=LATER + days + timedelta(seconds=1), **GOOD)
    assert HandOff.objects.get().completeness == 1
    assert Notice.objects.get(key=f"hand-off-rated:{row.pk}").person == cast.ana


def test_who_reads_a_hand_off(cast: Cast, make_deal: MakeDeal) -> None:
    handed(cast, make_deal())
    seen = {who: hand_offs_for(cast.actor(who)).count() for who in ("ana", "carl", "max", "rita", "finn", "sam", "mia")}
    assert seen == {"ana": 1, "carl": 1, "max": 1, "rita": 1, "finn": 1, "sam": 0, "mia": 0}


def test_the_report_says_too_few_below_five(cast: Cast, make_deal: MakeDeal) -> None:
    for number in range(5):
        row = accepted(cast, make_deal(name=f"D{number}"))
        if number < 4:
            rate_hand_off(actor=cast.actor("carl"), hand_off_id=row.pk, at=LATER, **GOOD)
    few = hand_off_report_for(cast.actor("max"))
    assert (few.overall.count, few.overall.is_too_few, few.overall.overall, few.unrated) == (4, True, None, 1)
    rate_hand_off(actor=cast.actor("carl"), hand_off_id=row.pk, at=LATER, **(GOOD | {"promise_alignment": 1}))
    report = hand_off_report_for(cast.actor("max"))
    assert (report.overall.count, report.overall.overall, report.overall.means["promise_alignment"]) == (5, 408, 340)
    assert report.overall.is_on_target
    assert [[row.name for row in rows] for rows in (report.by_giver, report.by_pod, report.by_pair)] == [
        ["Ana Alvarez"],
        ["North"],
        ["AE → CSM"],
    ]
    assert hand_off_report_for(cast.actor("mia")).overall.count == 0


@given(st.lists(st.tuples(*[st.integers(1, 5)] * 5), max_size=12))
def test_means_lie_between_the_marks(marks: list[tuple[int, ...]]) -> None:
    means = means_of([Rated(dict(zip(RATINGS, each, strict=True))) for each in marks])
    assert means.count == len(marks)
    if len(marks) < 5:
        assert (means.is_too_few, means.overall, dict(means.means)) == (True, None, {})
        return
    for at, name in enumerate(RATINGS):
        column = [each[at] for each in marks]
        assert min(column) * 100 <= means.means[name] <= max(column) * 100
        assert abs(means.means[name] - 100 * sum(column) / len(column)) <= 0.5
    assert means.overall is not None
    assert 100 <= means.overall <= 500


# --- Pages -----------------------------------------------------------------------------------------------------------


def test_from_the_deal_to_the_rating(cast: Cast, make_deal: MakeDeal, client_of: Callable[[str], Client]) -> None:
    deal = make_deal()
    ana, carl, max_ = client_of("ana"), client_of("carl"), client_of("max")
    assert f"/deals/hand-offs/new/?deal={deal.pk}" in ana.get(f"/deals/{deal.pk}/").content.decode()
    assert "/hand-offs/new/" not in max_.get(f"/deals/{deal.pk}/").content.decode()
    form = ana.get(f"/deals/hand-offs/new/?deal={deal.pk}").content.decode()
    assert "Carl Chen" in form
    assert "Cleo Costa" in form
    assert "Sam Sorensen" not in form
    answer = ana.post(
        f"/deals/hand-offs/new/?deal={deal.pk}", {"pair": "ae-csm", "receiver": cast.carl.pk, "note": "Hello"}
    )
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/deals/{deal.pk}/")
    row = HandOff.objects.get()
    page = f"/deals/hand-offs/{row.pk}/"
    assert "?answer=yes" in carl.get(page).content.decode()
    assert "?answer=yes" not in ana.get(page).content.decode()
    assert carl.post(f"{page}answer/", {"is_accepted": "no"}).status_code == 422
    assert carl.post(f"{page}answer/", {"is_accepted": "yes"}).status_code == 302
    assert carl.post(f"{page}rate/", {"completeness": "5"}).status_code == 422
    assert carl.post(f"{page}rate/", dict.fromkeys(RATINGS, "4") | {"comment": "Fine"}).status_code == 302
    assert ana.post(f"{page}rate/", dict.fromkeys(RATINGS, "1")).status_code == 422
    row.refresh_from_db()
    assert (row.promise_alignment, row.comment) == (4, "Fine")
    seen = ana.get(page).content.decode()
    assert "Was what we sold what was promised?" in seen
    assert "4/5" in seen
    report = max_.get("/deals/hand-offs/report/").content.decode()
    assert "too few" in report
    assert "Promise alignment" in report


def test_programs_hand_off_answer_and_rate(cast: Cast, make_deal: MakeDeal, client_of: Callable[[str], Client]) -> None:
    deal, as_json = make_deal(), "application/json"
    ana, carl = client_of("ana"), client_of("carl")
    given_off = {"pair": "ae-csm", "receiver": cast.carl.pk, "deal": deal.pk}
    answer = ana.post("/api/v1/hand-offs/", given_off, content_type=as_json)
    assert (answer.status_code, answer.json()["state"]) == (201, "sent")
    address = f"/api/v1/hand-offs/{answer.json()['id']}/"
    assert ana.post(f"{address}answer/", {"is_accepted": True}, content_type=as_json).status_code == 400
    assert carl.post(f"{address}answer/", {"is_accepted": True}, content_type=as_json).json()["state"] == "accepted"
    assert carl.post(f"{address}rate/", GOOD | {"completeness": 6}, content_type=as_json).status_code == 400
    assert carl.post(f"{address}rate/", GOOD, content_type=as_json).json()["promise_alignment"] == 4
    assert ana.get(address).json()["promise_alignment"] == 4
    assert client_of("sam").get(address).status_code == 404
    assert client_of("alba").post("/api/v1/hand-offs/", given_off, content_type=as_json).status_code == 404
