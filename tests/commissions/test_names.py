"""Payroll files carry first and last names as people bear them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from salesops.commissions.services.payroll import names_of
from salesops.connectors.models import Source
from salesops.people.models import User
from tests.cast import Cast
from tests.journeys.bringing import Importer, counts


@pytest.mark.parametrize(
    ("name", "family_name", "expected"),
    [
        ("Ana Alvarez", "", ("Ana", "Alvarez")),
        ("Ranjit Varkey Chudukatil", "", ("Ranjit Varkey", "Chudukatil")),
        ("Ranjit Varkey Chudukatil", "Varkey Chudukatil", ("Ranjit", "Varkey Chudukatil")),
        ("王小明", "王", ("小明", "王")),
        ("Nguyen Van An", "Nguyen", ("Van An", "Nguyen")),
        ("Cher", "", ("", "Cher")),
        ("Ana Alvarez", "Other", ("Ana", "Alvarez")),
    ],
)
def test_names_of_payroll_files(name: str, family_name: str, expected: tuple[str, str]) -> None:
    assert names_of(User(name=name, family_name=family_name)) == expected


@pytest.mark.django_db
def test_the_family_name_is_a_part_of_the_name(client_of: Callable[[str], Client], cast: Cast) -> None:
    rita, address = client_of("rita"), reverse("people:person_edit", kwargs={"pk": cast.ana.pk})
    form = rita.get(address).context["form"]
    typed = {name: form.initial.get(name) or "" for name in form.fields}
    refused = rita.post(address, typed | {"family_name": "Alvares"})
    assert refused.context["form"].errors == {"family_name": ["Write it as it stands in the name."]}
    assert rita.post(address, typed | {"family_name": "Alvarez"}).status_code == 302
    cast.ana.refresh_from_db()
    assert cast.ana.family_name == "Alvarez"


@pytest.mark.django_db
def test_an_import_with_two_columns_keeps_which_is_which(cast: Cast) -> None:
    ada = Importer(cast.actor("ada"), Source.objects.create(code="hr", name="HR"))
    row = ada.bring("people.csv", b"first name,last name,employee number\nRanjit,Varkey Chudukatil,286\n")
    assert counts(row) == (1, 0, 0, 0)
    person = User.objects.get(employee_number="286")
    assert (person.name, person.family_name) == ("Ranjit Varkey Chudukatil", "Varkey Chudukatil")
