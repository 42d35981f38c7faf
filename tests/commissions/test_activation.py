"""What the pages cannot calculate yet is not put in force, because it would be passed over silently."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from salesops.commissions.errors import CommissionRefusedError
from salesops.commissions.models import PlanVersion
from salesops.commissions.services.plans import activate_version, create_plan, save_draft
from tests.cast import NOW, Cast
from tests.commissions.pay import FLAT_8, definition

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("component", "plan", "word"),
    [
        ({"amount": "amount * 50%"}, {}, "amount"),
        ({"counts": ["renewal"]}, {}, "counts"),
        ({"quota_name": "renewals"}, {}, "quota_name"),
        ({"weight": "60%"}, {}, "weight"),
        ({"period_kind": "year"}, {}, "period_kind"),
        ({"scope": "transaction"}, {}, "scope"),
        ({"crediting": ["split", "overlay"]}, {}, "overlay"),
        ({}, {"ramp": ["50%", "100%"]}, "ramp"),
        ({}, {"settlement": {"draw": {"amount": "2000.00"}}}, "settlement"),
        ({}, {"conventions": {"settlement_order": "cap_draw_bonus"}}, "cap_draw_bonus"),
    ],
)
def test_words_that_only_files_know_are_refused(
    cast: Cast, component: dict[str, Any], plan: dict[str, Any], word: str
) -> None:
    words = definition(FLAT_8)
    words["components"][0] |= component
    words |= plan
    rita = cast.actor("rita")
    made = create_plan(actor=rita, name="Field", at=NOW)
    draft = save_draft(actor=rita, plan=made, definition=words, start_on=date(2026, 1, 1), at=NOW)
    with pytest.raises(CommissionRefusedError, match=f"do not calculate this yet: {word}\\."):
        activate_version(actor=cast.actor("finn"), version=draft, at=NOW)
    assert PlanVersion.objects.get().state == "draft"
