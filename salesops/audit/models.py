"""The audit: entries that only ever grow, each hashed with the one before it, and the head of the chain."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from salesops.audit.querysets import AuditEntryQuerySet
from salesops.audit.rules.chain import GENESIS, Link


class AuditEntry(models.Model):
    """Who changed what, when and why. Append-only in the database; `sequence` has no gaps.

    `actor_id` and `subject_id` are ids without foreign keys: an entry outlives what it is about, and the rows live in
    rooms above. `before` and `after` hold only what changed. `previous_hash` is unique, so the chain cannot fork.
    """

    sequence = models.BigIntegerField(_("number"), primary_key=True)
    at = models.DateTimeField(_("at"))
    actor_id = models.BigIntegerField(_("who (id)"), null=True, blank=True)
    actor_name = models.CharField(_("who"), max_length=150, blank=True)
    action = models.CharField(_("what"), max_length=60)
    subject_type = models.CharField(_("kind of row"), max_length=60, blank=True)
    subject_id = models.CharField(_("row"), max_length=64, blank=True)
    subject_label = models.CharField(_("about"), max_length=200, blank=True)
    before = models.JSONField(_("before"), default=dict, blank=True)
    after = models.JSONField(_("after"), default=dict, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    request_id = models.CharField(_("request"), max_length=64, blank=True)
    previous_hash = models.CharField(_("hash of the entry before"), max_length=64, unique=True)
    entry_hash = models.CharField(_("hash"), max_length=64)

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        ordering = ["-sequence"]
        verbose_name, verbose_name_plural = _("audit entry"), _("audit entries")
        indexes = [
            models.Index(fields=["subject_type", "subject_id", "-sequence"], name="audit_entry_subject"),
            models.Index(fields=["actor_id", "-sequence"], name="audit_entry_actor"),
            models.Index(fields=["action", "-sequence"], name="audit_entry_action"),
            models.Index(fields=["at"], name="audit_entry_at"),
        ]

    def __str__(self) -> str:
        return f"{self.sequence} · {self.action} · {self.subject_label}"

    def as_link(self) -> Link:
        """The entry as it is hashed."""
        return Link(
            sequence=self.sequence,
            at=self.at,
            actor_id=self.actor_id,
            actor_name=self.actor_name,
            action=self.action,
            subject_type=self.subject_type,
            subject_id=self.subject_id,
            subject_label=self.subject_label,
            before=self.before,
            after=self.after,
            reason=self.reason,
            request_id=self.request_id,
            previous_hash=self.previous_hash,
            entry_hash=self.entry_hash,
        )


class AuditHead(models.Model):
    """The end of the chain: one row, locked while entries are added. A shorter chain than this one was cut."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    sequence = models.BigIntegerField(_("last number"), default=0)
    entry_hash = models.CharField(_("last hash"), max_length=64, default=GENESIS)

    class Meta:
        verbose_name, verbose_name_plural = _("head of the audit"), _("heads of the audit")
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="audit_audithead_one_row")]

    def __str__(self) -> str:
        return f"{self.sequence}:{self.entry_hash}"
