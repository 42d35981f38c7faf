"""The person of the killed syncs: connects the fleet's portal to a stand-in, and asks for syncs.

`main` reads orders from its input, a line of JSON each, and answers each with a line.
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

from django.utils import timezone

from salesops.connectors.models import Connection
from salesops.connectors.services import connecting
from salesops.people.models import User
from salesops.pods.selectors import actor_for
from tests.cast import make_cast
from tests.connectors.linking import Link

OBJECTS = ("User", "Account", "Opportunity")


def connect(order: dict[str, Any]) -> int:
    """Connect to the stand-in of the order and begin; the key of the connection."""
    at = timezone.now()
    cast = make_cast()
    link = Link(cast.actor("rita", at), SimpleNamespace(**order["standin"]), at=at)  # type: ignore[arg-type]  # it runs elsewhere
    link.connect("salesforce").want(*OBJECTS)
    # Nobody is here to let in what the brake holds.
    Connection.objects.filter(pk=link.connection.pk).update(brake_deals=1_000_000, brake_minor=10**15)
    link.start()
    return link.connection.pk


def sync(order: dict[str, Any]) -> int:
    """Ask for a sync now."""
    connection = Connection.objects.select_related("source").get(pk=order["connection"])
    at = timezone.now()
    rita = actor_for(User.objects.get(email="rita@example.com"), at=at)
    connecting.sync_now(actor=rita, connection=connection, at=at)
    return connection.pk


WORKS = {"connect": connect, "sync": sync}


def main() -> None:
    """Until the input ends."""
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(WORKS[order["work"]](order)), flush=True)
