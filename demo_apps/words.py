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
        "other": "Open the other site",
        "map": "Watch the map",
        "ended": "Your session has just ended.",
        "note": "This page changes by itself when the session ends.",
        "missing": "There is no such page",
        "why": "The address may be mistyped.",
        "start": "To the start page",
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
        "other": "打开另一个站点",
        "map": "查看会话图",
        "ended": "您的会话刚刚结束。",
        "note": "会话结束时，本页会自行变化。",
        "missing": "此页面不存在",
        "why": "地址可能输入有误。",
        "start": "前往首页",
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
