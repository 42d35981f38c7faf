"""Fixed lists of the connectors room."""

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _

#: The switch for bringing in files.
IMPORTS: Final = "imports"


class ImportState(models.TextChoices):
    """Where a file's import stands."""

    MAPPING = "mapping", _("Columns to be matched")
    READY = "ready", _("Ready to import")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")
    REFUSED = "refused", _("File refused")


#: States in which columns can be changed and the import can begin.
CHANGEABLE: Final = (ImportState.MAPPING, ImportState.READY, ImportState.FAILED, ImportState.CANCELLED)


class RowState(models.TextChoices):
    """Where a shelved row stands."""

    SHELVED = "shelved", _("On the shelf")
    MENDED = "mended", _("Mended and taken")
    DISMISSED = "dismissed", _("Set aside")
