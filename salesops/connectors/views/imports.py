"""Imports in pages: upload, columns, check, run, the shelf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from salesops.connectors.choices import CHANGEABLE, IMPORTS, RowState
from salesops.connectors.destinations import kinds_taken
from salesops.connectors.filters import ImportFilter, RejectedRowFilter
from salesops.connectors.forms import MendForm, ReadingForm, UploadForm, mapping_from
from salesops.connectors.models import FileImport, RejectedRow, Source
from salesops.connectors.rules.fields import KINDS, LookupKind
from salesops.connectors.rules.questions import questions
from salesops.connectors.rules.tables import Reading
from salesops.connectors.selectors.imports import (
    cell_texts,
    fields_of,
    import_for,
    imports_for,
    row_for,
    shelf_for,
)
from salesops.connectors.selectors.lookups import record_named
from salesops.connectors.services import imports, uploads
from salesops.connectors.services.reading import layout_of, mapping_of
from salesops.connectors.tables import ImportTable, RejectedRowTable
from salesops.connectors.views.base import imports_files
from salesops.core import features
from salesops.core.actor import Actor
from salesops.core.views import Empty, PortalView, ScopedCreateView, ScopedEditView, ScopedListView
from salesops.jobs.choices import UNFINISHED
from salesops.jobs.models import Job
from salesops.values.outcomes import OutcomeError, Problem


class ImportListView(ScopedListView):
    """All files and what became of them."""

    selector = imports_for
    table_class, filterset_class = ImportTable, ImportFilter
    create_url, create_label = "connectors:import_create", gettext_lazy("Import a file")
    empty = Empty(
        gettext_lazy("No file was imported yet"),
        gettext_lazy(
            "Bring your people, accounts, deals and quotas from a CSV or XLSX file. You see what would happen before anything is written."
        ),
        "file-import",
    )

    def allows(self, actor: Actor) -> bool:
        """Revops and administrators."""
        return imports_files(actor)

    def may_create(self) -> bool:
        """While imports are switched on."""
        return super().may_create() and features.is_on(IMPORTS)


class ImportCreateView(ScopedCreateView):
    """Upload a file."""

    feature = IMPORTS
    form_class, title, back_url = UploadForm, gettext_lazy("Import a file"), "connectors:import_list"
    submit_label = gettext_lazy("Upload")
    looked_at: FileImport

    def allows(self, actor: Actor) -> bool:
        """Revops and administrators."""
        return imports_files(actor)

    def get_form_kwargs(self) -> dict[str, Any]:
        """Whether the file was too large to be received."""
        return super().get_form_kwargs() | {"is_too_large": getattr(self.request, "is_upload_too_large", False)}

    def once(self, form: Any, act: Callable[[], str]) -> str:
        """The file is stored and looked at first, so that the transaction that keeps it is short."""
        file = form.cleaned_data["file"]
        self.looked_at = uploads.look_at(actor=self.actor, name=file.name, chunks=file.chunks())
        is_kept = False
        try:
            location = super().once(form, act)
            is_kept = self.looked_at.pk is not None
        finally:
            if not is_kept:
                uploads.forget(looked_at=self.looked_at)
        return location

    def save(self, form: Any) -> Any:
        """Keep it under its source."""
        source = form.cleaned_data["source"]
        if source is None:
            name = form.cleaned_data["new_source"].strip()
            code = slugify(name)[:40] or f"source-{self.now:%Y%m%d%H%M%S}"
            source, _is_new = Source.objects.get_or_create(code=code, defaults={"name": name})
        row = uploads.keep(actor=self.actor, looked_at=self.looked_at, source=source, at=self.now)
        return reverse("connectors:import_detail", kwargs={"pk": row.pk})


class ImportView(PortalView):
    """A page or an action of one import."""

    def allows(self, actor: Actor) -> bool:
        """Revops and administrators."""
        return imports_files(actor)

    @cached_property
    def file_import(self) -> FileImport:
        """The import; 404 when there is none."""
        return import_for(self.actor, self.kwargs["pk"])

    def back(self) -> HttpResponseBase:
        """To the import's page."""
        return redirect("connectors:import_detail", pk=self.kwargs["pk"])

    def act(self, request: HttpRequest) -> str:
        """What the action does; returns what to say."""
        return ""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Act; a refusal is said on the page, and nothing was changed."""
        try:
            said = self.act(request)
        except (ValidationError, OutcomeError) as error:
            for text in error.messages if isinstance(error, ValidationError) else [str(error)]:
                messages.error(request, text)
        except FileNotFoundError as error:
            messages.error(request, str(error))
        else:
            if said:
                messages.success(request, said)
        return self.back()


#: Where the records of a kind are listed; pages of rooms beside this one are only named.
LIST_PAGES: Final = {
    "people": "people:person_list",
    "territories": "pods:territory_list",
    "territory_assignments": "pods:territory_list",
    "pods": "pods:pod_list",
    "pod_memberships": "pods:pod_list",
    "accounts": "accounts:account_list",
    "contacts": "accounts:contact_list",
    "leads": "leads:lead_list",
    "deals": "deals:deal_list",
    "deal_lines": "deals:deal_list",
    "deal_splits": "deals:deal_list",
    "stage_changes": "deals:deal_list",
    "products": "deals:product_list",
    "activities": "activities:activity_list",
    "owners": "people:person_list",
    "subscriptions": "accounts:account_list",
    "quotas": "commissions:quota_list",
    "commission_rates": "commissions:plan_list",
    "transactions": "commissions:transaction_list",
}


class ImportDetailView(ImportView):
    """One import, at whatever step it is."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """The page."""
        imports.settle_stopped()
        row = self.file_import
        job = Job.objects.filter(pk=row.job_id).first() if row.job_id else None
        context: dict[str, Any] = {
            "title": row.file_name,
            "import": row,
            "kind_label": _(KINDS[row.kind].label) if row.kind in KINDS else "",
            "list_page": LIST_PAGES.get(row.kind, ""),
            "notes": [Problem.from_plain(each) for each in row.notes],
            "problems": [Problem.from_plain(each) for each in row.problems],
            "job": job if job is not None and job.state in UNFINISHED else None,
            "imports_off": "" if features.is_on(IMPORTS) else features.off_text(IMPORTS),
            "shelved": shelf_for(self.actor, row).filter(state=RowState.SHELVED).count(),
            "preview": row.preview if row.preview.get("counts") is not None else None,
        }
        if row.state in CHANGEABLE and row.layout:
            try:
                context |= self.mapping_context(row)
            except FileNotFoundError:
                context["is_swept"] = True
        elif uploads.may_be_read_again(row):
            context["reading_form"] = ReadingForm(actor=self.actor)
        if context["preview"]:
            context |= self.preview_context(row)
        return render(request, "connectors/import_detail.html", context)

    def mapping_context(self, row: FileImport) -> dict[str, Any]:
        """The columns, the fields, the questions that are open."""
        mapping, profile = mapping_of(row), uploads.profile_for(row)
        layout = layout_of(row)
        return {
            "layout": layout,
            "mapping": mapping,
            "fields": fields_of(mapping, profile),
            "questions": questions(mapping, profile),
            "missing": mapping.missing(),
            "kinds": [(code, _(KINDS[code].label)) for code in kinds_taken()],
            "unused": [header for header in layout.headers if header not in mapping.columns],
            "reading_form": ReadingForm(
                actor=self.actor, initial={"encoding": "", "sheet": layout.sheet, "header_line": layout.header_line}
            ),
            "rows_seen": profile.rows,
        }

    def preview_context(self, row: FileImport) -> dict[str, Any]:
        """Counts and examples of what would happen, and the names that are not settled."""
        found = row.preview
        counts = found["counts"]
        words = (
            ("created", _("Created"), "plus", "green"),
            ("changed", _("Changed"), "edit", "blue"),
            ("unchanged", _("Left alone"), "equal", "grey"),
            ("refused", _("Refused"), "alert-triangle", "amber"),
        )
        return {
            "fates": [
                {
                    "code": code,
                    "label": label,
                    "icon": icon,
                    "tone": tone,
                    "count": counts.get(code, 0),
                    "samples": [
                        {**sample, "problems": [Problem.from_plain(each) for each in sample["problems"]]}
                        for sample in found["samples"].get(code, [])
                    ],
                }
                for code, label, icon, tone in words
            ],
            "names": [
                {**name, "problem": Problem.from_plain(name["reason"]) if name["reason"] else None}
                for name in found.get("names", [])
            ],
            "headers": layout_of(row).headers if row.layout else [],
        }


class ImportKindView(ImportView):
    """Say what the rows are."""

    def act(self, request: HttpRequest) -> str:
        """Propose the columns anew."""
        uploads.choose_kind(actor=self.actor, file_import=self.file_import, kind=request.POST.get("kind", ""))
        return ""


class ImportReadingView(ImportView):
    """Read the file another way."""

    def act(self, request: HttpRequest) -> str:
        """Look at it again."""
        form = ReadingForm(request.POST, actor=self.actor)
        if not form.is_valid():
            raise ValidationError([error for errors in form.errors.values() for error in errors])
        data = form.cleaned_data
        uploads.read_again(
            actor=self.actor,
            file_import=self.file_import,
            reading=Reading(
                encoding=data["encoding"] or None,
                delimiter=data["delimiter"] or None,
                sheet=data["sheet"] or None,
                header_line=data["header_line"],
            ),
        )
        return ""


class ImportMappingView(ImportView):
    """Keep the columns and the answers, and check the file when nothing is open any more."""

    def act(self, request: HttpRequest) -> str:
        """Mapping, answers, preview."""
        row = self.file_import
        row = uploads.set_mapping(
            actor=self.actor, file_import=row, mapping=mapping_from(request.POST, mapping_of(row))
        )
        answers = {
            name.removeprefix("answer-"): str(value)
            for name, value in request.POST.items()
            if name.startswith("answer-")
        }
        row = uploads.answer_questions(actor=self.actor, file_import=row, answers=answers)
        imports.preview(actor=self.actor, file_import=row, at=self.now)
        return ""


class ImportNameView(ImportView):
    """Confirm what a name in the file means, once and for all files."""

    def act(self, request: HttpRequest) -> str:
        """Remember, then check again."""
        row = self.file_import
        try:
            kind = LookupKind(request.POST.get("kind", ""))
        except ValueError as error:
            raise ValidationError(_("Choose one of the names offered.")) from error
        text, choice = request.POST.get("text", ""), request.POST.get("means", "")
        offered = {
            str(name["key"]): name["name"]
            for name in row.preview.get("names", [])
            if name["text"] == text and name["key"]
        }
        offered |= {
            str(key): label
            for name in row.preview.get("names", [])
            if name["text"] == text
            for key, label in name["rivals"]
        }
        if choice != "0" and choice not in offered:
            typed = request.POST.get("other", "").strip()
            found = record_named(kind, typed, row.source.code)
            if found is None:
                raise ValidationError(_("“%(name)s” was not found.") % {"name": typed or choice})
            choice, label = str(found[0]), found[1]
        else:
            label = offered.get(choice, _("none of them"))
        uploads.confirm_name(
            actor=self.actor, kind=kind, text=text, record_id=int(choice), record_name=label, at=self.now
        )
        if row.state in CHANGEABLE:
            imports.preview(actor=self.actor, file_import=row, at=self.now)
        return _("“%(text)s” means “%(name)s” from now on.") % {"text": text, "name": label}


class ImportSaveMappingView(ImportView):
    """Keep the mapping under a name."""

    def act(self, request: HttpRequest) -> str:
        """Save it."""
        saved = uploads.save_mapping(
            actor=self.actor, file_import=self.file_import, name=request.POST.get("name", ""), at=self.now
        )
        return _("Saved the mapping “%(name)s”. Files with these columns are recognised from now on.") % {
            "name": saved.name
        }


class ImportStartView(ImportView):
    """Begin the import."""

    feature = IMPORTS

    def act(self, request: HttpRequest) -> str:
        """Enqueue it."""
        imports.start(actor=self.actor, file_import=self.file_import, at=self.now)
        return ""


class ImportRetryView(ImportView):
    """Try everything on the shelf again."""

    def act(self, request: HttpRequest) -> str:
        """Retry."""
        result = imports.retry_rows(actor=self.actor, file_import=self.file_import, at=self.now)
        if result is None:
            return _("The rows are tried again in the background.")
        taken, left = result
        return ngettext(
            "%(taken)s row was taken, %(left)s left.", "%(taken)s rows were taken, %(left)s left.", taken
        ) % {"taken": taken, "left": left}


class ShelfView(ScopedListView):
    """The shelf of one import."""

    table_class, filterset_class = RejectedRowTable, RejectedRowFilter
    empty = Empty(gettext_lazy("The shelf is empty"), gettext_lazy("Every row of this file was taken."), "checks")
    template_name = "connectors/row_list.html"

    def allows(self, actor: Actor) -> bool:
        """Revops and administrators."""
        return imports_files(actor)

    @cached_property
    def file_import(self) -> FileImport:
        """The import; 404 when there is none."""
        return import_for(self.actor, self.kwargs["pk"])

    @property
    def title(self) -> str:
        """Which file."""
        return _("Shelf of %(file)s") % {"file": self.file_import}

    def get_rows(self) -> QuerySet[Any]:
        """The rows."""
        return shelf_for(self.actor, self.file_import)

    def get_context(self) -> dict[str, Any]:
        """The way back."""
        return {"import": self.file_import}


class RowEditView(ScopedEditView):
    """Mend a shelved row."""

    selector, form_class = row_for, MendForm
    submit_label = gettext_lazy("Try again")
    template_name = "connectors/row_edit.html"

    def allows(self, actor: Actor) -> bool:
        """Revops and administrators."""
        return imports_files(actor)

    def get_title(self) -> str:
        """Which line."""
        return _("Line %(line)s of %(file)s") % {"line": self.object.line, "file": self.object.file_import}

    def get_back_url(self) -> str:
        """The shelf."""
        return reverse("connectors:row_list", kwargs={"pk": self.object.file_import_id})

    def get_form_kwargs(self) -> dict[str, Any]:
        """One field for each column, with what is wrong beside it."""
        row: RejectedRow = self.object
        wrong: dict[str, str] = {}
        for each in row.problems:
            problem = Problem.from_plain(each)
            wrong[problem.where] = f"{problem.text(_)} {problem.remedy_text(_)}".strip()
        return {
            "actor": self.actor,
            "headers": list(layout_of(row.file_import).headers),
            "cells": cell_texts(row),
            "wrong": wrong,
        }

    def get_context(self) -> dict[str, Any]:
        """What is wrong with the row."""
        row: RejectedRow = self.object
        headers = layout_of(row.file_import).headers  # what is wrong in a cell is said beside it
        return {
            "row": row,
            "problems": [problem for problem in map(Problem.from_plain, row.problems) if problem.where not in headers],
            "is_open": row.state == RowState.SHELVED,
        }

    def save(self, form: Any) -> Any:
        """Try it; what is still wrong is shown, and what was typed is kept."""
        fate = imports.mend_row(actor=self.actor, row=self.object, cells=form.cells, at=self.now)
        if fate.problems:
            for problem in fate.problems:
                messages.error(self.request, f"{problem.where}: {problem.text(_)} {problem.remedy_text(_)}".strip(": "))
            return reverse("connectors:row_edit", kwargs={"pk": self.object.pk})
        messages.success(
            self.request, _("Line %(line)s was taken: %(record)s.") % {"line": self.object.line, "record": fate.label}
        )
        return self.get_back_url()


class RowDismissView(PortalView):
    """Set a row aside."""

    def allows(self, actor: Actor) -> bool:
        """Revops and administrators."""
        return imports_files(actor)

    def post(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Set it aside; back to the shelf."""
        row = row_for(self.actor, pk)
        try:
            imports.dismiss_row(actor=self.actor, row=row, at=self.now)
        except ValidationError as error:
            messages.error(request, error.messages[0])
        return redirect("connectors:row_list", pk=row.file_import_id)
