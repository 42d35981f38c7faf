"""Bringing many records from outside into a table: compare field by field, write what differs, say what happened.

A room's `upsert_x` service turns its records into `Wanted` rows, loads the rows that exist, and hands both to
`merge_rows`. One bad record never stops the others: it comes back as problems with its position and column.
"""

from __future__ import annotations

import enum
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final, Generic, Literal, TypeVar

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import MaxLengthValidator, MaxValueValidator, MinValueValidator
from django.db import DataError, IntegrityError, models, transaction
from django.http import Http404
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from salesops.core.rows import insert_objects, update_objects

ModelT = TypeVar("ModelT", bound=models.Model)
RecordT = TypeVar("RecordT")

#: Records looked up and written together: few statements, bounded memory.
BATCH: Final = 1_000


class Unset(enum.Enum):
    """The type of UNSET."""

    UNSET = "unset"

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "UNSET"


#: The source says nothing about this field: leave it alone. None and "" mean that the field is to be emptied.
UNSET: Final = Unset.UNSET


class Fate(enum.StrEnum):
    """What became of one record."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class RecordProblem:
    """Why a record, or one field of it, was not taken: its position in the records given, the words, the field at fault.

    "" stands for the whole record. `UpsertResult.is_refused` tells whether the record was refused or taken without it.
    """

    position: int
    message: str | Promise
    column: str = ""


@dataclass(frozen=True, slots=True)
class RecordOutcome:
    """What became of the record at a position. `before` and `after` hold only the columns that differ.

    `pk` is None for a refused record and for one that a preview would create; `note` says what a person should know,
    such as a loose match.
    """

    position: int
    fate: Fate
    pk: int | None = None
    label: str = ""
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    note: str | Promise = ""


@dataclass(slots=True)
class UpsertResult:
    """What an upsert did, or in a preview would do: one outcome for each record, and the problems of those refused."""

    outcomes: list[RecordOutcome] = field(default_factory=list)
    problems: list[RecordProblem] = field(default_factory=list)
    _refused: set[int] = field(default_factory=set, repr=False)

    def _count(self, fate: Fate) -> int:
        return sum(outcome.fate is fate for outcome in self.outcomes)

    @property
    def created(self) -> int:
        """How many records became new rows."""
        return self._count(Fate.CREATED)

    @property
    def changed(self) -> int:
        """How many records changed an existing row."""
        return self._count(Fate.CHANGED)

    @property
    def unchanged(self) -> int:
        """How many records said what was already so; nothing was written for them."""
        return self._count(Fate.UNCHANGED)

    @property
    def refused(self) -> int:
        """How many records were not taken; each has at least one problem."""
        return len(self._refused)

    @property
    def pks(self) -> dict[int, int]:
        """The row's key by position, for the records that have one."""
        return {outcome.position: outcome.pk for outcome in self.outcomes if outcome.pk is not None}

    def refuse(self, position: int, message: str | Promise, column: str = "") -> None:
        """Add a problem; the first one of a record also gives it the outcome “refused”."""
        if position not in self._refused:
            self._refused.add(position)
            self.outcomes.append(RecordOutcome(position, Fate.REFUSED))
        self.problems.append(RecordProblem(position, message, column))

    def complain(self, position: int, message: str | Promise, column: str = "") -> None:
        """Add a problem with one field of a record that was taken all the same, without that field."""
        self.problems.append(RecordProblem(position, message, column))

    def refuse_for(self, position: int, error: ValidationError) -> None:
        """Turn a validation error into the problems of a record, each with the field that it is about."""
        by_column = error.error_dict if hasattr(error, "error_dict") else {"": error.error_list}
        for column, errors in by_column.items():
            for message in ValidationError(errors).messages:
                self.refuse(position, message, "" if column == "__all__" else column)

    def is_refused(self, position: int) -> bool:
        """Whether the record at this position has a problem."""
        return position in self._refused

    def forget_new_keys(self) -> None:
        """Take the keys off the rows created: for a preview that wrote them and rolls back."""
        self.outcomes = [replace(one, pk=None) if one.fate is Fate.CREATED else one for one in self.outcomes]

    def in_order(self) -> UpsertResult:
        """Sort outcomes and problems by position; gives itself back."""
        self.outcomes.sort(key=lambda outcome: outcome.position)
        self.problems.sort(key=lambda problem: problem.position)
        return self


@dataclass(frozen=True, slots=True)
class Wanted:
    """One record as its row should become.

    `key` finds the row among the existing ones; `values` are set on new and existing rows alike, by column name
    (`owner_id`, not `owner`; leave out what is UNSET); `defaults` on new rows only.
    """

    position: int
    key: Hashable
    values: Mapping[str, Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    note: str | Promise = ""


@dataclass(slots=True)
class Merged(Generic[ModelT]):
    """A record that was taken, with its row: for what a service does next (ownership, assignments, audit)."""

    position: int
    row: ModelT
    fate: Fate
    before: dict[str, Any]
    after: dict[str, Any]
    note: str | Promise = ""


def batches(records: Sequence[RecordT], size: int = BATCH) -> Iterator[list[tuple[int, RecordT]]]:
    """Cut records into batches of (position, record)."""
    for start in range(0, len(records), size):
        yield list(enumerate(records[start : start + size], start=start))


def values_given(record: object, names: Iterable[str]) -> dict[str, Any]:
    """The named fields of a record, without those that are UNSET."""
    return {name: value for name in names if (value := getattr(record, name)) is not UNSET}


@contextmanager
def refusing(result: UpsertResult, position: int) -> Iterator[None]:
    """Do one record in a savepoint of its own; what a service or the database refuses becomes the record's problem."""
    try:
        with transaction.atomic():
            yield
    except ValidationError as error:
        result.refuse_for(position, error)
    except PermissionDenied:
        result.refuse(position, _("You may not make this change."))
    except Http404:
        result.refuse(position, _("What this refers to does not exist."))
    except (IntegrityError, DataError) as error:
        result.refuse_for(position, _database_says(error))


def existing_by(
    queryset: models.QuerySet[ModelT], column: str, values: Collection[Any], *, lock: bool = True
) -> dict[Any, ModelT]:
    """Load rows by a column in one query, locked in key order unless it is for a preview. Nothing asked, no query."""
    if not values:
        return {}
    rows = queryset.filter(**{f"{column}__in": values}).order_by("pk")
    if column == "external_id" and "" not in values:
        # Ids of sources are unique among the rows that have one. PostgreSQL uses such an index only where the statement
        # says that none is empty; of a long list it does not look.
        rows = rows.exclude(**{column: ""})
    if lock:
        rows = rows.select_for_update(of=("self",))
    return {getattr(row, column): row for row in rows}


def merge_rows(
    model: type[ModelT],
    wanted: Sequence[Wanted],
    existing: Mapping[Any, ModelT],
    *,
    result: UpsertResult,
    preview: bool = False,
    check: Callable[[ModelT], None] | None = None,
    derived: Collection[str] = (),
) -> list[Merged[ModelT]]:
    """Bring one batch into the table; adds outcomes and problems to `result` and gives the records taken.

    Values are cleaned as the model's fields clean them; references must exist. Only columns that differ are written,
    rows without a difference not at all, so the same records again write nothing. A key that comes twice is one row:
    the later record wins. `check` may raise ValidationError for rules across fields. Columns that are `derived` from
    others are written but not named in the outcomes. Call it inside a transaction, with the existing rows locked; a
    preview writes nothing (and leaves changed values on the rows in memory only).
    Takes one query for each reference column with new values, one statement for the new rows (and on PostgreSQL one
    for their keys) and one for the changed ones, more only where the database refuses a row.
    """
    columns = {column.attname: column for column in model._meta.concrete_fields}
    cleaned = _clean(columns, wanted, result)
    _refuse_dangling(columns, cleaned, existing, result)

    rows: dict[Hashable, ModelT] = {}
    fates: list[Merged[ModelT]] = []
    make = _maker(model)
    for want, values in cleaned:
        if result.is_refused(want.position):
            continue
        row = rows.get(want.key) or existing.get(want.key)
        if row is None:
            row = make({**want.defaults, **values})
            fate, before, after = Fate.CREATED, {}, values
        else:
            held = row.__dict__
            before = {name: held[name] for name, value in values.items() if held[name] != value}
            after = {name: values[name] for name in before}
            fate = Fate.CHANGED if before else Fate.UNCHANGED
            for name, value in after.items():
                setattr(row, name, value)
        if check is not None and after:
            try:
                check(row)
            except ValidationError as error:
                for name, value in before.items():
                    setattr(row, name, value)
                result.refuse_for(want.position, error)
                continue
        rows[want.key] = row
        fates.append(Merged(want.position, row, fate, before, after, want.note))

    if not preview:
        fates = _write(model, fates, result)
    for merged in fates:
        before, after = merged.before, merged.after
        if derived:
            before = {name: value for name, value in before.items() if name not in derived}
            after = {name: value for name, value in after.items() if name not in derived}
        result.outcomes.append(
            RecordOutcome(merged.position, merged.fate, merged.row.pk, str(merged.row), before, after, merged.note)
        )
    return fates


def _maker(model: type[ModelT]) -> Callable[[Mapping[str, Any]], ModelT]:
    """Makes rows of column names and values. Django takes values by place faster than by name."""
    columns = model._meta.concrete_fields
    names = [column.attname for column in columns]
    plain = {column.attname: column.get_default() for column in columns if not callable(column.default)}
    made = [(column.attname, column.get_default) for column in columns if callable(column.default)]

    def make(values: Mapping[str, Any]) -> ModelT:
        filled = {**plain, **values}
        for name, default in made:
            if name not in filled:
                filled[name] = default()
        if len(filled) != len(names):
            raise TypeError(f"{model.__name__} has no columns {sorted(filled.keys() - set(names))}")
        return model(*[filled[name] for name in names])

    return make


def _clean(
    columns: Mapping[str, models.Field[Any, Any]], wanted: Sequence[Wanted], result: UpsertResult
) -> list[tuple[Wanted, dict[str, Any]]]:
    """Turn each value into what its column holds; refuse records with values that it cannot hold."""
    cleaned = []
    fits = {name: _fit(column) for name, column in columns.items()}
    for want in wanted:
        values: dict[str, Any] = {}
        for name, value in want.values.items():
            if fits[name](value):
                values[name] = value
                continue
            column = columns[name]
            try:
                if isinstance(value, str) and not _is_keepable(value):
                    raise ValidationError(_("This text holds signs that cannot be kept."))
                if not column.is_relation:
                    values[name] = column.clean(value, None)
                elif value is None and not column.null:
                    raise ValidationError(column.error_messages["null"])
                else:
                    values[name] = value
            except ValidationError as error:
                for message in error.messages:
                    result.refuse(want.position, message, column.name)
        if not result.is_refused(want.position):
            cleaned.append((want, values))
    return cleaned


def _fit(column: models.Field[Any, Any]) -> Callable[[Any], bool]:
    """Whether a value is one that the column holds as it is, told fast; False where only the field can tell.

    Nearly all values are, and `Field.clean` takes ten times as long to say so.
    """
    may_be_none = column.null and (column.blank or column.is_relation)
    if column.is_relation:
        return lambda value: type(value) is int or (value is None and may_be_none)
    kind: type = type(column)
    if column.choices:
        chosen = frozenset(key for key, _label in column.flatchoices if key not in column.empty_values)
        return lambda value: type(value) is str and value in chosen
    if kind in (models.CharField, models.TextField) and all(
        type(each) is MaxLengthValidator for each in column.validators
    ):
        most, least = column.max_length or sys.maxsize, 0 if column.blank else 1
        return lambda value: type(value) is str and least <= len(value) <= most and _is_keepable(value)
    if isinstance(column, models.IntegerField):
        limits = {type(each): getattr(each, "limit_value", None) for each in column.validators}
        lowest, highest = limits.pop(MinValueValidator, None), limits.pop(MaxValueValidator, None)
        if limits or len(column.validators) > 2 or type(lowest) is not int or type(highest) is not int:
            return lambda value: False
        return lambda value: (type(value) is int and lowest <= value <= highest) or (value is None and may_be_none)
    if kind is models.DateField:
        return lambda value: type(value) is date or (value is None and may_be_none)
    if kind is models.BooleanField:
        return lambda value: type(value) is bool
    return lambda value: False


def _is_keepable(text: str) -> bool:
    """Whether databases can keep a text: no zero byte, and no half of a pair of surrogates."""
    if "\x00" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_dangling(
    columns: Mapping[str, models.Field[Any, Any]],
    cleaned: Sequence[tuple[Wanted, dict[str, Any]]],
    existing: Mapping[Any, models.Model],
    result: UpsertResult,
) -> None:
    """Refuse records that refer to rows which do not exist: one query for each reference column with new values."""
    asked: dict[str, dict[Any, list[int]]] = defaultdict(lambda: defaultdict(list))
    references = [name for name, column in columns.items() if column.is_relation]
    for want, values in cleaned:
        row = existing.get(want.key)
        for name in references:
            value = values.get(name)
            if value is not None and (row is None or getattr(row, name) != value):
                asked[name][value].append(want.position)
    for name, positions_of in asked.items():
        column = columns[name]
        known = set(
            column.related_model._base_manager.filter(pk__in=positions_of).values_list("pk", flat=True)  # type: ignore[union-attr]  # a reference always names its model
        )
        for value, positions in positions_of.items():
            if value not in known:
                for position in positions:
                    result.refuse(position, _("What this refers to does not exist."), column.name)


def _write(model: type[ModelT], fates: Sequence[Merged[ModelT]], result: UpsertResult) -> list[Merged[ModelT]]:
    """Write new and changed rows in one statement each; where the database refuses, row by row to find the culprit."""
    touched = [column.name for column in model._meta.concrete_fields if getattr(column, "auto_now", False)]
    new = {id(merged.row): merged.row for merged in fates if merged.fate is Fate.CREATED}
    changed: dict[int, ModelT] = {}
    columns: set[str] = set()
    for merged in fates:
        if merged.fate is Fate.CHANGED and id(merged.row) not in new:
            changed[id(merged.row)] = merged.row
            columns.update(merged.before)
    names = [column.name for column in model._meta.concrete_fields if column.attname in columns] + touched
    refused: dict[int, ValidationError] = {}

    # Changed rows first: one that ends earlier now makes room for the one that follows it.
    if changed:
        try:
            with transaction.atomic():
                update_objects(list(changed.values()), names)
        except (IntegrityError, DataError):
            refused.update(_save_each(changed, names))
    if new:
        try:
            with transaction.atomic():
                insert_objects(list(new.values()))
        except (IntegrityError, DataError):
            for row in new.values():
                row.pk = None
                row._state.adding = True
            refused.update(_save_each(new, None))
    if not refused:
        return list(fates)
    for merged in fates:
        if id(merged.row) in refused:
            result.refuse_for(merged.position, refused[id(merged.row)])
    return [merged for merged in fates if id(merged.row) not in refused]


def _save_each(rows: Mapping[int, models.Model], names: list[str] | None) -> dict[int, ValidationError]:
    """Save rows one by one; give those that the database refuses, in words, by the key they came with.

    Rows that are refused are tried again as long as others go through: one may have stood in another's way.
    """
    waiting = dict(rows)
    while True:
        refused = {key: error for key, row in waiting.items() if (error := _save_alone(row, names)) is not None}
        if not refused or len(refused) == len(waiting):
            return refused
        waiting = {key: waiting[key] for key in refused}


def _save_alone(row: models.Model, names: list[str] | None) -> ValidationError | None:
    """Save one row in its own savepoint; why not, if the database refuses it."""
    try:
        with transaction.atomic():
            row.save(force_insert=names is None, update_fields=names)
    except (IntegrityError, DataError) as refusal:
        try:
            row.validate_constraints()
        except ValidationError as error:
            return error
        return _database_says(refusal)
    return None


def _database_says(refusal: Exception) -> ValidationError:
    """What the database refused, with its own words."""
    reason = str(refusal).splitlines()[0]
    return ValidationError(_("The database refused this row: %(reason)s"), params={"reason": reason})
