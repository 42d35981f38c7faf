"""What somebody downloaded of a locked statement is right by itself, whatever becomes of the deals it came from."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from django.db.models import ProtectedError
from django.test import Client
from django.urls import reverse

from salesops.accounts.models import Account
from salesops.accounts.services.removal import merge_accounts, remove_accounts
from salesops.commissions.models import Adjustment
from salesops.commissions.rules import verify
from salesops.commissions.selectors.totals import all_disagreements
from salesops.core.actor import system_actor
from salesops.core.models import ExchangeRate
from salesops.deals.models import Deal, DealSplit
from salesops.deals.services.deals import edit_deal
from salesops.deals.services.removal import merge_deals, remove_deals
from tests.cast import NOW, Cast
from tests.commissions.pay import FIVE_THEN_TEN, calculated, plan_in_force, quota, statement_of, won
from tests.commissions.test_adjustments import first_quarter, locked

pytestmark = pytest.mark.django_db
SYSTEM = system_actor("HubSpot")


def verified(folder: Path, content: bytes) -> tuple[int, str]:
    """What the verifier says, alone in a folder, of a file; with the standard library and nothing else."""
    program, file = folder / "verify.py", folder / "statement.json"
    program.write_bytes(Path(verify.__file__).read_bytes())
    file.write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(program), str(file)],
        capture_output=True, text=True, check=False, cwd=folder, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout


def test_a_bundle_verifies_after_its_deals_were_edited_merged_and_deleted(
    cast: Cast, client_of: Callable[[str], Client], tmp_path: Path
) -> None:
    """The bytes stay, the verifier agrees, and one digit that is another is found wherever it stands."""
    plan_in_force(cast, FIVE_THEN_TEN)
    for person in ("ana", "sam", "alba"):
        quota(cast, person, "2026Q1", 3_000_00)
    ExchangeRate.objects.create(on=date(2026, 2, 2), base="EUR", quote="USD", rate=Decimal("1.0842"), source="ecb")
    old, new = (Account.objects.create(name=name, created_at=NOW) for name in ("Old", "New"))
    edited = won(cast, "ana", 1_234_56, date(2026, 2, 1), name="Edited")
    merged = won(cast, "ana", 777_77, date(2026, 2, 2), name="Merged", currency="EUR")
    stays = won(cast, "ana", 777_77, date(2026, 2, 3), name="Stays")
    deleted = won(cast, "ana", 2_000_01, date(2026, 2, 4), name="Deleted")
    Deal.objects.update(account=old)
    DealSplit.objects.create(deal=deleted, person=cast.ana, share_bp=6_667)
    DealSplit.objects.create(deal=deleted, person=cast.sam, share_bp=3_333)
    locked(cast, first_quarter())
    address = reverse("commissions:statement_bundle", kwargs={"pk": statement_of(cast, "ana", first_quarter()).pk})
    before = client_of("ana").get(address).content
    assert verified(tmp_path, before) == (0, "agrees\n")

    changes = {"amount_minor": 9_999_99}
    edit_deal(actor=cast.actor("rita"), deal_id=edited.pk, version=edited.version, at=NOW, changes=changes)
    merge_deals(loser=merged.pk, winner=stays.pk, actor=SYSTEM, at=NOW)
    merge_accounts(loser=old.pk, winner=new.pk, actor=SYSTEM, at=NOW)
    remove_accounts(pks=[new.pk], actor=SYSTEM, because="Deleted in HubSpot.", at=NOW)
    remove_deals(pks=[deleted.pk], actor=SYSTEM, because="Deleted in HubSpot.", at=NOW)
    with pytest.raises(ProtectedError):
        Deal.every.get(pk=deleted.pk).delete()  # not even past the services: what was paid keeps its deal
    calculated(cast)
    late = Adjustment.objects.filter(kind="late", person=cast.ana)
    assert {"deal_edited", "deal_removed"} <= set(late.values_list("cause", flat=True))  # that they changed counts

    after = client_of("ana").get(address).content
    assert after == before
    assert verified(tmp_path, after) == (0, "agrees\n")
    assert all_disagreements() == {}

    digits = [place for place in range(len(after)) if after[place : place + 1].isdigit()]
    assert len(digits) > 400
    missed = [place for place in digits if not is_found(flipped(after, place))]
    assert [after[place - 40 : place + 20] for place in missed] == []
    code, said = verified(tmp_path, flipped(after, digits[len(digits) // 2]))
    assert (code, said == "agrees\n") == (1, False)


def flipped(content: bytes, place: int) -> bytes:
    """The same with another digit at a place."""
    digit = b"1" if content[place : place + 1] != b"1" else b"2"
    return content[:place] + digit + content[place + 1 :]


def is_found(content: bytes) -> bool:
    """Whether the verifier says that something is wrong with a file."""
    try:
        return verify.disagreements(verify.read(content)) != []
    except verify.BundleError:
        return True
