"""The index behind the search boxes is there on PostgreSQL and serves what they ask."""

from __future__ import annotations

import pytest
from django.db import connection

from salesops.deals.models import Deal, Stage
from tests.cast import NOW

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite scans"),
]

INDEXES = {
    "deals_deal_name_search",
    "deals_deal_external_id_search",
    "leads_lead_name_search",
    "leads_lead_company_search",
    "leads_lead_email_search",
    "accounts_account_name_search",
    "accounts_contact_name_search",
    "accounts_contact_email_search",
}


def test_every_search_index_was_made() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE indexname LIKE %s", [r"%\_search"])
        assert {name for (name,) in cursor.fetchall()} >= INDEXES


def test_the_search_uses_it() -> None:
    stage = Stage.objects.earliest("pk")
    Deal.every.bulk_create(Deal(name=f"Deal {number}", stage=stage, created_at=NOW) for number in range(20_000))
    with connection.cursor() as cursor:
        # As autovacuum does: rows that other tests took back wait in the index, and make it look dear.
        cursor.execute("SELECT gin_clean_pending_list('deals_deal_name_search')")
        cursor.execute("ANALYZE deals_deal")
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = Deal.objects.filter(name__icontains="gekko").order_by().explain()
    assert "deals_deal_name_search" in plan
