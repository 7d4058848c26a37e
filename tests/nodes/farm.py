"""Several nodes of one centre as an operator runs them: `sso serve` on ports of their own, each with its own data
directory, behind nginx with the documented configuration (docs/nodes/nginx.conf) and TLS.
"""

import contextlib
import itertools
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from sso_server.core.clients import Client
from tests.support.browser import Browser
from tests.support.centre import Centre, Process, clean_env, wait_until
from tests.support.certificates import make_authority
from tests.support.nginx import Nginx
from tests.support.ports import free_port
from tests.support.relying_party import RelyingParty

CONFIGURATION = Path(__file__).parents[2] / "docs/nodes/nginx.conf"
SECRET = "one-secret-for-all-nodes-0123456789abcdef"


class Node:
    """One `sso serve`."""

    def __init__(
        self,
        name: str,
        directory: Path,
        settings: Mapping[str, str],
        *,
        workers: int = 2,
        cwd: Path | None = None,
        run: Callable[[list[str]], list[str]] = lambda command: [sys.executable, "-m", "sso_server.cli", *command],
    ) -> None:
        """`run` makes a command line of the arguments of `sso`; `cwd` is where it is run."""
        self.name = name
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.window_port = free_port()
        #: nginx' address for this node alone: for a test that says which node is asked.
        self.window = f"https://127.0.0.1:{self.window_port}"
        self.log = directory / f"{name}.log"
        self.env = {**clean_env(), **settings, "SSO_DATA_DIR": str(directory / name)}
        argv = run(["serve", "--bind", f"127.0.0.1:{self.port}", "--workers", str(workers)])
        self._process = Process(argv, self.env, self.log, cwd=cwd)

    def start(self) -> "Node":
        """Ready when this returns."""
        self.begin()
        wait_until(self.is_ready, seconds=90, why=f"node {self.name} to be ready: {self.log.read_text()[-3000:]}")
        return self

    def begin(self) -> None:
        """Started, no more than that."""
        self._process.start()

    def is_ready(self) -> bool:
        """What it says itself."""
        assert self._process.popen is not None
        assert self._process.popen.poll() is None, self.log.read_text()[-3000:]
        return requests.get(self.address + "/readyz", timeout=5).status_code == 200

    def is_running(self) -> bool:
        """The supervisor lives."""
        return self._process.popen is not None and self._process.popen.poll() is None

    @property
    def pid(self) -> int:
        """The supervisor's."""
        assert self._process.popen is not None
        return self._process.popen.pid

    def stop(self) -> float:
        """SIGTERM; how many seconds it took until everything was gone."""
        begun = time.monotonic()
        assert self._process.stop() == 0
        return time.monotonic() - begun

    def kill(self) -> None:
        """kill -9 of all its processes."""
        self._process.kill()

    def wait_for_exit(self, seconds: float) -> int:
        """The exit code of one that ends by itself."""
        assert self._process.popen is not None
        return self._process.popen.wait(seconds)


class Hops(HTTPAdapter):
    """Sends what is addressed to the centre to one node after the other."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        super().__init__()
        self._turns = itertools.cycle(nodes)
        self.noted: list[tuple[str, str]] = []
        """Node, method and path of each request."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Over the next node's window; the browser doesn't notice."""
        node, sent = next(self._turns), request.copy()
        assert request.url is not None
        parts = urlsplit(request.url)
        sent.url = parts._replace(netloc=urlsplit(node.window).netloc).geturl()
        answer = super().send(sent, *args, **kwargs)
        answer.request, answer.url = request, request.url
        self.noted.append((node.name, f"{request.method} {parts.path}"))
        return answer


@dataclass
class Farm:
    """Nodes behind nginx, and what the tests do at the stores themselves (`centre`, which never runs)."""

    directory: Path
    centre: Centre
    nodes: list[Node]
    nginx: Nginx
    ca_file: str
    settings: dict[str, str]

    @property
    def issuer(self) -> str:
        """nginx' address."""
        return self.centre.issuer

    def browser(self) -> Browser:
        """Trusts nginx' certificate."""
        browser = Browser()
        browser.http.verify = self.ca_file
        return browser

    def hopping_browser(self) -> tuple[Browser, "Hops"]:
        """Each of its requests is answered by another node than the one before."""
        browser, hops = self.browser(), Hops(self.nodes)
        browser.http.mount(self.issuer, hops)
        return browser, hops

    def add_user(self, username: str) -> None:
        """An account with PASSWORD."""
        self.centre.add_user(username)

    def let_poll(self, client_id: str) -> None:
        """This site isn't called, it asks."""
        self.centre.cli("client", "update", client_id, "--delivery", "poll")

    def add_party(self, client_id: str, logout_uri: str = "") -> RelyingParty:
        """An OpenID Connect site without the SDK."""
        secret = f"secret-of-{client_id}-0123456789abcdef0123456789abcdef"
        redirect_uri = f"https://{client_id}.example/callback"
        client = Client(
            client_id=client_id,
            name=client_id,
            created_at=1,
            redirect_uris=(redirect_uri,),
            backchannel_logout_uri=logout_uri,
            id_token_alg="ES256",
        )
        self.centre.add_client(client, secret)
        return RelyingParty(self.issuer, client_id, secret, redirect_uri)

    def serve(self) -> None:
        """nginx begins."""
        self.nginx.write(configuration(self.directory, self.centre, self.nodes))
        self.nginx.start()

    def balance(self, nodes: Sequence[Node] | None = None) -> None:
        """nginx is told another list of nodes while it runs; returns when only its new workers take connections."""
        self.nginx.write(configuration(self.directory, self.centre, nodes or self.nodes))
        leaves = "gracefully shutting down"
        before = self.nginx.log().count(leaves)
        self.nginx.reload()
        # Until then the old workers still take new connections.
        wait_until(lambda: self.nginx.log().count(leaves) >= before + 2, seconds=30, why="nginx' old workers to leave")

    def answered(self) -> list[tuple[str, str, str]]:
        """Node, status and request line of every call so far, as nginx noted them. A call that was tried at two nodes
        names both, with a comma."""
        lines = (self.directory / "upstreams.log").read_text().splitlines()
        return [(node, status, request) for node, status, request in (line.split("|", 2) for line in lines)]


def configuration(directory: Path, centre: Centre, nodes: Sequence[Node]) -> str:
    """The documented file with this farm's addresses and certificate."""
    text = CONFIGURATION.read_text()
    port = centre.issuer.rpartition(":")[2]
    servers = "\n".join(f"    server 127.0.0.1:{node.port} max_fails=0;" for node in nodes)
    text, count = re.subn(r"(    server 10\.0\.0\.\d+:9000 max_fails=0;\n)+", servers + "\n", text)
    assert count == 1
    for old, new in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("listen 80;", f"listen 127.0.0.1:{centre.port};"),
        ("server_name sso.example.com;", "server_name 127.0.0.1;"),
        ("/etc/ssl/sso.example.com.pem", f"{directory}/127.0.0.1.pem"),
        ("/etc/ssl/sso.example.com.key", f"{directory}/127.0.0.1.pem"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    windows = [_window(directory, node) for node in nodes]
    noted = "log_format nodes '$upstream_addr|$upstream_status|$request';\n"
    noted += f"access_log {directory}/upstreams.log nodes;\n"
    return noted + text + "".join(windows)


def _window(directory: Path, node: Node) -> str:
    return f"""
server {{
    listen 127.0.0.1:{node.window_port} ssl;
    ssl_certificate {directory}/127.0.0.1.pem;
    ssl_certificate_key {directory}/127.0.0.1.pem;
    large_client_header_buffers 4 16k;
    location / {{
        proxy_pass http://127.0.0.1:{node.port};
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_buffer_size 16k;
        proxy_buffers 8 16k;
    }}
}}
"""


@contextlib.contextmanager
def running_farm(
    directory: Path, database_url: str, redis_url: str = "", count: int = 2, **settings: str
) -> Iterator[Farm]:
    """`count` nodes, ready, and nginx in front of them; `settings` by name (`session_idle="2"`)."""
    with contextlib.ExitStack() as stack:
        farm = make_farm(directory, shared_settings(database_url, redis_url, **settings))
        farm.nodes += [Node(f"node-{number}", directory, farm.settings) for number in range(1, count + 1)]
        for node in farm.nodes:
            stack.callback(stop_quietly, node)
            node.begin()
        for node in farm.nodes:
            wait_until(node.is_ready, seconds=90, why=f"node {node.name} to be ready")
        stack.callback(farm.nginx.stop)
        farm.serve()
        yield farm


def shared_settings(database_url: str, redis_url: str = "", **settings: str) -> dict[str, str]:
    """What all nodes of one centre have in common."""
    port = free_port()
    return {
        "SSO_ISSUER": f"https://127.0.0.1:{port}",
        "SSO_DATABASE_URL": database_url,
        "SSO_SECRET_KEY": SECRET,
        "SSO_TRUSTED_PROXIES": "127.0.0.1",
        "SSO_LOG_FORMAT": "json",
        "SSO_HASH_MEMORY_KIB": "8192",
        **({"SSO_REDIS_URL": redis_url} if redis_url else {}),
        **{f"SSO_{name.upper()}": value for name, value in settings.items()},
    }


def make_farm(directory: Path, settings: dict[str, str]) -> Farm:
    """No node yet, and nginx doesn't run."""
    make_authority(directory).context("127.0.0.1")
    centre = Centre(directory, settings.get("SSO_REDIS_URL", ""), settings)
    centre.issuer = settings["SSO_ISSUER"]
    nginx = Nginx(directory / "nginx", "", int(centre.issuer.rpartition(":")[2]))
    return Farm(directory, centre, [], nginx, f"{directory}/ca.pem", settings)


def stop_quietly(node: Node) -> None:
    """At the end of a test."""
    if node.is_running():
        node.stop()
