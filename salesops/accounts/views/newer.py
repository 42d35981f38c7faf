"""What a form does when somebody else saved the row meanwhile: show both versions, lose nothing, allow a second save."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model

from salesops.core import display
from salesops.core.forms import MoneyField


class MindsNewerMixin:
    """For edit pages whose service takes `seen_at`. A page gives `write(form)` instead of `save(form)`.

    When the service finds a newer row, the page shows where what was typed differs from the row as it is now, and takes
    the newer row as seen, so that saving again overwrites it knowingly.
    """

    #: Fields in which what was typed differs from the row as it is now, in words.
    theirs: list[dict[str, str]]

    def write(self, form: Any) -> Any:
        """Call the service."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to write")

    def save(self, form: Any) -> Any:
        """Write; or show what is newer."""
        try:
            return self.write(form)
        except ValidationError as error:
            if getattr(error, "code", "") == "stale":
                row: Any = self.object  # type: ignore[attr-defined]  # an edit page has one
                row.refresh_from_db()
                self.theirs = differences(form, row)
                form.data = form.data.copy()
                form.data["seen_at"] = row.updated_at.isoformat()
            raise

    def get_context(self) -> dict[str, Any]:
        """What somebody else changed meanwhile."""
        return {"theirs": getattr(self, "theirs", [])}


def differences(form: Any, row: Model) -> list[dict[str, str]]:
    """The fields in which the row as it is now differs from what was typed, each in words."""
    found = []
    for name, typed in form.facts.items():
        now = getattr(row, name)
        if name in form.fields and typed != now:
            field = form.fields[name]
            found.append(
                {
                    "label": str(field.label),
                    "typed": _in_words(field, typed, row),
                    "now": _in_words(field, now, row),
                }
            )
    return found


def _in_words(field: Any, value: Any, row: Any) -> str:
    if value is None or value == "":
        return display.NOTHING
    if isinstance(field, MoneyField):
        return display.money(value, row.currency)
    return str(dict(getattr(field, "choices", ())).get(value, value))
