"""The API's root: every room's viewsets, and their description."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from salesops.accounts.api import router as accounts
from salesops.activities.api import router as activities
from salesops.deals.api import router as deals
from salesops.leads.api import router as leads
from salesops.pods.api import router as pods

app_name = "api"
urlpatterns = [
    path("", include([*accounts.urls, *activities.urls, *deals.urls, *leads.urls, *pods.urls])),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    # The split view keeps its script in a file of its own: the content policy allows no inline script.
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api:schema"), name="docs"),
]
