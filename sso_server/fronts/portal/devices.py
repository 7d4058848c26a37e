"""A browser's `User-Agent` in words: `Firefox on Windows`. A small table of our own; it decides nothing."""

from __future__ import annotations

from flask_babel import gettext

# The first token found wins: almost every browser also claims to be Chrome, and Chrome to be Safari.
_BROWSERS = (
    ("MicroMessenger/", "WeChat"),
    ("QQBrowser/", "QQ Browser"),
    ("HuaweiBrowser/", "Huawei Browser"),
    ("MiuiBrowser/", "Mi Browser"),
    ("UCBrowser/", "UC Browser"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("YaBrowser/", "Yandex Browser"),
    ("OPR/", "Opera"),
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Windows", "Windows"),
    ("HarmonyOS", "HarmonyOS"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
    ("FreeBSD", "FreeBSD"),
)
_RAW_LENGTH = 60


def device_in_words(user_agent: str) -> str:
    """Plain text, not yet escaped: what isn't recognised is shown as it came, cut short."""
    browser = next((name for token, name in _BROWSERS if token in user_agent), "")
    system = next((name for token, name in _SYSTEMS if token in user_agent), "")
    if browser and system:
        return str(gettext("%(browser)s on %(system)s", browser=browser, system=system))
    if system:
        return str(gettext("A browser on %(system)s", system=system))
    if browser:
        return browser
    raw = " ".join("".join(c if c.isprintable() else " " for c in user_agent).split())
    return raw[:_RAW_LENGTH] + ("…" if len(raw) > _RAW_LENGTH else "") if raw else str(gettext("An unknown device"))
