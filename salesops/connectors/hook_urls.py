"""Where other systems push what changed; the address of each connection has a secret part of its own."""

from django.urls import path

from salesops.connectors.views.hooks import HookView

urlpatterns = [path("hooks/<slug:vendor>/<slug:token>/", HookView.as_view(), name="hook")]
