"""The first rows of a list among a million: what to ask so that the database does not read all the others first.

An ORDER BY with a LIMIT tempts PostgreSQL to walk along an index in that order and to drop rows until enough are found.
That is right when most rows fit. It is very slow when few do ("largest first" for somebody who sees the small deals, a
search with twenty hits), because the planner takes what fits to be spread evenly along the index.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db import connections
from django.db.models import F, QuerySet
from django.db.models.expressions import OrderBy
from django.db.models.functions import Coalesce
from django.db.models.sql.where import AND, WhereNode

#: One part of a scope, as a condition: {"owner_id": 7}.
Branch = Mapping[str, Any]

#: More branches than this cost more to plan than they save.
_MOST_BRANCHES: Final = 40
#: Further down than this, each branch would be read too deep.
_DEEPEST: Final = 2_000


def first_rows(rows: QuerySet[Any], start: int, stop: int, *, is_few: bool = False) -> list[Any]:
    """The rows at these positions of an ordered queryset.

    `is_few`: no more than some thousands match, so they are found by the filters and sorted. Otherwise, where the scope
    is made of branches (own rows, the pod's rows), the first rows of each branch are read along its own index and merged.
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
    elif 1 < len(branches) <= _MOST_BRANCHES and stop <= _DEEPEST and not _asks_for(rows, branches):
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


def _asks_for(rows: QuerySet[Any], branches: tuple[Branch, ...]) -> bool:
    """Whether the filters ask for certain values of a branch's column already: then the other branches hold nothing."""
    columns = {name.split("__")[0] for branch in branches for name in branch}

    def asked(node: Any) -> bool:
        if isinstance(node, WhereNode):
            return node.connector == AND and not node.negated and any(asked(child) for child in node.children)
        target = getattr(getattr(node, "lhs", None), "target", None)
        return target is not None and target.attname in columns

    return asked(rows.query.where)


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
