"""Addresses of the people room."""

from django.urls import path

from salesops.people.views import people as views

app_name = "people"
urlpatterns = [
    path("", views.PersonListView.as_view(), name="person_list"),
    path("tree/", views.PersonTreeView.as_view(), name="person_tree"),
    path("invite/", views.PersonInviteView.as_view(), name="person_invite"),
    path("settings/", views.SettingsEditView.as_view(), name="settings_edit"),
    path("<int:pk>/", views.PersonDetailView.as_view(), name="person_detail"),
    path("<int:pk>/edit/", views.PersonEditView.as_view(), name="person_edit"),
    path("<int:pk>/roles/grant/", views.RoleGrantView.as_view(), name="role_grant"),
    path("<int:pk>/roles/<int:grant>/revoke/", views.RoleRevokeView.as_view(), name="role_revoke"),
    path("<int:pk>/function/", views.FunctionSetView.as_view(), name="function_set"),
    path("<int:pk>/function/end/", views.FunctionEndView.as_view(), name="function_end"),
    path("<int:pk>/manager/", views.ManagerSetView.as_view(), name="manager_set"),
    path("<int:pk>/manager/end/", views.ManagerEndView.as_view(), name="manager_end"),
    path("<int:pk>/hours/", views.HoursEditView.as_view(), name="hours_edit"),
    path("<int:pk>/leave/add/", views.LeaveAddView.as_view(), name="leave_add"),
    path("<int:pk>/leave/<int:leave>/cancel/", views.LeaveCancelView.as_view(), name="leave_cancel"),
    path("<int:pk>/last-day/", views.PersonLeaveView.as_view(), name="person_leave"),
    path("<int:pk>/lock/", views.PersonDeactivateView.as_view(), name="person_deactivate"),
    path("<int:pk>/unlock/", views.PersonReactivateView.as_view(), name="person_reactivate"),
    path("<int:pk>/password-link/", views.PasswordLinkView.as_view(), name="password_link"),
    path("<int:pk>/second-factor/reset/", views.FactorResetView.as_view(), name="factor_reset"),
]
