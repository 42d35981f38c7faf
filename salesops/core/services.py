"""Changes of the core: saved views, list preferences, forms that were posted."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404
from django.utils.translation import gettext as _

from salesops.core.actor import Actor
from salesops.core.models import AnsweredRequest, ListPreference, PostedForm, SavedView
from salesops.core.selectors import own_saved_view, person_id, saved_views_for

#: A form may be posted again after a night, a holiday, a page restored by the browser; not after a month.
POSTED_FORMS_KEPT: Final = timedelta(days=30)
#: So long the answer to a program's key is kept.
ANSWERS_KEPT: Final = timedelta(days=60)
#: After so long without an answer whoever claimed a key is gone; longer than any request may take.
CLAIMS_HELD: Final = timedelta(minutes=10)


@transaction.atomic
def save_view(*, actor: Actor, page: str, name: str, query: str, is_shared: bool) -> SavedView:
    """Keep a list's query under a name; the same name again replaces what it stood for."""
    view, _created = SavedView.objects.update_or_create(
        owner_id=person_id(actor), page=page, name=name.strip()[:80], defaults={"query": query, "is_shared": is_shared}
    )
    return view


@transaction.atomic
def delete_view(*, actor: Actor, page: str, pk: int) -> str:
    """Remove one of the actor's own views and return its name. Raises Http404 for those of others."""
    view = own_saved_view(actor, page, pk)
    view.delete()
    return view.name


@transaction.atomic
def keep_columns(*, actor: Actor, page: str, columns: Sequence[str], page_size: int | None) -> ListPreference:
    """Remember the columns and the rows a page for the actor."""
    preference, _created = ListPreference.objects.update_or_create(
        owner_id=person_id(actor), page=page, defaults={"columns": list(columns), "page_size": page_size}
    )
    return preference


@transaction.atomic
def open_with(*, actor: Actor, page: str, pk: int | None) -> ListPreference:
    """Open the page with this view from now on; None opens it with all rows. Raises Http404 for a view not seen."""
    view = None
    if pk is not None:
        view = saved_views_for(actor, page).filter(pk=pk).first()
        if view is None:
            raise Http404
    preference, _created = ListPreference.objects.update_or_create(
        owner_id=person_id(actor), page=page, defaults={"opening_view": view}
    )
    return preference


@transaction.atomic
def post_once(*, actor: Actor, key: uuid.UUID, at: datetime, act: Callable[[], str]) -> tuple[str, bool]:
    """Do something once for a form's key: returns where it led, and whether it was done now.

    `act` changes things and returns the address of the result. The key's row and the changes are one transaction; a
    second post with the same key waits for the first and gets its address. A key of somebody else raises Http404.
    """
    posted, is_new = PostedForm.objects.get_or_create(
        key=key, defaults={"actor_id": actor.user_id or 0, "posted_at": at}
    )
    if not is_new:
        if posted.actor_id != (actor.user_id or 0):
            raise Http404
        return posted.location, False
    location = act()
    PostedForm.objects.filter(pk=posted.pk).update(location=location[:500])
    return location, True


def forget_posted_forms(*, at: datetime, limit: int = 1000) -> int:
    """Delete up to `limit` keys of forms that were posted long ago; how many, 0 when there are none any more."""
    old = PostedForm.objects.filter(posted_at__lt=at - POSTED_FORMS_KEPT).order_by("posted_at")[:limit]
    deleted, _by_model = PostedForm.objects.filter(pk__in=list(old.values_list("pk", flat=True))).delete()
    return deleted


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program is told: the status of HTTP and the body as JSON."""

    status: int
    body: str


def answer_once(*, actor: Actor, key: str, digest: str, at: datetime, act: Callable[[], Answer]) -> tuple[Answer, bool]:
    """Do something once for a program's key: returns what it was told, and whether it was done now.

    The key is claimed first, in a transaction of its own, so that others see that it is being worked on; the changes and
    their answer are another one. What is refused frees the key: nothing was done. digest: SHA-256 of what is asked.

    Raises ValidationError with the code "key-reused" when the key stands for another request, and "key-busy" while the
    first request with it is still being worked on.
    """
    claim, busy = (
        uuid.uuid4(),
        ValidationError(
            _("A request with this Idempotency-Key is being worked on. Ask again in a moment."), code="key-busy"
        ),
    )
    with transaction.atomic():
        row, is_new = AnsweredRequest.objects.get_or_create(
            actor_id=actor.user_id or 0, key=key, defaults={"digest": digest, "claim": claim, "asked_at": at}
        )
    mine = AnsweredRequest.objects.filter(pk=row.pk, claim=claim, status__isnull=True)
    if not is_new:
        if row.digest != digest:
            raise ValidationError(
                _("This Idempotency-Key stands for another request. Take a new key for a new request."),
                code="key-reused",
            )
        if row.status is not None:
            return Answer(row.status, row.body), False
        given_up = AnsweredRequest.objects.filter(
            pk=row.pk, claim=row.claim, status__isnull=True, asked_at__lte=at - CLAIMS_HELD
        )
        if not given_up.update(claim=claim, asked_at=at):
            raise busy
    try:
        with transaction.atomic():
            # Somebody may have taken over meanwhile; from here on nobody can.
            if not mine.select_for_update().exists():
                raise busy
            answer = act()
            mine.update(status=answer.status, body=answer.body)
    except BaseException:
        mine.delete()
        raise
    return answer, True


def forget_answers(*, at: datetime, limit: int = 1000) -> int:
    """Delete up to `limit` answers that were given long ago; how many, 0 when there are none any more."""
    old = AnsweredRequest.objects.filter(asked_at__lt=at - ANSWERS_KEPT).order_by("asked_at")[:limit]
    deleted, _by_model = AnsweredRequest.objects.filter(pk__in=list(old.values_list("pk", flat=True))).delete()
    return deleted
