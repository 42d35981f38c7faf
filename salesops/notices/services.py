"""Tells people things, once, and remembers what they have read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import datetime

from django.db import transaction
from django.urls import NoReverseMatch, reverse
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from salesops.core.actor import Actor, Role, system_actor
from salesops.core.days import company_day
from salesops.core.mail import is_local
from salesops.jobs.models import Job
from salesops.jobs.services import enqueue
from salesops.notices.models import Notice
from salesops.people.models import User
from salesops.people.selectors import holders_of

#: Text, a lazy translation, or a function that makes the text while the reader's language is active.
Text = str | Promise | Callable[[], str]


def tell(
    *,
    person_ids: Iterable[int],
    key: str,
    title: Text,
    body: Text = "",
    url: str = "",
    at: datetime,
    mail: bool = False,
) -> int:
    """Tell each of these people once: the same `key` is never told twice to the same person. Returns how many were told.

    `title` and `body` are worked out in each person's language. `url` is a path of the portal, or empty; anything else
    raises ValueError. With `mail` they also get it by mail, by way of a job. People who cannot log in are left out.
    """
    if url and not is_local(url):
        raise ValueError(f"{url[:80]!r} is not a path of the portal")
    if not key:
        raise ValueError("a notice needs a key")
    wanted = set(person_ids)
    with transaction.atomic():
        known = set(Notice.objects.filter(key=key, person_id__in=wanted).values_list("person_id", flat=True))
        people = User.objects.filter(pk__in=wanted - known, is_active=True).order_by("pk")
        fresh = [
            Notice(
                person=person,
                key=key,
                title=_in(person.language, title)[:200],
                body=_in(person.language, body),
                url=url,
                created_at=at,
            )
            for person in people
        ]
        Notice.objects.bulk_create(fresh, ignore_conflicts=True)
        if mail and fresh:
            for notice in Notice.objects.filter(
                key=key, person_id__in=[notice.person_id for notice in fresh], mailed_at__isnull=True
            ):
                enqueue(
                    kind="notices.mail",
                    key=f"notices.mail:{notice.pk}",
                    payload={"notice_id": notice.pk},
                    actor=system_actor(),
                    at=at,
                    title=_("Mail: %(subject)s") % {"subject": notice.title},
                )
    return len(fresh)


def tell_of_dead_job(job: Job, *, at: datetime) -> None:
    """Tell whoever asked for a job that it was given up, and those who run the portal."""
    watchers = holders_of(Role.ADMIN, Role.REVOPS, on=company_day(at)).values_list("pk", flat=True)
    people = {*watchers, *([job.requested_by_id] if job.requested_by_id else [])}
    tell(
        person_ids=people,
        key=f"job-dead:{job.pk}:{job.attempts}",
        title=lambda: _("Given up: %(job)s") % {"job": job.shown_title},
        body=lambda: (
            _("It was tried %(count)d times. The last error: %(error)s")
            % {"count": job.attempts, "error": job.last_error[-500:] or "—"}
        ),
        url=_page_of(job),
        at=at,
    )


def mark_read(*, actor: Actor, at: datetime, notice_ids: Collection[int] | None = None) -> int:
    """Mark the actor's own unread notices as read: these, or all when none are named. Returns how many were unread."""
    unread = Notice.objects.visible_to(actor).filter(read_at__isnull=True)
    if notice_ids is not None:
        unread = unread.filter(pk__in=notice_ids)
    return unread.update(read_at=at)


def _page_of(job: Job) -> str:
    """The job's page; nothing where the portal has none."""
    try:
        return reverse("jobs:job_detail", kwargs={"pk": job.pk})
    except NoReverseMatch:
        return ""


def _in(language: str, text: Text) -> str:
    """The text in a language."""
    with translation.override(language):
        return str(text()) if callable(text) and not isinstance(text, Promise) else str(text)
