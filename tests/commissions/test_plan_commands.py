"""Plans as files, from the command line and back."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from salesops.commissions.models import Plan
from salesops.commissions.rules.plans import plan_as_plain, plan_from_plain
from salesops.commissions.services.plan_files import read_plans
from salesops.commissions.services.plans import create_plan, save_draft
from tests.cast import NOW, Cast
from tests.commissions.every_word import EVERY_WORD, every_word
from tests.commissions.pay import FLAT_8, plan_in_force

pytestmark = pytest.mark.django_db


def exported(*arguments: str) -> str:
    """What the command prints."""
    out = io.StringIO()
    call_command("export_plan", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(EVERY_WORD, encoding="utf-8")
    return path


def test_a_file_becomes_a_draft_and_the_same_file_again(cast: Cast, file: Path, tmp_path: Path) -> None:
    call_command("import_plan", str(file), "--by", "rita@example.com", "--start", "2026-07-01", stdout=io.StringIO())
    version = Plan.objects.get(name="Every word").versions.get()
    assert plan_from_plain(version.definition).unwrap() == every_word()
    assert (version.state, version.start_on, version.created_by) == ("draft", date(2026, 7, 1), cast.rita)
    assert version.plan.description == "All that a plan can say."
    written = tmp_path / "out.yaml"
    call_command("export_plan", "every word", "--output", str(written))
    assert read_plans(written.read_bytes()).unwrap() == [("Every word", "All that a plan can say.", every_word())]
    call_command("import_plan", str(written), "--by", "rita@example.com", stdout=io.StringIO())
    assert list(Plan.objects.get().versions.order_by("number").values_list("number", flat=True)) == [1, 2]


def test_the_version_in_force_is_exported_unless_another_is_named(cast: Cast) -> None:
    plan = plan_in_force(cast, FLAT_8)
    save_draft(
        actor=cast.actor("rita"), plan=plan, definition=plan_as_plain(every_word()), start_on=date(2026, 7, 1), at=NOW
    )
    assert "rate: 8%" in exported("Field")
    assert read_plans(exported("Field", "--version", "2").encode()).unwrap()[0][2] == every_word()
    with pytest.raises(CommandError, match="no such version"):
        exported("Field", "--version", "3")
    with pytest.raises(CommandError, match=r"no plan called Fields\. There are: Field\."):
        exported("Fields")


@pytest.mark.parametrize(
    ("text", "by", "said"),
    [
        (EVERY_WORD.replace("rate: 1.5x}", "rate: 1.5y}"), "rita", r"components\[0\]\.shape\.tiers\[1\]\.rate: "),
        (EVERY_WORD.replace("amount >= 1000", "colour = 1"), "rita", r"tiers\.when: There is no field colour"),
        (EVERY_WORD, "ana", "Only revenue operations writes plans"),
        (EVERY_WORD, "nobody", "Nobody active has the address nobody@example.com"),
    ],
)
def test_what_cannot_be_read_or_may_not_be_written_leaves_nothing(
    cast: Cast, file: Path, text: str, by: str, said: str
) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CommandError, match=said):
        call_command("import_plan", str(file), "--by", f"{by}@example.com")
    assert not Plan.objects.exists()


def test_one_bad_plan_of_several_leaves_nothing(cast: Cast, file: Path) -> None:
    create_plan(actor=cast.actor("rita"), name="Before", at=NOW)
    good = "{name: Good, currency: USD, period_kind: month, components: [{key: a, name: A, shape: {shape: flat, rate: 1%}}]}"
    bad = good.replace("Good", "Bad").replace("name: A,", "name: A, when: colour = 1,")
    file.write_text(f"plans: [{good}, {bad}]", encoding="utf-8")
    with pytest.raises(CommandError, match="colour"):
        call_command("import_plan", str(file), "--by", "rita@example.com")
    assert list(Plan.objects.values_list("name", flat=True)) == ["Before"]
