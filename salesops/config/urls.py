"""All addresses of the portal: each room brings its own."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("salesops.home.urls")),
    path("people/", include("salesops.people.urls")),
    path("pods/", include("salesops.pods.urls")),
    path("accounts/", include("salesops.accounts.urls")),
    path("leads/", include("salesops.leads.urls")),
    path("deals/", include("salesops.deals.urls")),
    path("activities/", include("salesops.activities.urls")),
    path("commissions/", include("salesops.commissions.urls")),
    path("reorganisations/", include("salesops.reorganisations.urls")),
    path("effort/", include("salesops.effort.urls")),
    path("", include("salesops.connectors.urls")),
    path("", include("salesops.connectors.hook_urls")),
    path("", include("salesops.jobs.health_urls")),
    path("jobs/", include("salesops.jobs.urls")),
    path("notices/", include("salesops.notices.urls")),
    path("audit/", include("salesops.audit.urls")),
    path("api/v1/", include("salesops.config.api_urls")),
    path("admin/", admin.site.urls),
    path("account/", include("salesops.people.account_urls")),
    path("i18n/", include("django.conf.urls.i18n")),
]
