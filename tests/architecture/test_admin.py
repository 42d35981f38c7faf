"""The admin site: for administrators of this moment, searchable, recorded, and harmless to money and history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models
from django.test import Client
from django.urls import reverse

from salesops.audit.models import AuditEntry
from salesops.audit.services import record
from salesops.core.admin import PortalAdmin
from salesops.core.models import ExchangeRate, SavedView
from salesops.deals.choices import StageKind
from salesops.deals.models import Product, Stage
from salesops.people.models import FunctionAssignment, ReportingLine, RoleGrant, User
from salesops.pods.models import Pod, PodMembership, Segment
from tests.cast import NOW, PASSWORD, SINCE, TODAY, Cast
from tests.scene import Scene

ClientOf = Callable[[str], Client]
OURS = [(model, page) for model, page in admin.site._registry.items()]
#: Rows that record money or what happened. No page of the admin site may change or delete them.
UNTOUCHABLE = {
    "audit.auditentry",
    "deals.deal",
    "deals.dealline",
    "deals.stagechange",
    "leads.lead",
    "leads.leadassignment",
    "accounts.account",
    "accounts.subscription",
    "activities.activity",
    "jobs.job",
}
#: Rows that say what somebody earns. Administrators see nobody's pay, so these have no page at all.
ABOUT_PAY = {
    "commissions.planassignment",
    "commissions.transaction",
    "commissions.calculation",
    "commissions.statement",
    "commissions.credit",
    "commissions.earning",
    "commissions.approval",
    "commissions.payrollfile",
    "commissions.payrollitem",
    "commissions.ledgerentry",
}


def label(entry: Any) -> str:
    return entry[0]._meta.label_lower if isinstance(entry, tuple) else str(entry)


def address(model: type[models.Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def entries() -> list[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    return [(e.action, e.actor_name, e.before, e.after) for e in AuditEntry.objects.order_by("sequence")]


@pytest.fixture
def ada(client_of: ClientOf) -> Client:
    return client_of("ada")


# --- Who ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ana", "max", "rita", "finn", "elsa", "norm"])
def test_nobody_but_administrators_enters(client_of: ClientOf, cast: Cast, name: str) -> None:
    User.objects.filter(pk=cast.people[name].pk).update(is_staff=True, is_superuser=True)
    client = client_of(name)
    assert client.get("/admin/login/").status_code == 403
    for path in ("/admin/", "/admin/people/user/", "/admin/people/rolegrant/add/", "/admin/core/exchangerate/upload/"):
        response = client.get(path)
        assert response.status_code == 302
        assert response.headers["Location"].startswith("/admin/login/")
    assert client.post("/admin/pods/segment/add/", {"code": "x", "name": "X", "position": 0}).status_code == 302
    assert Segment.objects.filter(code="x").count() == 0


def test_strangers_are_sent_to_the_portals_log_in(db: None) -> None:
    response = Client().get("/admin/people/user/")
    assert response.headers["Location"] == "/account/login/?next=/admin/people/user/"
    assert Client().post("/admin/login/", {"username": "ada@example.com", "password": PASSWORD}).status_code == 302


def test_a_role_that_ended_opens_nothing_although_the_flags_still_stand(ada: Client, cast: Cast) -> None:
    assert ada.get("/admin/").status_code == 200
    RoleGrant.objects.filter(person=cast.ada).update(end_on=TODAY)
    cast.ada.refresh_from_db()
    assert cast.ada.is_superuser
    assert ada.get("/admin/").status_code == 302
    assert ada.get("/admin/login/").status_code == 403


def test_an_administrator_without_a_second_factor_is_sent_to_set_one_up(cast: Cast, frozen: Any) -> None:
    client = Client()
    client.post("/account/login/", {"login": "ada@example.com", "password": PASSWORD})
    assert client.get("/admin/").headers["Location"].startswith(reverse("mfa_activate_totp"))


# --- Every page ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", OURS, ids=label)
def test_every_list_opens_searches_filters_and_sorts(entry: Any, ada: Client, scene: Scene) -> None:
    model, page = entry
    url = address(model, "changelist")
    assert ada.get(url).status_code == 200
    assert page.search_fields, "every list can be searched"
    assert ada.get(url, {"q": "ana o'neil 5"}).status_code == 200
    assert ada.get(url, {"o": "1.-2"}).status_code == 200


@pytest.mark.parametrize("entry", OURS, ids=label)
def test_every_row_opens_with_its_history(entry: Any, ada: Client, scene: Scene) -> None:
    model, page = entry
    rows = page.get_queryset(_request(scene))
    if model is AuditEntry:
        record(actor=scene.cast.actor("ada"), action="pod.edited", subject=scene.cast.north, at=NOW)
    row = rows.first()
    if row is None:
        pytest.skip("the scene has no such row")
    response = ada.get(address(model, "change", row.pk))
    assert response.status_code == 200
    assert ada.get(address(model, "history", row.pk)).status_code == 200


def _request(scene: Scene) -> Any:
    from django.test import RequestFactory

    request = RequestFactory().get("/admin/")
    request.actor, request.user, request.now = scene.cast.actor("ada"), scene.cast.ada, NOW  # type: ignore[attr-defined]
    return request


@pytest.mark.parametrize("entry", OURS, ids=label)
def test_every_page_is_the_portals_own(entry: Any) -> None:
    model, page = entry
    assert isinstance(page, PortalAdmin)
    assert model._meta.label_lower not in ABOUT_PAY


@pytest.mark.parametrize("entry", OURS, ids=label)
def test_money_is_never_shown_in_minor_units(entry: Any) -> None:
    model, page = entry
    columns = [name for name in page.list_display if isinstance(name, str)]
    assert not [name for name in columns if name.endswith("_minor")]
    if page.is_read_only:
        hidden = set(page.exclude or ())
        shown = {field.name for field in model._meta.fields if field.name.endswith("_minor")} - hidden
        assert shown == set() or page.fields


@pytest.mark.parametrize("entry", OURS, ids=label)
def test_rows_of_money_and_history_cannot_be_touched(entry: Any, scene: Scene, ada: Client) -> None:
    model, page = entry
    if model._meta.label_lower not in UNTOUCHABLE:
        pytest.skip("may be changed")
    request = _request(scene)
    assert not page.has_add_permission(request)
    assert not page.has_change_permission(request)
    assert not page.has_delete_permission(request)
    assert page.get_actions(request) == {}
    row = page.get_queryset(request).first()
    if row is not None:
        before = model._base_manager.values().get(pk=row.pk)
        assert ada.post(address(model, "change", row.pk), {"name": "Other"}).status_code == 403
        assert ada.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
        data = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
        ada.post(address(model, "changelist"), data)
        assert model._base_manager.values().get(pk=row.pk) == before


def test_secrets_and_sessions_have_no_page() -> None:
    registered = {model._meta.label_lower for model in admin.site._registry}
    hidden = {"mfa.authenticator", "usersessions.usersession", "account.emailaddress", "auth.group", "sessions.session"}
    assert registered & (hidden | ABOUT_PAY) == set()


def test_no_page_sets_a_password(ada: Client, cast: Cast) -> None:
    html = ada.get(address(User, "change", cast.ana.pk)).content.decode()
    assert "password" not in html.split('id="user_form"')[-1].lower()
    assert ada.get(f"/admin/people/user/{cast.ana.pk}/password/").status_code in {302, 404}


def test_a_row_leads_to_its_page_in_the_portal(ada: Client, cast: Cast) -> None:
    html = ada.get(address(User, "change", cast.ana.pk)).content.decode()
    assert f'href="/people/{cast.ana.pk}/"' in html


# --- Saving -------------------------------------------------------------------------------------------------------


def test_what_is_saved_is_recorded_with_before_and_after(ada: Client, cast: Cast) -> None:
    segment = {"code": "mid", "name": "Mid-market", "min_employees": 100, "max_employees": 999, "position": 3}
    assert ada.post(address(Segment, "add"), segment).status_code == 302
    mid = Segment.objects.get(code="mid")
    ada.post(address(Segment, "change", mid.pk), {**segment, "max_employees": 1999})
    ada.post(address(Segment, "change", mid.pk), {**segment, "max_employees": 1999})
    assert entries() == [
        ("segment.added", "Ada Admin", {}, segment),
        ("segment.edited", "Ada Admin", {"max_employees": 999}, {"max_employees": 1999}),
    ]
    history = ada.get(address(Segment, "history", mid.pk)).content.decode()
    assert "segment.edited" in history
    assert "1999" in history
    assert ada.post(address(Segment, "delete", mid.pk), {"post": "yes"}).status_code == 302
    assert entries()[-1][0] == "segment.deleted"
    assert entries()[-1][2]["name"] == "Mid-market"


def test_what_others_need_is_not_deleted(ada: Client, cast: Cast) -> None:
    same = {"code": "big", "name": "Big", "min_employees": 100, "max_employees": 9, "position": 3}
    refused = ada.post(address(Segment, "add"), same).content.decode()
    assert "These values do not go together (pods_segment_range)." in refused
    html = ada.post(address(Segment, "delete", cast.smb.pk), {"post": "yes"}).content.decode()
    assert Segment.objects.filter(pk=cast.smb.pk).exists()
    assert "North" in html
    assert entries() == []


def test_an_overlap_is_an_error_in_the_form(ada: Client, cast: Cast) -> None:
    data = {"person": cast.ana.pk, "pod": cast.south.pk, "function": "ae", "start_on": "2026-07-01", "end_on": ""}
    response = ada.post(address(PodMembership, "add"), data)
    assert response.status_code == 200
    html = response.content.decode()
    assert "There is already a row like this for some of these days." in html
    assert 'value="2026-07-01"' in html, "what was typed is still there"
    assert PodMembership.objects.filter(person=cast.ana).count() == 1
    assert entries() == []
    data = {"person": cast.ana.pk, "function": "kam", "start_on": "2026-07-01"}
    assert "There is already a row" in ada.post(address(FunctionAssignment, "add"), data).content.decode()
    assert FunctionAssignment.objects.filter(person=cast.ana).count() == 1


def test_a_range_that_ends_before_it_starts_is_an_error_in_the_form(ada: Client, cast: Cast) -> None:
    row = FunctionAssignment.objects.get(person=cast.ana)
    data = {"person": cast.ana.pk, "function": "ae", "start_on": "2026-07-01", "end_on": "2026-06-01"}
    response = ada.post(address(FunctionAssignment, "change", row.pk), data)
    assert response.status_code == 200
    assert "It has to end after it starts." in response.content.decode()
    row.refresh_from_db()
    assert (row.start_on, row.end_on) == (SINCE, None)


def test_a_circle_is_an_error_in_the_form(ada: Client, cast: Cast) -> None:
    data = {"person": cast.elsa.pk, "manager": cast.ana.pk, "start_on": "2026-07-01"}
    response = ada.post(address(ReportingLine, "add"), data)
    assert "closes a circle on 2026-07-01" in response.content.decode()
    assert ReportingLine.objects.filter(person=cast.elsa).count() == 0


def test_roles_go_through_the_service(ada: Client, cast: Cast, frozen: time_machine.Traveller) -> None:
    add = address(RoleGrant, "add")
    ada.post(add, {"person": cast.ana.pk, "role": "manager", "start_on": "2026-06-17", "end_on": ""})
    grant = RoleGrant.objects.get(person=cast.ana, role="manager")
    assert entries()[-1] == (
        "role.granted",
        "Ada Admin",
        {},
        {"role": "manager", "start_on": "2026-06-17", "end_on": None},
    )
    own = ada.post(add, {"person": cast.ada.pk, "role": "finance", "start_on": "2026-06-17"})
    assert "Nobody gives themselves a role" in own.content.decode()
    twice = ada.post(add, {"person": cast.ana.pk, "role": "rep", "start_on": "2026-06-17"})
    assert "already holds the role" in twice.content.decode()
    ada.post(address(RoleGrant, "change", grant.pk), {"end_on": "2026-06-20", "role": "admin"})
    grant.refresh_from_db()
    assert (grant.role, grant.end_on) == ("manager", date(2026, 6, 20))
    last = RoleGrant.objects.get(person=cast.ada)
    refused = ada.post(address(RoleGrant, "change", last.pk), {"end_on": "2026-06-20"})
    assert "is the last administrator" in refused.content.decode()
    assert ada.post(address(RoleGrant, "delete", grant.pk), {"post": "yes"}).status_code == 403
    frozen.shift(timedelta(minutes=11))
    asked = ada.post(add, {"person": cast.sam.pk, "role": "manager", "start_on": "2026-06-17"})
    assert asked.headers["Location"].startswith(reverse("account_reauthenticate"))
    assert RoleGrant.objects.filter(person=cast.sam, role="manager").count() == 0


def test_a_new_address_ends_the_persons_sessions(ada: Client, cast: Cast, frozen: Any) -> None:
    ana = Client()
    ana.post("/account/login/", {"login": "ana@example.com", "password": PASSWORD})
    form = ada.get(address(User, "change", cast.ana.pk)).context["adminform"].form
    data = {name: form.initial.get(name) or "" for name in form.fields}
    prefixes = ("role_grants", "function_assignments", "working_hours")
    inlines = {f"{prefix}-{part}_FORMS": 0 for prefix in prefixes for part in ("TOTAL", "INITIAL")}
    response = ada.post(address(User, "change", cast.ana.pk), {**data, **inlines, "email": "New@Example.com"})
    assert response.status_code == 302, response.context["errors"]
    cast.ana.refresh_from_db()
    assert cast.ana.email == "new@example.com"
    assert ana.get("/account/sessions/").status_code == 302
    assert entries()[-1] == ("user.edited", "Ada Admin", {"email": "ana@example.com"}, {"email": "new@example.com"})


def test_prices_are_typed_in_major_units(ada: Client, cast: Cast) -> None:
    data = {
        "code": "gtx",
        "name": "GTX Pro",
        "series": "GTX",
        "tier": "standard",
        "price_minor": "1,234.50",
        "currency": "USD",
        "is_active": "on",
    }
    assert ada.post(address(Product, "add"), data).status_code == 302
    product = Product.objects.get(code="gtx")
    assert (product.price_minor, product.match_name) == (123_450, "gtx pro")
    assert 'value="1234.50"' in ada.get(address(Product, "change", product.pk)).content.decode()
    assert "$1,234.50" in ada.get(address(Product, "changelist")).content.decode()
    wrong = ada.post(address(Product, "change", product.pk), {**data, "price_minor": "12.345"})
    assert wrong.status_code == 200
    product.refresh_from_db()
    assert product.price_minor == 123_450


def test_the_kind_of_a_stage_stays_while_deals_stand_in_it(ada: Client, scene: Scene) -> None:
    used = Stage.objects.filter(deals__isnull=False).first()
    assert used is not None
    data = {"code": used.code, "name": "Renamed", "kind": "lost", "position": used.position, "probability_bp": 100}
    data["spiced_needed"] = 0
    assert ada.post(address(Stage, "change", used.pk), data).status_code == 302
    before = used.kind
    used.refresh_from_db()
    assert (used.name, used.kind) == ("Renamed", before)
    fresh = Stage.objects.create(code="later", name="Later", kind=StageKind.OPEN, position=90)
    ada.post(address(Stage, "change", fresh.pk), {**data, "code": "later", "kind": "won"})
    fresh.refresh_from_db()
    assert fresh.kind == StageKind.WON


def test_saved_views_are_tidied_up(ada: Client, cast: Cast) -> None:
    view = SavedView.objects.create(owner_id=cast.ana.pk, page="deals:deal_list", name="Mine", is_shared=True)
    data = {"action": "delete_selected", "_selected_action": [view.pk], "post": "yes"}
    assert ada.post(address(SavedView, "changelist"), data).status_code == 302
    assert SavedView.objects.count() == 0
    assert entries()[0][0] == "savedview.deleted"


def test_a_pod_is_closed_and_not_deleted(ada: Client, cast: Cast) -> None:
    assert ada.post(address(Pod, "delete", cast.north.pk), {"post": "yes"}).status_code == 403
    assert Pod.objects.filter(pk=cast.north.pk).exists()


# --- Exchange rates -----------------------------------------------------------------------------------------------


def test_rates_are_taken_over_from_a_file(ada: Client, cast: Cast) -> None:
    url = reverse("admin:core_exchangerate_upload")
    assert ada.get(url).status_code == 200
    file = SimpleUploadedFile("ecb.csv", b"Date,USD,JPY,\n2026-06-16,1.0842,169.5,\n2026-06-15,1.08,N/A,\nbad,1,1,\n")
    response = ada.post(url, {"file": file, "base": "EUR"})
    html = response.content.decode()
    assert "3 added, 0 replaced, 0 unchanged." in html
    assert "does not begin with a day" in html
    assert sorted(str(rate) for rate in ExchangeRate.objects.all()) == [
        "2026-06-15: 1 EUR = 1.08 USD",
        "2026-06-16: 1 EUR = 1.0842 USD",
        "2026-06-16: 1 EUR = 169.5 JPY",
    ]
    assert entries()[0][0] == "rate.imported"
    broken = ada.post(url, {"file": SimpleUploadedFile("x.csv", b"\xff\xfe\x00"), "base": "EUR"})
    assert (broken.status_code, "not text in UTF-8" in broken.content.decode()) == (422, True)


def test_a_rate_is_entered_by_hand_and_published_ones_stay(ada: Client, cast: Cast) -> None:
    data = {"on": "2026-06-17", "base": "eur", "quote": "usd", "rate": "1.0842"}
    assert ada.post(address(ExchangeRate, "add"), data).status_code == 302
    mine = ExchangeRate.objects.get()
    assert (mine.base, mine.quote, str(mine.rate), mine.source) == ("EUR", "USD", "1.0842", "manual")
    for wrong in ({"rate": "0"}, {"rate": "-1"}, {"quote": "EUR"}, {"rate": "x"}, {"base": "EURO"}):
        assert ada.post(address(ExchangeRate, "add"), {**data, "on": "2026-06-18", **wrong}).status_code == 200
    again = ada.post(address(ExchangeRate, "add"), data)
    assert again.status_code == 200
    assert ExchangeRate.objects.count() == 1
    published = ExchangeRate.objects.create(on=TODAY, base="EUR", quote="JPY", rate="169.5", source="ecb")
    assert ada.post(address(ExchangeRate, "change", published.pk), data).status_code == 403


def test_the_base_of_all_pages_is_registered() -> None:
    assert OURS
    assert all(isinstance(page, ModelAdmin) for _model, page in OURS)
