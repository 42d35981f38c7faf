"""placeholder"""
from dataclasses import dataclass
from datetime import datetime, timedelta
@dataclass(frozen=True)
class Reading:
    limit: int | None = None
    remaining: int | None = None
    resets_at: datetime | None = None
    day_limit: int | None = None
    day_remaining: int | None = None
def wait_of(status, headers, attempt, now, jitter):
    after = (headers or {}).get("retry-after")
    if after: return timedelta(seconds=float(after))
    return timedelta(seconds=min(60, 2**attempt)*jitter)
def reading_of(headers, now):
    return None
