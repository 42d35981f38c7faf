"""The designer on the page: a plan from a template, its parts changed one by one, nothing lost, nothing overwritten."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from salesops.audit.models import AuditEntry
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.models import Plan, PlanVersion
from salesops.commissions.rules.plans import Measure, PlanDefinition, plan_as_plain, plan_from_plain
from salesops.commissions.rules.templates import TEMPLATES, template_of, template_plan
from salesops.commissions.services.plan_files import read_plans
from salesops.commissions.services.plans import create_plan, discard_draft, save_draft
from tests.cast import NOW, Cast
from tests.commissions.every_word import every_word
from tests.commissions.pay import FLAT_8, definition, plan_in_force
from tests.commissions.test_designer_forms import sent

pytestmark = pytest.mark.django_db


@pytest.fixture
def rita(client_of: Callable[[str], Client]) -> Client:
    return client_of("rita")


def draft_of(cast: Cast, plan: PlanDefinition, name: str = "Field") -> PlanVersion:
    """A draft that says this."""
    made = create_plan(actor=cast.actor("rita"), name=name, at=NOW)
    return save_draft(
        actor=cast.actor("rita"), plan=made, definition=plan_as_plain(plan), start_on=date(2026, 7, 1), at=NOW
    )


def said(version: PlanVersion) -> PlanDefinition:
    """What the draft says now."""
    version.refresh_from_db()
    return plan_from_plain(version.definition).unwrap()


def page_of(version: PlanVersion, name: str, **kwargs: Any) -> str:
    """The address of a page of the draft."""
    return reverse(f"commissions:{name}", kwargs={"pk": version.pk, **kwargs})


def form_in(html: str) -> dict[str, Any]:
    """The form of a part as it would be posted untouched."""
    start = html.index('<form method="post" class="design"')
    lists = sent(html[start : html.index("</form>", start)]).lists()
    return {name: values if len(values) > 1 else values[0] for name, values in lists}


def form_of(client: Client, address: str) -> dict[str, Any]:
    """The same of a page."""
    return form_in(client.get(address).content.decode())


def pages_of(version: PlanVersion, plan: PlanDefinition) -> list[str]:
    """Every page with a form of a part of the draft."""
    parts = ("version_basics", "version_conventions", "version_settlement", "version_examples", "version_text")
    components = [page_of(version, "component_edit", place=place) for place in range(len(plan.components))]
    return components + [page_of(version, name) for name in parts]


def test_a_plan_begins_with_a_template(cast: Cast, rita: Client) -> None:
    address = reverse("commissions:plan_create")
    page = rita.get(address).content.decode()
    assert page.count('class="curve-small"') == len(TEMPLATES)
    typed = {"name": "Sellers", "start_on": "2026-07-01", "currency": "eur", "time_zone": "Europe/Berlin"}
    answer = rita.post(address, typed | {"template": "ae_saas"})
    version = PlanVersion.objects.get()
    assert answer.headers["Location"] == page_of(version, "version_edit")
    assert said(version) == template_plan(template_of("ae_saas"), "EUR", "Europe/Berlin")
    assert (version.plan.name, version.start_on, version.state) == ("Sellers", date(2026, 7, 1), "draft")
    assert rita.post(address, typed | {"template": "ae_saas"}).status_code == 422  # the name is taken
    assert Plan.objects.count() == 1


@pytest.mark.parametrize("name", [template.key for template in TEMPLATES] + ["every_word"])
def test_every_page_opened_and_saved_keeps_every_word(name: str, cast: Cast, rita: Client) -> None:
    plan = every_word() if name == "every_word" else template_plan(template_of(name), "USD", "UTC")
    version = draft_of(cast, plan, "Every word")
    assert rita.get(page_of(version, "version_edit")).status_code == 200
    for address in pages_of(version, plan):
        answer = rita.post(address, form_of(rita, address))
        assert answer.status_code == 302, address
        assert said(version) == plan, address
    assert version.start_on == date(2026, 7, 1)


def test_a_component_is_changed_and_the_rest_stays(cast: Cast, rita: Client) -> None:
    plan = every_word()
    version = draft_of(cast, plan)
    address = page_of(version, "component_edit", place=0)
    form = form_of(rita, address)
    form["name"] = "Renewed"
    form["code"] = "renewed"
    form["tiers-100001-from"], form["tiers-100001-rate"] = "150%", "2x"
    assert rita.post(address, form).status_code == 302
    now = said(version)
    component = now.components[0]
    assert (component.name, component.key) == ("Renewed", "renewed")
    assert [row.worth.text for row in component.shape.rows] == ["1x", "1.5x", "2x"]
    assert now.components[1:] == plan.components[1:]
    assert now.settlement is not None
    assert now.settlement.multiplier is not None
    assert now.settlement.multiplier.components == ("things", "renewed", "mbo")
    assert now.settlement.limits[0].component == "renewed"
    assert now.examples[0].component == "renewed"
    assert now.ramp == plan.ramp


def test_what_is_wrong_stands_at_its_field_and_nothing_is_saved(cast: Cast, rita: Client) -> None:
    version = draft_of(cast, every_word())
    digest = version.digest
    address = page_of(version, "component_edit", place=0)
    form = form_of(rita, address)
    form["tiers-1-rate"] = "lots"
    form["when"] = "colour = 1"
    form["cap"] = "much"
    refused = rita.post(address, form)
    assert refused.status_code == 422
    assert list(refused.context["form"].errors) == ["when"]  # a formula is refused before the plan is read
    form["when"] = ""
    errors = rita.post(address, form).context["form"].errors
    assert set(errors) == {"tiers", "cap"}
    assert errors["tiers"][0].startswith("Row 2: 'lots' cannot be read here.")
    settlement = page_of(version, "version_settlement")
    form = form_of(rita, settlement)
    form["releases-0-parts"] = "1/2; 1/3 after 30"
    form["draw_forgiven_on"] = ""
    errors = rita.post(settlement, form).context["form"].errors
    assert set(errors) == {"releases", "draw_forgiven_on"}
    version.refresh_from_db()
    assert version.digest == digest


def test_components_are_added_copied_moved_and_taken_out(cast: Cast, rita: Client) -> None:
    plan = template_plan(template_of("ae_saas"), "USD", "UTC")
    version = draft_of(cast, plan)
    address = page_of(version, "version_edit")

    def move(what: str, place: int = 0) -> str:
        version.refresh_from_db()
        answer = rita.post(address, {"move": what, "place": place, "seen_digest": version.digest})
        assert answer.status_code == 302
        return str(answer.headers["Location"])

    def keys() -> list[str]:
        return [component.key for component in said(version).components]

    assert move("copy", 1) == page_of(version, "component_edit", place=2)
    assert keys() == ["new_business", "multi_year", "multi_year_2", "add_ons"]
    assert said(version).components[2].when == plan.components[1].when
    move("up", 3)
    assert keys() == ["new_business", "multi_year", "add_ons", "multi_year_2"]
    move("down", 0)
    assert keys() == ["multi_year", "new_business", "add_ons", "multi_year_2"]
    assert move("add") == page_of(version, "component_edit", place=4)
    move("remove", 0)
    assert keys() == ["new_business", "add_ons", "multi_year_2", "component"]
    assert [example.component for example in said(version).examples] == ["new_business"]
    assert said(version).settlement == plan.settlement


def test_a_component_that_the_settlement_names_stays(cast: Cast, rita: Client) -> None:
    version = draft_of(cast, template_plan(template_of("csm"), "USD", "UTC"))
    refused = rita.post(page_of(version, "version_edit"), {"move": "remove", "place": 1, "seen_digest": version.digest})
    assert refused.status_code == 422
    assert "The settlement names expansion." in refused.content.decode()
    assert len(said(version).components) == 2


def test_who_saves_second_is_told(cast: Cast, rita: Client) -> None:
    version = draft_of(cast, every_word())
    address = page_of(version, "component_edit", place=5)
    mine = form_of(rita, address)
    theirs = form_of(rita, page_of(version, "version_conventions"))
    theirs["rounding"] = "cumulative"
    rita.post(page_of(version, "version_conventions"), theirs)
    mine["name"] = "Lost?"
    assert rita.post(address, mine).status_code == 409
    assert said(version).conventions.rounding == "cumulative"
    assert said(version).components[5].name == "Personal"


def test_things_are_counted_instead_of_money(cast: Cast, rita: Client) -> None:
    """The examples of the component are in things from then on, and nobody has to take them out first."""
    version = draft_of(cast, template_plan(template_of("flat"), "USD", "UTC"))
    address = page_of(version, "component_edit", place=0)
    form = form_of(rita, address)
    form["measure"], form["rate"] = "count", "2 each"
    assert rita.post(address, form).status_code == 302
    assert said(version).components[0].measure is Measure.COUNT
    assert said(version).examples[0].credits == (10000, 2500)


def test_the_curve_is_drawn_while_it_is_typed_and_nothing_is_kept(cast: Cast, rita: Client) -> None:
    version = draft_of(cast, template_plan(template_of("ae_accelerator"), "USD", "UTC"))
    address = page_of(version, "component_edit", place=0)
    form = form_of(rita, address)
    form["cap"] = "300%"
    drawn = rita.post(page_of(version, "component_curve", place=0), form).content.decode()
    assert "curve-line" in drawn
    assert "300% of target pay" in drawn
    form["tiers-1-from"] = "a hundred"
    wrong = rita.post(page_of(version, "component_curve", place=0), form).content.decode()
    assert "curve-line" not in wrong
    assert "Row 2:" in wrong
    assert said(version).components[0].shape.cap is None
    assert not AuditEntry.objects.filter(action="plan.drafted").exclude(before={}).exists()


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"when": 'segment = "smb"'}, "Reads well."),
        ({"when": "segmnt = 1"}, "There is no field segmnt"),
        ({"amount": "amount * 50%"}, "Reads well."),
        ({"amount": "quantity * 2", "measure": "count"}, "Reads well."),
        ({"amount": "amount", "measure": "count"}, "character 1"),
    ],
)
def test_a_formula_is_checked_as_it_is_typed(rita: Client, asked: dict[str, str], word: str) -> None:
    assert word in rita.get(reverse("commissions:formula_check"), asked).content.decode()


def test_what_the_engine_says_is_taken_over(cast: Cast, rita: Client) -> None:
    version = draft_of(cast, template_plan(template_of("ae_accelerator"), "USD", "UTC"))
    address = page_of(version, "version_examples")
    form = form_of(rita, address)
    for name, text in (("name", "Half"), ("credits", "125,000; 1"), ("quota", "250000"), ("target", "20000")):
        form[f"examples-9-{name}"] = text
    form["examples-9-component"] = "new_business"
    form["take"] = "1"
    page = rita.post(address, form)
    rows = page.context["form"].initial["examples"]
    assert (rows[0]["expected"], rows[1]["expected"], rows[1]["lines"]) == ("55000.00", "10000.08", "10000.00; 0.08")
    assert len(said(version).examples) == 1
    assert rita.post(address, form_in(page.content.decode())).status_code == 302
    assert said(version).examples[1].lines_minor == (10_000_00, 8)


def test_an_example_that_fails_says_what_it_comes_to(cast: Cast, rita: Client) -> None:
    version = draft_of(cast, template_plan(template_of("flat"), "USD", "UTC"))
    address = page_of(version, "version_examples")
    form = form_of(rita, address)
    form["examples-0-expected"] = "1001"
    assert rita.post(address, form).status_code == 302
    told = rita.get(page_of(version, "version_edit")).context["shown"]["examples"]
    assert [(each.expected, each.came_to, each.is_kept) for each in told] == [("$1,001.00", "$1,000.00", False)]


def test_the_text_is_checked_with_places(cast: Cast, rita: Client) -> None:
    version = draft_of(cast, every_word(), "Every word")
    address = page_of(version, "version_text")
    form = form_of(rita, address)
    typed = form["text"].replace("rate: 1.5x\n", "rate: 1.5y\n")
    assert typed != form["text"]
    form["text"] = typed
    refused = rita.post(address, form)
    assert refused.status_code == 422
    assert "components[0].shape.tiers[1].rate" in refused.context["form"].errors["text"][0]
    form["text"] = typed.replace("1.5y", "1.75x")
    assert rita.post(address, form).status_code == 302
    assert said(version).components[0].shape.rows[1].worth.text == "1.75x"


def test_a_new_version_begins_with_what_the_plan_says(cast: Cast, rita: Client) -> None:
    version = draft_of(cast, every_word())
    address = reverse("commissions:version_create", kwargs={"pk": version.plan_id})
    assert rita.post(address, {"start_on": "2026-10-01", "begin_with": "version-1"}).status_code == 302
    made = version.plan.versions.get(number=2)
    assert said(made) == every_word()
    rita.post(address, {"start_on": "2026-11-01", "begin_with": "manager"})
    assert said(version.plan.versions.get(number=3)).components[0].key == "team_bookings"


def test_a_draft_is_thrown_away_and_a_version_in_force_is_not(
    cast: Cast, rita: Client, client_of: Callable[[str], Client]
) -> None:
    plan = plan_in_force(cast, FLAT_8)
    in_force = plan.versions.get()
    words = definition(FLAT_8)
    draft = save_draft(actor=cast.actor("rita"), plan=plan, definition=words, start_on=date(2026, 9, 1), at=NOW)
    address = reverse("commissions:version_discard", kwargs={"pk": draft.pk})
    assert address in rita.get(reverse("commissions:version_edit", kwargs={"pk": draft.pk})).content.decode()
    assert client_of("finn").post(address).status_code in (403, 404)
    assert plan.versions.count() == 2
    assert rita.post(address).status_code == 302
    assert plan.versions.get() == in_force
    entry = AuditEntry.objects.get(action="plan.draft_discarded")
    assert (entry.before["number"], entry.before["digest"]) == (2, draft.digest)
    refused = rita.post(reverse("commissions:version_discard", kwargs={"pk": in_force.pk}))
    assert (refused.status_code, "no draft any more" in refused.content.decode()) == (422, True)
    assert plan.versions.get() == in_force
    with pytest.raises(CommissionRefusedError, match="no draft"):
        discard_draft(actor=cast.actor("rita"), version=in_force, at=NOW)
    with pytest.raises(NotAllowedError):
        discard_draft(actor=cast.actor("finn"), version=in_force, at=NOW)


def test_a_plan_whose_only_draft_was_thrown_away_opens(cast: Cast, rita: Client) -> None:
    plan = create_plan(actor=cast.actor("rita"), name="Alone", at=NOW)
    words = definition(FLAT_8)
    draft = save_draft(actor=cast.actor("rita"), plan=plan, definition=words, start_on=date(2026, 9, 1), at=NOW)
    assert rita.post(reverse("commissions:version_discard", kwargs={"pk": draft.pk}), follow=True).status_code == 200
    assert rita.get(reverse("commissions:version_create", kwargs={"pk": plan.pk})).status_code == 200


def test_a_version_in_force_leads_to_its_plan(cast: Cast, rita: Client) -> None:
    plan = plan_in_force(cast, FLAT_8)
    version = plan.versions.get()
    for address in [page_of(version, "version_edit"), *pages_of(version, said(version))]:
        for answer in (rita.get(address), rita.post(address, {})):
            assert answer.status_code == 302
            assert answer.headers["Location"].startswith(reverse("commissions:plan_detail", kwargs={"pk": plan.pk}))


def test_the_file_of_a_version_is_read_back(cast: Cast, rita: Client) -> None:
    version = draft_of(cast, every_word(), "Every word")
    answer = rita.get(page_of(version, "version_file"))
    assert read_plans(answer.content).unwrap() == [("Every word", "", every_word())]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="every-word-1.yaml"'


def test_the_last_component_stays_and_one_that_is_not_there_is_nowhere(cast: Cast, rita: Client) -> None:
    version = draft_of(cast, template_plan(template_of("flat"), "USD", "UTC"))
    address = page_of(version, "version_edit")
    refused = rita.post(address, {"move": "remove", "place": 0, "seen_digest": version.digest})
    assert (refused.status_code, refused.context["refusals"]) == (422, ["A plan needs at least one component."])
    for asked in ({"move": "copy", "place": 1}, {"move": "explode", "place": 0}):
        assert rita.post(address, asked | {"seen_digest": version.digest}).status_code == 409
    assert rita.get(page_of(version, "component_edit", place=1)).headers["Location"] == f"{address}#component-1"
    assert rita.post(page_of(version, "component_curve", place=1), {}).status_code == 404
    assert said(version) == template_plan(template_of("flat"), "USD", "UTC")


def test_keys_are_not_given_twice(cast: Cast, rita: Client) -> None:
    version = draft_of(cast, template_plan(template_of("csm"), "USD", "UTC"))
    form = form_of(rita, page_of(version, "component_edit", place=0))
    form["code"] = "expansion"
    refused = rita.post(page_of(version, "component_edit", place=0), form)
    assert refused.context["form"].errors == {"code": ["Another component has this key."]}


def test_a_text_of_another_plan_or_of_several_is_refused(cast: Cast, rita: Client) -> None:
    version = draft_of(cast, every_word(), "Every word")
    address = page_of(version, "version_text")
    form = form_of(rita, address)
    text = form["text"]
    for typed, word in (
        (text.replace("name: Every word", "name: Other", 1), "name: The plan is called Every word."),
        ("plans:\n- " + text.replace("\n", "\n  ") + "\n- {name: B, currency: EUR, period_kind: month, components: "
         "[{key: a, name: A, shape: {shape: flat, rate: 1%}}]}", "Write one plan, not several."),
    ):  # fmt: skip
        refused = rita.post(address, form | {"text": typed})
        assert refused.context["form"].errors["text"] == [word]
    assert said(version) == every_word()


def test_only_who_writes_plans_designs(cast: Cast, client_of: Callable[[str], Client]) -> None:
    version = draft_of(cast, template_plan(template_of("flat"), "USD", "UTC"))
    for who in ("finn", "max", "ana"):
        for address in [page_of(version, "version_edit"), *pages_of(version, said(version))]:
            assert client_of(who).get(address).status_code == 403
            assert client_of(who).post(address, {"move": "add"}).status_code == 403
    assert len(said(version).components) == 1
