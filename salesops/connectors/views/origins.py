"""Where a record of the portal is from: a page for whoever may see the record."""

from __future__ import annotations

from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from salesops.accounts.selectors import account_for, contact_for
from salesops.connectors.models import Source
from salesops.connectors.selectors import connections as selectors
from salesops.connectors.views.base import imports_files
from salesops.connectors.views.records import changes_of, pretty
from salesops.core.views import PortalView
from salesops.deals.selectors.deals import deal_for
from salesops.leads.selectors.leads import lead_for

#: What has an origin page: by the word of its address, the kinds of its records, how it is found for an actor, its page.
NOUNS: Final = {
    "account": (("accounts",), account_for, "accounts:account_detail"),
    "contact": (("contacts",), contact_for, "accounts:contact_detail"),
    "deal": (("deals",), deal_for, "deals:deal_detail"),
    "lead": (("leads",), lead_for, "leads:lead_detail"),
}


class OriginView(PortalView):
    """Whoever sees a record sees which source told of it, when, and what it changed. The raw telling may hold what the
    portal does not show, so it is for those who import."""

    def get(self, request: HttpRequest, kind: str, pk: int) -> HttpResponseBase:
        """The page; 404 for a record that is not theirs."""
        if kind not in NOUNS:
            raise Http404
        kinds, find, page = NOUNS[kind]
        row: Any = find(self.actor, pk)
        may_see_payload = imports_files(self.actor)
        origins = [
            {
                "raw": each.raw,
                "link": each.link,
                "object_label": selectors.object_labels(each.raw.stream.connection).get(
                    each.raw.stream.object, each.raw.stream.object
                ),
                "source": each.raw.stream.connection.source.name,
                "problems": each.problems if may_see_payload else [],
                "changes": changes_of(self.actor, each.raw),
                "payload": pretty(each.raw.payload) if may_see_payload else "",
            }
            for each in selectors.origins_of(kinds, row.pk)
        ]
        context = {
            "title": _("Where “%(record)s” is from") % {"record": row},
            "row": row,
            "row_url": reverse(page, kwargs={"pk": row.pk}),
            "origins": origins,
            "source": Source.objects.filter(code=row.source).first() if row.source else None,
            "may_see_payload": may_see_payload,
        }
        return render(request, "connectors/origin_detail.html", context)
