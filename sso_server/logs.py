"""Log lines: JSON for machines, text for a terminal. Never a password, a cookie, a ticket or a token.

What libraries say by Python's own logging, warnings, and errors that nobody caught become the same lines.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from json import JSONEncoder
from types import TracebackType
from typing import Any

import structlog

_QUERY = re.compile(r"\?\S*")
_QUOTED = re.compile(r"b?['\"].*", re.DOTALL)


def configure_logs(log_format: str) -> None:
    """Once per process. `log_format`: auto, json or text."""
    structlog.configure(
        processors=[*_common(), *_last(log_format)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # A line and its end in one write: several processes write to the same place.
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def take_over_logging(log_format: str) -> None:
    """Of the whole process: only for one that is ours alone (not for a command, not for a test)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_common()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_last(log_format)],
        )
    )
    logging.getLogger().handlers[:] = [handler]
    logging.getLogger().setLevel(logging.WARNING)
    logging.captureWarnings(True)
    server = logging.getLogger("gunicorn.error")
    server.handlers.clear()
    server.propagate = True
    if not server.filters:
        server.addFilter(_without_what_was_sent)
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _log_uncaught(args.exc_value, args.thread.name if args.thread else "")


def _common() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _last(log_format: str) -> list[Any]:
    if log_format == "text" or (log_format == "auto" and sys.stderr.isatty()):
        # Plain: where `rich` happens to be installed, the default prints local variables, and with them tokens.
        return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_as_json)]


#: Made once; `json.dumps` makes one for each line.
_JSON = JSONEncoder(ensure_ascii=False, default=repr)


def _as_json(event: dict[str, Any], **_: object) -> str:
    return _JSON.encode(event)


def _without_what_was_sent(record: logging.LogRecord) -> bool:
    """gunicorn quotes what it could not read, and addresses with their query: tokens and codes may be in both."""
    text = _QUERY.sub("?", record.getMessage())
    record.msg = _QUOTED.sub("", text) if text.startswith("Invalid") else text
    record.args = ()
    return True


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    _log_uncaught(error, "")


def _log_uncaught(error: BaseException | None, thread: str) -> None:
    structlog.get_logger("sso_server").critical("uncaught_error", thread=thread, exc_info=error)
