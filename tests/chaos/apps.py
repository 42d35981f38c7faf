"""The chaos jobs as a Django app, for the programs of the chaos tests only."""

import os

from django.apps import AppConfig


class ChaosConfig(AppConfig):
    """Registers the chaos jobs."""

    name = "tests.chaos"
    label = "chaos"

    def ready(self) -> None:
        """Ask sources for pages as small as the test wants them, so that there are many to be killed between."""
        from salesops.connectors.services import pulling

        pulling.PAGE_ROWS = int(os.environ["CHAOS_PAGE_ROWS"]) if "CHAOS_PAGE_ROWS" in os.environ else None
