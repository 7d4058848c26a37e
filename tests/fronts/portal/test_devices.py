"""Browsers in words."""

import pytest
from flask import Flask
from flask_babel import Babel

from sso_server.fronts.portal.devices import device_in_words

AGENTS = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0": "Firefox on Windows",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.1 Safari/605.1.15": (
        "Safari on macOS"
    ),
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36": (
        "Chrome on Linux"
    ),
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0 Edg/131.0": "Edge on Windows",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/131.0 Mobile Safari/537.36": "Chrome on Android",
    "Mozilla/5.0 (iPad; CPU OS 18_1 like Mac OS X) AppleWebKit/605.1.15 CriOS/131.0 Mobile/15E148 Safari/604.1": (
        "Chrome on iPad"
    ),
    "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/131.0 Safari/537.36": "Chrome on ChromeOS",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) MicroMessenger/8.0.54 Safari/604.1": "WeChat on iPhone",
    "SomeKiosk/1.0 (Linux)": "A browser on Linux",
    "Safari/1": "Safari",
    "curl/8.5.0": "curl/8.5.0",
    "a\tb\x00\x07 c": "a b c",
    "": "An unknown device",
}


@pytest.mark.parametrize("agent", AGENTS)
def test_a_browser_is_named_as_people_name_it(agent: str) -> None:
    app = Flask(__name__)
    Babel(app)
    with app.test_request_context():
        assert device_in_words(agent) == AGENTS[agent]
