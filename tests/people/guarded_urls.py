"""The portal's addresses and one more, whose view asks again who is there."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from salesops.config.urls import urlpatterns as portal
from salesops.people.reauth import require_recent


@require_recent(minutes=10)
def release(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"released {request.POST['amount']}")


urlpatterns = [path("guarded/", release), *portal]
