#!/usr/bin/env python3
"""Writes docs/troubleshooting.md and docs/troubleshooting.zh.md: every error code of the SDK with its cause and its fix.

.venv/bin/python scripts/troubleshooting_pages.py            # --check: say whether they are up to date, write nothing
"""

import sys
from pathlib import Path

from sso_client.error_text import ErrorText
from sso_client.error_texts import TEXTS

DOCS = Path(__file__).resolve().parent.parent / "docs"
MADE = "<!-- Made by scripts/troubleshooting_pages.py from sso_client/error_texts.py. -->\n"
ENGLISH = f"""# Troubleshooting by error code

{MADE}
[中文](troubleshooting.zh.md)

An error of the SDK has a stable code. It stands on the page and, with a detail that only the log has, in the log under
the logger `sso_client`: `state_unknown: This sign-in was started ... Fix: ...`. On loopback and in debug mode the page
shows the fix as well. `python -m sso_client doctor` looks for most of these before anybody signs in
([what it checks](sdk-doctor.md)).

| what people see | begin with |
| --- | --- |
| nobody can sign in, the rest of the site works | [`discovery_unreachable`](#discovery_unreachable), [`issuer_mismatch`](#issuer_mismatch) |
| signing in goes round in circles | [`login_loop`](#login_loop), [`cookie_missing`](#cookie_missing) |
| everybody gets 503 at once | [`lease_expired`](#lease_expired), [`check_in_refused`](#check_in_refused) |
| signed out at the centre, still in at one site | [`store_not_shared`](#store_not_shared), and `sso signout show` at the centre |
| signing in fails behind a proxy only | [`proxy_headers_missing`](#proxy_headers_missing), [`redirect_uri_mismatch`](#redirect_uri_mismatch) |

"""
CHINESE = f"""# 按错误代码排查

{MADE}
[English](troubleshooting.md)

SDK 的每个错误都有固定的代码，显示在页面上，并连同仅供日志的细节写入名为 `sso_client` 的日志：`state_unknown: This sign-in was started ... Fix: ...`。
在本机回环地址或调试模式下，页面也会显示解决办法。`python -m sso_client doctor` 可以在用户登录之前查出其中大部分问题
（[检查内容](sdk-doctor.zh.md)）。

| 现象 | 先看 |
| --- | --- |
| 无人能登录，网站其余部分正常 | [`discovery_unreachable`](#discovery_unreachable)、[`issuer_mismatch`](#issuer_mismatch) |
| 登录时来回跳转 | [`login_loop`](#login_loop)、[`cookie_missing`](#cookie_missing) |
| 所有人同时看到 503 | [`lease_expired`](#lease_expired)、[`check_in_refused`](#check_in_refused) |
| 在认证中心已退出，某个站点仍处于登录状态 | [`store_not_shared`](#store_not_shared)，以及认证中心上的 `sso signout show` |
| 只有经过代理时登录失败 | [`proxy_headers_missing`](#proxy_headers_missing)、[`redirect_uri_mismatch`](#redirect_uri_mismatch) |

"""


def english(code: str, text: ErrorText) -> str:
    """One code in English."""
    return f"## {code}\n\nStatus {text.status}. {text.cause}\n\n**Fix:** {text.fix}\n"


def chinese(code: str, text: ErrorText) -> str:
    """One code in Chinese."""
    return f"## {code}\n\n状态码 {text.status}。{text.cause_zh}\n\n**解决办法：**{text.fix_zh}\n"


def pages() -> dict[Path, str]:
    """Both pages."""
    return {
        DOCS / "troubleshooting.md": ENGLISH + "\n".join(english(code, text) for code, text in TEXTS.items()),
        DOCS / "troubleshooting.zh.md": CHINESE + "\n".join(chinese(code, text) for code, text in TEXTS.items()),
    }


def main() -> int:
    """Write, or with --check compare."""
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.name} is out of date: run scripts/troubleshooting_pages.py")
        return 1 if stale else 0
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
