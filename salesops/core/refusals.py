"""Refusals that leave a note: what a service refused is undone with its transaction, and the note is written after that."""

from __future__ import annotations


class AfterRefusal:
    """An error that has something to write once the transaction in which it was raised is undone."""

    def after(self) -> None:
        """Write it. Called once the transaction is undone, perhaps twice: it must not matter."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it leaves")


def after_refusal(error: BaseException) -> None:
    """For edges that answer a refusal: let it write what it leaves, if it leaves anything."""
    if isinstance(error, AfterRefusal):
        error.after()
