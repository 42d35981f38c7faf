"""People come, change and leave: what is kept, what is refused, what the audit says."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, time, timedelta
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client

from salesops.audit import selectors as audit
from salesops.audit.models import AuditEntry
from salesops.core.actor import Role, system_actor
from salesops.jobs.models import Job
from salesops.jobs.testing import run_due
from salesops.people import selectors, services
from salesops.people.models import FunctionAssignment, Leave, ReportingLine, RoleGrant, User, WorkingHours
from tests.cast import NOW, SINCE, TODAY, Cast

JULY = date(2026, 7, 1)
AUGUST = date(2026, 8, 1)


def entries() -> list[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """The audit, oldest first: action, about whom, before, after."""
    return [
        (entry.action, entry.subject_label, entry.before, entry.after)
        for entry in AuditEntry.objects.order_by("sequence")
    ]


def ranges(rows: Any, *names: str) -> list[tuple[Any, ...]]:
    return list(rows.order_by("start_on").values_list(*names, "start_on", "end_on"))


def frozen_people() -> tuple[Any, ...]:
    """All that a refusal must leave as it was."""
    return tuple(
        list(model._default_manager.order_by("pk").values())
        for model in (User, RoleGrant, FunctionAssignment, ReportingLine, Leave, WorkingHours, AuditEntry, Job)
    )


# --- Roles --------------------------------------------------------------------------------------------------------


def test_a_role_is_granted_for_a_time(cast: Cast) -> None:
    services.grant_role(
        actor=cast.actor("ada"),
        person=cast.ana,
        role=Role.MANAGER,
        start_on=JULY,
        end_on=AUGUST,
        reason="stands in",
        at=NOW,
    )
    assert cast.actor("ana").roles == {Role.REP}
    assert cast.actor("ana", at=NOW + timedelta(days=20)).roles == {Role.REP, Role.MANAGER}
    assert cast.actor("ana", at=NOW + timedelta(days=50)).roles == {Role.REP}
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor_name, entry.reason) == ("role.granted", "Ada Admin", "stands in")
    assert entry.after == {"role": "manager", "start_on": "2026-07-01", "end_on": "2026-08-01"}
    assert (entry.subject_type, entry.subject_id) == ("people.user", str(cast.ana.pk))


@pytest.mark.parametrize("name", ["ana", "max", "rita", "finn", "elsa", "norm"])
def test_only_administrators_grant_and_revoke_roles(cast: Cast, name: str) -> None:
    before = frozen_people()
    with pytest.raises(PermissionDenied):
        services.grant_role(actor=cast.actor(name), person=cast.norm, role="rep", start_on=TODAY, at=NOW)
    with pytest.raises(PermissionDenied):
        services.revoke_role(actor=cast.actor(name), person=cast.ana, role="rep", end_on=TODAY, at=NOW)
    assert frozen_people() == before


def test_nobody_gives_themselves_a_role(cast: Cast) -> None:
    before = frozen_people()
    with pytest.raises(ValidationError, match="Nobody gives themselves a role"):
        services.grant_role(actor=cast.actor("ada"), person=cast.ada, role="finance", start_on=TODAY, at=NOW)
    assert frozen_people() == before


def test_a_role_held_already_is_refused_with_the_day_it_began(cast: Cast) -> None:
    before = frozen_people()
    with pytest.raises(ValidationError, match="Ana Alvarez already holds the role “Rep” from 2025-01-01"):
        services.grant_role(actor=cast.actor("ada"), person=cast.ana, role="rep", start_on=JULY, at=NOW)
    assert frozen_people() == before


def test_the_database_refuses_an_overlap_too(cast: Cast) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        RoleGrant.objects.create(person=cast.ana, role="rep", start_on=JULY)
    with pytest.raises(IntegrityError), transaction.atomic():
        RoleGrant.objects.filter(person=cast.ana).update(start_on=JULY, end_on=TODAY)
    assert RoleGrant.objects.filter(person=cast.ana).count() == 1


def test_a_race_that_only_the_database_sees_is_a_message(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("salesops.people.services.roles.refuse_overlap", lambda *args: None)
    before = frozen_people()
    with pytest.raises(ValidationError, match="Somebody else has just saved"):
        services.grant_role(actor=cast.actor("ada"), person=cast.ana, role="rep", start_on=JULY, at=NOW)
    assert frozen_people() == before


def test_revoking_ends_the_grant_and_forgets_one_that_never_began(cast: Cast) -> None:
    ada = cast.actor("ada")
    services.grant_role(actor=ada, person=cast.ana, role="manager", start_on=AUGUST, at=NOW)
    services.revoke_role(actor=ada, person=cast.ana, role="rep", end_on=JULY, at=NOW)
    services.revoke_role(actor=ada, person=cast.ana, role="manager", end_on=JULY, at=NOW)
    assert ranges(cast.ana.role_grants, "role") == [("rep", SINCE, JULY)]
    assert [entry[0] for entry in entries()] == ["role.granted", "role.revoked", "role.revoked"]
    with pytest.raises(ValidationError, match="does not hold the role “Manager”"):
        services.revoke_role(actor=ada, person=cast.ana, role="manager", end_on=JULY, at=NOW)


def test_the_admin_flag_follows_the_role_in_time(cast: Cast) -> None:
    ada = cast.actor("ada")
    services.grant_role(actor=ada, person=cast.rita, role="admin", start_on=TODAY, end_on=JULY, at=NOW)
    cast.rita.refresh_from_db()
    assert (cast.rita.is_staff, cast.rita.is_superuser) == (True, True)
    assert services.day_has_come(actor=system_actor(), at=NOW) == 0
    assert services.day_has_come(actor=system_actor(), at=NOW + timedelta(days=14)) == 1
    cast.rita.refresh_from_db()
    assert (cast.rita.is_staff, cast.rita.is_superuser) == (False, False)
    services.grant_role(actor=ada, person=cast.norm, role="admin", start_on=AUGUST, at=NOW)
    cast.norm.refresh_from_db()
    assert not cast.norm.is_staff
    services.day_has_come(actor=system_actor(), at=NOW + timedelta(days=50))
    cast.norm.refresh_from_db()
    assert cast.norm.is_staff


def test_the_last_administrator_stays(cast: Cast) -> None:
    system = system_actor()
    before = frozen_people()
    for refused in (
        lambda: services.revoke_role(actor=system, person=cast.ada, role="admin", end_on=JULY, at=NOW),
        lambda: services.deactivate(actor=system, person=cast.ada, at=NOW),
        lambda: services.leave_company(actor=system, person=cast.ada, left_on=JULY, at=NOW),
    ):
        with pytest.raises(ValidationError, match="Ada Admin is the last administrator"):
            refused()
        assert frozen_people() == before
    services.grant_role(actor=cast.actor("ada"), person=cast.rita, role="admin", start_on=TODAY, at=NOW)
    services.revoke_role(actor=cast.actor("rita"), person=cast.ada, role="admin", end_on=TODAY, at=NOW)
    assert cast.actor("ada").roles == frozenset()


def test_a_changed_role_ends_the_persons_sessions(cast: Cast, client_of: Callable[[str], Client]) -> None:
    client = Client()
    client.post("/account/login/", {"login": "ana@example.com", "password": "correct horse battery staple"})
    assert client.get("/account/password/change/").status_code == 200
    services.grant_role(actor=cast.actor("ada"), person=cast.ana, role="manager", start_on=TODAY, at=NOW)
    assert client.get("/account/password/change/").status_code == 302


# --- Function and reporting line ----------------------------------------------------------------------------------


def test_a_function_moves_on_a_day(cast: Cast) -> None:
    services.set_function(actor=cast.actor("rita"), person=cast.sam, function="ae", start_on=JULY, at=NOW)
    assert ranges(cast.sam.function_assignments, "function") == [("sdr", SINCE, JULY), ("ae", JULY, None)]
    assert entries() == [
        (
            "function.changed",
            "Sam Sorensen",
            {"function": "sdr"},
            {"function": "ae", "start_on": "2026-07-01", "end_on": None},
        )
    ]


def test_a_change_before_a_planned_one_ends_where_that_begins(cast: Cast) -> None:
    rita = cast.actor("rita")
    services.set_function(actor=rita, person=cast.sam, function="ae", start_on=AUGUST, at=NOW)
    services.set_function(actor=rita, person=cast.sam, function="adr", start_on=JULY, at=NOW)
    services.set_function(actor=rita, person=cast.sam, function="mdr", start_on=JULY, at=NOW)
    assert ranges(cast.sam.function_assignments, "function") == [
        ("sdr", SINCE, JULY),
        ("mdr", JULY, AUGUST),
        ("ae", AUGUST, None),
    ]
    services.end_function(actor=rita, person=cast.sam, end_on=date(2026, 7, 15), at=NOW)
    assert ranges(cast.sam.function_assignments, "function") == [
        ("sdr", SINCE, JULY),
        ("mdr", JULY, date(2026, 7, 15)),
    ]
    with pytest.raises(ValidationError, match="nothing to end"):
        services.end_function(actor=rita, person=cast.sam, end_on=AUGUST, at=NOW)


def test_an_unknown_function_is_refused(cast: Cast) -> None:
    before = frozen_people()
    with pytest.raises(ValidationError, match="There is no function “ceo”"):
        services.set_function(actor=cast.actor("rita"), person=cast.sam, function="ceo", start_on=JULY, at=NOW)
    assert frozen_people() == before


def test_a_manager_changes_on_a_day(cast: Cast) -> None:
    services.set_manager(actor=cast.actor("rita"), person=cast.ana, manager=cast.mia, start_on=JULY, at=NOW)
    assert ranges(cast.ana.manager_lines, "manager__name") == [
        ("Max Manager", SINCE, JULY),
        ("Mia Manager", JULY, None),
    ]
    assert cast.ana.pk in cast.actor("max").tree_ids
    later = NOW + timedelta(days=20)
    assert cast.ana.pk not in cast.actor("max", at=later).tree_ids
    assert cast.ana.pk in cast.actor("mia", at=later).tree_ids
    entry = AuditEntry.objects.get()
    assert entry.before == {"manager": cast.max.pk}
    assert entry.after == {"manager": cast.mia.pk, "start_on": "2026-07-01", "end_on": None}


def test_a_circle_is_refused_and_named(cast: Cast) -> None:
    before = frozen_people()
    with pytest.raises(
        ValidationError, match="circle on 2026-07-01: Elsa Executive → Ana Alvarez → Max Manager → Elsa"
    ):
        services.set_manager(actor=cast.actor("rita"), person=cast.elsa, manager=cast.ana, start_on=JULY, at=NOW)
    with pytest.raises(ValidationError, match="Nobody reports to themselves"):
        services.set_manager(actor=cast.actor("rita"), person=cast.ana, manager=cast.ana, start_on=JULY, at=NOW)
    assert frozen_people() == before


@pytest.mark.parametrize("name", ["ana", "max", "finn", "elsa", "norm"])
def test_only_editors_move_people(cast: Cast, name: str) -> None:
    before = frozen_people()
    actor = cast.actor(name)
    for refused in (
        lambda: services.set_manager(actor=actor, person=cast.sam, manager=cast.mia, start_on=JULY, at=NOW),
        lambda: services.set_function(actor=actor, person=cast.sam, function="ae", start_on=JULY, at=NOW),
        lambda: services.end_function(actor=actor, person=cast.sam, end_on=JULY, at=NOW),
        lambda: services.edit_person(actor=actor, person=cast.sam, name="Sammy", at=NOW),
        lambda: services.set_working_hours(actor=actor, person=cast.sam, hours=[], at=NOW),
    ):
        with pytest.raises(PermissionDenied):
            refused()
    assert frozen_people() == before


# --- Hours and leave ----------------------------------------------------------------------------------------------


def test_people_set_their_own_hours(cast: Cast) -> None:
    hours = [(1, time(13), time(17)), (1, time(9), time(12)), (2, time(9), time(17))]
    services.set_working_hours(actor=cast.actor("ana"), person=cast.ana, hours=hours, at=NOW)
    services.set_working_hours(actor=cast.actor("ana"), person=cast.ana, hours=hours, at=NOW)
    kept = list(cast.ana.working_hours.values_list("weekday", "starts_at", "ends_at"))
    assert kept == sorted(hours)
    assert entries() == [
        (
            "hours.changed",
            "Ana Alvarez",
            {"hours": []},
            {"hours": ["1 09:00-12:00", "1 13:00-17:00", "2 09:00-17:00"]},
        )
    ]


@pytest.mark.parametrize(
    ("hours", "message"),
    [
        ([(1, time(9), time(9))], "have to end after they start"),
        ([(8, time(9), time(17))], "have to end after they start"),
        ([(1, time(9), time(12)), (1, time(11, 59), time(17))], "on one day overlap"),
    ],
)
def test_hours_out_of_order_are_refused(cast: Cast, hours: Any, message: str) -> None:
    before = frozen_people()
    with pytest.raises(ValidationError, match=message):
        services.set_working_hours(actor=cast.actor("ana"), person=cast.ana, hours=hours, at=NOW)
    assert frozen_people() == before


def test_a_manager_notes_leave_of_their_own_people_only(cast: Cast) -> None:
    days = {"start_on": JULY, "end_on": date(2026, 7, 8)}
    leave = services.add_leave(actor=cast.actor("max"), person=cast.ana, kind="sick", at=NOW, **days)
    assert selectors.away_on(JULY) == {cast.ana.pk}
    assert selectors.away_on(date(2026, 7, 8)) == set()
    before = frozen_people()
    with pytest.raises(PermissionDenied):
        services.add_leave(
            actor=cast.actor("mia"), person=cast.ana, kind="sick", at=NOW, start_on=AUGUST, end_on=date(2026, 8, 2)
        )
    with pytest.raises(PermissionDenied):
        services.cancel_leave(actor=cast.actor("mia"), leave=leave, at=NOW)
    with pytest.raises(ValidationError, match="Ana Alvarez is already away from 2026-07-01"):
        services.add_leave(
            actor=cast.actor("max"), person=cast.ana, kind="other", at=NOW, start_on=date(2026, 7, 7), end_on=AUGUST
        )
    with pytest.raises(ValidationError):
        services.add_leave(
            actor=cast.actor("max"), person=cast.ana, kind="other", at=NOW, start_on=AUGUST, end_on=AUGUST
        )
    assert frozen_people() == before
    services.cancel_leave(actor=cast.actor("rita"), leave=leave, at=NOW)
    assert Leave.objects.count() == 0
    assert [entry[0] for entry in entries()] == ["leave.added", "leave.cancelled"]


def test_somebody_else_stands_in_during_leave(cast: Cast) -> None:
    days = {"start_on": JULY, "end_on": AUGUST, "kind": "vacation", "actor": cast.actor("max"), "at": NOW}
    with pytest.raises(ValidationError, match="nobody stands in for themselves"):
        services.add_leave(person=cast.ana, deputy=cast.ana, **days)
    assert not Leave.objects.exists()
    assert services.add_leave(person=cast.ana, deputy=cast.sam, **days).deputy == cast.sam
    assert AuditEntry.objects.get(action="leave.added").after["deputy"] == cast.sam.pk
    with pytest.raises(IntegrityError), transaction.atomic():
        Leave.objects.update(deputy=cast.ana)


# --- Coming and going ---------------------------------------------------------------------------------------------


def test_an_invitation_leads_to_a_password(cast: Cast, frozen: Any) -> None:
    person = services.invite(
        actor=cast.actor("ada"),
        email=" New.Nina@Example.com ",
        name="Nina New",
        role="rep",
        function="sdr",
        manager=cast.max,
        started_on=TODAY,
        at=NOW,
    )
    assert person.email == "new.nina@example.com"
    assert not person.has_usable_password()
    actor = cast.actor("ana")
    assert person in selectors.people_for(actor)
    assert [entry[0] for entry in entries()] == [
        "person.added",
        "role.granted",
        "function.changed",
        "reporting_line.changed",
        "person.password_link_sent",
    ]
    run_due(at=NOW)
    message = mail.outbox[0]
    assert (message.to, message.subject) == (["new.nina@example.com"], "Your account in Salesops")
    link = re.search(r"http://\S+(/account/password/reset/key/\S+/)", str(message.body))
    assert link is not None
    client = Client()
    form = client.get(link[1])
    assert form.status_code == 302
    done = client.post(
        form.headers["Location"], {"password1": "a long enough secret", "password2": "a long enough secret"}
    )
    assert done.status_code == 302
    login = client.post("/account/login/", {"login": "new.nina@example.com", "password": "a long enough secret"})
    assert (login.status_code, login.headers["Location"]) == (302, "/")
    assert Client().get(link[1]).status_code == 200, "a used link shows that it is used"
    assert entries()[-2][0] == "person.password_changed"
    assert entries()[-1][0] == "session.logged_in"
    assert not any("password" in entry[2] or "password" in entry[3] for entry in entries())


def test_an_invitation_is_whole_or_not_at_all(cast: Cast) -> None:
    before = frozen_people()
    with pytest.raises(ValidationError):
        services.invite(
            actor=cast.actor("ada"), email="new@example.com", name="New", role="rep", function="ceo", at=NOW
        )
    with pytest.raises(ValidationError, match="already exists"):
        services.invite(actor=cast.actor("ada"), email="ANA@example.com", name="Ana again", at=NOW)
    with pytest.raises(PermissionDenied):
        services.invite(actor=cast.actor("rita"), email="new@example.com", name="New", at=NOW)
    assert frozen_people() == before


def test_an_edit_records_only_what_changed(cast: Cast) -> None:
    services.edit_person(actor=cast.actor("rita"), person=cast.ana, name="Ana Alvarez", title="Senior AE", at=NOW)
    services.edit_person(actor=cast.actor("rita"), person=cast.ana, title="Senior AE", at=NOW)
    assert entries() == [("person.edited", "Ana Alvarez", {"title": ""}, {"title": "Senior AE"})]
    with pytest.raises(ValueError, match="is_superuser"):
        services.edit_person(actor=cast.actor("rita"), person=cast.ana, is_superuser=True, at=NOW)
    with pytest.raises(PermissionDenied):
        services.edit_person(actor=cast.actor("rita"), person=cast.ana, email="other@example.com", at=NOW)
    with pytest.raises(ValidationError):
        services.edit_person(actor=cast.actor("rita"), person=cast.ana, time_zone="Mars/Base", at=NOW)
    cast.ana.refresh_from_db()
    assert (cast.ana.email, cast.ana.time_zone) == ("ana@example.com", "UTC")


def test_own_settings_are_ones_own(cast: Cast) -> None:
    services.change_own_settings(actor=cast.actor("ana"), person=cast.ana, language="zh-hans", at=NOW)
    cast.ana.refresh_from_db()
    assert cast.ana.language == "zh-hans"
    before = frozen_people()
    with pytest.raises(PermissionDenied):
        services.change_own_settings(actor=cast.actor("ada"), person=cast.ana, language="en", at=NOW)
    with pytest.raises(ValueError, match="name"):
        services.change_own_settings(actor=cast.actor("ana"), person=cast.ana, name="Boss", at=NOW)
    assert frozen_people() == before


def test_whoever_leaves_today_is_out_at_once(cast: Cast, client_of: Callable[[str], Client]) -> None:
    client = client_of("ana")
    assert client.get("/account/password/change/").status_code == 200
    services.leave_company(actor=cast.actor("ada"), person=cast.ana, left_on=TODAY, reason="moved", at=NOW)
    assert client.get("/account/password/change/").status_code == 302
    cast.ana.refresh_from_db()
    assert (cast.ana.is_active, cast.ana.left_on) == (False, TODAY)
    assert ranges(cast.ana.role_grants) == [(SINCE, TODAY)]
    assert ranges(cast.ana.function_assignments) == [(SINCE, TODAY)]
    assert ranges(cast.ana.manager_lines) == [(SINCE, TODAY)]
    assert [entry[0] for entry in entries()] == [
        "person.left",
        "role.revoked",
        "function.ended",
        "reporting_line.ended",
        "person.deactivated",
    ]
    login = Client().post("/account/login/", {"login": "ana@example.com", "password": "correct horse battery staple"})
    assert "/inactive/" in login.headers["Location"]


def test_whoever_leaves_later_works_until_then(cast: Cast) -> None:
    services.leave_company(actor=cast.actor("ada"), person=cast.ana, left_on=JULY, at=NOW)
    cast.ana.refresh_from_db()
    assert cast.ana.is_active
    assert cast.actor("ana").roles == {Role.REP}
    assert services.day_has_come(actor=system_actor(), at=NOW) == 0
    later = NOW + timedelta(days=14)
    assert services.day_has_come(actor=system_actor(), at=later) == 1
    assert services.day_has_come(actor=system_actor(), at=later) == 0
    cast.ana.refresh_from_db()
    assert not cast.ana.is_active
    services.reactivate(actor=cast.actor("ada"), person=cast.ana, at=later)
    cast.ana.refresh_from_db()
    assert (cast.ana.is_active, cast.ana.left_on) == (True, None)
    assert cast.actor("ana", at=later).roles == frozenset()


def test_a_last_day_before_the_first_is_refused(cast: Cast) -> None:
    before = frozen_people()
    with pytest.raises(ValidationError, match="cannot lie before the first day"):
        services.leave_company(actor=cast.actor("ada"), person=cast.ana, left_on=date(2024, 1, 1), at=NOW)
    assert frozen_people() == before


def test_the_new_day_comes_by_schedule(cast: Cast) -> None:
    from salesops.jobs.registry import declared_schedules

    assert ("people-new-day", "people.new_day") in [(item.code, item.kind) for item in declared_schedules()]


def test_the_chain_holds_after_all_this(cast: Cast) -> None:
    test_whoever_leaves_later_works_until_then(cast)
    assert audit.verify()[1] == []


# --- Who sees whom ------------------------------------------------------------------------------------------------


def test_a_role_is_needed_to_see_others(cast: Cast) -> None:
    cast.carl.is_active = False
    cast.carl.save()
    seen = {
        name: selectors.people_for(cast.actor(name)).count() for name in ("norm", "ana", "alba", "max", "rita", "finn")
    }
    assert seen == {"norm": 1, "ana": 13, "alba": 13, "max": 14, "rita": 14, "finn": 14}


def test_private_things_are_for_oneself_ones_managers_and_the_books(cast: Cast) -> None:
    services.add_leave(actor=cast.actor("max"), person=cast.ana, kind="sick", at=NOW, start_on=JULY, end_on=AUGUST)
    shown = {
        name: len(selectors.profile_for(cast.actor(name), cast.ana.pk, day=TODAY).leaves)
        for name in ("ana", "sam", "alba", "max", "mia", "elsa", "rita", "finn", "ada")
    }
    assert shown == {"ana": 1, "sam": 0, "alba": 0, "max": 1, "mia": 0, "elsa": 1, "rita": 1, "finn": 1, "ada": 1}


def test_the_tree_shows_who_reports_to_whom_on_a_day(cast: Cast) -> None:
    tree = selectors.tree_for(cast.actor("ana"), day=TODAY)
    shape = {branch.person.name: [below.person.name for below in branch.below] for branch in tree}
    assert shape["Elsa Executive"] == ["Max Manager", "Mia Manager"]
    assert list(shape) == ["Ada Admin", "Elsa Executive", "Fay Finance", "Finn Finance", "Norm Norole", "Rita Revops"]
    elsa = tree[1]
    assert elsa.size == 8
    assert [below.person.name for below in elsa.below[0].below] == ["Ana Alvarez", "Carl Chen", "Sam Sorensen"]


# --- Second factors -----------------------------------------------------------------------------------------------


def test_a_lost_second_factor_is_reset_by_another_administrator(cast: Cast, client_of: Callable[[str], Client]) -> None:
    for kind in ("totp", "recovery_codes"):
        Authenticator.objects.create(user=cast.finn, type=kind, data={})
    for name in ("finn", "rita", "max"):
        with pytest.raises(PermissionDenied):
            services.reset_second_factor(actor=cast.actor(name), person=cast.finn, at=NOW)
    with pytest.raises(ValidationError, match="Ask another administrator"):
        services.reset_second_factor(actor=cast.actor("ada"), person=cast.ada, at=NOW)
    assert Authenticator.objects.count() == 2
    assert services.reset_second_factor(actor=cast.actor("ada"), person=cast.finn, reason="phone lost", at=NOW) == 2
    assert services.reset_second_factor(actor=cast.actor("ada"), person=cast.finn, at=NOW) == 0
    assert not selectors.has_second_factor(cast.finn)
    assert entries() == [("second_factor.reset", "Finn Finance", {"types": ["recovery_codes", "totp"]}, {})]


def test_commands_for_whoever_has_the_machine(cast: Cast, frozen: Any) -> None:
    out = StringIO()
    call_command("grant_role", "ADA@example.com", "finance", stdout=out)
    assert out.getvalue() == "Ada Admin now holds the role “Finance”.\n"
    assert cast.actor("ada").roles == {Role.ADMIN, Role.FINANCE}
    with pytest.raises(CommandError, match="already holds"):
        call_command("grant_role", "ada@example.com", "finance")
    with pytest.raises(CommandError, match="Nobody has the address"):
        call_command("grant_role", "nobody@example.com", "rep")
    Authenticator.objects.create(user=cast.ada, type="totp", data={})
    out = StringIO()
    call_command("reset_second_factor", "ada@example.com", stdout=out)
    assert out.getvalue() == "1 second factor forgotten.\n"
    assert [(entry[0], entry[1]) for entry in entries()] == [
        ("role.granted", "Ada Admin"),
        ("second_factor.reset", "Ada Admin"),
    ]
