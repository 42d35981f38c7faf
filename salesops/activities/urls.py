"""Addresses of the activities room."""

from django.urls import path

from salesops.activities import views

app_name = "activities"
urlpatterns = [
    path("", views.ActivityListView.as_view(), name="activity_list"),
    path("new/", views.ActivityCreateView.as_view(), name="activity_create"),
    path("week/", views.WeekView.as_view(), name="week"),
    path("leads/log/", views.LeadLogView.as_view(), name="lead_log"),
    path("deals/log/", views.DealLogView.as_view(), name="deal_log"),
    path("accounts/log/", views.AccountLogView.as_view(), name="account_log"),
    path("timeline/", views.TimelineView.as_view(), name="timeline"),
    path("subjects/", views.SubjectOptionsView.as_view(), name="subject_options"),
    path("<int:pk>/edit/", views.ActivityEditView.as_view(), name="activity_edit"),
    path("<int:pk>/done/", views.TaskDoneView.as_view(), name="task_done"),
    path("<int:pk>/reopen/", views.TaskReopenView.as_view(), name="task_reopen"),
]
