"""How a pool is set up is kept version by version: by whom, since when, what was new; and brought back in one act."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404
from django.test import Client
from django.urls import reverse

from salesops.audit.models import AuditEntry
from salesops.leads.choices import PoolMethod
from salesops.leads.models import Pool, PoolMember, PoolVersion
from salesops.leads.rules.setups import setup_changes
from salesops.leads.selectors.pools import setups_of
from salesops.leads.services.pools import bring_setup_back, keep_setups
from tests.cast import NOW, Cast
from tests.leads.routed import arrives, in_force, make_pool
from tests.leads.test_routing_pages import admin_page, inline, text

Log = Callable[[str], Client]


@pytest.fixture
def pool(cast: Cast) -> Pool:
    """Sam (weight 2) and Sven (weight 1), as they were set up; then Sam has 1, Sven at most 5 a day, and Alba joined."""
    pool = make_pool(cast, "Inbound", "sam", "sven", weights={"sam": 2})
    keep(cast, pool)
    pool.members.filter(person=cast.sam).update(weight=1)
    pool.members.filter(person=cast.sven).update(cap_day=5)
    PoolMember.objects.create(pool=pool, person=cast.alba, weight=3)
    keep(cast, pool)
    return pool


def keep(cast: Cast, pool: Pool) -> int:
    return keep_setups(pools=[pool.pk], actor=cast.actor("ada"), at=NOW)


def settings_of(pool: Pool) -> dict[str, tuple[Any, ...]]:
    rows = pool.members.order_by("person__name").values_list("person__name", "is_in", "weight", "cap_day")
    return {name.split()[0]: tuple(rest) for name, *rest in rows}


def test_each_setup_is_a_version_that_says_what_was_new(cast: Cast, pool: Pool) -> None:
    Pool.objects.filter(pk=pool.pk).update(method=PoolMethod.VALUE, quantum_minor=5_000_00)
    assert keep(cast, pool) == 1
    assert keep(cast, pool) == 0  # nothing is new
    newest, second, first = setups_of(cast.actor("rita"), pool)
    assert [each.version.number for each in (newest, second, first)] == [3, 2, 1]
    assert [each.is_now for each in (newest, second, first)] == [True, False, False]
    assert first.changes == []
    assert sorted(second.changes) == [
        "Alba Abe · Takes part: — → Yes",
        "Alba Abe · Weight: — → 3",
        "Sam Sorensen · Weight: 2 → 1",
        "Sven Singh · Most in a day: — → 5",
    ]
    assert newest.changes == ["How turns go: In turn, by weight → By value", "Value of a turn: — → $5,000.00"]


def test_pools_from_before_have_a_first_version(cast: Cast) -> None:
    """As the migration writes it for pools that were set up before setups were kept."""
    pool = make_pool(cast, "Inbound", "sam", weights={"sam": 2})
    import_module("salesops.leads.migrations.0015_pool_versions").keep_what_is_there(apps, None)
    version = PoolVersion.objects.get()
    assert (version.pool, version.number, version.made_by) == (pool, 1, None)
    assert abs(version.made_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert keep(cast, pool) == 0


def test_an_earlier_setup_is_brought_back_and_credits_stay(cast: Cast, pool: Pool) -> None:
    in_force({"pool": pool})
    arrives(cast, 1)
    credits = dict(pool.members.values_list("pk", "credit"))
    assert any(credits.values())
    at = NOW + timedelta(hours=1)
    bring_setup_back(actor=cast.actor("rita"), version_id=pool.versions.get(number=1).pk, at=at)
    assert settings_of(pool) == {"Alba": (False, 3, None), "Sam": (True, 2, None), "Sven": (True, 1, None)}
    assert dict(pool.members.values_list("pk", "credit")) == credits
    last = pool.versions.get(number=3)
    assert (last.made_at, last.made_by) == (at, cast.people["rita"])
    assert setup_changes(last.setup, pool.versions.get(number=1).setup) == []
    entry = AuditEntry.objects.get(action="pool.setup_brought_back")
    assert (entry.subject_id, entry.after) == (str(pool.pk), {"version": 1})
    with pytest.raises(ValidationError, match="like this already"):
        bring_setup_back(actor=cast.actor("rita"), version_id=pool.versions.get(number=1).pk, at=at)
    bring_setup_back(actor=cast.actor("rita"), version_id=pool.versions.get(number=2).pk, at=at)
    assert settings_of(pool) == {"Alba": (True, 3, None), "Sam": (True, 1, None), "Sven": (True, 1, 5)}


def test_what_can_not_hold_any_more_is_not_brought_back(cast: Cast, pool: Pool) -> None:
    first = pool.versions.get(number=1).pk
    cast.sam.is_active = False
    cast.sam.save()
    with pytest.raises(ValidationError, match="Sam Sorensen is in it and has left"):
        bring_setup_back(actor=cast.actor("rita"), version_id=first, at=NOW)
    cast.sam.is_active = True
    cast.sam.save()
    other = make_pool(cast, "Other", "sam")
    Pool.objects.filter(pk=pool.pk).update(when_nobody="pool", fallback=other)
    keep(cast, pool)
    Pool.objects.filter(pk=pool.pk).update(when_nobody="hold", fallback=None)
    Pool.objects.filter(pk=other.pk).update(is_active=False)
    keep(cast, pool)
    with pytest.raises(ValidationError, match="“Other” takes over in it and is switched off"):
        bring_setup_back(actor=cast.actor("rita"), version_id=pool.versions.get(number=3).pk, at=NOW)
    assert PoolVersion.objects.filter(pool=pool).count() == 4


@pytest.mark.parametrize("who", ["max", "sam"])
def test_who_only_takes_turns_sets_nothing_up(cast: Cast, pool: Pool, who: str) -> None:
    with pytest.raises(PermissionDenied):
        bring_setup_back(actor=cast.actor(who), version_id=pool.versions.get(number=1).pk, at=NOW)
    with pytest.raises(Http404):
        bring_setup_back(actor=cast.actor("rita"), version_id=0, at=NOW)
    assert pool.versions.count() == 2


def test_a_pool_of_the_admin_site_keeps_its_setups(cast: Cast, client_of: Log) -> None:
    client, pool = client_of("ada"), {"name": "Spain", "method": "weighted", "on_return": "half", "when_nobody": "hold"}
    pool |= {"currency": "USD", "is_active": "on"}
    sam = {"person": cast.sam.pk, "weight": 3, "is_in": "on"}
    assert client.post(admin_page(Pool, "add"), pool | inline("members", sam)).status_code == 302
    row = PoolMember.objects.get()
    change = admin_page(Pool, "change", row.pool_id)
    sam |= {"id": row.pk, "pool": row.pool_id, "weight": 1}
    assert client.post(change, pool | inline("members", sam, initial=1)).status_code == 302
    first, second = PoolVersion.objects.order_by("number")
    assert (first.made_by, second.made_by) == (cast.people["ada"], cast.people["ada"])
    assert [each.setup["members"][str(cast.sam.pk)]["weight"] for each in (first, second)] == [3, 1]


def test_the_page_of_a_pool_tells_how_it_was_set_up(cast: Cast, client_of: Log, pool: Pool) -> None:
    page, back = (
        reverse("leads:pool_detail", args=[pool.pk]),
        reverse("leads:pool_setup_back", args=[pool.versions.get(number=1).pk]),
    )
    rita, sam = client_of("rita").get(page), client_of("sam").get(page)
    for told in (rita, sam):
        assert "Version 2 In force" in text(told)
        assert "Sam Sorensen · Weight: 2 → 1" in text(told)
    assert back in rita.content.decode()
    assert back not in sam.content.decode()
    assert client_of("rita").post(back).status_code == 302
    assert settings_of(pool)["Sam"] == (True, 2, None)


def test_programs_read_how_a_pool_was_set_up(cast: Cast, client_of: Log, pool: Pool) -> None:
    """As far as the asker sees the pool, page by page, each version with what was new in it."""
    url, first, second = f"/api/v1/pools/{pool.pk}/setups/", *pool.versions.order_by("number")
    answer = client_of("sam").get(url).json()
    assert answer["count"] == 2
    newest, oldest = answer["results"]
    assert (newest["number"], newest["is_now"], newest["made_by"]) == (2, True, cast.people["ada"].pk)
    assert datetime.fromisoformat(newest["made_at"]) == NOW
    assert "Sam Sorensen · Weight: 2 → 1" in newest["changes"]
    assert newest["setup"] == second.setup
    assert (oldest["number"], oldest["is_now"], oldest["changes"], oldest["setup"]) == (1, False, [], first.setup)
    actor = cast.actor(
        "rita"
    )  # a page holds fifty; each of its versions is compared with the one before, wherever that is
    assert [(each.is_now, each.changes == newest["changes"]) for each in setups_of(actor, pool, [second])] == [
        (True, True)
    ]
    assert [(each.is_now, each.changes) for each in setups_of(actor, pool, [first])] == [(False, [])]
    assert client_of("ana").get(url).status_code == 404
    assert client_of("rita").post(url).status_code == 405
    assert client_of("rita").get(f"/api/v1/pools/{pool.pk + 1}/setups/").status_code == 404
