"""What became of leads, with what was known of them when they came: read from the audit, which says when anything was told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import numpy as np
from django.db.models import QuerySet

from salesops.audit.models import AuditEntry
from salesops.leads.choices import LeadStatus
from salesops.leads.models import Lead
from salesops.leads.rules.fields import domain_of
from salesops.leads.rules.learned.history import Column, History

#: The question is asked so many seconds after a lead became known: what is told of it until then counts.
ASKED_AFTER: Final = 3_600
#: Addresses that say nothing about a company.
_PRIVATE: Final = frozenset(
    {"gmail.com", "outlook.com", "hotmail.com", "yahoo.com", "icloud.com", "gmx.de", "qq.com", "163.com"}
)
_WORDS: Final = ("origin", "country", "campaign", "segment", "address")
_NUMBERS: Final = ("employees", "value", "has_phone", "has_company", "has_title")
#: What the audit says of a lead, and under which name.
_TOLD: Final = (
    "origin",
    "country",
    "campaign",
    "segment",
    "email",
    "phone",
    "company",
    "title",
    "employees",
    "estimated_minor",
    "currency",
)


@dataclass(slots=True)
class _Told:
    """One lead as the audit tells it: what was known until the question was asked, and when it was decided."""

    first_at: datetime
    values: dict[str, Any] = field(default_factory=dict)
    known_at: dict[str, datetime] = field(default_factory=dict)
    decided_at: datetime | None = None


def features_of(values: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """What is learned from, of a lead's values by name: words, numbers, and None for what is not known.

    Amounts in another currency than the company's are taken for not known.
    """
    domain = domain_of(values.get("email") or "")
    amount = values.get("estimated_minor") if values.get("currency", currency) == currency else None
    segment = values.get("segment")
    return {
        "origin": values.get("origin") or None,
        "country": values.get("country") or None,
        "campaign": values.get("campaign") or None,
        "segment": str(segment) if segment else None,
        "address": None if not domain else "private" if domain in _PRIVATE else "company",
        "employees": values.get("employees"),
        "value": amount,
        "has_phone": int(bool(values.get("phone"))),
        "has_company": int(bool(values.get("company"))),
        "has_title": int(bool(values.get("title"))),
    }


def history_of_leads(currency: str) -> History:
    """All decided leads of which the audit knows how they came, as they were known an hour after that.

    Won are those that were converted, lost those that were disqualified. Leads that came in decided are told as such and
    left out by whoever judges.
    """
    outcomes = {
        str(pk): int(status == LeadStatus.CONVERTED)
        for pk, status in Lead.objects.filter(status__in=(LeadStatus.CONVERTED, LeadStatus.DISQUALIFIED))
        .order_by()
        .values_list("pk", "status")
    }
    told: dict[str, _Told] = {}
    entries = AuditEntry.objects.filter(subject_type="leads.lead").order_by("sequence")
    for subject, at, action, after in entries.values_list("subject_id", "at", "action", "after").iterator(10_000):
        if subject not in outcomes:
            continue
        one = told.get(subject)
        if one is None:
            if action != "lead.created":
                continue
            one = told[subject] = _Told(at)
        if (at - one.first_at).total_seconds() <= ASKED_AFTER:
            for name in _TOLD:
                if name in after:
                    one.values[name], one.known_at[name] = after[name], at
        if after.get("status") in (LeadStatus.CONVERTED, LeadStatus.DISQUALIFIED):
            one.decided_at = at
    known = [(outcomes[subject], one) for subject, one in told.items() if one.decided_at is not None]
    asked_at = [int(one.first_at.timestamp()) + ASKED_AFTER for _outcome, one in known]
    rows = [features_of(one.values, currency) for _outcome, one in known]
    columns = {}
    for names, made in ((_WORDS, Column.of_words), (_NUMBERS, Column.of_numbers)):
        for name in names:
            columns[name] = made([row[name] for row in rows], asked_at)
    return History(
        columns,
        np.array(asked_at, dtype=np.int64),
        np.array([outcome for outcome, _one in known], dtype=np.int64),
        np.array([int(one.decided_at.timestamp()) for _outcome, one in known if one.decided_at], dtype=np.int64),
    )


def open_features(leads: QuerySet[Lead], currency: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The same of leads as they are now, by key; one query."""
    names = [("segment_id" if name == "segment" else name) for name in _TOLD]
    for pk, *values in leads.order_by("pk").values_list("pk", *names):
        yield pk, features_of(dict(zip(_TOLD, values, strict=True)), currency)


def in_columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Features of several leads in columns, as they are learned from."""
    asked = [0] * len(rows)
    words = {name: Column.of_words([row[name] for row in rows], asked).values for name in _WORDS}
    return words | {name: Column.of_numbers([row[name] for row in rows], asked).values for name in _NUMBERS}
