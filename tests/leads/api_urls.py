"""Addresses for the tests of the programs' side: all pages, and these rooms' routers."""

from django.urls import include, path

from salesops.accounts.api import router as accounts
from salesops.config.urls import urlpatterns as pages
from salesops.leads.api import router as leads
from salesops.pods.api import router as pods

urlpatterns = [path("api/v1/", include([*accounts.urls, *leads.urls, *pods.urls])), *pages]
