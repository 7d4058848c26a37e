"""`sso backup` beside a running centre, `sso restore` after it was killed: whom that brings back is out everywhere."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from sso_server.cli import main
from tests.journeys.conftest import StartSite
from tests.journeys.test_back_in_time import LEASE_S, copied, epoch, is_signed_in, out_within_the_lease, sign_out
from tests.journeys.test_hard_times import signed_in_page
from tests.journeys.test_main_journey import sign_in, signed_in
from tests.support.browser import Browser
from tests.support.centre import Centre, wait_until

# What a kill at each step leaves is tests/cli/test_restore.py's; this is the whole story with real processes.
pytestmark = pytest.mark.engines


def restore(centre: Centre, file: Path) -> Any:
    return CliRunner().invoke(main, ["restore", str(file), "--yes"], env=centre.env)


def test_a_backup_that_is_put_back_brings_nobody_back(tmp_path: Path, start_site: StartSite) -> None:
    centre = Centre(tmp_path).start()
    try:
        centre.add_user()
        one = start_site(centre, "one", lease_s=LEASE_S, reachable=False)
        browser = Browser()
        sign_in(browser, one)
        file = tmp_path / "backup"
        held = centre.cli("backup", str(file))
        assert (held["users"], held["live_sessions"]) == (1, 1)
        assert signed_in_page(browser, one.base_url), "nobody notices a backup"
        before = epoch(one)
        site_cookies, thief = copied(browser), copied(browser)
        sign_out(browser, centre)
        signed_out_at = time.monotonic()

        refused = restore(centre, file)
        assert refused.exit_code == 1
        assert "in use" in refused.stderr
        centre.process.kill()
        done = restore(centre, file)
        assert done.exit_code == 0, (done.stderr, done.exception)
        centre.start()
        out_within_the_lease(site_cookies, one, signed_out_at)
        assert not is_signed_in(thief, centre), "it was carried out before anybody was served"
        assert epoch(one) not in ("", before)
        wait_until(lambda: not signed_in(site_cookies, one), seconds=20, why="the site to end its local session")
        (told,) = centre.cli("signout", "list")
        assert told["reason"] == "store_restored"
        assert requests.get(centre.issuer + "/readyz", timeout=5).status_code == 200
        sign_in(Browser(), one)
    finally:
        centre.process.stop()
