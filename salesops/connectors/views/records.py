"""What a connection brought, in pages: the shelf, records, runs, webhooks, what was written back, holds."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from salesops.connectors.choices import HoldState, RawState
from salesops.connectors.filters import (
    DriftFilter,
    OutgoingFilter,
    RawRecordFilter,
    ShelfFilter,
    SyncRunFilter,
    WebhookEventFilter,
)
from salesops.connectors.forms import HoldForm, WebhookSecretForm
from salesops.connectors.models import Connection, Hold, RawRecord, Stream
from salesops.connectors.rules.convert import Lookup
from salesops.connectors.rules.fields import KINDS, LookupKind
from salesops.connectors.selectors import connections as selectors
from salesops.connectors.selectors.lookups import record_named
from salesops.connectors.selectors.told import Difference, Told, titles_of, told
from salesops.connectors.services import brakes, connecting, shelf
from salesops.connectors.services.applying import Applied, Applier, RawFate
from salesops.connectors.tables import (
    DriftTable,
    OutgoingTable,
    RawRecordTable,
    ShelfTable,
    SyncRunTable,
    WebhookEventTable,
)
from salesops.connectors.views.base import (
    ActionView,
    ConnectionListPage,
    ConnectorsView,
    carry_out,
    imports_files,
    tabs_of,
)
from salesops.connectors.views.connections import hook_address
from salesops.core import display
from salesops.core.actor import Actor
from salesops.core.views import BulkAction, Empty, ScopedFormView
from salesops.deals.models import Deal
from salesops.values.outcomes import Problem

#: Where the records of a kind have pages of their own; pages of rooms beside this one are only named.
RECORD_PAGES: Final = {
    "accounts": "accounts:account_detail",
    "contacts": "accounts:contact_detail",
    "leads": "leads:lead_detail",
    "deals": "deals:deal_detail",
    "owners": "people:person_detail",
    "people": "people:person_detail",
}
#: Held records of which the page says what would change.
_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class ShelfAction(BulkAction):
    """Something that can be done to many records of one connection."""

    kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The address, with the connection."""
        return reverse(self.url_name, kwargs=self.kwargs)


class RecordsPage(ConnectionListPage):
    """A list of records as the source tells them."""

    def add_figures(self, rows: Sequence[Any]) -> None:
        """What they are called there, besides."""
        super().add_figures(rows)
        for row in rows:
            row.stream.connection = self.connection
        titles = titles_of(self.actor, rows)
        for row in rows:
            row.title = titles.get(row.pk, "")


class ShelfView(RecordsPage):
    """What could not be taken."""

    table_class, filterset_class = ShelfTable, ShelfFilter
    tab = "rawrecord_shelf"
    title = gettext_lazy("Shelf")
    lead = gettext_lazy(
        "Records that could not be taken. They are tried again after each sync, because what they refer to may have come; a record that is wrong is mended at the source, or by the mapping."
    )
    empty = Empty(gettext_lazy("The shelf is empty"), gettext_lazy("Every record of this source was taken."), "checks")

    @property
    def bulk_actions(self) -> Sequence[BulkAction]:  # type: ignore[override]  # they belong to the connection of the page
        """Try again, or set aside."""
        kwargs = {"pk": self.connection.pk}
        return (
            ShelfAction(_("Try again"), "connectors:rawrecord_retry", icon="refresh", kwargs=kwargs),
            ShelfAction(_("Set aside"), "connectors:rawrecord_dismiss", icon="inbox", kwargs=kwargs),
        )

    def get_rows(self) -> QuerySet[Any]:
        """The shelf."""
        return selectors.shelf_of(self.actor, self.connection)


class ChosenView(ActionView):
    """Something done to the records that were chosen on the shelf, at most so many at once."""

    def back(self) -> str:
        """The shelf, filtered as it was."""
        query = self.request.GET.urlencode()
        url = reverse("connectors:rawrecord_shelf", kwargs={"pk": self.connection.pk})
        return f"{url}?{query}" if query else url

    @cached_property
    def chosen(self) -> list[int]:
        """The keys of the records that are meant, through the list's own rows and filters."""
        page = ShelfView()
        page.setup(self.request, pk=self.connection.pk)
        if self.request.POST.get("all") == "1":
            rows = page.matching.order_by("pk")
        else:
            keys = [int(key) for key in self.request.POST.getlist("pk") if key.isdecimal() and len(key) < 19]
            rows = page.rows.filter(pk__in=keys[: shelf.BATCH]).order_by("pk")
        found = list(rows.values_list("pk", flat=True)[: shelf.BATCH])
        if not found:
            raise ValidationError(_("No row is chosen."))
        return found


class RecordRetryView(ChosenView):
    """Try chosen records again."""

    def act(self, request: HttpRequest) -> str:
        """Try them."""
        done = shelf.retry(actor=self.actor, connection=self.connection, ids=self.chosen, at=self.now)
        said = said_of(done)
        if len(self.chosen) == shelf.BATCH:
            said += " " + _("These were the first %(count)s; try the rest again.") % {
                "count": display.number(shelf.BATCH)
            }
        return said


class RecordDismissView(ChosenView):
    """Set chosen records aside."""

    def act(self, request: HttpRequest) -> str:
        """Set them aside."""
        count = shelf.dismiss(actor=self.actor, connection=self.connection, ids=self.chosen, at=self.now)
        return ngettext(
            "%(count)s record was set aside. It comes back when it changes at the source.",
            "%(count)s records were set aside. They come back when they change at the source.",
            count,
        ) % {"count": display.number(count)}


def said_of(done: Applied) -> str:
    """What came of records that were tried again."""
    left, held = done.counts["refused"], done.counts["held"]
    taken = sum(done.counts.values()) - left - held
    said = ngettext(
        "%(taken)s record was taken, %(left)s left.", "%(taken)s records were taken, %(left)s left.", taken
    ) % {"taken": display.number(taken), "left": display.number(left)}
    if not held:
        return said
    waits = ngettext(
        "%(held)s record changes closed deals and waits for a decision.",
        "%(held)s records change closed deals and wait for a decision.",
        held,
    ) % {"held": display.number(held)}
    return f"{said} {waits}"


class RecordListView(RecordsPage):
    """All records of a connection."""

    table_class, filterset_class = RawRecordTable, RawRecordFilter
    tab = "rawrecord_list"
    title = gettext_lazy("Records")
    lead = gettext_lazy("Every record as its source last told it, and what became of it here.")
    empty = Empty(gettext_lazy("Nothing came yet"), gettext_lazy("The first load has not brought a record."), "inbox")

    def get_rows(self) -> QuerySet[Any]:
        """The records."""
        return selectors.records_of(self.actor, self.connection)


class RunListView(ConnectionListPage):
    """The runs over a connection."""

    table_class, filterset_class = SyncRunTable, SyncRunFilter
    tab = "syncrun_list"
    title = gettext_lazy("Runs")
    empty = Empty(gettext_lazy("It did not run yet"), gettext_lazy("Each sync is listed here."), "history")

    def get_rows(self) -> QuerySet[Any]:
        """The runs."""
        return selectors.runs_of(self.actor, self.connection)


class EventListView(ConnectionListPage):
    """What the vendor pushed, and where it is told to push."""

    table_class, filterset_class = WebhookEventTable, WebhookEventFilter
    tab = "webhookevent_list"
    template_name = "connectors/webhookevent_list.html"
    title = gettext_lazy("Webhooks")
    empty = Empty(
        gettext_lazy("Nothing was pushed"),
        gettext_lazy("Without webhooks changes arrive with the next sync; with them, at once."),
        "send",
    )

    def get_rows(self) -> QuerySet[Any]:
        """The events, without their bodies."""
        return selectors.events_of(self.actor, self.connection).defer("body")

    def get_context(self) -> dict[str, Any]:
        """The address, and how the secret is changed."""
        vendor = selectors.vendor_known(self.connection)
        has_secret = vendor is not None and hook_secret(self.connection) != ""
        return super().get_context() | {
            "vendor": vendor,
            "hook_address": hook_address(self.connection) if vendor and vendor.has_webhooks else "",
            "webhook_help": _(vendor.webhook_help) if vendor and vendor.webhook_help else "",
            "secret_form": WebhookSecretForm(actor=self.actor) if has_secret else None,
        }


def hook_secret(connection: Connection) -> str:
    """The name of the credential that proves what is pushed; "" where the vendor asks for none."""
    vendor = selectors.vendor_known(connection)
    name = getattr(vendor, "hook_credential", "webhook_secret")
    return name if vendor and name in {each.name for each in connecting.settings_of(vendor.code)} else ""


class EventSecretView(ActionView):
    """Change the secret that proves what is pushed."""

    def back(self) -> str:
        """The webhooks."""
        return reverse("connectors:webhookevent_list", kwargs={"pk": self.connection.pk})

    def act(self, request: HttpRequest) -> str:
        """Keep the new one; the one before stays good."""
        form = WebhookSecretForm(request.POST, actor=self.actor)
        name = hook_secret(self.connection)
        if not name or not form.is_valid():
            raise ValidationError(_("Write the new secret."))
        connecting.change(
            actor=self.actor,
            connection=self.connection,
            options={},
            given={name: form.cleaned_data["webhook_secret"]},
            at=self.now,
        )
        return _("The new secret is kept. What was signed with the one before is taken for another day.")


class OutgoingListView(ConnectionListPage):
    """What was changed here and written back."""

    table_class, filterset_class = OutgoingTable, OutgoingFilter
    tab = "outgoing_list"
    title = gettext_lazy("Written back")
    lead = gettext_lazy("Edits made here, of fields where the portal or the newest wins, on their way to the source.")
    empty = Empty(
        gettext_lazy("Nothing was written back"),
        gettext_lazy("Only fields of which you said that the portal or the newest wins are written to the source."),
        "send",
    )

    def get_rows(self) -> QuerySet[Any]:
        """The changes."""
        return selectors.outgoing_of(self.actor, self.connection)

    def add_figures(self, rows: Sequence[Any]) -> None:
        """The objects by their names, and what changes in words."""
        super().add_figures(rows)
        for kind in {row.record.stream.kind for row in rows}:
            of_kind = [row for row in rows if row.record.stream.kind == kind]
            differences = [
                Difference(row.record.record_id, {name: (pair[0], pair[1]) for name, pair in row.fields.items()})
                for row in of_kind
            ]
            for row, words in zip(of_kind, told(self.actor, kind, differences), strict=True):
                row.told = words


class DriftListView(ConnectionListPage):
    """Where reconciling found a difference."""

    table_class, filterset_class = DriftTable, DriftFilter
    tab = "drift_list"
    template_name = "connectors/drift_list.html"
    title = gettext_lazy("Differences")
    empty = Empty(
        gettext_lazy("No difference was found"),
        gettext_lazy("From time to time the source and the portal are counted against each other."),
        "checks",
    )

    def get_rows(self) -> QuerySet[Any]:
        """The differences."""
        return selectors.drifts_of(self.actor, self.connection)

    def add_figures(self, rows: Sequence[Any]) -> None:
        """The records that they are about, what these are called, and what differs in words."""
        super().add_figures(rows)
        raws = selectors.records_named(self.actor, self.connection, {row.external_id for row in rows})
        titles = titles_of(self.actor, list(raws.values()))
        by_kind: dict[str, list[tuple[Any, Difference]]] = defaultdict(list)
        for row in rows:
            raw = raws.get((row.stream_id, row.external_id))
            row.raw_pk = raw.pk if raw is not None else None
            row.title = titles.get(raw.pk, "") if raw is not None else ""
            columns = {name: (here, there) for name, (here, there) in row.detail.get("columns", {}).items()}
            by_kind[row.stream.kind].append((row, Difference(raw.record_id if raw is not None else None, columns)))
        for kind, pairs in by_kind.items():
            for (row, _difference), words in zip(
                pairs, told(self.actor, kind, [each for _row, each in pairs]), strict=True
            ):
                row.told = words


# --- One record


class RecordView(ConnectorsView):
    """A page or an action of one record of a source."""

    @cached_property
    def raw(self) -> RawRecord:
        """The record; 404 when there is none."""
        return selectors.record_for(self.actor, self.kwargs["pk"])


class RecordDetailView(RecordView):
    """One record: as the source tells it, what became of it, and what can be done where it was refused."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """The page."""
        raw = self.raw
        connection = raw.stream.connection
        is_open = raw.state in (RawState.REFUSED, RawState.DISMISSED)
        context = {
            "title": raw.external_id,
            "raw": raw,
            "connection": connection,
            "tabs": tabs_of(self.actor, connection, "rawrecord_shelf" if is_open else "rawrecord_list"),
            "kind_label": _(KINDS[raw.stream.kind].label) if raw.stream.kind in KINDS else raw.stream.kind,
            "problems": [Problem.from_plain(each) for each in raw.problems],
            "is_open": is_open,
            "unknown": unknown_shown(raw) if is_open else [],
            "link": selectors.link_of(raw),
            "page": RECORD_PAGES.get(raw.stream.kind, "") if raw.record_id else "",
            "payload": pretty(raw.payload),
            "object_label": selectors.object_labels(raw.stream.connection).get(raw.stream.object, raw.stream.object),
            "changes": changes_of(self.actor, raw),
            "problem_of_outgoing": None,
        }
        return render(request, "connectors/rawrecord_detail.html", context)


def unknown_shown(raw: RawRecord) -> list[dict[str, Any]]:
    """What a refused record refers to and nobody knows, for a person to say."""
    labels = {
        LookupKind.PERSON: _("a person"),
        LookupKind.ACCOUNT: _("an account"),
        LookupKind.CONTACT: _("a contact"),
        LookupKind.PRODUCT: _("a product"),
        LookupKind.STAGE: _("a stage"),
        LookupKind.POD: _("a pod"),
        LookupKind.TERRITORY: _("a territory"),
        LookupKind.SEGMENT: _("a segment"),
        LookupKind.LEAD: _("a lead"),
        LookupKind.DEAL: _("a deal"),
        LookupKind.PLAN: _("a plan"),
    }
    return [{"lookup": each, "label": labels[each.kind]} for each in shelf.unknown_of(raw)]


def pretty(payload: str) -> str:
    """A payload with one value to a line; as it is where it is no JSON."""
    try:
        return json.dumps(json.loads(payload), indent=2, ensure_ascii=False) if payload else ""
    except ValueError:
        return payload


def changes_of(actor: Actor, raw: RawRecord) -> list[Told]:
    """What a record changed when it last did."""
    columns = {name: (pair[0], pair[1]) for name, pair in raw.changed.items()}
    return told(actor, raw.stream.kind, [Difference(raw.record_id, columns)])[0]


def told_of(actor: Actor, stream: Stream, fates: Sequence[RawFate]) -> list[list[Told]]:
    """What each record would change."""
    return told(
        actor,
        stream.kind,
        [
            Difference(fate.record_id, {name: (fate.before.get(name), value) for name, value in fate.after.items()})
            for fate in fates
        ],
    )


class RecordNameView(RecordView):
    """Say which record a name or an id of the source means, and try the record again."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Remember it."""
        carry_out(request, lambda: self.act(request))
        return redirect("connectors:rawrecord_detail", pk=self.raw.pk)

    def act(self, request: HttpRequest) -> str:
        """Find the record that was typed, and keep what is meant."""
        try:
            kind = LookupKind(request.POST.get("kind", ""))
        except ValueError as error:
            raise ValidationError(_("Choose one of the names offered.")) from error
        typed = request.POST.get("means", "").strip()
        found = record_named(kind, typed, self.raw.stream.connection.source.code)
        if found is None:
            raise ValidationError(_("“%(name)s” was not found.") % {"name": typed})
        lookup = Lookup(kind, request.POST.get("by", ""), request.POST.get("text", ""))
        done = shelf.mean(
            actor=self.actor, row=self.raw, lookup=lookup, record_id=found[0], record_name=found[1], at=self.now
        )
        return _("“%(text)s” means “%(name)s” from now on.") % {"text": lookup.text, "name": found[1]} + (
            f" {said_of(done)}"
        )


class RecordRetryOneView(RecordView):
    """Try one record again."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Try it."""
        connection = self.raw.stream.connection
        carry_out(
            request,
            lambda: said_of(shelf.retry(actor=self.actor, connection=connection, ids=[self.raw.pk], at=self.now)),
        )
        return redirect("connectors:rawrecord_detail", pk=self.raw.pk)


# --- Holds


class HoldDecideView(ScopedFormView):
    """Changes of closed deals that came in one go: let them in, or turn them away."""

    form_class = HoldForm
    template_name = "connectors/hold_decide.html"
    title = gettext_lazy("Changes of closed deals wait")

    def allows(self, actor: Actor) -> bool:
        """Revops and administrators."""
        return imports_files(actor)

    @cached_property
    def object(self) -> Hold:
        """The hold; 404 when there is none."""
        return selectors.hold_for(self.actor, self.kwargs["pk"])

    def get_back_url(self) -> str:
        """The connection."""
        return self.object.stream.connection.get_absolute_url()

    def get_title(self) -> str:
        """Whether they still wait."""
        return str(self.title) if self.object.state == HoldState.WAITING else _("Changes of closed deals")

    def get_context(self) -> dict[str, Any]:
        """What would change, deal by deal."""
        hold = self.object
        connection = hold.stream.connection
        coming = hold.coming.count() if hold.state == HoldState.ADMITTED else 0
        rows: list[RawRecord] = []
        changes: dict[str, list[Told]] = {}
        names: dict[str, str] = {}
        deals: dict[str, int] = {}
        if hold.state == HoldState.WAITING:
            rows = list(hold.records.select_related("stream").order_by("pk")[:_SHOWN])
            applier = Applier(hold.stream, actor=self.actor)
            fates = applier.preview([shelf.raw_of(row) for row in rows], at=self.now)
            for fate, words in zip(fates, told_of(self.actor, hold.stream, fates), strict=True):
                changes[fate.raw.external_id] = words
                names[fate.raw.external_id] = fate.label
            deals = brakes.deals_of(applier, rows, at=self.now)
            going = brakes.going(hold.stream.kind, rows)
            gone = [
                Difference(pk, {name: (value, None) for name, value in said.items()}) for pk, said in going.values()
            ]
            changes |= zip(going, told(self.actor, hold.stream.kind, gone), strict=True)
        called = dict(Deal.objects.visible_to(self.actor).filter(pk__in=deals.values()).values_list("pk", "name"))
        return {
            "hold": hold,
            "connection": connection,
            "tabs": tabs_of(self.actor, connection, "connection_detail"),
            "rows": [
                {
                    "raw": row,
                    "deal": deals.get(row.external_id),
                    "name": called.get(deals.get(row.external_id, 0), ""),
                    "part": names.get(row.external_id, "") if hold.stream.kind != "deals" else "",
                    "changes": changes.get(row.external_id, []),
                    "link": selectors.link_of(row),
                }
                for row in rows
            ],
            "is_waiting": hold.state == HoldState.WAITING,
            "coming": coming,
            "company_currency": settings.COMPANY_CURRENCY,
        }

    def save(self, form: Any) -> Any:
        """Decide."""
        admit = self.request.POST.get("decision") == "admit"
        decided = brakes.decide(
            actor=self.actor,
            hold=self.object,
            admit=admit,
            reason=form.cleaned_data["reason"],
            applier=Applier(self.object.stream, actor=self.actor),
            at=self.now,
        )
        if not admit:
            said = _("The changes were turned away. The portal keeps what it has until the source changes again.")
        elif count := decided.coming.count():
            said = ngettext(
                "The changes were let in. %(count)d record is still coming in.",
                "The changes were let in. %(count)d records are still coming in.",
                count,
            ) % {"count": count}
        else:
            said = _("The changes were let in.")
        messages.success(self.request, said)
        return self.get_back_url()
