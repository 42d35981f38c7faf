"""The rows that moves may change, as they are: two snapshots make the list of changes, and the way back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from django.db import models
from django.utils.translation import gettext as _

from salesops.accounts.models import Account, AccountOwnership
from salesops.audit.rules.chain import plain
from salesops.commissions.models import Quota
from salesops.core.display import share
from salesops.deals.models import Deal, DealOwnership, DealSplit
from salesops.leads.models import Lead, Pool, PoolMember
from salesops.people.choices import JobFunction
from salesops.people.models import FunctionAssignment, ReportingLine, User
from salesops.pods.models import Pod, PodMembership
from salesops.reorganisations.selectors.books import Books

#: A row: its model in lower case, such as "deals.deal", and its key.
RowKey = tuple[str, int]
#: The columns of each model that a move may change, or that make up a row which it makes or removes.
COLUMNS: Final[Mapping[type[models.Model], tuple[str, ...]]] = {
    PodMembership: ("pod_id", "person_id", "function", "start_on", "end_on"),
    FunctionAssignment: ("person_id", "function", "start_on", "end_on"),
    ReportingLine: ("person_id", "manager_id", "start_on", "end_on"),
    Account: ("owner_id", "pod_id"),
    AccountOwnership: ("account_id", "person_id", "function", "start_on", "end_on"),
    Deal: ("owner_id", "pod_id"),
    DealOwnership: ("deal_id", "person_id", "start_on", "end_on"),
    DealSplit: ("deal_id", "person_id", "function", "share_bp", "is_overlay"),
    Lead: ("owner_id", "pod_id"),
    PoolMember: ("pool_id", "person_id", "weight", "is_in"),
    Quota: ("person_id", "measure", "start_on", "end_on", "amount_minor", "currency"),
}
KINDS: Final = {model._meta.label_lower: model for model in COLUMNS}


def snapshot_of(people: Collection[int], books: Books) -> dict[RowKey, dict[str, Any]]:
    """The rows of these people and of what they hold, by model and key, as plain values. A constant number of queries."""
    wanted: dict[type[models.Model], models.Q] = {
        PodMembership: models.Q(person__in=people),
        FunctionAssignment: models.Q(person__in=people),
        ReportingLine: models.Q(person__in=people),
        Account: models.Q(pk__in=books.account_ids),
        AccountOwnership: models.Q(account__in=books.account_ids),
        Deal: models.Q(pk__in=books.deal_ids),
        DealOwnership: models.Q(deal__in=books.deal_ids),
        DealSplit: models.Q(deal__in=books.deal_ids),
        Lead: models.Q(pk__in=books.lead_ids),
        PoolMember: models.Q(person__in=people),
        Quota: models.Q(person__in=people),
    }
    found: dict[RowKey, dict[str, Any]] = {}
    for model, condition in wanted.items():
        kind, columns = model._meta.label_lower, COLUMNS[model]
        rows = model._default_manager.filter(condition).order_by("pk").values("pk", *columns)
        for row in rows.iterator():
            key = row.pop("pk")
            found[kind, key] = plain(row)
    return found


class Said:
    """Rows in words: names are looked up once for all of them."""

    def __init__(self, rows: Collection[tuple[RowKey, Mapping[str, Any] | None]]) -> None:
        people: set[int] = set()
        pods: set[int] = set()
        pools: set[int] = set()
        objects: dict[type[models.Model], set[int]] = {Account: set(), Deal: set(), Lead: set()}
        for (kind, pk), row in rows:
            if KINDS[kind] in objects:
                objects[KINDS[kind]].add(pk)
            if row is None:
                continue
            people |= {row[name] for name in ("person_id", "owner_id", "manager_id") if row.get(name)}
            pods |= {row["pod_id"]} if row.get("pod_id") else set()
            pools |= {row["pool_id"]} if "pool_id" in row else set()
            if KINDS[kind] is AccountOwnership:
                objects[Account].add(row["account_id"])
            if KINDS[kind] in (DealOwnership, DealSplit):
                objects[Deal].add(row["deal_id"])
        self.people = dict(User.objects.filter(pk__in=people).values_list("pk", "name"))
        self.pods = dict(Pod.objects.filter(pk__in=pods).values_list("pk", "name"))
        self.pools = dict(Pool.objects.filter(pk__in=pools).values_list("pk", "name"))
        self.names: dict[type[models.Model], dict[int, str]] = {
            model: dict(model._default_manager.filter(pk__in=keys).values_list("pk", "name"))
            for model, keys in objects.items()
        }

    def label(self, key: RowKey, row: Mapping[str, Any]) -> str:
        """What the row is about."""
        kind, pk = key
        model = KINDS[kind]
        if model in self.names:
            return self.names[model].get(pk, "–")[:200]
        if model is AccountOwnership:
            return self.names[Account].get(row["account_id"], "–")[:200]
        if model in (DealOwnership, DealSplit):
            return self.names[Deal].get(row["deal_id"], "–")[:200]
        return self.people.get(row["person_id"], "–")[:200]

    def words(self, key: RowKey, row: Mapping[str, Any] | None) -> str:
        """What it says."""
        if row is None:
            return ""
        parts: list[str] = []
        if KINDS[key[0]] in (AccountOwnership, DealOwnership, DealSplit):
            parts.append(self.people.get(row["person_id"], "–"))
        if "pool_id" in row:
            parts.append(self.pools.get(row["pool_id"], "–"))
            parts.append(_("takes part") if row["is_in"] else _("does not take part"))
        if "owner_id" in row:
            parts.append(self.people.get(row["owner_id"], _("nobody")))
        if "manager_id" in row:
            parts.append(self.people.get(row["manager_id"], "–"))
        if "pod_id" in row:
            parts.append(self.pods.get(row["pod_id"], _("no pod")))
        if "function" in row:
            parts.append(str(JobFunction(row["function"]).name))
        if "share_bp" in row:
            parts.append(share(row["share_bp"]))
        if "amount_minor" in row:
            parts.append(f"{row['measure']} {row['amount_minor']} {row['currency']}")
        if "start_on" in row:
            parts.append(f"{row['start_on']} – {row['end_on'] or ''}".strip())
        return " · ".join(parts)[:300]


def said(rows: Collection[tuple[RowKey, Mapping[str, Any] | None]]) -> Said:
    """Names for all of these rows, in a constant number of queries."""
    return Said(rows)
