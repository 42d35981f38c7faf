"""Connections in pages: the list, the guided way to a new one, the page on which one is followed, its settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from salesops.connectors.choices import ConnectionState
from salesops.connectors.filters import ConnectionFilter
from salesops.connectors.forms import ConnectionForm, VendorForm
from salesops.connectors.models import Connection, Credential
from salesops.connectors.rules.fields import KINDS
from salesops.connectors.rules.mapping import Mapping
from salesops.connectors.selectors import connections as selectors
from salesops.connectors.services import authorizing, connecting, reconciling
from salesops.connectors.services.credentials import ACCESS
from salesops.connectors.tables import ConnectionTable
from salesops.connectors.vendors import vendor_of, vendors
from salesops.connectors.vendors.base import Setting, Vendor
from salesops.connectors.views.base import (
    ActionView,
    ConnectionView,
    ConnectorsView,
    caller,
    carry_out,
    imports_files,
    tabs_of,
)
from salesops.core.actor import Actor
from salesops.core.views import ConfirmView, Empty, ScopedCreateView, ScopedEditView, ScopedListView
from salesops.jobs.choices import UNFINISHED
from salesops.jobs.models import Job

#: The families of vendors, in the order in which they are offered.
FAMILIES: Final = (
    ("crm", gettext_lazy("Customer relations")),
    ("billing", gettext_lazy("Billing and payments")),
    ("activity", gettext_lazy("Calls, mails and meetings")),
    ("sql", gettext_lazy("Databases")),
)


class ConnectionListView(ScopedListView):
    """All connections and how they are."""

    selector = selectors.connections_for
    table_class, filterset_class = ConnectionTable, ConnectionFilter
    create_url, create_label = "connectors:connection_choose", gettext_lazy("Connect a source")
    empty = Empty(
        gettext_lazy("Nothing is connected yet"),
        gettext_lazy(
            "Connect your CRM, your billing or your database, and the portal keeps deals, accounts and payments in step with it. You see what would come before anything is written, and decide field by field who wins."
        ),
        "arrows-exchange",
    )

    def allows(self, actor: Actor) -> bool:
        """Revops and administrators."""
        return imports_files(actor)

    def add_figures(self, rows: Sequence[Any]) -> None:
        """How many records each has, and how many are on its shelf."""
        counted = selectors.counts_of(self.actor, rows)
        for row in rows:
            row.record_count, row.shelf_count = counted[row.pk].records, counted[row.pk].shelved


# --- The way to a new one


class ConnectionChooseView(ConnectorsView):
    """Which vendor."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """The vendors by family, those that fit the search."""
        wanted = request.GET.get("q", "").strip()
        found = [each for each in vendors() if wanted.casefold() in f"{each.label} {each.code}".casefold()]
        known = dict(FAMILIES)
        families = [
            {"label": label, "vendors": [each for each in found if each.family == code]} for code, label in FAMILIES
        ]
        families.append({"label": _("Others"), "vendors": [each for each in found if each.family not in known]})
        context = {
            "title": _("Connect a source"),
            "families": [family for family in families if family["vendors"]],
            "wanted": wanted,
        }
        return render(request, "connectors/connection_choose.html", context)


class ConnectionCreateView(ScopedCreateView):
    """What the vendor asks for."""

    form_class = VendorForm
    template_name = "connectors/connection_form.html"
    submit_label = gettext_lazy("Connect")
    back_url = "connectors:connection_choose"
    made: Connection | None = None

    def allows(self, actor: Actor) -> bool:
        """Revops and administrators."""
        return imports_files(actor)

    @cached_property
    def vendor(self) -> Vendor:
        """The vendor; 404 for one that is not known."""
        try:
            return vendor_of(self.kwargs["vendor"])
        except KeyError as error:
            raise Http404 from error

    def get_title(self) -> str:
        """Which vendor."""
        return _("Connect %(vendor)s") % {"vendor": self.vendor.label}

    def get_initial(self) -> dict[str, Any]:
        """The form begins empty: nothing of it belongs into an address."""
        return {}

    def get_form_kwargs(self) -> dict[str, Any]:
        """The vendor's settings."""
        return super().get_form_kwargs() | {"asked": connecting.settings_of(self.vendor.code)}

    def get_context(self) -> dict[str, Any]:
        """Where the vendor sends people back to, for vendors at which one signs in."""
        return {"callback": callback_address() if self.vendor.oauth else "", "vendor": self.vendor}

    def once(self, form: Any, act: Callable[[], str]) -> str:
        """Where a key is enough, it is tried at once: outside the transaction, because a vendor may take its time."""
        location = super().once(form, act)
        has_key = any(form.secrets.get(name) for name in connecting.keys_of(self.vendor.code))
        if self.made is not None and (self.vendor.oauth is None or has_key):
            try_out(self.request, self.actor, self.made)
        return location

    def save(self, form: Any) -> Any:
        """Make it."""
        self.made = connecting.create(
            actor=self.actor,
            vendor=self.vendor.code,
            name=form.cleaned_data["source_name"].strip(),
            options=form.options,
            given=form.secrets,
            at=self.now,
        )
        return self.made.get_absolute_url()


def callback_address() -> str:
    """Where vendors send people back to after the sign-in."""
    return settings.SITE_URL.rstrip("/") + reverse("connectors:connection_authorized")


def try_out(request: HttpRequest, actor: Actor, connection: Connection) -> bool:
    """Test a connection and find out what it has. Whether it went well; what came of it is said."""

    def act() -> str:
        at = request.now  # type: ignore[attr-defined]  # set by pods.middleware
        with caller(connection) as http:
            identity = connecting.identify(actor=actor, connection=connection, at=at, http=http)
        fresh = Connection.objects.select_related("source").get(pk=connection.pk)
        with caller(fresh) as http:
            found = connecting.discover(actor=actor, connection=fresh, at=at, http=http)
        return ngettext(
            "It works: this is %(account)s, with %(count)s object.",
            "It works: this is %(account)s, with %(count)s objects.",
            len(found),
        ) % {"account": identity.account_name or identity.account_id or connection.source.name, "count": len(found)}

    return carry_out(request, act)


class ConnectionSignInView(ConnectionView):
    """Begin to sign in at the vendor.

    The address is shown as a link and not redirected to: browsers let a form lead to our own pages only.
    """

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """The link to the vendor's own page."""
        try:
            url = authorizing.begin(
                actor=self.actor, connection=self.connection, redirect_uri=callback_address(), at=self.now
            )
        except ValidationError as error:
            messages.error(request, error.messages[0])
            return redirect(self.connection.get_absolute_url())
        vendor = vendor_of(self.connection.vendor)
        context = {
            "title": _("Sign in at %(vendor)s") % {"vendor": vendor.label},
            "connection": self.connection,
            "vendor": vendor,
            "url": url,
            "host": url.partition("://")[2].partition("/")[0],
        }
        return render(request, "connectors/connection_sign_in.html", context)


class ConnectionAuthorizedView(ConnectorsView):
    """Where a vendor sends a person back to."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Turn the code into tokens, once; a consent that was not given is said kindly."""
        told = {name: str(value)[:4000] for name, value in request.GET.items()}
        state, code = told.pop("state", ""), told.pop("code", "")
        if not code:
            connection = authorizing.give_up(actor=self.actor, state=state)
            why = told.get("error_description") or told.get("error", "")
            if connection is None or told.get("error") == "access_denied" or not why:
                messages.warning(
                    request, _("The sign-in was not completed, so nothing was connected. You can begin it anew.")
                )
            else:
                messages.error(request, _("The vendor refused the sign-in: %(why)s") % {"why": why[:300]})
            return redirect(connection.get_absolute_url() if connection else reverse("connectors:connection_list"))
        found: list[Connection] = []

        def act() -> str:
            found.append(
                authorizing.complete(actor=self.actor, state=state, code=code, extra=told, at=self.now, caller=caller)
            )
            return ""

        if not carry_out(request, act):
            return redirect("connectors:connection_list")
        (connection,) = found
        try_out(request, self.actor, connection)
        return redirect(connection.get_absolute_url())


class ConnectionTestView(ActionView):
    """Try whether it works, and find out what it has."""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Try it."""
        try_out(request, self.actor, self.connection)
        return redirect(self.back())


class ConnectionObjectsView(ActionView):
    """Say which objects are kept in step."""

    def act(self, request: HttpRequest) -> str:
        """Keep the choice."""
        count = connecting.choose(
            actor=self.actor, connection=self.connection, objects=request.POST.getlist("object"), at=self.now
        )
        return ngettext("%(count)s object is kept in step.", "%(count)s objects are kept in step.", count) % {
            "count": count
        }


# --- Following one


class ConnectionDetailView(ConnectionView):
    """How a connection is, or, while it is being set up, the next step."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """The page, or only the part that changes while it runs."""
        connection = self.connection
        shown = selectors.streams_shown(self.actor, connection, self.now)
        context = self.live_context(connection, shown)
        if self.htmx_target == "connection-live":
            return render(request, "connectors/parts/connection_live.html", context)
        if connection.state == ConnectionState.DRAFT:
            context |= self.setup_context(connection, shown)
        context |= {"title": str(connection), "tabs": self.tabs("connection_detail")}
        return render(request, "connectors/connection_detail.html", context)

    def live_context(self, connection: Connection, shown: Sequence[selectors.StreamShown]) -> dict[str, Any]:
        """What changes by itself."""
        job = Job.objects.filter(key=f"sync:{connection.pk}", state__in=UNFINISHED).order_by("-pk").first()
        return {
            "connection": connection,
            "vendor": selectors.vendor_known(connection),
            "vendor_label": selectors.vendor_label(connection.vendor),
            "problem": selectors.problem_of(connection.error),
            "is_stale": selectors.is_stale(connection, self.now),
            "job": job,
            "streams": [each for each in shown if each.stream.is_wanted],
            "left_out": [each for each in shown if not each.stream.is_wanted],
            "kind_labels": {code: _(kind.label) for code, kind in KINDS.items()},
            "loading": [each for each in shown if each.loading],
            "counted": selectors.Counted(
                sum(each.counted.records for each in shown),
                sum(each.counted.shelved for each in shown),
                sum(each.counted.held for each in shown),
            ),
            "budget": selectors.budget_of(connection, self.now),
            "holds": selectors.holds_waiting(self.actor, connection),
            "company_currency": settings.COMPANY_CURRENCY,
            "wait": 3 if job is not None else 15,
            "is_live": connection.state == ConnectionState.RUNNING,
        }

    def setup_context(self, connection: Connection, shown: Sequence[selectors.StreamShown]) -> dict[str, Any]:
        """How far the setting up is."""
        vendor = selectors.vendor_known(connection)
        kept = set(Credential.objects.filter(connection=connection).values_list("name", flat=True))
        needs_sign_in = (
            vendor is not None and vendor.oauth is not None and kept.isdisjoint(connecting.keys_of(vendor.code))
        )
        is_signed_in = not needs_sign_in or ACCESS in kept
        is_tested = is_signed_in and bool(shown)
        return {
            "needs_sign_in": needs_sign_in,
            "is_signed_in": is_signed_in,
            "is_tested": is_tested,
            "callback": callback_address() if needs_sign_in else "",
            "objects": [
                {
                    "shown": each,
                    "missing": _missing(each.stream.mapping),
                }
                for each in shown
            ],
        }


def _missing(plain: Any) -> list[str]:
    """What the mapping of an object still lacks, in words."""
    read = Mapping.from_plain(plain)
    if read.value is None:
        return [f"{problem.where}: {problem.text(_)}".strip(": ") for problem in read.problems]
    return [problem.text(_) for problem in read.value.missing()]


class ConnectionStartView(ActionView):
    """Begin, or go on."""

    def act(self, request: HttpRequest) -> str:
        """Start it, with the objects that are ticked where the page has boxes for them."""
        if "chosen" in request.POST:
            connecting.choose(
                actor=self.actor, connection=self.connection, objects=request.POST.getlist("object"), at=self.now
            )
        connecting.start(actor=self.actor, connection=self.connection, at=self.now)
        return _("It runs. The first load may take a while; it can be followed here.")


class ConnectionPauseView(ActionView):
    """Leave it alone for a while."""

    def act(self, request: HttpRequest) -> str:
        """Pause it."""
        connecting.pause(actor=self.actor, connection=self.connection, at=self.now)
        return _("Paused. What was brought in stays; nothing is asked until you start it again.")


class ConnectionSyncView(ActionView):
    """Do not wait for the next turn."""

    def act(self, request: HttpRequest) -> str:
        """Sync now."""
        connecting.sync_now(actor=self.actor, connection=self.connection, at=self.now)
        return _("The sync begins.")


class ConnectionReconcileView(ActionView):
    """Compare everything with the source now, not only at night."""

    def act(self, request: HttpRequest) -> str:
        """Ask for it."""
        reconciling.enqueue(actor=self.actor, connection=self.connection, at=self.now)
        return _("Everything is compared with the source. What differs is listed here.")

    def back(self) -> str:
        """The list of what differs."""
        return reverse("connectors:drift_list", args=[self.connection.pk])


class ConnectionMendView(ActionView):
    """Read anew what differs."""

    def act(self, request: HttpRequest) -> str:
        """Read it."""
        with caller(self.connection) as http:
            count = reconciling.mend(actor=self.actor, connection=self.connection, http=http, at=self.now)
        return ngettext("%(count)d record was read anew.", "%(count)d records were read anew.", count) % {
            "count": count
        }

    def back(self) -> str:
        """The list of what differs."""
        return reverse("connectors:drift_list", args=[self.connection.pk])


class ConnectionResyncView(ConfirmView):
    """Read everything once more."""

    selector = selectors.connection_for
    title = gettext_lazy("Read everything once more?")
    lead = gettext_lazy(
        "All records of the source are asked for again. What is the same changes nothing; it takes as long as the first load and uses as many requests."
    )
    submit_label = gettext_lazy("Read everything once more")
    is_danger = False

    def allows(self, actor: Actor) -> bool:
        """Revops and administrators."""
        return imports_files(actor)

    def save(self, form: Any) -> Any:
        """Begin anew."""
        count = connecting.resync(actor=self.actor, connection=self.object, at=self.now)
        messages.success(
            self.request,
            ngettext("%(count)s object is read once more.", "%(count)s objects are read once more.", count)
            % {"count": count},
        )
        return self.object.get_absolute_url()


class ConnectionDisconnectView(ConfirmView):
    """End it."""

    selector = selectors.connection_for
    title = gettext_lazy("Disconnect this source?")
    lead = gettext_lazy(
        "Its keys and tokens are forgotten at once, its webhooks are no longer taken, and nothing is asked or written any more. All records that it brought stay, with where they came from; so do the shelf and the history of runs. It can be connected anew later and goes on where it stopped."
    )
    submit_label = gettext_lazy("Disconnect")

    def allows(self, actor: Actor) -> bool:
        """Revops and administrators."""
        return imports_files(actor)

    def save(self, form: Any) -> Any:
        """Forget its secrets."""
        connecting.disconnect(actor=self.actor, connection=self.object, at=self.now)
        messages.success(self.request, _("Disconnected. What it brought is still here."))
        return self.object.get_absolute_url()


class ConnectionEditView(ScopedEditView):
    """The settings of a connection."""

    selector = selectors.connection_for
    form_class = ConnectionForm
    template_name = "connectors/connection_edit.html"
    success_message = gettext_lazy("Saved.")

    def allows(self, actor: Actor) -> bool:
        """Revops and administrators."""
        return imports_files(actor)

    @cached_property
    def asked(self) -> list[Setting]:
        """What the vendor asks for."""
        return connecting.settings_of(self.object.vendor) if selectors.vendor_known(self.object) else []

    @cached_property
    def credentials(self) -> list[Credential]:
        """The secrets that are kept: their names and days, never more."""
        return list(Credential.objects.visible_to(self.actor).filter(connection=self.object).defer("sealed"))

    def get_title(self) -> str:
        """Whose settings."""
        return str(self.object)

    def get_form_kwargs(self) -> dict[str, Any]:
        """The vendor's settings and the secrets that are there."""
        return {
            "actor": self.actor,
            "connection": self.object,
            "asked": self.asked,
            "kept": [each.name for each in self.credentials],
        }

    def get_context(self) -> dict[str, Any]:
        """The other pages of the connection, its secrets by name."""
        vendor = selectors.vendor_known(self.object)
        labels = {
            "access_token": _("Access token"),
            "refresh_token": _("Refresh token"),
            "webhook_secret": _("Secret of webhooks"),
            "webhook_secret_before": _("Secret of webhooks before"),
        } | {each.name: _(each.label) for each in self.asked}
        return {
            "connection": self.object,
            "tabs": tabs_of(self.actor, self.object, "connection_edit"),
            "vendor": vendor,
            "callback": callback_address() if vendor and vendor.oauth else "",
            "secrets": [(labels.get(each.name, each.name), each) for each in self.credentials],
        }

    def save(self, form: Any) -> Any:
        """Keep what changed; a secret that is not typed stays."""
        data = form.cleaned_data
        connecting.configure(
            actor=self.actor,
            connection=self.object,
            name=data["source_name"],
            sync_every=data["sync_every"],
            brake_deals=data["brake_deals"],
            brake_minor=data["brake_minor"],
            at=self.now,
        )
        if self.asked:
            connecting.change(
                actor=self.actor, connection=self.object, options=form.options, given=form.secrets, at=self.now
            )
        return reverse("connectors:connection_edit", kwargs={"pk": self.object.pk})


def hook_address(connection: Connection) -> str:
    """Where the vendor is told to push; "" while the portal takes none. Part of it is secret."""
    try:
        path = reverse("hook", kwargs={"vendor": connection.vendor, "token": connection.hook_token})
    except NoReverseMatch:
        return ""
    return settings.SITE_URL.rstrip("/") + path
