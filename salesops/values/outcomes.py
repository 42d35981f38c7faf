"""What a piece of work came to: its value, and the problems met on the way, as values that can be shown and stored."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")


def gettext_noop(text: str) -> str:
    """Mark `text` for the message catalogue without translating it: the edge that shows it translates."""
    return text


@dataclass(frozen=True)
class Problem:
    """Something a person must see and can mend. It never stops a batch; it is carried along with the result.

    code: stable word for programs and filters, such as "rate-missing".
    message: English sentence with named `%(name)s` placeholders; also the key of the message catalogue.
    where: which row, person, field or line it is about ("" when it is about the whole).
    remedy: what to do about it, as a sentence with the same placeholders.
    params: values of the placeholders, as ordered pairs so that a problem is hashable and compares by content.
    """

    code: str
    message: str
    where: str = ""
    remedy: str = ""
    params: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, code: str, message: str, *, where: str = "", remedy: str = "", **params: object) -> "Problem":
        """Make a problem; the keyword values fill the placeholders and are kept as text, sorted by name."""
        pairs = tuple(sorted((name, str(value)) for name, value in params.items()))
        return cls(code=code, message=message, where=where, remedy=remedy, params=pairs)

    def text(self, translate: Callable[[str], str] = gettext_noop) -> str:
        """The message with its placeholders filled; `translate` turns the English sentence into the reader's."""
        return self._filled(translate(self.message))

    def remedy_text(self, translate: Callable[[str], str] = gettext_noop) -> str:
        """The remedy with its placeholders filled; empty when there is none."""
        return self._filled(translate(self.remedy)) if self.remedy else ""

    def _filled(self, sentence: str) -> str:
        return sentence % dict(self.params) if self.params else sentence

    def as_plain(self) -> dict[str, Any]:
        """The problem as plain JSON data."""
        return {
            "code": self.code,
            "message": self.message,
            "where": self.where,
            "remedy": self.remedy,
            "params": dict(self.params),
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Problem":
        """Read back what `as_plain` wrote."""
        return cls.of(
            plain["code"], plain["message"], where=plain["where"], remedy=plain["remedy"], **dict(plain["params"])
        )

    def __str__(self) -> str:
        """The English sentence, with the place in front of it."""
        return f"{self.where}: {self.text()}" if self.where else self.text()


class OutcomeError(ValueError):
    """The value of an outcome was demanded although there is none."""


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """A value, or none, together with the problems met. Work on many rows may have both a value and problems."""

    value: T | None = None
    problems: tuple[Problem, ...] = field(default=())

    @classmethod
    def good(cls, value: T, problems: Iterable[Problem] = ()) -> "Outcome[T]":
        """A value, perhaps with problems that did not prevent it."""
        return cls(value=value, problems=tuple(problems))

    @classmethod
    def bad(cls, *problems: Problem) -> "Outcome[T]":
        """No value, and why. At least one problem is needed: nothing fails in silence."""
        if not problems:
            raise OutcomeError("An outcome without a value needs at least one problem.")
        return cls(value=None, problems=problems)

    @property
    def is_ok(self) -> bool:
        """Whether there are no problems at all."""
        return not self.problems

    def unwrap(self) -> T:
        """The value. Raises OutcomeError, naming the problems, when there is none."""
        if self.value is None:
            raise OutcomeError("; ".join(str(problem) for problem in self.problems) or "There is no value.")
        return self.value

    def then(self, step: "Callable[[T], Outcome[U]]") -> "Outcome[U]":
        """Go on with the value; problems add up, and without a value the step is left out."""
        if self.value is None:
            return Outcome(value=None, problems=self.problems)
        following = step(self.value)
        return Outcome(value=following.value, problems=self.problems + following.problems)
