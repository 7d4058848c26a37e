"""One logout call on a site's own request: the worker's message on the worker's only way out, nothing kept after it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from time import monotonic

from sso_server.core.clients import Client
from sso_server.core.notifications import Answer, Notification
from sso_server.delivery.connection import ms_since
from sso_server.delivery.outgoing import Builder
from sso_server.delivery.sender import GuardedSender


class TrialCaller:
    """`ports.LogoutCaller` through the guarded sender."""

    def __init__(self, build: Builder, make_sender: Callable[[], GuardedSender]) -> None:
        self._build = build
        self._make_sender = make_sender

    def call(self, row: Notification, client: Client) -> tuple[Answer, int]:
        # A sender for each call: a kept connection would lead each probe to the same one of the site's workers.
        with closing(self._make_sender()) as sender:
            post = self._build(row, client)
            begun = monotonic()
            answer = sender.send(post.url, post.body, post.headers, allow_private=client.allow_private)
            return answer, ms_since(begun)
