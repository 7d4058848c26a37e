"""Django under ASGI: what must not be a synchronous stream there."""

import asyncio
from typing import Any

from django.test import AsyncClient

from tests.support.sdk import new_sid


def test_under_asgi_an_open_page_is_answered_at_once_and_asks_again(django_sites: Any) -> None:
    alice = django_sites.browser(BASE_URL="http://localhost")
    alice.sign_in(sid=new_sid())

    async def ask() -> Any:
        http = AsyncClient()
        http.cookies = alice.http.cookies
        return await http.get("/sso/events", headers={"Sec-Fetch-Site": "same-origin"})

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.streaming) == (200, False)
    assert answer.content.startswith(b"retry: ")
