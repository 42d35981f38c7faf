"""The first start makes a company and an administrator, and prints their passwords once; later starts print nothing secret."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from salesops.audit.models import AuditEntry
from salesops.core.actor import Role
from salesops.deals.models import Deal
from salesops.home.demo import services
from salesops.home.demo.size import Size
from salesops.people.models import RoleGrant, User
from salesops.pods.selectors import actor_for
from tests.cast import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small company, at a fixed moment."""
    monkeypatch.delenv("SALESOPS_DEMO", raising=False)
    monkeypatch.setattr(Size, "scaled", classmethod(lambda cls, factor: cls(30, 30)))


def run(capsys: pytest.CaptureFixture[str], **options: str) -> str:
    call_command("first_run", **options)
    return capsys.readouterr().out


def password_in(text: str, after: str) -> str:
    return text.split(after)[1].split("with the password  ")[1].split()[0]


def test_first_start_makes_a_company_and_an_administrator(capsys: pytest.CaptureFixture[str], frozen: object) -> None:
    text = run(capsys)
    admin = User.objects.get(email="admin@example.com")
    assert admin.check_password(password_in(text, "First administrator"))
    assert admin.is_staff
    assert admin.is_superuser
    assert actor_for(admin, at=NOW).roles == {Role.ADMIN}
    assert Deal.objects.count() == 30
    assert User.objects.count() == 45
    shared = password_in(text, "Log in as any of these")
    assert User.objects.exclude(pk=admin.pk)[0].check_password(shared)
    assert shared != password_in(text, "First administrator")
    assert "http://127.0.0.1:8000" in text
    assert "second factor" in text
    created = AuditEntry.objects.get(action="person.created")
    assert created.subject_label == "Administrator"


def test_later_starts_print_no_secret_and_change_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys)
    hashes = list(User.objects.order_by("pk").values_list("pk", "password"))
    text = run(capsys)
    assert text == "Salesops is at http://127.0.0.1:8000\n"
    assert list(User.objects.order_by("pk").values_list("pk", "password")) == hashes
    assert AuditEntry.objects.filter(action="person.created").count() == 1


def test_two_first_starts_do_not_print_the_same_password(capsys: pytest.CaptureFixture[str]) -> None:
    from django.db import transaction

    passwords = set()
    for _ in range(2):
        with transaction.atomic():
            passwords.add(password_in(run(capsys), "First administrator"))
            transaction.set_rollback(True)
    assert len(passwords) == 2
    assert all(len(password) >= 16 for password in passwords)


@pytest.mark.parametrize("value", ["0", "false", "No"])
def test_a_company_of_ones_own_begins_empty(
    value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALESOPS_DEMO", value)
    text = run(capsys, email="Boss@Example.ORG", name="The Boss")
    assert "demo" not in text.lower()
    user = User.objects.get()
    assert (user.email, user.name) == ("boss@example.org", "The Boss")
    assert RoleGrant.objects.get().role == "admin"
    assert Deal.objects.count() == 0


def test_nothing_is_printed_or_kept_when_the_demo_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "make_company", lambda **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(capsys)
    assert "password" not in capsys.readouterr().out
    assert not User.objects.exists()
