"""What a demo site says, in two languages; the SDK's events are English and have their Chinese twins here."""

from __future__ import annotations

from sso_client import Event

WORDS = {
    "en": {
        "lang": "en",
        "in": "Signed in",
        "out": "Signed out",
        "asked": "You typed your password for this.",
        "silent": "No question was asked: the centre knew you already.",
        "stranger": "Nobody is signed in here.",
        "log": "What this site saw",
        "empty": "Nothing yet.",
        "sign_in": "Sign in",
        "sign_out": "Sign out",
        "sign_out_where": "here and at every site in this browser",
        "other": "Open {host}",
        "speaks": "speaks {protocol}",
        "map": "Watch the map",
        "ended": "Your session has just ended.",
        "note": "This page changes by itself when the session ends.",
        "missing": "There is no such page",
        "why": "The address may be mistyped.",
        "start": "To the start page",
        "ask": "Ask site two's clock",
        "ask_again": "Ask once more with the token of before",
        "clock": "Site two's clock, asked by this site",
        "clock_token": "Token …{end}, good for {seconds} more seconds. With less than 5 left it is renewed; nobody is "
        "asked.",
        "clock_still": "You are signed out; site two, which reads the token by itself, has not heard of it yet. It "
        "will at its next check-in, within 20 seconds: this page asks again by itself.",
        "clock_refused": "You are signed out, and site two has heard of it: token …{end} opens nothing any more.",
        "clock_away": "Site two doesn't serve its API at the moment.",
    },
    "zh": {
        "lang": "zh-Hans",
        "in": "已登录",
        "out": "未登录",
        "asked": "您为此输入了密码。",
        "silent": "没有任何询问：认证中心已经认识您。",
        "stranger": "目前无人在本站登录。",
        "log": "本站的记录",
        "empty": "还没有记录。",
        "sign_in": "登录",
        "sign_out": "退出登录",
        "sign_out_where": "本站及此浏览器中的所有站点",
        "other": "打开 {host}",
        "speaks": "采用 {protocol}",
        "map": "查看会话图",
        "ended": "您的会话刚刚结束。",
        "note": "会话结束时，本页会自行变化。",
        "missing": "此页面不存在",
        "why": "地址可能输入有误。",
        "start": "前往首页",
        "ask": "查询站点二的时钟",
        "ask_again": "用先前的令牌再查询一次",
        "clock": "由本站查询的站点二的时钟",
        "clock_token": "令牌 …{end}，还有 {seconds} 秒有效。不足 5 秒时会自动续期，不作任何询问。",
        "clock_still": "您已退出；站点二自行检查令牌，尚未得知。它将在 20 秒之内的下次报到时得知，本页会自动再次查询。",
        "clock_refused": "您已退出，站点二也已得知：令牌 …{end} 不再有任何作用。",
        "clock_away": "站点二目前不提供其接口。",
    },
}
_EVENTS_ZH = {
    "ticket_validated": "已向认证中心验证令牌",
    "session_opened": "已建立局部会话",
    "session_refused": "期间已退出：未建立局部会话",
    "logout_received": "收到注销调用，局部会话已结束",
    "logout_received_early": "收到注销调用，本站没有对应的局部会话",
    "signed_out_here": "在本站退出，局部会话已结束",
    "left_here": "仅退出了本站，没有通知认证中心",
    "sign_out_pending": "尚未能通知认证中心，下次报到时再通知",
    "sign_out_confirmed": "认证中心已确认由本站发起的退出",
    "token_renewed": "访问令牌已续期，没有询问任何人",
    "ended_at_check_in": "报到时得知已退出，局部会话已结束",
    "refresh_refused": "认证中心拒绝续期访问令牌，局部会话已结束",
}


def event_text(language: str, event: Event) -> str:
    """The event in the reader's language; one without a translation stays as the SDK wrote it."""
    if language != "zh" or event.kind not in _EVENTS_ZH:
        return event.text
    text = _EVENTS_ZH[event.kind]
    if event.kind == "session_opened":
        text += "（没有询问）" if "no question" in event.text else "（输入了密码）"
    if event.after_ms is not None:
        text += (
            f"，点击后 {event.after_ms} 毫秒" if event.after_ms < 10_000 else f"，点击后 {event.after_ms // 1000} 秒"
        )
    return text
