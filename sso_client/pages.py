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
.act:focus-visible,a:focus-visible{outline:3px solid var(--act);outline-offset:2px}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_WORDS = {
    "en": {
        "sign_in": "Sign in",
        "again": "Try again",
        "home": "Go to the start page",
        "sign_out": "Sign out",
        "code": "Error code",
        "fix": "For whoever runs this site",
        "error_title": "That didn't work",
        "lease_title": "We can't confirm that you are still signed in",
        "lease_text": "The sign-in service can't be reached. You were not signed out; please try again in a moment.",
        "unsafe_title": "Please sign in first",
        "unsafe_text": "You aren't signed in any more: what you sent was not carried out. Sign in, then send it again.",
        "confirm_title": "Sign out?",
        "confirm_text": "This signs you out here and at every other site that uses this sign-in.",
        "nobody_title": "You aren't signed in here",
        "nobody_text": "There is nothing to sign out of at this site.",
        "out_title": "You are signed out",
        "out_text": "You are signed out here.",
        "out_later": "You are signed out here. The sign-in service can't be reached just now: "
        "the other sites will be told as soon as it is back.",
    },
    "zh": {
        "sign_in": "登录",
        "again": "重试",
        "home": "返回首页",
        "sign_out": "退出登录",
        "code": "错误代码",
        "fix": "给站点维护者",
        "error_title": "操作未能完成",
        "lease_title": "暂时无法确认您是否仍处于登录状态",
        "lease_text": "暂时无法连接认证中心。您没有被登出，请稍后重试。",
        "unsafe_title": "请先登录",
        "unsafe_text": "您已不在登录状态，刚才提交的内容没有执行。请登录后重新提交。",
        "confirm_title": "要退出登录吗？",
        "confirm_text": "您将退出本站以及使用此登录的所有其他站点。",
        "nobody_title": "您没有在本站登录",
        "nobody_text": "本站没有需要退出的登录。",
        "out_title": "您已退出登录",
        "out_text": "您已退出本站。",
        "out_later": "您已退出本站。暂时无法连接认证中心：恢复后将立即通知其他站点。",
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
    return _page(lang, title, text, extra, _link(lang, "again", again) if again else _link(lang, "home", "/"))


def sign_in_page(lang: str, login_url: str) -> str:
    """Shown when something was sent by a person who isn't signed in: never a redirect that would lose it silently."""
    return _page(lang, *_pair(lang, "unsafe"), [], _link(lang, "sign_in", login_url))


def confirm_page(lang: str, logout_url: str, token: str) -> str:
    """Asks before signing out; the form carries the proof that this site made it."""
    form = (
        f'<form method="post" action="{escape(logout_url)}">'
        f'<input type="hidden" name="logout_form" value="{escape(token)}">'
        f'<button class="act" type="submit">{escape(_WORDS[lang]["sign_out"])}</button></form>'
    )
    return _page(lang, *_pair(lang, "confirm"), [], form)


def nobody_page(lang: str) -> str:
    """There is no local session to end."""
    return _page(lang, *_pair(lang, "nobody"), [], _link(lang, "home", "/"))


_TELL_AGAIN = '<meta http-equiv="refresh" content="5">'


def signed_out_page(lang: str, *, told_later: bool) -> str:
    """Signed out here; `told_later` if the centre hasn't heard of it yet."""
    words = _WORDS[lang]
    text = words["out_later" if told_later else "out_text"]
    # While something is left to tell, the page that says so keeps asking: it may be the site's only visitor.
    refresh = _TELL_AGAIN if told_later else ""
    return _page(lang, words["out_title"], text, [], _link(lang, "home", "/"), refresh)


def _pair(lang: str, name: str) -> tuple[str, str]:
    return _WORDS[lang][f"{name}_title"], _WORDS[lang][f"{name}_text"]


def _link(lang: str, word: str, url: str) -> str:
    return f'<a class="act" href="{escape(url)}">{escape(_WORDS[lang][word])}</a>'


def _page(lang: str, title: str, text: str, extra: list[str], action: str, head: str = "") -> str:
    soft = "".join(f'<p class="soft">{escape(line)}</p>' for line in extra)
    return (
        f'<!doctype html><html lang="{"zh-CN" if lang == "zh" else "en"}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>{head}'
        f"<style>{_STYLE}</style></head><body><main><h1>{escape(title)}</h1><p>{escape(text)}</p>{soft}{action}"
        f"</main></body></html>"
    )
