"""Who may see imports and connections: revops and administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from salesops.core.actor import Noun
from salesops.core.querysets import ScopedQuerySet

if TYPE_CHECKING:
    from salesops.connectors.models import FileImport, RejectedRow, SavedMapping  # noqa: F401


class ImportQuerySet(ScopedQuerySet):
    """All or nothing, by the role."""

    noun = Noun.IMPORT
