"""The supervisor behind `sso serve`: migrates (alone, under a lock), starts the web workers and the delivery
process, restarts what dies.

Deliveries never live in threads of a web worker. SIGTERM or Ctrl-C: nobody is let in any more, what is at hand is
finished, deliveries last; all are gone within ten seconds.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic

import click
import structlog

from sso_server import wiring
from sso_server.cli.door import SETTLE_S, Door, PortTaken
from sso_server.cli.output import much_imported
from sso_server.cli.processes import Child, Process, share_memory, start, take_descriptors
from sso_server.clock import SystemClock
from sso_server.config import Settings, load
from sso_server.core import setup
from sso_server.core.errors import Unavailable
from sso_server.delivery.process import run_delivery
from sso_server.environment import METRICS_DIR, environment_with, metrics_dir
from sso_server.logs import configure_logs, take_over_logging
from sso_server.metrics.directory import supervised
from sso_server.metrics.numbers import Numbers
from sso_server.metrics.server import serving
from sso_server.secret_key import prepare_data_dir
from sso_server.stores.sql import schema
from sso_server.web.services import Services

_log = structlog.get_logger("sso_server.serve")
_STOP_S = 10.0
# Whoever stops last is asked so long after the others at the latest: the rest is what a send that hangs may need.
_LAST_AFTER_S = 3.0
GUNICORN_CONFIG = "python:sso_server.cli.gunicorn_config"


#: Ends a child by name with all its processes, at once and without a word (SIGKILL).
Kill = Callable[[str], None]


def serve(settings: Settings, bind: str, workers: int) -> int:
    """`sso serve`: the exit code. Raises PortTaken, ConfigError, Unavailable before anything is started."""
    configure_logs(settings.log_format)
    take_over_logging(settings.log_format)
    host, _, port = bind.rpartition(":")

    def say(_: Kill) -> None:
        for doubt in settings.doubts:
            click.echo(doubt, err=True)
        click.echo(f"Lockstep serves {settings.issuer} on {bind}. Ctrl-C ends it.")

    take_descriptors()
    with contextlib.closing(Door(host.strip("[]"), int(port))) as door:
        prepare(settings)
        with counted_together(settings.data_dir) as variables:
            env = environment_with(**variables)
            return supervise([*_forked(settings, door, workers, env), _delivering(env)], on_started=say)


def _forked(settings: Settings, door: Door, workers: int, env: Mapping[str, str]) -> list[Child]:
    """The web workers, as forks: read once here, the program is there at once and its memory is shared by all."""
    with much_imported():
        importlib.import_module("sso_server.app")
        importlib.import_module(f"sso_server.cli.{settings.web_server}_worker")
    if settings.web_server == "granian":
        # What takes callers there can't be told to leave one to another process: each has a door of its own.
        doors = [door, *(door.beside() for _ in range(1, workers))]
        return [_granian_child(number, one, env, own_core=settings.own_cores) for number, one in enumerate(doors)]
    child = web_child("", workers, env, door=door)
    return [replace(child, argv=child.argv[2:], run=_gunicorn)]


def _gunicorn() -> int:
    from gunicorn.app.wsgiapp import WSGIApplication

    WSGIApplication("%(prog)s [OPTIONS] [APP_MODULE]", prog="gunicorn").run()
    return 0


def _granian_child(number: int, door: Door, env: Mapping[str, str], *, own_core: bool) -> Child:
    name = f"web-{number + 1}"
    run = partial(_granian, door, number if own_core else None)
    return Child(name, ("sso", "serve", name), env, door=door, run=run)


def _granian(door: Door, core: int | None) -> int:
    from sso_server.cli import granian_worker

    return granian_worker.run(door.fd, core=core)


def _delivering(env: Mapping[str, str]) -> Child:
    return replace(deliver_child(env), argv=("sso", "deliver"), run=lambda: deliver(load()))


@contextlib.contextmanager
def counted_together(data_dir: Path) -> Iterator[dict[str, str]]:
    """The variable that tells our children where they put their numbers, so that each of them can answer for all."""
    with contextlib.ExitStack() as stack:
        try:
            directory = stack.enter_context(supervised(data_dir))
        except OSError as error:
            # A full disk: whoever comes up again after that must not be kept by numbers.
            _log.warning("metrics_not_shared", cause=str(error))
            yield {}
            return
        yield {METRICS_DIR: str(directory)}


def prepare(settings: Settings) -> None:
    """What one process does alone before any other starts: schema, keys, and the way in for the first administrator."""
    from sso_server.cli.centre import redis_trouble

    prepare_data_dir(settings)
    if not schema.is_current(settings.sql_url):
        # Here and not above: Alembic is the slowest import of all, and its memory would be every process's.
        from sso_server.stores.sql import migrate

        migrate.upgrade(settings.sql_url)
    # Redis' client is imported on the way.
    with much_imported():
        built = wiring.build(settings)
    try:
        built.signing_keys.ensure_keys()
        if trouble := redis_trouble(built.services):
            # Started all the same: after a power cut nobody should have to start the machines in the right order.
            words = (
                f"Redis can't be used now ({trouble.rstrip('.')}). Lockstep starts all the same and works once it can."
            )
            click.echo(words, err=True)
        else:
            # Who answers now is noted before anybody is served.
            with contextlib.suppress(Unavailable):
                built.services.restorations.state()
        if not built.services.users.list_users(1, admins_only=True):
            _offer_setup(settings, built.services)
    finally:
        built.close()


def _offer_setup(settings: Settings, services: Services) -> None:
    node = f"{socket.gethostname()} {settings.data_dir.absolute()}"
    token = setup.issue_at_start(node, services.one_time, services.randomness, services.clock)
    if token is None:
        click.echo(
            "There is no administrator yet. Another node has printed the link that makes one; sso admin setup-link"
            " makes a new one."
        )
        return
    click.echo("There is no administrator yet. This link makes one; it works once, for 30 minutes:")
    click.echo(f"  {settings.issuer}/setup?token={token}")


def deliver(settings: Settings, metrics: str | None = None) -> int:
    """`sso deliver`: the delivery worker with the sweeper, until SIGTERM or Ctrl-C. `metrics`: HOST:PORT.

    Raises PortTaken, ConfigError, Unavailable.
    """
    configure_logs(settings.log_format)
    take_over_logging(settings.log_format)
    built = wiring.build(settings, Numbers.open("delivery", metrics_dir()))
    try:
        with contextlib.ExitStack() as serving_metrics:
            if metrics:
                serving_metrics.enter_context(_metrics_at(metrics, built))
            run_delivery(
                built.worker(),
                built.sweeper(),
                threading.Event(),
                restorer=built.restorer(),
                census=built.census(),
                wake_path=built.wake_path,
            )
    finally:
        built.close()
    return 0


@contextlib.contextmanager
def _metrics_at(address: str, built: wiring.Built) -> Iterator[None]:
    host, _, port = address.rpartition(":")
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(serving(built.numbers, host.strip("[]"), int(port), built.settings.metrics_networks))
        except OSError as error:
            raise PortTaken(f"Cannot listen on {address}: {error.strerror}.") from error
        yield


def web_child(
    bind: str,
    workers: int,
    env: Mapping[str, str] | None,
    app: str = "sso_server.app:create_app()",
    *,
    door: Door | None = None,
) -> Child:
    """gunicorn with the centre's app, on `door` or, without one, on an address that it binds itself."""
    address = bind if door is None else f"fd://{door.fd}"
    argv = (sys.executable, "-m", "gunicorn", "-c", GUNICORN_CONFIG, "-b", address, "-w", str(workers), app)
    return Child("web", argv, env, door=door)


def deliver_child(env: Mapping[str, str] | None) -> Child:
    """The delivery worker and the sweeper."""
    return Child("delivery", (sys.executable, "-m", "sso_server.cli", "deliver"), env, stops_last=True)


def supervise(
    children: Sequence[Child],
    *,
    addresses: Sequence[tuple[str, int]] = (),
    on_started: Callable[[Kill], None] = lambda _: None,
) -> int:
    """Run the children until SIGTERM or SIGINT; 0 after a clean stop, 1 when a child keeps dying at once.

    `on_started` is called once, as soon as there is an answer from all the addresses, with the way to kill a child.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    # Whoever started us may ignore it, and we would inherit that: nobody could say then how a child ended.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    clock = SystemClock()
    doors = list(dict.fromkeys(child.door for child in children if child.door is not None))
    share_memory()
    running = {child.name: (child, start(child, doors), clock.now()) for child in children}
    quick_deaths = dict.fromkeys(running, 0)

    def kill(name: str) -> None:
        _, process, _ = running[name]
        # Asked first: a process that has ended has no id any more, and another may have it.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)

    code = 0
    silent = list(addresses)
    announced = False
    while not stop.wait(0.2):
        silent = [address for address in silent if not answers(address)]
        if not silent and not announced:
            announced = True
            on_started(kill)
        for name, (child, process, started) in list(running.items()):
            status = process.poll()
            if status is None:
                continue
            quick_deaths[name] = quick_deaths[name] + 1 if clock.now() - started < 15_000 else 0
            if quick_deaths[name] >= 5:
                _log.error("child_keeps_dying", child=name, status=status)
                code = 1
                stop.set()
                break
            _log.warning("child_died", child=name, status=status, restarting=True)
            if quick_deaths[name]:
                stop.wait(0.5 * quick_deaths[name])
            running[name] = (child, start(child, doors), clock.now())
    _stop([(child, process) for child, process, _ in running.values()])
    return code


def answers(address: tuple[str, int]) -> bool:
    """Whether an application answers there, whatever it says: gunicorn listens well before its workers are up."""
    try:
        with socket.create_connection(address, timeout=1) as connection:
            connection.sendall(f"GET /healthz HTTP/1.0\r\nHost: {address[0]}:{address[1]}\r\n\r\n".encode())
            return connection.recv(5) == b"HTTP/"
    except OSError:
        return False


def _stop(running: Sequence[tuple[Child, Process]]) -> None:
    deadline = monotonic() + _STOP_S
    doors = list(dict.fromkeys(child.door for child, _ in running if child.door is not None))
    for door in doors:
        door.refuse_newcomers()
    if doors:
        threading.Event().wait(SETTLE_S)
    first = [process for child, process in running if not child.stops_last]
    last = [process for child, process in running if child.stops_last]
    _ask(first)
    for door in doors:
        door.close()
    # A sign-out of the last moment is still told from here, where there may be no other node.
    _wait(first, monotonic() + _LAST_AFTER_S)
    _ask(last)
    for process in _wait([*first, *last], deadline):
        # What it had claimed is claimed by others when its claims have run out.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _ask(processes: Sequence[Process]) -> None:
    for process in processes:
        if process.poll() is None:
            process.terminate()


def _wait(processes: Sequence[Process], until: float) -> list[Process]:
    """Who is still there then (monotonic seconds)."""
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.05, until - monotonic()))
    return [process for process in processes if process.poll() is None]
