"""Connects the portal to a stand-in the way a person does, and keeps it in step the way the workers do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
from django.test import override_settings

from salesops.connectors.choices import RawState
from salesops.connectors.models import Connection, RawRecord, Stream, SyncRun
from salesops.connectors.services import authorizing, calling, connecting
from salesops.connectors.services.calling import Caller
from salesops.connectors.vendors import vendor_of
from salesops.core.actor import Actor
from salesops.jobs.models import Job
from salesops.jobs.runner import JobRun
from salesops.jobs.testing import run_due
from tests.cast import NOW
from tests.connectors.standins.base import StandIn

#: One for all, because each reads the certificates of the machine anew.
BROWSER = httpx.Client(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
REDIRECT = "https://portal.example/connections/authorized/"


class Link:
    """One connection to one stand-in. `at` is the portal's clock; sleeping moves it on and takes no time."""

    def __init__(self, actor: Actor, standin: StandIn, *, at: datetime = NOW) -> None:
        self.actor, self.standin, self.at = actor, standin, at
        self.slept = 0.0
        self.connection: Connection = None  # type: ignore[assignment]  # set by connect

    # --- as a person

    def connect(
        self, vendor: str, *, options: Mapping[str, str] | None = None, secrets: Mapping[str, str] | None = None
    ) -> Link:
        """Create the connection, sign in where the vendor wants it, test it, discover its objects."""
        options = {"address": self.standin.origin, **(options or {})}
        if vendor_of(vendor).oauth is not None:
            options.setdefault("client_id", self.standin.client_id)
            secrets = {"client_secret": self.standin.client_secret, **(secrets or {})}
        self.connection = connecting.create(
            actor=self.actor, vendor=vendor, name="", options=options, given=secrets or {}, at=self.at
        )
        if vendor_of(vendor).oauth is not None:
            self.sign_in()
        with self.caller() as http:
            connecting.identify(actor=self.actor, connection=self.connection, at=self.at, http=http)
        self.connection.refresh_from_db()
        with self.caller() as http:
            connecting.discover(actor=self.actor, connection=self.connection, at=self.at, http=http)
        return self

    def sign_in(self) -> None:
        """Go to the vendor's page, which consents at once, and come back with its code."""
        url = authorizing.begin(actor=self.actor, connection=self.connection, redirect_uri=REDIRECT, at=self.at)
        came_back = urlsplit(BROWSER.get(url).headers["location"])
        told = {name: values[0] for name, values in parse_qs(came_back.query).items()}
        authorizing.complete(
            actor=self.actor,
            state=told.pop("state"),
            code=told.pop("code"),
            extra=told,
            at=self.at,
            caller=self.trial,
        )
        self.connection.refresh_from_db()

    def want(self, *objects: str) -> Link:
        """Keep only these objects in step."""
        Stream.objects.filter(connection=self.connection).update(is_wanted=False)
        count = Stream.objects.filter(connection=self.connection, object__in=objects).update(is_wanted=True)
        assert count == len(objects), f"only {count} of {objects} are there"
        return self

    def start(self) -> Link:
        """Begin."""
        self.connection = connecting.start(actor=self.actor, connection=self.connection, at=self.at)
        return self

    def preview(self, object: str) -> int:
        """Look at what would come; how many records."""
        with self.caller() as http:
            raws, fates = connecting.sample(actor=self.actor, stream=self.stream(object), at=self.at, http=http)
        assert len(fates) == len(raws)
        return len(raws)

    def resync(self) -> None:
        """Have everything read once more."""
        connecting.resync(actor=self.actor, connection=self.connection, at=self.at)

    # --- as the workers

    def job(self) -> Job:
        """The job of the sync that was asked for."""
        return Job.objects.get(kind=connecting.SYNC)

    def caller(self) -> Caller:
        """A way to the vendor outside jobs."""
        return Caller(self.connection, clock=lambda: self.at, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        """Sleep without taking time: the portal's clock moves, and the stand-in's with it."""
        self.slept += seconds
        self.at += timedelta(seconds=seconds)
        self.standin.clock.advance(seconds)

    def trial(self, connection: Connection, token: str) -> Caller:
        """A way to the vendor with a token that is not kept yet."""
        return Caller(connection, clock=lambda: self.at, sleep=self.sleep, trial=token)

    def caller_of(self, connection: Connection, run: JobRun) -> Caller:
        """A way to the vendor inside a job."""
        return Caller(connection, aside=run.aside, clock=lambda: self.at, sleep=self.sleep)

    def sync(self, *, after: float = 600, kill: bool = False) -> SyncRun:
        """Let time pass and run what is due, on one connection. Gives the run that was made."""
        self.at += timedelta(seconds=after)
        self.standin.clock.advance(after)
        self.connection.refresh_from_db()
        connecting.sync_now(actor=self.actor, connection=self.connection, at=self.at)
        self.run()
        return self.last_run()

    def run(self) -> list[Job]:
        """Run what is due."""
        with self.engine():
            ran = run_due(at=self.at)
        self.connection.refresh_from_db()
        return ran

    @contextmanager
    def engine(self) -> Iterator[None]:
        """Jobs that run in here use the clock and sleep of the link."""
        before = calling.caller_for
        calling.caller_for = self.caller_of
        try:
            yield
        finally:
            calling.caller_for = before

    # --- what came

    def last_run(self) -> SyncRun:
        """The newest run."""
        return SyncRun.objects.filter(connection=self.connection).latest("pk")

    def stream(self, object: str) -> Stream:
        """A stream by the vendor's object."""
        return Stream.objects.select_related("connection", "connection__source").get(
            connection=self.connection, object=object
        )

    def raws(self, object: str) -> dict[str, RawRecord]:
        """What was kept of an object, by external id."""
        return {
            row.external_id: row
            for row in RawRecord.objects.filter(stream__connection=self.connection, stream__object=object)
        }

    def states(self, object: str) -> dict[str, str]:
        """How each record of an object stands."""
        return {key: row.state for key, row in self.raws(object).items()}

    def problems(self, object: str | None = None) -> dict[str, list[str]]:
        """Why records are on the shelf."""
        rows = RawRecord.objects.filter(stream__connection=self.connection, state=RawState.REFUSED)
        if object is not None:
            rows = rows.filter(stream__object=object)
        return {row.external_id: [p["message"] % p["params"] for p in row.problems] for row in rows}


@contextmanager
def allowed(standin: StandIn) -> Iterator[None]:
    """The stand-in's address is one that an administrator named."""
    with override_settings(CONNECTORS_ALLOWED_ADDRESSES=[standin.address]):
        yield
