"""All settings, in one file, read from the environment. With nothing set the portal runs embedded on SQLite."""

import logging
import os
import secrets
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

from salesops.config.logs import logging_settings

BASE_DIR = Path(__file__).resolve().parent.parent.parent
env = environ.Env()
# A variable that is written down without a value is not set: forms of deployments list them all. Only no options of the
# database are options, too (some poolers take none).
env.ENVIRON = {name: value for name, value in os.environ.items() if value.strip() or name == "DATABASE_OPTIONS"}

# Everything the portal writes to disk when it runs embedded: database, secret key, queue, uploads.
DATA_DIR = Path(env("SALESOPS_DATA", default=str(BASE_DIR / "var")))
DATA_DIR.mkdir(parents=True, exist_ok=True)


def _secret_key() -> str:
    """Take SECRET_KEY from the environment, or make one once and keep it beside the data, readable by its owner only."""
    given = env("SECRET_KEY", default="")
    if given:
        return given
    path = DATA_DIR / "secret_key"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(64))
    except FileExistsError:
        pass
    return path.read_text().strip()


DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = _secret_key()
# What seals the secrets of other systems (docs/secrets.md): `id:base64key`, separated by commas; the first seals, all open.
# Without it a key is made once, with the first secret, in a file beside the data, readable by its owner only.
SECRETS_KEYS = env("SECRETS_KEYS", default="")
SECRETS_FILE = DATA_DIR / "secrets.keys"
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
SITE_URL = env("SITE_URL", default="http://127.0.0.1:8000")
IS_SECURE = SITE_URL.startswith("https://")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[SITE_URL])

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "salesops.core.admin_app.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.forms",
    "rest_framework",
    "drf_spectacular",
    "django_filters",
    "django_tables2",
    "django_htmx",
    "django_structlog",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "axes",
    "salesops.core",
    "salesops.jobs",
    "salesops.audit",
    "salesops.people",
    "salesops.notices",
    "salesops.pods",
    "salesops.accounts",
    "salesops.leads",
    "salesops.deals",
    "salesops.activities",
    "salesops.effort",
    "salesops.commissions",
    "salesops.connectors",
    "salesops.reorganisations",
    "salesops.home",
]

MIDDLEWARE = [
    "salesops.core.middleware.PolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "salesops.core.middleware.PartialMessagesMiddleware",
    "salesops.pods.middleware.ActorMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "salesops.people.middleware.SignInMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "salesops.config.urls"
WSGI_APPLICATION = "salesops.config.wsgi.application"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "salesops.home.navigation.shell",
            ],
        },
    },
]

# --- Database -----------------------------------------------------------------------------------------------------

_database = env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'salesops.sqlite3'}")
IS_SQLITE = _database["ENGINE"].endswith("sqlite3")
if IS_SQLITE:
    _database["OPTIONS"] = {
        # IMMEDIATE takes the write lock at BEGIN, so that contended writers wait instead of failing.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-64000; "
        # Without it a REPLACE deletes rows that no DELETE may touch.
        "PRAGMA recursive_triggers=ON",
    }
else:
    _database["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=60)
    _database["CONN_HEALTH_CHECKS"] = True
    _database.setdefault("OPTIONS", {})["options"] = env(
        "DATABASE_OPTIONS",
        # No JIT: compiling a list page's query takes longer than running it.
        default="-c lock_timeout=10000 -c idle_in_transaction_session_timeout=600000 -c jit=off",
    )
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Background ---------------------------------------------------------------------------------------------------

BROKER_URL = env("BROKER_URL", default="filesystem://")
CELERY_BROKER_URL = BROKER_URL
if BROKER_URL.startswith("filesystem"):
    CELERY_BROKER_TRANSPORT = "salesops.jobs.folder_queue:Transport"
    CELERY_BROKER_TRANSPORT_OPTIONS = {"folder": str(DATA_DIR / "queue"), "polling_interval": 0.1}
else:
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 900,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "health_check_interval": 10,
    }
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
# A message is only a doorbell, so it is acknowledged when it is heard: what a killed worker held is found by its lease,
# and a broker that restarts does not stop a long job in its middle.
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_TIME_LIMIT = 600
CELERY_TASK_SOFT_TIME_LIMIT = 540
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ETA_TASK_LIMIT = 100
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
# Seconds that running jobs get to end when the worker is told to stop; after that they go on elsewhere.
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = env.float("WORKER_GRACE_SECONDS", default=25.0)
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 1_500_000  # kilobytes: a calculation holds its columns in memory
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True
CELERY_TASK_DEFAULT_QUEUE = "salesops"
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
METRICS_TOKEN = env("METRICS_TOKEN", default="")  # without it only this machine itself may read /metrics
# How long a worker that shows no sign of life keeps its job.
JOB_LEASE_SECONDS = env.float("JOB_LEASE_SECONDS", default=60.0)

# A database cache where there is no Redis: log-in throttles must be shared by all processes.
CACHES = {
    "default": (
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": env("CACHE_URL")}
        if env("CACHE_URL", default="")
        else {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "core_cache",
            # The default of 300 entries would forget throttles and spent codes.
            "OPTIONS": {"MAX_ENTRIES": 100_000},
        }
    )
}

# --- People -------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "people.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_ADAPTER = "salesops.people.adapter.AccountAdapter"
ACCOUNT_FORMS = {"reset_password": "salesops.people.forms.sign_in.ResetPasswordForm"}
ACCOUNT_EMAIL_VERIFICATION = "none"  # accounts are made by administrators, who vouch for the address
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "django.contrib.auth.tokens.PasswordResetTokenGenerator"  # noqa: S105
PASSWORD_RESET_TIMEOUT = 60 * 60 * 24
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,8/900s/key",  # codes of the second factor, by person
    "login_account": "30/h/key",  # passwords for one account, from all browsers it never logged in with
    "login_device": "10/900s/key",  # passwords for one account, from one browser it has logged in with
    "reset_password": "20/m/ip,5/h/key",
    "hook_refused": "60/m/key",  # webhooks that proved nothing, by connection and address
}
# How many proxies stand in front and set X-Forwarded-For; with none the header is not believed.
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXIES", default=0)
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_TOTP_ISSUER = "Salesops"
MFA_ADAPTER = "salesops.people.adapter.MfaAdapter"
MFA_FORMS = {"activate_totp": "salesops.people.forms.sign_in.ActivateTOTPForm"}
MFA_ALLOW_UNVERIFIED_EMAIL = True
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_FORM_FIELD = "login"
AXES_USERNAME_CALLABLE = "salesops.people.throttle.login_name"
AXES_CLIENT_IP_CALLABLE = "salesops.people.throttle.client_ip"
AXES_WHITELIST_CALLABLE = "salesops.people.throttle.is_known_device"
AXES_LOCKOUT_TEMPLATE = "account/locked.html"
AXES_ENABLE_ADMIN = False
AXES_DISABLE_ACCESS_LOG = True  # log-ins are in the audit

SESSION_COOKIE_AGE = 60 * 60 * 12
SESSION_ABSOLUTE_SECONDS = env.int("SESSION_ABSOLUTE_SECONDS", default=60 * 60 * 12)
SESSION_IDLE_SECONDS = env.int("SESSION_IDLE_SECONDS", default=60 * 60 * 8)
# For roles that must give a second factor.
SESSION_IDLE_SECONDS_PRIVILEGED = env.int("SESSION_IDLE_SECONDS_PRIVILEGED", default=60 * 60 * 2)
SESSION_COOKIE_NAME = "__Host-sessionid" if IS_SECURE else "sessionid"
SESSION_SAVE_EVERY_REQUEST = False
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_SECURE
CSRF_COOKIE_HTTPONLY = False  # htmx reads it
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=IS_SECURE)
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]
SECURE_HSTS_SECONDS = 31_536_000 if IS_SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = IS_SECURE
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
if env.bool("BEHIND_TLS_PROXY", default=IS_SECURE):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- Mail ---------------------------------------------------------------------------------------------------------

_mail = env.email_url("EMAIL_URL", default=f"filemail:///{DATA_DIR / 'mail'}")
EMAIL_BACKEND = _mail["EMAIL_BACKEND"]
EMAIL_HOST, EMAIL_PORT = _mail.get("EMAIL_HOST") or "", _mail.get("EMAIL_PORT") or 25
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.get("EMAIL_HOST_USER") or "", _mail.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.get("EMAIL_USE_TLS", False), _mail.get("EMAIL_USE_SSL", False)
EMAIL_FILE_PATH = str(DATA_DIR / "mail")
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="Salesops <salesops@localhost>")

# --- Language and time --------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文"), ("zh-hant", "繁體中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
COMPANY_TIME_ZONE = env("COMPANY_TIME_ZONE", default="UTC")
COMPANY_CURRENCY = env("COMPANY_CURRENCY", default="USD")
FORMAT_MODULE_PATH = ["salesops.config.formats"]

# --- Pay ----------------------------------------------------------------------------------------------------------

# How many years back locked periods are looked at for late changes.
COMMISSIONS_LOOK_BACK_YEARS = env.int("COMMISSIONS_LOOK_BACK_YEARS", default=2)
# Working days within which a dispute is answered.
DISPUTE_ANSWER_WORKING_DAYS = env.int("DISPUTE_ANSWER_WORKING_DAYS", default=2)
# An adjustment of more than so many times what the person earned in the middle one of so many last periods is looked
# at twice.
ADJUSTMENT_LOOK_AGAIN_TIMES = env.int("ADJUSTMENT_LOOK_AGAIN_TIMES", default=3)
ADJUSTMENT_LOOK_AGAIN_PERIODS = env.int("ADJUSTMENT_LOOK_AGAIN_PERIODS", default=6)
# A statement that pays more than so many times the middle one of the last payouts is approved with a note only.
COMMISSIONS_LOOK_AGAIN_TIMES = env.int("COMMISSIONS_LOOK_AGAIN_TIMES", default=3)
# Over how many months capitalised commissions are written off (ASC 340-40, IFRS 15), and whether only those on new
# business are capitalised, or all.
COMMISSIONS_AMORTISATION_MONTHS = env.int("COMMISSIONS_AMORTISATION_MONTHS", default=36)
COMMISSIONS_CAPITALISE_NEW_ONLY = env.bool("COMMISSIONS_CAPITALISE_NEW_ONLY", default=True)
# As ADP knows the company and its pay. Files for ADP are made when these are given.
PAYROLL_ADP_COMPANY_CODE = env("PAYROLL_ADP_COMPANY_CODE", default="")
PAYROLL_ADP_IID = env("PAYROLL_ADP_IID", default="")
PAYROLL_ADP_EARNINGS_CODE = env("PAYROLL_ADP_EARNINGS_CODE", default="")
PAYROLL_ADP_PAY_FREQUENCY = env("PAYROLL_ADP_PAY_FREQUENCY", default="")

# --- Connectors -------------------------------------------------------------------------------------------------

# Systems inside the company's own network that sources may be: host:port of one, or a network such as 10.20.0.0/16.
CONNECTORS_ALLOWED_ADDRESSES = env.list("CONNECTORS_ALLOWED_ADDRESSES", default=[])
# Folders on the portal's machine whose SQLite files sources may be.
CONNECTORS_SQLITE_FOLDERS = env.list("CONNECTORS_SQLITE_FOLDERS", default=[])

# --- Files --------------------------------------------------------------------------------------------------------

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
FONTS_DIR = BASE_DIR / "fonts"  # of documents, brought by build_assets
STATIC_ROOT = Path(env("STATIC_ROOT", default=str(DATA_DIR / "static")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": env(
            "STATICFILES_STORAGE",
            default="whitenoise.storage.CompressedManifestStaticFilesStorage"
            if not DEBUG
            else "django.contrib.staticfiles.storage.StaticFilesStorage",
        )
    },
}
MEDIA_ROOT = DATA_DIR / "files"
MEDIA_URL = "files/"  # never served by path: each download goes through a view that asks who it is for
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
IMPORT_MAX_BYTES = env.int("IMPORT_MAX_BYTES", default=200 * 1024 * 1024)
FILE_UPLOAD_HANDLERS = [
    "salesops.connectors.receiving.BoundedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

# --- API ----------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_SCHEMA_CLASS": "salesops.core.viewsets.PortalSchema",
    "DEFAULT_PAGINATION_CLASS": "salesops.core.api.BoundedPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "PAGE_SIZE": 50,
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Salesops API",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated", "salesops.core.viewsets.ApiIsOn"],
    "ENUM_NAME_OVERRIDES": {
        "AccountStatus": "salesops.accounts.choices.AccountStatus",
        "LeadStatusCode": "salesops.leads.choices.LeadStatus",
        "SignalKind": "salesops.leads.choices.SignalKind",
        "AssignmentMethod": "salesops.leads.choices.AssignmentMethod",
        "PoolMethod": "salesops.leads.choices.PoolMethod",
        "ActivityKind": "salesops.activities.choices.ActivityKind",
        "StageKind": "salesops.deals.choices.StageKind",
        "ActivityOutcome": "salesops.activities.choices.Outcome",
        "GuardOutcome": "salesops.deals.choices.GuardOutcome",
        "EscalationState": "salesops.deals.choices.EscalationState",
        "HandOffState": "salesops.deals.choices.HandOffState",
        "TransactionKind": "salesops.commissions.choices.TransactionKind",
        "SettledKind": "salesops.commissions.choices.SettledKind",
        "AdjustmentKind": "salesops.commissions.choices.AdjustmentKind",
        "PeriodKind": "salesops.commissions.choices.PeriodKind",
        "VersionState": "salesops.commissions.choices.VersionState",
        "ContestState": "salesops.commissions.choices.ContestState",
        "PeriodState": "salesops.commissions.choices.PeriodState",
        "StatementState": "salesops.commissions.choices.StatementState",
        "AdjustmentState": "salesops.commissions.choices.AdjustmentState",
    },
}
DJANGO_TABLES2_TEMPLATE = "parts/table.html"
DJANGO_TABLES2_TABLE_ATTRS = {"class": "table"}

UNFOLD = {
    "SITE_TITLE": "Salesops",
    "SITE_HEADER": _("Salesops administration"),
    "SITE_URL": "/",
    "SHOW_HISTORY": True,
    "SITE_SYMBOL": "tune",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("img/mark.svg")}],
    "COLORS": {
        "primary": {
            "50": "239 245 254",
            "100": "220 232 252",
            "200": "189 211 248",
            "300": "145 182 242",
            "400": "94 146 233",
            "500": "52 112 214",
            "600": "28 89 184",
            "700": "23 71 149",
            "800": "21 59 121",
            "900": "19 50 100",
            "950": "12 32 66",
        }
    },
}

_log_format = env("LOG_FORMAT", default="text")
if _log_format not in ("text", "json"):
    raise ImproperlyConfigured(f'LOG_FORMAT is "text" or "json", not "{_log_format}".')
# A page that says no is an answer, not a warning; addresses of people are not written down.
DJANGO_STRUCTLOG_STATUS_4XX_LOG_LEVEL = logging.INFO
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
LOGGING = logging_settings(level=env("LOG_LEVEL", default="WARNING"), form=_log_format)
SILENCED_SYSTEM_CHECKS: list[str] = []
