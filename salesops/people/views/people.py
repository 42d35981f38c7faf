"""Pages about people: the directory, one person, and each change that can be made."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.audit.selectors import history_of
from salesops.audit.wording import described
from salesops.core.actor import Actor, Role
from salesops.core.days import company_day
from salesops.core.forms import PortalForm
from salesops.core.views import (
    ConfirmView,
    Empty,
    PortalView,
    ScopedDetailView,
    ScopedEditView,
    ScopedFormView,
    ScopedListView,
)
from salesops.people import selectors, services
from salesops.people.filters import PersonFilter
from salesops.people.forms import people as forms
from salesops.people.models import User
from salesops.people.reauth import require_recent
from salesops.people.tables import PersonTable

#: How many entries a person's page shows of their history.
_HISTORY = 30
recently = method_decorator(require_recent(minutes=10), name="dispatch")


class PersonListView(ScopedListView):
    """Who works here."""

    selector = selectors.people_for
    table_class = PersonTable
    filterset_class = PersonFilter
    title = gettext_lazy("People")
    template_name = "people/person_list.html"
    create_url = "people:person_invite"
    create_label = gettext_lazy("Invite somebody")
    empty = Empty(
        gettext_lazy("Nobody here yet"), gettext_lazy("Invite the first person, or import your people."), "users"
    )

    def may_create(self) -> bool:
        """Administrators invite."""
        return selectors.may_grant(self.actor)


class PersonTreeView(PortalView):
    """Who reports to whom today."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """The whole tree; it is as large as the company."""
        context = {
            "title": _("Who reports to whom"),
            "branches": selectors.tree_for(self.actor, day=company_day(self.now)),
        }
        return render(request, "people/person_tree.html", context)


class PersonDetailView(ScopedDetailView):
    """One person: roles, function and reporting line in time, hours, leave, history."""

    selector = selectors.person_for
    template_name = "people/person_detail.html"

    def get_context(self) -> dict[str, Any]:
        """Everything that the actor may see, and what they may change."""
        day = company_day(self.now)
        profile = selectors.profile_for(self.actor, self.object.pk, day=day)
        is_self = self.actor.user_id == self.object.pk
        shows_history = selectors.may_edit(self.actor) or is_self
        history = list(history_of(self.actor, self.object)[:_HISTORY]) if shows_history else []
        return {
            "person": self.object,
            "profile": profile,
            "today": day,
            "is_self": is_self,
            "is_away": bool(selectors.away_on(day, [self.object.pk])),
            "may_edit": selectors.may_edit(self.actor),
            "may_grant": selectors.may_grant(self.actor),
            "may_note_leave": selectors.may_edit(self.actor) or self.object.pk in self.actor.tree_ids,
            "shows_history": shows_history,
            "history": described(history),
        }


class _PersonForm(ScopedEditView):
    """A change to one person; afterwards back to their page."""

    selector = selectors.person_for
    object: User

    def allows(self, actor: Actor) -> bool:
        """Editors, unless a page says otherwise."""
        return selectors.may_edit(actor)

    def get_form_kwargs(self) -> dict[str, Any]:
        """The row is not a model form's instance, but for those that are."""
        kwargs = super().get_form_kwargs()
        kwargs["initial"] = {**self.get_initial(), **kwargs.get("initial", {})}
        return kwargs

    def get_initial(self) -> dict[str, Any]:
        """Most changes hold from today."""
        return {"start_on": company_day(self.now)}

    def get_back_url(self) -> str:
        """The person's page."""
        return reverse("people:person_detail", kwargs={"pk": self.object.pk})

    def get_title(self) -> str:
        """What, and about whom."""
        return f"{self.title} · {self.object}"

    def change(self, values: dict[str, Any]) -> None:
        """Call the service."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it changes")

    def save(self, form: Any) -> str:
        """Call the service, then go to the person's page."""
        self.change(form.values)
        return self.get_back_url()


class _AdminForm(_PersonForm):
    """A change that administrators make."""

    def allows(self, actor: Actor) -> bool:
        """Administrators only."""
        return selectors.may_grant(actor)


def said_about_mail(said: str) -> str:
    """What is said after a mail was sent; without a mail server also where the mails lie instead."""
    if not settings.EMAIL_BACKEND.endswith(".filebased.EmailBackend"):
        return said
    where = _("No mail server is set up (EMAIL_URL): mails are kept as files in %(folder)s.")
    return f"{said} {where % {'folder': settings.EMAIL_FILE_PATH}}"


@recently
class PersonInviteView(ScopedFormView):
    """A new person, who gets a mail to choose a password."""

    roles = (Role.ADMIN,)
    form_class = forms.InviteForm
    title = gettext_lazy("Invite somebody")
    submit_label = gettext_lazy("Invite")
    back_url = "people:person_list"
    success_message = gettext_lazy("Invited. A mail with a link to choose a password is on its way.")

    def get_success_message(self, result: Any) -> str:
        """With the place of the mail where there is no server."""
        return said_about_mail(super().get_success_message(result))

    def get_initial(self) -> dict[str, Any]:
        """They start today."""
        return {"started_on": company_day(self.now), **super().get_initial()}

    def save(self, form: Any) -> str:
        """Make the account and send the mail."""
        person = services.invite(actor=self.actor, at=self.now, **form.values)
        return reverse("people:person_detail", kwargs={"pk": person.pk})


class PersonEditView(_PersonForm):
    """Name, address, numbers, language."""

    form_class = forms.PersonForm
    title = gettext_lazy("Edit")

    def get_initial(self) -> dict[str, Any]:
        """The row's own values."""
        return {}

    def change(self, values: dict[str, Any]) -> None:
        """Only what may be changed."""
        services.edit_person(actor=self.actor, person=self.object, at=self.now, **values)


@recently
class RoleGrantView(_AdminForm):
    """Give a role."""

    form_class = forms.RoleGrantForm
    title = gettext_lazy("Give a role")

    def change(self, values: dict[str, Any]) -> None:
        """Grant it."""
        services.grant_role(actor=self.actor, person=self.object, at=self.now, **values)


@recently
class RoleRevokeView(_AdminForm):
    """Take a role."""

    form_class = forms.EndForm
    title = gettext_lazy("Take the role away")
    is_danger = True
    submit_label = gettext_lazy("Take it away")

    @cached_property
    def grant(self) -> Any:
        """The grant, of this person."""
        found = self.object.role_grants.filter(pk=self.kwargs["grant"]).first()
        if found is None:
            raise Http404
        return found

    def get_title(self) -> str:
        """Which role."""
        return f"{self.title}: {self.grant.get_role_display()} · {self.object}"

    def get_initial(self) -> dict[str, Any]:
        """From today on."""
        return {"end_on": company_day(self.now)}

    def change(self, values: dict[str, Any]) -> None:
        """Revoke it."""
        services.revoke_role(actor=self.actor, person=self.object, role=self.grant.role, at=self.now, **values)


class FunctionSetView(_PersonForm):
    """Another function."""

    form_class = forms.FunctionForm
    title = gettext_lazy("Change the function")

    def change(self, values: dict[str, Any]) -> None:
        """From a day on."""
        services.set_function(actor=self.actor, person=self.object, at=self.now, **values)


class FunctionEndView(_PersonForm):
    """No function any more."""

    form_class = forms.EndForm
    title = gettext_lazy("End the function")

    def get_initial(self) -> dict[str, Any]:
        """From today on."""
        return {"end_on": company_day(self.now)}

    def change(self, values: dict[str, Any]) -> None:
        """From a day on."""
        services.end_function(actor=self.actor, person=self.object, at=self.now, **values)


class ManagerSetView(_PersonForm):
    """Another manager."""

    form_class = forms.ManagerForm
    title = gettext_lazy("Change who they report to")

    def change(self, values: dict[str, Any]) -> None:
        """From a day on."""
        services.set_manager(actor=self.actor, person=self.object, at=self.now, **values)


class ManagerEndView(_PersonForm):
    """Reports to nobody any more."""

    form_class = forms.EndForm
    title = gettext_lazy("End the reporting line")

    def get_initial(self) -> dict[str, Any]:
        """From today on."""
        return {"end_on": company_day(self.now)}

    def change(self, values: dict[str, Any]) -> None:
        """From a day on."""
        services.end_manager(actor=self.actor, person=self.object, at=self.now, **values)


class LeaveAddView(_PersonForm):
    """Days away: editors, and managers for their own people."""

    form_class = forms.LeaveForm
    title = gettext_lazy("Note leave")

    def allows(self, actor: Actor) -> bool:
        """Editors, and whoever has this person below them."""
        return selectors.may_edit(actor) or self.kwargs["pk"] in actor.tree_ids

    def change(self, values: dict[str, Any]) -> None:
        """Note it."""
        services.add_leave(actor=self.actor, person=self.object, at=self.now, **values)


class LeaveCancelView(ConfirmView):
    """Forget leave that is not taken."""

    selector = selectors.person_for
    title = gettext_lazy("Cancel the leave?")
    submit_label = gettext_lazy("Cancel the leave")

    def allows(self, actor: Actor) -> bool:
        """As for noting it."""
        return selectors.may_edit(actor) or self.kwargs["pk"] in actor.tree_ids

    def get_back_url(self) -> str:
        """The person's page."""
        return reverse("people:person_detail", kwargs={"pk": self.object.pk})

    @cached_property
    def leave(self) -> Any:
        """The leave, of this person, for whoever may see it."""
        found = self.object.leaves.filter(pk=self.kwargs["leave"]).first()
        if found is None or not selectors.may_see_private(self.actor, self.object):
            raise Http404
        return found

    def get_context(self) -> dict[str, Any]:
        """Which leave."""
        return {"lead": str(self.leave)}

    def save(self, form: Any) -> str:
        """Forget it."""
        services.cancel_leave(actor=self.actor, leave=self.leave, at=self.now)
        return self.get_back_url()


class HoursEditView(_PersonForm):
    """Working hours: editors for all, everybody for themselves."""

    form_class = forms.HoursForm
    title = gettext_lazy("Working hours")
    lead = gettext_lazy(
        "In the person's own time zone. A day without hours is a day off; no hours at all means always."
    )

    def allows(self, actor: Actor) -> bool:
        """Editors and the person."""
        return selectors.may_edit(actor) or actor.user_id == self.kwargs["pk"]

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form fills itself from the person."""
        return {"actor": self.actor, "person": self.object}

    def change(self, values: dict[str, Any]) -> None:
        """Replace them."""
        services.set_working_hours(actor=self.actor, person=self.object, hours=values["hours"], at=self.now)


@recently
class PersonLeaveView(_AdminForm):
    """The last day in the company."""

    form_class = forms.LastDayForm
    title = gettext_lazy("Leaves the company")
    submit_label = gettext_lazy("Save the last day")
    is_danger = True

    def get_initial(self) -> dict[str, Any]:
        """Today, unless it is known."""
        return {"left_on": self.object.left_on or company_day(self.now)}

    def change(self, values: dict[str, Any]) -> None:
        """Everything ends that day."""
        services.leave_company(actor=self.actor, person=self.object, at=self.now, **values)


@recently
class PersonDeactivateView(_AdminForm):
    """Lock the account at once."""

    form_class = forms.ReasonForm
    title = gettext_lazy("Lock the account")
    lead = gettext_lazy(
        "Nobody can log in to it any more, and whoever is logged in is out at once. Roles stay as they are."
    )
    submit_label = gettext_lazy("Lock it")
    is_danger = True

    def change(self, values: dict[str, Any]) -> None:
        """Lock it."""
        services.deactivate(actor=self.actor, person=self.object, at=self.now, **values)


@recently
class PersonReactivateView(_AdminForm):
    """Let somebody in again."""

    form_class = forms.ReasonForm
    title = gettext_lazy("Let them log in again")
    submit_label = gettext_lazy("Unlock")

    def change(self, values: dict[str, Any]) -> None:
        """Unlock it."""
        services.reactivate(actor=self.actor, person=self.object, at=self.now, **values)


@recently
class PasswordLinkView(_AdminForm):
    """Send a link to choose a password."""

    form_class = PortalForm
    title = gettext_lazy("Send a password link")
    submit_label = gettext_lazy("Send it")
    success_message = gettext_lazy("The mail is on its way.")

    def get_success_message(self, result: Any) -> str:
        """With the place of the mail where there is no server."""
        return said_about_mail(super().get_success_message(result))

    def change(self, values: dict[str, Any]) -> None:
        """By a job."""
        services.send_password_link(actor=self.actor, person=self.object, at=self.now)


@recently
class FactorResetView(_AdminForm):
    """Forget lost second factors."""

    form_class = forms.ReasonForm
    title = gettext_lazy("Reset the second factor")
    lead = gettext_lazy(
        "Make sure by other means that it is them who ask. They log in with their password and set up a new one."
    )
    submit_label = gettext_lazy("Reset it")
    is_danger = True

    def change(self, values: dict[str, Any]) -> None:
        """Forget them."""
        services.reset_second_factor(actor=self.actor, person=self.object, at=self.now, **values)


class SettingsEditView(ScopedFormView):
    """One's own language and time zone."""

    form_class = forms.SettingsForm
    template_name = "people/settings_edit.html"
    title = gettext_lazy("Your settings")
    success_message = gettext_lazy("Saved.")

    @cached_property
    def object(self) -> User:
        """Oneself."""
        if self.actor.user_id is None:
            raise Http404
        return User.objects.get(pk=self.actor.user_id)

    def get_initial(self) -> dict[str, Any]:
        """The row's own values."""
        return {}

    def get_back_url(self) -> str:
        """The start page."""
        return "/"

    def save(self, form: Any) -> str:
        """Keep them."""
        services.change_own_settings(actor=self.actor, person=self.object, at=self.now, **form.values)
        return reverse("people:settings_edit")
