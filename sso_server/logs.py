"""Log lines: JSON for machines, text for a terminal. Never a password, a cookie, a ticket or a token."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog


def configure_logs(log_format: str) -> None:
    """Once per process. `log_format`: auto, json or text."""
    as_text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    # Plain: where `rich` happens to be installed, the default prints local variables, and with them tokens.
    text = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer: Any = text if as_text else structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if not as_text else _keep,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def _keep(_logger: Any, _name: str, event: Any) -> Any:
    return event
