"""The WSGI entry point for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

from salesops.config import memory

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesops.config.settings")

application = get_wsgi_application()
memory.settle()
