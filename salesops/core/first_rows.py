"""The first rows of a list among a million: what to ask so that the database does not read all the others first.

An ORDER BY with a LIMIT tempts PostgreSQL to walk along an index in that order and to drop rows until enough are found.
That is right when most rows fit. It is very slow when few do ("largest first" for somebody who sees the small deals, a
search with twenty hits), because the planner takes what fits to be spread evenly along the index.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from django.db import connections
from django.db.models import F, Model, QuerySet
from django.db.models.expressions import OrderBy
from django.db.models.functions import Coalesce
from django.db.models.lookups import IsNull
from django.db.models.sql.where import AND, WhereNode

#: One part of a scope, as a condition: {"owner_id": 7}.
Branch = Mapping[str, Any]

#: More branches than this cost more than they save.
_MOST_BRANCHES: Final = 40
#: With filters each branch drops rows on its way: then fewer of them pay.
_MOST_FILTERED_BRANCHES: Final = 12
#: Further down than this, each branch would be read too deep.
_DEEPEST: Final = 200


def first_rows(rows: QuerySet[Any], start: int, stop: int, *, is_few: bool = False) -> list[Any]:
    """The rows at these positions of an ordered queryset.

    `is_few`: no more than some thousands match, so they are found by the filters and sorted. Otherwise, where the scope
    is made of branches (own rows, the pod's rows) with an index in this order for each, the first rows of each branch are
    read along it and merged.
    Rows at the same place come in the same order either way. On SQLite the rows are read as they are.
    """
    if stop <= start:
        return []
    branches: tuple[Branch, ...] = getattr(rows, "branches", ())
    names = [str(each).lstrip("-") for each in rows.query.order_by]
    features = connections[rows.db].features
    if not features.supports_slicing_ordering_in_compound or not names or any("__" in name for name in names):
        return list(rows[start:stop])
    if is_few:
        keys = list(_sorted_after_finding(rows).values_list("pk", flat=True)[start:stop])
    elif len(branches) > 1 and stop <= _DEEPEST and _pays(rows, branches, names[0]):
        keys = _merged(rows, branches, names, start, stop)
    else:
        return list(rows[start:stop])
    found = rows.order_by().in_bulk(keys) if keys else {}
    return [found[key] for key in keys if key in found]


def _sorted_after_finding(rows: QuerySet[Any]) -> QuerySet[Any]:
    """The same order, written so that no index offers it: COALESCE of a column with itself is the column."""
    first, *others = (str(each) for each in rows.query.order_by)
    name = first.lstrip("-")
    order: OrderBy = OrderBy(Coalesce(F(name), F(name)), descending=first.startswith("-"))
    return rows.select_related(None).order_by(order, *others)


def _pays(rows: QuerySet[Any], branches: tuple[Branch, ...], first: str) -> bool:
    """Whether reading branch by branch is the better way: each can be read in order, and they are not too many.

    Filters that ask for certain values of a branch's column leave nothing in the other branches: then it is not.
    """
    columns = {name.split("__")[0] for branch in branches for name in branch}
    asked = {_column(node) for node in _conditions(rows.query.where)}
    model: type[Model] = rows.model
    if asked & columns or not columns <= _ordered_by(model, first):
        return False
    return len(branches) <= (_MOST_FILTERED_BRANCHES if asked else _MOST_BRANCHES)


def _conditions(node: WhereNode) -> Iterator[Any]:
    """What must hold for every row, but for "has a value" and for alternatives such as the scope's own."""
    for child in node.children:
        if isinstance(child, WhereNode):
            if child.connector == AND and not child.negated:
                yield from _conditions(child)
            elif child.connector == AND:
                yield child
        elif not isinstance(child, IsNull):
            yield child


def _column(node: Any) -> str:
    return getattr(getattr(getattr(node, "lhs", None), "target", None), "attname", "")


@cache
def _ordered_by(model: type[Model], field: str) -> frozenset[str]:
    """Columns for which an index lists the rows of one value in the order of a field."""
    found = set()
    for index in model._meta.indexes:
        names = [name.lstrip("-") for name in index.fields]
        if index.condition is None and len(names) > 1 and names[1] == field:
            found.add(str(getattr(model._meta.get_field(names[0]), "attname", names[0])))
    return frozenset(found)


def _merged(rows: QuerySet[Any], branches: tuple[Branch, ...], names: list[str], start: int, stop: int) -> list[Any]:
    """Keys of the first rows of all branches together; a row of two branches counts once."""
    key = rows.model._meta.pk.name
    columns = [key if name == "pk" else name for name in names]
    order = [
        f"-{name}" if str(each).startswith("-") else name
        for each, name in zip(rows.query.order_by, columns, strict=True)
    ]
    parts = [
        rows.select_related(None).filter(**branch).order_by(*order).values_list(*columns)[:stop] for branch in branches
    ]
    together = parts[0].union(*parts[1:]).order_by(*order)[start:stop]
    place = columns.index(key)
    return [row[place] for row in together]
