"""The API's root: every room's viewsets, and their description."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from salesops.accounts.api import router as accounts
from salesops.activities.api import router as activities
from salesops.commissions.api import router as commissions
from salesops.core.views.api_page import ApiPageView
from salesops.deals.api import router as deals
from salesops.effort.api import router as effort
from salesops.leads.api import router as leads
from salesops.pods.api import router as pods

app_name = "api"
urlpatterns = [
    path(
        "",
        include(
            [
                *accounts.urls,
                *activities.urls,
                *commissions.urls,
                *deals.urls,
                *effort.urls,
                *leads.urls,
                *pods.urls,
            ]
        ),
    ),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", ApiPageView.as_view(), name="docs"),
]
