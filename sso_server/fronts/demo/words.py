"""What the map says, in two languages."""

from __future__ import annotations

WORDS = {
    "en": {
        "lang": "en",
        "title": "The map",
        "lead": "Session → registered sites → the address each is called at → how it went. This page watches live.",
        "since": "signed in, since",
        "ended": "ended {at}: {reason}",
        "nobody": "Nobody is signed in. Open a site and sign in: the session appears here.",
        "no_sites": "No site has been opened in this session.",
        "no_address": "no logout address",
        "after": " after {ms} ms",
        "after_s": " after {s} s",
        "tries": " ({n} tries {error})",
        "safe_in": "can't be reached, safe in {s} s",
        "earlier": "Ended lately",
        "switches": "Break something",
        "cable": "Cut site two off",
        "cable_why": (
            "The connection between site two and the centre is cut, both ways: each drops the other's calls without "
            "an answer. Your browser still reaches both. Sign out at site one, then watch: the centre can't tell site "
            "two, and when its lease runs out, site two refuses everybody."
        ),
        "cable_on": "Site two is cut off.",
        "cable_off": "Site two is connected.",
        "cut": "Cut it off",
        "mend": "Connect it again",
        "kill": "Kill the centre after the next sign-out",
        "kill_why": (
            "As soon as the next sign-out is committed, the delivery process is killed (SIGKILL); the web workers "
            "follow half a second later, when your browser has its page. The demo starts them again, and the sites "
            "hear of the sign-out all the same: it is in the ledger."
        ),
        "kill_on": "The next sign-out kills the centre.",
        "kill_off": "The centre lives.",
        "killed": "It was killed at {at} and has been started again.",
        "arm": "Kill it next time",
        "disarm": "Let it live",
        "now": "Live now",
        "protocols": {"oidc": "OpenID Connect", "cas": "CAS"},
        "standings": {
            "registered": "will be called",
            "signed_out": "signed out",
            "trying": "being called",
            "safe": "lease over: admits nobody",
            "trying_no_bound": "being called",
            "not_told": "not told",
            "over": "local session over",
        },
        "reasons": {
            "sign_out": "signed out at the centre",
            "sign_out_everywhere": "signed out everywhere",
            "site_sign_out": "signed out at a site",
            "idle": "idle for too long",
            "absolute": "its time was up",
            "administrator": "ended by an administrator",
            "password_change": "the password was changed",
            "account_disabled": "the account was disabled",
            "token_reuse": "a stolen token came back",
            "client_removed": "a site was removed",
            "app_removed": "the person removed an app",
            "replaced": "somebody else signed in in this browser",
            "store_restored": "the store was restored",
        },
    },
    "zh": {
        "lang": "zh-Hans",
        "title": "会话图",
        "lead": "全局会话 → 注册系统 → 各自的注销地址 → 通知结果。本页实时更新。",
        "since": "已登录，始于",
        "ended": "{at} 结束：{reason}",
        "nobody": "目前无人登录。打开一个站点并登录，会话就会出现在这里。",
        "no_sites": "这个会话还没有打开任何站点。",
        "no_address": "没有注销地址",
        "after": "，用时 {ms} 毫秒",
        "after_s": "，用时 {s} 秒",
        "tries": "（已试 {n} 次 {error}）",
        "safe_in": "无法连接，{s} 秒后安全",
        "earlier": "最近结束",
        "switches": "制造故障",
        "cable": "切断站点二",
        "cable_why": (
            "双向切断站点二与认证中心之间的连接：双方都不回应对方的调用。您的浏览器仍可访问两者。请在站点一退出，然后观察："
            "认证中心无法通知站点二；租约到期后，站点二拒绝所有人。"
        ),
        "cable_on": "站点二已被切断。",
        "cable_off": "站点二连接正常。",
        "cut": "切断",
        "mend": "恢复连接",
        "kill": "下一次退出后强行终止认证中心",
        "kill_why": (
            "下一次退出提交之后，通知进程立即被强行终止（SIGKILL）；您的浏览器收到页面后，Web 进程也被终止。"
            "演示程序会重新启动它们，站点仍会得知这次退出：它已记在账上。"
        ),
        "kill_on": "下一次退出将终止认证中心。",
        "kill_off": "认证中心正常运行。",
        "killed": "已于 {at} 被终止，现已重新启动。",
        "arm": "下次终止",
        "disarm": "取消",
        "now": "当前会话",
        "protocols": {"oidc": "OpenID Connect", "cas": "CAS"},
        "standings": {
            "registered": "结束时将通知",
            "signed_out": "已退出",
            "trying": "正在通知",
            "safe": "租约已过：不再放行",
            "trying_no_bound": "正在通知",
            "not_told": "未通知",
            "over": "局部会话已过期",
        },
        "reasons": {
            "sign_out": "在认证中心退出",
            "sign_out_everywhere": "全部退出",
            "site_sign_out": "在站点退出",
            "idle": "长时间无操作",
            "absolute": "已到最长时间",
            "administrator": "由管理员结束",
            "password_change": "密码已更改",
            "account_disabled": "账号已停用",
            "token_reuse": "令牌被重复使用",
            "client_removed": "站点已移除",
            "app_removed": "用户移除了应用",
            "replaced": "他人在此浏览器登录",
            "store_restored": "存储已恢复",
        },
    },
}
