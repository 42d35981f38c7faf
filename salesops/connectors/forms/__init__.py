"""Forms of the connectors room."""

from salesops.connectors.forms.connections import (
    ConnectionForm,
    HoldForm,
    VendorForm,
    WebhookSecretForm,
    masters_from,
    stream_mapping_from,
)
from salesops.connectors.forms.imports import MendForm, ReadingForm, UploadForm, mapping_from

__all__ = [
    "ConnectionForm",
    "HoldForm",
    "MendForm",
    "ReadingForm",
    "UploadForm",
    "VendorForm",
    "WebhookSecretForm",
    "mapping_from",
    "masters_from",
    "stream_mapping_from",
]
