"""The portal's real settings with one more room: jobs that are made to be killed."""

import os

os.environ.setdefault("STATICFILES_STORAGE", "django.contrib.staticfiles.storage.StaticFilesStorage")

from salesops.config.settings import *  # noqa: F403
from salesops.config.settings import INSTALLED_APPS, MIDDLEWARE

INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos"]
MIDDLEWARE = [name for name in MIDDLEWARE if "Actor" not in name and "axes" not in name]
ROOT_URLCONF = "tests.chaos.urls"
