"""Config: the only room that may import everything. Loads the Celery app so that tasks find it."""

from salesops.config.celery import app as celery_app

__all__ = ["celery_app"]
