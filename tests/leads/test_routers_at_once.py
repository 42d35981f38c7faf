"""Several bring in leads at the same time: there is one wheel, and nobody's turn is taken or lost twice."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from salesops.leads.models import Lead, Pool, Turn
from salesops.leads.services import LeadRecord, assign_lead, create_lead, upsert_leads
from tests.cast import NOW, Cast
from tests.elsewhere import Elsewhere
from tests.leads.routed import in_force, make_pool

#: Leads that each of them brings in. SALESOPS_AT_ONCE=200 for the long run.
EACH = int(os.environ.get("SALESOPS_AT_ONCE", "20"))


@pytest.mark.django_db(transaction=True)
def test_three_who_bring_in_leads_at_once_share_one_wheel(cast: Cast, tmp_path: Path) -> None:
    first = make_pool(cast, "First", "sam", "sven", weights={"sam": 2})
    second = make_pool(cast, "Second", "ana", "alba")
    in_force({"condition": 'country = "France"', "pool": second}, {"pool": first})
    rita, ada = cast.actor("rita"), cast.actor("ada")
    place = Elsewhere(tmp_path)

    def one_by_one(who: object, country: str) -> Callable[[], None]:
        def bring() -> None:
            for number in range(EACH):
                create_lead(actor=who, at=NOW, name=f"{country} {number}", country=country)  # type: ignore[arg-type]

        return bring

    def in_heaps() -> None:
        for heap in range(EACH // 5):
            records = [
                LeadRecord(external_id=f"{heap}-{n}", name=f"Heap {n}", country="Spain" if n % 2 else "France")
                for n in range(5)
            ]
            upsert_leads(actor=rita, records=records, source="crm", at=NOW)

    def by_hand() -> None:
        for _number in range(EACH // 5):
            lead = create_lead(actor=ada, at=NOW, name="By hand", pod=cast.north)
            assign_lead(actor=ada, lead_id=lead.pk, owner=cast.sam, at=NOW)

    heaps = EACH // 5
    settling = 3 * heaps

    def settle() -> None:
        """What came by hand last may have brought Sam ahead: the wheel makes up for it."""
        for number in range(settling):
            create_lead(actor=rita, at=NOW, name=f"Settling {number}", country="Spain")

    place.run(one_by_one(rita, "Spain"), one_by_one(ada, "France"), in_heaps, by_hand)
    place.run(settle)
    found: dict[str, object] = {}

    def look() -> None:
        found["waiting"] = Lead.objects.filter(owner=None).count()
        found["turns"] = Turn.objects.count()
        found["leads"] = Lead.objects.count()
        for pool in Pool.objects.order_by("pk"):
            sums: Counter[str] = Counter()
            for changes in Turn.objects.filter(pool=pool).values_list("changes", flat=True):
                sums.update(changes)
            credits = {str(member.pk): member.credit for member in pool.members.all()}
            found[f"{pool.name} is its ledger"] = {key: sums[key] for key in credits} == credits
            found[f"{pool.name} got"] = [
                Turn.objects.filter(member__pool=pool, member__person=person).count()
                for person in (cast.sam, cast.sven, cast.ana, cast.alba)
            ]

    place.run(look)
    of_first, of_second = EACH + 2 * heaps + heaps + settling, EACH + 3 * heaps
    # Sam has weight 2 of 3, and whatever came by hand was a turn, too.
    due = of_first * 2 / 3
    got_first, got_second = found.pop("First got"), found.pop("Second got")
    assert found == {
        "waiting": 0,
        "turns": of_first + of_second,
        "leads": of_first + of_second,
        "First is its ledger": True,
        "Second is its ledger": True,
    }
    assert isinstance(got_first, list)
    assert isinstance(got_second, list)
    assert sum(got_first) == of_first
    assert abs(got_first[0] - due) < 1
    assert abs(got_second[2] - of_second / 2) < 1
