"""A web page that takes orders: the row and its job in one transaction."""

from __future__ import annotations

import json

from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from salesops.core.actor import system_actor
from salesops.jobs import services
from tests.chaos.models import Order


@csrf_exempt
@login_not_required
def order(request: HttpRequest) -> JsonResponse:
    """Take orders; the same number again changes nothing, as after a lost answer."""
    for given in json.loads(request.body):
        with transaction.atomic():
            _row, is_new = Order.objects.get_or_create(number=given["number"])
            if is_new:
                services.enqueue(
                    kind=given["kind"],
                    key=f"chaos:{given['number']}",
                    payload=given,
                    actor=system_actor(),
                    at=timezone.now(),
                    title="Chaos",
                    max_attempts=given.get("max_attempts", 50),
                )
    return JsonResponse({"ok": True})


urlpatterns = [path("order", order, name="order"), path("", include("salesops.config.urls"))]
