"""Finding the record that a file means by a name: exactly, by what was confirmed before, or as a proposal to confirm."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from rapidfuzz import fuzz, process

from salesops.connectors.rules.tables import shown
from salesops.values.names import fold_name, match_name
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

# Likeness in per cent from which a name is proposed, and by how much it must be ahead of the next one.
LEAST_LIKENESS: Final = 86.0
LEAST_LEAD: Final = 4.0
# Shorter names are all alike.
_SHORTEST: Final = 4


class How(StrEnum):
    """How a name was found. Only EXACT and CONFIRMED are used without asking."""

    EXACT = "exact"
    CONFIRMED = "confirmed"
    SPELLING = "spelling"
    FORM = "form"
    SIMILAR = "similar"
    AMBIGUOUS = "ambiguous"
    NONE = "none"


class Candidate(NamedTuple):
    """A record that may be meant: its key and its name."""

    key: int
    name: str


@dataclass(frozen=True)
class Match:
    """What was found for a text.

    key: the record, or None. A proposal (`is_proposal`) has a key too, but must be confirmed by a person first.
    rivals: other records that fit equally well or nearly so, best first.
    """

    text: str
    how: How
    key: int | None = None
    name: str = ""
    likeness: float = 0.0
    rivals: tuple[Candidate, ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether the record may be used without asking."""
        return self.how in {How.EXACT, How.CONFIRMED}

    @property
    def is_proposal(self) -> bool:
        """Whether a person has to confirm it once."""
        return self.key is not None and not self.is_settled

    def problem(self) -> Problem | None:
        """Why the text cannot be used yet; None when it is settled."""
        if self.is_settled:
            return None
        if self.how is How.AMBIGUOUS:
            return Problem.of(
                "lookup-ambiguous",
                _("“%(text)s” can mean several records: %(names)s."),
                remedy=_("Choose which one is meant; the choice is remembered."),
                text=shown(self.text),
                names=", ".join(f"{rival.name} (#{rival.key})" for rival in self.rivals[:4]),
            )
        if self.key is None:
            return Problem.of(
                "lookup-unknown",
                _("“%(text)s” was not found."),
                remedy=_("Import or create it first, or correct the name."),
                text=shown(self.text),
            )
        return Problem.of(
            "lookup-proposed",
            _REASONS[self.how],
            remedy=_("Confirm or reject the proposal; the answer is remembered."),
            text=shown(self.text),
            name=shown(self.name),
            likeness=f"{self.likeness:.0f}",
        )


_REASONS: Final = {
    How.SPELLING: _("“%(text)s” is probably “%(name)s”: the same letters, written with other spaces or signs."),
    How.FORM: _("“%(text)s” is probably “%(name)s”: the same name with another legal form."),
    How.SIMILAR: _("“%(text)s” may be “%(name)s”: %(likeness)s %% alike."),
}


class Matcher:
    """Finds names among candidates. Made once, asked for every distinct text of a file."""

    def __init__(
        self,
        candidates: Iterable[Candidate],
        confirmed: ReadOnly[str, int | None] | None = None,
        *,
        has_legal_forms: bool = True,
    ) -> None:
        """`confirmed` holds what people said earlier: the text of a file and the key it means, None for "none of them".

        `has_legal_forms`: whether the names are of companies, so that "Inc" and "GmbH" may be left out.
        """
        self._core = match_name if has_legal_forms else fold_name
        self._names: dict[int, str] = {}
        self._exact: dict[str, list[int]] = defaultdict(list)
        self._squeezed: dict[str, list[int]] = defaultdict(list)
        self._formless: dict[str, list[int]] = defaultdict(list)
        for key, name in candidates:
            self._names[key] = name
            self._exact[_plain(name)].append(key)
            self._squeezed[squeezed(name)].append(key)
            self._formless[self._without_form(name)].append(key)
        self._confirmed = {
            _plain(text): key for text, key in (confirmed or {}).items() if key is None or key in self._names
        }
        # What the loose comparison looks through: names by the numbers in them, since other numbers are other things.
        self._loose: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for name in sorted(self._formless):
            if len(name) >= _SHORTEST:
                self._loose[_numbers_in(name)].append(name)

    def match(self, text: str) -> Match:
        """Find what a text means. A loose match is only ever a proposal."""
        plain = _plain(text)
        if not plain:
            return Match(text, How.NONE)
        exact = self._exact.get(plain, [])
        if len(exact) == 1:
            return self._one_of(text, How.EXACT, exact)
        if plain in self._confirmed:
            key = self._confirmed[plain]
            return Match(text, How.NONE) if key is None else Match(text, How.CONFIRMED, key, self._names[key], 100.0)
        for how, keys in (
            (How.EXACT, exact),
            (How.SPELLING, self._squeezed.get(squeezed(text), [])),
            (How.FORM, self._formless.get(self._without_form(text), [])),
        ):
            if keys:
                return self._one_of(text, how, keys)
        return self._similar(text)

    def _one_of(self, text: str, how: How, keys: list[int]) -> Match:
        """The record, or the question which of several with that name."""
        exact = [key for key in keys if self._names[key].strip() == text.strip()]
        if len(keys) > 1 and how is How.EXACT and len(exact) == 1:
            keys = exact
        if len(keys) > 1:
            return Match(text, How.AMBIGUOUS, likeness=100.0, rivals=self._candidates(keys))
        return Match(text, how, keys[0], self._names[keys[0]], 100.0)

    def _similar(self, text: str) -> Match:
        """A name that is nearly the same, with the numbers in it alike and far enough ahead of the next one."""
        wanted = self._without_form(text)
        if len(wanted) < _SHORTEST:
            return Match(text, How.NONE)
        found = [
            (name, score)
            for name, score, _place in process.extract(
                wanted,
                self._loose.get(_numbers_in(wanted), []),
                scorer=fuzz.ratio,
                score_cutoff=LEAST_LIKENESS - LEAST_LEAD,
                limit=8,
            )
        ]
        if not found or found[0][1] < LEAST_LIKENESS:
            return Match(text, How.NONE)
        best, score = found[0]
        near = [name for name, other in found[1:] if score - other < LEAST_LEAD]
        keys = [key for name in (best, *near) for key in self._formless[name]]
        if len(keys) > 1:
            return Match(text, How.AMBIGUOUS, likeness=score, rivals=self._candidates(keys))
        return Match(text, How.SIMILAR, keys[0], self._names[keys[0]], score)

    def _without_form(self, text: str) -> str:
        return self._core(text).replace(" ", "")

    def _candidates(self, keys: Iterable[int]) -> tuple[Candidate, ...]:
        return tuple(Candidate(key, self._names[key]) for key in keys)


def squeezed(text: str) -> str:
    """A name without spaces, signs and case: "GTXPro" and "GTX Pro" are the same."""
    return fold_name(text).replace(" ", "")


def _plain(text: str) -> str:
    """A name apart from case, kinds of letters and spaces: what nobody would call a difference."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _numbers_in(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[0-9]+", text))
