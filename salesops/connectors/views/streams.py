"""An object of a connection in pages: its fields reviewed, a few live records, a preview of the first hundred."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from salesops.connectors.forms import masters_from, stream_mapping_from
from salesops.connectors.models import Stream
from salesops.connectors.rules.fields import KINDS
from salesops.connectors.rules.mapping import Mapping
from salesops.connectors.selectors import connections as selectors
from salesops.connectors.selectors.fields import columns_offered, master_words, stream_fields
from salesops.connectors.services import connecting
from salesops.connectors.services.applying import RawFate
from salesops.connectors.services.connecting import PREVIEWED
from salesops.connectors.vendors.base import Raw
from salesops.connectors.views.base import REFUSALS, ConnectorsView, caller, imports_files, refusal_of
from salesops.connectors.views.records import told_of
from salesops.core import display
from salesops.core.actor import Actor
from salesops.core.upserts import Fate
from salesops.core.views import ConfirmView
from salesops.values.outcomes import Problem

#: Live records shown beside the mapping.
SAMPLED: Final = 5
#: A preview's own fate: refused only because what it refers to has not been brought yet.
WAITS: Final = "waits"


class StreamView(ConnectorsView):
    """A page of one object of a connection."""

    @cached_property
    def stream(self) -> Stream:
        """The object; 404 when there is none."""
        return selectors.stream_for(self.actor, self.kwargs["pk"])

    @property
    def object_label(self) -> str:
        """What the vendor calls it."""
        found = selectors.objects_of(self.stream.connection).get(self.stream.object)
        return _(found.label) if found else self.stream.object

    def context(self) -> dict[str, Any]:
        """What every page of an object names."""
        return {
            "stream": self.stream,
            "connection": self.stream.connection,
            "object_label": self.object_label,
            "kind_label": _(KINDS[self.stream.kind].label) if self.stream.kind in KINDS else self.stream.kind,
            "title": self.object_label,
        }

    def sampled(self) -> tuple[list[Raw], list[RawFate]]:
        """The first records and their fates, live; nothing is written. Raises what a vendor refuses with."""
        with caller(self.stream.connection) as http:
            return connecting.sample(actor=self.actor, stream=self.stream, at=self.now, http=http)


class StreamEditView(StreamView):
    """How each field is filled, what words mean, who wins."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """The mapping as it is kept."""
        read = Mapping.from_plain(self.stream.mapping)
        mapping = read.value or Mapping(self.stream.kind, ())
        return self.answer(mapping, self.stream.masters, [problem.text(_) for problem in read.problems])

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Keep it; what is still wrong is said, and what was chosen stays on the page."""
        kept = Mapping.from_plain(self.stream.mapping).value or Mapping(self.stream.kind, ())
        try:
            mapping = stream_mapping_from(request.POST, kept)
        except ValidationError as error:
            return self.answer(kept, self.stream.masters, error.messages, status=422)
        masters = masters_from(request.POST, mapping)
        try:
            connecting.decide_mapping(
                actor=self.actor,
                stream=self.stream,
                mapping=mapping,
                masters=masters,
                is_wanted=self.stream.is_wanted,
                at=self.now,
            )
        except ValidationError as error:
            return self.answer(mapping, masters, error.messages, status=422)
        messages.success(request, _("Saved."))
        if "preview" in request.POST:
            return redirect("connectors:stream_preview", pk=self.stream.pk)
        return redirect("connectors:stream_edit", pk=self.stream.pk)

    def answer(
        self, mapping: Mapping, masters: dict[str, str], errors: list[str], *, status: int = 200
    ) -> HttpResponseBase:
        """The page with this mapping."""
        context = self.context() | {
            "fields": stream_fields(self.stream, mapping, masters),
            "columns": columns_offered(self.stream),
            "masters": master_words(),
            "missing": mapping.missing(),
            "errors": errors,
            "company_currency": settings.COMPANY_CURRENCY,
        }
        return render(self.request, "connectors/stream_edit.html", context, status=status)


class StreamEmptyView(ConfirmView):
    """Say that the records of an object that suddenly came empty are really gone."""

    selector = selectors.stream_for
    title = gettext_lazy("Are they really gone?")
    submit_label = gettext_lazy("They are really gone: remove them")

    def allows(self, actor: Actor) -> bool:
        """Revops and administrators."""
        return imports_files(actor)

    def get_back_url(self) -> str:
        """The connection."""
        return str(self.object.connection.get_absolute_url())

    def get_context(self) -> dict[str, Any]:
        """How many there are."""
        found = selectors.objects_of(self.object.connection).get(self.object.object)
        count = selectors.present(self.object)
        lead = ngettext(
            "%(object)s: %(count)s record is here. The source is asked once more; if it gives none again, the record is"
            " removed here. Another object or a later sync is not meant.",
            "%(object)s: %(count)s records are here. The source is asked once more; if it gives none again, all %(count)s"
            " are removed here. Another object or a later sync is not meant.",
            count,
        ) % {"object": _(found.label) if found else self.object.object, "count": display.number(count)}
        return {"lead": lead}

    def save(self, form: Any) -> Any:
        """Keep it for the next sweep, and begin that."""
        connecting.confirm_empty(actor=self.actor, stream=self.object, at=self.now)
        messages.success(self.request, _("The source is asked once more. What is gone there is removed here then."))
        return self.get_back_url()


class StreamSampleView(StreamView):
    """A few live records beside the mapping: a part of its page, so that the page need not wait for the vendor."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """The part, or why there is none."""
        context = self.context() | {"mapping": Mapping.from_plain(self.stream.mapping).value}
        try:
            raws, fates = self.sampled()
            context["rows"] = rows_shown(self.actor, self.stream, raws[:SAMPLED], fates)
            context["headers"] = list(context["rows"][0]["cells"]) if context["rows"] else []
        except REFUSALS as error:
            context["refusal"] = refusal_of(error)
        return render(request, "connectors/parts/stream_sample.html", context)


class StreamPreviewView(StreamView):
    """What would become of the first hundred records. Nothing is written."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """The page; `fate` narrows it."""
        context = self.context() | {"title": _("Preview of %(object)s") % {"object": self.object_label}}
        try:
            raws, fates = self.sampled()
        except REFUSALS as error:
            context["refusal"] = refusal_of(error)
            return render(request, "connectors/stream_preview.html", context)
        rows = rows_shown(self.actor, self.stream, raws, fates)
        wanted = request.GET.get("fate", "")
        words = (
            (Fate.CREATED, _("Created"), "green"),
            (Fate.CHANGED, _("Changed"), "blue"),
            (Fate.UNCHANGED, _("Left alone"), "grey"),
            (WAITS, _("Waits for other records"), "violet"),
            (Fate.REFUSED, _("Refused"), "amber"),
        )
        context |= {
            "fates": [
                {"code": code, "label": label, "count": sum(row["fate"] == code for row in rows)}
                for code, label, _tone in words
            ],
            "wanted": wanted,
            "rows": [row for row in rows if wanted in ("", row["fate"])],
            "count": len(rows),
            "is_cut": len(raws) >= PREVIEWED,
        }
        return render(request, "connectors/stream_preview.html", context)


def rows_shown(actor: Actor, stream: Stream, raws: list[Raw], fates: list[RawFate]) -> list[dict[str, Any]]:
    """Records with their cells and what would become of each. Before the first success, a record that only lacks what
    it refers to waits: the first load brings that first."""
    by_id = {fate.raw.external_id: fate for fate in fates}
    is_first = stream.connection.last_success_at is None
    tones = {Fate.CREATED: "green", Fate.CHANGED: "blue", Fate.REFUSED: "amber", WAITS: "violet"}
    labels = {
        Fate.CREATED: _("Created"),
        Fate.CHANGED: _("Changed"),
        Fate.UNCHANGED: _("Left alone"),
        Fate.REFUSED: _("Refused"),
        WAITS: _("Waits for other records"),
    }
    mapping = Mapping.from_plain(stream.mapping).unwrap()
    named = next((rule for code in ("name", "subject") if (rule := mapping.rule(code)) is not None), None)
    name_column = named.column or "" if named else ""
    told = told_of(actor, stream, fates)
    changes = {fate.raw.external_id: words for fate, words in zip(fates, told, strict=True)}
    rows = []
    for raw, cells in zip(raws, connecting.cells_of(stream, raws), strict=True):
        fate = by_id.get(raw.external_id)
        if fate is None:  # deleted there, or told once more further on
            continue
        code = WAITS if is_first and _only_lacks(fate.problems) else str(fate.fate)
        rows.append(
            {
                "external_id": raw.external_id,
                "fate": code,
                "label": labels.get(code, code),
                "tone": tones.get(code, "grey"),
                "name": fate.label or cells.get(name_column, ""),
                "cells": cells,
                "problems": fate.problems,
                "changes": changes[fate.raw.external_id],
            }
        )
    return rows


def _only_lacks(problems: list[Problem]) -> bool:
    return bool(problems) and all(problem.code == "lookup-unknown" for problem in problems)
