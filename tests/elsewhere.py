"""Work in threads with connections of their own, as several people do at once."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

from django.db import connection


class Elsewhere:
    """Runs work in threads with connections of their own: on a copy of the file on SQLite, whose memory knows no others."""

    def __init__(self, folder: Path) -> None:
        self.copy = folder / "copy.sqlite3"
        self.errors: list[BaseException] = []
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("VACUUM INTO %s", [str(self.copy)])
            # As the portal's own file is: many that come at once and change the journal would lock one another out.
            with contextlib.closing(sqlite3.connect(self.copy)) as copy:
                copy.execute("PRAGMA journal_mode = WAL")

    def run(self, *works: Callable[[], Any]) -> None:
        """All of them at once, to their ends."""
        threads = [Thread(target=self._at_home, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.errors:
            raise self.errors[0]

    def _at_home(self, work: Callable[[], Any]) -> None:
        try:
            if connection.vendor == "sqlite":
                connection.settings_dict = {**connection.settings_dict, "NAME": str(self.copy)}
            work()
        except BaseException as error:
            self.errors.append(error)
        finally:
            connection.close()
