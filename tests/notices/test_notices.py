"""What people are told: once, in their language, to them alone, by mail only when asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils.functional import lazystr
from django.utils.translation import get_language

from salesops.core.actor import system_actor
from salesops.jobs import registry
from salesops.jobs.models import Job
from salesops.jobs.testing import expire, run_due, run_killed
from salesops.notices.models import Notice
from salesops.notices.selectors import bell_text, unread_count
from salesops.notices.services import mark_read, tell
from salesops.people import services as people
from salesops.people.models import User
from tests.cast import NOW, Cast

ClientOf = Callable[[str], Client]


def tell_ana(cast: Cast, key: str = "statement:1", **more: Any) -> int:
    return tell(
        person_ids=[cast.ana.pk],
        key=key,
        title="Your statement is ready",
        body="June 2026",
        url="/commissions/1/",
        at=NOW,
        **more,
    )


def test_the_same_thing_is_told_once(cast: Cast) -> None:
    assert tell(person_ids=[cast.ana.pk, cast.sam.pk], key="k", title="T", at=NOW) == 2
    assert tell(person_ids=[cast.ana.pk, cast.sam.pk, cast.carl.pk], key="k", title="Other", at=NOW) == 1
    assert sorted(Notice.objects.values_list("person__name", "title")) == [
        ("Ana Alvarez", "T"),
        ("Carl Chen", "Other"),
        ("Sam Sorensen", "T"),
    ]


def test_whoever_cannot_log_in_is_told_nothing(cast: Cast) -> None:
    people.deactivate(actor=system_actor(), person=cast.ana, at=NOW)
    assert tell_ana(cast, mail=True) == 0
    assert tell(person_ids=[10**9], key="k", title="T", at=NOW) == 0
    assert (Notice.objects.count(), Job.objects.count()) == (0, 0)


def test_each_is_told_in_their_language(cast: Cast) -> None:
    cast.ana.language = "zh-hans"
    cast.ana.save()
    tell(
        person_ids=[cast.ana.pk, cast.sam.pk], key="k", title=lambda: f"in {get_language()}", body=lazystr("x"), at=NOW
    )
    assert dict(Notice.objects.values_list("person__name", "title")) == {
        "Ana Alvarez": "in zh-hans",
        "Sam Sorensen": "in en",
    }
    assert get_language() == "en"


@pytest.mark.parametrize(
    "url", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "x"]
)
def test_a_notice_leads_only_into_the_portal(cast: Cast, url: str) -> None:
    with pytest.raises(ValueError, match="not a path"):
        tell(person_ids=[cast.ana.pk], key="k", title="T", url=url, at=NOW)
    with pytest.raises(ValueError, match="needs a key"):
        tell(person_ids=[cast.ana.pk], key="", title="T", at=NOW)
    assert Notice.objects.count() == 0


def test_a_mail_goes_out_by_a_job_in_text_and_html(cast: Cast, settings: Any) -> None:
    settings.SITE_URL = "https://sales.example.com"
    tell_ana(cast, mail=True)
    tell_ana(cast, mail=True)
    assert mail.outbox == []
    run_due(at=NOW)
    run_due(at=NOW)
    (message,) = mail.outbox
    assert (message.to, message.subject) == (["ana@example.com"], "Your statement is ready")
    assert "https://sales.example.com/commissions/1/" in str(message.body)
    assert "Hello Ana," in str(message.body)
    html, kind = message.alternatives[0]
    assert kind == "text/html"
    assert 'href="https://sales.example.com/commissions/1/"' in str(html)
    assert message.extra_headers["Message-ID"].endswith("@sales.example.com>")
    assert Notice.objects.get().mailed_at == NOW


def test_a_mail_is_not_sent_for_what_was_read_or_to_whoever_left(cast: Cast) -> None:
    tell_ana(cast, "a", mail=True)
    tell(person_ids=[cast.sam.pk], key="b", title="T", at=NOW, mail=True)
    mark_read(actor=cast.actor("ana"), at=NOW)
    people.deactivate(actor=system_actor(), person=cast.sam, at=NOW)
    run_due(at=NOW)
    assert mail.outbox == []
    assert set(Job.objects.values_list("state", flat=True)) == {"done"}


def test_a_mail_that_is_sent_again_after_a_crash_is_the_same_mail(cast: Cast) -> None:
    tell_ana(cast, mail=True)
    job = Job.objects.get()
    assert run_killed(job, commit=1, before=True, at=NOW)
    expire(job)
    run_due(at=NOW)
    from salesops.jobs.runner import run

    run(job.pk, worker="test", clock=lambda: NOW, has_heart=False, raise_errors=True)
    assert Notice.objects.get().mailed_at == NOW
    assert len({message.extra_headers["Message-ID"] for message in mail.outbox}) == 1


def test_a_title_cannot_forge_a_header(cast: Cast) -> None:
    tell(person_ids=[cast.ana.pk], key="k", title="Hi\r\nBcc: x@evil.example", at=NOW, mail=True)
    run_due(at=NOW)
    (message,) = mail.outbox
    assert "\n" not in message.subject
    assert message.recipients() == ["ana@example.com"]
    assert "Bcc" not in message.message()


def test_markup_in_a_notice_stays_text(cast: Cast, client_of: ClientOf) -> None:
    tell(person_ids=[cast.ana.pk], key="k", title="<b>x</b>", body="<img src=x>", at=NOW, mail=True)
    run_due(at=NOW)
    page = client_of("ana").get("/notices/").content.decode()
    html = str(mail.outbox[0].alternatives[0][0])
    for text in (page, html):
        assert "<b>x</b>" not in text
        assert "<img src=x>" not in text


def test_the_bell_counts_up_to_ninety_nine(cast: Cast, client_of: ClientOf) -> None:
    ana = cast.actor("ana")
    assert (unread_count(ana), bell_text(0)) == (0, "")
    for number in range(120):
        tell_ana(cast, f"k{number}")
    assert unread_count(ana) == 100
    assert [bell_text(n) for n in (1, 99, 100)] == ["1", "99", "99+"]
    assert "99+" in client_of("ana").get("/notices/bell/").content.decode()
    assert client_of("sam").get("/notices/bell/").content.decode().strip() == ""


def test_opening_one_marks_it_and_goes_there(cast: Cast, client_of: ClientOf) -> None:
    tell_ana(cast)
    notice = Notice.objects.get()
    client = client_of("ana")
    page = client.get("/notices/?unread=1").content.decode()
    assert "Your statement is ready" in page
    response = client.post(f"/notices/{notice.pk}/open/")
    assert (response.status_code, response.headers["Location"]) == (302, "/commissions/1/")
    notice.refresh_from_db()
    assert notice.read_at == NOW
    assert "All read" in client.get("/notices/?unread=1").content.decode()
    assert "Your statement is ready" in client.get("/notices/").content.decode()


def test_nobody_reads_or_marks_somebody_elses(cast: Cast, client_of: ClientOf) -> None:
    tell_ana(cast)
    notice = Notice.objects.get()
    for name in ("sam", "max", "ada", "rita"):
        client = client_of(name)
        assert "Your statement" not in client.get("/notices/").content.decode()
        assert client.post(f"/notices/{notice.pk}/open/").status_code == 404
        client.post("/notices/read/")
    notice.refresh_from_db()
    assert notice.read_at is None


def test_marking_changes_nothing_by_looking(cast: Cast, client_of: ClientOf) -> None:
    tell_ana(cast)
    client = client_of("ana")
    notice = Notice.objects.get()
    assert client.get(f"/notices/{notice.pk}/open/").status_code == 405
    assert client.get("/notices/read/").status_code == 405
    client.get("/notices/")
    assert unread_count(cast.actor("ana")) == 1
    assert client.post("/notices/read/").status_code == 302
    assert unread_count(cast.actor("ana")) == 0


def test_a_job_that_is_given_up_is_told(cast: Cast) -> None:
    job = Job.objects.create(
        kind="jobs.canary",
        key="x",
        title="Import of leads",
        requested_by_id=cast.ana.pk,
        created_at=NOW,
        run_after=NOW,
        ring_after=NOW,
        attempts=5,
        last_error="disk full",
    )
    registry.tell_dead(job, at=NOW)
    registry.tell_dead(job, at=NOW + timedelta(minutes=1))
    assert sorted(Notice.objects.values_list("person__name", "title", "body")) == [
        (name, "Given up: Import of leads", "It was tried 5 times. The last error: disk full")
        for name in ("Ada Admin", "Ana Alvarez", "Rita Revops")
    ]


def test_a_job_that_came_round_and_is_given_up_is_told_in_the_readers_language(cast: Cast) -> None:
    User.objects.filter(pk=cast.rita.pk).update(language="zh-hans")
    job = Job.objects.create(
        kind="jobs.tidy",
        key="y",
        title="Old jobs are cleared away",
        created_at=NOW,
        run_after=NOW,
        ring_after=NOW,
        attempts=5,
    )
    registry.tell_dead(job, at=NOW)
    assert dict(Notice.objects.values_list("person__name", "title")) == {
        "Ada Admin": "Given up: Old jobs are cleared away",
        "Rita Revops": "已放弃：清理旧作业",
    }


def test_jobs_run_with_the_rights_of_those_who_asked(cast: Cast) -> None:
    job = Job(kind="jobs.canary", requested_by_id=cast.ana.pk)
    assert registry.actor_for_job(job, at=NOW).pod_ids == {cast.north.pk}
    people.deactivate(actor=system_actor(), person=cast.ana, at=NOW)
    assert registry.actor_for_job(job, at=NOW).roles == frozenset()
