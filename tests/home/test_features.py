"""What administrators can switch off: each switch acts, says so, and takes its buttons away; the rest goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from salesops.audit.models import AuditEntry
from salesops.commissions.choices import PayrollFormat
from salesops.commissions.models import PayrollFile, Period, Statement
from salesops.commissions.services.approvals import approve_statements, lock_period
from salesops.commissions.services.payroll import release_payroll
from salesops.connectors.models import FileImport, Source
from salesops.connectors.services import imports
from salesops.core import features
from salesops.core.models import FeatureSwitch
from salesops.home.cards import cards_for
from salesops.home.navigation import ACTIONS, links_for
from salesops.jobs.models import Job
from tests.access_matrix import ROWS
from tests.cast import NOW, Cast
from tests.commissions.pay import FLAT_8, calculated, plan_in_force, won
from tests.scene import Scene

pytestmark = pytest.mark.django_db
ClientOf = Callable[[str], Client]

API_OFF = "An administrator has switched this off: The API."
PAYROLL_OFF = "An administrator has switched this off: Release of payroll."
IMPORTS_OFF = "An administrator has switched this off: Imports of files."


def turn(client_of: ClientOf, code: str, *, on: bool) -> None:
    """Ada turns a switch on its page of the administration."""
    switch = FeatureSwitch.objects.get(code=code)
    url = reverse("admin:core_featureswitch_change", args=[switch.pk])
    assert client_of("ada").post(url, {"is_on": "on"} if on else {}).status_code == 302
    switch.refresh_from_db()
    assert switch.is_on is on


# --- The switches themselves ---


def test_everything_declared_has_its_switch_and_is_on_but_what_is_asked_for(cast: Cast) -> None:
    assert [feature.code for feature in features.declared()] == [
        "api",
        "effort",
        "imports",
        "learned_chances",
        "payroll_release",
        "selling_guard",
        "sourced_credit",
        "unready_pods",
    ]
    features.write_switches()
    assert list(FeatureSwitch.objects.values_list("code", "is_on")) == [
        ("api", True),
        ("effort", True),
        ("imports", True),
        ("learned_chances", False),
        ("payroll_release", True),
        ("selling_guard", True),
        ("sourced_credit", True),
        ("unready_pods", True),
    ]
    FeatureSwitch.objects.filter(code="api").update(label="Old words", is_on=False)
    features.write_switches()
    assert FeatureSwitch.objects.values_list("label", "is_on").get(code="api") == ("The API", False)


def test_what_was_never_written_is_on_and_what_nobody_declared_is_an_error(cast: Cast) -> None:
    FeatureSwitch.objects.all().delete()
    assert features.is_on("api")
    assert not features.is_on("learned_chances")
    with pytest.raises(KeyError):
        features.is_on("palette")


def test_the_administration_shows_what_is_declared_and_what_it_does(client_of: ClientOf, cast: Cast) -> None:
    features.write_switches()
    stale = FeatureSwitch.objects.create(code="palette", label="The palette")
    ada = client_of("ada")
    page = ada.get(reverse("admin:core_featureswitch_changelist")).content.decode()
    for feature in features.declared():
        assert str(feature.title) in page
        assert str(feature.description).split(". Off:")[0] in page
    assert "The palette" not in page
    assert ada.get(reverse("admin:core_featureswitch_change", args=[stale.pk])).status_code == 302
    with override("zh-hans"):
        assert str(FeatureSwitch.objects.get(code="imports")) == "文件导入"


def test_switches_are_turned_and_neither_made_nor_renamed_nor_deleted(client_of: ClientOf, cast: Cast) -> None:
    switch = FeatureSwitch.objects.get(code="imports")
    ada = client_of("ada")
    assert ada.get(reverse("admin:core_featureswitch_add")).status_code == 403
    assert ada.post(reverse("admin:core_featureswitch_delete", args=[switch.pk]), {"post": "yes"}).status_code == 403
    url = reverse("admin:core_featureswitch_change", args=[switch.pk])
    assert ada.post(url, {"code": "other", "label": "Other", "description": "x"}).status_code == 302
    switch.refresh_from_db()
    assert (switch.code, switch.label, switch.is_on) == ("imports", "Imports of files", False)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor_name, entry.before, entry.after) == (
        "featureswitch.edited",
        "Ada Admin",
        {"is_on": True},
        {"is_on": False},
    )


# --- The API ---


def test_every_address_of_the_api_is_closed_while_it_is_off(client_of: ClientOf, scene: Scene) -> None:
    turn(client_of, "api", on=False)
    finn = client_of("finn")
    rows = [row for row in ROWS if row.name.startswith("api:") and row.name != "api:docs"]
    assert len({row.name for row in rows}) >= 20
    for row in rows:
        answer = finn.generic(row.method, reverse(row.name, kwargs=row.kwargs(scene)))
        assert answer.status_code == 403, row.name
        if row.method == "GET" and row.status_for("finance") != 403:
            assert API_OFF in answer.content.decode(), row.name
    page = finn.get(reverse("api:docs"))
    assert page.status_code == 403
    assert API_OFF in page.content.decode()
    turn(client_of, "api", on=True)
    assert finn.get(reverse("api:account-list")).json()["count"] == 1
    assert finn.get(reverse("api:docs")).status_code == 200


# --- Payroll ---


@pytest.fixture
def locked(cast: Cast) -> Period:
    """The second quarter, approved and locked: Ana earned 80.00."""
    plan_in_force(cast, FLAT_8, people=("ana",))
    won(cast, "ana", 1_000_00)
    period = calculated(cast)
    ids = list(Statement.objects.values_list("pk", flat=True))
    approve_statements(actor=cast.actor("finn"), statement_ids=ids, at=NOW)
    return lock_period(actor=cast.actor("finn"), period=period, at=NOW)


def test_finance_releases_nothing_while_payroll_is_off(client_of: ClientOf, cast: Cast, locked: Period) -> None:
    later = NOW.replace(month=7)
    card = f"Release the payroll of {locked.label}"
    turn(client_of, "payroll_release", on=False)
    finn = client_of("finn")
    release = reverse("commissions:payroll_release", kwargs={"pk": locked.pk})
    period = reverse("commissions:period_detail", kwargs={"pk": locked.pk})
    page = finn.get(period).content.decode()
    assert PAYROLL_OFF in page
    assert f'href="{release}"' not in page
    for answer in (finn.get(release), finn.post(release, {"payroll_format": "gusto"})):
        assert answer.status_code == 403
        assert PAYROLL_OFF in answer.content.decode()
    with pytest.raises(features.SwitchedOffError):
        release_payroll(actor=cast.actor("finn"), period=locked, payroll_format=PayrollFormat.GUSTO, at=NOW)
    assert PayrollFile.objects.count() == 0
    assert card not in [each.title for each in cards_for(cast.actor("finn"), at=later)]

    turn(client_of, "payroll_release", on=True)
    page = finn.get(period).content.decode()
    assert PAYROLL_OFF not in page
    assert f'href="{release}"' in page
    assert card in [each.title for each in cards_for(cast.actor("finn"), at=later)]
    assert finn.post(release, {"payroll_format": "gusto"}).status_code == 302
    file = PayrollFile.objects.get()
    assert file.total_minor == 80_00
    turn(client_of, "payroll_release", on=False)
    assert finn.get(reverse("commissions:payrollfile_download", kwargs={"pk": file.pk})).status_code == 200


# --- Imports ---


def test_no_file_comes_in_while_imports_are_off(client_of: ClientOf, cast: Cast) -> None:
    source = Source.objects.create(code="crm", name="Our CRM")
    rita = client_of("rita")
    create, listed = reverse("connectors:import_create"), reverse("connectors:import_list")

    def sent(name: str) -> int:
        file = SimpleUploadedFile(name, b"name,country\nAcme,PE\n")
        return rita.post(create, {"file": file, "source": source.pk}).status_code

    def offered() -> tuple[bool, bool]:
        links = [link.url for link in links_for(cast.actor("rita"), ACTIONS)]
        return create in links, f'href="{create}"' in rita.get(listed).content.decode()

    assert offered() == (True, True)
    assert sent("first.csv") == 302
    row = FileImport.objects.get()
    turn(client_of, "imports", on=False)
    assert offered() == (False, False)
    assert sent("second.csv") == 403
    assert IMPORTS_OFF in rita.get(create).content.decode()
    assert IMPORTS_OFF in rita.get(reverse("connectors:import_detail", kwargs={"pk": row.pk})).content.decode()
    assert rita.post(reverse("connectors:import_start", kwargs={"pk": row.pk})).status_code == 403
    with pytest.raises(features.SwitchedOffError):
        imports.start(actor=cast.actor("rita"), file_import=row, at=NOW)
    assert (FileImport.objects.count(), Job.objects.filter(kind="connectors.import").count()) == (1, 0)
    turn(client_of, "imports", on=True)
    assert offered() == (True, True)
    assert sent("third.csv") == 302
