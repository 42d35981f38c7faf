"""What the pages of connections share: who may open them, their tabs, and how a vendor's refusal is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from salesops.connectors.choices import RawState
from salesops.connectors.models import Connection
from salesops.connectors.selectors import connections as selectors
from salesops.connectors.services.calling import Caller, Wait
from salesops.connectors.vendors.base import Fault
from salesops.connectors.wire import WireError
from salesops.core import display
from salesops.core.actor import Actor, Noun, Scope
from salesops.core.vault import VaultError
from salesops.core.views import PortalView, ScopedListView, redirect_for
from salesops.values.outcomes import OutcomeError, Problem

#: What a vendor may answer instead of what was asked for.
REFUSALS: Final = (Fault, Wait, WireError, VaultError)
#: While a person waits for the page, nobody waits long for a vendor.
_PATIENCE: Final = timedelta(seconds=3)
_DEADLINE: Final = 15.0
_TRIES: Final = 2


def imports_files(actor: Actor) -> bool:
    """Who imports and connects: revops and administrators."""
    return actor.sight(Noun.IMPORT) >= Scope.ALL


def caller(connection: Connection, trial: str = "") -> Caller:
    """The way to a vendor while a person waits for the page. `trial`: with a token that is not kept yet."""
    return Caller(connection, longest_sleep=_PATIENCE, deadline=_DEADLINE, tries=_TRIES, trial=trial)


def refusal_of(error: Exception) -> Problem:
    """What a vendor's refusal says, with what to do about it."""
    if isinstance(error, Fault | WireError):
        return error.problem
    if isinstance(error, Wait):
        return error.problem or Problem.of(
            "vendor-waits",
            _("The vendor wants to be left alone until %(moment)s."),
            remedy=_("Try again then."),
            moment=display.moment(error.until),
        )
    return Problem.of(
        "credential-unopened",
        _("The stored credentials cannot be opened with the keys that are here."),
        remedy=_("Put the key back, or connect anew."),
    )


def words_of(problem: Problem) -> str:
    """A problem and its remedy as one text."""
    return f"{problem.text(_)} {problem.remedy_text(_)}".strip()


class ConnectorsView(PortalView):
    """A page of revops and administrators."""

    def allows(self, actor: Actor) -> bool:
        """Revops and administrators."""
        return imports_files(actor)


class ConnectionView(ConnectorsView):
    """A page or an action of one connection."""

    @cached_property
    def connection(self) -> Connection:
        """The connection; 404 when there is none."""
        return selectors.connection_for(self.actor, self.kwargs["pk"])

    def tabs(self, here: str) -> list[dict[str, Any]]:
        """The pages of the connection."""
        return tabs_of(self.actor, self.connection, here)


class ActionView(ConnectionView):
    """Something done to a connection by a button; what it says is said on the page it goes back to."""

    http_method_names = ["post", "options"]

    def act(self, request: HttpRequest) -> str:
        """Do it; returns what to say."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it does")

    def back(self) -> str:
        """Where to go then."""
        return self.connection.get_absolute_url()

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Act, or say why not; a vendor that refuses is no error of ours."""
        where = self.back()
        carry_out(request, lambda: self.act(request))
        return redirect_for(request, where)


def carry_out(request: HttpRequest, act: Callable[[], str]) -> bool:
    """Do something and say what came of it. Whether it was done."""
    try:
        said = act()
    except (ValidationError, OutcomeError) as error:
        for text in error.messages if isinstance(error, ValidationError) else [str(error)]:
            messages.error(request, text)
        return False
    except REFUSALS as error:
        messages.error(request, words_of(refusal_of(error)))
        return False
    if said:
        messages.success(request, said)
    return True


def tabs_of(actor: Actor, connection: Connection, here: str) -> list[dict[str, Any]]:
    """The pages of a connection as tabs; the shelf with its count."""
    labels = {
        "connection_detail": _("Overview"),
        "rawrecord_shelf": _("Shelf"),
        "rawrecord_list": _("Records"),
        "syncrun_list": _("Runs"),
        "webhookevent_list": _("Webhooks"),
        "outgoing_list": _("Written back"),
        "drift_list": _("Differences"),
        "connection_edit": _("Settings"),
    }
    shelved = selectors.records_of(actor, connection).filter(state=RawState.REFUSED).order_by()[:1000].count()
    return [
        {
            "url": reverse(f"connectors:{name}", kwargs={"pk": connection.pk}),
            "label": label,
            "is_here": name == here,
            "count": ("1,000+" if shelved == 1000 else display.number(shelved))
            if name == "rawrecord_shelf" and shelved
            else "",
        }
        for name, label in labels.items()
    ]


class ConnectionListPage(ScopedListView):
    """A list of what belongs to one connection."""

    template_name = "connectors/connection_part.html"
    tab: ClassVar[str]
    lead: ClassVar[Any] = ""

    def allows(self, actor: Actor) -> bool:
        """Revops and administrators."""
        return imports_files(actor)

    @cached_property
    def connection(self) -> Connection:
        """The connection; 404 when there is none."""
        return selectors.connection_for(self.actor, self.kwargs["pk"])

    def get_context(self) -> dict[str, Any]:
        """The connection and its other pages."""
        return {
            "connection": self.connection,
            "tabs": tabs_of(self.actor, self.connection, self.tab),
            "lead_text": self.lead,
        }

    def add_figures(self, rows: Sequence[Any]) -> None:
        """The objects by the names that the vendor's users know."""
        labels = selectors.object_labels(self.connection)
        for row in rows:
            of = getattr(row, "record", row)
            code = of.stream.object if hasattr(of, "stream") else getattr(of, "object", "")
            row.object_label = labels.get(code, code)
