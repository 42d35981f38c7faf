"""The forms of the designer: opened and saved they leave every word of a plan as it was."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from django.http import QueryDict
from django.template.loader import render_to_string

from salesops.commissions.designer.base import DesignForm
from salesops.commissions.designer.component import ComponentForm
from salesops.commissions.designer.plan import BasicsForm, ConventionsForm, ExamplesForm, SettlementForm, TextForm
from salesops.commissions.rules.planfile import plan_as_file
from salesops.commissions.rules.plans import PlanDefinition
from salesops.commissions.rules.templates import TEMPLATES, template_plan
from salesops.commissions.services.plan_files import write_plan
from tests.cast import Cast
from tests.commissions.every_word import every_word

pytestmark = pytest.mark.django_db


class Inputs(HTMLParser):
    """What a browser would send of a page that nobody touched, in the order of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, str]] = []
        self.select = self.area = ""
        self.options: list[tuple[str, bool]] = []
        self.templates = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "template":
            self.templates += 1
        if self.templates:
            return
        if tag == "input" and given.get("name"):
            if given.get("type") in ("checkbox", "radio"):
                if "checked" in given:
                    self.sent.append((given["name"], given.get("value", "on")))
            else:
                self.sent.append((given["name"], given.get("value", "")))
        elif tag == "select":
            self.select, self.options = given["name"], []
        elif tag == "option":
            self.options.append((given.get("value", ""), "selected" in given))
        elif tag == "textarea":
            self.area = given["name"]
            self.sent.append((self.area, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "template":
            self.templates -= 1
        elif tag == "select" and not self.templates:
            chosen = [value for value, is_chosen in self.options if is_chosen] or [self.options[0][0]]
            self.sent.append((self.select, chosen[0]))
        elif tag == "textarea":
            self.area = ""

    def handle_data(self, data: str) -> None:
        if self.area:
            name, text = self.sent[-1]
            self.sent[-1] = (name, text + data)


def sent(html: str) -> QueryDict:
    """The form as it would be posted untouched; a line break after <textarea> belongs to the page, not to the text."""
    parser = Inputs()
    parser.feed(html)
    data = QueryDict(mutable=True)
    for name, value in parser.sent:
        data.appendlist(name, value.removeprefix("\n"))
    return data


PLANS = {template.key: template_plan(template, "USD", "UTC") for template in TEMPLATES} | {"every_word": every_word()}


def forms_of(plan: PlanDefinition, cast: Cast) -> list[Callable[..., DesignForm]]:
    """Each form of the designer, still to be given what was posted."""
    words = plan_as_file("Every word", "", plan)
    common: dict[str, Any] = {"actor": cast.actor("rita"), "words": words}

    def of(form: type[DesignForm], **more: Any) -> Callable[..., DesignForm]:
        return lambda *data: form(*data, **common, **more)

    return [
        *(of(ComponentForm, place=place) for place in range(len(plan.components))),
        of(BasicsForm, initial={"start_on": "2026-01-01"}),
        of(ConventionsForm),
        of(SettlementForm),
        of(ExamplesForm),
        of(TextForm, text=write_plan("Every word", "", plan)),
    ]


@pytest.mark.parametrize("name", PLANS)
def test_what_is_opened_and_saved_says_the_same(name: str, cast: Cast) -> None:
    plan = PLANS[name]
    for make in forms_of(plan, cast):
        page = render_to_string("parts/form_body.html", {"form": make()})
        form = make(sent(page))
        assert form.is_valid(), (type(form).__name__, form.errors)
        assert form.plan == plan, type(form).__name__
