"""Checks all pay that there is, and tells those who run the portal when something disagrees."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from salesops.commissions.models import Period
from salesops.core.actor import Role
from salesops.core.days import company_day
from salesops.notices.services import tell
from salesops.people.selectors import holders_of

#: So many disagreements are named in a notice.
_NAMED: Final = 10


@transaction.atomic
def tell_of_disagreements(found: dict[Period, list[str]], *, at: datetime) -> int:
    """Tell finance what disagrees, and administrators, who see nobody's pay, in which period; how many were told.

    The same disagreements are told once; a new one is told again.
    """
    told, day = 0, company_day(at)
    for period, wrong in found.items():
        digest = hashlib.sha256("\n".join(wrong).encode()).hexdigest()[:32]

        def title(period: Period = period) -> str:
            return _("Totals of pay do not agree in %(period)s") % {"period": period.label}

        told += tell(
            person_ids=holders_of(Role.FINANCE, on=day).values_list("pk", flat=True),
            key=f"commissions.check_pay:{period.pk}:{digest}",
            title=title,
            body="\n".join(wrong[:_NAMED]),
            url=reverse("commissions:period_detail", kwargs={"pk": period.pk}),
            at=at,
            mail=True,
        )
        told += tell(
            person_ids=holders_of(Role.ADMIN, on=day).values_list("pk", flat=True),
            key=f"commissions.check_pay:{period.pk}:{digest}",
            title=title,
            body=lambda: _(
                "Nothing is locked or paid in this period until it is mended. “manage.py check_pay” names what differs."
            ),
            at=at,
            mail=True,
        )
    return told
