"""The README's picture is what the browser saw: signed in at two sites, of which one speaks CAS, then signed out at
that, and the other has changed by itself.

`LOCKSTEP_PICTURES=1 .venv/bin/pytest tests/journeys/test_picture.py` renews docs/pictures/demo.png.
"""

from __future__ import annotations

import base64
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.house.sources import ROOT
from tests.journeys.test_chromium import sign_in
from tests.support.centre import Centre, Site
from tests.support.chromium import chromium

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHEET = """<body style="margin:0;background:#d8dee6;font:600 17px system-ui">
<div style="display:grid;grid-template-columns:1fr
1fr;gap:18px;padding:18px;width:1364px;box-sizing:border-box">{cells}</div></body>"""
CELL = """<figure style="margin:0"><figcaption style="padding:0 2px 8px;color:#26323f">{text}</figcaption>
<img src="data:image/png;base64,{image}" style="width:100%;display:block;border-radius:10px;box-shadow:0 2px 10px
#0003"></figure>"""


def shot(page: Any) -> str:
    """The top of the page, as base64."""
    page.wait_for_load_state("networkidle")
    return base64.b64encode(page.screenshot(clip={"x": 0, "y": 0, "width": 900, "height": 560})).decode()


def test_a_sign_out_at_one_site_changes_the_open_page_of_the_other(tmp_path: Path) -> None:
    centre = Centre(tmp_path).start()
    sites = []
    try:
        centre.add_user("alice", "Alice")
        for client_id, name, color, kind in (
            ("one", "Site one", "#0f766e", "oidc"),
            ("three", "Site three", "#5b4bb7", "cas"),
        ):
            sites.append(
                Site(
                    centre,
                    client_id,
                    host=f"site-{client_id}.localhost",
                    settings={"SITE_NAME": name, "SITE_COLOR": color},
                    kind=kind,
                ).start()
            )
            centre.cli("client", "update", client_id, "--name", name)
        one, three = sites
        with chromium(tmp_path / "profile", viewport={"width": 900, "height": 560}) as (context, _):
            first, second, sheet = context.new_page(), context.new_page(), context.new_page()
            first.goto(one.base_url + "/account")
            sign_in(first, centre)
            first.wait_for_url(one.base_url + "/account")
            second.goto(three.base_url + "/account")
            # The start page stays open and watches; nobody touches it again.
            first.goto(one.base_url + "/")
            first.locator("[data-state=in]").wait_for()
            cells = [
                ("1. Signed in at site one, by OpenID Connect", shot(first)),
                ("2. Site three, by CAS, asks no question", shot(second)),
            ]
            second.goto(three.base_url + "/sso/logout")
            second.locator("form[action*='logout'] button").first.click()
            second.locator("[data-standing=signed_out]").nth(1).wait_for()
            first.locator("[data-state=out]").wait_for()
            cells += [("3. Signed out at site three", shot(second)), ("4. Site one has changed by itself", shot(first))]
            sheet.set_viewport_size({"width": 1364, "height": 940})
            sheet.set_content(SHEET.format(cells="".join(CELL.format(text=t, image=i) for t, i in cells)))
            artifact = ROOT / "tests" / "artifacts" / "demo.png"
            artifact.parent.mkdir(exist_ok=True)
            sheet.screenshot(path=str(artifact), full_page=True)
            assert artifact.stat().st_size > 20_000
            if os.environ.get("LOCKSTEP_PICTURES") == "1":
                shutil.copy2(artifact, ROOT / "docs" / "pictures" / "demo.png")
    finally:
        for site in sites:
            site.process.stop()
        centre.process.stop()
