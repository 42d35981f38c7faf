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


def test_all_that_writes_takes_a_key_and_money_needs_one() -> None:
    needs = {
        (each.method, each.path): [value.is_needed for value in each.headers if value.name == "Idempotency-Key"]
        for each in operations()
    }
    assert {key for key, of_key in needs.items() if key[0] == "GET" and of_key} == set()
    assert {key for key, of_key in needs.items() if key[0] != "GET" and len(of_key) != 1} == set()
    assert {key for key, of_key in needs.items() if of_key == [True]} == {
        ("POST", "/api/v1/transactions/"),
        ("PATCH", "/api/v1/transactions/{id}/"),
        ("POST", "/api/v1/transactions/{id}/void/"),
        ("POST", "/api/v1/adjustments/"),
    }


def test_the_page_names_every_address_once(client_of: Callable[[str], Client]) -> None:
    page = client_of("ana").get("/api/v1/docs/").content.decode()
    for each in operations():
        assert f"<code>{each.path}</code>" in page
    assert page.count('class="operation-head"') == len(operations())
