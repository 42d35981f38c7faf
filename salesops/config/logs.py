"""What the processes say, as lines to read or as one line of JSON an event.

Both forms carry what is bound around an event: the request's id and person (django-structlog), the job's number and kind. Neither holds
secrets of other systems.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import structlog

from salesops.core.vault import scrub

#: What every event gets, whoever said it.
_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


#: Addresses that vendors push to have a secret part, and what they ask in them is theirs.
_HOOK: Final = re.compile(r"(/hooks/[a-z0-9_-]+/)[^\s\"']+")


def _scrubbed(_logger: Any, _method: str, line: str) -> str:
    """The line as it is written, traceback and all, without secrets."""
    return _HOOK.sub(r"\1…", scrub(line))


def logging_settings(*, level: str, form: Literal["text", "json"]) -> dict[str, Any]:
    """Django's LOGGING: everything to standard error. Also tells structlog to say its own events the same way."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    # Neither form shows the values of variables beside a traceback: they may be secrets or somebody's pay.
    shown: list[Any] = (
        [
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
        if form == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=False, pad_event_to=0, pad_level=False, exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _SHARED,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shown, _scrubbed],
            }
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
    }
