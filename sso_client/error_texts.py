"""Every error code with its HTTP status, its cause and its fix, in English and Chinese. Words only, no logic."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorText:
    """One code in words. `fix` is for whoever runs the site; pages show it on loopback or in debug only."""

    status: int
    cause: str
    cause_zh: str
    fix: str
    fix_zh: str


_AGAIN = ("Sign in again.", "请重新登录。")
_LOG = ("The log names the centre's error code.", "日志中有认证中心给出的错误代码。")
_CLIENT_ID = ("Check SSO_CLIENT_ID.", "请检查 SSO_CLIENT_ID。")
_CLOCKS = (
    "Compare the clocks of this host and of the centre; run NTP on both.",
    "请比较本机与认证中心的时钟，并在两边启用 NTP。",
)
_PROVIDER = (
    "Find out what answers at SSO_ISSUER: it doesn't behave like the centre.",
    "请检查 SSO_ISSUER 处应答的服务：它的行为与认证中心不符。",
)
_LOGOUT = (
    "The sender must send a logout token as OpenID Connect Back-Channel Logout 1.0 section 2.4 describes it.",
    "发送方必须按 OpenID Connect Back-Channel Logout 1.0 第 2.4 节发送退出令牌。",
)

TEXTS: dict[str, ErrorText] = {
    "settings_invalid": ErrorText(
        500,
        "The single sign-on settings can't work.",
        "单点登录的设置无法使用。",
        "Mend each line above.",
        "请逐条改正以上各项。",
    ),
    "discovery_unreachable": ErrorText(
        503,
        "The sign-in service can't be reached.",
        "暂时无法连接认证中心。",
        "Start the centre, or correct SSO_ISSUER.",
        "请启动认证中心，或改正 SSO_ISSUER。",
    ),
    "provider_unreachable": ErrorText(
        503,
        "The sign-in service can't be reached.",
        "暂时无法连接认证中心。",
        "Start the centre and check the network between this host and it.",
        "请启动认证中心，并检查两者之间的网络。",
    ),
    "provider_unavailable": ErrorText(
        503,
        "The sign-in service is busy or restarting.",
        "认证中心正忙或正在重启。",
        "Look at the centre's log; this site asks again by itself.",
        "请查看认证中心的日志；本站会自动重试。",
    ),
    "discovery_invalid": ErrorText(
        502,
        "The sign-in service describes itself wrongly.",
        "认证中心的自我描述有误。",
        *_PROVIDER,
    ),
    "issuer_mismatch": ErrorText(
        502,
        "The answer comes from another sign-in service than expected.",
        "应答来自另一个认证中心。",
        "Set SSO_ISSUER to exactly the `issuer` in the centre's discovery document.",
        "请把 SSO_ISSUER 设为与认证中心发现文档中的 issuer 完全一致。",
    ),
    "endpoint_origin": ErrorText(
        502,
        "The sign-in service names an address that isn't its own.",
        "认证中心给出了不属于它自己的地址。",
        "If the provider really uses that host, name its origin in SSO_ENDPOINT_ORIGINS.",
        "如果该服务确实使用那个主机，请把其来源写入 SSO_ENDPOINT_ORIGINS。",
    ),
    "redirect_uri_mismatch": ErrorText(
        502,
        "This site came back under another address than the registered one.",
        "本站返回时使用的地址与登记的不一致。",
        "Set SSO_BASE_URL to the address that people type; the log names the redirect_uri that was sent: register it.",
        "请把 SSO_BASE_URL 设为用户访问的地址；日志中有所发送的 redirect_uri，请登记它。",
    ),
    "state_unknown": ErrorText(
        400,
        "This sign-in was started in another browser or too long ago.",
        "这次登录是在另一个浏览器中开始的，或者已经过去太久。",
        "If it happens each time, the browser drops this site's cookies: check https, SSO_BASE_URL and the host.",
        "如果每次都这样，说明浏览器没有保留本站的 Cookie：请检查 https、SSO_BASE_URL 和主机名。",
    ),
    "answer_invalid": ErrorText(
        400,
        "The answer of the sign-in service can't be read.",
        "无法读取认证中心的应答。",
        *_PROVIDER,
    ),
    "sign_in_refused": ErrorText(403, "The sign-in service did not sign you in.", "认证中心没有让您登录。", *_LOG),
    "nonce_mismatch": ErrorText(
        400,
        "The sign-in doesn't belong to this browser.",
        "这次登录不属于这个浏览器。",
        *_AGAIN,
    ),
    "token_malformed": ErrorText(400, "A token can't be read.", "无法读取令牌。", *_PROVIDER),
    "token_oversize": ErrorText(400, "A token is larger than 16 KiB.", "令牌超过 16 KiB。", *_PROVIDER),
    "token_expired": ErrorText(
        400,
        "A token has expired or comes from the future.",
        "令牌已过期，或其时间在未来。",
        *_CLOCKS,
    ),
    "alg_not_allowed": ErrorText(
        400,
        "A token is signed in a way that isn't allowed.",
        "令牌的签名方式不被允许。",
        "Register the client with RS256 or ES256.",
        "请用 RS256 或 ES256 登记该客户端。",
    ),
    "signature_invalid": ErrorText(400, "A token's signature is wrong.", "令牌的签名有误。", *_PROVIDER),
    "audience_mismatch": ErrorText(
        400,
        "A token is meant for another site.",
        "令牌是发给另一个站点的。",
        *_CLIENT_ID,
    ),
    "typ_wrong": ErrorText(400, "A token is of another kind than expected.", "令牌的类型不符。", *_LOGOUT),
    "subject_missing": ErrorText(400, "A token names nobody.", "令牌没有指明任何人。", *_PROVIDER),
    "subject_mismatch": ErrorText(
        400,
        "The profile belongs to another person than the sign-in.",
        "资料与登录者不是同一个人。",
        *_PROVIDER,
    ),
    "event_missing": ErrorText(
        400,
        "The logout token carries no logout event.",
        "退出令牌中没有退出事件。",
        *_LOGOUT,
    ),
    "nonce_present": ErrorText(400, "The logout token carries a nonce.", "退出令牌中含有 nonce。", *_LOGOUT),
    "jti_missing": ErrorText(400, "The logout token carries no jti.", "退出令牌中没有 jti。", *_LOGOUT),
    "form_invalid": ErrorText(
        400,
        "The logout call isn't one form field `logout_token`.",
        "退出请求不是单个表单字段 logout_token。",
        *_LOGOUT,
    ),
    "key_unknown": ErrorText(
        400,
        "A token is signed with a key that the sign-in service doesn't publish.",
        "令牌所用的密钥未由认证中心公布。",
        *_PROVIDER,
    ),
    "key_pending": ErrorText(
        503,
        "A token is signed with a key that isn't known yet.",
        "令牌所用的密钥尚未获取。",
        "Send it again in half a minute: unknown keys are asked for at most that often.",
        "请半分钟后重发：未知密钥的查询频率有限。",
    ),
    "ticket_used": ErrorText(400, "This sign-in was already used.", "这次登录已经使用过。", *_AGAIN),
    "ticket_expired": ErrorText(400, "This sign-in took too long.", "这次登录耗时过长。", *_AGAIN),
    "ticket_other_client": ErrorText(
        400,
        "This sign-in belongs to another site.",
        "这次登录属于另一个站点。",
        *_CLIENT_ID,
    ),
    "ticket_unknown": ErrorText(
        400,
        "The sign-in service doesn't know this sign-in.",
        "认证中心不认识这次登录。",
        *_AGAIN,
    ),
    "ticket_refused": ErrorText(400, "The sign-in service refused this sign-in.", "认证中心拒绝了这次登录。", *_LOG),
    "pkce_mismatch": ErrorText(
        400,
        "The sign-in doesn't belong to this browser.",
        "这次登录不属于这个浏览器。",
        *_AGAIN,
    ),
    "session_ended": ErrorText(
        403,
        "You were signed out in the meantime.",
        "在此期间您已退出登录。",
        *_AGAIN,
    ),
    "client_refused": ErrorText(
        502,
        "The sign-in service doesn't accept this site's secret.",
        "认证中心不接受本站的密钥。",
        "Check SSO_CLIENT_ID and SSO_CLIENT_SECRET; `sso client rotate-secret` makes a new one.",
        "请检查 SSO_CLIENT_ID 与 SSO_CLIENT_SECRET；可用 sso client rotate-secret 生成新密钥。",
    ),
    "scope_unknown": ErrorText(
        400,
        "This sign-out doesn't say what to sign out of.",
        "这次退出没有说明要退出什么。",
        "Send scope=site, scope=browser or scope=everywhere, or none at all.",
        "请发送 scope=site、scope=browser 或 scope=everywhere，或者不发送。",
    ),
    "userinfo_refused": ErrorText(
        502,
        "The sign-in service did not hand out the profile.",
        "认证中心没有提供用户资料。",
        *_PROVIDER,
    ),
    "store_not_writable": ErrorText(
        503,
        "This site can't write its sign-in store.",
        "本站无法写入其登录存储。",
        "A file: let the site's user write it and its folder, or point SSO_STORE=sqlite:///path elsewhere. Redis: the log names what it refuses.",
        "文件：请让站点的运行用户能够写入该文件及其目录，或用 SSO_STORE=sqlite:///路径 指向别处。Redis：日志写明它拒绝了什么。",
    ),
    "store_busy": ErrorText(
        503,
        "This site's sign-in store is busy.",
        "本站的登录存储正忙。",
        "Another process holds the file for seconds: find it, or move the store to a local disk. A Redis answers too slowly or is loading.",
        "另一个进程占用该文件达数秒：请找出它，或把存储移到本地磁盘。若为 Redis：它应答过慢或正在加载。",
    ),
    "store_failed": ErrorText(
        503,
        "This site's sign-in store doesn't work.",
        "本站的登录存储出现故障。",
        "Check the disk's free space and health, or the way to the Redis; the log names the error.",
        "请检查磁盘空间与健康状况，或到 Redis 的连接；日志中有具体错误。",
    ),
    "store_other_client": ErrorText(
        500,
        "The sign-in store belongs to another site.",
        "该登录存储属于另一个站点。",
        "Give each client and issuer its own SSO_STORE.",
        "请为每个客户端和认证中心使用各自的 SSO_STORE。",
    ),
    "store_newer": ErrorText(
        500,
        "The sign-in store was written by a newer version.",
        "该登录存储由更新的版本写成。",
        "Upgrade lockstep-sso, or give this site another store: people then sign in again.",
        "请升级 lockstep-sso，或为本站换一个存储：用户将需要重新登录。",
    ),
    "lease_expired": ErrorText(
        503,
        "We can't confirm that you are still signed in.",
        "暂时无法确认您是否仍处于登录状态。",
        "Bring the centre back, or the network to it; this site ended nobody's session, all goes on by itself.",
        "请恢复认证中心或到它的网络；本站没有结束任何人的会话，恢复后一切自动继续。",
    ),
    "check_in_refused": ErrorText(
        502,
        "The sign-in service refuses this site's check-in.",
        "认证中心拒绝了本站的报到。",
        "Check SSO_CLIENT_ID and SSO_CLIENT_SECRET, and that the client is confidential.",
        "请检查 SSO_CLIENT_ID 与 SSO_CLIENT_SECRET，并确认客户端为机密客户端。",
    ),
    "check_in_malformed": ErrorText(
        502,
        "The sign-in service answered a check-in with something else.",
        "认证中心对报到的应答无法识别。",
        *_PROVIDER,
    ),
    "login_loop": ErrorText(
        400,
        "Signing in works, but the browser doesn't keep it.",
        "登录成功，但浏览器没有保留登录状态。",
        "The session cookie gets lost: check SSO_BASE_URL, https and whatever removes cookies on the way.",
        "会话 Cookie 丢失：请检查 SSO_BASE_URL、https 以及途中可能删除 Cookie 的环节。",
    ),
    "cookie_insecure": ErrorText(
        500,
        "Signing in over plain http isn't safe here.",
        "在此处通过明文 http 登录不安全。",
        "Serve the site over https and set SSO_BASE_URL=https://...; plain http works on loopback only.",
        "请通过 https 提供站点并设置 SSO_BASE_URL=https://...；明文 http 仅限本机回环地址。",
    ),
    "base_url_missing": ErrorText(
        500,
        "The site doesn't know its own address.",
        "站点不知道自己的地址。",
        "Set SSO_BASE_URL, or pass redirect_uri.",
        "请设置 SSO_BASE_URL，或传入 redirect_uri。",
    ),
    "login_required": ErrorText(401, "Please sign in first.", "请先登录。", *_AGAIN),
    "group_required": ErrorText(
        403,
        "Your account may not open this page.",
        "您的账号无权打开此页面。",
        "Add the account to one of the groups that the page asks for.",
        "请把该账号加入页面要求的组。",
    ),
    "account_refused": ErrorText(
        403,
        "This site has no account for you.",
        "本站没有您的账号。",
        "The site's own on_login refused the person; the log says whom.",
        "站点的 on_login 拒绝了此人；日志中有说明。",
    ),
    "auth_too_old": ErrorText(
        403,
        "This page needs a sign-in that is newer than the one that the sign-in service answered with.",
        "此页面要求更近的一次登录，而认证中心返回的登录时间过早。",
        "The centre must honour max_age and send auth_time; compare the clocks of both hosts.",
        "认证中心必须支持 max_age 并返回 auth_time；请比较两边主机的时钟。",
    ),
    "acr_unmet": ErrorText(
        403,
        "This page needs a stronger sign-in than the sign-in service answered with.",
        "此页面要求更强的登录方式，而认证中心返回的方式不够。",
        "Ask for an acr that the centre knows, or give the person that way of signing in.",
        "请使用认证中心支持的 acr，或为此人启用相应的登录方式。",
    ),
    "cookie_missing": ErrorText(
        400,
        "Your browser did not send this site's sign-in cookie back.",
        "浏览器没有把本站的登录 Cookie 发回来。",
        "The log says which it was: plain http with a Secure cookie, another host than SSO_BASE_URL, a POST from another site (SameSite), or cookies switched off.",
        "日志说明了原因：http 访问却设置了 Secure、主机与 SSO_BASE_URL 不同、来自其他站点的 POST（SameSite），或浏览器禁用了 Cookie。",
    ),
    "proxy_headers_missing": ErrorText(
        500,
        "This site takes https for http: a proxy before it isn't trusted.",
        "本站把 https 当成了 http：前面的代理未被信任。",
        "Set SSO_BASE_URL=https://..., and let the framework trust the proxy: ProxyFix(app.wsgi_app) for Flask, SECURE_PROXY_SSL_HEADER for Django, --proxy-headers for uvicorn.",
        "请设置 SSO_BASE_URL=https://...，并让框架信任代理：Flask 用 ProxyFix(app.wsgi_app)，Django 用 SECURE_PROXY_SSL_HEADER，uvicorn 用 --proxy-headers。",
    ),
    "store_not_shared": ErrorText(
        503,
        "The workers of this site don't share one sign-in store.",
        "本站的各个进程没有共用同一个登录存储。",
        "Give all workers of a host the same SSO_STORE file, and several hosts one SSO_STORE=redis://...",
        "请让同一主机的所有进程使用同一个 SSO_STORE 文件；多台主机请共用 SSO_STORE=redis://...",
    ),
    "tokens_missing": ErrorText(
        403,
        "There is no access token for this person that could still be used.",
        "没有可用的访问令牌。",
        "The centre gave no refresh token, or it was taken without one: let the person sign in again, and keep access tokens short only where they can be renewed.",
        "认证中心没有给出刷新令牌：请让用户重新登录。",
    ),
    "bearer_missing": ErrorText(
        401,
        "This address needs an access token.",
        "访问此地址需要访问令牌。",
        "Send Authorization: Bearer with an access token of the centre.",
        "请在请求中发送 Authorization: Bearer 和认证中心签发的访问令牌。",
    ),
    "bearer_invalid": ErrorText(
        401,
        "The access token isn't valid here.",
        "访问令牌在此无效。",
        "It has expired, was ended or revoked, or isn't meant for this site: the log says which. `sso client update --audience` at the centre lets another site's tokens in.",
        "令牌已过期、已结束或被撤销，或者不是发给本站的：日志中有说明。可在认证中心用 `sso client update --audience` 允许其他站点的令牌。",
    ),
    "bearer_scope": ErrorText(
        403,
        "The access token doesn't allow this.",
        "访问令牌不允许此操作。",
        "Ask for the scope when signing in (SSO_SCOPES of the calling site).",
        "请在登录时申请该 scope（调用方站点的 SSO_SCOPES）。",
    ),
    "guard_in_the_way": ErrorText(
        500,
        "Something of this site's own answers instead of single sign-on.",
        "本站自身的代码抢先回应了单点登录的请求。",
        "Let it through in the before_request guard: `if sso.is_own_route(): return None`; else sign-ins and sign-outs get lost.",
        "请在 before_request 中放行：`if sso.is_own_route(): return None`，否则登录和退出都会丢失。",
    ),
}
