"""Connections to other systems: their secrets and budgets, what they bring, how far they are, and where each record is from."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from salesops.connectors.choices import (
    ConnectionState,
    DriftKind,
    EventState,
    HoldState,
    OutgoingState,
    RawState,
    RunKind,
    RunState,
    StreamState,
)
from salesops.connectors.models.files import Source
from salesops.connectors.querysets import ImportQuerySet


class Connection(models.Model):
    """A vendor's account that the portal is kept in step with.

    options: what a person said to connect (`Setting`). account_id, account_name: whom the vendor says it speaks for. hook_token: the secret part of the address that its
    webhooks are sent to. next_sync_at: when it is due; a vendor that asks us to wait moves it. error: the last problem as
    `Problem.as_plain` has it, {} when all is well. brake_deals, brake_minor: more closed deals, or more money in the
    company's currency, than these are not changed in one go without a person.
    """

    source = models.OneToOneField(Source, models.PROTECT, related_name="connection", verbose_name=_("source"))
    vendor = models.CharField(_("vendor"), max_length=40)
    state = models.CharField(_("state"), max_length=12, choices=ConnectionState.choices, default=ConnectionState.DRAFT)
    options = models.JSONField(_("settings"), default=dict, blank=True)
    account_id = models.CharField(_("account id"), max_length=120, blank=True, db_index=True)
    account_name = models.CharField(_("account"), max_length=200, blank=True)
    hook_token = models.CharField(max_length=64, unique=True, editable=False)
    sync_every = models.PositiveSmallIntegerField(_("minutes between syncs"), default=5)
    next_sync_at = models.DateTimeField(_("next sync"), null=True, blank=True)
    last_success_at = models.DateTimeField(_("last success"), null=True, blank=True)
    failing_since = models.DateTimeField(_("failing since"), null=True, blank=True)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    error = models.JSONField(_("problem"), default=dict, blank=True)
    brake_deals = models.PositiveIntegerField(_("closed deals that may change in one go"), default=25)
    brake_minor = models.BigIntegerField(_("money that may change in one go"), default=10_000_000)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("made by"))
    made_at = models.DateTimeField(_("made at"))
    reconciled_at = models.DateTimeField(_("reconciled"), null=True, blank=True)

    objects = ImportQuerySet.as_manager()

    class Meta:
        ordering = ["source__name"]
        verbose_name, verbose_name_plural = _("connection"), _("connections")
        indexes = [models.Index(fields=["state", "next_sync_at"], name="connectors_connection_due")]

    def __str__(self) -> str:
        return self.source.name

    def get_absolute_url(self) -> str:
        """The page of the connection."""
        return reverse("connectors:connection_detail", kwargs={"pk": self.pk})


class Credential(models.Model):
    """A secret of a connection, sealed with a key outside the database and bound to this row.

    `name`: access_token, refresh_token, api_key, client_secret, webhook_secret, webhook_secret_before ... `sealed` opens
    only for this connection and this name (`services.credentials`). renewing_until: until when one worker alone renews it.
    """

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="credentials", verbose_name=_("connection"))
    name = models.CharField(_("name"), max_length=40)
    sealed = models.TextField(editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    changed_at = models.DateTimeField(_("changed at"))
    renewing_until = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ImportQuerySet.as_manager()

    class Meta:
        ordering = ["connection", "name"]
        verbose_name, verbose_name_plural = _("credential"), _("credentials")
        constraints = [models.UniqueConstraint(fields=["connection", "name"], name="connectors_credential_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def bound_to(self) -> str:
        """What its seal is bound to."""
        return f"connectors.credential:{self.connection_id}:{self.name}"


class Authorization(models.Model):
    """A sign-in at a vendor that has begun: who began it, and what its return must bring. Used once, soon forgotten."""

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="authorizations")
    state_digest = models.CharField(max_length=64, unique=True)
    sealed_verifier = models.TextField(blank=True)
    redirect_uri = models.CharField(max_length=300)
    begun_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.connection_id}"

    @property
    def bound_to(self) -> str:
        """What the verifier's seal is bound to."""
        return f"connectors.authorization:{self.connection_id}:{self.state_digest}"


class Stream(models.Model):
    """One object of a connection: how it is mapped, who wins where, and how far it is.

    mapping: as `rules.mapping.Mapping` has it. masters: field to `Master`; what is missing is the source's. columns: what
    the vendor said it has. cursor: plain JSON of `services.pulling`, moved on in the transaction of the rows.
    load_total, load_done: the first load, as far as it can be told. revision: rises when a person changes the mapping or
    wants everything read once more, so that a sweep under way notices.
    """

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="streams", verbose_name=_("connection"))
    object = models.CharField(_("object"), max_length=60)
    kind = models.CharField(_("becomes"), max_length=40)
    position = models.PositiveSmallIntegerField(default=0, editable=False)
    is_wanted = models.BooleanField(_("in step"), default=True)
    columns = models.JSONField(_("columns"), default=list, blank=True)
    mapping = models.JSONField(_("mapping"), default=dict, blank=True)
    masters = models.JSONField(_("who wins"), default=dict, blank=True)
    cursor = models.JSONField(_("cursor"), default=dict, blank=True)
    revision = models.PositiveIntegerField(default=0, editable=False)
    pushed_at = models.DateTimeField(_("written back until"), null=True, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=StreamState.choices, default=StreamState.FIRST_LOAD)
    load_total = models.BigIntegerField(_("records at the source"), null=True, blank=True)
    load_done = models.BigIntegerField(_("records read"), default=0)
    load_began_at = models.DateTimeField(null=True, blank=True)
    last_success_at = models.DateTimeField(_("last success"), null=True, blank=True)
    error = models.JSONField(_("problem"), default=dict, blank=True)

    objects = ImportQuerySet.as_manager()

    class Meta:
        ordering = ["connection", "position"]
        verbose_name, verbose_name_plural = _("object"), _("objects")
        constraints = [models.UniqueConstraint(fields=["connection", "object"], name="connectors_stream_once")]

    def __str__(self) -> str:
        return f"{self.connection} · {self.object}"


class Met(models.Model):
    """Ids that a page of the sweep under way brought, kept until its end: each page its row, so that no page writes those of
    all before it once more. is_later: of those whose reference meant nothing yet, to be tried again; else of all of a
    sweep over the whole object, because what it no longer brings is gone."""

    stream = models.ForeignKey(Stream, models.CASCADE, related_name="met", verbose_name=_("object"))
    is_later = models.BooleanField(default=False)
    ids = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"{self.stream_id}: {len(self.ids)}"


class SyncRun(models.Model):
    """One run over a connection. counts: object to {created, changed, unchanged, refused, held, removed}."""

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="runs", verbose_name=_("connection"))
    kind = models.CharField(_("kind"), max_length=10, choices=RunKind.choices)
    state = models.CharField(_("state"), max_length=8, choices=RunState.choices, default=RunState.RUNNING)
    counts = models.JSONField(_("records"), default=dict, blank=True)
    pages = models.PositiveIntegerField(_("pages"), default=0)
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    error = models.JSONField(_("problem"), default=dict, blank=True)
    job_id = models.BigIntegerField(null=True, blank=True, editable=False)

    objects = ImportQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at", "-id"]
        verbose_name, verbose_name_plural = _("run"), _("runs")
        indexes = [models.Index(fields=["connection", "-started_at"], name="connectors_syncrun_newest")]

    def __str__(self) -> str:
        return f"{self.connection} · {self.get_kind_display()}"


class RawRecord(models.Model):
    """One record as its source last told it, and what the portal made of it: the origin of every record from a source.

    payload: JSON text of the telling that was taken; told: of a newer one that was refused or is held ("" when there is
    none, or when none was ever taken). version: of the newest telling; sorts as text; an older one never replaces a newer
    one. record_id: the portal's row of the stream's kind. digest: of the payload and the mapping by which it was taken.
    problems: why it is on the shelf. changed: what it changed when it last did, {column: [before, after]}. hold: where it
    waits for a person.
    """

    stream = models.ForeignKey(Stream, models.CASCADE, related_name="records", verbose_name=_("object"))
    external_id = models.CharField(_("id at the source"), max_length=200)
    version = models.CharField(_("version"), max_length=60)
    digest = models.CharField(max_length=32, editable=False)
    payload = models.TextField(_("as the source tells it"))
    told = models.TextField(_("a newer telling that waits"), blank=True)
    received_at = models.DateTimeField(_("received"))
    state = models.CharField(_("state"), max_length=9, choices=RawState.choices, default=RawState.TAKEN)
    problems = models.JSONField(_("problems"), default=list, blank=True)
    record_id = models.BigIntegerField(_("record"), null=True, blank=True)
    is_gone = models.BooleanField(_("gone at the source"), default=False)
    merged_into = models.CharField(_("merged into"), max_length=200, blank=True)
    changed = models.JSONField(_("what it changed"), default=dict, blank=True)
    hold = models.ForeignKey("Hold", models.SET_NULL, null=True, blank=True, related_name="records")

    objects = ImportQuerySet.as_manager()

    class Meta:
        ordering = ["stream", "external_id"]
        verbose_name, verbose_name_plural = _("record from a source"), _("records from sources")
        constraints = [models.UniqueConstraint(fields=["stream", "external_id"], name="connectors_rawrecord_once")]
        indexes = [
            models.Index(fields=["stream", "record_id"], name="connectors_rawrecord_record"),
            models.Index(
                fields=["stream", "state", "id"],
                condition=~Q(state=RawState.TAKEN),
                name="connectors_rawrecord_apart",
            ),
        ]

    def __str__(self) -> str:
        return self.external_id


class Hold(models.Model):
    """Changes of closed deals that came in one go and wait for a person. amount_minor: by how much money, in all, in the
    company's currency."""

    stream = models.ForeignKey(Stream, models.CASCADE, related_name="holds", verbose_name=_("object"))
    state = models.CharField(_("state"), max_length=12, choices=HoldState.choices, default=HoldState.WAITING)
    deals = models.PositiveIntegerField(_("deals"), default=0)
    amount_minor = models.BigIntegerField(_("by how much"), default=0)
    made_at = models.DateTimeField(_("since"))
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=300, blank=True)

    objects = ImportQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at", "-id"]
        verbose_name, verbose_name_plural = _("hold"), _("holds")
        constraints = [
            models.UniqueConstraint(
                fields=["stream"], condition=Q(state=HoldState.WAITING), name="connectors_hold_one_waits"
            )
        ]

    def __str__(self) -> str:
        return f"{self.stream}: {self.deals}"

    @property
    def coming(self) -> models.QuerySet[RawRecord]:
        """The records that wait in it; once they were let in, those that a job has yet to bring."""
        return RawRecord.objects.filter(hold=self, state=RawState.HELD)


class WebhookEvent(models.Model):
    """What a vendor pushed, stored before it was answered. `key` counts once; `body` is the raw delivery."""

    connection = models.ForeignKey(
        Connection, models.CASCADE, related_name="webhook_events", verbose_name=_("connection")
    )
    key = models.CharField(_("key"), max_length=200)
    object = models.CharField(_("object"), max_length=60, blank=True)
    external_id = models.CharField(_("id at the source"), max_length=200, blank=True)
    occurred_at = models.DateTimeField(_("occurred at"), null=True, blank=True)
    received_at = models.DateTimeField(_("received"))
    body = models.JSONField(_("event"), default=dict, blank=True)
    state = models.CharField(_("state"), max_length=8, choices=EventState.choices, default=EventState.NEW)
    error = models.JSONField(_("problem"), default=dict, blank=True)
    handled_at = models.DateTimeField(_("handled"), null=True, blank=True)

    objects = ImportQuerySet.as_manager()

    class Meta:
        ordering = ["-received_at", "-id"]
        verbose_name, verbose_name_plural = _("webhook"), _("webhooks")
        constraints = [models.UniqueConstraint(fields=["connection", "key"], name="connectors_webhookevent_once")]
        indexes = [
            models.Index(
                fields=["connection", "id"], condition=Q(state=EventState.NEW), name="connectors_webhookevent_new"
            )
        ]

    def __str__(self) -> str:
        return self.key


class RateBudget(models.Model):
    """How many requests a connection may still make: one row that all workers share.

    tokens: of the bucket, refilled by time; blocked_until: a vendor asked us to wait. The rest is what its replies said.
    """

    connection = models.OneToOneField(Connection, models.CASCADE, related_name="budget", verbose_name=_("connection"))
    tokens_milli = models.BigIntegerField(default=0)
    filled_at = models.DateTimeField()
    blocked_until = models.DateTimeField(_("waits until"), null=True, blank=True)
    limit = models.BigIntegerField(_("requests allowed"), null=True, blank=True)
    remaining = models.BigIntegerField(_("requests left"), null=True, blank=True)
    resets_at = models.DateTimeField(_("begins anew"), null=True, blank=True)
    day_limit = models.BigIntegerField(_("requests allowed a day"), null=True, blank=True)
    day_remaining = models.BigIntegerField(_("requests left today"), null=True, blank=True)
    requests = models.BigIntegerField(_("requests made"), default=0)

    def __str__(self) -> str:
        return f"{self.connection_id}"


class Outgoing(models.Model):
    """A change made in the portal on its way to the source. `values`: column to value, as the vendor spells it; `fields`:
    field to [what the source said, what the portal says]. `key` is the same for each attempt."""

    record = models.ForeignKey(RawRecord, models.CASCADE, related_name="outgoing", verbose_name=_("record"))
    key = models.CharField(max_length=64, unique=True)
    values = models.JSONField(_("values"), default=dict)
    fields = models.JSONField(_("fields"), default=dict)
    base_version = models.CharField(max_length=60)
    state = models.CharField(_("state"), max_length=9, choices=OutgoingState.choices, default=OutgoingState.WAITING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    made_at = models.DateTimeField(_("made at"))
    sent_at = models.DateTimeField(_("written at"), null=True, blank=True)
    error = models.JSONField(_("problem"), default=dict, blank=True)

    objects = ImportQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at", "-id"]
        verbose_name, verbose_name_plural = _("change written back"), _("changes written back")
        constraints = [
            models.UniqueConstraint(
                fields=["record"], condition=Q(state=OutgoingState.WAITING), name="connectors_outgoing_one_waits"
            )
        ]

    def __str__(self) -> str:
        return self.key


class Drift(models.Model):
    """A record that reconciling found to differ from its source. mended_at: a later look found it alike. detail: "columns":
    {column: [here, at the source]} of what differs, or "version": [here, at the source] where a newer one did not come."""

    stream = models.ForeignKey(Stream, models.CASCADE, related_name="drifts", verbose_name=_("object"))
    external_id = models.CharField(_("id at the source"), max_length=200)
    kind = models.CharField(_("what differs"), max_length=13, choices=DriftKind.choices)
    found_at = models.DateTimeField(_("found at"))
    mended_at = models.DateTimeField(_("mended at"), null=True, blank=True)
    detail = models.JSONField(default=dict, blank=True)

    objects = ImportQuerySet.as_manager()

    class Meta:
        ordering = ["-found_at", "-id"]
        verbose_name, verbose_name_plural = _("difference"), _("differences")
        constraints = [
            models.UniqueConstraint(
                fields=["stream", "external_id"], condition=Q(mended_at__isnull=True), name="connectors_drift_open_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.external_id}: {self.get_kind_display()}"
