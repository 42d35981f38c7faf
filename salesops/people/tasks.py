"""Work in the background: mails with a link to choose a password, and what a new day changes by itself."""

from __future__ import annotations

from allauth.account import app_settings as account_settings
from allauth.account.utils import user_pk_to_url_str
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from salesops.core.actor import system_actor
from salesops.core.mail import absolute, send
from salesops.jobs import registry
from salesops.jobs.runner import JobRun
from salesops.people.models import User
from salesops.people.services import day_has_come

registry.comes_round(
    code="people-new-day", title=_("People: what a new day changes"), kind="people.new_day", rule="7 * * * *"
)


def password_link(person: User) -> str:
    """An address at which this person, once, may choose a password. It dies with the next log-in or password."""
    key = account_settings.PASSWORD_RESET_TOKEN_GENERATOR().make_token(person)
    return absolute(
        reverse("account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(person), "key": key})
    )


@registry.handles("people.password_reset")
def mail_password_reset(run: JobRun) -> None:
    """Mail a password link to whoever has this address. Nobody has it, or they cannot log in: nothing happens."""
    person = User.objects.annotate(low=Lower("email")).filter(low=run.payload["email"], is_active=True).first()
    if person is not None:
        _mail(run, person, "password_reset")


@registry.handles("people.invite")
def mail_invitation(run: JobRun) -> None:
    """Mail a newcomer the link with which to choose a password."""
    person = User.objects.filter(pk=run.payload["person_id"], is_active=True).first()
    if person is not None:
        _mail(run, person, "invitation")


@registry.handles("people.new_day")
def new_day(run: JobRun) -> None:
    """Lock out people whose last day has passed; let the admin flags follow the roles."""
    with run.finish():
        day_has_come(actor=system_actor(), at=run.now())


def _mail(run: JobRun, person: User, template: str) -> None:
    """Send the mail. The link is made here and kept nowhere."""
    send(
        template=template,
        to=person.email,
        language=person.language,
        key=f"{run.key}:{run.job.pk}",
        context={"person": person, "link": password_link(person)},
    )
