"""Refusals of the commissions room. Each says what to do."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied, ValidationError


class CommissionRefusedError(ValidationError):
    """What was asked cannot be done now; the message says why and what to do. Nothing was changed."""


class NotAllowedError(PermissionDenied):
    """The actor may not do this, or not with their own work."""
