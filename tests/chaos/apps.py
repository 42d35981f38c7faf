"""The chaos jobs as a Django app, for the programs of the chaos tests only."""

from django.apps import AppConfig


class ChaosConfig(AppConfig):
    """Registers the chaos jobs."""

    name = "tests.chaos"
    label = "chaos"
