"""What a person must be told, in the page and by mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from salesops.core.actor import Actor, Scope
from salesops.core.querysets import ScopedQuerySet

if TYPE_CHECKING:
    from typing import Self


class NoticeQuerySet(ScopedQuerySet["Notice"]):
    """A person's own, always and only."""

    def visible_to(self, actor: Actor) -> Self:
        """The actor's own notices, whatever their roles."""
        return self.filter(person_id=actor.user_id) if actor.user_id is not None else self.none()

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """The actor's own."""
        return self.filter(person_id=actor.user_id)


class Notice(models.Model):
    """One thing to tell one person. The same `key` for the same person is told once."""

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="notices", verbose_name=_("person")
    )
    key = models.CharField(max_length=120)
    title = models.CharField(_("title"), max_length=200)
    body = models.TextField(_("text"), blank=True)
    url = models.CharField(_("link"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("created at"), db_index=True)
    read_at = models.DateTimeField(_("read at"), null=True, blank=True)
    mailed_at = models.DateTimeField(_("mailed at"), null=True, blank=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name, verbose_name_plural = _("notice"), _("notices")
        constraints = [models.UniqueConstraint(fields=["person", "key"], name="notices_notice_once")]

    def __str__(self) -> str:
        return self.title
