"""The few pages that a site shows by itself: plain, bilingual, escaped, with a strict policy. Framework-free."""

import base64
import hashlib
from html import escape

from sso_client.errors import SSOError

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5a6575;--line:#d5dbe3;--back:#f6f7f9;--card:#fff;--act:#1f5fbf}
@media (prefers-color-scheme:dark){
:root{--ink:#e8ecf2;--soft:#a3adbb;--line:#38414d;--back:#14181e;--card:#1d232b;--act:#7fb0ff}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:16px;background:var(--back);color:var(--ink);
font:16px/1.55 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif}
main{width:100%;max-width:30rem;background:var(--card);border:1px solid var(--line);border-radius:12px;padding:24px}
h1{margin:0 0 12px;font-size:1.35rem;line-height:1.3}
p{margin:0 0 12px;overflow-wrap:anywhere}.soft{color:var(--soft);font-size:.9rem}
a{color:var(--act)}.act{display:inline-block;min-height:44px;padding:9px 20px;border:1px solid var(--act);
border-radius:8px;background:none;color:var(--act);font:inherit;text-decoration:none;cursor:pointer}
form{margin:0}.choices{display:grid;gap:4px}.choices .act{width:100%}.choices .soft{margin:0 0 14px}
.first{background:var(--act);color:var(--card)}.row{display:flex;flex-wrap:wrap;gap:12px;align-items:center}
.act:focus-visible,a:focus-visible{outline:3px solid var(--act);outline-offset:2px}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_WORDS = {
    "en": {
        "sign_in": "Sign in",
        "again": "Try again",
        "home": "Go to the start page",
        "code": "Error code",
        "fix": "For whoever runs this site",
        "error_title": "That didn't work",
        "lease_title": "We can't confirm that you are still signed in",
        "lease_text": "The sign-in service can't be reached. Nothing was ended here: all goes on when it answers.",
        "unsafe_title": "Please sign in first",
        "weak_title": "Please confirm that it's you",
        "weak_text": "This needs a new sign-in: what you sent was not carried out. Sign in, then send it again.",
        "unsafe_text": "You aren't signed in any more: what you sent was not carried out. Sign in, then send it again.",
    },
    "zh": {
        "sign_in": "登录",
        "again": "重试",
        "home": "返回首页",
        "code": "错误代码",
        "fix": "给站点维护者",
        "error_title": "操作未能完成",
        "lease_title": "暂时无法确认您是否仍处于登录状态",
        "lease_text": "暂时无法连接认证中心。本站没有结束您的会话：连接恢复后会自动继续。",
        "unsafe_title": "请先登录",
        "weak_title": "请确认是您本人",
        "weak_text": "此操作需要重新登录，刚才提交的内容没有执行。请登录后重新提交。",
        "unsafe_text": "您已不在登录状态，刚才提交的内容没有执行。请登录后重新提交。",
    },
}


def language(accept_language: str) -> str:
    """`zh` or `en`, by the Accept-Language header; English when neither is asked for."""
    wishes = []
    for position, item in enumerate(accept_language[:500].split(",")):
        name, _, weight = item.strip().partition(";q=")
        try:
            wishes.append((-float(weight or 1), position, name.strip().lower()))
        except ValueError:
            continue
    for weight_, _, name in sorted(wishes):
        if weight_ < 0 and name[:2] in ("zh", "en"):
            return name[:2]
    return "en"


def headers(issuer_origin: str) -> dict[str, str]:
    """What every page of ours is sent with. A form may lead on to the centre: sign-out ends there."""
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Vary": "Accept-Language, Cookie",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
        f"form-action 'self' {issuer_origin}; frame-ancestors 'none'",
    }


def error_page(lang: str, error: SSOError, *, again: str | None, show_fix: bool) -> str:
    """A failure in words: cause, stable code and, for whoever runs the site, the fix. Never an exception's text."""
    zh = lang == "zh"
    if error.code == "lease_expired":
        title, text = _WORDS[lang]["lease_title"], _WORDS[lang]["lease_text"]
    else:
        title, text = _WORDS[lang]["error_title"], error.text.cause_zh if zh else error.text.cause
    extra = [f"{_WORDS[lang]['code']}: {error.code}"]
    if show_fix:
        extra.append(f"{_WORDS[lang]['fix']}: {error.text.fix_zh if zh else error.text.fix}")
    action = link(lang, "again", again) if again else link(lang, "home", "/")
    # Whoever waits for the centre needn't press anything. Not where a form was sent: that page would be asked for.
    waits = again is not None and error.code == "lease_expired"
    head = '<meta http-equiv="refresh" content="5">' if waits else ""
    return page(lang, title, text, extra, action, head)


def sign_in_page(lang: str, login_url: str, *, is_signed_in: bool = False) -> str:
    """Shown when something was sent by a person who isn't signed in: never a redirect that would lose it silently.

    `is_signed_in`: in another way than the page asks for.
    """
    return page(lang, *_pair(lang, "weak" if is_signed_in else "unsafe"), [], link(lang, "sign_in", login_url))


def _pair(lang: str, name: str) -> tuple[str, str]:
    return _WORDS[lang][f"{name}_title"], _WORDS[lang][f"{name}_text"]


def link(lang: str, word: str, url: str) -> str:
    """One of the shared words as a link that looks like a button."""
    return f'<a class="act" href="{escape(url)}">{escape(_WORDS[lang][word])}</a>'


def page(lang: str, title: str, text: str, extra: list[str], action: str, head: str = "") -> str:
    """A whole page: title and text are escaped here, `action` and `head` are HTML."""
    soft = "".join(f'<p class="soft">{escape(line)}</p>' for line in extra)
    return (
        f'<!doctype html><html lang="{"zh-CN" if lang == "zh" else "en"}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>{head}'
        f"<style>{_STYLE}</style></head><body><main><h1>{escape(title)}</h1><p>{escape(text)}</p>{soft}{action}"
        f"</main></body></html>"
    )
