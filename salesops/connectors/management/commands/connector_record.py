"""Writes a vendor's replies as a test recording, without anybody's data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from salesops.connectors.models import Connection
from salesops.connectors.rules.recordings import recording
from salesops.connectors.services.calling import Caller, Wait
from salesops.connectors.vendors.base import Ask, Fault
from salesops.connectors.wire import Reply, Request, WireError
from salesops.core.vault import scrub


class Command(BaseCommand):
    """`manage.py connector_record SOURCE OBJECT FILE [--pages 2] [--rows 20]`."""

    help = "Records what a vendor answers to one sweep, scrubbed, for tests. Nothing is brought in. See docs/connectors.md."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which connection, which of its objects, and where the recording goes."""
        parser.add_argument("source", help="the code of the connection's source")
        parser.add_argument("object", help="the vendor's name of the object")
        parser.add_argument("file", type=Path, help="where the recording is written")
        parser.add_argument("--pages", type=int, default=2)
        parser.add_argument("--rows", type=int, default=20, help="rows of a page")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask for the pages and write down what was answered."""
        connection = Connection.objects.select_related("source").filter(source__code=options["source"]).first()
        if connection is None:
            raise CommandError(f"There is no connection of the source “{options['source']}”.")
        exchanges: list[tuple[str, str, int, Any, bytes]] = []

        def note(request: Request, reply: Reply) -> None:
            exchanges.append((request.method, reply.url, reply.status, dict(reply.headers), reply.body))

        try:
            with Caller(connection, on_reply=note) as http:
                objects = {each.code: each for each in http.vendor.objects_for(connection.options)}
                if options["object"] not in objects:
                    raise CommandError(f"It has: {', '.join(objects)}.")
                chosen = objects[options["object"]]
                columns = tuple(column.path for column in http.vendor.columns(chosen, http))
                ask = Ask(size=options["rows"], asked_at=timezone.now(), columns=columns)
                for _page in range(options["pages"]):
                    page = http.vendor.read(chosen, ask, http)
                    if page.next is None:
                        break
                    ask = Ask(size=options["rows"], asked_at=ask.asked_at, columns=columns, position=page.next)
        except (Fault, WireError) as error:
            raise CommandError(error.problem.text()) from None
        except Wait as wait:
            raise CommandError(f"The vendor asks to wait until {wait.until}.") from None
        text = json.dumps(
            {"vendor": connection.vendor, "object": chosen.code, "exchanges": recording(exchanges)},
            indent=1,
            ensure_ascii=False,
            default=str,
        )
        options["file"].write_text(scrub(text) + "\n", encoding="utf-8")
        self.stdout.write(f"{len(exchanges)} replies in {options['file']}. Read it before you commit it.")
