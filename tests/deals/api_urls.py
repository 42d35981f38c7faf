"""The portal's addresses with the API of deals and activities where programs find it."""

from django.urls import include, path

from salesops.activities.api import router as activities
from salesops.config.urls import urlpatterns as pages
from salesops.deals.api import router as deals

urlpatterns = [path("api/v1/", include([*deals.urls, *activities.urls])), *pages]
