"""What the pages of rows that were removed in their source have in common: the words, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from salesops.core.actor import Actor, Role
from salesops.core.models import Removable
from salesops.core.upserts import UpsertResult
from salesops.core.views import PortalView
from salesops.core.views.base import redirect_for

#: Who brings rows back by hand.
RESTORERS = (Role.REVOPS, Role.ADMIN)


def removal_context(actor: Actor, row: Removable) -> dict[str, Any]:
    """What the page of a removed row says and offers; nothing for one that is there."""
    if not row.is_removed:
        return {}
    noun = f"{row._meta.app_label}:{row._meta.model_name}"
    successor = row.merged_into
    return {
        "removed": row,
        "restore_url": reverse(f"{noun}_restore", args=[row.pk]) if actor.has(*RESTORERS) else "",
        "successor": successor,
        "successor_url": reverse(f"{noun}_detail", args=[successor.pk]) if successor is not None else "",
    }


class RestoreView(PortalView):
    """Brings a removed row back: `selector` finds it for the actor, `service` restores it."""

    roles = RESTORERS
    selector: ClassVar[Callable[[Actor, int], Any]]
    service: ClassVar[Callable[..., UpsertResult]]

    @cached_property
    def object(self) -> Removable:
        """The row; 404 when it is not the actor's."""
        row: Removable = self.unbound("selector")(self.actor, self.kwargs["pk"])
        return row

    def post(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Restore it and show its page."""
        row = self.object
        self.unbound("service")(pks=[row.pk], actor=self.actor, at=self.now)
        messages.success(request, _("It is there again: %(row)s.") % {"row": row})
        return redirect_for(request, reverse(f"{row._meta.app_label}:{row._meta.model_name}_detail", args=[row.pk]))
