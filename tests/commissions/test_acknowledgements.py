"""People on a plan say that they have read it: once for each version, with the digest of what they saw."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from django.test import Client
from django.urls import reverse

from salesops.audit.models import AuditEntry
from salesops.commissions.errors import CommissionRefusedError
from salesops.commissions.models import Acknowledgement, PlanAssignment
from salesops.commissions.selectors.plans import to_acknowledge
from salesops.commissions.services.plans import acknowledge_version, activate_version, save_draft
from salesops.home.cards import cards_for
from tests.cast import NOW, TODAY, Cast
from tests.commissions.pay import FIVE_THEN_TEN, FLAT_8, definition, plan_in_force

pytestmark = pytest.mark.django_db

ASKED = "Please read and acknowledge."


def test_who_is_on_the_plan_is_asked_once_for_each_version(cast: Cast, client_of: Callable[[str], Client]) -> None:
    plan = plan_in_force(cast, FLAT_8, people=("ana", "sam"))
    version = plan.versions.get()
    address = reverse("commissions:plan_detail", kwargs={"pk": plan.pk})
    ana = client_of("ana")
    assert ASKED in ana.get(address).content.decode()
    card = next(card for card in cards_for(cast.actor("ana"), at=NOW) if card.url == f"{address}?version=1")
    assert card.title == "Read the plan “Field”"
    acknowledge = reverse("commissions:version_acknowledge", kwargs={"pk": version.pk})
    for _again in range(2):
        assert ana.post(acknowledge).headers["Location"] == f"{address}?version=1"
    row = Acknowledgement.objects.get()
    assert (row.person, row.plan_version, row.digest) == (cast.ana, version, version.digest)
    assert AuditEntry.objects.filter(action="plan.acknowledged").count() == 1
    assert not [card for card in cards_for(cast.actor("ana"), at=NOW) if card.url.startswith(address)]
    page = ana.get(address).content.decode()
    assert ASKED not in page
    assert "You acknowledged this version on" in page
    assert ASKED in client_of("sam").get(address).content.decode()

    draft = save_draft(
        actor=cast.actor("rita"), plan=plan, definition=definition(FIVE_THEN_TEN), start_on=date(2026, 7, 1), at=NOW
    )
    assert to_acknowledge(cast.actor("ana"), TODAY) == []  # nobody is asked about a draft
    activate_version(actor=cast.actor("finn"), version=draft, at=NOW)
    assert to_acknowledge(cast.actor("ana"), TODAY) == [draft]
    assert ASKED in ana.get(f"{address}?version=2").content.decode()


def test_who_is_not_on_it_is_not_asked_and_cannot_say_it(cast: Cast, client_of: Callable[[str], Client]) -> None:
    plan = plan_in_force(cast, FLAT_8, people=("ana",))
    version = plan.versions.get()
    address = reverse("commissions:plan_detail", kwargs={"pk": plan.pk})
    assert ASKED not in client_of("max").get(address).content.decode()
    with pytest.raises(CommissionRefusedError, match="Only people on the plan"):
        acknowledge_version(actor=cast.actor("max"), version=version, at=NOW)
    assert (
        client_of("sam").post(reverse("commissions:version_acknowledge", kwargs={"pk": version.pk})).status_code == 404
    )
    assert not Acknowledgement.objects.exists()


@pytest.mark.parametrize(
    ("start_on", "end_on", "is_asked"),
    [
        (date(2026, 1, 1), None, True),
        (date(2026, 1, 1), TODAY, False),  # off it since today
        (date(2026, 6, 30), None, True),  # on it in two weeks, while it still holds
        (date(2026, 7, 1), None, False),  # only once the version is over
    ],
)
def test_days_decide(cast: Cast, start_on: date, end_on: date | None, is_asked: bool) -> None:
    plan = plan_in_force(cast, FLAT_8, people=())
    version = plan.versions.get()
    version.end_on = date(2026, 7, 1)
    type(version).objects.filter(pk=version.pk).update(end_on=version.end_on)
    PlanAssignment.objects.create(plan=plan, person=cast.ana, start_on=start_on, end_on=end_on, currency="USD")
    assert bool(to_acknowledge(cast.actor("ana"), TODAY)) is is_asked


def test_managers_and_revops_see_who_did(cast: Cast, client_of: Callable[[str], Client]) -> None:
    plan = plan_in_force(cast, FLAT_8, people=("ana", "alba"))
    for name in ("ana", "alba"):
        acknowledge_version(actor=cast.actor(name), version=plan.versions.get(), at=NOW)
    address = reverse("commissions:plan_detail", kwargs={"pk": plan.pk})
    seen = {
        who: [row.person for row in client_of(who).get(address).context["acknowledgements"]]
        for who in ("ana", "max", "rita")
    }
    assert seen["ana"] == [cast.ana]
    assert seen["max"] == [cast.ana]
    assert set(seen["rita"]) == {cast.ana, cast.alba}


def test_who_leaves_the_plan_before_a_version_begins_is_not_asked_about_it(cast: Cast) -> None:
    plan = plan_in_force(cast, FLAT_8, people=("ana",))
    draft = save_draft(
        actor=cast.actor("rita"), plan=plan, definition=definition(FIVE_THEN_TEN), start_on=date(2026, 7, 1), at=NOW
    )
    activate_version(actor=cast.actor("finn"), version=draft, at=NOW)
    assert to_acknowledge(cast.actor("ana"), TODAY) == [plan.versions.get(number=1), draft]
    PlanAssignment.objects.update(end_on=date(2026, 7, 1))
    assert to_acknowledge(cast.actor("ana"), TODAY) == [plan.versions.get(number=1)]
