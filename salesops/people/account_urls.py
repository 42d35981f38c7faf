"""Addresses under /account/: allauth's, with the portal's own set-up views, and without what is closed."""

from django.urls import include, path

from salesops.people.views import sign_in

urlpatterns = [
    # Accounts and addresses are kept by administrators.
    path("signup/", sign_in.closed, name="account_signup"),
    path("email/", sign_in.closed, name="account_email"),
    path("confirm-email/", sign_in.closed, name="account_email_verification_sent"),
    path("confirm-email/<path:key>/", sign_in.closed, name="account_confirm_email"),
    path("login/code/confirm/", sign_in.closed, name="account_confirm_login_code"),
    path("password/set/", sign_in.closed, name="account_set_password"),
    path("2fa/totp/activate/", sign_in.ActivateTOTPView.as_view(), name="mfa_activate_totp"),
    path("2fa/totp/deactivate/", sign_in.DeactivateTOTPView.as_view(), name="mfa_deactivate_totp"),
    path("2fa/webauthn/add/", sign_in.AddWebAuthnView.as_view(), name="mfa_add_webauthn"),
    path("2fa/webauthn/keys/<int:pk>/remove/", sign_in.RemoveWebAuthnView.as_view(), name="mfa_remove_webauthn"),
    path(
        "2fa/recovery-codes/generate/", sign_in.GenerateRecoveryCodesView.as_view(), name="mfa_generate_recovery_codes"
    ),
    path("sessions/", sign_in.SessionListView.as_view(), name="usersessions_list"),
    path("", include("allauth.urls")),
]
