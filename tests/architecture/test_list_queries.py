"""Every list page of the portal costs the same queries with 3 rows and with 3,000."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, models, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import resolve, reverse

from salesops.core.views.lists import ScopedListView
from salesops.people.models import User
from tests.access_matrix import ROWS, WHO, Row
from tests.scene import Scene

pytestmark = pytest.mark.django_db

#: Who looks at a list: the first of these who may see it, and sees most of its rows.
LOOKERS = ("revops", "admin", "finance", "manager", "rep")
MANY = 3_000


def _view(row: Row, scene: Scene) -> type[Any] | None:
    """The class behind a GET address."""
    if row.method != "GET" or row.status_for("revops") not in (200, 403):
        return None
    return getattr(resolve(reverse(row.name, kwargs=row.kwargs(scene))).func, "view_class", None)


def lists(scene: Scene) -> Iterator[tuple[Row, str]]:
    """Every list page, and who looks at it."""
    for row in ROWS:
        view = _view(row, scene)
        if view is not None and issubclass(view, ScopedListView):
            yield row, next(who for who in LOOKERS if row.status_for(who) == 200)


def people(count: int) -> list[User]:
    """So many more people, for rows of which each person may have one."""
    return User.objects.bulk_create(
        User(email=f"extra{number}@example.com", name=f"Extra {number}", language="en") for number in range(count)
    )


def _unique_names(model: type[models.Model]) -> set[str]:
    """Fields in which two rows must differ, alone or together with others."""
    names = {field.name for field in model._meta.concrete_fields if field.unique and not field.primary_key}
    names |= {"email"} if model is User else set()  # unique in any case, by an expression
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint):
            names |= set(constraint.fields)
    return names


def more_of(row: models.Model, count: int, others: list[User]) -> None:
    """Write so many rows that are like this one, each of another person where the model knows people."""
    model, unique = type(row), _unique_names(type(row))
    highest = model._base_manager.aggregate(top=models.Max("pk"))["top"]
    made = []
    start = model._base_manager.count()
    beside: dict[str, list[int]] = {}  # rows of which each belongs to one of these
    for field in model._meta.concrete_fields:
        if isinstance(field, models.OneToOneField) and not field.primary_key:
            partner = getattr(row, field.name)
            if partner is None:
                continue
            more_of(partner, count, others)
            partners = type(partner)._base_manager.order_by("-pk").values_list("pk", flat=True)[:count]
            beside[field.attname] = list(partners)
    for number in range(start, start + count):
        like = copy.copy(row)
        like._state = models.base.ModelState()
        like.pk = highest + 1 + number - start if not isinstance(model._meta.pk, models.AutoField) else None
        for field in model._meta.concrete_fields:
            if field.attname in beside:
                setattr(like, field.attname, beside[field.attname][number - start])
            elif field.name in ("person", "owner"):
                setattr(like, field.attname, others[-1 - number % len(others)].pk)
            elif (
                field.name in unique
                and isinstance(field, models.CharField | models.TextField)
                and field.value_from_object(row)
            ):
                setattr(like, field.attname, f"n{number}.{field.value_from_object(row)}"[: field.max_length or 200])
            elif field.name in unique and isinstance(field, models.UUIDField):
                setattr(like, field.attname, uuid.uuid4())
            elif field.name in unique and isinstance(field, models.IntegerField) and field.name in ("number", "line"):
                setattr(like, field.attname, 1_000 + number)
        made.append(like)
    model._base_manager.bulk_create(made, batch_size=1_000)


def test_no_list_asks_more_for_more_rows(client_of: Callable[[str], Client], scene: Scene) -> None:
    others, found = people(MANY), {}
    for row, who in lists(scene):
        client, address = client_of(WHO[who]), f"{reverse(row.name, kwargs=row.kwargs(scene))}?per=200"
        answer = client.get(address)  # the first page of a session writes the session down
        assert answer.status_code == 200, row.name
        shown = _first_row(answer, scene)
        assert shown is not None, f"{row.name}: the scene has no row for this list"
        sample = type(shown)._base_manager.get(pk=shown.pk)
        with transaction.atomic():
            more_of(sample, 2, others)
            few = _queries(client, address)
            more_of(sample, MANY - 3, others)
            found[row.name] = (few, _queries(client, address))
            transaction.set_rollback(True)
    assert len(found) >= 16
    assert {name: pair for name, pair in found.items() if pair[1] > pair[0] or pair[1] > 30} == {}


def _first_row(answer: Any, scene: Scene) -> Any:
    """What the list shows first; the board shows cards and no page."""
    if "page" in answer.context:
        return next(iter(answer.context["page"].rows), None)
    return scene.deal


def _queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(address)
    assert answer.status_code == 200
    return len(captured)
