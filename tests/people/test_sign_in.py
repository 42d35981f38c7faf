"""Logging in: what is asked, what is throttled, how sessions end. Real pages, real forms."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from allauth.mfa.utils import decrypt
from django.core import mail
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse

from salesops.audit.models import AuditEntry
from salesops.core.actor import system_actor
from salesops.jobs.models import Job
from salesops.jobs.testing import run_due
from salesops.people import services
from salesops.people.adapter import MfaAdapter
from salesops.people.models import User
from tests.cast import NOW, PASSWORD, TODAY, Cast

LOGIN = "/account/login/"
HOME = "/account/password/change/"  # a page that everybody may open once they are in


@pytest.fixture(autouse=True)
def _own_throttles(frozen: time_machine.Traveller) -> None:
    """The clock stands at NOW; nobody has tried anything yet."""
    cache.clear()


def log_in(client: Client, name: str, password: str = PASSWORD, **headers: Any) -> Any:
    return client.post(LOGIN, {"login": f"{name}@example.com", "password": password}, **headers)


def code_of(secret: str, shift: int = 0) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + shift))


def set_up_totp(client: Client) -> str:
    """Set up the code app in the pages; returns its secret. The password was given just before."""
    assert client.get(reverse("mfa_activate_totp")).status_code == 200, "not asked again for what was just given"
    secret = client.session["mfa.totp.secret"]
    done = client.post(reverse("mfa_activate_totp"), {"code": code_of(secret)})
    assert done.status_code == 302, done.content
    return str(secret)


def where(response: Any) -> str:
    return urlsplit(response.headers.get("Location", "")).path


# --- In and out ---------------------------------------------------------------------------------------------------


def test_in_and_out(cast: Cast) -> None:
    client = Client()
    assert where(client.get("/people/")) == LOGIN
    response = log_in(client, "ana")
    assert (response.status_code, where(response)) == (302, "/")
    assert client.get(HOME).status_code == 200
    cookie = client.cookies["sessionid"].value
    assert where(client.post("/account/logout/")) == "/"
    client.cookies["sessionid"] = cookie
    assert where(client.get(HOME)) == LOGIN, "the old cookie is worth nothing after logging out"


def test_a_log_in_gets_a_new_session(cast: Cast) -> None:
    client = Client()
    client.get(LOGIN)
    client.session["x"] = 1
    session = client.session
    session["x"] = 1
    session.save()
    before = session.session_key
    log_in(client, "ana")
    assert client.session.session_key != before


def test_addresses_in_any_case(cast: Cast) -> None:
    assert where(Client().post(LOGIN, {"login": " ANA@Example.com ", "password": PASSWORD})) == "/"


def test_the_log_in_is_recorded(cast: Cast) -> None:
    log_in(Client(REMOTE_ADDR="192.0.2.7"), "ana")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor_id, entry.actor_name) == ("session.logged_in", cast.ana.pk, "Ana Alvarez")
    assert entry.after == {"ip": "192.0.2.7", "methods": ["password"]}


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_nobody_is_sent_elsewhere_after_logging_in(cast: Cast, target: str) -> None:
    response = Client().post(
        f"{LOGIN}?next={target}", {"login": "ana@example.com", "password": PASSWORD, "next": target}
    )
    assert (response.status_code, response.headers["Location"]) == (302, "/")


def test_one_comes_back_to_the_page_one_wanted(cast: Cast) -> None:
    client = Client()
    asked = client.get("/account/sessions/?x=1")
    response = client.post(asked.headers["Location"], {"login": "ana@example.com", "password": PASSWORD})
    assert response.headers["Location"] == "/account/sessions/?x=1"


@pytest.mark.parametrize(
    "path",
    [
        "/account/signup/",
        "/account/email/",
        "/account/confirm-email/",
        "/account/confirm-email/abc/",
        "/account/password/set/",
        "/account/login/code/confirm/",
    ],
)
def test_closed_pages_do_not_exist(cast: Cast, path: str) -> None:
    people = User.objects.count()
    assert Client().get(path).status_code == 404
    data = {"email": "new@example.com", "password1": "a long enough secret"}
    assert Client().post(path, data).status_code == 404
    assert User.objects.count() == people


def test_an_unknown_address_gets_the_same_answer(cast: Cast) -> None:
    def shown(response: HttpResponse) -> str:
        return re.sub(
            r'(value="[^"]*@example.com"|name="csrfmiddlewaretoken" value="[^"]*")', "", response.content.decode()
        )

    known = log_in(Client(), "ana", "wrong")
    unknown = log_in(Client(), "nobody", "wrong")
    assert known.status_code == unknown.status_code == 200
    assert shown(known) == shown(unknown)
    assert "not correct" in shown(known)


# --- Throttles ----------------------------------------------------------------------------------------------------


def test_after_eight_wrong_tries_the_right_password_waits_too(cast: Cast) -> None:
    stranger = {"REMOTE_ADDR": "192.0.2.66"}
    statuses = [log_in(Client(), "ana", f"wrong {n}", **stranger).status_code for n in range(8)]
    assert statuses == [200] * 7 + [429]
    assert log_in(Client(), "ana", **stranger).status_code == 429
    assert where(log_in(Client(), "ana", REMOTE_ADDR="192.0.2.1")) == "/", "her own address is not locked"
    assert where(log_in(Client(), "sam", **stranger)) == "/", "other accounts are not locked"


def test_the_wait_ends(cast: Cast, frozen: time_machine.Traveller) -> None:
    for n in range(8):
        log_in(Client(), "ana", f"wrong {n}")
    assert log_in(Client(), "ana").status_code == 429
    frozen.shift(timedelta(minutes=16))
    assert where(log_in(Client(), "ana")) == "/"


def test_an_unknown_account_is_locked_alike(cast: Cast) -> None:
    statuses = [log_in(Client(), "nobody", "wrong").status_code for _ in range(9)]
    assert statuses == [200] * 7 + [429] * 2


def test_a_forwarded_address_is_not_believed(cast: Cast) -> None:
    statuses = [
        log_in(Client(), "ana", "wrong", HTTP_X_FORWARDED_FOR=f"198.51.100.{n}", REMOTE_ADDR="192.0.2.66").status_code
        for n in range(8)
    ]
    assert statuses[-1] == 429


def test_a_forwarded_address_counts_behind_a_trusted_proxy(cast: Cast, settings: Any) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    log_in(Client(), "ana", HTTP_X_FORWARDED_FOR="203.0.113.9, 198.51.100.4", REMOTE_ADDR="10.0.0.1")
    assert AuditEntry.objects.get().after["ip"] == "198.51.100.4"


def test_two_hundred_tries_from_everywhere_do_not_lock_out_a_known_desk(
    cast: Cast, frozen: time_machine.Traveller
) -> None:
    desk = Client(REMOTE_ADDR="192.0.2.1")
    log_in(desk, "ana")
    desk.post("/account/logout/")
    results = [
        log_in(Client(), "ana", f"wrong {n}", REMOTE_ADDR=f"198.51.{n // 250}.{n % 250 + 1}") for n in range(200)
    ]
    tried = sum("not correct" in response.content.decode() for response in results)
    assert tried <= 30, "thirty an hour for one account, from wherever"
    assert "Too many" in log_in(Client(), "ana", REMOTE_ADDR="203.0.113.1").content.decode()
    assert where(log_in(desk, "ana")) == "/"
    desk.post("/account/logout/")
    for n in range(12):  # from the very address of the desk as well
        log_in(Client(REMOTE_ADDR="192.0.2.1"), "ana", f"wrong {n}")
    assert where(log_in(desk, "ana")) == "/"


def test_a_known_device_may_not_guess_for_ever_either(cast: Cast) -> None:
    desk = Client()
    log_in(desk, "ana")
    desk.post("/account/logout/")
    for n in range(10):
        log_in(desk, "ana", f"wrong {n}")
    refused = log_in(desk, "ana")
    assert refused.status_code == 200
    assert "Too many" in refused.content.decode()


def test_a_forged_device_is_a_stranger(cast: Cast) -> None:
    client = Client()
    client.cookies["known_device"] = "eyJkZXZpY2UiOiJ4IiwibmFtZXMiOlsiYW5hQGV4YW1wbGUuY29tIl19:1abc:forged"
    statuses = [log_in(client, "ana", "wrong").status_code for _ in range(8)]
    assert statuses[-1] == 429


def test_somebody_elses_device_is_a_stranger(cast: Cast) -> None:
    client = Client()
    log_in(client, "sam")
    client.post("/account/logout/")
    statuses = [log_in(client, "ana", "wrong").status_code for _ in range(8)]
    assert statuses[-1] == 429


# --- Passwords ----------------------------------------------------------------------------------------------------


def ask_for_link(email: str) -> Any:
    return Client().post(reverse("account_reset_password"), {"email": email})


def test_the_mail_to_a_new_password(cast: Cast) -> None:
    old = Client()
    log_in(old, "ana")
    response = ask_for_link("Ana@Example.com")
    assert where(response) == reverse("account_reset_password_done")
    assert mail.outbox == [], "the job sends it"
    run_due(at=NOW)
    message = mail.outbox[0]
    assert (message.to, message.subject) == (["ana@example.com"], "Choose a new password")
    assert message.extra_headers["Auto-Submitted"] == "auto-generated"
    link = urlsplit(re.findall(r"http://\S+", str(message.body))[0]).path
    assert Job.objects.get().payload == {"email": "ana@example.com"}, "no secret in the job"
    client = Client()
    form = client.get(link).headers["Location"]
    too_short = client.post(form, {"password1": "elevenchars", "password2": "elevenchars"})
    assert "at least 12 characters" in too_short.content.decode()
    response = client.post(form, {"password1": "a long enough secret", "password2": "a long enough secret"})
    assert where(response) == reverse("account_reset_password_from_key_done")
    assert where(client.get(HOME)) == LOGIN, "a reset does not log in"
    assert where(old.get(HOME)) == LOGIN, "sessions from before are over"
    assert "not correct" in log_in(Client(), "ana").content.decode()
    assert where(log_in(Client(), "ana", "a long enough secret")) == "/"
    again = Client().get(link)
    assert again.status_code == 200
    assert b"password1" not in again.content, "the link works once"


def test_asking_for_an_unknown_address_looks_the_same(cast: Cast) -> None:
    known, unknown = ask_for_link("ana@example.com"), ask_for_link("nobody@example.com")
    assert (known.status_code, where(known)) == (unknown.status_code, where(unknown))
    assert Job.objects.count() == 2
    run_due(at=NOW)
    assert [message.to for message in mail.outbox] == [["ana@example.com"]]


def test_whoever_cannot_log_in_gets_no_link(cast: Cast) -> None:
    services.deactivate(actor=system_actor(), person=cast.ana, at=NOW)
    ask_for_link("ana@example.com")
    run_due(at=NOW)
    assert mail.outbox == []


def test_a_link_is_good_for_a_day(cast: Cast, frozen: time_machine.Traveller) -> None:
    ask_for_link("ana@example.com")
    run_due(at=NOW)
    link = urlsplit(re.findall(r"http://\S+", str(mail.outbox[0].body))[0]).path
    frozen.shift(timedelta(hours=25))
    assert Client().get(link).status_code == 200


def test_links_cannot_be_ordered_without_end(cast: Cast) -> None:
    statuses = [ask_for_link("ana@example.com").status_code for _ in range(6)]
    assert statuses == [302] * 5 + [429]


def test_a_reset_forgives_the_failed_tries(cast: Cast) -> None:
    for n in range(8):
        log_in(Client(), "ana", f"wrong {n}")
    assert log_in(Client(), "ana").status_code == 429
    ask_for_link("ana@example.com")
    run_due(at=NOW)
    link = urlsplit(re.findall(r"http://\S+", str(mail.outbox[0].body))[0]).path
    client = Client()
    form = client.get(link).headers["Location"]
    client.post(form, {"password1": "a long enough secret", "password2": "a long enough secret"})
    assert where(log_in(Client(), "ana", "a long enough secret")) == "/"


def test_a_reset_does_not_skip_the_second_factor(cast: Cast, frozen: time_machine.Traveller) -> None:
    setting_up = Client()
    log_in(setting_up, "finn")
    set_up_totp(setting_up)
    ask_for_link("finn@example.com")
    run_due(at=NOW)
    link = urlsplit(re.findall(r"http://\S+", str(mail.outbox[0].body))[0]).path
    client = Client()
    form = client.get(link).headers["Location"]
    client.post(form, {"password1": "a long enough secret", "password2": "a long enough secret"})
    response = log_in(client, "finn", "a long enough secret")
    assert where(response) == reverse("mfa_authenticate")
    assert where(client.get(HOME)) == LOGIN


def test_a_changed_password_ends_the_other_sessions(cast: Cast) -> None:
    here, there = Client(), Client()
    log_in(here, "ana")
    log_in(there, "ana")
    new = {"oldpassword": PASSWORD, "password1": "a long enough secret", "password2": "a long enough secret"}
    assert here.post(HOME, new).status_code == 302
    assert here.get(HOME).status_code == 200
    assert where(there.get(HOME)) == LOGIN
    assert AuditEntry.objects.order_by("-sequence")[0].action == "person.password_changed"


# --- The second factor --------------------------------------------------------------------------------------------


def test_codes_are_asked_for_and_work_once(cast: Cast, frozen: time_machine.Traveller) -> None:
    first = Client()
    log_in(first, "ana")
    secret = set_up_totp(first)
    client = Client()
    assert where(log_in(client, "ana")) == reverse("mfa_authenticate")
    assert where(client.get(HOME)) == LOGIN, "the password alone lets nobody in"
    used_up = client.post(reverse("mfa_authenticate"), {"code": code_of(secret)})
    assert "Incorrect code" in used_up.content.decode(), "the code of the set-up is used up"
    frozen.shift(timedelta(seconds=30))
    assert where(client.post(reverse("mfa_authenticate"), {"code": code_of(secret)})) == "/"
    assert client.get(HOME).status_code == 200
    other = Client()
    log_in(other, "ana")
    assert "Incorrect code" in other.post(reverse("mfa_authenticate"), {"code": code_of(secret)}).content.decode()
    frozen.shift(timedelta(seconds=30))
    assert where(other.post(reverse("mfa_authenticate"), {"code": code_of(secret)})) == "/"
    assert AuditEntry.objects.order_by("-sequence")[0].after["methods"] == ["mfa", "password"]


def test_codes_cannot_be_guessed(cast: Cast, frozen: time_machine.Traveller) -> None:
    setting_up = Client()
    log_in(setting_up, "ana")
    secret = set_up_totp(setting_up)
    frozen.shift(timedelta(minutes=16))
    good = code_of(secret)
    wrong = f"{(int(good) + 1) % 1_000_000:06}"
    for n in range(8):
        client = Client(REMOTE_ADDR=f"198.51.100.{n + 1}")
        log_in(client, "ana")
        client.post(reverse("mfa_authenticate"), {"code": wrong})
    client = Client(REMOTE_ADDR="198.51.100.99")
    log_in(client, "ana")
    refused = client.post(reverse("mfa_authenticate"), {"code": good})
    assert refused.status_code == 200
    assert "Too many" in refused.content.decode()


def test_a_recovery_code_works_once(cast: Cast) -> None:
    setting_up = Client()
    log_in(setting_up, "ana")
    set_up_totp(setting_up)
    codes = Authenticator.objects.get(user=cast.ana, type="recovery_codes").wrap().get_unused_codes()
    assert len(codes) == 10
    client = Client()
    log_in(client, "ana")
    assert where(client.post(reverse("mfa_authenticate"), {"code": codes[0]})) == "/"
    again = Client()
    log_in(again, "ana")
    assert "Incorrect code" in again.post(reverse("mfa_authenticate"), {"code": codes[0]}).content.decode()
    assert where(again.post(reverse("mfa_authenticate"), {"code": codes[1]})) == "/"


def test_secrets_are_not_in_the_database_in_clear(cast: Cast) -> None:
    client = Client()
    log_in(client, "ana")
    secret = set_up_totp(client)
    for factor in Authenticator.objects.filter(user=cast.ana):
        assert secret not in str(factor.data)
        assert str(factor.data.get("secret", factor.data.get("seed"))).startswith("aesgcm1:")
    stored = Authenticator.objects.get(user=cast.ana, type="totp").data["secret"]
    assert decrypt(stored) == secret


def test_an_altered_or_foreign_secret_is_refused(settings: Any) -> None:
    adapter = MfaAdapter()
    sealed = adapter.encrypt("JBSWY3DP")
    assert adapter.decrypt(sealed) == "JBSWY3DP"
    assert adapter.encrypt("JBSWY3DP") != sealed
    with pytest.raises(ValueError, match="not encrypted"):
        adapter.decrypt("JBSWY3DP")
    flipped = sealed[:-5] + ("A" if sealed[-5] != "A" else "B") + sealed[-4:]
    with pytest.raises(ValueError, match="cannot be read"):
        adapter.decrypt(flipped)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another one, after a rotation of keys"
    assert adapter.decrypt(sealed) == "JBSWY3DP"
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(ValueError, match="cannot be read"):
        adapter.decrypt(sealed)


PAGES = [
    "/",
    "/people/",
    "/admin/",
    "/notices/",
    "/audit/",
    "/account/password/change/",
    "/account/sessions/",
    "/nowhere/",
]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("name", ["finn", "ada"])
def test_finance_and_administrators_must_set_up_a_second_factor_first(cast: Cast, name: str, path: str) -> None:
    client = Client()
    assert where(log_in(client, name)) == "/"
    assert where(client.get(path)) == reverse("mfa_activate_totp")
    assert where(client.post(path, {"x": 1})) == reverse("mfa_activate_totp")


@pytest.mark.parametrize(("name", "is_needed"), [("finn", True), ("ada", True), ("rita", False), ("ana", False)])
def test_whoever_must_set_up_a_second_factor_is_told_why(cast: Cast, name: str, is_needed: bool) -> None:
    client = Client()
    log_in(client, name)
    page = client.get(reverse("mfa_activate_totp")).content.decode()
    assert ("the other pages open when it is set up" in page) == is_needed


def test_the_api_says_so_too(cast: Cast) -> None:
    client = Client()
    log_in(client, "finn")
    response = client.get("/api/anything/")
    assert (response.status_code, response.json()) == (403, {"detail": "Log in with your second factor first."})
    partial = client.get("/people/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/people/?q=a"})
    assert partial.status_code == 204
    assert partial.headers["HX-Redirect"] == "/account/2fa/totp/activate/?next=%2Fpeople%2F%3Fq%3Da"


def test_after_the_set_up_all_is_open(cast: Cast) -> None:
    client = Client()
    log_in(client, "finn")
    set_up_totp(client)
    assert client.get(HOME).status_code == 200
    assert client.get(reverse("mfa_view_recovery_codes")).status_code == 200
    assert [entry.action for entry in AuditEntry.objects.order_by("sequence")] == [
        "session.logged_in",
        "second_factor.added",
    ]


@pytest.mark.parametrize("name", ["ana", "max", "rita", "elsa"])
def test_others_may_do_without(cast: Cast, name: str) -> None:
    client = Client()
    log_in(client, name)
    assert client.get(HOME).status_code == 200


def test_a_session_without_the_factor_must_give_it(cast: Cast, frozen: time_machine.Traveller) -> None:
    """Somebody who is logged in by password, then set up a factor elsewhere and became finance."""
    early = Client()
    log_in(early, "elsa")
    elsewhere = Client()
    log_in(elsewhere, "elsa")
    secret = set_up_totp(elsewhere)
    early.get(HOME)
    services.grant_role(actor=system_actor(), person=cast.elsa, role="finance", start_on=TODAY, at=NOW)
    assert where(early.get(HOME)) == LOGIN, "a changed role ends the sessions"
    client = Client()
    client.force_login(cast.elsa, backend="allauth.account.auth_backends.AuthenticationBackend")
    asked = client.get(HOME)
    assert where(asked) == reverse("mfa_reauthenticate")
    assert parse_qs(urlsplit(asked.headers["Location"]).query) == {"next": [HOME]}
    for closed in ("mfa_deactivate_totp", "account_reauthenticate", "mfa_view_recovery_codes", "mfa_activate_totp"):
        assert where(client.get(reverse(closed))) == reverse("mfa_reauthenticate")
    frozen.shift(timedelta(seconds=30))
    given = client.post(asked.headers["Location"], {"code": code_of(secret)})
    assert where(given) == HOME
    assert client.get(HOME).status_code == 200


def test_whoever_needs_a_factor_cannot_take_it_away(cast: Cast) -> None:
    finn, ana = Client(), Client()
    for client, name in ((finn, "finn"), (ana, "ana")):
        log_in(client, name)
        set_up_totp(client)
    refused = finn.post(reverse("mfa_deactivate_totp"))
    assert refused.status_code == 200
    assert Authenticator.objects.filter(user=cast.finn, type="totp").count() == 1
    assert ana.post(reverse("mfa_deactivate_totp")).status_code == 302
    assert Authenticator.objects.filter(user=cast.ana).count() == 0


def test_the_last_key_of_whoever_needs_a_factor_stays(cast: Cast, client_of: Callable[[str], Client]) -> None:
    keys = {
        name: Authenticator.objects.create(user=cast.people[name], type="webauthn", data={"name": "Key"})
        for name in ("finn", "ana")
    }
    for name, status in (("finn", 200), ("ana", 302)):
        client = client_of(name)
        session = client.session
        session["account_authentication_methods"] = [
            {"method": "mfa", "type": "webauthn", "at": NOW.timestamp(), "reauthenticated": True}
        ]
        session.save()
        assert client.post(reverse("mfa_remove_webauthn", args=[keys[name].pk])).status_code == status
        assert Authenticator.objects.filter(pk=keys[name].pk).exists() is (name == "finn")
        assert client.post(reverse("mfa_remove_webauthn", args=[keys["finn"].pk])).status_code == (
            200 if name == "finn" else 404
        )
    assert AuditEntry.objects.order_by("-sequence")[0].action == "second_factor.removed"


# --- How sessions end ---------------------------------------------------------------------------------------------


def test_a_session_ends_when_nobody_does_anything(
    client_of: Callable[[str], Client], frozen: time_machine.Traveller
) -> None:
    ana, finn = client_of("ana"), client_of("finn")
    assert ana.get(HOME).status_code == finn.get(HOME).status_code == 200
    frozen.shift(timedelta(hours=1, minutes=59))
    assert finn.get(HOME).status_code == 200
    frozen.shift(timedelta(hours=2, seconds=1))
    ended = finn.get(HOME)
    assert (where(ended), parse_qs(urlsplit(ended.headers["Location"]).query)) == (LOGIN, {"next": [HOME]})
    assert "session had ended" in finn.get(LOGIN).content.decode()
    assert ana.get(HOME).status_code == 200
    frozen.shift(timedelta(hours=8, seconds=1))
    assert where(ana.get(HOME)) == LOGIN


def test_a_session_ends_after_a_day_of_work_whatever_one_does(
    client_of: Callable[[str], Client], frozen: time_machine.Traveller
) -> None:
    ana = client_of("ana")
    statuses = []
    for _hour in range(14):
        statuses.append(ana.get(HOME).status_code)
        frozen.shift(timedelta(hours=1))
    assert statuses == [200] * 13 + [302]


def test_what_a_page_asks_by_itself_keeps_no_session_alive(
    client_of: Callable[[str], Client], frozen: time_machine.Traveller
) -> None:
    finn = client_of("finn")
    assert finn.get(HOME).status_code == 200
    for _minute in range(12):
        frozen.shift(timedelta(minutes=10))
        assert finn.get(reverse("notices:notice_bell")).status_code == 200
    frozen.shift(timedelta(minutes=1))
    polled = finn.get(reverse("notices:notice_bell"), headers={"HX-Request": "true"})
    assert (polled.status_code, polled.headers["HX-Redirect"]) == (204, LOGIN)


def test_somebody_deactivated_is_out_at_the_next_request(client_of: Callable[[str], Client], cast: Cast) -> None:
    client = client_of("ana")
    assert client.get(HOME).status_code == 200
    User.objects.filter(pk=cast.ana.pk).update(is_active=False)
    assert where(client.get(HOME)) == LOGIN


def test_logging_out_everywhere(cast: Cast) -> None:
    here, there = Client(), Client()
    log_in(here, "ana")
    log_in(there, "ana")
    page = here.get("/account/sessions/").content.decode()
    assert page.count("127.0.0.1") == 2
    assert here.post("/account/sessions/").status_code == 302
    assert here.get(HOME).status_code == 200
    assert where(there.get(HOME)) == LOGIN


# --- Asked again --------------------------------------------------------------------------------------------------


def test_what_matters_asks_again_after_ten_minutes(
    client_of: Callable[[str], Client], cast: Cast, frozen: time_machine.Traveller, urlconf_with_guarded_view: None
) -> None:
    client = client_of("ana")
    assert client.post("/guarded/", {"amount": "5"}).content == b"released 5"
    frozen.shift(timedelta(minutes=10, seconds=1))
    asked = client.post("/guarded/", {"amount": "7"})
    assert where(asked) == reverse("account_reauthenticate")
    wrong = client.post(asked.headers["Location"], {"password": "wrong"})
    assert "Incorrect password" in wrong.content.decode()
    done = client.post(asked.headers["Location"], {"password": PASSWORD})
    assert done.content == b"released 7", "the form goes on by itself"
    assert client.post("/guarded/", {"amount": "8"}).content == b"released 8"
    frozen.shift(timedelta(minutes=11))
    partial = client.post(
        "/guarded/", {"amount": "9"}, headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/people/?q=a"}
    )
    assert partial.status_code == 204
    assert partial.headers["HX-Redirect"] == "/account/reauthenticate/?next=%2Fpeople%2F%3Fq%3Da"


@pytest.fixture
def urlconf_with_guarded_view(settings: Any) -> None:
    """The portal's addresses and one more, whose view asks again."""
    settings.ROOT_URLCONF = "tests.people.guarded_urls"


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(cast: Cast) -> None:
    client = Client()
    log_in(client, "ana")
    cookie = client.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    device = client.cookies["known_device"]
    assert (device["httponly"], device["samesite"], device["path"]) == (True, "Lax", "/account/")


def test_a_request_without_an_address_is_no_error(cast: Cast) -> None:
    from salesops.people.throttle import client_ip

    assert client_ip(HttpRequest()) is None
    assert client_ip(RequestFactory().get("/", REMOTE_ADDR="192.0.2.1")) == "192.0.2.1"
