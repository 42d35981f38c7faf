"""The background's figures as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from salesops.jobs import health
from salesops.jobs.doorbell import bell

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class _Background(Collector):
    """Reads the figures when they are asked for: they are the same in every process."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def collect(self) -> Iterator[Metric]:
        """One family for each figure; a figure that cannot be measured is left out."""
        state = health.background(at=self._at)
        jobs = GaugeMetricFamily("salesops_jobs", "Jobs by state", labels=["state"])
        for name, count in sorted(state.counts.items()):
            jobs.add_metric([name], count)
        yield jobs
        figures = (
            ("salesops_jobs_oldest_due_seconds", "Age of the oldest job that is due", state.oldest_due_age or 0.0),
            ("salesops_jobs_lost", "Jobs whose worker is gone", state.lost_count),
            ("salesops_jobs_canary_age_seconds", "Since workers last showed that they listen", state.canary_age),
            ("salesops_scheduler_age_seconds", "Since a scheduler last showed that it is alive", state.scheduler_age),
            ("salesops_queue_messages", "Messages that wait in the queue", bell.queue_length()),
        )
        for name, text, value in figures:
            if value is not None:
                yield GaugeMetricFamily(name, text, value=value)


def text(*, at: datetime) -> bytes:
    """All figures, measured now."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Background(at))
    return generate_latest(registry)
