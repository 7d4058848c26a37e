"""One story at a real `sso serve`: its lines hold no secret, its numbers are those of all processes, and stay so."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sso_server import config
from sso_server.cli import serve
from tests.metrics.story import Story
from tests.support.centre import WEB_SERVER, Centre, Process, clean_env, tree, wait_until
from tests.support.ports import free_port
from tests.support.services import OwnRedis

SECRET = "redis-pass/word+0123456789"
WORKERS = 3
KILLED = 2


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def story(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Story, OwnRedis | None]]:
    """A running centre with three workers, before anything has happened."""
    with contextlib.ExitStack() as stack:
        own, url = None, ""
        if request.param == "redis":
            own = OwnRedis(tmp_path / "redis", "--requirepass", SECRET)
            own.start()
            stack.callback(own.stop)
            url = f"redis://:{SECRET.replace('/', '%2F')}@127.0.0.1:{own.port}/0"
        centre = Centre(tmp_path, url)
        centre.process.argv[-1] = str(WORKERS)
        stack.callback(centre.process.stop)
        told = Story(centre.start())
        told.seen.add(SECRET)
        yield told, own


def numbers(centre: Centre) -> dict[str, float]:
    """`name{labels}` -> value, from whichever worker answers."""
    text = requests.get(centre.issuer + "/metrics", timeout=10).text
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def workers_of(centre: Centre) -> list[int]:
    """The web workers' processes."""
    assert centre.process.popen is not None
    found = [
        pid for pid in tree(centre.process.popen.pid) if Path(f"/proc/{pid}/comm").read_text().startswith("sso-web")
    ]
    return [pid for pid in found if len(tree(pid)) == 1]


def test_a_whole_story_leaves_numbers_of_all_processes_and_no_secret(story: tuple[Story, OwnRedis | None]) -> None:
    told, own = story
    centre = told.centre
    told.tell()
    wait_until(
        lambda: numbers(centre)['lockstep_notifications_final_total{state="acknowledged"}'] >= 2, why="archiving"
    )
    before = numbers(centre)
    expected = {
        'lockstep_sign_ins_total{outcome="signed_in"}': 1,
        'lockstep_sign_ins_total{outcome="wrong"}': 1,
        "lockstep_tickets_issued_total": 2,
        "lockstep_tickets_redeemed_total": 2,
        'lockstep_tickets_refused_total{reason="ticket_used"}': 1,
        'lockstep_check_ins_total{outcome="answered"}': 2,
        'lockstep_check_ins_total{outcome="refused"}': 1,
        'lockstep_sessions_ended_total{reason="sign_out"}': 1,
        'lockstep_delivery_attempts_total{outcome="acknowledged"}': 1,
        "lockstep_delivery_attempt_seconds_count": 1,
        'lockstep_process_starts_total{process="web"}': WORKERS,
    }
    assert {name: before.get(name) for name in expected} == expected
    _kill_workers_again_and_again(centre)
    after = numbers(centre)
    assert {name: after[name] for name in expected} == expected | {
        'lockstep_process_starts_total{process="web"}': WORKERS * (1 + KILLED)
    }
    assert after["lockstep_sessions_live"] <= 1, "the delivery process counts every ten seconds"
    text = requests.get(centre.issuer + "/metrics", timeout=10).text
    if own is not None:
        own.stop()
        unready = requests.get(centre.issuer + "/readyz", timeout=10)
        assert unready.json()["reasons"] == ["Redis cannot answer right now."]
        told.pages += [unready.text, requests.get(centre.issuer + "/sessions", timeout=20).text]
    assert centre.process.stop() == 0
    _no_secret(told, text)


def _kill_workers_again_and_again(centre: Centre) -> None:
    """kill -9, all of them, and their heirs; whoever comes after goes on counting in the same files."""
    files = sorted(path.name for path in (centre.directory / "centre" / "metrics").glob("*/*.db"))
    for _ in range(KILLED):
        old = workers_of(centre)
        assert len(old) == WORKERS
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda old=old: len(set(workers_of(centre)) - set(old)) == WORKERS, why="new workers")
        wait_until(lambda: requests.get(centre.issuer + "/healthz", timeout=5).ok, why="an answer")
    starts = 'lockstep_process_starts_total{process="web"}'
    wait_until(lambda: numbers(centre)[starts] == WORKERS * (1 + KILLED), why="all of them to be there")
    assert sorted(path.name for path in (centre.directory / "centre" / "metrics").glob("*/*.db")) == files


def _no_secret(told: Story, metrics: str) -> None:
    said = told.centre.log.read_text()
    # What the command says to whoever starts it is for them: the way in for the first administrator.
    lines = [
        line
        for line in said.splitlines()
        if "/setup?token=" not in line and not line.startswith(("There is no", "Lockstep serves"))
    ]
    entries = [json.loads(line) for line in lines]
    assert {"request", "ticket_issued", "ticket_redeemed", "notification_sent", "checked_in", "polled"} <= {
        entry["event"] for entry in entries
    }
    # granian says nothing of what it could not read.
    assert WEB_SERVER == "granian" or any(entry.get("logger") == "gunicorn.error" for entry in entries)
    assert all(entry["request_id"] for entry in entries if entry["event"] == "request")
    assert len(told.seen.values) >= 25
    assert told.seen.found_in("\n".join(lines)) == []
    assert told.seen.found_in(metrics) == []
    # A page's links and forms hold the address that it was asked for under, and its own CSRF token.
    shown = re.sub(r'<input type="hidden"[^>]*>|href="[^"]*"', "", "\n".join(told.pages))
    assert told.seen.found_in(shown) == []


def test_a_delivery_process_alone_answers_for_its_numbers_itself(tmp_path: Path) -> None:
    centre = Centre(tmp_path)
    serve.prepare(config.load({**centre.env}))
    port = free_port()
    argv = [sys.executable, "-m", "sso_server.cli", "deliver", "--metrics", f"127.0.0.1:{port}"]
    process = Process(argv, {**clean_env(), **centre.env}, centre.log)
    process.start()
    try:
        url = f"http://127.0.0.1:{port}/metrics"
        text = wait_until(lambda: requests.get(url, timeout=5).text, why="its numbers")
        assert 'lockstep_process_starts_total{process="delivery"} 1.0' in text
        wait_until(lambda: "lockstep_sessions_live 0.0" in requests.get(url, timeout=5).text, why="its count")
        assert requests.get(f"http://127.0.0.1:{port}/", timeout=5).status_code == 404
    finally:
        assert process.stop() == 0
