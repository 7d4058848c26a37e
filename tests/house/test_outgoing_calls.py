"""The guarded sender is the centre's only way out: nothing else opens a connection to an address somebody chose."""

import pytest

from tests.house.sources import ROOT, dotted_names, python_files

#: what could call out -> the files that may use it
WAYS_OUT = {
    # The sender's connections; the wake-up's unix datagrams; the probe of our own port and of our own health; who has
    # still to hang up. The type of those that redis-py has opened.
    "socket.socket": (
        "sso_server/delivery/connection.py",
        "sso_server/delivery/wake.py",
        "sso_server/cli/door.py",
        "sso_server/cli/farewells.py",
        "sso_server/web/waiting.py",
        "sso_server/stores/redis/wire.py",
    ),
    "socket.create_connection": ("sso_server/cli/serve.py",),
    "socket.getaddrinfo": ("sso_server/delivery/resolver.py",),
    "socket.gethostbyname": (),
    # Its errors, and its reading of answers: neither opens a connection.
    "http.client": ("sso_server/delivery/connection.py", "sso_server/delivery/reply.py"),
    "urllib3": (),
    "urllib.request": (),
    "requests": (),
    "httpx": (),
    "aiohttp": (),
    # A loop that granian wants to be handed, and that never runs.
    "asyncio": ("sso_server/cli/granian_worker.py",),
    "smtplib": (),
    "ftplib": (),
    "imaplib": (),
    "poplib": (),
    "xmlrpc": (),
    "telnetlib": (),
    # Listens, and calls nobody.
    "socketserver": ("sso_server/metrics/server.py",),
    "jwt.PyJWKClient": (),
    "logging.handlers": (),
}
CENTRE = python_files("sso_server")


@pytest.mark.parametrize("name", WAYS_OUT)
def test_nothing_else_calls_out(name: str) -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for path in CENTRE
        if any(found == name or found.startswith(f"{name}.") for found in dotted_names(path))
    }
    assert users <= set(WAYS_OUT[name])


def test_a_guarded_connection_is_opened_by_the_sender_alone() -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for path in CENTRE
        if any(found.endswith("connection.Guarded") for found in dotted_names(path))
    }
    assert users == {"sso_server/delivery/sender.py"}
