"""Shows what a reorganisation would do: it is carried out, everything is counted, and all of it is taken back."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from salesops.audit.services import rehearsed
from salesops.core.actor import Actor
from salesops.core.days import moment_on
from salesops.deals.models import Deal
from salesops.jobs.models import Job
from salesops.jobs.services import enqueue
from salesops.reorganisations.choices import TO_COME
from salesops.reorganisations.models import Reorganisation
from salesops.reorganisations.selectors.books import Books, books_of
from salesops.reorganisations.selectors.figures import figures_of, touched_by
from salesops.reorganisations.selectors.snapshots import said
from salesops.reorganisations.services.drafts import check_may_arrange, locked
from salesops.reorganisations.services.moving import Change, move_all

PREVIEW: Final = "reorganisations.preview"
#: So many rows that would change, and so many protected deals, are named; their numbers are of all.
ROWS_NAMED: Final = 1_000


def start_preview(*, actor: Actor, reorganisation: Reorganisation, at: datetime) -> Job:
    """Have the preview made in the background; while one is being made, the same again."""
    check_may_arrange(actor)
    return enqueue(
        kind=PREVIEW,
        key=f"{PREVIEW}:{reorganisation.pk}",
        payload={"reorganisation": reorganisation.pk},
        actor=actor,
        at=at,
        title=_("Preview of %(name)s") % {"name": reorganisation.name},
        url=reverse("reorganisations:reorganisation_detail", kwargs={"pk": reorganisation.pk}),
    )


@transaction.atomic
def rehearse(*, reorganisation: Reorganisation, actor: Actor, at: datetime) -> Reorganisation:
    """Make the preview and keep it. Everything else that is written on the way is taken back.

    What cannot be is in the preview too (`problems`), so that all of it is seen at once. The reorganisation is locked
    meanwhile: what is previewed is what was read. Of what is no longer to come there is none, and nothing is written.
    """
    reorganisation = locked(actor, reorganisation.pk)
    if reorganisation.state not in TO_COME:
        return reorganisation
    moment = moment_on(reorganisation.effective_on, at)
    books = books_of(reorganisation)
    touched = touched_by(reorganisation, books)
    before = figures_of(touched, reorganisation.effective_on)
    with rehearsed():
        outcome = move_all(reorganisation=reorganisation, books=books, touched=touched, actor=actor, at=moment)
        after = figures_of(touched, reorganisation.effective_on)
        # In words while the rows are there.
        rows = _named(outcome.changes)
    reorganisation.preview = described(before, after, outcome.changes, books) | {
        "rows": rows,
        "problems": list(outcome.problems),
    }
    reorganisation.previewed_at, reorganisation.preview_revision = at, reorganisation.revision
    reorganisation.save(update_fields=["preview", "previewed_at", "preview_revision"])
    return reorganisation


def described(before: dict[str, Any], after: dict[str, Any], changes: Sequence[Change], books: Books) -> dict[str, Any]:
    """What a reorganisation comes to, as plain data: a preview and what was carried out are compared by it.

    {people, pods: {id: {before, after}}, company: {before, after}, periods, counts: {model: rows}, protected: [[deal, name,
    why]], protected_count, digest}. digest: SHA-256 of all changes, of made and removed rows without their keys.
    """
    names = dict(Deal.objects.filter(pk__in=list(books.protected)[:ROWS_NAMED]).values_list("pk", "name"))
    return {
        **{
            part: {key: {"before": before[part].get(key), "after": after[part].get(key)} for key in after[part]}
            for part in ("people", "pods")
        },
        "company": {"before": before["company"], "after": after["company"]},
        "periods": after["periods"],
        "counts": dict(sorted(Counter(change.key[0] for change in changes).items())),
        "protected": [[pk, names[pk], why.value] for pk, why in books.protected.items() if pk in names],
        "protected_count": len(books.protected),
        "digest": digest_of(changes),
    }


def digest_of(changes: Sequence[Change]) -> str:
    """One text for exactly these changes."""
    told = sorted(
        json.dumps(
            [change.key[0], change.key[1] if change.before and change.after else 0, change.before, change.after],
            sort_keys=True,
        )
        for change in changes
    )
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def _named(changes: Sequence[Change]) -> list[list[str]]:
    """The first rows that change, in words: [model, what, before, after]."""
    shown = changes[:ROWS_NAMED]
    names = said([(change.key, row) for change in shown for row in (change.before, change.after)])
    return [
        [
            change.key[0],
            names.label(change.key, change.after or change.before or {}),
            names.words(change.key, change.before),
            names.words(change.key, change.after),
        ]
        for change in shown
    ]
