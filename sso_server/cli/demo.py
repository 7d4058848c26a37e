"""`sso demo`: the centre and three demo sites on this machine, ready to click; it makes accounts, sites and data.

All of it runs as in earnest: gunicorn with two workers each, and the delivery process. Only the map is the demo's own.
"""

from __future__ import annotations

import contextlib
import fcntl
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import click

from sso_server.cli import demo_words, door, serve
from sso_server.cli.centre import Centre, open_centre, redis_trouble
from sso_server.cli.check import masked
from sso_server.cli.demo_cable import CUT_OFF
from sso_server.cli.demo_kill import listening
from sso_server.cli.output import Failed
from sso_server.cli.processes import Child
from sso_server.config import load
from sso_server.core.clients import CAS, OIDC, ClientSecret, check_client, site_client
from sso_server.core.errors import Refused
from sso_server.core.identifiers import digest
from sso_server.core.records import record
from sso_server.environment import child_environment
from sso_server.fronts.demo.switches import Switches

_HOST = "127.0.0.1"
# Short enough to be waited for: after a renewal, after an end.
_ACCESS_TOKEN_S = 15
_LEASE_S = 20
_PEOPLE = {"alice": "Alice", "bob": "Bob"}
_CALLS = "site-one"


@record
class DemoSite:
    """One demo site: its name in the terminal's language, its colour, its port, and how people sign in there."""

    client_id: str
    name: str
    color: str
    port: int
    protocol: str = OIDC

    @property
    def base_url(self) -> str:
        """Another site for the browser than the centre and the other sites: cookies can't be shared by accident."""
        return f"http://{self.client_id}.localhost:{self.port}"

    @property
    def inner_url(self) -> str:
        """Where the centre calls it: servers need no name for this machine."""
        return f"http://{_HOST}:{self.port}"


@click.command("demo")
@click.option(
    "--port",
    type=click.IntRange(1, 65_532),
    default=9000,
    show_default=True,
    help="The centre's port; the sites take the next three.",
)
@click.option("--redis", "redis_url", default="", metavar="URL", help="Keep sessions on Redis instead of SQLite.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("lockstep-data/demo"),
    show_default=True,
    help="Where everything is kept; the same data starts again.",
)
@click.option(
    "--language", envvar=["LC_ALL", "LC_MESSAGES", "LANG"], default="en", help="zh: Chinese. Taken from LANG if absent."
)
def demo(port: int, redis_url: str, data: Path, language: str) -> None:
    """Start the centre and three demo sites, ready to click."""
    words = "zh" if language.lower().startswith("zh") else "en"
    issuer = f"http://{_HOST}:{port}"
    names = demo_words.SITES[words]
    sites = (
        DemoSite(_CALLS, names[0], "#0f766e", port + 1),
        DemoSite(CUT_OFF, names[1], "#b4532a", port + 2),
        DemoSite("site-three", names[2], "#5b4bb7", port + 3, CAS),
    )
    _check_ports({"centre": port, **{site.client_id: site.port for site in sites}}, words)
    click.echo(demo_words.STARTING[words])
    _make_private(data)
    click.get_current_context().with_resource(_alone(data, words))
    settings = load(
        {}, issuer=issuer, data_dir=data.absolute() / "centre", redis_url=redis_url, access_token_life=_ACCESS_TOKEN_S
    )
    with open_centre(settings) as centre:
        if cause := redis_trouble(centre.services):
            raise Failed(demo_words.NO_REDIS[words].format(address=masked(redis_url), cause=cause.rstrip(".")))
        centre.signing_keys.ensure_keys()
        passwords = {username: _fresh_person(centre, username, name) for username, name in _PEOPLE.items()}
        secrets = {site.client_id: _register(centre, site) for site in sites}
    switches = Switches(settings.data_dir)
    switches.reset()
    own = {"SSO_ISSUER": issuer, "SSO_DATA_DIR": str(settings.data_dir)}
    own["SSO_ACCESS_TOKEN_LIFE"] = str(_ACCESS_TOKEN_S)
    own |= click.get_current_context().with_resource(serve.counted_together(settings.data_dir))
    environment = child_environment(**own, **({"SSO_REDIS_URL": redis_url} if redis_url else {}))
    children = [
        serve.web_child(f"{_HOST}:{port}", 2, environment, "sso_server.cli.demo_app:create_app()"),
        serve.deliver_child(environment),
        *(_site_child(site, sites, issuer, secrets[site.client_id], data, switches) for site in sites),
    ]
    children = [replace(child, output=_fresh_log(data / f"{child.name}.log")) for child in children]
    steps = demo_words.STEPS[words].format(
        **passwords,
        **{name: site.base_url for name, site in zip(("one", "two", "three"), sites, strict=True)},
        issuer=issuer,
        data=data,
    )
    addresses = [(_HOST, port), *((_HOST, site.port) for site in sites)]

    def started(kill: serve.Kill) -> None:
        click.echo(steps)
        with contextlib.suppress(OSError):
            # Nobody can be woken there: the second switch is not for this machine.
            click.get_current_context().with_resource(listening(settings.data_dir / "wake", switches, kill))

    code = serve.supervise(children, addresses=addresses, on_started=started)
    click.echo((demo_words.BROKEN if code else demo_words.STOPPED)[words].format(data=data), err=bool(code))
    raise SystemExit(code)


def _check_ports(ports: Mapping[str, int], words: str) -> None:
    """Every taken port is named before anything starts. Raises Failed."""
    taken = []
    for role, port in ports.items():
        try:
            door.check_port(_HOST, port)
        except door.PortTaken:
            taken.append(demo_words.TAKEN[words].format(port=port, role=role))
    if taken:
        raise Failed("\n".join(taken))


def _make_private(data: Path) -> None:
    """The data directory, for this user alone. Raises Failed."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        data.chmod(0o700)
    except OSError as error:
        raise Failed(f"Cannot use {data}: {error.strerror}.") from error


@contextlib.contextmanager
def _alone(data: Path, words: str) -> Iterator[None]:
    """No other demo on this data until ours has stopped: it would change the passwords and end the sessions of ours.

    The kernel drops the lock with our process, however that ends; children don't inherit it. Raises Failed.
    """
    try:
        file = (data / ".lock").open("ab")
    except OSError as error:
        raise Failed(f"Cannot use {data}: {error.strerror}.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Failed(demo_words.BUSY[words].format(data=data)) from error
        yield


def _fresh_log(path: Path) -> Path:
    """Empty at every start. The terminal is for the steps; what the parts say is for whoever looks for it."""
    path.write_bytes(b"")
    return path


def _fresh_person(centre: Centre, username: str, name: str) -> str:
    """The account with a new throw-away password; whoever was signed in from the last time is signed out."""
    random = centre.services.randomness.token("pw").removeprefix("pw-")
    password = "-".join((random[:4], random[4:8], random[8:12]))
    accounts = centre.services.accounts
    try:
        accounts.add(username, password, name=name, email=f"{username}@example.com", actor="demo")
    except Refused:
        accounts.enable(username, actor="demo")
        accounts.set_password(username, password, actor="demo")
        centre.finish_orders()
    return password


def _register(centre: Centre, site: DemoSite) -> str:
    """The site as a client, with a new secret: at every start, so that none has to be kept."""
    secret = centre.services.randomness.token("cs")
    fresh = site_client(
        site.client_id,
        site.name,
        site.base_url,
        centre.services.clock.now(),
        logout_base=site.inner_url,
        kind=site.protocol,
    )
    fresh = replace(fresh, secrets=(ClientSecret(digest(secret)),), lease_s=_LEASE_S)
    if site.client_id == _CALLS:
        # Site two's API reads these tokens by itself, and hears at its check-ins which of them were ended.
        fresh = replace(fresh, access_token="jwt", audience=(CUT_OFF,))
    client = check_client(fresh)
    if not centre.client_store.add(client):
        centre.client_store.update(client, centre.get_client(client.client_id))
    return secret


def _site_child(
    site: DemoSite, sites: tuple[DemoSite, ...], issuer: str, secret: str, data: Path, switches: Switches
) -> Child:
    """gunicorn with a demo site; the site knows nothing but its environment. Site two is at the end of a cable.

    Loaded before the workers are forked, which the SDK allows: the steps are on the screen sooner.
    """
    app, own = "demo_apps.site:create_app()", {}
    if site.client_id == CUT_OFF:
        app, own = "sso_server.cli.demo_cable:create_site()", {"SITE_CABLE": str(switches.cable.path)}
    elif site.client_id == _CALLS:
        (api,) = (one.inner_url for one in sites if one.client_id == CUT_OFF)
        memory = data.absolute() / f"{site.client_id}-memory"
        own = {"SITE_API": f"{api}/api/time", "SITE_MEMORY": str(memory)}
    argv = [
        sys.executable,
        "-m",
        "gunicorn",
        "--preload",
        "-b",
        f"{_HOST}:{site.port}",
        "-w",
        "2",
        "-k",
        "gthread",
        "--threads",
        "8",
    ]
    argv += ["--graceful-timeout", "3", "--log-level", "warning", "--no-control-socket", app]
    environment = child_environment(
        SSO_ISSUER=issuer,
        SSO_CLIENT_ID=site.client_id,
        SSO_CLIENT_SECRET=secret,
        SSO_BASE_URL=site.base_url,
        SSO_PROTOCOL=site.protocol,
        # A site's store belongs to one centre's address: with another --port it is another store.
        SSO_STORE=f"sqlite:///{data.absolute() / site.client_id}-{site.port}.sqlite3",
        SITE_NAME=site.name,
        SITE_COLOR=site.color,
        SITE_OTHER=" ".join(f"{other.base_url}/" for other in sites if other != site),
        SITE_MAP=f"{issuer}/demo/map",
        **own,
    )
    return Child(site.client_id, tuple(argv), environment)
