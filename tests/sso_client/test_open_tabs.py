"""Open pages hear that they are signed out: by a short stream while one is free, else by asking again and again."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient
from starlette.testclient import TestClient
from werkzeug.test import Client
from werkzeug.test import TestResponse as Answer

from sso_client.flask import SSO
from sso_client.testing import FakeSSO
from sso_client.wsgi import SSOMiddleware
from tests.support.django_site import Browser, DjangoSites
from tests.support.plugin_site import make_starlette_site
from tests.support.sdk import MovedClock

THREADS = {"wsgi.multithread": True}
AGAIN, LATER, OVER = "retry: 1000\n\n", "retry: 5000\n\n", "event: over\ndata:\n\n"


@pytest.fixture
def site(fake_sso: FakeSSO, clock: MovedClock) -> Flask:
    app = Flask("site_with_tabs")
    sso = SSO(app, clock=clock)

    @app.get("/")
    def home() -> str:
        return render_template_string("{{ sso.tab_script() }}")

    assert sso.prefix == "/sso"
    return app


@pytest.fixture
def client(site: Flask) -> FlaskClient:
    return site.test_client()


@pytest.fixture
def stream(client: FlaskClient) -> Iterator[Callable[[], tuple[Answer, Iterator[bytes]]]]:
    """Opens streams of a threaded server; the parts of each."""
    opened: list[Answer] = []

    def start() -> tuple[Answer, Iterator[bytes]]:
        opened.append(client.get("/sso/events", environ_overrides=THREADS))
        return opened[-1], iter(opened[-1].response)

    yield start
    for answer in opened:
        answer.close()


def call_in(seconds: float, work: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, work)
    timer.start()
    return timer


def flask_stream(client: FlaskClient) -> str:
    return client.get("/sso/events", environ_overrides=THREADS).text


def test_an_open_page_is_told_within_about_a_second(client: FlaskClient, fake_sso: FakeSSO) -> None:
    fake_sso.sign_in(client, "alice")
    ended: list[float] = []

    def end() -> None:
        fake_sso.sign_out("alice")
        ended.append(time.monotonic())

    timer = call_in(0.3, end)
    answer = client.get("/sso/events", environ_overrides=THREADS)
    assert answer.text == AGAIN + OVER
    told = time.monotonic()
    timer.join()
    assert told - ended[0] < 6
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_page_on_an_event_loop_is_told(fake_sso: FakeSSO) -> None:
    with TestClient(make_starlette_site()) as client:
        fake_sso.sign_in(client, "alice")
        call_in(0.3, lambda: fake_sso.sign_out("alice"))
        assert client.get("/sso/events").text == AGAIN + OVER
        assert "EventSource" in client.get("/sso/tab.js").text


def test_a_page_of_a_plain_wsgi_application_is_told(fake_sso: FakeSSO) -> None:
    def tabs(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        start("200 OK", [("Content-Type", "text/html")])
        return [environ["sso"].tab_script().encode()]

    client = Client(SSOMiddleware(tabs))
    fake_sso.sign_in(client, "alice")
    assert client.get("/").text == '<script src="/sso/tab.js" data-sub="alice" defer></script>'
    call_in(0.3, lambda: fake_sso.sign_out("alice"))
    assert client.get("/sso/events", environ_overrides=THREADS).text == AGAIN + OVER


def test_streams_leave_the_threads_to_the_others(client: FlaskClient, fake_sso: FakeSSO, stream) -> None:
    fake_sso.sign_in(client, "alice")
    first, parts = stream()
    assert next(parts).decode() == AGAIN
    assert flask_stream(client) == LATER
    first.close()
    assert next(stream()[1]).decode() == AGAIN, "who closes a stream frees it"


def test_a_stream_that_nobody_read_occupies_nothing(client: FlaskClient, fake_sso: FakeSSO, stream) -> None:
    fake_sso.sign_in(client, "alice")
    for _ in range(3):
        stream()[0].close()
    assert next(stream()[1]).decode() == AGAIN


def test_a_worker_with_one_thread_never_waits(client: FlaskClient, fake_sso: FakeSSO) -> None:
    fake_sso.sign_in(client, "alice")
    assert client.get("/sso/events").text == LATER
    fake_sso.sign_out("alice")
    assert client.get("/sso/events").text == LATER + OVER


def test_a_stream_lasts_for_a_while_and_shows_that_it_lives(
    client: FlaskClient, fake_sso: FakeSSO, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_sso.sign_in(client, "alice")
    waited: list[float] = []
    monkeypatch.setattr("sso_client.waiting.time.sleep", waited.append)
    assert flask_stream(client) == AGAIN + ":\n\n" * 5
    assert waited == [1] * 25


def test_an_open_page_keeps_nobody_active(client: FlaskClient, fake_sso: FakeSSO, clock: MovedClock) -> None:
    fake_sso.sign_in(client, "alice")
    for _ in range(3):
        clock.go(31)
        assert client.get("/sso/events").text == LATER
    assert [told["active"] for told in fake_sso.provider.check_ins] == [[]] * len(fake_sso.provider.check_ins)
    assert fake_sso.provider.check_ins


def test_doubt_is_no_end(client: FlaskClient, fake_sso: FakeSSO, clock: MovedClock) -> None:
    fake_sso.sign_in(client, "alice")
    fake_sso.down()
    clock.go(61)
    assert client.get("/sso/me").status_code == 503
    assert client.get("/sso/events").text == LATER


def test_a_stranger_is_sent_to_me_and_another_site_away(client: FlaskClient) -> None:
    assert flask_stream(client) == AGAIN + OVER
    for site in ("cross-site", "same-site", "none"):
        answer = client.get("/sso/events", headers={"Sec-Fetch-Site": site}, environ_overrides=THREADS)
        assert (answer.status_code, answer.data) == (403, b"")
    assert client.post("/sso/events").status_code == 405


def test_the_script_is_one_file_that_browsers_keep(client: FlaskClient) -> None:
    script = client.get("/sso/tab.js")
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert script.headers["Cache-Control"] == "public, max-age=3600"
    assert "Set-Cookie" not in script.headers
    again = client.get("/sso/tab.js", headers={"If-None-Match": script.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert client.head("/sso/tab.js").status_code == 200


def test_the_tag_names_the_pages_person_and_its_page_is_not_cached(client: FlaskClient, fake_sso: FakeSSO) -> None:
    nobody = client.get("/")
    assert nobody.text == '<script src="/sso/tab.js" data-sub="" defer></script>'
    fake_sso.sign_in(client, '"><script>')
    page = client.get("/")
    assert page.text == '<script src="/sso/tab.js" data-sub="&quot;&gt;&lt;script&gt;" defer></script>'
    assert page.headers["Cache-Control"] == "no-store"
    assert "Cookie" in page.headers["Vary"]


def test_a_page_of_a_django_site_is_told(at_django: Browser) -> None:
    answer = at_django.http.get("/sso/events", **THREADS)
    assert b"".join(answer.streaming_content).decode() == AGAIN + OVER
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert at_django.get("/sso/tab.js").status_code == 200


def open_at_flask(fake_sso: FakeSSO, streams: int) -> Callable[[], Any]:
    app = Flask("site_with_streams")
    SSO(app, tab_streams=streams)
    client = app.test_client()
    fake_sso.sign_in(client, "alice")
    return lambda: client.get("/sso/events", environ_overrides=THREADS)


def open_at_wsgi(fake_sso: FakeSSO, streams: int) -> Callable[[], Any]:
    client = Client(SSOMiddleware(lambda *_: [], protect=[], tab_streams=streams))
    fake_sso.sign_in(client, "alice")
    return lambda: client.get("/sso/events", environ_overrides=THREADS)


def first_parts(start: Callable[[], Any], count: int) -> list[str]:
    """What each of so many pages hears first while all of them listen."""
    with ExitStack() as stack:
        answers = [start() for _ in range(count)]
        for answer in answers:
            stack.callback(answer.close)
        parts = [iter(getattr(answer, "streaming_content", None) or answer.response) for answer in answers]
        return [next(each).decode() for each in parts]


@pytest.mark.parametrize("open_at", [open_at_flask, open_at_wsgi])
def test_a_site_says_how_many_streams_its_threads_can_spare(
    fake_sso: FakeSSO, open_at: Callable[[FakeSSO, int], Callable[[], Any]]
) -> None:
    assert first_parts(open_at(fake_sso, 2), 3) == [AGAIN, AGAIN, LATER]


def test_a_django_site_says_how_many_streams_its_threads_can_spare(django_sites: DjangoSites) -> None:
    alice = django_sites.browser(TAB_STREAMS=2)
    alice.sign_in()
    assert first_parts(lambda: alice.http.get("/sso/events", **THREADS), 3) == [AGAIN, AGAIN, LATER]
