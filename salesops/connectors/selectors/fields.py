"""The fields of an object of a connection as they are reviewed: how each is filled, from what, and who wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _

from salesops.connectors.choices import Master
from salesops.connectors.models import Stream
from salesops.connectors.rules.fields import (
    ANY_KEY,
    CREATABLE,
    LOOKUP_KEY_LABELS,
    LOOKUP_KEYS,
    Field,
    FieldType,
    LookupKind,
)
from salesops.connectors.rules.mapping import FieldRule, Unknown
from salesops.connectors.rules.mapping import Mapping as FieldMapping
from salesops.deals.models import Stage

#: Kinds that are so few that each can be offered where a word is said to mean one.
_FEW: Final = (LookupKind.STAGE,)


@dataclass(frozen=True, slots=True)
class WordShown:
    """A word of the source and what it is said to mean; both empty for one more."""

    word: str
    code: str


@dataclass(frozen=True, slots=True)
class StreamField:
    """One field of the portal on the review page."""

    field: Field
    rule: FieldRule | None
    master: str
    keys: Sequence[tuple[str, str]]
    unknowns: Sequence[tuple[str, str]]
    words: Sequence[WordShown]
    meanings: Sequence[tuple[str, str]]

    @property
    def label(self) -> str:
        """In the reader's language."""
        return _(self.field.label)

    @property
    def fill(self) -> str:
        """The choice that fills it: "", "column:<path>", "constant" or "template"."""
        if self.rule is None:
            return ""
        if self.rule.column is not None:
            return f"column:{self.rule.column}"
        return "constant" if self.rule.constant is not None else "template"

    @property
    def text(self) -> str:
        """The fixed value or the template."""
        if self.rule is None:
            return ""
        return self.rule.constant or self.rule.template or ""

    @property
    def is_lookup(self) -> bool:
        """Whether it refers to a record."""
        return self.field.type is FieldType.LOOKUP

    @property
    def is_money(self) -> bool:
        """Whether it is an amount."""
        return self.field.type is FieldType.MONEY


def stream_fields(stream: Stream, mapping: FieldMapping, masters: Mapping[str, str]) -> list[StreamField]:
    """The fields of a stream's kind in order, with what the mapping says of each. One query."""
    stages = [(stage.code, stage.name) for stage in Stage.objects.filter(is_active=True).order_by("position")]
    unknown_words = {
        Unknown.REFUSE.value: _("put the record on the shelf"),
        Unknown.CREATE.value: _("make it"),
        Unknown.EMPTY.value: _("leave it empty"),
    }
    shown = []
    for field in mapping.definition.fields:
        rule = mapping.rule(field.code)
        keys: list[tuple[str, str]] = []
        unknowns: list[tuple[str, str]] = []
        meanings: list[tuple[str, str]] = [(choice.code, _(choice.label)) for choice in field.choices]
        if field.lookup is not None:
            keys = [(key, _(LOOKUP_KEY_LABELS[key])) for key in (ANY_KEY, *LOOKUP_KEYS[field.lookup])]
            unknowns = [
                (value, words)
                for value, words in unknown_words.items()
                if value != Unknown.CREATE or field.lookup in CREATABLE
            ]
            if field.lookup in _FEW:
                meanings = stages
        words = [WordShown(word, code) for word, code in rule.choices] if rule is not None else []
        shown.append(
            StreamField(
                field, rule, masters.get(field.code, Master.CRM), keys, unknowns, words if meanings else [], meanings
            )
        )
    return shown


def columns_offered(stream: Stream) -> list[tuple[str, str]]:
    """The columns of a stream as choices: the path, and what the vendor calls it."""
    found = []
    for column in stream.columns:
        label = str(column.get("label") or "")
        path = str(column["path"])
        found.append((path, f"{label} ({path})" if label and label != path else path))
    return sorted(found, key=lambda pair: pair[1].casefold())


def master_words() -> list[tuple[str, str, str]]:
    """Who may win, with one line about each."""
    return [
        (Master.CRM, str(Master.CRM.label), _("What the source says replaces what stands here, each time it changes there.")),
        (Master.PORTAL, str(Master.PORTAL.label), _("The source fills it once; edits made here stay, and are written back where the source lets them.")),
        (Master.NEWEST, str(Master.NEWEST.label), _("Whichever side changed it last; edits made here are written back where the source lets them.")),
        (Master.FILL, str(Master.FILL.label), _("The source fills it only while it is empty here.")),
    ]  # fmt: skip
