"""Addresses of score rules."""

from django.urls import path

from salesops.leads.views import scores as views
from salesops.leads.views.learning import LearnedScoreView

urlpatterns = [
    path("learned/", LearnedScoreView.as_view(), name="learned_score"),
    path("", views.ScoreVersionListView.as_view(), name="scoreversion_list"),
    path("new/", views.ScoreVersionCreateView.as_view(), name="scoreversion_create"),
    path("<int:pk>/", views.ScoreVersionDetailView.as_view(), name="scoreversion_detail"),
    path("<int:pk>/edit/", views.ScoreVersionEditView.as_view(), name="scoreversion_edit"),
    path("<int:pk>/activate/", views.ScoreVersionActivateView.as_view(), name="scoreversion_activate"),
    path("<int:pk>/discard/", views.ScoreVersionDiscardView.as_view(), name="scoreversion_discard"),
    path("<int:pk>/compare/", views.ScoreVersionCompareView.as_view(), name="scoreversion_compare"),
    path("<int:pk>/try/", views.ScoreVersionTryView.as_view(), name="scoreversion_try"),
    path("<int:pk>/rules/new/", views.ScoreRuleCreateView.as_view(), name="scorerule_create"),
    path("<int:pk>/rules/<int:rule>/", views.ScoreRuleEditView.as_view(), name="scorerule_edit"),
    path("<int:pk>/rules/<int:rule>/drop/", views.ScoreRuleDropView.as_view(), name="scorerule_drop"),
    path("<int:pk>/groups/new/", views.ScoreGroupCreateView.as_view(), name="scoregroup_create"),
    path("<int:pk>/groups/<int:group>/", views.ScoreGroupEditView.as_view(), name="scoregroup_edit"),
    path("<int:pk>/groups/<int:group>/drop/", views.ScoreGroupDropView.as_view(), name="scoregroup_drop"),
]
