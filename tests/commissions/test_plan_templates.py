"""Starting points for plans: each can be put in force as it stands and keeps the schema of plan files."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from django.conf import settings

from salesops.commissions.rules.examples import activation_problems
from salesops.commissions.rules.planfile import plan_as_file
from salesops.commissions.rules.plans import plan_as_plain, plan_from_plain
from salesops.commissions.rules.templates import TEMPLATES, Template, template_of, template_plan
from salesops.commissions.services.plan_files import read_plans, write_plan
from salesops.commissions.services.plans import conditions_that_cannot_be_read

SCHEMA = json.loads((Path(settings.BASE_DIR) / "docs" / "plan.schema.json").read_text(encoding="utf-8"))
each = pytest.mark.parametrize("template", TEMPLATES, ids=[template.key for template in TEMPLATES])


@each
def test_a_template_can_be_put_in_force(template: Template) -> None:
    for currency in ("USD", "JPY", "KWD"):
        plan = template_plan(template, currency, "UTC")
        assert plan.examples
        assert activation_problems(plan) == []
        assert conditions_that_cannot_be_read(plan) == []
        assert plan_from_plain(plan_as_plain(plan)).unwrap() == plan


@each
def test_a_template_keeps_the_schema_and_reads_back(template: Template) -> None:
    plan = template_plan(template, "USD", "UTC")
    jsonschema.validate(plan_as_file(template.title, template.sentence, plan), SCHEMA)
    assert read_plans(write_plan("One", "", plan).encode()).unwrap() == [("One", "", plan)]


def test_templates_are_found_by_key() -> None:
    assert [template_of(template.key) for template in TEMPLATES] == list(TEMPLATES)
    with pytest.raises(KeyError):
        template_of("nothing")
