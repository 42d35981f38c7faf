"""Finds the records that names in files mean: by exact keys, by what people confirmed, else as proposals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence

from salesops.accounts.models import Account, Contact
from salesops.connectors.destinations import Named, candidates_of
from salesops.connectors.models import ConfirmedName
from salesops.connectors.rules.convert import Answer, Lookup
from salesops.connectors.rules.fields import ANY_KEY, LOOKUP_KEYS, LookupKind
from salesops.connectors.rules.matching import Candidate, How, Match, Matcher
from salesops.connectors.selectors.reached import EMAIL, PHONE, reached
from salesops.deals.models import Deal, Product, Stage
from salesops.leads.models import Lead
from salesops.people.models import User
from salesops.pods.models import Pod, Segment, Territory

#: Kinds whose names are companies': "Inc" and "GmbH" may be left out.
_COMPANIES = {LookupKind.ACCOUNT}


def _people(source: str) -> Iterable[Named]:
    for pk, name, email, number, external in User.objects.values_list(
        "pk", "name", "email", "employee_number", "external_id"
    ):
        yield Named(pk, {"name": name, "email": email, "employee_number": number or "", "external_id": external or ""})


def _accounts(source: str) -> Iterable[Named]:
    for pk, name, external, its_source in Account.objects.values_list("pk", "name", "external_id", "source").iterator():
        yield Named(pk, {"name": name, "external_id": external if its_source == source else ""})


def _contacts(source: str) -> Iterable[Named]:
    for pk, name, email, external, its_source in Contact.objects.values_list(
        "pk", "name", "email", "external_id", "source"
    ).iterator():
        yield Named(pk, {"name": name, "email": email, "external_id": external if its_source == source else ""})


def _leads(source: str) -> Iterable[Named]:
    for pk, name, email, external, its_source in Lead.objects.values_list(
        "pk", "name", "email", "external_id", "source"
    ).iterator():
        yield Named(pk, {"name": name, "email": email, "external_id": external if its_source == source else ""})


def _deals(source: str) -> Iterable[Named]:
    for pk, name, external, its_source in Deal.objects.values_list("pk", "name", "external_id", "source").iterator():
        yield Named(pk, {"name": name, "external_id": external if its_source == source else ""})


def _coded(rows: Iterable[tuple[int, str, str]]) -> Iterable[Named]:
    for pk, name, code in rows:
        yield Named(pk, {"name": name, "code": code})


_SOURCES: dict[LookupKind, Callable[[str], Iterable[Named]]] = {
    LookupKind.PERSON: _people,
    LookupKind.ACCOUNT: _accounts,
    LookupKind.CONTACT: _contacts,
    LookupKind.LEAD: _leads,
    LookupKind.DEAL: _deals,
    LookupKind.PRODUCT: lambda source: _coded(Product.objects.values_list("pk", "name", "code")),
    LookupKind.STAGE: lambda source: _coded(Stage.objects.filter(is_active=True).values_list("pk", "name", "code")),
    LookupKind.SEGMENT: lambda source: _coded(Segment.objects.values_list("pk", "name", "code")),
    LookupKind.TERRITORY: lambda source: _coded(Territory.objects.values_list("pk", "name", "code")),
    LookupKind.POD: lambda source: (
        Named(pk, {"name": name}) for pk, name in Pod.objects.filter(closed_on__isnull=True).values_list("pk", "name")
    ),
}


class Resolver:
    """Answers lookups for one file. Records are read once for each kind, and again after `forget`."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._exact: dict[LookupKind, dict[str, dict[str, set[int]]]] = {}
        self._matchers: dict[LookupKind, Matcher] = {}
        self._matches: dict[Lookup, Match] = {}
        self.names: dict[tuple[LookupKind, int], str] = {}

    def forget(self, kinds: Collection[LookupKind]) -> None:
        """Read these kinds anew: records of them were made."""
        for kind in kinds:
            self._exact.pop(kind, None)
            self._matchers.pop(kind, None)
        self._matches = {lookup: match for lookup, match in self._matches.items() if lookup.kind not in kinds}

    def answers(self, lookups: Iterable[Lookup]) -> dict[Lookup, Answer]:
        """What became of each lookup. What is only proposed waits for its confirmation."""
        found = {}
        for lookup in lookups:
            match = self.match(lookup)
            if match.is_settled:
                found[lookup] = Answer(key=match.key)
            elif match.how is not How.NONE:
                found[lookup] = Answer(problem=match.problem())
            else:
                found[lookup] = Answer()
        return found

    def match(self, lookup: Lookup) -> Match:
        """What a text means, remembered for the file."""
        match = self._matches.get(lookup)
        if match is None:
            match = self._matches[lookup] = self._find(lookup)
        return match

    def _load(self, kind: LookupKind) -> None:
        rows: Sequence[Named] = list(_SOURCES[kind](self._source)) if kind in _SOURCES else list(candidates_of(kind))
        exact: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        for row in rows:
            self.names[kind, row.key] = row.names.get("name", "")
            for key, text in row.names.items():
                if text:
                    exact[key][_plain(text)].add(row.key)
        self._exact[kind] = exact
        confirmed = {
            text: key or None
            for text, key in ConfirmedName.objects.filter(kind=kind.value).values_list("text", "record_id")
        }
        self._matchers[kind] = Matcher(
            [Candidate(row.key, row.names.get("name", "")) for row in rows],
            confirmed,
            has_legal_forms=kind in _COMPANIES,
        )

    def _find(self, lookup: Lookup) -> Match:
        kind, by, text = lookup
        if by == PHONE or (by == EMAIL and kind is LookupKind.ACCOUNT):
            pk = reached(kind, by, [text]).get(text)
            return Match(text, How.NONE) if pk is None else self._settled(kind, text, pk)
        if kind not in self._exact:
            self._load(kind)
        keys = [key for key in (LOOKUP_KEYS[kind] if by == ANY_KEY else (by,)) if key != "name"]
        found: set[int] = set()
        for key in keys:
            found |= self._exact[kind].get(key, {}).get(_plain(text), set())
        if len(found) == 1 and by != ANY_KEY:
            return self._settled(kind, text, next(iter(found)))
        if by not in (ANY_KEY, "name"):
            return Match(text, How.NONE) if not found else self._several(kind, text, found)
        named = self._matchers[kind].match(text)
        if named.is_settled and named.key is not None:
            found.add(named.key)
        if len(found) > 1:
            return self._several(kind, text, found)
        return self._settled(kind, text, next(iter(found))) if found else named

    def _settled(self, kind: LookupKind, text: str, key: int) -> Match:
        return Match(text, How.EXACT, key, self.names.get((kind, key), ""), 100.0)

    def _several(self, kind: LookupKind, text: str, keys: set[int]) -> Match:
        rivals = tuple(Candidate(key, self.names.get((kind, key), "")) for key in sorted(keys))
        return Match(text, How.AMBIGUOUS, likeness=100.0, rivals=rivals)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def record_named(kind: LookupKind, text: str, source: str) -> tuple[int, str] | None:
    """The key and name of the one record with exactly this name or key; None when there is none, or several."""
    if not text:
        return None
    match = Resolver(source).match(Lookup(kind, ANY_KEY, text))
    return (match.key, match.name) if match.is_settled and match.key is not None else None
