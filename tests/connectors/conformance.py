"""What every vendor must survive: the same scenarios against each stand-in, through the real engine.

A vendor's test class says how its records are made and read back (`Conformance`'s first methods) and what the vendor
cannot do (`lacks`); the scenarios come from here. A scenario ends with the portal equal to the source.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from salesops.connectors.choices import ConnectionState, RawState, RunState, StreamState
from salesops.connectors.models import RateBudget, RawRecord
from salesops.connectors.services import connecting, credentials, pulling
from salesops.connectors.services.applying import Applier
from salesops.connectors.services.calling import Wait
from salesops.connectors.services.shelf import raw_of
from salesops.connectors.vendors import vendor_of
from salesops.core.actor import system_actor
from salesops.jobs.models import Job
from salesops.jobs.testing import run_killed_everywhere
from tests.cast import NOW, Cast
from tests.connectors.linking import Link, allowed
from tests.connectors.standins.base import StandIn

#: The portal's table: external id to what is compared.
Table = dict[str, tuple[Any, ...]]


class Conformance:
    """The scenarios. Subclass it as `Test<Vendor>`; scenarios whose need is in `lacks` are skipped with that reason."""

    vendor: ClassVar[str]
    standin: ClassVar[type[StandIn]]
    #: The vendor's object that the scenarios are about, and those that it refers to, in order.
    object: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    #: Where the pages of the object are asked for, as a prefix of the path.
    path: ClassVar[str] = ""
    options: ClassVar[Mapping[str, str]] = {}
    secrets: ClassVar[Mapping[str, str]] = {}
    #: What the vendor does not have, and why: "deletes", "merges", "restores", "tokens", "rotation", "search",
    #: "limit_403", "cursors" (pages that could be endless), "waiting" (nobody asks to wait), "broken" (no line that could
    #: break), "slow" (nor one that could be slow), "paging" (nothing happens between pages), "limits", "versions",
    #: "runs" (a person brings it), "secrets".
    lacks: ClassVar[Mapping[str, str]] = {}

    #: Tables, by a part of their names, that a preview may write to.
    kept_by_previews: ClassVar[tuple[str, ...]] = ("ratebudget",)

    # --- what a vendor's test says

    def prepare(self, standin: StandIn) -> None:
        """Make what the records refer to (an account, an owner)."""

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        """Make record `number`, worth `amount` whole units of money; its id."""
        raise NotImplementedError

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        """Change its worth."""
        raise NotImplementedError

    def delete(self, standin: StandIn, id: str) -> None:
        """Delete it at the vendor."""
        standin.delete(self.object, id)

    def restore(self, standin: StandIn, id: str) -> None:
        """Bring it back."""
        standin.restore(self.object, id)

    def merge(self, standin: StandIn, loser: str, winner: str) -> None:
        """Merge two."""
        standin.merge(self.object, loser, winner)

    def source(self, standin: StandIn) -> Table:
        """What the vendor has, as `table` gives it."""
        raise NotImplementedError

    def table(self, link: Link) -> Table:
        """What the portal has, removed records left out: by external id, to (amount in minor units, ...)."""
        raise NotImplementedError

    # --- ready made

    @pytest.fixture
    def other(self) -> Iterator[StandIn]:
        """The vendor's stand-in, allowed."""
        with self.standin() as standin, allowed(standin):
            standin.clock.now = NOW
            yield standin

    @pytest.fixture
    def link(self, other: StandIn, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Link:
        """A connection in draft, its objects chosen; ten rows to a page."""
        monkeypatch.setattr(pulling, "PAGE_ROWS", 10)
        self.prepare(other)
        link = Link(cast.actor("rita"), other).connect(self.vendor, options=self.options, secrets=self.secrets)
        return link.want(*self.needs, self.object)

    def lacking(self, what: str) -> None:
        """Skip the scenario where the vendor has no such thing, with the reason."""
        if what in self.lacks:
            pytest.skip(self.lacks[what])

    def loaded(self, link: Link, count: int = 25) -> list[str]:
        """Records at the vendor, brought in."""
        ids = [self.make(link.standin, number, 100 + number) for number in range(count)]
        link.start()
        link.run()
        self.alike(link)
        return ids

    def alike(self, link: Link) -> None:
        """The portal has what the source has, and the shelf is empty."""
        assert link.problems(self.object) == {}, link.problems(self.object)
        mine, theirs = self.table(link), self.source(link.standin)
        assert mine == theirs, sorted(set(mine.items()) ^ set(theirs.items()))[:6]

    # --- the scenarios

    def test_first_load(self, link: Link) -> None:
        self.loaded(link, 35)
        run = link.last_run()
        assert run.state == RunState.DONE, run.error
        assert run.counts[self.object]["created"] == 35
        assert run.pages >= 4
        self.followed(link)

    def followed(self, link: Link) -> None:
        """After the first load its changes are followed."""
        assert set(link.states(self.object).values()) == {RawState.TAKEN}
        # A run is dated by its beginning; what it waited for the vendor's limit came after.
        assert link.connection.last_success_at is not None
        assert timedelta() <= link.at - link.connection.last_success_at <= timedelta(seconds=link.slept)
        assert link.stream(self.object).state == StreamState.FOLLOWING

    def test_the_preview_writes_nothing(self, link: Link) -> None:
        for number in range(12):
            self.make(link.standin, number, 100 + number)
        with CaptureQueriesContext(database) as queries:
            assert link.preview(self.object) == 12
        assert RawRecord.objects.count() == 0
        written = [each["sql"] for each in queries if each["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
        assert [sql for sql in written if not any(table in sql for table in self.kept_by_previews)] == []

    def test_increment(self, link: Link) -> None:
        ids = self.loaded(link)
        for place in (0, 7, 24):
            self.edit(link.standin, ids[place], 900 + place)
        self.make(link.standin, 100, 1)
        self.make(link.standin, 101, 2)
        run = link.sync()
        assert (run.counts[self.object]["changed"], run.counts[self.object]["created"]) == (3, 2)
        self.alike(link)

    def test_what_is_known_costs_no_write(self, link: Link) -> None:
        self.loaded(link)
        link.resync()
        with CaptureQueriesContext(database) as queries:
            link.run()
        written = [
            each["sql"]
            for each in queries
            if each["sql"].startswith(("INSERT", "UPDATE", "DELETE"))
            and any(f'"{table}"' in each["sql"].split("SET")[0] for table in self.tables_of_records())
        ]
        assert written == []
        # Each at least once: where pages are asked from the last moment seen, its records come twice.
        assert 25 <= link.last_run().counts[self.object]["unchanged"] < 30

    def tables_of_records(self) -> list[str]:
        """Tables that must not be written when nothing changed."""
        return ["connectors_rawrecord", "deals_deal", "accounts_account", "commissions_transaction", "audit_auditentry"]

    def test_deleted_and_restored(self, link: Link) -> None:
        self.lacking("deletes")
        ids = self.loaded(link)
        self.delete(link.standin, ids[3])
        link.sync()
        self.alike(link)
        assert link.states(self.object)[self.external(link, ids[3])] == RawState.DELETED
        self.lacking("restores")
        self.restore(link.standin, ids[3])
        link.sync()
        self.alike(link)
        assert len(self.table(link)) == 25

    def external(self, link: Link, id: str) -> str:
        """The id under which the portal keeps a record; the vendor's own unless a vendor's test says otherwise."""
        return link.standin.identity(self.object, id)

    def test_merged(self, link: Link) -> None:
        self.lacking("merges")
        ids = self.loaded(link)
        self.merge(link.standin, ids[4], ids[5])
        link.sync()
        self.alike(link)
        lost = link.raws(self.object)[self.external(link, ids[4])]
        assert (lost.state, lost.merged_into) == (RawState.DELETED, self.external(link, ids[5]))

    def test_older_tellings_change_nothing(self, link: Link) -> None:
        self.lacking("versions")
        ids = self.loaded(link)
        old = [raw_of(row) for row in link.raws(self.object).values()]
        for id in ids:
            self.edit(link.standin, id, 7)
        link.sync()
        self.alike(link)
        applier = Applier(link.stream(self.object), actor=system_actor())
        done = applier.apply(list(reversed(old)) + old, at=link.at)
        assert done.counts == {"unchanged": 25}
        self.alike(link)

    def test_the_same_twice_in_a_page(self, link: Link) -> None:
        self.loaded(link)
        row = next(iter(link.raws(self.object).values()))
        raw = raw_of(row)
        done = Applier(link.stream(self.object), actor=system_actor()).apply([raw, raw, raw], at=link.at, force=True)
        assert sum(done.counts.values()) == 1
        self.alike(link)

    @pytest.mark.parametrize("retry_after", [2, None])
    def test_asked_to_wait_shortly(self, link: Link, retry_after: int | None) -> None:
        self.lacking("waiting")
        self.loaded(link)
        self.make(link.standin, 50, 50)
        link.standin.faults.add("429", when=self.path, times=1, retry_after=retry_after)
        link.sync()
        assert link.last_run().state in (RunState.DONE, RunState.WAITING)
        if link.last_run().state == RunState.WAITING:
            link.sync()
        self.alike(link)

    def test_asked_to_wait_for_long(self, link: Link) -> None:
        self.lacking("waiting")
        self.loaded(link)
        self.make(link.standin, 51, 51)
        link.standin.faults.add("429", when=self.path, times=1, retry_after=900)
        link.sync()
        assert link.last_run().state == RunState.WAITING
        assert link.connection.state == ConnectionState.RUNNING
        assert link.connection.next_sync_at is not None
        assert link.connection.next_sync_at >= link.at + timedelta(seconds=60)
        assert link.slept < 60
        link.sync(after=901)
        self.alike(link)

    def test_the_days_limit_is_a_403(self, link: Link) -> None:
        self.lacking("limit_403")
        self.loaded(link)
        self.make(link.standin, 52, 52)
        link.standin.faults.add("403_limit", when=self.path, times=1)
        link.sync()
        assert link.last_run().state == RunState.WAITING
        assert link.connection.state == ConnectionState.RUNNING
        link.sync(after=7200)
        self.alike(link)

    @pytest.mark.parametrize(
        ("kind", "detail"),
        [
            ("500", {}),
            ("502", {"html": True}),
            ("503", {}),
            ("half_body", {}),
            ("reset", {}),
            ("garbled", {}),
        ],
    )
    def test_once_broken_passes(self, link: Link, kind: str, detail: dict[str, Any]) -> None:
        self.lacking("broken")
        ids = self.loaded(link)
        self.edit(link.standin, ids[2], 902)
        link.standin.faults.add(kind, when=self.path, times=1, **detail)
        link.sync()
        if link.last_run().state != RunState.DONE:
            link.sync(after=7200)
        assert link.last_run().state == RunState.DONE, link.last_run().error
        self.alike(link)

    @pytest.mark.parametrize("kind", ["500", "half_body", "reset", "garbled"])
    def test_broken_for_long_says_so_and_goes_on(self, link: Link, kind: str) -> None:
        self.lacking("broken")
        ids = self.loaded(link)
        success = link.connection.last_success_at
        self.edit(link.standin, ids[2], 903)
        link.standin.faults.add(kind, when=self.path, times=None)
        link.sync()
        assert link.last_run().state == RunState.FAILED
        assert link.connection.error["message"]
        assert link.connection.failing_since is not None
        assert link.connection.last_success_at == success
        assert link.connection.state == ConnectionState.RUNNING
        link.standin.faults.clear()
        link.sync(after=7200)
        assert link.connection.error == {}
        assert link.connection.failing_since is None
        self.alike(link)

    def test_a_slow_body_is_cut_off(self, link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lacking("slow")
        ids = self.loaded(link)
        self.edit(link.standin, ids[1], 904)
        monkeypatch.setattr(type(vendor_of(self.vendor)), "deadline", 0.4)
        link.standin.faults.add("slow_body", when=self.path, times=None, every=0.2)
        link.sync()
        assert link.last_run().state == RunState.FAILED
        link.standin.faults.clear()
        monkeypatch.undo()
        link.sync(after=7200)
        self.alike(link)

    def test_the_token_ends_between_pages(self, link: Link) -> None:
        self.lacking("tokens")
        for number in range(35):
            self.make(link.standin, number, 100 + number)
        link.standin.faults.add("expire_token", when=self.path, nth=3, times=1)
        link.start()
        link.run()
        assert link.standin.refreshes == 1
        assert link.last_run().state == RunState.DONE, link.last_run().error
        self.alike(link)

    def test_two_renew_at_once_and_one_asks(self, link: Link) -> None:
        self.lacking("tokens")
        self.loaded(link)
        before = link.standin.refreshes
        with link.caller() as one, link.caller() as two:
            stale = [each.secret(credentials.ACCESS) for each in (one, two)]
            one._renew()
            two._renew()  # began with what the first has replaced
            fresh = [each.secret(credentials.ACCESS) for each in (one, two)]
        assert stale[0] == stale[1] != fresh[0] == fresh[1]
        assert (link.standin.refreshes, link.standin.refused_refreshes) == (before + 1, 0)

    def test_while_one_renews_the_other_waits(self, link: Link) -> None:
        self.lacking("tokens")
        self.loaded(link)
        with link.caller() as caller:
            caller.secret(credentials.ACCESS)
            assert credentials.may_renew(link.connection, seen=credentials.mark_of(link.connection), at=link.at)
            before = link.standin.refreshes
            with pytest.raises(Wait):
                caller._renew()
        assert link.standin.refreshes == before

    def test_a_sign_in_that_was_taken_away_is_said(self, link: Link) -> None:
        self.lacking("tokens")
        ids = self.loaded(link)
        self.edit(link.standin, ids[0], 905)
        for grant in link.standin.grants:
            grant.is_revoked = True
        link.sync()
        assert link.connection.state == ConnectionState.BROKEN
        assert link.connection.error["code"]
        link.sign_in()
        assert link.connection.state == ConnectionState.RUNNING
        link.sync()
        self.alike(link)

    @pytest.mark.parametrize("mode", ["repeat", "invent"])
    def test_pages_that_never_end_are_stopped(self, link: Link, mode: str) -> None:
        self.lacking("cursors")
        self.loaded(link, 25)
        link.standin.faults.add("endless_cursor", when=self.path, times=None, mode=mode)
        link.resync()
        link.run()
        assert link.last_run().state == RunState.FAILED
        assert link.last_run().pages < 200
        assert link.stream(self.object).error["code"] == "endless"
        link.standin.faults.clear()
        self.make(link.standin, 60, 60)
        link.sync(after=7200)
        self.alike(link)

    @pytest.mark.parametrize("skew", [timedelta(minutes=-20), timedelta(minutes=20), timedelta(days=-400)])
    def test_clocks_that_differ(self, other: StandIn, link: Link, skew: timedelta) -> None:
        self.lacking("versions")
        other.clock.now = NOW + skew
        ids = self.loaded(link)
        for step in range(3):
            self.edit(link.standin, ids[step], 910 + step)
            link.sync(after=120)
            self.alike(link)
            self.edit(link.standin, ids[step + 5], 920 + step)
            link.sync(after=1)
            self.alike(link)

    def test_a_search_that_lags(self, link: Link) -> None:
        self.lacking("search")
        ids = self.loaded(link)
        link.standin.faults.add("search_lag", seconds=60)
        self.edit(link.standin, ids[8], 930)
        link.sync(after=20)
        link.sync(after=70)
        self.alike(link)

    def test_records_move_while_paging(self, link: Link) -> None:
        self.lacking("paging")
        ids = self.loaded(link, 35)
        link.resync()

        def move(page: int) -> None:
            if page in (2, 3):
                self.edit(link.standin, ids[page], 940 + page)

        link.standin.before_page(move)
        RawRecord.objects.filter(stream__connection=link.connection, stream__object=self.object).delete()
        link.run()
        link.standin.before_page(None)
        assert len(link.raws(self.object)) == 35
        link.sync()
        self.alike(link)

    def test_many_share_one_moment(self, link: Link) -> None:
        self.lacking("versions")
        link.standin.clock.still = True
        self.loaded(link, 35)
        link.standin.clock.still = False

    def test_the_limit_is_kept(self, link: Link) -> None:
        self.lacking("limits")
        self.loaded(link, 35)
        assert link.standin.overruns == []
        budget = RateBudget.objects.get(connection=link.connection)
        assert budget.requests >= 4

    def test_killed_anywhere(self, link: Link) -> None:
        ids = [self.make(link.standin, number, 100 + number) for number in range(25)]
        link.start()
        with link.engine():
            assert run_killed_everywhere(link.job()) >= 6
        self.alike(link)
        assert len(self.table(link)) == len(ids)

    def test_paused_is_left_alone(self, link: Link) -> None:
        self.lacking("runs")
        ids = self.loaded(link)
        connecting.pause(actor=link.actor, connection=link.connection, at=link.at)
        self.edit(link.standin, ids[0], 950)
        asked = len(link.standin.requests)
        connecting.enqueue_due(at=link.at + timedelta(days=1))
        link.run()
        assert len(link.standin.requests) == asked
        connecting.start(actor=link.actor, connection=link.connection, at=link.at)
        link.run()
        self.alike(link)

    def test_no_secret_is_in_what_is_kept(self, link: Link) -> None:
        self.lacking("secrets")
        self.loaded(link)
        from django.core import serializers

        from salesops.connectors import models

        kept = [
            serializers.serialize("json", model.objects.all())
            for model in (models.Connection, models.Credential, models.Stream, models.SyncRun, models.RawRecord, Job)
        ]
        text = "\n".join(kept)
        canaries = [*self.secrets.values(), link.standin.client_secret]
        for grant in link.standin.grants:
            canaries += [*grant.access, grant.refresh]
        for canary in canaries:
            assert not canary or canary not in text
