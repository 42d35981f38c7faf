"""Addresses of the plan designer, within those of the commissions room."""

from django.urls import path

from salesops.commissions.views import designer, plans

urlpatterns = [
    path("plans/new/", designer.PlanCreateView.as_view(), name="plan_create"),
    path("plans/<int:pk>/version/", designer.VersionCreateView.as_view(), name="version_create"),
    path("formula/", designer.FormulaView.as_view(), name="formula_check"),
    path("versions/<int:pk>/", designer.DesignView.as_view(), name="version_edit"),
    path("versions/<int:pk>/basics/", designer.BasicsView.as_view(), name="version_basics"),
    path("versions/<int:pk>/components/<int:place>/", designer.ComponentEditView.as_view(), name="component_edit"),
    path(
        "versions/<int:pk>/components/<int:place>/curve/",
        designer.ComponentCurveView.as_view(),
        name="component_curve",
    ),
    path("versions/<int:pk>/conventions/", designer.ConventionsView.as_view(), name="version_conventions"),
    path("versions/<int:pk>/settlement/", designer.SettlementView.as_view(), name="version_settlement"),
    path("versions/<int:pk>/examples/", designer.ExamplesView.as_view(), name="version_examples"),
    path("versions/<int:pk>/text/", designer.TextView.as_view(), name="version_text"),
    path("versions/<int:pk>/plan.yaml", designer.VersionFileView.as_view(), name="version_file"),
    path("versions/<int:pk>/acknowledge/", plans.AcknowledgeView.as_view(), name="version_acknowledge"),
]
