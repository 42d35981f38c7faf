"""The admin site: for administrators of this moment only, entered through the portal's own log-in."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.sites import UnfoldAdminSite

from salesops.core.actor import NOBODY, Actor, Role


class PortalAdminSite(UnfoldAdminSite):
    """Asks the actor, not Django's flags: a role that ended yesterday opens nothing today."""

    def has_permission(self, request: HttpRequest) -> bool:
        """Administrators. The middleware in front has made sure of their second factor."""
        actor: Actor = getattr(request, "actor", NOBODY)
        return actor.user_id is not None and actor.has(Role.ADMIN)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The portal's log-in; whoever is logged in and comes here may not enter."""
        if request.user.is_authenticated:
            if self.has_permission(request):
                return HttpResponseRedirect(reverse("admin:index"))
            raise PermissionDenied
        query = urlencode({"next": request.GET.get("next") or reverse("admin:index")})
        return HttpResponseRedirect(f"{reverse('account_login')}?{query}")

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The portal's question whether to log out."""
        return HttpResponseRedirect(reverse("account_logout"))

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The portal's page."""
        return HttpResponseRedirect(reverse("account_change_password"))
