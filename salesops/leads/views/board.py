"""The board on which managers give leads to people: leads beside pods, by mouse, finger or keyboard."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Final

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.functional import cached_property
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from salesops.core import display
from salesops.core.actor import Role
from salesops.core.views import PortalView
from salesops.leads.selectors.board import (
    ASSIGNERS,
    LEADS,
    ORDERS,
    SHOWN,
    last_act,
    leads_on_board,
    receivers_for,
    shown_of,
)
from salesops.leads.services.board import MOST, Handed, Suggestion, Undone, Wish, assign_leads, suggest, take_back
from salesops.leads.views.leads import LeadListView

#: Refusals that are named one by one.
_NAMED: Final = 3


class LeadBoardView(LeadListView):
    """Leads to give on the left, pods and people on the right. Filters, search and saved views are those of the list."""

    roles: ClassVar[tuple[Role, ...]] = ASSIGNERS
    title = _("Pod board")
    template_name = "leads/lead_board.html"

    @property
    def page_key(self) -> str:
        """Saved views are shared with the list."""
        return "leads:lead_list"

    @cached_property
    def board_shown(self) -> str:
        """Which leads are shown."""
        given = self.request.GET.get("show", "")
        return given if given in SHOWN else "nobody"

    @cached_property
    def board_order(self) -> str:
        """How they are ordered."""
        given = self.request.GET.get("order", "")
        return given if given in ORDERS else "oldest"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """The board, more leads, or the part that htmx asks for."""
        if request.GET.get("part") == "filters":
            return self.show_filters()
        if request.GET.get("part") == "leads":
            return render(request, "leads/board_leads.html", self.leads_context(offset=self.offset))
        if not request.GET and not self.is_partial and (opening := self.opening_view):
            return redirect(f"{request.path}?{opening.query}&view={opening.pk}")
        part = {"list": "leads/board_body.html", "list-page": "leads/board_page.html"}.get(self.htmx_target)
        response = render(request, part or self.template_name, self.page_context())
        if part:
            query = self.board_query
            response.headers["HX-Push-Url"] = f"{request.path}?{query}" if query else request.path
        return response

    @property
    def offset(self) -> int:
        """From which lead on more are asked for."""
        return _whole(self.request.GET.get("offset")) or 0

    @property
    def board_query(self) -> str:
        """The board's own query: filters, what is shown, in which order."""
        keep = self.clean_query(keep=frozenset({"view"}))
        if self.board_shown != "nobody":
            keep["show"] = self.board_shown
        if self.board_order != "oldest":
            keep["order"] = self.board_order
        return keep.urlencode()

    def leads_context(self, *, offset: int = 0, most: int = LEADS) -> dict[str, Any]:
        """The leads from one on."""
        leads = shown_of(self.matching, self.board_shown)
        return {
            "leads": leads_on_board(self.actor, leads, order=self.board_order, offset=offset, most=most),
            "board_query": self.board_query,
            "now": self.now,
        }

    def body_context(self, *, most: int = LEADS) -> dict[str, Any]:
        """Both sides, and what can be taken back."""
        act = last_act(self.actor, self.now)
        boxes = receivers_for(self.actor, self.now)
        return {
            **self.leads_context(most=most),
            **self.filter_context(),
            "boxes": boxes,
            "people_count": sum(len(box.people) for box in boxes),
            "board_shown": self.board_shown,
            "act": {"number": act[0], "count": act[1]} if act else None,
            "most": MOST,
        }

    def page_context(self) -> dict[str, Any]:
        """The board instead of a table."""
        view_id = self.request.GET.get("view", "")
        active = next((each for each in self.saved_views if str(each.pk) == view_id), None)
        return {
            **self.body_context(),
            "view": self,
            "title": self.title,
            "noun_plural": self.model._meta.verbose_name_plural,
            "saved_views": self.saved_views,
            "active_view": active,
            "is_view_changed": active is not None and active.query != self.view_query(),
            "is_own_view": active is not None and active.owner_id == self.actor.user_id,
            "opening_view_id": self.preference.opening_view_id,
            "query": self.clean_query().urlencode(),
            "board_order": self.board_order,
            "shown": SHOWN.items(),
            "orders": [(code, label) for code, (label, _by) in ORDERS.items()],
        }


class _BoardAct(PortalView):
    """What the board sends: it takes a POST and answers in JSON, with the board as it is afterwards."""

    roles = ASSIGNERS

    def answer(self, request: HttpRequest) -> JsonResponse:
        """Do it. Raises ValidationError for what is refused."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it does")

    def post(self, request: HttpRequest) -> JsonResponse:
        """Do it, or say why not."""
        try:
            return self.answer(request)
        except ValidationError as error:
            return JsonResponse({"message": " ".join(error.messages)}, status=422)

    @property
    def keys(self) -> list[int]:
        """The leads that are meant, in their order."""
        found = [_whole(text) for text in self.request.POST.getlist("lead")]
        return list(dict.fromkeys(pk for pk in found if pk is not None))

    def board(self, request: HttpRequest) -> str:
        """The board's body as it is now, with as many leads as were shown."""
        view = LeadBoardView()
        view.setup(request)
        most = min(max(_whole(request.POST.get("shown")) or 0, LEADS), 10 * LEADS)
        return render_to_string("leads/board_body.html", view.body_context(most=most), request=request)


class LeadBoardSuggestView(_BoardAct):
    """Whom the rules would give the selected leads, and why."""

    def answer(self, request: HttpRequest) -> JsonResponse:
        """A person for each, or why there is none."""
        said = suggest(actor=self.actor, lead_ids=self.keys, at=self.now)
        fitting = sum(each.person is not None for each in said)
        message = ngettext(
            "Somebody is suggested for %(count)s of %(all)s lead.",
            "Somebody is suggested for %(count)s of %(all)s leads.",
            len(said),
        ) % {"count": display.number(fitting), "all": display.number(len(said))}
        return JsonResponse({"suggestions": [_plain(each) for each in said], "message": message})


class LeadBoardAssignView(_BoardAct):
    """Gives the selected leads to somebody, to a pod, or each to whom the rules suggested."""

    def answer(self, request: HttpRequest) -> JsonResponse:
        """Give them."""
        post = request.POST
        suggested = post.get("suggested", "")
        if suggested:
            wishes = _wishes_in(suggested)
        else:
            owner, pod = _whole(post.get("owner")), _whole(post.get("pod"))
            wishes = [Wish(pk, owner, pod if owner is None else None) for pk in self.keys]
        done = assign_leads(
            actor=self.actor,
            wishes=wishes,
            at=self.now,
            reason=post.get("reason", ""),
            is_suggested=bool(suggested),
        )
        answer = {"act": str(done.act) if done.act else "", "message": told(done), "body": self.board(request)}
        return JsonResponse(answer | {"is_good": bool(done.given) and not done.refused})


class LeadBoardUndoView(_BoardAct):
    """Takes an act back: owners and turns are as they were."""

    def answer(self, request: HttpRequest) -> JsonResponse:
        """Take it back."""
        act = _whole(request.POST.get("act"))
        done = take_back(actor=self.actor, act=act or 0, at=self.now)
        answer = {"message": told_back(done), "body": self.board(request), "back": [str(pk) for pk in done.back]}
        return JsonResponse(answer | {"is_good": not done.refused})


def _plain(each: Suggestion) -> dict[str, str]:
    return {
        "lead": str(each.lead),
        "person": str(each.person or ""),
        "name": each.name,
        "why": each.why,
    }


def _wishes_in(text: str) -> list[Wish]:
    """What was suggested, as the board sends it back: pairs of a lead and a person."""
    refused = ValidationError(translate("The board is out of date. Load the page again."))
    try:
        pairs = json.loads(text)
    except ValueError as error:
        raise refused from error
    wishes = []
    for pair in pairs if isinstance(pairs, list) else [None]:
        keys = [_whole(str(each)) for each in pair] if isinstance(pair, list) else []
        if len(keys) != 2 or keys[0] is None or keys[1] is None:
            raise refused
        wishes.append(Wish(keys[0], keys[1]))
    return wishes


def told(done: Handed) -> str:
    """What an act came to, in words."""
    words = []
    if done.given:
        words.append(
            ngettext("Gave %(count)s lead.", "Gave %(count)s leads.", len(done.given))
            % {"count": display.number(len(done.given))}
        )
    if done.unchanged:
        words.append(
            ngettext("%(count)s was there already.", "%(count)s were there already.", done.unchanged)
            % {"count": display.number(done.unchanged)}
        )
    words += _refusals(done.refused)
    return " ".join(words) or translate("These leads are no longer here: somebody else was faster.")


def told_back(done: Undone) -> str:
    """What taking an act back came to, in words."""
    words = [
        ngettext("Put %(count)s lead back.", "Put %(count)s leads back.", len(done.back))
        % {"count": display.number(len(done.back))}
    ]
    return " ".join(words + _refusals(done.refused))


def _refusals(refused: tuple[tuple[str, str], ...]) -> list[str]:
    said = [f"{lead}: {why}" for lead, why in refused[:_NAMED]]
    if len(refused) > _NAMED:
        left = len(refused) - _NAMED
        said.append(
            ngettext("%(count)s more was refused.", "%(count)s more were refused.", left)
            % {"count": display.number(left)}
        )
    return said


def _whole(text: str | None) -> int | None:
    """A key or number of the form; None for anything else."""
    return int(text) if text and text.isdecimal() and len(text) <= 18 else None
