"""The board: the list's deals as cards in columns, moved by mouse, finger or keyboard."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils.functional import cached_property
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _

from salesops.core.days import company_day
from salesops.core.views import PortalView
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal, Stage
from salesops.deals.selectors import board_for, column_for, neighbours_place, stages
from salesops.deals.selectors.board import ORDERS
from salesops.deals.services import move_deal
from salesops.deals.views.deals import EDITORS, DealListView, stale_or

_ORDER_LABELS = {
    "placed": _("As arranged"),
    "amount": _("Largest first"),
    "expected": _("Expected first"),
    "oldest": _("Longest in stage first"),
}


class DealBoardView(DealListView):
    """A column for each stage. Filters, search and saved views are those of the list."""

    title = _("Board")

    @property
    def page_key(self) -> str:
        """Saved views are shared with the list."""
        return "deals:deal_list"

    @cached_property
    def board_order(self) -> str:
        """How cards are ordered within their columns."""
        given = self.request.GET.get("order", "")
        return given if given in ORDERS else "placed"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """The board, more cards of a column, or the part that htmx asks for."""
        if request.GET.get("part") == "filters":
            return self.show_filters()
        if request.GET.get("part") == "column":
            return self.more_cards()
        if not request.GET and not self.is_partial and (opening := self.opening_view):
            return redirect(f"{request.path}?{opening.query}&view={opening.pk}")
        part = {"list": "deals/board_body.html", "list-page": "deals/board_page.html"}.get(self.htmx_target)
        response = render(request, part or "deals/deal_board.html", self.page_context())
        if part:
            query = self.shared_context()["board_query"]
            response.headers["HX-Push-Url"] = f"{request.path}?{query}" if query else request.path
        return response

    def more_cards(self) -> HttpResponseBase:
        """The next cards of a column, with the button for those after."""
        stage_pk, offset = self.request.GET.get("stage_pk", ""), self.request.GET.get("offset", "0")
        if not (stage_pk.isdecimal() and offset.isdecimal()) or max(len(stage_pk), len(offset)) > 9:
            raise Http404
        stage = get_object_or_404(Stage, pk=int(stage_pk))
        column = column_for(self.actor, stage, self.matching, order=self.board_order, offset=int(offset))
        return render(self.request, "deals/board_cards.html", self.shared_context() | {"column": column})

    def shared_context(self) -> dict[str, Any]:
        """What cards and columns need."""
        keep = self.clean_query(keep=frozenset({"view"}))
        if self.board_order != "placed":
            keep["order"] = self.board_order
        return {
            "view": self,
            "may_edit": self.actor.may_edit_work,
            "board_order": self.board_order,
            "is_arranged": self.board_order == "placed",
            "board_query": keep.urlencode(),
            "shared_query": self.clean_query(keep=frozenset({"view"})).urlencode(),
            "today": company_day(self.now),
        }

    def page_context(self) -> dict[str, Any]:
        """The columns instead of a table."""
        view_id = self.request.GET.get("view", "")
        active = next((each for each in self.saved_views if str(each.pk) == view_id), None)
        return {
            **self.shared_context(),
            "title": self.title,
            "noun_plural": self.model._meta.verbose_name_plural,
            **self.filter_context(),
            "saved_views": self.saved_views,
            "active_view": active,
            "is_view_changed": active is not None and active.query != self.view_query(),
            "is_own_view": active is not None and active.owner_id == self.actor.user_id,
            "opening_view_id": self.preference.opening_view_id,
            "query": self.clean_query().urlencode(),
            "board": board_for(self.actor, self.matching, order=self.board_order),
            "orders": _ORDER_LABELS.items(),
            "shown_as": "board",
            "create_url": self.create_url if self.may_create() else "",
        }


class DealPlaceView(PortalView):
    """The board tells where a card was put. Answers in JSON: the sums of the columns touched, or why not."""

    roles = EDITORS

    def post(self, request: HttpRequest, pk: int) -> JsonResponse:
        """Move the card to its stage and its place between its neighbours; closing is asked for elsewhere."""
        stage = stages().filter(pk=_whole(request.POST.get("stage")) or 0).first()
        version = _whole(request.POST.get("version"))
        if stage is None or version is None:
            return JsonResponse({"message": translate("The board is out of date. Load the page again.")}, status=422)
        above, below = _whole(request.POST.get("above")), _whole(request.POST.get("below"))
        place = neighbours_place(self.actor, stage, above, below) if above or below else None
        left_pk = Deal.objects.get_for(self.actor, pk=pk).stage_id
        try:
            deal = move_deal(actor=self.actor, deal_id=pk, stage=stage, at=self.now, version=version, place=place)
        except ValidationError as error:
            return JsonResponse({"message": " ".join(error.messages)}, status=stale_or(error))
        board = DealBoardView()
        board.setup(request)
        shared = board.shared_context()
        heads = {}
        for touched in Stage.objects.filter(pk__in={left_pk, stage.pk}):
            column = column_for(self.actor, touched, board.matching, cards=0)
            heads[str(touched.pk)] = render_to_string(
                "deals/board_head.html", shared | {"column": column}, request=request
            )
        opened = board_for(self.actor, board.matching.filter(kind=StageKind.OPEN), cards=0)
        return JsonResponse(
            {
                "version": deal.version,
                "card": render_to_string("deals/board_card.html", shared | {"card": deal}, request=request),
                "heads": heads,
                "open": render_to_string("deals/board_open.html", shared | {"board": opened}, request=request),
                "message": translate("“%(deal)s” is now in %(stage)s.") % {"deal": deal, "stage": stage},
            }
        )


def _whole(text: str | None) -> int | None:
    """A key or number of the form; None for anything else."""
    return int(text) if text and text.isdecimal() and len(text) <= 18 else None
