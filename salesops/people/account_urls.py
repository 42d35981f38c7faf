"""Addresses under /account/: allauth's, with the portal's own set-up views, and without what is closed."""

from django.urls import include, path

from salesops.people.views.sign_in import ActivateTOTPView, AddWebAuthnView, closed

urlpatterns = [
    # Accounts and addresses are kept by administrators.
    path("signup/", closed, name="account_signup"),
    path("email/", closed, name="account_email"),
    path("confirm-email/", closed, name="account_email_verification_sent"),
    path("confirm-email/<path:key>/", closed, name="account_confirm_email"),
    path("login/code/confirm/", closed, name="account_confirm_login_code"),
    path("password/set/", closed, name="account_set_password"),
    path("2fa/totp/activate/", ActivateTOTPView.as_view(), name="mfa_activate_totp"),
    path("2fa/webauthn/add/", AddWebAuthnView.as_view(), name="mfa_add_webauthn"),
    path("", include("allauth.urls")),
]
