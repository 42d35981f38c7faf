"""Sources, mappings, imports of files, the shelf of refused rows, and the names that were confirmed once."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from salesops.connectors.choices import ImportState, RowState
from salesops.connectors.querysets import ImportQuerySet


class Source(models.Model):
    """Where records come from. Its code is kept on every record that came from it, beside the record's own id there."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    note = models.TextField(_("note"), blank=True)
    is_active = models.BooleanField(_("in use"), default=True)

    class Meta:
        ordering = ["name"]
        verbose_name, verbose_name_plural = _("source"), _("sources")

    def __str__(self) -> str:
        return self.name


class SavedMapping(models.Model):
    """Which column of a file is which field, kept under a name. `signature` recognises files of the same shape."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    kind = models.CharField(_("what the rows are"), max_length=40)
    signature = models.CharField(max_length=64, db_index=True, editable=False)
    definition = models.JSONField(_("definition"))
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("made by"))
    made_at = models.DateTimeField(_("made at"))
    used_at = models.DateTimeField(_("last used at"), null=True, blank=True)

    objects = ImportQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name, verbose_name_plural = _("mapping"), _("mappings")

    def __str__(self) -> str:
        return self.name


class FileImport(models.Model):
    """One file on its way into the portal.

    `mapping` is the mapping as it is used here, frozen when the import starts; `layout` how the file is read; `preview`
    what would happen; the counts what did. `checkpoint` lives in the job.
    """

    source = models.ForeignKey(Source, models.PROTECT, related_name="imports", verbose_name=_("source"))
    kind = models.CharField(_("what the rows are"), max_length=40, blank=True)
    file_name = models.CharField(_("file"), max_length=200)
    stored_as = models.CharField(
        max_length=200, blank=True, editable=False, help_text="Path under MEDIA_ROOT; empty when swept."
    )
    size_bytes = models.BigIntegerField(_("size"), default=0)
    sha256 = models.CharField("SHA-256", max_length=64, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=ImportState.choices, default=ImportState.MAPPING)
    layout = models.JSONField(default=dict, blank=True)
    mapping = models.JSONField(_("mapping"), default=dict, blank=True)
    saved_mapping = models.ForeignKey(
        SavedMapping, models.SET_NULL, null=True, blank=True, related_name="imports", verbose_name=_("mapping")
    )
    notes = models.JSONField(default=list, blank=True)
    problems = models.JSONField(_("problems"), default=list, blank=True)
    preview = models.JSONField(default=dict, blank=True)
    rows_total = models.BigIntegerField(_("rows"), null=True, blank=True)
    rows_done = models.BigIntegerField(_("rows done"), default=0)
    created_count = models.BigIntegerField(_("created"), default=0)
    changed_count = models.BigIntegerField(_("changed"), default=0)
    unchanged_count = models.BigIntegerField(_("left alone"), default=0)
    refused_count = models.BigIntegerField(_("refused"), default=0)
    job_id = models.BigIntegerField(null=True, blank=True, editable=False)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="imports", verbose_name=_("uploaded by")
    )
    uploaded_at = models.DateTimeField(_("uploaded at"))
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    objects = ImportQuerySet.as_manager()

    class Meta:
        ordering = ["-uploaded_at", "-id"]
        verbose_name, verbose_name_plural = _("import"), _("imports")

    def __str__(self) -> str:
        return self.file_name


class RejectedRow(models.Model):
    """A row that could not be taken, on the shelf until somebody mends it or sets it aside.

    `is_taken`: its record came in, only what `problems` names did not. `cells` are packed by `tables.pack_cells`.
    """

    file_import = models.ForeignKey(FileImport, models.CASCADE, related_name="rejected_rows", verbose_name=_("import"))
    line = models.BigIntegerField(_("line"))
    cells = models.JSONField(_("cells"), default=list)
    raw = models.TextField(_("as it stands in the file"), blank=True)
    problems = models.JSONField(_("problems"), default=list)
    is_taken = models.BooleanField(_("taken in part"), default=False)
    state = models.CharField(_("state"), max_length=10, choices=RowState.choices, default=RowState.SHELVED)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)

    objects = ImportQuerySet.as_manager()

    class Meta:
        ordering = ["file_import", "line"]
        verbose_name, verbose_name_plural = _("refused row"), _("refused rows")
        constraints = [models.UniqueConstraint(fields=["file_import", "line"], name="connectors_rejectedrow_line")]
        indexes = [models.Index(fields=["state"], name="connectors_rejectedrow_state")]

    def __str__(self) -> str:
        return f"{self.file_import} · {self.line}"


class ConfirmedName(models.Model):
    """A name in files that a person confirmed to mean a record: "GTXPro" is the product "GTX Pro". Remembered."""

    kind = models.CharField(_("kind"), max_length=40)
    text = models.CharField(_("name in files"), max_length=200)
    record_id = models.BigIntegerField(_("record"))
    record_name = models.CharField(_("means"), max_length=200)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("confirmed by")
    )
    confirmed_at = models.DateTimeField(_("confirmed at"))

    class Meta:
        ordering = ["kind", "text"]
        verbose_name, verbose_name_plural = _("confirmed name"), _("confirmed names")
        constraints = [models.UniqueConstraint(fields=["kind", "text"], name="connectors_confirmedname_once")]

    def __str__(self) -> str:
        return f"{self.text} → {self.record_name}"
