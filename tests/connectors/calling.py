"""What the tests of telephone systems and calendars share: how their activities are read back."""

from __future__ import annotations

from typing import Any

from salesops.accounts.models import Account, Contact
from salesops.activities.models import Activity
from tests.cast import NOW
from tests.connectors.conformance import Conformance, Table
from tests.connectors.linking import Link
from tests.connectors.standins.base import StandIn

#: A number that Sue of Acme writes without her country, as the tests of Switzerland understand it.
SUE = "+41791234567"


class ActivityConformance(Conformance):
    """The shared scenarios with activities: what is compared is how long they took."""

    def tables_of_records(self) -> list[str]:
        return [*super().tables_of_records(), "activities_activity"]

    def table(self, link: Link) -> Table:
        return {
            external: (minutes, person)
            for external, minutes, person in Activity.objects.filter(source=link.connection.source.code).values_list(
                "external_id", "duration_minutes", "person__email"
            )
        }


class MeetingConformance(ActivityConformance):
    """The shared scenarios with meetings in Ana's calendar."""

    def times(self, standin: StandIn, minutes: int) -> dict[str, Any]:
        """Beginning and end of a meeting that takes so long, as the calendar writes them."""
        raise NotImplementedError

    def make(self, standin: StandIn, number: int, amount: int) -> str:
        return standin.put("event", None, **self.times(standin, amount))

    def edit(self, standin: StandIn, id: str, amount: int) -> None:
        standin.put("event", id, **self.times(standin, amount))

    def delete(self, standin: StandIn, id: str) -> None:
        standin.delete("event", id)

    def restore(self, standin: StandIn, id: str) -> None:
        standin.restore("event", id)


def activity(link: Link, external_id: str) -> Activity:
    """One activity that came."""
    return Activity.objects.get(source=link.connection.source.code, external_id=external_id)


def sue(phone: str = "079 123 45 67") -> Contact:
    """A contact with a number written as people do."""
    acme = Account.objects.create(name="Acme", match_name="acme", created_at=NOW)
    return Contact.objects.create(account=acme, name="Sue", email="sue@acme.example", phone=phone, created_at=NOW)
