"""Sources of records: files that are brought in, and connections that are kept in step."""

from salesops.connectors.models.connections import (
    Authorization,
    Connection,
    Credential,
    Drift,
    Hold,
    Met,
    Outgoing,
    RateBudget,
    RawRecord,
    Stream,
    SyncRun,
    WebhookEvent,
)
from salesops.connectors.models.files import ConfirmedName, FileImport, RejectedRow, SavedMapping, Source

__all__ = [
    "Authorization",
    "ConfirmedName",
    "Connection",
    "Credential",
    "Drift",
    "FileImport",
    "Hold",
    "Met",
    "Outgoing",
    "RateBudget",
    "RawRecord",
    "RejectedRow",
    "SavedMapping",
    "Source",
    "Stream",
    "SyncRun",
    "WebhookEvent",
]
