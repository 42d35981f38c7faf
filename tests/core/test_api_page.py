"""The page that describes the API says what the schema says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from salesops.core.views.api_page import operations

pytestmark = pytest.mark.django_db


def test_operations_are_told_with_what_they_take() -> None:
    of = {(each.method, each.path): each for each in operations()}
    move = of["POST", "/api/v1/deals/{id}/move/"]
    assert {"stage", "version"} <= {value.name for value in move.body}
    assert next(value for value in move.body if value.name == "stage").is_needed
    statuses = next(value for value in of["GET", "/api/v1/accounts/"].query if value.name == "status")
    assert (statuses.kind, statuses.is_several) == ("customer | former | prospect", True)
    assert of["GET", "/api/v1/accounts/"].body == ()


def test_the_page_names_every_address_once(client_of: Callable[[str], Client]) -> None:
    page = client_of("ana").get("/api/v1/docs/").content.decode()
    for each in operations():
        assert f"<code>{each.path}</code>" in page
    assert page.count('class="operation-head"') == len(operations())
