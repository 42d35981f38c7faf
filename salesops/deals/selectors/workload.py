"""How many open deals pods and people have on their desks, for the pods room below."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Count

from salesops.deals.choices import StageKind
from salesops.deals.models import Deal
from salesops.pods.workload import Load


def open_deals(*, pod_ids: Collection[int], person_ids: Collection[int]) -> Load:
    """The open deals that these pods and people hold."""
    rows = Deal.objects.filter(kind=StageKind.OPEN).order_by()
    by_pod = rows.filter(pod__in=pod_ids).values_list("pod").annotate(count=Count("pk")) if pod_ids else ()
    by_person = rows.filter(owner__in=person_ids).values_list("owner").annotate(count=Count("pk")) if person_ids else ()
    return Load(by_pod=dict(by_pod), by_person=dict(by_person))
