"""Fixed lists of the connectors room."""

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _

#: The switch for bringing in files.
IMPORTS: Final = "imports"
#: The problem of an object that all at once is empty at its source; a person may say that it really is.
SUDDENLY_EMPTY: Final = "suddenly-empty"


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


class ConnectionState(models.TextChoices):
    """Where a connection stands."""

    DRAFT = "draft", _("Being set up")
    RUNNING = "running", _("In step")
    PAUSED = "paused", _("Paused")
    BROKEN = "broken", _("To be connected anew")
    DISCONNECTED = "disconnected", _("Disconnected")


class StreamState(models.TextChoices):
    """Where an object of a connection stands."""

    FIRST_LOAD = "first_load", _("First load")
    FOLLOWING = "following", _("Following")
    FAILED = "failed", _("Needs a look")


class Master(models.TextChoices):
    """Who wins where the source and the portal say different things about a field."""

    CRM = "crm", _("The source wins")
    PORTAL = "portal", _("The portal wins")
    NEWEST = "newest", _("The newest wins")
    FILL = "fill", _("Fill if empty")


#: Fields of these masters flow back to the source where it lets them be written.
OUTGOING_MASTERS: Final = (Master.PORTAL, Master.NEWEST)


class RawState(models.TextChoices):
    """What became of a record that came in."""

    TAKEN = "taken", _("Taken")
    REFUSED = "refused", _("Refused")
    HELD = "held", _("Held for a person")
    DELETED = "deleted", _("Deleted at the source")
    DISMISSED = "dismissed", _("Set aside")


class RunKind(models.TextChoices):
    """Why a run was made."""

    SYNC = "sync", _("Sync")
    INBOX = "inbox", _("Webhooks")
    RECONCILE = "reconcile", _("Reconcile")
    OUTGOING = "outgoing", _("Written back")
    RETRY = "retry", _("Shelf tried again")


class RunState(models.TextChoices):
    """Where a run stands."""

    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    WAITING = "waiting", _("Waits for the vendor")
    FAILED = "failed", _("Failed")


class EventState(models.TextChoices):
    """What became of a webhook."""

    NEW = "new", _("Waiting")
    HANDLED = "handled", _("Handled")
    IGNORED = "ignored", _("Of no concern")
    FAILED = "failed", _("Failed")


class HoldState(models.TextChoices):
    """Whether what is held may come in."""

    WAITING = "waiting", _("Waits for a decision")
    ADMITTED = "admitted", _("Let in")
    TURNED_AWAY = "turned_away", _("Turned away")


class OutgoingState(models.TextChoices):
    """Where a change on its way to the source stands."""

    WAITING = "waiting", _("On its way")
    WRITTEN = "written", _("Written")
    OVERTAKEN = "overtaken", _("Overtaken by the source")
    REFUSED = "refused", _("Refused by the source")


class DriftKind(models.TextChoices):
    """How a record differs from its source."""

    MISSING_HERE = "missing_here", _("Missing here")
    MISSING_THERE = "missing_there", _("No longer at the source")
    DIFFERS = "differs", _("Different here")
