"""The key of secrets is changed while the portal works, and nothing is lost by it."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.test.utils import CaptureQueriesContext, isolate_apps

from salesops.audit.models import AuditEntry
from salesops.connectors.services import sealing
from salesops.core import resealing
from salesops.core.resealing import SealedColumn, reseal
from salesops.core.vault import VaultError, key_id_of, seal, unseal
from tests.core.test_vault import ONE, TWO

pytestmark = pytest.mark.django_db
TABLE = "core_kept_secret"


def place(row: Any) -> str:
    """What a row's secret is bound to."""
    return f"core.kept:{row.pk}:sealed"


@pytest.fixture
def kept(settings: Any) -> Iterator[type[models.Model]]:
    """A table of its own with 450 secrets, sealed with the first key."""
    settings.SECRETS_KEYS = ONE
    with isolate_apps("salesops.core"):

        class Kept(models.Model):  # noqa: DJ008 - lives for one test
            id = models.IntegerField(primary_key=True)
            sealed = models.TextField()

            class Meta:
                app_label = "core"
                db_table = TABLE

    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {TABLE} (id integer PRIMARY KEY, sealed text NOT NULL)")
    Kept.objects.bulk_create(
        Kept(id=n, sealed=seal(text_of(n), bound_to=f"core.kept:{n}:sealed")) for n in range(1, 451)
    )
    yield Kept
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {TABLE}")


def text_of(number: int) -> str:
    return f"canary-{number:05}"


def opened(kept: Any) -> dict[int, str]:
    """All secrets, opened."""
    return {row.pk: unseal(row.sealed, bound_to=place(row)) for row in kept.objects.all()}


def keys_in_use(kept: Any) -> set[str]:
    return {key_id_of(sealed) for sealed in kept.objects.values_list("sealed", flat=True)}


def test_a_copy_of_the_database_holds_no_secret(kept: Any) -> None:
    if connection.vendor == "sqlite":
        dump = "\n".join(connection.connection.iterdump())
    else:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT string_agg({TABLE}::text, ';') FROM {TABLE}")
            dump = cursor.fetchone()[0]
    assert kept.objects.get(pk=7).sealed in dump
    assert "canary" not in dump
    assert ONE.partition(":")[2] not in dump


def test_what_is_copied_from_one_row_into_another_does_not_open(kept: Any) -> None:
    kept.objects.filter(pk=2).update(sealed=kept.objects.get(pk=1).sealed)
    with pytest.raises(VaultError, match="belongs to another row"):
        opened(kept)


def test_the_drill(kept: Any, settings: Any) -> None:
    settings.SECRETS_KEYS = f"{ONE},{TWO}"  # everybody learns the new key
    settings.SECRETS_KEYS = f"{TWO},{ONE}"  # and begins to seal with it
    refreshed: dict[int, str] = {}

    def while_others_write(row: Any) -> str:
        """Between the reading of a row and its writing somebody refreshes every ninth token."""
        if row.pk % 9 == 0 and row.pk not in refreshed:
            refreshed[row.pk] = f"fresher-{row.pk}"
            # Some by a process that knows the new key in front, others by one that does not yet.
            settings.SECRETS_KEYS = f"{ONE},{TWO}" if row.pk % 2 else f"{TWO},{ONE}"
            kept.objects.filter(pk=row.pk).update(sealed=seal(refreshed[row.pk], bound_to=place(row)))
            settings.SECRETS_KEYS = f"{TWO},{ONE}"
        return place(row)

    found = reseal(kept.objects.all(), "sealed", bound_to=while_others_write)
    # 50 were refreshed: 25 are under the new key already, 25 were sealed again as their new texts.
    assert (len(refreshed), found.resealed, found.left, found.broken) == (50, 425, 0, {})
    assert keys_in_use(kept) == {"two"}
    settings.SECRETS_KEYS = TWO
    assert opened(kept) == {n: refreshed.get(n, text_of(n)) for n in range(1, 451)}
    again = reseal(kept.objects.all(), "sealed", bound_to=place)
    assert (again.resealed, again.left, again.broken) == (0, 0, {})


def test_a_row_that_never_stands_still_is_left_and_said(
    kept: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SECRETS_KEYS = f"{TWO},{ONE}"
    real = resealing.unseal

    def restless(sealed: str, *, bound_to: str) -> str:
        text = real(sealed, bound_to=bound_to)
        if bound_to == "core.kept:5:sealed":
            settings.SECRETS_KEYS = f"{ONE},{TWO}"
            kept.objects.filter(pk=5).update(sealed=seal(text, bound_to=bound_to))
            settings.SECRETS_KEYS = f"{TWO},{ONE}"
        return text

    monkeypatch.setattr(resealing, "unseal", restless)
    found = reseal(kept.objects.all(), "sealed", bound_to=place)
    assert (found.resealed, found.left, found.broken) == (449, 1, {})
    assert opened(kept)[5] == text_of(5)


def test_batches_are_short_and_each_stays(kept: Any, settings: Any) -> None:
    settings.SECRETS_KEYS = f"{TWO},{ONE}"
    with CaptureQueriesContext(
        connection,
    ) as asked:
        reseal(kept.objects.all(), "sealed", bound_to=place)
    reads = [each["sql"] for each in asked if each["sql"].startswith("SELECT") and "LIMIT 200" in each["sql"]]
    assert len(reads) == 3
    assert sum(each["sql"].startswith("SAVEPOINT") for each in asked) == 3  # as the test's own transaction is around


def test_rows_that_do_not_open_stay_as_they_are_and_are_named(kept: Any, settings: Any) -> None:
    lost, copied = kept.objects.get(pk=3).sealed, kept.objects.get(pk=4).sealed
    settings.SECRETS_KEYS = f"gone:{TWO.partition(':')[2]}"
    lost = seal("canary-lost", bound_to="core.kept:3:sealed")
    kept.objects.filter(pk=3).update(sealed=lost)
    kept.objects.filter(pk=401).update(sealed=copied)
    kept.objects.filter(pk=402).update(sealed="")
    settings.SECRETS_KEYS = f"{TWO},{ONE}"
    found = reseal(kept.objects.all(), "sealed", bound_to=place)
    assert (found.resealed, found.left, set(found.broken)) == (447, 2, {3, 401})
    assert "The key “gone” that sealed this secret is missing." in found.broken[3]
    assert "belongs to another row" in found.broken[401]
    assert "canary" not in str(found)
    assert kept.objects.get(pk=3).sealed == lost
    assert kept.objects.get(pk=401).sealed == copied


def test_without_a_key_nothing_is_touched(kept: Any, settings: Any, tmp_path: Any) -> None:
    settings.SECRETS_KEYS, settings.SECRETS_FILE = "", tmp_path / "secrets.keys"
    with pytest.raises(VaultError, match="There is no key for secrets"):
        reseal(kept.objects.all(), "sealed", bound_to=place)
    assert list(tmp_path.iterdir()) == []
    assert keys_in_use(kept) == {"one"}


# --- The command --------------------------------------------------------------------------------------------------


@pytest.fixture
def known(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is among those that the command looks after."""
    monkeypatch.setattr(sealing, "SEALED", (SealedColumn(kept.objects.all, "sealed", place),))


def rotate() -> tuple[str, str]:
    """What the command says, and what it says to standard error."""
    out, err = StringIO(), StringIO()
    try:
        call_command("rotate_secrets", stdout=out, stderr=err)
    except CommandError as error:
        err.write(str(error))
    return out.getvalue(), err.getvalue()


@pytest.mark.usefixtures("known")
def test_the_command_seals_again_and_is_recorded(kept: Any, settings: Any) -> None:
    settings.SECRETS_KEYS = f"{TWO},{ONE}"
    assert rotate() == (
        "core.kept.sealed: 450 sealed again, 0 left.\nEverything is sealed with the key “two”; other keys can be taken out.\n",
        "",
    )
    (entry,) = AuditEntry.objects.filter(action="secrets.rotated")
    assert entry.after == {"key": "two", "core.kept.sealed": {"resealed": 450, "left": 0}}
    settings.SECRETS_KEYS = TWO
    assert opened(kept)[450] == text_of(450)


@pytest.mark.usefixtures("known")
def test_the_command_says_what_does_not_open(kept: Any, settings: Any) -> None:
    kept.objects.filter(pk=2).update(sealed=kept.objects.get(pk=1).sealed)
    settings.SECRETS_KEYS = f"{TWO},{ONE}"
    out, err = rotate()
    assert out == "core.kept.sealed: 449 sealed again, 1 left.\n"
    assert err == (
        "core.kept.sealed 2: This secret was changed, or belongs to another row, so it is not used. Connect again.\n"
        "All that opens is sealed with the key “two”."
    )


@pytest.mark.usefixtures("known")
def test_the_command_keeps_keys_that_are_still_needed(
    kept: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SECRETS_KEYS = f"{TWO},{ONE}"
    monkeypatch.setattr(resealing, "TRIES", 0)
    out, err = rotate()
    assert out == "core.kept.sealed: 0 sealed again, 450 left.\n"
    assert err == "Keep the other keys: something was sealed with them just now. Run this again."


def test_the_command_without_keys_says_so(settings: Any, tmp_path: Any) -> None:
    settings.SECRETS_KEYS, settings.SECRETS_FILE = "", tmp_path / "secrets.keys"
    out, err = rotate()
    assert (out, err.partition(".")[0]) == ("", "There is no key for secrets")
    assert not AuditEntry.objects.filter(action="secrets.rotated").exists()


def test_a_new_key_is_ready_to_be_put_in(settings: Any) -> None:
    out = StringIO()
    call_command("rotate_secrets", "--new-key", stdout=out)
    settings.SECRETS_KEYS = out.getvalue()
    assert unseal(seal("canary", bound_to="a"), bound_to="a") == "canary"
