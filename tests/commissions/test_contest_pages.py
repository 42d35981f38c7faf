"""Pages and API of contests: who sees which ranks and names, what the form refuses, and what the buttons do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from salesops.commissions.choices import ContestState
from salesops.commissions.models import Contest, ContestStanding, Plan, Statement
from salesops.commissions.rules.plans import digest_of
from salesops.commissions.selectors.contests import running_standings_of, words_of
from salesops.commissions.services.contests import activate_contest, cancel_contest
from salesops.home.cards import tiles_for
from tests.cast import NOW, Cast
from tests.commissions.pay import FLAT_8, plan_in_force, statement_of, won
from tests.commissions.test_contests import calculated, draft, may

pytestmark = pytest.mark.django_db

LogIn = Callable[[str], Client]


def running(cast: Cast, **words: Any) -> Contest:
    """Until the end of June: Alba first with 9,000.00, Ana second with 4,000.00, Sam with nothing; calculated."""
    plan = plan_in_force(cast, FLAT_8)
    won(cast, "ana", 400_000)
    won(cast, "alba", 900_000)
    contest = may(cast, plan, **({"end": date(2026, 7, 1)} | words))
    calculated(cast)
    return Contest.objects.get(pk=contest.pk)


def page(client: Client, name: str, pk: int | None = None) -> str:
    """A page that is there, without its line breaks."""
    response = client.get(reverse(f"commissions:{name}", kwargs={"pk": pk} if pk else {}))
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def standings_seen(client: Client, contest: Contest) -> list[tuple[int, int]]:
    """Person and rank of what the API shows."""
    response = client.get(f"/api/v1/contests/{contest.pk}/standings/")
    assert response.status_code == 200
    return [(row["person"], row["rank"]) for row in response.json()["results"]]


# --- Who sees what ------------------------------------------------------------------------------------------------


def test_a_rep_sees_the_own_rank_and_prize_as_not_earned_and_nobody_elses_name(cast: Cast, client_of: LogIn) -> None:
    contest = running(cast)
    shown = page(client_of("ana"), "contest_detail", contest.pk)
    assert "2 of 2" in shown
    assert "$500.00" in shown
    assert "as things stand, not earned" in shown
    assert "Alba" not in shown
    assert "$9,000.00" not in shown
    assert standings_seen(client_of("ana"), contest) == [(cast.ana.pk, 2)]


def test_where_the_contest_shows_names_all_who_are_in_read_them(cast: Cast, client_of: LogIn) -> None:
    contest = running(cast, shows_names=True)
    for person in ("ana", "sam"):
        assert "Alba Abe" in page(client_of(person), "contest_detail", contest.pk)
    assert standings_seen(client_of("sam"), contest) == [(cast.alba.pk, 1), (cast.ana.pk, 2), (cast.sam.pk, 0)]
    assert client_of("carl").get(f"/api/v1/contests/{contest.pk}/standings/").status_code == 404


def test_managers_see_their_own_people_and_revops_and_finance_everybody(cast: Cast, client_of: LogIn) -> None:
    contest = running(cast)
    assert standings_seen(client_of("max"), contest) == [(cast.ana.pk, 2), (cast.sam.pk, 0)]
    assert standings_seen(client_of("mia"), contest) == [(cast.alba.pk, 1)]
    for person in ("rita", "finn"):
        assert standings_seen(client_of(person), contest) == [(cast.alba.pk, 1), (cast.ana.pk, 2), (cast.sam.pk, 0)]
    shown = page(client_of("mia"), "contest_detail", contest.pk)
    assert "Alba Abe" in shown
    assert "Ana" not in shown


def test_whoever_is_not_in_does_not_find_it_and_nobody_finds_a_draft(cast: Cast, client_of: LogIn) -> None:
    contest = running(cast)
    later = draft(cast, key="later", name="Later", shows_names=True)
    listed = client_of("carl").get("/api/v1/contests/").json()["results"]
    assert listed == []
    assert client_of("carl").get(reverse("commissions:contest_detail", args=[contest.pk])).status_code == 404
    assert [row["id"] for row in client_of("ana").get("/api/v1/contests/").json()["results"]] == [contest.pk]
    assert client_of("ana").get(reverse("commissions:contest_detail", args=[later.pk])).status_code == 404
    assert {row["id"] for row in client_of("max").get("/api/v1/contests/").json()["results"]} == {contest.pk, later.pk}


def test_the_statement_says_the_rank_and_the_prize_as_things_stand(cast: Cast, client_of: LogIn) -> None:
    contest = running(cast)
    shown = page(client_of("ana"), "statement_detail", statement_of(cast, "ana").pk)
    assert reverse("commissions:contest_detail", args=[contest.pk]) in shown
    assert '2 of 2 · $500.00 <span class="muted">as things stand, not earned</span>' in shown
    ContestStanding.objects.filter(contest=contest, person=cast.ana).update(prize_minor=0)
    without = page(client_of("ana"), "statement_detail", statement_of(cast, "ana").pk)
    assert '2 of 2 · <span class="muted">No prize as things stand</span>' in without
    sam = page(client_of("sam"), "statement_detail", statement_of(cast, "sam").pk)
    assert "below the minimum" in sam
    cancel_contest(actor=cast.actor("finn"), contest=contest, at=NOW, reason="The budget is gone.")
    assert "as things stand" not in page(client_of("ana"), "statement_detail", statement_of(cast, "ana").pk)


def test_the_home_page_says_the_rank_in_contests_that_run(cast: Cast, client_of: LogIn) -> None:
    contest = running(cast)
    url = reverse("commissions:contest_detail", args=[contest.pk])

    def tiles(name: str) -> list[tuple[str, str, str]]:
        found = tiles_for(cast.actor(name), at=NOW)
        return [(tile.label, tile.value, tile.note) for tile in found if tile.url == url]

    assert tiles("ana") == [("May", "2 of 2", "Prize as things stand, not earned: $500.00")]
    assert tiles("sam") == [("May", "—", "below the minimum")]
    assert tiles("max") == tiles("rita") == []
    ContestStanding.objects.filter(contest=contest, person=cast.ana).update(prize_minor=0)
    assert tiles("ana") == [("May", "2 of 2", "No prize as things stand")]
    assert url in client_of("ana").get("/").content.decode()
    cancel_contest(actor=cast.actor("finn"), contest=contest, at=NOW, reason="The budget is gone.")
    assert tiles("ana") == []


def test_the_home_page_leaves_out_contests_that_are_over_or_not_begun(cast: Cast) -> None:
    contest = running(cast)
    for day, count in ((date(2026, 4, 30), 0), (date(2026, 5, 1), 1), (date(2026, 6, 30), 1), (date(2026, 7, 1), 0)):
        assert running_standings_of(cast.actor("ana"), day).filter(contest=contest).count() == count


def test_of_one_that_has_ended_the_prize_is_a_step_of_the_statement(cast: Cast, client_of: LogIn) -> None:
    running(cast, end=date(2026, 6, 1))
    shown = page(client_of("ana"), "statement_detail", statement_of(cast, "ana").pk)
    assert "Rank 2 of 2 in the contest “May”." in shown
    assert "not earned" not in shown
    assert Statement.objects.get(person=cast.ana).payout_minor == 50_000 + 32_000


def test_what_a_contest_says_is_told_in_words(cast: Cast, client_of: LogIn) -> None:
    contest = running(cast, when="amount > 1000", minimum_minor=100_000, is_final=True)
    shown = page(client_of("rita"), "contest_detail", contest.pk)
    for text in (
        "1. $1,000.00 · 2. $500.00 · 3. $250.00",
        "They share the prizes of the places they take",
        "<code>amount &gt; 1000</code>",
        "The result is final: they move no prize.",
        "Everybody reads their own rank only.",
        "Finn Finance",
        contest.digest[:16],
    ):
        assert text in shown
    bound = draft(cast, key="bound", prizes_minor=(), bound_minor=500_000, each_minor=20_000)
    assert "$200.00 for everybody at $5,000.00 or above" in page(client_of("rita"), "contest_detail", bound.pk)


def test_finance_reads_the_digest_by_which_it_proves_a_rank_and_reps_do_not(cast: Cast, client_of: LogIn) -> None:
    contest = running(cast, end=date(2026, 6, 1))
    statement = Statement.objects.get(person=cast.ana)
    assert statement.carried is not None
    digest = statement.carried["given"]["occurrences"][0]["prize"]["totals_digest"]
    assert digest == digest_of([900_000, 400_000])
    assert digest in page(client_of("finn"), "contest_detail", contest.pk)
    for person in ("ana", "max"):
        assert "Digest of all totals" not in page(client_of(person), "contest_detail", contest.pk)


def test_a_rate_that_is_missing_is_said_on_the_page(cast: Cast, client_of: LogIn) -> None:
    plan = plan_in_force(cast, FLAT_8, ("ana",))
    won(cast, "ana", 100_000, currency="CHF")
    contest = may(cast, plan)
    assert "There is no rate of exchange from CHF to USD" in page(client_of("rita"), "contest_detail", contest.pk)
    for_ana = page(client_of("ana"), "contest_detail", contest.pk)
    assert "Not everything could be measured yet." in for_ana
    assert "CHF" not in for_ana


def test_the_list_asks_the_same_number_of_questions_for_many_contests(cast: Cast, client_of: LogIn) -> None:
    running(cast)
    client = client_of("rita")
    page(client, "contest_list")
    with CaptureQueriesContext(connection) as few:
        page(client, "contest_list")
    for number in range(12):
        draft(cast, key=f"draft_{number}")
    with CaptureQueriesContext(connection) as many:
        shown = page(client, "contest_list")
    assert len(many) == len(few)
    assert shown.count(">Running<") == 1
    with CaptureQueriesContext(connection) as small:
        page(client, "contest_detail", Contest.objects.get(key="may").pk)
    people = [cast.carl.pk, cast.sven.pk, cast.cleo.pk, cast.max.pk]
    ContestStanding.objects.bulk_create(
        ContestStanding(contest=Contest.objects.get(key="may"), person_id=pk, total_minor=5, currency="USD", rank=3)
        for pk in people
    )
    with CaptureQueriesContext(connection) as large:
        page(client, "contest_detail", Contest.objects.get(key="may").pk)
    assert len(large) == len(small)


# --- The form and the buttons ---------------------------------------------------------------------------------------


def typed(plan: Plan, **changes: Any) -> dict[str, Any]:
    """What is typed into the form."""
    return {
        "name": "May",
        "key": "may",
        "start_on": "2026-05-01",
        "last_day": "2026-05-31",
        "plan": plan.pk,
        "plans": [plan.pk],
        "counts": ["booking"],
        "crediting": ["split", "owner"],
        "prizes": "1,000.00\n500\n\n250.50\n",
        "ties": "higher",
        "minimum": "2,000",
    } | changes


def test_a_contest_is_written_changed_put_in_force_and_cancelled_by_the_pages(cast: Cast, client_of: LogIn) -> None:
    plan = plan_in_force(cast, FLAT_8)
    rita, finn = client_of("rita"), client_of("finn")
    response = rita.post(reverse("commissions:contest_create"), typed(plan))
    contest = Contest.objects.get()
    assert response.headers["Location"] == reverse("commissions:contest_detail", args=[contest.pk])
    words = words_of(contest)
    assert (words.start, words.end) == (date(2026, 5, 1), date(2026, 6, 1))
    assert (words.prizes_minor, words.minimum_minor, words.ties.value) == ((100_000, 50_000, 25_050), 200_000, "higher")
    edit = reverse("commissions:contest_edit", args=[contest.pk])
    opened = rita.get(edit)
    form = opened.context["form"]
    assert (form["prizes"].value(), form["minimum"].value()) == ("1000.00\n500.00\n250.50", "2000.00")
    changed = typed(plan, name="May days", seen=contest.digest)
    assert rita.post(edit, changed).status_code == 302
    assert rita.post(edit, changed).status_code == 409  # opened before the change
    assert Contest.objects.get().name == "May days"
    activate = reverse("commissions:contest_activate", args=[contest.pk])
    assert rita.post(activate).status_code == 403
    assert finn.post(activate).status_code == 302
    assert Contest.objects.get().state == ContestState.ACTIVE
    assert rita.post(edit, typed(plan)).status_code == 422
    cancel = reverse("commissions:contest_cancel", args=[contest.pk])
    assert finn.post(cancel, {"reason": "no"}).status_code == 422
    assert finn.post(cancel, {"reason": "The budget is gone."}).status_code == 302
    assert Contest.objects.get().state == ContestState.CANCELLED
    assert "The budget is gone." in page(client_of("ana"), "contest_detail", contest.pk)


def test_a_draft_says_how_many_would_be_in(cast: Cast, client_of: LogIn) -> None:
    """Three are on the plan."""
    contest = draft(cast)
    assert "3 people are in by its words as things are now." in page(client_of("finn"), "contest_detail", contest.pk)
    activate_contest(actor=cast.actor("finn"), contest=contest, at=NOW)
    assert "by its words" not in page(client_of("finn"), "contest_detail", contest.pk)


def test_whoever_puts_one_in_force_when_its_days_are_over_is_told_so(cast: Cast, client_of: LogIn) -> None:
    over, running_now = draft(cast), draft(cast, key="june", end=date(2026, 6, 18))
    said = "Its days are over: who wins is known already."
    assert said in page(client_of("finn"), "contest_activate", over.pk)
    assert said not in page(client_of("finn"), "contest_activate", running_now.pk)


def test_a_draft_is_thrown_away_by_its_button(cast: Cast, client_of: LogIn) -> None:
    contest = draft(cast)
    response = client_of("ada").post(reverse("commissions:contest_discard", args=[contest.pk]))
    assert response.headers["Location"] == reverse("commissions:contest_list")
    assert Contest.objects.count() == 0


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"prizes": "1,000\nlots"}, "prizes", "“lots” is not an amount"),
        ({"prizes": "500\n1,000"}, "prizes", "A place pays more than the one before it"),
        ({"prizes": ""}, "prizes", "There must be prizes for places"),
        ({"last_day": "2026-04-30"}, "last_day", "It ends on its first day or later."),
        ({"last_day": "2027-06-30"}, "last_day", "more than a year"),
        ({"plans": []}, "plans", "Nobody is in."),
        ({"key": "May"}, "key", "This cannot be a key."),
        ({"when": "colour = 1"}, "when", "colour"),
        ({"counts": []}, "counts", "This field is required."),
        ({"minimum": "-5"}, "minimum", "not above zero"),
        ({"prizes": "", "bound": "5,000"}, "each", "A bound and what is paid at it belong together."),
    ],
)
def test_the_form_says_at_its_field_what_is_wrong(
    cast: Cast, client_of: LogIn, changes: dict[str, Any], field: str, said: str
) -> None:
    plan = plan_in_force(cast, FLAT_8)
    response = client_of("rita").post(reverse("commissions:contest_create"), typed(plan, **changes))
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert said in " ".join(response.context["form"].errors[field])
    assert Contest.objects.count() == 0


def test_buttons_are_shown_to_those_who_may_press_them(cast: Cast, client_of: LogIn) -> None:
    contest = draft(cast)
    buttons = {
        person: [
            name
            for name in ("activate", "edit", "discard", "cancel")
            if reverse(f"commissions:contest_{name}", args=[contest.pk])
            in page(client_of(person), "contest_detail", contest.pk)
        ]
        for person in ("rita", "finn", "ada", "max")
    }
    assert buttons == {"rita": ["edit", "discard"], "finn": ["activate"], "ada": ["edit", "discard"], "max": []}


def test_the_api_tells_a_contest_and_its_words(cast: Cast, client_of: LogIn) -> None:
    contest = running(cast)
    told = client_of("ana").get(f"/api/v1/contests/{contest.pk}/").json()
    assert told["definition"] == contest.definition
    assert (told["digest"], told["start_on"], told["end_on"]) == (contest.digest, "2026-05-01", "2026-07-01")
    (row,) = client_of("ana").get(f"/api/v1/contests/{contest.pk}/standings/").json()["results"]
    assert row == {
        "person": cast.ana.pk,
        "rank": 2,
        "tied": 1,
        "taking_part": 2,
        "total_minor": 400_000,
        "prize_minor": 50_000,
        "currency": "USD",
    }
