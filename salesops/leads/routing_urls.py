"""Addresses of routing rules."""

from django.urls import path

from salesops.leads.views import routing_versions as views

urlpatterns = [
    path("", views.RoutingVersionListView.as_view(), name="routingversion_list"),
    path("new/", views.RoutingVersionCreateView.as_view(), name="routingversion_create"),
    path("<int:pk>/", views.RoutingVersionDetailView.as_view(), name="routingversion_detail"),
    path("<int:pk>/edit/", views.RoutingVersionEditView.as_view(), name="routingversion_edit"),
    path("<int:pk>/activate/", views.RoutingVersionActivateView.as_view(), name="routingversion_activate"),
    path("<int:pk>/discard/", views.RoutingVersionDiscardView.as_view(), name="routingversion_discard"),
    path("<int:pk>/dry-run/", views.RoutingVersionDryRunView.as_view(), name="routingversion_dry_run"),
    path("<int:pk>/try/", views.RoutingVersionTryView.as_view(), name="routingversion_try"),
    path("<int:pk>/rules/new/", views.RoutingRuleCreateView.as_view(), name="routingrule_create"),
    path("<int:pk>/rules/<int:rule>/", views.RoutingRuleEditView.as_view(), name="routingrule_edit"),
    path("<int:pk>/rules/<int:rule>/drop/", views.RoutingRuleDropView.as_view(), name="routingrule_drop"),
    path("<int:pk>/levels/new/", views.ServiceLevelCreateView.as_view(), name="servicelevel_create"),
    path("<int:pk>/levels/<int:level>/", views.ServiceLevelEditView.as_view(), name="servicelevel_edit"),
    path("<int:pk>/levels/<int:level>/drop/", views.ServiceLevelDropView.as_view(), name="servicelevel_drop"),
]
