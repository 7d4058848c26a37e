"""Codes that only an examination from outside can find, with cause and cure. Those that requests meet, too, are in
`sso_client.error_texts`. `status` is the HTTP status of the trouble that people would see.
"""

from sso_client.error_text import ErrorText
from sso_client.error_texts import TEXTS

DOCTOR_TEXTS: dict[str, ErrorText] = {
    "tls_untrusted": ErrorText(
        503,
        "The sign-in service's certificate isn't trusted here.",
        "本机不信任认证中心的证书。",
        "Let the centre send its whole chain; name an authority of your own in SSO_CA_FILE.",
        "请让认证中心发送完整的证书链；自建的证书颁发机构请写入 SSO_CA_FILE。",
    ),
    "push_unsupported": ErrorText(
        502,
        "This sign-in service never tells a site that somebody has signed out.",
        "该认证服务从不通知站点有人已退出。",
        "Choose a provider with back-channel logout; until then shorten SSO_SESSION_MAX_AGE.",
        "请选用支持后端退出的服务；在此之前请缩短 SSO_SESSION_MAX_AGE。",
    ),
    "clock_skew": ErrorText(
        400,
        "The clocks of this host and of the centre differ: tokens seem expired or not yet valid.",
        "本机与认证中心的时钟不一致：令牌会显得已过期或尚未生效。",
        "Run NTP on both hosts.",
        "请在两台主机上启用 NTP。",
    ),
    "store_differs": ErrorText(
        500,
        "The running site keeps its local sessions elsewhere than these settings say.",
        "运行中的站点保存局部会话的位置与这些设置不同。",
        "Run the doctor with the site's own environment and in its folder, or restart the site with these settings.",
        "请在站点自己的环境和目录中运行 doctor，或用这些设置重启站点。",
    ),
    "store_evicts": ErrorText(
        503,
        "This Redis drops keys when its memory is full: sign-ins get lost, and ended sessions may be forgotten.",
        "该 Redis 在内存用尽时会删除键：用户会丢失登录，已结束的会话可能被遗忘。",
        "Set maxmemory-policy noeviction, and enough memory; give a cache a Redis of its own.",
        "请设置 maxmemory-policy noeviction 并留足内存；缓存请使用单独的 Redis。",
    ),
    "store_volatile": ErrorText(
        503,
        "This Redis may forget sign-ins and sign-outs when it restarts.",
        "该 Redis 重启后可能忘记登录与退出。",
        "Set appendonly yes.",
        "请设置 appendonly yes。",
    ),
    "settings_differ": ErrorText(
        500,
        "The running site uses other settings than this command.",
        "运行中的站点所用的设置与此命令不同。",
        "Run the doctor with the site's own environment, or restart the site with these settings.",
        "请在站点自己的环境中运行 doctor，或用这些设置重启站点。",
    ),
    "site_unreachable": ErrorText(
        503,
        "The running site doesn't answer there.",
        "运行中的站点在该地址没有应答。",
        "Start the site, or give its address: --url or SSO_BASE_URL. SSO_CA_FILE names an authority of your own.",
        "请启动站点，或用 --url 或 SSO_BASE_URL 给出其地址。自建的证书颁发机构请写入 SSO_CA_FILE。",
    ),
    "routes_missing": ErrorText(
        404,
        "The SDK's routes aren't there.",
        "找不到 SDK 的路由。",
        "Mount the SDK in the site, let the proxy pass on all below /sso/; --prefix says where else it is mounted.",
        "请在站点中挂载 SDK，并让代理转发 /sso/ 下的全部请求；若挂载在别处，请用 --prefix 指明。",
    ),
    "routes_guarded": ErrorText(
        403,
        "Something before the SDK's routes answers in their place.",
        "SDK 路由之前的某个环节代为应答。",
        "Let the site's own guard, its CSRF protection and its proxy pass on all below /sso/: the signed token is the "
        "proof of a logout call.",
        "请让站点自己的守卫、CSRF 保护和代理放行 /sso/ 下的全部请求：退出请求以签名令牌为凭证。",
    ),
    "cookie_stripped": ErrorText(
        400,
        "The cookie of a sign-in doesn't reach the browser: whoever comes back can't be recognised.",
        "登录所用的 Cookie 没有到达浏览器：返回时无法识别。",
        "Let no proxy and no middleware remove or rename the site's Set-Cookie headers.",
        "请勿让代理或中间件删除或改名站点的 Set-Cookie 响应头。",
    ),
    "cookie_unprotected": ErrorText(
        400,
        "The cookie of a sign-in is changed on the way: it is unprotected, or won't come back from the centre.",
        "登录所用的 Cookie 在途中被改动：失去保护，或无法从认证中心带回。",
        "Let no proxy and no middleware change the site's Set-Cookie headers (nginx: proxy_cookie_flags, "
        "proxy_cookie_path, proxy_cookie_domain).",
        "请勿让代理或中间件改动站点的 Set-Cookie 响应头"
        "（nginx：proxy_cookie_flags、proxy_cookie_path、proxy_cookie_domain）。",
    ),
    "cookie_too_large": ErrorText(
        400,
        "The cookie of a sign-in is, or soon will be, too large for browsers, which drop it.",
        "登录所用的 Cookie 已经或即将超出浏览器的上限而被丢弃。",
        "Let no proxy and no middleware encrypt or wrap cookies.",
        "请勿让代理或中间件对 Cookie 再次加密或包装。",
    ),
    "answer_cached": ErrorText(
        500,
        "Caches may keep what the site says about one person, and hand it to another.",
        "缓存可能保留站点对某个人的应答，并交给另一个人。",
        "Let no proxy and no middleware replace Cache-Control: no-store below /sso/.",
        "请勿让代理或中间件改写 /sso/ 下的 Cache-Control: no-store。",
    ),
    "logout_address_missing": ErrorText(
        502,
        "The centre has no address of this site to call when somebody signs out.",
        "认证中心没有本站的退出地址，有人退出时无法呼叫。",
        "At the centre: sso client update CLIENT_ID --backchannel-logout-uri BASE_URL/sso/backchannel-logout "
        "(and --delivery push).",
        "在认证中心执行：sso client update CLIENT_ID --backchannel-logout-uri BASE_URL/sso/backchannel-logout"
        "（以及 --delivery push）。",
    ),
    "callback_unreachable": ErrorText(
        502,
        "The centre can't reach this site's logout address: it hears of sign-outs at its check-ins only.",
        "认证中心无法到达本站的退出地址：本站只能在报到时得知退出。",
        "Open the way from the centre to that address (DNS, firewall, certificate), or register the right one.",
        "请打通从认证中心到该地址的通路（DNS、防火墙、证书），或登记正确的地址。",
    ),
    "callback_refused": ErrorText(
        502,
        "This site's logout address doesn't accept the centre's call.",
        "本站的退出地址不接受认证中心的呼叫。",
        "The site's log says why; a guard, CSRF protection or a proxy before it must let the call pass.",
        "站点日志中有原因；守卫、CSRF 保护或前面的代理必须放行该请求。",
    ),
    "callback_not_ours": ErrorText(
        502,
        "Something accepts the centre's logout calls that isn't the SDK: this site hears nothing of them.",
        "接受认证中心退出请求的不是 SDK：本站对此一无所知。",
        "Register this site's own address; let no proxy answer for it or drop the header Lockstep-Store.",
        "请登记本站自己的地址；代理不得代为应答或删除 Lockstep-Store 响应头。",
    ),
}


def text_of(code: str) -> ErrorText:
    """Cause and cure of either kind."""
    return DOCTOR_TEXTS.get(code) or TEXTS[code]
