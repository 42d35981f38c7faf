"""A rehearsal leaves nothing behind, and does not hold up those who record meanwhile."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from salesops.audit.models import AuditEntry, AuditHead
from salesops.audit.services import record, rehearsed
from salesops.pods.models import Segment
from tests.cast import NOW, Cast

pytestmark = pytest.mark.django_db


def test_what_is_rehearsed_is_taken_back_and_the_chain_is_not_touched(cast: Cast) -> None:
    """Inside it stands as if it were done; afterwards it never was. The head of the chain is not even read."""
    rita = cast.actor("rita")
    before = (AuditEntry.objects.count(), list(AuditHead.objects.values()))
    with (
        CaptureQueriesContext(
            connection,
        ) as asked,
        rehearsed(),
    ):
        segment = Segment.objects.create(code="tried", name="Tried")
        record(actor=rita, action="segment.made", subject=segment, at=NOW)
        assert Segment.objects.filter(code="tried").exists()
    assert not [query["sql"] for query in asked if "audit_" in query["sql"]]
    assert not Segment.objects.filter(code="tried").exists()
    assert (AuditEntry.objects.count(), list(AuditHead.objects.values())) == before
    record(actor=rita, action="segment.looked_at", at=NOW)
    assert AuditEntry.objects.count() == before[0] + 1


def test_a_rehearsal_that_fails_is_over(cast: Cast) -> None:
    """An error on the way comes out, and what is done afterwards is recorded again."""
    with pytest.raises(ZeroDivisionError), rehearsed():
        _ = 1 // 0
    record(actor=cast.actor("rita"), action="segment.looked_at", at=NOW)
    assert AuditEntry.objects.filter(action="segment.looked_at").count() == 1
