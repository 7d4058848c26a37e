"""Every error code with its HTTP status, its cause and its fix, in English and Chinese. Words only, no logic.

Here what goes wrong between the site and its provider; what goes wrong at the site itself is in `site_error_texts`.
"""

from sso_client.error_text import ErrorText
from sso_client.site_error_texts import SITE_TEXTS

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
        "Start the centre, or correct SSO_ISSUER; the log says what is in the way. If it is a certificate of your own authority: SSO_CA_FILE.",
        "请启动认证中心，或改正 SSO_ISSUER；日志说明了无法连接的原因。若原因是自建机构签发的证书：请设置 SSO_CA_FILE。",
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
        "Register the client with RS256, ES256 or EdDSA.",
        "请用 RS256、ES256 或 EdDSA 登记该客户端。",
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
    "cas_not_offered": ErrorText(
        502,
        "The sign-in service doesn't speak the protocol that this site uses (CAS).",
        "认证中心不支持本站所用的协议（CAS）。",
        "Its discovery document lacks cas_server_url: upgrade the centre, or unset SSO_PROTOCOL. For another CAS server set SSO_CAS_URL.",
        "其发现文档中没有 cas_server_url：请升级认证中心，或取消 SSO_PROTOCOL。若为其他 CAS 服务器，请设置 SSO_CAS_URL。",
    ),
    "cas_unreachable": ErrorText(
        503,
        "The sign-in service can't be reached.",
        "暂时无法连接认证中心。",
        "Start the CAS server, or correct SSO_CAS_URL: it is what stands before /login in that server's addresses.",
        "请启动 CAS 服务器，或改正 SSO_CAS_URL：它是该服务器地址中 /login 之前的部分。",
    ),
    "cas_answer_invalid": ErrorText(
        502,
        "The sign-in service's answer to a ticket can't be read.",
        "无法读取认证中心对票据的应答。",
        "Find out what answers at SSO_CAS_URL (or at the centre's /cas) with /p3/serviceValidate below it: a CAS server answers with a small XML document.",
        "请检查 SSO_CAS_URL（或认证中心的 /cas）下 /p3/serviceValidate 处应答的服务：CAS 服务器应返回一个小的 XML 文档。",
    ),
    "not_in_cas": ErrorText(
        500,
        "This site signs people in by CAS, which has no such thing.",
        "本站通过 CAS 登录，该协议没有此功能。",
        "Access tokens, guarded APIs, scopes and acr need OpenID Connect: unset SSO_PROTOCOL at our centre, where the site is then registered anew.",
        "访问令牌、受保护的 API、scope 和 acr 需要 OpenID Connect：若使用本项目的认证中心，请取消 SSO_PROTOCOL 并重新登记站点。",
    ),
    "logout_request_invalid": ErrorText(
        400,
        "The logout call isn't one form field `logoutRequest` with a ticket in it.",
        "退出请求不是含有票据的单个表单字段 logoutRequest。",
        "The sender must post a SAML LogoutRequest with SessionIndex, as CAS 3.0.3 section 2.3.3 describes it.",
        "发送方必须按 CAS 3.0.3 第 2.3.3 节提交带有 SessionIndex 的 SAML LogoutRequest。",
    ),
} | SITE_TEXTS
