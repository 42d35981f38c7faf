"""List pages: filter, sort, page, choose columns, save views, total, export, act on many; the same few queries always."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

from django.contrib import messages
from django.db.models import CharField, Model, Q, QuerySet, Sum, TextField
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone, translation
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from salesops.core import display, exports, services
from salesops.core.actor import Actor, Role
from salesops.core.filters import PortalFilterSet
from salesops.core.first_rows import first_rows
from salesops.core.models import ListPreference, SavedView
from salesops.core.selectors import list_preference_for, saved_views_for
from salesops.core.tables import Cell, PortalTable, Rows
from salesops.core.views.base import PortalView

PAGE_SIZES = (25, 50, 100, 200)
#: Rows of a file for which figures are worked out together.
FIGURES_AT_ONCE = 500
#: Counting stops here; beyond it pages say "10,000+".
COUNT_BOUND = 10_000
#: No page shows rows beyond this depth: nobody pages there, and an OFFSET reads all it skips.
DEPTH_BOUND = 10_000


@dataclass(frozen=True, slots=True)
class Empty:
    """What an empty list says while there is nothing at all: what these rows are for and what to do next."""

    title: Any
    text: Any = ""
    icon: str = "inbox"
    action_label: Any = ""
    action_url: str = ""  # name of a page


@dataclass(frozen=True, slots=True)
class MoneyTotal:
    """The sum of a money column over all matching rows, one figure for each currency."""

    label: Any
    minor: str
    currency: str = "currency"


@dataclass(frozen=True, slots=True)
class BulkAction:
    """Something that can be done to many rows: a `BulkView` under this name of a page."""

    label: Any
    url_name: str
    icon: str = "edit"
    roles: tuple[Role, ...] = ()
    allows: Callable[[Actor], bool] | None = None
    is_danger: bool = False

    def allowed_to(self, actor: Actor) -> bool:
        """Whether the actor may see the button; the page behind it asks again."""
        return (not self.roles or actor.has(*self.roles)) and (self.allows is None or self.allows(actor))

    @property
    def url(self) -> str:
        """The page's address."""
        return reverse(self.url_name)


@dataclass(frozen=True, slots=True)
class Total:
    """One figure of the totals line."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of rows, and where it lies."""

    rows: list[Any]
    number: int
    size: int
    count: int  # of all matching rows, at most COUNT_BOUND
    is_more: bool  # there are more than COUNT_BOUND

    @property
    def first(self) -> int:
        """The position of the first row shown, from 1; 0 when there is none."""
        return (self.number - 1) * self.size + 1 if self.rows else 0

    @property
    def last(self) -> int:
        """The position of the last row shown."""
        return self.first + len(self.rows) - 1 if self.rows else 0

    @property
    def count_text(self) -> str:
        """The count for reading: exact, or "10,000+"."""
        return f"{display.number(COUNT_BOUND)}+" if self.is_more else display.number(self.count)

    @property
    def last_number(self) -> int:
        """The number of the last page that can be opened."""
        reachable = min(self.count, DEPTH_BOUND)
        return max(1, -(-reachable // self.size))

    @property
    def has_previous(self) -> bool:
        """Whether there is a page before."""
        return self.number > 1

    @property
    def has_next(self) -> bool:
        """Whether there is a page after that can be opened."""
        return self.number < self.last_number

    @property
    def previous_number(self) -> int:
        """The page before."""
        return self.number - 1

    @property
    def next_number(self) -> int:
        """The page after."""
        return self.number + 1

    @property
    def is_bounded(self) -> bool:
        """Whether rows lie beyond the last page that can be opened."""
        return self.number == self.last_number and self.is_more

    @property
    def numbers(self) -> list[int | None]:
        """The page numbers to offer: first, last, those around this one; None stands for a gap."""
        wanted = sorted(
            {1, self.last_number, *range(max(1, self.number - 1), min(self.last_number, self.number + 1) + 1)}
        )
        result: list[int | None] = []
        for number in wanted:
            if result and isinstance(result[-1], int) and number - result[-1] > 1:
                result.append(None)
            result.append(number)
        return result


class RowOrder:
    """The order of a list: by some fields in one direction, rows without a value last, ties by primary key.

    Plain indexes serve it in both directions on every database: rows with a value and rows without are read as two
    ranges one after the other, instead of by NULLS LAST, for which no index of ours fits.
    """

    def __init__(self, model: type[Model], fields: Sequence[str], *, is_descending: bool) -> None:
        self.fields = tuple(own for each in fields for own in _columns(model, each))
        self.is_descending = is_descending
        self.model = model
        self.split = next(
            (each for each in self.fields if _may_be_null(model, each) or _may_be_blank(model, each)), None
        )

    def _sorted(self, rows: QuerySet[Any], fields: Sequence[str]) -> QuerySet[Any]:
        sign = "-" if self.is_descending else ""
        return rows.order_by(*[f"{sign}{each}" for each in fields], f"{sign}pk")

    def parts(self, rows: QuerySet[Any]) -> list[QuerySet[Any]]:
        """The ranges, in order: one, or those with a value and those without."""
        if self.split is None:
            return [self._sorted(rows, self.fields)]
        is_null = Q(**{f"{self.split}__isnull": True})
        has_value, has_none = ~is_null, is_null
        if _may_be_blank(self.model, self.split):  # "> ''" is a range of the index, which a NOT would not be
            has_value, has_none = Q(**{f"{self.split}__gt": ""}), Q(**{self.split: ""})
            if _may_be_null(self.model, self.split):
                has_none |= is_null
        others = [each for each in self.fields if each != self.split]
        return [self._sorted(rows.filter(has_value), self.fields), self._sorted(rows.filter(has_none), others)]

    def slice(self, rows: QuerySet[Any], start: int, stop: int, *, is_few: bool = False) -> list[Any]:
        """The rows at these positions: at most two queries for each range and one bounded count.

        `is_few` says that no more than some thousands match at all.
        """
        parts = self.parts(rows)
        found = first_rows(parts[0], start, stop, is_few=is_few)
        if len(parts) == 1 or len(found) == stop - start:
            return found
        before = start + len(found) if found else bounded_count(parts[0], start)
        return found + first_rows(parts[1], max(0, start - before), stop - before, is_few=is_few)

    def every(self, rows: QuerySet[Any], chunk_size: int = 2000) -> Iterator[Any]:
        """All rows in order, read in chunks."""
        for part in self.parts(rows):
            yield from part.iterator(chunk_size=chunk_size)


def bounded_count(rows: QuerySet[Any], bound: int) -> int:
    """How many rows there are, counting no further than `bound`."""
    return rows.order_by()[:bound].count() if bound else 0


def _columns(model: type[Model], path: str) -> list[str]:
    """A foreign key sorts as the rows it points to do: "account" gives "account__name"."""
    current: Any = model
    for step in path.split("__"):
        if step == "pk":
            return [path]
        current = getattr(current._meta.get_field(step), "related_model", None)
    if current is None:
        return [path]
    own = [str(each).lstrip("-") for each in current._meta.ordering if isinstance(each, str)]
    return [f"{path}__{each}" for each in own if each not in {"pk", "id"}] or [f"{path}_id"]


def _may_be_blank(model: type[Model], path: str) -> bool:
    """Whether a path ends at a text that may be empty."""
    current: Any = model
    found: Any = None
    for step in path.split("__"):
        found = current._meta.pk if step == "pk" else current._meta.get_field(step)
        current = getattr(found, "related_model", None) or current
    return isinstance(found, CharField | TextField) and found.blank


def _may_be_null(model: type[Model], path: str) -> bool:
    current: Any = model
    for step in path.split("__"):
        if step == "pk":
            return False
        found = current._meta.get_field(step)
        if getattr(found, "null", False):
            return True
        current = getattr(found, "related_model", None) or current
    return False


class ScopedListView(PortalView):
    """A list page. A room names rows, table and filter; all else comes from here.

    class DealListView(ScopedListView):
        selector = deals_for            # (actor) -> QuerySet, already narrowed to what the actor may see
        table_class = DealTable
        filterset_class = DealFilter
        totals = (MoneyTotal(_("Amount"), "amount_minor"),)
        bulk_actions = (BulkAction(_("Reassign"), "deals:deal_reassign", icon="users"),)
        create_url = "deals:deal_create"
        empty = Empty(_("No deals yet"), _("Import your pipeline or add the first deal."), "briefcase")

    The template is `<app>/<model>_list.html` where there is one (it extends "core/list_page.html"), else that itself.
    """

    selector: ClassVar[Callable[[Actor], QuerySet[Any]]]
    table_class: ClassVar[type[PortalTable]]
    filterset_class: ClassVar[type[PortalFilterSet]] = PortalFilterSet
    totals: ClassVar[Sequence[MoneyTotal]] = ()
    bulk_actions: ClassVar[Sequence[BulkAction]] = ()
    default_sort: ClassVar[str] = ""
    title: ClassVar[Any] = ""
    create_url: ClassVar[str] = ""
    create_label: ClassVar[Any] = ""
    empty: ClassVar[Empty] = Empty(gettext_lazy("Nothing here yet"))
    can_export: ClassVar[bool] = True
    #: Kinds of records that the rows are or are counted from: the page says so when a source of them is behind.
    rests_on: ClassVar[Sequence[str]] = ()
    template_name: ClassVar[str] = ""

    # --- What the page shows --------------------------------------------------------------------------------------

    def get_rows(self) -> QuerySet[Any]:
        """All rows that the actor may see."""
        rows: QuerySet[Any] = self.unbound("selector")(self.actor)
        return rows

    def may_create(self) -> bool:
        """Whether the button for a new row is shown; by default to those who may change work."""
        return bool(self.create_url) and self.actor.may_edit_work

    def get_context(self) -> dict[str, Any]:
        """What a room adds to its own template."""
        return {}

    def add_figures(self, rows: Sequence[Any]) -> None:
        """Set on these rows what no column of theirs holds, in a fixed number of queries: of a page, or of a batch of a file."""

    @property
    def page_key(self) -> str:
        """The name under which views and preferences of this page are kept."""
        match = self.request.resolver_match
        return match.view_name if match else type(self).__name__

    @cached_property
    def rows(self) -> QuerySet[Any]:
        """The rows, before filtering."""
        return self.get_rows()

    @property
    def model(self) -> type[Model]:
        """What the rows are."""
        return self.rows.model

    @cached_property
    def filterset(self) -> PortalFilterSet:
        """The filters as asked."""
        return self.filterset_class(self.request.GET, self.rows, request=self.request)

    @cached_property
    def preference(self) -> ListPreference:
        """How the actor wants this page."""
        return list_preference_for(self.actor, self.page_key)

    @cached_property
    def saved_views(self) -> list[SavedView]:
        """The actor's own views and the shared ones."""
        return list(saved_views_for(self.actor, self.page_key))

    @property
    def opening_view(self) -> SavedView | None:
        """The view with which the page opens for the actor, while it is still theirs or shared."""
        view = self.preference.opening_view
        return view if view and (view.is_shared or view.owner_id == self.actor.user_id) else None

    @cached_property
    def columns_wanted(self) -> list[str]:
        """Columns of the address, else those the actor chose, else the table's own."""
        given = self.request.GET.get("cols", "")
        return given.split(",") if given else list(self.preference.columns)

    @cached_property
    def sort(self) -> str:
        """The column that sorts, with "-" when descending; empty for the rows' own order."""
        for wanted in (self.request.GET.get("sort", ""), self.default_sort):
            if wanted and self.table_class.sort_fields(wanted.removeprefix("-")):
                return wanted
        return ""

    @cached_property
    def order(self) -> RowOrder:
        """The order of the rows."""
        if self.sort:
            by = self.table_class.sort_fields(self.sort.lstrip("-"))
            return RowOrder(self.model, by, is_descending=self.sort.startswith("-"))
        return self.own_order

    @cached_property
    def own_order(self) -> RowOrder:
        """The rows' own order."""
        own = [str(each) for each in self.model._meta.ordering or () if isinstance(each, str)] or ["pk"]
        fields = [each.lstrip("-") for each in own]
        while fields and fields[-1] in {"pk", "id"}:
            fields.pop()
        return RowOrder(self.model, fields, is_descending=own[0].startswith("-"))

    @cached_property
    def matching(self) -> QuerySet[Any]:
        """All rows that match the filters, in no order."""
        return self.filterset.rows.order_by()

    @property
    def page_size(self) -> int:
        """Rows a page."""
        for given in (self.request.GET.get("per"), self.preference.page_size):
            if str(given).isdigit() and int(str(given)) in PAGE_SIZES:
                return int(str(given))
        return PAGE_SIZES[1]

    def with_columns(self, names: Sequence[str]) -> QuerySet[Any]:
        """The matching rows with all that these columns need."""
        related = self.table_class.related_fields(self.model, names)
        return self.matching.select_related(*related) if related else self.matching

    @cached_property
    def counted(self) -> int:
        """How many rows match, counted to just beyond the bound."""
        return bounded_count(self.matching, COUNT_BOUND + 1)

    @property
    def is_sort_refused(self) -> bool:
        """Whether so many rows cannot be sorted quickly by the column asked for; they come in their own order then."""
        asked = self.sort.lstrip("-")
        return bool(asked) and self.counted > COUNT_BOUND and not self.table_class.sorts_large(self.model, asked)

    def get_page(self, shown: Sequence[str]) -> Page:
        """The page asked for; a number past the end gives the last page."""
        size = self.page_size
        counted = self.counted
        count = min(counted, COUNT_BOUND)
        order = self.own_order if self.is_sort_refused else self.order
        asked = self.request.GET.get("page", "1")
        last = max(1, -(-min(count, DEPTH_BOUND) // size))
        number = min(max(1, int(asked[:9])) if asked.isdecimal() else 1, last)
        start, is_few = (number - 1) * size, counted <= COUNT_BOUND
        rows = order.slice(self.with_columns(shown), start, start + size, is_few=is_few) if count else []
        return Page(rows=rows, number=number, size=size, count=count, is_more=counted > COUNT_BOUND)

    def clean_query(self, *, keep: frozenset[str] = frozenset({"sort", "per", "cols", "view", "page"})) -> QueryDict:
        """The address's parameters that mean something, without empty ones: filters and those named."""
        known = self.filterset.parameters | keep
        query = QueryDict(mutable=True)
        for name, values in self.request.GET.lists():
            given = [value for value in values if value != ""] if name != "view" else values
            if name in known and given and not (name == "page" and given == ["1"]):
                query.setlist(name, given)
        return query

    def view_query(self) -> str:
        """What a saved view keeps: filters, sorting and columns, in a fixed order."""
        query = self.clean_query(keep=frozenset({"sort", "cols"}))
        pairs = sorted((name, value) for name, values in query.lists() for value in values)
        ordered = QueryDict(mutable=True)
        for name, value in pairs:
            ordered.appendlist(name, value)
        return ordered.urlencode()

    # --- Answers --------------------------------------------------------------------------------------------------

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """The page, or the part of it that htmx asks for."""
        if request.GET.get("part") == "totals":
            return self.show_totals()
        if request.GET.get("part") == "filters":
            return self.show_filters()
        if not request.GET and not self.is_partial and (view := self.opening_view):
            return redirect(f"{request.path}?{_with_view(view)}")
        template = {"list": "parts/list_rows.html", "list-page": "parts/list.html"}.get(self.htmx_target)
        context = self.page_context()
        response = render(request, template or self.templates, context)
        if template:
            query = self.clean_query().urlencode()
            response.headers["HX-Push-Url"] = f"{request.path}?{query}" if query else request.path
        return response

    @property
    def templates(self) -> list[str]:
        """The templates tried for the whole page."""
        label, name = self.model._meta.app_label, self.model._meta.model_name
        own = [self.template_name] if self.template_name else []
        return [*own, f"{label}/{name}_list.html", "core/list_page.html"]

    def page_context(self) -> dict[str, Any]:
        """All that the templates of a list need."""
        shown = self.table_class.choose(self.columns_wanted)
        page = self.get_page(shown)
        self.add_figures(page.rows)
        actions = [action for action in self.bulk_actions if action.allowed_to(self.actor)]
        table = self.make_table(page.rows, shown, is_selectable=bool(actions), is_large=page.is_more)
        view_id = self.request.GET.get("view", "")
        active = next((each for each in self.saved_views if str(each.pk) == view_id), None)
        return {
            "view": self,
            "title": self.title or capfirst(str(self.model._meta.verbose_name_plural)),
            "noun_plural": self.model._meta.verbose_name_plural,
            "table": table,
            "page": page,
            **self.filter_context(),
            "can_sort": True,
            "sort": self.sort,
            "is_sort_refused": self.is_sort_refused,
            "saved_views": self.saved_views,
            "active_view": active,
            "is_view_changed": active is not None and active.query != self.view_query(),
            "is_own_view": active is not None and active.owner_id == self.actor.user_id,
            "opening_view_id": self.preference.opening_view_id,
            "column_choices": self.column_choices(table),
            "page_sizes": PAGE_SIZES,
            "bulk_actions": actions,
            "totals_url": f"?{self._part_query('totals')}" if self.totals and page.rows else "",
            "query": self.clean_query().urlencode(),
            "filter_query": self.clean_query(keep=frozenset({"sort", "cols", "view"})).urlencode(),
            "create_url": _url_or_nothing(self.create_url) if self.may_create() else "",
            "create_label": self.create_label or _("New %(noun)s") % {"noun": self.model._meta.verbose_name},
            "empty": self.empty,
            "empty_action_url": _url_or_nothing(self.empty.action_url),
            "export_limit": exports.XLSX_LIMIT,
            **self.get_context(),
        }

    def make_table(
        self, rows: Any, shown: Sequence[str], *, is_selectable: bool = False, is_large: bool = False
    ) -> PortalTable:
        """The table over some rows."""
        return self.table_class(
            Rows(rows, self.model),
            columns_shown=shown,
            sort=self.sort,
            now=self.now,
            actor=self.actor,
            selectable=is_selectable,
            is_large=is_large,
        )

    def column_choices(self, table: PortalTable) -> list[dict[str, Any]]:
        """The columns that can be chosen: those shown first, in their order."""
        names = [*table.shown, *(name for name in table.column_names() if name not in table.shown)]
        return [
            {"name": name, "label": table.label_of(name), "is_shown": name in table.shown, "is_fixed": position == 0}
            for position, name in enumerate(names)
        ]

    def filter_context(self) -> dict[str, Any]:
        """What the bar above the rows needs: the filters as asked, and where their fields are fetched when opened."""
        return {
            "filterset": self.filterset,
            "chips": self.filterset.chips(),
            "is_filtered": self.filterset.is_active,
            "hidden_filters": self.hidden_filters(),
            "filters_url": f"?{self._part_query('filters')}",
        }

    def show_filters(self) -> HttpResponseBase:
        """The fields of the filters: there may be a thousand people to choose from, so a page fetches them when asked."""
        return render(self.request, "parts/list_filters.html", {"filterset": self.filterset})

    def hidden_filters(self) -> list[tuple[str, str]]:
        """The filters that are set, but for the search: they stay in the form until its panel is opened and loaded."""
        query = self.clean_query(keep=frozenset())
        return [(name, value) for name, values in query.lists() if name != "q" for value in values]

    def _part_query(self, part: str) -> str:
        query = self.clean_query(keep=frozenset())
        query["part"] = part
        return query.urlencode()

    def get_totals(self) -> list[Total]:
        """The figures over all matching rows: one for each money column and currency."""
        found: list[Total] = []
        for total in self.totals:
            sums = (
                self.matching.filter(**{f"{total.minor}__isnull": False})
                .values_list(total.currency)
                .annotate(total=Sum(total.minor))
                .order_by(total.currency)
            )
            texts = [display.money(int(minor), currency) for currency, minor in sums if minor is not None]
            found.append(Total(label=str(total.label), text=" · ".join(texts) or display.NOTHING))
        return found

    def show_totals(self) -> HttpResponse:
        """The line of totals, asked for after the page so that the page need not wait for it."""
        count = self.matching.count()
        return render(
            self.request,
            "parts/list_totals.html",
            {"totals": self.get_totals(), "count": count, "is_beyond": count > COUNT_BOUND},
        )

    # --- Changes --------------------------------------------------------------------------------------------------

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Export, save or remove a view, choose columns. The address's query says which rows are meant."""
        act = {
            "export": self.export,
            "save_view": self.save_view,
            "delete_view": self.delete_view,
            "open_with": self.open_with,
            "columns": self.choose_columns,
        }.get(request.POST.get("do", ""))
        self.get_rows()  # a page about something that is not the actor's is not found, whatever is posted to it
        return act() if act else HttpResponseBadRequest()

    def _back(self, query: str | None = None) -> HttpResponse:
        query = self.clean_query().urlencode() if query is None else query
        return redirect(f"{self.request.path}?{query}" if query else self.request.path)

    def save_view(self) -> HttpResponseBase:
        """Keep what is shown under a name."""
        name = self.request.POST.get("name", "").strip()
        if not name:
            messages.error(self.request, _("A saved view needs a name."))
            return self._back()
        view = services.save_view(
            actor=self.actor,
            page=self.page_key,
            name=name,
            query=self.view_query(),
            is_shared=self.request.POST.get("is_shared") == "on",
        )
        messages.success(self.request, _("Saved the view “%(name)s”.") % {"name": view.name})
        return self._back(_with_view(view))

    def delete_view(self) -> HttpResponseBase:
        """Remove one of the actor's own views."""
        name = services.delete_view(actor=self.actor, page=self.page_key, pk=_whole(self.request.POST.get("pk")))
        messages.success(self.request, _("Removed the view “%(name)s”.") % {"name": name})
        return self._back("view=")

    def open_with(self) -> HttpResponseBase:
        """Open the page with a view from now on, or with all rows."""
        given = self.request.POST.get("pk", "")
        services.open_with(actor=self.actor, page=self.page_key, pk=_whole(given) if given else None)
        messages.success(self.request, _("From now on this page opens like this for you."))
        return self._back()

    def choose_columns(self) -> HttpResponseBase:
        """Remember columns and rows a page for the actor; "reset" forgets them."""
        post = self.request.POST
        names = (
            []
            if "reset" in post
            else [name for name in post.getlist("column") if name in self.table_class.column_names()]
        )
        size = post.get("per", "")
        services.keep_columns(
            actor=self.actor,
            page=self.page_key,
            columns=names,
            page_size=int(size) if size.isdigit() and int(size) in PAGE_SIZES and "reset" not in post else None,
        )
        query = self.clean_query(keep=frozenset({"sort", "view"}))
        return self._back(query.urlencode())

    def _with_figures(self, rows: Iterator[Any]) -> Iterator[Any]:
        """The rows of a file with their figures, worked out for a batch at a time."""
        while batch := list(islice(rows, FIGURES_AT_ONCE)):
            self.add_figures(batch)
            yield from batch

    def export(self) -> HttpResponseBase:
        """All matching rows with the columns shown, in the order shown, as CSV or XLSX."""
        form = self.request.POST.get("form", "")
        if not self.can_export or form not in {"csv", "xlsx"}:
            return HttpResponseBadRequest()
        count = self.matching.count()
        if form == "xlsx" and count > exports.XLSX_LIMIT:
            messages.error(
                self.request,
                _("%(count)s rows are too many for XLSX (at most %(limit)s). Narrow the filter, or take CSV.")
                % {"count": display.number(count), "limit": display.number(exports.XLSX_LIMIT)},
            )
            return self._back()
        shown = self.table_class.choose(self.columns_wanted)
        table = self.make_table([], shown)
        query = self.clean_query(keep=frozenset({"sort"})).urlencode()
        exports.tell(
            self.actor,
            exports.Export(page=self.page_key, form=form, count=count, query=query, columns=tuple(shown)),
            self.now,
        )
        every = self._with_figures(self.order.every(self.with_columns(shown)))
        rows = _in_language(table.file_rows(every), translation.get_language())
        headers = table.file_headers()
        name = exports.file_name(str(self.model._meta.verbose_name_plural), timezone.localdate(self.now), form)
        answer = exports.csv_response if form == "csv" else exports.xlsx_response
        return answer(name, headers, rows, timezone.get_current_timezone())


def _in_language(rows: Iterator[list[Cell]], language: str | None) -> Iterator[list[Cell]]:
    """Rows made in a language, whatever is active when the stream is read."""
    while True:
        with translation.override(language):
            row = next(rows, None)
        if row is None:
            return
        yield row


def _with_view(view: SavedView) -> str:
    return f"{view.query}&view={view.pk}" if view.query else f"view={view.pk}"


def _url_or_nothing(name: str) -> str:
    try:
        return reverse(name) if name else ""
    except NoReverseMatch:
        return ""


def _whole(text: str | None) -> int:
    if text is None or not text.isdecimal() or len(text) > 18:
        raise Http404
    return int(text)
