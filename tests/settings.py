"""The portal's settings as the tests use them: a data folder of their own, cheap password hashes, mail in memory."""

import atexit
import os
import shutil
import tempfile

if "SALESOPS_TEST_DATA" not in os.environ:
    os.environ["SALESOPS_TEST_DATA"] = tempfile.mkdtemp(prefix="salesops-tests-")
    atexit.register(shutil.rmtree, os.environ["SALESOPS_TEST_DATA"], ignore_errors=True)
# Each parallel test process gets a folder, and with it a queue, of its own.
os.environ["SALESOPS_DATA"] = os.path.join(
    os.environ["SALESOPS_TEST_DATA"], os.environ.get("PYTEST_XDIST_WORKER", "main")
)
os.environ.setdefault("STATICFILES_STORAGE", "django.contrib.staticfiles.storage.StaticFilesStorage")

from salesops.config.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
# WhiteNoise complains about a folder that is not there.
os.makedirs(STATIC_ROOT, exist_ok=True)  # noqa: F405
# Tests make SQLite files there.
CONNECTORS_SQLITE_FOLDERS = [tempfile.gettempdir()]
# For whoever runs single tests again and again: a file that keeps the migrated tables (with pytest's --reuse-db).
if "KEPT_TEST_DATABASE" in os.environ and DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    DATABASES["default"]["TEST"] = {"NAME": os.environ["KEPT_TEST_DATABASE"]}  # noqa: F405
