"""Work in the background: mails for notices, and the word that a job was given up."""

from __future__ import annotations

from salesops.core.mail import absolute, send
from salesops.jobs import registry
from salesops.jobs.runner import JobRun
from salesops.notices.models import Notice


@registry.handles("notices.mail")
def mail(run: JobRun) -> None:
    """Send one notice by mail, unless it was sent, read or its reader left in the meantime."""
    notice = Notice.objects.select_related("person").filter(pk=run.payload["notice_id"]).first()
    if notice is None or notice.mailed_at or notice.read_at or not notice.person.is_active:
        return
    send(
        template="notice",
        to=notice.person.email,
        language=notice.person.language,
        key=run.key,
        context={
            "person": notice.person,
            "title": notice.title,
            "body": notice.body,
            "link": absolute(notice.url) if notice.url else "",
        },
    )
    with run.finish():
        Notice.objects.filter(pk=notice.pk).update(mailed_at=run.now())
