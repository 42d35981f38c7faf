"""A person's notices: the bell, the list, opening one, and being done with all."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from salesops.core.views import PortalView, redirect_for
from salesops.notices.selectors import bell_text, notice_for, notices_for, unread_count
from salesops.notices.services import mark_read

_PER_PAGE = 50


class NoticeListView(PortalView):
    """All that the person was told, newest first."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """One page of it; `?unread=1` leaves out what was read."""
        rows = notices_for(self.actor)
        only_unread = request.GET.get("unread") == "1"
        if only_unread:
            rows = rows.filter(read_at__isnull=True)
        page = Paginator(rows, _PER_PAGE).get_page(request.GET.get("page"))
        context = {
            "title": _("Notices"),
            "page": page,
            "only_unread": only_unread,
            "unread": unread_count(self.actor),
        }
        return render(request, "notices/notice_list.html", context)


class NoticeOpenView(PortalView):
    """Marks one notice as read and goes to what it is about."""

    def post(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Somebody else's notice is not there (404)."""
        notice = notice_for(self.actor, pk)
        mark_read(actor=self.actor, notice_ids=[notice.pk], at=self.now)
        return redirect_for(request, notice.url) if notice.url else redirect("notices:notice_list")


class NoticeReadView(PortalView):
    """Marks everything as read."""

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Say how many there were."""
        count = mark_read(actor=self.actor, at=self.now)
        said = ngettext("%(count)d notice marked as read.", "%(count)d notices marked as read.", count)
        messages.success(request, said % {"count": count})
        return redirect("notices:notice_list")


class NoticeBellView(PortalView):
    """The number beside the bell, asked for by the page itself now and then."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The number, or nothing."""
        count = unread_count(self.actor)
        return render(request, "notices/parts/bell.html", {"count": count, "text": bell_text(count)})
