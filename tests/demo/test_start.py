"""What keeps the demo from starting is said at once, and nothing is started or changed."""

import subprocess
from pathlib import Path

import pytest

from tests.demo.conftest import COMMAND, Demo, four_ports, refused
from tests.support.browser import Browser
from tests.support.centre import clean_env
from tests.support.ports import free_port

pytestmark = pytest.mark.slow


def fails(data: Path, *options: str, **env: str) -> str:
    """The words of a demo that doesn't start."""
    done = refused(four_ports(), data, *options, **env)
    assert "alice" not in done.stdout
    return done.stderr


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Redis can't be used at redis://me:********@"), ("zh", "无法使用 redis://me:********@")],
)
def test_a_redis_that_is_away_is_one_line_without_its_password(tmp_path: Path, language: str, words: str) -> None:
    port = free_port()
    said = fails(tmp_path / "data", "--redis", f"redis://me:hunter2@127.0.0.1:{port}/0", "--language", language)
    assert said.startswith(f"Error: {words}127.0.0.1:{port}/0")
    assert len(said.splitlines()) == 1
    assert "hunter2" not in said


def test_a_site_with_the_sdk_accepts_the_trial_call_and_signs_nobody_out(demo: Demo) -> None:
    browser = Browser()
    browser.open(demo.one + "/account").sign_in("alice", demo.passwords["alice"])
    env = {**clean_env(), "SSO_DATA_DIR": str(demo.data / "centre"), "SSO_ISSUER": demo.issuer}
    argv = [*COMMAND[:-1], "client", "test", "site-one"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done
    assert "(the SDK answers)" in done.stdout
    assert "cure" not in done.stdout
    assert browser.open(demo.one + "/account").url == demo.one + "/account"
    assert 'data-state="in"' in browser.open(demo.one + "/").text


def test_a_second_demo_on_the_same_data_leaves_the_first_alone(demo: Demo, start_demo) -> None:
    """The last one of all: it ends the demo that they share."""
    assert f"A demo is running on {demo.data} already." in fails(demo.data)
    assert f"{demo.data} 上已有一个演示在运行" in fails(demo.data, "--language", "zh")
    assert Browser().open(demo.one + "/account").sign_in("alice", demo.passwords["alice"]).url == demo.one + "/account"
    demo.kill()
    assert start_demo(after=demo).ready().stop() == 0, "the lock goes with its process, however that ends"
