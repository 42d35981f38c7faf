"""Learned chances in the portal: from the audit, judged, put to use or not, and told of open leads."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.test import Client

from salesops.core.actor import system_actor
from salesops.core.features import SwitchedOffError
from salesops.core.models import FeatureSwitch
from salesops.jobs.models import Job
from salesops.jobs.services import enqueue
from salesops.jobs.testing import run_due
from salesops.leads.choices import LEARNED
from salesops.leads.models import Lead, LeadScore, LearnedModel, ScoreVersion
from salesops.leads.rules.learned import Answer, Column, History
from salesops.leads.selectors.chances import chance_shown
from salesops.leads.selectors.histories import ASKED_AFTER, features_of, history_of_leads, in_columns
from salesops.leads.services import convert_lead, create_lead, edit_lead, set_status
from salesops.leads.services.learning import LEARN, ask_to_learn, keep_learned, learn, tell_chances
from tests.cast import NOW, Cast

HOUR = timedelta(hours=1)


def made(cast: Cast, **fields: Any) -> Lead:
    return create_lead(actor=cast.actor("rita"), at=NOW, **({"name": "Lena"} | fields))


def test_a_history_holds_what_was_known_when_the_lead_came(cast: Cast) -> None:
    """A number that is filled in at winning is no number that could have told it."""
    rita = cast.actor("rita")
    won = made(cast, country="France", email="lena@acme.com", owner=cast.ana)
    edit_lead(actor=rita, lead_id=won.pk, at=NOW + HOUR / 2, employees=40)
    edit_lead(actor=rita, lead_id=won.pk, at=NOW + 2 * HOUR, employees=5_000, campaign="late")
    convert_lead(actor=rita, lead_id=won.pk, at=NOW + 3 * HOUR)
    lost = made(cast, country="Spain", email="x@gmail.com", estimated_minor=100_00, owner=cast.ana)
    set_status(actor=rita, lead_id=lost.pk, status="disqualified", because="no", at=NOW + 4 * HOUR)
    made(cast, name="Still open")
    history = history_of_leads("USD")
    assert history.outcome.tolist() == [1, 0]
    assert (history.asked_at - int(NOW.timestamp())).tolist() == [ASKED_AFTER] * 2
    assert (history.decided_at - int(NOW.timestamp())).tolist() == [3 * 3600, 4 * 3600]
    assert history.columns["employees"].values.tolist()[0] == 40
    assert np.isnan(history.columns["employees"].values[1])
    assert history.columns["campaign"].values.tolist() == [None, None]
    assert history.columns["country"].values.tolist() == ["France", "Spain"]
    assert history.columns["address"].values.tolist() == ["company", "private"]
    assert history.columns["value"].values.tolist()[1] == 100_00


def test_open_leads_are_told_by_the_same_features(cast: Cast) -> None:
    lead = made(cast, country="France", employees=40, phone="1", estimated_minor=5, currency="EUR")
    found = features_of(
        {name: getattr(lead, name) for name in ("country", "employees", "phone", "estimated_minor", "currency")}, "USD"
    )
    assert (found["country"], found["employees"], found["has_phone"], found["value"]) == ("France", 40, 1, None)


def _past(leads: int, *, skill: bool, seed: int = 3) -> History:
    """Leads of a year of which those from France win four times as often, or by chance."""
    random = np.random.default_rng(seed)
    countries = random.choice(["France", "Spain"], leads)
    chance = np.where(countries == "France", 0.6, 0.15) if skill else np.full(leads, 0.375)
    asked = np.arange(leads) * 3_600
    rows = [features_of({"country": country, "origin": "inbound"}, "USD") for country in countries]
    columns = in_columns(rows)
    return History(
        {name: Column(values, asked) for name, values in columns.items()},
        asked,
        (random.random(leads) < chance).astype(np.int64),
        asked + 7_200,
    )


@pytest.fixture
def scored(cast: Cast) -> list[Lead]:
    version = ScoreVersion.objects.create(number=1, state="retired", created_at=NOW)
    leads = [made(cast, name=country, country=country) for country in ("France", "Spain")]
    for lead in leads:
        LeadScore.objects.get_or_create(
            lead=lead, defaults={"version": version, "fit": 0, "engagement": 0, "grade": "C3", "scored_at": NOW}
        )
    return leads


def chances() -> list[float | None]:
    rows = LeadScore.objects.order_by("lead_id").values_list("probability_bp", flat=True)
    return [None if bp is None else round(bp / 10_000, 2) for bp in rows]


def test_what_is_useful_is_used_and_what_is_not_is_taken_away(cast: Cast, scored: list[Lead]) -> None:
    useful = learn(at=NOW, history=_past(3_000, skill=True))
    assert useful.verdict.answer is Answer.USEFUL
    kept = keep_learned(actor=system_actor(), learned=useful, at=NOW)
    assert kept.is_used
    assert tell_chances(after=0) == (scored[1].pk, 2)
    assert tell_chances(after=scored[1].pk) is None
    france, spain = chances()
    assert france is not None
    assert spain is not None
    assert abs(france - 0.6) < 0.06
    assert abs(spain - 0.15) < 0.06
    coin = learn(at=NOW, history=_past(3_000, skill=False))
    assert coin.verdict.answer is Answer.NO_SKILL
    assert not keep_learned(actor=system_actor(), learned=coin, at=NOW + HOUR).is_used
    assert list(LearnedModel.objects.order_by("pk").values_list("is_used", flat=True)) == [False, False]
    assert tell_chances(after=0) == (scored[1].pk, 2)
    assert chances() == [None, None]
    assert tell_chances(after=0) is None


def test_too_few_leads_teach_nothing(cast: Cast, scored: list[Lead]) -> None:
    learned = learn(at=NOW)
    assert learned.verdict.answer is Answer.NOT_ENOUGH_DATA
    assert not keep_learned(actor=system_actor(), learned=learned, at=NOW).is_used
    assert chances() == [None, None]


def test_the_page_shows_the_verdict_its_chart_and_its_figures(cast: Cast, client: Client) -> None:
    client.force_login(cast.rita)
    assert "Nothing was learned yet" in client.get("/leads/scores/learned/").content.decode()
    keep_learned(actor=system_actor(), learned=learn(at=NOW, history=_past(3_000, skill=False)), at=NOW)
    keep_learned(actor=system_actor(), learned=learn(at=NOW, history=_past(3_000, skill=True)), at=NOW + HOUR)
    page = client.get("/leads/scores/learned/").content.decode()
    for words in (
        "Useful: chances are told",
        "No skill found",
        "AUC, over all",
        "Calibration error",
        "calibration-data",
    ):
        assert words in page
    client.force_login(cast.max)
    assert "Learn now" not in client.get("/leads/scores/learned/").content.decode()


def test_a_leads_page_tells_its_chance_and_what_brought_it_about(
    cast: Cast, client: Client, scored: list[Lead]
) -> None:
    client.force_login(cast.rita)
    page = f"/leads/{scored[0].pk}/"
    assert "Learned chance" not in client.get(page).content.decode()
    keep_learned(actor=system_actor(), learned=learn(at=NOW, history=_past(3_000, skill=True)), at=NOW)
    assert "Learned chance" in client.get(page).content.decode()
    chance = chance_shown(Lead.objects.get(pk=scored[0].pk))
    assert chance is not None
    assert (chance.parts[0].name, chance.parts[0].value, chance.parts[0].is_better) == ("Country", "France", True)
    assert chance.basis_points > chance.usual_basis_points
    assert chance.rows == 2_000
    tell_chances(after=0)
    assert LeadScore.objects.get(lead=scored[0]).probability_bp == chance.basis_points


def test_nothing_is_learned_until_an_administrator_asks_for_it(cast: Cast, client: Client, scored: list[Lead]) -> None:
    """And when it is switched off again, what was told goes."""
    with pytest.raises(SwitchedOffError):
        ask_to_learn(actor=cast.actor("rita"), at=NOW)
    client.force_login(cast.rita)
    page = "/leads/scores/learned/"
    assert client.post(page).status_code == 302
    assert not Job.objects.exists()
    told = client.get(page).content.decode()
    assert "An administrator has switched this off: Learned chances." in told
    assert "Learn now" not in told
    keep_learned(actor=system_actor(), learned=learn(at=NOW, history=_past(3_000, skill=True)), at=NOW)
    tell_chances(after=0)
    assert None not in chances()
    with transaction.atomic():
        enqueue(kind=LEARN, key="nightly", payload={}, actor=system_actor(), at=NOW, title="Learn")
    run_due(at=NOW)
    assert chances() == [None, None]
    assert list(LearnedModel.objects.values_list("is_used", flat=True)) == [False]


def test_learning_is_asked_for_once_by_those_who_may(cast: Cast) -> None:
    FeatureSwitch.objects.update_or_create(code=LEARNED, defaults={"is_on": True})
    first = ask_to_learn(actor=cast.actor("rita"), at=NOW)
    assert ask_to_learn(actor=cast.actor("ada"), at=NOW).pk == first.pk
    with pytest.raises(PermissionDenied):
        ask_to_learn(actor=cast.actor("max"), at=NOW)
