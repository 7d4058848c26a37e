"""One logout call on a site's own request: the worker's message on the worker's only way out, nothing kept after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from time import monotonic

from sso_server.core.clients import Client
from sso_server.core.notifications import Answer, Notification
from sso_server.delivery import diagnosis
from sso_server.delivery.connection import ms_since
from sso_server.delivery.observation import Observation, Stage
from sso_server.delivery.outgoing import Builder
from sso_server.delivery.sender import GuardedSender


class TrialCaller:
    """`ports.LogoutCaller` through the guarded sender."""

    def __init__(self, builders: Mapping[str, Builder], make_sender: Callable[[], GuardedSender]) -> None:
        self._builders = builders
        self._make_sender = make_sender

    def call(self, row: Notification, client: Client) -> tuple[Answer, int]:
        # A sender for each call: a kept connection would lead each probe to the same one of the site's workers.
        with closing(self._make_sender()) as sender:
            post, seen = self._builders[row.kind](row, client), Observation()
            begun = monotonic()
            answer = sender.send(post.url, post.body, post.headers, allow_private=client.allow_private, seen=seen)
            took_ms = ms_since(begun)
        if answer.status is None and seen.stage is Stage.TLS:
            # What is wrong with the certificate, which is public: the ledger's code says only that there is no TLS.
            call = diagnosis.Call(answer, seen, began_at=row.ended_at, took_ms=took_ms)
            answer = replace(answer, error=diagnosis.of_certificate(call, is_https=True, now=row.ended_at).code)
        return answer, took_ms
