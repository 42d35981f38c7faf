"""Addresses of the effort room."""

from django.urls import path

from salesops.effort.views import pages, settings, team

app_name = "effort"
urlpatterns = [
    path("", pages.EffortMineView.as_view(), name="effort_mine"),
    path("export/", pages.EffortExportView.as_view(), name="effort_export"),
    path("people/<int:pk>/", pages.EffortPersonView.as_view(), name="effort_person"),
    path("people/<int:pk>/records/", pages.EffortRecordsView.as_view(), name="effort_records"),
    path("team/", team.EffortScoreListView.as_view(), name="effortscore_list"),
    path("groups/", team.GroupReportView.as_view(), name="group_report"),
    path("doubts/", team.EffortContestListView.as_view(), name="effortcontest_list"),
    path("doubts/new/", team.EffortContestCreateView.as_view(), name="effortcontest_create"),
    path("doubts/<int:pk>/decide/", team.EffortContestDecideView.as_view(), name="effortcontest_decide"),
    path("doubts/<int:pk>/withdraw/", team.EffortContestWithdrawView.as_view(), name="effortcontest_withdraw"),
    path("weights/", settings.EffortVersionListView.as_view(), name="effortversion_list"),
    path("weights/new/", settings.EffortVersionCreateView.as_view(), name="effortversion_create"),
    path("weights/<int:pk>/", settings.EffortVersionDetailView.as_view(), name="effortversion_detail"),
    path("weights/<int:pk>/edit/", settings.EffortVersionEditView.as_view(), name="effortversion_edit"),
    path("weights/<int:pk>/publish/", settings.EffortVersionActivateView.as_view(), name="effortversion_activate"),
    path("weights/<int:pk>/discard/", settings.EffortVersionDiscardView.as_view(), name="effortversion_discard"),
    path("weights/<int:pk>/<slug:function>/", settings.EffortTargetEditView.as_view(), name="efforttarget_edit"),
    path("policies/", settings.EffortPolicyListView.as_view(), name="effortpolicy_list"),
    path("policies/<int:pk>/", settings.EffortPolicyEditView.as_view(), name="effortpolicy_edit"),
    path("policies/<int:pk>/on/", settings.EffortPolicyOnView.as_view(), name="effortpolicy_on"),
    path("policies/<int:pk>/off/", settings.EffortPolicyOffView.as_view(), name="effortpolicy_off"),
]
