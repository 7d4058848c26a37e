"""No redirect is followed, of whatever kind and wherever to: the token goes to the registered address alone."""

import pytest

from sso_server.core.notifications import Answer
from sso_server.delivery.sender import GuardedSender
from tests.support.sinks import Sink

PLACES = {
    "another path": "/other",
    "another host of the site": "https://www.shop.example/logout",
    "somebody else": "http://127.0.0.1:{port}/collect",
    "the same over https": "https://127.0.0.1:{port}/logout",
    "the same with a slash": "/logout/",
    "the same": "/logout",
    "no scheme": "//127.0.0.1:{port}/collect",
    "the metadata of the cloud": "http://169.254.169.254/latest/meta-data/",
    "a file": "file:///etc/passwd",
    "a script": "javascript:alert(1)",
    "a user name": "http://token@127.0.0.1:{port}/",
    "nowhere": "",
}

#: Whoever answers so has read nothing: the same is wanted at another address.
SAME_PATH = ("another host of the site", "the same over https", "the same with a slash")


@pytest.mark.covers("line-104")
@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308, 399])
def test_a_redirect_is_an_answer(status: int) -> None:
    with Sink("ok") as elsewhere:
        location = f"http://127.0.0.1:{elsewhere.port}/collect"
        with Sink(str(status), headers={"Location": location}) as sink:
            sender = GuardedSender(allow_loopback=True)
            assert sender.send(sink.url, b"logout_token=x", {}) == Answer(status)
            sender.close()
            assert (sink.count, elsewhere.connections) == (1, 0)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("status", [302, 307, 308])
def test_no_place_is_worth_a_second_call(place: str, status: int) -> None:
    with Sink("ok") as elsewhere:
        location = PLACES[place].format(port=elsewhere.port)
        with Sink(str(status), headers={"Location": location}) as sink:
            sender = GuardedSender(allow_loopback=True)
            assert sender.send(sink.url, b"logout_token=x", {}) == Answer(status, elsewhere=place in SAME_PATH)
            sender.close()
            assert (sink.count, elsewhere.connections) == (1, 0)


@pytest.mark.parametrize(
    "headers",
    [
        {"Refresh": "0; url=http://127.0.0.1:{port}/"},
        {"Content-Location": "http://127.0.0.1:{port}/"},
        {"Link": '<http://127.0.0.1:{port}/>; rel="canonical"'},
        {"Alt-Svc": 'h2="127.0.0.1:{port}"'},
        {"WWW-Authenticate": "Basic realm=x", "Location": "http://127.0.0.1:{port}/"},
    ],
    ids=lambda headers: next(iter(headers)),
)
@pytest.mark.parametrize("status", [200, 401, 407, 421, 503])
def test_no_header_moves_the_call_either(headers: dict[str, str], status: int) -> None:
    with Sink("ok") as elsewhere:
        sent = {name: value.format(port=elsewhere.port) for name, value in headers.items()}
        with Sink(str(status), headers=sent) as sink:
            sender = GuardedSender(allow_loopback=True)
            assert sender.send(sink.url, b"logout_token=x", {}).status == status
            assert sender.send(sink.url, b"logout_token=x", {}).status == status
            sender.close()
            assert (sink.count, elsewhere.connections) == (2, 0)
