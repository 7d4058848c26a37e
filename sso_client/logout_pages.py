"""The pages of signing out at a site: what ends is said before and after, in plain words. Framework-free."""

from dataclasses import dataclass
from html import escape

from sso_client.pages import link, page

_WORDS = {
    "en": {
        "confirm_title": "Sign out?",
        "confirm_text": "Choose what to sign out of.",
        "browser": "Sign out",
        "browser_hint": "Ends this browser's sign-in: here, at the sign-in service and at every other site you opened.",
        "site": "Sign out of this site only",
        "site_hint": "You stay signed in at the sign-in service and at the other sites.",
        "everywhere": "Sign out on all devices",
        "everywhere_hint": "The sign-in service asks once more, then ends all your sessions, on every device.",
        "stay": "Stay signed in",
        "left_title": "Signed out of this site only",
        "left_text": "Nobody else was told. Unless you were signed out there meanwhile, you are still signed in at the "
        "sign-in service, and at the other sites that you opened in this browser; if you then open this site again, it "
        "signs you in without asking.",
        "left_browser": "Sign out everywhere in this browser",
        "back": "Back to this site",
        "not_everywhere_title": "Nothing was signed out",
        "not_everywhere_text": "The sign-in service can't be reached just now, so your other devices can't be signed "
        "out. You are still signed in here. You can sign out in this browser now, and on all devices later.",
        "not_anywhere_title": "Nothing was signed out",
        "not_anywhere_text": "The sign-in service can't be reached just now, so your devices can't be signed out. "
        "You aren't signed in at this site.",
        "again": "Try again",
        "nobody_title": "You aren't signed in here",
        "nobody_text": "There is nothing to sign out of at this site.",
        "out_title": "You are signed out",
        "out_text": "You are signed out here.",
        "out_later": "You are signed out here. The sign-in service can't be reached just now: "
        "the other sites will be told as soon as it is back.",
    },
    "zh": {
        "confirm_title": "要退出登录吗？",
        "confirm_text": "请选择要退出的范围。",
        "browser": "退出登录",
        "browser_hint": "结束此浏览器中的登录：本站、认证中心以及您打开过的所有其他站点。",
        "site": "仅退出本站",
        "site_hint": "您在认证中心和其他站点仍保持登录。",
        "everywhere": "在所有设备上退出",
        "everywhere_hint": "认证中心会再次确认，然后结束您在所有设备上的全部会话。",
        "stay": "保持登录",
        "left_title": "仅退出了本站",
        "left_text": "没有通知其他任何地方。除非您在此期间已在那里退出，否则您在认证中心以及在此浏览器中打开过的其他"
        "站点仍处于登录状态；此时再次打开本站，将不经询问直接登录。",
        "left_browser": "退出此浏览器中的所有站点",
        "back": "返回本站",
        "not_everywhere_title": "没有退出任何登录",
        "not_everywhere_text": "暂时无法连接认证中心，因此无法退出您的其他设备。您在本站仍处于登录状态。"
        "您可以现在退出此浏览器，稍后再退出所有设备。",
        "not_anywhere_title": "没有退出任何登录",
        "not_anywhere_text": "暂时无法连接认证中心，因此无法退出您的设备。您没有在本站登录。",
        "again": "重试",
        "nobody_title": "您没有在本站登录",
        "nobody_text": "本站没有需要退出的登录。",
        "out_title": "您已退出登录",
        "out_text": "您已退出本站。",
        "out_later": "您已退出本站。暂时无法连接认证中心：恢复后将立即通知其他站点。",
    },
}


@dataclass(frozen=True, slots=True)
class LogoutForm:
    """Where the buttons send to, with which proof; `back` is a page of this site, `left` what was left before."""

    url: str
    proof: str
    back: str
    left: str = ""


def confirm_page(lang: str, form: LogoutForm) -> str:
    """Asks what to sign out of before anything ends."""
    scopes = (_choice(lang, scope, first=scope == "browser") for scope in ("browser", "site", "everywhere"))
    action = _form(form, f'<div class="choices">{"".join(scopes)}</div>')
    return page(lang, *_pair(lang, "confirm"), [], action + _way(lang, "stay", form.back))


def left_page(lang: str, form: LogoutForm) -> str:
    """Signed out of this site alone: says what is still signed in, and how to end that too."""
    buttons = _button(lang, "browser", "left_browser", first=True) + _way(lang, "back", form.back)
    return page(lang, *_pair(lang, "left"), [], _form(form, f'<div class="row">{buttons}</div>'))


def not_everywhere_page(lang: str, form: LogoutForm, *, signed_in: bool) -> str:
    """The centre's page for all devices can't be had: nothing has ended. `signed_in` if there is a session here."""
    here = _button(lang, "browser", "left_browser") if signed_in else ""
    buttons = _button(lang, "everywhere", "again") + here + _way(lang, "back", form.back)
    words = _pair(lang, "not_everywhere" if signed_in else "not_anywhere")
    return page(lang, *words, [], _form(form, f'<div class="row">{buttons}</div>'))


def nobody_page(lang: str) -> str:
    """There is no local session to end."""
    return page(lang, *_pair(lang, "nobody"), [], link(lang, "home", "/"))


_TELL_AGAIN = '<meta http-equiv="refresh" content="5">'


def signed_out_page(lang: str, *, told_later: bool) -> str:
    """Signed out here; `told_later` if the centre hasn't heard of it yet."""
    words = _WORDS[lang]
    text = words["out_later" if told_later else "out_text"]
    # While something is left to tell, the page that says so keeps asking: it may be the site's only visitor.
    refresh = _TELL_AGAIN if told_later else ""
    return page(lang, words["out_title"], text, [], link(lang, "home", "/"), refresh)


def _form(form: LogoutForm, inner: str) -> str:
    fields = {"logout_form": form.proof, "next": form.back} | ({"left": form.left} if form.left else {})
    hidden = "".join(f'<input type="hidden" name="{name}" value="{escape(text)}">' for name, text in fields.items())
    return f'<form method="post" action="{escape(form.url)}">{hidden}{inner}</form>'


def _choice(lang: str, scope: str, *, first: bool) -> str:
    hint = f'<p class="soft" id="{scope}">{escape(_WORDS[lang][f"{scope}_hint"])}</p>'
    return _button(lang, scope, scope, first=first, described=True) + hint


def _button(lang: str, scope: str, word: str, *, first: bool = False, described: bool = False) -> str:
    style = "act first" if first else "act"
    by = f' aria-describedby="{scope}"' if described else ""
    return (
        f'<button class="{style}" type="submit" name="scope" value="{scope}"{by}>{escape(_WORDS[lang][word])}</button>'
    )


def _way(lang: str, word: str, back: str) -> str:
    return f'<a href="{escape(back)}">{escape(_WORDS[lang][word])}</a>'


def _pair(lang: str, name: str) -> tuple[str, str]:
    return _WORDS[lang][f"{name}_title"], _WORDS[lang][f"{name}_text"]
